"""The tables of a page as CSV: the figures as they are, in the units of the catalogue."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import pandas as pd

from metrics_assets.reporting.data import OVERVIEW_METRICS, MetricInfo, OverviewData
from metrics_assets.reporting.figures import Figures

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return CSV (RFC 4180, UTF-8). A text that a spreadsheet would run as a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_STARTS) else value
    return value


def repository_csv(data: OverviewData, figures: Figures) -> str:
    """Return one row per repository, whatever its state, with value, n, state and tier per figure."""
    keys = [key for key in OVERVIEW_METRICS if key in data.metrics]
    header = ["repository", "team", "state", "deployment_source", "date"]
    header += [f"{key}{suffix}" for key in keys for suffix in ("", "_n", "_state", "_tier")]
    rows = []
    for info in sorted(data.repositories, key=lambda info: info.repository.casefold()):
        row: list[object] = [
            info.repository,
            info.team,
            info.state,
            info.deployment_source,
            data.data_through,
        ]
        for key in keys:
            figure = figures.on(info.repository, key)
            row += [figure.value, figure.n, figure.state, figure.tier]
        rows.append(row)
    return csv_text(header, rows)


def trend_csv(figures: Figures, metric: MetricInfo) -> str:
    """Return one row per week and active repository; `value` is empty where it is not known."""
    rows = []
    for on in figures.days:
        for name in figures.repositories:
            figure = figures.on(name, metric.key, on)
            rows.append([on, name, figure.value, figure.n, figure.state])
    return csv_text(["date", "repository", metric.key, "n", "state"], rows)


def frame_csv(frame: pd.DataFrame, columns: Sequence[str]) -> str:
    """Return the named columns of a frame as they are; days without a time of day."""
    wanted = frame[list(columns)].copy()
    for column in columns:
        if pd.api.types.is_datetime64_any_dtype(wanted[column]):
            wanted[column] = wanted[column].dt.date
    return csv_text(columns, wanted.astype(object).itertuples(index=False, name=None))
