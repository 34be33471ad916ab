"""Charts drawn on the server: geometry in one stretched SVG, every word in HTML placed in per cent.

Text therefore never shrinks, can be selected, and follows the theme; no script is needed to resize anything.
A value that is not known is a gap: no function here draws it as a point, least of all as zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from markupsafe import Markup

from metrics_assets.reporting.data import TIERS, Tier, TierBand
from metrics_assets.reporting.scales import Scale
from metrics_assets.reporting.wording import MONTHS

WIDTH, HEIGHT = 1000, 400  # of the plot's own coordinates; the page stretches them
SPARK_WIDTH, SPARK_HEIGHT = 100, 28
LABEL_ROOM = 0.21  # share of the height that a label of two lines takes
BAND_NAME_ROOM = 0.12


@dataclass(frozen=True, slots=True)
class Point:
    """A value on a day; None where it is not known."""

    on: date
    value: float | None
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart. Only `main` and `second` are coloured; their last point has `label` and `text`."""

    points: tuple[Point, ...]
    kind: Literal["main", "second", "context"] = "context"
    label: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Marker:
    """A numbered mark on a line, explained in the text beneath the chart."""

    number: int
    on: date
    value: float


def line_chart(
    lines: Sequence[Line],
    *,
    scale: Scale,
    start: date,
    end: date,
    label: str,
    bands: Sequence[TierBand] = (),
    markers: Sequence[Marker] = (),
) -> Markup:
    """Return a line chart from `start` to `end`.

    `label` is what a screen reader says for the whole chart. Context lines are drawn first and stay grey;
    tier bands carry their names and their boundaries; the stretch up to a provisional point is dashed.
    """
    frame = _Frame(scale, start, end)
    order = {"context": 0, "second": 1, "main": 2}
    drawn = sorted(lines, key=lambda line: order[line.kind])
    geometry = Markup("").join(
        [
            *_grid(scale),
            *(shape for line in drawn for shape in _line_shapes(line, frame)),
            *(_dot(frame.x(m.on), frame.y(m.value), "mark") for m in markers),
        ]
    )
    words = Markup("").join(
        [
            *_tick_labels(scale),
            *_month_labels(frame),
            *_end_labels(drawn, scale),
            *(_marker_label(m, frame) for m in markers),
        ]
    )
    areas = Markup("").join(_band_areas(bands, scale))
    return Markup(
        '<div class="plot{}" role="img" aria-label="{}">{}'
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>{}</div>'
    ).format(" banded" if bands else "", label, areas, WIDTH, HEIGHT, geometry, words)


def sparkline(values: Sequence[float | None], *, label: str) -> Markup:
    """Return a small line over equal steps; None leaves a gap, and nothing known draws an empty box."""
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    spread = high - low or 1.0
    step = (SPARK_WIDTH - 4) / max(1, len(values) - 1)

    def place(index: int, value: float) -> tuple[int, int]:
        share = (value - low) / spread if high > low else 0.5
        return round(2 + index * step), round(SPARK_HEIGHT - 3 - share * (SPARK_HEIGHT - 6))

    places = [None if value is None else place(index, value) for index, value in enumerate(values)]
    path = _path(places)
    last = places[-1] if places else None
    shapes = Markup('<path d="{}"/>').format(path) if path else Markup("")
    if last is not None:
        shapes += _dot(*last, "end")
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(SPARK_WIDTH, SPARK_HEIGHT, label, shapes)


def tier_bar(counts: Mapping[Tier, int], not_rated: int = 0) -> Markup:
    """Return a bar of the repositories in each tier, best first, with those not rated hatched at the end."""
    names: list[tuple[str, int]] = [(tier, counts.get(tier, 0)) for tier in TIERS]
    names.append(("none", not_rated))
    said = ", ".join(f"{number} {'not rated' if name == 'none' else name.title()}" for name, number in names if number)
    parts = Markup("").join(
        Markup('<i class="t-{}" style="flex:{}"></i>').format(name, number) for name, number in names if number
    )
    return Markup('<div class="tierbar" role="img" aria-label="{}">{}</div>').format(said or "no repository", parts)


def tier_bars(tier: Tier) -> Markup:
    """Return one to four bars for a tier; the word must stand beside them."""
    return Markup('<svg class="bars t-{}" aria-hidden="true"><use href="#bars-{}"/></svg>').format(tier, tier)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Turns days and values into the plot's coordinates."""

    scale: Scale
    start: date
    end: date

    def share(self, on: date) -> float:
        days = (self.end - self.start).days
        return min(1.0, max(0.0, (on - self.start).days / days)) if days > 0 else 1.0

    def x(self, on: date) -> int:
        return round(self.share(on) * WIDTH)

    def y(self, value: float) -> int:
        return _height(self.scale, value)


def _height(scale: Scale, value: float) -> int:
    return round((1 - scale.position(value)) * HEIGHT)


def _path(places: Iterable[tuple[int, int] | None]) -> str:
    """Join neighbours; a gap starts the line anew, and a point between two gaps becomes a dot."""
    steps: list[str] = []
    run: list[tuple[int, int]] = []
    for place in [*places, None]:
        if place is not None:
            run.append(place)
            continue
        if run:
            first, *others = run
            steps.append(f"M{first[0]} {first[1]}")
            steps.extend(f"L{x} {y}" for x, y in others)
            if not others:
                steps.append("h0")
        run = []
    return "".join(steps)


def _line_shapes(line: Line, frame: _Frame) -> list[Markup]:
    places = [None if p.value is None else (frame.x(p.on), frame.y(p.value)) for p in line.points]
    if line.kind == "context":
        path = _path(places)
        return [Markup('<path class="line context" d="{}"/>').format(path)] if path else []
    firm = [None if p.provisional else place for p, place in zip(line.points, places, strict=True)]
    shapes = []
    if path := _path(firm):
        shapes.append(Markup('<path class="line {}" d="{}"/>').format(line.kind, path))
    loose = [
        place if p.provisional or _next_is_provisional(line.points, i) else None
        for i, (p, place) in enumerate(zip(line.points, places, strict=True))
    ]
    if path := _path(loose):
        shapes.append(Markup('<path class="line {} provisional" d="{}"/>').format(line.kind, path))
    if places and (last := places[-1]) is not None:
        shapes.append(_dot(*last, line.kind))
    return shapes


def _next_is_provisional(points: Sequence[Point], index: int) -> bool:
    return index + 1 < len(points) and points[index + 1].provisional and points[index + 1].value is not None


def _dot(x: int, y: int, kind: str) -> Markup:
    return Markup('<path class="dot {}" d="M{} {}h0"/>').format(kind, x, y)


def _grid(scale: Scale) -> list[Markup]:
    return [Markup('<path class="grid" d="M0 {}H{}"/>').format(_height(scale, at), WIDTH) for at, _ in scale.ticks]


def _band_edges(bands: Sequence[TierBand], scale: Scale) -> list[tuple[Tier, float, float]]:
    """Return tier, bottom and top (shares of the height) of a band; an open side ends at the band before."""
    edges = []
    below: float | None = None
    at_least: float | None = None
    for band in bands:
        low = below if band.at_least is None else band.at_least
        high = at_least if band.below is None else band.below
        bottom = 0.0 if low is None else scale.position(low)
        top = 1.0 if high is None else scale.position(high)
        if top > bottom:
            edges.append((band.tier, bottom, top))
        below, at_least = band.below, band.at_least
    return edges


def _band_areas(bands: Sequence[TierBand], scale: Scale) -> list[Markup]:
    """Shade each band; its name stands beside the plot, where no line can run through it."""
    area = '<div class="band t-{}" style="top:{};height:{}">{}</div>'
    return [
        Markup(area).format(tier, _per_cent(1 - top), _per_cent(top - bottom), _band_name(tier, top - bottom))
        for tier, bottom, top in _band_edges(bands, scale)
    ]


def _band_name(tier: Tier, room: float) -> Markup:
    return Markup("<span>{}</span>").format(tier.title()) if room >= BAND_NAME_ROOM else Markup("")


def _tick_labels(scale: Scale) -> list[Markup]:
    return [
        Markup('<span class="tick" style="top:{}">{}</span>').format(_per_cent(1 - scale.position(at)), text)
        for at, text in scale.ticks
    ]


def _month_labels(frame: _Frame) -> list[Markup]:
    labels = []
    year, month = frame.start.year, frame.start.month
    while (first := date(year, month, 1)) <= frame.end:
        share = frame.share(first)
        if first >= frame.start and share <= 0.95:
            labels.append(
                Markup('<span class="month" style="left:{}">{}</span>').format(_per_cent(share), MONTHS[month - 1])
            )
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return labels


def _end_labels(lines: Sequence[Line], scale: Scale) -> list[Markup]:
    """Label the last points of the coloured lines, moved apart where they would touch."""
    ends = sorted(
        (
            (1 - scale.position(value), line)
            for line in lines
            if line.label and line.points and (value := line.points[-1].value) is not None
        ),
        key=lambda end: end[0],
    )
    tops = [min(max(top, 0.08), 0.94) for top, _ in ends]
    for index in range(1, len(tops)):
        tops[index] = max(tops[index], tops[index - 1] + LABEL_ROOM)
    overshoot = max(0.0, (tops[-1] if tops else 0.0) - 0.96)
    return [
        Markup('<span class="endlabel {}" style="top:{}"><span>{}</span> <b>{}</b></span>').format(
            line.kind, _per_cent(top - overshoot), line.label, line.text
        )
        for top, (_, line) in zip(tops, ends, strict=True)
    ]


def _marker_label(marker: Marker, frame: _Frame) -> Markup:
    place = '<span class="marklabel" style="left:{};top:{}">{}</span>'
    top = 1 - frame.scale.position(marker.value)
    return Markup(place).format(_per_cent(frame.share(marker.on)), _per_cent(top), marker.number)


def _per_cent(share: float) -> str:
    return f"{share * 100:.1f}%"
