"""The state of every alert, and the outbox: what has to be told to whom, written with what happened.

An evaluation opens an alert, keeps it or resolves it, in one transaction with the notifications that follow;
two evaluations at the same time, or the same one twice, give the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting.rules import Condition
from metrics_assets.catalogue.alerts import ChangeRule, MultipleRule


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """Something that people are to be told: an alert was opened or resolved."""

    event_id: int
    event: str
    date: date
    rule: str
    subject: str
    attempts: int


def record_conditions(
    engine: sa.Engine,
    rules: Iterable[ChangeRule | MultipleRule],
    conditions: Sequence[Condition],
    channels: Iterable[str],
) -> int:
    """Bring the alerts to what the conditions say, and put the notifications of every change into the outbox.

    Returns:
        How many alerts were opened or resolved.
    """
    by_key = {rule.key: rule for rule in rules}
    changed = 0
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('ops.alerts'))"))
        newest = connection.execute(sa.text("select max(last_evaluated_on) from ops.alerts")).scalar()
        known = {(row.rule, row.subject_kind, row.subject): row for row in connection.execute(sa.text(_OPEN))}
        for condition in conditions:
            alert = known.get((condition.rule, condition.subject_kind, condition.subject))
            rule = by_key[condition.rule]
            if newest is not None and newest > condition.date:
                continue  # a rebuilt past does not change the present
            if alert is None:
                if condition.verdict != "breached" or _already_told(connection, condition):
                    continue
                alert_id = connection.execute(sa.text(_INSERT), _row(rule, condition)).scalar_one()
                changed += _tell(connection, alert_id, "opened", rule, condition, channels)
            elif condition.verdict == "breached":
                connection.execute(sa.text(_KEEP), {**_row(rule, condition), "alert_id": alert.alert_id})
            elif condition.verdict == "fine":
                connection.execute(sa.text(_RESOLVE), {"alert_id": alert.alert_id, "date": condition.date})
                changed += _tell(connection, alert.alert_id, "resolved", rule, condition, channels)
    return changed


def due_events(engine: sa.Engine) -> list[AlertEvent]:
    """Events with a notification in the outbox whose time has come, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select events.event_id, events.event, events.date, alerts.rule, alerts.subject, "
                "max(notifications.attempts) as attempts "
                "from ops.alert_events as events join ops.alerts as alerts using (alert_id) "
                "join ops.notifications as notifications using (event_id) "
                "where notifications.state = 'pending' and notifications.next_attempt_at <= now() "
                "group by events.event_id, events.event, events.date, alerts.rule, alerts.subject "
                "order by events.event_id"
            )
        )
        return [AlertEvent(*row) for row in rows]


_OPEN = "select * from ops.alerts where state <> 'resolved'"
_INSERT = """
insert into ops.alerts
    (rule, subject_kind, subject, severity, state, opened_on, last_evaluated_on, value, n, reference)
values (:rule, :subject_kind, :subject, :severity, 'firing', :date, :date, :value, :n, :reference)
returning alert_id
"""
_KEEP = """
update ops.alerts set last_evaluated_on = :date, value = :value, n = :n, reference = :reference
where alert_id = :alert_id
"""
_RESOLVE = """
update ops.alerts set state = 'resolved', resolved_on = :date, last_evaluated_on = :date where alert_id = :alert_id
"""


def _row(rule: ChangeRule | MultipleRule, condition: Condition) -> dict[str, Any]:
    return {
        "rule": condition.rule,
        "subject_kind": condition.subject_kind,
        "subject": condition.subject,
        "severity": rule.severity,
        "date": condition.date,
        "value": condition.value,
        "n": condition.n,
        "reference": condition.reference,
    }


def _already_told(connection: sa.Connection, condition: Condition) -> bool:
    """Whether an alert of the rule and subject was opened on or resolved after this day: then it is the past."""
    return bool(
        connection.execute(
            sa.text(
                "select exists (select 1 from ops.alerts where rule = :rule and subject_kind = :subject_kind "
                "and subject = :subject and last_evaluated_on >= :date)"
            ),
            {
                "rule": condition.rule,
                "subject_kind": condition.subject_kind,
                "subject": condition.subject,
                "date": condition.date,
            },
        ).scalar_one()
    )


def _tell(
    connection: sa.Connection,
    alert_id: int,
    event: str,
    rule: ChangeRule | MultipleRule,
    condition: Condition,
    channels: Iterable[str],
) -> int:
    event_id = connection.execute(
        sa.text(
            "insert into ops.alert_events (alert_id, event, date, message) "
            "values (:alert_id, :event, :date, cast(:message as jsonb)) "
            "on conflict (alert_id, event, date) do nothing returning event_id"
        ),
        {
            "alert_id": alert_id,
            "event": event,
            "date": condition.date,
            "message": json.dumps(message(alert_id, event, rule, condition)),
        },
    ).scalar()
    if event_id is None:
        return 0
    for channel in channels:
        connection.execute(
            sa.text("insert into ops.notifications (event_id, channel) values (:event_id, :channel)"),
            {"event_id": event_id, "channel": channel},
        )
    return 1


def message(alert_id: int, event: str, rule: ChangeRule | MultipleRule, condition: Condition) -> Mapping[str, Any]:
    """What a channel is given: what, where, how bad, against what, since when, and what to do.

    `dedup_key` is the same for the opening and the resolution of one alert, as PagerDuty and others want it.
    """
    verb = "resolved" if event == "resolved" else rule.severity
    return {
        "event": event,
        "dedup_key": f"metrics_assets:{rule.key}:{condition.subject}:{alert_id}",
        "title": f"[{verb}] {rule.title}: {condition.subject}",
        "rule": rule.key,
        "severity": rule.severity,
        "subject_kind": condition.subject_kind,
        "subject": condition.subject,
        "date": condition.date.isoformat(),
        "metric": rule.metric,
        "value": condition.value,
        "reference": condition.reference,
        "n": condition.n,
        "text": condition.text,
        "action": rule.action if event == "opened" else "Nothing to do.",
    }
