"""Badges: a figure as a small SVG that stands alone, for a README or any other page.

A badge asks nothing of any host, runs nothing, and always has its word: colour only repeats it. Colours keep a contrast
of at least 4.5 to their text on any page, for both halves have their own ground.
"""

from __future__ import annotations

import re
from typing import Literal

from markupsafe import escape

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import Series, Tier
from metrics_assets.reporting.kit.labels import shortened, text_width

Colour = Tier | Literal["ok", "watch", "bad", "calm", "unknown"]

HEIGHT, FONT_SIZE, PADDING = 20, 11, 6
REGULAR, BOLD = 0.97, 1.06  # how wide a weight is beside the table of widths
MOST_LABEL, MOST_TEXT = 40, 32  # characters
HEALTHY, WATCHED = 75, 50  # points of a hundred from which health is green and yellow: ours, no standard has them
_GROUND, _WHITE, _BLACK = "#3b434b", "#ffffff", "#16191d"
_COLOURS: dict[str, tuple[str, str]] = {  # ground and text; tiers as requirement S4-18 has them
    "elite": ("#17693a", _WHITE),
    "high": ("#0b57a4", _WHITE),
    "medium": ("#f0c660", _BLACK),
    "low": ("#a6321c", _WHITE),
    "ok": ("#17693a", _WHITE),
    "watch": ("#f0c660", _BLACK),
    "bad": ("#a6321c", _WHITE),
    "calm": ("#0b57a4", _WHITE),
    "unknown": ("#5b6570", _WHITE),
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def badge(label: str, text: str, colour: Colour) -> str:
    """Return a badge as SVG: the label on grey, the text on the colour of a tier or a role.

    Long texts are cut with an ellipsis; what a screen reader says (the title) has them whole, up to 200 characters.
    """
    said = escape(shortened(f"{_plain(label)}: {_plain(text)}", 200))
    left, right = shortened(_plain(label), MOST_LABEL), shortened(_plain(text), MOST_TEXT)
    left_width, right_width = _width(left, REGULAR), _width(right, BOLD)
    width = left_width + right_width
    ground, ink = _COLOURS[colour]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}" '
        f'role="img" aria-label="{said}"><title>{said}</title>'
        f'<clipPath id="r"><rect width="{width}" height="{HEIGHT}" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left_width}" height="{HEIGHT}" fill="{_GROUND}"/>'
        f'<rect x="{left_width}" width="{right_width}" height="{HEIGHT}" fill="{ground}"/></g>'
        f'<g font-family="Verdana,DejaVu Sans,Arial,sans-serif" font-size="{FONT_SIZE}" text-anchor="middle">'
        f'<text x="{left_width / 2:g}" y="14" fill="{_WHITE}">{escape(left)}</text>'
        f'<text x="{left_width + right_width / 2:g}" y="14" fill="{ink}" font-weight="600">{escape(right)}</text>'
        "</g></svg>\n"
    )


def tier_badge(label: str, tier: Tier | None) -> str:
    """Return the badge of a tier: 'DORA | High'; None is not rated."""
    return badge(label, "not rated", "unknown") if tier is None else badge(label, tier.title(), tier)


def health_badge(series: Series) -> str:
    """Return the badge of a score of a hundred points: 'Repository health | 82 of 100'."""
    value = _last(series)
    if value is None:
        return badge(series.metric.title, _unknown(series), "unknown")
    colour: Colour = "ok" if value >= HEALTHY else "watch" if value >= WATCHED else "bad"
    return badge(series.metric.title, f"{wording.quantity(value, series.metric.unit)} of 100", colour)


def metric_badge(series: Series) -> str:
    """Return the badge of any figure on its last day: 'Lead time for changes | 1.6 d, High'.

    Its colour is that of its tier, else of its goal's state, else blue. Unknown and too few are said in words.
    """
    value = _last(series)
    if value is None:
        return badge(series.metric.title, _unknown(series), "unknown")
    said = str(wording.quantity(value, series.metric.unit))
    if series.tier is not None:
        return badge(series.metric.title, f"{said}, {series.tier.title()}", series.tier)
    if series.target is not None:
        _, word, role = wording.status(series.target.status)
        colours: dict[str, Colour] = {"ok": "ok", "watch": "watch", "bad": "bad"}
        return badge(series.metric.title, f"{said}, {word.lower()}", colours.get(role, "calm"))
    return badge(series.metric.title, said, "calm")


def _last(series: Series) -> float | None:
    return series.points[-1].value if series.points else None


def _unknown(series: Series) -> str:
    return "too few" if series.points and series.points[-1].state == "too_few" else "not known"


def _plain(text: str) -> str:
    """A text on one line, without what XML cannot hold."""
    return " ".join(_NOT_XML.sub("", text).split()) or "?"


def _width(text: str, weight: float) -> int:
    return round(text_width(text) * FONT_SIZE * weight) + 2 * PADDING
