"""What somebody has to decide, as the figures put it: questions, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from metrics_assets.reporting.reports.goals import UNSAID, goal_name, goal_outlook, judged
from metrics_assets.reporting.reports.lines import amount
from metrics_assets.reporting.reports.parts import SPAN
from metrics_assets.reporting.reports.records import Figures, GoalState, RuleReview
from metrics_assets.reporting.wording import count, listed

_AHEAD = timedelta(days=100)  # goals that are due later need no decision yet
_MOST_MISSING = 3  # musts of a gate that somebody might do without
_MANY_UNKNOWN = 5
_MANY_FIRED = 3
_NOISY = 0.5
_DAYS = {"month": "a month", "quarter": "a quarter", "week": "a week"}


def decisions(figures: Figures, most: int) -> tuple[str, ...]:
    found = sorted(_decisions(figures), key=lambda one: (-one[0], one[1]))
    return tuple(text for _, text in found[:most])


def _decisions(figures: Figures) -> Iterator[tuple[float, str]]:
    for goal in judged(figures):
        due, is_bad = goal.target.due_on, goal.status in ("off track", "at risk")
        if is_bad and due is not None and due <= figures.period_end + _AHEAD:
            yield 50 - min((due - figures.period_start).days, 40), _about(figures, goal)
    titles = {measure.metric.key: measure.metric.title.lower() for measure in figures.measures}
    for one in figures.repositories:
        low = [titles.get(key.metric, key.metric) for key in one.keys if key.tier == "low"]
        stays = any(key.tier == key.tier_before == "low" for key in one.keys)
        if low:
            since = f" for {_DAYS[SPAN[figures.report]]} and longer" if stays else ""
            ask = "invest, or accept it?" if stays else "who mends it, and by when?"
            yield 20 + 5 * len(low) + (0 if stays else 10), f"{one.repository} is Low on {listed(low)}{since}: {ask}"
    for gate in figures.gates:
        if gate.verdict == "failed" and 0 < gate.must_missing <= _MOST_MISSING:
            missing = listed([f"'{title}'" for title in gate.missing[: gate.must_missing]])
            yield 15, f"The gate '{gate.title}' lacks {missing}: finish it, or release without it?"
    goals = judged(figures)
    unknown = [goal for goal in goals if goal.status == "unknown"]
    if len(unknown) >= _MANY_UNKNOWN:
        yield (
            12,
            (
                f"{len(unknown)} of {count(len(goals), 'goal')} cannot be judged, most of them because nothing is fed: "
                "feed their figures, or take the goals out?"
            ),
        )
    for rule in figures.rules:
        if (said := threshold_advice(rule)) is not None:
            yield 10 + rule.noise, f"The rule '{rule.title}': {said[:1].lower()}{said[1:]}"


def _about(figures: Figures, goal: GoalState) -> str:
    now = "its figure is not known" if goal.value is None else f"{amount(goal.value, goal.metric.unit)} now"
    name, due = goal_name(figures, goal), goal.target.due_on
    if due is not None and due <= figures.through:
        return f"The goal '{name}' was missed ({now}): a new day, a new target, or an end?"
    outlook = goal_outlook(figures, goal)
    said = f", {outlook}" if outlook not in ("", UNSAID) else ""
    return f"The goal '{name}' is {goal.status} ({now}{said}): more means, another day, or another target?"


def threshold_advice(rule: RuleReview) -> str | None:
    """What the outcomes of a rule's alerts suggest for its limit; None where they suggest nothing."""
    decided = rule.useful + rule.noise
    if decided >= _MANY_FIRED and rule.noise / decided > _NOISY:
        limit = f" (now {rule.limit})" if rule.limit else ""
        return f"{rule.noise} of {decided} alerts were noise: make its limit{limit} stricter, or let it hold more days?"
    if rule.fired >= _MANY_FIRED and decided == 0:
        return f"It fired {rule.fired} times and nobody said whether it was useful: who looks at it?"
    return None
