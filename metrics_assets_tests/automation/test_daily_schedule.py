"""The schedule `daily` on the first of a month and after an outage: the report of the month is sent once."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa

from metrics_assets.automation.jobs import MAIN_JOB, RANGE_END_TAG, RANGE_START_TAG
from metrics_assets.automation.sensors import thresholds_sensor
from metrics_assets.definitions import build
from metrics_assets.settings import Settings
from metrics_assets_tests.assets.small_reports import BASE, kept, small, waiting
from metrics_assets_tests.automation.conftest import Clock, Receiver, deployments, launch, tick

__all__ = ["small"]

GIVEN = Settings.model_validate(
    {
        **BASE,
        "end": None,
        "channels": {"hook": {"url_env": "RECEIVER"}},
        "reports": {"pdf": False, "monthly_report": {"channels": ["hook"]}},
    }
)
REPORT = dg.AssetKey(["reports", "monthly_report"])


def morning(instance: dg.DagsterInstance, clock: Clock, at: datetime) -> tuple[str, str]:
    """The schedule ticks, and of the run that it asks for the report is made; the run's days."""
    clock.now = at
    definitions = build(GIVEN)
    context = dg.build_schedule_context(instance, scheduled_execution_time=at)
    (request,) = definitions.resolve_schedule_def("daily").evaluate_tick(context).run_requests or []
    job = definitions.resolve_job_def(MAIN_JOB)
    result = job.execute_in_process(
        instance=instance, asset_selection=[REPORT], tags=request.tags, resources=dict(definitions.resources or {})
    )
    assert result.success
    return request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]


def test_the_first_of_a_month_sends_its_report_once(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock, receiver: Receiver
) -> None:
    deployments(engine, 1, *[1] * 30)
    morning(instance, clock, datetime(2025, 12, 31, 2, 30, tzinfo=UTC))
    assert (kept(engine), waiting(engine)) == ([("2025-12", "draft", "2025-12-30")], [])

    deployments(engine, 31, 1)
    first, last = morning(instance, clock, datetime(2026, 1, 1, 2, 30, tzinfo=UTC))
    assert (first, last) == ("2025-12-01", "2025-12-31")  # no day has all tables, so all are asked for
    assert kept(engine) == [("2025-12", "frozen", "2025-12-31")]

    # The sensor asks for the run that delivers it.
    clock.go(minutes=10)
    (request,) = [
        one
        for one in tick(thresholds_sensor(GIVEN, clock), instance).run_requests or []
        if "report" in str(one.run_key)
    ]
    assert launch(request, instance, GIVEN).success
    assert receiver.titles == ["acme, 2025-12-01"]

    # The mornings after cover December's last days again; it was told.
    for day in (2, 3):
        _january(engine, day - 1)
        morning(instance, clock, datetime(2026, 1, day, 2, 30, tzinfo=UTC))
    assert kept(engine)[-1] == ("2025-12", "frozen", "2025-12-31")
    assert [row[0] for row in waiting(engine)] == ["report:monthly_report:2025-12-01"]


def test_a_daemon_that_was_down_over_the_first_sends_the_report_afterwards(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    deployments(engine, 1, *[1] * 31)
    _january(engine, 1, 2, 3)
    morning(instance, clock, datetime(2026, 1, 4, 2, 30, tzinfo=UTC))
    assert kept(engine) == [("2026-01", "draft", "2026-01-03"), ("2025-12", "frozen", "2025-12-31")]
    assert waiting(engine) == [("report:monthly_report:2025-12-01", "hook", "pending")]


def _january(engine: sa.Engine, *days: int) -> None:
    with engine.begin() as connection:
        for day in days:
            connection.execute(
                sa.text(
                    "insert into metrics.dora_daily (subject_kind, subject, repository_id, repository, date, "
                    "days_observed, deployment_source, deployments_succeeded) values ('repository', 'acme/api', 1, "
                    "'acme/api', make_date(2026, 1, :day), 28, 'deployments', 1)"
                ),
                {"day": day},
            )
