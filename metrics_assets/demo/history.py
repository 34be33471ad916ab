"""What the demo server can play: repositories with everything that happened in them, held in memory.

The words are GitHub's. A field that a recorded history does not hold is None, and a list it does not hold is
empty; nothing is made up to fill the gap.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

INITIAL = {
    "ClosedEvent": "CE",
    "ConvertToDraftEvent": "CTDE",
    "HeadRefForcePushedEvent": "HRFPE",
    "IssueComment": "IC",
    "LabeledEvent": "LE",
    "PullRequestReview": "PRR",
    "ReadyForReviewEvent": "RFRE",
    "ReopenedEvent": "REE",
    "UnlabeledEvent": "UNLE",
}
"""The kinds of timeline items, by GitHub's type name, with the initials that their node ids begin with."""


@dataclass(frozen=True, slots=True)
class User:
    """An account; `kind` is GitHub's type of actor: User, Bot, Mannequin or Organization."""

    login: str
    kind: str = "User"


@dataclass(frozen=True, slots=True)
class Event:
    """One item of a timeline: a comment, a review or a change of state or label."""

    kind: str  # a key of INITIAL
    at: datetime
    actor: User | None
    label: str | None = None
    state: str | None = None  # of a review: APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    number: int
    state: str  # OPEN | CLOSED | MERGED
    author: User | None
    updated_at: datetime
    title: str | None = None
    is_draft: bool | None = None
    created_at: datetime | None = None
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: User | None = None
    head_sha: str | None = None
    merge_sha: str | None = None
    base_branch: str | None = None
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None
    labels: tuple[str, ...] = ()
    commits: int | None = None
    first_commit_authored_at: datetime | None = None
    timeline: tuple[Event, ...] = ()
    milestone: int | None = None  # its number


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    number: int
    title: str
    body: str
    state: str  # OPEN | CLOSED
    state_reason: str | None  # COMPLETED | NOT_PLANNED | REOPENED
    author: User | None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    labels: tuple[str, ...] = ()
    timeline: tuple[Event, ...] = ()
    milestone: int | None = None  # its number

    @property
    def comments(self) -> int:
        """The number of comments in the timeline."""
        return sum(event.kind == "IssueComment" for event in self.timeline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    sha: str
    parents: tuple[str, ...]
    message: str
    author: User | None  # None where the e-mail address belongs to no account
    author_email: str
    authored_at: datetime
    committed_at: datetime
    additions: int | None = None  # lines
    deletions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag on a commit; `tagged_at` is the tagger's date and None where the tag is lightweight."""

    name: str
    sha: str
    tagged_at: datetime | None = None
    tag_object: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseAsset:
    """A file of a release; `downloads` counts since the file was put there."""

    id: int
    name: str
    size: int  # bytes
    downloads: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    id: int
    tag: str
    name: str | None
    author: User | None
    is_draft: bool
    is_prerelease: bool
    created_at: datetime  # GitHub says the date of the tagged commit here
    published_at: datetime | None
    assets: tuple[ReleaseAsset, ...] = ()

    @property
    def updated_at(self) -> datetime:
        """The newest of the times that the release knows."""
        times = [self.created_at, *(asset.created_at for asset in self.assets)]
        return max([*times, self.published_at] if self.published_at else times)


@dataclass(frozen=True, slots=True)
class Status:
    state: str  # QUEUED | IN_PROGRESS | SUCCESS | FAILURE | ERROR | INACTIVE | PENDING
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    id: int
    sha: str
    ref: str | None
    environment: str
    creator: User | None
    created_at: datetime
    statuses: tuple[Status, ...]  # oldest first
    task: str = "deploy"

    @property
    def updated_at(self) -> datetime:
        """The time of the newest status."""
        return self.statuses[-1].at if self.statuses else self.created_at

    @property
    def succeeded_at(self) -> datetime | None:
        """The time of the first SUCCESS, or None if there is none yet."""
        return next((status.at for status in self.statuses if status.state == "SUCCESS"), None)


@dataclass(frozen=True, slots=True)
class Star:
    user: User
    at: datetime


@dataclass(frozen=True, slots=True)
class Fork:
    id: int
    owner: User | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscussionComment:
    """A comment of a discussion, or a reply to one; replies have no replies."""

    id: int
    author: User | None
    created_at: datetime
    replies: tuple[DiscussionComment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    number: int
    title: str
    category: str
    author: User | None
    created_at: datetime
    updated_at: datetime
    is_answerable: bool = False  # of the category
    closed_at: datetime | None = None
    answer: int | None = None  # the id of the comment or reply that was chosen
    answer_chosen_at: datetime | None = None
    upvotes: int = 1
    comments: tuple[DiscussionComment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A goal; which issues and pull requests belong to it is said by their `milestone`."""

    number: int
    title: str
    state: str  # OPEN | CLOSED
    created_at: datetime
    updated_at: datetime
    due_on: datetime | None = None
    closed_at: datetime | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewComment:
    """A comment on a line of a pull request; `in_reply_to` is the id of the thread's first comment."""

    id: int
    number: int  # of the pull request
    review_id: int | None
    author: User | None
    path: str  # of the file
    created_at: datetime
    updated_at: datetime
    in_reply_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: int
    name: str
    status: str  # queued | in_progress | completed
    conclusion: str | None  # success | failure | cancelled | skipped ...
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    id: int
    workflow_id: int
    name: str
    number: int
    event: str  # push | pull_request | schedule ...
    branch: str | None
    sha: str
    status: str
    conclusion: str | None
    actor: User | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    attempt: int = 1
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """Somebody whose commits are not in the history that is played; without account a name and an address."""

    commits: int
    user: User | None = None
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityAdvisory:
    ghsa_id: str
    summary: str
    severity: str  # low | medium | high | critical
    state: str  # triage | draft | published | closed | withdrawn
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None = None
    withdrawn_at: datetime | None = None
    cve_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DependabotAlert:
    number: int
    state: str  # open | fixed | dismissed | auto_dismissed
    ghsa_id: str
    severity: str  # low | medium | high | critical
    ecosystem: str
    package: str
    created_at: datetime
    updated_at: datetime
    fixed_at: datetime | None = None
    dismissed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficDay:
    """Views and clones of one day (UTC), and by how many different visitors."""

    date: date
    views: int = 0
    visitors: int = 0
    clones: int = 0
    cloners: int = 0


@dataclass(frozen=True, slots=True)
class TrafficSource:
    """Where visitors came from (a site), or what they looked at (a path), over the last 14 days."""

    name: str
    views: int
    visitors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    owner: str
    name: str
    created_at: datetime
    pushed_at: datetime | None = None
    default_branch: str | None = None
    branches: dict[str, str] = field(default_factory=dict)  # name -> sha of its head
    description: str | None = None
    language: str | None = None
    license: str | None = None  # SPDX id
    topics: tuple[str, ...] = ()
    is_archived: bool = False
    is_fork: bool = False
    is_private: bool = False
    has_issues: bool = True
    watchers: int = 0
    pull_requests: tuple[PullRequest, ...] = ()
    issues: tuple[Issue, ...] = ()
    commits: tuple[Commit, ...] = ()  # of all branches and tags, in an order where parents come first
    tags: tuple[Tag, ...] = ()
    releases: tuple[Release, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    stars: tuple[Star, ...] = ()
    forks: tuple[Fork, ...] = ()
    permission: str = "READ"  # of whoever asks: ADMIN | MAINTAIN | WRITE | TRIAGE | READ
    discussions: tuple[Discussion, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    review_comments: tuple[ReviewComment, ...] = ()
    workflow_runs: tuple[WorkflowRun, ...] = ()
    contributors: tuple[Contributor, ...] = ()  # besides those of the commits
    security_advisories: tuple[SecurityAdvisory, ...] = ()
    dependabot_alerts: tuple[DependabotAlert, ...] = ()
    traffic: tuple[TrafficDay, ...] = ()  # of any length; only the last 14 days are shown
    referrers: tuple[TrafficSource, ...] = ()
    popular_paths: tuple[TrafficSource, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as 'owner/name'."""
        return f"{self.owner}/{self.name}"

    @property
    def id(self) -> int:
        """A number that depends on the name alone."""
        return stable_number(f"repository {self.full_name}", digits=8)

    @property
    def head(self) -> str | None:
        """The sha of the default branch's newest commit, or None in an empty repository."""
        return self.branches.get(self.default_branch) if self.default_branch else None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Repositories and the clock they are seen at: nothing in them is later than `now`."""

    now: datetime
    repositories: tuple[Repository, ...]
    renamed: dict[str, str] = field(default_factory=dict)  # 'owner/old' -> 'owner/new'
    unavailable: dict[str, int] = field(default_factory=dict)  # 'owner/name' -> 404 | 410 | 451

    def repository(self, full_name: str) -> Repository | None:
        """The repository of that present name, upper and lower case alike, or None."""
        wanted = full_name.lower()
        return next((found for found in self.repositories if found.full_name.lower() == wanted), None)

    def renamed_to(self, full_name: str) -> Repository | None:
        """The repository that had this name before, or None."""
        new_names = {old.lower(): new for old, new in self.renamed.items()}
        new_name = new_names.get(full_name.lower())
        return self.repository(new_name) if new_name else None


def day_after(time: datetime) -> datetime:
    """Half past midnight (UTC) of the next day: the clock at which the day of a time is over."""
    return (time + timedelta(days=1)).replace(hour=0, minute=30, second=0, microsecond=0)


def stable_number(text: str, digits: int = 9) -> int:
    """A positive number of that many digits at most, always the same for the same text."""
    largest: int = 10**digits - 1
    return 1 + int(hashlib.sha1(text.encode()).hexdigest()[:15], 16) % largest


def ancestors(commits: dict[str, Commit], sha: str) -> set[str]:
    """The shas of a commit and of everything it was built on, in a graph given as sha -> commit."""
    seen: set[str] = set()
    waiting = [sha]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting.extend(commits[current].parents)
    return seen
