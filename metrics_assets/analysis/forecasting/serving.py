"""Forecasts of all series at an origin, and the rolling backtest that says how far to believe them.

Two pooled models are fitted. The first stands `backtest_days` before the origin and forecasts from days since: it
gives the errors, the widths and the choice of the method. The second knows everything up to the origin and makes
the forecasts. So nothing is judged, calibrated or chosen by days that the judged model had learned from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np
import pandas as pd

from metrics_assets.analysis.forecasting.errors import absolute_error, covered, crps
from metrics_assets.analysis.forecasting.grid import SERIES_COLUMNS, Grid, read_grid, stabilise
from metrics_assets.analysis.forecasting.naive import seasonal_error, seasonal_naive
from metrics_assets.analysis.forecasting.pooled import PooledModel
from metrics_assets.analysis.forecasting.settings import LONGEST, SERVED, WINDOW, Bools, Floats, Integers, Settings
from metrics_assets.analysis.forecasting.simulated import simulated_grid
from metrics_assets.analysis.forecasting.widths import Widths, calibrate, needed

FORECAST_COLUMNS = (*SERIES_COLUMNS, "origin", "date", "horizon", "p10", "p50", "p90", "method", "reason")
BACKTEST_COLUMNS = (
    *SERIES_COLUMNS,
    "origin",
    "horizon",
    "method",
    "n",
    "mase",
    "crps",
    "coverage",
    "naive_mase",
    "naive_crps",
    "beats_naive",
    "reason",
)
# In the order of preference: of equals the first is served, so that a constant series is forecast by its constant.
METHODS = ("seasonal_naive", "pooled", "mixed", "too_few")
NAIVE, POOLED, MIXED, TOO_FEW = range(4)
CANDIDATES = 3
# Days ahead that the backtest looks at: as many in each block as tell it, each about alike far apart.
LOOKED_AT = np.array([1, 2, 3, 4, 5, 6, 7, 9, 12, 15, 18, 20, 23, 26, 29, 33, 39, 45, 51, 57, 63, 69, 75, 81, 87])
BLOCKS = np.searchsorted(SERVED, LOOKED_AT)  # 0: days 1-7, 1: 8-30, 2: 31-90
CALIBRATED_ON = 3000  # series


def forecast(
    daily: pd.DataFrame, origin: date, horizon_days: int = 90, settings: Settings | None = None
) -> pd.DataFrame:
    """Forecast each series for 1 to `horizon_days` (at most 90) days after `origin`, the last day that is known.

    `daily` has the columns of `DAILY_COLUMNS` (metric, subject_kind, subject, date, value, n, state), at most one
    row for each series and date, in any order; values of state ok or provisional count, others are gaps, and rows
    after `origin` are ignored. Give at least 182 days where there are, better a year: the backtest and the model
    learn from all of it.

    Returns `FORECAST_COLUMNS`, sorted by metric, subject_kind, subject and horizon. p10, p50 and p90 are in the
    metric's unit. `method` is pooled (the model), seasonal_naive (the model was no better in the backtest), mixed
    (the mean of both was best), or too_few: then there are no numbers, and `reason` says why.

    Raises ValueError for a missing column, two rows of a series for one day, or a horizon outside 1 to 90.
    """
    return refresh(daily, origin, horizon_days, settings)[0]


def backtest(daily: pd.DataFrame, origin: date, settings: Settings | None = None) -> pd.DataFrame:
    """Return how good forecasts of each series were before `origin`, as `BACKTEST_COLUMNS`; input as `forecast`.

    A row stands for a series and 7, 30 or 90 days: the forecasts of 1 to 7, 8 to 30 and 31 to 90 days ahead.
    `n` forecast days of the method that is served were compared. `mase` and `crps` are in multiples of the
    seasonal error before each origin (None where that is 0), `coverage` is the share of days within p10 to p90;
    naive_... is the seasonal naive forecast. `beats_naive` is None where nothing could be compared.
    """
    return refresh(daily, origin, LONGEST, settings)[1]


def refresh(
    daily: pd.DataFrame, origin: date, horizon_days: int = 90, settings: Settings | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the results of `forecast` and `backtest` for the price of one."""
    if not 1 <= horizon_days <= LONGEST:
        raise ValueError(f"A forecast looks 1 to {LONGEST} days ahead, not {horizon_days}.")
    settings = settings or Settings()
    grid = read_grid(daily, origin, settings.units)
    if grid is None:
        return pd.DataFrame(columns=list(FORECAST_COLUMNS)), pd.DataFrame(columns=list(BACKTEST_COLUMNS))
    today = grid.days - 1
    series = np.arange(len(grid.keys))
    enough = np.concatenate(
        [_enough(grid.window(some, _days(some, today)), settings) for some in _chunks(series, settings)]
    )
    simulated = simulated_grid(origin, settings.seed)
    past = PooledModel.fit(grid, today - settings.backtest_days, simulated, settings)
    origins = [day for day in range(today - settings.backtest_days, today, settings.backtest_step) if day >= 0]
    widths = _widths(grid, past, origins, settings)
    evidence = _evidence(grid, past, origins, widths, settings)
    method = _choose(evidence, enough)
    model = PooledModel.fit(grid, today, simulated, settings)
    values = np.concatenate(
        [_serve(grid, model, widths, some, method[some], horizon_days) for some in _chunks(series, settings)]
    )
    reasons = _reasons(grid, enough, settings)
    return (
        _forecast_rows(grid, origin, values, method, reasons),
        _backtest_rows(grid, origin, evidence, method, reasons),
    )


@dataclass
class _Evidence:
    """Sums over the backtest's days: [series, blocks] counts, [series, blocks, candidates] the rest."""

    days: Floats
    raw_crps: Floats  # in the metric's unit: decides
    scaled_days: Floats
    crps: Floats  # in multiples of the seasonal error, as the next
    error: Floats
    covered: Floats

    @classmethod
    def none(cls, series: int) -> _Evidence:
        plain, of_each = (series, len(SERVED)), (series, len(SERVED), CANDIDATES)
        return cls(*(np.zeros(plain if field.name in ("days", "scaled_days") else of_each) for field in fields(cls)))


def _chunks(series: Integers, settings: Settings) -> Iterator[Integers]:
    for start in range(0, len(series), settings.series_at_once):
        yield series[start : start + settings.series_at_once]


def _days(series: Integers, day: int) -> Integers:
    return np.full(len(series), day, dtype=np.int64)


def _enough(window: Floats, settings: Settings) -> Bools:
    known = ~np.isnan(window)
    lately = np.sum(known[:, -settings.silent_days :], axis=1) > 0
    enough: Bools = lately & (np.sum(known, axis=1) >= settings.minimum_days)
    return enough


def _able(grid: Grid, series: Integers, day: int, settings: Settings) -> Integers:
    return series[_enough(grid.window(series, _days(series, day)), settings)]


def _widths(grid: Grid, model: PooledModel, origins: list[int], settings: Settings) -> Widths:
    """Calibrate on some series; there are few widths to learn, so that some are enough."""
    everyone = np.arange(len(grid.keys))
    rng = np.random.default_rng(settings.seed)
    chosen = np.sort(rng.permutation(everyone)[:CALIBRATED_ON])
    factors, groups, horizons = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    today = grid.days - 1
    for day in origins:
        ahead = LOOKED_AT[day + LOOKED_AT <= today]
        for chunk in _chunks(chosen, settings):
            some = _able(grid, chunk, day, settings)
            if len(some) == 0 or len(ahead) == 0:
                continue
            each = np.tile(ahead, (len(some), 1))
            relative = model.predict(grid, some, _days(some, day), each)
            actual = stabilise(grid.ahead(some, _days(some, day), each, today), grid.share[some])
            varied = np.nan_to_num(seasonal_error(grid.window(some, _days(some, day)))) > 0
            factors.append(needed(relative, actual)[varied].ravel())
            groups.append(np.repeat(relative.group[varied], len(ahead)))
            horizons.append(np.tile(ahead, int(varied.sum())))
    return calibrate(np.concatenate(factors), np.concatenate(groups), np.concatenate(horizons), settings.coverage)


def _evidence(grid: Grid, model: PooledModel, origins: list[int], widths: Widths, settings: Settings) -> _Evidence:
    everyone, today = np.arange(len(grid.keys)), grid.days - 1
    found = _Evidence.none(len(everyone))
    for day in origins:
        ahead = LOOKED_AT[day + LOOKED_AT <= today]
        for chunk in _chunks(everyone, settings):
            some = _able(grid, chunk, day, settings)
            if len(some) and len(ahead):
                _compare(found, grid, model, widths, some, day, ahead)
    return found


def _compare(
    found: _Evidence, grid: Grid, model: PooledModel, widths: Widths, some: Integers, day: int, ahead: Integers
) -> None:
    """Add the errors of the forecasts of `some` series from the column `day`."""
    each, days = np.tile(ahead, (len(some), 1)), _days(some, day)
    candidates = _candidates(grid, model, widths, some, days, each)
    actual = grid.ahead(some, days, each, grid.days - 1)
    scale = np.nan_to_num(seasonal_error(grid.window(some, days)))
    scaled = 1 / np.where(scale > 0, scale, np.inf)
    for block in range(len(SERVED)):
        of_block = BLOCKS[: len(ahead)] == block
        came = actual[:, of_block]
        there = np.sum(~np.isnan(came), axis=1)
        found.days[some, block] += there
        found.scaled_days[some, block] += np.where(scale > 0, there, 0)
        for number, candidate in enumerate(candidates):
            quantiles = candidate[:, of_block]
            score = np.nansum(crps(came, quantiles), axis=1)
            found.raw_crps[some, block, number] += score
            found.crps[some, block, number] += score * scaled
            found.error[some, block, number] += np.nansum(absolute_error(came, quantiles), axis=1) * scaled
            found.covered[some, block, number] += np.nansum(covered(came, quantiles), axis=1)


def _candidates(
    grid: Grid, model: PooledModel, widths: Widths, series: Integers, days: Integers, horizons: Integers
) -> tuple[Floats, Floats, Floats]:
    """Return the forecasts that can be served, [rows, horizons, 3] each, in the order of `METHODS`."""
    naive = seasonal_naive(grid.window(series, days), horizons, grid.lower[series], grid.upper[series])
    relative = model.predict(grid, series, days, horizons)
    pooled = relative.values(grid, series, widths.of(relative.group, horizons))
    return naive, pooled, (naive + pooled) / 2


def _choose(evidence: _Evidence, enough: Bools) -> Integers:
    """Return the method of each series and block [series, blocks].

    The lowest CRPS of the series' own backtest decides; without one, what did best over all series.
    """
    method = np.argmin(evidence.raw_crps, axis=2)
    overall = evidence.crps.sum(axis=0)
    usual = np.where(evidence.days.sum(axis=0) > 0, np.argmin(overall, axis=1), POOLED)
    method = np.where(evidence.days > 0, method, usual)
    return np.where(enough[:, None], method, TOO_FEW)


def _serve(
    grid: Grid, model: PooledModel, widths: Widths, series: Integers, method: Integers, horizon_days: int
) -> Floats:
    """Return p10, p50 and p90 as [series, horizons, 3]; NaN where there is too little history."""
    served = np.full((len(series), horizon_days, 3), np.nan)
    able = np.flatnonzero(method[:, 0] != TOO_FEW)
    if len(able) == 0:
        return served
    ahead = np.arange(1, horizon_days + 1)
    each = np.tile(ahead, (len(able), 1))
    some = series[able]
    candidates = _candidates(grid, model, widths, some, _days(some, grid.days - 1), each)
    chosen = method[able][:, np.searchsorted(SERVED, ahead)]
    served[able] = np.choose(chosen[..., None], candidates)
    return served


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


def _keys(grid: Grid, repeat: int) -> dict[str, pd.Categorical]:
    """Return the key columns, each row `repeat` times; categories, since millions of words take gigabytes."""
    columns = {}
    for column in SERIES_COLUMNS:
        codes, names = pd.factorize(grid.keys[column], sort=True)
        columns[column] = pd.Categorical.from_codes(np.repeat(codes, repeat), categories=pd.Index(names))
    return columns


def _forecast_rows(
    grid: Grid, origin: date, values: Floats, method: Integers, reasons: list[str | None]
) -> pd.DataFrame:
    series, horizons = values.shape[:2]
    ahead = np.arange(1, horizons + 1)
    dates = np.empty(horizons, dtype=object)
    dates[:] = [origin + timedelta(days=int(number)) for number in ahead]
    of_day = method[:, np.searchsorted(SERVED, ahead)]
    return pd.DataFrame(
        {
            **_keys(grid, horizons),
            "origin": pd.Series([origin], dtype=object).repeat(series * horizons).to_numpy(),
            "date": np.tile(dates, series),
            "horizon": np.tile(ahead.astype(np.int16), series),
            **{name: values[..., number].ravel() for number, name in enumerate(("p10", "p50", "p90"))},
            "method": pd.Categorical.from_codes(of_day.ravel(), categories=pd.Index(METHODS)),
            "reason": np.repeat(np.array(reasons, dtype=object), horizons),
        }
    )


def _backtest_rows(
    grid: Grid, origin: date, evidence: _Evidence, method: Integers, reasons: list[str | None]
) -> pd.DataFrame:
    series = len(method)
    served = np.minimum(method, CANDIDATES - 1)[..., None]
    days, scaled_days = evidence.days, evidence.scaled_days
    few = method == TOO_FEW

    def over(total: Floats, count: Floats) -> Floats:
        return np.where((count > 0) & ~few, total / np.maximum(count, 1), np.nan).ravel()

    def of_served(sums: Floats) -> Floats:
        return np.take_along_axis(sums, served, axis=2)[..., 0]

    beats = (method != NAIVE).astype(object)
    beats[few | (days == 0)] = None
    return pd.DataFrame(
        {
            **_keys(grid, len(SERVED)),
            "origin": pd.Series([origin], dtype=object).repeat(series * len(SERVED)).to_numpy(),
            "horizon": np.tile(np.array(SERVED, dtype=np.int16), series),
            "method": pd.Categorical.from_codes(method.ravel(), categories=pd.Index(METHODS)),
            "n": np.where(few, 0, days).astype(np.int64).ravel(),
            "mase": over(of_served(evidence.error), scaled_days),
            "crps": over(of_served(evidence.crps), scaled_days),
            "coverage": over(of_served(evidence.covered), days),
            "naive_mase": over(evidence.error[..., NAIVE], scaled_days),
            "naive_crps": over(evidence.crps[..., NAIVE], scaled_days),
            "beats_naive": beats.ravel(),
            "reason": np.repeat(np.array(reasons, dtype=object), len(SERVED)),
        }
    )
