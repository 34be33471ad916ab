"""How a report writes figures: a value, how it moved, how far it is from its goal. One line, plain text."""

from __future__ import annotations

from datetime import date

from metrics_assets.reporting.data import MetricInfo, Target
from metrics_assets.reporting.wording import MONTHS, NO_BREAK, quantity

MINUS = "\u2212"
MET = "✅"
_FEW = 10  # counts under it move by numbers: nobody says that releases fell by 75 %
# Units in which a difference says more than a share of what it was.
_IN_STEPS = ("ratio", "points", "score", "rank", "yes or no")
_MUCH = 10  # a change to more than so many times is told in times
_BEYOND_WORDS = 1e6  # times: the value before was as good as nought
_COMPARISONS = {"at_least": "", "at_most": "at most ", "above": "over ", "below": "under "}
_UNITS = {
    "days": " days", "months": " months", "milliseconds": " ms", "megabytes": " MB",
    "per week": " per week", "per month": " per month", "per second": " per second",
}  # fmt: skip


def amount(value: float, unit: str) -> str:
    """A value with its unit: '4,022', '67 %', '2.8 h', '$427,564', '2 days'."""
    value += 0.0  # there is no minus nought
    match unit:
        case "hours" | "per day" | "ratio":
            if value < 0:
                return f"{MINUS}{amount(-value, unit)}"
            return str(quantity(value, unit)).replace(NO_BREAK, " ")
        case "dollars":
            return f"{MINUS if round(value) < 0 else ''}${abs(value):,.0f}"
        case "yes or no":
            return "yes" if value else "no"
        case "score":
            return number(value, 1)
        case _:
            return f"{number(value)}{_UNITS.get(unit, '')}"


def number(value: float, digits: int | None = None) -> str:
    """A number without a unit: whole where it is large, with a digit where it is small, never '-0'."""
    if digits is None:
        digits = 0 if value == round(value) or abs(value) >= 10 else 1 if abs(value) >= 1 else 2
    written = f"{abs(value):,.{digits}f}"
    is_zero = not any(letter in "123456789" for letter in written)
    if is_zero and value != 0:
        return f"under {10**-digits:.{digits}f}" if value > 0 else "nearly 0"
    if digits > 1:
        written = written.rstrip("0").rstrip(".") or "0"
    return f"{MINUS}{written}" if value < 0 and not is_zero else written


def change(before: float, now: float, unit: str) -> str:
    """How a value moved: '+12 %', '−3.1 points', 'unchanged', 'from 0', '14 times as much'.

    Shares and scores move by points; what was nought or less has no per cent, so the value before is named.
    """
    if now == before:
        return "unchanged"
    if unit == "count" and max(abs(before), abs(now)) < _FEW:
        return _signed(now - before, "")
    if unit in _IN_STEPS:
        return _step(now - before, unit)
    if before <= 0 or abs(now / before) > _BEYOND_WORDS:
        return f"from {amount(before, unit)}"
    if now / before > _MUCH:
        return f"{number(round(now / before))} times as much"
    return _signed((now / before - 1) * 100, "%")


def _step(difference: float, unit: str) -> str:
    match unit:
        case "ratio":
            return _signed(difference * 100, "points")
        case "rank":
            places = f"{number(abs(difference))} {'place' if abs(difference) == 1 else 'places'}"
            return f"{places} {'up' if difference < 0 else 'down'}"
        case "yes or no":
            return "from no" if difference > 0 else "from yes"
        case _:
            return _signed(difference, "points" if unit == "points" else "")


def _signed(value: float, unit: str) -> str:
    """A change that cannot be seen is said so, and not as '+0'."""
    digits = 0 if abs(value) >= 9.95 else 1
    rounded = round(abs(value), digits)
    after = f" {unit}" if unit else ""
    if rounded == 0:
        return f"±0{after}"
    written = f"{rounded:,.{digits}f}".removesuffix(".0")
    return f"{'+' if value > 0 else MINUS}{written}{after}"


def moved(before: float, now: float, metric: MetricInfo) -> str:
    """The value before and whether that was worse: 'improved from 4.1 h'; 'unchanged' where both look the same."""
    was, is_now = amount(before, metric.unit), amount(now, metric.unit)
    if was == is_now:
        return "unchanged"
    if metric.direction == "neutral":
        return f"{'up' if now > before else 'down'} from {was}"
    return f"{'improved' if is_better(before, now, metric) else 'worsened'} from {was}"


def is_better(before: float, now: float, metric: MetricInfo) -> bool:
    return (now > before) == (metric.direction == "higher")


def is_met(value: float, target: Target) -> bool:
    match target.comparison:
        case "at_least":
            return value >= target.value
        case "at_most":
            return value <= target.value
        case "above":
            return value > target.value
        case _:
            return value < target.value


def target_text(value: float | None, target: Target, unit: str, on: date | None = None) -> str:
    """'target 2,000 ✅', 'target 2,000, 340 to go', 'target under 4 h, 2 h over', 'target 9 by 31 Dec 2025'.

    Args:
        on: the day of the value: from its due day on, a target that is not met is missed.
    """
    by = f" by {day(target.due_on)}" if target.due_on else ""
    text = f"target {_COMPARISONS.get(target.comparison, '')}{amount(target.value, unit)}{by}"
    if value is None:
        return text
    if is_met(value, target):
        return f"{text} {MET}"
    gap = abs(target.value - value)
    if gap == 0 or unit in ("rank", "yes or no"):
        return f"{text}, not met"
    far = _signed(gap * 100, "points").lstrip("+") if unit == "ratio" else amount(gap, unit)
    if on is not None and target.due_on is not None and on >= target.due_on:
        return f"{text}, missed by {far}"
    return f"{text}, {far} {'over' if value > target.value else 'to go'}"


def day(value: date) -> str:
    """A UTC day: '20 Nov 2026'."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"
