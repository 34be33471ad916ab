"""Metrics by a SELECT of the user's own, in a file beside the catalogue file that names it.

It gives a row per subject and day with the columns subject_kind, subject, date, value and, where there is one, n, for
the days from :start to the day before :end. It is run so that it can only read, and for five minutes at the most.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlglot
from sqlglot import exp

from metrics_assets.catalogue.metrics import Metric
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import SQL
from metrics_assets.warehouse.derived import SCHEMAS, derived_tables, for_driver, table_columns
from metrics_assets.warehouse.formulas import COME_AFTER, about

_COLUMNS = ("subject_kind", "subject", "date", "value")
_KINDS = ("repository", "service", "environment", "team", "portfolio", "package", "community", "segment")
_VALUES = "metrics.metric_values"
# Tables that stand on calculated metrics, and no SELECT of sql/derived says so. ops.alerts is none of them: which
# alerts fired, and whether they were useful, is a record of what happened, and no asset makes it.
_LATER = {
    "metrics.calculated_daily",
    "ops.alert_events",
    "ops.notifications",
    *(f"metrics.{table}" for table in COME_AFTER),
}
_SECONDS = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

Row = tuple[str, str, date, float | None, int | None]


@dataclass(frozen=True, slots=True)
class OwnSql:
    """A SELECT of the user's.

    Attributes:
        reads: the tables ('raw.issues') that it reads.
        metrics: the metrics that it reads from metrics.metric_values.
    """

    metric: Metric
    sql: str
    reads: frozenset[str]
    metrics: frozenset[str]


def read_own_sql(metric: Metric, metrics: Mapping[str, Metric]) -> OwnSql:
    """Read and parse the file of a metric.

    Raises:
        CatalogueError: it is not there, is not one SELECT, or reads what is made after calculated metrics.
    """
    path = _path(metric)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _wrong(metric, f"the file does not exist; put it into {path.parent}") from None
    except OSError as error:
        raise _wrong(metric, f"the file cannot be read ({error.strerror}); mend its permissions") from None
    except UnicodeDecodeError as error:
        raise _wrong(metric, f"the file is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    try:
        statements = [statement for statement in sqlglot.parse(text, read="postgres") if statement is not None]
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        said = " ".join(_COLOURS.sub("", str(error)).split())[:300].rstrip(".")
        raise _wrong(metric, f"it cannot be parsed: {said}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise _wrong(metric, "it must be one SELECT and nothing else")
    reads = _tables(statements[0])
    literals = {one.this for one in statements[0].find_all(exp.Literal) if one.is_string}
    named = {key for key in literals if key in metrics} if _VALUES in reads else set()
    if _VALUES in reads and not named:
        raise _wrong(metric, f"it reads {_VALUES} and names no metric; add where metric = 'its key'")
    later = {f"metrics.{metrics[key].stored_in}" for key in named if metrics[key].table in COME_AFTER}
    later |= {table for table in reads if _comes_after(table)}
    if later:
        raise _wrong(
            metric, f"it reads {', '.join(sorted(later))}, which is made after calculated metrics; leave it out"
        )
    if metric.key in named:
        raise _wrong(metric, "it reads the metric itself; a metric cannot stand on itself")
    sql = text.rstrip().removesuffix(";")
    return OwnSql(metric, sql, frozenset(reads - {_VALUES}), frozenset(named))


def rows_of(connection: sa.Connection, own: OwnSql, start: date, end: date) -> list[Row]:
    """Run the SELECT within the connection's transaction, where it can only read, and check its rows.

    Raises:
        CatalogueError: it fails, takes too long, or has rows that cannot be; the text names file and row.
    """
    bounds = {"start": start, "end": end}
    attempt = connection.begin_nested()
    try:
        connection.exec_driver_sql(f"set local statement_timeout = '{_SECONDS}s'")
        connection.exec_driver_sql("set transaction read only")
        # In parentheses nothing can follow it.
        result = connection.exec_driver_sql(f"select * from (\n{for_driver(own.sql)}\n) as own", bounds)
        columns, found = list(result.keys()), result.all()
    except sa.exc.DBAPIError as error:
        raise _wrong(own.metric, f"PostgreSQL says: {' '.join(str(error.orig).split())[:300]}") from None
    finally:
        attempt.rollback()  # what was set for it ends with it
    missing = [name for name in _COLUMNS if name not in columns]
    unknown = [name for name in columns if name not in (*_COLUMNS, "n")]
    if missing or unknown or len(set(columns)) != len(columns):
        raise _wrong(own.metric, f"its columns are {', '.join(columns)}; they must be {', '.join(_COLUMNS)} (and n)")
    places = [columns.index(name) if name in columns else None for name in (*_COLUMNS, "n")]
    rows: dict[tuple[str, str, date], Row] = {}
    for one in found:
        row = _checked(own.metric, [None if place is None else one[place] for place in places], start, end)
        if row[:3] in rows:
            raise _wrong(own.metric, f"{row[0]} {row[1]} has two rows on {row[2]}; give one per subject and day")
        rows[row[:3]] = row
    return list(rows.values())


def _checked(metric: Metric, cells: list[Any], start: date, end: date) -> Row:
    kind, subject, day, value, n = cells
    if kind not in _KINDS:
        raise _wrong(metric, f"subject_kind {kind!r} is none; use one of {', '.join(_KINDS)}")
    if not isinstance(subject, str) or not subject:
        raise _wrong(metric, f"subject {subject!r} of a {kind} is no name")
    if not isinstance(day, date) or isinstance(day, datetime):
        raise _wrong(metric, f"date {day} is no date; write it as date::date")
    if not start <= day < end:
        raise _wrong(
            metric, f"{kind} {subject} has a row on {day}; only days from :start to the day before :end may be"
        )
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | None):
        raise _wrong(metric, f"value {value!r} of {kind} {subject} on {day} is no number")
    if n is not None and (
        isinstance(n, bool)
        or not isinstance(n, int | float | Decimal)
        or not math.isfinite(n)
        or n != int(n)
        or not -(2**63) <= int(n) < 2**63
    ):
        raise _wrong(metric, f"n {n!r} of {kind} {subject} on {day} is no whole number")
    number = None if value is None else float(value)
    known = number is not None and math.isfinite(number)
    return kind, subject, day, number if known else None, None if n is None else int(n)


def _path(metric: Metric) -> Path:
    name = metric.sql or ""
    folder = metric.file.parent if metric.file else Path()
    if Path(name).name != name or not name.endswith(".sql"):
        raise _wrong(metric, "it must be the name of a file beside this one, ending in .sql")
    return folder / name


def _wrong(metric: Metric, what: str) -> CatalogueError:
    return CatalogueError(f"{about(metric)}: sql {metric.sql}: {what}.")


def _tables(statement: Any) -> set[str]:
    """The tables that a statement reads; views of this product as the tables that they read."""
    inner = {query.alias for query in statement.find_all(exp.CTE)}
    found: set[str] = set()
    for table in statement.find_all(exp.Table):
        schemas = [table.db] if table.db else [] if table.name in inner else ["metrics", "raw", "ops"]
        names = [f"{schema}.{table.name}" for schema in schemas if schema in SCHEMAS]
        known = [name for name in names if name in table_columns() or name == _VALUES]
        view = SQL / "views" / f"{table.name}.sql"
        if known:
            found.add(known[0])
        elif names and view.exists():
            for part in sqlglot.parse(view.read_text(encoding="utf-8"), read="postgres"):
                body = part.expression if isinstance(part, exp.Create) else None
                found |= _tables(body) if isinstance(body, exp.Query) else set()
    return found


def _comes_after(table: str) -> bool:
    """Whether a table is made after, or from, calculated metrics."""
    if table in _LATER:
        return True
    derived = derived_tables().get(table.removeprefix("metrics."))
    return derived is not None and any(_comes_after(f"{schema}.{name}") for schema, name in derived.reads)
