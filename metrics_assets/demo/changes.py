"""Histories that go on: what happens on the next day, while somebody reads, or to a whole repository.

Each function makes a new history from another, of which nothing is altered; `DemoServer.play` puts it on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from metrics_assets.demo.dice import Dice
from metrics_assets.demo.history import (
    Commit,
    Deployment,
    Discussion,
    DiscussionComment,
    Event,
    Fork,
    History,
    Issue,
    Job,
    Milestone,
    PullRequest,
    Repository,
    ReviewComment,
    Star,
    Status,
    User,
    WorkflowRun,
    stable_number,
)

if TYPE_CHECKING:
    from metrics_assets.demo.faults import Fault, Seen
    from metrics_assets.demo.server import DemoServer

T = TypeVar("T")
DAY = timedelta(days=1)


def next_day(history: History, share: float, seed: int, repositories: Collection[str] | None = None) -> History:
    """The history one day later, with `share` (0 to 1) of each list of the named repositories changed.

    So many pull requests, issues and discussions get a comment, so many commits, stars, forks, deployments, builds
    and review comments come in addition, at least one of each that is not empty; a quarter as many pull requests
    and issues are opened and stars withdrawn; and the oldest issue and the oldest release are deleted. All of it
    happens between the two clocks. Without names every repository that is not empty changes; with a share of 0
    none does.
    """
    now = history.now + DAY
    names = {name.lower() for name in repositories} if repositories is not None else None
    changed = tuple(
        _NextDay(one, share, Dice(f"{seed} {one.full_name} {now}"), history.now).repository()
        if share and one.commits and (names is None or one.full_name.lower() in names)
        else one
        for one in history.repositories
    )
    return replace(history, now=now, repositories=changed)


def renamed(history: History, full_name: str, new_name: str) -> History:
    """The history in which a repository has another name ('name' or 'owner/name'); the old one leads there."""
    old, at = _place(history, full_name)
    owner, _, name = new_name.rpartition("/")
    new = replace(old, owner=owner or old.owner, name=name)
    earlier = {one: new.full_name if target == old.full_name else target for one, target in history.renamed.items()}
    return replace(_with(history, at, new), renamed=earlier | {old.full_name: new.full_name})


def archived(history: History, full_name: str) -> History:
    """The history in which a repository is read-only."""
    old, at = _place(history, full_name)
    return _with(history, at, replace(old, is_archived=True))


def emptied(history: History, full_name: str) -> History:
    """The history in which there is a repository of that name, but nothing was ever pushed or said in it."""
    old, at = _place(history, full_name)
    about = {"description": old.description, "is_private": old.is_private, "permission": old.permission}
    return _with(history, at, Repository(owner=old.owner, name=old.name, created_at=old.created_at, **about))  # type: ignore[arg-type]


def unavailable(history: History, full_name: str, status: int = 404) -> History:
    """The history in which a repository is withheld: 404 (gone or private), 410 (deleted), 451 (for legal reasons)."""
    return replace(history, unavailable=history.unavailable | {full_name: status})


@dataclass(slots=True)
class Stirring:
    """A rule for `DemoServer.faults` under which the lists change while they are read.

    Before every `every`-th request that `when` accepts, the clock moves on by a second and random pull requests
    and issues of a repository are touched (`updated_at` moves to now) and stars are added, so that items move
    between the pages that somebody is reading. It never commits a fault.
    """

    server: DemoServer
    repository: str
    every: int = 2
    pull_requests: int = 2
    issues: int = 2
    stars: int = 1
    seed: int = 1
    times: int | None = None  # at most
    when: Callable[[Seen], bool] = lambda seen: seen.kind != "webhook"
    stirred: int = 0
    touched: set[int] = field(default_factory=set)  # numbers of pull requests and issues
    starred: set[str] = field(default_factory=set)  # logins
    _seen: int = 0

    def __call__(self, seen: Seen) -> Fault | None:
        """Never a fault."""
        if not self.when(seen) or (self.times is not None and self.stirred >= self.times):
            return None
        self._seen += 1
        if self._seen % self.every == 0:
            self.stirred += 1
            self.server.play(self._stir(self.server.history))
        return None

    def _stir(self, history: History) -> History:
        history = replace(history, now=history.now + timedelta(seconds=1))
        old, at = _place(history, self.repository)
        dice = Dice(f"stirring {self.seed} {self.stirred}")
        pulls = _chosen(dice, len(old.pull_requests), self.pull_requests)
        issues = _chosen(dice, len(old.issues), self.issues)
        self.touched |= {old.pull_requests[n].number for n in pulls} | {old.issues[n].number for n in issues}
        stars = tuple(Star(User(f"stirred-{self.stirred}-{n}"), history.now) for n in range(self.stars))
        self.starred |= {star.user.login for star in stars}
        new = replace(
            old,
            pull_requests=_exchanged(old.pull_requests, pulls, lambda one: replace(one, updated_at=history.now)),
            issues=_exchanged(old.issues, issues, lambda one: replace(one, updated_at=history.now)),
            stars=(*old.stars, *stars),
        )
        return _with(history, at, new)


@dataclass(slots=True)
class _NextDay:
    """One repository's next day, which begins at `start`."""

    old: Repository
    share: float
    dice: Dice
    start: datetime

    def repository(self) -> Repository:
        old = self.old
        commits, branches = self._commits()
        oldest = min(old.releases, key=lambda one: one.created_at, default=None)
        pushed_at = commits[-1].committed_at if len(commits) > len(old.commits) else old.pushed_at
        return replace(
            old,
            pull_requests=(*self._changed(old.pull_requests, self._commented), *self._new_pull_requests()),
            issues=(*self._issues(), *self._new_issues()),
            discussions=self._changed(old.discussions, self._answered),
            milestones=self._changed(old.milestones, self._moved),
            commits=commits,
            branches=branches,
            pushed_at=pushed_at,
            releases=tuple(one for one in old.releases if one is not oldest),
            deployments=(*old.deployments, *self._new_deployments(branches)),
            stars=self._stars(),
            forks=(*old.forks, *self._new_forks()),
            review_comments=(*old.review_comments, *self._new_review_comments()),
            workflow_runs=(*old.workflow_runs, *self._new_runs(branches)),
        )

    def _count(self, items: Collection[object]) -> int:
        return min(max(round(len(items) * self.share), 1), len(items)) if items else 0

    def _moment(self) -> datetime:
        """A time of the new day, before its last minutes."""
        return self.start + timedelta(seconds=self.dice.whole(1, 84_000))

    def _moments(self, items: Collection[object]) -> list[datetime]:
        return sorted(self._moment() for _ in range(self._count(items)))

    def _changed(self, items: tuple[T, ...], change: Callable[[T], T]) -> tuple[T, ...]:
        return _exchanged(items, _chosen(self.dice, len(items), self._count(items)), change)

    def _commented(self, pull: PullRequest) -> PullRequest:
        time = self._moment()
        return replace(pull, updated_at=time, timeline=(*pull.timeline, self._comment(time)))

    def _comment(self, time: datetime) -> Event:
        return Event("IssueComment", time, User(f"visitor-{self.dice.whole(1, 50)}"))

    def _issues(self) -> tuple[Issue, ...]:
        """All but the oldest, which is deleted, and some with a new comment or closed."""

        def change(issue: Issue) -> Issue:
            time = self._moment()
            timeline = (*issue.timeline, self._comment(time))
            if issue.state == "OPEN" and self.dice.chance(0.3):
                time += timedelta(seconds=1)
                timeline = (*timeline, Event("ClosedEvent", time, issue.author))
                issue = replace(issue, state="CLOSED", state_reason="COMPLETED", closed_at=time)
            return replace(issue, updated_at=time, timeline=timeline)

        oldest = min(self.old.issues, key=lambda one: one.number, default=None)
        return self._changed(tuple(one for one in self.old.issues if one is not oldest), change)

    def _new_issues(self) -> list[Issue]:
        first = self._next_number() + len(self._new_times(self.old.pull_requests))
        return [
            Issue(
                number=first + n,
                title="Something is amiss",
                body="It was not so yesterday.",
                state="OPEN",
                state_reason=None,
                author=User(f"visitor-{n}"),
                created_at=time,
                updated_at=time,
            )
            for n, time in enumerate(self._new_times(self.old.issues))
        ]

    def _new_pull_requests(self) -> list[PullRequest]:
        first = self._next_number()
        return [
            PullRequest(
                number=first + n,
                state="OPEN",
                author=User(f"visitor-{n}"),
                created_at=time,
                updated_at=time,
                title="A change of the next day",
                is_draft=False,
                head_sha=hashlib.sha1(f"{self.old.full_name} head {first + n}".encode()).hexdigest(),
                base_branch=self.old.default_branch,
                additions=1 + n,
                deletions=n,
                changed_files=1,
                commits=1,
                first_commit_authored_at=time - timedelta(hours=1),
            )
            for n, time in enumerate(self._new_times(self.old.pull_requests))
        ]

    def _new_times(self, items: Collection[object]) -> list[datetime]:
        """When new ones are opened: a quarter as many as change, one after the other."""
        return [self.start + timedelta(minutes=10, seconds=6 * n) for n in range(-(-self._count(items) // 4))]

    def _next_number(self) -> int:
        old = self.old
        lists: tuple[tuple[Issue | PullRequest | Discussion, ...], ...] = (
            old.issues,
            old.pull_requests,
            old.discussions,
        )
        return 1 + max((one.number for some in lists for one in some), default=0)

    def _answered(self, discussion: Discussion) -> Discussion:
        time = self._moment()
        identity = stable_number(f"{self.old.full_name} {discussion.number} {time}")
        comment = DiscussionComment(id=identity, author=User(f"visitor-{self.dice.whole(1, 50)}"), created_at=time)
        return replace(discussion, updated_at=time, comments=(*discussion.comments, comment))

    def _moved(self, milestone: Milestone) -> Milestone:
        return replace(milestone, updated_at=self._moment())

    def _commits(self) -> tuple[tuple[Commit, ...], dict[str, str]]:
        """The commits with those that were pushed to the default branch, and where the branches are then."""
        old, sha = self.old, self.old.head
        branch = old.default_branch
        if sha is None or branch is None:
            return old.commits, old.branches
        added = []
        for number, time in enumerate(self._moments(old.commits)):
            before, sha = sha, hashlib.sha1(f"{old.full_name} {sha} {time} {number}".encode()).hexdigest()
            added.append(
                Commit(
                    sha=sha,
                    parents=(before,),
                    message=f"Next day, part {number + 1}",
                    author=User(f"visitor-{self.dice.whole(1, 50)}"),
                    author_email="visitor@example.org",
                    authored_at=time,
                    committed_at=time,
                    additions=self.dice.whole(1, 90),
                    deletions=self.dice.whole(0, 40),
                )
            )
        return (*old.commits, *added), old.branches | {branch: sha}

    def _stars(self) -> tuple[Star, ...]:
        """Fewer of the old ones, and new ones."""
        old, count = self.old.stars, self._count(self.old.stars)
        withdrawn = set(_chosen(self.dice, len(old), -(-count // 4)))
        day = self.start.date().isoformat()
        new = (Star(User(f"fan-{day}-{n}"), self._moment()) for n in range(count))
        return (*(star for n, star in enumerate(old) if n not in withdrawn), *new)

    def _new_forks(self) -> list[Fork]:
        return [
            Fork(stable_number(f"{self.old.full_name} fork {time} {n}"), User(f"fan-{time:%Y-%m-%d}-{n}"), time)
            for n, time in enumerate(self._moments(self.old.forks))
        ]

    def _new_deployments(self, branches: dict[str, str]) -> list[Deployment]:
        old = self.old
        return [
            Deployment(
                id=stable_number(f"{old.full_name} deployment {time} {n}"),
                sha=branches[old.default_branch or ""],
                ref=old.default_branch,
                environment=old.deployments[-1].environment,
                creator=old.deployments[-1].creator,
                created_at=time,
                statuses=(Status("IN_PROGRESS", time), Status("SUCCESS", time + timedelta(seconds=90))),
            )
            for n, time in enumerate(self._moments(old.deployments))
        ]

    def _new_review_comments(self) -> list[ReviewComment]:
        comments = self.old.review_comments
        found = []
        for n, time in enumerate(self._moments(comments)):
            thread = self.dice.pick(comments)
            identity = stable_number(f"{self.old.full_name} remark {time} {n}")
            first = thread.in_reply_to or thread.id
            found.append(replace(thread, id=identity, in_reply_to=first, created_at=time, updated_at=time))
        return found

    def _new_runs(self, branches: dict[str, str]) -> list[WorkflowRun]:
        runs = self.old.workflow_runs
        highest = max((run.number for run in runs), default=0)
        found = []
        for n, time in enumerate(self._moments(runs), 1):
            identity = stable_number(f"{self.old.full_name} run {time} {n}")
            ended = time + timedelta(minutes=3)
            job = Job(
                id=stable_number(f"{identity} job"),
                name="test",
                status="completed",
                conclusion="success",
                started_at=time,
                completed_at=ended,
            )
            found.append(
                replace(
                    runs[-1],
                    id=identity,
                    number=highest + n,
                    sha=branches[self.old.default_branch or ""],
                    status="completed",
                    conclusion="success",
                    created_at=time,
                    started_at=time,
                    updated_at=ended,
                    jobs=(job,),
                )
            )
        return found


def _chosen(dice: Dice, length: int, count: int) -> list[int]:
    """So many different positions of a list, or all if there are no more."""
    chosen: set[int] = set()
    while len(chosen) < min(count, length):
        chosen.add(dice.whole(0, length - 1))
    return sorted(chosen)


def _exchanged(items: tuple[T, ...], positions: list[int], change: Callable[[T], T]) -> tuple[T, ...]:
    new = list(items)
    for position in positions:
        new[position] = change(new[position])
    return tuple(new)


def _place(history: History, full_name: str) -> tuple[Repository, int]:
    """The repository of that name and its position."""
    for position, one in enumerate(history.repositories):
        if one.full_name.lower() == full_name.lower():
            return one, position
    raise KeyError(f"The history has no repository {full_name}.")


def _with(history: History, position: int, repository: Repository) -> History:
    repositories = list(history.repositories)
    repositories[position] = repository
    return replace(history, repositories=tuple(repositories))
