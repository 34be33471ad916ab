"""What was found as rows: each day ahead, the backtest, and the figures for 7, 30, 90 and 180 days."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from metrics_assets.analysis.forecasting.backtesting import CANDIDATES, METHODS, NAIVE, TOO_FEW, Evidence
from metrics_assets.analysis.forecasting.grid import SERIES_COLUMNS, Grid
from metrics_assets.analysis.forecasting.settings import SERVED, Floats, Integers

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
QUANTILE_COLUMNS = ("p10", "p50", "p90")


def forecast_rows(grid: Grid, paths: Floats, method: Integers, reasons: list[str | None]) -> pd.DataFrame:
    """Return `FORECAST_COLUMNS`: a row for each series and day ahead."""
    series, horizons = paths.shape[:2]
    ahead = np.arange(1, horizons + 1)
    dates = np.empty(horizons, dtype=object)
    dates[:] = [grid.last + timedelta(days=int(number)) for number in ahead]
    of_day = method[:, np.searchsorted(SERVED, ahead)]
    return pd.DataFrame(
        {
            **_keys(grid, horizons),
            "origin": _repeated(grid.last, series * horizons),
            "date": np.tile(dates, series),
            "horizon": np.tile(ahead.astype(np.int16), series),
            **{name: paths[..., number].ravel() for number, name in enumerate(QUANTILE_COLUMNS)},
            "method": pd.Categorical.from_codes(of_day.ravel(), categories=pd.Index(METHODS)),
            "reason": np.repeat(np.array(reasons, dtype=object), horizons),
        }
    )


def backtest_rows(grid: Grid, evidence: Evidence, method: Integers, reasons: list[str | None]) -> pd.DataFrame:
    """Return `BACKTEST_COLUMNS`: a row for each series and block of days ahead; of too few days, why there is none."""
    series = len(method)
    served = np.minimum(method, CANDIDATES - 1)[..., None]
    days, scaled_days = evidence.days, evidence.scaled_days
    few = method == TOO_FEW

    def over(total: Floats, count: Floats) -> Floats:
        return np.where((count > 0) & ~few, total / np.maximum(count, 1), np.nan).ravel()

    def of_served(sums: Floats) -> Floats:
        return np.take_along_axis(sums, served, axis=2)[..., 0]

    beats = (of_served(evidence.score) < evidence.score[..., NAIVE]).astype(object)
    beats[few | (days == 0)] = None
    return pd.DataFrame(
        {
            **_keys(grid, len(SERVED)),
            "origin": _repeated(grid.last, series * len(SERVED)),
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


def _keys(grid: Grid, repeat: int) -> dict[str, pd.Categorical]:
    """Return the key columns, each row `repeat` times; categories, since millions of words take gigabytes."""
    columns = {}
    for column in SERIES_COLUMNS:
        codes, names = pd.factorize(grid.keys[column], sort=True)
        columns[column] = pd.Categorical.from_codes(np.repeat(codes, repeat), categories=pd.Index(names))
    return columns


def _repeated(day: date, times: int) -> np.typing.NDArray[np.object_]:
    days = np.empty(times, dtype=object)
    days[:] = day
    return days
