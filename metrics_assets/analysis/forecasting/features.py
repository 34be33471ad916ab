"""What the pooled model is told of a series at an origin, and of the day it shall forecast.

Everything is relative: values are differences from the series' own base, in multiples of its own scale, so that
one model serves a repository with two stars a year and a package with a million downloads a day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics_assets.analysis.forecasting.naive import last_known, last_of_weekday
from metrics_assets.analysis.forecasting.numbers import mean, mean_or, quantiles, spread
from metrics_assets.analysis.forecasting.settings import WEEKS, WINDOW, Floats, Integers

SMALLEST_SCALE = 0.02
MEANS = (7, 14, 28, 56, 91, WINDOW)
PROFILE_WEEKS = 12


@dataclass(frozen=True)
class Features:
    """`told` [rows, horizons, features]; a forecast x of the model stands for base + scale * x.

    `base` and `scale` [rows, horizons] are on the stabilised scale. `stock` [rows] is 1 for a series that goes on
    from its last value (a total), 0 for one that moves around a level, and between for what is between.
    """

    told: np.typing.NDArray[np.float32]
    base: Floats
    scale: Floats
    stock: Floats


def features(window: Floats, horizons: Integers, age: Integers, target_weekday: Integers, holiday: Floats) -> Features:
    """Describe rows of a series and an origin.

    `window` [rows, 182] holds the stabilised values up to the origin, `horizons` [rows, horizons] the days ahead,
    `age` [rows] the days since the first value, `target_weekday` and `holiday` (1 where people rest; both
    [rows, horizons]) describe the day to forecast.
    """
    level = mean_or(window[:, -28:], mean(window))
    means = {days: mean_or(window[:, -days:], level) for days in MEANS}
    middle = (means[14] + means[28]) / 2
    last = last_known(window)
    weekly = mean_or(np.abs(window[:, 7:] - window[:, :-7]), 0.0)
    steps = window[:, 1:] - window[:, :-1]
    daily = mean_or(np.abs(steps), 0.0)
    deviation = spread(window[:, -91:])
    scale = np.maximum(np.maximum(weekly, 0.5 * deviation), SMALLEST_SCALE)
    ratio = _step_ratio(window, steps)
    stock = _stock(ratio)
    profile = _weekday_profile(window) * (1 - stock)[:, None]

    weekday = (horizons - 1) % 7
    start = stock * last + (1 - stock) * middle
    base = start[:, None] + np.take_along_axis(profile, weekday, axis=1)
    weeks_ahead = (horizons + 6) / 7
    ahead = scale[:, None] * weeks_ahead ** (0.5 * stock)[:, None]  # a random walk's deviation grows by the root

    far = quantiles(window[:, -91:], (0.1, 0.5, 0.9), level)
    near = quantiles(window[:, -28:], (0.1, 0.5, 0.9), level)
    highest = np.max(np.where(np.isnan(window[:, -91:]), -np.inf, window[:, -91:]), axis=1)
    before = mean_or(window[:, -56:-28], means[28])
    long_before = mean_or(window[:, :-91], means[91])
    weekly_deviation = np.sqrt(mean_or(np.square(window[:, 7:] - window[:, :-7]), 0.0))
    slopes = (
        _per_day(last - window[:, -29], 28),
        _per_day(last - window[:, -92], 91),
        _per_day(last - window[:, 0], WINDOW - 1),
        (means[28] - before) / 28,
        (means[91] - long_before) / 91,
    )
    of_series = [
        *((value - start) / scale for value in means.values()),
        *((value - start) / scale for value in (*far, *near, last)),
        np.log(scale),
        level,
        daily / scale,
        deviation / scale,
        spread(window[:, -28:]) / scale,
        np.log(np.maximum(highest - level, 1e-3) / scale),
        1 - ratio,
        _share(steps == 0, steps),
        _share(steps < 0, steps),
        _share(window[:, -91:] == 0, window[:, -91:]),
        np.argmax(window[:, ::-1] > 0, axis=1).astype(np.float64),  # days since it was more than 0
        np.log1p(np.minimum(age, WINDOW)),
        np.mean(~np.isnan(window[:, -91:]), axis=1),
        slopes[3] * 28 / scale,
        slopes[4] * 91 / scale,
    ]
    recent = _recent_weekdays(window, level)
    of_day = [
        horizons,
        (np.take_along_axis(last_of_weekday(window), weekday, axis=1) - base) / ahead,
        (np.take_along_axis(recent, weekday, axis=1) - base) / ahead,
        np.take_along_axis(profile, weekday, axis=1) / ahead,
        *(slope[:, None] * horizons / ahead for slope in slopes),
        np.sqrt(weeks_ahead) * weekly_deviation[:, None] / ahead,  # the naive forecast's deviation
        target_weekday,
        holiday,
    ]
    told = np.empty((*horizons.shape, len(of_series) + len(of_day)), dtype=np.float32)
    for number, value in enumerate(of_series):
        told[:, :, number] = value[:, None]
    for number, value in enumerate(of_day, start=len(of_series)):
        told[:, :, number] = value
    return Features(told, base, ahead, stock)


def next_level(window: Floats) -> Floats:
    """Return [rows, 7]: what the week ahead would be without any change, in the unit of `window` [rows, 182].

    Of a series that goes on from its last value this; of one that moves around a level the mean of the same weekday
    of the last four weeks.
    """
    stock = _stock(_step_ratio(window, window[:, 1:] - window[:, :-1]))[:, None]
    level = mean_or(window[:, -28:], mean(window))
    return stock * last_known(window)[:, None] + (1 - stock) * _recent_weekdays(window, level)


def _stock(step_ratio: Floats) -> Floats:
    return np.clip((0.3 - step_ratio) / 0.2, 0.0, 1.0)


def _recent_weekdays(window: Floats, level: Floats) -> Floats:
    """Return [rows, 7]: the mean of each weekday of the last four weeks, the weekday after the last day first."""
    # A weekday without a value is far too rare for a word of its own: the level stands in.
    return mean_or(np.swapaxes(window.reshape(-1, WEEKS, 7)[:, -4:], 1, 2), level[:, None])


def _step_ratio(window: Floats, steps: Floats) -> Floats:
    """Return von Neumann's ratio of steps to spread: 1 for noise around a level, near 0 for a total or a walk.

    J. von Neumann, "Distribution of the ratio of the mean square successive difference to the variance", Annals of
    Mathematical Statistics 12, 1941. A constant series counts as a total.
    """
    variance = np.square(spread(window))
    ratio = mean_or(np.square(steps), 0.0) / np.maximum(2 * variance, 1e-12)
    return np.clip(np.where(variance < 1e-12, 0.0, ratio), 0.0, 1.5)


def _weekday_profile(window: Floats) -> Floats:
    """Return [rows, 7]: what each weekday adds, shrunk by how much weekdays differ beyond chance."""
    weeks = window.reshape(len(window), WEEKS, 7)[:, -PROFILE_WEEKS:]
    differences = np.swapaxes(weeks - mean_or(weeks, np.nan)[..., None], 1, 2)  # [rows, 7, weeks]
    profile = mean_or(differences, 0.0)
    count = np.min(np.sum(~np.isnan(differences), axis=-1), axis=-1)
    noise = np.mean(np.square(spread(differences)), axis=-1) / np.maximum(count, 1)
    between = np.sum(np.square(profile), axis=-1) / 6
    keep = np.clip(1 - noise / np.maximum(between, 1e-12), 0.0, 1.0)
    shrunk: Floats = profile * keep[:, None]
    return shrunk


def _per_day(difference: Floats, days: int) -> Floats:
    per_day: Floats = np.where(np.isnan(difference), 0.0, difference) / days
    return per_day


def _share(holds: np.typing.NDArray[np.bool_], values: Floats) -> Floats:
    share: Floats = np.sum(holds, axis=1) / np.maximum(np.sum(~np.isnan(values), axis=1), 1)
    return share
