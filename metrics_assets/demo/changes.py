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
from metrics_assets.demo.forms import review_number
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
    Release,
    Repository,
    ReviewComment,
    Star,
    Status,
    Tag,
    User,
    WorkflowRun,
    stable_number,
)

if TYPE_CHECKING:
    from metrics_assets.demo.faults import Fault, Seen
    from metrics_assets.demo.server import DemoServer

T = TypeVar("T")
DAY = timedelta(days=1)


def next_day(
    history: History,
    share: float,
    seed: int,
    repositories: Collection[str] | None = None,
    *,
    spread: bool = False,
) -> History:
    """The history one day later, with `share` (0 to 1) of the rows of the named repositories changed.

    Usually that is `share` of each of their lists: so many pull requests, issues and discussions get a comment, so
    many milestones are moved, so many commits, stars, forks, deployments, builds and review comments come in
    addition, at least one of each that is not empty; a quarter as many pull requests and issues are opened and stars
    withdrawn; and the oldest issue and the oldest release are deleted. Every review comment belongs to a review of
    its own, which touches the pull request, so that more pull requests change than `share`.

    With `spread` the rows of all repositories together are meant: each row is drawn with the probability `share`,
    and for each that is drawn one thing of the above happens to its list. A fifth of the pull requests, issues and
    stars drawn stand for ones that are opened or withdrawn; an issue or release is deleted only if the oldest is
    drawn, and any other release drawn stands for a new one, with its tag. With 0.01 most lists of small
    repositories stay as they are, and a repository in which no row was drawn stays the same object. So many
    repositories changed: `sum(new is not old for old, new in zip(before.repositories, after.repositories))`.

    All of it happens between the two clocks. Without names every repository that is not empty can change; with a
    share of 0 none does.
    """
    now = history.now + DAY
    names = {name.lower() for name in repositories} if repositories is not None else None
    changed = tuple(
        _NextDay(one, Dice(f"{seed} {one.full_name} {now}"), history.now).repository(share, spread=spread)
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


@dataclass(frozen=True, slots=True)
class _Toll:
    """To how many rows of a list something happens."""

    changed: int = 0
    added: int = 0
    removed: int = 0  # of issues and releases the oldest, so 1 at most


CHANGING = ("discussions", "milestones")
GROWING = ("commits", "deployments", "forks", "review_comments", "workflow_runs")


@dataclass(slots=True)
class _NextDay:
    """One repository's next day, which begins at `start`."""

    old: Repository
    dice: Dice
    start: datetime
    tolls: dict[str, _Toll] = field(default_factory=dict)  # by the names of the lists

    def repository(self, share: float, *, spread: bool) -> Repository:
        """The repository at the end of the day; itself if nothing happened."""
        self.tolls = self._drawn(share) if spread else self._shares(share)
        if not any(toll != _Toll() for toll in self.tolls.values()):
            return self.old
        new = self._repository()
        return self.old if new == self.old else new

    def _shares(self, share: float) -> dict[str, _Toll]:
        """`share` of each list, and at least one."""
        old = self.old

        def count(length: int) -> int:
            return min(max(round(length * share), 1), length)

        pulls, issues, stars = len(old.pull_requests), len(old.issues), len(old.stars)
        return {
            "pull_requests": _Toll(changed=count(pulls), added=-(-count(pulls) // 4)),
            "issues": _Toll(changed=count(max(issues - 1, 0)), added=-(-count(issues) // 4), removed=min(issues, 1)),
            "releases": _Toll(removed=min(len(old.releases), 1)),
            "stars": _Toll(added=count(stars), removed=-(-count(stars) // 4)),
            **{name: _Toll(changed=count(len(getattr(old, name)))) for name in CHANGING},
            **{name: _Toll(added=count(len(getattr(old, name)))) for name in GROWING},
        }

    def _drawn(self, share: float) -> dict[str, _Toll]:
        """Each row with the probability `share`; one thing happens for each that is drawn."""
        old = self.old

        def draw(name: str) -> int:
            return self._of(len(getattr(old, name)), share)

        pulls, issues, releases, stars = (draw(name) for name in ("pull_requests", "issues", "releases", "stars"))
        opened, withdrawn = self._of(pulls, 0.2), self._of(stars, 0.2)
        deleted = int(bool(issues) and self.dice.chance(issues / len(old.issues)))  # whether the oldest is among them
        begun = self._of(issues - deleted, 0.2)
        unreleased = int(bool(releases) and self.dice.chance(releases / len(old.releases)))
        return {
            "pull_requests": _Toll(changed=pulls - opened, added=opened),
            "issues": _Toll(changed=issues - deleted - begun, added=begun, removed=deleted),
            "releases": _Toll(added=releases - unreleased, removed=unreleased),
            "stars": _Toll(added=stars - withdrawn, removed=withdrawn),
            **{name: _Toll(changed=draw(name)) for name in CHANGING},
            **{name: _Toll(added=draw(name)) for name in GROWING},
        }

    def _of(self, count: int, share: float) -> int:
        return sum(self.dice.chance(share) for _ in range(count))

    def _repository(self) -> Repository:
        old = self.old
        commits, branches = self._commits()
        pushed_at = commits[-1].committed_at if len(commits) > len(old.commits) else old.pushed_at
        pulls, remarks = self._reviewed(self._changed("pull_requests", old.pull_requests, self._commented))
        releases, tags = self._releases(branches)
        return replace(
            old,
            pull_requests=(*pulls, *self._new_pull_requests()),
            issues=(*self._issues(), *self._new_issues()),
            discussions=self._changed("discussions", old.discussions, self._answered),
            milestones=self._changed("milestones", old.milestones, self._moved),
            commits=commits,
            branches=branches,
            tags=tags,
            pushed_at=pushed_at,
            releases=releases,
            deployments=(*old.deployments, *self._new_deployments(branches)),
            stars=self._stars(),
            forks=(*old.forks, *self._new_forks()),
            review_comments=(*old.review_comments, *remarks),
            workflow_runs=(*old.workflow_runs, *self._new_runs(branches)),
        )

    def _moment(self) -> datetime:
        """A time of the new day, before its last minutes."""
        return self.start + timedelta(seconds=self.dice.whole(1, 84_000))

    def _moments(self, name: str) -> list[datetime]:
        """When the rows come that are added to a list."""
        return sorted(self._moment() for _ in range(self.tolls[name].added))

    def _changed(self, name: str, items: tuple[T, ...], change: Callable[[T], T]) -> tuple[T, ...]:
        return _exchanged(items, _chosen(self.dice, len(items), self.tolls[name].changed), change)

    def _commented(self, pull: PullRequest) -> PullRequest:
        time = self._moment()
        return replace(pull, updated_at=time, timeline=(*pull.timeline, self._comment(time)))

    def _comment(self, time: datetime) -> Event:
        return Event("IssueComment", time, User(f"visitor-{self.dice.whole(1, 50)}"))

    def _issues(self) -> tuple[Issue, ...]:
        """The issues, some with a new comment or closed, the oldest deleted or not."""

        def change(issue: Issue) -> Issue:
            time = self._moment()
            timeline = (*issue.timeline, self._comment(time))
            if issue.state == "OPEN" and self.dice.chance(0.3):
                time += timedelta(seconds=1)
                timeline = (*timeline, Event("ClosedEvent", time, issue.author))
                issue = replace(issue, state="CLOSED", state_reason="COMPLETED", closed_at=time)
            return replace(issue, updated_at=time, timeline=timeline)

        issues = self.old.issues
        if self.tolls["issues"].removed:
            oldest = min(issues, key=lambda one: one.number)
            issues = tuple(one for one in issues if one is not oldest)
        return self._changed("issues", issues, change)

    def _new_issues(self) -> list[Issue]:
        first = self._next_number() + self.tolls["pull_requests"].added
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
            for n, time in enumerate(self._new_times("issues"))
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
            for n, time in enumerate(self._new_times("pull_requests"))
        ]

    def _new_times(self, name: str) -> list[datetime]:
        """When new ones are opened: one after the other."""
        return [self.start + timedelta(minutes=10, seconds=6 * n) for n in range(self.tolls[name].added)]

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
        for number, time in enumerate(self._moments("commits")):
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
        old, toll = self.old.stars, self.tolls["stars"]
        withdrawn = set(_chosen(self.dice, len(old), toll.removed))
        day = self.start.date().isoformat()
        new = (Star(User(f"fan-{day}-{n}"), self._moment()) for n in range(toll.added))
        return (*(star for n, star in enumerate(old) if n not in withdrawn), *new)

    def _new_forks(self) -> list[Fork]:
        return [
            Fork(stable_number(f"{self.old.full_name} fork {time} {n}"), User(f"fan-{time:%Y-%m-%d}-{n}"), time)
            for n, time in enumerate(self._moments("forks"))
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
            for n, time in enumerate(self._moments("deployments"))
        ]

    def _releases(self, branches: dict[str, str]) -> tuple[tuple[Release, ...], tuple[Tag, ...]]:
        """The releases without the oldest, if that is deleted, and with new ones; and the tags with theirs."""
        old, toll = self.old, self.tolls["releases"]
        oldest = min(old.releases, key=lambda one: one.created_at) if toll.removed else None
        kept = tuple(one for one in old.releases if one is not oldest)
        sha = branches.get(old.default_branch or "")
        if sha is None:
            return kept, old.tags
        releases, tags = [], []
        for n, time in enumerate(self._moments("releases"), 1):
            name = f"next-day-{time:%Y-%m-%d}-{n}"
            release = Release(
                id=stable_number(f"{old.full_name} release {name}"),
                tag=name,
                name=name,
                author=old.releases[-1].author,
                is_draft=False,
                is_prerelease=False,
                created_at=time,
                published_at=time,
            )
            releases.append(release)
            tags.append(Tag(name=name, sha=sha))
        return (*kept, *releases), (*old.tags, *tags)

    def _reviewed(self, pulls: tuple[PullRequest, ...]) -> tuple[tuple[PullRequest, ...], list[ReviewComment]]:
        """The pull requests with the reviews that new comments on lines belong to, and those comments."""
        remarks = self._new_review_comments()
        by_number: dict[int, list[int]] = {}
        for place, remark in enumerate(remarks):
            by_number.setdefault(remark.number, []).append(place)
        before = {pull.number: len(pull.timeline) for pull in self.old.pull_requests} if by_number else {}

        def reviewed(pull: PullRequest) -> PullRequest:
            # Today's part of the timeline in the order of time; each event with the place of its remark.
            today: list[tuple[Event, int | None]] = [(event, None) for event in pull.timeline[before[pull.number] :]]
            for place in by_number[pull.number]:
                one = remarks[place]
                today.append((Event("PullRequestReview", one.created_at, one.author, state="COMMENTED"), place))
            today.sort(key=lambda pair: pair[0].at)
            for index, (_, mine) in enumerate(today, before[pull.number]):
                if mine is not None:
                    review = review_number(self.old.full_name, pull.number, index)
                    remarks[mine] = replace(remarks[mine], review_id=review)
            timeline = (*pull.timeline[: before[pull.number]], *(event for event, _ in today))
            return replace(pull, updated_at=max(pull.updated_at, timeline[-1].at), timeline=timeline)

        positions = [position for position, pull in enumerate(pulls) if pull.number in by_number]
        return _exchanged(pulls, positions, reviewed), remarks

    def _new_review_comments(self) -> list[ReviewComment]:
        """Answers in the threads there are; each is a review of its own, as at GitHub."""
        found = []
        for n, time in enumerate(self._moments("review_comments")):
            thread = self.dice.pick(self.old.review_comments)
            identity = stable_number(f"{self.old.full_name} remark {time} {n}")
            found.append(
                replace(
                    thread,
                    id=identity,
                    review_id=stable_number(f"review of remark {identity}"),
                    in_reply_to=thread.in_reply_to or thread.id,
                    created_at=time,
                    updated_at=time,
                )
            )
        return found

    def _new_runs(self, branches: dict[str, str]) -> list[WorkflowRun]:
        runs = self.old.workflow_runs
        highest = max((run.number for run in runs), default=0)
        found = []
        for n, time in enumerate(self._moments("workflow_runs"), 1):
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
