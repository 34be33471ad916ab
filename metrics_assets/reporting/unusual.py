"""Unusual days in the words of somebody who leads: the value, what was expected, what kind of day, what else happened.

How a day was found to be unusual is on the page of alerts.
"""

from __future__ import annotations

import math
from typing import Protocol

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import Anomaly, MetricInfo

BETTER = ("✓", "For the better", "calm")
_WITH_A_SIDE = ("spike", "drop", "level_shift", "drift")
_KINDS = {
    "level_shift": "Level shift",
    "variance": "Unusually unsteady",
    "missing_data": "Missing data",
}


class Day(Protocol):
    """What an unusual day is told by; `score` is negative where the figure went down."""

    @property
    def kind(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def expected(self) -> float | None: ...
    @property
    def score(self) -> float | None: ...


def is_better(day: Day, metric: MetricInfo | None) -> bool:
    """Whether the figure went where better is; never so for what has no better side, or no side at all."""
    if metric is None or metric.direction == "neutral" or day.kind not in _WITH_A_SIDE:
        return False
    side = _side(day)
    return side > 0 if metric.direction == "higher" else side < 0


def severity(day: Day, metric: MetricInfo | None) -> tuple[str, str, str]:
    """Return glyph, word and colour role: a day for the better is no reason to worry, however unusual."""
    return BETTER if is_better(day, metric) else wording.severity(day.severity)


def kind(day: Day) -> str:
    """'Spike', 'Level shift down', 'Drift up'."""
    word = _KINDS.get(day.kind, day.kind.replace("_", " ").capitalize())
    if day.kind not in ("level_shift", "drift") or not _side(day):
        return word
    return f"{word} {'up' if _side(day) > 0 else 'down'}"


def expected(anomaly: Anomaly, metric: MetricInfo) -> str | None:
    """The range that was expected, or its middle where no range is known."""
    low, high = anomaly.lower, anomaly.upper
    if low is not None and high is not None:
        if metric.unit == "count" and math.ceil(low - 1e-9) <= math.floor(high + 1e-9):
            low, high = math.ceil(low - 1e-9), math.floor(high + 1e-9)  # there is no half commit
        return wording.span(low, high, metric.unit)
    return None if anomaly.expected is None else str(wording.quantity(anomaly.expected, metric.unit))


def event(anomaly: Anomaly) -> str | None:
    """What happened at the same time: 'incident #1437', and its day where that is another."""
    if not anomaly.known_event:
        return None
    return wording.written_days(anomaly.known_event.removesuffix(f" on {anomaly.on.isoformat()}"))


def note(anomaly: Anomaly, metric: MetricInfo) -> str:
    """'27 Aug 2025: 27 %, expected 21 to 36 %. Level shift up. At the same time: incident #1437.'"""
    value = "not known" if anomaly.value is None else str(wording.quantity(anomaly.value, metric.unit))
    if wanted := expected(anomaly, metric):
        value += f", expected {wanted}"
    what = kind(anomaly) + (", for the better" if is_better(anomaly, metric) else "")
    known = event(anomaly)
    said = [f"{wording.day(anomaly.on)}: {value}", what, f"At the same time: {known}" if known else ""]
    return "".join(f"{part.rstrip('.')}. " for part in said if part).rstrip()


def _side(day: Day) -> float:
    """Above zero where the figure went up."""
    if day.score is not None:
        return day.score
    return day.value - day.expected if day.value is not None and day.expected is not None else 0.0
