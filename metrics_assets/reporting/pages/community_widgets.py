"""What the community page says beyond tables of repositories: fed figures by theme, scores, models, policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import MetricInfo, Series
from metrics_assets.reporting.kit import Cell, Column, Row, Table
from metrics_assets.reporting.pages.community_words import cut, moved, web_address

CSV_FED = "data/community-fed.csv"
_PARTS_SHOWN = 8  # segments of a figure
_MOST_ROWS = 40  # of a widget
_TRENDS = {
    "better": ("▲", "better", "ok"),
    "worse": ("▼", "worse", "bad"),
    "steady": ("≈", "steady", "calm"),
    "unknown": ("?", "not known", "dim"),
}


@dataclass(frozen=True, slots=True)
class FedFigure:
    """A figure of the portfolio or of a segment; `before` is its value one period (`compared`) earlier."""

    metric: MetricInfo
    segment: str | None
    value: float
    before: float | None = None
    compared: str = "a month before"
    period_end: date | None = None
    source_url: str | None = None


@dataclass(frozen=True, slots=True)
class Widget:
    """A theme: what is known of it, and the titles of the figures that nobody fed, or that no source told."""

    title: str
    says: str
    figures: tuple[FedFigure, ...] = ()
    not_fed: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScorePart:
    """A component of a score: its figure, the points that it is worth, and what it adds of how much it could."""

    title: str
    value: float | None
    unit: str
    points: float | None  # 0 to 100
    weight: float | None
    contribution: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """A score of the portfolio, from 0 to 100; `coverage` is the share of its weights that is known."""

    title: str
    value: float | None
    coverage: float
    parts: tuple[ScorePart, ...]
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A metric of a CHAOSS model, with its own value four weeks before and its trend."""

    metric: MetricInfo
    value: float | None
    state: str
    n: int | None
    before: float | None
    trend: str  # better | worse | steady | unknown


@dataclass(frozen=True, slots=True)
class Model:
    """A CHAOSS metrics model; `missing` says which of its metrics are not there, and why."""

    title: str
    source: str
    rows: tuple[ModelRow, ...]
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Licences:
    """How many repositories have a licence, as their provider last said it; no history of it is kept."""

    named: int
    repositories: int


@dataclass(frozen=True, slots=True)
class WidgetView:
    title: str
    says: str
    table: Table | None
    missing: str


@dataclass(frozen=True, slots=True)
class ScoreView:
    title: str
    value: str
    says: str
    table: Table


@dataclass(frozen=True, slots=True)
class ModelView:
    title: str
    source: str
    table: Table
    missing: tuple[str, ...]


def widget_view(widget: Widget) -> WidgetView:
    """The figures of a theme that are known, and in a sentence those that are not."""
    by_metric: dict[str, list[FedFigure]] = {}
    for figure in widget.figures:
        by_metric.setdefault(figure.metric.key, []).append(figure)
    rows: list[Row] = []
    cuts = False
    for figures in by_metric.values():
        figures.sort(key=lambda one: (one.segment is not None, -one.value))
        cuts = cuts or len(figures) > _PARTS_SHOWN
        rows += [_fed_row(one) for one in figures[:_PARTS_SHOWN]]
    cuts = cuts or len(rows) > _MOST_ROWS
    has_parts = any(figure.segment is not None for figure in widget.figures)
    columns: tuple[Column, ...] = (Column("Figure"), Column("Now", numeric=True), Column("Change"), Column("Period to"))
    if has_parts:
        columns = (*columns[:1], Column("Part"), *columns[1:])
    else:
        rows = [Row((*row.cells[:1], *row.cells[2:])) for row in rows]
    note = "The largest parts are shown; all in the CSV." if cuts else ""
    table = Table(widget.title, columns, tuple(rows[:_MOST_ROWS]), csv=CSV_FED, note=note) if rows else None
    missing = [
        f"{words}: {', '.join(titles)}."
        for words, titles in (("Not fed", widget.not_fed), ("Not known of the day", widget.not_known))
        if titles
    ]
    return WidgetView(widget.title, widget.says, table, " ".join(missing))


def _fed_row(figure: FedFigure) -> Row:
    text, role = moved(figure.before, figure.value, figure.metric)
    verdict = {"ok": "better, ", "bad": "worse, "}.get(role, "")
    return Row(
        (
            Cell(figure.metric.title, href=addresses.metric(figure.metric.key)),
            Cell("the whole") if figure.segment is None else Cell(cut(figure.segment, 80)),
            Cell(str(wording.quantity(figure.value, figure.metric.unit)), sort=repr(figure.value)),
            Cell(
                text, sort="" if figure.before is None else None, role=role, under=f"{verdict}against {figure.compared}"
            )
            if figure.before is not None
            else Cell("nothing to compare with", sort="", role="dim"),
            Cell(
                "of the day" if figure.period_end is None else wording.day(figure.period_end),
                sort="" if figure.period_end is None else figure.period_end.isoformat(),
                href=web_address(figure.source_url),
            ),
        )
    )


def score_view(score: Score) -> ScoreView:
    """A score with its components: what each is worth and adds."""
    columns = (
        Column("Component"), Column("Figure", numeric=True), Column("Points of 100"), Column("Adds", numeric=True),
    )  # fmt: skip
    rows = tuple(
        Row(
            (
                Cell(part.title),
                Cell("not known", sort="", role="dim")
                if part.value is None
                else Cell(str(wording.quantity(part.value, part.unit)), sort=repr(part.value)),
                Cell("not known", sort="", role="dim")
                if part.points is None
                else Cell(
                    wording.rounded(part.points),
                    sort=repr(part.points),
                    mark=kit.progress(
                        part.points / 100, expected=None, label=f"{wording.rounded(part.points)} of 100 points"
                    ),
                ),
                Cell("nothing", sort="", role="dim")
                if part.contribution is None
                else Cell(
                    wording.rounded(part.contribution, 1),
                    sort=repr(part.contribution),
                    under=None if part.weight is None else f"of {part.weight:.1f}",
                ),
            )
        )
        for part in sorted(score.parts, key=_lost, reverse=True)
    )
    return ScoreView(
        title=score.title,
        value="not known" if score.value is None else f"{score.value:.0f} of 100",
        says=f"{score.coverage * 100:.0f}{wording.NO_BREAK}% of what it is made from is known; "
        "what costs most stands first.",
        table=Table(f"Components: {score.title}", columns, rows, empty="Its components are not known on the day."),
    )


def _lost(part: ScorePart) -> float:
    """How much a component leaves on the table; one that is not known comes last."""
    if part.weight is None or part.contribution is None:
        return -1.0
    return part.weight - part.contribution


def model_view(model: Model) -> ModelView:
    """A CHAOSS model: figures read together, each against itself four weeks before, never added up."""
    rows = []
    for row in model.rows:
        glyph, word, role = _TRENDS.get(row.trend, _TRENDS["unknown"])
        known = row.value is not None and row.state in ("ok", "provisional")
        rows.append(
            Row(
                (
                    Cell(row.metric.title, href=addresses.metric(row.metric.key)),
                    Cell(
                        str(wording.quantity(row.value, row.metric.unit)),
                        sort=repr(row.value),
                        under=f"n{wording.NO_BREAK}{row.n:,}" if row.n is not None else None,
                    )
                    if known and row.value is not None
                    else Cell("too few" if row.state == "too_few" else "not known", sort="", role="dim"),
                    Cell("not known", sort="", role="dim")
                    if row.before is None
                    else Cell(str(wording.quantity(row.before, row.metric.unit)), sort=repr(row.before)),
                    Cell(word, role=role, glyph=glyph),
                )
            )
        )
    columns = (
        Column("Metric"),
        Column("Now", numeric=True),
        Column("Four weeks before", numeric=True),
        Column("Trend"),
    )
    missing = tuple(f"{metric}: {why}" for metric, why in model.missing)
    return ModelView(model.title, model.source, Table(f"CHAOSS: {model.title}", columns, tuple(rows)), missing)


def policies_table(series: Sequence[Series], licences: Licences | None) -> Table:
    """Whether the portfolio keeps to what it says: reviews, answers in time, releases, licences."""
    rows = []
    if licences is not None and licences.repositories:
        every = licences.named == licences.repositories
        rows.append(
            Row(
                (
                    Cell("Repositories with a licence"),
                    Cell(
                        f"{licences.named:,} of {licences.repositories:,}",
                        role="ok" if every else "watch",
                        glyph="✓" if every else "!",
                    ),
                    Cell("as the provider last said it; no history is kept"),
                )
            )
        )
    for one in series:
        definition = cut(one.metric.definition, 240)
        point = one.points[-1] if one.points else None
        cell = kit.figure_cell(point, one.metric)
        rows.append(Row((Cell(one.metric.title, href=addresses.metric(one.metric.key)), cell, Cell(definition))))
    columns = (Column("Policy"), Column("Now", numeric=True), Column("What it is"))
    return Table("Policies", columns, tuple(rows), empty="Nothing is known of policies.")


def fed_csv(widgets: Sequence[Widget]) -> str:
    """Every figure of the themes, with its part and period."""
    columns = ("theme", "metric", "title", "part", "value", "before", "compared_with", "period_end", "source_url")
    return kit.rows_csv(
        columns,
        [
            (
                widget.title, one.metric.key, one.metric.title, one.segment, one.value, one.before, one.compared,
                one.period_end, one.source_url,
            )
            for widget in widgets
            for one in widget.figures
        ],
    )  # fmt: skip
