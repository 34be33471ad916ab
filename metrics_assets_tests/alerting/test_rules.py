"""Rules over small tables of figures in a real database: what fires, what does not, and what nobody can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.alerting.conditions import Condition, Evaluation
from metrics_assets.alerting.rules import evaluate
from metrics_assets.alerting.words import amount, interval
from metrics_assets.catalogue.alerts import (
    AnomalyRule,
    ChangeRule,
    MilestoneRule,
    MissingRule,
    MultipleRule,
    Rule,
    ThresholdRule,
)

ON = date(2025, 12, 31)
ABOUT: dict[str, Any] = {"key": "r", "title": "R", "severity": "warning", "action": "Look."}
# A figure of a day, or of several days the last of which is the day: values, None where it is unknown.
Figures = Mapping[str, Sequence[float | None] | float | None]


def threshold(**given: Any) -> ThresholdRule:
    return ThresholdRule(kind="threshold", metric="change_failure_rate", **ABOUT, **given)


def change(**given: Any) -> ChangeRule:
    return ChangeRule(kind="change", metric="deployments_succeeded", **ABOUT, **given)


DROP = change(days=3, drop=0.5, minimum_reference=4)
SLOW = MultipleRule(
    kind="multiple", metric="lead_time_hours_week", baseline="lead_time_hours", lag_days=7, factor=3, **ABOUT
)


def figures(
    engine: sa.Engine, metric: str, by_subject: Figures, last: date = ON, kind: str = "repository", **more: Any
) -> None:
    """Write the figures of consecutive days up to a day; `more` are other columns."""
    rows = []
    for subject, values in by_subject.items():
        series = values if isinstance(values, Sequence) else [values]
        for back, value in enumerate(reversed(series)):
            state = "unknown" if value is None else "ok"
            row = {"metric": metric, "subject_kind": kind, "subject": subject, "value": value, "n": 5, "state": state}
            rows.append({**row, "date": last - timedelta(days=back), "low": None, "high": None, **more})
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.calculated_daily "
                "(metric, subject_kind, subject, date, value, n, state, low, high) "
                "values (:metric, :subject_kind, :subject, :date, :value, :n, :state, :low, :high)"
            ),
            rows,
        )


def judged(engine: sa.Engine, rule: Rule, on: date = ON) -> Evaluation:
    return evaluate(engine, {rule.key: rule}, on)


def breached(engine: sa.Engine, rule: Rule, on: date = ON) -> dict[str, Condition]:
    """By subject, the conditions that are breached; nothing else is given where no alert is open."""
    found = judged(engine, rule, on).conditions
    assert {condition.verdict for condition in found} <= {"breached"}
    return {condition.subject: condition for condition in found}


def standing(engine: sa.Engine, rule: Rule, subjects: Sequence[str], on: date = ON) -> dict[str, Condition]:
    """By subject, how the rule stands for subjects that have an open alert."""
    with engine.begin() as connection:
        connection.execute(sa.text("delete from ops.alerts where state <> 'resolved'"))
        connection.execute(
            sa.text(
                "insert into ops.alerts (rule, metric, subject_kind, subject, severity, state, opened_on, "
                "last_evaluated_on) values (:rule, :metric, 'repository', :subject, 'warning', 'firing', :on, :on)"
            ),
            [
                {"rule": rule.key, "metric": getattr(rule, "metric", "stars_new"), "subject": subject, "on": on}
                for subject in subjects
            ],
        )
    return {condition.subject: condition for condition in judged(engine, rule, on).conditions}


def verdicts(engine: sa.Engine, rule: Rule, subjects: Sequence[str], on: date = ON) -> dict[str, str]:
    return {subject: found.verdict for subject, found in standing(engine, rule, subjects, on).items()}


def test_a_limit_is_beyond_or_at(warehouse: sa.Engine) -> None:
    values = {"a/under": 0.29, "a/at": 0.3, "a/noise": 0.1 + 0.2, "a/over": 0.31, "a/unknown": None}
    figures(warehouse, "change_failure_rate", values)
    for limit, beyond in (
        ({"above": 0.3}, {"a/over"}),
        ({"at_least": 0.3}, {"a/over", "a/at", "a/noise"}),
        ({"below": 0.3}, {"a/under"}),
        ({"at_most": 0.3}, {"a/under", "a/at", "a/noise"}),
    ):
        found = verdicts(warehouse, threshold(**limit), list(values))
        assert {subject for subject, verdict in found.items() if verdict == "breached"} == beyond, limit
        assert found["a/unknown"] == "unknown"
        assert set(found.values()) == {"breached", "fine", "unknown"}


def test_between_limit_and_clear_at_nothing_changes(warehouse: sa.Engine) -> None:
    values = {"a/over": 0.31, "a/limit": 0.3, "a/between": 0.25, "a/clear": 0.2, "a/under": 0.19}
    figures(warehouse, "change_failure_rate", values)
    expected = {
        "above": ["breached", "between", "between", "fine", "fine"],  # at clear_at itself it is well again
        "at_least": ["breached", "breached", "between", "fine", "fine"],
    }
    for name, verdict in expected.items():
        found = verdicts(warehouse, threshold(**{name: 0.3}, clear_at=0.2), list(values))
        assert [found[subject] for subject in values] == verdict
    found = verdicts(warehouse, threshold(below=0.2, clear_at=0.3), list(values))
    assert [found[subject] for subject in values] == ["fine", "fine", "between", "between", "breached"]
    found = verdicts(warehouse, threshold(at_most=0.2, clear_at=0.3), list(values))
    assert [found[subject] for subject in values] == ["fine", "fine", "between", "breached", "breached"]
    # Where both are one, the limit is still the limit.
    assert verdicts(warehouse, threshold(at_least=0.3, clear_at=0.3), list(values))["a/limit"] == "breached"


def test_confident_wants_the_whole_interval(warehouse: sa.Engine) -> None:
    for subject, value, low, high in (
        ("a/sure", 0.4, 0.31, 0.5),
        ("a/unsure", 0.4, 0.2, 0.6),
        ("a/fine", 0.2, 0.1, 0.5),
        ("a/without", 0.4, None, None),
        ("a/fine_without", 0.2, None, None),
    ):
        figures(warehouse, "change_failure_rate", {subject: value}, low=low, high=high)
    subjects = ["a/sure", "a/unsure", "a/fine", "a/without", "a/fine_without"]
    assert verdicts(warehouse, threshold(above=0.3, confident=True), subjects) == {
        "a/sure": "breached", "a/unsure": "between", "a/fine": "fine", "a/without": "unknown", "a/fine_without": "fine",
    }  # fmt: skip
    assert verdicts(warehouse, threshold(below=0.55, confident=True), subjects)["a/sure"] == "breached"
    assert verdicts(warehouse, threshold(below=0.55, confident=True), subjects)["a/unsure"] == "between"


def test_what_stands_on_too_little_says_nothing(warehouse: sa.Engine) -> None:
    for subject, n, state in (
        ("a/enough", 10, "ok"),
        ("a/provisional", 10, "provisional"),
        ("a/few", 9, "ok"),
        ("a/too_few", 10, "too_few"),
        ("a/unknown", 10, "unknown"),
        ("a/uncounted", None, "ok"),
    ):
        figures(warehouse, "change_failure_rate", {subject: 0.9}, n=n, state=state)
    found = judged(warehouse, threshold(above=0.3, minimum_n=10))
    assert [condition.subject for condition in found.conditions] == ["a/enough", "a/provisional", "a/uncounted"]
    assert [condition.n for condition in found.conditions] == [10, 10, None]
    assert (found.looked_at, found.unknown) == (6, 3)


def test_a_change_of_sums(warehouse: sa.Engine) -> None:
    cases: dict[str, tuple[list[float | None], str]] = {
        "a/half": ([2, 2, 2, 1, 1, 1], "breached"),  # exactly
        "a/over_half": ([2, 2, 2, 1, 1, 2], "fine"),
        "a/nothing": ([2, 2, 2, 0, 0, 0], "breached"),
        "a/more": ([2, 2, 2, 4, 4, 4], "fine"),
        "a/minimum": ([2, 2, 0, 1, 1, 0], "breached"),  # exactly
        "a/little": ([1, 1, 1, 0, 0, 0], "unknown"),  # too little to speak of a drop
        "a/little_as_much": ([1, 1, 1, 1, 1, 1], "fine"),  # but it can be said that there was none
        "a/little_more": ([1, 0, 0, 2, 2, 2], "fine"),
        "a/zero": ([0, 0, 0, 0, 0, 0], "fine"),
        "a/gap": ([2, 2, 2, 1, None, 1], "unknown"),  # no data is not zero
        "a/gap_before": ([None, 2, 2, 1, 1, 1], "unknown"),
        "a/short": ([2, 2, 1, 1, 1], "unknown"),  # a day is missing
        "a/older": ([9, 2, 2, 2, 1, 1, 1], "breached"),  # older days do not count
    }
    figures(warehouse, "deployments_succeeded", {subject: values for subject, (values, _) in cases.items()})
    found = standing(warehouse, DROP, list(cases))
    assert {subject: one.verdict for subject, one in found.items()} == {one: case[1] for one, case in cases.items()}
    assert (found["a/half"].value, found["a/half"].reference, found["a/half"].n) == (3, 6, 15)
    assert found["a/little"].text.endswith("; at least 4 are needed to compare.")
    assert found["a/little_more"].text.endswith(" against 1 in the 3 days before, 500 % more.")
    risen = verdicts(warehouse, change(days=3, rise=1.0, minimum_reference=4), list(cases))
    assert (risen["a/little_more"], risen["a/little_as_much"], risen["a/little"]) == ("unknown", "fine", "fine")
    assert [subject for subject, verdict in risen.items() if verdict == "breached"] == ["a/more"]


def test_a_change_at_exactly_its_limit_fires_whatever_the_last_binary_digit(warehouse: sa.Engine) -> None:
    for drop in (0.1, 0.3, 0.55, 0.7, 0.9):
        rule = change(days=1, drop=drop).model_copy(update={"metric": f"drop_{drop}"})
        at = round(20 * (1 - drop), 6)
        figures(warehouse, rule.metric, {"a/at": [20, at], "a/less": [20, at + 0.01]})
        assert list(breached(warehouse, rule)) == ["a/at"], drop


def test_a_change_ends_where_little_of_it_is_left(warehouse: sa.Engine) -> None:
    values: dict[str, list[float | None]] = {"a/at": [10, 5], "a/left": [10, 7], "a/half": [10, 7.5], "a/over": [10, 8]}
    figures(warehouse, "deployments_succeeded", values)
    found = verdicts(warehouse, change(days=1, drop=0.5, clear_share=0.5), list(values))
    assert [found[subject] for subject in values] == ["breached", "between", "between", "fine"]


def test_a_change_of_the_value_by_an_amount(warehouse: sa.Engine) -> None:
    cases: dict[str, tuple[list[float | None], str]] = {
        "a/three": ([4, 0, 1], "breached"),
        "a/two": ([4, 0, 2], "fine"),
        "a/up": ([0, 0, 9], "fine"),
        "a/from_zero": ([0, 0, -3], "breached"),
        "a/unknown": ([None, 0, 1], "unknown"),
        "a/young": ([0, 1], "unknown"),
        "a/now": ([4, 0, None], "unknown"),
    }
    figures(warehouse, "deployments_succeeded", {subject: values for subject, (values, _) in cases.items()})
    rule = change(days=2, drop=3, of="value", by="amount")
    found = standing(warehouse, rule, list(cases))
    assert {subject: one.verdict for subject, one in found.items()} == {one: case[1] for one, case in cases.items()}
    assert (found["a/three"].value, found["a/three"].reference) == (1, 4)
    # A share of nothing is none; by how much it rose can still be said.
    assert verdicts(warehouse, change(days=2, rise=0.1, of="value"), list(cases))["a/up"] == "unknown"
    assert verdicts(warehouse, change(days=2, rise=9, of="value", by="amount"), list(cases))["a/up"] == "breached"
    with_few = change(days=2, drop=3, of="value", by="amount", minimum_n=6)
    assert set(verdicts(warehouse, with_few, list(cases)).values()) == {"unknown"}


def test_a_multiple_of_the_baseline(warehouse: sa.Engine) -> None:
    cases: dict[str, tuple[float | None, float | None, str]] = {
        "a/thrice": (30, 10, "breached"),
        "a/less": (29.9, 10, "fine"),
        "a/digit": (0.3, 0.1, "breached"),  # 0.3 / 0.1 is 2.9999999999999996
        "a/zero": (0, 10, "fine"),
        "a/from_zero": (30, 0, "unknown"),
        "a/negative": (30, -1, "unknown"),
        "a/now": (None, 10, "unknown"),
        "a/before": (30, None, "unknown"),
    }
    for subject, (now, before, _) in cases.items():
        figures(warehouse, SLOW.metric, {subject: now})
        figures(warehouse, SLOW.baseline, {subject: before}, last=ON - timedelta(days=7))
    for off_by in (6, 8):  # the baseline is that of the very day
        figures(warehouse, SLOW.metric, {f"a/day{off_by}": 99})
        figures(warehouse, SLOW.baseline, {f"a/day{off_by}": 1}, last=ON - timedelta(days=off_by))
    figures(warehouse, SLOW.metric, {"a/other": 99})
    figures(warehouse, SLOW.baseline, {"a/other": 1}, last=ON - timedelta(days=7), kind="package")
    subjects = [*cases, "a/day6", "a/day8", "a/other"]
    expected = {subject: verdict for subject, (_, _, verdict) in cases.items()}
    found = verdicts(warehouse, SLOW, subjects)
    assert found == expected | dict.fromkeys(["a/day6", "a/day8", "a/other"], "unknown")
    rule = SLOW.model_copy(update={"clear_factor": 2.0, "factor": 3.5})
    assert verdicts(warehouse, rule, ["a/thrice", "a/zero"]) == {"a/thrice": "between", "a/zero": "fine"}


def test_a_baseline_on_too_little_says_nothing(warehouse: sa.Engine) -> None:
    figures(warehouse, SLOW.metric, {"a/few": 99, "a/counted": 99})
    figures(warehouse, SLOW.baseline, {"a/few": 1}, last=ON - timedelta(days=7), state="too_few")
    figures(warehouse, SLOW.baseline, {"a/counted": 1}, last=ON - timedelta(days=7), n=1)
    rule = SLOW.model_copy(update={"minimum_n": 5})
    assert verdicts(warehouse, rule, ["a/few", "a/counted"]) == {"a/few": "unknown", "a/counted": "breached"}


MILESTONES = MilestoneRule(kind="milestone", metric="stars_total", milestones=(100, 1000, 500), **ABOUT)


def test_a_milestone_is_news_on_the_day_it_is_reached_first(warehouse: sa.Engine) -> None:
    long = [50.0] * 40
    figures(
        warehouse,
        "stars_total",
        {
            "a/at": [*long, 99, 100],
            "a/under": [*long, 99, 99],
            "a/two": [*long, 99, 600],  # both 100 and 500: the higher one is told
            "a/lately": [*long, 99, *[100.0] * 5],  # nothing was evaluated for some days
            "a/long_ago": [99, *[100.0] * 40],
            "a/back": [99, 120, *[90.0] * 40, 100],  # it was there before a dip
            "a/always": [700.0] * 40,  # nobody knows when
            "a/new": [700],
            "a/unknown": [*long, 99, None],
            "a/young": [99, 100],
        },
    )
    found = breached(warehouse, MILESTONES)
    assert {subject: one.reference for subject, one in found.items()} == {
        "a/at": 100, "a/two": 500, "a/lately": 100, "a/young": 100,
    }  # fmt: skip
    assert found["a/two"].value == 600
    assert found["a/at"].text == "Stars: 100 (n = 5), for the first time at or above 100."


def test_a_milestone_that_was_told_is_none_any_more(warehouse: sa.Engine) -> None:
    figures(warehouse, "stars_total", {"a/x": [50.0, 99, 120], "a/y": [50.0, 99, 600]})
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.alerts (rule, metric, subject_kind, subject, severity, state, opened_on, "
                "last_evaluated_on, reference) values ('r', 'stars_total', 'repository', :subject, 'info', 'resolved', "
                "'2025-01-01', '2025-01-01', 100)"
            ),
            [{"subject": "a/x"}, {"subject": "a/y"}],
        )
    assert {subject: one.reference for subject, one in breached(warehouse, MILESTONES).items()} == {"a/y": 500}


def test_what_had_values_and_has_none_any_more_is_missing(warehouse: sa.Engine) -> None:
    rule = MissingRule(kind="missing", metric="downloads", days=3, **ABOUT)
    figures(
        warehouse,
        "downloads",
        {
            "a/gone": [7, None, None, None],
            "a/late": [7, None, None],
            "a/there": [None, None, None, 0],
            "a/never": [None] * 40,
            "a/young": [None, None],
        },
    )
    figures(warehouse, "downloads", {"a/no_rows": [7, 7]}, last=ON - timedelta(days=20))
    figures(warehouse, "downloads", {"a/weak": [1, 1, 1, 1]}, state="too_few")
    found = breached(warehouse, rule)
    assert sorted(found) == ["a/gone", "a/no_rows"]
    assert (found["a/gone"].value, found["a/gone"].reference) == (None, None)
    assert "no value for 3 days, the last one of 28 December 2025" in found["a/gone"].text
    assert "no value for 20 days" in found["a/no_rows"].text
    subjects = ["a/gone", "a/late", "a/there", "a/weak"]
    assert verdicts(warehouse, rule, subjects) == {
        "a/gone": "breached", "a/late": "fine", "a/there": "fine", "a/weak": "fine", "a/no_rows": "breached",
    }  # fmt: skip


def anomaly(engine: sa.Engine, subject: str, on: date = ON, **given: Any) -> None:
    row = {
        "metric": "stars_new", "kind": "spike", "severity": "warning", "state": "anomaly", "subject_kind": "repository",
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.anomalies (metric, subject_kind, subject, date, value, n, state, kind, severity, "
                "expected, explanation) values (:metric, :subject_kind, :subject, :date, 9, 4, :state, :kind, "
                ":severity, 2, 'New stars: 9; 2 expected.')"
            ),
            {**row, **given, "subject": subject, "date": on},
        )


def anomalies(**given: Any) -> AnomalyRule:
    return AnomalyRule(kind="anomaly", **ABOUT, **given)


def test_an_anomaly_of_the_day(warehouse: sa.Engine) -> None:
    anomaly(warehouse, "a/api")
    anomaly(warehouse, "a/api", metric="forks_new", severity="critical", kind="drop")
    anomaly(warehouse, "a/web", severity="info")
    anomaly(warehouse, "a/normal", state="normal", kind=None, severity=None)
    anomaly(warehouse, "acme", subject_kind="portfolio")
    anomaly(warehouse, "a/yesterday", ON - timedelta(days=1))

    def found(rule: AnomalyRule) -> list[tuple[str, str, str]]:
        return [(one.subject, one.metric, one.severity) for one in judged(warehouse, rule).conditions]

    assert found(anomalies()) == [("a/api", "forks_new", "critical"), ("a/api", "stars_new", "warning")]
    assert found(anomalies(at_least="info")) == [
        ("a/api", "forks_new", "critical"), ("a/api", "stars_new", "warning"), ("a/web", "stars_new", "warning"),
    ]  # fmt: skip
    assert found(anomalies(metric_keys=("stars_new",))) == [("a/api", "stars_new", "warning")]
    assert found(anomalies(anomalies=("drop",))) == [("a/api", "forks_new", "critical")]
    assert found(anomalies(subject_kinds=("portfolio",))) == [("acme", "stars_new", "warning")]
    assert found(anomalies(subjects=("a/other",))) == []
    one = judged(warehouse, anomalies(metric_keys=("stars_new",))).conditions[0]
    assert (one.value, one.reference, one.n, one.text) == (9, 2, 4, "New stars: 9; 2 expected.")


def test_an_anomaly_is_over_on_days_that_were_judged_and_have_none(warehouse: sa.Engine) -> None:
    anomaly(warehouse, "a/api", kind="level_shift")
    rule = anomalies(clear_days=2)
    tomorrow = ON + timedelta(days=1)
    assert verdicts(warehouse, rule, ["a/api"], tomorrow) == {"a/api": "unknown"}  # the detector has not run
    for days in (1, 2):
        anomaly(warehouse, "a/other", ON + timedelta(days=days), state="normal", kind=None, severity=None)
    assert standing(warehouse, rule, ["a/api"], tomorrow)["a/api"].days == 1
    found = standing(warehouse, rule, ["a/api"], ON + timedelta(days=2))["a/api"]
    assert (found.verdict, found.days) == ("fine", 2)


def test_days_in_a_row_are_counted_in_the_figures(warehouse: sa.Engine) -> None:
    figures(
        warehouse,
        "change_failure_rate",
        {
            "a/three": [0.1, 0.9, 0.9, 0.9],
            "a/broken": [0.9, 0.9, 0.1, 0.9],
            "a/unknown": [0.1, 0.9, None, 0.9, None, 0.9],  # passed over, as nobody knows
            "a/between": [0.1, 0.9, 0.4, 0.9],
            "a/all": [0.9] * 20,
            "a/fine": [0.9, 0.1, 0.4, 0.1],
            "a/today": [0.9, 0.9, None],
        },
    )
    rule = threshold(above=0.5, clear_at=0.3, for_days=3, clear_days=2)
    subjects = ["a/three", "a/broken", "a/unknown", "a/between", "a/all", "a/fine", "a/today"]
    found = standing(warehouse, rule, subjects)
    assert {subject: (one.verdict, one.days) for subject, one in found.items()} == {
        "a/three": ("breached", 3),
        "a/broken": ("breached", 1),
        "a/unknown": ("breached", 3),
        "a/between": ("breached", 2),
        "a/all": ("breached", 6),  # twice the days that are asked for are looked at
        "a/fine": ("fine", 2),
        "a/today": ("unknown", 1),
    }
    assert found["a/three"].since == ON - timedelta(days=2)
    assert standing(warehouse, threshold(above=0.5), subjects)["a/three"].days == 1


def test_days_in_a_row_of_sums_and_of_what_is_missing(warehouse: sa.Engine) -> None:
    figures(warehouse, "deployments_succeeded", {"a/x": [5, 5, 5, 5, 1, 1, 1, 1]})
    rule = change(days=2, drop=0.5, for_days=3)
    # The sums of two days were 10, 6, 2, 2, 2 on the last five days; before each 10, 10, 10, 6, 2.
    found = [breached(warehouse, rule, ON - timedelta(days=back)) for back in (3, 2, 1, 0)]
    assert [one["a/x"].days if one else 0 for one in found] == [0, 1, 2, 0]
    assert found[2]["a/x"].since == ON - timedelta(days=2)
    figures(warehouse, "downloads", {"a/x": [7, None, None, None, None]})
    missing = MissingRule(kind="missing", metric="downloads", days=3, for_days=2, **ABOUT)
    assert breached(warehouse, missing)["a/x"].days == 2


def test_what_is_later_is_not_looked_at(warehouse: sa.Engine) -> None:
    figures(warehouse, "change_failure_rate", {"a/x": [0.9, 0.1, 0.9]}, last=ON + timedelta(days=1))
    assert breached(warehouse, threshold(above=0.5)) == {}
    assert list(breached(warehouse, threshold(above=0.5), ON - timedelta(days=1))) == ["a/x"]


def test_whom_a_rule_is_about(warehouse: sa.Engine) -> None:
    for kind in ("repository", "package", "community", "team", "portfolio", "service", "environment", "segment"):
        for metric in ("change_failure_rate", "fed_one"):
            figures(warehouse, metric, {f"{kind}/x": 0.9}, kind=kind)
    figures(warehouse, "change_failure_rate", {"NA": 0.9})
    watched = ["NA", "community/x", "package/x", "repository/x"]
    assert sorted(breached(warehouse, threshold(above=0.5))) == watched
    assert sorted(breached(warehouse, threshold(above=0.5, subject_kinds=("team", "environment")))) == [
        "environment/x", "team/x",
    ]  # fmt: skip
    assert list(breached(warehouse, threshold(above=0.5, subjects=("package/x", "team/x")))) == ["package/x"]


def test_fed_figures_are_about_whatever_their_file_says(warehouse: sa.Engine) -> None:
    from metrics_assets.catalogue.metrics import load_catalogue

    fed = next(metric.key for metric in load_catalogue().metrics.values() if metric.fed)
    for kind in ("segment", "portfolio", "repository", "environment"):
        figures(warehouse, fed, {f"{kind}/x": 0.9}, kind=kind)
    rule = threshold(above=0.5).model_copy(update={"metric": fed})
    assert sorted(breached(warehouse, rule)) == ["portfolio/x", "repository/x", "segment/x"]


def test_what_metrics_yaml_does_not_name_is_left_out(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.repository_settings "
                "select 1, 'a/named', null, 'auto', 'production', 'v', '{}', 24, '{}'"
            )
        )
    figures(warehouse, "change_failure_rate", {"a/named": 0.9, "a/removed": 0.9})
    assert list(breached(warehouse, threshold(above=0.5))) == ["a/named"]


def test_several_rules_of_all_kinds_together(warehouse: sa.Engine) -> None:
    figures(warehouse, "deployments_succeeded", {"a/x": [9.0] * 20 + [1.0] * 7})
    figures(warehouse, "lead_time_hours", {"a/x": [1.0] * 20})
    rules: list[Rule] = [
        threshold(below=2).model_copy(update={"metric": "deployments_succeeded"}),
        threshold(below=2, for_days=4).model_copy(update={"metric": "deployments_succeeded"}),
        change(days=7, drop=0.5),
        change(days=14, drop=0.1),
        SLOW.model_copy(update={"metric": "deployments_succeeded", "factor": 1.5}),
    ]
    named = {f"r{number}": rule.model_copy(update={"key": f"r{number}"}) for number, rule in enumerate(rules)}
    together = evaluate(warehouse, named, ON)
    alone = [one for key, rule in named.items() for one in evaluate(warehouse, {key: rule}, ON).conditions]
    assert together.conditions == alone
    assert [one.rule for one in alone] == ["r0", "r1", "r2"]
    assert together.looked_at == 5
    assert evaluate(warehouse, {}, ON) == Evaluation([], 0, 0)


@pytest.mark.parametrize(
    ("rule", "given", "text"),
    [
        (
            threshold(above=0.25),
            {"value": 0.32, "n": 25, "low": 0.17, "high": 0.52},
            "Change failure rate: 32 % (n = 25, 95 % interval 17 to 52 %), above 25 %.",
        ),
        (threshold(at_least=0.25), {"value": 0.25}, "Change failure rate: 25 % (n = 5), at or above 25 %."),
        (threshold(above=0.25), {"value": 0.2, "n": None}, "Change failure rate: 20 %, not above 25 %."),
        (
            threshold(above=0.25, clear_at=0.1),
            {"value": 0.2},
            "Change failure rate: 20 % (n = 5), between 10 %, where it is well again, and the limit of 25 %.",
        ),
        (threshold(above=0.25), {"value": None, "state": "unknown"}, "Change failure rate: not known (n = 5)."),
    ],
)
def test_what_is_said_of_a_limit(warehouse: sa.Engine, rule: Rule, given: dict[str, Any], text: str) -> None:
    figures(warehouse, "change_failure_rate", {"a/x": 0.0}, **given)
    assert standing(warehouse, rule, ["a/x"])["a/x"].text == text


def test_what_is_said_of_changes_and_multiples(warehouse: sa.Engine) -> None:
    figures(warehouse, "deployments_succeeded", {"a/x": [4, 4, 2, 1, 1, 1], "a/y": [4, 4, 2, 8, 8, 4]})
    found = standing(warehouse, DROP, ["a/x", "a/y"])
    assert found["a/x"].text.endswith(": 3 in the last 3 days (n = 15) against 10 in the 3 days before, 70 % less.")
    assert found["a/y"].text.endswith(": 20 in the last 3 days (n = 15) against 10 in the 3 days before, 100 % more.")
    figures(warehouse, SLOW.metric, {"a/x": 13.1})
    figures(warehouse, SLOW.baseline, {"a/x": 4.1}, last=ON - timedelta(days=7))
    assert standing(warehouse, SLOW, ["a/x"])["a/x"].text.endswith(
        ": 13.1 h (n = 5) against 4.1 h as the baseline of 7 days before, 3.2 times as much."
    )


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, "hours", "30 min"),
        (5.25, "hours", "5.2 h"),
        (72, "hours", "3 d"),
        (0.323, "ratio", "32 %"),
        (0.025, "ratio", "2.5 %"),
        (1, "ratio", "100 %"),
        (3, "per day", "3 a day"),
        (0.5, "per day", "3.5 a week"),
        (1234, "count", "1,234"),
        (2.25, "points", "2.2"),
        (12, "milliseconds", "12 ms"),
        (-2, "hours", "-2 h"),
        (1, "yes or no", "yes"),
        (0, "yes or no", "no"),
        (3, "days", "3 d"),
    ],
)
def test_amounts_in_words(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_intervals_in_words() -> None:
    assert interval(0.17, 0.52, "ratio") == "17 to 52 %"
    assert interval(0.5, 3, "hours") == "30 min to 3 h"
    assert interval(1, 9, "count") == "1 to 9"
