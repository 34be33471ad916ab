"""What a day was expected to be, from the days before it alone, and how far off such expectations usually are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics_assets.analysis.detection.numbers import (
    Floats,
    Integers,
    filled,
    from_day,
    in_order_of,
    known,
    known_of,
    last_known,
    mean,
    median,
    ordered,
    quantile,
    windows,
)
from metrics_assets.analysis.detection.scales import SHARE, least_deviation

WEEKS = 8
WINDOW = 7 * WEEKS  # days that say how far off expectations are, and how many days are known
RECENT = 28  # days that the level is made of, and that the predictors are compared over
HALF_LIFE = 10.0  # days after which a day counts half in the level
LEAST_OF_LEVEL = 7
LEAST_ERRORS = 7
LEAST_OF_WEEKDAY = 3
MAD_TO_SIGMA = 1.4826
QUARTILES_TO_SIGMA = 1.349  # distance of the quartiles of a normal distribution
DECILES_TO_SIGMA = 2.563  # and of its first and last decile
TAIL, TAIL_TO_SIGMA = 0.96, 1.751  # an upper quantile, and where a normal distribution has it
OUTLIER = 2.5  # deviations to which a day's part in the level is held
PREFERENCE = 0.85  # another predictor's error must be this share of the level's

LEVEL, LAST, TREND = 0, 1, 2
# Days before a day that its expectation, and its z, are made of.
EXPECTATION_DAYS = WINDOW + 6 + RECENT
Z_DAYS = EXPECTATION_DAYS + WINDOW


@dataclass(frozen=True)
class Expectation:
    """The expectation of each series and day, on the scale of `scales`; arrays are [series, days].

    `centre` is what was expected, `error` how far the day is from it; `low` and `high` are the deviations of such
    errors downwards and upwards; `predictor` is LEVEL, LAST (the day before) or TREND (the day before and the usual
    step). `weekday` is the weekday's part; `level` the day without it. `floor` and `ceiling` are what the centre
    was held to.
    """

    centre: Floats
    error: Floats
    low: Floats
    high: Floats
    predictor: Integers
    weekday: Floats
    level: Floats
    floor: Floats
    ceiling: Floats

    @property
    def z(self) -> Floats:
        """The error in deviations."""
        return self.error / np.where(self.error > 0, self.high, self.low)


def expect(scaled: Floats, scale: int, first: int = 0) -> Expectation:
    """Expect each day of `scaled` [series, days] from column `first` on by the days before it.

    Only z is wanted from `first` on: errors, which it is made of, are there from 56 days before, and what is earlier
    is NaN.

    Three predictors compete, and the one with the smallest mean error over 28 days is believed. The first is a level
    with a weekday's part: the median difference, over 8 weeks, of that weekday from the week that ends with it, shrunk
    by how much weekdays differ beyond chance; the level is the exponentially weighted mean of what remains, outliers
    held to 2.5 deviations of the median. The others follow the day before, as figures over long windows do.

    The deviation is the larger of two robust measures of the last 56 errors and a floor. Activity comes in bursts: of
    many zeros and a few large days the bulk does not say how large a day may be, so upwards the third or fourth
    largest error of 56 has its say too (two spikes hardly move it).
    """
    of_errors = max(first - WINDOW, 0)
    of_centres = max(of_errors - RECENT, 0)
    profile = _weekday_profile(scaled, of_centres)
    before = windows(scaled, RECENT, of_centres)
    level = _level(before, profile, known_of(scaled, RECENT, of_centres), scale)
    last = last_known(before)
    step = median(windows(np.diff(scaled, axis=1, prepend=np.nan), RECENT, of_centres))
    floor, ceiling = _bounds(before, scale)
    centres = np.clip(np.stack([level + profile[..., 0], last, last + filled(step, 0.0)]), floor, ceiling)
    centres = np.where(np.isnan(level), np.nan, centres)
    weekday, floor, ceiling = (from_day(part, of_centres) for part in (profile[..., 0], floor, ceiling))
    predictors = np.stack([from_day(one, of_centres) for one in centres])
    predictor = _best(scaled - predictors, of_errors)
    centre = np.take_along_axis(predictors, predictor[None], axis=0)[0]
    error = scaled - centre
    error[:, :of_errors] = np.nan
    low, high = _deviations(error, least_deviation(centre, scale, predictor != LEVEL), first)
    return Expectation(centre, error, low, high, predictor, weekday, scaled - weekday, floor, ceiling)


def _weekday_profile(scaled: Floats, first: int) -> Floats:
    """Return [series, days - first, 7]: what each weekday adds, the day's own weekday first, then the next day's."""
    days = scaled.shape[1]
    begin = max(first - WINDOW, 0)
    week = windows(scaled, 7, begin, with_day=True)
    difference = np.where(known(week) >= 4, scaled[:, begin:] - median(week), np.nan)
    # The medians of a weekday's last 8 differences, for the six days that follow the newest as well.
    padded = np.pad(difference, ((0, 0), (WINDOW - (first - begin), 0)), constant_values=np.nan)
    earlier = padded[:, np.arange(days - first + 6)[:, None] + 7 * np.arange(WEEKS)]
    in_order, count = ordered(earlier)
    effect = np.where(count >= LEAST_OF_WEEKDAY, quantile(in_order, count, 0.5), np.nan)
    noise = np.square(MAD_TO_SIGMA * median(np.abs(earlier - effect[..., None]))) * 1.57 / np.maximum(count, 1)
    effects = np.lib.stride_tricks.sliding_window_view(effect, 7, axis=1)
    noises = np.lib.stride_tricks.sliding_window_view(noise, 7, axis=1)
    centred = effects - mean(effects, 1)[..., None]
    between = mean(np.square(centred), 5) * 7.0 / 6.0
    chance = mean(noises, 5)
    keep = np.clip(1.0 - chance / np.where(between > 0, between, np.inf), 0.0, 1.0)
    keep = np.where(between > 0, keep, 0.0)
    return filled(centred, 0.0) * filled(keep, 0.0)[..., None]


def _level(before: Floats, profile: Floats, count: Integers, scale: int) -> Floats:
    shape = (*before.shape[:-1], RECENT // 7, 7)
    before = (before.reshape(shape) - profile[..., None, :]).reshape(before.shape)
    in_order = np.sort(before, axis=-1)
    middle = quantile(in_order, count, 0.5)
    spread = (quantile(in_order, count, 0.9) - quantile(in_order, count, 0.1)) / DECILES_TO_SIGMA
    bound = OUTLIER * np.maximum(spread, least_deviation(middle, scale, np.zeros(middle.shape, dtype=bool)))
    held = np.clip(before, (middle - bound)[..., None], (middle + bound)[..., None])
    weight = np.where(np.isnan(held), 0.0, 0.5 ** (np.arange(RECENT)[::-1] / HALF_LIFE))
    total = np.sum(weight, axis=-1)
    level = np.sum(weight * filled(held, 0.0), axis=-1) / np.where(total > 0, total, 1.0)
    return np.where(count >= LEAST_OF_LEVEL, level, np.nan)


def _bounds(before: Floats, scale: int) -> tuple[Floats, Floats]:
    """Return what an expectation is held to: 0, and of a share 1, unless the days before passed it themselves."""
    lowest = np.min(filled(before, np.inf), axis=-1)
    floor = np.minimum(0.0, lowest)
    if scale != SHARE:
        return floor, np.full_like(floor, np.inf)
    highest = np.max(filled(before, -np.inf), axis=-1)
    return floor, np.maximum(1.0, highest)


def _best(errors: Floats, first: int) -> Integers:
    """Return [series, days]: which of `errors` [predictors, series, days] was the smallest lately; from `first` on."""
    size = np.stack([from_day(mean(windows(np.abs(error), RECENT, first), LEAST_ERRORS), first) for error in errors])
    other = np.where(size[TREND] < PREFERENCE * size[LAST], TREND, LAST)
    smallest = np.take_along_axis(size, other[None], axis=0)[0]
    return np.where(smallest < PREFERENCE * size[LEVEL], other, LEVEL)


def _deviations(error: Floats, least: Floats, first: int) -> tuple[Floats, Floats]:
    in_order, count = in_order_of(error, WINDOW, first)
    middle = quantile(in_order, count, 0.5)
    quartiles = (quantile(in_order, count, 0.75) - quantile(in_order, count, 0.25)) / QUARTILES_TO_SIGMA
    deciles = (quantile(in_order, count, 0.9) - quantile(in_order, count, 0.1)) / DECILES_TO_SIGMA
    few = 1.0 + 3.0 / np.maximum(count, 1)
    low = few * np.maximum(np.maximum(filled(quartiles, 0.0), filled(deciles, 0.0)), least[:, first:])
    low = np.where(count >= LEAST_ERRORS, low, np.nan)
    tail = few * (quantile(in_order, count, TAIL) - middle) / TAIL_TO_SIGMA
    return from_day(low, first), from_day(np.maximum(low, filled(tail, 0.0)), first)
