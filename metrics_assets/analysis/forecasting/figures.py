"""The figures that are kept of an outlook: for 7, 30, 90 and 180 days ahead, and each of them under three scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import numpy as np
import pandas as pd

from metrics_assets.analysis.forecasting.continuing import continued
from metrics_assets.analysis.forecasting.goals import scenarios
from metrics_assets.analysis.forecasting.grid import SERIES_COLUMNS
from metrics_assets.analysis.forecasting.rows import QUANTILE_COLUMNS, backtest_rows
from metrics_assets.analysis.forecasting.serving import Outlook
from metrics_assets.analysis.forecasting.settings import EXTENDED, LONGEST, SERVED, Floats

HORIZONS = (*SERVED, EXTENDED)
DIGITS = 7  # significant ones of a forecast; more would only fill the disk
_BEYOND = (
    f"Beyond {LONGEST} days nothing was backtested: the path goes on with its mean growth, and the interval widens by "
    "the root of time."
)
_UNCOMPARED = "Nothing could be compared in the backtest yet: how good such a forecast of this series is, is not known."


def figure_rows(outlook: Outlook) -> pd.DataFrame:
    """Return a row for each series and each of `HORIZONS`, sorted: the forecast of that day and what backs it.

    Columns: metric, subject_kind, subject, date (the last known day), horizon, target_on, p10, p50, p90 (in the
    metric's unit), method, beats_naive, n, mase, crps, coverage, naive_mase, naive_crps (as of `backtest_rows`),
    reason. The method `extended` is the path's continuation. `reason` is a sentence where the naive forecast is served,
    where nothing could be compared, and where there are no numbers.
    """
    judged = backtest_rows(outlook.grid, outlook.evidence, outlook.method, outlook.reasons)
    judged = judged.drop(columns="origin").astype({"method": object})
    judged["reason"] = [
        _reason(*row) for row in judged[["method", "beats_naive", "n", "reason"]].itertuples(index=False, name=None)
    ]
    longest = judged[judged["horizon"] == SERVED[-1]]
    without = longest["method"] == "too_few"
    extended = longest[[*SERIES_COLUMNS]].assign(
        horizon=np.int16(EXTENDED),
        method=np.where(without, "too_few", "extended"),
        n=0,
        reason=np.where(without, longest["reason"], _BEYOND),
    )
    rows = pd.concat([judged, extended])  # of a series, both have the index of its last figure
    rows = rows.sort_index(kind="stable").reset_index(drop=True)
    figures = horizon_figures(outlook).reshape(-1, len(QUANTILE_COLUMNS))
    target = {days: outlook.grid.last + timedelta(days=days) for days in HORIZONS}
    return rows.assign(
        date=outlook.grid.last,
        target_on=rows["horizon"].map(target),
        **{name: figures[:, number] for number, name in enumerate(QUANTILE_COLUMNS)},
    )


def scenario_rows(outlook: Outlook, better: Mapping[str, Literal["higher", "lower"]]) -> pd.DataFrame:
    """Return a row for each series with a forecast of a metric in `better`, each of `HORIZONS` and each scenario.

    `better` says of the metrics whose change means something which way is the better one. Columns: metric,
    subject_kind, subject, date, horizon, scenario, p10, p50, p90.
    """
    grid = outlook.grid
    served = ~np.isnan(outlook.paths[:, 0, 0])
    direction = grid.keys["metric"].map(better).to_numpy(dtype=object)
    figures, level = horizon_figures(outlook), outlook.level[:, (np.array(HORIZONS) - 1) % 7]
    parts = []
    for way in ("higher", "lower"):
        series = np.flatnonzero(served & (direction == way))
        keys = grid.keys.iloc[np.repeat(series, len(HORIZONS))].reset_index(drop=True)
        for name, paths in scenarios(figures[series], level[series], better=way).items():
            flat = significant(paths).reshape(-1, len(QUANTILE_COLUMNS))
            parts.append(
                keys.assign(
                    date=grid.last,
                    horizon=np.tile(np.array(HORIZONS, dtype=np.int16), len(series)),
                    scenario=name,
                    **{column: flat[:, number] for number, column in enumerate(QUANTILE_COLUMNS)},
                )
            )
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values([*SERIES_COLUMNS, "horizon"], kind="stable", ignore_index=True)


def horizon_figures(outlook: Outlook) -> Floats:
    """Return [series, horizons, 3]: p10, p50 and p90 for each of `HORIZONS`.

    Raises ValueError for an outlook of less than 90 days.
    """
    grid, paths = outlook.grid, outlook.paths
    if paths.shape[1] != LONGEST:
        raise ValueError(f"The figures need an outlook of {LONGEST} days, not of {paths.shape[1]}.")
    beyond = continued(paths, EXTENDED - LONGEST, grid.lower, grid.upper)[:, -1:]
    return significant(np.concatenate([paths[:, np.array(SERVED) - 1], beyond], axis=1))


def significant(values: Floats) -> Floats:
    """Return `values` with their first 7 digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.floor(np.log10(np.abs(values)))
    factor = 10.0 ** (DIGITS - 1 - np.where(np.isfinite(size), size, 0.0))
    rounded: Floats = np.round(values * factor) / factor
    return rounded


def _reason(method: str, beats_naive: bool | None, n: int, reason: str | None) -> str | None:
    if method == "too_few":
        return reason
    if beats_naive is None:
        return _UNCOMPARED
    if beats_naive:
        return None
    return (
        f"The last value of the same weekday stands: nothing was better both over {n} days of this series' backtest "
        "and weighed with those of similar series."
    )
