"""The figures of reports, out of a small warehouse: what is read, as of which day, and what is never read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from metrics_assets.assets.reports.figures import read_figures
from metrics_assets.errors import ConfigurationError
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.reports import DOCUMENTS, Figures, figures_json, figures_of
from metrics_assets.settings import Settings
from metrics_assets_tests.reporting.report_sample import section, text
from metrics_assets_tests.tables import insert

OCTOBER, NOVEMBER = date(2025, 10, 31), date(2025, 11, 30)
PERIODS: dict[ReportKind, tuple[date, date]] = {
    "monthly_report": (date(2025, 11, 1), NOVEMBER),
    "executive_summary": (date(2025, 11, 1), NOVEMBER),
    "quarterly_review": (date(2025, 10, 1), date(2025, 12, 31)),
    "weekly_digest": (date(2025, 11, 24), NOVEMBER),
}
SETTINGS = Settings.model_validate(
    {
        "portfolio": "Acme",
        "start": "2025-06-01",
        "repositories": [{"github": "acme/api"}, {"github": "acme/web"}],
        "reports": {"prepared_by": "Developer experience"},
        "alerts": {"site_url": "https://metrics.example.org"},
    }
)
TEAM = "secret-team"
GOLDEN = Path(__file__).parent / "monthly_report.txt"


def put(engine: sa.Engine, metric: str, values: Mapping[date, float | None], kind: str = "portfolio",
        subject: str = "Acme", n: int | None = 20, state: str = "ok") -> None:  # fmt: skip
    """Figures by day; None is unknown."""
    rows = [
        {
            "metric": metric, "subject_kind": kind, "subject": subject, "date": on, "value": value, "n": n,
            "state": "unknown" if value is None else state,
        }
        for on, value in values.items()
    ]  # fmt: skip
    insert(engine, "metrics.calculated_daily", *rows)


def days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def daily(first: date, last: date, value: float) -> dict[date, float | None]:
    return dict.fromkeys(days(first, last), value)


@pytest.fixture
def small(warehouse: sa.Engine) -> sa.Engine:
    """Two repositories in October and November, and a team whose name nobody may read."""
    insert(
        warehouse, "ops.portfolio",
        {"portfolio": "Acme", "start": date(2025, 6, 1), "settle_days": 3, "minimum_group": 3, "person_key_check": "x"},
    )  # fmt: skip
    for number, name in enumerate(("acme/api", "acme/web"), start=1):
        insert(
            warehouse, "ops.repository_settings",
            {
                "repository_id": number, "repository": name, "team": TEAM, "deployment_source": "auto",
                "environment": "production", "release_tag_pattern": ".*", "incident_labels": ["incident"],
                "incident_maximum_gap_hours": 24, "entities": ["issues"],
            },
        )  # fmt: skip
    put(warehouse, "stars_total", {OCTOBER: 1400, NOVEMBER: 1660, date(2025, 8, 31): 1000})
    put(warehouse, "stars_new", {**daily(date(2025, 10, 1), OCTOBER, 7), **daily(date(2025, 11, 1), NOVEMBER, 9)})
    put(warehouse, "community_satisfaction", {OCTOBER: 8.4, NOVEMBER: 8.6})
    put(warehouse, "issues_open", {OCTOBER: 50, NOVEMBER: 57})
    put(warehouse, "issues_opened", {**daily(date(2025, 10, 1), OCTOBER, 1), **daily(date(2025, 11, 1), NOVEMBER, 1)})
    put(warehouse, "issues_closed", {**daily(date(2025, 10, 1), OCTOBER, 1), **daily(date(2025, 11, 1), NOVEMBER, 0.8)})
    put(warehouse, "pickup_hours", {OCTOBER: 8, NOVEMBER: 6})
    put(warehouse, "contributor_churn", {OCTOBER: None, NOVEMBER: 0.2}, state="too_few")
    for key, (before, now) in {
        "deployment_frequency": (2.0, 2.5),
        "lead_time_hours": (20.0, 30.0),
        "change_failure_rate": (0.1, 0.08),
        "failed_deployment_recovery_hours": (None, None),
    }.items():
        put(warehouse, key, {OCTOBER: before, NOVEMBER: now})
    put(warehouse, "lead_time_hours", {OCTOBER: 20, NOVEMBER: 200}, "repository", "acme/api")
    put(warehouse, "lead_time_hours", {OCTOBER: 20, NOVEMBER: 20}, "repository", "acme/web")
    goal = {
        "metric": "stars_total", "subject_kind": "portfolio", "subject": "Acme", "date": NOVEMBER, "value": 1660,
        "metric_state": "ok", "target": 12000, "comparison": "at_least", "due_on": date(2025, 12, 31),
        "status": "off track", "reason": "behind",
    }  # fmt: skip
    insert(
        warehouse, "metrics.goals_daily",
        {"goal": "stars_2025_q4", **goal},
        {"goal": "community_satisfaction", **goal, "metric": "community_satisfaction", "value": 8.6, "target": 8.5,
         "due_on": None, "status": "met"},
        {"goal": "community_satisfaction", **goal, "metric": "community_satisfaction", "value": 8.4, "target": 8.5,
         "due_on": None, "status": "at risk", "date": OCTOBER},
    )  # fmt: skip
    insert(
        warehouse, "ops.alerts",
        {
            "rule": "lead_time_over_two_days", "subject_kind": "repository", "subject": "acme/api",
            "severity": "warning", "state": "firing", "opened_on": date(2025, 11, 20), "resolved_on": None,
            "last_evaluated_on": NOVEMBER, "metric": "lead_time_hours", "text": "Eight days.", "value": 200,
        },
    )  # fmt: skip
    insert(
        warehouse, "metrics.insights",
        {
            "insight": "bottleneck", "subject_kind": "repository", "subject": "acme/api", "date": NOVEMBER,
            "topic": "bottleneck", "weight": 5, "sentence": "The bottleneck is review.",
            "action": "Make pull requests smaller.", "evidence": {"metric": "review_hours"},
        },
    )  # fmt: skip
    insert(
        warehouse, "raw.events",
        {"event_id": "e", "occurred_at": "2025-11-13T09:00Z", "kind": "award", "title": "Library of the year"},
    )  # fmt: skip
    insert(
        warehouse, "raw.releases",
        {
            "repository_id": 2, "release_id": 1, "tag": "v2.0", "is_draft": False, "is_prerelease": False,
            "created_at": "2025-11-12T09:00Z", "published_at": "2025-11-12T09:00Z",
        },
    )  # fmt: skip
    return warehouse


def read(engine: sa.Engine, kind: ReportKind = "monthly_report", as_of: date = NOVEMBER) -> Figures:
    return read_figures(kind, engine, SETTINGS, *PERIODS[kind], as_of)


def test_the_whole_monthly_report_of_a_small_warehouse(small: sa.Engine) -> None:
    """When the wording changes: read the difference, then write the new text into the file."""
    assert text(DOCUMENTS["monthly_report"](read(small))).splitlines() == GOLDEN.read_text("utf-8").splitlines()


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_what_came_later_changes_nothing(small: sa.Engine, kind: ReportKind) -> None:
    before = read(small, kind)
    later = date(2025, 12, 1)
    put(small, "stars_total", {later: 9000})
    put(small, "stars_new", daily(later, date(2025, 12, 31), 99))
    with small.begin() as connection:
        for table in ("metrics.goals_daily", "metrics.insights"):
            columns = [column["name"] for column in sa.inspect(small).get_columns(table.split(".")[1], "metrics")]
            names = ", ".join(columns)
            shifted = ", ".join("date '2025-12-01'" if name == "date" else name for name in columns)
            connection.execute(
                sa.text(f"insert into {table} ({names}) select {shifted} from {table} where date = '2025-11-30'")
            )
        connection.execute(
            sa.text(
                "insert into ops.alerts (rule, subject_kind, subject, severity, state, opened_on, last_evaluated_on) "
                "values ('low_deployment_activity', 'repository', 'acme/web', 'critical', 'firing', :day, :day)"
            ),
            {"day": later},
        )
        connection.execute(sa.text("update ops.alerts set resolved_on = :day, state = 'resolved' where value = 200"),
                           {"day": later})  # fmt: skip
    insert(small, "raw.events", {"event_id": "l", "occurred_at": "2025-12-01T00:00Z", "kind": "award", "title": "Late"})
    insert(
        small, "metrics.forecasts",
        {"metric": "stars_total", "subject_kind": "portfolio", "subject": "Acme", "date": later, "horizon": 180,
         "target_on": date(2026, 5, 30), "p10": 1, "p50": 2, "p90": 3, "method": "drift"},
    )  # fmt: skip
    assert read(small, kind) == before


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_no_report_knows_a_team(small: sa.Engine, kind: ReportKind) -> None:
    for metric in ("stars_total", "lead_time_hours", "space_satisfaction", "developer_nps"):
        put(small, metric, {OCTOBER: 1, NOVEMBER: 1}, "team", TEAM)
    with small.begin() as connection:
        for table in ("metrics.goals_daily", "metrics.insights"):
            columns = [column["name"] for column in sa.inspect(small).get_columns(table.split(".")[1], "metrics")]
            renamed = {"subject_kind": "'team'", "subject": f"'{TEAM}'"}
            connection.execute(
                sa.text(
                    f"insert into {table} ({', '.join(columns)}) "
                    f"select {', '.join(renamed.get(name, name) for name in columns)} from {table}"
                )
            )
        connection.execute(
            sa.text(
                "insert into ops.alerts (rule, subject_kind, subject, severity, state, opened_on, last_evaluated_on) "
                "values ('low_satisfaction', 'team', :team, 'critical', 'firing', '2025-11-20', '2025-11-30')"
            ),
            {"team": TEAM},
        )
        connection.execute(
            sa.text(
                "insert into metrics.anomalies "
                "(metric, subject_kind, subject, date, state, kind, severity, explanation) "
                "values ('lead_time_hours', 'team', :team, '2025-11-27', 'anomaly', 'spike', 'critical', :team)"
            ),
            {"team": TEAM},
        )
    figures = read(small, kind)
    assert TEAM not in json.dumps(figures_json(figures))
    assert TEAM not in text(DOCUMENTS[kind](figures))


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_figures_are_json_and_come_back(small: sa.Engine, kind: ReportKind) -> None:
    figures = read(small, kind)
    again = figures_of(json.loads(json.dumps(figures_json(figures), allow_nan=False)))
    assert again == figures
    assert DOCUMENTS[kind](again) == DOCUMENTS[kind](figures)


def test_an_empty_warehouse_is_a_sentence(warehouse: sa.Engine) -> None:
    with pytest.raises(ConfigurationError, match="The warehouse is empty; run `metrics up` so that"):
        read_figures("monthly_report", warehouse, SETTINGS, *PERIODS["monthly_report"], NOVEMBER)


def test_a_sum_says_on_how_many_days_it_stands(small: sa.Engine) -> None:
    put(small, "forks_new", {**daily(date(2025, 11, 1), NOVEMBER, 1), date(2025, 11, 4): None})
    put(small, "pull_requests_merged", daily(date(2025, 11, 1), NOVEMBER, 2) | {date(2025, 11, 4): None})
    merged = read(small).one("pull_requests_merged")
    assert merged is not None
    assert (merged.now.value, merged.now.days_known, merged.now.days) == (58, 29, 30)
    assert (merged.before.value, merged.before.days_known, merged.before.days) == (None, 0, 31)


def test_packages_are_added_up_and_communities_told_apart(small: sa.Engine) -> None:
    for package, value in (("npm:a", 10), ("npm:b", 5)):
        put(small, "downloads", daily(date(2025, 11, 1), NOVEMBER, value), "package", package)
    for community, value in (("reddit:a", 100), ("discord:b", 900)):
        put(small, "members", {NOVEMBER: value}, "community", community)
    figures = read(small)
    downloads = figures.one("downloads")
    assert downloads is not None
    assert (downloads.now.value, downloads.subject) == (450, "2 packages")
    assert [(one.subject, one.now.value) for one in figures.of("members")] == [("discord:b", 900), ("reddit:a", 100)]


def test_a_draft_reads_no_day_after_its_own(small: sa.Engine) -> None:
    put(small, "stars_total", {date(2025, 11, 10): 1500})
    figures = read(small, as_of=date(2025, 11, 10))
    stars, new = figures.one("stars_total"), figures.one("stars_new")
    assert stars is not None
    assert new is not None
    assert figures.is_draft
    assert figures.through == date(2025, 11, 10)
    assert (stars.now.value, stars.before.value) == (1500, 1400)
    assert (new.now.value, new.before.value) == (90, 70)
    assert figures.goals == ()  # none was judged on that day
    assert figures.events == figures.releases == figures.insights == ()


def test_alerts_that_rules_find_on_the_last_day_count_without_a_beginning(small: sa.Engine) -> None:
    put(small, "change_failure_rate", {NOVEMBER: 0.9}, "repository", "acme/web", n=40)
    found = {(one.rule, one.subject): one.opened_on for one in read(small).alerts}
    assert found["lead_time_over_two_days", "acme/api"] == date(2025, 11, 20)
    assert [opened for (_, subject), opened in found.items() if subject == "acme/web"] == [None]


def test_the_forecast_of_the_day_with_its_scenarios_and_its_way(small: sa.Engine) -> None:
    forecast = {"metric": "stars_total", "subject_kind": "portfolio", "subject": "Acme", "date": NOVEMBER}
    insert(
        small, "metrics.forecasts",
        *(
            {**forecast, "horizon": horizon, "target_on": NOVEMBER + timedelta(days=horizon), "p10": 1700, "p50": 1800,
             "p90": 1900, "method": "drift", "beats_naive": horizon == 30, "coverage": 0.8}
            for horizon in (30, 180)
        ),
    )  # fmt: skip
    insert(
        small, "metrics.forecast_scenarios",
        *(
            {**forecast, "horizon": 180, "scenario": name, "p10": 1, "p50": value, "p90": 3}
            for name, value in (("pessimistic", 1), ("optimistic", 3), ("realistic", 2))
        ),
    )  # fmt: skip
    way = [1660.0 + number for number in range(1, 91)]
    insert(small, "metrics.forecast_paths", {**forecast, "p10": way, "p50": way, "p90": way})
    figures = read(small)
    (outlook,) = figures.outlooks
    assert (outlook.target_on, outlook.p50, outlook.beats_naive) == (NOVEMBER + timedelta(days=180), 1800, True)
    assert [one.name for one in outlook.scenarios] == ["optimistic", "realistic", "pessimistic"]
    stars = next(one for one in figures.series if one.metric.key == "stars_total")
    assert stars.forecast is not None
    assert (stars.forecast.points[0].on, stars.forecast.points[0].p50) == (date(2025, 12, 7), 1667.0)
    assert len(stars.forecast.points) == 12
    assert [one.horizon for one in stars.forecast.backtests] == [30, 180]
    assert stars.points[-1].value == 1660
    assert stars.target is not None
    assert stars.target.value == 12000


def test_the_issues_of_a_week(small: sa.Engine) -> None:
    issue = {
        "repository_id": 1, "title": "T", "state": "open", "created_at": "2025-10-01T09:00Z",
        "updated_at": "2025-11-30T09:00Z", "closed_at": None, "labels": ["bug"], "comments": 9,
    }  # fmt: skip
    closed = {**issue, "state": "closed"}
    insert(
        small, "raw.issues",
        {**issue, "number": 1, "labels": ["Priority: P1", "bug"]},
        {**closed, "number": 2, "closed_at": "2025-11-26T09:00Z"},
        {**closed, "number": 3, "closed_at": "2025-11-20T09:00Z"},
        {**closed, "number": 4, "closed_at": "2025-12-02T09:00Z"},  # nobody knew that yet
        {**issue, "number": 5, "created_at": "2025-12-01T09:00Z"},
        {**issue, "number": 6, "labels": ["enhancement"]},
        {**issue, "number": 7, "labels": ["question"]},
    )  # fmt: skip
    said = {"repository_id": 1, "item_kind": "issue", "number": 6, "event": "commented"}
    columns = {column["name"] for column in sa.inspect(small).get_columns("issue_events", "raw")}
    event = {name: value for name, value in said.items() if name in columns}
    insert(
        small, "raw.issue_events",
        *(
            {**event, "event_id": str(number), "created_at": at, "actor_is_bot": bot}
            for number, (at, bot) in enumerate(
                (("2025-11-01T09:00Z", False), ("2025-11-02T09:00Z", True), ("2025-12-02T09:00Z", False))
            )
        ),
    )  # fmt: skip
    figures = read_figures("weekly_digest", small, SETTINGS, *PERIODS["weekly_digest"], NOVEMBER)
    assert [(one.number, one.severity, one.is_bug, one.closed_on, one.comments) for one in figures.issues] == [
        (1, "P1", True, None, 0),
        (2, "", True, date(2025, 11, 26), 0),
        (4, "", True, None, 0),
        (6, "", False, None, 1),
    ]
    lines = section(DOCUMENTS["weekly_digest"](figures), "urgent")
    assert "2 bugs are open." in lines
