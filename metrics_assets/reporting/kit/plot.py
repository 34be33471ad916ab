"""The plot of a line chart: geometry in one stretched SVG, every word in HTML placed in per cent.

Text therefore never shrinks, can be selected, and follows the theme; no script is needed to resize anything.
A value that is not known is a gap: nothing here draws it as a point, least of all as zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup, escape

from metrics_assets.reporting.data import ForecastPoint, Point, Tier, TierBand
from metrics_assets.reporting.kit.labels import moved_apart, text_width
from metrics_assets.reporting.scales import Scale
from metrics_assets.reporting.wording import MONTHS

WIDTH, HEIGHT = 1000, 400  # of the plot's own coordinates; the page stretches them
LINE_ROOM = 0.082  # share of the height that a label takes: 16 of 200 px
NARROWEST = 150  # px: what is left for the plot on the narrowest phone
SMALL = 0.75  # rem: the size of the labels
LEAST_BAND = 0.05  # share of the height under which a band is not named beside the plot
EVERY_MONTH = 230  # days: longer charts name every third month where there is little room


@dataclass(frozen=True, slots=True)
class Label:
    """A label at the right edge, at the height of a value."""

    value: float
    text: str
    kind: str  # main | second | third | target


@dataclass(frozen=True, slots=True)
class Marker:
    """A numbered mark on the line, explained in the text beneath the chart."""

    number: int
    on: date
    value: float
    is_better: bool = False  # the figure went where better is


@dataclass(frozen=True, slots=True)
class PlotLine:
    """A line of a chart; only `main`, `second` and `third` are coloured."""

    points: Sequence[Point]
    kind: str = "context"


@dataclass(frozen=True, slots=True)
class Plot:
    """All that a plot shows; `label` is what a screen reader says for it."""

    lines: Sequence[PlotLine]
    scale: Scale
    start: date
    end: date
    label: str
    bands: Sequence[TierBand] = ()
    labels: Sequence[Label] = ()
    markers: Sequence[Marker] = ()
    target: float | None = None
    expected: Sequence[ForecastPoint] = ()
    today: date | None = None
    stops: Sequence[date] = ()  # days that the pointer stops at: the rows of the data table
    now: int = 0  # which of them is the last known: where the arrow keys start

    def x(self, on: date) -> float:
        days = (self.end - self.start).days
        return min(1.0, max(0.0, (on - self.start).days / days)) if days > 0 else 1.0

    def y(self, value: float) -> int:
        return round((1 - self.scale.position(value)) * HEIGHT)


def plot_html(plot: Plot) -> Markup:
    """Return the plot with its labels."""
    bands = _visible_bands(plot.bands, plot.scale)
    rail, rail_width = _rail(plot, bands)
    ticks, ticks_width = _ticks(plot.scale)
    shapes = "".join(
        [
            *_band_shapes(bands),
            *(f'<path class="grid" d="M0 {plot.y(at)}H{WIDTH}"/>' for at, _ in plot.scale.ticks),
            *_interval(plot),
            *_expected(plot),
            *_target(plot),
            *(shape for line in plot.lines for shape in _line(plot, line)),
            *_markers(plot),
        ]
    )
    stops = " ".join(f"{plot.x(on) * 1000:.0f}" for on in plot.stops)
    return Markup(
        f'<div class="plot" role="img" aria-label="{escape(plot.label)}" data-at="{stops}" data-now="{plot.now}" '
        f'style="--ticks:{ticks_width:.2f}rem;--rail:{rail_width:.2f}rem">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{shapes}</svg>'
        f"{ticks}{''.join(_months(plot))}{''.join(_lane_labels(plot))}{rail}</div>"
    )


def path(places: Iterable[tuple[int, int] | None], *, lone: bool = False) -> str:
    """Join neighbours, a gap starting the line anew; or, of those points alone that have no neighbour, make dots."""
    steps: list[str] = []
    run: list[str] = []
    for place in [*places, None]:
        if place is not None:
            run.append(f"{place[0]} {place[1]}")
            continue
        if len(run) == 1 and lone:
            steps.append(f"M{run[0]}h0")
        elif len(run) > 1 and not lone:
            steps.append(f"M{'L'.join(run)}")
        run = []
    return "".join(steps)


def _line(plot: Plot, line: PlotLine) -> Iterator[str]:
    places = [
        None if point.value is None else (round(plot.x(point.on) * WIDTH), plot.y(point.value)) for point in line.points
    ]
    if line.kind == "context":
        if drawn := path(places) + path(places, lone=True):
            yield f'<path class="line context" d="{drawn}"/>'
        return
    loose = [point.state == "provisional" for point in line.points]
    if firm := path(None if is_loose else place for place, is_loose in zip(places, loose, strict=True)):
        yield f'<path class="line {line.kind}" d="{firm}"/>'
    if dots := path(places, lone=True):
        yield f'<path class="dot lone {line.kind}" d="{dots}"/>'
    if any(loose):
        follows = [*loose[1:], False]
        dashed = path(
            place if is_loose or next_is else None
            for place, is_loose, next_is in zip(places, loose, follows, strict=True)
        )
        yield f'<path class="line {line.kind} provisional" d="{dashed}"/>'
    if places and (last := places[-1]) is not None:
        yield f'<path class="dot {line.kind}" d="M{last[0]} {last[1]}h0"/>'


def _interval(plot: Plot) -> Iterator[str]:
    """Shade the 95 % interval of the first coloured line, where it has one."""
    main = next((line for line in plot.lines if line.kind == "main"), None)
    if main is None:
        return
    run: list[Point] = []
    for point in [*main.points, None]:
        if point is not None and point.value is not None and point.low is not None and point.high is not None:
            run.append(point)
            continue
        if len(run) > 1:
            lows = [(p.on, p.low) for p in run if p.low is not None]
            highs = [(p.on, p.high) for p in run if p.high is not None]
            yield _area("interval", plot, lows, highs)
        run = []


def _expected(plot: Plot) -> Iterator[str]:
    """Draw the way that is expected: its middle dotted, four in five within the band, from the last known value on."""
    if plot.today is None or not plot.expected:
        return
    x = round(plot.x(plot.today) * WIDTH)
    yield f'<path class="today" d="M{x} -24V{HEIGHT}"/>'
    main = next((line for line in plot.lines if line.kind == "main"), None)
    last = main.points[-1] if main and main.points else None
    first = [] if last is None or last.value is None else [(last.on, last.value)]
    yield _area(
        "expected",
        plot,
        [*first, *((p.on, p.p10) for p in plot.expected)],
        [*first, *((p.on, p.p90) for p in plot.expected)],
    )
    middle = [*first, *((p.on, p.p50) for p in plot.expected)]
    yield f'<path class="line main dotted" d="{path((round(plot.x(on) * WIDTH), plot.y(v)) for on, v in middle)}"/>'


def _area(kind: str, plot: Plot, lows: Sequence[tuple[date, float]], highs: Sequence[tuple[date, float]]) -> str:
    corners = [f"{plot.x(on) * WIDTH:.0f} {plot.y(value)}" for on, value in [*highs, *reversed(lows)]]
    return f'<path class="{kind}" d="M{"L".join(corners)}Z"/>'


def _target(plot: Plot) -> Iterator[str]:
    if plot.target is not None:
        yield f'<path class="target" d="M0 {plot.y(plot.target)}H{WIDTH}"/>'


def _markers(plot: Plot) -> Iterator[str]:
    """Join each mark to its number, which stands in the lane above the plot."""
    for marker, centre in zip(plot.markers, _lane(plot), strict=True):
        x, y = round(plot.x(marker.on) * WIDTH), plot.y(marker.value)
        better = " better" if marker.is_better else ""
        yield (
            f'<path class="stem{better}" d="M{round(centre * WIDTH)} -8L{x} {y}"/>'
            f'<path class="dot mark{better}" d="M{x} {y}h0"/>'
        )


def _lane(plot: Plot) -> list[float]:
    """Place the numbers of the marks in the lane above the plot, left of the word at the last day."""
    end = plot.x(plot.today) if plot.today is not None and plot.expected else 1.06
    sizes = [(text_width(str(marker.number)) * SMALL * 16 + 4) / NARROWEST for marker in plot.markers]
    return moved_apart([plot.x(marker.on) for marker in plot.markers], sizes, -0.06, end - 0.01)


def _lane_labels(plot: Plot) -> Iterator[str]:
    for marker, centre in zip(plot.markers, _lane(plot), strict=True):
        better = " better" if marker.is_better else ""
        yield f'<span class="marklabel{better}" style="left:{centre * 100:.1f}%">{marker.number}</span>'
    if plot.today is not None and plot.expected:
        yield f'<span class="todaylabel" style="left:{plot.x(plot.today) * 100:.1f}%">today</span>'


def _visible_bands(bands: Sequence[TierBand], scale: Scale) -> list[tuple[Tier, float, float]]:
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


def _band_shapes(bands: Sequence[tuple[Tier, float, float]]) -> Iterator[str]:
    for tier, bottom, top in bands:
        y, height = round((1 - top) * HEIGHT), round((top - bottom) * HEIGHT)
        edge = f'<path class="edge" d="M0 {y}H{WIDTH}"/>' if top < 1 else ""
        yield f'<rect class="band t-{tier}" y="{y}" width="{WIDTH}" height="{height}"/>{edge}'


def _rail(plot: Plot, bands: Sequence[tuple[Tier, float, float]]) -> tuple[str, float]:
    """Label bands, goal and last values at the right edge, moved apart; returns also the room they take, in rem."""
    wanted = [(1 - plot.scale.position(label.value), label.text, f"r-{label.kind}") for label in plot.labels]
    wanted += [
        (1 - (bottom + top) / 2, tier.title(), f"r-tier t-{tier}")
        for tier, bottom, top in bands
        if top - bottom >= LEAST_BAND
    ]
    wanted.sort(key=lambda label: (label[0], label[2]))
    centres = moved_apart([at for at, _, _ in wanted], [LINE_ROOM] * len(wanted), -0.03, 1.03)
    html = "".join(
        f'<span class="rail {kind}" style="top:{centre * 100:.1f}%">{escape(text)}</span>'
        for centre, (_, text, kind) in zip(centres, wanted, strict=True)
    )
    widest = max((text_width(text) for _, text, _ in wanted), default=0.0)
    return html, max(1.0, widest * SMALL + 1.0) if wanted else 1.0


def _ticks(scale: Scale) -> tuple[str, float]:
    html = "".join(
        f'<span class="tick" style="top:{(1 - scale.position(at)) * 100:.1f}%">{escape(text)}</span>'
        for at, text in scale.ticks
    )
    return html, max((text_width(text) for _, text in scale.ticks), default=0.0) * SMALL + 0.6


def _months(plot: Plot) -> Iterator[str]:
    """Name the months, a January by its year; long charts keep each third or sixth one where there is little room."""
    is_long = (plot.end - plot.start).days > EVERY_MONTH
    year, month = plot.start.year, plot.start.month
    while (first := date(year, month, 1)) <= plot.end:
        if first >= plot.start and (plot.end - first) >= timedelta(days=5):
            kind = "month" if not is_long or month % 6 == 1 else "month half" if month % 3 == 1 else "month more"
            name = str(year) if month == 1 else MONTHS[month - 1]
            yield f'<span class="{kind}" style="left:{plot.x(first) * 100:.1f}%">{name}</span>'
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
