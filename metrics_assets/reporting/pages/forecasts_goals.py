"""When goals are reached: the odds, and the days with a chance of 10, 50 and 90 %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import MetricInfo
from metrics_assets.reporting.kit import Cell, Column, Row, Table, rows_csv
from metrics_assets.reporting.pages.forecasts_records import GoalForecast

MOST_SHOWN = 50
_CONDITIONS = {"at_least": "at least", "at_most": "at most", "above": "over", "below": "under"}


def goal_table(goals: Sequence[GoalForecast], metrics: Mapping[str, MetricInfo], *, csv: str) -> Table:
    """The goals that are open, by their odds; then those that are met, then those of which nothing is known."""
    ranked = sorted(goals, key=_order)
    rows = [_row(one, metrics) for one in ranked[:MOST_SHOWN]]
    columns = (
        Column("Goal"), Column("Subject"), Column("Target", numeric=True), Column("Due", numeric=True),
        Column("Odds", numeric=True), Column("Even chance by", numeric=True), Column("Why"),
    )  # fmt: skip
    note = wording.shown(len(rows), len(goals))
    return Table(
        "Goals: the odds of reaching them", columns, tuple(rows), csv=csv,
        empty="No goal has a figure that is forecast.", note=note, filterable=True,
    )  # fmt: skip


def goals_csv(goals: Sequence[GoalForecast]) -> str:
    """All goals that are forecast."""
    columns = (
        "goal", "subject_kind", "subject", "metric", "target", "comparison", "due_on", "p10_on", "p50_on", "p90_on",
        "probability", "looked_until", "state", "reason",
    )  # fmt: skip
    return rows_csv(columns, (
        (one.title, one.subject_kind, one.subject, one.metric, one.target, one.comparison, one.due_on, one.p10_on,
         one.p50_on, one.p90_on, one.probability, one.looked_until, one.state, one.reason)
        for one in sorted(goals, key=_order)
    ))  # fmt: skip


def _order(one: GoalForecast) -> tuple[int, int, float, str, str]:
    state = {"ok": 0, "met": 1}.get(one.state, 2)
    # What is still ahead first; a goal whose day is over can only be reached after all.
    is_over = one.state == "ok" and one.probability == 0 and one.due_on is not None
    return state, int(is_over), -(one.probability or 0), one.title, one.subject


def _row(one: GoalForecast, metrics: Mapping[str, MetricInfo]) -> Row:
    unit = metrics[one.metric].unit if one.metric in metrics else "count"
    target = f"{_CONDITIONS.get(one.comparison, one.comparison)} {wording.quantity(one.target, unit)}"
    return Row((
        Cell(one.title, href=addresses.metric(one.metric)),
        Cell(one.subject),
        Cell(target, sort=repr(one.target)),
        Cell(wording.day(one.due_on), sort=one.due_on.isoformat()) if one.due_on else Cell("always", sort=""),
        _odds(one),
        _even(one),
        Cell(one.reason or ""),
    ))  # fmt: skip


def _odds(one: GoalForecast) -> Cell:
    if one.state == "met" and one.probability != 0:
        glyph, word, role = wording.status("met")
        return Cell(word, sort="1", role=role, glyph=glyph)
    if one.probability is None:
        return Cell("not known", sort="", role="dim")
    until = None if one.due_on or not one.looked_until else f"by {wording.day(one.looked_until)}"
    return Cell(wording.odds(one.probability), sort=f"{one.probability:.6f}", under=until)


def _even(one: GoalForecast) -> Cell:
    if one.state == "met":
        return Cell("reached", sort="", role="dim")
    if one.p50_on is not None:
        ends = [
            f"{wording.day(one.p10_on)}" if one.p10_on else "",
            f"{wording.day(one.p90_on)}" if one.p90_on else "later",
        ]
        return Cell(wording.day(one.p50_on), sort=one.p50_on.isoformat(), under=" to ".join(end for end in ends if end))
    if one.state == "unknown" or one.looked_until is None:
        return Cell("not known", sort="", role="dim")
    under = f"one in ten by {wording.day(one.p10_on)}" if one.p10_on else None
    return Cell(f"not by {wording.day(one.looked_until)}", sort="9999", under=under)
