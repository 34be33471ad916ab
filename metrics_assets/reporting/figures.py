"""Reads the frame of values: the figure of a repository on a day, its weeks, and the median repository."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import cast

import pandas as pd

from metrics_assets.reporting.data import TIERS, Figure, MetricInfo, OverviewData, State, Tier

WEEKS = 26
COMPARED_DAYS = 28  # a multiple of seven, so that the day compared with is one of the weekly days


@dataclass(frozen=True, slots=True)
class MedianFigure:
    """The median of the repositories that have a figure on a day; `value` is None where none has one."""

    value: float | None
    repositories: int
    provisional: bool


class Figures:
    """Figures of the active repositories of an overview, looked up by repository, metric and day."""

    def __init__(self, data: OverviewData) -> None:
        self.last = data.data_through
        self.days = weekly_days(data.data_through, data.start)
        self.repositories = sorted(
            (info.repository for info in data.repositories if info.state == "active"), key=str.casefold
        )
        self._metrics = data.metrics
        self._tiers = _tiers(data.tiers)
        self._figures = self._read(data.values)

    def _read(self, values: pd.DataFrame) -> dict[tuple[str, str, date], Figure]:
        wanted = pd.to_datetime(pd.Series(self.days))
        rows = values[pd.to_datetime(values["date"]).isin(wanted) & values["metric"].isin(list(self._metrics))]
        columns = zip(
            rows["repository"].tolist(),
            rows["metric"].tolist(),
            pd.to_datetime(rows["date"]).dt.date.tolist(),
            rows["value"].tolist(),
            rows["n"].tolist(),
            rows["state"].tolist(),
            strict=True,
        )
        return {
            (repository, metric, on): self._figure(repository, self._metrics[metric], on, value, n, state)
            for repository, metric, on, value, n, state in columns
        }

    def _figure(self, repository: str, metric: MetricInfo, on: date, value: object, n: object, state: str) -> Figure:
        number, rows = _number(value), _number(n)
        size = None if rows is None else int(rows)
        if state == "too_few":
            return Figure(None, size, "too_few", too_few_reason(metric, size))
        if state not in ("ok", "provisional") or number is None:
            return Figure(None, size, "unknown", metric.unknown)
        tier = self._tiers.get((repository, metric.key)) if on == self.last else None
        return Figure(number, size, cast(State, state), None, tier)

    def on(self, repository: str, metric: str, on: date | None = None) -> Figure:
        """Return the figure on a day, by default the last; a day without a row is unknown."""
        missing = Figure(None, None, "unknown", "No figure was computed for this day.")
        return self._figures.get((repository, metric, on or self.last), missing)

    def weekly(self, repository: str, metric: str) -> list[Figure]:
        """Return the figures on the weekly days, oldest first."""
        return [self.on(repository, metric, on) for on in self.days]

    def median(self, metric: str, on: date | None = None, among: list[str] | None = None) -> MedianFigure:
        """Return the median repository's figure on a day: a median of repositories, never a mean of means."""
        names = self.repositories if among is None else among
        figures = [figure for name in names if (figure := self.on(name, metric, on)).is_known]
        values = [figure.value for figure in figures if figure.value is not None]
        is_provisional = any(figure.state == "provisional" for figure in figures)
        return MedianFigure(median(values) if values else None, len(values), is_provisional)

    def weekly_median(self, metric: str) -> list[MedianFigure]:
        return [self.median(metric, on) for on in self.days]

    def known_on_both(self, metric: str, first: date, second: date) -> list[str]:
        """Return the repositories that have a figure on both days: only these can be compared."""
        return [
            name
            for name in self.repositories
            if self.on(name, metric, first).is_known and self.on(name, metric, second).is_known
        ]


def weekly_days(last: date, start: date) -> list[date]:
    """Return the last 26 days that are whole weeks before `last`, none before `start`, oldest first."""
    days = [last - timedelta(weeks=weeks) for weeks in reversed(range(WEEKS))]
    return [on for on in days if on >= start] or [last]


def too_few_reason(metric: MetricInfo, n: int | None) -> str:
    """Say what a figure that is too thin stands on."""
    window = f" in the last {metric.window} days" if metric.window else ""
    needed = f", {metric.minimum_n} are needed" if metric.minimum_n else ""
    return f"Only {n if n is not None else 'a few'}{window}{needed}."


def _number(value: object) -> float | None:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _tiers(frame: pd.DataFrame) -> dict[tuple[str, str], Tier]:
    rows = zip(frame["repository"].tolist(), frame["metric"].tolist(), frame["tier"].tolist(), strict=True)
    return {(repository, metric): tier for repository, metric, tier in rows if tier in TIERS}
