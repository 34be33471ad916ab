"""The alert rules that are shipped: they say what the requirements ask for, about figures that there are."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from metrics_assets.alerting.rules import evaluate
from metrics_assets.assets.calculated import calculate, plan
from metrics_assets.assets.derivations import derivations
from metrics_assets.catalogue.alerts import (
    AnomalyRule,
    ChangeRule,
    MilestoneRule,
    MissingRule,
    MultipleRule,
    PipelineRule,
    Rule,
    SubjectKind,
    ThresholdRule,
    active_rules,
    load_rules,
)
from metrics_assets.catalogue.metrics import Catalogue, Metric, load_catalogue
from metrics_assets_tests.catalogue.test_packs import PACK_OF_DOCUMENT, kinds_of
from metrics_assets_tests.warehouse.community import derive
from metrics_assets_tests.warehouse.tables import at, fill, issue, on, table

# Subjects that a rule is about when it names no kinds.
WATCHED: set[SubjectKind] = {"repository", "package", "community"}

# What the requirements ask for: the rule, its limit as the requirement has it, severity, channels, and the minutes
# until it escalates. None: the requirement names none.
ASKED_FOR: list[tuple[str, str, str, str, str | None, tuple[int, ...] | None]] = [
    ("S0-111", "response_time_high", "above 4", "critical", "slack-urgent email-maintainers", (30,)),
    ("S0-112", "sentiment_low", "below 6", "critical", "slack-community email-devrel", (60,)),
    ("S0-113", "contributor_churn_high", "above 0.4", "critical", "slack-team email-leadership", ()),
    ("S0-114", "growth_slow", "below 0.1", "warning", "slack-devrel", (240,)),
    ("S0-115", "documentation_issues_many", "above 5", "warning", "slack-docs", (1440,)),
    ("S0-116", "stars_milestone", "milestones", "info", "slack-team social-media", ()),
    ("S0-121", "latency_regressed", "above 0.1", "warning", None, None),
    ("S0-121", "memory_regressed", "above 0.05", "warning", None, None),
    ("S0-121", "allocations_regressed", "above 0.01", "warning", None, None),
    ("S0-122", "benchmark_regressed", "above 0.05", "warning", None, None),
    ("S0-125", "regression_major", "at_least 2", "critical", None, None),
    ("S1-89", "throughput_regressed", "drop 0.05", "warning", None, None),
    ("S2-01", "crashes_rising", "above 0.005", "warning", "monitoring", None),
    ("S2-51", "crash_spike", "above 0.01", "critical", "alerts", (240,)),
    ("S2-02", "p0_issue_opened", "at_least 1", "critical", "alerts", (60,)),
    ("S2-46", "p0_issue_opened", "at_least 1", "critical", "alerts", (60,)),
    ("S2-03", "privacy_leak", "at_least 1", "critical", "alerts email-team", None),
    ("S2-04", "release_yanked", "at_least 1", "critical", "alerts", None),
    ("S2-07", "personal_data_in_telemetry", "at_least 1", "critical", "alerts email-team", None),
    ("S2-08", "vulnerability_disclosed", "at_least 1", "critical", "alerts", (2880,)),
    ("S2-09", "telemetry_opt_outs_many", "above 0.5", "critical", None, None),
    ("S2-10", "privacy_concerns_many", "above 0.2", "critical", None, None),
    ("S2-11", "installs_fail", "above 0.15", "warning", "monitoring", None),
    ("S2-12", "install_script_errors", "above 0.1", "critical", None, None),
    ("S2-13", "installs_fail_on_platform", "above 0.2", "critical", None, (1440,)),
    ("S2-15", "commands_fail", "below 0.75", "warning", "monitoring", None),
    ("S2-16", "static_matches_few", "below 0.5", "warning", "monitoring", None),
    ("S2-18", "generation_slow", "above 5000", "warning", "monitoring", None),
    ("S2-52", "p1_issue_opened", "at_least 1", "warning", "monitoring", None),
    ("S3-34", "health_score_drop", "drop 10", "warning", None, None),
    ("S3-34", "run_failed", "run_failed", "warning", None, None),
    ("S3-34", "collection_incomplete", "collection_incomplete", "warning", None, None),
    ("S3-34", "rate_limited", "rate_limited", "warning", None, None),
    ("S3-34", "unusual_work", "anomaly", "warning", None, None),
    ("S4-34", "unusual_delivery", "anomaly", "warning", "engineering-metrics", None),
    ("S4-35", "low_deployment_activity", "drop 0.5", "warning", "engineering-metrics email-engineering", None),
    ("S4-36", "lead_time_bottleneck", "factor 3", "warning", "engineering-metrics email-engineering", None),
    (
        "S4-37",
        "change_failure_rate_high",
        "above 0.25",
        "critical",
        "engineering-metrics email-engineering pagerduty",
        None,
    ),
    ("S4-38", "team_satisfaction_low", "below 3", "warning", "engineering-metrics email-engineering", None),
    ("S4-39", "meeting_overload", "below 0.5", "warning", "engineering-metrics email-engineering", None),
    ("S4-51", "lead_time_over_two_days", "above 48", "warning", "engineering-metrics", None),
]
MENTIONED = {
    "p0_issue_opened": "channel",
    "release_yanked": "channel",
    "personal_data_in_telemetry": "team",
    "crash_spike": "engineering",
}
# Every name that a requirement gives to a channel, and those that rules without one use.
CHANNELS = {
    "slack-urgent", "email-maintainers", "slack-community", "email-devrel", "slack-team", "email-leadership",
    "slack-devrel", "slack-docs", "social-media", "alerts", "monitoring", "email-team", "engineering-metrics",
    "email-engineering", "pagerduty", "performance",
}  # fmt: skip


def limit_of(rule: Rule) -> str:
    """The number of a rule as it stands in its file."""
    match rule:
        case ThresholdRule():
            names = ("above", "below", "at_least", "at_most")
            return f"{next(name for name in names if getattr(rule, name) is not None)} {rule.limit:g}"
        case ChangeRule():
            return f"drop {rule.drop:g}" if rule.drop is not None else f"rise {rule.rise:g}"
        case MultipleRule():
            return f"factor {rule.factor:g}"
        case MilestoneRule():
            return "milestones"
        case PipelineRule():
            return rule.condition
        case AnomalyRule() | MissingRule():
            return rule.kind


@pytest.mark.parametrize(("requirement", "key", "limit", "severity", "channels", "escalates"), ASKED_FOR)
def test_every_alert_that_was_asked_for_is_there(
    requirement: str, key: str, limit: str, severity: str, channels: str | None, escalates: tuple[int, ...] | None
) -> None:
    rule = load_rules()[key]
    assert requirement in rule.requirements
    assert limit_of(rule) == limit
    assert rule.severity == severity
    assert rule.mention == MENTIONED.get(key, rule.mention)
    if channels is not None:
        assert " ".join(rule.channels) == channels
    if escalates is not None:
        assert tuple(one.after_minutes for one in rule.escalate) == escalates


def test_the_lead_time_warning_comes_at_nine_on_weekdays() -> None:
    rule = load_rules()["lead_time_over_two_days"]
    assert (rule.tell_at, rule.tell_on) == ("09:00", ("mon", "tue", "wed", "thu", "fri"))


def test_channels_are_those_of_the_requirements() -> None:
    told = {name for rule in load_rules().values() for name in rule.channels}
    told |= {name for rule in load_rules().values() for one in rule.escalate for name in one.channels}
    assert told <= CHANNELS


def test_rules_of_a_pack_are_about_requirements_of_its_document() -> None:
    for rule in load_rules().values():
        if rule.pack is not None:
            assert {PACK_OF_DOCUMENT[id_[:2]] for id_ in rule.requirements} <= {rule.pack}, rule.key


def limits(rule: Rule) -> list[tuple[str, float]]:
    """Every number of a rule that is in the unit of its metric."""
    if isinstance(rule, ThresholdRule):
        return [("limit", rule.limit), *([("clear_at", rule.clear_at)] if rule.clear_at is not None else [])]
    if isinstance(rule, MilestoneRule):
        return [("milestone", one) for one in rule.milestones]
    if isinstance(rule, ChangeRule):
        step = [("step", rule.drop or rule.rise or 0)] if rule.by == "amount" else []
        return [*step, ("minimum_reference", rule.minimum_reference)]
    return []


def test_limits_are_in_the_unit_of_their_metric() -> None:
    metrics = load_catalogue().metrics
    for rule in load_rules().values():
        for name, value in limits(rule):
            (key,) = rule.metrics()
            unit, where = metrics[key].unit, f"{rule.key}, {name}"
            highest = {"ratio": 1, "points": 100, "score": 10}.get(unit)
            assert value >= 0, where
            if highest is not None:
                assert value <= highest, where
            if unit == "count":
                assert value == int(value), where


def test_thresholds_are_beyond_what_is_good() -> None:
    metrics = load_catalogue().metrics
    for rule in load_rules().values():
        if isinstance(rule, ThresholdRule) and metrics[rule.metric].direction != "neutral":
            assert rule.upwards == (metrics[rule.metric].direction == "lower"), rule.key
        if isinstance(rule, ChangeRule):
            assert (rule.drop is not None) == (metrics[rule.metric].direction == "higher"), rule.key
        if isinstance(rule, MilestoneRule):
            assert metrics[rule.metric].direction == "higher", rule.key
            assert list(rule.milestones) == sorted(set(rule.milestones)), rule.key


def test_an_alert_on_a_figure_that_wavers_ends_a_bit_before_its_limit() -> None:
    """Counts step by one, and figures that are fed for a release stand until the next."""
    metrics = load_catalogue().metrics
    for rule in load_rules().values():
        if isinstance(rule, ThresholdRule):
            metric = metrics[rule.metric]
            wavers = metric.unit != "count" and metric.cadence != "per release"
            assert (rule.clear_at is not None and rule.clear_at != rule.limit) or not wavers, rule.key


def is_fed(metric: Metric) -> bool:
    """Whether a figure is fed, or calculated from one that is."""
    metrics = load_catalogue().metrics
    parts = re.findall(r"[a-z]\w*", metric.formula or "") if metric.is_calculated else []
    return bool(metric.fed) or any(is_fed(metrics[part]) for part in parts if part in metrics)


def test_rules_are_about_subjects_that_their_figures_have() -> None:
    metrics = load_catalogue().metrics
    for rule in load_rules().values():
        if isinstance(rule, PipelineRule):
            assert not rule.subject_kinds, rule.key
            continue
        for key in rule.metrics():
            metric = metrics[key]
            if metric.table is not None and metric.table.startswith("space_"):
                have = {"team", "portfolio"}
            else:
                have = kinds_of(metric)
            wanted = set(rule.subject_kinds) or (have if is_fed(metric) else WATCHED)
            assert wanted & have, f"{rule.key}: {key} has none of {sorted(wanted)}"


def test_what_is_fed_days_late_still_alerts() -> None:
    """Rules look at the newest day: one about fed events of a single day would never hear of a late row."""
    catalogue = load_catalogue().metrics
    for rule in load_rules().values():
        for key in rule.metrics():
            metric = catalogue[key]
            parts = re.findall(r"[a-z]\w*", metric.formula or "") if metric.is_calculated else []
            counted = [one for one in (key, *parts) if one in catalogue and catalogue[one].fed == "events"]
            assert all((catalogue[one].window or 1) >= 7 for one in counted), f"{rule.key}: {counted}"


def fed(engine: sa.Engine, kind: str, *days: str) -> None:
    with engine.begin() as connection:
        for number, day in enumerate(days):
            connection.execute(
                sa.text("insert into raw.events (event_id, occurred_at, kind, title) values (:id, :at, :kind, 't')"),
                {"id": f"{kind} {number}", "at": at(day), "kind": kind},
            )


def standing(engine: sa.Engine, key: str, *days: str) -> list[str]:
    """What a rule says on days of 2025; nothing where all is well, or unknown."""
    metrics = load_catalogue().metrics
    first, last = on(days[0]) - timedelta(days=14), on(days[-1]) + timedelta(days=1)
    derive(engine, on(days[-1]), first)
    derivations()["fed_daily"].run(engine, first, last)
    made = plan(Catalogue(metrics={one: metrics[one] for one in LATE}))
    assert made.problems == {}
    assert calculate(engine, made, first, last)["problems"] == 0
    found = [evaluate(engine, {key: load_rules()[key]}, on(day)).conditions for day in days]
    return [" ".join(one.text for one in conditions) for conditions in found]


LATE = ("privacy_issues_opened", "privacy_leak_reports_week", "privacy_leaks_week")


def test_a_label_that_comes_a_day_later_alerts(warehouse: sa.Engine) -> None:
    fill(warehouse, issue(1, "06-10 09:00", labels=["question"]))
    assert standing(warehouse, "p0_issue_opened", "06-10") == [""]
    with warehouse.begin() as connection:
        connection.execute(sa.text("update raw.issues set labels = '{P0}'"))
    assert standing(warehouse, "p0_issue_opened", "06-11") == ["Open P0 issues: 1, at or above 1."]


def test_findings_of_personal_data_that_are_fed_late_alert(warehouse: sa.Engine) -> None:
    fill(warehouse)
    fed(warehouse, "personal_data_in_telemetry", "06-10 09:00")
    assert standing(warehouse, "personal_data_in_telemetry", "06-13", "06-16", "06-17") == [
        "Personal data in telemetry, 7 days: 1, at or above 1.",
        "Personal data in telemetry, 7 days: 1, at or above 1.",
        "",
    ]


@pytest.mark.parametrize("has_issues", [True, False])
def test_privacy_leaks_that_are_fed_late_alert_though_issues_are_unknown(
    warehouse: sa.Engine, has_issues: bool
) -> None:
    fill(warehouse, has_issues=has_issues)
    fed(warehouse, "privacy_leak", "06-10 09:00", "06-10 10:00")
    assert standing(warehouse, "privacy_leak", "06-13", "06-17") == ["Privacy leaks, 7 days: 2, at or above 1.", ""]
    # Before anything was ever reported, and when it was more than 7 days ago, the issues alone say that all is well.
    known = table(
        warehouse,
        "select date, value, state from metrics.calculated_daily where metric = 'privacy_leaks_week' "
        "and subject_kind = 'portfolio' and date in ('2025-06-09', '2025-06-17') order by date",
    )
    assert known == [(day, 0, "ok") if has_issues else (day, None, "unknown") for day in ("06-09", "06-17")]


def test_unusual_days_are_told_of_figures_that_are_judged() -> None:
    judged = set(load_catalogue().with_anomalies())
    for rule in load_rules().values():
        if isinstance(rule, AnomalyRule):
            assert rule.metric_keys, f"{rule.key}: of everything nobody wants to be told"
            assert set(rule.metric_keys) <= judged, rule.key
    told = [key for rule in load_rules().values() if isinstance(rule, AnomalyRule) for key in rule.metric_keys]
    assert len(told) == len(set(told)), "told twice of one figure"


def test_rates_stand_on_enough() -> None:
    """A share of few is one's holiday or one failure; the catalogue's own minimum is what may be shown at all."""
    for key in ("change_failure_rate_high", "contributor_churn_high", "response_time_high", "noisy_rule"):
        rule = load_rules()[key]
        assert isinstance(rule, ThresholdRule)
        assert rule.minimum_n >= 5, key


def test_each_says_what_to_do_in_a_sentence() -> None:
    for rule in load_rules().values():
        assert len(rule.action.split()) >= 5, rule.key
        assert rule.action.endswith("."), rule.key
        assert rule.requirements or rule.source, rule.key
        assert not rule.title.endswith("."), rule.key
        # Somebody may change the number in metrics.yaml, and the title would tell the old one.
        assert not re.search(r"\d", rule.title.replace("P0", "").replace("P1", "").replace("99th", "")), rule.key
        # Messages go to places that know no Markdown.
        assert not set("`*<>") & set(rule.action + rule.title), rule.key


def test_rules_that_count_for_everybody() -> None:
    always = {rule.condition for rule in active_rules([]).values() if isinstance(rule, PipelineRule)}
    assert always == {"run_failed", "data_late", "collection_incomplete", "rate_limited", "undelivered"}
    assert "crash_spike" not in active_rules(["community"])
    assert "crash_spike" in active_rules(["release-watch"])
