"""Words that the pages about the community, the goals and the releases share: bands, links, long texts, changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import MetricInfo

_LONGEST = 160  # characters of a title or a reason that somebody wrote


@dataclass(frozen=True, slots=True)
class Band:
    """A band of metrics.metric_bands: values from `at_least` (included) to `below` (excluded), in the metric's unit."""

    band: str
    at_least: float | None = None
    below: float | None = None
    means: str | None = None

    def holds(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.below is None or value < self.below)


@dataclass(frozen=True, slots=True)
class Light:
    """The band of a value as a glyph, a word and a colour role: never the colour alone."""

    glyph: str
    word: str
    role: str
    rank: int  # 0 is best
    means: str


def light(value: float | None, bands: Sequence[Band]) -> Light | None:
    """The band that a value falls into; None where it is unknown or there are no bands."""
    if value is None:
        return None
    for rank, band in enumerate(bands):
        if band.holds(value):
            glyph, _, role = wording.light(band.band, rank, len(bands))
            return Light(glyph, band.band, role, rank, band.means or "")
    return None


def limits(metric: MetricInfo, bands: Iterable[Band]) -> str:
    """The bands of a metric in words: 'green from 1,000, yellow from 500 to under 1,000, red under 500'."""
    said = []
    for band in bands:
        ends = [None if end is None else str(wording.quantity(end, metric.unit)) for end in (band.at_least, band.below)]
        if ends[0] is not None and ends[1] is not None:
            said.append(f"{band.band} from {ends[0]} to under {ends[1]}")
        elif ends[0] is not None:
            said.append(f"{band.band} from {ends[0]}")
        elif ends[1] is not None:
            said.append(f"{band.band} under {ends[1]}")
        else:
            said.append(f"{band.band} otherwise")
    return ", ".join(said)


def cut(text: str, longest: int = _LONGEST) -> str:
    """A text that somebody wrote, on one line and not longer than a row can hold."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def web_address(url: str | None) -> str | None:
    """The address, if a page may link to it: http or https, with a host; others are dropped."""
    if not url or any(character.isspace() for character in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def moved(before: float | None, now: float | None, metric: MetricInfo) -> tuple[str, str]:
    """How a figure moved since an earlier day, short enough for a cell, and its colour role."""
    if before is None or now is None:
        return "not known", "dim"
    change = wording.change(before, now, metric)
    if change.glyph == "≈":
        return "about the same", "calm"
    size = change.text.removesuffix(" higher than").removesuffix(" lower than")
    return f"{change.glyph} {size}", {"better": "ok", "worse": "bad"}.get(change.role, "calm")
