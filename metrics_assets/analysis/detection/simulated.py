"""Daily series as this product has them, with events put in: what the classifier learns from.

Everything follows from a seed. The benchmark has a generator of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metrics_assets.analysis.detection.numbers import Bools, Floats, Integers
from metrics_assets.analysis.detection.scales import COUNT, DURATION, OTHER, SHARE

NOTHING, SPIKE, DROP, LEVEL_SHIFT, DRIFT, VARIANCE, AFTER = 0, 1, 2, 3, 4, 5, 6
FIRST_EVENT, LAST_EVENT = 35, 20  # days from the beginning of a series, and before its end
QUIET_AFTER = 30  # days after an event that teach nothing: the series is still coming to rest


@dataclass(frozen=True)
class Simulated:
    """Series of one scale; arrays are [series, days].

    `label` is the kind of the event that should be told on the day, NOTHING on an ordinary day and AFTER on one that
    is neither. `began` [series] is the first day of each series; `clean` [series] says that nothing was put in.
    """

    scale: int
    values: Floats
    label: Integers
    clean: Bools


@dataclass
class _Course:
    """How a series' rate runs before chance: what events change."""

    rate: Floats  # relative, 1 is usual
    noise: Floats  # standard deviation of a factor of its own on each day
    label: Integers


def simulate(series: int, days: int, seed: int, clean: float = 0.4) -> list[Simulated]:
    """Return `series` series of every background in BACKGROUNDS' shares, of which a share `clean` has no events."""
    rng = np.random.default_rng(seed)
    found = []
    for share, scale, background in BACKGROUNDS:
        rows = max(round(share * series), 1)
        values, labels = np.empty((rows, days)), np.zeros((rows, days), dtype=np.int64)
        is_clean = rng.random(rows) < clean
        for row in range(rows):
            began = 0 if rng.random() < 0.6 else int(rng.integers(0, days - 100))
            course = _course(days, began, bool(is_clean[row]), rng)
            values[row] = background(course, days, rng)
            values[row, :began] = np.nan
            labels[row] = course.label
        found.append(Simulated(scale, values, labels, is_clean))
    return found


def _course(days: int, began: int, clean: bool, rng: np.random.Generator) -> _Course:
    course = _Course(np.ones(days), np.zeros(days), np.zeros(days, dtype=np.int64))
    day = began + FIRST_EVENT + int(rng.integers(0, 60))
    while not clean and day < days - LAST_EVENT:
        kind = int(rng.choice([SPIKE, DROP, LEVEL_SHIFT, DRIFT, VARIANCE], p=[0.2, 0.2, 0.22, 0.23, 0.15]))
        day = _put(kind, course, day, rng) + int(rng.integers(40, 110))
    return course


def _put(kind: int, course: _Course, day: int, rng: np.random.Generator) -> int:
    """Put an event in from `day` on; the day on which it is over."""
    days, up = len(course.rate), rng.random() < 0.55
    factor = float(np.exp(rng.uniform(0.35, 1.3))) if up else float(np.exp(-rng.uniform(0.35, 1.6)))
    if kind == SPIKE:
        length = told = int(rng.choice([1, 1, 1, 2]))
        course.rate[day : day + length] *= 1.0 + float(np.exp(rng.uniform(-0.4, 2.2)))
        over = day + length
    elif kind == DROP:
        length = int(rng.integers(1, 7))
        told = length + 1
        course.rate[day : day + length] *= float(rng.choice([0.0, rng.uniform(0.0, 0.4)]))
        over = day + length
    elif kind == LEVEL_SHIFT:
        told = 12
        course.rate[day:] *= factor
        over = day + told
    elif kind == DRIFT:
        length = int(rng.integers(20, 70))
        ramp = np.clip(np.arange(1, days - day + 1) / length, 0.0, 1.0)
        course.rate[day:] *= np.exp(ramp * np.log(factor) * 1.2)
        # Before a third of it has come there is nothing to see.
        course.label[day : day + length // 3] = AFTER
        day, told = day + length // 3, length - length // 3 + 10
        over = day + told
    else:
        length = int(rng.integers(7, 29))
        course.noise[day : day + length] = rng.uniform(0.5, 1.4)
        course.label[day : day + 1] = AFTER
        told = length
        over = day + length
    course.label[day : day + told] = np.where(course.label[day : day + told] == AFTER, AFTER, kind)
    after = course.label[day + told : over + QUIET_AFTER]
    after[:] = AFTER
    return over


def _shape(days: int, rng: np.random.Generator) -> Floats:
    """The ordinary course of a rate: weekdays, growth, waves, slow wandering, releases, holidays."""
    at = np.arange(days)
    weekday = (at + int(rng.integers(7))) % 7
    pattern = np.ones(7)
    if rng.random() < 0.7:
        pattern[5:] = rng.choice([0.05, 0.2, 0.4, 0.6, 0.8]) * rng.uniform(0.8, 1.2, 2)
    pattern = pattern * np.exp(rng.normal(0, rng.choice([0.0, 0.05, 0.15]), 7))
    growth = np.exp(rng.choice([0.0, 0.0, 0.5, 1.0, -0.4]) * rng.random() * at / 365)
    wave = 1.0 + rng.choice([0.0, 0.1, 0.25]) * np.sin(2 * np.pi * (at / rng.uniform(120, 370) + rng.random()))
    walk = np.exp(_wandering(days, rng.choice([0.0, 0.0, 0.1, 0.25]), rng.uniform(0.6, 0.97), rng))
    shape: Floats = pattern[weekday] * growth * wave * walk
    if rng.random() < 0.3:
        for start in np.flatnonzero(rng.random(days) < rng.uniform(0.005, 0.03)):
            tail = shape[start : start + 8]
            tail *= 1.0 + rng.uniform(0.1, 1.2) * rng.uniform(0.3, 0.7) ** np.arange(len(tail))
    if rng.random() < 0.3:
        for holiday in range(int(rng.integers(0, 365)), days, 365):
            shape[holiday : holiday + int(rng.integers(2, 14))] *= rng.uniform(0.4, 0.9)
    return shape


def _wandering(days: int, size: float, memory: float, rng: np.random.Generator) -> Floats:
    """Noise that remembers: autoregressive, of the given standard deviation."""
    steps = rng.normal(0, size * np.sqrt(1 - memory**2), days)
    found = np.empty(days)
    last = rng.normal(0, size)
    for day in range(days):
        last = memory * last + steps[day]
        found[day] = last
    return found


def _flow(course: _Course, rate: float, days: int, rng: np.random.Generator) -> Floats:
    """Counts around a rate: Poisson, or wider."""
    mean = rate * _shape(days, rng) * course.rate
    mean = mean * np.exp(course.noise * rng.normal(0, 1, days) - course.noise**2 / 2)
    dispersion = float(rng.choice([0.0, 0.01, 0.05, 0.15, 0.4, 1.0], p=[0.25, 0.2, 0.2, 0.15, 0.12, 0.08]))
    if dispersion:
        mean = rng.gamma(1 / dispersion, dispersion * np.maximum(mean, 1e-12))
    counts = rng.poisson(np.minimum(mean, 1e12)).astype(np.float64)
    if rng.random() < 0.1:
        counts[rng.random(days) < rng.uniform(0.1, 0.6)] = 0.0
    return counts


def _rate(rng: np.random.Generator, least: float = 0.1, most: float = 800.0) -> float:
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


def _with_holes(values: Floats, rng: np.random.Generator) -> Floats:
    """Days without a value: none, a few, some in a row, or every weekend."""
    days = len(values)
    how = rng.random()
    if how < 0.35:
        values[rng.random(days) < rng.uniform(0.0, 0.04)] = np.nan
    elif how < 0.45:
        for start in np.flatnonzero(rng.random(days) < 0.01):
            values[start : start + int(rng.integers(1, 7))] = np.nan
    elif how < 0.5:
        values[(np.arange(days) % 7) >= 5] = np.nan
    return values


def _counts(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    return _with_holes(_flow(course, _rate(rng), days, rng), rng)


def _large_counts(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    return _with_holes(_flow(course, _rate(rng, 300.0, 1e6), days, rng), rng)


def _sums(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    length = int(rng.choice([7, 14, 28, 30]))
    return np.round(_rolling(_flow(course, _rate(rng, 0.05, 60.0), days, rng), length))


def _rolling(values: Floats, length: int) -> Floats:
    padded = np.concatenate([np.repeat(np.mean(values[:length]), length - 1), values])
    sums: Floats = np.lib.stride_tricks.sliding_window_view(padded, length).sum(axis=1)
    return sums


def _stocks(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    """What stands open: more comes than goes, or less."""
    rate = _rate(rng, 0.05, 30.0)
    gone = rng.poisson(rate * rng.uniform(0.8, 1.05), days)
    return np.maximum(np.cumsum(_flow(course, rate, days, rng) - gone) + rate * rng.uniform(10, 100), 0.0).round()


def _totals(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    return np.cumsum(_flow(course, _rate(rng, 0.05, 100.0), days, rng)) + round(_rate(rng, 1.0, 1e4))


def _hours(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    spread = rng.uniform(0.1, 0.9)
    daily = np.exp(np.log(_rate(rng, 1.0, 300.0)) + rng.normal(0, spread, days) + _wandering(days, 0.1, 0.9, rng))
    return _with_holes(daily * course.rate * np.exp(course.noise * rng.normal(0, 1, days)), rng)


def _median_hours(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    """The median of the last 28 days of durations, of which there are a few a day."""
    a_day, spread = int(rng.choice([1, 2, 5])), rng.uniform(0.4, 1.5)
    centre = np.log(_rate(rng, 1.0, 300.0)) + np.log(np.maximum(course.rate, 0.02))
    hours = np.exp(centre[:, None] + (spread + course.noise[:, None]) * rng.normal(0, 1, (days, a_day)))
    hours[rng.random(hours.shape) < rng.uniform(0.0, 0.7)] = np.nan
    found = np.empty(days)
    for day in range(days):
        window = hours[max(day - 27, 0) : day + 1]
        some = window[~np.isnan(window)]
        found[day] = np.median(some) if len(some) else np.nan
    return found


def _shares(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    length = int(rng.choice([1, 1, 7, 28]))
    whole = _rolling(rng.poisson(_rate(rng, 1.0, 60.0) * 7 / length + 0.2, days).astype(float), length)
    usual = rng.uniform(0.03, 0.97)
    # On the scale of odds, so that a share stays one.
    odds = (
        usual
        / (1 - usual)
        * np.exp(np.log(np.maximum(course.rate, 0.05)) * 1.3 + course.noise * rng.normal(0, 1, days))
    )
    chance = _rolling(odds / (1 + odds), length) / length
    part = rng.binomial(np.round(whole).astype(np.int64), np.clip(chance, 0.0, 1.0))
    return np.where(whole >= 1, part / np.maximum(np.round(whole), 1), np.nan)


def _points(course: _Course, days: int, rng: np.random.Generator) -> Floats:
    """A score that wanders, or moves in steps."""
    score = 50 + 20 * rng.normal() + _wandering(days, rng.uniform(1, 6), rng.uniform(0.5, 0.995), rng)
    score = score + 12 * np.log(np.maximum(course.rate, 0.1)) + 4 * course.noise * rng.normal(0, 1, days)
    rounded: Floats = np.round(score, int(rng.choice([0, 1, 6])))
    return rounded


BACKGROUNDS: tuple[tuple[float, int, Callable[[_Course, int, np.random.Generator], Floats]], ...] = (
    (0.42, COUNT, _counts),
    (0.10, COUNT, _large_counts),
    (0.08, COUNT, _sums),
    (0.06, COUNT, _stocks),
    (0.08, COUNT, _totals),
    (0.06, DURATION, _hours),
    (0.06, DURATION, _median_hours),
    (0.08, SHARE, _shares),
    (0.06, OTHER, _points),
)
