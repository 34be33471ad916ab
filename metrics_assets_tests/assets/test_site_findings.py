"""Alerts, forecasts, insights, data quality and method: tables in, pages out, as of a day and without teams."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets.assets.site import alerts, data_quality, forecasts, insights, method
from metrics_assets.assets.site.alerts import alerts_data, banner, without_teams
from metrics_assets.assets.site.data_quality import data_quality_data
from metrics_assets.assets.site.forecasts import forecasts_data
from metrics_assets.assets.site.insights import insights_data
from metrics_assets.assets.site.reading import Page, Reading, reading_of
from metrics_assets.catalogue.alerts import ThresholdRule
from metrics_assets_tests.alerting.conditions import settings
from metrics_assets_tests.reporting.page_reader import read_harmless
from metrics_assets_tests.reporting.samples import HOSTILE, site_info
from metrics_assets_tests.tables import insert

DAY = date(2025, 12, 31)
TEAM = "paymentsquad"
PERSON = "Rosalind"
PAGES: dict[str, Page] = {
    addresses.ALERTS: alerts.files,
    addresses.FORECASTS: forecasts.files,
    addresses.INSIGHTS: insights.files,
    addresses.DATA_QUALITY: data_quality.files,
    addresses.METHOD: method.files,
}


def at(day: date, hour: int = 2) -> datetime:
    """An hour of the day on which a day is evaluated."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=hour)


def alert_row(kind: str, subject: str, opened_on: date, **changes: Any) -> dict[str, Any]:
    return {
        "rule": "change_failure_rate_high", "subject_kind": kind, "subject": subject, "severity": "critical",
        "state": "firing", "opened_on": opened_on, "last_evaluated_on": DAY, "value": 0.4, "n": 20, "reference": 0.25,
        "metric": "change_failure_rate", "text": f"Change failure rate of {subject}: 40 %.", "fired_at": at(opened_on),
    } | changes  # fmt: skip


def repository(number: int, name: str) -> dict[str, Any]:
    return {
        "repository_id": number, "repository": name, "team": TEAM, "deployment_source": "auto",
        "environment": "production", "release_tag_pattern": "x", "incident_labels": [],
        "incident_maximum_gap_hours": 24,
        "entities": ["issues"],
    }  # fmt: skip


@pytest.fixture
def portfolio(warehouse: sa.Engine) -> sa.Engine:
    """A portfolio of two repositories of a team, with nothing measured."""
    insert(
        warehouse, "ops.portfolio",
        {"portfolio": "acme", "start": date(2025, 6, 1), "settle_days": 3, "minimum_group": 3, "person_key_check": "x",
         "space_teams": [TEAM]},
    )  # fmt: skip
    insert(warehouse, "ops.repository_settings", repository(1, "acme/api"), repository(2, "acme/web"))
    insert(warehouse, "ops.team_members", {"team": TEAM, "person_key": "k1"})
    return warehouse


@pytest.fixture
def filled(portfolio: sa.Engine) -> sa.Engine:
    """The portfolio with something of everything, of repositories and of the team, and hostile texts."""
    subjects = [("repository", "acme/api"), ("team", TEAM), ("portfolio", "acme")]
    insert(portfolio, "ops.alerts", *(alert_row(kind, name, DAY - timedelta(days=3)) for kind, name in subjects))
    insert(
        portfolio, "ops.alerts",
        *(
            alert_row(kind, name, DAY - timedelta(days=20), state="resolved", resolved_on=DAY - timedelta(days=9),
                      rule="low_deployment_activity", resolved_because=f"by hand by {PERSON}: {PERSON} looked at it")
            for kind, name in subjects
        ),
    )  # fmt: skip
    insert(
        portfolio, "ops.silences",
        *(
            {"rule": None, "subject_kind": kind, "subject": name, "starts_at": at(DAY - timedelta(days=2)),
             "ends_at": at(DAY + timedelta(days=9)), "reason": f"{PERSON} is away", "created_by": PERSON,
             "created_at": at(DAY - timedelta(days=2))}
            for kind, name in [*subjects, (None, TEAM)]
        ),
    )  # fmt: skip
    insert(
        portfolio, "metrics.anomalies",
        *(
            {"metric": "lead_time_hours", "subject_kind": kind, "subject": name, "date": DAY, "value": 48, "n": 9,
             "state": "anomaly", "kind": "spike", "expected": 12, "severity": "critical", "score": 9,
             "explanation": f"{name}: {HOSTILE}"}
            for kind, name in subjects
        ),
    )  # fmt: skip
    insert(
        portfolio, "metrics.forecasts",
        *(
            {"metric": "stars_total", "subject_kind": kind, "subject": name, "date": DAY, "horizon": horizon,
             "target_on": DAY + timedelta(days=horizon), "p10": 90, "p50": 100 + horizon, "p90": 400, "method": "drift",
             "beats_naive": True, "n": 65, "crps": 1, "naive_crps": 2, "coverage": 0.8}
            for kind, name in subjects for horizon in (7, 30, 90, 180)
        ),
    )  # fmt: skip
    insert(
        portfolio, "metrics.forecast_scenarios",
        *(
            {"metric": "stars_total", "subject_kind": kind, "subject": name, "date": DAY, "horizon": 180,
             "scenario": scenario, "p10": 90, "p50": 200, "p90": 300}
            for kind, name in subjects for scenario in ("pessimistic", "realistic", "optimistic")
        ),
    )  # fmt: skip
    insert(
        portfolio, "metrics.goal_forecasts",
        *(
            {"goal": "stars", "subject_kind": kind, "subject": name, "date": DAY, "metric": "stars_total",
             "target": 500, "comparison": "at_least", "state": "ok", "probability": 0.4, "reason": HOSTILE}
            for kind, name in subjects
        ),
    )  # fmt: skip
    insert(
        portfolio, "metrics.insights",
        *(
            {"insight": "trend", "subject_kind": kind, "subject": name, "date": day, "topic": "growth risk",
             "weight": 4.0, "sentence": f"{name} {HOSTILE}", "action": HOSTILE, "n": 12, "p": 0.01,
             "evidence": {"subject": name, "metric": HOSTILE}}
            for kind, name in subjects for day in (DAY, date(2025, 11, 30))
        ),
    )  # fmt: skip
    insert(
        portfolio, "metrics.correlations",
        *(
            {"pair": "focus_time_defects", "subject_kind": kind, "subject": name, "date": DAY, "x": "lead_time_hours",
             "y": "change_failure_rate", "lag_days": 7, "n": 28, "survives": True, "state": "ok",
             "sentence": f"{name}: they go together."}
            for kind, name in subjects
        ),
    )  # fmt: skip
    insert(
        portfolio, "ops.rejected_rows",
        {"file": "kpi_values.csv", "line": 2, "content": f"{PERSON},1", "problem": f"segment team:{TEAM} is not known"},
    )  # fmt: skip
    insert(portfolio, "ops.metric_problems", {"metric": "own", "problem": f"{HOSTILE} of {TEAM.upper()}"})
    insert(
        portfolio, "ops.daily_status",
        {"date": DAY, "status": "issues", "line": f"{DAY}: issues: {TEAM}", "details": {"failed_checks": ["check c"]}},
    )  # fmt: skip
    return portfolio


def reading(engine: sa.Engine, day: date = DAY) -> Reading:
    return reading_of(engine, settings(), day)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_an_empty_portfolio_is_there_and_whole(portfolio: sa.Engine, page: str) -> None:
    found = dict(PAGES[page](reading(portfolio), site_info()))
    for path, content in found.items():
        if path.endswith(".html"):
            read_harmless(content)
    assert page in found


@pytest.mark.parametrize("page", PAGES)
def test_no_page_and_no_file_of_it_names_a_team_or_a_person(filled: sa.Engine, page: str) -> None:
    found = dict(PAGES[page](reading(filled), site_info()))
    for path, content in found.items():
        if path.endswith(".html"):
            read_harmless(content)
        text = str(content).lower()
        assert TEAM not in text, path
        assert PERSON.lower() not in text, path
    if page not in (addresses.METHOD, addresses.DATA_QUALITY):
        assert "acme/api" in str(found[page])  # the rows of the others are there


def test_the_alerts_of_a_past_day_are_those_that_were_open_then(filled: sa.Engine) -> None:
    def subjects(day: date) -> list[str]:
        return sorted(one.subject for one in alerts_data(reading(filled, day)).open)

    assert subjects(DAY) == ["acme", "acme/api"]
    assert subjects(DAY - timedelta(days=4)) == []
    assert subjects(DAY - timedelta(days=15)) == ["acme", "acme/api"]
    assert [one.because for one in alerts_data(reading(filled)).ended] == ["ended by hand"] * 2
    assert alerts_data(reading(filled, DAY - timedelta(days=15))).ended == ()


def test_labels_are_counted_over_28_days_and_unknown_is_not_none_at_all(portfolio: sa.Engine) -> None:
    insert(
        portfolio, "metrics.calculated_daily",
        *(
            {"metric": "p1_issues_opened", "subject_kind": "repository", "subject": subject,
             "date": DAY - timedelta(days=ago), "value": value, "state": "unknown" if value is None else "ok"}
            for subject, ago, value in (
                ("acme/api", 0, 2), ("acme/web", 0, None), ("acme/api", 27, 3), ("acme/api", 28, 100),
            )
        ),
    )  # fmt: skip
    labels = {one.metric: one for one in alerts_data(reading(portfolio)).labels}
    one = labels["p1_issues_opened"]
    assert (one.number, one.known, one.repositories) == (5, 1, 2)
    assert labels["p0_bugs_opened"].number is None


def test_what_people_said_of_alerts_counts_within_the_28_days(filled: sa.Engine) -> None:
    with filled.connect() as connection:
        ids = connection.execute(
            sa.text("select alert_id from ops.alerts where subject_kind <> 'team' order by alert_id")
        ).scalars().all()  # fmt: skip
    for alert_id, outcome, ago in zip(ids, ("useful", "noise", "useful", "noise"), (0, 1, 40, -9), strict=True):
        insert(
            filled, "ops.alert_outcomes",
            {"alert_id": alert_id, "outcome": outcome, "decided_by": PERSON,
             "decided_at": at(DAY - timedelta(days=ago))},
        )  # fmt: skip
    records = {one.rule.key: one for one in alerts_data(reading(filled)).rules}
    assert (records["change_failure_rate_high"].useful, records["change_failure_rate_high"].noise) == (1, 1)
    assert (records["low_deployment_activity"].useful, records["low_deployment_activity"].noise) == (0, 0)
    assert records["change_failure_rate_high"].fired == 2
    assert records["low_deployment_activity"].fired == 2


def test_the_banner_has_the_five_oldest_critical_alerts_and_no_team(filled: sa.Engine) -> None:
    insert(
        filled, "ops.alerts",
        *(alert_row("repository", f"acme/r{number}", DAY - timedelta(days=number)) for number in range(4, 9)),
        alert_row("repository", "acme/minor", DAY - timedelta(days=30), severity="warning"),
    )  # fmt: skip
    items = banner(reading(filled))
    assert [item.subject for item in items] == [f"acme/r{number}" for number in (8, 7, 6, 5, 4)]
    page = read_harmless(dict(alerts.files(reading(filled), site_info()))[addresses.ALERTS])
    assert {item.href.removeprefix(f"{addresses.ALERTS}#") for item in items} <= set(page.ids)


def test_a_rule_about_a_team_is_said_without_its_name() -> None:
    rule = ThresholdRule(
        kind="threshold", key="r", title="R", severity="info", action="Look.", metric="change_failure_rate", above=1,
        subjects=(TEAM,), subject_kinds=("team",),
    )  # fmt: skip
    assert without_teams(rule).subjects == ()
    of_a_repository = rule.model_copy(update={"subjects": ("acme/api",), "subject_kinds": ("repository",)})
    assert without_teams(of_a_repository).subjects == ("acme/api",)


def test_forecasts_are_the_newest_that_were_made_by_the_day(filled: sa.Engine) -> None:
    insert(
        filled, "metrics.calculated_daily",
        {"metric": "downloads_growth_month", "subject_kind": "portfolio", "subject": "acme", "date": DAY, "value": 0.2,
         "state": "ok"},
    )  # fmt: skip
    data = forecasts_data(reading(filled))
    assert data.made_on == DAY
    assert [(row.metric, row.subject) for row in data.rows] == [("stars_total", "acme"), ("stars_total", "acme/api")]
    assert data.rows[0].ahead[30].p50 == 130
    assert data.rows[0].ahead[180].p50 == 280
    assert [one.series.metric.key for one in data.featured] == ["stars_total"]
    assert [one.horizon for one in data.featured[0].scenarios] == [180, 180, 180]
    assert [(goal.subject, goal.probability) for goal in data.goals] == [("acme", 0.4), ("acme/api", 0.4)]
    assert forecasts_data(reading(filled, DAY - timedelta(days=1))).rows == ()
    # An older one is none of today.
    assert forecasts_data(reading(filled, DAY + timedelta(days=8))).made_on is None


def test_insights_are_the_newest_that_were_made_by_the_day(filled: sa.Engine) -> None:
    data = insights_data(reading(filled))
    assert data.made_on == DAY
    assert sorted(one.subject for one in data.insights) == ["acme", "acme/api"]
    assert [on for on, _ in data.earlier] == [date(2025, 11, 30)] * 2
    assert [one.why for one in data.pairs] == ["Work that is interrupted less is expected to have fewer defects."] * 2
    assert insights_data(reading(filled, date(2025, 12, 15))).made_on == date(2025, 11, 30)
    assert insights_data(reading(filled, date(2025, 11, 1))).made_on is None


def log(subject: str, entity: str, outcome: str, day: date, **changes: Any) -> dict[str, Any]:
    return {
        "repository": subject, "entity": entity, "run_id": f"run-{day}", "range_start": day - timedelta(days=2),
        "range_end": day + timedelta(days=1), "outcome": outcome, "rows_read": 1, "requests": 1, "points": 0,
        "reason": None if outcome == "complete" else "403: no permission\nat line 7", "finished_at": at(day),
        "error_class": None if outcome == "complete" else "Forbidden",
    } | changes  # fmt: skip


def test_lists_count_as_the_newest_collection_of_the_day_left_them(portfolio: sa.Engine) -> None:
    insert(
        portfolio, "ops.collection_log",
        log("acme/api", "issues", "complete", DAY - timedelta(days=2)),
        log("acme/api", "issues", "incomplete", DAY - timedelta(days=1)),
        log("acme/api", "issues", "incomplete", DAY),
        log("acme/web", "issues", "complete", DAY),
        log("acme/gone", "issues", "incomplete", DAY),  # not in metrics.yaml any more
        log("acme/web", "issues", "incomplete", DAY + timedelta(days=9)),  # about later days
    )  # fmt: skip
    data = data_quality_data(reading(portfolio))
    assert (data.lists, data.whole) == (2, 1)
    assert [(one.subject, one.days, one.reason, one.error_class) for one in data.incomplete] == [
        ("acme/api", 2, "403: no permission", "Forbidden")
    ]
    (issues,) = data.freshness
    assert (issues.subjects, issues.current, issues.newest, issues.oldest, issues.farthest) == (
        2, 1, DAY, DAY - timedelta(days=2), "acme/api",
    )  # fmt: skip
    before = data_quality_data(reading(portfolio, DAY - timedelta(days=2)))
    assert (before.lists, before.whole) == (2, 1)
    assert [one.error_class for one in before.incomplete] == ["Forbidden"]


def test_a_repository_without_a_row_does_not_have_a_figure(portfolio: sa.Engine) -> None:
    figures = (("stars_new_two_weeks", 0.5, "ok"), ("discussions_growth_month", None, "too_few"))
    insert(
        portfolio, "metrics.calculated_daily",
        *(
            {"metric": metric, "subject_kind": kind, "subject": subject, "date": DAY, "value": value, "state": state}
            for metric, value, state in figures for kind, subject in (("repository", "acme/api"), ("team", TEAM))
        ),
    )  # fmt: skip
    states = {one.metric: one for one in data_quality_data(reading(portfolio)).states}
    assert {key: (one.known, one.too_few, one.unknown) for key, one in states.items()} == {
        "stars_new_two_weeks": (1, 0, 1), "discussions_growth_month": (0, 1, 1),
    }  # fmt: skip


def test_gaps_of_perishable_data_are_told_with_what_is_lost(portfolio: sa.Engine) -> None:
    whole, until, since = date(2025, 12, 1), date(2025, 12, 11), date(2025, 12, 30)
    insert(
        portfolio, "ops.collection_state",
        {"repository_id": 1, "entity": "traffic", "days": f"{{[{whole},{until}),[{since},{DAY + timedelta(days=1)})}}"},
        {"repository_id": 2, "entity": "traffic", "days": f"{{[{whole},{DAY + timedelta(days=1)})}}"},
    )  # fmt: skip
    insert(portfolio, "ops.package_settings", {"registry": "reg", "package": "acme"})
    insert(
        portfolio, "raw.package_downloads",
        *(
            {"registry": "reg", "package": "acme", "date": DAY - timedelta(days=ago), "downloads": 5}
            for ago in (10, 9, 7, 6, 5, 4, 3)
        ),
    )  # fmt: skip
    gaps = {one.what: one for one in data_quality_data(reading(portfolio)).gaps}
    traffic, downloads = gaps["traffic"], gaps["downloads"]
    # 11 to 29 December are missing; GitHub has kept those from the 18th on.
    assert (traffic.subject, traffic.missing, traffic.lost, traffic.newest_missing) == (
        "acme/api",
        19,
        7,
        date(2025, 12, 29),
    )
    assert (downloads.subject, downloads.missing, downloads.lost) == ("reg:acme", 1, 0)
    assert downloads.newest_missing == DAY - timedelta(days=8)


def test_cost_is_that_of_the_runs_that_collected_the_days(portfolio: sa.Engine) -> None:
    insert(portfolio, "ops.collection_log", log("acme/api", "issues", "complete", DAY, run_id="r1"),
           log("acme/api", "issues", "complete", DAY - timedelta(days=60), run_id="old"))  # fmt: skip
    insert(
        portfolio, "ops.api_usage",
        *(
            {"day": day, "run_id": run, "source": source, "entity": "issues", "subject": "acme/api", "resource": "core",
             "requests": requests, "points": 0, "not_modified": 4}
            for run, source, requests, day in (
                ("r1", "github", 250, date(2026, 11, 21)), ("r1", "pypi", 10, DAY), ("old", "github", 9999, DAY),
            )
        ),
    )  # fmt: skip
    costs = data_quality_data(reading(portfolio)).costs
    assert [(one.source, one.requests, one.busiest, one.limit) for one in costs] == [
        ("github", 250.0, 250.0, 5000.0), ("pypi", 10.0, 10.0, None),
    ]  # fmt: skip
