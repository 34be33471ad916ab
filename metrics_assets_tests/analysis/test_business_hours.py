"""Durations in business hours: weekends, holidays, clocks that change, and nothing lost in between."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.analysis.business_hours import BusinessHours, business_hours

FIRST, LAST = date(2025, 1, 1), date(2025, 12, 31)
BERLIN: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "days": [0, 1, 2, 3, 4],
    "from": "09:00",
    "to": "17:00",
    "holidays": ["2025-05-01"],
}


def moment(text: str) -> int:
    """Microseconds since 2000 of '2025-03-28 10:00', UTC."""
    since = datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)


def between(hours: BusinessHours, begin: str, end: str) -> float:
    return float(hours.hours_between(np.array([moment(begin)]), np.array([moment(end)]))[0])


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("2025-02-03 08:00", "2025-02-03 16:00", 8),  # a Monday in winter, 9 to 17 in Berlin
        ("2025-02-03 00:00", "2025-02-04 00:00", 8),
        ("2025-02-03 09:30", "2025-02-03 10:15", 0.75),
        ("2025-02-03 18:00", "2025-02-04 07:00", 0),
        ("2025-02-07 15:00", "2025-02-10 09:00", 2),  # over a weekend: an hour on Friday, one on Monday
        ("2025-02-08 10:00", "2025-02-09 10:00", 0),
        ("2025-04-30 14:00", "2025-05-02 08:00", 2),  # over a holiday, in summer
        ("2025-03-28 08:00", "2025-03-31 15:00", 16),  # the clocks go forward on the Sunday between
        ("2025-03-28 08:00", "2025-03-31 07:00", 8),  # Monday begins at 7 UTC now
        ("2025-10-24 07:00", "2025-10-27 08:00", 8),  # and at 8 UTC again
        ("2025-10-24 07:00", "2025-10-27 16:00", 16),
    ],
)
def test_hours_are_counted_where_there_is_business(begin: str, end: str, expected: float) -> None:
    assert between(business_hours(BERLIN, FIRST, LAST), begin, end) == pytest.approx(expected)


@pytest.mark.parametrize(("day", "expected"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-01", 24)])
def test_a_day_on_which_the_clocks_change_is_as_long_as_it_was(day: str, expected: float) -> None:
    always = BERLIN | {"days": list(range(7)), "from": "00:00", "to": "24:00"}
    hours = business_hours(always, FIRST, LAST)
    midnight = "23:00" if (day != "2025-06-01" and day < "2025-04-01") or day > "2025-10-27" else "22:00"
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    begin = moment(f"{before} {midnight}")
    end = begin + int(expected) * 3_600_000_000
    assert float(hours.hours_between(np.array([begin]), np.array([end]))[0]) == pytest.approx(expected)


def test_hours_far_from_greenwich_belong_to_the_local_day() -> None:
    auckland = BERLIN | {"timezone": "Pacific/Auckland", "holidays": []}
    # Monday 9 to 17 in New Zealand's summer time (UTC+13) is Sunday 20:00 to Monday 4:00 UTC.
    assert between(business_hours(auckland, FIRST, LAST), "2025-02-02 00:00", "2025-02-03 12:00") == 8


def test_without_any_business_day_nothing_passes() -> None:
    hours = business_hours(BERLIN | {"days": []}, FIRST, LAST)
    assert between(hours, "2025-02-03 08:00", "2025-12-01 16:00") == 0


MOMENTS = st.integers(moment("2025-01-02 00:00"), moment("2025-12-30 00:00"))


@given(st.lists(MOMENTS, min_size=3, max_size=3))
def test_a_duration_is_the_sum_of_its_parts(moments: list[int]) -> None:
    begin, middle, end = (np.array([one]) for one in sorted(moments))
    hours = business_hours(BERLIN, FIRST, LAST)
    whole = hours.hours_between(begin, end)
    assert hours.hours_between(begin, middle) + hours.hours_between(middle, end) == pytest.approx(whole)
    assert 0 <= float(whole[0]) <= float(end[0] - begin[0]) / 3.6e9 + 1e-9
