"""What the anomaly detector found on a day, in words that a person can check."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class AboutMetric:
    """The catalogue's title and unit of a metric: count, hours, or any other (ratio, points, ...)."""

    title: str
    unit: str = "count"


@dataclass(frozen=True, slots=True)
class Finding:
    """One series on one day. Values are in the metric's unit; `kind` is None where no rule holds."""

    about: AboutMetric
    value: float | None
    n: int | None
    weak: bool  # the value is there, but its own state is too_few
    missing_days: int  # how long there has been no value; 0 where there is one
    known_days: int  # of the window before the day
    minimum_days: int
    judged: bool
    expected: float | None
    lower: float | None
    upper: float | None
    weekday_used: bool
    kind: str | None
    reported: date | None  # when an event that still goes on was first told; None for a new one
    score: float | None
    zero_days: int  # how long a count has been zero
    alone: bool  # the second method had too little history to be asked


def explain(finding: Finding) -> str:
    """Return one or two sentences: the value, what was expected from how many days, and the verdict."""
    if finding.missing_days:
        return _missing(finding)
    figure = f"{finding.about.title}: {_figure(finding, finding.value)}{_n(finding)}"
    if finding.weak:
        return f"{figure}; not judged, because the figure itself stands on too few."
    if not finding.judged:
        return f"{figure}; {_too_few(finding)}."
    pattern = "; weekday pattern used" if finding.weekday_used else ""
    low, high = _bounds(finding)
    return (
        f"{figure}; {_figure(finding, finding.expected)} expected "
        f"({low} to {high}, from {finding.known_days} days{pattern}). {_verdict(finding)}"
    ).rstrip()


def human(number: float) -> str:
    """Return a number with as many digits as say something: 0.035, 2.1, 14, 56.3, 1,234."""
    if number == round(number) or abs(number) >= 100:
        return f"{number:,.0f}"
    if abs(number) >= 1:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.2g}"


def _figure(finding: Finding, number: float | None) -> str:
    words = "" if finding.about.unit in ("count", "ratio") else f" {finding.about.unit}"
    return "unknown" if number is None else f"{human(number)}{words}"


def _n(finding: Finding) -> str:
    return "" if finding.n is None or finding.n == finding.value else f" (n = {finding.n})"


def _bounds(finding: Finding) -> tuple[str, str]:
    low, high = finding.lower or 0.0, finding.upper or 0.0
    if finding.about.unit == "count":
        return human(math.ceil(low - 1e-9)), human(math.floor(high + 1e-9))
    return human(low), human(high)


def _too_few(finding: Finding) -> str:
    if finding.known_days < finding.minimum_days:
        return f"not judged, only {finding.known_days} of {finding.minimum_days} days"
    return "not judged, too few days had an expectation"


def _missing(finding: Finding) -> str:
    days = "1 day" if finding.missing_days == 1 else f"{finding.missing_days} days"
    start = f"{finding.about.title}: no value for {days}"
    if finding.kind and finding.reported is None:
        return f"{start}, although {finding.known_days} of the 56 days before have one. Missing data."
    if finding.reported is not None:
        return f"{start}; told on {finding.reported:%Y-%m-%d}."
    if finding.known_days < finding.minimum_days:
        return f"{start}; {_too_few(finding)}."
    return f"{start}; that alone is not unusual here."


def _verdict(finding: Finding) -> str:
    if finding.kind is None:
        return ""
    name = finding.kind.replace("_", " ")
    if finding.reported is not None:
        return f"Still the {name} told on {finding.reported:%Y-%m-%d}."
    verdict = f"{name.capitalize()}."
    if finding.kind == "level_shift" and finding.score is not None:
        side = "above" if finding.score > 0 else "below"
        verdict = f"Level shift: the last 7 days together are {abs(finding.score):.1f} deviations {side} it."
    elif finding.kind == "drop" and finding.zero_days > 1:
        verdict = f"Drop: zero for {finding.zero_days} days."
    if finding.alone:
        verdict += " Judged by the residual rule alone; there is too little history for the second method."
    return verdict
