"""The daily values as arrays [series, days], on the scale that the model works on, and their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from metrics_assets.analysis.forecasting.settings import WINDOW, Bools, Floats, Integers

SERIES_COLUMNS = ("metric", "subject_kind", "subject")
DAILY_COLUMNS = (*SERIES_COLUMNS, "date", "value", "n", "state")
KNOWN_STATES = ("ok", "provisional")
SHARES = ("ratio", "yes or no")
SHARE_SCALE = 20.0  # a share's usual noise of a few hundredths becomes about that of the logarithm of a count


@dataclass(frozen=True)
class Grid:
    """Daily series up to a day; NaN where no value is known.

    `keys` has a row for each series, sorted. `values` [series, days] are in the metric's unit; the last column
    is the day `last`. `share` [series]: the unit is a share, compared as it is and not by its logarithm.
    `lower` and `upper` [series] are the values that a forecast cannot pass. `first_day` [series] is the column of
    the first known value.
    """

    keys: pd.DataFrame
    last: date
    values: Floats
    share: Bools
    lower: Floats
    upper: Floats
    first_day: Integers

    @property
    def days(self) -> int:
        return int(self.values.shape[1])

    def window(self, series: Integers, day: Integers) -> Floats:
        """Return [rows, 182]: of each row's series the days up to column `day` (inclusive), NaN before the first."""
        columns = day[:, None] + np.arange(1 - WINDOW, 1)
        values = self.values[series[:, None], np.maximum(columns, 0)]
        return np.where(columns >= 0, values, np.nan)

    def ahead(self, series: Integers, day: Integers, horizons: Integers, until: int) -> Floats:
        """Return [rows, horizons]: what came `horizons` days after `day`; NaN beyond the column `until`."""
        columns = day[:, None] + horizons
        values = self.values[series[:, None], np.minimum(columns, self.days - 1)]
        return np.where(columns <= until, values, np.nan)

    def part(self, series: Integers) -> Grid:
        return Grid(
            self.keys.iloc[series].reset_index(drop=True),
            self.last,
            self.values[series],
            self.share[series],
            self.lower[series],
            self.upper[series],
            self.first_day[series],
        )


def read_grid(daily: pd.DataFrame, last: date, units: Mapping[str, str]) -> Grid | None:
    """Return the series of `daily` up to `last`; None when there is no row.

    Raises ValueError when a column is missing or a series has two rows for a day.
    """
    absent = [column for column in DAILY_COLUMNS if column not in daily.columns]
    if absent:
        raise ValueError(f"The daily values lack the column {', '.join(absent)}.")
    dates = pd.to_datetime(daily["date"]).to_numpy().astype("datetime64[D]")
    known = dates <= np.datetime64(last, "D")
    if not known.any():
        return None
    rows, dates = (daily, dates) if known.all() else (daily[known], dates[known])  # a copy of millions of rows is dear
    series = rows.groupby(list(SERIES_COLUMNS), sort=True, observed=True).ngroup().to_numpy()
    _, members = np.unique(series, return_index=True)
    keys = rows[list(SERIES_COLUMNS)].iloc[members].astype(object).reset_index(drop=True)
    first: date = dates.min().item()
    days = (last - first).days + 1
    column = (dates - dates.min()).astype(np.int64)
    cells = series * days + column
    often = np.bincount(cells)
    if often.max() > 1:
        row = rows[often[cells] > 1].iloc[0]
        raise ValueError(f"There are two rows of {row['metric']} for {row['subject']} on {row['date']}.")
    value = rows["value"].to_numpy(dtype=np.float64, na_value=np.nan)
    counts = rows["state"].isin(KNOWN_STATES).to_numpy() & np.isfinite(value)
    values = np.full((len(keys), days), np.nan)
    values[series, column] = np.where(counts, value, np.nan)
    return grid_of(keys, last, values, np.array([units.get(str(metric), "count") for metric in keys["metric"]]))


def grid_of(keys: pd.DataFrame, last: date, values: Floats, units: np.typing.NDArray[np.str_]) -> Grid:
    """Return the grid of `values` [series, days]; bounds that the history itself passes are not held."""
    share = np.isin(units, SHARES)
    lowest = np.min(np.where(np.isnan(values), np.inf, values), axis=1, initial=np.inf)
    highest = np.max(np.where(np.isnan(values), -np.inf, values), axis=1, initial=-np.inf)
    return Grid(
        keys,
        last,
        values,
        share,
        np.where(lowest < 0, -np.inf, 0.0),  # a growth may be negative, and may be given as a ratio
        np.where(share & (highest <= 1) & (lowest >= 0), 1.0, np.inf),
        np.argmax(~np.isnan(values), axis=1).astype(np.int64),
    )


def stabilise(values: Floats, share: Bools) -> Floats:
    """Return `values` [rows, ...] on a scale on which noise is about even: asinh, or of shares themselves.

    The inverse hyperbolic sine is the logarithm for large values and straight around 0, so that zeros and negative
    values keep their place (Burbidge, Magee & Robb, JASA 83, 1988).
    """
    is_share = share.reshape(-1, *[1] * (values.ndim - 1))
    return np.where(is_share, SHARE_SCALE * values, np.arcsinh(values))


def restore(stabilised: Floats, share: Bools) -> Floats:
    """Undo `stabilise`."""
    is_share = share.reshape(-1, *[1] * (stabilised.ndim - 1))
    return np.where(is_share, stabilised / SHARE_SCALE, np.sinh(np.clip(stabilised, -40.0, 40.0)))
