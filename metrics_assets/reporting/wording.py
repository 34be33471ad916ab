"""Numbers, dates and states as people read them; every page uses these words and no others."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from metrics_assets.reporting.data import MetricInfo

NO_BREAK = "\u00a0"
HOURS_PER_DAY = 24
DAYS_PER_MONTH = 30
_ISO_DAY = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
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
STATES = {"ok": "known", "provisional": "provisional", "too_few": f"too{NO_BREAK}few"}  # of a figure, in tables
# The same for the states of goals, gates and releases.
STATUSES = {
    "met": ("✓", "Met", "ok"),
    "on track": ("✓", "On track", "ok"),
    "passed": ("✓", "Passed", "ok"),
    "ready": ("✓", "Ready", "ok"),
    "at risk": ("!", "At risk", "watch"),
    "review": ("!", "Review", "watch"),
    "waived": ("!", "Waived", "watch"),
    "off track": ("✕", "Off track", "bad"),
    "failed": ("✕", "Failed", "bad"),
    "blocked": ("✕", "Blocked", "bad"),
    "unknown": ("?", "Unknown", "calm"),
}
# The same for the bands of a traffic light.
LIGHTS = {"green": ("✓", "Green", "ok"), "yellow": ("!", "Yellow", "watch"), "red": ("✕", "Red", "bad")}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in words: '3.2' and 'h'. The unit may be empty."""

    number: str
    unit: str

    def __str__(self) -> str:
        return f"{self.number}{NO_BREAK}{self.unit}" if self.unit else self.number


def quantity(value: float, unit: str) -> Quantity:
    """Return a value in the unit in which it is easiest to read.

    `unit` is a unit of the catalogue. Hours and days become minutes, hours or days; a rate becomes one per week or
    month where it is slow; a ratio becomes a percentage, or times where it is more than two.
    """
    match unit:
        case "hours":
            return _duration(value)
        case "days":
            return _duration(value * HOURS_PER_DAY)
        case "months":
            return Quantity(_short(value), "month" if value == 1 else "months")
        case "milliseconds":
            return Quantity(_short(value), "ms") if abs(value) < 995 else Quantity(_short(value / 1000), "s")
        case "megabytes":
            return Quantity(_short(value), "MB") if abs(value) < 995 else Quantity(_short(value / 1000), "GB")
        case "per day" | "per week" | "per month":
            return _rate(value, unit)
        case "per second":
            return Quantity(_short(value), unit)
        case "ratio":
            return Quantity(_percentage(value * 100), "%") if abs(value) <= 2 else Quantity(_short(value), "times")
        case "points":
            return Quantity(str(round(value)), "")
        case "rank":
            return Quantity(f"#{value:,.0f}", "")
        case "dollars":
            return Quantity(f"{'-' if value < 0 else ''}${_compact(abs(value))}", "")
        case "yes or no":
            return Quantity({0.0: "no", 1.0: "yes"}.get(value, _short(value)), "")
        case _:
            return Quantity(_short(value), "")


def brief(value: float, unit: str) -> str:
    """Return a value in as few characters as the labels of a chart have room for: '2.3/week', '1.2 M', '36 h'."""
    if unit in ("count", "score", "rank", "per second") and abs(value) >= 10_000:
        return f"{'#' if unit == 'rank' else ''}{_compact(value)}{'/s' if unit == 'per second' else ''}"
    said = quantity(value, unit)
    match said.unit:
        case "per day" | "per week" | "per month":
            return f"{said.number}/{said.unit[4:]}"
        case "per second":
            return f"{said.number}/s"
        case "times":
            return f"{said.number}\u00d7"
        case "month" | "months":
            return f"{said.number}{NO_BREAK}mo"
        case _:
            return str(said)


def span(low: float, high: float, unit: str) -> str:
    """Return a range in words, its unit once where both ends have the same: '22.7 to 51.1 h'."""
    first, last = quantity(low, unit), quantity(high, unit)
    return f"{first.number} to {last}" if first.unit == last.unit else f"{first} to {last}"


def odds(share: float) -> str:
    """Return a probability in words that promise no more than it can: 'under 1 %', '37 %', 'over 99 %'."""
    if share < 0.01:
        return f"under 1{NO_BREAK}%"
    if share > 0.99:
        return f"over 99{NO_BREAK}%"
    return f"{share * 100:.0f}{NO_BREAK}%"


def status(name: str) -> tuple[str, str, str]:
    """Return glyph, word and colour role of the state of a goal or a gate; one that is not known keeps its own name."""
    word = name.replace("_", " ").strip().lower()
    return STATUSES.get(word, ("?", word[:1].upper() + word[1:] if word else "Unknown", "calm"))


def light(band: str | None, rank: int = 1, of: int = 3) -> tuple[str, str, str]:
    """Return glyph, word and colour role of a band of a traffic light; None is a value that is in none.

    Of bands named otherwise the first of `of` (rank 0) is good and the last is bad: catalogues list them best first.
    """
    if band is None:
        return STATUSES["unknown"]
    name = band if band in LIGHTS else "green" if rank == 0 else "red" if rank == of - 1 else "yellow"
    glyph, _, role = LIGHTS[name]
    return glyph, f"{band[:1].upper()}{band[1:]}", role


def state(name: str) -> str:
    """Return the state of a figure as tables say it."""
    return STATES.get(name, f"not{NO_BREAK}known")


def _duration(hours: float) -> Quantity:
    if hours < 0:
        said = _duration(-hours)
        return Quantity(f"-{said.number}", said.unit)
    if hours == 0:
        return Quantity("0", "h")
    if hours * 60 < 59.5:
        minutes = round(hours * 60)
        return Quantity(str(minutes), "min") if minutes else Quantity("under 1", "min")
    if hours < 23.5:
        return Quantity(_short(hours), "h")
    return Quantity(_short(hours / HOURS_PER_DAY), "d")


def _rate(value: float, unit: str) -> Quantity:
    slower = {"per day": ("per week", 7.0), "per week": ("per month", DAYS_PER_MONTH / 7)}
    while 0 < value < 0.95 and unit in slower:
        unit, times = slower[unit]
        value *= times
    return Quantity(_short(value), unit)


def _percentage(value: float) -> str:
    """A percentage; close to a hundred with the figures that tell 99.9 from 99.99, and never rounded up to it."""
    if not 99 <= value < 100:
        return _short(value)
    nines = min(3, 2 + math.floor(-math.log10(100 - value)))
    return f"{math.floor(value * 10**nines + 1e-6) / 10**nines:.{nines}f}".rstrip("0").removesuffix(".")


def _compact(value: float) -> str:
    """'9,800', '12.4 k', '3.1 M'."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size * 0.9995:
            return f"{value / (1e3 if letter == 'k' else size):.3g}{NO_BREAK}{letter}"
    return _short(value)


def _short(value: float) -> str:
    """Two significant figures under ten, whole numbers with thousands above."""
    if value == 0:
        return "0"  # minus zero too
    if abs(value) >= 9.95:
        return f"{value:,.0f}"
    if 0 < abs(value) < 0.05:
        if abs(value) >= 0.005:
            return f"{value:.2f}"
        return "under 0.01" if value > 0 else "0"
    return f"{value:.1f}".removesuffix(".0")


def rounded(value: float, decimals: int = 0) -> str:
    """A number with so many decimals; what rounds to zero has no sign."""
    return f"{round(float(value), decimals) + 0.0:,.{decimals}f}"


def day(value: date) -> str:
    """A UTC day: '20 Nov 2026'."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}".replace(" ", NO_BREAK)


def written_days(text: str) -> str:
    """A text with its ISO days as people read them: '2025-12-31' becomes '31 Dec 2025'."""
    return _ISO_DAY.sub(_written, text)


def _written(match: re.Match[str]) -> str:
    try:
        return day(date(int(match[1]), int(match[2]), int(match[3])))
    except ValueError:
        return match[0]


def count(number: int, noun: str, plural: str | None = None) -> str:
    """'1 repository', '3 repositories'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def shown(number: int, every: int, noun: str = "", *, rest: str = "; all in the CSV") -> str:
    """'50 of 1,000 packages shown; all in the CSV.'; nothing where all are shown."""
    return f"{number:,} of {every:,}{noun and ' '}{noun} shown{rest}." if number < every else ""


def repositories(number: int) -> str:
    return count(number, "repository", "repositories")


def listed(parts: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def severity(name: str) -> tuple[str, str, str]:
    """Return glyph, word and colour role of a severity; one that is not known keeps its own name."""
    return SEVERITIES.get(name.lower(), ("!", name[:1].upper() + name[1:], "watch"))


def severities(names: Sequence[str]) -> str:
    """'2 critical, 6 warnings and 1 note', the most severe first."""
    said = [f"{names.count('critical')} critical"] if "critical" in names else []
    nouns = {"warning": "warning", "info": "note"}
    said += [count(names.count(name), noun) for name, noun in nouns.items() if name in names]
    return listed(said)


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

    A ratio moves in percentage points, points in points, a rank in places, what may be negative by its amount, and
    everything else in per cent of what it was. A move of under 2.5 per cent (half a point) counts as none.
    """
    difference = now - before
    if metric.unit == "yes or no":
        if difference == 0:
            return Change("≈", "the same as", "calm")
        return _moved(difference, f"changed from {quantity(before, metric.unit)}", metric)
    size, is_small = _size(before, difference, metric.unit)
    if is_small:
        return Change("≈", "about the same as", "calm")
    if size is None:
        return _moved(difference, f"{'up' if difference > 0 else 'down'} from {quantity(before, metric.unit)}", metric)
    return _moved(difference, f"{size} {'higher' if difference > 0 else 'lower'} than", metric)


def _size(before: float, difference: float, unit: str) -> tuple[str | None, bool]:
    """Return how large a difference is in words (None: there is no such size), and whether it counts as none."""
    if unit == "ratio":
        return _points(abs(difference) * 100), abs(difference) < 0.005
    if unit == "points":
        return _points(abs(difference)), abs(difference) < 0.5
    if unit == "rank":
        return count(round(abs(difference)), "place"), difference == 0
    if before == 0:
        return None, difference == 0
    if before < 0 or before + difference < 0:
        return _short(abs(difference)), abs(difference) < 0.025 * abs(before)
    share = abs(difference) / before
    return f"{_short(share * 100)}{NO_BREAK}%", share < 0.025


def _points(size: float) -> str:
    said = _short(size)
    return f"{said}{NO_BREAK}{'point' if said == '1' else 'points'}"


def _moved(difference: float, text: str, metric: MetricInfo) -> Change:
    glyph = "▲" if difference > 0 else "▼"
    if metric.direction == "neutral":
        return Change(glyph, text, "calm")
    is_better = (difference > 0) == (metric.direction == "higher")
    return Change(glyph, text, "better" if is_better else "worse")
