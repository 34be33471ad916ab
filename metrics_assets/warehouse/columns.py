"""Numbers out of the warehouse as numpy arrays, and arrays back into a table: COPY in its binary form.

A row of fixed width is a record that numpy reads as it lies there; nothing is turned into text. Moments are
microseconds since the beginning of 2000 (UTC), as PostgreSQL keeps them; 'infinity' is the largest integer.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH = date(2000, 1, 1)
FOREVER = np.iinfo(np.int64).max


def days_since_2000(day: date) -> int:
    return (day - _EPOCH).days


def read_columns(
    connection: sa.Connection, select: str, columns: Mapping[str, str], **parameters: Any
) -> dict[str, NDArray[Any]]:
    """The rows of a SELECT, by column.

    Args:
        select: SQL with parameters as %(start)s. Its columns are bigint, timestamptz or double precision, and never
            null: coalesce to 'infinity' or 'NaN'.
        columns: its columns in order, each 'i8' (bigint, timestamptz) or 'f8' (double precision).
    """
    fields = [(f"{part}_{name}", kind) for name in columns for part, kind in (("length", ">i4"), ("value", ">i8"))]
    fields = [
        (name, f">{columns[name.removeprefix('value_')]}" if name.startswith("value_") else kind)
        for name, kind in fields
    ]
    record = np.dtype([("fields", ">i2"), *fields])
    buffer = io.BytesIO()
    cursor: Any = connection.connection.cursor()
    try:
        query = cursor.mogrify(select, parameters).decode()
        cursor.copy_expert(f"copy ({query}) to stdout (format binary)", buffer)
    finally:
        cursor.close()
    content = memoryview(buffer.getbuffer())[len(_SIGNATURE) : -len(_TRAILER)]
    rows = np.frombuffer(content, dtype=record, count=len(content) // record.itemsize)
    if len(content) % record.itemsize or not np.all(rows["fields"] == len(columns)):
        raise ValueError("a column is null, or of a type that is not 8 bytes wide")
    return {name: rows[f"value_{name}"].astype(kind) for name, kind in columns.items()}


def write_columns(
    connection: sa.Connection, table: str, columns: Mapping[str, NDArray[Any]], types: Mapping[str, str]
) -> int:
    """COPY rows into a table; the number of rows.

    Args:
        columns: all of one length; texts as arrays of str, days as integers (see `days_since_2000`), the others as
            floats. NaN, and the empty text, become null.
        types: the columns' types as `table_columns` gives them: text, date, int, bigint or double precision.
    """
    cells = [_cells(values, types[name]) for name, values in columns.items()]
    rows = len(next(iter(columns.values())))
    heads = np.full((rows, 2), np.frombuffer(np.array(len(cells), dtype=">i2").tobytes(), dtype=np.uint8))
    # All cells side by side at their full width; what is too much is left out at the end.
    content = np.concatenate([heads, *(cell for cell, _ in cells)], axis=1)
    used = np.concatenate([np.ones((rows, 2), dtype=bool), *(mask for _, mask in cells)], axis=1)
    buffer = io.BytesIO(_SIGNATURE + content[used].tobytes() + _TRAILER)
    cursor: Any = connection.connection.cursor()
    try:
        cursor.copy_expert(f"copy {table} ({', '.join(columns)}) from stdin (format binary)", buffer)
    finally:
        cursor.close()
    return rows


_FORMS = {"date": ">i4", "int": ">i4", "bigint": ">i8", "double precision": ">f8"}


def _cells(values: NDArray[Any], kind: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The bytes of a column's cells, and which of them count."""
    if kind == "text":
        return _texts(values)
    form = np.dtype(_FORMS[kind])
    known = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)
    plain = np.where(known, values, 0)
    numbers = (plain if kind == "double precision" else np.rint(plain)).astype(form)
    cells = np.empty((len(values), 4 + form.itemsize), dtype=np.uint8)
    cells[:, :4] = np.where(known, form.itemsize, -1).astype(">i4").view(np.uint8).reshape(-1, 4)
    cells[:, 4:] = numbers.view(np.uint8).reshape(-1, form.itemsize)
    used = np.ones(cells.shape, dtype=bool)
    used[:, 4:] = known[:, np.newaxis]
    return cells, used


def _texts(values: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    unique, which = np.unique(values, return_inverse=True)
    encoded: Sequence[bytes] = [str(text).encode() for text in unique]
    widest = max((len(text) for text in encoded), default=0)
    cells = np.zeros((len(encoded), 4 + widest), dtype=np.uint8)
    used = np.zeros(cells.shape, dtype=bool)
    for row, text in enumerate(encoded):
        length = len(text) if text else -1
        cells[row, :4] = np.frombuffer(length.to_bytes(4, "big", signed=True), dtype=np.uint8)
        cells[row, 4 : 4 + len(text)] = np.frombuffer(text, dtype=np.uint8)
        used[row, : 4 + len(text)] = True
    return cells[which], used[which]
