"""What the page of alerts and anomalies is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from metrics_assets.catalogue.alerts import Rule
from metrics_assets.catalogue.metrics import Catalogue
from metrics_assets.reporting.data import MetricInfo


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that is open on the site's day.

    Attributes:
        state: firing | acknowledged.
        text: the value, what it stands on and against what, in a sentence.
        table: of schema metrics, that holds its figure.
        escalated: how many levels of escalation were told.
    """

    anchor: str
    rule: str
    title: str
    severity: str
    subject_kind: str
    subject: str
    metric: str
    state: str
    opened_on: date
    value: float | None
    n: int | None
    reference: float | None
    text: str
    action: str
    table: str | None = None
    runbook: str | None = None
    escalated: int = 0


@dataclass(frozen=True, slots=True)
class EndedAlert:
    """An alert that has ended, or a milestone that was told (`is_milestone`)."""

    title: str
    severity: str
    subject_kind: str
    subject: str
    metric: str
    opened_on: date
    resolved_on: date
    because: str
    text: str
    is_milestone: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """What nobody is told of for a while; None stands for all."""

    rule: str | None
    subject: str | None
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """How often a rule fired in the 28 days, and what people said of its alerts."""

    rule: Rule
    fired: int
    useful: int
    noise: int


@dataclass(frozen=True, slots=True)
class WatchedLabel:
    """A figure of issues with some labels.

    Attributes:
        number: over all repositories that are known: opened in the 28 days, or what stands on the day.
        known: in how many repositories it is known on the day, of so many.
        rules: titles of the rules that watch it.
    """

    metric: str
    number: float | None
    known: int
    repositories: int
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnusualDay:
    """An anomaly; `known_event` may explain it."""

    on: date
    metric: str
    subject_kind: str
    subject: str
    severity: str
    kind: str
    value: float | None
    expected: float | None
    explanation: str
    known_event: str | None
    score: float | None = None  # in deviations, negative where the figure went down


@dataclass(frozen=True, slots=True)
class AlertsData:
    """All that the page shows; nothing in it is about a team. Alerts and anomalies in any order."""

    open: tuple[OpenAlert, ...]
    ended: tuple[EndedAlert, ...]
    silences: tuple[Silence, ...]
    rules: tuple[RuleRecord, ...]
    anomalies: tuple[UnusualDay, ...]
    labels: tuple[WatchedLabel, ...]
    metrics: Mapping[str, MetricInfo]
    catalogue: Catalogue
