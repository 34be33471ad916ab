"""The sensor `thresholds`: evaluates when something has changed, says what it saw, and asks once for each run."""

from __future__ import annotations

import json
import socket

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from metrics_assets.automation.delivering import look_at_outbox
from metrics_assets.automation.thresholds import thresholds_sensor
from metrics_assets_tests.automation.conftest import (
    FALLEN,
    Clock,
    Receiver,
    deployments,
    end_a_run,
    launch,
    settings,
    tick,
)


@pytest.fixture
def sensor(clock: Clock) -> dg.SensorDefinition:
    return thresholds_sensor(settings(), clock)


def test_without_figures_there_is_nothing_to_evaluate(
    engine: sa.Engine, instance: dg.DagsterInstance, sensor: dg.SensorDefinition
) -> None:
    data = tick(sensor, instance)
    assert data.skip_message == "There are no figures yet; run the job `main` first, nothing to deliver."
    assert not data.run_requests


def test_an_alert_is_told_by_one_run(
    engine: sa.Engine,
    instance: dg.DagsterInstance,
    sensor: dg.SensorDefinition,
    receiver: Receiver,
    clock: Clock,
) -> None:
    deployments(engine, 1, *FALLEN)
    first = tick(sensor, instance)
    (request,) = first.run_requests
    key, _, hour = request.run_key.rpartition(":")
    assert (key.endswith(":low_deployment_activity:opened:0"), int(hour)) == (True, int(clock.now.timestamp()) // 3600)
    assert request.tags["metrics/alert"] == "low_deployment_activity opened"
    assert request.tags["metrics/subject"] == "acme/api"
    # Until the run is there it is asked for by the same key; then it is not, by no sensor.
    again = tick(sensor, instance, first.cursor)
    assert [one.run_key for one in again.run_requests] == [request.run_key]
    receiver.status = 500
    assert not launch(request, instance, settings()).success
    assert look_at_outbox(engine, instance, clock.now).sentence == "nothing to deliver, 1 to be tried again later"
    clock.go(minutes=1)
    receiver.status = 200
    second = tick(sensor, instance, first.cursor)
    (retry,) = second.run_requests
    assert retry.run_key == f"{request.run_key.removesuffix(f':0:{hour}')}:1:{hour}"
    assert launch(retry, instance, settings()).success
    assert receiver.titles == ["[warning] Low deployment activity: acme/api"]
    done = tick(sensor, instance, first.cursor)
    assert done.skip_message == ("Nothing has changed since 2025-12-14 was evaluated in this hour, nothing to deliver.")


def test_a_run_that_died_is_asked_for_again_in_the_next_hour(
    engine: sa.Engine, instance: dg.DagsterInstance, sensor: dg.SensorDefinition, clock: Clock
) -> None:
    deployments(engine, 1, *FALLEN)
    first = tick(sensor, instance)
    tags = {**first.run_requests[0].tags, "dagster/run_key": first.run_requests[0].run_key}
    end_a_run(instance, "alerts", **tags)  # it delivers nothing
    skipped = tick(sensor, instance, first.cursor)
    assert "1 to deliver, 1 of the runs asked for before" in skipped.skip_message
    clock.go(minutes=31)
    assert len(tick(sensor, instance, first.cursor).run_requests) == 1


def test_it_evaluates_when_the_hour_the_rules_or_a_run_have_changed(
    engine: sa.Engine, instance: dg.DagsterInstance, sensor: dg.SensorDefinition, clock: Clock
) -> None:
    deployments(engine, 1, *[1] * 14)
    first = tick(sensor, instance)
    assert first.skip_message.endswith(": 0 opened, 0 resolved, nothing to deliver.")
    assert " rules on 2025-12-14 (" in first.skip_message
    unchanged = "Nothing has changed since 2025-12-14 was evaluated in this hour"
    clock.go(minutes=29)
    assert tick(sensor, instance, first.cursor).skip_message.startswith(unchanged)
    clock.go(minutes=1)
    hourly = tick(sensor, instance, first.cursor)
    assert " rules on 2025-12-14 (" in hourly.skip_message
    changed = thresholds_sensor(settings(rules={"low_deployment_activity": {"drop": 0.7}}), clock)
    assert " rules on 2025-12-14 (" in tick(changed, instance, hourly.cursor).skip_message
    end_a_run(instance, "alerts")
    assert tick(sensor, instance, hourly.cursor).skip_message.startswith(unchanged)
    end_a_run(instance, "feeds")
    assert " rules on 2025-12-14 (" in tick(sensor, instance, hourly.cursor).skip_message


def test_after_an_outage_every_day_is_evaluated_in_order(
    engine: sa.Engine,
    instance: dg.DagsterInstance,
    sensor: dg.SensorDefinition,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deployments(engine, 1, *[1] * 10)
    tick(sensor, instance)
    deployments(engine, 11, 0, 0, 0, 0, 0, 0, 2, 4)
    (request,) = tick(sensor, instance).run_requests
    said = capsys.readouterr().err
    assert " rules on 2025-12-11 and 2025-12-18 and the 6 days between (" not in said  # the week alone
    assert " rules on 2025-12-12 and 2025-12-18 and the 5 days between (" in said
    assert ": 1 opened, 1 resolved, " in said
    # It held from the 14th to the 17th, and is over on the 18th: that nobody need know any more.
    with engine.connect() as connection:
        alerts = connection.execute(sa.text("select opened_on::text, resolved_on::text from ops.alerts")).all()
    assert [tuple(row) for row in alerts] == [("2025-12-14", "2025-12-18")]
    result = launch(request, instance, settings())
    assert result.success
    assert receiver.titles == []
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert {name: metadata[name].value for name in ("sent", "failed", "dropped", "waiting")} == {
        "sent": 0, "failed": 0, "dropped": 2, "waiting": 0
    }  # fmt: skip


def test_a_day_that_a_run_is_still_making_waits(
    engine: sa.Engine, instance: dg.DagsterInstance, sensor: dg.SensorDefinition
) -> None:
    run = create_run_for_test(instance, "main", status=DagsterRunStatus.STARTED)
    deployments(engine, 1, *FALLEN)
    waiting = tick(sensor, instance)
    assert waiting.skip_message.startswith(f"Run {run.run_id[:8]} is still making 2025-12-14, which is evaluated when")
    instance.report_run_failed(run)
    # One whose process was killed makes nothing any more.
    tags = {"metrics/host": socket.gethostname(), "metrics/process": "4194305"}
    create_run_for_test(instance, "main", status=DagsterRunStatus.STARTED, tags=tags)
    assert len(tick(sensor, instance, waiting.cursor).run_requests) == 1


def test_many_groups_are_one_run(engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock) -> None:
    with engine.begin() as connection:
        for number in range(21):
            connection.execute(
                sa.text(
                    "insert into ops.notifications (message_key, group_key, channel, message, next_attempt_at, "
                    "created_at) values (:key, :key, 'oncall', :message, :now, :now)"
                ),
                {"key": f"report:{number}", "message": json.dumps({"title": "A report"}), "now": clock.now},
            )
    (request,) = look_at_outbox(engine, instance, clock.now).requests
    assert request.tags == {"metrics/alert": "21 groups"}
