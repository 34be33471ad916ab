"""A second repository, teams and affiliations, and the derivations of communities alone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.derivations import derivations
from metrics_assets.sources.records import Record
from metrics_assets.warehouse.write import upsert
from metrics_assets_tests.warehouse.tables import PEOPLE, START

TABLES = (
    "contributor_days", "durations_daily", "contributor_daily", "issue_age_daily", "discussion_daily",
    "repository_daily", "group_daily", "community_daily",
)  # fmt: skip


def derive(engine: sa.Engine, last: date, first: date = START) -> None:
    """Run what communities are made of over the days [first, last]."""
    for name, derivation in derivations().items():
        if name in TABLES:
            derivation.run(engine, first, last + timedelta(days=1))


def run(engine: sa.Engine, sql: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(sql), values)


def second_repository(engine: sa.Engine, *rows: Record, created: str = "2025-06-01", entities: str = "") -> None:
    """acme/web beside acme/api, collected like it, or only some entities of it; both are of the team 'platform'."""
    run(
        engine,
        "insert into raw.repositories (repository_id, repository, state, is_fork, is_private, has_issues, created_at) "
        "values (2, 'acme/web', 'active', false, false, true, cast(:created as timestamptz))",
        created=created,
    )
    run(
        engine,
        "insert into ops.repository_settings (repository_id, repository, deployment_source, environment, "
        "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
        "select 2, 'acme/web', deployment_source, environment, release_tag_pattern, incident_labels, "
        "incident_maximum_gap_hours, entities from ops.repository_settings where repository_id = 1",
    )
    run(engine, "update ops.repository_settings set team = 'platform'")
    run(
        engine,
        "insert into ops.collection_state (repository_id, entity, days) select 2, entity, days "
        "from ops.collection_state where repository_id = 1 "
        "and (:entities = '' or entity = any (string_to_array(:entities, ' ')))",
        entities=entities,
    )
    by_type: dict[type[Record], list[Record]] = {}
    for row in rows:
        by_type.setdefault(type(row), []).append(row)
    with engine.begin() as connection:
        for batch in by_type.values():
            upsert(connection, batch, PEOPLE)


def of(engine: sa.Engine, table: str, subject: str, when: str, *columns: str) -> Any:
    """Columns of a subject on a day of 2025; one column as a bare value."""
    name = f"(select * from metrics.{table} where subject = '{subject}') as {table}"
    with engine.connect() as connection:
        row = connection.execute(sa.text(f"select {', '.join(columns)} from {name} where date = '2025-{when}'")).one()
    shown = tuple(round(value, 6) if isinstance(value, float) else value for value in row)
    return shown[0] if len(columns) == 1 else shown


def value(engine: sa.Engine, metric: str, subject: str, when: str) -> Any:
    """(value, n, state) of a metric on a day of 2025."""
    with engine.connect() as connection:
        row = connection.execute(
            sa.text(
                "select round(value::numeric, 4)::float, n, state from metrics.metric_values "
                f"where metric = '{metric}' and subject = '{subject}' and date = '2025-{when}'"
            )
        ).one()
    return tuple(row)


def everything(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of communities."""
    with engine.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(sa.text(f"select * from metrics.{name}"))), key=repr)
            for name in TABLES
        }
