"""Histories of any size for benchmarks: not plausible like the sample organisation, but quickly made.

That of `huge_repository` takes a second or two to make and about 100 MB.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from metrics_assets.demo.dice import Dice
from metrics_assets.demo.history import (
    Commit,
    Deployment,
    Event,
    Fork,
    History,
    Issue,
    Job,
    PullRequest,
    Release,
    Repository,
    ReviewComment,
    Star,
    Status,
    Tag,
    User,
    WorkflowRun,
    day_after,
)

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
LABELS = ("bug", "enhancement", "documentation", "performance", "question")
PEOPLE = tuple(User(f"person-{number}") for number in range(200))
OWNER = "synthetic"


def large_repository(
    pull_requests: int = 600,
    issues: int = 900,
    commits: int = 6000,
    stars: int = 5000,
    *,
    forks: int = 0,
    releases: int = 0,
    deployments: int = 0,
    workflow_runs: int = 0,
    comments: int = 3,
    seed: int = 1,
    name: str = "large",
) -> History:
    """One repository, `synthetic/<name>`, over two years; each pull request and issue has labels and some comments.

    `comments` is how many of them there are on average, with as many reviews and remarks on a pull request.
    """
    one = repository(
        name,
        Dice(f"synthetic {seed}"),
        pull_requests=pull_requests,
        issues=issues,
        commits=commits,
        stars=stars,
        forks=forks,
        releases=releases,
        deployments=deployments,
        workflow_runs=workflow_runs,
        comments=comments,
    )
    return History(now=day_after(END), repositories=(one,))


def many_repositories(n: int = 1000, seed: int = 1) -> History:
    """So many small, quiet repositories: `synthetic/quiet-0` and so on."""
    return History(
        now=day_after(END),
        repositories=tuple(
            repository(
                f"quiet-{number}",
                Dice(f"quiet {seed} {number}"),
                pull_requests=3,
                issues=4,
                commits=12,
                stars=5,
                forks=1,
                releases=1,
                comments=1,
            )
            for number in range(n)
        ),
    )


def huge_repository(stars: int = 100_000, pull_requests: int = 50_000, seed: int = 1) -> History:
    """One repository with very long lists, `synthetic/huge`; few of its rows have anything nested."""
    return large_repository(pull_requests, pull_requests // 5, 20_000, stars, comments=0, seed=seed, name="huge")


def repository(
    name: str,
    dice: Dice,
    *,
    pull_requests: int = 0,
    issues: int = 0,
    commits: int = 0,
    stars: int = 0,
    forks: int = 0,
    releases: int = 0,
    deployments: int = 0,
    workflow_runs: int = 0,
    comments: int = 3,
) -> Repository:
    """A repository with so many of each, spread evenly over the two years."""
    graph = _commits(name, commits)
    pulls = tuple(
        _pull_request(dice, name, 2 * number + 1, time, comments) for number, time in enumerate(_times(pull_requests))
    )
    marks = [graph[position] for position in _positions(len(graph), releases)]
    return Repository(
        owner=OWNER,
        name=name,
        created_at=BEGIN - timedelta(days=1),
        pushed_at=graph[-1].committed_at if graph else None,
        default_branch="main" if graph else None,
        branches={"main": graph[-1].sha} if graph else {},
        description="A repository for measurements.",
        language="Python",
        license="MIT",
        watchers=stars // 20,
        pull_requests=pulls,
        issues=tuple(_issue(dice, 2 * number + 2, time, comments) for number, time in enumerate(_times(issues))),
        commits=graph,
        tags=tuple(Tag(name=f"v{number}", sha=mark.sha) for number, mark in enumerate(marks, 1)),
        releases=tuple(_release(number, mark) for number, mark in enumerate(marks, 1)),
        deployments=tuple(_deployment(number, time, graph) for number, time in enumerate(_times(deployments), 1)),
        stars=tuple(Star(User(f"{name}-fan-{number}"), time) for number, time in enumerate(_times(stars))),
        forks=tuple(Fork(number, PEOPLE[number % 200], time) for number, time in enumerate(_times(forks), 1)),
        review_comments=tuple(_remark(pull, part) for pull in pulls for part in range(min(comments, pull.number % 4))),
        workflow_runs=tuple(_run(number, time, graph) for number, time in enumerate(_times(workflow_runs), 1)),
    )


def _times(count: int) -> list[datetime]:
    """So many whole seconds, evenly over the two years."""
    step = (END - BEGIN).total_seconds() / max(count, 1)
    return [BEGIN + timedelta(seconds=int(step * number)) for number in range(count)]


def _positions(length: int, count: int) -> list[int]:
    return [length * number // count for number in range(count)] if length else []


def _talk(dice: Dice, time: datetime, comments: int, kind: str) -> list[Event]:
    events = []
    for _ in range(dice.whole(0, 2 * comments)):
        time += timedelta(minutes=dice.whole(1, 300))
        state = dice.pick(("APPROVED", "COMMENTED", "CHANGES_REQUESTED")) if kind == "PullRequestReview" else None
        events.append(Event(kind, time, dice.pick(PEOPLE), state=state))
    return events


def _timeline(events: list[Event]) -> tuple[Event, ...]:
    return tuple(sorted((event for event in events if event.at <= END), key=lambda event: event.at))


def _pull_request(dice: Dice, name: str, number: int, created_at: datetime, comments: int) -> PullRequest:
    label, author = dice.pick(LABELS), dice.pick(PEOPLE)
    events = [Event("LabeledEvent", created_at, author, label=label)] if comments else []
    events += _talk(dice, created_at, comments, "IssueComment") + _talk(dice, created_at, comments, "PullRequestReview")
    merged_at = created_at + timedelta(minutes=dice.whole(10, 20_000))
    is_merged = merged_at <= END and dice.chance(0.9)
    if is_merged and comments:
        events.append(Event("ClosedEvent", merged_at, author))
    timeline = _timeline(events)
    return PullRequest(
        number=number,
        title=f"Change number {number}",
        state="MERGED" if is_merged else "OPEN",
        is_draft=False,
        author=author,
        created_at=created_at,
        updated_at=max([created_at, *([merged_at] if is_merged else []), *(event.at for event in timeline)]),
        closed_at=merged_at if is_merged else None,
        merged_at=merged_at if is_merged else None,
        merged_by=author if is_merged else None,
        head_sha=_sha(f"{name} head {number}"),
        merge_sha=_sha(f"{name} merge {number}") if is_merged else None,
        base_branch="main",
        additions=dice.whole(1, 300),
        deletions=dice.whole(0, 100),
        changed_files=dice.whole(1, 12),
        labels=(label,),
        commits=dice.whole(1, 6),
        first_commit_authored_at=created_at - timedelta(hours=dice.whole(1, 90)),
        timeline=timeline,
    )


def _issue(dice: Dice, number: int, created_at: datetime, comments: int) -> Issue:
    label, author = dice.pick(LABELS), dice.pick(PEOPLE)
    events = [Event("LabeledEvent", created_at, author, label=label)] if comments else []
    events += _talk(dice, created_at, comments, "IssueComment")
    closed_at = created_at + timedelta(minutes=dice.whole(60, 60_000))
    is_closed = closed_at <= END and dice.chance(0.8)
    if is_closed and comments:
        events.append(Event("ClosedEvent", closed_at, author))
    timeline = _timeline(events)
    return Issue(
        number=number,
        title=f"Request number {number}",
        body="It should be otherwise.",
        state="CLOSED" if is_closed else "OPEN",
        state_reason="COMPLETED" if is_closed else None,
        author=author,
        created_at=created_at,
        updated_at=max([created_at, *([closed_at] if is_closed else []), *(event.at for event in timeline)]),
        closed_at=closed_at if is_closed else None,
        labels=(label,),
        timeline=timeline,
    )


def _commits(name: str, count: int) -> tuple[Commit, ...]:
    graph: list[Commit] = []
    for number, time in enumerate(_times(count)):
        person = PEOPLE[number % len(PEOPLE)]
        graph.append(
            Commit(
                sha=_sha(f"{name} commit {number}"),
                parents=(graph[-1].sha,) if graph else (),
                message=f"Step {number}",
                author=person,
                author_email=f"{person.login}@example.org",
                authored_at=time,
                committed_at=time,
                additions=number % 97,
                deletions=number % 31,
            )
        )
    return tuple(graph)


def _release(number: int, mark: Commit) -> Release:
    return Release(
        id=number,
        tag=f"v{number}",
        name=f"Version {number}",
        author=PEOPLE[0],
        is_draft=False,
        is_prerelease=False,
        created_at=mark.committed_at,
        published_at=mark.committed_at + timedelta(minutes=10),
    )


def _deployment(number: int, time: datetime, graph: tuple[Commit, ...]) -> Deployment:
    return Deployment(
        id=number,
        sha=graph[-1].sha,
        ref="main",
        environment="production",
        creator=PEOPLE[1],
        created_at=time,
        statuses=(Status("IN_PROGRESS", time), Status("SUCCESS", time + timedelta(minutes=2))),
    )


def _remark(pull: PullRequest, part: int) -> ReviewComment:
    time = pull.updated_at
    return ReviewComment(
        id=pull.number * 10 + part,
        number=pull.number,
        review_id=None,
        author=PEOPLE[part],
        path="src/module.py",
        created_at=time,
        updated_at=time,
        in_reply_to=pull.number * 10 if part else None,
    )


def _run(number: int, time: datetime, graph: tuple[Commit, ...]) -> WorkflowRun:
    ended = time + timedelta(minutes=4)
    job = Job(id=number, name="test", status="completed", conclusion="success", started_at=time, completed_at=ended)
    return WorkflowRun(
        id=number,
        workflow_id=1,
        name="CI",
        number=number,
        event="push",
        branch="main",
        sha=graph[-1].sha if graph else "0" * 40,
        status="completed",
        conclusion="success",
        actor=PEOPLE[2],
        created_at=time,
        started_at=time,
        updated_at=ended,
        jobs=(job,),
    )


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()
