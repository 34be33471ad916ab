"""What the forecasts can be told, and what is fixed for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

WEEKS: Final = 26
WINDOW: Final = 7 * WEEKS  # days of history that a forecast looks at
LONGEST: Final = 90  # days ahead
QUANTILES: Final = np.array([0.1, 0.5, 0.9])

# The figures that are served, and the days ahead each stands for: 1-7, 8-30, 31-90.
SERVED: Final = (7, 30, 90)
WINDOWS_A_SERIES, FEWEST_WINDOWS = 6, 3000
EXTENDED: Final = 180  # days ahead of the figure beyond them


@dataclass(frozen=True)
class Settings:
    """How forecasts are made.

    Give the window of 26 weeks that the backtest's first origin looks back on, the 26 weeks before it that the
    backtested model learns from, and the backtest itself: `history_days`. More than that did not make it better.

    `units` gives the metrics' units (absent: count): they decide the scale and the bounds. `holidays` are the days
    on which people rest, before and after the origin. `minimum_days` of the last 182 must have a value, and the
    last value must not be older than `silent_days`. The backtest forecasts from a day in every `backtest_step` of
    the `backtest_days` before the origin. `training_windows` bounds the work of learning; `simulated_share` of them
    come from simulated series, more where the real ones are few.
    """

    units: Mapping[str, str] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()
    minimum_days: int = 28
    silent_days: int = 28
    backtest_days: int = 126
    backtest_step: int = 14
    training_windows: int = 12_000
    simulated_share: float = 0.2
    horizons_each: int = 10  # days ahead that are drawn for each training window
    trees: int = 150
    leaves: int = 8
    learning_rate: float = 0.08
    coverage: float = 0.8
    series_at_once: int = 1000  # bounds the memory: about 60 MB of features
    seed: int = 20250101

    @property
    def history_days(self) -> int:
        return 2 * WINDOW + self.backtest_days

    def for_series(self, series: int) -> Settings:
        """Return these with as much work of learning as so many series can tell anything by."""
        return replace(
            self, training_windows=min(max(WINDOWS_A_SERIES * series, FEWEST_WINDOWS), self.training_windows)
        )
