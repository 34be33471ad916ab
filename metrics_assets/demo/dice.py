"""Chance and the working week of the sample organisation: the same on every run and Python version."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

START = datetime(2025, 6, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)
NOW = END + timedelta(minutes=30)
QUIET = {(12, 24): 0.5, (12, 25): 0.1, (12, 26): 0.4, (12, 31): 0.5}  # (month, day) -> share of a normal day
# How much happens in each hour of a working day, midnight first.
HOURS = (1, 1, 0, 0, 0, 1, 2, 6, 12, 16, 17, 14, 9, 14, 17, 16, 13, 9, 5, 4, 3, 3, 2, 1)


class Dice:
    """Random choices from a seed; uses only random(), whose sequence Python promises to keep."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def chance(self, share: float) -> bool:
        """True in this share of the throws."""
        return self._random() < share

    def between(self, low: float, high: float) -> float:
        """A number from low to high."""
        return low + (high - low) * self._random()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, all equally likely."""
        return choices[int(self._random() * len(choices))]

    def weighted(self, weights: Sequence[float]) -> int:
        """The position of one weight, the greater the likelier."""
        left = self._random() * sum(weights)
        for position, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return position
        return len(weights) - 1

    def few(self, mean: float) -> int:
        """A small count, mostly 0 or 1, rarely many."""
        return int(-math.log(1 - self._random()) * mean + 0.3)

    def hours(self, median: float, spread: float = 0.9) -> timedelta:
        """A duration around a median, with a long tail to the right (log-normal)."""
        normal = math.sqrt(-2 * math.log(1 - self._random())) * math.cos(2 * math.pi * self._random())
        return timedelta(seconds=round(median * 3600 * math.exp(spread * normal)))

    def minutes(self, low: float, high: float) -> timedelta:
        """A duration from low to high minutes, in whole seconds."""
        return timedelta(seconds=round(self.between(low, high) * 60))

    def moment(self, day: date) -> datetime:
        """A time of that day, in working hours more often than not."""
        hour = self.weighted(HOURS)
        return datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + self.minutes(0, 59.9)

    def moments(self, count: int, start: datetime, end: datetime, busy: Callable[[date], float]) -> list[datetime]:
        """So many times in [start, end), in order; `busy` says how much happens on a day."""
        days = [start.date() + timedelta(days=n) for n in range((end - start).days)]
        weights = [busy(day) for day in days]
        return sorted(self.moment(days[self.weighted(weights)]) for _ in range(count))

    def awake(self, time: datetime) -> datetime:
        """The time itself, or where people sleep or rest then, a time of the next morning at work."""
        if time.weekday() >= 5 and self.chance(0.9):
            time = at(time.date() + timedelta(days=7 - time.weekday()), 8) + self.minutes(0, 120)
        elif time.hour < 7 and self.chance(0.9):
            time = at(time.date(), 7.5) + self.minutes(0, 120)
        elif time.hour >= 19 and self.chance(0.85):
            return self.awake(at(time.date() + timedelta(days=1), 7.5) + self.minutes(0, 120))
        return time


def at(day: date, hour: float) -> datetime:
    """A day and an hour, such as 9.5 for half past nine."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=round(hour * 3600))


def working_week(day: date) -> float:
    """How much a team does on a day: 1 on a weekday, little at weekends and on holidays."""
    if day.weekday() >= 5:
        return 0.08
    return QUIET.get((day.month, day.day), 0.75 if day.month == 8 else 1.0)


def any_day(day: date) -> float:
    """How much a community does on a day: weekends count for half."""
    return 0.55 if day.weekday() >= 5 else QUIET.get((day.month, day.day), 0.5) / 2 + 0.5
