"""The alerts: evaluating the rules, and the asset whose materialization is the delivery."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets import settings as configuration
from metrics_assets.alerting import outbox, pipeline, states
from metrics_assets.alerting.acknowledging import acknowledge_key, acknowledge_link
from metrics_assets.alerting.messages import AcknowledgeLink
from metrics_assets.alerting.rules import evaluate
from metrics_assets.assets.shared import NOTIFY, OWNERS, Shared, Warehouse, key_of, preview, table_tags
from metrics_assets.catalogue.alerts import PipelineRule, Rule, active_rules, load_rules
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.settings import Settings
from metrics_assets.warehouse.people import installation_secret

NOTIFICATIONS = "ops.notifications"
# The group of notifications that a run delivers; without it a run delivers everything that is due.
GROUP_TAG = "metrics/alert_group"
# After an outage so many days are caught up with at the most: what was wrong a month ago wakes nobody now.
_MOST_DAYS = 7


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Checked:
    """What evaluations did.

    Attributes:
        looked_at: pairs of a rule and a subject that were judged, on the newest day; `unknown` of them say nothing.
        opened, resolved, pending: ids of alerts.
    """

    rules: int
    days: list[date] = field(default_factory=list)
    looked_at: int = 0
    unknown: int = 0
    opened: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)

    def add(self, changes: states.Changes) -> None:
        self.opened += changes.opened
        self.resolved += changes.resolved
        self.pending += changes.pending

    @property
    def sentence(self) -> str:
        """What was looked at and what came of it, without a full stop."""
        days = " and ".join(str(day) for day in (self.days if len(self.days) < 3 else [self.days[0], self.days[-1]]))
        between = f" and the {len(self.days) - 2} days between" if len(self.days) > 2 else ""
        held = f", {len(self.pending)} not for long enough yet" if self.pending else ""
        unknown = f", {self.unknown:,} of them unknown" if self.unknown else ""
        return (
            f"{self.rules} rules on {days}{between} ({self.looked_at:,} pairs of rule and subject{unknown}): "
            f"{len(self.opened)} opened, {len(self.resolved)} resolved{held}"
        )


def rules_of(settings: Settings) -> dict[str, Rule]:
    """The rules that count for a configuration.

    Raises:
        CatalogueError: a rule is wrong, or metrics.yaml changes one that does not exist.
    """
    return active_rules(settings.packs, settings.alerts.rules)


def newest_day(engine: sa.Engine) -> date | None:
    """The newest day with figures."""
    with engine.connect() as connection:
        day: date | None = connection.execute(sa.text("select max(date) from metrics.dora_daily")).scalar()
        return day


def check_thresholds(engine: sa.Engine, settings: Settings, on: date, now: datetime) -> Checked:
    """Evaluate all rules on a day and write what follows: alerts, and notifications for every channel.

    The days since the last evaluation come first, so that an outage skips nothing. Doing it again changes nothing.
    """
    rules = rules_of(settings)
    checked = Checked(len(rules))
    checked.add(states.close_orphans(engine, rules, settings, now))
    for day in _days_to_evaluate(engine, on):
        evaluation = evaluate(engine, rules, day)
        checked.add(states.record(engine, rules, evaluation.conditions, settings, now, day))
        checked.days.append(day)
        checked.looked_at, checked.unknown = evaluation.looked_at, evaluation.unknown
    return checked


def check_pipeline(engine: sa.Engine, settings: Settings, facts: pipeline.RunFacts, now: datetime) -> Checked:
    """Evaluate the rules about the pipeline itself, and write what follows."""
    rules = rules_of(settings)
    conditions = pipeline.conditions(engine, rules, facts, now)
    checked = Checked(sum(isinstance(rule, PipelineRule) for rule in rules.values()), looked_at=len(conditions))
    checked.add(states.record(engine, rules, conditions, settings, now))
    return checked


def evaluated_through(engine: sa.Engine) -> date | None:
    """The newest day whose figures were evaluated."""
    with engine.connect() as connection:
        day: date | None = connection.execute(sa.text("select evaluated_through from ops.evaluations")).scalar()
        return day


def _days_to_evaluate(engine: sa.Engine, on: date) -> list[date]:
    """The day itself, and before it those since the last one that was evaluated."""
    last = evaluated_through(engine)
    missed = 0 if last is None else max((on - last).days, 1) - 1
    return [on - timedelta(days=days) for days in range(min(missed, _MOST_DAYS - 1), -1, -1)]


def deliver(
    engine: sa.Engine, settings: Settings, group: str | None = None, now: Callable[[], datetime] = utc_now
) -> outbox.Delivered:
    """Send what is due: everything, or one group of notifications.

    Raises:
        ConfigurationError: the installation's secret, which signs links to acknowledge, is not whole.
    """
    return outbox.deliver(
        engine, settings, now, group, acknowledge=acknowledge_links(settings), rules=rules_to_tell(settings)
    )


def rules_to_tell(settings: Settings) -> dict[str, Rule]:
    """The rules by which messages are written: those that count, and those that were switched off since."""
    return {**load_rules(), **rules_of(settings)}


def acknowledge_links(settings: Settings) -> AcknowledgeLink | None:
    """What gives the link to acknowledge an alert; None where metrics.yaml says of no page for it."""
    if settings.alerts.acknowledge_url is None:
        return None
    key = installation_acknowledge_key()
    return lambda alert_id: acknowledge_link(alert_id, settings, key)


def installation_acknowledge_key() -> bytes:
    """The key of this installation that signs links to acknowledge.

    Raises:
        ConfigurationError: the secret is too short.
    """
    return acknowledge_key(installation_secret(configuration.metrics_home()))


def tables_of(rules: Mapping[str, Rule]) -> Sequence[str]:
    """The tables ('metrics.dora_daily') that rules read."""
    metrics = sorted({metric for rule in rules.values() for metric in rule.metrics()})
    tables = [f"metrics.{table}" for table in load_catalogue().tables(metrics)]
    if any(rule.kind == "anomaly" for rule in rules.values()):
        tables.append("metrics.anomalies")
    return tables


def alert_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The asset ops/notifications; runs of the job `alerts` materialize it when a sensor asks for it."""

    @dg.asset(
        key=key_of(NOTIFICATIONS),
        deps=[key_of(table) for table in tables_of(rules_of(shared.settings))],
        description="What people are told: a row per message and channel. The sensors `thresholds`, `pipeline` and "
        "`escalations` write them and ask for one run per group of messages; what a channel does not take stays in "
        "the outbox and is tried again, later and later.",
        metadata=shared.metadata(NOTIFICATIONS),
        tags=table_tags(NOTIFICATIONS),
        group_name=NOTIFY,
        kinds={"postgres", "webhook"},
        owners=OWNERS,
    )
    def notifications(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        delivered = deliver(warehouse.engine, shared.settings, context.run.tags.get(GROUP_TAG), utc_now)
        failed = len(delivered.failed)
        context.log.info(f"{delivered.sent} sent, {delivered.dropped} dropped, {failed} channels failed")
        if delivered.failed:
            raise dg.Failure(
                ". ".join(problem.rstrip(".") for problem in delivered.failed.values())
                + ". What is still in the outbox is tried again.",
                allow_retries=False,
            )
        with warehouse.engine.connect() as connection:
            waiting = connection.execute(
                sa.text("select count(*) from ops.notifications where state = 'pending'")
            ).scalar_one()
            latest = preview(connection, _LATEST)
        return dg.MaterializeResult(
            metadata={
                "sent": delivered.sent,
                "failed": failed,
                "dropped": delivered.dropped,
                "waiting": waiting,
                "latest": latest,
            }
        )

    return [notifications]


_LATEST = """
select
    to_char(coalesce(sent_at, next_attempt_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as "at (UTC)",
    coalesce(notifications.message, alert_events.message)->>'title' as title,
    coalesce(alert_events.message->>'subject', '') as subject,
    coalesce(alert_events.event, 'message') as event,
    channel,
    notifications.state,
    attempts,
    coalesce(dropped_because, held_because, last_error, '') as remark
from ops.notifications
left join ops.alert_events using (event_id)
order by notification_id desc
limit 10
"""
