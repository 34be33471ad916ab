"""What large and much discussed pull requests take, how reviews are shared out, and where they queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from metrics_assets.analysis.insights.statistics import SIGNIFICANT, benjamini_hochberg, mann_whitney
from metrics_assets.analysis.insights.wording import ADVICE, RISK, WORSE, Insight, amount, count, p_text, share, weight

# Reviewers find less above 200 to 400 lines (SmartBear and Cisco's study, 2006); more than 10 comments is S4-64's.
LARGE_LINES, MANY_COMMENTS = 400, 10
_LEAST_PULL_REQUESTS = 10
# S4-64 speaks of 30 %; less is not worth a rule.
_LEAST_RATIO = 1.3
_LEAST_REVIEWS = 20
# Half of the reviews by a quarter of the reviewers or less.
_FEW_SHARE = 0.25
_LEAST_QUEUE, _QUEUE_RATIO = 10, 2.0
OLD_DAYS = 7
_LEAST_WAITING, _WAITING_SHARE = 5, 0.25


def slow_pull_requests(pulls: pd.DataFrame, first: date, last: date, minimum_people: int) -> list[Insight]:
    """Whether merged pull requests with many lines, or many comments, took longer (Mann-Whitney).

    Args:
        pulls: subject_kind, subject, author (any number a person has), lead_hours, lines, comments.
        minimum_people: authors that must be behind each of the two groups.
    """
    tested = []
    for (kind, subject), own in pulls.groupby(["subject_kind", "subject"], sort=True):
        for name, limit in (("lines", LARGE_LINES), ("comments", MANY_COMMENTS)):
            known = own[own[name].notna()]
            above, others = known[known[name] > limit], known[known[name] <= limit]
            if min(len(above), len(others)) < _LEAST_PULL_REQUESTS:
                continue
            if min(above["author"].nunique(), others["author"].nunique()) < minimum_people:
                continue
            hours = above["lead_hours"].to_numpy(), others["lead_hours"].to_numpy()
            tested.append((str(kind), str(subject), name, limit, *hours, mann_whitney(*hours)))
    adjusted = benjamini_hochberg([one[-1] for one in tested])
    found = []
    for (kind, subject, name, limit, slow, usual, _), p in zip(tested, adjusted, strict=True):
        medians = float(np.median(slow)), float(np.median(usual))
        if p >= SIGNIFICANT or medians[0] < _LEAST_RATIO * medians[1]:
            continue
        ratio = medians[0] / medians[1] if medians[1] > 0 else float("inf")
        longer = f"{ratio:.1f} times as long as the others" if np.isfinite(ratio) else "longer than the others"
        found.append(
            Insight(
                insight=f"slow_with_many_{name}",
                subject_kind=kind,
                subject=subject,
                topic="reviews",
                weight=weight(ADVICE, min(ratio, 4.0)),
                sentence=f"Pull requests with more than {limit} {name} took {longer} from first commit to merge: "
                f"a median of {amount(medians[0], 'hours')} (n = {len(slow)}) against {amount(medians[1], 'hours')} "
                f"(n = {len(usual)}), of those merged since {first.isoformat()} ({p_text(float(p))}).",
                action=f"Split changes of more than {limit} lines."
                if name == "lines"
                else f"Talk with each other before a discussion has {limit} comments; agree on large changes first.",
                n=len(slow) + len(usual),
                p=float(p),
                evidence={
                    "metric": "pr_lead_hours",
                    "subject": subject,
                    "test": "Mann-Whitney",
                    "dates": [first.isoformat(), last.isoformat()],
                    "by": name,
                    "limit": limit,
                    "median_hours": [round(one, 3) for one in medians],
                    "quartiles_hours": [
                        [round(float(q), 3) for q in np.quantile(x, [0.25, 0.75])] for x in (slow, usual)
                    ],
                    "n": [len(slow), len(usual)],
                },
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class ReviewLoad:
    """How many reviews each reviewer of a subject gave in some weeks, without saying who."""

    subject_kind: str
    subject: str
    reviews: Sequence[int]


def review_concentration(loads: Sequence[ReviewLoad], first: date, last: date, minimum_people: int) -> list[Insight]:
    """Subjects of which few of the reviewers give half of the reviews, from the first day to the last, both counted."""
    found = []
    for load in loads:
        given = sorted(load.reviews, reverse=True)
        people, total = len(given), sum(given)
        if people < minimum_people or total < _LEAST_REVIEWS:
            continue
        half = int(np.searchsorted(np.cumsum(given), total / 2)) + 1
        if half > _FEW_SHARE * people:
            continue
        weeks = ((last - first).days + 1) // 7
        found.append(
            Insight(
                insight="review_concentration",
                subject_kind=load.subject_kind,
                subject=load.subject,
                topic="balance",
                weight=weight(WORSE, _FEW_SHARE * people / half),
                sentence=f"Half of the {total} reviews of the last {weeks} weeks came from {half} of "
                f"{people} reviewers.",
                action="Share reviews out, for example by assigning them in turn; it also spreads what people know.",
                n=total,
                evidence={
                    "metric": "reviews by people other than the author",
                    "subject": load.subject,
                    "dates": [first.isoformat(), last.isoformat()],
                    "reviews": total,
                    "reviewers": people,
                    "reviewers_of_half": half,
                },
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Queue:
    """The open pull requests of a team at a day's end, and how many people reviewed in the 28 days before."""

    team: str
    open: int
    reviewers: int


def unequal_queues(queues: Sequence[Queue], day: date, minimum_people: int) -> list[Insight]:
    """Teams with more open pull requests for each of their reviewers than the other teams have (binomial test)."""
    from scipy.stats import binomtest

    enough = [queue for queue in queues if queue.reviewers >= minimum_people]
    total, people = sum(queue.open for queue in enough), sum(queue.reviewers for queue in enough)
    if len(enough) < 2 or not total:
        return []
    p_values = [binomtest(queue.open, total, queue.reviewers / people).pvalue for queue in enough]
    found = []
    for queue, p in zip(enough, benjamini_hochberg(p_values), strict=True):
        others, their = total - queue.open, people - queue.reviewers
        each, elsewhere = queue.open / queue.reviewers, others / their
        if p >= SIGNIFICANT or queue.open < _LEAST_QUEUE or each < _QUEUE_RATIO * elsewhere:
            continue
        found.append(
            Insight(
                insight="unequal_queue",
                subject_kind="team",
                subject=queue.team,
                topic="balance",
                weight=weight(WORSE, each / elsewhere if elsewhere else 4.0),
                sentence=f"{count(queue.open, 'pull request')} are open for {queue.reviewers} active reviewers, "
                f"{each:.1f} each; the other teams have {elsewhere:.1f} each ({others} for {their}; "
                f"{p_text(float(p))}).",
                action="Lend reviewers to this team, or let it finish what is open before it begins something new.",
                n=total,
                p=float(p),
                evidence={
                    "metric": "pull_requests_open",
                    "subject": queue.team,
                    "test": "binomial",
                    "dates": [day.isoformat()],
                    "open": [queue.open, others],
                    "reviewers": [queue.reviewers, their],
                },
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """The open pull requests by people at a day's end, and those that nobody has looked at for OLD_DAYS days."""

    subject_kind: str
    subject: str
    open: int
    unreviewed: int
    oldest_days: float


def unreviewed_queue(queues: Sequence[Waiting], day: date) -> list[Insight]:
    """Subjects of which many open pull requests have waited for a first look for more than a week."""
    return [
        Insight(
            insight="unreviewed_pull_requests",
            subject_kind=queue.subject_kind,
            subject=queue.subject,
            topic="bottleneck",
            weight=weight(RISK, 1 + 3 * queue.unreviewed / queue.open),
            sentence=f"{queue.unreviewed} of {count(queue.open, 'open pull request')} "
            f"({share(queue.unreviewed / queue.open)}) have waited for more than {OLD_DAYS} days without an answer by "
            f"anybody but the author, the oldest for {queue.oldest_days:.0f} days.",
            action="Look at the oldest ones first: review, hand over or close them.",
            n=queue.open,
            evidence={
                "metric": "pull_requests_open",
                "subject": queue.subject,
                "dates": [day.isoformat()],
                "open": queue.open,
                "unreviewed": queue.unreviewed,
                "oldest_days": round(queue.oldest_days, 1),
            },
        )
        for queue in queues
        if queue.unreviewed >= _LEAST_WAITING and queue.unreviewed >= _WAITING_SHARE * queue.open
    ]
