"""The sensor `escalations`: whom else to tell, and when."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets.alerting.states import acknowledge, open_alerts
from metrics_assets.assets.alerts import check_thresholds
from metrics_assets.automation.escalations import escalations_sensor
from metrics_assets_tests.automation.conftest import FALLEN, Clock, Receiver, deployments, launch, settings, tick

LEVELS = [{"after_minutes": 30, "channels": ["boss"]}, {"after_minutes": 60}]
SETTINGS = settings(rules={"low_deployment_activity": {"escalate": LEVELS}})


@pytest.fixture
def sensor(engine: sa.Engine, clock: Clock) -> dg.SensorDefinition:
    """With an alert that opens now."""
    deployments(engine, 1, *FALLEN)
    assert len(check_thresholds(engine, SETTINGS, date(2025, 12, 14), clock.now).opened) == 1
    return escalations_sensor(SETTINGS, clock)


def test_what_nobody_acknowledges_is_told_to_the_next_ones(
    engine: sa.Engine, instance: dg.DagsterInstance, sensor: dg.SensorDefinition, clock: Clock, receiver: Receiver
) -> None:
    (opened,) = tick(sensor, instance).run_requests
    assert launch(opened, instance, SETTINGS, "escalations").success
    clock.go(minutes=29, seconds=59)
    quiet = tick(sensor, instance)
    assert quiet.skip_message == (
        "1 alert fires (the next is escalated at 07:00 UTC), 0 acknowledged, 0 escalated now, nothing to deliver."
    )
    clock.go(seconds=1)
    (request,) = tick(sensor, instance).run_requests
    assert request.tags["metrics/alert"] == "low_deployment_activity escalated"
    assert launch(request, instance, SETTINGS, "escalations").success
    assert tick(sensor, instance).skip_message.startswith("1 alert fires (the next is escalated at 08:00 UTC)")
    clock.go(minutes=60)
    (last,) = tick(sensor, instance).run_requests
    assert launch(last, instance, SETTINGS, "escalations").success
    assert receiver.titles == [
        "[warning] Low deployment activity: acme/api",
        "[warning, escalated] Low deployment activity: acme/api",
        "[warning, escalated] Low deployment activity: acme/api",
    ]
    with engine.connect() as connection:
        told = connection.execute(
            sa.text(
                "select event, level, channel from ops.notifications join ops.alert_events using (event_id) "
                "order by notification_id"
            )
        ).all()
    assert [tuple(row) for row in told] == [
        ("opened", 0, "oncall"),
        ("escalated", 1, "boss"),
        ("escalated", 2, "oncall"),
    ]
    clock.go(days=1)
    done = tick(sensor, instance)
    assert done.skip_message == "1 alert fires, 0 acknowledged, 0 escalated now, nothing to deliver."


def test_what_is_acknowledged_is_not_escalated(
    engine: sa.Engine, instance: dg.DagsterInstance, sensor: dg.SensorDefinition, clock: Clock
) -> None:
    (alert,) = open_alerts(engine)
    acknowledge(engine, alert.alert_id, "ann", None, SETTINGS, clock.now)
    clock.go(hours=5)
    data = tick(sensor, instance)
    assert [request.tags["metrics/alert"] for request in data.run_requests] == ["low_deployment_activity opened"]
    with engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from ops.alert_events where level > 0")).scalar() == 0
