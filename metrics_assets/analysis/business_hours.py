"""Durations in business hours: between two moments, only the time in which somebody was there to answer.

Local days become intervals in UTC, so a day on which the clocks change is as long as it was. The elapsed business
time at a moment is a sum over whole intervals and a part of one; a duration is the difference of two of them, and
adds up when it is split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.int64]  # microseconds since the beginning of 2000, UTC
_EPOCH = datetime(2000, 1, 1, tzinfo=ZoneInfo("UTC"))
_MICROSECOND = timedelta(microseconds=1)
_HOUR = 3_600_000_000


@dataclass(frozen=True)
class BusinessHours:
    """The intervals in which there is business, oldest first; `before` is the business time before each of them."""

    opens: Moments
    closes: Moments
    before: Moments

    def hours_between(self, begin: Moments, end: Moments) -> NDArray[np.float64]:
        """Business hours from `begin` to `end`, which lie in the days that this was made for."""
        return (self._elapsed(end) - self._elapsed(begin)) / _HOUR

    def _elapsed(self, moments: Moments) -> Moments:
        if not len(self.opens):
            return np.zeros_like(moments)
        at = np.searchsorted(self.opens, moments, side="right") - 1
        within = np.minimum(moments, self.closes[at]) - self.opens[at]
        return np.where(at < 0, 0, self.before[at] + within)


def business_hours(settings: Mapping[str, Any], first: date, last: date) -> BusinessHours:
    """The business hours of the days from `first` to `last`.

    Args:
        settings: as in ops.portfolio.business_hours: timezone (IANA), days (0 is Monday), from and to ('09:00'),
            holidays (ISO dates).
    """
    zone = ZoneInfo(settings["timezone"])
    weekdays, free = set(settings["days"]), set(settings["holidays"])
    opening, closing = _clock(settings["from"]), _clock(settings["to"])
    opens, closes = [], []
    # A day more at both ends: in UTC, a local day may begin or end on its neighbours.
    for number in range((last - first).days + 3):
        day = first + timedelta(days=number - 1)
        if day.weekday() in weekdays and day.isoformat() not in free:
            opens.append(_moment(day, opening, zone))
            closes.append(_moment(day, closing, zone))
    begin, end = np.array(opens, dtype=np.int64), np.array(closes, dtype=np.int64)
    return BusinessHours(begin, end, np.cumsum(end - begin) - (end - begin))


def _clock(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _moment(day: date, clock: timedelta, zone: ZoneInfo) -> int:
    """When a clock in the zone shows this; 24:00 is the next day's midnight."""
    shown = datetime.combine(day, time()) + clock
    return (shown.replace(tzinfo=zone).astimezone(_EPOCH.tzinfo) - _EPOCH) // _MICROSECOND
