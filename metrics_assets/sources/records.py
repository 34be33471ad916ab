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

    repository_id: int  # the provider's; of a repository that only git knows, a negative number made of its URL
    repository: str
    provider: str  # github | git
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
    milestone: int | None
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
    milestone: int | None
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
    additions: int | None
    deletions: int | None
    on_default_branch: bool
    # Those of the files that it changed, to a depth of three, '' for the top level; None where nobody looked.
    directories: list[str] | None = None


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


@dataclass(frozen=True, slots=True)
class ReviewComment(Record):
    """A comment on a line of a pull request."""

    TABLE: ClassVar[str] = "raw.review_comments"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "comment_id")

    repository_id: int
    comment_id: int
    thread_id: int  # the id of the thread's first comment
    number: int
    review_id: int | None
    author: Account | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Discussion(Record):
    TABLE: ClassVar[str] = "raw.discussions"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "number")

    repository_id: int
    number: int
    title: str | None
    category: str
    is_answerable: bool
    author: Account | None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    answered_at: datetime | None  # when an answer was chosen
    answer_created_at: datetime | None
    answer_author: Account | None
    upvotes: int
    comments: int


@dataclass(frozen=True, slots=True)
class DiscussionComment(Record):
    TABLE: ClassVar[str] = "raw.discussion_comments"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "comment_id")

    repository_id: int
    comment_id: str
    number: int
    reply_to: str | None
    author: Account | None
    is_answer: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Milestone(Record):
    TABLE: ClassVar[str] = "raw.milestones"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "number")

    repository_id: int
    number: int
    title: str
    state: str  # open | closed
    created_at: datetime
    updated_at: datetime
    due_on: datetime | None
    closed_at: datetime | None
    issues_open: int | None
    issues_closed: int | None


@dataclass(frozen=True, slots=True)
class WorkflowRun(Record):
    TABLE: ClassVar[str] = "raw.workflow_runs"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "run_id")

    repository_id: int
    run_id: int
    workflow_id: int
    workflow: str | None
    number: int
    attempt: int
    event: str
    branch: str | None
    sha: str
    status: str  # queued | in_progress | completed ...
    conclusion: str | None  # success | failure | cancelled | skipped | timed_out ...
    actor: Account | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WorkflowJob(Record):
    TABLE: ClassVar[str] = "raw.workflow_jobs"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "job_id")

    repository_id: int
    job_id: int
    run_id: int
    name: str
    status: str
    conclusion: str | None
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contributor(Record):
    TABLE: ClassVar[str] = "raw.contributors"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "person_key")

    repository_id: int
    person: Account
    commits: int


@dataclass(frozen=True, slots=True)
class ReleaseAsset(Record):
    TABLE: ClassVar[str] = "raw.release_assets"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "asset_id")

    repository_id: int
    asset_id: str
    release_id: int
    name: str
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseAssetCounter(Record):
    TABLE: ClassVar[str] = "raw.release_asset_counters"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "asset_id", "observed_on")

    repository_id: int
    asset_id: str
    observed_on: date
    downloads: int


@dataclass(frozen=True, slots=True)
class SecurityAdvisory(Record):
    TABLE: ClassVar[str] = "raw.security_advisories"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "advisory_id")

    repository_id: int
    advisory_id: str
    severity: str | None
    state: str
    summary: str | None
    published_at: datetime | None
    updated_at: datetime | None
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class DependabotAlert(Record):
    TABLE: ClassVar[str] = "raw.dependabot_alerts"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "number")

    repository_id: int
    number: int
    state: str  # open | fixed | dismissed | auto_dismissed
    severity: str | None
    ecosystem: str | None
    dependency: str | None
    advisory_id: str | None
    created_at: datetime
    updated_at: datetime | None
    fixed_at: datetime | None
    dismissed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TrafficDay(Record):
    """Views and clones of a day; a figure that was not asked for is None and leaves the stored one."""

    TABLE: ClassVar[str] = "raw.traffic"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "date")

    repository_id: int
    date: date
    views: int | None
    unique_visitors: int | None
    clones: int | None
    unique_cloners: int | None


@dataclass(frozen=True, slots=True)
class TrafficSource(Record):
    TABLE: ClassVar[str] = "raw.traffic_sources"
    KEY: ClassVar[tuple[str, ...]] = ("repository_id", "observed_on", "kind", "name")

    repository_id: int
    observed_on: date
    kind: str  # referrer | path
    name: str
    views: int
    unique_visitors: int


@dataclass(frozen=True, slots=True)
class Package(Record):
    """A package of a registry; `unknown` says for each figure that cannot be had why not."""

    TABLE: ClassVar[str] = "raw.packages"
    KEY: ClassVar[tuple[str, ...]] = ("registry", "package")

    registry: str
    package: str
    state: str  # active | deprecated | archived | missing
    latest_version: str | None
    license: str | None
    created_at: datetime | None
    observed_at: datetime
    unknown: dict[str, str]


@dataclass(frozen=True, slots=True)
class PackageRelease(Record):
    TABLE: ClassVar[str] = "raw.package_releases"
    KEY: ClassVar[tuple[str, ...]] = ("registry", "package", "version")

    registry: str
    package: str
    version: str
    published_at: datetime | None
    is_prerelease: bool
    is_yanked: bool  # yanked, retracted or deprecated
    yanked_reason: str | None
    yanked_noticed_at: datetime | None  # the first time counts


@dataclass(frozen=True, slots=True)
class PackageDownloads(Record):
    """Downloads of one whole day, of one version or ('') of all."""

    TABLE: ClassVar[str] = "raw.package_downloads"
    KEY: ClassVar[tuple[str, ...]] = ("registry", "package", "version", "date")

    registry: str
    package: str
    version: str
    date: date
    downloads: int


@dataclass(frozen=True, slots=True)
class PackageCounter(Record):
    """A running total or a rolling sum as it stood on a day."""

    TABLE: ClassVar[str] = "raw.package_counters"
    KEY: ClassVar[tuple[str, ...]] = ("registry", "package", "version", "counter", "observed_on")

    registry: str
    package: str
    version: str
    counter: str  # downloads_total | downloads_30_days | dependents | imported_by ...
    observed_on: date
    observed_at: datetime
    value: int


@dataclass(frozen=True, slots=True)
class PackageAdvisory(Record):
    TABLE: ClassVar[str] = "raw.package_advisories"
    KEY: ClassVar[tuple[str, ...]] = ("registry", "package", "advisory_id")

    registry: str
    package: str
    advisory_id: str
    aliases: list[str]
    summary: str | None
    severity: str | None
    affected_versions: list[str]
    fixed_in: list[str]
    published_at: datetime | None
    modified_at: datetime | None
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mention(Record):
    """Something that was said about the project; the words themselves are not kept."""

    TABLE: ClassVar[str] = "raw.mentions"
    KEY: ClassVar[tuple[str, ...]] = ("platform", "community", "mention_id")

    platform: str
    community: str
    mention_id: str
    kind: str  # question | answer | story | comment | topic | post | video
    author: Account | None
    created_at: datetime
    updated_at: datetime | None
    score: int | None
    replies: int | None
    is_answered: bool | None
    sentiment: float | None  # -1 to 1
    sentiment_method: str | None


@dataclass(frozen=True, slots=True)
class PlatformCounter(Record):
    TABLE: ClassVar[str] = "raw.platform_counters"
    KEY: ClassVar[tuple[str, ...]] = ("platform", "community", "counter", "observed_on")

    platform: str
    community: str
    counter: str  # members | members_online | questions_total | subscribers ...
    observed_on: date
    observed_at: datetime
    value: int
