"""Repositories of a history as the nodes of GitHub's GraphQL schema: dictionaries by field name.

Values are already as they go out (times are texts), so that executing a query need not convert them again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from metrics_assets.demo.history import (
    INITIAL,
    Commit,
    Deployment,
    Event,
    Issue,
    PullRequest,
    Release,
    Repository,
    Tag,
    User,
    ancestors,
    stable_number,
)

Node = dict[str, Any]


def when(time: datetime | None) -> str | None:
    """A time in GitHub's form, such as 2025-06-01T09:30:00Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else None


class Actors:
    """The nodes of accounts; the same account is always the same dictionary."""

    def __init__(self) -> None:
        self._nodes: dict[User, Node] = {}

    def __call__(self, user: User | None) -> Node | None:
        """The node of an account, None for a deleted one."""
        if user is None:
            return None
        if user not in self._nodes:
            number = stable_number(f"{user.kind} {user.login}", digits=8)
            self._nodes[user] = {
                "__typename": user.kind,
                "id": f"{user.kind[0]}_{number}",
                "databaseId": number,
                "login": user.login,
            }
        return self._nodes[user]


class RepositoryNodes:
    """The nodes of one repository, made when they are first asked for."""

    def __init__(self, repository: Repository, actors: Actors) -> None:
        self.repository = repository
        self.actors = actors
        self.labels: dict[str, Node] = {}

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
            "hasIssuesEnabled": repository.has_issues,
            "forkCount": len(repository.forks),
            "stargazerCount": len(repository.stars),
            "primaryLanguage": _named("Language", repository.language),
            "licenseInfo": _named("License", repository.license, spdxId=repository.license),
        }

    @cached_property
    def pull_requests(self) -> list[Node]:
        """Pull requests, oldest number first."""
        return [self._pull_request(pull) for pull in self.repository.pull_requests]

    @cached_property
    def issues(self) -> list[Node]:
        """Issues, oldest number first."""
        return [self._issue(issue) for issue in self.repository.issues]

    @cached_property
    def deployments(self) -> list[Node]:
        """Deployments in the order of creation."""
        return [self._deployment(deployment) for deployment in self.repository.deployments]

    @cached_property
    def releases(self) -> list[Node]:
        """Releases, drafts among them."""
        return [self._release(release) for release in self.repository.releases]

    @cached_property
    def stars(self) -> list[Node]:
        """Edges of stargazers in the order of starring."""
        ordered = sorted(self.repository.stars, key=lambda star: (star.at, star.user.login))
        return [{"node": self.actors(star.user), "starredAt": when(star.at)} for star in ordered]

    @cached_property
    def forks(self) -> list[Node]:
        """Repositories that were forked from this one."""
        return [
            {
                "__typename": "Repository",
                "id": f"R_{fork.id}",
                "databaseId": fork.id,
                "name": self.repository.name,
                "owner": self.actors(fork.owner),
                "createdAt": when(fork.created_at),
                "pushedAt": when(fork.created_at),
                "updatedAt": when(fork.created_at),
            }
            for fork in sorted(self.repository.forks, key=lambda fork: (fork.created_at, fork.id))
        ]

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

    def commit(self, sha: str) -> Node:
        """The node of a commit; of one outside the graph, only the sha."""
        node = {"__typename": "Commit", "_nodes": self, "id": f"C_{self.repository.id}_{sha}", "oid": sha}
        if commit := self.commits_by_sha.get(sha):
            node["authoredDate"] = when(commit.authored_at)
            node["committedDate"] = when(commit.committed_at)
            node["message"] = commit.message
            node["messageHeadline"] = commit.message.partition("\n")[0]
        return node

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
            "tagger": {"date": when(tag.tagged_at), "name": None, "email": None},
            "target": self.commit(tag.sha),
        }

    def _ref(self, prefix: str, name: str, target: Node) -> Node:
        identity = f"REF_{self.repository.id}_{prefix}{name}"
        return {"__typename": "Ref", "id": identity, "prefix": prefix, "name": name, "target": target}

    def _pull_request(self, pull: PullRequest) -> Node:
        identity = f"PR_{self.repository.id}_{pull.number}"
        first_commit = {
            "__typename": "PullRequestCommit",
            "id": f"PRC_{self.repository.id}_{pull.number}_1",
            "commit": {
                "__typename": "Commit",
                "_nodes": self,
                "id": f"C_{self.repository.id}_{pull.number}_1",
                "authoredDate": when(pull.first_commit_authored_at),
            },
        }
        return {
            "__typename": "PullRequest",
            "_timeline": self._lazily(pull.number, pull.timeline),
            "_labels": self._label_nodes(pull.labels),
            "_commits": [first_commit] if pull.first_commit_authored_at else [],
            "_commit_count": pull.commits or 0,
            "id": identity,
            "databaseId": stable_number(identity),
            "number": pull.number,
            "title": pull.title,
            "state": pull.state,
            "isDraft": pull.is_draft,
            "createdAt": when(pull.created_at),
            "updatedAt": when(pull.updated_at),
            "closed": pull.state != "OPEN",
            "closedAt": when(pull.closed_at),
            "merged": pull.state == "MERGED",
            "mergedAt": when(pull.merged_at),
            "author": self.actors(pull.author),
            "mergedBy": self.actors(pull.merged_by),
            "headRefOid": pull.head_sha,
            "mergeCommit": self.commit(pull.merge_sha) if pull.merge_sha else None,
            "baseRefName": pull.base_branch,
            "additions": pull.additions,
            "deletions": pull.deletions,
            "changedFiles": pull.changed_files,
        }

    def _issue(self, issue: Issue) -> Node:
        identity = f"I_{self.repository.id}_{issue.number}"
        return {
            "__typename": "Issue",
            "_timeline": self._lazily(issue.number, issue.timeline),
            "_labels": self._label_nodes(issue.labels),
            "id": identity,
            "databaseId": stable_number(identity),
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "state": issue.state,
            "stateReason": issue.state_reason,
            "createdAt": when(issue.created_at),
            "updatedAt": when(issue.updated_at),
            "closedAt": when(issue.closed_at),
            "author": self.actors(issue.author),
        }

    def _lazily(self, number: int, timeline: tuple[Event, ...]) -> Callable[[], list[Node]]:
        """A function that makes the nodes of a timeline when it is first called."""
        made: list[Node] = []

        def items() -> list[Node]:
            if not made:
                made.extend(self._event(number, index, event) for index, event in enumerate(timeline))
            return made

        return items

    def _event(self, number: int, index: int, event: Event) -> Node:
        time, actor = when(event.at), self.actors(event.actor)
        node: Node = {
            "__typename": event.kind,
            "id": f"{INITIAL[event.kind]}_{self.repository.id}_{number}_{index}",
            "createdAt": time,
        }
        if event.kind == "PullRequestReview":
            node |= {"author": actor, "state": event.state, "submittedAt": time}
        elif event.kind == "IssueComment":
            node |= {"author": actor, "updatedAt": time}
        else:
            node["actor"] = actor
        if event.label is not None:
            node["label"] = self._label_nodes((event.label,))[0]
        return node

    def _label_nodes(self, names: tuple[str, ...]) -> list[Node]:
        for name in names:
            if name not in self.labels:
                identity = f"LA_{stable_number(f'{self.repository.full_name} label {name}')}"
                self.labels[name] = {"__typename": "Label", "id": identity, "name": name}
        return [self.labels[name] for name in names]

    def _deployment(self, deployment: Deployment) -> Node:
        statuses = [
            {
                "__typename": "DeploymentStatus",
                "id": f"DES_{self.repository.id}_{deployment.id}_{index}",
                "state": status.state,
                "creator": self.actors(deployment.creator),
                "description": None,
                "createdAt": when(status.at),
                "updatedAt": when(status.at),
            }
            for index, status in enumerate(deployment.statuses)
        ]
        branch = deployment.ref if deployment.ref in self.repository.branches else None
        latest = deployment.statuses[-1].state if deployment.statuses else "PENDING"
        return {
            "__typename": "Deployment",
            "_statuses": statuses[::-1],
            "id": f"DE_{self.repository.id}_{deployment.id}",
            "databaseId": deployment.id,
            "commitOid": deployment.sha,
            "ref": self.branch(branch) if branch else None,
            "environment": deployment.environment,
            "task": deployment.task,
            "creator": self.actors(deployment.creator),
            "createdAt": when(deployment.created_at),
            "updatedAt": when(deployment.updated_at),
            "state": "ACTIVE" if latest == "SUCCESS" else latest,
            "latestStatus": statuses[-1] if statuses else None,
        }

    def _release(self, release: Release) -> Node:
        return {
            "__typename": "Release",
            "id": f"RE_{self.repository.id}_{release.id}",
            "databaseId": release.id,
            "tagName": release.tag,
            "name": release.name,
            "author": self.actors(release.author),
            "isDraft": release.is_draft,
            "isPrerelease": release.is_prerelease,
            "createdAt": when(release.created_at),
            "publishedAt": when(release.published_at),
        }


def _named(kind: str, name: str | None, **more: str | None) -> Node | None:
    if name is None:
        return None
    return {"__typename": kind, "id": f"{kind[:3].upper()}_{stable_number(name)}", "name": name} | more
