"""The tables of sql/derived: one file, one SELECT, one table, one asset.

The file's head says what a row is; its line `-- replace: <column>` names the column that is the row's date. A run
over [start, end) deletes the rows whose date lies in the range and upserts the SELECT's rows, in one transaction.
What the SELECT reads is found by parsing it, so that SQL and asset graph cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import sqlalchemy as sa
import sqlglot
from sqlglot import exp

from metrics_assets.errors import WarehouseError
from metrics_assets.paths import SQL

_BOUND = re.compile(r"(?<![:\w]):(start|end)\b")
_REPLACE = re.compile(r"^-- replace: ([a-z_]+)$", re.MULTILINE)
SCHEMAS = ("raw", "metrics", "ops")


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
    return DerivedTable(
        name=file.stem,
        sql=text,
        description=" ".join(line for line in head if not line.startswith("replace:")),
        date_column=replaced.group(1),
        reads=tuple(sorted(reads - {("metrics", file.stem)})),
    )


def replace_range(engine: sa.Engine, table: DerivedTable, start: date, end: date) -> Replaced:
    """Rebuild the rows of `table` whose date lies in [start, end), in one transaction."""
    columns = table_columns()[f"metrics.{table.name}"]
    keys = primary_keys()[f"metrics.{table.name}"]
    names = [column.name for column in columns]
    rest = [name for name in names if name not in keys]
    target = f"metrics.{table.name}"
    bounds = {"start": start, "end": end}
    with engine.begin() as connection:
        # Runs over ranges that overlap take their turns.
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext(:table))"), {"table": target})
        # Early, so that the SELECT does not see what it is about to replace.
        removed = connection.exec_driver_sql(
            f"delete from {target} where {table.date_column} >= %(start)s and {table.date_column} < %(end)s", bounds
        ).rowcount
        _refresh_statistics(connection, table)
        written = connection.exec_driver_sql(
            f"insert into {target} ({', '.join(names)}) "
            f"select {', '.join(names)} from (\n{_for_driver(table.sql)}\n) as built "
            f"on conflict ({', '.join(keys)}) do update set " + ", ".join(f"{name} = excluded.{name}" for name in rest),
            bounds,
        ).rowcount
    return Replaced(rows=written, removed=removed)


def _refresh_statistics(connection: sa.Connection, table: DerivedTable) -> None:
    """Tell the planner of tables that were just filled; autovacuum would come too late, and every day is too often."""
    changed = connection.exec_driver_sql(
        "select schemaname || '.' || relname from pg_stat_user_tables "
        "where schemaname || '.' || relname = any (%(tables)s) "
        "and n_mod_since_analyze > 0.05 * greatest(n_live_tup, 100)",
        {"tables": [f"{schema}.{name}" for schema, name in table.reads]},
    ).scalars()
    for name in list(changed):
        connection.exec_driver_sql(f"analyze {name}")


def _for_driver(sql: str) -> str:
    """The files' :start and :end as psycopg2 writes them; every other colon and per cent sign is SQL's."""
    return _BOUND.sub(r"%(\1)s", sql.replace("%", "%%"))


@cache
def _created_tables(folder: Path = SQL / "migrations") -> list[exp.Create]:
    statements = []
    for file in sorted(folder.glob("*.sql")):
        statements += sqlglot.parse(file.read_text(encoding="utf-8"), read="postgres")
    return [s for s in statements if isinstance(s, exp.Create) and s.kind == "TABLE"]


@cache
def table_columns() -> dict[str, tuple[Column, ...]]:
    """The columns of every table that the migrations create, by 'schema.table'."""
    columns: dict[str, tuple[Column, ...]] = {}
    for statement in _created_tables():
        schema = statement.this
        name = schema.find(exp.Table)
        like = next(iter(schema.find_all(exp.LikeProperty)), None)
        if like is not None:
            source = like.this
            columns[f"{name.db}.{name.name}"] = columns[f"{source.db}.{source.name}"]
            continue
        columns[f"{name.db}.{name.name}"] = tuple(
            Column(
                name=column.name,
                type=column.kind.sql("postgres").lower() if column.kind else "",
                nullable=not (column.find(exp.NotNullColumnConstraint) or column.find(exp.PrimaryKeyColumnConstraint)),
            )
            for column in schema.find_all(exp.ColumnDef)
        )
    return columns


@cache
def primary_keys() -> dict[str, tuple[str, ...]]:
    """The primary key of every table that the migrations create, by 'schema.table'."""
    keys: dict[str, tuple[str, ...]] = {}
    for statement in _created_tables():
        name = statement.this.find(exp.Table)
        key = statement.this.find(exp.PrimaryKey)
        if key is not None:
            keys[f"{name.db}.{name.name}"] = tuple(part.name for part in key.expressions)
    return keys
