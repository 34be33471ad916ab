"""A path beyond its last day: the last week again and again, with the path's mean growth."""

from __future__ import annotations

import numpy as np

from metrics_assets.analysis.forecasting.settings import Floats


def continued(paths: Floats, more: int, lower: Floats | float = -np.inf, upper: Floats | float = np.inf) -> Floats:
    """Return the next `more` days of `paths` [..., days, 3] as [..., more, 3], within the bounds [...].

    The median grows by the mean growth from the path's first week to its last, weekday by weekday; the interval
    widens by the root of time. A path of one day stays what it is.
    """
    days = paths.shape[-2]
    week = 7 if days > 7 else 1
    middle = paths[..., 1]
    first, last = middle[..., :week].mean(axis=-1), middle[..., -week:].mean(axis=-1)
    growth = (last - first) / max(days - week, 1)
    ahead = np.arange(1, more + 1)
    same = days - week + (ahead - 1) % week  # the path's day of the same weekday
    base = paths[..., same, :]
    median = middle[..., same] + growth[..., None] * (days - 1 + ahead - same)
    spread = (base - base[..., 1:2]) * np.sqrt((days + ahead) / (same + 1))[:, None]
    low, high = (np.asarray(bound, dtype=np.float64)[..., None, None] for bound in (lower, upper))
    further: Floats = np.clip(median[..., None] + spread, low, high)
    return further
