"""Rows into a warehouse, and all that it holds, so that two of them can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

# Who ran when is different in every run; what was found is not.
_ABOUT_RUNS = {
    "ops.api_usage",
    "ops.collection_log",
    "ops.collection_state",
    "ops.http_validators",
    "ops.probes",
    "ops.alerts",
    "ops.alert_events",
    "ops.notifications",
    "ops.evaluations",
    "ops.daily_status",
    "ops.reports",
}


def insert(engine: sa.Engine, table: str, *rows: Mapping[str, Any]) -> None:
    """Rows into a table; what is not given is null, or its default. Objects and lists of them become JSON."""
    with engine.begin() as connection:
        for row in rows:
            names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
            values = {name: json.dumps(value) if _is_json(value) else value for name, value in row.items()}
            connection.execute(sa.text(f"insert into {table} ({names}) values ({marks})"), values)


def _is_json(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))


def contents(engine: sa.Engine) -> dict[str, list[str]]:
    """Every row of every table of raw, metrics and ops as text, sorted, by 'schema.table'."""
    with engine.connect() as connection:
        tables = connection.execute(
            sa.text(
                "select table_schema || '.' || table_name from information_schema.tables "
                "where table_schema in ('raw', 'metrics', 'ops') and table_type = 'BASE TABLE' order by 1"
            )
        ).scalars()
        return {
            table: sorted(connection.execute(sa.text(f"select t::text from {table} as t")).scalars())
            for table in list(tables)
            if table not in _ABOUT_RUNS
        }


def assert_same(ours: dict[str, list[str]], expected: dict[str, list[str]]) -> None:
    """Fail with the first rows that differ, not with two whole warehouses."""
    assert ours.keys() == expected.keys()
    for table, rows in expected.items():
        missing, extra = set(rows) - set(ours[table]), set(ours[table]) - set(rows)
        assert not missing, f"{table}: {len(missing)} rows are missing, for example {min(missing)}"
        assert not extra, f"{table}: {len(extra)} rows too many, for example {min(extra)}"
        assert len(ours[table]) == len(rows), f"{table}: some rows stand twice"
