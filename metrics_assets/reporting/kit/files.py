"""Figures and tables as CSV (RFC 4180, UTF-8): the numbers as they are, in the units of the catalogue."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from metrics_assets.reporting.data import Anomaly, Point, Series

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
SERIES_COLUMNS = (
    "metric", "subject_kind", "subject", "week_to", "value", "n", "state", "low", "high", "p10", "p50", "p90",
    "anomaly",
)  # fmt: skip


def rows_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a header and rows as CSV; None and NaN are empty, days and times ISO 8601.

    A text that a spreadsheet would run as a formula gets an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def series_csv(series: Iterable[Series]) -> str:
    """Return every week of some figures, then every week of their forecasts, in the units of the catalogue.

    Columns: SERIES_COLUMNS. `value` is empty where it is not known, and in the weeks to come, whose state is
    `expected`; `anomaly` holds what was unusual in the seven days that end with the week.
    """
    return rows_csv(SERIES_COLUMNS, (row for one in series for row in _rows(one)))


def _rows(series: Series) -> Iterator[Sequence[object]]:
    who = (series.metric.key, series.subject_kind, series.subject)
    unusual = _by_week(series.points, series.anomalies)
    for p in series.points:
        yield (*who, p.on, p.value, p.n, p.state, p.low, p.high, None, None, None, unusual.get(p.on))
    for f in series.forecast.points if series.forecast else ():
        yield (*who, f.on, None, None, "expected", None, None, f.p10, f.p50, f.p90, None)


def _by_week(points: Sequence[Point], anomalies: Sequence[Anomaly]) -> dict[date, str]:
    """Join what is said of the anomalies of each week."""
    said: dict[date, list[str]] = {}
    for anomaly in anomalies:
        week = next((p.on for p in points if 0 <= (p.on - anomaly.on).days < 7), None)
        if week is not None:
            said.setdefault(week, []).append(f"{anomaly.on}: {anomaly.explanation}")
    return {week: "; ".join(texts) for week, texts in said.items()}


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_STARTS) else value
    return value
