"""The first page: DORA tiers and trends of the portfolio, what needs attention, and every repository."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from metrics_assets.reporting import tables, wording
from metrics_assets.reporting.attention import open_alerts, recent_anomalies
from metrics_assets.reporting.charts import sparkline, tier_bar
from metrics_assets.reporting.data import (
    ALERT_COLUMNS,
    ANOMALY_COLUMNS,
    FOUR_KEYS,
    HEALTH,
    OVERVIEW_METRICS,
    REWORK,
    TIERS,
    Figure,
    MetricInfo,
    OverviewData,
    RepositoryInfo,
    Tier,
    TierBand,
)
from metrics_assets.reporting.figures import COMPARED_DAYS, Figures
from metrics_assets.reporting.frame import OVERVIEW_PAGE, NavPage, render
from metrics_assets.reporting.trends import trend
from metrics_assets.reporting.verdict import verdict

__all__ = [
    "Figure",
    "MetricInfo",
    "OverviewData",
    "RepositoryInfo",
    "TierBand",
    "overview_files",
    "render_overview",
]

SHORT_TITLES = {
    "deployment_frequency": "Deployments",
    "lead_time_hours": "Lead time",
    "change_failure_rate": "Failure rate",
    "failed_deployment_recovery_hours": "Recovery",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A key over all repositories."""

    metric: MetricInfo
    number: str
    unit: str
    basis: str
    change: wording.Change | None
    compared: str
    spark: Markup
    bar: Markup | None
    tiers: tuple[tuple[Tier, int], ...]
    bar_note: str
    not_rated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure in the repository table; `note` is the letter of the reason beneath the table."""

    title: str
    sort: str
    text: str
    under: str
    tier: Tier | None
    note: str | None
    reason: str | None
    provisional: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A repository in the table."""

    info: RepositoryInfo
    anchor: str
    ships_by: str
    weakest: Tier | None
    weakest_sort: str
    weakest_key: str
    cells: tuple[Cell, ...]
    spark: Markup


def overview_files(data: OverviewData, pages: Sequence[NavPage] = (OVERVIEW_PAGE,)) -> dict[str, str]:
    """Return the overview and its CSV files by their path in the site, ready for `site.publish`.

    `static_files()` of `pages` goes with them.
    """
    figures = Figures(data)
    shown = [key for key in OVERVIEW_METRICS if key in data.metrics]
    return {
        OVERVIEW_PAGE.path: render_overview(data, pages),
        "data/overview.csv": tables.repository_csv(data, figures),
        "data/alerts.csv": tables.frame_csv(data.alerts, ALERT_COLUMNS),
        "data/anomalies.csv": tables.frame_csv(data.anomalies, ANOMALY_COLUMNS),
        **{f"data/trend-{key}.csv": tables.trend_csv(figures, data.metrics[key]) for key in shown},
    }


def render_overview(data: OverviewData, pages: Sequence[NavPage] = (OVERVIEW_PAGE,)) -> str:
    """Return the page as HTML. The same data gives the same text; `pages` is what the navigation lists."""
    figures = Figures(data)
    keys = [data.metrics[key] for key in FOUR_KEYS if key in data.metrics]
    cards = [*keys, *(data.metrics[key] for key in (REWORK,) if key in data.metrics)]
    notes = _Notes()
    rows = [_row(info, data, figures, keys, notes) for info in _active(data)]
    known = [cell for row in rows for cell in row.cells[: len(keys)] if cell.note is None]
    provisional = sum(cell.provisional for cell in known)
    return render(
        "overview.html.j2",
        path=OVERVIEW_PAGE.path,
        pages=pages,
        data=data,
        title=OVERVIEW_PAGE.title,
        period=_period(data),
        verdict=verdict(data, figures, keys),
        cards=[_card(metric, data, figures) for metric in cards],
        attention=(open_alerts(data), recent_anomalies(data)),
        trends=[trend(data, figures, metric) for metric in keys],
        keys=keys,
        short_titles=SHORT_TITLES,
        has_health=HEALTH in data.metrics,
        rows=rows,
        notes=notes.listed(),
        all_provisional=bool(known) and provisional == len(known),
        some_provisional=0 < provisional < len(known),
        quiet=_quiet(data),
        definitions=[_definition(data, key) for key in OVERVIEW_METRICS if key in data.metrics],
        tier_order=TIERS,
    )


def _active(data: OverviewData) -> list[RepositoryInfo]:
    active = (info for info in data.repositories if info.state == "active")
    return sorted(active, key=lambda info: (info.repository.casefold(), info.repository))


def _period(data: OverviewData) -> str:
    states = Counter(info.state for info in data.repositories)
    active = states.pop("active", 0)
    others = wording.listed([f"{number} {state}" for state, number in sorted(states.items())])
    population = f"{active} active {'repository' if active == 1 else 'repositories'}"
    if others:
        population += f" (and {others})"
    last, first = wording.day(data.data_through), wording.day(data.start)
    return f"28 days to {last} · {population} · history from {first}"


def _card(metric: MetricInfo, data: OverviewData, figures: Figures) -> Card:
    now = figures.median(metric.key)
    number = wording.quantity(now.value, metric.unit) if now.value is not None else None
    change, compared = _change(metric, figures)
    weeks = figures.weekly_median(metric.key)
    latest = {name: figures.on(name, metric.key) for name in figures.repositories}
    tiers = Counter(figure.tier for figure in latest.values() if figure.tier is not None)
    has_bands = bool(data.bands.get(metric.key)) or bool(tiers)
    basis = f"median of {wording.repositories(now.repositories)}" if now.repositories else "in no repository"
    return Card(
        metric=metric,
        number=number.number if number else "Not known",
        unit=number.unit if number else "",
        basis=basis + (", provisional" if now.provisional else ""),
        change=change,
        compared=compared,
        spark=sparkline([week.value for week in weeks], label=_spark_label(weeks[0].value, now.value, metric)),
        bar=tier_bar(tiers, len(latest) - tiers.total()) if has_bands else None,
        tiers=tuple((tier, tiers[tier]) for tier in TIERS if tiers[tier]),
        bar_note="" if has_bands else "No tier bands are set for this figure.",
        not_rated=_not_rated(latest, metric),
    )


def _spark_label(first: float | None, last: float | None, metric: MetricInfo) -> str:
    ends = ["not known" if value is None else str(wording.quantity(value, metric.unit)) for value in (first, last)]
    return f"26 weeks: from {ends[0]} to {ends[1]}"


def _change(metric: MetricInfo, figures: Figures) -> tuple[wording.Change | None, str]:
    """Compare medians of the repositories known on both days, so that newcomers are no change."""
    earlier = figures.last - timedelta(days=COMPARED_DAYS)
    both = figures.known_on_both(metric.key, earlier, figures.last)
    before, now = figures.median(metric.key, earlier, both), figures.median(metric.key, among=both)
    if before.value is None or now.value is None:
        return None, f"nothing to compare with {COMPARED_DAYS} days before"
    known = figures.median(metric.key).repositories
    among = f" ({len(both)} known on both days)" if len(both) != known else ""
    return wording.change(before.value, now.value, metric), f"{COMPARED_DAYS} days before{among}"


def _not_rated(latest: dict[str, Figure], metric: MetricInfo) -> tuple[str, ...]:
    """Say how many repositories have no figure, and why."""
    too_few = sum(figure.state == "too_few" for figure in latest.values())
    reasons = Counter(figure.reason for figure in latest.values() if figure.state == "unknown")
    least = f": fewer than {metric.minimum_n} in the window" if metric.minimum_n else " to say"
    said = [f"{too_few} too few{least}."] if too_few else []
    return (*said, *(f"{number} not known: {reason}" for reason, number in sorted(reasons.items(), key=str)))


class _Notes:
    """Gives each reason a letter, in the order in which the table meets them."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def letter(self, reason: str) -> str:
        return self._letters.setdefault(reason, _letter(len(self._letters)))

    def listed(self) -> list[tuple[str, str]]:
        return [(letter, reason) for reason, letter in self._letters.items()]


def _letter(index: int) -> str:
    return chr(ord("a") + index) if index < 26 else f"a{index}"


def _row(info: RepositoryInfo, data: OverviewData, figures: Figures, keys: list[MetricInfo], notes: _Notes) -> Row:
    shown = {metric.key: figures.on(info.repository, metric.key) for metric in keys}
    rated = [(TIERS.index(figure.tier), key) for key, figure in shown.items() if figure.tier is not None]
    worst = max((rank for rank, _ in rated), default=None)
    at_worst = [SHORT_TITLES[key].lower() for rank, key in rated if rank == worst]
    cells = [_cell(SHORT_TITLES[metric.key], shown[metric.key], metric, notes) for metric in keys]
    weeks: list[Figure] = []
    if HEALTH in data.metrics:
        cells.append(_cell("Health", figures.on(info.repository, HEALTH), data.metrics[HEALTH], notes))
        weeks = figures.weekly(info.repository, HEALTH)
    ends = (weeks[0].value, weeks[-1].value) if weeks else (None, None)
    return Row(
        info=info,
        anchor=wording.anchor("repo", info.repository),
        ships_by=wording.ships_by(info.deployment_source),
        weakest=TIERS[worst] if worst is not None else None,
        weakest_sort="" if worst is None else str(worst),
        weakest_key=wording.listed(at_worst) if at_worst and len(at_worst) < len(keys) else "all four keys",
        cells=tuple(cells),
        spark=sparkline(
            [figure.value for figure in weeks],
            label=_spark_label(*ends, data.metrics[HEALTH]) if weeks else "not computed",
        ),
    )


def _cell(title: str, figure: Figure, metric: MetricInfo, notes: _Notes) -> Cell:
    if figure.value is None:
        reason = figure.reason or metric.unknown
        if figure.state == "too_few":
            under = f"{figure.n or 0} of {metric.minimum_n}" if metric.minimum_n else ""
            note = notes.letter(f"{metric.title}: too few to say{_least(metric)}.")
            return Cell(title, "", "too few", under, None, note, reason, False)
        return Cell(title, "", "not known", "", None, notes.letter(f"{metric.title}: {reason}"), reason, False)
    under = f"n{wording.NO_BREAK}{figure.n:,}" if figure.n is not None else ""
    text = str(wording.quantity(figure.value, metric.unit))
    is_provisional = figure.state == "provisional"
    return Cell(title, repr(figure.value), text, under, figure.tier, None, None, is_provisional)


def _least(metric: MetricInfo) -> str:
    return f", it needs at least {metric.minimum_n} in {metric.window} days" if metric.minimum_n else ""


def _quiet(data: OverviewData) -> list[tuple[str, list[str]]]:
    """Return the repositories that the table leaves out, by state."""
    states = sorted({info.state for info in data.repositories} - {"active"})
    names = {s: sorted(i.repository for i in data.repositories if i.state == s) for s in states}
    return list(names.items())


def _definition(data: OverviewData, key: str) -> tuple[MetricInfo, str]:
    """Return a metric with its bands in words: 'Elite below 1 d, High below 7 d, ..., otherwise Low'."""
    metric = data.metrics[key]
    said = []
    for band in data.bands.get(key, ()):
        name = band.tier.title()
        if band.below is not None:
            said.append(f"{name} below {wording.quantity(band.below, metric.unit)}")
        elif band.at_least is not None:
            said.append(f"{name} from {wording.quantity(band.at_least, metric.unit)}")
        else:
            said.append(f"otherwise {name}")
    return metric, ", ".join(said)
