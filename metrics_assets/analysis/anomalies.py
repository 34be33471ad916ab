"""Daily anomaly detection over many series: spikes, drops, level shifts and missing data.

A day is judged by what was known before it and nothing else: the verdict of day D is the same whatever later
rows the input has and whatever range is asked for. The verdicts do depend on where the input begins (the
forest learns from all of it, and a cool-down starts at an earlier alarm), so hand in the series from their
beginning, or always from the same day.

Two methods judge: the residual rule (`residuals`) and a pooled isolation forest (`forest`). A day is an
anomaly when both say so, or when its residual is extreme (`anomaly_rules`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metrics_assets.analysis.anomaly_rules import KINDS, Settings, Verdicts, judge, severity
from metrics_assets.analysis.anomaly_words import AboutMetric, Finding, explain
from metrics_assets.analysis.residuals import Residuals, residuals

__all__ = ["ANOMALY_COLUMNS", "DAILY_COLUMNS", "AboutMetric", "Settings", "detect_anomalies"]

SERIES_COLUMNS = ("metric", "subject_kind", "subject")
DAILY_COLUMNS = (*SERIES_COLUMNS, "date", "value", "n", "state")
ANOMALY_COLUMNS = (
    *DAILY_COLUMNS,
    "kind",
    "expected",
    "lower",
    "upper",
    "score",
    "severity",
    "explanation",
)
SERIES_AT_ONCE = 64  # bounds the memory of the trailing windows: about 21 MB each for two years of days

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]


def detect_anomalies(
    daily: pd.DataFrame,
    start: date,
    end: date,
    *,
    about: Mapping[str, AboutMetric] | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Judge each series on each day of [start, end); the module says what a verdict may depend on.

    `daily` has the columns of `DAILY_COLUMNS`, at most one row for each metric, subject and date, in any
    order; rows from `end` on are ignored. A value counts when its state is ok or provisional; one of state
    too_few is passed on unjudged; unknown, NaN and absent rows are gaps. `about` gives a metric's title and
    unit; without it the key is the title and the unit is count.

    Returns the columns of `ANOMALY_COLUMNS` (those of the table metrics.anomalies), sorted by metric, subject
    and date: one row for each day with a value, and one for each day without that lies at most
    `settings.gap_days` after one with. What is not known is `None`. `expected`, `lower` and `upper` are in
    the metric's unit; a value between the bounds is no spike. `score` is what decided, in standard
    deviations, negative below the expectation: of the day; for a level shift of the sum of 7 days; for a run
    of zeros what would be as unlikely.

    An event is told once: while its rule goes on to hold, and until it has not held for
    `settings.cool_down_days`, further days of that kind are `normal` and name the first. Of a gap, one day is
    an anomaly and the others are `too_few`.

    Raises ValueError when a column is missing or a series has two rows for a day.
    """
    about, settings = about or {}, settings or Settings()
    grid = _grid(daily, end)
    if grid is None or start >= end:
        return pd.DataFrame(columns=list(ANOMALY_COLUMNS), dtype=object)
    metrics = grid.keys["metric"].to_numpy(dtype=object)
    titles = [about.get(key) or AboutMetric(str(key).replace("_", " ").capitalize()) for key in metrics]
    evidence = _residuals(grid, [title.unit for title in titles], settings.residual)
    verdicts = judge(grid.present, evidence, grid.months, metrics, settings)
    rows = _rows(grid, max((start - grid.first).days, 0), evidence, verdicts, titles, settings)
    return pd.DataFrame(list(rows), columns=list(ANOMALY_COLUMNS), dtype=object)


@dataclass(frozen=True)
class _Grid:
    """The input as arrays [series, days]; `keys` has a row for each series, sorted."""

    keys: pd.DataFrame
    first: date
    values: Floats
    n: Floats
    weak: Bools  # there is a value, but it stands on too few rows itself

    @property
    def present(self) -> Bools:
        return ~np.isnan(self.values)

    @property
    def months(self) -> Integers:
        """The number of each day's calendar month."""
        days = np.datetime64(self.first, "D") + np.arange(self.values.shape[1])
        return days.astype("datetime64[M]").astype(np.int64)


def _grid(daily: pd.DataFrame, end: date) -> _Grid | None:
    absent = [column for column in DAILY_COLUMNS if column not in daily.columns]
    if absent:
        raise ValueError(f"The daily values lack the column {', '.join(absent)}.")
    dates = pd.to_datetime(daily["date"]).to_numpy().astype("datetime64[D]")
    before = dates < np.datetime64(end, "D")
    rows, dates = daily[before], dates[before]
    if rows.empty:
        return None
    first: date = dates.min().item()
    day = (dates - dates.min()).astype(np.int64)
    series = rows.groupby(list(SERIES_COLUMNS), sort=True).ngroup().to_numpy()
    _, members = np.unique(series, return_index=True)
    keys = rows[list(SERIES_COLUMNS)].iloc[members].reset_index(drop=True)
    shape = (len(keys), (end - first).days)
    cell = series * shape[1] + day
    doubled = pd.Series(cell).duplicated().to_numpy()
    if doubled.any():
        row = rows[doubled].iloc[0]
        raise ValueError(f"There are two rows of {row['metric']} for {row['subject']} on {row['date']}.")

    state = rows["state"].to_numpy(dtype=object).astype(str)
    value = rows["value"].to_numpy(dtype=np.float64, na_value=np.nan)
    counts = np.isin(state, ("ok", "provisional", "too_few")) & np.isfinite(value)
    values, n, weak = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    values[series, day] = np.where(counts, value, np.nan)
    n[series, day] = rows["n"].to_numpy(dtype=np.float64, na_value=np.nan)
    weak[series, day] = counts & (state == "too_few")
    return _Grid(keys, first, values, n, weak)


def _residuals(grid: _Grid, units: list[str], width: float) -> Residuals:
    """Judge the series in groups of one unit and a bounded size; each series stands for itself."""
    known = np.where(grid.weak, np.nan, grid.values)
    parts: list[tuple[Integers, Residuals]] = []
    for unit in sorted(set(units)):
        members = np.flatnonzero(np.array(units) == unit)
        for at in range(0, len(members), SERIES_AT_ONCE):
            chosen = members[at : at + SERIES_AT_ONCE]
            parts.append((chosen, residuals(known[chosen], unit, width)))
    order = np.argsort(np.concatenate([chosen for chosen, _ in parts]))
    names = [one.name for one in fields(Residuals)]
    return Residuals(**{name: np.concatenate([getattr(part, name) for _, part in parts])[order] for name in names})


def _rows(
    grid: _Grid,
    offset: int,
    evidence: Residuals,
    verdicts: Verdicts,
    titles: list[AboutMetric],
    settings: Settings,
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the result, for the days (columns) from `offset` on."""
    days = np.arange(grid.values.shape[1])
    latest = np.maximum.accumulate(np.where(grid.present, days, -(10**6)), axis=1)
    gap = days - latest
    at = np.nonzero((gap <= settings.gap_days) & (days >= offset))
    calendar = [grid.first + timedelta(days=int(day)) for day in days]
    keys = list(grid.keys.itertuples(index=False, name=None))
    kind, told = _kinds(verdicts.told)
    enough = evidence.known_days >= settings.minimum_days
    cells = zip(
        at[0].tolist(),
        at[1].tolist(),
        _plain(grid.values[at]),
        _plain(grid.n[at]),
        grid.weak[at].tolist(),
        gap[at].tolist(),
        evidence.known_days[at].tolist(),
        verdicts.judged[at].tolist(),
        *(_plain(np.where(enough, bound, np.nan)[at]) for bound in (evidence.expected, evidence.lower, evidence.upper)),
        evidence.weekday_used[at].tolist(),
        kind[at].tolist(),
        told[at].tolist(),
        strict=True,
    )
    for (
        series, day, value, n, weak, missing, known, judged, expected, lower, upper, weekday, which, first,
    ) in cells:  # fmt: skip
        name = KINDS[which] if which >= 0 else None
        new = name is not None and first == day
        strength = float(verdicts.strength[name][series, day]) if name else 0.0
        score = _score(name, strength, series, day, evidence, settings) if judged else None
        finding = Finding(
            about=titles[series],
            value=value,
            n=None if n is None else int(n),
            weak=weak,
            missing_days=missing,
            known_days=known,
            minimum_days=settings.minimum_days,
            judged=judged,
            expected=expected,
            lower=lower,
            upper=upper,
            weekday_used=weekday,
            kind=name,
            reported=calendar[first] if name and not new else None,
            score=score,
            zero_days=_zero_days(grid.values[series], day) if new else 0,
            alone=bool(np.isnan(verdicts.rank[series, day])),
        )
        state = "anomaly" if new else "normal" if judged else "too_few"
        yield (
            *keys[series],
            calendar[day],
            value,
            finding.n,
            state,
            name if new else None,
            expected,
            lower,
            upper,
            score,
            severity(name, strength, settings) if new and name else None,
            explain(finding),
        )


def _kinds(told: Mapping[str, Integers]) -> tuple[Integers, Integers]:
    """Return which of `KINDS` to tell of each cell (-1: none) and when it was first told; new ones first."""
    reports = np.stack([told[kind] for kind in KINDS])
    new = reports == np.arange(reports.shape[-1])
    holds = reports >= 0
    kind = np.where(new.any(axis=0), new.argmax(axis=0), np.where(holds.any(axis=0), holds.argmax(axis=0), -1))
    return kind, np.take_along_axis(reports, np.maximum(kind, 0)[None], axis=0)[0]


def _score(kind: str | None, strength: float, series: int, day: int, evidence: Residuals, settings: Settings) -> float:
    if kind == "level_shift":
        return float(evidence.week[series, day])
    if kind == "drop":
        return -strength * settings.residual
    return float(evidence.z[series, day])


def _zero_days(values: Floats, day: int) -> int:
    """Return the length of the run of zeros that ends on `day`; days without a value are not counted."""
    known = values[: day + 1][~np.isnan(values[: day + 1])]
    others = np.flatnonzero(known != 0)
    return len(known) - (int(others[-1]) + 1 if len(others) else 0)


def _plain(numbers: Floats) -> list[float | None]:
    return [None if number != number else number for number in numbers.tolist()]
