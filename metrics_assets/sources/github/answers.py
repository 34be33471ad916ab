"""GitHub's answers as typed models, and the records they become.

One set of models reads both APIs: the GraphQL documents name their fields as REST does, and where the shapes
still differ a field lists both places. What is not asked of GitHub here is not in the models.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from metrics_assets.sources import records
from metrics_assets.sources.records import Account

_SQUASH = re.compile(r"\(#([0-9]{1,9})\)\s*$")
_MERGE = re.compile(r"^Merge pull request #([0-9]{1,9}) ")
_REVERTS = re.compile(r"\bThis reverts commit ([0-9a-f]{40})\b")
_MENTIONS = (
    ("sha", re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}\b")),
    ("number", re.compile(r"(?<![\w/])#([0-9]{1,9})\b")),
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


class _Numbered(_Model):
    """Something with a number of its own, which GraphQL leaves out where it does not fit into 32 bits."""

    id: int

    @model_validator(mode="before")
    @classmethod
    def _number_of_the_node(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("id") is None and content.get("node_id"):
            return {**content, "id": number_of_node(str(content["node_id"]))}
        return content


def number_of_node(node_id: str) -> int | None:
    """The number in a node id, which REST calls `id`; None where there is none.

    A node id is a prefix and, in base64, MessagePack of [0, the repository's number, its own]: an array of which the
    last element is read here.
    """
    text = node_id.partition("_")[2]
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    for marker, length in ((0xCF, 8), (0xCE, 4), (0xCD, 2), (0xCC, 1)):
        if len(content) > length + 1 and content[-length - 1] == marker:
            return int.from_bytes(content[-length:], "big")
    return None


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


class ParentCommit(_Model):
    sha: str


def _account_or_none(value: Any) -> Any:
    """The account behind a commit: REST's `author`, where {} stands for none, or the `user` in GraphQL's."""
    if isinstance(value, dict) and "login" not in value:
        return value.get("user")
    return value


class Commit(_Model):
    """REST /commits and /commits/{sha}, or a node of commits.graphql."""

    sha: str
    parents: Annotated[list[ParentCommit], BeforeValidator(_nodes)] = Field(default_factory=list)
    message: str = Field("", validation_alias=AliasChoices("message", AliasPath("commit", "message")))
    authored_at: datetime = Field(validation_alias=AliasChoices("authored_at", AliasPath("commit", "author", "date")))
    committed_at: datetime = Field(
        validation_alias=AliasChoices("committed_at", AliasPath("commit", "committer", "date"))
    )
    email: str | None = Field(
        None, validation_alias=AliasChoices(AliasPath("commit", "author", "email"), AliasPath("author", "email"))
    )
    additions: int | None = None
    deletions: int | None = None
    author: Annotated[User | None, BeforeValidator(_account_or_none)] = None

    def record(self, repository_id: int, *, on_default_branch: bool) -> records.Commit:
        subject = self.message.split("\n", 1)[0]
        number = _SQUASH.search(subject) or _MERGE.match(subject)
        reverts = _REVERTS.search(self.message)
        return records.Commit(
            repository_id=repository_id,
            sha=self.sha,
            parents=[parent.sha for parent in self.parents],
            author=self._author(),
            authored_at=self.authored_at,
            committed_at=self.committed_at,
            pull_request_number=int(number.group(1)) if number else None,
            reverts_sha=reverts.group(1) if reverts else None,
            additions=self.additions,
            deletions=self.deletions,
            on_default_branch=on_default_branch,
        )

    def _author(self) -> Account | None:
        if self.author is not None:
            return self.author.account()
        return account_of_email(self.email)


_NO_REPLY = re.compile(r"(?:\d+\+)?([^@+]+)@users\.noreply\.github\.com", re.IGNORECASE)


def account_of_email(email: str | None) -> Account | None:
    """Who wrote a commit that GitHub ties to no account: the login in GitHub's own addresses, else the address."""
    if not email:
        return None
    found = _NO_REPLY.fullmatch(email)
    return User(login=found.group(1)).account() if found else Account(email, is_bot="[bot]" in email)


class ReleaseAsset(_Model):
    """A file of a release."""

    node_id: str
    name: str
    size: int = 0
    download_count: int = 0
    created_at: datetime


class Release(_Numbered):
    """REST /releases and /releases/{id}, or a node of releases.graphql."""

    tag_name: str
    name: str | None = None
    author: User | None = None
    draft: bool = False
    prerelease: bool = False
    created_at: datetime
    published_at: datetime | None = None
    assets: Annotated[list[ReleaseAsset], BeforeValidator(_nodes)] = Field(default_factory=list)

    def asset_records(self, repository_id: int, observed_on: date) -> list[records.Record]:
        """The release's files, and how often they were downloaded so far."""
        rows: list[records.Record] = []
        for asset in self.assets:
            rows.append(
                records.ReleaseAsset(
                    repository_id=repository_id,
                    asset_id=asset.node_id,
                    release_id=self.id,
                    name=asset.name,
                    size_bytes=asset.size,
                    created_at=asset.created_at,
                )
            )
            rows.append(
                records.ReleaseAssetCounter(
                    repository_id=repository_id,
                    asset_id=asset.node_id,
                    observed_on=observed_on,
                    downloads=asset.download_count,
                )
            )
        return rows

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


class Deployment(_Numbered):
    """REST /deployments, or a node of deployments.graphql."""

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


class ReviewComment(_Model):
    """REST /pulls/comments."""

    id: int
    pull_request_review_id: int | None = None
    in_reply_to_id: int | None = None
    pull_request_url: str
    user: User | None = None
    created_at: datetime
    updated_at: datetime

    def record(self, repository_id: int) -> records.ReviewComment:
        return records.ReviewComment(
            repository_id=repository_id,
            comment_id=self.id,
            # GitHub lets every reply name the first comment of its thread.
            thread_id=self.in_reply_to_id or self.id,
            number=int(self.pull_request_url.rsplit("/", 1)[-1]),
            review_id=self.pull_request_review_id,
            author=_account(self.user),
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class _DatabaseId(_Model):
    id: int | None = None


class ThreadComment(_Model):
    """A comment of a thread of review_comments.graphql."""

    id: int
    created_at: datetime
    updated_at: datetime
    review: _DatabaseId | None = None
    user: User | None = None
    reply_to: _DatabaseId | None = None


class _Thread(_Model):
    total: int = Field(0, validation_alias=AliasPath("comments", "totalCount"))
    comments: Annotated[list[ThreadComment], BeforeValidator(_nodes)] = Field(default_factory=list)


class _Threads(_Model):
    total: int = Field(0, alias="totalCount")
    nodes: list[_Thread] = Field(default_factory=list)


class ReviewedPullRequest(_Model):
    """A node of review_comments.graphql."""

    node_id: str
    threads: _Threads = _Threads()

    @property
    def is_whole(self) -> bool:
        """Whether all threads with all their comments are there."""
        return self.threads.total <= len(self.threads.nodes) and all(
            thread.total <= len(thread.comments) for thread in self.threads.nodes
        )

    def records(self, repository_id: int, number: int) -> list[records.Record]:
        """The comments that are there; the first of a thread gives the thread its id."""
        rows: list[records.Record] = []
        for thread in self.threads.nodes:
            for comment in thread.comments:
                first = comment.reply_to.id if comment.reply_to else None
                rows.append(
                    records.ReviewComment(
                        repository_id=repository_id,
                        comment_id=comment.id,
                        thread_id=first or thread.comments[0].id,
                        number=number,
                        review_id=comment.review.id if comment.review else None,
                        author=_account(comment.user),
                        created_at=comment.created_at,
                        updated_at=comment.updated_at,
                    )
                )
        return rows


class _NodeId(_Model):
    node_id: str


class DiscussionComment(_Model):
    node_id: str
    created_at: datetime
    is_answer: bool = False
    user: User | None = None
    reply_to: _NodeId | None = None
    replies: Annotated[list[DiscussionComment], BeforeValidator(_nodes)] = Field(default_factory=list)

    def records(self, repository_id: int, number: int) -> list[records.Record]:
        """The comment and the replies to it."""
        mine = records.DiscussionComment(
            repository_id=repository_id,
            comment_id=self.node_id,
            number=number,
            reply_to=self.reply_to.node_id if self.reply_to else None,
            author=_account(self.user),
            is_answer=self.is_answer,
            created_at=self.created_at,
        )
        rows: list[records.Record] = [mine]
        for reply in self.replies:
            rows += reply.records(repository_id, number)
        return rows


class DiscussionComments(_Model):
    page_info: PageInfo = Field(default=PageInfo(), alias="pageInfo")
    total_count: int = Field(0, alias="totalCount")
    nodes: list[DiscussionComment] = Field(default_factory=list)


class DiscussionCategory(_Model):
    name: str
    is_answerable: bool = False


class Discussion(_Model):
    """A node of discussions.graphql."""

    node_id: str
    number: int
    title: str | None = None
    category: DiscussionCategory
    user: User | None = None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    answer_chosen_at: datetime | None = None
    answer: DiscussionComment | None = None
    upvotes: int = 0
    comments: DiscussionComments = DiscussionComments()

    def record(self, repository_id: int) -> records.Discussion:
        return records.Discussion(
            repository_id=repository_id,
            number=self.number,
            title=self.title,
            category=self.category.name,
            is_answerable=self.category.is_answerable,
            author=_account(self.user),
            created_at=self.created_at,
            updated_at=self.updated_at,
            closed_at=self.closed_at,
            answered_at=self.answer_chosen_at,
            answer_created_at=self.answer.created_at if self.answer else None,
            answer_author=_account(self.answer.user) if self.answer else None,
            upvotes=self.upvotes,
            comments=self.comments.total_count,
        )


def _total(value: Any) -> Any:
    """A GraphQL connection of which only the count was asked for, as REST's number."""
    return value["totalCount"] if isinstance(value, dict) and "totalCount" in value else value


Total = Annotated[int | None, BeforeValidator(_total)]


class Milestone(_Model):
    """REST /milestones, or a node of milestones.graphql."""

    number: int
    title: str
    state: LowerText
    created_at: datetime
    updated_at: datetime
    due_on: datetime | None = None
    closed_at: datetime | None = None
    open_issues: Total = None
    closed_issues: Total = None

    def record(self, repository_id: int) -> records.Milestone:
        return records.Milestone(
            repository_id=repository_id,
            number=self.number,
            title=self.title,
            state=self.state,
            created_at=self.created_at,
            updated_at=self.updated_at,
            due_on=self.due_on,
            closed_at=self.closed_at,
            issues_open=self.open_issues,
            issues_closed=self.closed_issues,
        )


class WorkflowRun(_Model):
    """REST /actions/runs."""

    id: int
    name: str | None = None
    workflow_id: int
    run_number: int
    run_attempt: int = 1
    event: str
    head_branch: str | None = None
    head_sha: str
    status: str
    conclusion: str | None = None
    actor: User | None = None
    created_at: datetime
    run_started_at: datetime | None = None
    updated_at: datetime
    check_suite_node_id: str | None = None

    def record(self, repository_id: int) -> records.WorkflowRun:
        return records.WorkflowRun(
            repository_id=repository_id,
            run_id=self.id,
            workflow_id=self.workflow_id,
            workflow=self.name,
            number=self.run_number,
            attempt=self.run_attempt,
            event=self.event,
            branch=self.head_branch,
            sha=self.head_sha,
            status=self.status,
            conclusion=self.conclusion,
            actor=_account(self.actor),
            created_at=self.created_at,
            started_at=self.run_started_at,
            updated_at=self.updated_at,
        )


class WorkflowRuns(_Model):
    total_count: int
    workflow_runs: list[WorkflowRun]


class WorkflowJob(_Numbered):
    """REST /actions/runs/{id}/jobs, or a check run of jobs.graphql."""

    name: str
    status: LowerText
    conclusion: LowerText | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    def record(self, repository_id: int, run_id: int) -> records.WorkflowJob:
        return records.WorkflowJob(
            repository_id=repository_id,
            job_id=self.id,
            run_id=run_id,
            name=self.name,
            status=self.status,
            conclusion=self.conclusion,
            started_at=self.started_at,
            completed_at=self.completed_at,
        )


class WorkflowJobs(_Model):
    """REST /actions/runs/{id}/jobs."""

    total_count: int
    jobs: list[WorkflowJob]


class CheckSuite(_Model):
    """A node of jobs.graphql."""

    suite_id: str
    jobs: Annotated[list[WorkflowJob], BeforeValidator(_nodes)] = Field(default_factory=list)


class Contributor(_Model):
    """REST /contributors?anon=1; who has no account has an e-mail address instead of a login."""

    login: str | None = None
    type: str = "User"
    email: str | None = None
    contributions: int

    def record(self, repository_id: int) -> records.Contributor | None:
        account = User(login=self.login, type=self.type).account() if self.login else account_of_email(self.email)
        if account is None:
            return None
        return records.Contributor(repository_id=repository_id, person=account, commits=self.contributions)


class SecurityAdvisory(_Model):
    """REST /security-advisories."""

    ghsa_id: str
    severity: str | None = None
    state: str = "published"
    summary: str | None = None
    published_at: datetime | None = None
    updated_at: datetime | None = None
    withdrawn_at: datetime | None = None

    def record(self, repository_id: int) -> records.SecurityAdvisory:
        return records.SecurityAdvisory(
            repository_id=repository_id,
            advisory_id=self.ghsa_id,
            severity=self.severity,
            state=self.state,
            summary=self.summary,
            published_at=self.published_at,
            updated_at=self.updated_at,
            withdrawn_at=self.withdrawn_at,
        )


class DependabotAlert(_Model):
    """REST /dependabot/alerts."""

    number: int
    state: str
    severity: str | None = Field(None, validation_alias=AliasPath("security_advisory", "severity"))
    ecosystem: str | None = Field(None, validation_alias=AliasPath("dependency", "package", "ecosystem"))
    dependency: str | None = Field(None, validation_alias=AliasPath("dependency", "package", "name"))
    advisory_id: str | None = Field(None, validation_alias=AliasPath("security_advisory", "ghsa_id"))
    created_at: datetime
    updated_at: datetime | None = None
    fixed_at: datetime | None = None
    dismissed_at: datetime | None = None

    def record(self, repository_id: int) -> records.DependabotAlert:
        return records.DependabotAlert(repository_id=repository_id, **self.model_dump())


class TrafficDay(_Model):
    timestamp: datetime
    count: int
    uniques: int


class Views(_Model):
    """REST /traffic/views."""

    views: list[TrafficDay]


class Clones(_Model):
    """REST /traffic/clones."""

    clones: list[TrafficDay]


class Referrer(_Model):
    """REST /traffic/popular/referrers."""

    referrer: str
    count: int
    uniques: int


class PopularPath(_Model):
    """REST /traffic/popular/paths."""

    path: str
    count: int
    uniques: int


class _Named(_Model):
    name: str


class _Topic(_Model):
    topic: _Named


class _Head(_Model):
    sha: str | None = None
    check_suites: SignOfList | None = None


class DefaultBranch(_Model):
    name: str
    target: _Head | None = None


class Sign(_Model):
    """What the newest row of a list shows of it."""

    updated_at: datetime | None = None
    created_at: datetime | None = None
    starred_at: datetime | None = None
    state: str | None = None
    name: str | None = None
    target: _Head | None = None

    def text(self) -> str:
        shown = (self.updated_at, self.created_at, self.starred_at)
        times = [at.isoformat() for at in shown if at]
        return "/".join([*times, *filter(None, (self.state, self.name, self.target.sha if self.target else None))])


class SignOfList(_Model):
    """How long a list is, and its newest rows."""

    total_count: int = Field(0, alias="totalCount")
    newest: list[Sign | None] = Field(default_factory=list, validation_alias=AliasChoices("nodes", "edges"))

    def mark(self) -> str:
        """A text that changes when the list does."""
        return "|".join([str(self.total_count), *(sign.text() for sign in self.newest if sign)])


class Probe(_Model):
    """A repository of probe.graphql."""

    id: int
    full_name: str
    private: bool = False
    fork: bool = False
    archived: bool = False
    empty: bool = False
    has_issues: bool = True
    default_branch: DefaultBranch | None = None
    description: str | None = None
    language: _Named | None = None
    license: License | None = None
    topics: Annotated[list[_Topic], BeforeValidator(_nodes)] = Field(default_factory=list)
    created_at: datetime
    pushed_at: datetime | None = None
    permission: str | None = None
    watchers: Total = None
    # A list is None where the provider could not say, or did not let us see.
    pull_requests: SignOfList | None = None
    pull_requests_open: SignOfList | None = None
    issues: SignOfList | None = None
    issues_open: SignOfList | None = None
    discussions: SignOfList | None = None
    milestones: SignOfList | None = None
    releases: SignOfList | None = None
    tags: SignOfList | None = None
    deployments: SignOfList | None = None
    stargazers: SignOfList | None = None
    forks: SignOfList | None = None

    def record(self) -> records.Repository:
        return records.Repository(
            repository_id=self.id,
            repository=self.full_name,
            provider="github",
            state="empty" if self.empty else "archived" if self.archived else "active",
            default_branch=self.default_branch.name if self.default_branch else None,
            description=self.description,
            language=self.language.name if self.language else None,
            license=self.license.spdx_id if self.license else None,
            topics=[one.topic.name for one in self.topics],
            is_fork=self.fork,
            is_private=self.private,
            has_issues=self.has_issues,
            created_at=self.created_at,
            pushed_at=self.pushed_at,
        )

    def counters(self, observed_at: datetime) -> records.RepositoryCounters | None:
        """What the provider counts now; None where it could not say."""
        if not (self.stargazers and self.forks and self.issues_open and self.pull_requests_open):
            return None
        return records.RepositoryCounters(
            repository_id=self.id,
            observed_on=observed_at.date(),
            observed_at=observed_at,
            stars=self.stargazers.total_count,
            forks=self.forks.total_count,
            watchers=self.watchers,
            issues_and_pull_requests_open=self.issues_open.total_count + self.pull_requests_open.total_count,
        )

    def totals(self) -> dict[str, int]:
        """The provider's count of each list that it could count."""
        return {name: sign.total_count for name, sign in self._signs().items()}

    def marks(self) -> dict[str, str]:
        """A text per entity that changes when the entity does; none for what the provider could not say."""
        marks = {name: sign.mark() for name, sign in self._signs().items()}
        head = self.default_branch.target if self.default_branch else None
        sha = (head.sha if head else None) or "none"
        marks["contributors"] = sha
        if "tags" in marks and "deployments" in marks:
            # A deployment or a tag may stand on commits off the default branch.
            marks["commits"] = f"{sha} {marks['tags']} {marks['deployments']}"
        if "pull_requests" in marks:
            pushed = self.pushed_at.isoformat() if self.pushed_at else "never"
            suites = head.check_suites.mark() if head and head.check_suites else ""
            marks["review_comments"] = marks["pull_requests"]
            # Runs follow pushes and changes of pull requests; scheduled ones leave a check suite on the newest commit.
            marks["workflow_runs"] = f"{pushed} {marks['pull_requests']} {suites}"
        return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in marks.items()}

    def _signs(self) -> dict[str, SignOfList]:
        signs = {name: getattr(self, name) for name in COUNTED}
        return {name: sign for name, sign in signs.items() if sign is not None}


# The lists that the provider counts.
COUNTED = (
    "pull_requests",
    "issues",
    "discussions",
    "milestones",
    "releases",
    "tags",
    "deployments",
    "stargazers",
    "forks",
)
