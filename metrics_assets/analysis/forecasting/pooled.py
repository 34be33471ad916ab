"""One quantile model for all series: gradient boosting of p10, p50 and p90 on scaled values.

Pooling lets a short series borrow from the long ones. Everything the model learns from lies at or before the day
it is fitted for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from metrics_assets.analysis.forecasting.features import Features, features
from metrics_assets.analysis.forecasting.grid import Grid, restore, stabilise
from metrics_assets.analysis.forecasting.naive import seasonal_error
from metrics_assets.analysis.forecasting.settings import LONGEST, QUANTILES, Floats, Integers, Settings

FARTHEST_TARGET = 20.0  # scales: a single outlier of training shall not make the trees
FEWEST_TARGETS_A_LEAF = 200


@dataclass(frozen=True)
class Relative:
    """Quantiles [rows, horizons, 3] relative to the series: base + scale * quantile is the stabilised value."""

    quantiles: Floats
    base: Floats
    scale: Floats
    group: Integers  # [rows], of `GROUPS`

    def values(self, grid: Grid, series: Integers, widths: Floats | None = None) -> Floats:
        """Return the quantiles in the metrics' units, within the bounds; `widths` [rows, horizons] stretch them."""
        relative = self.quantiles
        if widths is not None:
            middle = relative[..., 1:2]
            relative = middle + (relative - middle) * widths[..., None]
        stabilised = self.base[..., None] + relative * self.scale[..., None]
        raw = restore(stabilised, grid.share[series])
        return np.clip(raw, grid.lower[series][:, None, None], grid.upper[series][:, None, None])


# What the calibration keeps apart: counts of a few a day have whole numbers for errors, totals grow.
GROUPS = ("level", "small count", "total")
TOTAL = GROUPS.index("total")
SMALL = float(np.arcsinh(3.0))


class PooledModel:
    """The model as it could have been on the day in column `until` of the grid it was fitted on."""

    def __init__(self, regressors: list[HistGradientBoostingRegressor], settings: Settings) -> None:
        self._regressors = regressors
        self._settings = settings

    @classmethod
    def fit(cls, grid: Grid, until: int, simulated: Grid, settings: Settings) -> PooledModel:
        """Learn from what `grid` holds up to column `until`, and from simulated series."""
        rng = np.random.default_rng(settings.seed)
        wanted = int(settings.training_windows * (1 - settings.simulated_share))
        real = _training(grid, until, wanted, rng, settings)
        windows = settings.training_windows - wanted + max(wanted // 3 - real[2], 0)
        parts = [real, _training(simulated, simulated.days - 1, windows, rng, settings)]
        told = np.concatenate([part[0] for part in parts])
        targets = np.concatenate([part[1] for part in parts])
        regressors = [
            HistGradientBoostingRegressor(
                loss="quantile",
                quantile=share,
                max_iter=settings.trees,
                learning_rate=settings.learning_rate,
                max_leaf_nodes=settings.leaves,
                min_samples_leaf=FEWEST_TARGETS_A_LEAF,
                l2_regularization=1.0,
                max_bins=64,
                early_stopping=False,
                random_state=settings.seed,
            ).fit(told, targets)
            for share in QUANTILES
        ]
        return cls(regressors, settings)

    def predict(self, grid: Grid, series: Integers, day: Integers, horizons: Integers) -> Relative:
        """Forecast rows of a series and an origin (a column of the grid); `horizons` is [rows, horizons]."""
        described = describe(grid, series, day, horizons, self._settings)
        flat = described.told.reshape(-1, described.told.shape[2])
        quantiles = np.stack([one.predict(flat).reshape(horizons.shape) for one in self._regressors], axis=-1)
        quantiles.sort(axis=-1)  # trees of different quantiles may cross
        lowest, highest = (
            (stabilise(bound[series], grid.share[series])[:, None] - described.base) / described.scale
            for bound in (grid.lower, grid.upper)
        )
        quantiles = np.clip(quantiles, lowest[..., None], highest[..., None])
        small = (described.base[:, 0] < SMALL) & ~grid.share[series]
        group = np.where(described.stock > 0.5, TOTAL, np.where(small, 1, 0))
        return Relative(quantiles, described.base, described.scale, group)


def describe(grid: Grid, series: Integers, day: Integers, horizons: Integers, settings: Settings) -> Features:
    window = stabilise(grid.window(series, day), grid.share[series])
    back = grid.days - 1 - day
    weekday = (grid.last.weekday() - back[:, None] + horizons) % 7
    rest = rest_days(grid.last - timedelta(days=grid.days - 1), grid.days + LONGEST, settings.holidays)
    return features(window, horizons, day - grid.first_day[series], weekday, rest[day[:, None] + horizons])


def _training(
    grid: Grid, until: int, wanted: int, rng: np.random.Generator, settings: Settings
) -> tuple[np.typing.NDArray[np.float32], Floats, int]:
    """Draw windows that end before `until`; return [targets, features], [targets] and how many windows there were."""
    earliest = grid.first_day + settings.minimum_days - 1
    able = np.flatnonzero((earliest < until) & ~np.isnan(grid.values).all(axis=1))
    series = rng.choice(able, wanted) if len(able) else np.zeros(0, dtype=np.int64)
    day = earliest[series] + np.floor(rng.random(len(series)) * (until - earliest[series])).astype(np.int64)
    window = grid.window(series, day)
    known = np.sum(~np.isnan(window), axis=1) >= settings.minimum_days
    useful = known & (np.nan_to_num(seasonal_error(window)) > 0)
    # Series of a few days would be drawn again and again: not more windows than there are days.
    _, first = np.unique(series[useful] * grid.days + day[useful], return_index=True)
    series, day = series[useful][np.sort(first)], day[useful][np.sort(first)]
    farthest = np.minimum(until - day, LONGEST)[:, None]
    share = rng.random((len(series), settings.horizons_each))
    near = np.exp(share * np.log(farthest + 1))
    even = 1 + share * farthest
    drawn = np.where(rng.random(share.shape) < 0.5, near, even)
    horizons = np.clip(np.floor(drawn).astype(np.int64), 1, farthest)
    described = describe(grid, series, day, horizons, settings)
    target = stabilise(grid.ahead(series, day, horizons, until), grid.share[series])
    relative = np.clip((target - described.base) / described.scale, -FARTHEST_TARGET, FARTHEST_TARGET)
    there = np.isfinite(relative)
    return described.told[there], relative[there], len(series)


@lru_cache(maxsize=8)
def rest_days(first: date, days: int, holidays: frozenset[date]) -> Floats:
    """Return [days]: 1 where the day is a holiday, else 0."""
    return np.array([float(first + timedelta(days=number) in holidays) for number in range(days)])
