"""Figures that have got better or worse for weeks, and what that may mean for a project's growth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np

from metrics_assets.analysis.insights.statistics import (
    SIGNIFICANT,
    Floats,
    Trend,
    benjamini_hochberg,
    fisher_exact,
    signed_rank,
    trend,
)
from metrics_assets.analysis.insights.wording import (
    GOOD_NEWS,
    RISK,
    WORSE,
    AboutMetric,
    Insight,
    amount,
    capital,
    in_a_sentence,
    p_text,
    share,
    weight,
)

# How a figure's values are sampled so that none stands on the same events as another:
# - flow: a day's count; its sums over the weeks that end on the day;
# - level: what there is at a day's end; its values a week apart. It goes up and down by chance and stays there, so its
#   weekly changes are tested, not its values;
# - window: a figure over days; its values as many days apart.
Shape = Literal["flow", "level", "window"]
# The recent weeks must be known, and most of the others.
_KNOWN_SHARE = 0.8
# Under a tenth nobody acts on it, however sure it is.
_LEAST_CHANGE = 0.1
# A sum over a week says little where nearly nothing happens.
_LEAST_LEVEL = {"flow": 3.0, "level": 5.0, "window": 0.0}
# Fewer contributors than this are no rate.
_LEAST_CONTRIBUTORS = 10

GROWTH = ("stars_new", "downloads", "new_contributors_month", "active_contributors_month")
ACTIONS = {
    "lead_time_hours_week": "Look at which stage takes longer (coding, pickup, review, merge, deployment) and make "
    "changes smaller.",
    "pr_lead_hours": "Look for pull requests that wait, and make changes smaller.",
    "pickup_hours": "Agree on who looks at new pull requests, and when.",
    "review_hours": "Make pull requests smaller and talk through the ones that go back and forth.",
    "deploy_hours": "Deploy more often, or look what holds merged changes back.",
    "change_failure_rate": "Look at what the failing deployments had in common; make deployments smaller, and test "
    "what broke.",
    "pull_request_first_response_hours": "Plan time for first looks at pull requests.",
    "issue_first_response_hours": "Plan time for triage, or share it among more people.",
    "deployments_succeeded": "Look for what keeps merged changes from being deployed.",
    "issues_open": "Triage: close what will not be done, and label what newcomers can take.",
    "pull_requests_open": "Work on the oldest pull requests before new ones are begun.",
    "incidents_open": "Work on open incidents before new changes.",
    "stars_new": "Tell about the last releases where users are, and look at the first steps in the README.",
    "downloads": "Look at which versions and countries the downloads were lost in, and at what users now take instead.",
    "new_contributors_month": "Label issues for newcomers and answer first pull requests within a day.",
    "active_contributors_month": "Ask those who stopped why, and thank and invite those who began.",
    "contributor_churn": "Ask those who stopped why; answer and merge faster, and hand out responsibility.",
}


@dataclass(frozen=True)
class Sampled:
    """A metric of many subjects: a row a subject of `subjects`, a column a day of `days`, sampled as its shape says."""

    metric: str
    about: AboutMetric
    shape: Shape
    subjects: Sequence[tuple[str, str]]
    days: Sequence[date]
    values: Floats

    @property
    def step_days(self) -> int:
        return (self.days[1] - self.days[0]).days


@dataclass(frozen=True, slots=True)
class _Found:
    sampled: Sampled
    row: int
    first: float
    last: float
    p: float
    n: int
    slope: float
    low: float
    high: float


def trends(series: Sequence[Sampled]) -> list[Insight]:
    """One insight a subject and metric that has a trend; all tests of the day are corrected together."""
    found = [one for sampled in series for row in range(len(sampled.values)) if (one := _tested(sampled, row))]
    adjusted = benjamini_hochberg([one.p for one in found])
    return [
        _insight(one, float(p))
        for one, p in zip(found, adjusted, strict=True)
        if p < SIGNIFICANT and _matters(one) and one.sampled.about.direction != "neutral"
    ]


def is_known(values: Floats) -> bool:
    """Whether a series is known well enough to be judged: its end, and most of it."""
    known = ~np.isnan(values)
    return bool(known[-1] and known[:2].any() and known.mean() >= _KNOWN_SHARE)


def _tested(sampled: Sampled, row: int) -> _Found | None:
    values = sampled.values[row]
    if not is_known(values):
        return None
    if sampled.shape == "level":
        changes = np.diff(values)
        changes = changes[~np.isnan(changes)]
        first, last = float(values[~np.isnan(values)][0]), float(values[-1])
        median = float(np.median(changes))
        # Where the median week has no change, single weeks made the difference: that is no trend.
        p = signed_rank(changes) if median else 1.0
        low, high = (float(end) for end in np.quantile(changes, [0.25, 0.75]))
        return _Found(sampled, row, first, last, p, len(changes), median, low, high)
    line: Trend = trend(values)
    return _Found(sampled, row, line.first, line.last, line.p, line.n, line.slope, line.low, line.high)


def _matters(found: _Found) -> bool:
    level = max(abs(found.first), abs(found.last))
    same_way = (found.last - found.first) * found.slope > 0
    return (
        same_way
        and level >= _LEAST_LEVEL[found.sampled.shape]
        and abs(found.last - found.first) >= _LEAST_CHANGE * max(abs(found.first), 1e-12)
    )


def _insight(found: _Found, p: float) -> Insight:
    sampled = found.sampled
    about, (kind, subject) = sampled.about, sampled.subjects[found.row]
    rose = found.slope > 0
    better = rose == (about.direction == "higher")
    first, last = max(found.first, 0.0), max(found.last, 0.0)
    weekly = " a week" if sampled.shape == "flow" else ""
    span = (sampled.days[-1] - sampled.days[0]).days
    samples = {"flow": "weeks", "level": "weekly changes", "window": f"windows of {sampled.step_days} days"}
    # A line's ends; a level has values.
    about_from = "from" if sampled.shape == "level" else "from about"
    sentence = (
        f"{capital(in_a_sentence(about.title))} {'rose' if rose else 'fell'} {about_from} {amount(first, about.unit)} "
        f"to {amount(last, about.unit)}{weekly} within {span} days, which is {'better' if better else 'worse'} "
        f"(n = {found.n} {samples[sampled.shape]}, {p_text(p)})."
    )
    is_risk = sampled.metric in GROWTH and not better
    base = GOOD_NEWS if better else RISK if is_risk else WORSE
    return Insight(
        insight=f"trend_{sampled.metric}",
        subject_kind=kind,
        subject=subject,
        topic="growth risk" if is_risk else "trend",
        weight=weight(base, last / first if first > 0 else 4.0),
        sentence=sentence,
        action=None if better else ACTIONS.get(sampled.metric),
        n=found.n,
        p=p,
        evidence=_evidence(found),
    )


def _evidence(found: _Found) -> dict[str, Any]:
    sampled = found.sampled
    spread = "quartiles_of_changes" if sampled.shape == "level" else "slope_interval"
    return {
        "metric": sampled.metric,
        "subject": sampled.subjects[found.row][1],
        "test": "signed rank of weekly changes" if sampled.shape == "level" else "Kendall, Theil-Sen",
        "sampled": sampled.shape,
        "step_days": sampled.step_days,
        "slope_per_step": round(found.slope, 6),
        spread: [round(found.low, 6), round(found.high, 6)],
        "dates": [day.isoformat() for day in sampled.days],
        "values": [None if np.isnan(value) else round(float(value), 6) for value in sampled.values[found.row]],
    }


@dataclass(frozen=True, slots=True)
class Churn:
    """Contributors of a subject who stopped, of those there were, in two spans that do not overlap."""

    subject_kind: str
    subject: str
    lost: int
    of: int
    lost_before: int
    of_before: int
    day: date
    day_before: date


def churn_risks(churns: Sequence[Churn]) -> list[Insight]:
    """Where a greater share of the contributors stopped than half a year before (Fisher's exact test)."""
    enough = [one for one in churns if min(one.of, one.of_before) >= _LEAST_CONTRIBUTORS]
    adjusted = benjamini_hochberg([fisher_exact(one.lost, one.of, one.lost_before, one.of_before) for one in enough])
    found = []
    for one, p in zip(enough, adjusted, strict=True):
        now, before = one.lost / one.of, one.lost_before / one.of_before
        if p >= SIGNIFICANT or now <= before:
            continue
        found.append(
            Insight(
                insight="churn_risk",
                subject_kind=one.subject_kind,
                subject=one.subject,
                topic="growth risk",
                weight=weight(RISK, now / before if before else 4.0),
                sentence=f"More contributors stop: {one.lost} of the {one.of} contributors of the 90 days before did "
                f"nothing in the last 90 days ({share(now)}); half a year ago it was {one.lost_before} of "
                f"{one.of_before} ({share(before)}; {p_text(float(p))}).",
                action=ACTIONS["contributor_churn"],
                n=one.of + one.of_before,
                p=float(p),
                evidence={
                    "metric": "contributor_churn",
                    "subject": one.subject,
                    "test": "Fisher's exact",
                    "dates": [one.day_before.isoformat(), one.day.isoformat()],
                    "numerators": [one.lost_before, one.lost],
                    "denominators": [one.of_before, one.of],
                },
            )
        )
    return found
