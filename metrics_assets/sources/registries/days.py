"""Ranges of days, and days on which a registry counted nothing because its counting failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from statistics import median

# So many days on either side say what is usual.
NEIGHBOURS = 7
# A package that usually has fewer downloads a day may have none on one.
_FEWEST = 10


def slices(first: date, last: date, longest: int) -> Iterator[tuple[date, date]]:
    """The days from `first` to `last`, both included, as ranges of at most `longest` days without gap or overlap."""
    while first <= last:
        end = min(first + timedelta(days=longest - 1), last)
        yield first, end
        first = end + timedelta(days=1)


def holes(counts: Mapping[date, int]) -> set[date]:
    """The days with 0 that are unknown in truth: what is usual on both sides of them is far from 0.

    A side is the seven days next to the run of zeros, its figure their median; a side without any day (before the
    first, after the last) is not asked. More days can only turn such a hole back into a zero, never a zero into a
    hole, so that what was written as 0 stays so.
    """
    days = sorted(counts)
    found: set[date] = set()
    position = 0
    while position < len(days):
        if counts[days[position]] != 0:
            position += 1
            continue
        end = position
        while end < len(days) and counts[days[end]] == 0:
            end += 1
        sides = [days[max(0, position - NEIGHBOURS) : position], days[end : end + NEIGHBOURS]]
        usual = [median(counts[day] for day in side) for side in sides if side]
        if usual and min(usual) >= _FEWEST:
            found.update(days[position:end])
        position = end
    return found
