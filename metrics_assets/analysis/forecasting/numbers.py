"""Means and quantiles of the last axis of arrays with gaps (NaN), without numpy's warnings and slow paths."""

from __future__ import annotations

import numpy as np

from metrics_assets.analysis.forecasting.settings import Floats


def mean(values: Floats) -> Floats:
    """Return the mean of the known values; NaN where there is none."""
    return mean_or(values, np.nan)


def mean_or(values: Floats, otherwise: Floats | float) -> Floats:
    """Return the mean of the known values; `otherwise` where there is none."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.sum(np.where(known, values, 0.0), axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), otherwise)


def spread(values: Floats) -> Floats:
    """Return the standard deviation of the known values; 0 where there is none."""
    middle = mean_or(values, 0.0)
    return np.sqrt(mean_or(np.square(values - middle[..., None]), 0.0))


def quantiles(values: Floats, shares: tuple[float, ...], otherwise: Floats) -> list[Floats]:
    """Return a quantile of the known values for each of `shares` (linear); `otherwise` where there is none."""
    ordered = np.sort(values, axis=-1)
    last = np.sum(~np.isnan(values), axis=-1) - 1
    found = []
    for share in shares:
        position = share * np.maximum(last, 0)
        low = np.floor(position).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(last, 0))
        below = np.take_along_axis(ordered, low[..., None], axis=-1)[..., 0]
        above = np.take_along_axis(ordered, high[..., None], axis=-1)[..., 0]
        found.append(np.where(last >= 0, below + (above - below) * (position - low), otherwise))
    return found
