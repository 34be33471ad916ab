"""Windows over daily series, and what is taken from them; unknown days are NaN and never count.

Every figure is made of its own window alone, in one order of adding up: it is the same to the last digit however many
days and series are handed in together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]


def windows(values: Floats, length: int, first: int, *, with_day: bool = False) -> Floats:
    """Return [series, days - first, length]: the `length` days before each day from `first` on.

    With `with_day` the windows end with the day itself. Days before the first one are NaN.
    """
    shift = 1 if with_day else 0
    padding = max(length - shift - first, 0)
    padded = np.pad(values, ((0, 0), (padding, 0)), constant_values=np.nan) if padding else values
    views = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    begin = first + shift - length + padding
    return np.ascontiguousarray(views[:, begin : begin + values.shape[1] - first])


def ordered(values: Floats) -> tuple[Floats, Integers]:
    """Return the last axis sorted with NaN at its end, and how many of it are known."""
    return np.sort(values, axis=-1), known(values)


def known_of(values: Floats, length: int, first: int) -> Integers:
    """Return [series, days - first]: how many of the `length` days before each day are known."""
    until = np.cumsum(~np.isnan(values), axis=1)  # whole numbers: adding up in another order changes nothing
    until = np.pad(until, ((0, 0), (length + 1, 0)))
    days = values.shape[1] - first
    count: Integers = until[:, first + length : first + length + days] - until[:, first : first + days]
    return count


def in_order_of(values: Floats, length: int, first: int) -> tuple[Floats, Integers]:
    """Return `ordered` of `windows`."""
    return np.sort(windows(values, length, first), axis=-1), known_of(values, length, first)


def from_day(values: Floats, first: int) -> Floats:
    """Return what was made from day `first` on with unknown days before it."""
    return np.pad(values, ((0, 0), (first, 0)), constant_values=np.nan) if first else values


def quantile(in_order: Floats, count: Integers, share: float) -> Floats:
    """Return a quantile of what `ordered` returned; NaN of nothing."""
    position = share * np.maximum(count - 1, 0)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    below = np.take_along_axis(in_order, low[..., None], axis=-1)[..., 0]
    above = np.take_along_axis(in_order, high[..., None], axis=-1)[..., 0]
    return below + (above - below) * (position - low)


def median(values: Floats) -> Floats:
    return quantile(*ordered(values), 0.5)


def known(values: Floats) -> Integers:
    count: Integers = np.sum(~np.isnan(values), axis=-1)
    return count


def filled(values: Floats, replacement: Floats | float) -> Floats:
    """Return `values` with NaN replaced."""
    return np.where(np.isnan(values), replacement, values)


def mean(values: Floats, least: int) -> Floats:
    """Return the mean of the known of the last axis; NaN where fewer than `least` are."""
    count = known(values)
    return np.where(count >= least, np.sum(filled(values, 0.0), axis=-1) / np.maximum(count, 1), np.nan)


def root_mean_square(values: Floats, least: int) -> Floats:
    return np.sqrt(mean(np.square(values), least))


def last_known(values: Floats) -> Floats:
    """Return the last known value of the last axis; NaN where there is none."""
    position = values.shape[-1] - 1 - np.argmax(~np.isnan(values[..., ::-1]), axis=-1)
    return np.take_along_axis(values, position[..., None], axis=-1)[..., 0]
