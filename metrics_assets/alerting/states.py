"""The states of alerts: what an evaluation, time and people make of them.

pending (the rule holds, but not for long enough) -> firing (people are told) -> acknowledged (somebody looks after it,
and it is not escalated any more) -> resolved. Everything that happens is written in one transaction with the
notifications that follow from it; evaluations at the same time, or the same one twice, give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting import book
from metrics_assets.alerting.book import Happened
from metrics_assets.alerting.events import OpenAlert
from metrics_assets.alerting.outbox import SILENCED
from metrics_assets.alerting.recording import BY_HAND, Changes, escalate_at, record
from metrics_assets.alerting.subjects import Subjects, covers
from metrics_assets.catalogue.alerts import MissingRule, PipelineRule, Rule, load_rules
from metrics_assets.errors import AlertError
from metrics_assets.settings import Settings

__all__ = [
    "Changes",
    "acknowledge",
    "close_orphans",
    "decide",
    "escalate",
    "open_alerts",
    "record",
    "resolve",
    "silence",
    "unsilence",
]

# An alert is about now: after so many evaluated days on which its rule could say nothing, it says nothing either.
_LONGEST_UNKNOWN = timedelta(days=28)


def close_orphans(engine: sa.Engine, rules: Mapping[str, Rule], settings: Settings, now: datetime) -> Changes:
    """End the alerts that nothing would ever end.

    Of rules that are off, about what metrics.yaml names no more, and those of which nothing has been known for weeks.
    """
    changes, happened, dropped = Changes(), [], []
    with engine.begin() as connection:
        book.lock(connection)
        subjects = Subjects(connection)
        evaluated = connection.execute(sa.text("select evaluated_through from ops.evaluations")).scalar()
        for alert in book.unresolved(connection):
            because = _orphaned(alert, rules, subjects, evaluated)
            if because is None:
                continue
            if alert.state == "pending":
                dropped.append(alert.alert_id)
                continue
            _resolve(connection, [alert], because, now)
            changes.resolved.append(alert.alert_id)
            rule = rules.get(alert.rule) or load_rules().get(alert.rule)
            happened.append(Happened(alert.alert_id, "resolved", rule, _said(alert, because), alert.opened_on))
        book.delete(connection, dropped)
        book.tell(connection, happened, settings, now)
    return changes


def _orphaned(alert: OpenAlert, rules: Mapping[str, Rule], subjects: Subjects, evaluated: date | None) -> str | None:
    rule = rules.get(alert.rule)
    if rule is None:
        return f"the rule {alert.rule} is switched off"
    if not subjects.has(alert.subject_kind, alert.subject):
        return f"metrics.yaml does not name {alert.subject} any more"
    if not covers(rule, alert.subject_kind, alert.subject, alert.metric):
        return f"the rule {alert.rule} does not look at {alert.subject} any more"
    # Of what is missing it is known that it is missing; the pipeline has no days of figures.
    last = alert.date if evaluated is None or isinstance(rule, PipelineRule | MissingRule) else evaluated
    if last - alert.date >= _LONGEST_UNKNOWN:
        return f"nothing has been known of it for {_LONGEST_UNKNOWN.days} days"
    return None


def _said(alert: OpenAlert, because: str) -> OpenAlert:
    return replace(alert, text=f"{because[0].upper()}{because[1:]}.")


def _resolve(connection: sa.Connection, alerts: Iterable[OpenAlert], because: str, now: datetime) -> None:
    connection.execute(
        sa.text(
            "update ops.alerts set state = 'resolved', resolved_on = last_evaluated_on, resolved_at = :now, "
            "resolved_because = :because, escalate_at = null where alert_id = any (:ids)"
        ),
        {"ids": [alert.alert_id for alert in alerts], "because": because, "now": now},
    )


_SILENCED = f"select alert_id from ops.alerts as alerts where state = 'firing' and {SILENCED}"


def escalate(engine: sa.Engine, rules: Mapping[str, Rule], settings: Settings, now: datetime) -> list[int]:
    """Tell the next level of every alert that has been firing for too long; returns their ids.

    However long nobody looked, one level is told at a time: its people have their time to acknowledge it, too.
    """
    happened, updates = [], []
    with engine.begin() as connection:
        book.lock(connection)
        silenced = set(connection.execute(sa.text(_SILENCED), {"now": now}).scalars())
        for alert in book.unresolved(connection):
            if alert.state != "firing" or alert.rule not in rules:
                continue
            rule, level = rules[alert.rule], alert.escalation_level
            latest = escalate_at(rule, level, alert.severity, settings, now)
            if alert.escalate_at is None:
                # The rule has levels that it had not when the alert fired: their people have their time from now.
                if latest is not None:
                    updates.append({"alert_id": alert.alert_id, "level": level, "escalate_at": latest})
                continue
            if latest is not None and alert.alert_id in silenced:
                # Whoever is to hear of it first has the time after the silence, too.
                updates.append({"alert_id": alert.alert_id, "level": level, "escalate_at": latest})
                continue
            if latest is not None and alert.escalate_at > now:
                # Were the clock set back, it would be due too late.
                if alert.escalate_at > latest:
                    updates.append({"alert_id": alert.alert_id, "level": level, "escalate_at": latest})
                continue
            if latest is None:  # the rule has fewer levels than it had
                updates.append({"alert_id": alert.alert_id, "level": level, "escalate_at": None})
                continue
            after = escalate_at(rule, level + 1, alert.severity, settings, now)
            updates.append({"alert_id": alert.alert_id, "level": level + 1, "escalate_at": after})
            about = replace(alert, escalation_level=level + 1, escalate_at=after)
            happened.append(Happened(alert.alert_id, "escalated", rule, about, alert.opened_on, level + 1))
        if updates:
            connection.execute(
                sa.text(
                    "update ops.alerts set escalation_level = :level, escalate_at = :escalate_at "
                    "where alert_id = :alert_id"
                ),
                updates,
            )
        book.tell(connection, happened, settings, now)
    return [one.alert_id for one in happened]


def open_alerts(engine: sa.Engine) -> list[OpenAlert]:
    """The alerts that fire or are acknowledged, and those that are pending, the oldest first."""
    with engine.connect() as connection:
        return book.unresolved(connection)


# What people do.


def acknowledge(engine: sa.Engine, alert_id: int, by: str, note: str | None, settings: Settings, now: datetime) -> None:
    """Say that somebody looks after an alert; it is not escalated any more. Twice is once: the first one counts.

    Raises:
        AlertError: there is no such alert, nobody was told of it yet, or it has ended.
    """
    with engine.begin() as connection:
        alert = _changeable(connection, alert_id)
        if alert.state == "acknowledged":
            return
        who = _who(by)
        connection.execute(
            sa.text(
                "update ops.alerts set state = 'acknowledged', acknowledged_at = :now, acknowledged_by = :by, "
                "acknowledge_note = :note, escalate_at = null where alert_id = :alert_id"
            ),
            {"alert_id": alert_id, "by": who, "note": note, "now": now},
        )
        about = replace(alert, state="acknowledged", acknowledged_at=now, acknowledged_by=who, escalate_at=None)
        _tell_by_hand(connection, "acknowledged", about, settings, now)


def resolve(engine: sa.Engine, alert_id: int, by: str, note: str | None, settings: Settings, now: datetime) -> None:
    """End an alert by hand. It opens again if the rule still holds on the next day.

    Raises:
        AlertError: there is no such alert, nobody was told of it yet, or it has ended.
    """
    with engine.begin() as connection:
        alert = _changeable(connection, alert_id)
        because = f"{BY_HAND} by {_who(by)}" + (f": {note}" if note else "")
        _resolve(connection, [alert], because, now)
        _tell_by_hand(connection, "resolved", _said(alert, "ended by hand"), settings, now)


def _tell_by_hand(connection: sa.Connection, event: Any, about: OpenAlert, settings: Settings, now: datetime) -> None:
    rule = load_rules().get(about.rule)
    book.tell(connection, [Happened(about.alert_id, event, rule, about, about.opened_on)], settings, now)


def _changeable(connection: sa.Connection, alert_id: int) -> OpenAlert:
    book.lock(connection)
    alert = book.find(connection, alert_id)
    if alert is None:
        raise AlertError(f"There is no alert {alert_id}; `metrics alerts list` shows those that are open.")
    if alert.state == "resolved":
        raise AlertError(f"Alert {alert_id} has ended already; there is nothing to do.")
    if alert.state == "pending":
        raise AlertError(
            f"Alert {alert_id} is only pending: its rule has not held for long enough, and nobody was told; wait."
        )
    return alert


def _who(by: str) -> str:
    if not by.strip():
        raise AlertError("It is not said who does this; give a name.")
    return by.strip()


def silence(
    engine: sa.Engine,
    *,
    rule: str | None,
    subject_kind: str | None,
    subject: str | None,
    until: datetime,
    reason: str,
    by: str,
    now: datetime,
) -> int:
    """Tell nobody of a rule, a subject, or both, for a while; None stands for all. Returns the silence's id.

    Raises:
        AlertError: it ends before it begins, has no reason, or is about a rule that there is not.
    """
    if until <= now:
        raise AlertError(f"The silence would end at {until:%Y-%m-%d %H:%M}, which has passed; give a later time.")
    if not reason.strip():
        raise AlertError("The silence has no reason; say why nobody is to be told.")
    if rule is not None and rule not in load_rules():
        raise AlertError(f"There is no rule '{rule}' to silence; `metrics catalogue` lists all.")
    with engine.begin() as connection:
        made: int = connection.execute(
            sa.text(
                "insert into ops.silences (rule, subject_kind, subject, starts_at, ends_at, reason, created_by, "
                "created_at) values (:rule, :subject_kind, :subject, :now, :until, :reason, :by, :now) "
                "returning silence_id"
            ),
            {
                "rule": rule,
                "subject_kind": subject_kind,
                "subject": subject,
                "until": until,
                "reason": reason.strip(),
                "by": _who(by),
                "now": now,
            },
        ).scalar_one()
    return made


def unsilence(engine: sa.Engine, silence_id: int, now: datetime) -> None:
    """End a silence now. One that has ended stays as it is.

    Raises:
        AlertError: there is no such silence.
    """
    with engine.begin() as connection:
        row = connection.execute(
            sa.text("select starts_at, ends_at from ops.silences where silence_id = :id for update"), {"id": silence_id}
        ).one_or_none()
        if row is None:
            raise AlertError(f"There is no silence {silence_id}; `metrics alerts silences` lists them.")
        if row.starts_at >= now:  # the clock was set back, or it was made in this moment
            statement = "delete from ops.silences where silence_id = :id"
        else:
            statement = "update ops.silences set ends_at = least(ends_at, :now) where silence_id = :id"
        connection.execute(sa.text(statement), {"id": silence_id, "now": now})


def decide(engine: sa.Engine, alert_id: int, outcome: str, note: str | None, by: str, now: datetime) -> None:
    """Say whether an alert was worth it; the newest word counts.

    Raises:
        AlertError: there is no such alert, nobody was told of it, or the outcome is not one.
    """
    if outcome not in ("useful", "noise"):
        raise AlertError(f"'{outcome}' is no outcome of an alert; say useful or noise.")
    with engine.begin() as connection:
        alert = book.find(connection, alert_id)
        if alert is None or alert.state == "pending":
            raise AlertError(f"Nobody was told of alert {alert_id}; `metrics alerts list` shows those that are open.")
        connection.execute(
            sa.text(
                "insert into ops.alert_outcomes (alert_id, outcome, note, decided_by, decided_at) "
                "values (:alert_id, :outcome, :note, :by, :now) on conflict (alert_id) do update set "
                "outcome = excluded.outcome, note = excluded.note, decided_by = excluded.decided_by, "
                "decided_at = excluded.decided_at"
            ),
            {"alert_id": alert_id, "outcome": outcome, "note": note, "by": _who(by), "now": now},
        )
