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
    """A value with its unit, in that which reads best: '5.2 h', '3.1 d', '12 %', '2.1 per week', '1,234'."""
    match unit:
        case "ratio":
            return share(value)
        case "hours":
            return _duration(value)
        case "days":
            return _duration(value * 24)
        case "per day" if 0 < abs(value) < 0.95:
            weekly = value * 7
            return f"{human(weekly)} per week" if abs(weekly) >= 0.95 else f"{human(value * 30)} per month"
        case "count" | "score" | "rank" | "yes or no":
            return human(value)
        case _:
            return f"{human(value)} {unit}"


def _duration(hours: float) -> str:
    """Minutes, hours or days, as the pages say them."""
    if 0 < abs(hours) * 60 < 59.5:
        return f"{hours * 60:.0f} min" if abs(hours) * 60 >= 0.5 else "under 1 min"
    return f"{human(hours)} h" if abs(hours) < 23.5 else f"{human(hours / 24)} d"


def share(value: float) -> str:
    """0.125 as '12 %', 0.004 as '0.4 %'."""
    percent = value * 100
    return f"{percent:.1f} %" if 0 < abs(percent) < 2 else f"{percent:.0f} %"
