"""What the rows of fed files are. Of a person only the keyed hash is kept, so a record has no names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from metrics_assets.sources.records import Record


@dataclass(frozen=True, slots=True)
class KpiValue(Record):
    TABLE: ClassVar[str] = "raw.kpi_values"
    KEY: ClassVar[tuple[str, ...]] = ("metric", "segment", "period_start", "period_end")

    metric: str
    segment: str  # '' is the portfolio
    period_start: date
    period_end: date  # the last day of the period
    value: float
    source_url: str | None
    entered_by_key: str | None


@dataclass(frozen=True, slots=True)
class FedEvent(Record):
    TABLE: ClassVar[str] = "raw.events"
    KEY: ClassVar[tuple[str, ...]] = ("event_id",)

    event_id: str  # of when, kind and title
    occurred_at: datetime
    kind: str
    title: str
    url: str | None
    severity: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class GateEvidence(Record):
    TABLE: ClassVar[str] = "raw.gate_evidence"
    KEY: ClassVar[tuple[str, ...]] = ("gate", "criterion", "decided_at")

    gate: str
    criterion: str
    decided_at: datetime
    met: bool | None
    value: float | None
    evidence_url: str | None
    decided_by_key: str | None


@dataclass(frozen=True, slots=True)
class IncidentCorrection(Record):
    TABLE: ClassVar[str] = "raw.incident_corrections"
    KEY: ClassVar[tuple[str, ...]] = ("repository", "issue_number", "deployment", "decided_at")

    repository: str
    issue_number: int
    deployment: str  # its key, commit or version
    decided_at: datetime
    verdict: str  # caused | not caused
    note: str | None
    decided_by_key: str | None
