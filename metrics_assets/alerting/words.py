"""Figures in words, for messages that people read on a phone."""

from __future__ import annotations

from collections.abc import Callable


def amount(value: float, unit: str) -> str:
    """A value with the catalogue's unit: '5.2 h', '7.4 d', '12 %', '3 a week', '17'."""
    if value < 0:
        return f"-{amount(-value, unit)}"
    return _UNITS.get(unit, number)(value)


def interval(low: float, high: float, unit: str) -> str:
    """The ends of an interval, the unit once where it is the same: '17 to 52 %', '50 min to 3.1 h'."""
    first, last = amount(low, unit), amount(high, unit)
    if first.partition(" ")[2] == last.partition(" ")[2]:
        first = first.partition(" ")[0]
    return f"{first} to {last}"


def number(value: float) -> str:
    """A number with as many digits as say something: '0.035', '2.1', '1,234'."""
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def _hours(value: float) -> str:
    if 0 < value * 60 < 59.5:
        return f"{value * 60:.0f} min"
    return f"{_one_decimal(value)} h" if value < 23.5 else f"{_one_decimal(value / 24)} d"


def _one_decimal(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _share(value: float) -> str:
    percent = round(100 * value, 1)
    return f"{percent:.0f} %" if percent >= 10 or percent.is_integer() else f"{percent:.1f} %"


def _per_day(value: float) -> str:
    return f"{number(value)} a day" if value >= 1 or value == 0 else f"{number(value * 7)} a week"


def _named(name: str) -> Callable[[float], str]:
    return lambda value: f"{number(value)} {name}"


_UNITS: dict[str, Callable[[float], str]] = {
    "hours": _hours,
    "ratio": _share,
    "per day": _per_day,
    "per week": _named("a week"),
    "per month": _named("a month"),
    "per second": _named("a second"),
    "days": lambda value: _hours(value * 24),
    "months": _named("months"),
    "milliseconds": _named("ms"),
    "megabytes": _named("MB"),
    "dollars": _named("dollars"),
    "yes or no": lambda value: "yes" if value else "no",
}
