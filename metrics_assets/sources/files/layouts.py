"""The four kinds of files that can be fed: their columns, and what a row of each is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from metrics_assets.sources.files.cells import Cells, shown
from metrics_assets.sources.files.records import FedEvent, GateEvidence, IncidentCorrection, KpiValue
from metrics_assets.sources.records import Record

REJECTED = ".rejected.csv"
_VERDICTS = {"caused": "caused", "not caused": "not caused", "not_caused": "not caused"}


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are checked against.

    Attributes:
        metrics: the unit of every metric that is fed by kpi_values.csv.
        others: the metrics that are not, and why they cannot be fed there.
        gates: the criteria of every gate; None where gates are not known.
        person: turns the name of a person into the hash that is kept of it.
    """

    metrics: Mapping[str, str]
    others: Mapping[str, str]
    gates: Mapping[str, Collection[str]] | None
    today: date
    person: Callable[[str], str]

    def person_of(self, cells: Cells, column: str) -> str | None:
        login = (cells.text(column) or "").removeprefix("@")
        return self.person(login) if login else None


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of file.

    Attributes:
        columns: all that are known, in the order of the examples; any order is fine in a file.
        required: those that a file must have.
        person: the column that names a person.
    """

    name: str
    record: type[Record]
    columns: tuple[str, ...]
    required: tuple[str, ...]
    person: str | None
    parse: Callable[[Cells, Known], Record]

    @property
    def table(self) -> str:
        return self.record.TABLE

    def fits(self, path: Path) -> bool:
        """Whether a file is of this kind: kpi_values.csv, kpi_values-2026-10.csv, kpi_values.finance.csv."""
        name = path.name.lower()
        return bool(re.fullmatch(rf"{self.name}([-._ ].*)?\.csv", name)) and not name.endswith(REJECTED)


def _kpi_value(cells: Cells, known: Known) -> Record:
    metric = cells.one_of("metric_key", known.metrics, "no metric that is fed", known.others)
    start, end = cells.day("period_start"), cells.day("period_end")
    if end < start and not cells.problems:
        cells.problems.append(f"period_end {end} is before period_start {start}; swap or correct them")
    segment = cells.name("segment", may_be_empty=True)
    # As any other segment it would stand on the pages, where no team is named.
    if re.match(r"\s*team\s*:", segment, re.IGNORECASE) and not segment.startswith("team:"):
        cells.problems.append(f"segment '{shown(segment)}' looks like a team; write team: in small letters before it")
    value = cells.number("value", yes_or_no=known.metrics.get(metric) == "yes or no")
    return KpiValue(
        metric=metric,
        segment=segment,
        period_start=start,
        period_end=end,
        value=0.0 if value is None else value,
        source_url=cells.address("source_url"),
        entered_by_key=known.person_of(cells, "entered_by"),
    )


def _event(cells: Cells, known: Known) -> Record:
    occurred_at, kind, title = cells.moment("occurred_at"), cells.name("kind"), cells.text("title")
    if title is None:
        cells.problems.append("title is empty; fill it in")
    identity = "\0".join((occurred_at.isoformat(), kind, title or ""))
    return FedEvent(
        event_id=hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32],
        occurred_at=occurred_at,
        kind=kind,
        title=title or "",
        url=cells.address("url"),
        severity=cells.text("severity"),
        note=cells.text("note"),
    )


def _gate_evidence(cells: Cells, known: Known) -> Record:
    if known.gates is None:
        gate, criterion = cells.name("gate"), cells.name("criterion")
    else:
        gate = cells.one_of("gate", known.gates, "no gate", {})
        if gate in known.gates:
            criterion = cells.one_of("criterion", known.gates[gate], f"no criterion of gate {gate}", {})
        else:
            criterion = cells.name("criterion")
    met, value = cells.yes_or_no("met"), cells.number("value", may_be_empty=True)
    if met is None and value is None and not cells.problems:
        cells.problems.append("met and value are both empty; write yes or no into met, or a number into value")
    return GateEvidence(
        gate=gate,
        criterion=criterion,
        decided_at=cells.moment("decided_at"),
        met=met,
        value=value,
        evidence_url=cells.address("evidence_url"),
        decided_by_key=known.person_of(cells, "decided_by"),
    )


def _incident_link(cells: Cells, known: Known) -> Record:
    verdict = " ".join(cells.name("verdict").lower().split())
    if verdict and verdict not in _VERDICTS:
        cells.problems.append(f"verdict '{verdict[:60]}' is not known; write caused or not caused")
    return IncidentCorrection(
        repository=cells.repository("repository"),
        issue_number=cells.issue_number("issue_number"),
        deployment=cells.name("deployment"),
        decided_at=cells.moment("decided_at"),
        verdict=_VERDICTS.get(verdict, ""),
        note=cells.text("note"),
        decided_by_key=known.person_of(cells, "decided_by"),
    )


KPI_VALUES = Layout(
    "kpi_values",
    KpiValue,
    ("metric_key", "period_start", "period_end", "value", "segment", "source_url", "entered_by"),
    ("metric_key", "period_start", "period_end", "value"),
    "entered_by",
    _kpi_value,
)
EVENTS = Layout(
    "events",
    FedEvent,
    ("occurred_at", "kind", "title", "url", "severity", "note"),
    ("occurred_at", "kind", "title"),
    None,
    _event,
)
GATE_EVIDENCE = Layout(
    "gate_evidence",
    GateEvidence,
    ("gate", "criterion", "met", "value", "evidence_url", "decided_by", "decided_at"),
    ("gate", "criterion", "decided_at"),
    "decided_by",
    _gate_evidence,
)
INCIDENT_LINKS = Layout(
    "incident_links",
    IncidentCorrection,
    ("repository", "issue_number", "deployment", "verdict", "note", "decided_by", "decided_at"),
    ("repository", "issue_number", "deployment", "verdict", "decided_at"),
    "decided_by",
    _incident_link,
)
LAYOUTS = (KPI_VALUES, EVENTS, GATE_EVIDENCE, INCIDENT_LINKS)
