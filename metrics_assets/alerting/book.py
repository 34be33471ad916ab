"""The rows of ops.alerts and ops.alert_events: read, and written many at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from metrics_assets.alerting.conditions import Condition, Key
from metrics_assets.alerting.events import EventName, OpenAlert, Told
from metrics_assets.catalogue.alerts import Rule
from metrics_assets.settings import Settings

# Fields of OpenAlert and the columns that they stand in.
_ALERT = """
select alert_id, rule, metric, subject_kind, subject, severity, state, opened_on, last_evaluated_on, value, n, low,
       high, reference, coalesce(text, ''), breaches, recoveries, fired_at, acknowledged_at, acknowledged_by,
       escalation_level, escalate_at
from ops.alerts
"""
# What an evaluation may change of an alert; and the types, for rows that come as JSON.
_CHANGED = {
    "state": "text",
    "severity": "text",
    "last_evaluated_on": "date",
    "value": "double precision",
    "n": "bigint",
    "low": "double precision",
    "high": "double precision",
    "reference": "double precision",
    "text": "text",
    "breaches": "integer",
    "recoveries": "integer",
    "fired_at": "timestamptz",
    "escalate_at": "timestamptz",
    "resolved_on": "date",
    "resolved_at": "timestamptz",
    "resolved_because": "text",
}
_NEW = {"rule": "text", "subject_kind": "text", "subject": "text", "metric": "text", "opened_on": "date"}


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that an alert's people are to be told of."""

    alert_id: int
    event: EventName
    rule: Rule | None
    about: Condition | OpenAlert
    since: date
    level: int = 0


def lock(connection: sa.Connection) -> None:
    """Whoever changes alerts takes turns."""
    connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('ops.alerts'))"))


def unresolved(connection: sa.Connection) -> list[OpenAlert]:
    """Every alert that has not ended, pending ones too, in the order in which they were opened."""
    rows = connection.execute(sa.text(_ALERT + "where state <> 'resolved' order by alert_id"))
    return [OpenAlert(*row) for row in rows]


def find(connection: sa.Connection, alert_id: int) -> OpenAlert | None:
    """An alert, in whatever state."""
    row = connection.execute(sa.text(_ALERT + "where alert_id = :alert_id"), {"alert_id": alert_id}).one_or_none()
    return None if row is None else OpenAlert(*row)


def insert(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> dict[Key, int]:
    """Write new alerts, each with all of `_NEW` and what it has of `_CHANGED`; their ids."""
    if not rows:
        return {}
    columns = _NEW | _CHANGED
    written = connection.execute(
        sa.text(
            f"insert into ops.alerts ({', '.join(columns)}) select {', '.join(columns)} {_from_json(columns)} "
            # In the order in which they came, so that ids are in that order, too.
            "order by place returning alert_id, rule, subject_kind, subject, metric"
        ),
        {"rows": _json({"place": place, **row} for place, row in enumerate(rows))},
    )
    return {(row.rule, row.subject_kind, row.subject, row.metric): row.alert_id for row in written}


def update(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change alerts: each row has an alert_id and everything of `_CHANGED`."""
    if rows:
        changes = ", ".join(f"{column} = changed.{column}" for column in _CHANGED)
        source = _from_json({"alert_id": "bigint", **_CHANGED}, "changed")
        connection.execute(
            sa.text(f"update ops.alerts as alerts set {changes} {source} where alerts.alert_id = changed.alert_id"),
            {"rows": _json(rows)},
        )


def delete(connection: sa.Connection, alert_ids: Sequence[int]) -> None:
    """Remove alerts that nobody was told of."""
    if alert_ids:
        connection.execute(sa.text("delete from ops.alerts where alert_id = any (:ids)"), {"ids": list(alert_ids)})


def tell(connection: sa.Connection, happened: Sequence[Happened], settings: Settings, now: datetime) -> None:
    """Write events, and into the outbox whom to tell of them. One that was written before is not told again."""
    from metrics_assets.alerting import outbox

    if not happened:
        return
    columns = {"alert_id": "bigint", "event": "text", "date": "date", "message": "jsonb", "level": "integer"}
    written = connection.execute(
        sa.text(
            f"insert into ops.alert_events ({', '.join(columns)}, created_at) "
            f"select {', '.join(columns)}, :now {_from_json(columns)} order by place "
            "on conflict (alert_id, event, level) do nothing returning event_id, alert_id, event, level"
        ),
        {
            "now": now,
            "rows": _json(
                {
                    "place": place,
                    "alert_id": one.alert_id,
                    "event": one.event,
                    "date": one.about.date,
                    "message": _facts(one),
                    "level": one.level,
                }
                for place, one in enumerate(happened)
            ),
        },
    )
    ids = {(row.alert_id, row.event, row.level): row.event_id for row in written}
    told = [
        Told(ids[one.alert_id, one.event, one.level], one.event, one.rule, one.about, one.level)
        for one in happened
        if (one.alert_id, one.event, one.level) in ids
    ]
    outbox.enqueue_events(connection, told, str(uuid4()), settings, now)


def tell_again(
    connection: sa.Connection, worse: Mapping[int, tuple[Rule, Condition]], settings: Settings, now: datetime
) -> None:
    """Put into the outbox that alerts opened, for channels that had not been told: they are worse than they were.

    Args:
        worse: by the alert's id, its rule and how it stands now.
    """
    from metrics_assets.alerting import outbox

    if not worse:
        return
    rows = connection.execute(
        sa.text(
            "select event_id, alert_id from ops.alert_events where event = 'opened' and alert_id = any (:ids) "
            "order by event_id"
        ),
        {"ids": list(worse)},
    )
    told = [Told(row.event_id, "opened", *worse[row.alert_id], 0) for row in rows]
    outbox.enqueue_events(connection, told, str(uuid4()), settings, now)


def _facts(one: Happened) -> dict[str, Any]:
    """What is known when an event happens; a message says more when it is sent."""
    about = one.about
    return {
        "title": one.rule.title if one.rule is not None else about.rule.replace("_", " ").capitalize(),
        "rule": about.rule,
        "severity": about.severity,
        "subject_kind": about.subject_kind,
        "subject": about.subject,
        "metric": about.metric,
        "date": about.date,
        "value": about.value,
        "n": about.n,
        "low": about.low,
        "high": about.high,
        "reference": about.reference,
        "text": about.text,
        "event": one.event,
        "since": one.since,
    }


def _from_json(columns: Mapping[str, str], name: str = "given") -> str:
    typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    return f"from jsonb_to_recordset(cast(:rows as jsonb)) as {name} (place integer, {typed})"


def _json(rows: Iterable[Mapping[str, Any]]) -> str:
    return json.dumps(list(rows), default=str, allow_nan=False)
