"""Sentences that say how delivery stands: ahead of its goals or behind, by how much, since when, where, and the trend.

Each function answers one question and is right, or silent, for every portfolio: with nothing known, with one
repository, with archived ones alone, with libraries that nobody deploys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import TIERS, MetricInfo, Point, Series, Tier, TierBand
from metrics_assets.reporting.from_catalogue import tier_of
from metrics_assets.reporting.pages.summaries import Summary

WEAK: tuple[Tier, ...] = ("medium", "low")
COMPARED_WEEKS = 4
NUMBERS = ("no", "one", "two", "three", "four", "five")
COMPARISONS = {"at_least": "at least", "at_most": "at most", "above": "over", "below": "under"}
BEHIND = ("off track", "at risk")


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal as it was judged on the site's day. `expected` is the value that the straight line to it asks for."""

    goal: str
    title: str
    subject_kind: str
    subject: str
    metric: str
    value: float | None
    target: float
    comparison: str  # at_least | at_most | above | below
    status: str  # met | on track | at risk | off track | unknown
    reason: str
    due_on: date | None = None
    base: float | None = None
    expected: float | None = None
    progress: float | None = None  # share of the way from base to target


def in_sentence(title: str) -> str:
    """A title within a sentence: 'Lead time for changes' loses its capital, 'DORA' keeps it."""
    return title[:1].lower() + title[1:] if title[1:2].islower() or title[1:2] == " " else title


def last_value(series: Series) -> float | None:
    return series.points[-1].value if series.points else None


def amount(value: float, unit: str) -> str:
    return str(wording.quantity(value, unit))


def standing(keys: Sequence[Series], ships_by: str | None = "") -> str:
    """How the keys stand, in one sentence. `ships_by` is None where nothing says when a repository ships."""
    if not keys:
        return "No key of delivery is in the catalogue."
    known = [series for series in keys if last_value(series) is not None]
    total = NUMBERS[len(keys)] if len(keys) < len(NUMBERS) else str(len(keys))
    if not known:
        if ships_by is None:
            return (
                f"None of the {total} keys is known: nothing says when it ships, for it has no deployments, releases "
                "or release tags."
            )
        return f"None of the {total} keys is known: each has no figure, or stands on too few rows."
    weak = weakest_first(keys)
    if weak:
        names = wording.listed([in_sentence(series.metric.title) for series in weak])
        said = f"{names[:1].upper()}{names[1:]} {'needs' if len(weak) == 1 else 'need'} attention"
        if len(weak) == 1 and (value := last_value(weak[0])) is not None and weak[0].tier is not None:
            said += f": {amount(value, weak[0].metric.unit)}, {weak[0].tier.title()}"
        return f"{said}."
    rated = [series for series in known if series.tier is not None]
    if not rated:
        return f"{_of(len(known), total, len(keys))} known, but not rated."
    said = f"{_of(len(rated), total, len(keys))} High or better"
    missing = [in_sentence(series.metric.title) for series in keys if last_value(series) is None]
    if missing:
        said += f"; {wording.listed(missing)} {'is' if len(missing) == 1 else 'are'} not known"
    return f"{said}."


def _of(number: int, total: str, size: int) -> str:
    if number == size:
        return f"All {total} keys are" if size > 1 else "The one key is"
    word = NUMBERS[number].title() if number < len(NUMBERS) else str(number)
    return f"{word} of {total} keys {'is' if number == 1 else 'are'}"


def weakest_first(keys: Sequence[Series]) -> list[Series]:
    """The keys that are Medium or Low, the worst first."""
    weak = [series for series in keys if series.tier in WEAK and last_value(series) is not None]
    return sorted(weak, key=lambda series: -TIERS.index(series.tier or "elite"))


def lasting(series: Series, name: str = "It") -> str | None:
    """Since when a weak key is weak: new this week, or for how many weeks."""
    if series.tier not in WEAK or not series.points:
        return None
    weeks = 0
    for point in reversed(series.points[:-1]):
        if not _is_weak(point, series.bands):
            break
        weeks += 1
    earlier = series.points[: len(series.points) - 1 - weeks]
    if weeks == 0:
        tier = tier_of(earlier[-1].value, series.bands) if earlier else None
        if tier is None:
            return None
        return f"{'That' if name == 'It' else name} is new: a week before it was {tier.title()}."
    since = wording.day(series.points[-1 - weeks].on)
    if not any(point.value is not None for point in earlier):
        return f"{name} has been Medium or Low in every week that is known, since {since}."
    at_least = " at least" if earlier[-1].value is None else ""
    return f"{name} has been Medium or Low for {wording.count(weeks, 'week')}{at_least}, since {since}."


def _is_weak(point: Point, bands: Sequence[TierBand]) -> bool:
    return tier_of(point.value, bands) in WEAK


def against_before(keys: Sequence[Series]) -> str | None:
    """How the keys moved in 28 days, the worse ones first; only those that are known on both days."""
    moved: dict[str, list[str]] = {"worse": [], "better": [], "calm": []}
    same = 0
    for series in keys:
        if len(series.points) <= COMPARED_WEEKS:
            continue
        before, now = series.points[-1 - COMPARED_WEEKS].value, series.points[-1].value
        if before is None or now is None:
            continue
        change = wording.change(before, now, series.metric)
        if change.glyph == "≈":
            same += 1
            continue
        unit = series.metric.unit
        way = f"{amount(before, unit)} to {amount(now, unit)}"
        moved[change.role].append(f"{in_sentence(series.metric.title)} ({way})")
    parts = [f"{wording.listed(moved[role])} got {role}" for role in ("worse", "better") if moved[role]]
    if moved["calm"]:
        parts.append(f"{wording.listed(moved['calm'])} moved")
    if not parts:
        return "Against 28 days before, all is about the same." if same else None
    rest = "; the rest is about the same" if same else ""
    return f"Against 28 days before, {'; '.join(parts)}{rest}."


def goals_sentence(goals: Sequence[Goal], metrics: Mapping[str, MetricInfo]) -> str:
    """Ahead of the goals or behind, and by how much where it is furthest."""
    if not goals:
        return "No goal is set."
    judged = [goal for goal in goals if goal.status != "unknown"]
    if not judged:
        return f"{_goals(len(goals))} set; none can be judged yet."
    behind = [goal for goal in judged if goal.status in BEHIND]
    if not behind:
        return "The goal is met or on track." if len(judged) == 1 else f"All {len(judged)} goals are met or on track."
    counts = Counter(goal.status for goal in behind)
    split = wording.listed([f"{counts[status]} {status}" for status in BEHIND if counts[status]])
    if len(judged) == 1:
        said = f"The goal is behind ({behind[0].status})"
    else:
        said = f"Behind in {len(behind)} of {len(judged)} goals ({split})"
    furthest = max(behind, key=lambda goal: (gap(goal), goal.title, goal.subject))
    if furthest.value is None:
        return f"{said}."
    metric = metrics.get(furthest.metric)
    unit = metric.unit if metric else "count"
    where = f" in {furthest.subject}" if furthest.subject_kind != "portfolio" else ""
    said += f"; furthest is “{furthest.title}”{where}: {amount(furthest.value, unit)}"
    return f"{said}, the goal is {wanted(furthest, unit)}."


def wanted(goal: Goal, unit: str) -> str:
    """What a goal asks for: 'under 24 h'."""
    return f"{COMPARISONS.get(goal.comparison, goal.comparison)} {amount(goal.target, unit)}"


def _goals(number: int) -> str:
    return f"{wording.count(number, 'goal')} {'is' if number == 1 else 'are'}"


def gap(goal: Goal) -> float:
    """How far a goal is missed, as a share of its target; what is off track counts before what is at risk."""
    rank = 0.0 if goal.status == "at risk" else 1e9
    if goal.value is None:
        return rank
    difference = abs(goal.value - goal.target)
    return rank + min(difference / abs(goal.target) if goal.target else difference, 1e8)


def where(summaries: Sequence[Summary], metric: MetricInfo, name: str = "It") -> str | None:
    """In which repositories a key is weak."""
    active = [summary for summary in summaries if summary.state == "active"]
    rated = [summary for summary in active if summary.figure(metric.key).tier is not None]
    weak = [summary for summary in rated if summary.figure(metric.key).tier in WEAK]
    if not weak:
        return None
    sign = -1.0 if metric.direction == "lower" else 1.0
    weak.sort(key=lambda summary: (sign * (summary.figure(metric.key).value or 0.0), summary.repository))
    named = wording.listed([_named(summary, metric) for summary in weak[:2]])
    if len(rated) == 1:
        return f"The one repository that is rated is {named}."
    if len(weak) <= 2:
        return f"{name} is Medium or Low in {named}, {len(weak)} of {len(rated)} rated repositories."
    return f"{name} is Medium or Low in {len(weak)} of {len(rated)} rated repositories, most in {named}."


def _named(summary: Summary, metric: MetricInfo) -> str:
    value = summary.figure(metric.key).value
    return summary.repository if value is None else f"{summary.repository} ({amount(value, metric.unit)})"


def weak_repositories(summaries: Sequence[Summary]) -> str | None:
    """How many repositories are weak in some key; said where the portfolio as a whole is not."""
    rated = [summary for summary in summaries if summary.state == "active" and summary.weakest is not None]
    weak = [summary for summary in rated if summary.weakest in WEAK]
    if not weak:
        return None
    if len(rated) == 1:
        return f"Still, {rated[0].repository} is Medium or Low in at least one key."
    verb = "is" if len(weak) == 1 else "are"
    return f"Still, {len(weak)} of {len(rated)} rated repositories {verb} Medium or Low in at least one key."


def population(summaries: Sequence[Summary]) -> str:
    """How many repositories there are, and in which state: '6 active repositories (and 1 archived)'."""
    states = Counter(summary.state for summary in summaries)
    active = states.pop("active", 0)
    others = wording.listed([f"{number:,} {state}" for state, number in sorted(states.items())])
    said = f"{active:,} active {'repository' if active == 1 else 'repositories'}"
    return f"{said} (and {others})" if others else said


def no_repository(summaries: Sequence[Summary]) -> str | None:
    """Why there is nothing to say of the present: no repository, or none that is active."""
    if not summaries:
        return "There is no repository yet: metrics.yaml names none, or none was collected."
    if any(summary.state == "active" for summary in summaries):
        return None
    states = Counter(summary.state for summary in summaries)
    if len(summaries) == 1:
        return f"The one repository is {summaries[0].state}."
    if len(states) == 1:
        return f"All {len(summaries):,} repositories are {next(iter(states))}."
    others = wording.listed([f"{number:,} {state}" for state, number in sorted(states.items())])
    return f"None of the {len(summaries):,} repositories is active: {others}."


def overview_sentences(
    keys: Sequence[Series],
    summaries: Sequence[Summary],
    goals: Sequence[Goal],
    metrics: Mapping[str, MetricInfo],
) -> tuple[str, ...]:
    """The five questions: how does it stand, ahead of the goals or behind, new or lasting, where, against before."""
    nothing = no_repository(summaries)
    if nothing is not None:
        return (nothing, goals_sentence(goals, metrics))
    weak = weakest_first(keys)
    said: list[str | None] = [standing(keys), goals_sentence(goals, metrics)]
    if weak:
        worst = weak[0]
        said += [lasting(worst, worst.metric.title), where(summaries, worst.metric)]
    else:
        said.append(weak_repositories(summaries))
    said.append(against_before(keys))
    return tuple(sentence for sentence in said if sentence)


STATES = {
    "archived": "It is archived: nothing changes any more, and it is not rated with the others.",
    "gone": "The provider does not have it any more; what was collected before stays.",
    "blocked": "The provider blocks access to it; what was collected before stays.",
    "empty": "It is empty: there is nothing to measure yet.",
}


def repository_sentences(
    state: str, ships_by: str | None, keys: Sequence[Series], critical: int, warning: int
) -> tuple[str, ...]:
    """How a repository stands."""
    if state != "active":
        return (STATES.get(state, f"Its state is {state}."),)
    weak = weakest_first(keys)
    said: list[str | None] = [standing(keys, ships_by)]
    if weak:
        said.append(lasting(weak[0], "It" if len(weak) == 1 else weak[0].metric.title))
    said.append(against_before(keys))
    if total := critical + warning:
        of_them = f", {critical} of them critical" if critical and total > 1 else ", critical" if critical else ""
        said.append(f"{wording.count(total, 'alert')} {'is' if total == 1 else 'are'} open{of_them}.")
    return tuple(sentence for sentence in said if sentence)
