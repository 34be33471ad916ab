"""North stars and key figures as tables: now, and the change against a month and a quarter before."""

from __future__ import annotations

from collections.abc import Sequence

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import MetricInfo, Point, SiteInfo
from metrics_assets.reporting.kit import Cell, Column, Row, Table, figure_cell, rows_csv
from metrics_assets.reporting.pages.key_figures import Compared, KeyFigures
from metrics_assets.reporting.pages.summaries import Figure

_MOST_NAMED = 6


def north_star_table(figures: KeyFigures) -> Table:
    """The north stars in their order, each with why it is one."""
    return Table(
        caption="North stars",
        columns=_columns("North star", figures),
        rows=tuple(_row(one, figures) for one in figures.north_stars),
        empty="No north star is set: they come with the pack product-metrics, or with one of your own.",
    )


def category_table(figures: KeyFigures, csv: str) -> Table:
    """The key figures that are known, by category; those that are not are named above the table."""
    rows = []
    missing: list[str] = []
    for category, compared in figures.categories:
        known = [one for one in compared if one.was_ever_known]
        missing += [one.metric.title for one in compared if not one.was_ever_known]
        rows += [_row(one, figures, category) for one in known]
    return Table(
        caption="Key figures by category",
        columns=_columns("Figure", figures, "Category"),
        rows=tuple(rows),
        csv=csv,
        empty="None of the key figures is known yet.",
        note=_missing(missing),
    )


def _missing(titles: Sequence[str]) -> str:
    if not titles:
        return ""
    named = [*titles[:_MOST_NAMED]]
    if len(titles) > _MOST_NAMED:
        named.append(f"{len(titles) - _MOST_NAMED} more")
    return f"Not known on any of the three days: {wording.listed(named)}."


def _columns(first: str, figures: KeyFigures, *further: str) -> tuple[Column, ...]:
    return (
        Column(first),
        *(Column(title) for title in further),
        Column("Now", numeric=True),
        Column(f"Against {wording.day(figures.month_before)}", numeric=True),
        Column(f"Against {wording.day(figures.quarter_before)}", numeric=True),
    )


def _row(one: Compared, figures: KeyFigures, category: str | None = None) -> Row:
    metric = one.metric
    return Row(
        (
            Cell(metric.title, href=addresses.metric(metric.key), under=one.why or None),
            *([Cell(category)] if category is not None else []),
            figure_cell(Point(figures.month_before, one.now.value, one.now.n, one.now.state), metric),
            change_cell(one.month_before, one.now, metric),
            change_cell(one.quarter_before, one.now, metric),
        )
    )


def change_cell(before: Figure, now: Figure, metric: MetricInfo) -> Cell:
    """How a figure moved, whether that is good, and what it was."""
    if before.value is None:
        return Cell("not known then", sort="", role="dim")
    was = f"it was {wording.quantity(before.value, metric.unit)}"
    if now.value is None:
        return Cell("not known now", sort="", role="dim", under=was)
    change = wording.change(before.value, now.value, metric)
    text = change.text.removesuffix(" than").removesuffix(" as")
    if before.value == 0 and now.value != 0:
        text = "higher" if now.value > 0 else "lower"
    difference = now.value - before.value
    sort = f"{difference / abs(before.value) if before.value else difference:.6g}"
    if change.role == "calm":
        return Cell(text, sort=sort, glyph=change.glyph, under=was)
    role = "ok" if change.role == "better" else "bad"
    return Cell(text, sort=sort, glyph=change.glyph, role=role, under=f"{change.role}; {was}")


def key_figures_csv(site: SiteInfo, figures: KeyFigures) -> str:
    """One row per north star and key figure."""
    columns = (
        "category", "metric", "title", "unit", "date", "value", "n", "state", "month_before", "value_month_before",
        "quarter_before", "value_quarter_before",
    )  # fmt: skip
    named = [("North stars", figures.north_stars), *figures.categories]
    rows = [
        (category, one.metric.key, one.metric.title, one.metric.unit, site.data_through, one.now.value, one.now.n,
         one.now.state, figures.month_before, one.month_before.value, figures.quarter_before, one.quarter_before.value)
        for category, compared in named
        for one in compared
    ]  # fmt: skip
    return rows_csv(columns, rows)
