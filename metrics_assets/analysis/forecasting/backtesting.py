"""The rolling backtest: how good each way to forecast a series was lately, and which way is served.

The model stands `backtest_days` before the origin and forecasts from days since, so that nothing is judged,
calibrated or chosen by days that it had learned from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from metrics_assets.analysis.forecasting.errors import absolute_error, covered, crps
from metrics_assets.analysis.forecasting.grid import Grid, stabilise
from metrics_assets.analysis.forecasting.naive import drift, seasonal_error, seasonal_naive
from metrics_assets.analysis.forecasting.pooled import GROUPS, TOTAL, PooledModel, Relative
from metrics_assets.analysis.forecasting.settings import SERVED, Bools, Floats, Integers, Settings
from metrics_assets.analysis.forecasting.widths import Widths, calibrate, needed

# In the order of preference: of equals the first is served, so that a constant series is forecast by its constant.
METHODS = ("seasonal_naive", "pooled", "mixed", "drift", "too_few")
NAIVE, POOLED, MIXED, DRIFT, TOO_FEW = range(5)
CANDIDATES = 4
# Days ahead that the backtest looks at: as many in each block as tell it, each about alike far apart.
LOOKED_AT = np.array([1, 2, 3, 4, 5, 6, 7, 9, 12, 15, 18, 20, 23, 26, 29, 33, 39, 45, 51, 57, 63, 69, 75, 81, 87])
BLOCKS = np.searchsorted(SERVED, LOOKED_AT)  # 0: days 1-7, 1: 8-30, 2: 31-90
CALIBRATED_ON = 3000  # series
Kept = dict[tuple[int, int], Relative]  # the model's forecasts, by the day and the first series of a chunk
# Forecast days after which a series' own backtest counts as much as that of all series of its group: the errors of
# one series overlap and are few, and what was best by chance is not best again.
TRUSTED_AFTER = 50


@dataclass
class Evidence:
    """Sums over the backtest's days: [series, blocks] counts, [series, blocks, candidates] the rest.

    `group` [series] is the group (of `GROUPS`) that a series was in when it was last compared.
    """

    days: Floats
    raw_crps: Floats  # in the metric's unit
    scaled_days: Floats  # days of `days` before which the series had a seasonal error to scale by
    crps: Floats  # in multiples of the seasonal error, as the next
    error: Floats
    covered: Floats
    group: Integers

    @classmethod
    def none(cls, series: int) -> Evidence:
        plain, of_each = (series, len(SERVED)), (series, len(SERVED), CANDIDATES)
        sums = [field.name for field in fields(cls) if field.name != "group"]
        return cls(
            **{name: np.zeros(plain if name in ("days", "scaled_days") else of_each) for name in sums},
            group=np.zeros(series, dtype=np.int64),
        )

    @property
    def score(self) -> Floats:
        """What decides: the scaled CRPS, in which every origin counts alike; the raw one where there is no scale."""
        return np.where(self.scaled_days[..., None] > 0, self.crps, self.raw_crps)


def chunks(series: Integers, settings: Settings) -> Iterator[Integers]:
    for start in range(0, len(series), settings.series_at_once):
        yield series[start : start + settings.series_at_once]


def same_day(series: Integers, day: int) -> Integers:
    return np.full(len(series), day, dtype=np.int64)


def has_enough(window: Floats, settings: Settings) -> Bools:
    known = ~np.isnan(window)
    lately = np.sum(known[:, -settings.silent_days :], axis=1) > 0
    enough: Bools = lately & (np.sum(known, axis=1) >= settings.minimum_days)
    return enough


def origins_of(grid: Grid, settings: Settings) -> list[int]:
    """Return the days (columns of the grid) that the backtest forecasts from."""
    today = grid.days - 1
    return [day for day in range(today - settings.backtest_days, today, settings.backtest_step) if day >= 0]


def widths_of(grid: Grid, model: PooledModel, origins: list[int], settings: Settings) -> tuple[Widths, Kept]:
    """Calibrate on some series; there are few widths to learn, so that some are enough.

    Where these are all series, the forecasts are kept, to be compared as well.
    """
    kept: Kept = {}
    everyone = np.arange(len(grid.keys))
    rng = np.random.default_rng(settings.seed)
    chosen = np.sort(rng.permutation(everyone)[:CALIBRATED_ON])
    factors, groups, horizons = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    today = grid.days - 1
    for day in origins:
        ahead = LOOKED_AT[day + LOOKED_AT <= today]
        for chunk in chunks(chosen, settings):
            some = _able(grid, chunk, day, settings)
            if len(some) == 0 or len(ahead) == 0:
                continue
            each = np.tile(ahead, (len(some), 1))
            relative = model.predict(grid, some, same_day(some, day), each)
            if len(chosen) == len(everyone):
                kept[day, int(some[0])] = relative
            actual = stabilise(grid.ahead(some, same_day(some, day), each, today), grid.share[some])
            varied = np.nan_to_num(seasonal_error(grid.window(some, same_day(some, day)))) > 0
            factors.append(needed(relative, actual)[varied].ravel())
            groups.append(np.repeat(relative.group[varied], len(ahead)))
            horizons.append(np.tile(ahead, int(varied.sum())))
    widths = calibrate(np.concatenate(factors), np.concatenate(groups), np.concatenate(horizons), settings.coverage)
    return widths, kept


def evidence_of(
    grid: Grid, model: PooledModel, origins: list[int], widths: Widths, kept: Kept, settings: Settings
) -> Evidence:
    """Compare all candidates from each of `origins` with what came; `kept` are forecasts that were made before."""
    everyone, today = np.arange(len(grid.keys)), grid.days - 1
    found = Evidence.none(len(everyone))
    for day in origins:
        ahead = LOOKED_AT[day + LOOKED_AT <= today]
        for chunk in chunks(everyone, settings):
            some = _able(grid, chunk, day, settings)
            if len(some) and len(ahead):
                each = np.tile(ahead, (len(some), 1))
                relative = kept.get((day, int(some[0]))) or model.predict(grid, some, same_day(some, day), each)
                _compare(found, grid, relative, widths, some, day, ahead)
    return found


def candidates_of(
    grid: Grid, relative: Relative, widths: Widths, series: Integers, days: Integers, horizons: Integers
) -> tuple[Floats, ...]:
    """Return the forecasts that can be served, [rows, horizons, 3] each, in the order of `METHODS`."""
    window, lower, upper = grid.window(series, days), grid.lower[series], grid.upper[series]
    naive = seasonal_naive(window, horizons, lower, upper)
    pooled = relative.values(grid, series, widths.of(relative.group, horizons))
    return naive, pooled, (naive + pooled) / 2, drift(window, horizons, lower, upper)


def repeats(window: Floats) -> Bools:
    """Return [rows]: whether each week is as the one before; then there is nothing for a model to add."""
    same: Bools = np.nan_to_num(seasonal_error(window)) == 0
    return same


def choose(evidence: Evidence, enough: Bools, steady: Bools) -> Integers:
    """Return the method of each series and block [series, blocks]; `steady` [series] as of `repeats`.

    The lowest CRPS decides: of the series' own backtest and of all series of its group, weighed by how much its own
    says. Nothing is served that did not beat the seasonal naive forecast in the series' own backtest, whatever the
    group says. A series that repeats its weeks and never did otherwise goes on so. Without any backtest the model is
    taken.
    """
    trust = (evidence.scaled_days / (evidence.scaled_days + TRUSTED_AFTER))[..., None]
    score = trust * _relative(evidence.score) + (1 - trust) * _usual(evidence)[evidence.group]
    score[evidence.group != TOTAL, :, DRIFT] = np.inf  # elsewhere it would be best by chance alone
    compared, naive = evidence.days > 0, evidence.score[..., [NAIVE]]
    score[compared[..., None] & (evidence.score >= naive) & (np.arange(CANDIDATES) != NAIVE)] = np.inf
    exact = steady[:, None] & (evidence.raw_crps[..., NAIVE] == 0)
    return np.where(enough[:, None], np.where(exact, NAIVE, np.argmin(score, axis=2)), TOO_FEW)


def _usual(evidence: Evidence) -> Floats:
    """Return [groups, blocks, candidates]: how each candidate did over a group's series; of all, where it has none."""
    usual = np.empty((len(GROUPS), len(SERVED), CANDIDATES))
    model_first = np.where(np.arange(CANDIDATES) == POOLED, 0.9, 1.0)
    for block in range(len(SERVED)):
        everyone = evidence.crps[:, block].sum(axis=0)
        overall = _relative(everyone) if everyone.any() else model_first
        for group in range(len(GROUPS)):
            of_group = evidence.crps[evidence.group == group, block].sum(axis=0)
            usual[group, block] = _relative(of_group) if of_group.any() else overall
    return usual


def _relative(score: Floats) -> Floats:
    """Return scores [..., candidates] over their mean; 1 where all are 0."""
    level = score.mean(axis=-1, keepdims=True)
    return np.where(level > 0, score / np.where(level > 0, level, 1.0), 1.0)


def _able(grid: Grid, series: Integers, day: int, settings: Settings) -> Integers:
    return series[has_enough(grid.window(series, same_day(series, day)), settings)]


def _compare(
    found: Evidence, grid: Grid, relative: Relative, widths: Widths, some: Integers, day: int, ahead: Integers
) -> None:
    """Add the errors of the forecasts of `some` series from the column `day`."""
    each, days = np.tile(ahead, (len(some), 1)), same_day(some, day)
    candidates = candidates_of(grid, relative, widths, some, days, each)
    found.group[some] = relative.group
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
