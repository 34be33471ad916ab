"""What an evaluation makes of alerts: they open, go on, or end.

An alert is one of a rule, a subject and a metric. Conditions that are unknown change nothing, and neither does a day
before the newest that was recorded: a past that was built anew is not the present.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting import book
from metrics_assets.alerting.book import Happened
from metrics_assets.alerting.conditions import Condition, Key
from metrics_assets.alerting.enqueueing import first_heard_at
from metrics_assets.alerting.events import TOLD, OpenAlert
from metrics_assets.catalogue.alerts import SEVERITIES, MilestoneRule, PipelineRule, Rule
from metrics_assets.settings import Settings, Severity

BY_HAND = "by hand"


@dataclass(slots=True)
class Changes:
    """What became of alerts: the ids of those that were opened, that ended, and that are newly pending."""

    opened: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)


def record(
    engine: sa.Engine,
    rules: Mapping[str, Rule],
    conditions: Sequence[Condition],
    settings: Settings,
    now: datetime,
    on: date | None = None,
) -> Changes:
    """Bring the alerts to what conditions say, and put whom to tell of every change into the outbox.

    Args:
        rules: those that conditions are about; conditions of others are left out.
        on: the day of the figures, where rules over figures were evaluated. A day before the newest that was recorded
            changes nothing: a past that was built anew is not the present.
    """
    with engine.begin() as connection:
        book.lock(connection)
        of_rules = [condition for condition in conditions if condition.rule in rules]
        figures = [one.date for one in of_rules if not isinstance(rules[one.rule], PipelineRule)]
        newest = _evaluated_through(connection, max([*figures, *([on] if on else [])], default=None))
        work = _Recording(connection, rules, of_rules, settings, now)
        for condition in of_rules:
            if isinstance(rules[condition.rule], PipelineRule) or newest is None or condition.date >= newest:
                work.take(condition)
        return work.write()


def _evaluated_through(connection: sa.Connection, day: date | None) -> date | None:
    """The newest day whose figures were evaluated, this one among them."""
    if day is None:
        return None
    connection.execute(
        sa.text(
            "insert into ops.evaluations (evaluated_through) values (:day) on conflict (only_row) "
            "do update set evaluated_through = greatest(evaluations.evaluated_through, excluded.evaluated_through)"
        ),
        {"day": day},
    )
    newest: date = connection.execute(sa.text("select evaluated_through from ops.evaluations")).scalar_one()
    return newest


class _Recording:
    """What the conditions of one evaluation change."""

    def __init__(
        self,
        connection: sa.Connection,
        rules: Mapping[str, Rule],
        conditions: Sequence[Condition],
        settings: Settings,
        now: datetime,
    ) -> None:
        self.connection, self.rules, self.settings, self.now = connection, rules, settings, now
        self.known = {alert.key: alert for alert in book.unresolved(connection)}
        self.ended = _ended(connection, conditions)
        self.milestones = _milestones(connection, rules)
        self.new: dict[Key, tuple[dict[str, Any], Condition]] = {}
        self.changed: dict[int, dict[str, Any]] = {}
        self.dropped: list[int] = []
        self.happened: list[Happened] = []
        # What grew worse while it fires: it may now be for channels that were not told of it.
        self.worse: dict[int, tuple[Rule, Condition]] = {}
        self.changes = Changes()

    def take(self, condition: Condition) -> None:
        rule, alert = self.rules[condition.rule], self.known.get(condition.key)
        if condition.verdict == "unknown":
            return
        if alert is None:
            if condition.verdict == "breached" and condition.key not in self.new:
                self._open(rule, condition)
        elif condition.date >= alert.date:
            self._go_on(rule, condition, alert)

    def _open(self, rule: Rule, condition: Condition) -> None:
        ended_on, because = self.ended.get(condition.key, (date.min, ""))
        if isinstance(rule, MilestoneRule):
            if (condition.reference or 0) <= self.milestones.get(condition.key, float("-inf")):
                return
        elif ended_on > condition.date or (
            # What is about the pipeline may fail twice a day, but what somebody ended stays so for the day.
            ended_on == condition.date and (not isinstance(rule, PipelineRule) or because.startswith(BY_HAND))
        ):
            return
        since = max(condition.since or condition.date, min(ended_on, condition.date - timedelta(days=1)) + _DAY)
        held = condition.days if condition.days is not None else 1
        row = _row(condition) | {
            "rule": condition.rule,
            "subject_kind": condition.subject_kind,
            "subject": condition.subject,
            "metric": condition.metric,
            "opened_on": condition.date if isinstance(rule, MilestoneRule) else since,
            "breaches": held,
            "recoveries": 0,
            "state": "pending",
        }
        if held >= rule.for_days:
            row |= self._fires(rule, condition.severity)
        if isinstance(rule, MilestoneRule):
            row |= self._ends(condition.date, TOLD) | {"escalate_at": None}
        self.new[condition.key] = row, condition

    def _go_on(self, rule: Rule, condition: Condition, alert: OpenAlert) -> None:
        new_day = condition.date > alert.date
        row = _row(condition) | {
            "alert_id": alert.alert_id,
            "state": alert.state,
            "breaches": alert.breaches,
            "recoveries": alert.recoveries,
            "fired_at": alert.fired_at,
            "escalate_at": alert.escalate_at,
            "resolved_on": None,
            "resolved_at": None,
            "resolved_because": None,
        }
        if condition.verdict == "breached":
            counted = alert.breaches + new_day if not alert.recoveries else 1
            row |= {"breaches": condition.days if condition.days is not None else counted, "recoveries": 0}
            if alert.state == "pending" and row["breaches"] >= rule.for_days:
                row |= self._fires(rule, condition.severity)
                self.changes.opened.append(alert.alert_id)
                self.happened.append(Happened(alert.alert_id, "opened", rule, condition, alert.opened_on))
            elif alert.state == "firing" and SEVERITIES.index(condition.severity) > SEVERITIES.index(alert.severity):
                self.worse[alert.alert_id] = rule, condition
        else:
            row["severity"] = alert.severity  # how bad it was is what it is about
        if condition.verdict == "fine":
            if alert.state == "pending":
                self.dropped.append(alert.alert_id)
                return
            counted = max(1, alert.recoveries + new_day)
            row["recoveries"] = condition.days if condition.days is not None else counted
            if row["recoveries"] >= rule.clear_days:
                row |= self._ends(condition.date, "the rule does not hold any more")
                self.changes.resolved.append(alert.alert_id)
                about = replace(condition, severity=alert.severity)
                self.happened.append(Happened(alert.alert_id, "resolved", rule, about, alert.opened_on))
        if any(row[name] != value for name, value in _row_of(alert).items()):
            self.changed[alert.alert_id] = row

    def _fires(self, rule: Rule, severity: Severity) -> dict[str, Any]:
        due_at = escalate_at(rule, 0, severity, self.settings, self.now)
        return {"state": "firing", "fired_at": self.now, "escalate_at": due_at}

    def _ends(self, on: date, because: str) -> dict[str, Any]:
        ended = {"state": "resolved", "resolved_on": on, "resolved_at": self.now, "resolved_because": because}
        return ended | {"escalate_at": None}

    def write(self) -> Changes:
        ids = book.insert(self.connection, [row for row, _ in self.new.values()])
        for key, (row, condition) in self.new.items():
            if row["state"] == "pending":
                self.changes.pending.append(ids[key])
                continue
            self.changes.opened.append(ids[key])
            rule = self.rules[condition.rule]
            self.happened.append(Happened(ids[key], "opened", rule, condition, row["opened_on"]))
        book.update(self.connection, list(self.changed.values()))
        book.delete(self.connection, self.dropped)
        book.tell(self.connection, self.happened, self.settings, self.now)
        book.tell_again(self.connection, self.worse, self.settings, self.now)
        return self.changes


_DAY = timedelta(days=1)


def _row(condition: Condition) -> dict[str, Any]:
    return {
        "severity": condition.severity,
        "last_evaluated_on": condition.date,
        "value": condition.value,
        "n": condition.n,
        "low": condition.low,
        "high": condition.high,
        "reference": condition.reference,
        "text": condition.text,
    }


def _row_of(alert: OpenAlert) -> dict[str, Any]:
    """What an alert's row holds of that which an evaluation may change."""
    return {
        "severity": alert.severity,
        "last_evaluated_on": alert.date,
        "value": alert.value,
        "n": alert.n,
        "low": alert.low,
        "high": alert.high,
        "reference": alert.reference,
        "text": alert.text,
        "state": alert.state,
        "breaches": alert.breaches,
        "recoveries": alert.recoveries,
    }


def _ended(connection: sa.Connection, conditions: Sequence[Condition]) -> dict[Key, tuple[date, str]]:
    """The newest day on which an alert of each rule and subject ended, and why; only days that matter to conditions."""
    first = min((one.since or one.date for one in conditions if one.verdict == "breached"), default=None)
    if first is None:
        return {}
    rows = connection.execute(
        sa.text(
            "select distinct on (rule, subject_kind, subject, metric) rule, subject_kind, subject, metric, "
            "last_evaluated_on, coalesce(resolved_because, '') from ops.alerts "
            "where state = 'resolved' and last_evaluated_on >= :first "
            "order by rule, subject_kind, subject, metric, last_evaluated_on desc, alert_id desc"
        ),
        {"first": first},
    )
    return {(row[0], row[1], row[2], row[3]): (row[4], row[5]) for row in rows}


def _milestones(connection: sa.Connection, rules: Mapping[str, Rule]) -> dict[Key, float]:
    """The highest milestone of each rule and subject that was ever told."""
    keys = [key for key, rule in rules.items() if isinstance(rule, MilestoneRule)]
    if not keys:
        return {}
    rows = connection.execute(
        sa.text(
            "select rule, subject_kind, subject, metric, max(reference) from ops.alerts where rule = any (:keys) "
            "and reference is not null group by rule, subject_kind, subject, metric"
        ),
        {"keys": keys},
    )
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}


def escalate_at(rule: Rule, level: int, severity: Severity, settings: Settings, now: datetime) -> datetime | None:
    """When the level after `level` is due; the time runs from when the people of `level` can have heard of it."""
    if level >= len(rule.escalate):
        return None
    heard = first_heard_at(rule, level, severity, settings, now)
    return heard + timedelta(minutes=rule.escalate[level].after_minutes)
