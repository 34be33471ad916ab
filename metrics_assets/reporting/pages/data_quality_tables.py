"""The tables of the page of data quality."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.kit import Cell, Column, Row, Table, rows_csv
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

MOST_SHOWN = 50
STATES_CSV, INCOMPLETE_CSV = "data/unknown-figures.csv", "data/incomplete-lists.csv"
REJECTED_CSV, COSTS_CSV, GAPS_CSV = "data/rejected-rows.csv", "data/collection-cost.csv", "data/perishable-gaps.csv"
# What to do about each class of problem (see sources/errors.py).
_REMEDIES = {
    "Unauthorized": "Set a token that is accepted; `metrics check` says which one is asked for.",
    "NotFound": "Correct the name in metrics.yaml, take it out, or give the token access to it.",
    "Forbidden": "Give the token the permission that the reason names; `metrics check` lists what is missing.",
    "Blocked": "Nothing: the provider has taken it down. Its history is kept.",
    "NotReady": "Nothing: the provider is still computing; the next run asks again.",
    "TooHeavy": "Nothing yet: the next run asks for smaller pages. If it stays, collect fewer days at once.",
    "RateLimited": "Raise share_of_budget, or let the run start when the limit is unused.",
    "Unavailable": "Nothing yet: the next run asks again. If it stays, look at the provider's status page.",
    "BadAnswer": "Report it with the reason: the provider has changed its answer.",
    "Incomplete": "Run the days again; if the same rows are missing, the provider does not give them.",
}
_ELSE = "Run the days again (`metrics run --from ... --to ...`); if it stays, the run's log says more."


def freshness_table(freshness: Sequence[Freshness], day: date) -> Table:
    """By source and list: the newest day, its age, and how many are up to the day."""
    rows = []
    for one in sorted(freshness, key=lambda one: (one.current == one.subjects, one.source, one.entity)):
        behind = one.subjects - one.current
        state = (
            Cell("up to the day", sort="0", role="ok", glyph="✓")
            if not behind
            else Cell(f"{behind:,} behind", sort=str(behind), role="watch", glyph="!", under=_farthest(one))
        )
        rows.append(
            Row((
                Cell(one.entity.replace("_", " ").capitalize()), Cell(one.source), _day(one.newest),
                _age(one.newest, day), Cell(f"{one.current:,} of {one.subjects:,}", sort=str(one.current)), state,
            ))
        )  # fmt: skip
    columns = (
        Column("List"), Column("Source"), Column("Newest day", numeric=True), Column("Age", numeric=True),
        Column("Up to the day", numeric=True), Column("State", numeric=True),
    )  # fmt: skip
    return Table("Lists: the newest day of each", columns, tuple(rows), empty="Nothing has been collected yet.")


def _farthest(one: Freshness) -> str:
    if one.oldest is None:
        return f"{one.farthest}: never whole"
    return f"{one.farthest}: {wording.day(one.oldest)}"


def _day(day: date | None) -> Cell:
    return Cell("never", sort="", role="dim") if day is None else Cell(wording.day(day), sort=day.isoformat())


def _age(newest: date | None, day: date) -> Cell:
    if newest is None:
        return Cell("not known", sort="", role="dim")
    days = (day - newest).days
    return Cell(wording.count(days, "day") if days > 0 else "none", sort=str(max(days, 0)))


def table_days_table(table_days: Sequence[TableDay], day: date) -> Table:
    """The newest day of each table of daily figures, the oldest first."""
    rows = [
        Row((Cell(one.table), _day(one.newest), _age(one.newest, day)))
        for one in sorted(table_days, key=lambda one: (one.newest, one.table))
    ]
    columns = (Column("Table"), Column("Newest day", numeric=True), Column("Age", numeric=True))
    return Table("Tables of figures: the newest day of each", columns, tuple(rows), empty="No table has a day yet.")


def remedy(error_class: str | None) -> str:
    """What to do about a list that did not come whole."""
    return _REMEDIES.get(error_class or "", _ELSE)


def incomplete_table(incomplete: Sequence[Incomplete], site: SiteInfo) -> Table:
    """Lists that did not come whole, with the reason and what to do."""
    rows = []
    for one in incomplete[:MOST_SHOWN]:
        path = addresses.repository(one.subject)
        rows.append(
            Row((
                Cell(one.subject, href=path if path in site.pages else None),
                Cell(one.entity.replace("_", " "), under=one.source),
                Cell(wording.count(one.days, "day"), sort=str(one.days)),
                Cell(one.reason),
                Cell(remedy(one.error_class)),
            ))
        )  # fmt: skip
    columns = (
        Column("Of"), Column("List"), Column("In a row", numeric=True), Column("Why"), Column("What to do"),
    )  # fmt: skip
    return Table(
        "Lists that did not come whole", columns, tuple(rows), csv=INCOMPLETE_CSV,
        empty="Every list came whole.", note=wording.shown(len(rows), len(incomplete)),
    )  # fmt: skip


def states_table(states: Sequence[StateCounts], repositories: int) -> Table:
    """By figure, in how many repositories it is known, and why it may not be."""
    missing = [one for one in states if one.unknown or one.too_few]
    rows = []
    for one in missing[:MOST_SHOWN]:
        why = one.why
        if one.too_few and one.minimum_n and one.minimum_n > 1:
            why = f"{why} Too few: under {one.minimum_n} in its window."
        rows.append(
            Row((
                Cell(one.title, href=addresses.metric(one.metric)),
                *(Cell(f"{number:,}") for number in (one.known, one.provisional, one.too_few, one.unknown)),
                Cell(why),
            ))
        )  # fmt: skip
    columns = (
        Column("Figure"), Column("Known", numeric=True), Column("Provisional", numeric=True),
        Column("Too few", numeric=True), Column("Not known", numeric=True), Column("Why it may not be known"),
    )  # fmt: skip
    return Table(
        f"Figures that are not known in all of {wording.repositories(repositories)}", columns, tuple(rows),
        csv=STATES_CSV, empty="Every figure is known in every repository, if only provisionally.",
        note=wording.shown(len(rows), len(missing)),
        filterable=True,
    )  # fmt: skip


def files_table(files: Sequence[FedFile]) -> Table:
    """Files that were fed."""
    rows = []
    for one in files[:MOST_SHOWN]:
        rejected = Cell("none", sort="0", role="ok", glyph="✓")
        if one.rows_rejected:
            rejected = Cell(f"{one.rows_rejected:,}", sort=str(one.rows_rejected), role="watch", glyph="!")
        rows.append(
            Row((
                Cell(one.file), Cell(f"{one.rows_read:,}"), Cell(f"{one.rows_written:,}"), rejected,
                Cell(wording.day(one.loaded_on), sort=one.loaded_on.isoformat()),
            ))
        )  # fmt: skip
    columns = (
        Column("File"), Column("Rows", numeric=True), Column("Taken", numeric=True), Column("Rejected", numeric=True),
        Column("Read on", numeric=True),
    )  # fmt: skip
    return Table("Fed files", columns, tuple(rows), empty="No file has been fed.")


def rejected_table(rejected: Sequence[RejectedRow]) -> Table:
    """Rows of fed files that could not be taken, and why."""
    rows = [
        Row((Cell(one.file), Cell(f"{one.line:,}", sort=str(one.line)), Cell(one.problem)))
        for one in rejected[:MOST_SHOWN]
    ]
    columns = (Column("File"), Column("Line", numeric=True), Column("What is wrong"))
    return Table(
        "Rows that could not be taken", columns, tuple(rows), csv=REJECTED_CSV, empty="Every row could be taken.",
        note=wording.shown(len(rows), len(rejected)),
    )  # fmt: skip


def problems_table(problems: Sequence[MetricProblem]) -> Table:
    """Metrics that could not be calculated, and why."""
    rows = [Row((Cell(one.metric), Cell(one.problem))) for one in problems[:MOST_SHOWN]]
    return Table(
        "Metrics that could not be calculated", (Column("Metric"), Column("What is wrong")), tuple(rows),
        empty="Every metric could be calculated.",
        note=wording.shown(len(rows), len(problems), rest=""),
    )  # fmt: skip


def costs_table(costs: Sequence[Cost]) -> Table:
    """What the sources were asked."""
    rows = []
    for one in costs[:MOST_SHOWN]:
        share = Cell("no limit is known", sort="", role="dim")
        if one.limit:
            used = one.busiest / one.limit
            share = Cell(
                str(wording.quantity(used, "ratio")), sort=f"{used:.6f}",
                under=f"{one.busiest:,.0f} of {one.limit:,.0f} in an hour",
            )  # fmt: skip
        rows.append(
            Row((
                Cell(one.source, under=one.resource), Cell(f"{one.requests:,.0f}"), Cell(f"{one.points:,.0f}"),
                Cell(f"{one.not_modified:,.0f}"), Cell(f"{one.retries:,.0f}"),
                Cell(str(wording.quantity(one.waited_seconds / 3600, "hours")), sort=f"{one.waited_seconds:.1f}"),
                share,
            ))
        )  # fmt: skip
    columns = (
        Column("Source"), Column("Requests", numeric=True), Column("Points", numeric=True),
        Column("Not modified", numeric=True), Column("Tried again", numeric=True), Column("Waited", numeric=True),
        Column("Busiest run, of the limit", numeric=True),
    )  # fmt: skip
    return Table(
        "What collecting the last 7 days cost", columns, tuple(rows), csv=COSTS_CSV,
        empty="Nothing is noted of what collecting cost.", note=wording.shown(len(rows), len(costs)),
    )  # fmt: skip


def gaps_table(gaps: Sequence[Gap]) -> Table:
    """Days that are missing of data that its provider does not keep."""
    ranked = sorted(gaps, key=lambda one: (-one.lost, -one.missing, one.what, one.subject))
    rows = []
    for one in ranked[:MOST_SHOWN]:
        can_be_had = one.missing - one.lost
        lost = Cell("none", sort="0", role="ok", glyph="✓")
        if one.lost:
            lost = Cell(f"{one.lost:,}", sort=str(one.lost), role="bad", glyph="✕")
        rows.append(
            Row((
                Cell(one.subject), Cell(one.what, under=f"kept for {one.kept_days} days"),
                Cell(f"{one.missing:,} of {one.of_days:,}", sort=str(one.missing)), lost,
                Cell(wording.day(one.newest_missing), sort=one.newest_missing.isoformat()),
                Cell(f"Run the last {one.kept_days} days again: {wording.count(can_be_had, 'day')} can still be had."
                     if can_be_had else "Nothing: the provider has dropped them."),
            ))
        )  # fmt: skip
    columns = (
        Column("Of"), Column("Data"), Column("Days missing", numeric=True), Column("Lost for good", numeric=True),
        Column("Newest gap", numeric=True), Column("What to do"),
    )  # fmt: skip
    return Table(
        "Gaps in data that its provider does not keep", columns, tuple(rows), csv=GAPS_CSV,
        empty="No day of perishable data is missing.", note=wording.shown(len(rows), len(gaps)),
    )  # fmt: skip


def states_csv(states: Sequence[StateCounts]) -> str:
    """All figures by state."""
    columns = ("metric", "title", "known", "provisional", "too_few", "unknown", "minimum_n", "why")
    return rows_csv(columns, (
        (one.metric, one.title, one.known, one.provisional, one.too_few, one.unknown, one.minimum_n, one.why)
        for one in states
    ))  # fmt: skip


def incomplete_csv(incomplete: Sequence[Incomplete]) -> str:
    """All lists that did not come whole."""
    columns = ("source", "subject", "list", "days_in_a_row", "reason", "what_to_do")
    return rows_csv(columns, (
        (one.source, one.subject, one.entity, one.days, one.reason, remedy(one.error_class)) for one in incomplete
    ))  # fmt: skip


def rejected_csv(rejected: Sequence[RejectedRow]) -> str:
    """All rows that could not be taken."""
    return rows_csv(("file", "line", "problem"), ((one.file, one.line, one.problem) for one in rejected))


def costs_csv(costs: Sequence[Cost]) -> str:
    """What every source and resource cost."""
    columns = (
        "source", "resource", "requests", "points", "not_modified", "retries", "waited_seconds", "busiest_run",
        "limit_per_hour",
    )  # fmt: skip
    return rows_csv(columns, (
        (one.source, one.resource, one.requests, one.points, one.not_modified, one.retries, one.waited_seconds,
         one.busiest, one.limit)
        for one in costs
    ))  # fmt: skip


def gaps_csv(gaps: Sequence[Gap]) -> str:
    """All gaps."""
    columns = ("subject", "data", "missing_days", "of_days", "lost", "kept_days", "newest_missing")
    return rows_csv(columns, (
        (one.subject, one.what, one.missing, one.of_days, one.lost, one.kept_days, one.newest_missing) for one in gaps
    ))  # fmt: skip
