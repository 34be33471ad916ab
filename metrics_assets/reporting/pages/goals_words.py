"""Goals in words: the target, the way to it, and when it is reached by the forecast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import MetricInfo
from metrics_assets.reporting.pages.community_words import cut

COMPARISONS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}
EXCEPTIONS = ("off track", "at risk")  # worst first
CALM = ("on track", "met")
STATUSES = (*EXCEPTIONS, *CALM, "unknown")
_FAR = 0.01


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a goal is reached: a row of metrics.goal_forecasts."""

    state: str  # ok | met | unknown
    p10_on: date | None = None
    p50_on: date | None = None
    p90_on: date | None = None
    probability: float | None = None  # of reaching it by its due day, or by looked_until where none is due
    looked_until: date | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal of a subject on the site's day: a row of metrics.goals_daily with its entry in the catalogue.

    `pack` and `area` say where it stands in the tree; `feed` what to feed where its value is not known.
    """

    goal: str
    title: str
    metric: MetricInfo
    subject_kind: str
    subject: str
    target: float
    comparison: str
    status: str
    reason: str
    pack: str = "Own goals"
    area: str = ""
    value: float | None = None
    due_on: date | None = None
    starts_on: date | None = None
    base: float | None = None
    expected: float | None = None
    progress: float | None = None
    outlook: Outlook | None = None
    feed: str = ""


def target_words(goal: Goal) -> str:
    return f"{COMPARISONS.get(goal.comparison, goal.comparison)} {wording.quantity(goal.target, goal.metric.unit)}"


def due_words(goal: Goal, today: date) -> str:
    if goal.due_on is None:
        return "at all times"
    if goal.due_on < today:
        return f"was due {wording.day(goal.due_on)}"
    return "due today" if goal.due_on == today else f"due {wording.day(goal.due_on)}"


def reason_words(reason: str) -> str:
    """The reason, with its days as people read them, as a sentence."""
    said = wording.written_days(cut(reason, 300))
    said = said[:1].upper() + said[1:]
    return said if not said or said[-1] in ".!?…" else f"{said}."


def way(goal: Goal) -> tuple[float | None, float | None]:
    """The share of the way that is done, and the share that ought to be by now.

    Of a goal without a day the value itself is held against the target.
    """
    if goal.value is None:
        return None, None
    if goal.progress is not None:
        should = None
        if goal.expected is not None and goal.base is not None and goal.target != goal.base:
            should = (goal.expected - goal.base) / (goal.target - goal.base)
        return goal.progress, should
    more_is_better = goal.comparison in ("at_least", "above")
    if goal.target <= 0 or goal.value < 0:
        return (1.0 if goal.status == "met" else None), None
    if more_is_better:
        return goal.value / goal.target, None
    return 1.0 if goal.value <= goal.target else goal.target / goal.value, None


def way_words(goal: Goal) -> str:
    """How far it is, beside the bar: '43 % of the way', '80 % of it', '2.5 times the limit'."""
    done, _ = way(goal)
    if done is None or goal.value is None:
        return ""
    if goal.progress is not None:
        return f"{share_words(done)} of the way"
    if goal.comparison in ("at_least", "above"):
        return f"{share_words(done)} of it"
    times = goal.value / goal.target if goal.target > 0 else 0.0
    return "within it" if times <= 1 else f"{times:,.1f} times the limit"


def share_words(share: float) -> str:
    return f"{max(share, 0) * 100:.0f}{wording.NO_BREAK}%" if share < 10 else "over 10 times"


def forecast_words(goal: Goal, today: date) -> str:
    """'reached about 3 Feb 2026 (between 10 Jan 2026 and 5 Apr 2026), odds 62 % by the due day'."""
    outlook = goal.outlook
    if outlook is None:
        return "no forecast: the figure is not forecast"
    if outlook.state == "met":
        is_late = goal.due_on is not None and goal.due_on < today and goal.status != "met"
        return "the target is met, after the due day" if is_late else "the target is met"
    if outlook.state != "ok":
        return f"no forecast: {reason_words(outlook.reason or 'too little is known.')}"
    return _when(outlook) + _odds(goal, outlook, today)


def _when(outlook: Outlook) -> str:
    early, middle, late = outlook.p10_on, outlook.p50_on, outlook.p90_on
    until = f" by {wording.day(outlook.looked_until)}" if outlook.looked_until else ""
    if middle is not None:
        if early is not None and late is not None and early < late:
            return f"reached about {wording.day(middle)} (between {wording.day(early)} and {wording.day(late)})"
        earliest = f" ({wording.day(early)} at the earliest, perhaps not{until})" if early is not None else ""
        return f"reached about {wording.day(middle)}{earliest if late is None else ''}"
    if early is not None:
        return f"not expected{until}, {wording.day(early)} at the earliest"
    return f"not expected{until}"


def _odds(goal: Goal, outlook: Outlook, today: date) -> str:
    if outlook.probability is None or (goal.due_on is not None and goal.due_on <= today):
        return ""  # its day is over: the odds of reaching it in time are not a question any more
    by = "by the due day" if goal.due_on is not None else "by then"
    return f", odds {odds(outlook.probability)} {by}"


def odds(probability: float) -> str:
    """A chance in per cent; nothing that lies ahead is quite sure or quite out of the question."""
    if probability < _FAR:
        return f"under 1{wording.NO_BREAK}%"
    if probability > 1 - _FAR:
        return f"over 99{wording.NO_BREAK}%"
    return f"{probability * 100:.0f}{wording.NO_BREAK}%"
