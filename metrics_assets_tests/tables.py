"""What a warehouse holds, so that two of them can be compared."""

from __future__ import annotations

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
