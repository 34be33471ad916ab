"""Turns plans into a repository: numbers, commits, deployments and incidents, cut at the history's end."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from metrics_assets.demo import people, plans, wording
from metrics_assets.demo.dice import END, START, Dice, any_day, at
from metrics_assets.demo.history import (
    Commit,
    Deployment,
    Event,
    Fork,
    Issue,
    PullRequest,
    Release,
    Repository,
    Star,
    Status,
    Tag,
    User,
    stable_number,
)
from metrics_assets.demo.plans import Habits, IssuePlan, PullPlan

LAST_DAY = END.date()


@dataclass(slots=True, kw_only=True)
class Landing:
    """Something that reaches the default branch: a pull request, a push or the revert of another landing."""

    at: datetime
    author: User | None
    subject: str = ""
    pull: PullPlan | None = None
    reverts: Landing | None = None
    sha: str = ""


@dataclass(slots=True, kw_only=True)
class Rollout:
    """A deployment that will be; `states` are those that it goes through."""

    at: datetime
    environment: str
    states: tuple[str, ...] = ("IN_PROGRESS", "SUCCESS")
    back: bool = False  # deploys once more what ran before the last deployment
    sha: str = ""

    @property
    def succeeds(self) -> bool:
        return "SUCCESS" in self.states


@dataclass(slots=True)
class Simulation:
    """One repository in the making. Call the methods that fit it, in this order, and `repository` last."""

    habits: Habits
    dice: Dice
    first_number: int
    pulls: list[PullPlan] = field(default_factory=list)
    issues: list[IssuePlan] = field(default_factory=list)
    landings: list[Landing] = field(default_factory=list)
    rollouts: list[Rollout] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)

    # --- what people do ---

    def pull_requests(self, start: datetime = START, end: datetime = END) -> None:
        """Plan the pull requests of people and bots."""
        habits = self.habits
        for time in self.dice.moments(habits.pull_requests, start, end, habits.busy):
            by_bot = bool(habits.bots) and self.dice.chance(habits.by_bots)
            self.add((plans.pull_by_bot if by_bot else plans.pull_by_person)(self.dice, habits, time))

    def add(self, pull: PullPlan) -> None:
        """Plan one more pull request."""
        self.pulls.append(pull)
        if pull.merged_at and pull.merged_at < END:
            self.landings.append(Landing(at=pull.merged_at, author=pull.author, pull=pull))

    def pushes(self, count: int, start: datetime, end: datetime, subject: str) -> None:
        """Plan commits that go to the default branch without a pull request."""
        for number, time in enumerate(self.dice.moments(count, start, end, self.habits.busy), 1):
            text = f"{subject} {number}: {self.dice.pick(wording.SUBJECTS[self.habits.name])}"
            self.push(time, text)

    def push(self, time: datetime, subject: str) -> Landing:
        """Plan one such commit."""
        landing = Landing(at=time, author=self.dice.pick(self.habits.team), subject=subject)
        self.landings.append(landing)
        return landing

    def revert(self, landing: Landing, time: datetime) -> Landing:
        """Plan a commit that takes another back."""
        revert = Landing(at=time, author=self.dice.pick(self.habits.team), reverts=landing)
        self.landings.append(revert)
        return revert

    def ordinary_issues(self, start: datetime = START, end: datetime = END) -> None:
        """Plan the issues that are not incidents."""
        for time in self.dice.moments(self.habits.issues, start, end, any_day):
            self.issues.append(plans.issue(self.dice, self.habits, time))

    # --- deployments and incidents ---

    def deployments(
        self,
        environment: str,
        hours: Callable[[date], Sequence[float]],
        *,
        failing: float = 0.0,
        retried: float = 0.0,
        safe_from: date = LAST_DAY,
    ) -> None:
        """Plan deployments at the given hours of each day, where there is something new to deploy.

        Shares of them end in FAILURE or succeed at the second try, but none from the day `safe_from` on.
        """
        landed = sorted(landing.at for landing in self.landings)
        deployed = 0
        for day in (START.date() + timedelta(days=n) for n in range((END - START).days)):
            for hour in hours(day):
                time = at(day, hour) + self.dice.minutes(0, 14)
                available = bisect_right(landed, time)
                if available == deployed and day < safe_from:
                    continue
                states: tuple[str, ...] = ("IN_PROGRESS", "SUCCESS")
                fate = self.dice.between(0, 1)
                if fate < failing and day < safe_from:
                    states = ("IN_PROGRESS", "FAILURE" if self.dice.chance(0.8) else "ERROR")
                elif fate < failing + retried and day < safe_from:
                    states = ("IN_PROGRESS", "FAILURE", "IN_PROGRESS", "SUCCESS")
                deployed = available if "SUCCESS" in states else deployed
                self.rollouts.append(Rollout(at=time, environment=environment, states=states))
        self.rollouts.sort(key=lambda rollout: rollout.at)

    def incidents(self, share: float, *, rollbacks: int = 0) -> None:
        """Plan incidents after a share of the production deployments; the first ones are rolled back."""
        production = [r for r in self.rollouts if r.environment == "production" and r.succeeds]
        caused = [pair for pair in pairwise(production) if self.dice.chance(share)]
        for number, (before, rollout) in enumerate(caused):
            self._incident(number, before, rollout, rollback=number % 4 == 1 and number // 4 < rollbacks)
        self.rollouts.sort(key=lambda rollout: rollout.at)

    def _incident(self, number: int, before: Rollout, rollout: Rollout, *, rollback: bool) -> None:
        dice, habits = self.dice, self.habits
        opened_at = rollout.at + dice.minutes(15, 150)
        resolved_at = opened_at + dice.hours(1.4, 0.7) + timedelta(minutes=8)
        title, reporter = wording.outage(dice, habits.name), dice.pick(habits.team)
        shipped = [one for one in self.landings if before.at < one.at <= rollout.at and one.pull]
        suspect = dice.pick(shipped) if shipped else None
        if rollback:
            back = Rollout(at=opened_at + dice.minutes(10, 25), environment="production", back=True)
            self.rollouts.append(back)
            resolved_at = back.at + dice.minutes(15, 40)
            if suspect:
                self.revert(suspect, resolved_at + dice.minutes(20, 90))
        plan = IssuePlan(title=title, author=reporter, opened_at=opened_at, body=lambda: title)
        fix = next((one for one in sorted(self.landings, key=_by_time) if one.pull and one.at > opened_at), None)
        plan.body = self._incident_body(number, title, rollout, suspect, fix)
        plans.label(plan.events, plan.labels, "incident", opened_at + timedelta(seconds=1), reporter)
        severity = f"severity: {('critical', 'major', 'minor', 'minor')[dice.weighted((1, 2, 2, 1))]}"
        plans.label(plan.events, plan.labels, severity, opened_at + timedelta(seconds=2), reporter)
        plan.events.append(Event("IssueComment", opened_at + dice.minutes(1, 7), dice.pick(habits.team)))
        plan.closed_at, plan.reason = resolved_at, "COMPLETED"
        plan.events.append(Event("ClosedEvent", resolved_at, dice.pick(habits.team)))
        self.issues.append(plan)

    def _incident_body(
        self, number: int, title: str, rollout: Rollout, suspect: Landing | None, fix: Landing | None
    ) -> Callable[[], str]:
        """What the incident names: a deployed sha, the pull request that caused or fixes it, or nothing."""

        def body() -> str:
            lines = [f"{title}. Alert from the monitoring, customers are affected."]
            if number % 4 in (0, 1):
                lines.append(f"Started right after the deployment of {rollout.sha[: 40 if number % 8 < 4 else 10]}.")
            if number % 4 in (1, 2) and suspect and suspect.pull:
                lines.append(f"Caused by #{suspect.pull.number}.")
            if number % 4 == 2 and fix and fix.pull:
                lines.append(f"#{fix.pull.number} fixes this.")
            return "\n\n".join(lines)

        return body

    # --- the result ---

    def build(self) -> None:
        """Give out numbers and make the commit graph; afterwards `sha_at` answers."""
        items: list[PullPlan | IssuePlan] = sorted([*self.pulls, *self.issues], key=lambda item: item.opened_at)
        for number, item in enumerate(items, self.first_number):
            item.number = number
        self.landings.sort(key=_by_time)
        for earlier, later in pairwise(self.landings):
            if later.at <= earlier.at:
                later.at = earlier.at + timedelta(seconds=1)
                if later.pull:
                    _move_merge(later.pull, later.at)
        for position, landing in enumerate(self.landings):
            self._land(landing, self.landings[position - 1].sha if position else None)

    def sha_at(self, time: datetime) -> str:
        """The newest commit of the default branch at a time."""
        position = bisect_right([landing.at for landing in self.landings], time)
        return self.landings[max(position - 1, 0)].sha

    def commit(
        self,
        parents: Sequence[str],
        message: str,
        author: User | None,
        authored: datetime,
        committed: datetime,
    ) -> str:
        """Add a commit to the graph and return its sha."""
        email = f"{author.login}@aurora.example" if author else "former-account@example.org"
        content = f"{self.habits.name}\n{parents}\n{email}\n{authored}\n{committed}\n{message}"
        sha = hashlib.sha1(content.encode()).hexdigest()
        self.commits.append(
            Commit(
                sha=sha,
                parents=tuple(parents),
                message=message,
                author=author,
                author_email=email,
                authored_at=authored,
                committed_at=committed,
            )
        )
        return sha

    def _land(self, landing: Landing, head: str | None) -> None:
        parents, pull = [head] if head else [], landing.pull
        message = landing.subject
        if landing.reverts:
            reverted = next(one for one in self.commits if one.sha == landing.reverts.sha)
            subject = reverted.message.partition("\n")[0]
            message = f'Revert "{subject}"\n\nThis reverts commit {reverted.sha}.'
        elif pull and self.habits.squash:
            message = f"{pull.title} (#{pull.number})"
        elif pull and head:
            parents = [head, self._branch(pull, landing.at)]
            name = f"{pull.author.login if pull.author else 'ghost'}/change-{pull.number}"
            message = f"Merge pull request #{pull.number} from {name}\n\n{pull.title}"
        author = pull.merged_by if pull and not self.habits.squash else landing.author
        landing.sha = self.commit(parents, message, author, landing.at, landing.at)

    def _branch(self, pull: PullPlan, merged_at: datetime) -> str:
        """The commits of a pull request that is merged with a merge commit; returns the last."""
        end = pull.pushed_at or min(merged_at, pull.events[-1].at) - timedelta(seconds=30)
        authored = [pull.first_commit_at]
        span = max((end - pull.first_commit_at).total_seconds(), 0)
        later = sorted(self.dice.between(0, span) for _ in range(pull.commits - 1))
        authored += [pull.first_commit_at + timedelta(seconds=round(seconds)) for seconds in later]
        sha = self.sha_at(pull.pushed_at or pull.first_commit_at)
        for number, time in enumerate(authored, 1):
            committed = time if pull.pushed_at is None else pull.pushed_at
            sha = self.commit([sha], f"{pull.title}: part {number}", pull.author, time, committed)
        return sha

    def repository(self, *, tags: Sequence[Tag] = (), releases: Sequence[Release] = (), **about: Any) -> Repository:
        """The finished repository; `about` are its further fields."""
        branch, name = about.pop("default_branch", "main"), self.habits.name
        deployments = self._deployments()
        merges = {id(landing.pull): landing.sha for landing in self.landings if landing.pull}
        parents = {commit.sha: commit.parents for commit in self.commits}
        return Repository(
            owner="aurora",
            name=name,
            default_branch=branch,
            branches={branch: self.landings[-1].sha} | about.pop("branches", {}),
            pushed_at=about.pop("pushed_at", None) or self.landings[-1].at,
            pull_requests=tuple(
                self._pull_request(pull, branch, merges.get(id(pull)), parents)
                for pull in sorted(self.pulls, key=lambda pull: pull.number)
            ),
            issues=tuple(_issue(plan) for plan in sorted(self.issues, key=lambda plan: plan.number)),
            commits=tuple(self.commits),
            tags=tuple(tags),
            releases=tuple(releases),
            deployments=deployments,
            **about,
        )

    def resolve(self) -> None:
        """Tell each rollout which commit it deploys."""
        running: dict[str, list[str]] = {}
        for rollout in self.rollouts:
            before = running.setdefault(rollout.environment, [])
            rollout.sha = before[-2] if rollout.back and len(before) > 1 else self.sha_at(rollout.at)
            if rollout.succeeds:
                before.append(rollout.sha)

    def _deployments(self) -> tuple[Deployment, ...]:
        statuses = [self._statuses(rollout) for rollout in self.rollouts]
        newer: dict[str, datetime] = {}
        for rollout, history in reversed(list(zip(self.rollouts, statuses, strict=True))):
            success = next((status.at for status in history if status.state == "SUCCESS"), None)
            if success is None:
                continue
            if rollout.environment in newer:
                history.append(Status("INACTIVE", max(newer[rollout.environment], history[-1].at)))
            newer[rollout.environment] = success
        return tuple(
            Deployment(
                id=stable_number(f"{self.habits.name} {rollout.environment} {rollout.at}"),
                sha=rollout.sha,
                ref="main",
                environment=rollout.environment,
                creator=people.DEPLOYER,
                created_at=rollout.at,
                statuses=tuple(history),
            )
            for rollout, history in zip(self.rollouts, statuses, strict=True)
        )

    def _statuses(self, rollout: Rollout) -> list[Status]:
        time, history = rollout.at, []
        for state in rollout.states:
            time += self.dice.minutes(0.2, 1) if state == "IN_PROGRESS" else self.dice.minutes(2, 8)
            history.append(Status(state, time))
        return history

    def _pull_request(
        self, plan: PullPlan, branch: str, merge: str | None, parents: dict[str, tuple[str, ...]]
    ) -> PullRequest:
        timeline = _timeline(plan.events)
        state, closed_at = _state(timeline)
        merged = merge is not None
        head = hashlib.sha1(f"{self.habits.name} head of {plan.number} {plan.opened_at}".encode()).hexdigest()
        if merge and len(parents[merge]) == 2:
            head = parents[merge][1]
        size = Dice(f"{self.habits.name} size of {plan.number}")
        files = 1 if plan.labels == ["dependencies"] else 1 + min(size.few(3), 40)
        return PullRequest(
            number=plan.number,
            title=plan.title,
            state="MERGED" if merged else state,
            is_draft=state == "OPEN" and plan.draft_until is not None and plan.draft_until >= END,
            author=plan.author,
            created_at=plan.opened_at,
            updated_at=max([plan.opened_at, *(event.at for event in timeline)]),
            closed_at=closed_at,
            merged_at=closed_at if merged else None,
            merged_by=plan.merged_by if merged else None,
            head_sha=head,
            merge_sha=merge,
            base_branch=branch,
            additions=files * size.whole(2, 60),
            deletions=files * size.whole(0, 30),
            changed_files=files,
            labels=tuple(plan.labels),
            commits=plan.commits,
            first_commit_authored_at=plan.first_commit_at,
            timeline=timeline,
        )


def stars(dice: Dice, count: int, created: datetime, before: int = 0, growth: float = 1.0) -> tuple[Star, ...]:
    """Stars of different people, some from before the start, the rest ever more frequent."""
    early = dice.moments(before, created, START, any_day) if before else []
    days = (END - START).days
    late = dice.moments(
        count - before, START, END, lambda day: any_day(day) * (1 + growth * (day - START.date()).days / days)
    )
    users = people.strangers(count, first=dice.whole(0, 1500))
    return tuple(Star(users[number], time) for number, time in enumerate([*early, *late]))


def forks(dice: Dice, name: str, count: int) -> tuple[Fork, ...]:
    """Forks by different people."""
    owners = people.strangers(count, first=200)
    return tuple(
        Fork(stable_number(f"fork {number} of {name}"), owner, time)
        for number, (owner, time) in enumerate(zip(owners, dice.moments(count, START, END, any_day), strict=True))
    )


def _by_time(landing: Landing) -> datetime:
    return landing.at


def _move_merge(pull: PullPlan, merged_at: datetime) -> None:
    pull.events = [
        Event(event.kind, merged_at, event.actor)
        if event.kind == "ClosedEvent" and event.at == pull.merged_at
        else event
        for event in pull.events
    ]
    pull.merged_at = pull.closed_at = merged_at


def _timeline(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(sorted((event for event in events if event.at < END), key=lambda event: event.at))


def _state(timeline: Sequence[Event]) -> tuple[str, datetime | None]:
    """Open or closed, and since when, as the events tell."""
    changes = [event for event in timeline if event.kind in ("ClosedEvent", "ReopenedEvent")]
    if changes and changes[-1].kind == "ClosedEvent":
        return "CLOSED", changes[-1].at
    return "OPEN", None


def _issue(plan: IssuePlan) -> Issue:
    timeline = _timeline(plan.events)
    state, closed_at = _state(timeline)
    reopened = any(event.kind == "ReopenedEvent" for event in timeline)
    return Issue(
        number=plan.number,
        title=plan.title,
        body=plan.body(),
        state=state,
        state_reason=(plan.reason or "COMPLETED") if closed_at else "REOPENED" if reopened else None,
        author=plan.author,
        created_at=plan.opened_at,
        updated_at=max([plan.opened_at, *(event.at for event in timeline)]),
        closed_at=closed_at,
        labels=tuple(plan.labels),
        timeline=timeline,
    )
