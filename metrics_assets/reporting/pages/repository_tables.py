"""The tables of repositories that several pages show: the four keys of each, health, traffic lights, release gates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from markupsafe import Markup

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import FOUR_KEYS, HEALTH, REWORK, TIERS, MetricInfo, Point, SiteInfo
from metrics_assets.reporting.kit import Cell, Column, Row, Table, figure_cell, rows_csv, spark
from metrics_assets.reporting.pages.summaries import (
    RESPONSE,
    SHORT_TITLES,
    STARS,
    SUMMARY_METRICS,
    Figure,
    GateStand,
    Summary,
    page_of,
)

_GATE_ORDER = {"failed": 0, "unknown": 1, "passed": 2}


def overview_table(
    site: SiteInfo, metrics: Mapping[str, MetricInfo], summaries: Sequence[Summary], *, note: str, csv: str
) -> Table:
    """Weakest tier, the four keys, health with its weeks, the release gate: what the overview shows of each."""
    summaries, note = without_noise(summaries, note)
    keys = [key for key in FOUR_KEYS if key in metrics]
    has_gates = any(summary.gates for summary in summaries)
    columns = [Column("Repository"), Column("Weakest tier")]
    columns += [Column(SHORT_TITLES[key], numeric=True) for key in keys]
    columns += [Column("Health", numeric=True), Column("26 weeks"), Column("Open alerts", numeric=True)]
    columns += [Column("Release gate")] if has_gates else []
    rows = []
    for summary in summaries:
        cells = [name_cell(site, summary), weakest_cell(summary)]
        cells += [key_cell(site, summary, metrics[key]) for key in keys]
        cells += [*_health_cells(site, summary, metrics), alerts_cell(summary)]
        cells += [gate_cell(site, summary)] if has_gates else []
        rows.append(Row(tuple(cells), anchor=wording.anchor("repo", summary.repository)))
    return _table("Repositories, those that need attention most first", columns, rows, note=note, csv=csv)


def lights_table(
    site: SiteInfo, metrics: Mapping[str, MetricInfo], summaries: Sequence[Summary], *, note: str, csv: str
) -> Table:
    """Every repository with what it ships by, its tier and keys, health, stars and first response as traffic lights."""
    summaries, note = without_noise(summaries, note)
    keys = [key for key in FOUR_KEYS if key in metrics]
    columns = [Column("Repository"), Column("Ships by"), Column("Weakest tier")]
    columns += [Column(SHORT_TITLES[key], numeric=True) for key in keys]
    columns += [Column("Health", numeric=True), Column("26 weeks")]
    columns += [Column(SHORT_TITLES[key], numeric=True) for key in (STARS, RESPONSE) if key in metrics]
    columns += [Column("Open alerts", numeric=True)]
    rows = []
    for summary in summaries:
        cells = [name_cell(site, summary), _ships_cell(summary), weakest_cell(summary)]
        cells += [key_cell(site, summary, metrics[key]) for key in keys]
        cells += _health_cells(site, summary, metrics)
        cells += [light_cell(site, summary, metrics[key]) for key in (STARS, RESPONSE) if key in metrics]
        cells.append(alerts_cell(summary))
        rows.append(Row(tuple(cells), anchor=wording.anchor("repo", summary.repository)))
    return _table("All repositories", columns, rows, note=note, csv=csv, empty="There is no repository yet.")


def delivery_table(
    site: SiteInfo, metrics: Mapping[str, MetricInfo], summaries: Sequence[Summary], *, note: str, csv: str
) -> Table:
    """What each repository ships by, and its keys with rework."""
    summaries, note = without_noise(summaries, note)
    keys = [key for key in (*FOUR_KEYS, REWORK) if key in metrics]
    columns = [Column("Repository"), Column("Ships by"), Column("Weakest tier")]
    columns += [Column(SHORT_TITLES[key], numeric=True) for key in keys]
    rows = []
    for summary in summaries:
        cells = [name_cell(site, summary), _ships_cell(summary), weakest_cell(summary)]
        cells += [key_cell(site, summary, metrics[key]) for key in keys]
        rows.append(Row(tuple(cells)))
    return _table("Delivery by repository", columns, rows, note=note, csv=csv)


def _table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    note: str,
    csv: str,
    empty: str = "No repository is active.",
) -> Table:
    return Table(caption, tuple(columns), tuple(rows), csv=csv, empty=empty, note=note, filterable=True)


def _ships_cell(summary: Summary) -> Cell:
    return Cell(wording.ships_by(summary.ships_by), sort=summary.ships_by or "", role=_dim(not summary.ships_by))


def repositories_csv(
    site: SiteInfo,
    metrics: Mapping[str, MetricInfo],
    summaries: Iterable[Summary],
    keys: Sequence[str] = SUMMARY_METRICS,
) -> str:
    """One row per repository, whatever its state: value, n and state of each figure, its tier or light if any."""
    keys = [key for key in keys if key in metrics]
    columns = ["repository", "state", "ships_by", "date", "weakest_tier", "critical_alerts", "warning_alerts", "gate"]
    for key in keys:
        columns += [key, f"{key}_n", f"{key}_state"]
        columns += [f"{key}_tier"] if key in FOUR_KEYS else [f"{key}_light"] if key in (STARS, RESPONSE) else []
    rows = []
    for summary in summaries:
        gate = _worst_gate(summary)
        row: list[object] = [
            summary.repository, summary.state, summary.ships_by, site.data_through, summary.weakest, summary.critical,
            summary.warning, gate.verdict if gate else None,
        ]  # fmt: skip
        for key in keys:
            figure = summary.figure(key)
            row += [figure.value, figure.n, figure.state]
            row += [figure.tier] if key in FOUR_KEYS else [figure.light] if key in (STARS, RESPONSE) else []
        rows.append(row)
    return rows_csv(columns, rows)


def without_noise(summaries: Sequence[Summary], note: str) -> tuple[list[Summary], str]:
    """Where every figure is provisional, that is said once above the table and not in each of its cells."""
    known = [figure for summary in summaries for figure in summary.figures.values() if figure.value is not None]
    if not known or any(figure.state != "provisional" for figure in known):
        return list(summaries), note
    quiet = [
        replace(
            summary,
            figures={
                key: replace(figure, state="ok") if figure.state == "provisional" else figure
                for key, figure in summary.figures.items()
            },
        )
        for summary in summaries
    ]
    return quiet, f"{note} Every figure is provisional: late events may still change it.".strip()


def name_cell(site: SiteInfo, summary: Summary) -> Cell:
    state = None if summary.state == "active" else summary.state
    return Cell(summary.repository, href=page_of(site, addresses.repository(summary.repository)), under=state)


def weakest_cell(summary: Summary) -> Cell:
    """The worst tier of the four keys, and which of them have it."""
    weakest = summary.weakest
    if weakest is None:
        return Cell("not rated", sort="", role="dim")
    keys = summary.weakest_keys
    known = [key for key in FOUR_KEYS if summary.figure(key).tier is not None]
    is_part = len(keys) < len(known)
    under = wording.listed([SHORT_TITLES[key].lower() for key in keys]) if is_part else "all that are rated"
    return Cell(weakest.title(), sort=str(TIERS.index(weakest)), tier=weakest, under=under)


def key_cell(site: SiteInfo, summary: Summary, metric: MetricInfo) -> Cell:
    figure = summary.figure(metric.key)
    return figure_cell(point_of(site, figure), metric, tier=figure.tier)


def light_cell(site: SiteInfo, summary: Summary, metric: MetricInfo) -> Cell:
    """A figure with its traffic light: colour, glyph and word."""
    figure = summary.figure(metric.key)
    cell = figure_cell(point_of(site, figure), metric)
    if figure.light is None:
        return cell
    glyph, word, role = wording.light(figure.light)
    under = f"{word.lower()}, {cell.under}" if cell.under else word.lower()
    return Cell(cell.text, sort=cell.sort, role=role, glyph=glyph, under=under)


def alerts_cell(summary: Summary) -> Cell:
    """How many alerts are open; in words, the critical ones apart."""
    total = summary.critical + summary.warning
    if not total:
        return Cell("none", sort="0", role="dim")
    if summary.critical:
        return Cell(str(total), sort=str(summary.critical * 1000 + total), role="bad", glyph="✕",
                    under=f"{summary.critical} critical")  # fmt: skip
    return Cell(str(total), sort=str(total), role="watch", glyph="!", under="warning")


def gate_cell(site: SiteInfo, summary: Summary) -> Cell:
    """The gate of the repository that stands worst."""
    gate = _worst_gate(summary)
    if gate is None:
        return Cell("no gate", sort="", role="dim")
    glyph, word, role = wording.status(gate.verdict)
    missing = f"{len(gate.missing)} missing" if gate.missing else None
    return Cell(word, sort=str(_GATE_ORDER.get(gate.verdict, 1)), href=page_of(site, addresses.RELEASES), role=role,
                glyph=glyph, under=f"{gate.title}{f', {missing}' if missing else ''}")  # fmt: skip


def _worst_gate(summary: Summary) -> GateStand | None:
    return min(summary.gates, key=lambda gate: (_GATE_ORDER.get(gate.verdict, 1), gate.score, gate.gate), default=None)


def _health_cells(site: SiteInfo, summary: Summary, metrics: Mapping[str, MetricInfo]) -> list[Cell]:
    if HEALTH not in metrics:
        return [Cell("not computed", sort="", role="dim"), Cell("", sort="")]
    return [key_cell(site, summary, metrics[HEALTH]), Cell("", sort=_slope(summary.health_weeks), mark=_spark(summary))]


def _spark(summary: Summary) -> Markup:
    weeks = summary.health_weeks
    first_and_last = (weeks[0], weeks[-1]) if weeks else (None, None)
    ends = ["not known" if value is None else f"{value:.0f}" for value in first_and_last]
    return spark(weeks, label=f"Health, {len(weeks)} weeks: from {ends[0]} to {ends[1]}")


def _slope(weeks: Sequence[float | None]) -> str:
    known = [value for value in weeks if value is not None]
    return f"{known[-1] - known[0]:.1f}" if len(known) > 1 else ""


def point_of(site: SiteInfo, figure: Figure) -> Point:
    return Point(site.data_through, figure.value, figure.n, figure.state)


def _dim(is_dim: bool) -> str | None:
    return "dim" if is_dim else None
