"""The periods of reports: no day without one, none twice, and names that lead back."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.errors import ConfigurationError
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.periods import LENGTHS, period_named, period_of, periods_between
from metrics_assets.settings import WEEKDAYS, Weekday

_KINDS = st.sampled_from(list(LENGTHS))
_DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
_ENDS = st.sampled_from(WEEKDAYS)


@pytest.mark.parametrize(
    ("kind", "day", "ends", "name", "start", "end"),
    [
        ("monthly_report", date(2024, 2, 29), "sun", "2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("executive_summary", date(2025, 12, 31), "sun", "2025-12", date(2025, 12, 1), date(2025, 12, 31)),
        ("quarterly_review", date(2025, 11, 5), "sun", "2025-Q4", date(2025, 10, 1), date(2025, 12, 31)),
        ("weekly_digest", date(2025, 12, 28), "sun", "2025-W52", date(2025, 12, 22), date(2025, 12, 28)),
        ("weekly_digest", date(2025, 12, 29), "sun", "2026-W01", date(2025, 12, 29), date(2026, 1, 4)),
        ("weekly_digest", date(2025, 12, 27), "fri", "2026-W01", date(2025, 12, 27), date(2026, 1, 2)),
    ],
)
def test_periods_are_those_of_the_calendar(
    kind: ReportKind, day: date, ends: Weekday, name: str, start: date, end: date
) -> None:
    period = period_of(kind, day, ends)
    assert (period.name, period.start, period.end) == (name, start, end)


@given(_KINDS, _DAYS, _ENDS)
def test_each_day_is_in_one_period_whose_name_leads_back(kind: ReportKind, day: date, ends: Weekday) -> None:
    period = period_of(kind, day, ends)
    assert period.start <= day <= period.end
    assert period_of(kind, period.start, ends) == period_of(kind, period.end, ends) == period
    assert period_of(kind, period.end + timedelta(days=1), ends).start == period.end + timedelta(days=1)
    assert period_named(kind, period.name, ends) == period
    assert period_named(kind, day.isoformat(), ends) == period


@given(_KINDS, _DAYS, st.integers(0, 200), _ENDS)
def test_a_range_has_the_periods_that_end_in_it_and_the_one_of_its_last_day(
    kind: ReportKind, first: date, length: int, ends: Weekday
) -> None:
    last = first + timedelta(days=length)
    found = periods_between(kind, first, last, ends)
    assert [period.end for period in found[:-1]] == [
        day for day in (first + timedelta(days=step) for step in range(length)) if period_of(kind, day, ends).end == day
    ]
    assert found[-1].start <= last <= found[-1].end


@pytest.mark.parametrize(
    ("kind", "name", "form"),
    [
        ("monthly_report", "2025-13", "a month as 2025-12"),
        ("monthly_report", "2025-W52", "a month as 2025-12"),
        ("weekly_digest", "2025-W53", "a week as 2025-W52"),
        ("quarterly_review", "2025-Q5", "a quarter as 2025-Q4"),
        ("executive_summary", "last month", "a month as 2025-12"),
        ("monthly_report", "0000-01", "a month as 2025-12"),
    ],
)
def test_a_name_that_is_none_is_refused(kind: ReportKind, name: str, form: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{name}' is no period of the {kind}; write {form}, or a day in it."):
        period_named(kind, name, "sun")
