"""What the detector found on a day, in words that a person can check."""

from __future__ import annotations

import math
from dataclasses import dataclass

from metrics_assets.analysis.wording import amount, human


@dataclass(frozen=True, slots=True)
class Finding:
    """An anomaly of one series on one day; values are in the metric's unit.

    `n` is the number of rows that the value stands on, where it has one. `known_days` of the 56 days before had a
    value; `missing_days` is how long there has been none, `zero_days` how long the value has been zero. `methods` are
    those that call the day unusual. `event` is what happened on the day or the two days before that may explain it.
    """

    title: str
    unit: str
    kind: str
    value: float | None
    n: int | None
    known_days: int
    missing_days: int
    zero_days: int
    expected: float | None
    lower: float | None
    upper: float | None
    score: float | None
    weekday_used: bool
    methods: tuple[str, ...]
    event: str | None


def explain(finding: Finding) -> str:
    """The value, what was expected from how many days, what kind of anomaly it is, who says so, what may explain it."""
    explained = f" It may be explained by {finding.event}." if finding.event else ""
    if finding.kind == "missing_data":
        days = "1 day" if finding.missing_days == 1 else f"{finding.missing_days} days"
        return (
            f"{finding.title}: no value for {days}, although {finding.known_days} of the 56 days before have one. "
            f"Missing data.{explained}"
        )
    n = "" if finding.n is None or finding.n == finding.value else f" (n = {finding.n})"
    pattern = "; weekday pattern used" if finding.weekday_used else ""
    low, high = _bounds(finding)
    said = " and ".join(finding.methods) if len(finding.methods) < 3 else "all three methods"
    return (
        f"{finding.title}: {_figure(finding, finding.value)}{n}; {_figure(finding, finding.expected)} expected "
        f"({low} to {high}, from {finding.known_days} days{pattern}). {_verdict(finding)} Told by {said}.{explained}"
    )


def unjudged(known_days: int, minimum_days: int, missing_days: int, *, weak: bool) -> str:
    """Why a day has no verdict."""
    if missing_days:
        return "No value; that alone is not told on this day."
    if weak:
        return "Not judged: the figure itself stands on too few."
    if known_days < minimum_days:
        return f"Not judged: only {known_days} of {minimum_days} days are known."
    return "Not judged: too few of the last days had an expectation."


def _figure(finding: Finding, number: float | None) -> str:
    return "unknown" if number is None else amount(number, finding.unit)


def _bounds(finding: Finding) -> tuple[str, str]:
    low, high = finding.lower or 0.0, finding.upper or 0.0
    if finding.unit == "count" and abs(low) < 1e15 and abs(high) < 1e15:
        return human(math.ceil(low - 1e-9)), human(math.floor(high + 1e-9))
    first, last = amount(low, finding.unit), amount(high, finding.unit)
    number, _, unit = first.partition(" ")
    return (number, last) if unit and last.endswith(f" {unit}") else (first, last)


def _verdict(finding: Finding) -> str:
    score = finding.score or 0.0
    side = "above" if score > 0 else "below"
    match finding.kind:
        case "level_shift":
            return f"Level shift: the last days together are {human(abs(round(score, 1)))} deviations {side} it."
        case "drift":
            return f"Drift: the last 14 days are {human(abs(round(score, 1)))} deviations {side} those of 8 weeks ago."
        case "variance":
            return f"Variance: the last 14 days are {human(round(score, 1))} times as far from expectation as usual."
        case "drop" if finding.zero_days > 1 and finding.value == 0:
            return f"Drop: zero for {finding.zero_days} days."
        case _:
            return f"{finding.kind.capitalize()}: {human(abs(round(score, 1)))} deviations {side} it."
