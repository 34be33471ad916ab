"""The method: how each figure is made, page by page of the catalogue, and how figures are judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from metrics_assets import addresses
from metrics_assets.catalogue.alerts import Rule
from metrics_assets.catalogue.gates import Gate
from metrics_assets.catalogue.metrics import Catalogue, Metric
from metrics_assets.catalogue.parts import Part
from metrics_assets.catalogue.tiers import ClusterBand, TierBand, Tiers
from metrics_assets.reporting import catalogue_words as words
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import Cell, Column, Row, Table, rows_csv
from metrics_assets.reporting.metrics_page import DIRECTIONS, LEVELS, Score, condition, stands_in
from metrics_assets.reporting.rules_page import holds_where
from metrics_assets.reporting.wording import count, quantity

CSV = "data/method.csv"
_HAIR = 1e-6
_ROOT = "../"  # the pages of the parts lie one folder down
_CSV_COLUMNS = (
    "metric", "title", "part", "definition", "formula", "stands_in", "unit", "direction", "window_days", "minimum_n",
    "cadence", "unknown", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MethodData:
    """The catalogue as it counts for this site.

    Attributes:
        parts: all metrics, in parts that are short enough for a page each.
        tier_set: the one in use.
        scores: models that are switched on.
        gates, rules: those that count.
        minimum_group: so many people at least stand behind each figure that is shown.
    """

    catalogue: Catalogue
    parts: tuple[Part, ...]
    tiers: Tiers
    tier_set: str
    scores: tuple[Score, ...]
    gates: tuple[Gate, ...]
    rules: Mapping[str, Rule]
    minimum_group: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of what is known of a metric: 'Unknown' and why."""

    name: str
    text: Markup


@dataclass(frozen=True, slots=True)
class Explained:
    """A metric as its page explains it."""

    key: str
    title: str
    facts: str
    definition: str
    lines: tuple[Fact, ...]
    bands: Table | None


@dataclass(frozen=True, slots=True)
class Model:
    """A set of tiers, a score or a gate: its title, a line about it, and its tables."""

    anchor: str
    title: str
    about: str
    tables: tuple[Table, ...]


def method_files(site: SiteInfo, data: MethodData) -> Iterator[tuple[str, str | bytes]]:
    """The index of the method, a page for each part of the catalogue, and all definitions as CSV."""
    yield (
        addresses.METHOD,
        render(
            "method.html.j2",
            path=addresses.METHOD,
            site=site,
            title="Method",
            period=f"{count(len(data.catalogue.metrics), 'figure')} in {count(len(data.parts), 'part')}, written from "
            "the catalogue",
            sentences=(
                "Every figure of this site, what it means, how it is made and when it is unknown.",
                "Nothing here is estimated by hand: the same rows always give the same figures.",
            ),
            part=None,
            parts=[(addresses.method(part.slug), part.title, _about(part), len(part.metrics)) for part in data.parts],
            minimum_group=data.minimum_group,
            tier_set=data.tier_set,
            tier_source=words.without_requirements(site.tier_source),
            tiers=_tier_sets(data.tiers, data.catalogue),
            scores=[_score(score, data.catalogue) for score in data.scores],
            gates=[_gate(gate, data.catalogue) for gate in data.gates],
            rules=_rules(data.rules.values(), data.catalogue),
            csv=CSV,
        ),
    )
    for part in data.parts:
        yield (
            addresses.method(part.slug),
            render(
                "method.html.j2",
                path=addresses.method(part.slug),
                site=site,
                title=f"Method: {part.title}",
                period=f"{count(len(part.metrics), 'figure')}, written from the catalogue",
                sentences=(_about(part),) if part.about else (),
                part=part.title,
                parts=[(addresses.method(one.slug), one.title, "", len(one.metrics)) for one in data.parts],
                metrics=[_explained(metric, data) for metric in part.metrics],
            ),
        )
    yield CSV, rows_csv(_CSV_COLUMNS, [_csv_row(metric, part) for part in data.parts for metric in part.metrics])


def _about(part: Part) -> str:
    return words.without_requirements(part.about)


def _explained(metric: Metric, data: MethodData) -> Explained:
    facts = [
        metric.unit,
        DIRECTIONS[metric.direction],
        *([f"last {metric.window} days"] if metric.window else []),
        *([f"by {metric.grain}"] if metric.grain != "day" else []),
        metric.cadence,
    ]
    lines = []
    if metric.formula:
        lines.append(Fact("Formula", _linked(words.code(metric.formula), data.catalogue)))
    lines.append(Fact("Made of", _linked(stands_in(metric), data.catalogue)))
    if metric.minimum_n > 1:
        lines.append(Fact("Smallest n", Markup("{} in the window; below that it is called too few.").format(
            metric.minimum_n)))  # fmt: skip
    lines.append(Fact("Unknown", Markup("{}").format(metric.unknown)))
    if tiers := _tiers_of(metric, data.tiers, data.tier_set):
        lines.append(Fact("Tiers", Markup("{}").format(tiers)))
    if source := words.without_requirements(metric.source):
        lines.append(Fact("Source", Markup("{}").format(source)))
    bands = None
    if metric.bands:
        rows = tuple(
            Row((Cell(band.band), Cell(words.band_values(band, metric) or "all others"), Cell(band.means or "")))
            for band in metric.bands
        )
        columns = (Column("Band"), Column("Values"), Column("Means"))
        bands = Table(f"Bands of {metric.title}", columns, rows)
    return Explained(metric.key, metric.title, " · ".join(facts), metric.definition, tuple(lines), bands)


def _linked(markdown: str, catalogue: Catalogue, root: str = _ROOT) -> Markup:
    """Markdown of the catalogue as HTML, each name of a metric with a link to its method."""
    return words.html(markdown, lambda name: root + addresses.metric(name) if name in catalogue.metrics else None)


def _tiers_of(metric: Metric, tiers: Tiers, tier_set: str) -> str:
    """The bands of the set in use: 'Elite under 24 h, High under 168 h, Medium under 720 h, Low otherwise.'."""
    bands = [band for band in tiers.bands if band.metric == metric.key and band.tier_set == tier_set]
    said = ", ".join(f"{band.tier.title()} {_band(band, metric)}" for band in bands)
    return f"{said}." if said else ""


def _band(band: TierBand | ClusterBand, metric: Metric) -> str:
    if band.at_least is not None and band.at_least == band.below:
        return _bound(band.at_least, metric)
    parts = []
    if band.at_least is not None:
        # 'On demand' is written as a hair more than once a day.
        parts.append(f"{'over' if 0 < band.at_least - 1 < _HAIR else 'from'} {_bound(band.at_least, metric)}")
    if band.below is not None:
        parts.append(f"under {_bound(band.below, metric)}")
    return " and ".join(parts) or "otherwise"


def _bound(value: float, metric: Metric) -> str:
    """A bound in words; once a week is written as 0.142857 a day."""
    return str(quantity(value, metric.unit)) if metric.unit == "per day" else words.amount(value, metric)


def _tier_sets(tiers: Tiers, catalogue: Catalogue) -> list[Model]:
    found = []
    for one in tiers.sets:
        bands = [band for band in tiers.bands if band.tier_set == one.tier_set]
        clusters = [band for band in tiers.clusters if band.tier_set == one.tier_set]
        tables = [
            _tier_table(
                f"{one.tier_set}: bands of one figure", [(band.metric, band.tier, band) for band in bands], catalogue
            )
        ]
        if clusters:
            about = [(band.metric, band.cluster, band) for band in clusters]
            tables.append(_tier_table(f"{one.tier_set}: levels as they were reported", about, catalogue))
        found.append(
            Model(f"tiers-{addresses.slug(one.tier_set)}", one.tier_set, words.without_requirements(one.source),
                  tuple(tables))
        )  # fmt: skip
    return found


def _tier_table(caption: str, bands: Sequence[tuple[str, str, TierBand | ClusterBand]], catalogue: Catalogue) -> Table:
    tiers = list(dict.fromkeys(tier for _, tier, _ in bands))
    rows = []
    for key in dict.fromkeys(metric for metric, _, _ in bands):
        metric = catalogue.metrics[key]
        by_tier = {tier: band for of, tier, band in bands if of == key}
        cells = [Cell(_band(by_tier[tier], metric) if tier in by_tier else "not reported") for tier in tiers]
        rows.append(Row((Cell(metric.title, href=addresses.metric(key)), *cells)))
    return Table(caption, (Column("Figure"), *(Column(tier.title()) for tier in tiers)), tuple(rows))


def _score(score: Score, catalogue: Catalogue) -> Model:
    about = (
        f"Version {score.version}, 0 to 100. Known from {score.minimum_coverage * 100:.0f} % of the weights on; what "
        "is not known drops out and the others keep their proportions."
    )
    if any(one.alpha is not None for one in score.components):
        signal_columns = (Column("Signal"), Column("Weight", numeric=True), Column("Threshold", numeric=True))
        rows = [
            Row((_figure(one.metric, catalogue), Cell(words.number(one.alpha or 0)), Cell(words.number(one.threshold))))
            for one in score.components
        ]
        return Model(f"score-{score.score}", score.title, about, (Table(score.title, signal_columns, tuple(rows)),))
    columns = (
        Column("Component"), Column("Weight", numeric=True), Column("0 points at", numeric=True),
        Column("100 points at", numeric=True), Column("Between them"),
    )  # fmt: skip
    rows = []
    for one in score.components:
        metric = catalogue.metrics[one.metric]
        weight = (
            f"{one.category} {words.number(score.categories[one.category])} %"
            if one.category in score.categories
            else words.number(one.weight)
        )
        rows.append(
            Row((
                _figure(one.metric, catalogue), Cell(weight), Cell(words.amount(one.zero, metric)),
                Cell(words.amount(one.hundred, metric)),
                Cell("logarithm" if one.scale == "log" else "straight line"),
            ))
        )  # fmt: skip
    return Model(f"score-{score.score}", score.title, about, (Table(score.title, columns, tuple(rows)),))


def _figure(key: str, catalogue: Catalogue) -> Cell:
    return Cell(catalogue.metrics[key].title, href=addresses.metric(key))


def _gate(gate: Gate, catalogue: Catalogue) -> Model:
    rows = [
        Row(
            (
                Cell(criterion.title),
                Cell(f"{group.title} ({LEVELS[group.level]})"),
                Cell("", mark=_linked(condition(criterion, catalogue), catalogue, root="")),
                Cell(f"{share * 100:.1f} %", sort=f"{share:.6f}"),
            )
        )
        for group, criterion, share in gate.criteria()
    ]
    columns = (Column("Criterion"), Column("Group"), Column("Decided by"), Column("Share", numeric=True))
    about = gate.description or f"Of the {gate.subject_kind}. It passes where every criterion of level must is met."
    return Model(f"gate-{gate.key}", gate.title, about, (Table(gate.title, columns, tuple(rows)),))


def _rules(rules: Iterable[Rule], catalogue: Catalogue) -> Table:
    columns = (Column("Rule"), Column("Holds where"), Column("Severity"), Column("What to do"))
    rows = tuple(
        Row(
            (
                Cell(rule.title),
                Cell("", mark=_linked(holds_where(rule, catalogue), catalogue, root="")),
                Cell(rule.severity),
                Cell(rule.action),
            ),
            anchor=f"rule-{rule.key}",
        )
        for rule in rules
    )
    return Table("Alert rules that count here", columns, rows, empty="No rule counts here.")


def _csv_row(metric: Metric, part: Part) -> tuple[object, ...]:
    return (
        metric.key, metric.title, part.title, metric.definition, metric.formula, stands_in(metric), metric.unit,
        metric.direction, metric.window, metric.minimum_n, metric.cadence, metric.unknown,
        words.without_requirements(metric.source),
    )  # fmt: skip
