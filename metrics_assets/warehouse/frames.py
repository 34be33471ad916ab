"""Metric values out of the warehouse as DataFrames, and DataFrames back into their tables."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import pandas as pd
import sqlalchemy as sa

VALUE_COLUMNS = ["metric", "subject_kind", "subject", "date", "value", "n", "state"]


def read_metric_values(
    engine: sa.Engine, metrics: Iterable[str], start: date, end: date, kinds: Sequence[str] | None = None
) -> pd.DataFrame:
    """The values of some metrics on the days [start, end), of all subjects or of those of some kinds.

    Returns:
        The columns of metrics.metric_values: metric, subject_kind, subject, date (datetime64), value (float, NaN
        where unknown), n (float, NaN where there is none), state; ordered by metric, subject and date.
    """
    metrics = list(metrics)
    of_kinds = " and subject_kind = any (:kinds)" if kinds is not None else ""
    branches = [
        # One metric at a time: the planner then reads one branch of the view instead of all.
        f"select {', '.join(VALUE_COLUMNS)} from metrics.metric_values "
        f"where metric = :metric_{position} and date >= :start and date < :end{of_kinds}"
        for position, _ in enumerate(metrics)
    ]
    parameters: dict[str, Any] = {f"metric_{position}": metric for position, metric in enumerate(metrics)}
    with engine.connect() as connection:
        frame = pd.read_sql(
            sa.text(" union all ".join(branches) + " order by metric, subject, date"),
            connection,
            params={**parameters, "start": start, "end": end, **({"kinds": list(kinds)} if kinds is not None else {})},
            parse_dates=["date"],
        )
    return frame.astype({"value": "float64", "n": "float64"})


def replace_days(
    engine: sa.Engine, table: str, frame: pd.DataFrame, start: date, end: date, only: Mapping[str, str]
) -> int:
    """Replace the rows of `table` with date in [start, end) and the given column values, in one transaction.

    Args:
        frame: the new rows; its columns are the table's. Missing values of any kind become null, lists and
            dicts JSON.
        only: columns and values that tell this frame's rows from others of the same table.

    Returns:
        The number of rows written.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # its line ends are \r\n: with others it leaves a lone \r unquoted
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([_cell(value) for value in row])
    buffer.seek(0)
    with replacing_days(engine, table, start, end, only) as connection:
        copy_rows(connection, table, list(frame.columns), buffer)
    return len(frame)


@contextmanager
def replacing_days(
    engine: sa.Engine, table: str, start: date, end: date, only: Mapping[str, str] | None = None
) -> Iterator[sa.Connection]:
    """A transaction in which the rows of `table` with date in [start, end) are gone, to be written anew.

    Args:
        only: columns and values that tell the rows that go from others of the same table.
    """
    only = only or {}
    conditions = "".join(f" and {column} = :{column}" for column in only)
    with engine.begin() as connection:
        # Runs over ranges that overlap take their turns.
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext(:table))"), {"table": table})
        connection.execute(
            sa.text(f"delete from {table} where date >= :start and date < :end{conditions}"),
            {"start": start, "end": end, **only},
        )
        yield connection


def copied_rows(connection: sa.Connection, query: str, parameters: Mapping[str, Any] | Sequence[Any]) -> io.BytesIO:
    """The rows of a query as CSV with a header, by COPY: several times as fast as rows one by one.

    Args:
        parameters: for %s or %(name)s. They come to stand in the statement's text: with a list of metrics the planner
            so drops every branch of metrics.metric_values that is about something else.
    """
    rows = io.BytesIO()
    cursor: Any = connection.connection.cursor()
    try:
        cursor.copy_expert(f"copy ({cursor.mogrify(query, parameters).decode()}) to stdout (format csv, header)", rows)
    finally:
        cursor.close()
    rows.seek(0)
    return rows


def read_numbers(connection: sa.Connection, query: str, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a query that gives numbers alone, by COPY; NaN where one is null."""
    return pd.read_csv(copied_rows(connection, query, parameters))


def copy_rows(connection: sa.Connection, table: str, columns: Sequence[str] | None, rows: io.StringIO) -> None:
    """COPY rows in CSV into a table, within the connection's transaction."""
    names = f" ({', '.join(columns)})" if columns else ""
    cursor: Any = connection.connection.cursor()
    try:
        cursor.copy_expert(f"copy {table}{names} from stdin (format csv)", rows)
    finally:
        cursor.close()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, allow_nan=False)
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)  # counts that pandas made floats because some are missing
    return value
