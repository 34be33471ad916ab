"""GitHub's answers as typed models, and the records they become.

One set of models reads both APIs: the GraphQL documents name their fields as REST does, and where the shapes
still differ a field lists both places. What is not asked of GitHub here is not in the models.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

from metrics_assets.sources import records
from metrics_assets.sources.records import Account

_SQUASH = re.compile(r"\(#(\d+)\)\s*$")
_MERGE = re.compile(r"^Merge pull request #(\d+) ")
_REVERTS = re.compile(r"\bThis reverts commit ([0-9a-f]{40})\b")
_MENTIONS = (
    ("sha", re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}\b")),
    ("number", re.compile(r"(?<![\w/])#(\d{1,9})\b")),
    ("version", re.compile(r"\bv?(\d+\.\d+\.\d+)\b")),
)
# GraphQL's type names, and REST's names of the same events.
_EVENTS = {
    "ClosedEvent": "closed",
    "ConvertToDraftEvent": "convert_to_draft",
    "HeadRefForcePushedEvent": "head_ref_force_pushed",
    "IssueComment": "commented",
    "LabeledEvent": "labeled",
    "PullRequestReview": "reviewed",
    "ReadyForReviewEvent": "ready_for_review",
    "ReopenedEvent": "reopened",
    "UnlabeledEvent": "unlabeled",
}


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _nodes(value: Any) -> Any:
    """A GraphQL connection as the list that REST gives."""
    return value["nodes"] if isinstance(value, dict) and "nodes" in value else value


LowerText = Annotated[str, BeforeValidator(_lower)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class User(_Model):
    login: str
    type: str = "User"

    def account(self) -> Account | None:
        """The account; None for `ghost`, GitHub's name for everybody who was deleted."""
        login = self.login.removesuffix("[bot]")
        if login == "ghost":
            return None
        return Account(login, is_bot=self.type == "Bot" or login != self.login)


def _account(user: User | None) -> Account | None:
    return user.account() if user else None


class Label(_Model):
    name: str


Labels = Annotated[list[Label], BeforeValidator(_nodes)]
MilestoneNumber = Annotated[
    int | None, BeforeValidator(lambda value: value["number"] if isinstance(value, dict) else value)
]


class License(_Model):
    spdx_id: str | None = None


class Repository(_Model):
    """REST /repos/{owner}/{name}."""

    id: int
    full_name: str
    private: bool = False
    fork: bool = False
    archived: bool = False
    has_issues: bool = True
    default_branch: str | None = None
    description: str | None = None
    language: str | None = None
    license: License | None = None
    topics: list[str] = Field(default_factory=list)
    created_at: datetime
    pushed_at: datetime | None = None
    size: int = 0
    stargazers_count: int = 0
    forks_count: int = 0
    open_issues_count: int = 0
    # watchers_count is the number of stars; who really watches is counted here.
    subscribers_count: int | None = None

    def record(self, state: str) -> records.Repository:
        return records.Repository(
            repository_id=self.id,
            repository=self.full_name,
            provider="github",
            state=state,
            default_branch=self.default_branch,
            description=self.description,
            language=self.language,
            license=self.license.spdx_id if self.license else None,
            topics=self.topics,
            is_fork=self.fork,
            is_private=self.private,
            has_issues=self.has_issues,
            created_at=self.created_at,
            pushed_at=self.pushed_at,
        )

    def counters(self, observed_at: datetime) -> records.RepositoryCounters:
        return records.RepositoryCounters(
            repository_id=self.id,
            observed_on=date(observed_at.year, observed_at.month, observed_at.day),
            observed_at=observed_at,
            stars=self.stargazers_count,
            forks=self.forks_count,
            watchers=self.subscribers_count,
            issues_and_pull_requests_open=self.open_issues_count,
        )


class Updated(_Model):
    """Anything that a list is ordered by."""

    updated_at: datetime


class TimelineItem(_Model):
    """A GraphQL timeline item, or an event of REST /issues/events and /issues/{n}/events."""

    node_id: str
    event: str
    created_at: datetime
    actor: User | None = None
    label: Label | None = None
    state: LowerText | None = None
    submitted_at: datetime | None = None

    def record(self, repository_id: int, number: int, record_type: type[records.Event]) -> records.Event:
        return record_type(
            repository_id=repository_id,
            event_id=self.node_id,
            number=number,
            event=_EVENTS.get(self.event, self.event),
            actor=_account(self.actor),
            label=self.label.name if self.label else None,
            created_at=self.created_at,
        )


class PageInfo(_Model):
    has_next_page: bool = Field(False, alias="hasNextPage")
    end_cursor: str | None = Field(None, alias="endCursor")


class Timeline(_Model):
    page_info: PageInfo = Field(default=PageInfo(), alias="pageInfo")
    nodes: list[TimelineItem] = Field(default_factory=list)


class Review(_Model):
    """REST /pulls/{n}/reviews, or a review in a GraphQL timeline."""

    node_id: str
    user: User | None = Field(None, validation_alias=AliasChoices("user", "actor"))
    state: LowerText
    submitted_at: datetime | None = None

    def record(self, repository_id: int, number: int) -> records.Review | None:
        """The record; None for a review that was never submitted."""
        if self.submitted_at is None:
            return None
        return records.Review(
            repository_id=repository_id,
            review_id=self.node_id,
            number=number,
            author=_account(self.user),
            state=self.state,
            submitted_at=self.submitted_at,
        )


class PullRequest(_Model):
    """REST /pulls and /pulls/{n}, or a node of pull_requests.graphql."""

    node_id: str
    number: int
    title: str | None = None
    state: LowerText
    draft: bool | None = None
    user: User | None = None
    merged_by: User | None = None
    created_at: datetime | None = None
    updated_at: datetime
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    head_sha: str | None = Field(None, validation_alias=AliasChoices("head_sha", AliasPath("head", "sha")))
    merge_sha: str | None = Field(
        None, validation_alias=AliasChoices(AliasPath("merge_commit", "sha"), "merge_commit_sha")
    )
    base_branch: str | None = Field(None, validation_alias=AliasChoices("base_branch", AliasPath("base", "ref")))
    labels: Labels = Field(default_factory=list)
    milestone: MilestoneNumber = None
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None
    commit_count: int | None = Field(None, validation_alias=AliasChoices(AliasPath("commits", "totalCount"), "commits"))
    first_commit_at: datetime | None = Field(
        None, validation_alias=AliasPath("commits", "nodes", 0, "commit", "authored_at")
    )
    timeline: Timeline = Timeline()

    def record(self, repository_id: int) -> records.PullRequest:
        return records.PullRequest(
            repository_id=repository_id,
            number=self.number,
            title=self.title,
            state="merged" if self.merged_at else self.state,
            is_draft=self.draft,
            author=_account(self.user),
            merged_by=_account(self.merged_by),
            created_at=self.created_at,
            updated_at=self.updated_at,
            closed_at=self.closed_at,
            merged_at=self.merged_at,
            first_commit_at=self.first_commit_at,
            commits=self.commit_count,
            head_sha=self.head_sha,
            # REST fills merge_commit_sha with a trial merge while the pull request is open.
            merge_sha=self.merge_sha if self.merged_at else None,
            base_branch=self.base_branch,
            labels=[label.name for label in self.labels],
            milestone=self.milestone,
            additions=self.additions,
            deletions=self.deletions,
            changed_files=self.changed_files,
        )


class Issue(_Model):
    """REST /issues and /issues/{n}, or a node of issues.graphql."""

    node_id: str
    number: int
    title: str | None = None
    body: str | None = None
    state: LowerText
    state_reason: LowerText | None = None
    user: User | None = None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    labels: Labels = Field(default_factory=list)
    milestone: MilestoneNumber = None
    comments: Annotated[
        int, BeforeValidator(lambda value: value["totalCount"] if isinstance(value, dict) else value)
    ] = 0
    pull_request: dict[str, Any] | None = None
    timeline: Timeline = Timeline()

    def record(self, repository_id: int) -> records.Issue:
        return records.Issue(
            repository_id=repository_id,
            number=self.number,
            title=self.title,
            state=self.state,
            state_reason=self.state_reason,
            author=_account(self.user),
            created_at=self.created_at,
            updated_at=self.updated_at,
            closed_at=self.closed_at,
            labels=[label.name for label in self.labels],
            milestone=self.milestone,
            comments=self.comments,
            mentions=mentions(f"{self.title or ''}\n{self.body or ''}"),
        )


def mentions(text: str) -> list[str]:
    """What a text refers to: 'sha:…' (7 to 40 hex digits), 'number:12', 'version:1.2.3'; each once, in order."""
    found = [f"{kind}:{match}" for kind, pattern in _MENTIONS for match in pattern.findall(text)]
    return list(dict.fromkeys(found))


class GitPerson(_Model):
    email: str | None = None
    date: datetime


class ParentCommit(_Model):
    sha: str


class CommitDetails(_Model):
    author: GitPerson
    committer: GitPerson
    message: str = ""


class Commit(_Model):
    """REST /commits and /commits/{sha}."""

    sha: str
    parents: list[ParentCommit] = Field(default_factory=list)
    commit: CommitDetails
    additions: int | None = None
    deletions: int | None = None
    # An empty object stands for an account that GitHub cannot name.
    author: Annotated[User | None, BeforeValidator(lambda value: value or None)] = None

    def record(self, repository_id: int, *, on_default_branch: bool) -> records.Commit:
        subject = self.commit.message.split("\n", 1)[0]
        number = _SQUASH.search(subject) or _MERGE.match(subject)
        reverts = _REVERTS.search(self.commit.message)
        return records.Commit(
            repository_id=repository_id,
            sha=self.sha,
            parents=[parent.sha for parent in self.parents],
            author=self._author(),
            authored_at=self.commit.author.date,
            committed_at=self.commit.committer.date,
            pull_request_number=int(number.group(1)) if number else None,
            reverts_sha=reverts.group(1) if reverts else None,
            additions=self.additions,
            deletions=self.deletions,
            on_default_branch=on_default_branch,
        )

    def _author(self) -> Account | None:
        if self.author is not None:
            return self.author.account()
        email = self.commit.author.email
        return Account(email, is_bot="[bot]" in email) if email else None


class Release(_Model):
    """REST /releases and /releases/{id}."""

    id: int
    tag_name: str
    name: str | None = None
    author: User | None = None
    draft: bool = False
    prerelease: bool = False
    created_at: datetime
    published_at: datetime | None = None

    def record(self, repository_id: int) -> records.Release:
        return records.Release(
            repository_id=repository_id,
            release_id=self.id,
            tag=self.tag_name,
            name=self.name,
            author=_account(self.author),
            is_draft=self.draft,
            is_prerelease=self.prerelease,
            created_at=self.created_at,
            published_at=self.published_at,
        )


class Tagger(_Model):
    date: datetime | None = None


class TagTarget(_Model):
    type: str
    sha: str
    committed_at: datetime | None = None
    tagger: Tagger | None = None
    commit: TagTarget | None = None


class Tag(_Model):
    """A node of tags.graphql, or an entry of REST /tags, which has no date."""

    name: str
    target: TagTarget | None = None

    def record(self, repository_id: int) -> records.Tag | None:
        """The record; None for a tag of something that is not a commit, or without any date."""
        if self.target is None:
            return None
        commit = self.target if self.target.type == "Commit" else self.target.commit
        tagger = self.target.tagger
        if commit is None or commit.type != "Commit":
            return None
        tagged_at = (tagger.date if tagger else None) or commit.committed_at
        if tagged_at is None:
            return None
        return records.Tag(
            repository_id=repository_id,
            tag=self.name,
            sha=commit.sha,
            tagged_at=tagged_at,
            is_annotated=self.target.type == "Tag",
        )


class DeploymentStatus(_Model):
    """REST /deployments/{id}/statuses, or a status of deployments.graphql."""

    node_id: str
    state: LowerText
    created_at: datetime

    def record(self, repository_id: int, deployment_id: int) -> records.DeploymentStatus:
        return records.DeploymentStatus(
            repository_id=repository_id,
            status_id=self.node_id,
            deployment_id=deployment_id,
            state=self.state,
            created_at=self.created_at,
        )


class Deployment(_Model):
    """REST /deployments, or a node of deployments.graphql."""

    id: int
    sha: str
    ref: Annotated[str | None, BeforeValidator(lambda value: value["name"] if isinstance(value, dict) else value)] = (
        None
    )
    environment: str | None = None
    task: str | None = None
    creator: User | None = None
    created_at: datetime
    updated_at: datetime
    statuses: Annotated[list[DeploymentStatus], BeforeValidator(_nodes)] = Field(default_factory=list)

    def record(self, repository_id: int) -> records.Deployment:
        return records.Deployment(
            repository_id=repository_id,
            deployment_id=self.id,
            sha=self.sha,
            ref=self.ref,
            environment=self.environment or "unnamed",
            task=self.task,
            creator=_account(self.creator),
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class Stargazer(_Model):
    """REST /stargazers with its star+json answer, or an edge of stargazers.graphql."""

    starred_at: datetime
    user: User | None = None

    def record(self, repository_id: int) -> records.Stargazer | None:
        account = _account(self.user)
        if account is None:
            return None
        return records.Stargazer(repository_id=repository_id, person=account, starred_at=self.starred_at)


class Fork(_Model):
    """REST /forks, or a node of forks.graphql."""

    id: int
    created_at: datetime
    owner: User | None = None

    def record(self, repository_id: int) -> records.Fork:
        return records.Fork(
            repository_id=repository_id,
            fork_id=self.id,
            owner=_account(self.owner),
            created_at=self.created_at,
        )
