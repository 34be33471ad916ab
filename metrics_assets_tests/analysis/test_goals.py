"""Goals judged by hand: from 500 stars on 1 January to 1,500 on 11 January there are 100 a day to go."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.analysis.goals import INPUT_COLUMNS, carry, first_known, judge, number

GOAL: dict[str, Any] = {
    "date": "2025-01-06", "value": 1000.0, "n": np.nan, "state": "ok", "low": np.nan, "high": np.nan, "target": 1500.0,
    "comparison": "at_least", "due_on": "2025-01-11", "starts_on": "2025-01-01", "base": 500.0, "due_value": np.nan,
    "unit": "count", "unknown": "Stars are not collected.", "minimum_n": 1.0,
}  # fmt: skip


def rows(*given: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame([GOAL | one for one in given], columns=list(INPUT_COLUMNS))
    for name in ("date", "due_on", "starts_on"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def judged(**given: Any) -> tuple[str, str]:
    result = judge(rows(given)).iloc[0]
    return result["status"], result["reason"]


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        # On the sixth half of the way is behind: 1,000 are expected; 80 % of the way is 900.
        ({}, "on track", "1,000, on the line to at least 1,500 by 2025-01-11 (1,000 expected)"),
        ({"value": 999.0}, "at risk", "999, behind the line to at least 1,500 by 2025-01-11 (1,000 expected)"),
        ({"value": 900.0}, "at risk", "900, behind the line to at least 1,500 by 2025-01-11 (1,000 expected)"),
        ({"value": 899.0}, "off track", "899, behind the line to at least 1,500 by 2025-01-11 (1,000 expected)"),
        ({"value": 1500.0}, "met", "1,500, the goal is at least 1,500 by 2025-01-11"),
        ({"value": 1500.0, "comparison": "above"}, "on track", None),
        ({"value": 1501.0, "comparison": "above"}, "met", None),
        # The first day: what there was is expected.
        ({"date": "2025-01-01", "value": 500.0}, "on track", None),
        ({"date": "2025-01-01", "value": 499.0}, "off track", None),
        # The due day itself and after it: that day's value decides, whatever came later.
        ({"date": "2025-01-11", "value": 1500.0}, "met", None),
        (
            {"date": "2025-01-11", "value": 1400.0},
            "off track",
            "missed: 1,400 on the due day (2025-01-11), the goal was at least 1,500",
        ),
        (
            {"date": "2025-02-01", "value": 1700.0, "due_value": 1499.0},
            "off track",
            "missed: 1,499 on the due day (2025-01-11), the goal was at least 1,500",
        ),
        (
            {"date": "2025-02-01", "value": 1300.0, "due_value": 1600.0},
            "met",
            "met: 1,600 on the due day (2025-01-11), the goal was at least 1,500",
        ),
        ({"date": "2025-02-01", "value": 1700.0}, "unknown", "The value of the due day (2025-01-11) is not known."),
        ({"date": "2025-01-11", "value": np.nan, "state": "unknown"}, "unknown", "Stars are not collected."),
        # What began as good as the target has only to stay there.
        (
            {"base": 1500.0, "value": 1400.0},
            "at risk",
            "1,400, the goal is at least 1,500 by 2025-01-11; within 10 % of it",
        ),
        ({"base": 1600.0, "value": 1300.0}, "off track", "1,300, the goal is at least 1,500 by 2025-01-11"),
        ({"base": 1600.0, "value": 1550.0}, "met", None),
        # Unknown is never off track.
        ({"value": np.nan, "state": "unknown"}, "unknown", "Stars are not collected."),
        ({"state": None, "value": np.nan}, "unknown", "Stars are not collected."),
        ({"state": "too_few", "n": 2.0, "minimum_n": 3.0}, "unknown", "Stands on 2 of 3 rows."),
        ({"state": "provisional"}, "on track", None),
    ],
)  # fmt: skip
def test_goals_with_a_due_day(given: dict[str, Any], status: str, reason: str | None) -> None:
    found = judged(**given)
    assert found[0] == status
    assert reason is None or found[1] == reason


@pytest.mark.parametrize(
    ("given", "status"),
    [
        # From 48 hours down to 24 in ten days: 36 are expected on the sixth, 38.4 is 80 % of that way.
        ({"value": 36.0}, "on track"),
        ({"value": 38.4}, "at risk"),
        ({"value": 38.5}, "off track"),
        ({"value": 24.0}, "met"),
        ({"value": 24.0, "comparison": "below"}, "on track"),
        ({"value": 23.9, "comparison": "below"}, "met"),
        ({"base": 20.0, "value": 26.0}, "at risk"),
        ({"base": 20.0, "value": 27.0}, "off track"),
        ({"date": "2025-01-12", "value": 10.0, "due_value": 24.5}, "off track"),
    ],
)
def test_goals_where_less_is_better(given: dict[str, Any], status: str) -> None:
    assert judged(**{"target": 24.0, "base": 48.0, "comparison": "at_most", "unit": "hours"} | given)[0] == status


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        ({"value": 1500.0}, "met", "1,500, the goal is at least 1,500"),
        ({"value": 1350.0}, "at risk", "1,350, the goal is at least 1,500; within 10 % of it"),
        ({"value": 1349.0}, "off track", "1,349, the goal is at least 1,500"),
        (
            {"value": 0.2, "low": 0.1, "high": 0.3, "target": 0.15, "comparison": "below", "unit": "ratio"},
            "at risk",
            "20 %, the goal is below 15 %; its interval 10 % to 30 % holds the target",
        ),
        (
            {"value": 0.2, "low": 0.16, "high": 0.3, "target": 0.15, "comparison": "below", "unit": "ratio"},
            "off track",
            "20 %, the goal is below 15 %",
        ),
        ({"value": 0.0, "target": 0.0, "comparison": "at_most"}, "met", "0, the goal is at most 0"),
        ({"value": 1.0, "target": 0.0, "comparison": "at_most"}, "off track", None),
    ],
)
def test_goals_that_always_hold(given: dict[str, Any], status: str, reason: str | None) -> None:
    found = judged(**{"due_on": None, "base": np.nan} | given)
    assert found[0] == status
    assert reason is None or found[1] == reason


def test_expected_and_progress_are_of_goals_with_a_due_day() -> None:
    result = judge(
        rows(
            {"value": 700.0},
            {"date": "2025-01-11", "value": 1400.0},
            {"date": "2025-01-20", "value": 2000.0, "due_value": 1500.0},
            {"due_on": None, "base": np.nan},
            {"base": 1600.0},
            {"value": np.nan, "state": "unknown"},
        )
    )
    assert result["expected"].fillna(-1).tolist() == [1000, 1500, 1500, -1, 1500, 1000]
    assert result["progress"].fillna(-1).tolist() == [0.2, 0.9, 1.5, -1, 0, -1]


@given(
    value=st.floats(0, 3000), base=st.floats(0, 3000), target=st.floats(0, 3000), day=st.integers(1, 20),
    lower=st.booleans(),
)  # fmt: skip
def test_a_better_value_never_makes_a_worse_status(
    value: float, base: float, target: float, day: int, lower: bool
) -> None:
    about = {"date": f"2025-01-{day:02}", "base": base, "target": target}
    about["comparison"] = "at_most" if lower else "at_least"
    order = ["off track", "at risk", "on track", "met"]
    better = value - 100 if lower else value + 100
    given_rows = [about | {"value": one, "due_value": one} for one in (value, better)]
    worse, best = judge(rows(*given_rows))["status"]
    assert order.index(worse) <= order.index(best)


def test_numbers_are_shown_as_people_write_them() -> None:
    shown = [number(v, unit) for v, unit in [(12345.6, "count"), (0.12345, "ratio"), (3.14159, "hours"), (3, "days")]]
    assert shown == ["12,346", "12.3 %", "3.14 hours", "3 days"]


def figures(*given: tuple[str, float | None]) -> pd.DataFrame:
    frame = pd.DataFrame(given, columns=["date", "value"])
    frame["date"] = pd.to_datetime(frame["date"])
    return frame.assign(
        metric="m", subject_kind="team", subject="a", state=["unknown" if v is None else "ok" for _, v in given]
    ).astype({"value": "float64"})


def test_a_weekly_figure_stands_until_the_next_one() -> None:
    weekly = figures(("2025-01-05", 1), ("2025-01-12", 2))
    carried = carry(weekly, 7, date(2025, 1, 10), date(2025, 1, 21))
    assert carried.sort_values("date")["value"].tolist() == [1, 1, 2, 2, 2, 2, 2, 2, 2]


def test_the_first_known_value_is_the_base() -> None:
    first = first_known(figures(("2025-01-03", 7), ("2025-01-01", None), ("2025-01-02", 5)), ["metric", "subject"])
    assert first["value"].tolist() == [5]
    assert first["date"].tolist() == [pd.Timestamp("2025-01-02")]
