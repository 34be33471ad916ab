"""The tables and small graphics of the page of delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import TIERS, Series, SiteInfo, Tier
from metrics_assets.reporting.kit import Cell, Column, Part, Row, Table, bars, figure_cell, heatmap
from metrics_assets.reporting.pages.delivery_data import LOOKED_BACK_DAYS, Failure, TierSet
from metrics_assets.reporting.pages.repository_data import STAGE_TITLES
from metrics_assets.reporting.pages.repository_steps import SIGNALS
from metrics_assets.reporting.pages.stages import by_month, segments
from metrics_assets.reporting.pages.summaries import page_of

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SIGNAL_TITLES = {
    "failed_deployment": "Failed to deploy",
    "incident": "Incident",
    "rollback": "Rolled back",
    "revert": "Reverted",
    "hotfix": "Hotfix followed",
    "yank": "Withdrawn",
}
SHOWN_FAILURES = 5
_KEY_COLUMNS = (
    ("deployment_frequency", "Deployments"),
    ("lead_time_hours", "Lead time"),
    ("change_failure_rate", "Failure rate"),
    ("recovery", "Recovery"),
)
Hours = Mapping[tuple[int, int], tuple[int, int]]


def deployments_heatmap(hours: Hours | None) -> Markup | None:
    """Weekdays by hours of the day in UTC, shaded by how many deployments finished; None where none was ever seen."""
    if not hours:
        return None
    counts = [[hours.get((weekday, hour), (0, 0)) for hour in range(24)] for weekday in range(1, 8)]
    return heatmap(
        WEEKDAYS,
        [f"{hour:02d}" for hour in range(24)],
        [[float(finished) for finished, _ in row] for row in counts],
        label=f"Deployments of the last {LOOKED_BACK_DAYS} days by weekday and hour, UTC",
        texts=[
            [
                f"{wording.count(finished, 'deployment')}, {failed} failed" if finished else "none"
                for finished, failed in row
            ]
            for row in counts
        ],
    )


def deployments_sentence(hours: Hours | None) -> str:
    """When most is deployed, and how much of it at weekends."""
    if not hours:
        return f"No deployment was seen in the last {LOOKED_BACK_DAYS} days."
    total = sum(finished for finished, _ in hours.values())
    by_day = {day: sum(n for (weekday, _), (n, _) in hours.items() if weekday == day) for day in range(1, 8)}
    busiest = max(by_day, key=lambda day: (by_day[day], -day))
    weekend = by_day[6] + by_day[7]
    said = f"{wording.count(total, 'deployment')} in {LOOKED_BACK_DAYS} days"
    if total > 1:
        said += f", most on {WEEKDAYS[busiest - 1]}s ({by_day[busiest]:,})"
        said += f"; {weekend / total * 100:.0f}{wording.NO_BREAK}% at weekends" if weekend else "; none at weekends"
    return f"{said}. Hours are UTC."


@dataclass(frozen=True, slots=True)
class FailuresView:
    """Why deployments count as failed: a sentence, and a bar a reason."""

    takeaway: str
    bars: Markup | None


def failures_view(signals: Sequence[tuple[str, int]]) -> FailuresView:
    """A deployment with several reasons is in several bars."""
    if not signals:
        return FailuresView(f"No deployment of the last {LOOKED_BACK_DAYS} days counts as failed.", None)
    ordered = sorted(signals, key=lambda pair: (-pair[1], pair[0]))
    parts = [Part(SIGNAL_TITLES.get(signal, signal), float(count), f"{count:,}") for signal, count in ordered]
    commonest, count = ordered[0]
    said = f"The commonest reason: {SIGNALS.get(commonest, commonest)} ({wording.count(count, 'deployment')})"
    if len(ordered) > 1:
        said += ". A deployment with several reasons is in several bars"
    label = f"Failed deployments of the last {LOOKED_BACK_DAYS} days by reason"
    return FailuresView(f"{said}.", bars(parts, label=label))


def recoveries_table(site: SiteInfo, failures: Sequence[Failure]) -> Table:
    """The failures that are not mended, then the last that were."""
    ordered = sorted(
        failures, key=lambda one: (one.restored_at is not None, -one.failed_at.timestamp(), one.repository)
    )
    rows = [_failure_row(site, one) for one in ordered[:SHOWN_FAILURES]]
    still_open = sum(one.restored_at is None for one in failures)
    said = [f"{still_open:,} not mended, shown first." if still_open else "All are mended."] if failures else []
    if len(failures) > len(rows):
        said.append(wording.shown(len(rows), len(failures), rest=""))
    return Table(
        caption=f"Failed deployments of the last {LOOKED_BACK_DAYS} days and how long they took to mend",
        columns=(
            Column("Repository"), Column("Failed (UTC)"), Column("Why"), Column("Mended after", numeric=True),
        ),
        rows=tuple(rows),
        empty=f"No deployment of the last {LOOKED_BACK_DAYS} days counts as failed.",
        note=" ".join(said),
    )  # fmt: skip


def _failure_row(site: SiteInfo, one: Failure) -> Row:
    why = wording.listed([SIGNALS.get(signal, signal) for signal in one.signals])
    if one.restored_at is None or one.recovery_hours is None:
        mended = Cell("not mended", sort="", role="bad", glyph="✕")
    else:
        mended = Cell(str(wording.quantity(one.recovery_hours, "hours")), sort=repr(one.recovery_hours))
    return Row(
        (
            Cell(one.repository, href=page_of(site, addresses.repository(one.repository)), under=one.version),
            Cell(_moment(one.failed_at), sort=one.failed_at.isoformat()),
            Cell(why[:1].upper() + why[1:]),
            mended,
        )
    )


def _moment(at: datetime) -> str:
    return f"{wording.day(at.date())} {at:%H:%M}"


def months_table(stages: Sequence[Series], csv: str) -> Table:
    """A bar a month, as long as its stages together, and each stage in words."""
    months = by_month(stages)
    longest = max((month.total for month in months), default=0.0) or 1.0
    order = [one.metric.key for one in stages]
    rows = []
    for month in reversed(months):
        cells = [Cell(f"{wording.MONTHS[month.on.month - 1]} {month.on.year}", sort=month.on.isoformat())]
        cells.append(Cell("", sort=f"{month.total:.3f}", mark=_month_bar(month.values, order, longest)))
        for key in order:
            value = month.values.get(key)
            if value is None:
                cells.append(Cell(wording.state("unknown"), sort="", role="dim"))
            else:
                cells.append(Cell(str(wording.quantity(value, "hours")), sort=repr(value)))
        rows.append(Row(tuple(cells)))
    return Table(
        caption="Stages of a change by month",
        columns=(Column("Month"), Column("Together"), *(Column(STAGE_TITLES[key], numeric=True) for key in order)),
        rows=tuple(rows),
        csv=csv,
        empty="No stage was known in any month.",
        note="Medians of the 28 days that end with the last week of the month; the newest month comes first.",
    )


def _month_bar(values: Mapping[str, float | None], order: Sequence[str], longest: float) -> Markup:
    """A bar without words: those stand in the row's cells."""
    parts = segments(values, order, longest)
    return Markup('<div class="stack monthly" aria-hidden="true">{}</div>').format(parts)


def tier_sets_table(sets: Sequence[TierSet]) -> Table:
    """The tiers by each report's bands, and the cluster of answers that the portfolio is nearest to."""
    rows = []
    for one in sets:
        named = str(one.year) if one.year is not None else one.tier_set.capitalize()
        cells = [Cell(named, sort=str(one.year or 0), under=one.source)]
        cells += [_tier_cell(one.tiers.get(key, "unknown")) for key, _ in _KEY_COLUMNS]
        if one.year is None:
            cells.append(Cell("no report's", role="dim"))
        elif one.cluster == "unknown":
            cells.append(Cell("not known", role="dim", under=f"{one.keys_known} of 4 keys known"))
        else:
            cells.append(_tier_cell(one.cluster))
        rows.append(Row(tuple(cells)))
    return Table(
        caption="Tiers by the report of each year",
        columns=(Column("Report"), *(Column(title) for _, title in _KEY_COLUMNS), Column("Nearest cluster")),
        rows=tuple(rows),
        empty="No tier of this day is known.",
    )


def _tier_cell(name: str) -> Cell:
    tier: Tier | None = next((tier for tier in TIERS if tier == name), None)
    if name == "unknown":
        return Cell("not known", sort="", role="dim")
    return Cell(name.title(), sort=str(TIERS.index(tier)) if tier else name, tier=tier)


def quick_check_table(series: Sequence[Series], industry: Mapping[str, float] | None) -> Table:
    """DORA's Quick Check in points from 0 to 10; the industry's averages stand beside the parts they are of."""
    averages = _averages(industry or {})
    rows = []
    for one in series:
        point = one.points[-1] if one.points else None
        mean = averages.get(one.metric.key)
        cell = figure_cell(point, one.metric)
        if point is not None and point.value is not None:
            cell = Cell(f"{point.value:.1f}", sort=repr(point.value), under=cell.under)
        rows.append(
            Row(
                (
                    Cell(one.metric.title, href=addresses.metric(one.metric.key)),
                    cell,
                    Cell("not known", role="dim") if mean is None else Cell(f"{mean:.1f}", sort=repr(mean)),
                    Cell(one.metric.unknown if point is None or point.value is None else one.metric.definition),
                )
            )
        )
    return Table(
        caption="DORA's Quick Check",
        columns=(
            Column("Score of 10"), Column("Here", numeric=True), Column("Industry", numeric=True), Column("What it is"),
        ),
        rows=tuple(rows),
        empty="The Quick Check is not in the catalogue.",
    )  # fmt: skip


_THROUGHPUT = ("lead_time_hours", "deployment_frequency", "failed_deployment_recovery_hours")
_STABILITY = ("change_failure_rate", "rework_rate")


def _averages(industry: Mapping[str, float]) -> dict[str, float]:
    """The same means of the industry's averages, where all of their parts are given."""
    parts = {
        "quick_check_throughput": _THROUGHPUT,
        "quick_check_stability": _STABILITY,
        "quick_check_overall": (*_THROUGHPUT, *_STABILITY),
    }
    return {
        key: sum(industry[metric] for metric in metrics) / len(metrics)
        for key, metrics in parts.items()
        if all(metric in industry for metric in metrics)
    }
