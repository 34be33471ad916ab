"""The rows that sources yield, whatever the provider: one frozen dataclass per raw table.

A record's class says which table it belongs to (`TABLE`) and which columns identify a row (`KEY`); its fields
are that table's columns, in the table's units. Times are timezone-aware UTC. A person appears only as an
`Account`: `warehouse.write` replaces it by a keyed hash, so that a login or an e-mail address cannot reach a
table by another way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Account:
    """Who did something, as the provider names them; `None` in a record where the account is deleted."""

    login: str
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Base of all records."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Repository(Record):
    TABLE: ClassVar[str] = "raw.repositories"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id",)

    repository_id: int
    repository: str
    state: str  # active | archived | empty
    default_branch: str | None
    description: str | None
    language: str | None
    license: str | None
    topics: list[str]
    is_fork: bool
    is_private: bool
    has_issues: bool
    created_at: datetime
    pushed_at: datetime | None


@dataclass(frozen=True, slots=True)
class RepositoryCounters(Record):
    """What the provider counts now; the past of these figures cannot be asked for."""

    TABLE: ClassVar[str] = "raw.repository_counters"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "observed_on")

    repository_id: int
    observed_on: date
    observed_at: datetime
    stars: int
    forks: int
    watchers: int | None
    issues_and_pull_requests_open: int


@dataclass(frozen=True, slots=True)
class PullRequest(Record):
    TABLE: ClassVar[str] = "raw.pull_requests"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "number")

    repository_id: int
    number: int
    title: str | None
    state: str  # open | closed | merged
    is_draft: bool | None
    author: Account | None
    merged_by: Account | None
    created_at: datetime | None
    updated_at: datetime
    closed_at: datetime | None
    merged_at: datetime | None
    first_commit_at: datetime | None
    commits: int | None
    head_sha: str | None
    merge_sha: str | None
    base_branch: str | None
    labels: list[str]
    additions: int | None
    deletions: int | None
    changed_files: int | None


@dataclass(frozen=True, slots=True)
class Review(Record):
    TABLE: ClassVar[str] = "raw.reviews"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "review_id")

    repository_id: int
    review_id: str
    number: int
    author: Account | None
    state: str  # approved | changes_requested | commented | dismissed | pending
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Event(Record):
    """A change of state, a label put on or taken off, or a comment, on an issue or pull request."""

    repository_id: int
    event_id: str
    number: int
    event: str  # commented | closed | reopened | labeled | unlabeled | ready_for_review | convert_to_draft ...
    actor: Account | None
    label: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PullRequestEvent(Event):
    TABLE: ClassVar[str] = "raw.pull_request_events"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "event_id")


@dataclass(frozen=True, slots=True)
class IssueEvent(Event):
    TABLE: ClassVar[str] = "raw.issue_events"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "event_id")


@dataclass(frozen=True, slots=True)
class Issue(Record):
    TABLE: ClassVar[str] = "raw.issues"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "number")

    repository_id: int
    number: int
    title: str | None
    state: str  # open | closed
    state_reason: str | None
    author: Account | None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    labels: list[str]
    comments: int
    # What the text refers to, as 'sha:…', 'number:12', 'version:1.2.3'; the text itself is not kept.
    mentions: list[str]


@dataclass(frozen=True, slots=True)
class Commit(Record):
    TABLE: ClassVar[str] = "raw.commits"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "sha")

    repository_id: int
    sha: str
    parents: list[str]
    author: Account | None
    authored_at: datetime
    committed_at: datetime
    pull_request_number: int | None  # the '(#12)' or 'Merge pull request #12' of the subject
    reverts_sha: str | None
    on_default_branch: bool


@dataclass(frozen=True, slots=True)
class Release(Record):
    TABLE: ClassVar[str] = "raw.releases"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "release_id")

    repository_id: int
    release_id: int
    tag: str
    name: str | None
    author: Account | None
    is_draft: bool
    is_prerelease: bool
    created_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tag(Record):
    TABLE: ClassVar[str] = "raw.tags"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "tag")

    repository_id: int
    tag: str
    sha: str  # of the commit, also where the tag is annotated
    tagged_at: datetime  # the tagger's date; of a lightweight tag, the commit's
    is_annotated: bool


@dataclass(frozen=True, slots=True)
class Deployment(Record):
    TABLE: ClassVar[str] = "raw.deployments"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "deployment_id")

    repository_id: int
    deployment_id: int
    sha: str
    ref: str | None
    environment: str
    task: str | None
    creator: Account | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DeploymentStatus(Record):
    TABLE: ClassVar[str] = "raw.deployment_statuses"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "status_id")

    repository_id: int
    status_id: str
    deployment_id: int
    state: str  # success | failure | error | inactive | in_progress | queued | pending
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Stargazer(Record):
    TABLE: ClassVar[str] = "raw.stargazers"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "person_key")

    repository_id: int
    person: Account
    starred_at: datetime


@dataclass(frozen=True, slots=True)
class Fork(Record):
    TABLE: ClassVar[str] = "raw.forks"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "fork_id")

    repository_id: int
    fork_id: int
    owner: Account | None
    created_at: datetime
