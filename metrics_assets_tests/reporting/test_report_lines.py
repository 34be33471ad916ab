"""How reports write figures: values, changes, distances to a goal; and which days they compare."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.catalogue.metrics import Unit
from metrics_assets.reporting.data import Target
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.reports.lines import MET, amount, change, is_met, moved, number, target_text
from metrics_assets.reporting.reports.windows import month_ends, shifted, windows
from metrics_assets_tests.reporting.report_sample import metric

UNITS = get_args(Unit)
VALUES = st.floats(-1e9, 1e9, allow_nan=False, allow_subnormal=False)
MONTHS = st.dates(date(2000, 1, 1), date(2100, 1, 1))


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (4022, "count", "4,022"),
        (0.6734, "ratio", "67 %"),
        (-0.041, "ratio", "−4.1 %"),
        (2.7966, "hours", "2.8 h"),
        (0, "hours", "0 h"),
        (427564.2, "dollars", "$427,564"),
        (-1200, "dollars", "−$1,200"),
        (8.4, "score", "8.4"),
        (33.92, "points", "34"),
        (18, "days", "18 days"),
        (0.003, "count", "under 0.01"),
        (-0.0, "count", "0"),
        (1, "yes or no", "yes"),
    ],
)
def test_a_value_is_written_with_its_unit(value: float, unit: str, said: str) -> None:
    assert amount(value, unit) == said


@pytest.mark.parametrize(
    ("before", "now", "unit", "said"),
    [
        (3579, 4022, "count", "+12 %"),
        (4022, 3579, "count", "−11 %"),
        (100, 100, "count", "unchanged"),
        (10_000, 10_001, "count", "±0 %"),
        (0, 120, "count", "from 0"),
        (0, 0, "count", "unchanged"),
        (4, 1, "count", "−3"),
        (0, 3, "count", "+3"),
        (2, 400, "count", "200 times as much"),
        (100, 0, "count", "−100 %"),
        (-20, 30, "dollars", "from −$20"),
        (1e-305, 20, "per day", "from under 0.01 per month"),
        (0.67, 0.70, "ratio", "+3 points"),
        (0.5, 0.5001, "ratio", "±0 points"),
        (-12, 8, "points", "+20 points"),
        (8.4, 8.6, "score", "+0.2"),
        (7, 3, "rank", "4 places up"),
        (3, 4, "rank", "1 place down"),
        (0, 1, "yes or no", "from no"),
    ],
)
def test_a_change_is_said_as_the_unit_asks(before: float, now: float, unit: str, said: str) -> None:
    assert change(before, now, unit) == said


@given(VALUES, VALUES, st.sampled_from(UNITS))
def test_a_change_is_words_whatever_moved(before: float, now: float, unit: str) -> None:
    said = change(before, now, unit)
    assert said.strip() == said != ""
    assert not re.search(r"nan|inf|e[+-]?\d|--|[+−]0(\.0)?( |$)", said)
    assert (said == "unchanged") == (before == now)
    if said.endswith("%"):
        assert before > 0
        assert said.startswith("+" if now > before else "−") or said == "±0 %"


@given(VALUES, st.sampled_from(UNITS))
def test_a_value_is_never_minus_nought(value: float, unit: str) -> None:
    said = amount(value, unit)
    assert not re.search(r"nan|inf|\de[+-]|-", said)
    assert not re.fullmatch(r"−[$]?0(\.0+)?( .*)?", said)


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_what_looks_the_same_is_unchanged(before: float, now: float) -> None:
    said = moved(before, now, metric("lead_time_hours"))
    if amount(before, "hours") == amount(now, "hours"):
        assert said == "unchanged"
    else:
        assert said == f"{'improved' if now < before else 'worsened'} from {amount(before, 'hours')}"


def test_a_number_that_can_be_either_has_no_better_side() -> None:
    assert moved(100, 200, metric("commits")) == "up from 100"


@pytest.mark.parametrize(
    ("value", "target", "unit", "said"),
    [
        (2100, Target("", 2000, "at_least", "met"), "count", f"target 2,000 {MET}"),
        (1660, Target("", 2000, "at_least", "off track"), "count", "target 2,000, 340 to go"),
        (0.673, Target("", 0.7, "at_least", "at risk"), "ratio", "target 70 %, 2.7 points to go"),
        (6, Target("", 4, "below", "off track"), "hours", "target under 4 h, 2 h over"),
        (4, Target("", 4, "below", "off track"), "hours", "target under 4 h, not met"),
        (3, Target("", 1, "at_most", "off track"), "rank", "target at most 1, not met"),
        (None, Target("", 9, "at_least", "unknown"), "score", "target 9.0"),
        (
            4022,
            Target("", 12000, "at_least", "off track", date(2026, 1, 31)),
            "count",
            "target 12,000 by 31 Jan 2026, 7,978 to go",
        ),
        (
            4022,
            Target("", 12000, "at_least", "off track", date(2025, 12, 31)),
            "count",
            "target 12,000 by 31 Dec 2025, missed by 7,978",
        ),
    ],
)
def test_a_target_says_how_far_it_is(value: float | None, target: Target, unit: str, said: str) -> None:
    assert target_text(value, target, unit, date(2025, 12, 31)) == said


@given(VALUES, VALUES, st.sampled_from(("at_least", "at_most", "above", "below")))
def test_a_target_has_its_tick_exactly_where_it_is_met(value: float, target: float, comparison: str) -> None:
    wanted = Target("", target, comparison, "met")
    assert (MET in target_text(value, wanted, "count")) == is_met(value, wanted)


@given(VALUES)
def test_a_number_keeps_its_sign(value: float) -> None:
    assert number(value).startswith("−") == (value < 0 and number(value) != "nearly 0")


def test_a_month_is_compared_with_the_months_before() -> None:
    found = windows("monthly_report", date(2025, 11, 1), date(2025, 11, 30), date(2025, 12, 2))
    assert (found.now.start, found.now.end, found.now.last) == (
        date(2025, 11, 1), date(2025, 11, 30), date(2025, 11, 30),
    )  # fmt: skip
    assert (found.before.start, found.before.end) == (date(2025, 10, 1), date(2025, 10, 31))
    assert found.before.last == date(2025, 10, 31)
    assert found.quarter.last == date(2025, 8, 31)
    assert (found.year.start, found.year.end) == (date(2024, 11, 1), date(2024, 11, 30))


def test_a_draft_is_compared_with_as_many_days() -> None:
    found = windows("monthly_report", date(2025, 3, 1), date(2025, 3, 31), date(2025, 3, 10))
    assert (found.now.end, found.before.start, found.before.end) == (
        date(2025, 3, 10), date(2025, 2, 1), date(2025, 2, 10),
    )  # fmt: skip
    assert found.before.last == date(2025, 2, 28)
    # February has no 30th.
    longer = windows("monthly_report", date(2025, 3, 1), date(2025, 3, 31), date(2025, 3, 30))
    assert longer.before.end == date(2025, 2, 28)


def test_a_week_and_a_quarter() -> None:
    week = windows("weekly_digest", date(2025, 12, 22), date(2025, 12, 28), date(2025, 12, 28))
    assert (week.before.start, week.before.end) == (date(2025, 12, 15), date(2025, 12, 21))
    quarter = windows("quarterly_review", date(2025, 10, 1), date(2025, 12, 31), date(2025, 12, 31))
    assert (quarter.before.start, quarter.before.end) == (date(2025, 7, 1), date(2025, 9, 30))
    assert (quarter.year.start, quarter.year.end) == (date(2024, 10, 1), date(2024, 12, 31))


def test_a_period_that_has_not_begun_is_refused() -> None:
    with pytest.raises(ValueError, match="Nothing was known of the period from 1 Nov 2025 by 31 Oct 2025; ask for"):
        windows("monthly_report", date(2025, 11, 1), date(2025, 11, 30), date(2025, 10, 31))
    with pytest.raises(ValueError, match="ends on 1 Nov 2025, before its first day 30 Nov 2025; swap them"):
        windows("monthly_report", date(2025, 11, 30), date(2025, 11, 1), date(2025, 12, 31))


@given(MONTHS, st.integers(-40, 40))
def test_months_are_shifted_there_and_the_end_stays_the_end(day: date, months: int) -> None:
    found = shifted(day, months)
    assert (found.year * 12 + found.month) - (day.year * 12 + day.month) == months
    if (day + timedelta(days=1)).day == 1:
        assert (found + timedelta(days=1)).day == 1
    elif day.day <= 28:
        assert found.day == day.day


@given(MONTHS, st.sampled_from(get_args(ReportKind)), st.integers(0, 40))
def test_no_window_reaches_into_the_next(start: date, kind: ReportKind, known: int) -> None:
    first = start.replace(day=1)
    months = {"monthly_report": 1, "executive_summary": 1, "quarterly_review": 3}.get(kind)
    end = shifted(first, months) - timedelta(days=1) if months else first + timedelta(days=6)
    found = windows(kind, first, end, first + timedelta(days=known))
    assert found.before.start <= found.before.end < found.now.start <= found.now.end <= end
    assert found.before.last == first - timedelta(days=1)
    assert found.year.start <= found.year.end < found.before.start
    assert found.now.last == found.now.end == min(end, first + timedelta(days=known))


def test_the_ends_of_months() -> None:
    found = month_ends(date(2026, 1, 15), 4)
    assert found == [date(2025, 10, 31), date(2025, 11, 30), date(2025, 12, 31), date(2026, 1, 15)]
    assert month_ends(date(2025, 12, 31), 2) == [date(2025, 11, 30), date(2025, 12, 31)]
