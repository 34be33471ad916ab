"""Goals and north stars: whether the portfolio is on its way, which goals are not, and when each is reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import Series, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.pages import goals_tables
from metrics_assets.reporting.pages.community_words import Band, cut
from metrics_assets.reporting.pages.goals_tables import CSV_FIGURES, CSV_GOALS, CategoryFigure
from metrics_assets.reporting.pages.goals_words import CALM, EXCEPTIONS, Goal, Outlook, forecast_words

__all__ = ["CategoryFigure", "Goal", "GoalsData", "NorthStar", "Outlook", "SeriesKey", "charted", "goals_files"]

CSV_CHARTS = "data/goals-weekly.csv"
MOST_CHARTS = 12
_MOST_BYTES = 290_000  # of the page; charts make way first
_FEWER_CHARTS = 4
SeriesKey = tuple[str, str, str]  # subject_kind, subject, metric


@dataclass(frozen=True, slots=True)
class NorthStar:
    """A metric that says better than all others whether the project is on its way, and why."""

    series: Series
    why: str


@dataclass(frozen=True, slots=True)
class GoalsData:
    """Everything that the page shows, as of the site's day.

    Attributes:
        goals: that count, one a subject; none of teams.
        series: of the figures that are drawn (`charted` names them).
        figures: the figures of the packs by category, with what they were 4, 13 and 52 weeks before.
        bands: of metrics, in the order of the catalogue: best first.
        own_pages: whether goals of teams are left out because they stand on the teams' own pages.
    """

    goals: tuple[Goal, ...] = ()
    north_stars: tuple[NorthStar, ...] = ()
    series: Mapping[SeriesKey, Series] = field(default_factory=dict)
    figures: tuple[CategoryFigure, ...] = ()
    bands: Mapping[str, tuple[Band, ...]] = field(default_factory=dict)
    of_teams: bool = False


def charted(goals: Sequence[Goal], most: int = MOST_CHARTS) -> list[SeriesKey]:
    """Which figures are drawn: of goals whose value is known, exceptions first, the portfolio before the others."""
    known = [goal for goal in goals if goal.value is not None and goal.status in (*EXCEPTIONS, *CALM)]
    rank = {status: number for number, status in enumerate((*EXCEPTIONS, *CALM))}
    known.sort(key=lambda goal: (goal.subject_kind != "portfolio", rank[goal.status]))
    return list(dict.fromkeys((goal.subject_kind, goal.subject, goal.metric.key) for goal in known))[:most]


def goals_files(site: SiteInfo, data: GoalsData) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files, each with its path in the site."""
    wanted = [key for key in charted(data.goals) if key in data.series]
    html = _page(site, data, wanted)
    while len(html.encode()) > _MOST_BYTES and wanted:
        wanted = wanted[:-_FEWER_CHARTS]
        html = _page(site, data, wanted)
    yield addresses.GOALS, html
    yield CSV_GOALS, goals_tables.goals_csv(data.goals)
    yield CSV_FIGURES, goals_tables.figures_csv(data.figures)
    every = [star.series for star in data.north_stars]
    drawn = {(one.subject_kind, one.subject, one.metric.key) for one in every}
    yield CSV_CHARTS, kit.series_csv([*every, *(one for key, one in data.series.items() if key not in drawn)])


def _page(site: SiteInfo, data: GoalsData, wanted: Sequence[SeriesKey]) -> str:
    left_out = len(charted(data.goals, len(data.goals))) - len(wanted)
    return render(
        "goals.html.j2",
        path=addresses.GOALS,
        site=site,
        title="Goals and north stars",
        period=_period(site, data),
        sentences=_sentences(site, data),
        stars=[goals_tables.star_view(star.series, star.why) for star in data.north_stars],
        summary=goals_tables.summary(data.goals),
        areas=goals_tables.areas(site, data.goals),
        unknown=goals_tables.unknown_groups(data.goals),
        charts=[_chart(data.series[key]) for key in wanted],
        charts_left_out=left_out,
        lights=goals_tables.lights_table(data.figures, data.bands),
        categories=goals_tables.categories(data.figures, data.bands),
        figures_csv=CSV_FIGURES,
        goals_csv=CSV_GOALS,
        forecasts=addresses.FORECASTS,
        of_teams=data.of_teams,
    )


def _chart(series: Series) -> kit.ChartView:
    """The chart of a figure; of those of the same metric the portfolio's has the metric's own address."""
    if series.subject_kind == "portfolio":
        return kit.chart(series, csv=CSV_CHARTS)
    return kit.chart(
        series,
        csv=CSV_CHARTS,
        title=f"{series.metric.title}: {cut(series.subject, 80)}",
        anchor=wording.anchor("chart", f"{series.metric.key} {series.subject_kind} {series.subject}"),
    )


def _period(site: SiteInfo, data: GoalsData) -> str:
    goals = wording.count(len({goal.goal for goal in data.goals}), "goal")
    subjects = wording.count(len({(goal.subject_kind, goal.subject) for goal in data.goals}), "subject")
    return f"As judged at the end of {wording.day(site.data_through)} · {goals} for {subjects}"


def _sentences(site: SiteInfo, data: GoalsData) -> tuple[str, ...]:
    if not data.goals:
        return ("No goal counts here yet.",)
    counted = Counter(goal.status for goal in data.goals)
    judged = sum(counted[status] for status in (*EXCEPTIONS, *CALM))
    if not judged:
        every = f"None of {len(data.goals):,} goals can be judged: their figures are not known."
        return (every,) if len(data.goals) > 1 else ("The one goal cannot be judged: its figure is not known.",)
    parts = [f"{counted[status]:,} {status}" for status in ("met", "on track", "at risk", "off track")]
    headline = f"Of {judged:,} goals that can be judged {wording.listed(parts)}."
    if judged == 1:
        headline = f"The one goal that can be judged is {next(status for status in counted if status != 'unknown')}."
    unknown = f" {counted['unknown']:,} are not known." if counted["unknown"] > 1 else ""
    if counted["unknown"] == 1:
        unknown = " One is not known."
    return tuple(said for said in (headline + unknown, _next_due(site, data.goals)) if said)


def _next_due(site: SiteInfo, goals: Sequence[Goal]) -> str:
    """The next day on which something is due that is not reached yet, and what is expected of it."""
    ahead = [
        (goal.due_on, goal)
        for goal in goals
        if goal.due_on is not None and goal.due_on > site.data_through and goal.status in (*EXCEPTIONS, "on track")
    ]
    if not ahead:
        return ""
    due, goal = min(ahead, key=lambda one: one[0])
    subject = "" if goal.subject_kind == "portfolio" else f" ({cut(goal.subject, 60)})"
    said = f"Due next, on {wording.day(due)}: “{cut(goal.title, 80)}”{subject}, {goal.status}"
    return f"{said}; {forecast_words(goal, site.data_through)}." if goal.outlook is not None else f"{said}."
