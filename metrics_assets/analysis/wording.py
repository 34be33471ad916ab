"""Numbers as people read them, for sentences about days and about trends alike."""

from __future__ import annotations


def human(number: float) -> str:
    """A number with as many digits as say something: 0.035, 2.1, 14, 56.3, 1,234."""
    if number == round(number) or abs(number) >= 100:
        return f"{number:,.0f}" if abs(number) < 1e15 else f"{number:.2g}"
    if abs(number) >= 1:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.2g}"


def amount(value: float, unit: str) -> str:
    """A value with its unit, in that which reads best: '5.2 hours', '3.1 days', '12 %', '2.1 per week', '1,234'."""
    match unit:
        case "ratio":
            return share(value)
        case "hours" if abs(value) >= 48:
            return f"{human(value / 24)} days"
        case "per day" if 0 < abs(value) < 0.95:
            weekly = value * 7
            return f"{human(weekly)} per week" if abs(weekly) >= 0.95 else f"{human(value * 30)} per month"
        case "count" | "score" | "rank" | "yes or no":
            return human(value)
        case _:
            return f"{human(value)} {unit}"


def share(value: float) -> str:
    """0.125 as '12 %', 0.004 as '0.4 %'."""
    percent = value * 100
    return f"{percent:.1f} %" if 0 < abs(percent) < 2 else f"{percent:.0f} %"
