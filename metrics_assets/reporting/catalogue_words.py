"""What the pages that are written from the catalogue are made of: amounts in their units, and Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from metrics_assets.catalogue.metrics import Band, Metric

CONDITIONS = {"at_least": "at least", "at_most": "at most", "above": "over", "below": "under"}
_AFTER_THE_NUMBER = {
    "hours": "h",
    "days": "days",
    "months": "months",
    "milliseconds": "ms",
    "megabytes": "MB",
    "per day": "a day",
    "per week": "a week",
    "per month": "a month",
    "per second": "a second",
}


def amount(value: float, metric: Metric) -> str:
    """A value in the unit of its metric: '95 %', '4 h', '$1,000,000', '20 times', '5,000'."""
    if metric.unit == "ratio":
        return f"{number(value * 100)} %" if abs(value) <= 2 else f"{number(value)} times"
    if metric.unit == "dollars":
        return f"${number(value)}"
    if metric.unit == "yes or no":
        return "yes" if value else "no"
    return " ".join(part for part in (number(value), _AFTER_THE_NUMBER.get(metric.unit, "")) if part)


def band_values(band: Band, metric: Metric) -> str:
    """The values of a band: 'from 5 % and under 10 %'."""
    low = f"from {amount(band.at_least, metric)}" if band.at_least is not None else ""
    high = f"under {amount(band.below, metric)}" if band.below is not None else ""
    return " and ".join(part for part in (low, high) if part)


def number(value: float) -> str:
    """A number as it was written, with thousands: '5,000,000', '99.99'."""
    return f"{value:,.10g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; empty without rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def text(text: str) -> str:
    """A text of the catalogue, so that none of its characters is taken for Markdown."""
    flat = " ".join(text.split())
    return re.sub(r"([*`\[\]<\\])", r"\\\1", flat)


def code(text: str) -> str:
    """A formula or a name as it stands, in code."""
    flat = " ".join(text.split())
    return f"`` {flat} ``" if "`" in flat else f"`{flat}`"


def anchor(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


_INLINE = re.compile(r"`` (?P<double>.*?) ``|`(?P<single>[^`]*)`|\\(?P<escaped>[*`\[\]<\\|])")


def html(markdown: str, link: Callable[[str], str | None] = lambda name: None) -> Markup:
    """What the functions here write as Markdown, in one line, as HTML; `link` gives code that is a name its address."""
    parts, end = [], 0
    for found in _INLINE.finditer(markdown):
        parts.append(escape(markdown[end : found.start()]))
        end = found.end()
        if (escaped := found["escaped"]) is not None:
            parts.append(escape(escaped))
            continue
        name = found["double"] if found["double"] is not None else found["single"]
        href = link(name)
        shown = Markup("<code>{}</code>").format(name)
        parts.append(shown if href is None else Markup('<a href="{}">{}</a>').format(href, shown))
    return Markup("").join([*parts, escape(markdown[end:])])


_REQUIREMENTS = re.compile(
    r"(?:requirements?\s+)?S[0-4]-\d{2,3}(?:\s*(?:,|to|and)\s*S[0-4]-\d{2,3})*(?:\s*[;,:]\s*)?", re.IGNORECASE
)


def without_requirements(source: str | None) -> str:
    """A source without ids of requirements, which say nothing to whoever reads a page."""
    left = _REQUIREMENTS.sub("", source or "").replace("()", "").strip(" ;,")
    return left if left == source else left[:1].upper() + left[1:]
