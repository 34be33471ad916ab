"""Goals and forecasts in a report: where each goal stands, and what is expected half a year ahead."""

from __future__ import annotations

from collections.abc import Iterable

from metrics_assets.reporting.documents import Block, Bullets, Grid, Paragraph
from metrics_assets.reporting.reports.lines import amount, day, target_text
from metrics_assets.reporting.reports.records import Figures, GoalState, Outlook
from metrics_assets.reporting.wording import count

UNSAID = "no forecast"


def goal_name(figures: Figures, goal: GoalState) -> str:
    return goal.title if goal.subject_kind == "portfolio" else f"{goal.title}, {goal.subject}"


def goal_status(figures: Figures, goal: GoalState) -> str:
    """The status in a word; a goal that is over and was not met is missed."""
    is_over = goal.target.due_on is not None and goal.target.due_on <= figures.through
    return "missed" if is_over and goal.status == "off track" else goal.status


def goal_outlook(figures: Figures, goal: GoalState) -> str:
    """What the forecast says of a goal."""
    if goal.status == "met" or (goal.target.due_on is not None and goal.target.due_on <= figures.through):
        return ""
    if goal.target.due_on is not None and goal.probability is not None:
        return f"{chance(goal.probability)} to be met by {day(goal.target.due_on)}"
    if goal.likely_on is not None:
        return f"likely about {day(goal.likely_on)}"
    return UNSAID if goal.probability is None else "not in sight"


def chance(probability: float) -> str:
    """A probability as people say it; a forecast is never quite certain."""
    if probability < 0.01:
        return "under 1 % likely"
    if probability > 0.99:
        return "over 99 % likely"
    return f"{probability * 100:.0f} % likely"


def goals_grid(figures: Figures, goals: Iterable[GoalState]) -> list[Block]:
    rows = tuple(
        (
            goal_name(figures, goal),
            "not known" if goal.value is None else amount(goal.value, goal.metric.unit),
            target_text(goal.value, goal.target, goal.metric.unit, figures.through).removeprefix("target "),
            goal_status(figures, goal),
            goal_outlook(figures, goal),
        )
        for goal in goals
    )
    columns = ("Goal", "Now", "Target", "Status", "Outlook")
    if all(row[-1] in ("", UNSAID) for row in rows):  # a column that says nothing
        return [Grid(columns[:-1], tuple(row[:-1] for row in rows))] if rows else []
    return [Grid(columns, rows)]


def judged(figures: Figures) -> list[GoalState]:
    """The goals that still count: those that were due before the period are history."""
    first = figures.period_start
    return [goal for goal in figures.goals if goal.target.due_on is None or goal.target.due_on >= first]


def goal_count(figures: Figures) -> str:
    """'4 of 17 goals that can be judged are met, 2 at risk, 11 off track'."""
    goals = judged(figures)
    known = [goal for goal in goals if goal.status != "unknown"]
    if not known:
        return "No goal can be judged yet"
    parts = [f"{sum(goal.status == 'met' for goal in known)} of {count(len(known), 'goal')} met"]
    for status in ("on track", "at risk", "off track"):
        if number_of := sum(goal.status == status for goal in known):
            parts.append(f"{number_of} {status}")
    missing = len(goals) - len(known)
    return ", ".join(parts) + (f"; {missing} more cannot be judged" if missing else "")


def outlook_blocks(figures: Figures, metrics: Iterable[str]) -> list[Block]:
    """What is expected half a year ahead, by scenario, and why there is none where there is none."""
    rows, without = [], []
    metrics = list(metrics)
    for outlook in figures.outlooks:
        if outlook.metric.key not in metrics:
            continue
        if outlook.p50 is None:
            without.append(f"{outlook.metric.title} ({(outlook.reason or 'too little history').rstrip('.')})")
            continue
        unit = outlook.metric.unit
        found = {one.name: one for one in outlook.scenarios}
        cells = [
            amount(found[name].p50, unit) if name in found else "–"
            for name in ("pessimistic", "realistic", "optimistic")
        ]
        if not found:
            cells = ["–", amount(outlook.p50, unit), "–"]
        between = "–"
        if outlook.p10 is not None and outlook.p90 is not None:
            between = f"{amount(outlook.p10, unit)} to {amount(outlook.p90, unit)}"
        rows.append((outlook.metric.title, *cells, between))
    said: list[Block] = []
    if rows:
        newest = next(one for one in figures.outlooks if one.metric.key in metrics and one.p50 is not None)
        columns = ("Expected", "Pessimistic", "Realistic", "Optimistic", "8 days in 10 between")
        said.append(
            Paragraph(
                f"Expected on {day(newest.target_on)}, as forecast on {day(newest.made_on)}. The scenarios take the "
                "growth that is expected times 0.7, 1 and 1.3; shares and scores have no such scenarios."
            )
        )
        said.append(Grid(columns, tuple(rows)))
        said += [Bullets(tuple(_reads(outlook) for outlook in figures.outlooks if _is_read(outlook, metrics)))]
    asked = {outlook.metric.key for outlook in figures.outlooks}
    if not asked & set(metrics):
        said.append(Paragraph(f"No forecast was made in the week to {day(figures.through)}."))
    if without:
        said.append(Paragraph(f"No forecast: {'; '.join(without)}."))
    return [block for block in said if not isinstance(block, Bullets) or block.items]


def _is_read(outlook: Outlook, metrics: Iterable[str]) -> bool:
    return outlook.metric.key in metrics and outlook.p50 is not None


def _reads(outlook: Outlook) -> str:
    """How far a forecast can be trusted, by its backtest 30 days ahead."""
    title = outlook.metric.title
    if outlook.coverage is None:
        return f"{title}: the history is too short to check such forecasts; take it as a direction."
    better = "better" if outlook.beats_naive else "no better"
    return (
        f"{title}: 30 days ahead such forecasts did {better} than the last value; {outlook.coverage * 100:.0f} % of "
        "days fell inside the band (80 % would be right)."
    )
