"""Many long series out of metrics.metric_values as one array, by binary COPY: millions of days in seconds."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

KEYS = ("metric", "subject_kind", "subject")
_SIGNATURE = 19  # bytes before the first row: PGCOPY, flags, no extension
_ARRAY = 20  # bytes before an array's first element: dimensions, flags, type, length, lower bound
# Without nulls, each element is its length and itself, in network order.
_DAY = np.dtype([("length", ">i4"), ("element", ">i4")])
_VALUE = np.dtype([("length", ">i4"), ("element", ">f8")])


@dataclass(frozen=True, slots=True)
class Series:
    """Daily series; NaN is a day without a known value.

    Attributes:
        keys: metric, subject_kind and subject of each row of `values`, sorted.
        values: [series, days], from the first day asked for to the last.
    """

    keys: pd.DataFrame
    values: npt.NDArray[np.float64]


def read_series(engine: sa.Engine, metrics: Sequence[str], kinds: Sequence[str], start: date, end: date) -> Series:
    """The known values (state ok or provisional) of some metrics and kinds on [start, end).

    A series without a known value is not there.
    """
    # Lists in the statement's text: the planner then drops every branch of the view that is about something else.
    # The database gathers each series into two arrays, so that no word is sent once a day.
    buffer = io.BytesIO()
    with engine.connect() as connection:
        cursor: Any = connection.connection.cursor()
        try:
            statement = cursor.mogrify(
                "select metric, subject_kind, subject, array_agg(date - %s::date), array_agg(value) "
                "from metrics.metric_values where metric = any(%s) and subject_kind = any(%s) "
                "and date >= %s and date < %s and state in ('ok', 'provisional') "
                "and value is not null and value not in ('NaN', 'Infinity', '-Infinity') "
                "group by metric, subject_kind, subject",
                [start, sorted(metrics), sorted(kinds), start, end],
            )
            cursor.copy_expert(f"copy ({statement.decode()}) to stdout (format binary)", buffer)
        finally:
            cursor.close()
    found = sorted(_rows(buffer.getbuffer()), key=lambda row: row[0])
    values = np.full((len(found), (end - start).days), np.nan)
    for number, (_, days, known) in enumerate(found):
        values[number, days] = known
    keys = pd.DataFrame([row[0] for row in found], columns=list(KEYS), dtype=object)
    return Series(keys, values)


def _rows(copied: memoryview) -> Iterator[tuple[tuple[str, ...], npt.NDArray[np.int32], npt.NDArray[np.float64]]]:
    """Each row of a COPY in binary format: three texts, an array of days, an array of values."""
    at = _SIGNATURE
    while True:
        (fields,) = struct.unpack_from(">h", copied, at)
        at += 2
        if fields < 0:  # the trailer
            return
        parts = []
        for _ in range(fields):
            (length,) = struct.unpack_from(">i", copied, at)
            parts.append(copied[at + 4 : at + 4 + length])
            at += 4 + length
        key = tuple(bytes(part).decode() for part in parts[:3])
        days = np.frombuffer(parts[3], dtype=_DAY, offset=_ARRAY)["element"]
        known = np.frombuffer(parts[4], dtype=_VALUE, offset=_ARRAY)["element"]
        yield key, days.astype(np.int32), known.astype(np.float64)
