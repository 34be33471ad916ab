"""The line chart: a figure over 53 weeks with all that it takes to read it, said first in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from markupsafe import Markup, escape

from metrics_assets import addresses
from metrics_assets.reporting import unusual, wording
from metrics_assets.reporting.data import Anomaly, Backtest, ForecastPoint, Series
from metrics_assets.reporting.kit import tiles
from metrics_assets.reporting.kit.chart_table import chart_table, other_name, own_name
from metrics_assets.reporting.kit.labels import shortened
from metrics_assets.reporting.kit.plot import Label, Marker, Plot, PlotLine, plot_html
from metrics_assets.reporting.scales import Scale, scale_for
from metrics_assets.reporting.wording import NO_BREAK

MOST_MARKERS = 4
LEAST_WEEKS = 8
SHOWN_DAYS = 91  # of the forecast; all of it is in the CSV file
LEAST_SHOWN_DAYS = 14
SAID_HORIZON = 30  # days: the forecast that the sentences speak of
COLOURED = ("second", "third")
MOST_TABLE_OTHERS = 3
MOST_NAME = 40  # characters of a name in the legend
SEVERITY_ORDER = {"bad": 0, "watch": 1, "calm": 2}


@dataclass(frozen=True, slots=True)
class ChartView:
    """A chart with its words and its data; `plot` and `table` are None where nothing is known of the figure."""

    anchor: str
    metric: str
    title: str
    takeaway: str
    legend: Markup
    plot: Markup | None
    notes: tuple[str, ...]  # the numbered marks, in order
    better: tuple[int, ...]  # which of them are for the better
    more: str  # how many anomalies are not drawn
    remarks: str  # the bands, the stretch of the scale
    backtest: str
    table: Markup | None
    method: str  # path in the site of how the figure is computed
    csv: str


def chart(
    series: Series,
    *,
    csv: str,
    others: Sequence[Series] = (),
    title: str | None = None,
    anchor: str | None = None,
) -> ChartView:
    """Return the chart of a figure.

    Args:
        series: the figure; its last point is today.
        csv: path in the site of the file with the series of the page (`series_csv`).
        others: figures of the same unit to compare with: up to two are coloured and named, more are grey.
        title: by default the metric's.
        anchor: id within the page, by default `addresses.chart(metric)`.
    """
    name = title or series.metric.title
    view_anchor = anchor or addresses.chart(series.metric.key)
    takeaway = takeaway_sentence(series)
    known = [point.value for point in series.points if point.value is not None]
    known_others = [other for other in others if any(point.value is not None for point in other.points)]
    if not series.points or not (known or known_others):
        return _without_plot(series, view_anchor, name, takeaway, csv)
    since = _first_drawn(series, known_others)
    series = _since(series, since)
    known_others = [_since(other, since) for other in known_others]
    expected = _expected(series)
    markers, notes, more = _marks(series)
    scale = _scale(series, known, known_others, expected, markers)
    last = series.points[-1].on
    is_crowded = len(known_others) > len(COLOURED)
    kinds = ["context"] * len(known_others) if is_crowded else list(COLOURED[: len(known_others)])
    lines = [PlotLine(other.points, kind) for other, kind in zip(known_others, kinds, strict=True)]
    stops = [point.on for point in series.points] + [point.on for point in expected]
    plot = Plot(
        lines=[*lines, PlotLine(series.points, "main")],
        scale=scale,
        start=series.points[0].on,
        end=expected[-1].on if expected else last,
        label=f"{name}, {wording.count(len(series.points), 'week')}. {takeaway}",
        bands=series.bands,
        labels=_labels(series, known_others, kinds, expected, scale),
        markers=markers,
        target=series.target.value if series.target else None,
        expected=expected,
        today=last,
        stops=stops,
        now=len(series.points) - 1,
    )
    return ChartView(
        anchor=view_anchor,
        metric=series.metric.key,
        title=name,
        takeaway=takeaway,
        legend=_legend(series, known_others, kinds, expected, markers),
        plot=plot_html(plot),
        notes=notes,
        better=tuple(marker.number for marker in markers if marker.is_better),
        more=more,
        remarks=_remarks(series, scale, since),
        backtest=backtest_sentence(series),
        table=chart_table(series, known_others[:MOST_TABLE_OTHERS], expected, name),
        method=addresses.metric(series.metric.key),
        csv=csv,
    )


def _without_plot(series: Series, anchor: str, name: str, takeaway: str, csv: str) -> ChartView:
    """The view of a figure of which nothing is known: a sentence with why, no empty axes."""
    return ChartView(
        anchor=anchor,
        metric=series.metric.key,
        title=name,
        takeaway=takeaway,
        legend=Markup(""),
        plot=None,
        notes=(),
        better=(),
        more="",
        remarks="",
        backtest=backtest_sentence(series),
        table=None,
        method=addresses.metric(series.metric.key),
        csv=csv,
    )


def takeaway_sentence(series: Series) -> str:
    """Say the figure, what it stands on, how it moved, its tier, its goal and what is expected of it."""
    metric, last = series.metric, series.points[-1] if series.points else None
    if last is None or last.value is None:
        when = f" on {wording.day(last.on)}" if last else ""
        what = "Too few to say" if last and last.state == "too_few" else "Not known"
        said = f"{what}{when}: {tiles.why_unknown(series, last)}"
        newest = next((point for point in reversed(series.points) if point.value is not None), None)
        if newest is not None and newest.value is not None:
            said += (
                f" The last known value is {wording.quantity(newest.value, metric.unit)}, of {wording.day(newest.on)}."
            )
        return said
    period = tiles.period(series, last)
    said = f"{wording.quantity(last.value, metric.unit)} {'in the ' if metric.window else ''}{period}"
    details = [f"n{NO_BREAK}={NO_BREAK}{last.n:,}"] if last.n is not None else []
    if last.state == "provisional":
        details.append("provisional")
    if details:
        said += f" ({', '.join(details)})"
    change, compared = tiles.compared_with_before(series)
    if change is not None:
        verdict = f" ({change.role})" if change.role != "calm" else ""
        said += f", {change.text} {compared}{verdict}"
    if series.tier:
        said += f"; {series.tier.title()}"
    if series.target:
        said += f"; the goal is {tiles.target_words(series)}: {wording.status(series.target.status)[1].lower()}"
    return f"{said[:1].upper()}{said[1:]}.{_outlook(series)}"


def _outlook(series: Series) -> str:
    """' In 30 days 36.9 h are expected (80 %: 22.7 to 51.1 h).'"""
    ahead = _said_backtest(series)
    if ahead is None or ahead.p10 is None or ahead.p50 is None or ahead.p90 is None:
        return ""
    unit = series.metric.unit
    return (
        f" Expected in {wording.count(ahead.horizon, 'day')}: {wording.quantity(ahead.p50, unit)} "
        f"(80{NO_BREAK}%: {wording.span(ahead.p10, ahead.p90, unit)})."
    )


def backtest_sentence(series: Series) -> str:
    """Say how good forecasts of this figure were, or why there is none."""
    if series.forecast is None:
        return ""
    test = _said_backtest(series)
    if test is None:
        return "No forecast: too little history."
    if test.p50 is None:
        reason = (test.reason or "too little history").rstrip(".")
        return f"No forecast: {reason[:1].lower()}{reason[1:]}."
    if test.crps is None or test.naive_crps is None or not test.naive_crps:
        return f"How good forecasts {test.horizon} days ahead are is not known yet: too little history to try them on."
    gain = 1 - test.crps / test.naive_crps
    if abs(gain) < 0.005:
        compared = "as much as"
    else:
        compared = f"{abs(gain) * 100:.0f}{NO_BREAK}% {'less' if gain > 0 else 'more'} than"
    said = f"Forecasts {test.horizon} days ahead of this figure erred {compared} last week's value did"
    if test.coverage is not None:
        said += (
            f"; {test.coverage * 100:.0f}{NO_BREAK}% of {wording.count(test.n, 'day')} fell inside the band, "
            f"80{NO_BREAK}% would be right"
        )
    return f"{said}."


def _said_backtest(series: Series) -> Backtest | None:
    tests = series.forecast.backtests if series.forecast else ()
    return next((test for test in tests if test.horizon == SAID_HORIZON), tests[0] if tests else None)


def _first_drawn(series: Series, others: Sequence[Series]) -> date | None:
    """The first week that is drawn: the first that is known, but eight weeks are drawn at least; None draws all."""
    first = min(point.on for one in (series, *others) for point in one.points if point.value is not None)
    start = min(first, series.points[-min(LEAST_WEEKS, len(series.points))].on)
    return start if start > series.points[0].on else None


def _since(series: Series, start: date | None) -> Series:
    if start is None:
        return series
    return replace(series, points=tuple(point for point in series.points if point.on >= start))


def _expected(series: Series) -> list[ForecastPoint]:
    """The points of the forecast that are drawn: those after the last day, for at most half of what is known."""
    if series.forecast is None or not series.points:
        return []
    last = series.points[-1].on
    days = min(SHOWN_DAYS, max(LEAST_SHOWN_DAYS, (last - series.points[0].on).days // 2))
    return [point for point in series.forecast.points if last < point.on <= last + timedelta(days=days)]


def _marks(series: Series) -> tuple[list[Marker], tuple[str, ...], str]:
    """Number the most severe anomalies of the stretch, the newest first among equals, by their day."""
    start, end = series.points[0].on - timedelta(days=6), series.points[-1].on
    inside = [anomaly for anomaly in series.anomalies if start <= anomaly.on <= end]
    drawn = [(anomaly, anomaly.value) for anomaly in inside if anomaly.value is not None]
    drawn.sort(key=lambda pair: (_rank(pair[0], series), -pair[0].on.toordinal()))
    chosen = sorted(drawn[:MOST_MARKERS], key=lambda pair: (pair[0].on, pair[0].explanation))
    markers = [
        Marker(number, anomaly.on, value, unusual.is_better(anomaly, series.metric))
        for number, (anomaly, value) in enumerate(chosen, start=1)
    ]
    left = len(inside) - len(chosen)
    more = f"{wording.count(left, 'more anomaly', 'more anomalies')} in the CSV file." if left else ""
    return markers, tuple(unusual.note(anomaly, series.metric) for anomaly, _ in chosen), more


def _rank(anomaly: Anomaly, series: Series) -> int:
    return SEVERITY_ORDER[unusual.severity(anomaly, series.metric)[2]]


def _scale(
    series: Series,
    known: Sequence[float],
    others: Sequence[Series],
    expected: Sequence[ForecastPoint],
    markers: Sequence[Marker],
) -> Scale:
    values = [*known, *(marker.value for marker in markers)]
    values += [value for point in expected for value in (point.p10, point.p90)]
    values += [point.value for other in others for point in other.points if point.value is not None]
    if series.target:
        values.append(series.target.value)
    if values:
        lowest, highest = min(values), max(values)
        room = (highest - lowest) or abs(highest)
        values += [max(p.low, lowest - room) for p in series.points if p.value is not None and p.low is not None]
        values += [min(p.high, highest + room) for p in series.points if p.value is not None and p.high is not None]
    return scale_for(values, series.metric.unit)


def _labels(
    series: Series, others: Sequence[Series], kinds: Sequence[str], expected: Sequence[ForecastPoint], scale: Scale
) -> list[Label]:
    unit = series.metric.unit
    labels = []
    if series.target:
        labels.append(Label(series.target.value, f"goal {wording.brief(series.target.value, unit)}", "target"))
    last = series.points[-1].value
    if last is not None:
        labels.append(Label(last, f"{'now ' if expected else ''}{wording.brief(last, unit)}", "main"))
    for other, kind in zip(others, kinds, strict=True):
        value = other.points[-1].value if other.points else None
        if kind != "context" and value is not None:
            labels.append(Label(value, wording.brief(value, unit), kind))
    return labels


def _legend(
    series: Series,
    others: Sequence[Series],
    kinds: Sequence[str],
    expected: Sequence[ForecastPoint],
    markers: Sequence[Marker],
) -> Markup:
    window = series.metric.window
    every = f"{window} days to each week's end" if window and window != 7 else "each week"
    own = f"{shortened(own_name(series, others), MOST_NAME)}, " if others else ""
    keys = [("main", own + every)]
    keys += [
        (kind, shortened(other_name(series, other), MOST_NAME))
        for other, kind in zip(others, kinds, strict=True)
        if kind != "context"
    ]
    if "context" in kinds:
        keys.append(("context", f"{wording.count(len(others), 'other')}"))
    if any(point.state == "provisional" and point.value is not None for point in series.points):
        keys.append(("dash", "provisional"))
    if any(p.value is not None and p.low is not None and p.high is not None for p in series.points):
        keys.append(("interval", f"95{NO_BREAK}% interval"))
    if expected:
        keys.append(("dotted", f"expected, with 80{NO_BREAK}% band"))
    if any(not marker.is_better for marker in markers):
        keys.append(("mark", "anomaly"))
    if any(marker.is_better for marker in markers):
        keys.append(("mark k-better", "anomaly for the better"))
    return Markup("".join(f'<span><i class="k-{kind}"></i>{escape(text)}</span>' for kind, text in keys))


def _remarks(series: Series, scale: Scale, since: date | None) -> str:
    said = []
    if since is not None:
        said.append(f"Known since {wording.day(since)}.")
    if bands := band_words(series):
        said.append(f"Shaded: {bands}.")
    if scale.stretch is not None:
        said.append("The scale is stretched towards the bottom.")
    elif scale.low > 0:
        said.append("The scale does not start at zero.")
    return " ".join(said)


def band_words(series: Series) -> str:
    """'Elite under 1 d, High under 7 d, Medium under 30 d, otherwise Low'; empty without bands."""
    said = []
    for band in series.bands:
        name = band.tier.title()
        if band.below is not None:
            said.append(f"{name} under {wording.quantity(band.below, series.metric.unit)}")
        elif band.at_least is not None:
            said.append(f"{name} from {wording.quantity(band.at_least, series.metric.unit)}")
        else:
            said.append(f"otherwise {name}")
    return ", ".join(said)
