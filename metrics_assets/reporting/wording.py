"""Numbers, dates and states as people read them; every page uses these words and no others."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date

from metrics_assets.reporting.data import MetricInfo

NO_BREAK = "\u00a0"
HOURS_PER_DAY = 24
DAYS_PER_MONTH = 30
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

SHIPS_BY = {
    "deployments": "deployments",
    "workflow_runs": "workflow runs",
    "releases": "releases",
    "tags": "release tags",
    "pushes": "pushes",
}
# A word and a glyph for each severity, and the colour role that goes with them.
SEVERITIES = {
    "critical": ("✕", "Critical", "bad"),
    "error": ("✕", "Error", "bad"),
    "high": ("✕", "High", "bad"),
    "warning": ("!", "Warning", "watch"),
    "medium": ("!", "Medium", "watch"),
    "info": ("i", "Info", "calm"),
    "low": ("i", "Low", "calm"),
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in words: '3.2' and 'h'. The unit may be empty."""

    number: str
    unit: str

    def __str__(self) -> str:
        return f"{self.number}{NO_BREAK}{self.unit}" if self.unit else self.number


def quantity(value: float, unit: str) -> Quantity:
    """Return a value in the unit in which it is easiest to read.

    `unit` is a unit of the catalogue. Hours become minutes, hours or days; a rate per day becomes one
    per week or month where it is slow; a ratio becomes a percentage.
    """
    match unit:
        case "hours":
            return _duration(value)
        case "per day":
            return _rate(value)
        case "ratio":
            return Quantity(_short(value * 100), "%")
        case "points":
            return Quantity(f"{value:.0f}", "")
        case _:
            return Quantity(_short(value), "")


def _duration(hours: float) -> Quantity:
    if hours == 0:
        return Quantity("0", "h")
    if hours * 60 < 59.5:
        minutes = round(hours * 60)
        return Quantity(str(minutes), "min") if minutes else Quantity("under 1", "min")
    if hours < 23.5:
        return Quantity(_short(hours), "h")
    return Quantity(_short(hours / HOURS_PER_DAY), "d")


def _rate(per_day: float) -> Quantity:
    if per_day == 0 or per_day >= 0.95:
        return Quantity(_short(per_day), "per day")
    if per_day * 7 >= 0.95:
        return Quantity(_short(per_day * 7), "per week")
    return Quantity(_short(per_day * DAYS_PER_MONTH), "per month")


def _short(value: float) -> str:
    """Two significant figures under ten, whole numbers with thousands above."""
    if abs(value) >= 9.95:
        return f"{value:,.0f}"
    if 0 < abs(value) < 0.05:
        return f"{value:.2f}" if abs(value) >= 0.005 else "under 0.01"
    return f"{value:.1f}".removesuffix(".0")


def day(value: date) -> str:
    """A UTC day: '20 Nov 2026'."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}".replace(" ", NO_BREAK)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """'1 repository', '3 repositories'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def repositories(number: int) -> str:
    return count(number, "repository", "repositories")


def listed(parts: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def severity(name: str) -> tuple[str, str, str]:
    """Return glyph, word and colour role of a severity; one that is not known keeps its own name."""
    return SEVERITIES.get(name.lower(), ("!", name[:1].upper() + name[1:], "watch"))


def ships_by(source: str | None) -> str:
    """What stands for a deployment in a repository."""
    return "not known" if source is None else SHIPS_BY.get(source, source)


def anchor(prefix: str, name: str) -> str:
    """Return an id for use in a page: readable, safe whatever the name holds, and different for each name."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name)[:40].strip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return "-".join(part for part in (prefix, readable, digest) if part)


@dataclass(frozen=True, slots=True)
class Change:
    """A change between two values in words; `role` is better, worse or calm."""

    glyph: str
    text: str
    role: str


def change(before: float, now: float, metric: MetricInfo) -> Change:
    """Say how a value moved, and whether that is good.

    A ratio moves in percentage points, everything else in per cent of what it was. A move of under 2.5 per
    cent (half a point) counts as none.
    """
    difference = now - before
    if metric.unit == "ratio":
        size, is_small = f"{_short(abs(difference) * 100)}{NO_BREAK}points", abs(difference) < 0.005
    elif before == 0:
        size, is_small = f"from {quantity(before, metric.unit)}", difference == 0
    else:
        share = abs(difference) / abs(before)
        size, is_small = f"{_short(share * 100)}{NO_BREAK}%", share < 0.025
    if is_small:
        return Change("≈", "about the same as", "calm")
    glyph, word = ("▲", "higher than") if difference > 0 else ("▼", "lower than")
    if metric.direction == "neutral":
        return Change(glyph, f"{size} {word}", "calm")
    is_better = (difference > 0) == (metric.direction == "higher")
    return Change(glyph, f"{size} {word}", "better" if is_better else "worse")
