"""The scales on which values are compared: those on which a series' noise is about even, whatever its level.

Counts are compared by Anscombe's transform, on which a Poisson count has variance 1 (F. J. Anscombe, "The
transformation of Poisson, binomial and negative-binomial data", Biometrika 35, 1948), durations by their logarithm,
other units as they are. Negative values mirror positive ones.
"""

from __future__ import annotations

import numpy as np

from metrics_assets.analysis.detection.numbers import Bools, Floats

COUNT, DURATION, SHARE, OTHER = 0, 1, 2, 3
_DURATIONS = ("hours", "days", "months", "milliseconds")
_LARGEST = 1e15  # beyond it a value is treated as this one: squares of errors must stay finite
_ZERO = 2.0 * np.sqrt(0.375)


def scale_of(unit: str) -> int:
    """The scale of a catalogue unit."""
    if unit == "count" or unit.startswith("per "):
        return COUNT
    if unit in _DURATIONS:
        return DURATION
    return SHARE if unit == "ratio" else OTHER


def stabilise(values: Floats, scale: int) -> Floats:
    """Return `values` on a scale."""
    found = np.clip(values, -_LARGEST, _LARGEST)
    if scale == COUNT:
        found = np.sign(found) * (2.0 * np.sqrt(np.abs(found) + 0.375) - _ZERO)
    elif scale == DURATION:
        found = np.sign(found) * np.log1p(np.abs(found))
    return found


def restore(stabilised: Floats, scale: int) -> Floats:
    """Undo `stabilise`."""
    found, size = stabilised, np.abs(stabilised)
    if scale == COUNT:
        found = np.sign(stabilised) * (np.square((size + _ZERO) / 2.0) - 0.375)
    elif scale == DURATION:
        found = np.sign(stabilised) * np.expm1(np.minimum(size, 36.0))
    return found


def least_deviation(centre: Floats, scale: int, follows: Bools) -> Floats:
    """Return the smallest deviation that is believed around `centre`: of a count Poisson noise, of a duration 10 %.

    What `follows` its value of the day before is no count of independent events, though its unit may be count: of it
    a step of one is believed, on whatever level.
    """
    if scale == SHARE:
        return np.full_like(centre, 0.02)
    if scale == OTHER:
        return np.maximum(0.02 * np.abs(centre), 1e-3)
    if scale == DURATION:
        return np.where(follows, 0.03, 0.1)
    step = 2.0 / (np.abs(centre) + _ZERO)  # the slope of the transform: what one more is there
    return np.where(follows, np.minimum(step, 1.0), 1.0)
