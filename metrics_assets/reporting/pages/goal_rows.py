"""Goals as rows of a table, the worst first; a goal that many repositories have is one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import MetricInfo, SiteInfo
from metrics_assets.reporting.kit import Cell, Column, Row, Table, progress
from metrics_assets.reporting.pages.summaries import page_of, subject_href
from metrics_assets.reporting.verdict import BEHIND, Goal, amount, gap, wanted

SHOWN_GOALS = 8
_ORDER = {"off track": 0, "at risk": 1, "on track": 2, "met": 3}


def goals_table(site: SiteInfo, goals: Sequence[Goal], metrics: Mapping[str, MetricInfo]) -> Table:
    """Status, now, target and progress of the goals that can be judged; how many cannot is said above them."""
    judged = [goal for goal in goals if goal.status in _ORDER]
    groups = [list(group) for _, group in groupby(sorted(judged, key=_group), key=_group)]
    groups.sort(key=lambda group: min(_rank(goal) for goal in group))
    left_out = max(0, len(groups) - SHOWN_GOALS)
    said = [f"{wording.count(left_out, 'further goal stands', 'further goals stand')} better."] if left_out else []
    if unknown := len(goals) - len(judged):
        said.append(f"{wording.count(unknown, 'goal')} cannot be judged yet.")
    return Table(
        caption="Goals, the worst first",
        columns=(Column("Goal"), Column("Status"), Column("Now", numeric=True), Column("Target"), Column("Progress")),
        rows=tuple(_row(site, group, metrics) for group in groups[:SHOWN_GOALS]),
        empty=f"No goal can be judged yet, of {len(goals)} that are set." if goals else "No goal is set.",
        note=" ".join(said),
    )


def _group(goal: Goal) -> tuple[str, str]:
    """Goals of repositories, packages and services are shown by goal; of the portfolio there is one of each."""
    return goal.goal, goal.subject_kind


def _rank(goal: Goal) -> tuple[int, float, str, str]:
    return (_ORDER[goal.status], -gap(goal) if goal.status in BEHIND else 0.0, goal.title, goal.subject)


def _row(site: SiteInfo, group: Sequence[Goal], metrics: Mapping[str, MetricInfo]) -> Row:
    worst = min(group, key=_rank)
    metric = metrics.get(worst.metric)
    unit = metric.unit if metric else "count"
    glyph, word, role = wording.status(worst.status)
    met = sum(goal.status not in BEHIND for goal in group)
    many = len(group) > 1
    now = "not known" if worst.value is None else amount(worst.value, unit)
    due = f"by {wording.day(worst.due_on)}" if worst.due_on else None
    subject = None if worst.subject_kind == "portfolio" else worst.subject
    behind = f"in {len(group) - met} of {len(group)}" if many and met < len(group) else None
    if many:
        bar = progress(met / len(group), expected=None, label=f"{met} of {len(group)} are met or on track")
    else:
        share, expected = _share(worst), _expected(worst)
        label = "Progress is not known" if share is None else f"{max(0.0, share) * 100:.0f} % of the way"
        if expected is not None:
            label += f", {expected * 100:.0f} % expected by now"
        bar = progress(share, expected=expected, label=label)
    return Row(
        (
            Cell(worst.title, href=page_of(site, addresses.GOALS)),
            Cell(
                word.replace(" ", wording.NO_BREAK),
                sort=str(_ORDER[worst.status]),
                role=role,
                glyph=glyph,
                under=behind,
            ),
            Cell(
                now,
                sort="" if worst.value is None else repr(worst.value),
                href=None if subject is None else subject_href(site, worst.subject_kind, subject),
                under=f"worst: {subject}" if subject is not None and many else subject,
            ),
            Cell(wanted(worst, unit), sort=repr(worst.target), under=due),
            Cell(
                "",
                sort=f"{met / len(group):.3f}" if many else "",
                mark=bar,
                under=f"{met} of {len(group)}" if many else None,
            ),
        )
    )


def _share(goal: Goal) -> float | None:
    """The way done: from the base where there is one, else how much of the target is reached."""
    if goal.status == "met":
        return 1.0
    if goal.progress is not None:
        return goal.progress
    if goal.value is None:
        return None
    at_least = goal.comparison in ("at_least", "above")
    part, whole = (goal.value, goal.target) if at_least else (goal.target, goal.value)
    return part / whole if whole > 0 and part >= 0 else None


def _expected(goal: Goal) -> float | None:
    if goal.base is None or goal.expected is None or goal.target == goal.base:
        return None
    return min(1.0, max(0.0, (goal.expected - goal.base) / (goal.target - goal.base)))
