"""Rules over small tables of figures: what fires, what does not, and what nobody can say."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from metrics_assets.alerting.rules import Condition, days_needed, evaluate
from metrics_assets.catalogue.alerts import ChangeRule, MultipleRule

ON = date(2025, 12, 31)
DROP = ChangeRule(
    key="drop", title="Less", metric="deployments_succeeded", severity="warning", action="Look.", source="test",
    kind="change", days=3, drop=0.5, minimum_reference=4,
)  # fmt: skip
SLOW = MultipleRule(
    key="slow", title="Slow", metric="lead_time_hours_week", severity="warning", action="Look.", source="test",
    kind="multiple", baseline="lead_time_hours", lag_days=7, factor=3,
)  # fmt: skip


def figures(
    metric: str,
    values: list[float | None],
    *,
    last: date = ON,
    subject: str = "acme/api",
    kind: str = "repository",
    state: str = "ok",
    n: float | None = 5,
) -> pd.DataFrame:
    """Consecutive days of a metric, the last one on `last`."""
    days = [last - timedelta(days=len(values) - 1 - number) for number in range(len(values))]
    return pd.DataFrame(
        {
            "metric": metric,
            "subject_kind": kind,
            "subject": subject,
            "date": pd.to_datetime(days),
            "value": [float("nan") if value is None else float(value) for value in values],
            "n": float("nan") if n is None else n,
            "state": state,
        }
    )


def change(values: list[float | None], rule: ChangeRule = DROP) -> Condition:
    (condition,) = evaluate([rule], figures(rule.metric, values), ON)
    return condition


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([2, 2, 2, 1, 1, 1], "breached"),  # exactly half
        ([2, 2, 2, 1, 1, 2], "fine"),
        ([2, 2, 2, 0, 0, 0], "breached"),
        ([2, 2, 2, 4, 4, 4], "fine"),
        ([2, 2, 0, 1, 1, 0], "breached"),  # exactly the minimum
        ([1, 1, 1, 0, 0, 0], "unknown"),  # under the minimum: too little to speak of a drop
        ([0, 0, 0, 0, 0, 0], "unknown"),
        ([2, 2, 2, 1, None, 1], "unknown"),  # no data is not zero
        ([None, 2, 2, 1, 1, 1], "unknown"),
        ([2, 2, 1, 1, 1], "unknown"),  # a day is missing
        ([9, 2, 2, 2, 1, 1, 1], "breached"),  # older days do not count
    ],
)
def test_a_drop_against_the_days_before(values: list[float | None], verdict: str) -> None:
    assert change(values).verdict == verdict


@pytest.mark.parametrize("drop", [0.1, 0.3, 0.55, 0.7, 0.9])
def test_a_drop_of_exactly_the_limit_fires_whatever_its_last_binary_digit(drop: float) -> None:
    rule = DROP.model_copy(update={"drop": drop, "days": 1})
    assert change([20, round(20 * (1 - drop), 6)], rule).verdict == "breached"
    assert change([20, round(20 * (1 - drop), 6) + 0.01], rule).verdict == "fine"


def test_a_drop_says_what_was_compared() -> None:
    found = change([4, 4, 2, 1, 1, 1])
    assert (found.value, found.reference) == (3, 10)
    assert "70%" in found.text.replace(" %", "%")
    assert change([4, 4, 2, 8, 8, 4]).text.endswith("100% more.")


def test_what_is_later_than_the_day_is_not_looked_at() -> None:
    tomorrow = figures(DROP.metric, [0], last=ON + timedelta(days=1))
    values = pd.concat([figures(DROP.metric, [2, 2, 2, 2, 2, 2]), tomorrow])
    assert evaluate([DROP], values, ON)[0].verdict == "fine"


def test_each_subject_is_judged_by_its_own_figures() -> None:
    values = pd.concat(
        [
            figures(DROP.metric, [2, 2, 2, 2, 2, 2], subject="acme/web"),
            figures(DROP.metric, [2, 2, 2, 0, 0, 0], subject="acme/api"),
            figures(DROP.metric, [2, 2, 2, 0, 0, 0], subject="acme/api", kind="team"),
        ]
    )
    assert [(one.subject_kind, one.subject, one.verdict) for one in evaluate([DROP], values, ON)] == [
        ("repository", "acme/api", "breached"),
        ("repository", "acme/web", "fine"),
        ("team", "acme/api", "breached"),
    ]


def multiple(now: pd.DataFrame, before: pd.DataFrame) -> Condition:
    (condition,) = evaluate([SLOW], pd.concat([now, before]), ON)
    return condition


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        (30, 10, "breached"),  # exactly three times
        (29.9, 10, "fine"),
        (0.3, 0.1, "breached"),  # 0.3 / 0.1 is 2.9999999999999996
        (31, 10, "breached"),
        (0, 10, "fine"),
        (30, 0, "unknown"),
        (30, -1, "unknown"),
        (None, 10, "unknown"),
        (30, None, "unknown"),
    ],
)
def test_a_multiple_of_the_baseline(now: float | None, before: float | None, verdict: str) -> None:
    found = multiple(
        figures("lead_time_hours_week", [now]), figures("lead_time_hours", [before], last=ON - timedelta(days=7))
    )
    assert found.verdict == verdict


@pytest.mark.parametrize("state", ["too_few", "unknown"])
def test_figures_that_stand_on_too_little_say_nothing(state: str) -> None:
    good = figures("lead_time_hours", [10], last=ON - timedelta(days=7))
    assert multiple(figures("lead_time_hours_week", [99], state=state), good).verdict == "unknown"
    weak = figures("lead_time_hours", [10], last=ON - timedelta(days=7), state=state)
    assert multiple(figures("lead_time_hours_week", [99]), weak).verdict == "unknown"


@pytest.mark.parametrize("off_by", [-1, 1])
def test_the_baseline_is_that_of_the_very_day(off_by: int) -> None:
    before = figures("lead_time_hours", [1], last=ON - timedelta(days=7 + off_by))
    assert multiple(figures("lead_time_hours_week", [99]), before).verdict == "unknown"


def test_the_baseline_is_the_same_subjects() -> None:
    now = figures("lead_time_hours_week", [99])
    for subject, kind in (("acme/web", "repository"), ("acme/api", "team")):
        before = figures("lead_time_hours", [1], last=ON - timedelta(days=7), subject=subject, kind=kind)
        assert multiple(now, before).verdict == "unknown"


def test_a_figure_without_a_count_is_taken_as_it_is() -> None:
    before = figures("lead_time_hours", [1], last=ON - timedelta(days=7), n=None)
    found = multiple(figures("lead_time_hours_week", [99], n=None), before)
    assert (found.verdict, found.n) == ("breached", 0)


def test_without_any_figure_there_is_nothing_to_say() -> None:
    assert evaluate([DROP, SLOW], figures("stars_new", [1]), ON) == []
    assert evaluate([DROP, SLOW], figures("stars_new", []), ON) == []


def test_how_far_back_the_rules_look() -> None:
    assert days_needed([]) == 1
    assert days_needed([DROP]) == 6
    assert days_needed([DROP, SLOW]) == 8
    # With exactly that many days nothing is unknown.
    assert change([2] * days_needed([DROP])).verdict == "fine"
