"""A small report with one block of each kind, and texts that would like to be more than text."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from metrics_assets.reporting.data import MetricInfo, Point, Series
from metrics_assets.reporting.documents import (
    Bullets,
    Document,
    Fact,
    Facts,
    Grid,
    Notes,
    Paragraph,
    Picture,
    Section,
)

HOSTILE = (
    '<script>alert(1)</script> [x](javascript:alert(1)) ![p](https://evil.example/p.png) **b** `c` a|b "q" & &lt; '
    "</style> \u202eevil https://evil.example @everyone\n# not a heading"
)
END = date(2025, 12, 31)


def series(title: str = "Stars", weeks: int = 53) -> Series:
    """A figure that grows by seven a week, known but for one week."""
    metric = MetricInfo("stars", title, "Stars of all repositories.", None, "count", "higher", None, "Not collected.")
    points = tuple(
        Point(END - timedelta(weeks=weeks - 1 - week), 1000.0 + 7 * week, 1000 + 7 * week, "ok")
        if week != 3
        else Point(END - timedelta(weeks=weeks - 1 - week), None, None, "unknown")
        for week in range(weeks)
    )
    return Series(metric, "portfolio", "acme", points)


def document(text: str = "All is well.", **changes: Any) -> Document:
    """A monthly report of December 2025, with `text` wherever a text may stand."""
    values: dict[str, Any] = {
        "report": "monthly_report",
        "title": "acme: December 2025",
        "subtitle": "1 to 31 December 2025",
        "period_start": date(2025, 12, 1),
        "period_end": END,
        "as_of": END,
        "verdict": text,
        "sections": (
            Section(
                "executive_summary",
                "Executive summary",
                (
                    Paragraph(text),
                    Facts((Fact("Stars", "8,412 (+5 % MoM)", "ok"), Fact(text, text, "bad"), Fact("Forks", "12"))),
                    Grid(("Goal", "Status"), ((text, text), ("Lead time", "✓ met"))),
                    Bullets((text, "- a", "1. b")),
                    Picture(series()),
                ),
            ),
            Section("achievements", text, (Notes("achievements.technical"), Notes("achievements.community"))),
            Section("recommendations", "Recommendations", (Notes("recommendations"),)),
        ),
        "footer": (("Prepared by", text), ("Dashboard", "https://metrics.example.org")),
    }
    return Document(**{**values, **changes})
