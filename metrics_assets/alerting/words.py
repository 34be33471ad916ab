"""Figures in words, for messages that people read on a phone."""

from __future__ import annotations


def amount(value: float, unit: str) -> str:
    """A value with its unit: '5.2 h', '7.4 days', '12 %', '3 a week', '17'."""
    if unit == "hours":
        if value < 1:
            return f"{value * 60:.0f} min"
        return f"{value:.1f} h" if value < 48 else f"{value / 24:.1f} days"
    if unit == "ratio":
        return f"{value:.0%}".replace("%", " %")
    if unit == "per day":
        return f"{value:.1f} a day" if value >= 1 else f"{value * 7:.1f} a week"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.1f}"
