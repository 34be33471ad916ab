"""Which stage of the way to production has become the bottleneck, whom the work depends on, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from metrics_assets.analysis.insights.statistics import SIGNIFICANT, benjamini_hochberg, mann_whitney
from metrics_assets.analysis.insights.wording import CAVEAT, RISK, Insight, amount, count, p_text, share, weight

STAGES = {
    "coding_hours": (
        "coding (first commit to opening)",
        "Open pull requests earlier, as drafts, and make them smaller.",
    ),
    "pickup_hours": ("pickup (opening to first review)", "Agree on who looks at new pull requests, and when."),
    "review_hours": ("review (first review to approval)", "Make pull requests smaller, and talk about open questions."),
    "merge_hours": (
        "merging (approval to merge)",
        "Merge what is approved, automatically once its checks have passed.",
    ),
    "deploy_hours": ("deployment (merge to deployment)", "Deploy more often, or automatically after each merge."),
}
_LEAST_CHANGES = 10
# A stage is the bottleneck with two fifths of the way (five stages, twice an equal share), if it grew by 30 %.
_LARGEST_SHARE, _GREW = 0.4, 1.3
_LEAST_CONTRIBUTIONS, _LEAST_CONTRIBUTORS = 30, 3
_LOW_COVERAGE, _LEAST_MERGED = 0.7, 10
_LEAST_UNKNOWN_DAYS = 3


def bottlenecks(recent: pd.DataFrame, before: pd.DataFrame, dates: tuple[date, date, date]) -> list[Insight]:
    """Subjects of which one stage takes most of the way and takes longer than before (Mann-Whitney).

    Args:
        recent, before: changes: subject_kind, subject and the stages' hours, NaN where one has none.
        dates: the first day before, the first recent day, the last day.
    """
    tested = []
    earlier = dict(iter(before.groupby(["subject_kind", "subject"])))
    for key, own in recent.groupby(["subject_kind", "subject"], sort=True):
        kind, subject = (str(part) for part in key)
        medians = own[list(STAGES)].median()
        n = own[list(STAGES)].notna().sum()
        medians = medians[n >= _LEAST_CHANGES]
        if len(medians) < 2 or key not in earlier or medians.sum() <= 0:
            continue
        stage = str(medians.idxmax())
        now, then = own[stage].dropna().to_numpy(), earlier[key][stage].dropna().to_numpy()
        if len(then) >= _LEAST_CHANGES:
            tested.append((kind, subject, stage, medians, now, then, mann_whitney(now, then)))
    found = []
    for (kind, subject, stage, medians, now, then, _), p in zip(
        tested, benjamini_hochberg([one[-1] for one in tested]), strict=True
    ):
        part, median, median_before = medians[stage] / medians.sum(), float(np.median(now)), float(np.median(then))
        if p >= SIGNIFICANT or part < _LARGEST_SHARE or median < _GREW * median_before:
            continue
        name, action = STAGES[stage]
        found.append(
            Insight(
                insight="bottleneck",
                subject_kind=kind,
                subject=subject,
                topic="bottleneck",
                weight=weight(RISK, median / median_before if median_before > 0 else 4.0),
                sentence=f"The bottleneck is {name}: a median of {amount(median, 'hours')} over the last 28 days "
                f"(n = {len(now)}), {share(part)} of all stages together; in the 12 weeks before it was "
                f"{amount(median_before, 'hours')} (n = {len(then)}; {p_text(float(p))}).",
                action=action,
                n=len(now) + len(then),
                p=float(p),
                evidence={
                    "metric": stage,
                    "subject": subject,
                    "test": "Mann-Whitney",
                    "dates": [day.isoformat() for day in dates],
                    "median_hours": [round(median_before, 3), round(median, 3)],
                    "n": [len(then), len(now)],
                    "stages": {str(one): round(float(hours), 3) for one, hours in medians.items()},
                },
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Dependence:
    """How few contributors made half of a subject's contributions of 90 days, and how many there were."""

    subject_kind: str
    subject: str
    absence_factor: int
    contributions: int
    contributors: int


def single_contributors(found: Sequence[Dependence], day: date, minimum_people: int) -> list[Insight]:
    """Subjects of which one of several contributors makes half of the work."""
    return [
        Insight(
            insight="absence_factor_one",
            subject_kind=one.subject_kind,
            subject=one.subject,
            topic="growth risk",
            weight=weight(RISK, one.contributors / 4),
            sentence=f"Half of the {one.contributions:,} contributions of the last 90 days came from 1 of "
            f"{one.contributors} contributors.",
            action="Let a second person review and release what one alone knows, and write down how.",
            n=one.contributions,
            evidence={
                "metric": "contributor_absence_factor",
                "subject": one.subject,
                "dates": [day.isoformat()],
                "value": one.absence_factor,
                "contributions": one.contributions,
                "contributors": one.contributors,
            },
        )
        for one in found
        if one.absence_factor == 1
        and one.contributions >= _LEAST_CONTRIBUTIONS
        and one.contributors >= max(minimum_people, _LEAST_CONTRIBUTORS)
    ]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of the changes that were merged in 28 days."""

    subject_kind: str
    subject: str
    merged: int
    shipped: int
    waiting: int
    baseline: int
    untied: int


def lead_time_gaps(coverages: Sequence[Coverage], day: date) -> list[Insight]:
    """Subjects whose lead time leaves out many changes because it is not known when they shipped.

    What is merged and waits for its deployment is no gap; what could not be tied to a deployment is.
    """
    found = []
    for one in coverages:
        unknown = one.untied + one.baseline
        if one.merged < _LEAST_MERGED or unknown < (1 - _LOW_COVERAGE) * one.merged:
            continue
        found.append(
            Insight(
                insight="lead_time_gap",
                subject_kind=one.subject_kind,
                subject=one.subject,
                topic="gaps",
                weight=weight(CAVEAT, 1 + unknown / one.merged),
                sentence=f"The lead time leaves much out: of {count(one.merged, 'change')} merged in the last 28 days "
                f"it stands on {one.shipped} ({share(one.shipped / one.merged)}); of {unknown} "
                f"({share(unknown / one.merged)}) it is not known when they shipped ({one.untied} are tied to no "
                f"deployment, {one.baseline} are in the first one known), and {one.waiting} wait.",
                action="Check deployments.source in metrics.yaml, and that the commits of deployments are collected."
                if one.untied >= one.baseline
                else None,
                n=one.merged,
                evidence={
                    "metric": "lead_time_coverage",
                    "subject": one.subject,
                    "dates": [day.isoformat()],
                    "merged": one.merged,
                    "shipped": one.shipped,
                    "waiting": one.waiting,
                    "baseline": one.baseline,
                    "untied": one.untied,
                },
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Uncollected:
    """On how many of some days something was not collected of a repository, of which it is collected otherwise."""

    repository: str
    entity: str
    days: int
    of: int


def missing_days(gaps: Sequence[Uncollected], first: date, last: date) -> list[Insight]:
    """Repositories of which days are missing, with everything that is."""
    found = []
    by_repository: dict[str, list[Uncollected]] = {}
    for gap in gaps:
        if gap.days >= _LEAST_UNKNOWN_DAYS:
            by_repository.setdefault(gap.repository, []).append(gap)
    for repository, missing in sorted(by_repository.items()):
        missing.sort(key=lambda gap: (-gap.days, gap.entity))
        said = ", ".join(f"{gap.entity.replace('_', ' ')} of {gap.days}" for gap in missing)
        worst = missing[0]
        found.append(
            Insight(
                insight="missing_days",
                subject_kind="repository",
                subject=repository,
                topic="gaps",
                weight=weight(CAVEAT, 1 + worst.days / worst.of),
                sentence=f"Of the last {worst.of} days some were not collected: {said}. Figures over these "
                "are unknown or stand on less.",
                action="Run the collection again for these days; ops.collection_log says what stopped it.",
                n=worst.of,
                evidence={
                    "metric": "days collected",
                    "subject": repository,
                    "dates": [first.isoformat(), last.isoformat()],
                    "missing_days": {gap.entity: gap.days for gap in missing},
                },
            )
        )
    return found
