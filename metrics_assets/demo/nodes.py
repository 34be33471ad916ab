"""Repositories of a history as the nodes of GitHub's GraphQL schema, with their lists in every order.

Lists are sorted once per order and filter; the nodes of a page are made when the page is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property
from typing import Any

from metrics_assets.demo import forms
from metrics_assets.demo.forms import Actors, Node, when
from metrics_assets.demo.history import (
    Commit,
    Contributor,
    Discussion,
    Issue,
    Milestone,
    PullRequest,
    Repository,
    ReviewComment,
    Tag,
    User,
    WorkflowRun,
    ancestors,
)
from metrics_assets.demo.ordered import BEGINNING, Key, Ordered

__all__ = ["Actors", "Node", "RepositoryNodes", "when"]

KEYS: dict[str, dict[str, Callable[[Any], Key]]] = {
    "pull_requests": {
        "CREATED_AT": lambda pull: (pull.created_at or BEGINNING, pull.number),
        "UPDATED_AT": lambda pull: (pull.updated_at, pull.number),
        "COMMENTS": lambda pull: (sum(event.kind == "IssueComment" for event in pull.timeline), pull.number),
    },
    "issues": {
        "CREATED_AT": lambda issue: (issue.created_at, issue.number),
        "UPDATED_AT": lambda issue: (issue.updated_at, issue.number),
        "COMMENTS": lambda issue: (issue.comments, issue.number),
    },
    "discussions": {
        "CREATED_AT": lambda discussion: (discussion.created_at, discussion.number),
        "UPDATED_AT": lambda discussion: (discussion.updated_at, discussion.number),
    },
    "milestones": {
        "NUMBER": lambda milestone: (milestone.number, milestone.number),
        "CREATED_AT": lambda milestone: (milestone.created_at, milestone.number),
        "UPDATED_AT": lambda milestone: (milestone.updated_at, milestone.number),
        "DUE_DATE": lambda milestone: (milestone.due_on or BEGINNING, milestone.number),
    },
    "releases": {
        "CREATED_AT": lambda release: (release.created_at, release.id),
        "NAME": lambda release: (release.name or release.tag, release.id),
    },
    "deployments": {"CREATED_AT": lambda deployment: (deployment.created_at, deployment.id)},
    "stars": {"STARRED_AT": lambda star: (star.at, star.user.login)},
    "forks": dict.fromkeys(
        ("CREATED_AT", "PUSHED_AT", "UPDATED_AT", "NAME", "STARGAZERS"), lambda fork: (fork.created_at, fork.id)
    ),
    # Of these two GraphQL shows the threads of a pull request and the check suites of a commit.
    "review_comments": {
        "CREATED_AT": lambda comment: (comment.created_at, comment.id),
        "UPDATED_AT": lambda comment: (comment.updated_at, comment.id),
    },
    "workflow_runs": {"CREATED_AT": lambda run: (run.created_at, run.id)},
}
"""The orders of each list of a repository, by GitHub's name; the first is the usual one."""

MOST_FILTERED_LISTS = 100  # kept per repository


class RepositoryNodes:
    """The nodes of one repository, made when they are first asked for."""

    def __init__(self, repository: Repository, actors: Actors) -> None:
        self.repository = repository
        self.actors = actors
        self.labels: dict[str, Node] = {}
        self._ordered: dict[tuple[str, str, Any], Ordered[Any]] = {}

    def ordered(
        self,
        name: str,
        field: str | None = None,
        wanted: Callable[[Any], bool] | None = None,
        filtered_by: Any = None,
    ) -> Ordered[Any]:
        """One of the lists in KEYS in the order of a field; `filtered_by` names what `wanted` tests."""
        keys = KEYS[name]
        field = field if field in keys else next(iter(keys))
        known = (name, field, filtered_by)
        if known not in self._ordered:
            if len(self._ordered) > MOST_FILTERED_LISTS:
                self._ordered.clear()
            items: Iterable[Any] = getattr(self.repository, name)
            self._ordered[known] = Ordered(filter(wanted, items) if wanted else items, keys[field])
        return self._ordered[known]

    @cached_property
    def node(self) -> Node:
        """The repository itself; lists are fields that resolvers answer from this object."""
        repository = self.repository
        owner = User(repository.owner, "Organization")
        return {
            "__typename": "Repository",
            "_nodes": self,
            "id": f"R_{repository.id}",
            "databaseId": repository.id,
            "name": repository.name,
            "nameWithOwner": repository.full_name,
            "owner": self.actors(owner),
            "description": repository.description,
            "createdAt": when(repository.created_at),
            "pushedAt": when(repository.pushed_at),
            "updatedAt": when(repository.pushed_at or repository.created_at),
            "isArchived": repository.is_archived,
            "isDisabled": False,
            "isEmpty": not repository.commits,
            "isFork": repository.is_fork,
            "isPrivate": repository.is_private,
            "hasDiscussionsEnabled": bool(repository.discussions),
            "hasIssuesEnabled": repository.has_issues,
            "forkCount": len(repository.forks),
            "stargazerCount": len(repository.stars),
            "viewerPermission": repository.permission,
            "primaryLanguage": forms.named("Language", repository.language),
            "licenseInfo": forms.named("License", repository.license, spdxId=repository.license),
        }

    @cached_property
    def pull_requests_by_number(self) -> dict[int, PullRequest]:
        """Every pull request of the repository."""
        return {pull.number: pull for pull in self.repository.pull_requests}

    @cached_property
    def issues_by_number(self) -> dict[int, Issue]:
        """Every issue of the repository."""
        return {issue.number: issue for issue in self.repository.issues}

    @cached_property
    def discussions_by_number(self) -> dict[int, Discussion]:
        """Every discussion of the repository."""
        return {discussion.number: discussion for discussion in self.repository.discussions}

    @cached_property
    def milestones_by_number(self) -> dict[int, Milestone]:
        """Every milestone of the repository."""
        return {milestone.number: milestone for milestone in self.repository.milestones}

    @cached_property
    def runs_by_id(self) -> dict[int, WorkflowRun]:
        """Every workflow run of the repository."""
        return {run.id: run for run in self.repository.workflow_runs}

    @cached_property
    def runs_by_sha(self) -> dict[str, list[WorkflowRun]]:
        """Workflow runs by the commit that they ran on, oldest first."""
        found: dict[str, list[WorkflowRun]] = defaultdict(list)
        for run in self.ordered("workflow_runs").items:
            found[run.sha].append(run)
        return found

    @cached_property
    def by_milestone(self) -> dict[int | None, list[Issue | PullRequest]]:
        """Issues and pull requests by the number of their milestone, in the order of their own numbers."""
        found: dict[int | None, list[Issue | PullRequest]] = defaultdict(list)
        items: list[Issue | PullRequest] = [*self.repository.issues, *self.repository.pull_requests]
        for item in items:
            if item.milestone is not None:
                found[item.milestone].append(item)
        return found

    @cached_property
    def commits_by_sha(self) -> dict[str, Commit]:
        """Every commit of the repository."""
        return {commit.sha: commit for commit in self.repository.commits}

    @cached_property
    def _histories(self) -> dict[str, list[Commit]]:
        return {}

    def history(self, sha: str) -> list[Commit]:
        """A commit and all its ancestors, newest committer date first."""
        if sha not in self._histories:
            reachable = ancestors(self.commits_by_sha, sha)
            commits = [commit for commit in reversed(self.repository.commits) if commit.sha in reachable]
            self._histories[sha] = sorted(commits, key=lambda commit: commit.committed_at, reverse=True)
        return self._histories[sha]

    @cached_property
    def contributors(self) -> list[Contributor]:
        """Who wrote the commits of the default branch, most commits first, and those that are only told of."""
        counts: dict[tuple[User | None, str], int] = defaultdict(int)
        for commit in self.history(self.repository.head) if self.repository.head else ():
            counts[commit.author, "" if commit.author else commit.author_email] += 1
        found = [
            Contributor(commits=count, user=user, email=email or None, name=email.partition("@")[0] or None)
            for (user, email), count in counts.items()
        ]
        found += self.repository.contributors
        return sorted(found, key=lambda one: (-one.commits, one.user.login if one.user else one.email or ""))

    @cached_property
    def review_comments_by_pull_request(self) -> dict[int, list[ReviewComment]]:
        """Review comments by the number of the pull request, oldest first."""
        found: dict[int, list[ReviewComment]] = defaultdict(list)
        for comment in self.ordered("review_comments").items:
            found[comment.number].append(comment)
        return found

    @cached_property
    def review_threads_by_pull_request(self) -> dict[int, list[list[ReviewComment]]]:
        """The threads that the review comments form, oldest first, by the number of the pull request."""
        found: dict[int, list[list[ReviewComment]]] = {}
        for number, comments in self.review_comments_by_pull_request.items():
            threads: dict[int, list[ReviewComment]] = defaultdict(list)
            for comment in sorted(
                comments, key=lambda one: one.in_reply_to is not None
            ):  # first of all what begins one
                threads[comment.in_reply_to or comment.id].append(comment)
            found[number] = sorted(threads.values(), key=lambda thread: (thread[0].created_at, thread[0].id))
        return found

    def commit(self, sha: str) -> Node:
        """The node of a commit; of one outside the graph, only the sha."""
        return forms.commit(self, sha, self.commits_by_sha.get(sha))

    def branch(self, name: str) -> Node:
        """The node of a branch of that name."""
        return self._ref("refs/heads/", name, self.commit(self.repository.branches[name]))

    @cached_property
    def branches(self) -> list[Node]:
        """All branches in the order of their names."""
        return [self.branch(name) for name in sorted(self.repository.branches)]

    @cached_property
    def tags(self) -> list[Node]:
        """Tags as refs, in the order of the dates that GitHub sorts them by: the tagger's or the commit's."""
        ordered = sorted(self.repository.tags, key=lambda tag: (self._tag_date(tag), tag.name))
        return [self._ref("refs/tags/", tag.name, self._tag_target(tag)) for tag in ordered]

    @cached_property
    def tags_by_name(self) -> list[Node]:
        """Tags as refs, in the order of their names."""
        return sorted(self.tags, key=lambda ref: str(ref["name"]))

    def _tag_date(self, tag: Tag) -> datetime:
        return tag.tagged_at or self.commits_by_sha[tag.sha].committed_at

    def _tag_target(self, tag: Tag) -> Node:
        if tag.tag_object is None:
            return self.commit(tag.sha)
        return {
            "__typename": "Tag",
            "id": f"TA_{self.repository.id}_{tag.tag_object}",
            "oid": tag.tag_object,
            "name": tag.name,
            "tagger": {"date": when(tag.tagged_at), "name": None, "email": None, "user": None},
            "target": self.commit(tag.sha),
        }

    def _ref(self, prefix: str, name: str, target: Node) -> Node:
        identity = f"REF_{self.repository.id}_{prefix}{name}"
        return {"__typename": "Ref", "id": identity, "prefix": prefix, "name": name, "target": target}
