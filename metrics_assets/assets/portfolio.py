"""Which repositories there are: metrics.yaml and its organizations, looked up at the provider."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.collecting import Collected, Collector
from metrics_assets.settings import RepositorySettings
from metrics_assets.sources.errors import Blocked, NotFound, SourceError
from metrics_assets.sources.github import collect
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.records import Repository


async def collect_repositories(collector: Collector) -> Collected:
    """Collect every repository of metrics.yaml with its counters, and take over what metrics.yaml says of it.

    A repository that is gone or blocked keeps its history and is marked; one that metrics.yaml no longer names
    leaves the figures.
    """
    collected = Collected()
    github = collector.github.accounted()
    rows: list[dict[str, Any]] = []
    for entry in await _wanted(collector, github, collected):
        one = collector.github.accounted()
        try:
            found = await collect.repository(one, entry.name)
        except SourceError as error:
            collected.missing[entry.name] = str(error)
            collector.report(f"{entry.name}: {error}")
            known = _mark(collector, entry.name, error)
            collector.log("repositories", entry.name, "incomplete", one.spent, str(error), repository_id=known)
            if known is not None:
                rows.append(_settings_row(known, entry.name, entry))
        else:
            collected.count(collector.write(found), found)
            collected.repositories += 1
            seen = next(record for record in found if isinstance(record, Repository))
            rows.append(_settings_row(seen.repository_id, seen.repository, entry))
            collector.log(
                "repositories",
                entry.name,
                "complete",
                one.spent,
                _remark(entry.name, seen),
                repository_id=seen.repository_id,
                rows=1,
            )
        collected.requests += one.spent.requests
    _replace_settings(collector, rows)
    collected.requests += github.spent.requests
    return collected


async def _wanted(collector: Collector, github: GitHub, collected: Collected) -> list[RepositorySettings]:
    """The repositories that metrics.yaml lists, and the others of its organizations.

    Of an organization that cannot be listed, those that are known stay.
    """
    wanted = list(collector.settings.repositories)
    for login in collector.settings.organizations:
        listed = {entry.name.lower() for entry in wanted}
        try:
            names = await collect.organization(github, login)
        except SourceError as error:
            collected.missing[login] = str(error)
            collector.report(f"organization {login}: {error}")
            collector.log("repositories", login, "incomplete", github.spent, str(error), repository_id=None)
            names = _known_of(collector, login)
        wanted += [RepositorySettings(github=name) for name in names if name.lower() not in listed]
    return wanted


def _known_of(collector: Collector, login: str) -> list[str]:
    with collector.engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select repository from ops.repository_settings "
                "where lower(split_part(repository, '/', 1)) = lower(:login) order by repository"
            ),
            {"login": login},
        )
        return list(found.scalars())


def _remark(asked: str, found: Repository) -> str | None:
    """What is worth knowing of a repository that was collected."""
    if asked.lower() != found.repository.lower():
        return f"it is {found.repository} now; write that in metrics.yaml"
    return None if found.state == "active" else f"the repository is {found.state}"


def _mark(collector: Collector, repository: str, error: SourceError) -> int | None:
    """Note that a repository is gone or blocked; its id, if it was ever collected."""
    state = "gone" if isinstance(error, NotFound) else "blocked" if isinstance(error, Blocked) else None
    with collector.engine.begin() as connection:
        found = connection.execute(
            sa.text(
                "update raw.repositories set state = coalesce(:state, state) "
                "where lower(repository) = lower(:repository) returning repository_id"
            ),
            {"state": state, "repository": repository},
        ).scalar()
    return int(found) if found is not None else None


def _settings_row(repository_id: int, repository: str, entry: RepositorySettings) -> dict[str, Any]:
    return {
        "repository_id": repository_id,
        "repository": repository,
        "team": entry.team,
        "deployment_source": entry.deployments.source,
        "environment": entry.deployments.environment,
        "release_tag_pattern": entry.deployments.release_tags,
        "incident_labels": entry.incidents.labels,
        "incident_maximum_gap_hours": entry.incidents.maximum_gap_hours,
        "entities": list(entry.collect),
    }


def _replace_settings(collector: Collector, rows: list[dict[str, Any]]) -> None:
    settings = collector.settings
    with collector.engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
                "values (:portfolio, :start, :settle_days, :minimum_group, :check) on conflict (only_row) do update "
                "set portfolio = excluded.portfolio, start = excluded.start, settle_days = excluded.settle_days, "
                "minimum_group = excluded.minimum_group"
            ),
            {
                "portfolio": settings.portfolio,
                "start": settings.start,
                "settle_days": settings.settle_days,
                "minimum_group": settings.privacy.minimum_group,
                "check": collector.people.check,
            },
        )
        connection.execute(sa.text("delete from ops.repository_settings"))
        if rows:
            # Two names of metrics.yaml may be one repository that was renamed; the first entry counts.
            unique = {row["repository_id"]: row for row in reversed(rows)}
            columns = list(rows[0])
            connection.execute(
                sa.text(
                    f"insert into ops.repository_settings ({', '.join(columns)}) "
                    f"values ({', '.join(':' + column for column in columns)})"
                ),
                list(unique.values()),
            )
