"""The tables of sql/derived: one file, one SELECT, one table, one asset.

The file's head says what a row is; its line `-- replace: <column>` names the column that is the row's date. A run
over [start, end) deletes the rows whose date lies in the range and upserts the SELECT's rows, in one transaction.
Lines `-- also replaces: <condition>` name older rows that the SELECT brings up to date: of these, the ones that it no
longer gives are deleted, too.
What the SELECT reads is found by parsing it, so that SQL and asset graph cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlglot
from sqlglot import exp

from metrics_assets.errors import WarehouseError
from metrics_assets.paths import SQL
from metrics_assets.warehouse.filling import first_fill

_BOUND = re.compile(r"(?<![:\w]):(start|end)\b")
_REPLACE = re.compile(r"^-- replace: ([a-z_]+)$", re.MULTILINE)
_ALSO = re.compile(r"^-- also replaces: (.+)$", re.MULTILINE)
SCHEMAS = ("raw", "metrics", "ops")
# Filled from the catalogue's files when the schema is migrated; no asset makes them.
# No assets: filled from the catalogue when it changes, and the book that comes with what was collected.
NO_ASSETS = {
    ("metrics", "catalogue"),
    ("metrics", "metric_bands"),
    ("metrics", "tier_bands"),
    ("metrics", "known_events"),
    # Written with metrics.forecasts.
    ("metrics", "forecast_paths"),
    ("metrics", "forecast_scenarios"),
    ("metrics", "goal_forecasts"),
    ("ops", "collection_log"),
    ("ops", "collection_state"),
    ("ops", "alerts"),
    ("ops", "alert_outcomes"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its migration declares it."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """A derived table: what fills it, what a run replaces, and what it is made of."""

    name: str
    sql: str
    description: str
    date_column: str
    also_replaces: tuple[str, ...]  # conditions on rows from before the range
    reads: tuple[tuple[str, str], ...]  # (schema, table)


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a run over a range did."""

    rows: int
    removed: int


@cache
def derived_tables(folder: Path = SQL / "derived") -> dict[str, DerivedTable]:
    """All derived tables, by name.

    Raises:
        WarehouseError: a file cannot be parsed or does not say what it replaces.
    """
    return {file.stem: _read(file) for file in sorted(folder.glob("*.sql"))}


def _read(file: Path) -> DerivedTable:
    text = file.read_text(encoding="utf-8")
    head = [line[2:].strip() for line in text.split("\nwith ", 1)[0].splitlines() if line.startswith("--")]
    replaced = _REPLACE.search(text)
    if replaced is None:
        raise WarehouseError(f"sql/derived/{file.name} has no line '-- replace: <date column>'; add it to its head.")
    try:
        statement = sqlglot.parse_one(text, read="postgres")
    except sqlglot.errors.ParseError as error:
        raise WarehouseError(f"sql/derived/{file.name} is not one SELECT: {error}") from error
    reads = {(table.db, table.name) for table in statement.find_all(exp.Table) if table.db in SCHEMAS}
    # Views are not assets; what they stand for is book-keeping that comes with the tables beside them.
    reads = {(schema, name) for schema, name in reads if f"{schema}.{name}" in table_columns()}
    reads -= NO_ASSETS
    return DerivedTable(
        name=file.stem,
        sql=text,
        description=" ".join(line for line in head if not line.startswith(("replace:", "also replaces:"))),
        date_column=replaced.group(1),
        also_replaces=tuple(_ALSO.findall(text)),
        reads=tuple(sorted(reads - {("metrics", file.stem)})),
    )


def replace_range(engine: sa.Engine, table: DerivedTable, start: date, end: date) -> Replaced:
    """Rebuild the rows of `table` whose date lies in [start, end), in one transaction."""
    columns = table_columns()[f"metrics.{table.name}"]
    keys = primary_keys()[f"metrics.{table.name}"]
    names = [column.name for column in columns]
    rest = [name for name in names if name not in keys]
    target = f"metrics.{table.name}"
    # Of a table whose key holds the date nothing of the range is left that could be in the way.
    upsert = ""
    if table.date_column not in keys:
        changed = ", ".join(f"{name} = excluded.{name}" for name in rest)
        upsert = f" on conflict ({', '.join(keys)}) do update set {changed}"
    bounds = {"start": start, "end": end}
    with engine.begin() as connection:
        # Runs over ranges that overlap take their turns.
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext(:table))"), {"table": target})
        _refresh_statistics(connection, table)
        with first_fill(connection, target, days=(end - start).days) as is_first:
            # Early, so that the SELECT does not see what it is about to replace.
            removed = connection.exec_driver_sql(
                f"delete from {target} where {table.date_column} >= %(start)s and {table.date_column} < %(end)s", bounds
            ).rowcount
            older = _older_rows(connection, table, bounds)
            written = connection.exec_driver_sql(
                f"insert into {target} ({', '.join(names)}) "
                # In the order of the key: else every row goes to another page of its index.
                f"select {', '.join(names)} from (\n{for_driver(table.sql)}\n) as built order by {', '.join(keys)}"
                + ("" if is_first else upsert),
                bounds,
            ).rowcount
            if older:
                removed += connection.exec_driver_sql(
                    f"delete from {target} where ctid = any (array(select place from older_rows))"
                ).rowcount
    return Replaced(rows=written, removed=removed)


def _older_rows(connection: sa.Connection, table: DerivedTable, bounds: dict[str, date]) -> int:
    """Note the rows from before the range that are brought up to date; how many.

    By their place in the table, because a row that is written again gets another one.
    """
    if not table.also_replaces:
        return 0
    connection.exec_driver_sql("create temp table older_rows (place tid) on commit drop")
    return sum(
        connection.exec_driver_sql(
            f"insert into older_rows select ctid from metrics.{table.name} "
            f"where {table.date_column} < %(start)s and ({for_driver(condition)})",
            bounds,
        ).rowcount
        for condition in table.also_replaces
    )


def _refresh_statistics(connection: sa.Connection, table: DerivedTable) -> None:
    """Tell the planner of tables that were just filled; autovacuum would come too late, and every day is too often."""
    changed = connection.exec_driver_sql(
        "select schemaname || '.' || relname from pg_stat_user_tables "
        "where schemaname || '.' || relname = any (%(tables)s) "
        "and n_mod_since_analyze > 0.05 * greatest(n_live_tup, 100) order by 1",
        {"tables": [f"{schema}.{name}" for schema, name in table.reads]},
    ).scalars()
    for name in list(changed):
        connection.exec_driver_sql(f"analyze {name}")


def for_driver(sql: str) -> str:
    """The files' :start and :end as psycopg2 writes them; every other colon and per cent sign is SQL's."""
    return _BOUND.sub(r"%(\1)s", sql.replace("%", "%%"))


@cache
def _statements(folder: Path = SQL / "migrations") -> list[exp.Expression]:
    """What the migrations do to tables, in order."""
    statements: list[Any] = []
    for file in sorted(folder.glob("*.sql")):
        statements += sqlglot.parse(file.read_text(encoding="utf-8"), read="postgres")
    return [s for s in statements if isinstance(s, exp.Alter) or (isinstance(s, exp.Create) and s.kind == "TABLE")]


@cache
def table_columns() -> dict[str, tuple[Column, ...]]:
    """The columns of every table that the migrations create, by 'schema.table'; as the last of them leaves it."""
    columns: dict[str, tuple[Column, ...]] = {}
    for statement in _statements():
        name = statement.this.find(exp.Table)
        table = f"{name.db}.{name.name}"
        if isinstance(statement, exp.Alter):
            added = [_column(action) for action in statement.args["actions"] if isinstance(action, exp.ColumnDef)]
            columns[table] = (*columns[table], *added)
            continue
        like = next(iter(statement.this.find_all(exp.LikeProperty)), None)
        if like is not None:
            columns[table] = columns[f"{like.this.db}.{like.this.name}"]
            continue
        columns[table] = tuple(_column(column) for column in statement.this.find_all(exp.ColumnDef))
    return columns


def _column(column: exp.ColumnDef) -> Column:
    return Column(
        name=column.name,
        type=column.kind.sql("postgres").lower() if column.kind else "",
        nullable=not (column.find(exp.NotNullColumnConstraint) or column.find(exp.PrimaryKeyColumnConstraint)),
    )


@cache
def primary_keys() -> dict[str, tuple[str, ...]]:
    """The primary key of every table that the migrations create, by 'schema.table'."""
    keys: dict[str, tuple[str, ...]] = {}
    for statement in _statements():
        if isinstance(statement, exp.Alter):
            continue
        name = statement.this.find(exp.Table)
        key = statement.this.find(exp.PrimaryKey)
        if key is not None:
            keys[f"{name.db}.{name.name}"] = tuple(part.name for part in key.expressions)
    return keys
