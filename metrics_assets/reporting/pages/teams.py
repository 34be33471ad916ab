"""The page on which teams stand side by side without names: nothing on it says which team a value is of."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.pages.teams_comparison import FEWEST, Comparison

CSV = "teams.csv"
HIDDEN = (
    "Not shown: too few teams have this figure with enough people behind it, or their values lie so close together "
    "that the strip would say each team's."
)


@dataclass(frozen=True, slots=True)
class TeamsData:
    """What the page of all teams shows: no name of any.

    `opted_in` is how many teams metrics.yaml lists under space, `minimum` the fewest people behind a figure and the
    fewest teams in a comparison.
    """

    opted_in: int
    minimum: int
    delivery: tuple[Comparison, ...]
    space: tuple[Comparison, ...]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return (*self.delivery, *self.space)


@dataclass(frozen=True, slots=True)
class StripView:
    """A figure's strip: a mark per team, none of them labelled."""

    title: str
    definition: str
    href: str
    period: str
    takeaway: str
    strip: Markup | None


def teams_files(site: SiteInfo, data: TeamsData) -> Iterator[tuple[str, str | bytes]]:
    """The page, and its CSV file with the quartiles of each figure that is shown."""
    table = quartile_table(data.comparisons)
    yield (
        addresses.TEAMS,
        render(
            "teams.html.j2",
            path=addresses.TEAMS,
            site=site,
            title="Teams",
            period=_period(site, data),
            sentences=_sentences(data),
            data=data,
            delivery=[strip_view(comparison) for comparison in data.delivery],
            space=[strip_view(comparison) for comparison in data.space],
            table=table,
        ),
    )
    yield CSV, kit.rows_csv(_CSV_COLUMNS, [_csv_row(comparison) for comparison in data.comparisons])


def strip_view(comparison: Comparison) -> StripView:
    """A figure's strip."""
    metric, values = comparison.metric, comparison.values
    takeaway = takeaway_of(comparison)
    strip = kit.strip(values, own=None, unit=metric.unit, label=metric.title) if values else None
    return StripView(metric.title, metric.definition, addresses.metric(metric.key), comparison.period, takeaway, strip)


def takeaway_of(comparison: Comparison) -> str:
    """What a strip says, in a sentence: median and quartiles, or that it is not shown."""
    if not comparison.values:
        return HIDDEN
    low, middle, high = quartiles(comparison.values)
    said = [str(wording.quantity(value, comparison.metric.unit)) for value in (middle, low, high)]
    return (
        f"The median of {wording.count(len(comparison.values), 'team')} is {said[0]}; "
        f"the middle half lies between {said[1]} and {said[2]}."
    )


def quartiles(values: tuple[float, ...]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile of at least two values."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def quartile_table(comparisons: tuple[Comparison, ...]) -> kit.Table:
    """Each figure with the number of teams that are compared and their quartiles."""
    rows = []
    for comparison in comparisons:
        metric = comparison.metric
        if comparison.values:
            numbers = [kit.Cell(str(len(comparison.values)))] + [
                kit.Cell(str(wording.quantity(value, metric.unit)), sort=str(value))
                for value in quartiles(comparison.values)
            ]
        else:
            numbers = [kit.Cell("none"), *(kit.Cell("not shown", role="dim") for _ in range(3))]
        title = kit.Cell(metric.title, href=addresses.metric(metric.key), under=comparison.period)
        rows.append(kit.Row((title, *numbers)))
    columns = ("Teams compared", "Lower quartile", "Median", "Upper quartile")
    return kit.Table(
        "Quartiles of the teams that are compared",
        (kit.Column("Figure"), *(kit.Column(title, numeric=True) for title in columns)),
        tuple(rows),
        csv=CSV,
    )


_CSV_COLUMNS = ("metric", "period", "teams_compared", "lower_quartile", "median", "upper_quartile", "note")


def _csv_row(comparison: Comparison) -> tuple[object, ...]:
    if not comparison.values:
        return (comparison.metric.key, comparison.period, None, None, None, None, HIDDEN)
    return (comparison.metric.key, comparison.period, len(comparison.values), *quartiles(comparison.values), None)


def _period(site: SiteInfo, data: TeamsData) -> str:
    teams = wording.count(data.opted_in, "team")
    return f"Through {wording.day(site.data_through)} · {teams} of {site.portfolio} opted in"


def _sentences(data: TeamsData) -> list[str]:
    shown = sum(1 for comparison in data.comparisons if comparison.values)
    number = len(data.comparisons)
    if not data.opted_in:
        return ["No team has opted in, so nothing is compared. Teams opt in through space.teams of metrics.yaml."]
    if data.opted_in < data.minimum:
        least = wording.count(data.minimum, "team")
        return [f"Nothing is compared: that takes at least {least}, and {_opted_in(data)}."]
    most = max((len(comparison.values) for comparison in data.comparisons), default=0)
    size = max(data.minimum, FEWEST)
    waiting = (
        [
            f"Teams are compared in whole groups of {size}, so that nobody can tell who joined: "
            f"{size - data.opted_in % size} more to opt in, and the last group is shown."
        ]
        if data.opted_in % size
        else []
    )
    if not shown:
        none = f"{_opted_in(data).capitalize()}, and of none of the {number} figures may their values be shown today."
        return [none, *waiting]
    return [
        f"{shown} of {number} figures are compared, of {wording.count(most, 'team')} at the most; {_opted_in(data)}.",
        "No value says whose it is; each team has a page of its own, on which its value is marked.",
        *waiting,
    ]


def _opted_in(data: TeamsData) -> str:
    return f"{wording.count(data.opted_in, 'team')} {'has' if data.opted_in == 1 else 'have'} opted in"
