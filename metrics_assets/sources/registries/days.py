"""Ranges of days, and days on which a registry counted nothing because its counting failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from statistics import median

# So many days on either side say what is usual.
NEIGHBOURS = 7
# A package with fewer downloads on a usual day may have none on one; with more, also a quiet day has some.
_FEWEST_USUALLY = 10
_FEWEST_AFTERWARDS = 3


def slices(first: date, last: date, longest: int) -> Iterator[tuple[date, date]]:
    """The days from `first` to `last`, both included, as ranges of at most `longest` days without gap or overlap."""
    while first <= last:
        end = min(first + timedelta(days=longest - 1), last)
        yield first, end
        first = end + timedelta(days=1)


def holes(counts: Mapping[date, int]) -> set[date]:
    """The days with 0 that are unknown in truth: the days around them are far from 0.

    Before a run of zeros the median of seven days counts, after it the quietest of seven days that has any; a side
    without days is not asked. Later days can only turn a hole back into a zero, never a zero that has days before
    it into a hole, so that what was written as 0 stays so.
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
        before = [counts[day] for day in days[max(0, position - NEIGHBOURS) : position]]
        after = [counts[day] for day in days[end : end + NEIGHBOURS] if counts[day]]
        if before:
            is_hole = median(before) >= _FEWEST_USUALLY and min(after, default=_FEWEST_AFTERWARDS) >= _FEWEST_AFTERWARDS
        else:
            is_hole = bool(after) and median(after) >= _FEWEST_USUALLY
        if is_hole:
            found.update(days[position:end])
        position = end
    return found
