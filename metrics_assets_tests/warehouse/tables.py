"""Tables in, tables out: a warehouse filled from rows that fit on a screen, derived, and read back.

Times are written '06-02 10:00' and are of 2025, UTC. A login that ends in '[bot]' is a bot; '' is a deleted account.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from metrics_assets.assets.derivations import derivations
from metrics_assets.sources import records
from metrics_assets.sources.records import Account, Record
from metrics_assets.warehouse.derived import table_columns
from metrics_assets.warehouse.write import PersonKeys, upsert

REPOSITORY = 1
START = date(2025, 6, 1)
ENTITIES = ["pull_requests", "issues", "commits", "releases", "tags", "deployments", "stargazers", "forks"]
PEOPLE = PersonKeys(b"the secret of these tests")

R = TypeVar("R", bound=Record)


def at(text: str) -> datetime:
    """'06-02 10:00' (or '06-02', its midnight) of 2025 in UTC."""
    day, _, time = text.partition(" ")
    return datetime.fromisoformat(f"2025-{day} {time or '00:00'}").replace(tzinfo=UTC)


def on(text: str) -> date:
    """'06-02' of 2025."""
    return date.fromisoformat(f"2025-{text}")


def record(record_type: type[R], **given: Any) -> R:
    """A record (of repository 1): what is not given is null, empty or 0; texts become times and accounts."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(record_type):
        value = given.pop(field.name, None)
        kind = str(field.type)
        if isinstance(value, str) and kind.startswith("datetime"):
            value = at(value)
        elif isinstance(value, str) and kind.startswith("Account"):
            value = Account(value.removesuffix("[bot]"), is_bot=value.endswith("[bot]")) if value else None
        elif value is None and "None" not in kind:
            value = {"int": 0, "bool": False, "str": ""}.get(kind, [] if kind.startswith("list") else None)
        values[field.name] = value
    assert not given, f"{record_type.__name__} has no {', '.join(given)}"
    if values.get("repository_id") == 0:
        values["repository_id"] = REPOSITORY
    return record_type(**values)


# Rows of the raw tables, in the few words that matter to a figure.


def commit(sha: str, when: str, parents: str = "", *, default: bool = True, **more: Any) -> Record:
    """A commit on the given parents (separated by spaces), written and committed at the same time."""
    given = {"author": "ann", "authored_at": when} | more
    return record(
        records.Commit, sha=sha, parents=parents.split(), committed_at=when, on_default_branch=default, **given
    )


def pull(number: int, created: str, merged: str | None = None, sha: str | None = None, **more: Any) -> Record:
    """A pull request; merged as a commit at a time, else open."""
    state = {"state": "merged" if merged else "open", "merged_at": merged, "closed_at": merged, "merge_sha": sha}
    given = {"author": "ann", "first_commit_at": created, "updated_at": merged or created} | state | more
    return record(records.PullRequest, number=number, created_at=created, **given)


def issue(number: int, created: str, closed: str | None = None, **more: Any) -> Record:
    given = {"state": "closed" if closed else "open", "author": "ann", "updated_at": closed or created} | more
    return record(records.Issue, number=number, created_at=created, closed_at=closed, **given)


def incident(number: int, created: str, closed: str | None = None, **more: Any) -> Record:
    return issue(number, created, closed, **{"labels": ["incident"]} | more)


def events(number: int, *rows: tuple[str, ...], of: type[records.Event] = records.IssueEvent) -> list[Record]:
    """Events of an item, each ('what', 'when') or ('what', 'when', 'who')."""
    return [
        record(of, event_id=f"{number}.{position}", number=number, event=what, created_at=when, actor="".join(who))
        for position, (what, when, *who) in enumerate(rows)
    ]


def deployment(number: int, sha: str, *statuses: tuple[str, str], environment: str = "production") -> list[Record]:
    """A deployment of a commit with its statuses, each ('what', 'when'); ('success', …) alone is usual."""
    first = statuses[0][1]
    return [
        record(
            records.Deployment,
            deployment_id=number,
            sha=sha,
            environment=environment,
            created_at=first,
            updated_at=statuses[-1][1],
        ),
        *(
            record(
                records.DeploymentStatus,
                status_id=f"{number}.{position}",
                deployment_id=number,
                state=state,
                created_at=when,
            )
            for position, (state, when) in enumerate(statuses)
        ),
    ]


def good(number: int, sha: str, when: str) -> list[Record]:
    """A deployment to production that succeeded."""
    return deployment(number, sha, ("success", when))


def release(number: int, tag: str, published: str | None, **more: Any) -> Record:
    return record(
        records.Release, release_id=number, tag=tag, published_at=published, created_at=published or "06-01", **more
    )


def tag(name: str, sha: str, when: str) -> Record:
    return record(records.Tag, tag=name, sha=sha, tagged_at=when)


def review(number: int, who: str, when: str, state: str = "commented") -> Record:
    return record(
        records.Review, review_id=f"{number}.{who}.{when}", number=number, author=who, state=state, submitted_at=when
    )


def run(number: int, sha: str, when: str, conclusion: str = "success", **more: Any) -> Record:
    """A run of the workflow 'Deploy' on the default branch."""
    given = {"workflow": "Deploy", "event": "push", "branch": "main", "status": "completed"} | more
    return record(
        records.WorkflowRun, run_id=number, sha=sha, conclusion=conclusion, created_at=when, updated_at=when, **given
    )


def job(number: int, of_run: int, name: str, when: str | None, conclusion: str | None = "success") -> Record:
    return record(
        records.WorkflowJob,
        job_id=number,
        run_id=of_run,
        name=name,
        status="completed" if when else "in_progress",
        conclusion=conclusion,
        completed_at=when,
    )


def service(name: str, **more: Any) -> Mapping[str, Any]:
    """A service of the repository, as ops.repository_settings.chains has it."""
    return {"chain": name, "kind": "service", **more}


def environment(name: str) -> Mapping[str, Any]:
    """A further environment of the repository, as ops.repository_settings.chains has it."""
    return {"chain": f"@{name}", "kind": "environment", "deployment_source": "deployments", "environment": name}


def star(who: str, when: str) -> Record:
    return record(records.Stargazer, person=who, starred_at=when)


def counters(when: str, stars: int, forks: int = 0) -> Record:
    return record(records.RepositoryCounters, observed_on=at(when).date(), observed_at=when, stars=stars, forks=forks)


# The warehouse around them.


@dataclass(frozen=True)
class Kept:
    """What metrics.yaml says of the repository."""

    deployment_source: str = "auto"
    environment: str = "production"
    release_tag_pattern: str = r"^v?\d+\.\d+(\.\d+){0,2}$"
    incident_labels: Sequence[str] = ("incident",)
    incident_maximum_gap_hours: float = 24
    entities: Sequence[str] = tuple(ENTITIES)
    workflow: str | None = None
    job: str | None = None
    failure_signals: Sequence[str] = ("incident", "rollback", "revert", "hotfix", "yank", "failed_deployment")
    hotfix_labels: Sequence[str] = ("hotfix",)
    hotfix_days: int = 3
    chains: Sequence[Mapping[str, Any]] = ()


def fill(
    engine: sa.Engine,
    *rows: Record | Sequence[Any],
    created: str = "06-01",
    has_issues: bool = True,
    start: date = START,
    **kept: Any,
) -> None:
    """Write rows of repository 1, 'acme/api', and its settings."""
    every: list[Record] = [
        record(
            records.Repository,
            repository="acme/api",
            provider="github",
            state="active",
            default_branch="main",
            has_issues=has_issues,
            created_at=created,
        )
    ]
    every += _flat(rows)
    by_type: dict[type[Record], list[Record]] = {}
    for one in every:
        by_type.setdefault(type(one), []).append(one)
    settings = dataclasses.asdict(Kept(**kept))
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    settings["chains"] = json.dumps(settings["chains"])
    with engine.begin() as connection:
        for batch in by_type.values():
            upsert(connection, batch, PEOPLE)
        connection.execute(
            sa.text(
                "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
                "values ('acme', :start, 3, 3, 'x') on conflict do nothing"
            ),
            {"start": start},
        )
        names = ["repository_id", "repository", *settings]
        connection.execute(
            sa.text(
                f"insert into ops.repository_settings ({', '.join(names)}) "
                f"values ({', '.join(':' + name for name in names)}) on conflict do nothing"
            ),
            {"repository_id": REPOSITORY, "repository": "acme/api", **settings},
        )
        connection.execute(
            sa.text(
                "insert into ops.collection_state (repository_id, entity, days) "
                "select :repository_id, entity, datemultirange(daterange(:start, '2030-01-01')) "
                "from unnest(cast(:entities as text[])) as entity "
                "where entity <> 'issues' or :has_issues on conflict do nothing"
            ),
            {
                "repository_id": REPOSITORY,
                "start": start,
                "entities": list(settings["entities"]),
                "has_issues": has_issues,
            },
        )


def _flat(rows: Iterable[Any]) -> Iterator[Record]:
    for row in rows:
        if isinstance(row, Record):
            yield row
        else:
            yield from _flat(row)


def in_order() -> list[str]:
    """The derived tables, each after those that it reads."""
    return list(derivations())


def derive(engine: sa.Engine, last: date, first: date = START) -> None:
    """Run everything over the days [first, last]."""
    end = date.fromordinal(last.toordinal() + 1)
    for derivation in derivations().values():
        derivation.run(engine, first, end)


# The rows of delivery: deployments, what they shipped, what they broke.
DELIVERY = (
    "side_commits",
    "deployments",
    "deployment_commits",
    "changes",
    "incident_links",
    "incidents",
    "deployment_failures",
)


def deliver(engine: sa.Engine, last: date, first: date = START) -> None:
    """Run the tables of delivery alone over the days [first, last]."""
    end = date.fromordinal(last.toordinal() + 1)
    for name in in_order():
        if name in DELIVERY:
            derivations()[name].run(engine, first, end)


def delivered(engine: sa.Engine) -> Mapping[str, list[Row]]:
    """All rows of the tables of delivery."""
    with engine.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(sa.text(f"select * from metrics.{name}"))), key=repr)
            for name in DELIVERY
        }


Row = tuple[Any, ...]


def table(engine: sa.Engine, sql: str) -> list[Row]:
    """The rows of a query; times as '06-02 10:00', dates as '06-02'."""
    with engine.connect() as connection:
        return [tuple(_shown(value) for value in row) for row in connection.execute(sa.text(sql)).all()]


def day(engine: sa.Engine, name: str, date_text: str, *columns: str) -> Any:
    """Columns of a daily table on a day, about the repository; one column as a bare value."""
    has_kinds = any(column.name == "subject_kind" for column in table_columns()[f"metrics.{name}"])
    about = " and subject_kind = 'repository'" if has_kinds else ""
    (row,) = table(engine, f"select {', '.join(columns)} from metrics.{name} where date = '2025-{date_text}'{about}")
    return row[0] if len(columns) == 1 else row


def everything(engine: sa.Engine) -> Mapping[str, list[Row]]:
    """All rows of all derived tables, in the order of their keys."""
    with engine.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(sa.text(f"select * from metrics.{name}"))), key=repr)
            for name in in_order()
        }


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%m-%d %H:%M")
    if isinstance(value, date):
        return value.strftime("%m-%d")
    return round(value, 6) if isinstance(value, float) else value
