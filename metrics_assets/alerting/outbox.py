"""The outbox: a row for each message and channel, written with what happened, and delivered as often as it takes.

Nothing is lost: a row is written in the transaction of what it tells of, and stays until its channel took it. Nothing
is told twice, as far as the receiver allows: a row is locked while it is sent and marked in the same transaction. If
this process dies between the receiver's answer and our commit, the same message is sent again with the same
`Idempotency-Key` (webhook), dedup_key (PagerDuty) or marker (GitHub), which makes the repeat harmless there; Slack,
Discord, e-mail and the other services of apprise have no such thing and may show that one message twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting import channels as kinds
from metrics_assets.alerting.channels import ALERTS_ONLY, NotTaken, Parcel
from metrics_assets.alerting.enqueueing import enqueue_events, enqueue_message, redirect
from metrics_assets.alerting.events import TOLD
from metrics_assets.alerting.messages import AcknowledgeLink, Message, compose, compose_group, from_row
from metrics_assets.alerting.timing import hold
from metrics_assets.catalogue.alerts import Rule, active_rules, load_rules
from metrics_assets.errors import ConfigurationError
from metrics_assets.settings import Channel, Settings, Severity

__all__ = [
    "SILENCED",
    "Delivered",
    "DueGroup",
    "deliver",
    "due",
    "enqueue_events",
    "enqueue_message",
]

# Waiting times between tries: 1, 2, 4 ... minutes, at the most an hour.
_LONGEST_WAIT_MINUTES = 60

Compose = Callable[[sa.Engine, Mapping[str, Any], Rule | None, Settings, AcknowledgeLink | None], Message]


@dataclass(frozen=True, slots=True)
class DueGroup:
    """Rows of the outbox whose time has come and that belong together.

    Attributes:
        attempts: tries of all rows of the group so far, the sent ones included: it grows with every try.
        rule: None of what is no alert, as is `event`.
    """

    group_key: str
    attempts: int
    rule: str | None
    event: str | None
    subjects: list[str]


@dataclass(slots=True)
class Delivered:
    """What a delivery did.

    Attributes:
        sent: messages that were told; of a group, each of its alerts counts.
        failed: why channels did not take theirs, by channel; those messages are tried again.
        dropped: messages that are not told any more.
    """

    sent: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    dropped: int = 0


# Whether somebody silenced an alert (ops.alerts as alerts); looked at when it matters, so that lifting works at once.
SILENCED = """exists (
        select 1 from ops.silences as silences
        where silences.starts_at <= :now and silences.ends_at > :now
            and alerts.alert_id is not null
            and (silences.rule is null or silences.rule = alerts.rule)
            and (silences.subject_kind is null or silences.subject_kind = alerts.subject_kind)
            and (silences.subject is null or silences.subject = alerts.subject)
    )"""
_DUE = f"""
-- A row is a notification that may be sent now: its time has come, nobody silenced it, and nothing older of its alert
-- waits for the same channel. Times that the clock, set back, cannot mean are none.
select
    notifications.*, events.alert_id, events.event, events.level, events.date, events.message as facts,
    alerts.rule, alerts.subject_kind, alerts.subject, alerts.state as alert_state, alerts.severity
from ops.notifications as notifications
left join ops.alert_events as events using (event_id)
left join ops.alerts as alerts using (alert_id)
where notifications.state = 'pending'
    and (
        notifications.next_attempt_at <= :now
        or notifications.created_at > :now
        or (
            notifications.held_because is null
            and notifications.next_attempt_at > :now + :longest * interval '1 minute'
        )
    )
    and not {SILENCED}
    and not exists (
        select 1
        from ops.alert_events as before
        join ops.notifications as waiting on waiting.event_id = before.event_id
        where before.alert_id = events.alert_id
            and waiting.channel = notifications.channel
            and waiting.state = 'pending'
            and waiting.notification_id < notifications.notification_id
    )
"""


def due(engine: sa.Engine, now: datetime) -> list[DueGroup]:
    """What can be sent now, oldest first: one entry per group_key."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                f"with due as ({_DUE}), tries as (select group_key, sum(attempts) as attempts from ops.notifications "
                "where group_key in (select group_key from due) group by group_key) "
                "select due.group_key, tries.attempts, min(due.rule), min(due.event), "
                "coalesce(array_agg(distinct due.subject) filter (where due.subject is not null), '{}') "
                "from due join tries using (group_key) group by due.group_key, tries.attempts "
                "order by min(due.notification_id)"
            ),
            {"now": now, "longest": _LONGEST_WAIT_MINUTES},
        )
        return [DueGroup(*row) for row in rows]


def deliver(
    engine: sa.Engine,
    settings: Settings,
    now: Callable[[], datetime],
    group_key: str | None = None,
    *,
    compose: Compose = compose,
    acknowledge: AcknowledgeLink | None = None,
    rules: Mapping[str, Rule] | None = None,
    timeout_seconds: float = 10,
) -> Delivered:
    """Send everything that is due, or what is due of one group.

    At least `alerts.group_from` alerts of a rule that happened together are one message, where the channel's kind can
    have that. When a channel cannot be reached, what else is due there waits as if it had been tried, too.

    Args:
        now: the clock.
        compose: makes the message of one alert's event.
        acknowledge: gives the link by which an alert is acknowledged.
        rules: default: those of the catalogue, as metrics.yaml changes them.

    Raises:
        ConfigurationError: metrics.yaml changes a rule in a way that is none.
        sqlalchemy.exc.SQLAlchemyError: the database went away; what was being sent is sent again.
    """
    if rules is None:
        rules = {**load_rules(), **active_rules(settings.packs, settings.alerts.rules)}
    return _Delivery(engine, settings, now, group_key, compose, acknowledge, rules, timeout_seconds).run()


@dataclass(slots=True)
class _Delivery:
    engine: sa.Engine
    settings: Settings
    now: Callable[[], datetime]
    group_key: str | None
    compose: Compose
    acknowledge: AcknowledgeLink | None
    rules: Mapping[str, Rule]
    timeout_seconds: float
    delivered: Delivered = field(default_factory=Delivered)
    looked_at: set[int] = field(default_factory=set)
    # Channels that did not answer, and why.
    out_of_reach: dict[str, NotTaken] = field(default_factory=dict)

    def run(self) -> Delivered:
        while True:
            self._drop_what_is_over()
            with self.engine.connect() as connection:
                rows = [row for row in self._due(connection) if row.notification_id not in self.looked_at]
            if not rows:
                return self.delivered
            self.looked_at |= {row.notification_id for row in rows}
            together: dict[tuple[str, str], list[int]] = {}
            for row in rows:
                together.setdefault((row.channel, row.group_key), []).append(row.notification_id)
            # What was sent may be what something else of its alert waited for; hence the loop.
            for (name, _), ids in together.items():
                self._send_together(name, ids)

    def _due(self, connection: sa.Connection, ids: list[int] | None = None) -> Sequence[Any]:
        """The rows that are due; those of `ids` are locked, and left out where somebody else has them."""
        query = _DUE + " and notifications.group_key = coalesce(:group_key, notifications.group_key)"
        if ids is not None:
            query += " and notifications.notification_id = any (:ids)"
        query += " order by notifications.notification_id"
        if ids is not None:
            query += " for update of notifications skip locked"
        parameters = {"now": self.now(), "longest": _LONGEST_WAIT_MINUTES, "group_key": self.group_key, "ids": ids}
        return connection.execute(sa.text(query), parameters).all()

    def _drop_what_is_over(self) -> None:
        with self.engine.begin() as connection:
            waiting = connection.execute(sa.text(_OVER)).all()
            gone = [
                row.notification_id
                for row in waiting
                if row.locked_of_all and not (row.event == "resolved" and self._takes_alerts_only(row.channel))
            ]
            self._drop(connection, gone, "The alert had ended before anybody could be told.")

    def _takes_alerts_only(self, name: str) -> bool:
        return name in self.settings.channels and self.settings.channels[name].kind in ALERTS_ONLY

    def _drop(self, connection: sa.Connection, ids: list[int], because: str) -> None:
        if ids:
            self.delivered.dropped += connection.execute(
                sa.text(
                    "update ops.notifications set state = 'dropped', dropped_because = :because "
                    "where notification_id = any (:ids)"
                ),
                {"ids": ids, "because": because},
            ).rowcount

    def _send_together(self, name: str, ids: list[int]) -> None:
        channel = self.settings.channels.get(name)
        if channel is None:
            problem = f"metrics.yaml has no channel {name} any more"
            with self.engine.begin() as connection:
                rows = self._due(connection, ids)
                elsewhere = redirect(connection, rows, self.rules, self.settings, self.now())
                self._drop(connection, [row.notification_id for row in rows], f"{problem}.")
            became = "goes to the default channels" if elsewhere else "was dropped"
            self.delivered.failed.setdefault(name, f"{problem}; what waited for it {became}.")
            return
        in_one = channel.kind not in ALERTS_ONLY and len(ids) >= self.settings.alerts.group_from
        while ids:
            size = len(ids) if in_one or name in self.out_of_reach else 1
            self._send(name, channel, ids[:size])
            ids = ids[size:]

    def _send(self, name: str, channel: Channel, ids: list[int]) -> None:
        """Lock rows and send what they say as one message."""
        with self.engine.begin() as connection:
            rows = [row for row in self._due(connection, ids) if not self._is_held(connection, channel, row)]
            if not rows:
                return
            problem = self.out_of_reach.get(name) or self._try(connection, name, channel, rows)
            if problem is None:
                self.delivered.sent += len(rows)
                sent = {"ids": [row.notification_id for row in rows], "now": self.now()}
                connection.execute(sa.text(_SENT), sent)
                return
            self.delivered.failed[name] = str(problem)
            if not problem.this_one:
                self.out_of_reach[name] = problem
            connection.execute(sa.text(_FAILED), [self._next_try(channel, row, problem) for row in rows])

    def _is_held(self, connection: sa.Connection, channel: Channel, row: Any) -> bool:
        """Whether the time for it is not now, after all: a try may fall into the quiet hours, or these have changed."""
        until, why = hold(self.rules.get(row.rule), channel, _severity(row), self.settings, self.now())
        if why is not None:
            parameters = {"id": row.notification_id, "until": until, "why": why, "now": self.now()}
            connection.execute(sa.text(_HELD), parameters)
        return why is not None

    def _next_try(self, channel: Channel, row: Any, problem: NotTaken) -> dict[str, Any]:
        wait = timedelta(minutes=min(2 ** min(row.attempts, 10), _LONGEST_WAIT_MINUTES))
        if problem.after_seconds is not None:
            wait = timedelta(seconds=problem.after_seconds)
        at = self.now() + wait
        until, why = hold(self.rules.get(row.rule), channel, _severity(row), self.settings, at)
        return {"id": row.notification_id, "problem": str(problem), "until": until, "why": why, "now": self.now()}

    def _try(self, connection: sa.Connection, name: str, channel: Channel, rows: Sequence[Any]) -> NotTaken | None:
        """Send; why it was not taken, or None."""
        first = rows[0]
        key = first.message_key
        if len(rows) > 1:
            # Another set of alerts is another message, also where its first is the same.
            others = ",".join(row.message_key for row in rows[1:])
            key += f"+{len(rows) - 1}:{hashlib.sha256(others.encode()).hexdigest()[:12]}"
        mention = next((row.mention for row in rows if row.mention is not None), None)
        message = self._message(rows)
        parcel = Parcel(name, channel, message, f"{key}:{name}", mention, connection, self.timeout_seconds)
        try:
            kinds.send(parcel)
        except NotTaken as problem:
            return problem
        except ConfigurationError as error:
            return NotTaken(str(error))
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:
            # A mistake of ours, or of apprise's, about one channel must not keep the others from being told. Its text
            # may hold the address.
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            line = f", line {where.tb_lineno} of {where.tb_frame.f_code.co_name}" if where is not None else ""
            return NotTaken(f"the channel '{name}' failed ({type(error).__name__}{line})", this_one=True)
        return None

    def _message(self, rows: Sequence[Any]) -> Message:
        first = rows[0]
        if first.event_id is None:
            return from_row(first.message)
        facts = [
            {
                **row.facts,
                # As bad as it is by now, where it is told for the first time.
                "severity": row.severity if row.event in ("opened", "escalated") else row.facts["severity"],
                "event": row.event,
                "level": row.level,
                "alert_id": row.alert_id,
                "state": row.alert_state,
                "dedup_key": f"metrics_assets:{row.rule}:{row.subject}:{row.alert_id}",
            }
            for row in rows
        ]
        rule = self.rules.get(first.rule)
        if len(rows) > 1:
            return compose_group(facts, rule, self.settings, self.acknowledge)
        return self.compose(self.engine, facts[0], rule, self.settings, self.acknowledge)


def _severity(row: Any) -> Severity:
    severity: Severity = (row.message or {}).get("severity", "info") if row.event_id is None else row.severity
    return severity


_OVER = f"""
-- A row is a notification of an alert that ended before anybody was told of it on the channel. locked_of_all: whether
-- none of those is being sent at the moment. What is told once ends as it begins, and is not over. What is critical is
-- told though it has ended, unless it was to be held back: a channel that was down has not to be what hides it.
with waiting as (
    select notifications.notification_id, notifications.channel, notifications.held_because, events.alert_id,
        events.event, alerts.severity, {SILENCED.replace(":now", "events.created_at")} as was_silenced
    from ops.notifications as notifications
    join ops.alert_events as events using (event_id)
    join ops.alerts as alerts using (alert_id)
    where notifications.state = 'pending' and alerts.state = 'resolved'
        and alerts.resolved_because is distinct from '{TOLD}'
    for update of notifications skip locked
),
first as (
    select distinct on (alert_id, channel)
        alert_id, channel, severity <> 'critical' or held_because is not null or was_silenced as may_go_untold
    from waiting
    order by alert_id, channel, notification_id
)
select
    waiting.notification_id,
    waiting.channel,
    waiting.event,
    not exists (
        select 1
        from ops.alert_events as others
        join ops.notifications as told on told.event_id = others.event_id
        where others.alert_id = waiting.alert_id
            and told.channel = waiting.channel
            and told.state <> 'dropped'
            and told.notification_id not in (select notification_id from waiting)
    ) as locked_of_all
from waiting
join first using (alert_id, channel)
where first.may_go_untold
"""
_SENT = """
update ops.notifications
set state = 'sent', sent_at = :now, attempts = attempts + 1, last_error = null, held_because = null
where notification_id = any (:ids)
"""
# A clock that was set back does not make a row due for ever.
_FAILED = """
update ops.notifications
set attempts = attempts + 1, last_error = :problem, next_attempt_at = :until, held_because = :why,
    created_at = least(created_at, :now)
where notification_id = :id
"""
_HELD = """
update ops.notifications
set next_attempt_at = :until, held_because = :why, created_at = least(created_at, :now)
where notification_id = :id
"""
