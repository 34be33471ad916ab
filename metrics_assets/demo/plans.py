"""How pull requests and issues of the sample organisation come about: plans without numbers and shas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from metrics_assets.demo import people, wording
from metrics_assets.demo.dice import END, Dice, working_week
from metrics_assets.demo.history import Event, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a repository's people work; durations are medians in hours, shares are from 0 to 1."""

    name: str
    team: tuple[User, ...]
    pull_requests: int
    issues: int
    squash: bool
    coding: float
    review: float
    merging: float
    answer: float  # until an issue's first answer
    strangers: tuple[User, ...] = ()
    by_strangers: float = 0.0  # share of pull requests; of issues twice as many
    bots: tuple[User, ...] = ()
    by_bots: float = 0.0
    robot_reviews: float = 0.0
    unmerged: float = 0.06
    busy: Callable[[date], float] = working_week


@dataclass(slots=True, kw_only=True)
class PullPlan:
    title: str
    author: User | None
    opened_at: datetime
    first_commit_at: datetime
    commits: int
    events: list[Event] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    draft_until: datetime | None = None
    merged_at: datetime | None = None
    merged_by: User | None = None
    closed_at: datetime | None = None
    pushed_at: datetime | None = None  # of the last force push: all commits are rewritten then
    number: int = 0


@dataclass(slots=True, kw_only=True)
class IssuePlan:
    title: str
    author: User | None
    opened_at: datetime
    body: Callable[[], str]  # may name pull requests and shas, which are known only in the end
    events: list[Event] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    closed_at: datetime | None = None
    reason: str | None = None
    number: int = 0


def pull_by_person(dice: Dice, habits: Habits, opened_at: datetime) -> PullPlan:
    """A person's pull request from the first commit to what became of it."""
    stranger = bool(habits.strangers) and dice.chance(habits.by_strangers)
    author = dice.pick(habits.strangers if stranger else habits.team)
    plan = PullPlan(
        title=wording.change(dice, habits.name),
        author=None if stranger and dice.chance(0.08) else author,
        opened_at=opened_at,
        first_commit_at=opened_at - dice.hours(habits.coding) - timedelta(minutes=3),
        commits=1 + min(dice.few(1.4), 12),
    )
    ready_at = _before_review(dice, plan)
    if dice.chance(habits.robot_reviews):
        reviewed = Event("PullRequestReview", ready_at + dice.minutes(2, 6), people.REVIEWER, state="COMMENTED")
        plan.events.append(reviewed)
    approved_at = _reviews(dice, habits, plan, author, ready_at)
    for _ in range(dice.few(0.9)):
        talker = dice.pick([*habits.team, author])
        plan.events.append(Event("IssueComment", _within(dice, ready_at, approved_at), talker))
    _outcome(dice, habits, plan, author, approved_at)
    return plan


def _before_review(dice: Dice, plan: PullPlan) -> datetime:
    """Labels and drafts; returns when the pull request is ready for review."""
    if dice.chance(0.45):
        name = dice.pick(wording.CHANGE_LABELS)
        label(plan.events, plan.labels, name, plan.opened_at + dice.minutes(0.5, 15), plan.author)
        if dice.chance(0.06):
            plan.labels.remove(name)
            later = plan.opened_at + dice.minutes(20, 300)
            plan.events.append(Event("UnlabeledEvent", later, plan.author, label=name))
    if not dice.chance(0.13):
        return plan.opened_at
    if dice.chance(0.3):
        plan.events.append(Event("ConvertToDraftEvent", plan.opened_at + dice.minutes(3, 30), plan.author))
    ready_at = dice.awake(plan.opened_at + timedelta(minutes=35) + dice.hours(9))
    plan.draft_until = ready_at
    plan.events.append(Event("ReadyForReviewEvent", ready_at, plan.author))
    return ready_at


def _reviews(dice: Dice, habits: Habits, plan: PullPlan, author: User, ready_at: datetime) -> datetime:
    """Reviews until one approves, rarely none; returns when that was."""
    if dice.chance(0.05):
        return ready_at + dice.minutes(3, 60)
    reviewer = dice.pick(people.others(habits.team, author))
    reviewed_at = dice.awake(ready_at + timedelta(minutes=4) + dice.hours(habits.review))
    verdict = dice.between(0, 1)
    while verdict < 0.34:
        state = "CHANGES_REQUESTED" if verdict < 0.2 else "DISMISSED" if verdict < 0.21 else "COMMENTED"
        plan.events.append(Event("PullRequestReview", reviewed_at, reviewer, state=state))
        answered_at = dice.awake(reviewed_at + timedelta(minutes=5) + dice.hours(max(habits.coding / 3, 0.5)))
        if dice.chance(0.35):
            plan.events.append(Event("HeadRefForcePushedEvent", answered_at, plan.author))
            plan.pushed_at = answered_at
        elif dice.chance(0.5):
            plan.commits += 1
            plan.events.append(Event("IssueComment", answered_at, plan.author))
        reviewed_at = dice.awake(answered_at + timedelta(minutes=4) + dice.hours(habits.review / 2))
        verdict = dice.between(0.1, 1)
    plan.events.append(Event("PullRequestReview", reviewed_at, reviewer, state="APPROVED"))
    return reviewed_at


def _outcome(dice: Dice, habits: Habits, plan: PullPlan, author: User, approved_at: datetime) -> None:
    """Merged, closed unmerged, reopened and then merged, or forgotten."""
    if dice.chance(0.025):
        return
    decided_at = dice.awake(approved_at + timedelta(minutes=2) + dice.hours(habits.merging))
    merger = dice.pick(habits.team) if author not in habits.team or dice.chance(0.3) else author
    if dice.chance(habits.unmerged):
        plan.events.append(Event("ClosedEvent", decided_at, merger))
        if not dice.chance(0.2):
            plan.closed_at = decided_at
            return
        decided_at += dice.hours(6) + timedelta(minutes=5)
        plan.events.append(Event("ReopenedEvent", decided_at, plan.author))
        decided_at = dice.awake(decided_at + timedelta(minutes=5) + dice.hours(habits.merging))
    _merge(plan, decided_at, merger)


def pull_by_bot(dice: Dice, habits: Habits, opened_at: datetime) -> PullPlan:
    """A bot's pull request: an update of a dependency."""
    bot = dice.pick(habits.bots)
    plan = PullPlan(
        title=wording.update(dice, bot.login),
        author=bot,
        opened_at=opened_at,
        first_commit_at=opened_at - dice.minutes(0.5, 2),
        commits=1,
    )
    label(plan.events, plan.labels, "dependencies", opened_at + timedelta(seconds=2), bot)
    decided_at = dice.awake(opened_at + dice.hours(habits.review * 1.5) + timedelta(minutes=10))
    person = dice.pick(habits.team)
    if dice.chance(0.5):
        plan.events.append(Event("PullRequestReview", decided_at, person, state="APPROVED"))
    if dice.chance(0.15):  # a newer version replaces it
        plan.events.append(Event("IssueComment", decided_at, bot))
        plan.events.append(Event("ClosedEvent", decided_at + timedelta(seconds=1), bot))
        plan.closed_at = decided_at + timedelta(seconds=1)
    elif dice.chance(0.92):
        _merge(plan, decided_at + dice.minutes(1, 90), person if dice.chance(0.7) else bot)
    return plan


def _merge(plan: PullPlan, merged_at: datetime, merger: User) -> None:
    plan.merged_at, plan.merged_by, plan.closed_at = merged_at, merger, merged_at
    plan.events.append(Event("ClosedEvent", merged_at, merger))


def issue(dice: Dice, habits: Habits, opened_at: datetime) -> IssuePlan:
    """An issue with its answers and its end, if it has one."""
    stranger = bool(habits.strangers) and dice.chance(min(habits.by_strangers * 2, 0.85))
    author = dice.pick(habits.strangers if stranger else habits.team)
    title = wording.request(dice, habits.name)
    plan = IssuePlan(
        title=title,
        author=None if stranger and dice.chance(0.06) else author,
        opened_at=opened_at,
        body=lambda: f"{title}. Steps to reproduce and versions are below.",
    )
    if dice.chance(0.65):
        labelled_at = opened_at + dice.minutes(1, 600)
        label(plan.events, plan.labels, dice.pick(wording.REQUEST_LABELS), labelled_at, dice.pick(habits.team))
    time = opened_at
    if dice.chance(0.88):
        time = dice.awake(opened_at + dice.hours(habits.answer) + timedelta(minutes=2))
        plan.events.append(Event("IssueComment", time, dice.pick(people.others(habits.team, author))))
        for _ in range(dice.few(1.3)):
            time += dice.hours(10) + timedelta(minutes=1)
            plan.events.append(Event("IssueComment", time, dice.pick([*habits.team, author])))
    if dice.chance(0.78):
        _close(dice, habits, plan, dice.awake(time + dice.hours(70) + timedelta(minutes=5)))
    return plan


def _close(dice: Dice, habits: Habits, plan: IssuePlan, closed_at: datetime) -> None:
    plan.closed_at, plan.reason = closed_at, "NOT_PLANNED" if dice.chance(0.2) else "COMPLETED"
    plan.events.append(Event("ClosedEvent", closed_at, dice.pick(habits.team)))
    if not dice.chance(0.06):
        return
    reopened_at = closed_at + dice.hours(30) + timedelta(minutes=5)
    if reopened_at >= END:
        return
    plan.events.append(Event("ReopenedEvent", reopened_at, plan.author))
    plan.closed_at, plan.reason = None, "REOPENED"
    if dice.chance(0.6):
        plan.closed_at, plan.reason = reopened_at + dice.hours(48), "COMPLETED"
        plan.events.append(Event("ClosedEvent", plan.closed_at, dice.pick(habits.team)))


def long_thread(dice: Dice, plan: PullPlan | IssuePlan, comments: int, talkers: tuple[User, ...]) -> None:
    """Adds a discussion that does not fit on one page of a timeline."""
    end = min(plan.closed_at or END, END)
    for _ in range(comments):
        plan.events.append(Event("IssueComment", _within(dice, plan.opened_at, end), dice.pick(talkers)))


def label(events: list[Event], labels: list[str], name: str, time: datetime, actor: User | None) -> None:
    """Put a label on something, as its timeline will tell."""
    labels.append(name)
    events.append(Event("LabeledEvent", time, actor, label=name))


def _within(dice: Dice, start: datetime, end: datetime) -> datetime:
    return start + timedelta(seconds=round((end - start).total_seconds() * dice.between(0, 1)))
