"""The rules about the pipeline itself: runs, late days, lists that are not whole, budgets, messages that wait."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.alerting import pipeline
from metrics_assets.alerting.conditions import Condition
from metrics_assets.alerting.pipeline import JobRun, RunFacts
from metrics_assets.alerting.states import open_alerts, record
from metrics_assets.catalogue.alerts import PipelineRule
from metrics_assets_tests.alerting.conditions import settings

NOW = datetime(2025, 12, 31, 12, tzinfo=UTC)


def rule(condition: Any, **more: Any) -> PipelineRule:
    return PipelineRule(
        key=condition, title="T", kind="pipeline", condition=condition, severity="warning", action="A.", **more
    )


def look(
    engine: sa.Engine, one: PipelineRule, facts: RunFacts | None = None, now: datetime = NOW
) -> dict[str, Condition]:
    """What is wrong or was, by subject."""
    return {found.subject: found for found in pipeline.conditions(engine, {one.key: one}, facts or RunFacts(), now)}


def write(engine: sa.Engine, sql: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(sql), values)


def ended(succeeded: bool, problem: str | None = None) -> RunFacts:
    return RunFacts({"main": JobRun("0123456789", succeeded, NOW - timedelta(hours=1), problem)})


def test_a_failed_run_opens_an_alert_and_the_jobs_next_success_ends_it(warehouse: sa.Engine) -> None:
    one = rule("run_failed")
    failed = look(warehouse, one, ended(False, "step collect: Unauthorized: No token is accepted"))["main"]
    assert (failed.verdict, failed.subject_kind, failed.metric, failed.date) == (
        "breached", "pipeline", "", date(2025, 12, 31)
    )  # fmt: skip
    assert failed.text == (
        "Run 01234567 of main failed at 2025-12-31 11:00 UTC: step collect: Unauthorized: No token is accepted."
    )
    opened = record(warehouse, {one.key: one}, [failed], settings("oncall"), NOW)
    assert len(opened.opened) == 1
    # Another job's success says nothing of this one; nothing new is known of it.
    good = look(warehouse, one, ended(True))["main"]
    assert (good.verdict, good.text) == ("fine", "Run 01234567 of main succeeded at 2025-12-31 11:00 UTC.")
    assert record(warehouse, {one.key: one}, [good], settings("oncall"), NOW).resolved == opened.opened
    assert open_alerts(warehouse) == []
    assert look(warehouse, one, ended(True)) == {}
    # It may fail a second time on the same day.
    again = record(warehouse, {one.key: one}, [failed], settings("oncall"), NOW)
    assert len(again.opened) == 1


@pytest.fixture
def figures(warehouse: sa.Engine) -> sa.Engine:
    """Figures through the 29th; of packages, which metrics.yaml does not name any more, through the 1st."""
    write(
        warehouse,
        "insert into metrics.dora_daily (subject_kind, subject, repository_id, repository, date, days_observed) "
        "values ('repository', 'acme/api', 1, 'acme/api', '2025-12-29', 1)",
    )
    return warehouse


@pytest.mark.parametrize(
    ("now", "end", "late"),
    [
        # The 30th ended at midnight of the 31st, and is due 36 hours later.
        (datetime(2026, 1, 1, 11, 59, tzinfo=UTC), None, False),
        (datetime(2026, 1, 1, 12, 0, tzinfo=UTC), None, True),
        # Nobody wants a day after the 29th.
        (datetime(2026, 6, 1, tzinfo=UTC), date(2025, 12, 29), False),
        (datetime(2026, 6, 1, tzinfo=UTC), date(2025, 12, 30), True),
    ],
)
def test_a_day_is_late_so_many_hours_after_its_end(
    figures: sa.Engine, now: datetime, end: date | None, late: bool
) -> None:
    found = look(figures, rule("data_late", hours=36), RunFacts(end=end), now)
    assert set(found) == ({"metrics.dora_daily"} if late else set())


def test_a_late_table_says_what_is_missing(figures: sa.Engine) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    found = look(figures, rule("data_late", hours=36), now=now)["metrics.dora_daily"]
    assert found.text == (
        "The newest day of metrics.dora_daily is 2025-12-29, 60 hours past its end; a day is due 36 hours after its "
        "end, and 2025-12-30 is missing."
    )
    assert (found.value, found.reference) == (60.0, 36.0)


def test_an_empty_warehouse_is_not_late(warehouse: sa.Engine) -> None:
    assert look(warehouse, rule("data_late", hours=36)) == {}


def collected(
    engine: sa.Engine, *rows: tuple[int, str], subject: str = "acme/api", entity: str = "pull_requests"
) -> None:
    """Collections of a list, each (day of December, outcome), at noon."""
    for number, (day, outcome) in enumerate(rows):
        write(
            engine,
            "insert into ops.collection_log (repository_id, repository, entity, run_id, range_start, range_end, "
            "outcome, rows_read, requests, points, reason, finished_at) values (1, :subject, :entity, "
            ":run, '2025-12-01', '2025-12-02', :outcome, 0, 0, 0, :reason, :at)",
            run=f"run {number}",
            subject=subject,
            entity=entity,
            outcome=outcome,
            reason="The server answered 502" if outcome == "incomplete" else None,
            at=datetime(2025, 12, day, 12, number, tzinfo=UTC),
        )


@pytest.mark.parametrize(
    ("rows", "days"),
    [
        ([(30, "complete"), (31, "incomplete")], None),
        ([(29, "complete"), (30, "incomplete"), (31, "incomplete")], 2),
        # Twice on a day is one day.
        ([(31, "incomplete"), (31, "incomplete")], None),
        # What went well in between, or was not wanted, ends the row.
        ([(29, "incomplete"), (30, "complete"), (31, "incomplete")], None),
        ([(29, "incomplete"), (30, "incomplete"), (31, "skipped")], None),
        ([(28, "incomplete"), (29, "incomplete"), (31, "incomplete")], 3),
    ],
)
def test_a_list_that_is_not_whole_on_two_days_in_a_row(
    warehouse: sa.Engine, rows: list[tuple[int, str]], days: int | None
) -> None:
    collected(warehouse, *rows)
    found = look(warehouse, rule("collection_incomplete", days=2), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert {subject: one.value for subject, one in found.items()} == (
        {"acme/api pull_requests": float(days)} if days else {}
    )
    if days:
        assert found["acme/api pull_requests"].text == (
            f"pull_requests of acme/api could not be collected whole on {days} days in a row: The server answered 502."
        )


def test_a_list_that_is_not_collected_any_more_ends_its_alert(warehouse: sa.Engine) -> None:
    one = rule("collection_incomplete")
    collected(warehouse, (30, "incomplete"))
    record(warehouse, {one.key: one}, list(look(warehouse, one).values()), settings("oncall"), NOW)
    (later,) = look(warehouse, one, now=NOW + timedelta(days=60)).values()
    assert (later.verdict, later.text) == ("fine", "There is nothing of it any more.")


@pytest.fixture
def named(warehouse: sa.Engine) -> sa.Engine:
    """metrics.yaml names acme/api, a package and a community."""
    write(
        warehouse,
        "insert into ops.repository_settings (repository_id, repository, deployment_source, environment, "
        "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
        "values (1, 'acme/api', 'auto', 'production', 'v', '{incident}', 24, '{issues}')",
    )
    write(warehouse, "insert into ops.package_settings (registry, package) values ('npm', '@acme/api')")
    write(warehouse, "insert into ops.platform_settings (platform, community) values ('reddit', 'acme')")
    return warehouse


NAMED = RunFacts(named=frozenset({"Acme/API", "acme/lost", "acme"}))


@pytest.mark.parametrize(
    ("subject", "entity", "counts"),
    [
        ("acme/api", "pull_requests", True),
        ("npm:@acme/api", "packages", True),
        ("reddit:acme", "platforms", True),
        # A repository that was never found, and an organisation: only metrics.yaml knows them.
        ("acme/lost", "repositories", True),
        ("acme", "repositories", True),
        ("acme/gone", "pull_requests", False),
        ("acme/gone", "repositories", False),
        ("npm:@acme/gone", "package_downloads", False),
        ("reddit:gone", "platforms", False),
        # What was collected before it was renamed.
        ("acme/lost", "pull_requests", False),
    ],
)
def test_lists_of_what_is_named_no_more_do_not_count(named: sa.Engine, subject: str, entity: str, counts: bool) -> None:
    collected(named, (31, "incomplete"), subject=subject, entity=entity)
    assert set(look(named, rule("collection_incomplete"), NAMED)) == ({f"{subject} {entity}"} if counts else set())


def test_an_alert_about_a_list_ends_when_metrics_yaml_names_it_no_more(named: sa.Engine) -> None:
    one = rule("collection_incomplete")
    collected(named, (31, "incomplete"), subject="npm:@acme/api", entity="packages")
    opened = record(named, {one.key: one}, list(look(named, one).values()), settings("oncall"), NOW)
    write(named, "delete from ops.package_settings")
    (found,) = look(named, one).values()
    assert (found.subject, found.verdict) == ("npm:@acme/api packages", "fine")
    assert record(named, {one.key: one}, [found], settings("oncall"), NOW).resolved == opened.opened


def used(engine: sa.Engine, resource: str, requests: float, points: float, ago: timedelta) -> None:
    write(
        engine,
        "insert into ops.api_usage (day, run_id, source, entity, subject, resource, requests, points, updated_at) "
        "values ('2025-12-31', :run, 'github', 'issues', 'acme/api', :resource, :requests, :points, :at)",
        run=f"{resource} {ago}",
        resource=resource,
        requests=requests,
        points=points,
        at=NOW - ago,
    )


def test_a_budget_that_is_nearly_used_up(warehouse: sa.Engine) -> None:
    one, facts = rule("rate_limited", share=0.9), RunFacts(budgets={"github": 4000.0})
    used(warehouse, "core", 3000, 0, timedelta(minutes=10))
    used(warehouse, "core", 3000, 0, timedelta(minutes=61))
    used(warehouse, "graphql", 700, 3500, timedelta(minutes=5))
    # Requests and points have budgets of their own, and what is more than an hour old is given back.
    assert look(warehouse, one, facts) == {}
    used(warehouse, "graphql", 100, 300, timedelta(minutes=1))
    found = look(warehouse, one, facts)["github"]
    assert found.value == 0.95
    assert found.text == "95 % of the 4,000 requests and points that may be used of github in an hour are used."
    # Of a source whose budget nobody knows nothing is said.
    assert look(warehouse, one) == {}


def waiting(engine: sa.Engine, channel: str, attempts: int, next_minutes: float, held: str | None = None) -> None:
    write(
        engine,
        "insert into ops.notifications (message_key, group_key, channel, message, attempts, next_attempt_at, "
        "held_because, last_error, created_at) values (:key, :key, :channel, '{}', :attempts, :next, :held, :error, "
        ":created)",
        key=f"{channel} {attempts} {next_minutes}",
        channel=channel,
        attempts=attempts,
        next=NOW + timedelta(minutes=next_minutes),
        held=held,
        error="the channel 'x' answered 500" if attempts else None,
        created=NOW - timedelta(days=2),
    )


def test_messages_that_cannot_be_delivered(warehouse: sa.Engine) -> None:
    # Tried at 0, 1, 3, 7, 15, 31, 63 and 123 minutes; the ninth try is in half an hour.
    waiting(warehouse, "broken", 8, 30)
    # Nobody has tried for three hours.
    waiting(warehouse, "nobody", 0, -180)
    # Held for two days in quiet hours, and due in a minute; tried once, and again in half a minute.
    waiting(warehouse, "held", 0, 1, "quiet hours")
    waiting(warehouse, "once", 1, 0.5)
    found = look(warehouse, rule("undelivered", hours=2))
    assert {subject: one.value for subject, one in found.items()} == {"broken": 2.55, "nobody": 3.0}
    assert found["broken"].text == (
        "1 notification for the channel broken cannot be delivered, the oldest for 2.5 hours (the channel 'x' answered "
        "500). Nothing is lost; it is tried again."
    )
    assert set(look(warehouse, rule("undelivered", hours=2.6))) == {"nobody"}


def test_a_silenced_alert_does_not_wait(warehouse: sa.Engine) -> None:
    one = rule("run_failed")
    failed = look(warehouse, one, ended(False, "step a: b"))["main"]
    record(warehouse, {one.key: one}, [failed], settings("oncall"), NOW - timedelta(hours=3))
    assert set(look(warehouse, rule("undelivered", hours=2))) == {"oncall"}
    write(
        warehouse,
        "insert into ops.silences (rule, starts_at, ends_at, reason, created_by) "
        "values ('run_failed', :now - interval '1 hour', :now + interval '1 hour', 'known', 'ann')",
        now=NOW,
    )
    assert look(warehouse, rule("undelivered", hours=2)) == {}


def test_a_rule_may_name_its_subjects(figures: sa.Engine) -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)
    assert look(figures, rule("data_late", subjects=["metrics.scores"]), now=now) == {}
    assert set(look(figures, rule("data_late", subjects=["metrics.dora_daily"]), now=now)) == {"metrics.dora_daily"}
