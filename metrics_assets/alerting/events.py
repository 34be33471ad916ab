"""What happened to alerts: the alert as it stands in ops.alerts, and the event that people are told of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Day  # noqa: N812
from datetime import datetime
from typing import Literal

from metrics_assets.alerting.conditions import Condition, Key
from metrics_assets.catalogue.alerts import Rule
from metrics_assets.settings import Severity

State = Literal["pending", "firing", "acknowledged", "resolved"]
EventName = Literal["opened", "escalated", "acknowledged", "resolved"]
# Why an alert about a milestone ends: there is nothing to it but that it is told.
TOLD = "told"


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """A row of ops.alerts. `date` is the day of the newest figures that it was evaluated on."""

    alert_id: int
    rule: str
    metric: str
    subject_kind: str
    subject: str
    severity: Severity
    state: State
    opened_on: Day
    date: Day
    value: float | None
    n: int | None
    low: float | None
    high: float | None
    reference: float | None
    text: str
    breaches: int
    recoveries: int
    fired_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    escalation_level: int
    escalate_at: datetime | None

    @property
    def key(self) -> Key:
        return self.rule, self.subject_kind, self.subject, self.metric


@dataclass(frozen=True, slots=True)
class Told:
    """An event of an alert that people are to be told of.

    Attributes:
        rule: None where no catalogue file has the rule any more.
        about: how it stood then; its severity is the alert's.
        level: of escalation; 0 for every other event.
    """

    event_id: int
    event: EventName
    rule: Rule | None
    about: Condition | OpenAlert
    level: int
