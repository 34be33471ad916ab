"""The page of data quality: how fresh and whole the data is, what is not known and why, and what collecting cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import Series, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import TileView, tile
from metrics_assets.reporting.pages import data_quality_tables as tables
from metrics_assets.reporting.pages.data_quality_records import (
    Cost,
    FedFile,
    Freshness,
    Gap,
    Incomplete,
    MetricProblem,
    RejectedRow,
    StateCounts,
    TableDay,
)

__all__ = [
    "Cost", "DataQualityData", "FedFile", "Freshness", "Gap", "Incomplete", "MetricProblem", "RejectedRow",
    "StateCounts", "TableDay", "data_quality_files",
]  # fmt: skip

WANTED_SHARE = 0.995
COST_DAYS = 7
_STATUS_WORDS = {"healthy": "healthy", "issues": "with issues", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class DataQualityData:
    """All that the page shows; nothing in it is about a team.

    Attributes:
        repositories: how many are in the portfolio.
        lists, whole: how many lists were asked for about the day, and how many of them came whole.
        complete_share: the catalogue's own figure of that, day by day; None where the catalogue does not have it.
        freshness: by source and list.
        table_days: the newest day of each table of daily figures.
        checks: those that failed on the day; None where no status of the day was made.
        statuses: how the last 28 days stood, by status.
        states: by metric.
        gaps: days of data that its provider does not keep.
    """

    repositories: int
    lists: int
    whole: int
    complete_share: Series | None
    freshness: tuple[Freshness, ...]
    table_days: tuple[TableDay, ...]
    incomplete: tuple[Incomplete, ...]
    checks: tuple[str, ...] | None
    statuses: tuple[tuple[str, int], ...]
    states: tuple[StateCounts, ...]
    files: tuple[FedFile, ...]
    rejected: tuple[RejectedRow, ...]
    problems: tuple[MetricProblem, ...]
    costs: tuple[Cost, ...]
    gaps: tuple[Gap, ...]


def data_quality_files(site: SiteInfo, data: DataQualityData) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files."""
    day = site.data_through
    incomplete = sorted(data.incomplete, key=lambda one: (-one.days, one.subject, one.entity))
    states = sorted(data.states, key=lambda one: (-one.unknown, -one.too_few, one.title))
    yield (
        addresses.DATA_QUALITY,
        render(
            "data_quality.html.j2",
            path=addresses.DATA_QUALITY,
            site=site,
            title="Data quality",
            period=f"Data through {wording.day(day)} · {wording.repositories(data.repositories)} · "
            f"{wording.count(data.lists, 'list')} collected",
            sentences=_sentences(data, day),
            share=_share(data),
            share_tile=_share_tile(data),
            freshness=tables.freshness_table(data.freshness, day),
            table_days=tables.table_days_table(data.table_days, day),
            incomplete=tables.incomplete_table(incomplete, site),
            checks=data.checks,
            statuses=_statuses(data),
            states=tables.states_table(states, data.repositories),
            states_sentence=_states_sentence(data),
            files=tables.files_table(data.files),
            rejected=tables.rejected_table(data.rejected),
            problems=tables.problems_table(data.problems),
            costs=tables.costs_table(data.costs),
            cost_sentence=_cost_sentence(data),
            gaps=tables.gaps_table(data.gaps),
        ),
    )
    yield tables.STATES_CSV, tables.states_csv(states)
    yield tables.INCOMPLETE_CSV, tables.incomplete_csv(incomplete)
    yield tables.REJECTED_CSV, tables.rejected_csv(data.rejected)
    yield tables.COSTS_CSV, tables.costs_csv(data.costs)
    yield tables.GAPS_CSV, tables.gaps_csv(data.gaps)


def _sentences(data: DataQualityData, day: date) -> tuple[str, ...]:
    if not data.lists:
        first = f"Nothing was collected about {wording.day(day)}."
    elif data.whole == data.lists:
        first = f"All {data.lists:,} lists that were asked for came whole."
    else:
        missing = data.lists - data.whole
        first = f"{missing:,} of {data.lists:,} lists did not come whole; figures that rest on them may be unknown."
    return first, _checks_sentence(data)


def _checks_sentence(data: DataQualityData) -> str:
    if data.checks is None:
        return "Whether the day's checks passed is not known: no status of the day was made."
    if data.checks:
        return f"{wording.count(len(data.checks), 'check')} failed."
    return "All checks of the day passed."


def _share(data: DataQualityData) -> str:
    if not data.lists:
        return "not known: nothing was collected about this day"
    share = data.whole / data.lists
    said = wording.quantity(share, "ratio")
    against = "over" if share > WANTED_SHARE else "not over"
    return f"{said} of {data.lists:,} lists came whole; {against} the 99.5 % wanted"


def _share_tile(data: DataQualityData) -> TileView | None:
    if data.complete_share is None:
        return None
    return tile(data.complete_share, href=addresses.metric(data.complete_share.metric.key))


def _statuses(data: DataQualityData) -> str:
    total = sum(number for _, number in data.statuses)
    if not total:
        return "No status of the last 28 days was made."
    parts = [f"{number} {_STATUS_WORDS.get(status, status)}" for status, number in data.statuses]
    return f"Of the last 28 days, {wording.count(total, 'has', 'have')} a status: {wording.listed(parts)}."


def _states_sentence(data: DataQualityData) -> str:
    cells = sum(one.known + one.provisional + one.too_few + one.unknown for one in data.states)
    if not cells:
        return "No figure of a repository is known of this day."
    unknown, few = sum(one.unknown for one in data.states), sum(one.too_few for one in data.states)
    return (
        f"Of {cells:,} figures of repositories ({len(data.states):,} each) {unknown:,} are not known and {few:,} stand "
        "on too few events. None of them is shown as a number, and none as zero."
    )


def _cost_sentence(data: DataQualityData) -> str:
    requests = sum(one.requests for one in data.costs)
    if not requests:
        return f"Nothing is noted of the requests that collected the last {COST_DAYS} days."
    free = sum(one.not_modified for one in data.costs)
    waited = sum(one.waited_seconds for one in data.costs)
    return (
        f"The last {COST_DAYS} days were collected with {requests:,.0f} requests, {free:,.0f} of them answered by "
        f"'not modified', which costs nothing, and {wording.quantity(waited / 3600, 'hours')} of waiting for limits."
    )
