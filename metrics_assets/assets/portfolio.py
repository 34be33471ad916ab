"""Which repositories there are: metrics.yaml and its organizations, and one look at all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.collecting import Collected, Collector
from metrics_assets.assets.git import collect_git, fetch
from metrics_assets.settings import WEEKDAYS, RepositorySettings, Settings, metrics_home
from metrics_assets.sources.errors import Blocked, NotFound, SourceError
from metrics_assets.sources.git.mirror import Mirror
from metrics_assets.sources.github.probe import Probed, organization, probe, why_not
from metrics_assets.sources.records import Account, Record, Repository
from metrics_assets.warehouse.collection import Entry, Usage

_ENTITY = "repositories"
# Repositories whose probes are written in one transaction.
_WRITTEN_TOGETHER = 200


async def collect_repositories(collector: Collector) -> Collected:
    """Look at every repository of metrics.yaml, and take over what metrics.yaml says of it.

    A repository that is gone or blocked keeps its history and is marked; one that metrics.yaml no longer names
    leaves the figures.
    """
    collected = Collected()
    wanted = await _wanted(collector, collected)
    on_github = [entry for entry in wanted if entry.github]
    rows = [row for entry in wanted if not entry.github for row in await _only_in_git(collector, entry, collected)]
    rows += await _probe(collector, on_github, collected)
    _replace_settings(collector, rows)
    return collected


async def probe_again(collector: Collector) -> None:
    """Look at the repositories that are known, where this run has not done it: nothing else is changed."""
    with collector.engine.connect() as connection:
        names = connection.execute(
            sa.text(
                "select settings.repository from ops.repository_settings as settings "
                "join raw.repositories using (repository_id) where provider = 'github' order by 1"
            )
        )
        entries = [RepositorySettings(github=name) for name in names.scalars()]
    await _probe(collector, entries, Collected())


async def _probe(
    collector: Collector, entries: Sequence[RepositorySettings], collected: Collected
) -> list[dict[str, Any]]:
    """Write what the probe shows of repositories; their rows of ops.repository_settings."""
    github = collector.github.accounted()
    rows: list[dict[str, Any]] = []
    seen: list[Probed] = []
    position = 0
    async for probed in probe(github, [str(entry.github) for entry in entries]):
        entry = entries[position]
        position += 1
        if probed.found is None:
            rows += await _not_found(collector, entry, probed, collected)
        else:
            seen.append(probed)
            rows.append(_settings_row(probed.found.id, probed.found.full_name, entry))
            collected.repositories += 1
        if len(seen) >= _WRITTEN_TOGETHER:
            _write(collector, seen, collected)
            seen = []
    _write(collector, seen, collected)
    collected.requests += github.graphql.requests
    collected.points += github.graphql.points
    return rows


def _write(collector: Collector, seen: Sequence[Probed], collected: Collected) -> None:
    records: list[Record] = []
    probes, entries, usages = [], [], []
    for probed in seen:
        found = probed.found
        if found is None:
            continue
        repository, counters = found.record(), found.counters(probed.observed_at)
        records += [repository, *([counters] if counters else [])]
        probes.append(
            {
                "repository": found.id,
                "run": collector.book.run_id,
                "at": probed.observed_at,
                "permission": found.permission,
                "marks": json.dumps(found.marks()),
                "totals": json.dumps(found.totals()),
            }
        )
        entries.append(
            Entry(
                _ENTITY,
                probed.name,
                "complete",
                found.id,
                rows_read=1,
                requests=probed.requests,
                points=probed.points,
                reason=_remark(probed.name, repository),
            )
        )
        usages.append(Usage("github", _ENTITY, probed.name, "graphql", probed.requests, probed.points))
    collected.count(collector.write(records), records)
    if probes:
        with collector.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into ops.probes (repository_id, run_id, observed_at, permission, marks, totals) "
                    "values (:repository, :run, :at, :permission, cast(:marks as jsonb), cast(:totals as jsonb)) "
                    "on conflict (repository_id) do update set run_id = excluded.run_id, "
                    "observed_at = excluded.observed_at, permission = excluded.permission, marks = excluded.marks, "
                    "totals = excluded.totals"
                ),
                probes,
            )
    collector.book.log(entries)
    collector.book.use(usages)


async def _not_found(
    collector: Collector, entry: RepositorySettings, probed: Probed, collected: Collected
) -> list[dict[str, Any]]:
    """Report a repository that could not be seen; its row of settings, if it was ever collected."""
    error = probed.error or SourceError(f"{entry.name}: nothing is known of it.")
    if isinstance(error, NotFound):
        github = collector.github.accounted()
        error = await why_not(github, entry.name, error)
        collected.requests += github.rest.requests
        collector.book.use([Usage("github", _ENTITY, entry.name, "core", github.rest.requests)])
    collected.missing[_ENTITY][entry.name] = str(error)
    collector.report(f"{entry.name}: {error}")
    known = _mark(collector, entry.name, error)
    collector.book.log(
        [
            Entry(
                _ENTITY,
                entry.name,
                "incomplete",
                known,
                requests=probed.requests,
                points=probed.points,
                reason=str(error),
                error_class=type(error).__name__,
            )
        ]
    )
    collector.book.use([Usage("github", _ENTITY, entry.name, "graphql", probed.requests, probed.points)])
    return [_settings_row(known, entry.name, entry)] if known is not None else []


async def _only_in_git(collector: Collector, entry: RepositorySettings, collected: Collected) -> list[dict[str, Any]]:
    """Clone or fetch a repository that is on no provider, and write what it is; its row of settings."""
    known: int | None = None
    try:
        mirror = Mirror(entry.git or "", metrics_home())
        known = mirror.repository_id
        await fetch(mirror, fresh_since=collector.began)
        start = datetime.combine(collector.settings.start, datetime.min.time(), UTC)
        async for batch in collect_git(mirror, "repository", known, entry.name, start):
            collected.count(collector.write(batch.records), batch.records)
            if batch.remarks:
                collected.remarks[entry.name] = " ".join(batch.remarks)
        collector.book.log([Entry(_ENTITY, entry.name, "complete", known, rows_read=1, source="git")])
        collected.repositories += 1
    except SourceError as error:
        collected.missing[_ENTITY][entry.name] = str(error)
        collector.report(f"{entry.name}: {error}")
        kind = type(error).__name__
        collector.book.log(
            [Entry(_ENTITY, entry.name, "incomplete", known, reason=str(error), error_class=kind, source="git")]
        )
    return [_settings_row(known, entry.name, entry)] if known is not None else []


async def _wanted(collector: Collector, collected: Collected) -> list[RepositorySettings]:
    """The repositories that metrics.yaml lists, and the others of its organizations.

    Of an organization that cannot be listed, those that are known stay.
    """
    wanted = list(collector.settings.repositories)
    for login in collector.settings.organizations:
        github = collector.github.accounted()
        listed = {entry.name.lower() for entry in wanted}
        try:
            names = await organization(github, login)
        except SourceError as error:
            collected.missing[_ENTITY][login] = str(error)
            collector.report(f"organization {login}: {error}")
            entry = Entry(_ENTITY, login, "incomplete", reason=str(error), error_class=type(error).__name__)
            collector.book.log([entry])
            names = _known_of(collector, login)
        else:
            # So that what was said of it before is over.
            collector.book.log([Entry(_ENTITY, login, "complete", rows_read=len(names))])
        wanted += [RepositorySettings(github=name) for name in names if name.lower() not in listed]
        collected.requests += github.rest.requests
        collector.book.use([Usage("github", _ENTITY, login, "core", github.rest.requests)])
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
        "git": entry.git,
        "workflow": entry.deployments.workflow,
        "job": entry.deployments.job,
        "failure_signals": list(entry.deployments.failure_signals),
        "hotfix_labels": entry.deployments.hotfix_labels,
        "hotfix_days": entry.deployments.hotfix_days,
        "chains": json.dumps(_chains(entry)),
    }


def _chains(entry: RepositorySettings) -> list[dict[str, Any]]:
    """The chains besides the repository's own, as the view ops.chains reads them; null is the repository's value."""
    services = [
        {
            "chain": name,
            "kind": "service",
            "team": service.team,
            "deployment_source": service.source,
            "environment": service.environment,
            "workflow": service.workflow,
            "job": service.job,
            "release_tag_pattern": service.release_tags,
            "paths": service.paths,
        }
        for name, service in entry.services.items()
    ]
    environments = [
        {"chain": f"@{name}", "kind": "environment", "deployment_source": "deployments", "environment": name}
        for name in entry.deployments.environments
    ]
    return [*services, *environments]


def _replace_settings(collector: Collector, rows: list[dict[str, Any]]) -> None:
    settings = collector.settings
    with collector.engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check, "
                "business_hours, issue_resolution_days, first_response_hours, space_teams, packs) "
                "values (:portfolio, :start, :settle_days, :minimum_group, :check, cast(:business_hours as jsonb), "
                ":issue_resolution_days, :first_response_hours, :space_teams, :packs) on conflict (only_row) do update "
                "set portfolio = excluded.portfolio, start = excluded.start, settle_days = excluded.settle_days, "
                "minimum_group = excluded.minimum_group, business_hours = excluded.business_hours, "
                "issue_resolution_days = excluded.issue_resolution_days, "
                "first_response_hours = excluded.first_response_hours, space_teams = excluded.space_teams, "
                "packs = excluded.packs"
            ),
            {
                "portfolio": settings.portfolio,
                "start": settings.start,
                "settle_days": settings.settle_days,
                "minimum_group": settings.privacy.minimum_group,
                "check": collector.people.check,
                "business_hours": json.dumps(_business_hours(settings)),
                "issue_resolution_days": settings.service_levels.issue_resolution_days,
                "first_response_hours": settings.service_levels.first_response_hours,
                "space_teams": settings.space.teams,
                "packs": list(settings.packs),
            },
        )
        _replace_people(connection, collector)
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


def _replace_people(connection: sa.Connection, collector: Collector) -> None:
    """Take over who is in which team and works for whom; only hashes of their logins are kept."""
    settings, people = collector.settings, collector.people
    members = [
        {"team": team, "person": people.key(Account(login))}
        for team, logins in settings.teams.items()
        for login in logins
    ]
    affiliations = {
        people.key(Account(login)): name for name, logins in settings.affiliations.items() for login in logins
    }
    connection.execute(sa.text("delete from ops.team_members"))
    connection.execute(sa.text("delete from ops.affiliations"))
    if members:
        connection.execute(
            sa.text("insert into ops.team_members (team, person_key) values (:team, :person) on conflict do nothing"),
            members,
        )
    if affiliations:
        connection.execute(
            sa.text("insert into ops.affiliations (person_key, organisation) values (:person, :organisation)"),
            [{"person": person, "organisation": name} for person, name in affiliations.items()],
        )


def _business_hours(settings: Settings) -> dict[str, Any]:
    """The business hours as figures read them: weekdays as 0 (Monday) to 6, public holidays spelled out by year."""
    hours = settings.business_hours
    free = {day.isoformat() for day in hours.holidays}
    if hours.country:
        from holidays import country_holidays

        country, _, part = hours.country.partition("-")
        years = range(settings.start.year, datetime.now(UTC).year + 2)
        free |= {day.isoformat() for day in country_holidays(country, subdiv=part or None, years=years)}
    return {
        "timezone": hours.timezone,
        "days": [WEEKDAYS.index(day) for day in hours.days],
        "from": hours.opens,
        "to": hours.closes,
        "holidays": sorted(free),
    }
