"""When goals are reached: each goal that counts, for each subject that has a forecast of its metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metrics_assets.assets.goals import GRAIN_DAYS, Portfolio, months_after
from metrics_assets.catalogue.goals import Goal
from metrics_assets.catalogue.metrics import Metric

if TYPE_CHECKING:
    from metrics_assets.analysis.forecasting import Outlook
    from metrics_assets.analysis.forecasting.grid import Grid

GOAL_COLUMNS = [
    "goal", "subject_kind", "subject", "date", "metric", "target", "comparison", "due_on", "p10_on", "p50_on", "p90_on",
    "probability", "looked_until", "extrapolated", "state", "reason",
]  # fmt: skip
_LOOKED_DAYS = 180  # where the goal is due later, until then
_STANDS_DAYS = 7  # a value of more days ago is no value of today


def goal_rows(
    goals: Iterable[Goal], portfolio: Portfolio, metrics: Mapping[str, Metric], origin: date, outlook: Outlook | None
) -> pd.DataFrame:
    """The rows of metrics.goal_forecasts on the day `origin`.

    Args:
        goals: that count.
        metrics: that are forecast; goals of others have no row.
        outlook: None where there is no series at all.
    """
    rows = []
    for goal in goals:
        if goal.metric not in metrics:
            continue
        due = months_after(portfolio.start, goal.months) if goal.months else goal.by
        for subject, series in _subjects(goal, portfolio, outlook).items():
            row: dict[str, Any] = {
                "goal": goal.key,
                "subject_kind": goal.subject_kind,
                "subject": subject,
                "date": origin,
                "metric": goal.metric,
                "target": goal.target,
                "comparison": goal.comparison,
                "due_on": due,
            }
            if outlook is None or series is None:
                unknown = f"No value of '{metrics[goal.metric].title}' of {subject} is known lately."
                rows.append(row | {"state": "unknown", "reason": unknown})
            else:
                rows.append(row | _reached(goal, metrics[goal.metric], due, outlook, series))
    return pd.DataFrame(rows, columns=GOAL_COLUMNS)


def _subjects(goal: Goal, portfolio: Portfolio, outlook: Outlook | None) -> dict[str, int | None]:
    """Whom a goal is about, each with the number of its series; the one that it names even without a series."""
    found: dict[str, int | None] = {}
    if outlook is not None:
        keys = outlook.grid.keys
        of_goal = (keys["metric"] == goal.metric) & (keys["subject_kind"] == goal.subject_kind)
        found = {str(keys["subject"].iloc[number]): int(number) for number in np.flatnonzero(of_goal)}
    wanted = portfolio.name if goal.subject_kind == "portfolio" and not goal.subject else goal.subject
    return found if wanted is None else {wanted: found.get(wanted)}


def _reached(goal: Goal, metric: Metric, due: date | None, outlook: Outlook, series: int) -> dict[str, Any]:
    """What is said of a goal and a series: met, or on which days and how likely, or why that is unknown."""
    from metrics_assets.analysis.forecasting import goal_date
    from metrics_assets.analysis.insights.wording import amount

    grid, path = outlook.grid, outlook.paths[series]
    assert goal.comparison is not None  # filled in when the goals were read
    latest = int(np.flatnonzero(~np.isnan(grid.values[series]))[-1])
    known_on = grid.last - timedelta(days=grid.days - 1 - latest)
    value = float(grid.values[series, latest])
    is_over = due is not None and due <= grid.last
    at_due = _value_on(due, GRAIN_DAYS[metric.grain], grid, series) if due is not None and is_over else None
    if at_due is not None and _meets(at_due, goal.target, goal.comparison):
        return {
            "state": "met",
            "probability": 1.0,
            "reason": f"It was {amount(at_due, metric.unit)} on the due day ({due}): the target is met.",
        }
    # From the due day on that day's value decides, as in metrics.goals_daily.
    missed = f"; the value of the due day ({due}) is not known" if at_due is None else f", after the due day ({due})"
    chance = None if at_due is None else 0.0
    if (grid.last - known_on).days < _STANDS_DAYS and _meets(value, goal.target, goal.comparison):
        return {
            "state": "met",
            "probability": chance if is_over else 1.0,
            "reason": f"It was {amount(value, metric.unit)} on {known_on}: the target is met"
            f"{missed if is_over else ''}.",
        }
    if np.isnan(path).any():
        return {"state": "unknown", "reason": outlook.reasons[series]}
    days = [grid.last + timedelta(days=number + 1) for number in range(len(path))]
    table = pd.DataFrame({"date": days, "p10": path[:, 0], "p50": path[:, 1], "p90": path[:, 2]})
    until = grid.last + timedelta(days=_LOOKED_DAYS)
    ahead = None if is_over else due
    found = goal_date(table, goal.target, goal.comparison, due=ahead, until=until, highest=float(grid.upper[series]))
    said = []
    if is_over:
        said.append(f"It was due on {due}; the days say when the target is reached after all.")
    if is_over and at_due is None:
        said.append("Its value on the due day is not known.")
    if found.p50 is None:
        said.append(f"It is not expected by {found.last}.")
    if found.extrapolated:
        said.append(f"After {days[-1]} the forecast goes on with its mean growth.")
    return {
        "state": "ok",
        "p10_on": found.p10,
        "p50_on": found.p50,
        "p90_on": found.p90,
        "probability": chance if is_over else found.probability,
        "looked_until": found.last,
        "extrapolated": found.extrapolated,
        "reason": " ".join(said) or None,
    }


def _value_on(day: date, stands_days: int, grid: Grid, series: int) -> float | None:
    """The known value that stands on a day; None where there is none, or the day is older than what was read."""
    at = grid.days - 1 - (grid.last - day).days
    lately = grid.values[series, max(at - stands_days + 1, 0) : max(at + 1, 0)]
    known = lately[~np.isnan(lately)]
    return float(known[-1]) if len(known) else None


def _meets(value: float, target: float, comparison: str) -> bool:
    match comparison:
        case "at_least":
            return value >= target
        case "at_most":
            return value <= target
        case "above":
            return value > target
        case _:
            return value < target
