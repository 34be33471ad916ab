"""Numbers as people read them, for sentences about days and about trends alike."""

from __future__ import annotations


def human(number: float) -> str:
    """A number with as many digits as say something: 0.035, 2.1, 14, 56.3, 1,234."""
    if number == round(number) or abs(number) >= 100:
        return f"{number:,.0f}" if abs(number) < 1e15 else f"{number:.2g}"
    if abs(number) >= 1:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.2g}"
