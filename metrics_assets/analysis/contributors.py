"""How many people stand behind a project: trailing windows over who contributed how much on which day.

The definitions are CHAOSS's: Contributor Absence Factor, Elephant Factor, New, Inactive and Occasional Contributors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WINDOW, MONTH = 90, 30
LEAD = 2 * WINDOW - 1  # days before the first one that its windows reach back
_CELLS = 8_000_000  # days by people that are held in memory at once

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Contributions:
    """What people did, one entry per person and day (several of the same are added up).

    Attributes:
        person: numbers of people from 0.
        day: days since the first day of the range, negative before it; what is before -LEAD does not count.
        contributions: how many.
        issues: how many of them were issues opened.
        organisation: by person, a number from 0, or -1 where it is not known.
        seen_before: by person, whether they contributed before the range.
        reported_before: by person, whether they opened an issue before the range.
    """

    person: Integers
    day: Integers
    contributions: Integers
    issues: Integers
    organisation: Integers
    seen_before: Flags
    reported_before: Flags


def absence_factor(contributions: npt.ArrayLike) -> Floats:
    """The fewest contributors who make half of the contributions, by row; NaN where there are none.

    1000, 202, 90, 33, 332, 343, 42, 433 need two: 1000 and 433 are more than half of 2475.
    """
    counts = np.atleast_2d(np.asarray(contributions))
    if not counts.shape[1]:
        return np.full(len(counts), np.nan)
    # The least come first when sorted; from the other end they add up to half.
    so_far = np.cumsum(np.sort(counts, axis=1)[:, ::-1], axis=1)
    total = so_far[:, -1]
    needed = np.argmax(2 * so_far >= total[:, None], axis=1) + 1
    return np.where(total > 0, needed, np.nan)


def people_windows(given: Contributions, days: int) -> dict[str, Floats]:
    """The columns of metrics.contributor_daily that are counted, each with one value per day of the range.

    NaN is a figure that cannot be told: a factor of nothing, or organisations of which too few are known.
    """
    people = len(given.organisation)
    at_once = max(1, min(days, _CELLS // max(people, 1) - LEAD))
    seen, reported = given.seen_before.copy(), given.reported_before.copy()
    parts = []
    for first in range(0, days, at_once):
        count = min(at_once, days - first)
        parts.append(_stretch(given, first, count, seen, reported))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _stretch(given: Contributions, first: int, days: int, seen: Flags, reported: Flags) -> dict[str, Floats]:
    people = len(given.organisation)
    row = given.day - first + LEAD
    inside = (row >= 0) & (row < LEAD + days)
    done = _table(row[inside], given.person[inside], given.contributions[inside], LEAD + days, people)
    issues = inside & (row >= LEAD) & (given.issues > 0)
    opened = _table(row[issues] - LEAD, given.person[issues], given.issues[issues], days, people)

    total = np.zeros((LEAD + days + 1, people), dtype=np.int32)
    np.cumsum(done, axis=0, out=total[1:])
    # Sums of the days (end - length, end], for every day of the range.
    end = LEAD + 1
    in_window = total[end:] - total[end - WINDOW : end - WINDOW + days]
    before = total[end - WINDOW : end - WINDOW + days] - total[end - 2 * WINDOW : end - 2 * WINDOW + days]
    in_month = total[end:] - total[end - MONTH : end - MONTH + days]
    today = done[LEAD:]
    now_active, before_active = in_window > 0, before > 0
    retained = (now_active & before_active).sum(axis=1)
    contributions = in_window.sum(axis=1, dtype=np.int64)
    figures = {
        "active_contributors": (today > 0).sum(axis=1),
        "contributions": today.sum(axis=1, dtype=np.int64),
        "people_seen_first": _first_times(today > 0, seen),
        "first_time_issue_reporters": _first_times(opened > 0, reported),
        "active_contributors_month": (in_month > 0).sum(axis=1),
        "contributors_in_window": now_active.sum(axis=1),
        "contributors_in_previous_window": before_active.sum(axis=1),
        "contributors_retained": retained,
        "inactive_contributors": before_active.sum(axis=1) - retained,
        "occasional_contributors": (in_window == 1).sum(axis=1),
        "contributions_in_window": contributions,
        "contributor_absence_factor": absence_factor(in_window),
        **_organisations(in_window, given.organisation, contributions),
    }
    return {name: values.astype(np.float64) for name, values in figures.items()}


def _table(row: Integers, person: Integers, count: Integers, rows: int, people: int) -> npt.NDArray[np.int32]:
    """Counts by row and person."""
    cells = np.bincount(row * people + person, weights=count, minlength=rows * people)
    return cells.astype(np.int32).reshape(rows, people)


def _first_times(did: Flags, before: Flags) -> Integers:
    """How many did it for the first time, by day; `before` then knows them too."""
    new = did.any(axis=0) & ~before
    before |= new
    return np.bincount(did[:, new].argmax(axis=0), minlength=len(did))


def _organisations(in_window: npt.NDArray[np.int32], organisation: Integers, total: Integers) -> dict[str, Floats]:
    """Elephant Factor and number of organisations; unknown where under half of the work is known to be of one."""
    known = organisation >= 0
    if not known.any():
        nothing = np.full(len(in_window), np.nan)
        return {
            "contributions_by_members_of_organisations": np.zeros(len(in_window)),
            "elephant_factor": nothing,
            "organisations": nothing,
        }
    order = np.argsort(organisation[known], kind="stable")
    members = in_window[:, known][:, order]
    starts = np.flatnonzero(np.diff(organisation[known][order], prepend=-1))
    by_organisation = np.add.reduceat(members, starts, axis=1)
    known_total = by_organisation.sum(axis=1)
    told = (total > 0) & (2 * known_total >= total)
    return {
        "contributions_by_members_of_organisations": known_total.astype(np.float64),
        "elephant_factor": np.where(told, absence_factor(by_organisation), np.nan),
        "organisations": np.where(told, (by_organisation > 0).sum(axis=1), np.nan),
    }
