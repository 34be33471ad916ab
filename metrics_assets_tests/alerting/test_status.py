"""The status line of a day: healthy, what is not, or unknown; told once."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from metrics_assets.alerting.outbox import due
from metrics_assets.alerting.review import review
from metrics_assets.alerting.states import acknowledge, open_alerts
from metrics_assets.alerting.status import Status, newest_status, status_of, tell_status, write_status
from metrics_assets.catalogue.alerts import MilestoneRule
from metrics_assets.settings import Settings
from metrics_assets_tests.alerting.conditions import NOW, RULE, at, condition, record, settings

ON = date(2025, 12, 2)
RULES = {RULE.key: RULE}


def figures(engine: sa.Engine, *days: int, repositories: tuple[str, ...] = ("acme/api", "acme/web")) -> None:
    """Figures of days of December, and collections of two lists that were whole."""
    with engine.begin() as connection:
        for number, repository in enumerate(repositories, 1):
            connection.execute(
                sa.text(
                    "insert into ops.repository_settings (repository_id, repository, deployment_source, environment, "
                    "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
                    "values (:id, :repository, 'auto', 'production', 'v', '{incident}', 24, '{issues}')"
                ),
                {"id": number, "repository": repository},
            )
            for day in days:
                connection.execute(
                    sa.text(
                        "insert into metrics.dora_daily (subject_kind, subject, repository_id, repository, date, "
                        "days_observed) values ('repository', :repository, :id, :repository, :date, 1)"
                    ),
                    {"id": number, "repository": repository, "date": date(2025, 12, day)},
                )
            for entity in ("issues", "stargazers"):
                collected(connection, repository, entity, "complete")


def collected(connection: sa.Connection, repository: str, entity: str, outcome: str, first: int = 1) -> None:
    """A collection over the days from `first` through the 3rd of December; a later call is a later run."""
    connection.execute(
        sa.text(
            "insert into ops.collection_log (repository, entity, run_id, range_start, range_end, outcome, rows_read, "
            "requests, points, reason, finished_at) select :repository, :entity, count(*)::text, :first, "
            "'2025-12-04', :outcome, 0, 0, 0, 'it answered 502', timestamptz '2025-12-04' + count(*) * interval "
            "'1 hour' from ops.collection_log"
        ),
        {"repository": repository, "entity": entity, "outcome": outcome, "first": date(2025, 12, first)},
    )


def test_a_healthy_day(warehouse: sa.Engine) -> None:
    figures(warehouse, 1, 2)
    found = status_of(warehouse, RULES, ON)
    assert (found.status, found.line) == (
        "healthy",
        "2025-12-02: healthy: 2 repositories collected whole, newest figures of 2025-12-02, no alert fires.",
    )
    assert found.details["alerts"] == {"critical": 0, "warning": 0, "info": 0}


def test_a_day_without_figures_is_unknown(warehouse: sa.Engine) -> None:
    assert status_of(warehouse, RULES, ON).line == "2025-12-02: unknown: there are no figures of this day."
    figures(warehouse, 1)
    assert status_of(warehouse, RULES, ON).status == "unknown"


def test_the_three_worst_come_first(warehouse: sa.Engine) -> None:
    figures(warehouse, 1, 2)
    record(
        warehouse,
        condition(2, "breached", "acme/web"),
        condition(2, "breached", "acme/api", severity="critical"),
        condition(2, "breached", "acme/old", severity="info"),
    )
    with warehouse.begin() as connection:
        collected(connection, "acme/web", "issues", "incomplete")
        # A list that went wrong on another day, or came whole since, is none of this day's.
        collected(connection, "acme/web", "stargazers", "incomplete", first=3)
        collected(connection, "acme/api", "issues", "incomplete")
        collected(connection, "acme/api", "issues", "complete")
    found = status_of(warehouse, RULES, ON, ["check rows_taken of raw/events"])
    assert found.line == (
        "2025-12-02: issues: 2 alerts fire (1 critical, 1 warning), 1 check failed, 1 list is not whole, 1 note "
        "(info). Fewer deployments: acme/api; Fewer deployments: acme/web; check rows_taken of raw/events; and 1 more."
    )
    assert found.details["alerts"] == {"critical": 1, "warning": 1, "info": 1}
    assert found.details["repositories"] == {"collected_whole": 1, "all": 2}
    assert found.details["incomplete"] == ["acme/web issues: it answered 502"]


def test_notes_are_no_issue_and_an_acknowledged_alert_still_is(warehouse: sa.Engine) -> None:
    figures(warehouse, 1, 2)
    record(warehouse, condition(2, "breached", severity="info"), condition(2, "breached", "acme/old", severity="info"))
    assert status_of(warehouse, RULES, ON).line == (
        "2025-12-02: healthy: 2 repositories collected whole, newest figures of 2025-12-02, 2 notes (info)."
    )
    record(warehouse, condition(2, "breached", "acme/web"))
    alert = open_alerts(warehouse)[-1]
    acknowledge(warehouse, alert.alert_id, "ann", None, settings("oncall"), NOW)
    found = status_of(warehouse, RULES, ON)
    assert (found.status, found.details["acknowledged"]) == ("issues", 1)


def test_a_milestone_is_good_news_of_its_day(warehouse: sa.Engine) -> None:
    figures(warehouse, 1, 2, 3)
    stars = MilestoneRule(
        kind="milestone", key="stars", title="Stars", metric="stars_total", milestones=(100,), severity="info",
        action="Thank them.",
    )  # fmt: skip
    reached = condition(2, "breached", rule="stars", metric="stars_total", value=101.0, reference=100.0)
    record(warehouse, reached, rule=stars)
    found = status_of(warehouse, {stars.key: stars}, ON)
    assert found.line == (
        "2025-12-02: healthy: 2 repositories collected whole, newest figures of 2025-12-03, no alert fires, "
        "1 milestone reached."
    )
    assert found.details["milestones"] == 1
    assert [status_of(warehouse, RULES, date(2025, 12, day)).details["milestones"] for day in (1, 3)] == [0, 0]


def test_an_alert_of_before_there_was_a_time_of_firing_still_fires(warehouse: sa.Engine) -> None:
    figures(warehouse, 1, 2)
    record(warehouse, condition(2, "breached"))
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.alerts set fired_at = null"))
    assert status_of(warehouse, RULES, ON).status == "issues"
    assert [found.rule for found in review(warehouse, 1, NOW + timedelta(days=2))] == [RULE.key]
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.alerts set state = 'pending'"))
    assert status_of(warehouse, RULES, ON).status == "healthy"
    assert review(warehouse, 1, NOW + timedelta(days=2)) == []


def test_a_past_day_is_told_by_what_held_then(warehouse: sa.Engine) -> None:
    figures(warehouse, 1, 2, 3)
    record(warehouse, condition(1, "breached"))
    record(warehouse, condition(2, "fine"))
    assert [status_of(warehouse, RULES, date(2025, 12, day)).status for day in (1, 2, 3)] == [
        "issues", "healthy", "healthy"
    ]  # fmt: skip


def test_a_table_without_the_day_is_late(warehouse: sa.Engine) -> None:
    figures(warehouse, 1, 2)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.scores (score, subject_kind, subject, date, version, coverage, components) "
                "values ('health', 'repository', 'acme/api', '2025-12-01', 1, 0, '[]')"
            )
        )
    assert status_of(warehouse, RULES, ON).details["late_tables"] == ["metrics.scores"]
    assert status_of(warehouse, RULES, date(2025, 12, 1)).status == "healthy"


def test_a_day_is_kept_once_and_told_once_to_those_who_asked(warehouse: sa.Engine) -> None:
    figures(warehouse, 1, 2)
    first = status_of(warehouse, RULES, ON)
    write_status(warehouse, Status(date(2025, 12, 1), "healthy", "2025-12-01: healthy.", {}), NOW)
    write_status(warehouse, first, NOW)
    assert newest_status(warehouse) == first
    with_status = Settings.model_validate(
        {
            "portfolio": "acme",
            "repositories": [{"github": "acme/api"}],
            "channels": {"team": {"url_env": "A", "daily_status": True}, "oncall": {"url_env": "B"}},
        }
    )
    assert tell_status(warehouse, first, with_status, at(2)) == 1
    assert tell_status(warehouse, first, with_status, at(3)) == 0
    assert tell_status(warehouse, first, settings("oncall"), at(3)) == 0
    (group,) = due(warehouse, at(3))
    assert (group.group_key, group.rule) == ("daily_status:2025-12-02", None)
    with warehouse.connect() as connection:
        message = connection.execute(sa.text("select message from ops.notifications")).scalar_one()
    assert message == {
        "title": "acme: healthy on 2025-12-02",
        "lines": ["healthy: 2 repositories collected whole, newest figures of 2025-12-02, no alert fires."],
        "severity": "info",
        "status": "healthy",
        "date": "2025-12-02",
    }
    # What is found later takes the place of what was said.
    with warehouse.begin() as connection:
        collected(connection, "acme/web", "issues", "incomplete")
    write_status(warehouse, status_of(warehouse, RULES, ON), at(3))
    newest = newest_status(warehouse)
    assert newest is not None
    assert newest.status == "issues"
