"""How the fields of the schema that are lists, or that take arguments, are answered."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from metrics_assets.demo import forms
from metrics_assets.demo.budget import Budget
from metrics_assets.demo.forms import Node, when
from metrics_assets.demo.history import INITIAL
from metrics_assets.demo.nodes import RepositoryNodes
from metrics_assets.demo.ordered import (
    LARGEST_PAGE,
    Ordered,
    RefusalError,
    invalid_cursor,
    position_cursor,
    position_of,
)

if TYPE_CHECKING:
    from metrics_assets.demo.graph import Graph

SCHEMA = Path(__file__).with_name("schema.graphql")
# enum value -> type: CLOSED_EVENT -> ClosedEvent
TIMELINE_ITEM = {"".join(f"_{c}" if c.isupper() else c for c in kind)[1:].upper(): kind for kind in INITIAL}
WITHHELD = {
    404: ("NOT_FOUND", "Could not resolve to a Repository with the name '{}'."),
    410: ("NOT_FOUND", "Could not resolve to a Repository with the name '{}'."),
    451: ("FORBIDDEN", "Repository access blocked"),
}
"""What GraphQL says of a repository that REST answers with a status: type of the error and message."""


@dataclass(frozen=True, slots=True)
class Call:
    """What resolvers know of the request that they answer."""

    graph: Graph
    cost: int
    budget: Budget
    nodes: int = 0


# --- pages ---


def _bound(count: int, first: int | None, name: str = "first") -> Node | None:
    """The connection of which only the total was asked for, or None if `first` (or `last`) is given and allowed."""
    if first is None:
        missing = RefusalError(
            "MISSING_PAGINATION_BOUNDARIES",
            "You must provide a `first` or `last` value to properly paginate the connection.",
        )
        return {"totalCount": count, "nodes": missing, "edges": missing, "pageInfo": missing}
    if not 0 <= first <= LARGEST_PAGE:
        raise RefusalError(
            "EXCESSIVE_PAGINATION",
            f"Requesting {first} records on the connection exceeds the `{name}` limit of {LARGEST_PAGE}.",
        )
    return None


def page(
    items: Sequence[Any],
    first: int | None,
    after: str | None,
    *,
    last: int | None = None,
    total: int | None = None,
    form: Callable[[Any], Node] | None = None,
) -> Node:
    """A connection over a list that is counted through: labels, refs, the items of a timeline.

    `form` makes the node of an item that is none yet; without `first`, `last` shows the end of the list.
    """
    count = len(items) if total is None else total
    from_end = first is None and last is not None
    size = last if from_end else first
    if (bare := _bound(count, size, "last" if from_end else "first")) is not None:
        return bare
    assert size is not None
    start = position_of(after) if after is not None else 0
    if from_end:
        start = max(start, len(items) - size)
    shown = items[start : start + size]
    end = start + len(shown)
    return {
        "totalCount": count,
        "nodes": [form(item) for item in shown] if form else shown,
        "pageInfo": {
            "hasNextPage": end < len(items),
            "hasPreviousPage": start > 0,
            "startCursor": position_cursor(start + 1) if shown else None,
            "endCursor": position_cursor(end) if shown else None,
        },
    }


def sorted_page(
    items: Ordered[Any], asked: dict[str, Any], form: Callable[[Any], Node], *, descending: bool = False
) -> Node:
    """A connection over a sorted list; `form` makes the node of an item."""
    first, order = asked.get("first"), asked.get("orderBy")
    if (bare := _bound(len(items), first)) is not None:
        return bare
    assert first is not None
    descending = order["direction"] == "DESC" if order else descending
    shown, info = items.page(first, asked.get("after"), descending=descending)
    return {"totalCount": len(items), "nodes": [form(item) for item in shown], "pageInfo": info}


def _field(asked: dict[str, Any], usual: str | None = None) -> str | None:
    order = asked.get("orderBy")
    return order["field"] if order else usual


def time_of(text: str) -> datetime:
    """A time that was asked for."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusalError("argumentLiteralsIncompatible", f"'{text}' is not a DateTime.") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


# --- roots ---


def _nodes(source: Node) -> RepositoryNodes:
    return cast(RepositoryNodes, source["_nodes"])


def _repository(_: Any, info: Any, owner: str, name: str, followRenames: bool = True) -> Node:  # noqa: N803
    graph: Graph = info.context.graph
    full_name = f"{owner}/{name}"
    found = graph.repository(full_name) if followRenames else graph.named(full_name)
    status = 404 if found is None else graph.unavailable(found.repository.full_name)
    if found is None or status:
        kind, message = WITHHELD[status or 404]
        raise RefusalError(kind, message.format(full_name))
    return found.node


def _node(_: Any, info: Any, id: str) -> Node:
    graph: Graph = info.context.graph
    found = graph.node(id)
    if found is None:
        raise RefusalError("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'.")
    return found


def _by_ids(_: Any, info: Any, ids: list[str]) -> list[Node | RefusalError]:
    graph: Graph = info.context.graph
    if len(ids) > LARGEST_PAGE:
        raise RefusalError("ARGUMENT_LIMIT", f"You may not provide more than {LARGEST_PAGE} node ids; got {len(ids)}.")
    missing = "Could not resolve to a node with the global id of '{}'."
    return [graph.node(one) or RefusalError("NOT_FOUND", missing.format(one)) for one in ids]


def _rate_limit(_: Any, info: Any, **__: Any) -> Node:
    call: Call = info.context
    return {
        "cost": call.cost,
        "limit": call.budget.limit,
        "nodeCount": call.nodes,
        "remaining": call.budget.remaining,
        "resetAt": when(datetime.fromtimestamp(call.budget.reset, UTC)),
        "used": call.budget.used,
    }


def _viewer(_: Any, info: Any) -> Node:
    return {"__typename": "User", "id": "U_1", "databaseId": 1, "login": "demo"}


# --- lists of a repository ---


def _pull_requests(source: Node, _: Any, **asked: Any) -> Node:
    nodes = _nodes(source)
    items = _chosen(nodes, "pull_requests", _field(asked), asked.get("states"), asked.get("labels"))
    return sorted_page(items, asked, lambda pull: forms.pull_request(nodes, pull))


def _issues(source: Node, _: Any, **asked: Any) -> Node:
    nodes, filters = _nodes(source), asked.get("filterBy") or {}
    states, labels = asked.get("states") or filters.get("states"), asked.get("labels") or filters.get("labels")
    since = time_of(filters["since"]) if filters.get("since") else None
    field = _field(asked)
    if since is None:
        items = _chosen(nodes, "issues", field, states, labels)
    elif field == "UPDATED_AT":
        items = _chosen(nodes, "issues", field, states, labels).since(since)
    else:  # sorted by something else: those updated since have to be picked out
        items = nodes.ordered("issues", field, _test(states, labels, since), (_key(states), _key(labels), since))
    return sorted_page(items, asked, lambda issue: forms.issue(nodes, issue))


def _chosen(
    nodes: RepositoryNodes, name: str, field: str | None, states: list[str] | None, labels: list[str] | None
) -> Ordered[Any]:
    """Items in one of the states and with one of the labels, where such are named."""
    if not states and not labels:
        return nodes.ordered(name, field)
    return nodes.ordered(name, field, _test(states, labels), (_key(states), _key(labels)))


def _key(names: list[str] | None) -> frozenset[str]:
    return frozenset(names or ())


def _test(states: list[str] | None, labels: list[str] | None, since: datetime | None = None) -> Callable[[Any], bool]:
    in_states, with_labels = _key(states), _key(labels)

    def wanted(item: Any) -> bool:
        return (
            (not in_states or item.state in in_states)
            and (not with_labels or not with_labels.isdisjoint(item.labels))
            and (since is None or item.updated_at >= since)
        )

    return wanted


def _deployments(source: Node, _: Any, **asked: Any) -> Node:
    nodes, environments = _nodes(source), _key(asked.get("environments"))
    items = nodes.ordered("deployments")
    if environments:
        items = nodes.ordered("deployments", None, lambda one: one.environment in environments, environments)
    return sorted_page(items, asked, lambda one: forms.deployment(nodes, one))


def _releases(source: Node, _: Any, **asked: Any) -> Node:
    nodes = _nodes(source)
    return sorted_page(nodes.ordered("releases", _field(asked)), asked, lambda one: forms.release(nodes, one))


def _forks(source: Node, _: Any, **asked: Any) -> Node:
    nodes = _nodes(source)
    return sorted_page(nodes.ordered("forks", _field(asked)), asked, lambda one: forms.fork(nodes, one))


def _milestones(source: Node, _: Any, **asked: Any) -> Node:
    nodes, states = _nodes(source), _key(asked.get("states"))
    items = nodes.ordered("milestones", _field(asked))
    if states:
        items = nodes.ordered("milestones", _field(asked), lambda one: one.state in states, states)
    return sorted_page(items, asked, lambda one: forms.milestone(nodes, one))


def _discussions(source: Node, _: Any, **asked: Any) -> Node:
    nodes, states = _nodes(source), _key(asked.get("states"))
    field = _field(asked, "UPDATED_AT")
    items = nodes.ordered("discussions", field)
    if states:
        test = {True: "CLOSED", False: "OPEN"}
        items = nodes.ordered("discussions", field, lambda one: test[one.closed_at is not None] in states, states)
    return sorted_page(items, asked, lambda one: forms.discussion(nodes, one), descending=True)


def _stargazers(source: Node, _: Any, **asked: Any) -> Node:
    nodes = _nodes(source)
    connection = sorted_page(nodes.ordered("stars"), asked, lambda one: forms.star(nodes, one))
    if asked.get("first") is None:
        return connection
    return connection | {"edges": connection["nodes"], "nodes": [edge["node"] for edge in connection["nodes"]]}


def _watchers(source: Node, _: Any, **asked: Any) -> Node:
    return page([], asked.get("first"), asked.get("after"), total=_nodes(source).repository.watchers)


def _topics(source: Node, _: Any, **asked: Any) -> Node:
    repository = _nodes(source).repository
    topics: list[Node] = [
        {"__typename": "RepositoryTopic", "id": f"RT_{repository.id}_{name}", "topic": forms.named("Topic", name)}
        for name in repository.topics
    ]
    return page(topics, asked.get("first"), asked.get("after"))


def _refs(source: Node, _: Any, refPrefix: str, **asked: Any) -> Node | None:  # noqa: N803
    nodes, order = _nodes(source), asked.get("orderBy") or {"field": "TAG_COMMIT_DATE", "direction": "ASC"}
    items: list[Node] = []
    if refPrefix == "refs/tags/":
        items = nodes.tags_by_name if order["field"] == "ALPHABETICAL" else nodes.tags
    elif refPrefix == "refs/heads/":
        items = nodes.branches
    return page(items[::-1] if order["direction"] == "DESC" else items, asked.get("first"), asked.get("after"))


# --- git ---


def _default_branch(source: Node, _: Any) -> Node | None:
    repository = _nodes(source).repository
    return _nodes(source).branch(repository.default_branch) if repository.head and repository.default_branch else None


def _history(source: Node, _: Any, since: str | None = None, until: str | None = None, **asked: Any) -> Node:
    """Commits from a head on; a cursor names the head that the first page began at, so that pushes shift nothing."""
    nodes, first, after = _nodes(source), asked.get("first"), asked.get("after")
    head, start = _place(nodes, after) if after is not None else (source["oid"], 0)
    commits = nodes.history(head) if head in nodes.commits_by_sha else []
    low, high = 0, len(commits)
    if until:
        low = bisect_left(commits, -time_of(until).timestamp(), key=lambda one: -one.committed_at.timestamp())
    if since:
        high = bisect_right(commits, -time_of(since).timestamp(), key=lambda one: -one.committed_at.timestamp())
    count = max(high - low, 0)
    if (bare := _bound(count, first)) is not None:
        return bare
    assert first is not None
    shown = commits[low + start : min(low + start + first, high)]
    end = start + len(shown)
    return {
        "totalCount": count,
        "nodes": [nodes.commit(commit.sha) for commit in shown],
        "pageInfo": {
            "hasNextPage": end < count,
            "hasPreviousPage": start > 0,
            "startCursor": f"{head} {start}" if shown else None,
            "endCursor": f"{head} {end - 1}" if shown else None,
        },
    }


def _place(nodes: RepositoryNodes, cursor: str) -> tuple[str, int]:
    """The head that a history cursor is about, and the position after it."""
    head, _, position = cursor.partition(" ")
    if head not in nodes.commits_by_sha or not position.isdecimal():
        raise invalid_cursor(cursor)
    return head, int(position) + 1


def _check_suites(source: Node, _: Any, **asked: Any) -> Node:
    """The suites of the workflow runs on a commit, oldest first."""
    nodes = _nodes(source)
    runs = nodes.runs_by_sha.get(source["oid"], [])

    def form(run: Any) -> Node:
        return forms.check_suite(nodes, run)

    return page(runs, asked.get("first"), asked.get("after"), last=asked.get("last"), form=form)


def _parents(source: Node, _: Any, **asked: Any) -> Node:
    nodes = _nodes(source)
    return page([nodes.commit(sha) for sha in source["_parents"]], asked.get("first"), asked.get("after"))


# --- lists of an item ---


def _timeline(source: Node, _: Any, **asked: Any) -> Node:
    items: list[Node] = source["_timeline"]()
    if (wanted := asked.get("itemTypes")) is not None:
        kinds = {TIMELINE_ITEM[value] for value in wanted}
        items = [item for item in items if item["__typename"] in kinds]
    if asked.get("since"):
        limit = when(time_of(asked["since"])) or ""
        items = [item for item in items if item["createdAt"] >= limit]
    return page(items, asked.get("first"), asked.get("after"))


def _comments(source: Node, _: Any, **asked: Any) -> Node:
    if asked.get("first") is None:  # most often only the total is asked for
        return page([], None, None, total=sum(event.kind == "IssueComment" for event in source["_item"].timeline))
    items = [item for item in source["_timeline"]() if item["__typename"] == "IssueComment"]
    return page(items, asked.get("first"), asked.get("after"))


def _commits_of_pull_request(source: Node, _: Any, **asked: Any) -> Node:
    return page(source["_commits"], asked.get("first"), asked.get("after"), total=source["_commit_count"])


def _review_threads(source: Node, _: Any, **asked: Any) -> Node:
    nodes = _nodes(source)
    threads = nodes.review_threads_by_pull_request.get(source["number"], [])

    def form(comments: Any) -> Node:
        return forms.review_thread(nodes, source, comments)

    return page(threads, asked.get("first"), asked.get("after"), last=asked.get("last"), form=form)


def _milestone(source: Node, _: Any) -> Node | None:
    nodes = _nodes(source)
    found = nodes.milestones_by_number.get(source["_item"].milestone)
    return forms.milestone(nodes, found) if found else None


def _of_milestone(form: Callable[[RepositoryNodes, Any], Node], field: str) -> Callable[..., Node]:
    def resolve(source: Node, _: Any, **asked: Any) -> Node:
        nodes, states = _nodes(source), asked.get("states")
        numbers = getattr(nodes, field)
        items = [one for one in source["_items"] if numbers.get(one.number) is one]
        items = [one for one in items if not states or one.state in states]
        first = asked.get("first")
        made = [form(nodes, one) for one in items] if first is not None else []
        return page(made, first, asked.get("after"), total=len(items))

    return resolve


def _own(name: str) -> Callable[..., Node]:
    """A resolver of a list that the node itself holds."""

    def resolve(source: Node, _: Any, **asked: Any) -> Node:
        return page(source[name], asked.get("first"), asked.get("after"), last=asked.get("last"))

    return resolve


RESOLVERS: dict[str, dict[str, Callable[..., Any]]] = {
    "Query": {
        "node": _node,
        "nodes": _by_ids,
        "rateLimit": _rate_limit,
        "repository": _repository,
        "viewer": _viewer,
    },
    "Repository": {
        "defaultBranchRef": _default_branch,
        "deployments": _deployments,
        "discussions": _discussions,
        "forks": _forks,
        "issues": _issues,
        "milestones": _milestones,
        "pullRequests": _pull_requests,
        "refs": _refs,
        "releases": _releases,
        "repositoryTopics": _topics,
        "stargazers": _stargazers,
        "watchers": _watchers,
    },
    "PullRequest": {
        "comments": _comments,
        "commits": _commits_of_pull_request,
        "labels": _own("_labels"),
        "milestone": _milestone,
        "reviewThreads": _review_threads,
        "timelineItems": _timeline,
    },
    "PullRequestReviewThread": {"comments": _own("_comments")},
    "Issue": {
        "comments": _comments,
        "labels": _own("_labels"),
        "milestone": _milestone,
        "timelineItems": _timeline,
    },
    "Discussion": {"comments": _own("_comments")},
    "DiscussionComment": {"replies": _own("_replies")},
    "Milestone": {
        "issues": _of_milestone(forms.issue, "issues_by_number"),
        "pullRequests": _of_milestone(forms.pull_request, "pull_requests_by_number"),
    },
    "Release": {"releaseAssets": _own("_assets")},
    "Deployment": {"statuses": _own("_statuses")},
    "CheckSuite": {"checkRuns": _own("_jobs")},
    "Commit": {"checkSuites": _check_suites, "history": _history, "parents": _parents},
}
