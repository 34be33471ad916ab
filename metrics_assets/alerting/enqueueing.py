"""Putting messages into the outbox, in the transaction of what they tell of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting.channels import ALERTS_ONLY
from metrics_assets.alerting.events import Told
from metrics_assets.alerting.timing import Hold, hold
from metrics_assets.catalogue.alerts import SEVERITIES, Rule
from metrics_assets.settings import Settings, Severity


def enqueue_events(
    connection: sa.Connection, told: Sequence[Told], batch: str, settings: Settings, now: datetime
) -> int:
    """Put the notifications of events into the outbox, in the transaction in which they happened.

    That an alert opened is told on the channels of its rule, that it was escalated on those of the escalation. Channels
    that metrics.yaml does not have are the default ones. What happens to it afterwards is told wherever it was told of.

    Args:
        batch: names the evaluation; what a rule says of many subjects at once may become one message.

    Returns:
        How many notifications there are more; none for an event that was put in before.
    """
    knowing = _channels_that_know(connection, [one.event_id for one in told])
    rows = []
    # Most of an evaluation's events are of few rules.
    holds: dict[tuple[str, str, str], Hold] = {}
    for one in told:
        names = knowing.get(one.event_id, []) if one.event in ("acknowledged", "resolved") else _channels(one, settings)
        for name in names:
            if name not in settings.channels:
                continue  # told of the alert once, and gone since
            key = (one.about.rule, name, one.about.severity)
            if key not in holds:
                holds[key] = hold(one.rule, settings.channels[name], one.about.severity, settings, now)
            until, why = holds[key]
            rows.append(
                {
                    "event_id": one.event_id,
                    "channel": name,
                    "message_key": f"event:{one.event_id}",
                    "group_key": f"{batch}:{one.about.rule}:{one.event}",
                    "mention": _mention(one),
                    "next_attempt_at": until,
                    "held_because": why,
                }
            )
    return _insert(connection, rows, now)


def enqueue_message(
    connection: sa.Connection,
    message_key: str,
    channels: Iterable[str],
    message: Mapping[str, Any],
    now: datetime,
    settings: Settings,
) -> int:
    """Put a message that is no alert into the outbox: a status line, a report.

    Args:
        message_key: what it is; on a channel, one message of a key is told once.
        channels: names of metrics.yaml; incident and issue channels take alerts only and are left out.
        message: title, and as wanted lines, sections (heading, lines), links (label, url) and severity; other keys are
            for webhooks alone. All of it is plain text.

    Returns:
        How many notifications there are more.
    """
    severity: Severity = message.get("severity", "info")
    rows = []
    for name in channels:
        if name in settings.channels and settings.channels[name].kind not in ALERTS_ONLY:
            until, why = hold(None, settings.channels[name], severity, settings, now)
            rows.append(
                {
                    "event_id": None,
                    "channel": name,
                    "message_key": message_key,
                    "group_key": message_key,
                    "mention": None,
                    "next_attempt_at": until,
                    "held_because": why,
                    "message": dict(message),
                }
            )
    return _insert(connection, rows, now)


def redirect(
    connection: sa.Connection, rows: Sequence[Any], rules: Mapping[str, Rule], settings: Settings, now: datetime
) -> int:
    """Put what waits for a channel that metrics.yaml has no more into the outbox again, for the default channels.

    That an alert opened or was escalated goes to those that have not heard of it or of what came after it, what
    became of it to those that have heard of it.

    Args:
        rows: notifications with the event, alert_id, rule and severity of their alert; what is no alert is left out.

    Returns:
        How many notifications there are more.
    """
    ids = [row.alert_id for row in rows if row.event_id is not None]
    newest = {(row.alert_id, row.channel): row.event_id for row in connection.execute(sa.text(_HEARD), {"ids": ids})}
    found = []
    for row in rows:
        if row.event_id is None:
            continue
        for name in _severe_enough(_default(settings), row.severity, settings):
            heard = newest.get((row.alert_id, name))
            if (heard is None and row.event in ("acknowledged", "resolved")) or (heard or 0) >= row.event_id:
                continue
            until, why = hold(rules.get(row.rule), settings.channels[name], row.severity, settings, now)
            found.append(
                {
                    "event_id": row.event_id,
                    "channel": name,
                    "message_key": row.message_key,
                    "group_key": row.group_key,
                    "mention": row.mention,
                    "next_attempt_at": until,
                    "held_because": why,
                }
            )
    return _insert(connection, found, now)


_HEARD = """
-- A row is an alert and a channel that was told of it, or is to be told, with the newest event of it there.
select events.alert_id, notifications.channel, max(events.event_id) as event_id
from ops.alert_events as events
join ops.notifications as notifications using (event_id)
where events.alert_id = any (:ids) and notifications.state <> 'dropped'
group by events.alert_id, notifications.channel
"""
_INSERT = """
insert into ops.notifications
    (event_id, channel, message_key, group_key, mention, next_attempt_at, held_because, message, created_at)
select event_id, channel, message_key, group_key, mention, next_attempt_at, held_because, message, :now
from jsonb_to_recordset(cast(:rows as jsonb)) as given (
    place integer, event_id bigint, channel text, message_key text, group_key text, mention text,
    next_attempt_at timestamptz, held_because text, message jsonb
)
order by place
on conflict (message_key, channel) do nothing
"""
_KNOWING = """
-- A row is an event and a channel that was told of its alert, or is to be told.
select distinct events.event_id, notifications.channel
from ops.alert_events as events
join ops.alert_events as others using (alert_id)
join ops.notifications as notifications on notifications.event_id = others.event_id
where events.event_id = any (:event_ids)
order by events.event_id, notifications.channel
"""


def _insert(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Write rows by one statement: thousands of alerts may open at once. Ids are in the order of the events."""
    if not rows:
        return 0
    numbered = [{"place": place, **row} for place, row in enumerate(rows)]
    return connection.execute(sa.text(_INSERT), {"rows": json.dumps(numbered, default=str), "now": now}).rowcount


def _channels_that_know(connection: sa.Connection, event_ids: list[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in connection.execute(sa.text(_KNOWING), {"event_ids": event_ids}):
        found.setdefault(row.event_id, []).append(row.channel)
    return found


def _channels(told: Told, settings: Settings) -> list[str]:
    """The channels for an alert that opened or was escalated."""
    return _channels_of(told.rule, told.level if told.event == "escalated" else 0, told.about.severity, settings)


def first_heard_at(rule: Rule, level: int, severity: Severity, settings: Settings, now: datetime) -> datetime:
    """When the first channel may tell of an alert that opens (level 0) or is escalated now."""
    names = _channels_of(rule, level, severity, settings)
    return min((hold(rule, settings.channels[name], severity, settings, now).until for name in names), default=now)


def _channels_of(rule: Rule | None, level: int, severity: Severity, settings: Settings) -> list[str]:
    wanted: tuple[str, ...] = rule.channels if rule is not None else ()
    if level and rule is not None and rule.escalate:
        wanted = rule.escalate[min(level, len(rule.escalate)) - 1].channels or wanted
    there = [name for name in wanted if name in settings.channels]
    if not wanted or len(there) < len(wanted):
        there += _default(settings)
    return _severe_enough(there, severity, settings)


def _default(settings: Settings) -> list[str]:
    return [name for name, channel in settings.channels.items() if channel.default]


def _severe_enough(names: Iterable[str], severity: Severity, settings: Settings) -> list[str]:
    """The channels, each once, that want to hear of what is so severe."""
    rank = SEVERITIES.index(severity)
    return [name for name in dict.fromkeys(names) if rank >= SEVERITIES.index(settings.channels[name].minimum_severity)]


def _mention(told: Told) -> str | None:
    if told.rule is None or told.event in ("acknowledged", "resolved"):
        return None
    if told.event == "escalated" and told.rule.escalate:
        return told.rule.escalate[min(told.level, len(told.rule.escalate)) - 1].mention or told.rule.mention
    return told.rule.mention
