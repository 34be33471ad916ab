"""How good a forecast was: scaled absolute error, CRPS from quantiles, coverage."""

from __future__ import annotations

import numpy as np

from metrics_assets.analysis.forecasting.settings import QUANTILES, Floats


def crps(actual: Floats, quantiles: Floats) -> Floats:
    """Return the continuous ranked probability score that p10, p50 and p90 stand for, in the metric's unit.

    It is twice the mean quantile (pinball) loss (T. Gneiting & A. E. Raftery, "Strictly proper scoring rules,
    prediction, and estimation", JASA 102, 2007; F. Laio & S. Tamea, HESS 11, 2007). `actual` is [...],
    `quantiles` [..., 3]; NaN where the day is not known.
    """
    off = actual[..., None] - quantiles
    score: Floats = 2 * np.mean(np.maximum(QUANTILES * off, (QUANTILES - 1) * off), axis=-1)
    return score


def absolute_error(actual: Floats, quantiles: Floats) -> Floats:
    """Return how far p50 was off; divided by the seasonal error and averaged it is the MASE."""
    return np.abs(actual - quantiles[..., 1])


def covered(actual: Floats, quantiles: Floats) -> Floats:
    """Return 1 where p10 <= actual <= p90, 0 where not, NaN where the day is not known."""
    inside = (quantiles[..., 0] <= actual) & (actual <= quantiles[..., 2])
    return np.where(np.isnan(actual), np.nan, inside)
