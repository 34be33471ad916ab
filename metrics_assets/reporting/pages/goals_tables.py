"""The tree of goals as tables, exceptions first; what is not known and what to feed; figures by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import Series, SiteInfo
from metrics_assets.reporting.kit import Cell, Column, Row, Table, TileView
from metrics_assets.reporting.pages.community_words import Band, cut, light, limits, moved
from metrics_assets.reporting.pages.goals_words import (
    CALM,
    EXCEPTIONS,
    STATUSES,
    Goal,
    due_words,
    forecast_words,
    reason_words,
    share_words,
    target_words,
    way,
    way_words,
)

CSV_GOALS = "data/goals.csv"
CSV_FIGURES = "data/figures-by-category.csv"
_MOST_ROWS = 140  # of goals in the whole page
_MOST_OF_A_GOAL = 10  # subjects of one goal
_MOST_UNKNOWN = 120
_MOST_FIGURES = 40  # of a category
MONTH, QUARTER, YEAR = 4, 13, 52  # weeks


@dataclass(frozen=True, slots=True)
class CategoryFigure:
    """A figure of the portfolio in a category of the executive's view."""

    category: str
    series: Series


@dataclass(frozen=True, slots=True)
class StarView:
    """A north star: its tile, how it moved, and why it is one."""

    tile: TileView
    moves: tuple[tuple[str, str, str], ...]  # against when, in words, colour role
    why: str


@dataclass(frozen=True, slots=True)
class AreaView:
    """A branch of the tree: its goals that need attention, and those that do not."""

    title: str
    anchor: str
    counts: str
    exceptions: Table | None
    calm: Table | None
    calm_title: str


@dataclass(frozen=True, slots=True)
class UnknownView:
    """Goals that nobody can judge, by what would have to be known."""

    title: str
    table: Table


@dataclass(frozen=True, slots=True)
class CategoryView:
    """A category of figures; the first with anything known is unfolded."""

    title: str
    says: str
    table: Table
    is_open: bool


def star_view(series: Series, why: str) -> StarView:
    """A north star with its change over a month, a quarter and a year."""
    spans = (("a month before", MONTH), ("a quarter before", QUARTER), ("a year before", YEAR))
    moves = tuple((f"{name} ({weeks} weeks)", *_moved(series, weeks)) for name, weeks in spans)
    return StarView(kit.tile(series), moves, why)


def _value(series: Series, weeks: int = 0) -> float | None:
    position = -1 - weeks
    return series.points[position].value if len(series.points) > weeks else None


def _moved(series: Series, weeks: int) -> tuple[str, str]:
    return moved(_value(series, weeks), _value(series), series.metric)


@dataclass(frozen=True, slots=True)
class StatusSum:
    """How many goals have a status; `kind` is its colour in the bar, hatched where nobody knows."""

    glyph: str
    word: str
    role: str
    kind: str
    number: int


def summary(goals: Sequence[Goal]) -> tuple[StatusSum, ...]:
    """How many goals have each status, worst first."""
    counted = Counter(goal.status for goal in goals)
    found = []
    for status in STATUSES:
        glyph, word, role = wording.status(status)
        kind = "none" if status == "unknown" else role if status != "on track" else "calm"
        found.append(StatusSum(glyph, word, role, kind, counted[status]))
    return tuple(found) if goals else ()


def areas(site: SiteInfo, goals: Sequence[Goal]) -> list[AreaView]:
    """The goals whose figures are known, by pack and area; branches with most exceptions first."""
    known = [goal for goal in goals if goal.status != "unknown"]
    shown = _shown(known)
    branches: dict[tuple[str, str], list[Goal]] = {}
    for goal in known:
        branches.setdefault((goal.pack, goal.area), []).append(goal)

    def need(branch: tuple[str, str]) -> tuple[int, ...]:
        counted = Counter(goal.status for goal in branches[branch])
        return tuple(-counted[status] for status in EXCEPTIONS)

    return [
        _area(site, branch, branches[branch], shown) for branch in sorted(branches, key=lambda one: (need(one), one))
    ]


def _shown(goals: Iterable[Goal]) -> set[int]:
    """Which goals have a row, by identity: worst first, not too many of one goal, not too many at all."""
    rank = {status: number for number, status in enumerate(STATUSES)}
    of_goal: Counter[str] = Counter()
    found: set[int] = set()
    for goal in sorted(goals, key=lambda one: (rank.get(one.status, 0), one.subject_kind != "portfolio")):
        if of_goal[goal.goal] < _MOST_OF_A_GOAL and len(found) < _MOST_ROWS:
            of_goal[goal.goal] += 1
            found.add(id(goal))
    return found


def _area(site: SiteInfo, branch: tuple[str, str], goals: Sequence[Goal], shown: set[int]) -> AreaView:
    pack, area = branch
    title = f"{pack} · {area}" if area and area.lower() != pack.lower() else pack
    counted = Counter(goal.status for goal in goals)
    said = [f"{counted[status]:,} {status}" for status in STATUSES if counted[status]]
    tables = []
    for name, statuses in (("not on track", EXCEPTIONS), ("on track and met", CALM)):
        some = [goal for status in statuses for goal in goals if goal.status == status]
        rows = [goal for goal in some if id(goal) in shown]
        tables.append(_goals_table(site, f"{title}: {name}", rows, len(some)) if some else None)
    calm = counted["on track"] + counted["met"]
    return AreaView(
        title=title,
        anchor=wording.anchor("area", title),
        counts=", ".join(said),
        exceptions=tables[0],
        calm=tables[1],
        calm_title=f"{wording.count(calm, 'goal')} on track or met",
    )


def _goals_table(site: SiteInfo, caption: str, goals: Sequence[Goal], every: int) -> Table:
    today = site.data_through
    columns = (
        Column("Goal"), Column("Status"), Column("Now", numeric=True), Column("Target"), Column("Way"),
        Column("Forecast"), Column("Why"),
    )  # fmt: skip
    return Table(
        caption,
        columns,
        tuple(_goal_row(site, goal, today) for goal in goals),
        note=wording.shown(len(goals), every),
        csv=CSV_GOALS if every > len(goals) else None,
        empty=f"None of these {every:,} is shown, as there are too many; all are in the CSV.",
    )


def _goal_row(site: SiteInfo, goal: Goal, today: date) -> Row:
    glyph, word, role = wording.status(goal.status)
    rank = STATUSES.index(goal.status) if goal.status in STATUSES else len(STATUSES)
    now = "not known" if goal.value is None else str(wording.quantity(goal.value, goal.metric.unit))
    base = "" if goal.base is None else f"from {wording.quantity(goal.base, goal.metric.unit)}"
    done, should = way(goal)
    # The line leads to the due day; after it there is nothing to expect by now.
    is_ahead = goal.due_on is not None and goal.due_on > today
    expected = ""
    if goal.expected is not None and is_ahead:
        expected = f"{wording.quantity(goal.expected, goal.metric.unit)} expected by now"
    return Row(
        (
            Cell(
                cut(goal.title),
                href=_page_of(site, goal),
                under=None if goal.subject_kind == "portfolio" else cut(goal.subject, 100),
            ),
            Cell(word.replace(" ", wording.NO_BREAK), sort=str(rank), role=role, glyph=glyph),
            Cell(now, sort="" if goal.value is None else repr(goal.value), under=base or None),
            Cell(target_words(goal), under=due_words(goal, today)),
            Cell(
                way_words(goal),
                sort="" if done is None else repr(done),
                under=expected or None,
                mark=kit.progress(
                    done, expected=should if is_ahead else None, label=_way_label(done, should, is_ahead)
                ),
            ),
            Cell(forecast_words(goal, today)),
            Cell(reason_words(goal.reason)),
        ),
        wording.anchor("goal", f"{goal.goal} {goal.subject_kind} {goal.subject}"),
    )


def _way_label(done: float | None, should: float | None, is_ahead: bool) -> str:
    if done is None:
        return "The way to the target is not known"
    return f"{share_words(done)} of the way to the target" + (
        f", {share_words(should)} expected" if should and is_ahead else ""
    )


def _page_of(site: SiteInfo, goal: Goal) -> str:
    """Where more is said of the figure: on the repository's page, else where its method is explained."""
    page = addresses.repository(goal.subject)
    return page if goal.subject_kind == "repository" and page in site.pages else addresses.metric(goal.metric.key)


def unknown_groups(goals: Sequence[Goal]) -> list[UnknownView]:
    """Goals that nobody can judge: first those that somebody could feed, by file, then the others by their reason."""
    unknown = [goal for goal in goals if goal.status == "unknown"]
    views = []
    shown = 0
    for file, of_file in groupby(sorted(unknown, key=_by_file), key=lambda goal: _by_file(goal)[0]):
        by_figure: dict[tuple[str, str], list[Goal]] = {}
        for goal in of_file:
            by_figure.setdefault((goal.metric.key, goal.feed or reason_words(goal.reason)), []).append(goal)
        rows = [_unknown_row(some, what) for (_, what), some in list(by_figure.items())[: _MOST_UNKNOWN - shown]]
        shown += len(rows)
        title = f"Feed {file}" if file else "Not to be fed: what the sources would have to say"
        note = wording.shown(len(rows), len(by_figure))
        columns = (Column("Figure"), Column("Metric key"), Column("Goals that wait for it"), Column("What is needed"))
        views.append(
            UnknownView(
                f"{title} ({wording.count(len(by_figure), 'figure')})",
                Table(title, columns, tuple(rows), csv=CSV_GOALS if note else None, note=note),
            )
        )
    return views


def _by_file(goal: Goal) -> tuple[str, str]:
    """The file to feed; empty, and after all others, where there is none."""
    file = goal.feed.partition(":")[0] if goal.feed else ""
    return (file, goal.metric.title) if file else ("", goal.metric.title)


def _unknown_row(goals: Sequence[Goal], what: str) -> Row:
    titles = list(dict.fromkeys(cut(goal.title, 80) for goal in goals))
    subjects = {goal.subject for goal in goals if goal.subject_kind != "portfolio"}
    return Row(
        (
            Cell(goals[0].metric.title, href=addresses.metric(goals[0].metric.key)),
            Cell(goals[0].metric.key),
            Cell(cut("; ".join(titles), 240), under=_for(subjects)),
            Cell(cut(what, 240)),
        )
    )


def _for(subjects: set[str]) -> str | None:
    if not subjects:
        return None
    return f"for {cut(next(iter(subjects)), 80)}" if len(subjects) == 1 else f"for {len(subjects):,} subjects"


def lights_table(figures: Sequence[CategoryFigure], bands: Mapping[str, tuple[Band, ...]]) -> Table | None:
    """The figures that have bands, worst first: which band their value falls into, and what that means."""
    rows = []
    seen = set()
    for figure in figures:
        metric, value = figure.series.metric, _value(figure.series)
        of_metric = bands.get(metric.key, ())
        found = light(value, of_metric)
        if found is None or value is None or metric.key in seen:
            continue
        seen.add(metric.key)
        row = Row(
            (
                Cell(metric.title, href=addresses.metric(metric.key)),
                Cell(str(wording.quantity(value, metric.unit)), sort=repr(value)),
                Cell(found.word, sort=str(found.rank), role=found.role, glyph=found.glyph),
                Cell(cut(found.means)),
                Cell(limits(metric, of_metric)),
            )
        )
        rows.append((-found.rank, metric.title, row))
    if not rows:
        return None
    columns = (Column("Figure"), Column("Now", numeric=True), Column("Light"), Column("What it means"), Column("Bands"))
    return Table("Lights and bands", columns, tuple(row for *_, row in sorted(rows, key=lambda one: one[:2])))


def categories(figures: Sequence[CategoryFigure], bands: Mapping[str, tuple[Band, ...]]) -> list[CategoryView]:
    """Each category's figures that are known, with what they were a month, a quarter and a year before."""
    views: list[CategoryView] = []
    for name in dict.fromkeys(figure.category for figure in figures):
        of_category = [figure.series for figure in figures if figure.category == name]
        known = [series for series in of_category if _value(series) is not None]
        columns = (
            Column("Figure"), Column("Now", numeric=True), Column("Light"), Column("Month over month"),
            Column("Quarter over quarter"), Column("Year over year"),
        )  # fmt: skip
        rows = tuple(_figure_row(series, bands) for series in known[:_MOST_FIGURES])
        worse = sum(_moved(series, MONTH)[1] == "bad" for series in known)
        better = sum(_moved(series, MONTH)[1] == "ok" for series in known)
        says = f"{len(known):,} of {len(of_category):,} figures known"
        says += f"; in a month {better:,} better, {worse:,} worse" if known else ""
        note = wording.shown(len(rows), len(known))
        empty = f"None of {len(of_category):,} figures is known on the day."
        is_first = bool(known) and not any(view.is_open for view in views)
        views.append(CategoryView(name, says, Table(name, columns, rows, note=note, empty=empty), is_first))
    return views


def _figure_row(series: Series, bands: Mapping[str, tuple[Band, ...]]) -> Row:
    metric, value = series.metric, _value(series)
    found = light(value, bands.get(metric.key, ()))
    changes = [_moved(series, weeks) for weeks in (MONTH, QUARTER, YEAR)]
    return Row(
        (
            Cell(metric.title, href=addresses.metric(metric.key)),
            kit.figure_cell(series.points[-1], metric),
            Cell(found.word, sort=str(found.rank), role=found.role, glyph=found.glyph)
            if found is not None
            else Cell("no bands", sort="", role="dim"),
            *(
                Cell(text, sort="" if text == "not known" else None, role=role, under=_judged(role))
                for text, role in changes
            ),
        )
    )


def _judged(role: str) -> str | None:
    """The colour's meaning as a word."""
    return {"ok": "better", "bad": "worse"}.get(role)


def goals_csv(goals: Sequence[Goal]) -> str:
    """Every goal of every subject."""
    columns = (
        "goal", "title", "pack", "area", "metric", "subject_kind", "subject", "status", "value", "comparison",
        "target", "due_on", "base", "expected", "progress", "p10_on", "p50_on", "p90_on", "probability", "reason",
        "feed",
    )  # fmt: skip
    return kit.rows_csv(
        columns,
        [
            (
                goal.goal, goal.title, goal.pack, goal.area, goal.metric.key, goal.subject_kind, goal.subject,
                goal.status, goal.value, goal.comparison, goal.target, goal.due_on, goal.base, goal.expected,
                goal.progress, *_days(goal), goal.reason, goal.feed,
            )
            for goal in goals
        ],
    )  # fmt: skip


def _days(goal: Goal) -> tuple[date | float | None, ...]:
    outlook = goal.outlook
    return (outlook.p10_on, outlook.p50_on, outlook.p90_on, outlook.probability) if outlook else (None,) * 4


def figures_csv(figures: Sequence[CategoryFigure]) -> str:
    columns = ("category", "metric", "title", "unit", "state", "value", "month_before", "quarter_before", "year_before")
    return kit.rows_csv(
        columns,
        [
            (
                figure.category, figure.series.metric.key, figure.series.metric.title, figure.series.metric.unit,
                figure.series.points[-1].state if figure.series.points else "unknown",
                *(_value(figure.series, weeks) for weeks in (0, MONTH, QUARTER, YEAR)),
            )
            for figure in figures
        ],
    )  # fmt: skip
