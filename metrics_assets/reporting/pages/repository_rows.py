"""The tables of a repository's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metrics_assets import addresses
from metrics_assets.reporting import unusual, wording
from metrics_assets.reporting.data import FOUR_KEYS, Anomaly, MetricInfo, Series, SiteInfo
from metrics_assets.reporting.kit import Cell, Column, Row, Table, figure_cell, spark
from metrics_assets.reporting.kit.tiles import target_words
from metrics_assets.reporting.pages.repository_data import Component, Health, Part, RepositoryData
from metrics_assets.reporting.pages.repository_tables import point_of
from metrics_assets.reporting.pages.summaries import SHORT_TITLES, GateStand, page_of

SHOWN_ANOMALIES = 10
_MOST_MISSING = 4


def key_table(site: SiteInfo, data: RepositoryData, keys: Sequence[Series]) -> Table:
    """The four keys over 28 and 7 days with their tiers, the target, and 30 days day by day (requirement S4-18)."""
    rows = []
    for series in keys:
        metric = series.metric
        week = data.week.get(metric.key)
        seven = (
            Cell("not known", sort="", role="dim")
            if week is None
            else figure_cell(point_of(site, week), metric, tier=week.tier)
        )
        days = [day.values.get(metric.key) for day in data.days]
        last = series.points[-1] if series.points else None
        rows.append(
            Row(
                (
                    Cell(metric.title),
                    figure_cell(last, metric, tier=series.tier),
                    seven,
                    _target_cell(series),
                    Cell("", mark=spark(days, label=_days_label(metric, days))),
                )
            )
        )
    if any(day.succeeded is not None for day in data.days):
        rows.append(_per_day_row(data))
    return Table(
        caption="The four keys over 28 and 7 days",
        columns=(
            Column("Key"), Column("28 days", numeric=True), Column("7 days", numeric=True), Column("Target"),
            Column("Last 30 days"),
        ),
        rows=tuple(rows),
        empty="No key of delivery is in the catalogue.",
        note="The line has a point a day: the 28 days that end with it.",
    )  # fmt: skip


def _per_day_row(data: RepositoryData) -> Row:
    counts = [float(day.succeeded) if day.succeeded is not None else None for day in data.days]
    week = [value for value in counts[-7:] if value is not None]
    failed = sum(day.failed or 0 for day in data.days[-28:])
    total = sum(value for value in counts[-28:] if value is not None)
    known = [value for value in counts if value is not None]
    label = f"Deployments that succeeded on each of {len(counts)} days: at most {max(known):.0f} on one"
    return Row(
        (
            Cell("Deployments, day by day"),
            Cell(f"{total:,.0f}", sort=f"{total:g}", under=f"{failed:,} failed"),
            Cell(f"{sum(week):,.0f}" if len(week) == 7 else "not known", role=None if len(week) == 7 else "dim"),
            Cell("none", role="dim"),
            Cell("", mark=spark(counts, label=label)),
        )
    )


def _days_label(metric: MetricInfo, days: Sequence[float | None]) -> str:
    ends = [
        "not known" if value is None else str(wording.quantity(value, metric.unit))
        for value in ((days[0], days[-1]) if days else (None, None))
    ]
    return f"{metric.title}, {wording.count(len(days), 'day')}: from {ends[0]} to {ends[1]}"


def _target_cell(series: Series) -> Cell:
    if series.target is None:
        return Cell("none", role="dim")
    glyph, word, role = wording.status(series.target.status)
    return Cell(target_words(series), under=f"{glyph} {word}", role=None if role == "calm" else role)


def health_table(health: Health | None, metrics: Mapping[str, MetricInfo]) -> Table:
    """Each component with its points and what the score has of them; what is missing is said."""
    columns = (
        Column("Component"), Column("Value", numeric=True), Column("Points of 100", numeric=True),
        Column("Weight", numeric=True), Column("Contribution", numeric=True),
    )  # fmt: skip
    if health is None:
        return Table("Health score", columns, (), empty="The health score of this day was not computed.")
    return Table(
        caption="Health score by component",
        columns=columns,
        rows=tuple(_component_row(one, metrics) for one in health.components),
        note=health_sentence(health, metrics),
    )


def health_sentence(health: Health, metrics: Mapping[str, MetricInfo]) -> str:
    missing = [_title(one.metric, metrics) for one in health.components if one.points is None]
    known = f"{health.coverage * 100:.0f}{wording.NO_BREAK}% of the weights are known"
    if health.value is None:
        said = f"The score is not known: only {known}"
    else:
        said = f"{wording.rounded(health.value)} of 100 by version {health.version} of the model; {known}"
    if missing:
        said += f". Missing, so that the others weigh more: {wording.listed(missing)}"
    return f"{said}."


def _title(key: str, metrics: Mapping[str, MetricInfo]) -> str:
    return metrics[key].title if key in metrics else key.replace("_", " ").capitalize()


def _component_row(one: Component, metrics: Mapping[str, MetricInfo]) -> Row:
    unit = metrics[one.metric].unit if one.metric in metrics else "count"
    under = f"n{wording.NO_BREAK}{one.n:,}" if one.n is not None else None
    value = Cell(wording.state("too_few" if one.state == "too_few" else "unknown"), sort="", role="dim", under=under)
    if one.value is not None and one.state in ("ok", "provisional"):
        value = Cell(str(wording.quantity(one.value, unit)), sort=repr(one.value), under=under)
    given = Cell("none", sort="", role="dim")
    if one.contribution is not None:
        given = Cell(wording.rounded(one.contribution, 1), sort=repr(one.contribution))
    dim = Cell("missing", sort="", role="dim")
    return Row(
        (
            Cell(_title(one.metric, metrics), href=addresses.metric(one.metric)),
            value,
            dim if one.points is None else Cell(wording.rounded(one.points), sort=repr(one.points)),
            Cell(f"{one.weight:g}", sort=repr(one.weight)),
            given,
        )
    )


def parts_table(site: SiteInfo, parts: Sequence[Part], metrics: Mapping[str, MetricInfo]) -> Table:
    """Services and further environments, each with its own four keys."""
    keys = [key for key in FOUR_KEYS if key in metrics]
    rows = []
    for part in parts:
        name = part.subject.rpartition("#" if part.kind == "service" else "@")[2]
        cells = [Cell(name, under=part.kind), Cell(wording.ships_by(part.ships_by))]
        for key in keys:
            figure = part.figures.get(key)
            point = None if figure is None else point_of(site, figure)
            cells.append(figure_cell(point, metrics[key], tier=figure.tier if figure else None))
        rows.append(Row(tuple(cells)))
    columns = [Column("Service or environment"), Column("Ships by")]
    return Table(
        caption="Services and environments",
        columns=(*columns, *(Column(SHORT_TITLES[key], numeric=True) for key in keys)),
        rows=tuple(rows),
        note="A further environment counts for itself alone, not for the repository.",
    )


def peers_table(data: RepositoryData, metrics: Mapping[str, MetricInfo]) -> Table:
    """Where the repository stands among those that have the same figure."""
    rows = []
    for peer in data.peers:
        metric = metrics.get(peer.metric)
        if metric is None or peer.of < 2:
            continue
        share = peer.at_least_as_good_as
        rows.append(
            Row(
                (
                    Cell(metric.title),
                    Cell(f"{peer.rank:,} of {peer.of:,}", sort=str(peer.rank)),
                    Cell("not known", sort="", role="dim")
                    if share is None
                    else Cell(f"{share * 100:.0f}{wording.NO_BREAK}%", sort=repr(share)),
                    Cell(str(wording.quantity(peer.median, metric.unit)), sort=repr(peer.median)),
                )
            )
        )
    return Table(
        caption="Among all repositories",
        columns=(
            Column("Figure"), Column("Place", numeric=True), Column("At least as good as", numeric=True),
            Column("Median repository", numeric=True),
        ),
        rows=tuple(rows),
        empty="No other repository has a figure to compare with.",
        note="Place 1 is the best. Repositories differ in what they are for: a place is a question, not a verdict.",
    )  # fmt: skip


def anomalies_table(anomalies: Sequence[tuple[MetricInfo, Anomaly]]) -> Table:
    """The unusual days of the last four weeks, the newest first."""
    rows = []
    for metric, anomaly in anomalies[:SHOWN_ANOMALIES]:
        glyph, word, role = unusual.severity(anomaly, metric)
        event = unusual.event(anomaly)
        value = "not known" if anomaly.value is None else str(wording.quantity(anomaly.value, metric.unit))
        expected = unusual.expected(anomaly, metric) or "not known"
        rows.append(
            Row(
                (
                    Cell(wording.day(anomaly.on), sort=anomaly.on.isoformat()),
                    Cell(metric.title),
                    Cell(word, role=role, glyph=glyph),
                    Cell(value, sort=repr(anomaly.value)),
                    Cell(expected, sort=repr(anomaly.expected)),
                    Cell(unusual.kind(anomaly), under=f"at the same time: {event}" if event else None),
                )
            )
        )
    left_out = len(anomalies) - len(rows)
    return Table(
        caption="Unusual days of the last 28",
        columns=(
            Column("Day"), Column("Figure"), Column("Severity"), Column("Value", numeric=True),
            Column("Expected", numeric=True), Column("What it was"),
        ),
        rows=tuple(rows),
        empty="No figure left its usual range in the last 28 days.",
        note=f"The newest {len(rows)} of {len(anomalies)} are shown." if left_out else "",
    )  # fmt: skip


def gates_table(site: SiteInfo, gates: Sequence[GateStand]) -> Table:
    """The release gates of the repository, with what is missing."""
    rows = []
    for gate in gates:
        glyph, word, role = wording.status(gate.verdict)
        missing = [*gate.missing[:_MOST_MISSING]]
        if len(gate.missing) > _MOST_MISSING:
            missing.append(f"{len(gate.missing) - _MOST_MISSING} more")
        rows.append(
            Row(
                (
                    Cell(gate.title, href=page_of(site, addresses.RELEASES)),
                    Cell(word, role=role, glyph=glyph),
                    Cell(f"{gate.score:.0f}", sort=repr(gate.score)),
                    Cell(wording.listed(missing) if missing else "nothing"),
                )
            )
        )
    return Table(
        caption="Release gates",
        columns=(Column("Gate"), Column("Verdict"), Column("Score of 100", numeric=True), Column("Missing")),
        rows=tuple(rows),
        empty="No release gate is about this repository.",
    )
