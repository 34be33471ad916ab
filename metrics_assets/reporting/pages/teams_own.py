"""A team's own page: SPACE, its delivery, where it stands among peers without names, by week and by month.

No page links to it, and it names no other team.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from markupsafe import Markup

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import MetricInfo, Point, Series, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.pages.teams import HIDDEN, StripView
from metrics_assets.reporting.pages.teams_comparison import Comparison, rounded

WEEKS_SHOWN, MONTHS_SHOWN = 13, 12


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension of SPACE of a team: means of its weekly figure over four weeks.

    `n` is how many people stand behind the newest known week; `score` is None where it is not shown, and `reason` says
    why; `before` is the mean of the four weeks a quarter earlier. `full` is the value at which the bar is full.
    """

    key: str
    title: str
    metric: MetricInfo
    score: float | None
    label: str | None
    before: float | None
    n: int | None
    weeks_known: int
    benchmark: str
    full: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TeamData:
    """What a team's own page shows.

    `path` is the page's path in the site. `space` and `delivery` are series week by week: those of `space` end on
    Sundays. `peers` hold the values of others, `own` by metric the team's value as it is compared. `opted_in` counts
    teams.
    """

    team: str
    path: str
    minimum: int
    opted_in: int
    took_part: bool
    dimensions: tuple[Dimension, ...]
    space: tuple[Series, ...]
    delivery: tuple[Series, ...]
    peers: tuple[Comparison, ...]
    own: dict[str, float | None]


def team_files(site: SiteInfo, data: TeamData) -> Iterator[tuple[str, str | bytes]]:
    """The team's page and its CSV file."""
    csv = data.path.removesuffix(".html") + ".csv"
    shown = {dimension.metric.key for dimension in data.dimensions}
    leading = [series for series in data.space if series.metric.key in shown]
    yield (
        data.path,
        render(
            "team.html.j2",
            path=data.path,
            site=site,
            title=data.team,
            period=_period(site, data),
            sentences=_sentences(data),
            data=data,
            space=space_table(data.dimensions),
            tiles=[kit.tile(series, href=f"#{addresses.chart(series.metric.key)}") for series in data.delivery],
            peers=[peers_view(data, comparison) for comparison in data.peers],
            charts=[kit.chart(series, csv=csv) for series in (*leading, *data.delivery)],
            weeks=weeks_table(leading),
            months=months_table(leading),
            breakdown=breakdown_table(data.space),
            csv=csv,
        ),
    )
    yield csv, kit.series_csv((*data.space, *data.delivery))


def space_table(dimensions: Sequence[Dimension]) -> kit.Table:
    """The five rows: score with its label, a bar with the previous quarter's tick, the change, and who answered."""
    rows = []
    for one in dimensions:
        title = kit.Cell(one.title, href=addresses.metric(one.metric.key), under=one.metric.title)
        if one.score is None:
            reason = kit.Cell(one.reason or "nothing is known of these weeks", role="dim")
            rows.append(kit.Row((title, kit.Cell("unknown", role="dim"), *(kit.Cell("") for _ in range(2)), reason)))
            continue
        source = wording.count(one.n, "person", "people") if one.n is not None else "fed without a number of people"
        rows.append(
            kit.Row(
                (
                    title,
                    kit.Cell(_score(one.score, one.metric), sort=str(one.score), under=one.label),
                    kit.Cell("", mark=_bar(one), sort=str(one.score)),
                    _change(one),
                    kit.Cell(source, under=f"known of {one.weeks_known} of 4 weeks; benchmark: {one.benchmark}"),
                )
            )
        )
    columns = (
        kit.Column("Dimension"),
        kit.Column("Score", numeric=True),
        kit.Column("Bar (tick: a quarter before)"),
        kit.Column("Change"),
        kit.Column("Who stands behind it"),
    )
    return kit.Table("SPACE, mean of the last four weeks", columns, tuple(rows))


def _score(value: float, metric: MetricInfo) -> str:
    """A score as its labels are cut: 4.45 of 5 is under 4.5, and must not look like it."""
    return f"{value:.2f}" if metric.unit == "score" else _number(value, metric)


def _bar(one: Dimension) -> Markup:
    assert one.score is not None
    before = None if one.before is None else min(1.0, max(0.0, one.before / one.full))
    said = "unknown" if one.before is None else _number(one.before, one.metric)
    label = f"{one.title}: {_number(one.score, one.metric)}, a quarter before: {said}"
    return kit.progress(min(1.0, max(0.0, one.score / one.full)), expected=before, label=label)


def _change(one: Dimension) -> kit.Cell:
    if one.score is None or one.before is None:
        return kit.Cell("unknown", role="dim", under="a quarter before is not known")
    change = wording.change(one.before, one.score, one.metric)
    role = {"better": "ok", "worse": "watch"}.get(change.role)
    return kit.Cell(f"{change.text} a quarter before", glyph=change.glyph, role=role)


def peers_view(data: TeamData, peers: Comparison) -> StripView:
    """A strip with the team's mark among the others', and its place in words."""
    own = data.own.get(peers.metric.key)
    mark = None if own is None else rounded(own)
    metric, said = peers.metric, standing(peers, mark)
    strip = kit.strip(peers.values, own=mark, unit=metric.unit, label=metric.title) if peers.values else None
    return StripView(metric.title, metric.definition, addresses.metric(metric.key), peers.period, said, strip)


def standing(peers: Comparison, own: float | None) -> str:
    """Where a team's value lies among the others that are shown."""
    metric, values = peers.metric, peers.values
    mine = "This team's own value is not known, or too few people stand behind it"
    if own is not None:
        mine = f"This team: {_number(own, metric)}"
    if not values:
        return f"{mine}. {HIDDEN}"
    others = f"the median of {wording.count(len(values), 'other team')} is {_number(statistics.median(values), metric)}"
    if own is None:
        return f"{mine}; {others}."
    lower, higher = sum(value < own for value in values), sum(value > own for value in values)
    return f"{mine}; {others}, {lower} of them lower, {higher} higher."


def weeks_table(series: Sequence[Series]) -> kit.Table:
    """The leading figures of the newest weeks."""
    ends = [point.on for point in series[0].points[-WEEKS_SHOWN:]][::-1] if series else []
    by_day = [{point.on: point for point in one.points} for one in series]
    rows = [
        kit.Row(
            (
                kit.Cell(wording.day(on), sort=on.isoformat()),
                *(_point_cell(points.get(on), one.metric) for one, points in zip(series, by_day, strict=True)),
            )
        )
        for on in ends
    ]
    return kit.Table("By week", _columns("Week to", series), tuple(rows), empty="No week is known yet.")


def months_table(series: Sequence[Series]) -> kit.Table:
    """The leading figures by month: the mean of the weeks that end in it."""
    by_month = [
        {month: list(points) for month, points in groupby(one.points, key=lambda point: point.on.replace(day=1))}
        for one in series
    ]
    known = {point.on.replace(day=1) for one in series for point in one.points if point.value is not None}
    months = sorted({month for one in by_month for month in one if known and month >= min(known)}, reverse=True)
    rows = [
        kit.Row(
            (
                kit.Cell(_month(month), sort=month.isoformat()),
                *(month_cell(points.get(month, []), one.metric) for one, points in zip(series, by_month, strict=True)),
            )
        )
        for month in months[:MONTHS_SHOWN]
    ]
    return kit.Table(
        "By month",
        _columns("Month", series),
        tuple(rows),
        empty="No month is known yet.",
        note="A month's figure is the mean of the weeks that end in it. A month that has begun counts with its weeks.",
    )


def month_cell(points: Sequence[Point], metric: MetricInfo) -> kit.Cell:
    """The mean of the known weeks of a month, and of how many it is."""
    known = [point.value for point in points if point.value is not None]
    if not known:
        return kit.Cell("unknown", role="dim")
    mean = sum(known) / len(known)
    return kit.Cell(
        _number(mean, metric), sort=str(mean), under=f"{len(known)} of {wording.count(len(points), 'week')} known"
    )


def breakdown_table(series: Sequence[Series]) -> kit.Table:
    """Every figure behind the dimensions: the newest week, the mean of four weeks, and of the four before."""
    rows = []
    for one in series:
        newest, weeks, before = one.points[-1:], one.points[-4:], one.points[-8:-4]
        rows.append(
            kit.Row(
                (
                    kit.Cell(one.metric.title, href=addresses.metric(one.metric.key)),
                    _point_cell(newest[0] if newest else None, one.metric),
                    month_cell(weeks, one.metric),
                    month_cell(before, one.metric),
                    kit.Cell(_state(newest[0], one.metric) if newest else "unknown"),
                )
            )
        )
    columns = (
        kit.Column("Figure"),
        kit.Column("Newest week", numeric=True),
        kit.Column("Last four weeks", numeric=True),
        kit.Column("Four weeks before", numeric=True),
        kit.Column("State of the newest week"),
    )
    return kit.Table("What the dimensions are made of", columns, tuple(rows), empty="Nothing is known yet.")


def _state(point: Point, metric: MetricInfo) -> str:
    people = "" if point.n is None else f", n = {point.n:,}"
    match point.state:
        case "ok":
            return f"settled{people}"
        case "provisional":
            return f"provisional{people}"
        case "too_few":
            return f"too few{people}: fewer than {metric.minimum_n or 'enough'}"
        case "unknown":
            return metric.unknown


def _point_cell(point: Point | None, metric: MetricInfo) -> kit.Cell:
    if point is None or point.value is None:
        return kit.Cell("too few" if point is not None and point.state == "too_few" else "unknown", role="dim")
    text = _number(point.value, metric)
    return kit.Cell(text, sort=str(point.value), glyph="~" if point.state == "provisional" else None)


def _columns(first: str, series: Sequence[Series]) -> tuple[kit.Column, ...]:
    return (kit.Column(first), *(kit.Column(one.metric.title, numeric=True) for one in series))


def _number(value: float, metric: MetricInfo) -> str:
    return str(wording.quantity(value, metric.unit))


def _month(month: date) -> str:
    return f"{wording.MONTHS[month.month - 1]}{wording.NO_BREAK}{month.year}"


def _period(site: SiteInfo, data: TeamData) -> str:
    sundays = [one.points[-1].on for one in data.space if one.points]
    weeks = f" · SPACE through the week to {wording.day(max(sundays))}" if sundays else ""
    return f"Through {wording.day(site.data_through)}{weeks} · this team only, and others without names"


def _sentences(data: TeamData) -> list[str]:
    known = [one for one in data.dimensions if one.score is not None]
    sentences = []
    if not known:
        reason = next((one.reason for one in data.dimensions if one.reason), "nothing is known of these weeks")
        sentences.append(f"SPACE is not shown: {reason}.")
    else:
        labels = [f"{one.title} is {one.label.lower()}" for one in known if one.label]
        of = f"{len(known)} of {len(data.dimensions)} dimensions are known"
        sentences.append(f"{of}: {wording.listed(labels)}." if labels else f"{of}.")
    if not data.took_part:
        sentences.append(
            f"In no week of the last four were at least {data.minimum} people of the team active as far as may be "
            "told, so its delivery is not shown, and it is in no comparison."
        )
        return sentences
    moved = [one for one in known if one.before is not None and _change(one).role == "watch"]
    if moved:
        sentences.append(f"Worse than a quarter before: {wording.listed([one.title for one in moved])}.")
    return sentences
