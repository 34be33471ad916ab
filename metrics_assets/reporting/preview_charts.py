"""A small chart of the last days for the Dagster UI: an SVG in Markdown, as a data URI.

The UI drops SVG and HTML that stand in Markdown by themselves, and shows pictures. Colours are those that can be seen
on its light and on its dark ground, because a picture knows neither.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date
from html import escape

from metrics_assets.reporting import wording

WIDTH, HEIGHT = 520, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 92, 14, 22
_LINE, _TEXT, _RULE = "#2f86c8", "#77828e", "#c3cad2"

Days = Sequence[tuple[date, float | None]]


def preview_chart(title: str, days: Days, unit: str) -> str:
    """A line over some days as Markdown, or a sentence where nothing is known of them.

    Args:
        title: what is drawn; Markdown in it is shown as it is.
        days: each with its value, in order; None leaves a gap.
        unit: a unit of the catalogue.
    """
    known = [(on, value) for on, value in days if value is not None]
    if not known:
        return f"{_plain(title)}: unknown on all of {wording.count(len(days), 'day')}."
    last_on, last = known[-1]
    said = f"{title}: {wording.quantity(last, unit)} on {wording.day(last_on)}"
    picture = base64.b64encode(_svg(said, days, unit).encode()).decode()
    return f"{_plain(said)}\n\n![{_plain(said)}](data:image/svg+xml;base64,{picture})"


def _svg(label: str, days: Days, unit: str) -> str:
    values = [value for _, value in days if value is not None]
    high, low = max(0.0, *values), min(0.0, *values)  # with zero: a small change must not look like a great one
    spread = (high - low) or 1.0
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(days) - 1)

    def place(index: int, value: float) -> str:
        up = (value - low) / spread if high > low else 0.5
        return f"{_LEFT + index * step:.0f} {HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM):.0f}"

    path, was_known = "", False
    for index, (_, value) in enumerate(days):
        if value is not None:
            path += f"{'L' if was_known else 'M'}{place(index, value)}{'' if was_known else 'h0'}"
        was_known = value is not None
    index, last = [(index, value) for index, (_, value) in enumerate(days) if value is not None][-1]
    x, y = place(index, last).split()
    floor = HEIGHT - _BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="{_TEXT}"><title>{escape(label)}</title>'
        f'<path d="M{_LEFT} {floor}H{WIDTH - _RIGHT}" stroke="{_RULE}"/>'
        f'<path d="{path}" fill="none" stroke="{_LINE}" stroke-width="2" stroke-linecap="round"/>'
        f'<text x="{int(x) + 8}" y="{int(y) + 4}" fill="{_LINE}" font-weight="600">{_words(last, unit)}</text>'
        f'<text x="{_LEFT}" y="{HEIGHT - 6}">{_day(days[0][0])}</text>'
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{_day(days[-1][0])}</text></svg>'
    )


def _words(value: float, unit: str) -> str:
    return escape(str(wording.quantity(value, unit)))


def _day(on: date) -> str:
    return escape(wording.day(on))


def _plain(text: str) -> str:
    """A text that Markdown leaves alone."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]()<>#!|~" else letter for letter in text)
