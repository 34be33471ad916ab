"""The alerts: evaluating the rules on a day, and the asset whose materialization is the delivery."""

from datetime import date, timedelta
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.alerting.delivery import deliver
from metrics_assets.alerting.rules import Condition, days_needed, evaluate
from metrics_assets.alerting.states import record_conditions
from metrics_assets.assets.shared import (
    NOTIFY,
    OWNERS,
    WATCHED,
    Shared,
    Warehouse,
    key_of,
    preview,
    table_metadata,
)
from metrics_assets.catalogue.alerts import load_rules
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.settings import Settings
from metrics_assets.warehouse.frames import read_metric_values

NOTIFICATIONS = "ops.notifications"
# The alert event that a run delivers; without it a run delivers everything that is due.
EVENT_TAG = "metrics/alert_event"


def conditions_on(engine: sa.Engine, on: date) -> list[Condition]:
    """How every rule of the catalogue stands for every subject on a day."""
    rules = load_rules()
    first = on - timedelta(days=days_needed(rules) - 1)
    values = read_metric_values(engine, _metrics_read(), first, on + timedelta(days=1), WATCHED)
    return evaluate(rules, values, on)


def _metrics_read() -> list[str]:
    """The metrics that the rules read, each once."""
    return sorted({metric for rule in load_rules() for metric in rule.metrics()})


def check_thresholds(engine: sa.Engine, settings: Settings, on: date) -> int:
    """Evaluate all rules on a day and write what follows: alerts, and notifications for every channel.

    Returns:
        How many alerts were opened or resolved.
    """
    return record_conditions(engine, load_rules(), conditions_on(engine, on), settings.channels)


def alert_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The asset ops/notifications; runs of the job `alerts` materialize it when the sensor asks for it."""

    @dg.asset(
        key=key_of(NOTIFICATIONS),
        deps=[key_of(f"metrics.{table}") for table in load_catalogue().tables(_metrics_read())],
        description="Notifications of alerts that opened or ended, delivered to the channels of metrics.yaml. The "
        "sensor `thresholds` evaluates the rules and asks for a run per alert; what a channel does not take stays "
        "in the outbox and is tried again, later and later.",
        metadata=table_metadata(NOTIFICATIONS),
        group_name=NOTIFY,
        kinds={"postgres", "webhook"},
        owners=OWNERS,
    )
    def notifications(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        event = context.run.tags.get(EVENT_TAG)
        delivered = deliver(warehouse.engine, shared.settings.channels, int(event) if event else None)
        context.log.info(f"{delivered.sent} notifications sent, {len(delivered.failed)} channels failed")
        if delivered.failed:
            raise dg.Failure(
                "; ".join(delivered.failed.values()) + ". The notifications stay in the outbox and are tried again.",
                allow_retries=False,
            )
        with warehouse.engine.connect() as connection:
            latest = preview(
                connection,
                "select alert_events.date, message->>'title' as title, channel, notifications.state, attempts "
                "from ops.notifications join ops.alert_events using (event_id) "
                "order by notification_id desc limit 10",
            )
        return dg.MaterializeResult(metadata={"sent": delivered.sent, "latest": latest})

    return [notifications]
