"""By how much the model's intervals must be stretched to hold what they promise, by group and days ahead.

Split-conformal calibration on forecasts of days that the model had not seen (Y. Romano, E. Patterson & E. Candès,
"Conformalized quantile regression", NeurIPS 2019), in its multiplicative form, since series differ in scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics_assets.analysis.forecasting.pooled import GROUPS, Relative
from metrics_assets.analysis.forecasting.settings import Floats, Integers

BINS = (1, 4, 8, 15, 31, 61)  # first day ahead of each bin
NARROWEST, WIDEST = 0.8, 2.5
TRUST = 300  # forecast days after which the measured width counts as much as the model's own


@dataclass(frozen=True)
class Widths:
    """The factor [groups, 90] for each group of series and each number of days ahead."""

    factors: Floats

    def of(self, group: Integers, horizons: Integers) -> Floats:
        """Return [rows, horizons] for rows of `group` [rows]."""
        return self.factors[group[:, None], horizons - 1]


def needed(relative: Relative, actual: Floats) -> Floats:
    """Return [rows, horizons]: the factor at which the interval just reaches `actual` (stabilised); NaN unknown."""
    off = (actual - relative.base) / relative.scale - relative.quantiles[..., 1]
    above = relative.quantiles[..., 2] - relative.quantiles[..., 1]
    below = relative.quantiles[..., 1] - relative.quantiles[..., 0]
    side = np.where(off > 0, above, below)
    return np.where(np.abs(off) < 1e-9, 0.0, np.abs(off) / np.maximum(side, 1e-6))


def calibrate(factors: Floats, group: Integers, horizons: Integers, coverage: float) -> Widths:
    """Return the widths that hold `coverage`: arrays [n] of `needed`, and each one's group and days ahead."""
    middles = np.array([(low + high) / 2 for low, high in zip(BINS, (*BINS[1:], 91), strict=True)])
    bin_of = np.digitize(horizons, BINS) - 1
    table = np.ones((len(GROUPS), 90))
    known = ~np.isnan(factors)
    for number in range(len(GROUPS)):
        found = np.ones(len(BINS))
        for bin_number in range(len(BINS)):
            some = factors[known & (group == number) & (bin_of == bin_number)]
            if len(some):
                factor = float(np.clip(np.quantile(some, coverage), NARROWEST, WIDEST))
                found[bin_number] = (len(some) * factor + TRUST) / (len(some) + TRUST)
        table[number] = np.interp(np.log(np.arange(1, 91)), np.log(middles), found)
    return Widths(table)
