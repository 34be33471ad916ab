"""What a daily series was expected to be, and how far from it each day was; of many series at once.

Every figure of day D is made of days up to D, and the expectation itself of days before D: cutting off later
rows changes nothing. Arrays have the shape [series, days]; a day without a value is NaN.

Values are compared on a scale on which their noise is about even: counts by Anscombe's transform, on which a
Poisson count has variance 1 (F. J. Anscombe, "The transformation of Poisson, binomial and negative-binomial
data", Biometrika 35, 1948), hours by their logarithm, other units as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]

WEEKS = 8
WINDOW = 7 * WEEKS
RECENT = 28  # days whose median holds the level's mean in bounds
HALF_LIFE = 10.0  # days after which a day counts half in the level
MINIMUM_DAYS = 14  # of the window, for an expectation; judging needs more
MAD_TO_SIGMA = 1.4826
DECILES_TO_SIGMA = 2.563  # distance of the first and last decile of a normal distribution
TAIL, TAIL_TO_SIGMA = 0.96, 1.751  # an upper quantile, and where a normal distribution has it
SUM_WINDOW = 84  # days that say how much the weekly sum of residuals usually moves
CLIP = 4.0  # a single day cannot make a weekly sum large


@dataclass(frozen=True)
class Residuals:
    """The expectation and the evidence of each series and day; all arrays are [series, days].

    `known_days` of the 56 days before had a value; `expected`, `lower` and `upper` (where z is -`width` and
    +`width`) are in the metric's unit; `weekday_used` says whether a weekday pattern is in the expectation.
    In standard deviations of the series' own forecast errors: `z` of the day, `week` and `month` of the sums
    over 7 and 28 days. `unrest` is the logarithm of the last 14 days' error variance against the usual one;
    `zero_run` (counts only) how much was expected, in a Poisson count's events, over the current run of
    zeros.
    """

    known_days: Integers
    expected: Floats
    lower: Floats
    upper: Floats
    weekday_used: Bools
    z: Floats
    week: Floats
    month: Floats
    unrest: Floats
    zero_run: Floats

    def features(self) -> Floats:
        """Return [series, days, 5] for a classifier: z, week, month, unrest and the root of zero_run."""
        return np.stack([self.z, self.week, self.month, self.unrest, np.sqrt(self.zero_run)], axis=-1)


def stabilise(values: Floats, unit: str) -> Floats:
    """Return `values` on the scale that `unit` (count, hours, anything else) is compared on."""
    if unit == "count":
        return 2.0 * np.sqrt(np.maximum(values, 0.0) + 0.375)
    if unit == "hours":
        return np.log1p(np.maximum(values, 0.0))
    return values


def restore(stabilised: Floats, unit: str) -> Floats:
    """Undo `stabilise`; counts and hours end at 0."""
    if unit == "count":
        return np.maximum(np.square(np.maximum(stabilised, 0.0) / 2.0) - 0.375, 0.0)
    if unit == "hours":
        return np.maximum(np.expm1(stabilised), 0.0)
    return stabilised


def residuals(values: Floats, unit: str, width: float) -> Residuals:
    """Judge each day of `values` [series, days] (one metric unit, NaN where unknown) by the days before it.

    The expectation is a level plus a weekday's part. The weekday's part is the median difference, over 8
    weeks, of that weekday from its week's median, shrunk by how much weekdays differ beyond chance; the level
    is the exponentially weighted mean of what remains, outliers held to 2.5 deviations of the recent median.
    The deviation is the larger of two robust measures of the last 56 one-day-ahead errors and a floor: of a
    count the Poisson deviation, so that 0, 0, 0, 1 is nothing.
    """
    scaled = stabilise(values, unit)
    past = _windows(scaled, WINDOW)
    known_days = np.sum(~np.isnan(past), axis=-1)
    weekday = _weekday_profile(past)
    level = _level(past - np.tile(weekday, WEEKS), unit)
    enough = known_days >= MINIMUM_DAYS
    centre = np.where(enough, level + weekday[..., 0], np.nan)
    if unit in ("count", "hours"):
        centre = np.maximum(centre, float(stabilise(np.zeros(1), unit)[0]))

    error = scaled - centre
    past_errors = _windows(error, WINDOW)
    deviation, tail = _deviation(past_errors, _floor(centre, unit))
    high = np.maximum(deviation, tail)
    z = error / np.where(error > 0, high, deviation)
    clipped = np.clip(z, -CLIP, CLIP)
    week = _sums(clipped, 7)
    usual = _sorted(_windows(week, SUM_WINDOW))
    week = week / np.maximum(1.0, _nan_to(_spread(*usual), 1.0))
    lately = _means(np.square(np.clip(z, -CLIP, CLIP)), 14)
    return Residuals(
        known_days=known_days,
        expected=restore(centre, unit),
        lower=restore(centre - width * deviation, unit),
        upper=restore(centre + width * high, unit),
        weekday_used=np.any(np.abs(weekday) > 0.05 * deviation[..., None], axis=-1),
        z=z,
        week=week,
        month=_sums(clipped, 28),
        unrest=np.log((lately + 0.25) / 1.25),
        zero_run=_zero_run(values, restore(centre, unit) / np.square(deviation), unit),
    )


def _weekday_profile(past: Floats) -> Floats:
    """Return [series, days, 7]: what each weekday adds, the judged day's own weekday first."""
    weeks = past.reshape(*past.shape[:-1], WEEKS, 7)
    differences = weeks - _median(weeks)[..., None]
    by_weekday = np.ascontiguousarray(np.swapaxes(differences, -1, -2))
    ordered, count = _sorted(by_weekday)
    effect = _quantile(ordered, count, 0.5)
    usable = np.all(count >= 4, axis=-1)
    effect = np.where(usable[..., None], effect, 0.0)
    effect = effect - np.mean(effect, axis=-1, keepdims=True)
    left = (by_weekday - effect[..., None]).reshape(*past.shape)
    noise = np.square(_nan_to(_spread(*_sorted(left)), 0.0)) * 1.57 / WEEKS  # variance of a median of 8
    between = np.sum(np.square(effect), axis=-1) / 6.0
    share = 1.0 - noise / np.where(between > 0, between, np.inf)
    keep = np.where(between > 0, np.clip(share, 0.0, 1.0), 0.0)
    profile: Floats = effect * keep[..., None]
    return profile


def _level(past: Floats, unit: str) -> Floats:
    recent, count = _sorted(past[..., -RECENT:])
    all_days, all_count = _sorted(past)
    middle = np.where(count > 0, _quantile(recent, count, 0.5), _quantile(all_days, all_count, 0.5))
    bound = 2.5 * np.maximum(_nan_to(_spread(all_days, all_count), 0.0), _floor(middle, unit))
    held = np.clip(past, (middle - bound)[..., None], (middle + bound)[..., None])
    weight = np.where(np.isnan(held), 0.0, 0.5 ** (np.arange(WINDOW)[::-1] / HALF_LIFE))
    total = np.sum(weight, axis=-1)
    level: Floats = np.sum(weight * _nan_to(held, 0.0), axis=-1) / np.where(total > 0, total, np.nan)
    return level


def _floor(centre: Floats, unit: str) -> Floats:
    """Return the smallest deviation that is believed: Poisson noise, 10 % of hours, 2 % of anything else."""
    if unit == "count":
        return np.ones_like(centre)
    if unit == "hours":
        return np.full_like(centre, 0.1)
    return np.maximum(0.02 * np.abs(centre), 1e-6)


def _deviation(errors: Floats, floor: Floats) -> tuple[Floats, Floats]:
    """Return the deviation of past errors, and what their upper tail alone says: NaN before there are enough.

    Activity comes in bursts: of many zeros and a few large days the bulk does not say how large a day may
    be, so upwards the third or fourth largest error of 56 has its say too (two spikes hardly move it).
    """
    ordered, count = _sorted(errors)
    middle = _quantile(ordered, count, 0.5)
    mad = MAD_TO_SIGMA * _median(np.abs(errors - middle[..., None]))
    largest = np.maximum(np.maximum(_nan_to(mad, 0.0), _nan_to(_spread(ordered, count), 0.0)), floor)
    tail = (_quantile(ordered, count, TAIL) - middle) / TAIL_TO_SIGMA
    return np.where(count >= MINIMUM_DAYS // 2, largest, np.nan), _nan_to(tail, 0.0)


def _zero_run(values: Floats, events: Floats, unit: str) -> Floats:
    """Sum the expected `events` over the run of zeros up to each day; a gap neither ends nor feeds it."""
    run = np.zeros_like(values)
    if unit != "count":
        return run
    current = np.zeros(values.shape[0])
    for day in range(values.shape[1]):
        value = values[:, day]
        grown = current + _nan_to(events[:, day], 0.0)
        current = np.where(value == 0, grown, np.where(np.isnan(value), current, 0.0))
        run[:, day] = current
    return run


def _windows(values: Floats, length: int) -> Floats:
    """Return [series, days, length]: the `length` days before each day, NaN before the first."""
    padded = np.pad(values, ((0, 0), (length, 0)), constant_values=np.nan)
    views = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    # Copied, so that sums over the last axis add in one order whatever the number of days: results stay equal
    # to the last digit when later days are cut off.
    return np.ascontiguousarray(views[:, : values.shape[1]])


def _with_today(values: Floats, length: int) -> tuple[Floats, Integers]:
    """Return the sum and the number of the known values among the `length` days that end on each day."""
    padded = np.pad(values, ((0, 0), (length - 1, 0)), constant_values=np.nan)
    views = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded, length, axis=1))
    return np.sum(_nan_to(views, 0.0), axis=-1), np.sum(~np.isnan(views), axis=-1)


def _sums(z: Floats, length: int) -> Floats:
    """Return the sum of z over `length` days as a z of its own; 0 where under half of the days are known."""
    total, count = _with_today(z, length)
    return np.where(2 * count >= length, total / np.sqrt(np.maximum(count, 1)), 0.0)


def _means(values: Floats, length: int) -> Floats:
    total, count = _with_today(values, length)
    return np.where(2 * count >= length, total / np.maximum(count, 1), 1.0)


def _sorted(values: Floats) -> tuple[Floats, Integers]:
    """Return the last axis sorted with NaN at its end, and how many of it are known."""
    return np.sort(values, axis=-1), np.sum(~np.isnan(values), axis=-1)


def _quantile(ordered: Floats, count: Integers, share: float) -> Floats:
    position = share * np.maximum(count - 1, 0)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    below = np.take_along_axis(ordered, low[..., None], axis=-1)[..., 0]
    above = np.take_along_axis(ordered, high[..., None], axis=-1)[..., 0]
    return below + (above - below) * (position - low)


def _spread(ordered: Floats, count: Integers) -> Floats:
    """Return the standard deviation that the distance of the outer deciles stands for; NaN for no values."""
    return (_quantile(ordered, count, 0.9) - _quantile(ordered, count, 0.1)) / DECILES_TO_SIGMA


def _median(values: Floats) -> Floats:
    return _quantile(*_sorted(values), 0.5)


def _nan_to(values: Floats, replacement: float) -> Floats:
    return np.where(np.isnan(values), replacement, values)
