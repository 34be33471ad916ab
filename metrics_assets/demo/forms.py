"""The items of a repository as nodes of GitHub's GraphQL schema: dictionaries by field name.

Values are already as they go out (times are texts), so that executing a query need not convert them again.
Names that begin with an underscore are for the resolvers: `_nodes` is the item's repository, `_timeline` and
the like are the item's own lists, `_item` is what the node was made of.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from metrics_assets.demo.history import (
    INITIAL,
    Commit,
    Deployment,
    Discussion,
    DiscussionComment,
    Event,
    Fork,
    Issue,
    Job,
    Milestone,
    PullRequest,
    Release,
    ReviewComment,
    Star,
    User,
    WorkflowRun,
    stable_number,
)

if TYPE_CHECKING:
    from metrics_assets.demo.nodes import RepositoryNodes

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

    def of_commit(self, user: User | None) -> Node | None:
        """The node of a commit's account: a User even where it is a bot, whose login then ends in [bot]."""
        if user is None or user.kind != "Bot":
            return self(user) if user is None or user.kind == "User" else None
        return self(User(f"{user.login}[bot]"))


def named(kind: str, name: str | None, **more: str | None) -> Node | None:
    """The node of something that has little more than a name, None where it has none."""
    if name is None:
        return None
    return {"__typename": kind, "id": f"{kind[:3].upper()}_{stable_number(name)}", "name": name} | more


def labels(nodes: RepositoryNodes, names: tuple[str, ...]) -> list[Node]:
    """The nodes of labels."""
    for name in names:
        if name not in nodes.labels:
            identity = f"LA_{stable_number(f'{nodes.repository.full_name} label {name}')}"
            nodes.labels[name] = {"__typename": "Label", "id": identity, "name": name}
    return [nodes.labels[name] for name in names]


# --- git ---


def commit(nodes: RepositoryNodes, sha: str, known: Commit | None) -> Node:
    """A commit; of one outside the graph, only the sha."""
    node = {"__typename": "Commit", "_nodes": nodes, "id": f"C_{nodes.repository.id}_{sha}", "oid": sha, "_parents": ()}
    if known:
        account = nodes.actors.of_commit(known.author)
        signature = {
            "__typename": "GitActor",
            "name": known.author.login if known.author else None,
            "email": known.author_email,
            "user": account,
        }
        node["authoredDate"] = when(known.authored_at)
        node["committedDate"] = when(known.committed_at)
        node["message"] = known.message
        node["messageHeadline"] = known.message.partition("\n")[0]
        node["additions"] = known.additions
        node["deletions"] = known.deletions
        node["author"] = signature | {"date": node["authoredDate"]}
        node["committer"] = signature | {"date": node["committedDate"]}
        node["_parents"] = known.parents
    return node


def release(nodes: RepositoryNodes, one: Release) -> Node:
    """A release with its files."""
    return {
        "__typename": "Release",
        "_assets": [
            {
                "__typename": "ReleaseAsset",
                "id": f"RA_{nodes.repository.id}_{asset.id}",
                "name": asset.name,
                "size": asset.size,
                "contentType": "application/octet-stream",
                "downloadCount": asset.downloads,
                "createdAt": when(asset.created_at),
                "updatedAt": when(asset.created_at),
            }
            for asset in one.assets
        ],
        "id": f"RE_{nodes.repository.id}_{one.id}",
        "databaseId": one.id,
        "tagName": one.tag,
        "name": one.name,
        "author": nodes.actors(one.author),
        "isDraft": one.is_draft,
        "isPrerelease": one.is_prerelease,
        "createdAt": when(one.created_at),
        "publishedAt": when(one.published_at),
        "updatedAt": when(one.updated_at),
    }


def deployment(nodes: RepositoryNodes, one: Deployment) -> Node:
    """A deployment; its statuses newest first, as GitHub gives them."""
    statuses = [
        {
            "__typename": "DeploymentStatus",
            "id": f"DES_{nodes.repository.id}_{one.id}_{index}",
            "state": status.state,
            "creator": nodes.actors(one.creator),
            "description": None,
            "createdAt": when(status.at),
            "updatedAt": when(status.at),
        }
        for index, status in enumerate(one.statuses)
    ]
    branch = one.ref if one.ref in nodes.repository.branches else None
    latest = one.statuses[-1].state if one.statuses else "PENDING"
    return {
        "__typename": "Deployment",
        "_statuses": statuses[::-1],
        "id": f"DE_{nodes.repository.id}_{one.id}",
        "databaseId": one.id,
        "commitOid": one.sha,
        "ref": nodes.branch(branch) if branch else None,
        "environment": one.environment,
        "task": one.task,
        "creator": nodes.actors(one.creator),
        "createdAt": when(one.created_at),
        "updatedAt": when(one.updated_at),
        "state": "ACTIVE" if latest == "SUCCESS" else latest,
        "latestStatus": statuses[-1] if statuses else None,
    }


def check_suite(nodes: RepositoryNodes, run: WorkflowRun) -> Node:
    """The check suite of a workflow run; its check runs are the run's jobs."""
    return {
        "__typename": "CheckSuite",
        "_jobs": [_check_run(nodes, job) for job in run.jobs],
        "id": suite_id(nodes, run),
        "databaseId": stable_number(f"suite {run.id}"),
        "status": run.status.upper(),
        "conclusion": run.conclusion.upper() if run.conclusion else None,
        "createdAt": when(run.created_at),
        "updatedAt": when(run.updated_at),
    }


def suite_id(nodes: RepositoryNodes, run: WorkflowRun) -> str:
    """The node id of a run's check suite."""
    return f"CS_{nodes.repository.id}_{run.id}"


def _check_run(nodes: RepositoryNodes, job: Job) -> Node:
    return {
        "__typename": "CheckRun",
        "id": f"CR_{nodes.repository.id}_{job.id}",
        "databaseId": job.id,
        "name": job.name,
        "status": job.status.upper(),
        "conclusion": job.conclusion.upper() if job.conclusion else None,
        "startedAt": when(job.started_at),
        "completedAt": when(job.completed_at),
    }


# --- issues, pull requests and discussions ---


def pull_request(nodes: RepositoryNodes, one: PullRequest) -> Node:
    """A pull request."""
    identity = f"PR_{nodes.repository.id}_{one.number}"
    first_commit = {
        "__typename": "PullRequestCommit",
        "id": f"PRC_{nodes.repository.id}_{one.number}_1",
        "commit": {
            "__typename": "Commit",
            "_nodes": nodes,
            "_parents": (),
            "id": f"C_{nodes.repository.id}_{one.number}_1",
            "authoredDate": when(one.first_commit_authored_at),
        },
    }
    return {
        "__typename": "PullRequest",
        "_nodes": nodes,
        "_item": one,
        "_timeline": _lazily(nodes, one.number, one.timeline),
        "_labels": labels(nodes, one.labels),
        "_commits": [first_commit] if one.first_commit_authored_at else [],
        "_commit_count": one.commits or 0,
        "id": identity,
        "databaseId": stable_number(identity),
        "number": one.number,
        "title": one.title,
        "state": one.state,
        "isDraft": one.is_draft,
        "createdAt": when(one.created_at),
        "updatedAt": when(one.updated_at),
        "closed": one.state != "OPEN",
        "closedAt": when(one.closed_at),
        "merged": one.state == "MERGED",
        "mergedAt": when(one.merged_at),
        "author": nodes.actors(one.author),
        "mergedBy": nodes.actors(one.merged_by),
        "headRefOid": one.head_sha,
        "mergeCommit": nodes.commit(one.merge_sha) if one.merge_sha else None,
        "baseRefName": one.base_branch,
        "additions": one.additions,
        "deletions": one.deletions,
        "changedFiles": one.changed_files,
    }


def issue(nodes: RepositoryNodes, one: Issue) -> Node:
    """An issue."""
    identity = f"I_{nodes.repository.id}_{one.number}"
    return {
        "__typename": "Issue",
        "_nodes": nodes,
        "_item": one,
        "_timeline": _lazily(nodes, one.number, one.timeline),
        "_labels": labels(nodes, one.labels),
        "id": identity,
        "databaseId": stable_number(identity),
        "number": one.number,
        "title": one.title,
        "body": one.body,
        "state": one.state,
        "stateReason": one.state_reason,
        "createdAt": when(one.created_at),
        "updatedAt": when(one.updated_at),
        "closedAt": when(one.closed_at),
        "author": nodes.actors(one.author),
    }


def _lazily(nodes: RepositoryNodes, number: int, timeline: tuple[Event, ...]) -> Callable[[], list[Node]]:
    """A function that makes the nodes of a timeline when it is first called."""
    made: list[Node] = []

    def items() -> list[Node]:
        if not made:
            made.extend(_event(nodes, number, index, event) for index, event in enumerate(timeline))
        return made

    return items


def _event(nodes: RepositoryNodes, number: int, index: int, event: Event) -> Node:
    time, actor = when(event.at), nodes.actors(event.actor)
    node: Node = {
        "__typename": event.kind,
        "id": f"{INITIAL[event.kind]}_{nodes.repository.id}_{number}_{index}",
        "createdAt": time,
    }
    if event.kind == "PullRequestReview":
        node |= {
            "author": actor,
            **_database_ids(review_number(nodes.repository.full_name, number, index)),
            "state": event.state,
            "submittedAt": time,
        }
    elif event.kind == "IssueComment":
        node |= {"author": actor, "updatedAt": time}
    else:
        node["actor"] = actor
    if event.label is not None:
        node["label"] = labels(nodes, (event.label,))[0]
    return node


def review_number(full_name: str, number: int, index: int) -> int:
    """The database id of the review that is at a position of a pull request's timeline."""
    return stable_number(f"review {full_name} {number} {index}")


def review_thread(nodes: RepositoryNodes, pull: Node, comments: list[ReviewComment]) -> Node:
    """A thread of comments on a line of a pull request, which is given as its node."""
    made: dict[int, Node] = {}
    for one in comments:
        made[one.id] = {
            "__typename": "PullRequestReviewComment",
            "id": f"PRRC_{nodes.repository.id}_{one.id}",
            **_database_ids(one.id),
            "author": nodes.actors(one.author),
            "path": one.path,
            "createdAt": when(one.created_at),
            "updatedAt": when(one.updated_at),
            "pullRequestReview": _review_of(nodes, pull, one),
            "replyTo": made.get(one.in_reply_to) if one.in_reply_to is not None else None,
        }
    return {
        "__typename": "PullRequestReviewThread",
        "_comments": list(made.values()),
        "id": f"PRRT_{nodes.repository.id}_{comments[0].in_reply_to or comments[0].id}",
        "isResolved": False,
        "path": comments[0].path,
    }


def _review_of(nodes: RepositoryNodes, pull: Node, comment: ReviewComment) -> Node | None:
    """The review that a comment belongs to: one of the timeline, or one that only its comment tells of."""
    if comment.review_id is None:
        return None
    for item in pull["_timeline"]():
        if item["__typename"] == "PullRequestReview" and item["databaseId"] == comment.review_id:
            found: Node = item
            return found
    time = when(comment.created_at)
    return {
        "__typename": "PullRequestReview",
        "id": f"PRR_{nodes.repository.id}_{comment.review_id}",
        **_database_ids(comment.review_id),
        "author": nodes.actors(comment.author),
        "state": "COMMENTED",
        "createdAt": time,
        "submittedAt": time,
    }


def _database_ids(number: int) -> Node:
    """Both forms of a number: an Int, which GraphQL cannot give from 2**31 on, and a BigInt, which is a text."""
    return {"databaseId": number if number < 2**31 else None, "fullDatabaseId": str(number)}


def milestone(nodes: RepositoryNodes, one: Milestone) -> Node:
    """A milestone."""
    return {
        "__typename": "Milestone",
        "_nodes": nodes,
        "_items": nodes.by_milestone.get(one.number, []),
        "id": f"MI_{nodes.repository.id}_{one.number}",
        "number": one.number,
        "title": one.title,
        "description": one.description,
        "state": one.state,
        "closed": one.state == "CLOSED",
        "createdAt": when(one.created_at),
        "updatedAt": when(one.updated_at),
        "dueOn": when(one.due_on),
        "closedAt": when(one.closed_at),
    }


def discussion(nodes: RepositoryNodes, one: Discussion) -> Node:
    """A discussion with its comments, their replies and the answer among them."""
    comments = [_discussion_comment(nodes, one, comment, None) for comment in one.comments]
    replies = [reply for comment in comments for reply in comment["_replies"]]
    return {
        "__typename": "Discussion",
        "_comments": comments,
        "id": f"D_{nodes.repository.id}_{one.number}",
        "databaseId": stable_number(f"discussion {nodes.repository.full_name} {one.number}"),
        "number": one.number,
        "title": one.title,
        "category": {
            "__typename": "DiscussionCategory",
            "id": f"DIC_{stable_number(one.category)}",
            "name": one.category,
            "slug": one.category.lower().replace(" ", "-"),
            "isAnswerable": one.is_answerable,
        },
        "author": nodes.actors(one.author),
        "createdAt": when(one.created_at),
        "updatedAt": when(one.updated_at),
        "closed": one.closed_at is not None,
        "closedAt": when(one.closed_at),
        "isAnswered": one.answer is not None if one.is_answerable else None,
        "answerChosenAt": when(one.answer_chosen_at),
        "answer": next((comment for comment in (*comments, *replies) if comment["isAnswer"]), None),
        "upvoteCount": one.upvotes,
    }


def _discussion_comment(
    nodes: RepositoryNodes, thread: Discussion, comment: DiscussionComment, parent: Node | None
) -> Node:
    node: Node = {
        "__typename": "DiscussionComment",
        "id": f"DC_{nodes.repository.id}_{comment.id}",
        "databaseId": comment.id,
        "author": nodes.actors(comment.author),
        "createdAt": when(comment.created_at),
        "updatedAt": when(comment.created_at),
        "isAnswer": comment.id == thread.answer,
        "replyTo": parent,
    }
    node["_replies"] = [_discussion_comment(nodes, thread, reply, node) for reply in comment.replies]
    return node


# --- people ---


def star(nodes: RepositoryNodes, one: Star) -> Node:
    """The edge from a repository to somebody who starred it."""
    return {"node": nodes.actors(one.user), "starredAt": when(one.at)}


def fork(nodes: RepositoryNodes, one: Fork) -> Node:
    """A repository that was forked from this one."""
    return {
        "__typename": "Repository",
        "id": f"R_{one.id}",
        "databaseId": one.id,
        "name": nodes.repository.name,
        "owner": nodes.actors(one.owner),
        "createdAt": when(one.created_at),
        "pushedAt": when(one.created_at),
        "updatedAt": when(one.created_at),
    }
