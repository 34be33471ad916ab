"""The sensor `escalations`: alerts that nobody has acknowledged in time are told to the next ones."""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa

from metrics_assets.alerting.states import escalate
from metrics_assets.assets.alerts import rules_of, utc_now
from metrics_assets.assets.shared import Warehouse
from metrics_assets.automation.delivering import look_at_outbox
from metrics_assets.automation.jobs import alerts_job
from metrics_assets.settings import Settings


def escalations_sensor(settings: Settings, clock: Callable[[], datetime] = utc_now) -> dg.SensorDefinition:
    """Escalates what has waited for too long, and asks for the runs that tell it."""

    @dg.sensor(
        name="escalations",
        job=alerts_job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Alerts that fire on and that nobody has acknowledged within the minutes of their rule are told "
        "to the rule's next channels. One run per group of messages that is due.",
    )
    def escalations(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult | dg.SkipReason:
        now, engine = clock(), warehouse.engine
        escalated = escalate(engine, rules_of(settings), settings, now)
        outbox = look_at_outbox(engine, context.instance, now)
        sentence = f"{_waiting(engine)}, {len(escalated)} escalated now, {outbox.sentence}."
        if not outbox.requests:
            return dg.SkipReason(sentence)
        context.log.info(sentence)
        return dg.SensorResult(outbox.requests)

    return escalations


def _waiting(engine: sa.Engine) -> str:
    """How many alerts fire, and when the next of them is escalated."""
    with engine.connect() as connection:
        row = connection.execute(
            sa.text(
                "select count(*) filter (where state = 'firing') as firing, "
                "count(*) filter (where state = 'acknowledged') as acknowledged, "
                "min(escalate_at) filter (where state = 'firing') as next from ops.alerts where state <> 'resolved'"
            )
        ).one()
    following = f" (the next is escalated at {row.next.astimezone(UTC):%H:%M} UTC)" if row.next else ""
    fire = "1 alert fires" if row.firing == 1 else f"{row.firing} alerts fire"
    return f"{fire}{following}, {row.acknowledged} acknowledged"
