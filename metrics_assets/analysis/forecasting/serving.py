"""Forecasts of all series at an origin, with the rolling backtest that says how far to believe them.

Two pooled models are fitted. The first stands before the backtest's days: it gives the errors, the widths and the
choice of the method. The second knows everything up to the origin and makes the forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from metrics_assets.analysis.forecasting.backtesting import (
    Evidence,
    candidates_of,
    choose,
    chunks,
    evidence_of,
    has_enough,
    origins_of,
    repeats,
    same_day,
    widths_of,
)
from metrics_assets.analysis.forecasting.features import next_level
from metrics_assets.analysis.forecasting.grid import Grid, read_grid
from metrics_assets.analysis.forecasting.pooled import PooledModel
from metrics_assets.analysis.forecasting.rows import BACKTEST_COLUMNS, FORECAST_COLUMNS, backtest_rows, forecast_rows
from metrics_assets.analysis.forecasting.settings import LONGEST, SERVED, WINDOW, Bools, Floats, Integers, Settings
from metrics_assets.analysis.forecasting.simulated import simulated_grid
from metrics_assets.analysis.forecasting.widths import Widths


@dataclass(frozen=True)
class Outlook:
    """What is ahead of each series of a grid, and how such forecasts of it did.

    `paths` [series, days, 3] are p10, p50 and p90 in the metric's unit, NaN where there is too little history;
    `method` [series, blocks] (of `METHODS`) is how days 1-7, 8-30 and 31-90 were made. `reasons` says of a series
    without numbers why. `level` [series, 7] is what the next week would be, and all later ones, without any change: of
    a total its last value, else the mean of the same weekday of the last four weeks.
    """

    grid: Grid
    paths: Floats
    method: Integers
    evidence: Evidence
    reasons: list[str | None]
    level: Floats


def look_ahead(grid: Grid, horizon_days: int = LONGEST, settings: Settings | None = None) -> Outlook:
    """Forecast each series of `grid` for 1 to `horizon_days` (at most 90) days after its last day.

    Raises ValueError for a horizon outside 1 to 90.
    """
    if not 1 <= horizon_days <= LONGEST:
        raise ValueError(f"A forecast looks 1 to {LONGEST} days ahead, not {horizon_days}.")
    settings = settings or Settings()
    today = grid.days - 1
    series = np.arange(len(grid.keys))
    enough, steady = np.zeros(len(series), dtype=bool), np.zeros(len(series), dtype=bool)
    for some in chunks(series, settings):
        window = grid.window(some, same_day(some, today))
        enough[some], steady[some] = has_enough(window, settings), repeats(window)
    paths = np.full((len(series), horizon_days, 3), np.nan)
    level = np.full((len(series), 7), np.nan)
    reasons = _reasons(grid, enough, settings)
    if not enough.any():
        nothing = Evidence.none(len(series))
        return Outlook(grid, paths, choose(nothing, enough, steady), nothing, reasons, level)
    simulated = simulated_grid(grid.last, settings.seed)
    past = PooledModel.fit(grid, today - settings.backtest_days, simulated, settings)
    origins = origins_of(grid, settings)
    widths, kept = widths_of(grid, past, origins, settings)
    evidence = evidence_of(grid, past, origins, widths, kept, settings)
    method = choose(evidence, enough, steady)
    model = PooledModel.fit(grid, today, simulated, settings)
    for some in chunks(np.flatnonzero(enough), settings):
        paths[some], level[some] = _serve(grid, model, widths, some, method[some], horizon_days)
    return Outlook(grid, paths, method, evidence, reasons, level)


def forecast(
    daily: pd.DataFrame, origin: date, horizon_days: int = 90, settings: Settings | None = None
) -> pd.DataFrame:
    """Forecast each series for 1 to `horizon_days` (at most 90) days after `origin`, the last day that is known.

    `daily` has the columns of `DAILY_COLUMNS` (metric, subject_kind, subject, date, value, n, state), at most one
    row for each series and date, in any order; values of state ok or provisional count, others are gaps, and rows
    after `origin` are ignored. Give at least 182 days where there are, better two years: the backtest and the
    model learn from all of it.

    Returns `FORECAST_COLUMNS`, sorted by metric, subject_kind, subject and horizon. p10, p50 and p90 are in the
    metric's unit. `method` is pooled (the model), seasonal_naive (nothing was better in the backtest), mixed (the
    mean of both was best), drift (the straight line on was), or too_few: then there are no numbers, and `reason`
    says why.

    Raises ValueError for a missing column, two rows of a series for one day, or a horizon outside 1 to 90.
    """
    return refresh(daily, origin, horizon_days, settings)[0]


def refresh(
    daily: pd.DataFrame, origin: date, horizon_days: int = 90, settings: Settings | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the forecasts as of `forecast`, and as `BACKTEST_COLUMNS` how good such forecasts of each series were.

    A row of the latter stands for a series and 7, 30 or 90 days: the forecasts of 1 to 7, 8 to 30 and 31 to 90 days
    ahead. `n` forecast days of the method that is served were compared. `mase` and `crps` are in multiples of the
    seasonal error before each origin (None where that is 0), `coverage` is the share of days within p10 to p90;
    naive_... is the seasonal naive forecast. `beats_naive` is None where nothing could be compared.
    """
    settings = settings or Settings()
    grid = read_grid(daily, origin, settings.units)
    if grid is None:
        return pd.DataFrame(columns=list(FORECAST_COLUMNS)), pd.DataFrame(columns=list(BACKTEST_COLUMNS))
    made = look_ahead(grid, horizon_days, settings)
    return (
        forecast_rows(grid, made.paths, made.method, made.reasons),
        backtest_rows(grid, made.evidence, made.method, made.reasons),
    )


def _serve(
    grid: Grid, model: PooledModel, widths: Widths, series: Integers, method: Integers, horizon_days: int
) -> tuple[Floats, Floats]:
    """Return p10, p50 and p90 as [series, horizons, 3], and the level of the next week [series, 7]."""
    ahead = np.arange(1, horizon_days + 1)
    each, days = np.tile(ahead, (len(series), 1)), same_day(series, grid.days - 1)
    relative = model.predict(grid, series, days, each)
    candidates = candidates_of(grid, relative, widths, series, days, each)
    chosen = method[:, np.searchsorted(SERVED, ahead)]
    return np.choose(chosen[..., None], candidates), next_level(grid.window(series, days))


def _reasons(grid: Grid, enough: Bools, settings: Settings) -> list[str | None]:
    recent = grid.values[:, -WINDOW:]
    known = np.sum(~np.isnan(recent), axis=1)
    reasons: list[str | None] = [None] * len(enough)
    for number in np.flatnonzero(~enough):
        if known[number] < settings.minimum_days:
            reasons[number] = (
                f"{known[number]} of the last {WINDOW} days have a value; {settings.minimum_days} are needed."
            )
        else:
            reasons[number] = f"None of the last {settings.silent_days} days has a value."
    return reasons
