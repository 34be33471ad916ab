"""Forecasts that need no model: the same weekday's last value, and the straight line on; intervals from past errors."""

from __future__ import annotations

import numpy as np

from metrics_assets.analysis.forecasting.numbers import mean, mean_or
from metrics_assets.analysis.forecasting.settings import WEEKS, Floats, Integers

NORMAL_DECILE = 1.2815515655446004


def last_of_weekday(window: Floats) -> Floats:
    """Return [rows, 7]: the latest known value of each weekday, the weekday after the window's last day first.

    A weekday without a value in the window has the latest known value of any day.
    """
    weeks = window.reshape(len(window), WEEKS, 7)
    latest = np.full((len(window), 7), np.nan)
    for week in range(WEEKS):
        latest = np.where(np.isnan(weeks[:, week]), latest, weeks[:, week])
    return np.where(np.isnan(latest), last_known(window)[:, None], latest)


def last_known(window: Floats) -> Floats:
    """Return [rows]: the latest known value; NaN where there is none."""
    known = ~np.isnan(window)
    position = window.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.take_along_axis(window, position[:, None], axis=1)[:, 0]


def seasonal_error(window: Floats) -> Floats:
    """Return [rows]: the mean absolute difference of a day from the same weekday a week before.

    It is the scale of the scaled errors (R. J. Hyndman & A. B. Koehler, "Another look at measures of forecast
    accuracy", International Journal of Forecasting 22, 2006); NaN where no two such days are known.
    """
    return mean(np.abs(window[:, 7:] - window[:, :-7]))


def seasonal_naive(window: Floats, horizons: Integers, lower: Floats, upper: Floats) -> Floats:
    """Return p10, p50 and p90 as [rows, horizons, 3], in the metric's unit.

    `window` is [rows, 182], `horizons` [rows, horizons], the bounds [rows]. The deviation is the root mean square
    of past seasonal differences, times the root of the number of weeks ahead (R. J. Hyndman & G. Athanasopoulos,
    "Forecasting: principles and practice", 3rd edition, section 5.5).
    """
    middle = np.take_along_axis(last_of_weekday(window), (horizons - 1) % 7, axis=1)
    deviation = np.sqrt(mean_or(np.square(window[:, 7:] - window[:, :-7]), 0.0))
    spread = NORMAL_DECILE * deviation[:, None] * np.sqrt((horizons - 1) // 7 + 1)
    quantiles = np.stack([middle - spread, middle, middle + spread], axis=-1)
    return np.clip(quantiles, lower[:, None, None], upper[:, None, None])


def drift(window: Floats, horizons: Integers, lower: Floats, upper: Floats) -> Floats:
    """Return p10, p50 and p90 as [rows, horizons, 3]: the last value, and the mean growth of the window a day on.

    Arguments as of `seasonal_naive`. It is the drift method: of T steps with the deviation s the error h days ahead has
    the deviation s * sqrt(h * (1 + h / T)) (Hyndman & Athanasopoulos, section 5.2 and 5.5). What never fell is not
    forecast to fall.
    """
    known = ~np.isnan(window)
    newest = window.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    span = np.maximum(newest - np.argmax(known, axis=1), 1)
    last = last_known(window)
    first = np.take_along_axis(window, np.argmax(known, axis=1)[:, None], axis=1)[:, 0]
    growth = (last - first) / span
    steps = window[:, 1:] - window[:, :-1]
    deviation = np.sqrt(mean_or(np.square(steps - growth[:, None]), 0.0))
    ahead = horizons + (window.shape[1] - 1 - newest)[:, None]  # days since the last value
    middle = last[:, None] + growth[:, None] * ahead
    spread = NORMAL_DECILE * deviation[:, None] * np.sqrt(ahead * (1 + ahead / span[:, None]))
    never_fell = np.all(np.isnan(steps) | (steps >= 0), axis=1)
    lowest = np.where(never_fell, np.maximum(last, lower), lower)
    quantiles = np.stack([middle - spread, middle, middle + spread], axis=-1)
    forecast: Floats = np.clip(quantiles, lowest[:, None, None], upper[:, None, None])
    return forecast
