"""Executes GraphQL documents against a history, with graphql-core and the schema in `schema.graphql`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    build_schema,
    execute,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
    parse,
    validate,
)
from graphql.execution import ExecutionContext
from graphql.pyutils import Path

from metrics_assets.demo.budget import Budget
from metrics_assets.demo.history import History
from metrics_assets.demo.nodes import Actors, Node, RepositoryNodes, when

SCHEMA = FilePath(__file__).with_name("schema.graphql")
LARGEST_PAGE = 100
TIMELINE_ITEM = {  # enum value -> type: CLOSED_EVENT -> ClosedEvent
    value: "".join(word.capitalize() for word in value.split("_"))
    for value in (
        "CLOSED_EVENT",
        "CONVERT_TO_DRAFT_EVENT",
        "HEAD_REF_FORCE_PUSHED_EVENT",
        "ISSUE_COMMENT",
        "LABELED_EVENT",
        "PULL_REQUEST_REVIEW",
        "READY_FOR_REVIEW_EVENT",
        "REOPENED_EVENT",
        "UNLABELED_EVENT",
    )
}
ORDER_KEY = {
    "CREATED_AT": "createdAt",
    "UPDATED_AT": "updatedAt",
    "PUSHED_AT": "pushedAt",
    "NAME": "name",
    "ALPHABETICAL": "name",
}


class RefusalError(Exception):
    """An error that GitHub names by a type, such as NOT_FOUND."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Call:
    """What resolvers know of the request that they answer."""

    graph: Graph
    cost: int
    budget: Budget


class Graph:
    """A history behind GitHub's GraphQL schema."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.schema = _schema()
        self._actors = Actors()
        self._repositories = {
            repository.full_name: RepositoryNodes(repository, self._actors) for repository in history.repositories
        }
        self._documents: dict[str, DocumentNode | list[GraphQLError]] = {}
        self._by_id: dict[str, Node] = {}

    def repository(self, full_name: str) -> RepositoryNodes | None:
        """The repository that has or had this name."""
        found = self.history.repository(full_name) or self.history.renamed_to(full_name)
        return self._repositories[found.full_name] if found else None

    def node(self, identity: str) -> Node | None:
        """The repository, pull request, issue or deployment with this id."""
        if not self._by_id:
            for nodes in self._repositories.values():
                for one in (nodes.node, *nodes.pull_requests, *nodes.issues, *nodes.deployments):
                    self._by_id[one["id"]] = one
        return self._by_id.get(identity)

    def answer(
        self, document: str, variables: dict[str, Any] | None, operation: str | None, budget: Budget
    ) -> dict[str, Any]:
        """The body of GitHub's answer to a document; its price is taken from the budget."""
        parsed = self._parsed(document)
        if isinstance(parsed, list):
            return {"errors": [_error(error) for error in parsed]}
        cost = price(parsed, variables or {})
        if not budget.spend(cost):
            return {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
        result = execute(
            self.schema,
            parsed,
            context_value=Call(self, cost, budget),
            variable_values=variables,
            operation_name=operation,
            type_resolver=lambda value, *_: cast(str, value["__typename"]),
            execution_context_class=PlainFieldsFirst,
            is_awaitable=lambda _: False,
        )
        data, errors = cast(Any, result).data, cast(Any, result).errors
        return {"data": data, "errors": [_error(error) for error in errors]} if errors else {"data": data}

    def _parsed(self, document: str) -> DocumentNode | list[GraphQLError]:
        if document not in self._documents:
            if len(self._documents) > 500:
                self._documents.clear()
            try:
                parsed = parse(document)
                self._documents[document] = validate(self.schema, parsed) or parsed
            except GraphQLError as error:
                self._documents[document] = [error]
        return self._documents[document]


class PlainFieldsFirst(ExecutionContext):
    """Looks fields without a resolver up in the node itself, which is several times faster."""

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_nodes: list[FieldNode], path: Path
    ) -> Any:
        """The value of one field of one node."""
        name = field_nodes[0].name.value
        if name == "__typename":
            return parent_type.name
        definition = parent_type.fields.get(name)
        if definition is None or definition.resolve is not None or not isinstance(source, dict):
            return super().execute_field(parent_type, source, field_nodes, path)
        value, kind = source.get(name), definition.type
        if value is None and not is_non_null_type(kind):
            return None
        if value is not None and type(value) is not list and is_leaf_type(get_named_type(kind)):
            return value
        try:
            return self.complete_value(kind, field_nodes, cast(Any, None), path, value)
        except Exception:  # let graphql-core meet it again and do what is right
            return super().execute_field(parent_type, source, field_nodes, path)


def price(document: DocumentNode, variables: dict[str, Any]) -> int:
    """Points that GitHub asks for a document: one per 100 lists that have to be fetched, at least 1."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}

    def lists(selections: SelectionSetNode | None, parents: int) -> int:
        count = 0
        for chosen in selections.selections if selections else ():
            if isinstance(chosen, FragmentSpreadNode):
                count += lists(fragments[chosen.name.value].selection_set, parents)
            elif isinstance(chosen, InlineFragmentNode):
                count += lists(chosen.selection_set, parents)
            elif isinstance(chosen, FieldNode):
                size = _size(chosen, variables)
                count += lists(chosen.selection_set, parents * max(size or 1, 1)) + (parents if size else 0)
        return count

    operations = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    return max(round(sum(lists(operation.selection_set, 1) for operation in operations) / 100), 1)


def _size(field: FieldNode, variables: dict[str, Any]) -> int | None:
    for argument in field.arguments:
        if argument.name.value == "first":
            if isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
            if isinstance(argument.value, VariableNode):
                given = variables.get(argument.value.name.value)
                return given if isinstance(given, int) else None
    return None


def _error(error: GraphQLError) -> dict[str, Any]:
    """An error in the shape of GitHub's answers."""
    shown: dict[str, Any] = {}
    if isinstance(error.original_error, RefusalError):
        shown["type"] = error.original_error.kind
    if error.path:
        shown["path"] = error.path
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    return shown | {"message": error.message}


# --- lists and pages ---


def page(
    items: Sequence[Node],
    first: int | None,
    after: str | None,
    *,
    total: int | None = None,
    edges: bool = False,
) -> Node:
    """A connection over a list: the items after a cursor, at most `first` of them.

    Without `first` only the total may be asked for, as at GitHub; the items then are an error.
    """
    count = len(items) if total is None else total
    if first is None:
        missing = RefusalError(
            "MISSING_PAGINATION_BOUNDARIES",
            "You must provide a `first` or `last` value to properly paginate the connection.",
        )
        return {"totalCount": count, "nodes": missing, "edges": missing, "pageInfo": missing}
    if not 0 <= first <= LARGEST_PAGE:
        raise RefusalError(
            "EXCESSIVE_PAGINATION",
            f"Requesting {first} records on the connection exceeds the `first` limit of {LARGEST_PAGE}.",
        )
    start = _position(after) if after is not None else 0
    shown = items[start : start + first]
    end = start + len(shown)
    connection: Node = {
        "totalCount": count,
        "pageInfo": {
            "hasNextPage": end < len(items),
            "hasPreviousPage": start > 0,
            "startCursor": _cursor(start + 1) if shown else None,
            "endCursor": _cursor(end) if shown else None,
        },
    }
    if edges:
        connection["edges"] = [edge | {"cursor": _cursor(start + i)} for i, edge in enumerate(shown, 1)]
        connection["nodes"] = [edge["node"] for edge in shown]
    else:
        connection["nodes"] = shown
    return connection


def _cursor(position: int) -> str:
    return base64.b64encode(f"cursor:v2:{position}".encode()).decode()


def _position(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("cursor:v2:"))
    except (binascii.Error, ValueError) as error:
        raise RefusalError("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.") from error


def _ordered(items: list[Node], order: dict[str, str] | None) -> list[Node]:
    """Items, which come oldest first, in the order asked for; ties keep their sequence."""
    if order is None:
        return items
    descending = order["direction"] == "DESC"
    key = ORDER_KEY.get(order["field"])
    if key is None:  # the list has only this order
        return items[::-1] if descending else items
    if order["field"] == "CREATED_AT" and any(item[key] is None for item in items):
        return items[::-1] if descending else items
    return sorted(items, key=lambda item: cast(str, item[key] or ""), reverse=descending)


def _since(items: list[Node], since: str | None, key: str) -> list[Node]:
    if since is None:
        return items
    limit = when(_time(since)) or ""
    return [item for item in items if item[key] >= limit]


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusalError("argumentLiteralsIncompatible", f"'{text}' is not a DateTime.") from error


# --- resolvers ---


def _nodes(source: Node) -> RepositoryNodes:
    return cast(RepositoryNodes, source["_nodes"])


def _repository(_: Any, info: Any, owner: str, name: str, followRenames: bool = True) -> Node:  # noqa: N803
    graph: Graph = info.context.graph
    found = graph.repository(f"{owner}/{name}")
    if found is None or (not followRenames and found.repository.full_name.lower() != f"{owner}/{name}".lower()):
        raise RefusalError("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
    return found.node


def _node(_: Any, info: Any, id: str) -> Node:
    graph: Graph = info.context.graph
    found = graph.node(id)
    if found is None:
        raise RefusalError("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'.")
    return found


def _rate_limit(_: Any, info: Any, **__: Any) -> Node:
    call: Call = info.context
    return {
        "cost": call.cost,
        "limit": call.budget.limit,
        "nodeCount": 0,
        "remaining": call.budget.remaining,
        "resetAt": when(datetime.fromtimestamp(call.budget.reset, UTC)),
        "used": call.budget.used,
    }


def _pull_requests(source: Node, _: Any, **asked: Any) -> Node:
    items = _chosen(_nodes(source).pull_requests, asked.get("states"), asked.get("labels"))
    return page(_ordered(items, asked.get("orderBy")), asked.get("first"), asked.get("after"))


def _issues(source: Node, _: Any, **asked: Any) -> Node:
    filters = asked.get("filterBy") or {}
    items = _chosen(
        _nodes(source).issues,
        asked.get("states") or filters.get("states"),
        asked.get("labels") or filters.get("labels"),
    )
    items = _since(items, filters.get("since"), "updatedAt")
    return page(_ordered(items, asked.get("orderBy")), asked.get("first"), asked.get("after"))


def _chosen(items: list[Node], states: list[str] | None, labels: list[str] | None) -> list[Node]:
    """Items in one of the states and with one of the labels, where such are named."""
    if states:
        items = [item for item in items if item["state"] in states]
    if labels:
        items = [item for item in items if any(label["name"] in labels for label in item["_labels"])]
    return items


def _deployments(source: Node, _: Any, **asked: Any) -> Node:
    items, environments = _nodes(source).deployments, asked.get("environments")
    if environments:
        items = [item for item in items if item["environment"] in environments]
    return page(_ordered(items, asked.get("orderBy")), asked.get("first"), asked.get("after"))


def _releases(source: Node, _: Any, **asked: Any) -> Node:
    return page(_ordered(_nodes(source).releases, asked.get("orderBy")), asked.get("first"), asked.get("after"))


def _forks(source: Node, _: Any, **asked: Any) -> Node:
    return page(_ordered(_nodes(source).forks, asked.get("orderBy")), asked.get("first"), asked.get("after"))


def _stargazers(source: Node, _: Any, **asked: Any) -> Node:
    ordered = _ordered(_nodes(source).stars, asked.get("orderBy"))
    return page(ordered, asked.get("first"), asked.get("after"), edges=True)


def _watchers(source: Node, _: Any, **asked: Any) -> Node:
    return page([], asked.get("first"), asked.get("after"), total=_nodes(source).repository.watchers)


def _refs(source: Node, _: Any, refPrefix: str, **asked: Any) -> Node | None:  # noqa: N803
    nodes = _nodes(source)
    lists = {"refs/tags/": lambda: nodes.tags, "refs/heads/": lambda: nodes.branches}
    items = lists[refPrefix]() if refPrefix in lists else []
    return page(_ordered(items, asked.get("orderBy")), asked.get("first"), asked.get("after"))


def _default_branch(source: Node, _: Any) -> Node | None:
    repository = _nodes(source).repository
    return _nodes(source).branch(repository.default_branch) if repository.head and repository.default_branch else None


def _history(source: Node, _: Any, since: str | None = None, until: str | None = None, **asked: Any) -> Node:
    nodes = _nodes(source)
    start, end = (_time(limit) if limit else None for limit in (since, until))
    commits = [
        commit
        for commit in nodes.history(source["oid"])
        if (start is None or commit.committed_at >= start) and (end is None or commit.committed_at <= end)
    ]
    return page([nodes.commit(commit.sha) for commit in commits], asked.get("first"), asked.get("after"))


def _timeline(source: Node, _: Any, **asked: Any) -> Node:
    items: list[Node] = source["_timeline"]()
    if (wanted := asked.get("itemTypes")) is not None:
        kinds = {TIMELINE_ITEM[value] for value in wanted}
        items = [item for item in items if item["__typename"] in kinds]
    return page(_since(items, asked.get("since"), "createdAt"), asked.get("first"), asked.get("after"))


def _comments(source: Node, _: Any, **asked: Any) -> Node:
    items = [item for item in source["_timeline"]() if item["__typename"] == "IssueComment"]
    return page(items, asked.get("first"), asked.get("after"))


def _commits_of_pull_request(source: Node, _: Any, **asked: Any) -> Node:
    return page(source["_commits"], asked.get("first"), asked.get("after"), total=source["_commit_count"])


def _labels(source: Node, _: Any, **asked: Any) -> Node:
    return page(source["_labels"], asked.get("first"), asked.get("after"))


def _statuses(source: Node, _: Any, **asked: Any) -> Node:
    return page(source["_statuses"], asked.get("first"), asked.get("after"))


def _viewer(_: Any, info: Any) -> Node:
    return {"__typename": "User", "id": "U_1", "databaseId": 1, "login": "demo"}


RESOLVERS: dict[str, dict[str, Callable[..., Any]]] = {
    "Query": {"node": _node, "rateLimit": _rate_limit, "repository": _repository, "viewer": _viewer},
    "Repository": {
        "defaultBranchRef": _default_branch,
        "deployments": _deployments,
        "forks": _forks,
        "issues": _issues,
        "pullRequests": _pull_requests,
        "refs": _refs,
        "releases": _releases,
        "stargazers": _stargazers,
        "watchers": _watchers,
    },
    "PullRequest": {
        "comments": _comments,
        "commits": _commits_of_pull_request,
        "labels": _labels,
        "timelineItems": _timeline,
    },
    "Issue": {"comments": _comments, "labels": _labels, "timelineItems": _timeline},
    "Deployment": {"statuses": _statuses},
    "Commit": {"history": _history},
}


def _schema() -> GraphQLSchema:
    schema = build_schema(SCHEMA.read_text(encoding="utf-8"))
    for type_name, fields in RESOLVERS.items():
        kind = cast(GraphQLObjectType, schema.type_map[type_name])
        for field_name, resolve in fields.items():
            kind.fields[field_name].resolve = resolve
    return schema
