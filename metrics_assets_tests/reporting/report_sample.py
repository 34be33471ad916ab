"""A made-up month for the tests of the reports, and documents as text to compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from typing import Any

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.reporting.data import MetricInfo, Target, Tier
from metrics_assets.reporting.documents import (
    Block,
    Bullets,
    Document,
    Facts,
    Grid,
    Notes,
    Paragraph,
    Picture,
    ReportKind,
)
from metrics_assets.reporting.from_catalogue import tier_source
from metrics_assets.reporting.reports import contents
from metrics_assets.reporting.reports.records import (
    AlertState,
    Figures,
    GoalState,
    How,
    Measure,
    PeriodValue,
    TierDay,
)

MONTH = (date(2025, 11, 1), date(2025, 11, 30))
BEFORE = date(2025, 10, 31)
UNKNOWN = PeriodValue(None, None, "unknown")
HOW: dict[tuple[ReportKind, str], How] = {
    (kind, line.metric): line.how for kind in contents.LINES for line in reversed(contents.lines(kind))
}


def metric(key: str) -> MetricInfo:
    known = load_catalogue().metrics[key]
    return MetricInfo(**{field.name: getattr(known, field.name) for field in dataclasses.fields(MetricInfo)})


def period_value(value: float | None, days: int | None = None, known: int | None = None) -> PeriodValue:
    state = "unknown" if value is None else "ok"
    return PeriodValue(value, None, state, known if known is not None else days, days)  # type: ignore[arg-type]


def measure(
    key: str,
    now: float | PeriodValue | None,
    before: float | None = None,
    *,
    how: How = "last",
    kind: str = "portfolio",
    subject: str = "Aurora",
    **other: Any,
) -> Measure:
    """A figure of November and October; sums are of whole months."""
    ends = (30, 31) if how == "sum" else (None, None)
    fields: dict[str, Any] = {
        "metric": metric(key),
        "subject_kind": kind,
        "subject": subject,
        "how": how,
        "now": now if isinstance(now, PeriodValue) else period_value(now, ends[0]),
        "before": period_value(before, ends[1]),
        "quarter": UNKNOWN,
        "year": UNKNOWN,
        "is_there": True,
        "fed": load_catalogue().metrics[key].fed is not None,
    }
    return Measure(**(fields | other))


def goal(key: str, value: float | None, target: float, status: str, **other: Any) -> GoalState:
    title = other.pop("title", f"Goal of {key}")
    due_on, comparison = other.pop("due_on", None), other.pop("comparison", "at_least")
    fields: dict[str, Any] = {
        "goal": key,
        "title": title,
        "owner": "community",
        "metric": metric(key),
        "subject_kind": "portfolio",
        "subject": "Aurora",
        "value": value,
        "target": Target(title, target, comparison, status, due_on),
        "status_before": None,
        "reason": "",
    }
    return GoalState(**(fields | other))


def alert(title: str, subject: str, severity: str = "warning", **other: Any) -> AlertState:
    fields: dict[str, Any] = {
        "rule": title.lower().replace(" ", "_"),
        "title": title,
        "subject": subject,
        "severity": severity,
        "opened_on": date(2025, 11, 27),
        "resolved_on": None,
        "text": "",
        "action": "Look.",
    }
    return AlertState(**(fields | other))


def tiers(on: date, **values: tuple[float, Tier]) -> tuple[TierDay, ...]:
    return tuple(TierDay(on, key, value, tier) for key, (value, tier) in values.items())


def figures(kind: ReportKind = "monthly_report", *measures: Measure, **changes: Any) -> Figures:
    """A month of Aurora with nothing known but the given; figures of the kind's lines that are missing are unknown."""
    given = {(one.metric.key, one.how) for one in measures}
    silent = [
        measure(line.metric, None, how=line.how, kind=line.kind, subject="", is_there=False)
        for line in contents.lines(kind)
        if (line.metric, line.how) not in given and line.kind == "portfolio"
    ]
    fields: dict[str, Any] = {
        "report": kind,
        "portfolio": "Aurora",
        "start": date(2025, 6, 1),
        "period_start": MONTH[0],
        "period_end": MONTH[1],
        "as_of": MONTH[1],
        "through": MONTH[1],
        "prepared_by": None,
        "dashboard": None,
        "tier_source": tier_source(load_tiers()),
        "measures": (*measures, *silent),
    }
    return Figures(**(fields | changes))


def text(document: Document) -> str:
    """A document as plain lines."""
    lines = [f"# {document.title}", document.subtitle, f"> {document.verdict}"]
    for section in document.sections:
        lines += ["", f"## {section.title} ({section.key})"]
        for block in section.blocks:
            lines += _lines(block)
    return "\n".join([*lines, "---", *(f"{label}: {said}" for label, said in document.footer)])


def _lines(block: Block) -> list[str]:
    match block:
        case Paragraph():
            return [block.text]
        case Bullets():
            return [f"- {item}" for item in block.items]
        case Facts():
            return [f"* {one.label}: {one.text}{f' [{one.role}]' if one.role else ''}" for one in block.facts]
        case Grid():
            return [" | ".join(row) for row in (block.columns, *block.rows)]
        case Picture():
            return [f"(chart of {block.series.metric.key})"]
        case Notes():
            return [f"(notes {block.key})"]


def section(document: Document, key: str) -> list[str]:
    """The lines of a section."""
    found = next(one for one in document.sections if one.key == key)
    return [line for block in found.blocks for line in _lines(block)]


def facts_of(document: Document) -> Mapping[str, str]:
    return {one.label: one.text for block in document.blocks() if isinstance(block, Facts) for one in block.facts}
