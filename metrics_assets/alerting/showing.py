"""One alert for somebody at the terminal: the message of how it stands now, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from metrics_assets.alerting.messages import AcknowledgeLink, Message, compose
from metrics_assets.catalogue.alerts import Rule
from metrics_assets.errors import AlertError
from metrics_assets.settings import Settings


def alert_message(
    engine: sa.Engine,
    settings: Settings,
    rules: Mapping[str, Rule],
    alert_id: int,
    acknowledge: AcknowledgeLink | None = None,
) -> Message:
    """The message that would be sent if the alert opened as it stands now.

    Raises:
        AlertError: there is no such alert.
    """
    with engine.connect() as connection:
        row = connection.execute(
            sa.text("select * from ops.alerts where alert_id = :alert_id"), {"alert_id": alert_id}
        ).one_or_none()
    if row is None:
        raise AlertError(f"There is no alert {alert_id}; `metrics alerts list --all` lists them.")
    rule = rules.get(row.rule)
    facts = {
        "title": rule.title if rule is not None else row.rule,
        "rule": row.rule,
        "severity": row.severity,
        "subject_kind": row.subject_kind,
        "subject": row.subject,
        "metric": row.metric,
        "date": row.last_evaluated_on.isoformat(),
        "value": row.value,
        "n": row.n,
        "low": row.low,
        "high": row.high,
        "reference": row.reference,
        "text": row.text or "Nothing is known of it any more.",
        "since": row.opened_on.isoformat(),
        "event": "opened",
        "level": 0,
        "alert_id": alert_id,
        "state": row.state,
        "dedup_key": f"metrics_assets:{row.rule}:{row.subject}:{alert_id}",
    }
    return compose(engine, facts, rule, settings, acknowledge)


def history(engine: sa.Engine, alert_id: int) -> list[str]:
    """What happened to an alert, oldest first: its events, and who was told of each."""
    lines = []
    with engine.connect() as connection:
        for event in connection.execute(sa.text(_EVENTS), {"alert_id": alert_id}):
            level = f" to level {event.level}" if event.level else ""
            lines.append(f"{_minute(event.created_at)} {event.event}{level}")
            for told in connection.execute(sa.text(_TOLD), {"event_id": event.event_id}):
                lines.append(f"  {told.channel}: {_delivery(told.state, told)}")
        row = connection.execute(sa.text(_REST), {"alert_id": alert_id}).one_or_none()
        if row is not None:
            if row.state == "pending":
                lines.append(f"It holds for {row.breaches} days, not long enough yet to be told.")
            if row.acknowledged_at is not None:
                note = f": {row.acknowledge_note}" if row.acknowledge_note else ""
                lines.append(f"{_minute(row.acknowledged_at)} acknowledged by {row.acknowledged_by}{note}")
            if row.resolved_because:
                lines.append(f"It ended: {row.resolved_because}")
            if row.outcome:
                lines.append(f"{_minute(row.decided_at)} {row.outcome}, says {row.decided_by}{row.decided_note}")
    return lines


_EVENTS = """
select event_id, event, level, created_at from ops.alert_events where alert_id = :alert_id order by event_id
"""
_TOLD = """
select channel, state, attempts, sent_at, next_attempt_at, held_because, dropped_because, last_error
from ops.notifications where event_id = :event_id order by channel
"""
_REST = """
select
    alerts.state, breaches, acknowledged_at, acknowledged_by, acknowledge_note, resolved_because,
    outcome, decided_at, decided_by, coalesce(': ' || note, '') as decided_note
from ops.alerts as alerts
left join ops.alert_outcomes using (alert_id)
where alert_id = :alert_id
"""


def _delivery(state: str, row: sa.Row) -> str:  # type: ignore[type-arg]
    if state == "sent":
        return f"told at {_minute(row.sent_at)}"
    if state == "dropped":
        return f"not told: {row.dropped_because}"
    if row.held_because:
        return f"waits until {_minute(row.next_attempt_at)}: {row.held_because}"
    if row.attempts:
        return f"tried {row.attempts} times, next at {_minute(row.next_attempt_at)}: {row.last_error}"
    return "not told yet"


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
