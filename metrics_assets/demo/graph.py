"""Executes GraphQL documents against a history, with graphql-core and the schema in `schema.graphql`."""

from __future__ import annotations

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
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    build_schema,
    parse,
    validate,
)

from metrics_assets.demo import forms
from metrics_assets.demo.budget import Budget
from metrics_assets.demo.executor import Plan
from metrics_assets.demo.history import History
from metrics_assets.demo.nodes import Actors, Node, RepositoryNodes
from metrics_assets.demo.ordered import RefusalError
from metrics_assets.demo.resolvers import RESOLVERS, SCHEMA, Call

__all__ = ["SCHEMA", "Call", "Graph", "price"]

MOST_DOCUMENTS = 500  # kept parsed
MOST_NODES = 500_000  # that one call may ask for


class Graph:
    """A history behind GitHub's GraphQL schema."""

    def __init__(self, history: History, before: Graph | None = None) -> None:
        """Play a history; what `before` has sorted of the very same repositories is kept."""
        self.history = history
        self.schema: GraphQLSchema = before.schema if before else _schema()
        self._actors: Actors = before._actors if before else Actors()
        self._documents: dict[str, Plan | list[GraphQLError]] = before._documents if before else {}
        known = {id(one.repository): one for one in before._by_name.values()} if before else {}
        self._by_name: dict[str, RepositoryNodes] = {
            repository.full_name.lower(): known.get(id(repository)) or RepositoryNodes(repository, self._actors)
            for repository in history.repositories
        }
        self._by_id = {nodes.repository.id: nodes for nodes in self._by_name.values()}
        self._new_names = {old.lower(): new.lower() for old, new in history.renamed.items()}
        self._unavailable = {name.lower(): status for name, status in history.unavailable.items()}

    def repository(self, full_name: str) -> RepositoryNodes | None:
        """The repository that has or had this name."""
        return self.named(full_name) or self.renamed_to(full_name)

    def named(self, full_name: str) -> RepositoryNodes | None:
        """The repository that has this name, upper and lower case alike."""
        return self._by_name.get(full_name.lower())

    def renamed_to(self, full_name: str) -> RepositoryNodes | None:
        """The repository that had this name before."""
        new_name = self._new_names.get(full_name.lower())
        return self._by_name.get(new_name) if new_name else None

    def by_id(self, number: int) -> RepositoryNodes | None:
        """The repository with this number."""
        return self._by_id.get(number)

    def unavailable(self, full_name: str) -> int | None:
        """404, 410 or 451 if the repository is withheld, else None."""
        return self._unavailable.get(full_name.lower())

    def node(self, identity: str) -> Node | None:
        """The repository, pull request, issue, deployment, discussion, milestone or check suite with this id."""
        kind, _, rest = identity.partition("_")
        repository, _, text = rest.partition("_")
        nodes = self._by_id.get(int(repository)) if repository.isdecimal() else None
        if nodes is None or self.unavailable(nodes.repository.full_name):
            return None
        if kind == "R" and not text:
            return nodes.node
        return _item(nodes, kind, int(text)) if text.isdecimal() else None

    def answer(
        self, document: str, variables: dict[str, Any] | None, operation: str | None, budget: Budget
    ) -> dict[str, Any]:
        """The body of GitHub's answer to a document; its price is taken from the budget."""
        parsed = self._parsed(document)
        if isinstance(parsed, list):
            return {"errors": [_error(error) for error in parsed]}
        cost, nodes = price(parsed.document, variables or {})
        if nodes > MOST_NODES:
            message = (
                f"By the time this query traverses to the last connection, it is requesting up to {nodes:,} possible "
                f"nodes which exceeds the maximum limit of {MOST_NODES:,}."
            )
            return {"errors": [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": message}]}
        if not budget.spend(cost):
            return {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
        data, errors = parsed.execute(Call(self, cost, budget, nodes), variables, operation)
        return {"data": data, "errors": [_error(error) for error in errors]} if errors else {"data": data}

    def _parsed(self, document: str) -> Plan | list[GraphQLError]:
        if document not in self._documents:
            if len(self._documents) > MOST_DOCUMENTS:
                self._documents.clear()
            try:
                parsed = parse(document)
                self._documents[document] = validate(self.schema, parsed) or Plan(self.schema, parsed, document)
            except GraphQLError as error:
                self._documents[document] = [error]
        return self._documents[document]


def price(document: DocumentNode, variables: dict[str, Any]) -> tuple[int, int]:
    """Points that GitHub asks for a document, one per 100 lists to fetch and at least 1; and its possible nodes.

    What is inside `nodes(ids: [...])` is fetched for each of the ids; that list itself costs nothing.
    """
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}

    def lists(selections: SelectionSetNode | None, parents: int) -> tuple[int, int]:
        count = nodes = 0
        for chosen in selections.selections if selections else ():
            size = None
            inner: tuple[int, int] = (0, 0)
            if isinstance(chosen, FragmentSpreadNode):
                inner = lists(fragments[chosen.name.value].selection_set, parents)
            elif isinstance(chosen, InlineFragmentNode):
                inner = lists(chosen.selection_set, parents)
            elif isinstance(chosen, FieldNode):
                size = _size(chosen, variables)
                times = _ids(chosen, variables) if size is None else size
                inner = lists(chosen.selection_set, parents * max(times, 1))
            count += inner[0] + (parents if size else 0)
            nodes += inner[1] + parents * (size or 0)
        return count, nodes

    operations = [lists(d.selection_set, 1) for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    return max(round(sum(count for count, _ in operations) / 100), 1), sum(nodes for _, nodes in operations)


def _size(field: FieldNode, variables: dict[str, Any]) -> int | None:
    for argument in field.arguments:
        if argument.name.value in ("first", "last"):
            if isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
            if isinstance(argument.value, VariableNode):
                given = variables.get(argument.value.name.value)
                return given if isinstance(given, int) else None
    return None


def _ids(field: FieldNode, variables: dict[str, Any]) -> int:
    """How many nodes a field names by `ids`; 1 for every other field."""
    for argument in field.arguments if field.name.value == "nodes" else ():
        if argument.name.value == "ids":
            if isinstance(argument.value, ListValueNode):
                return len(argument.value.values)
            if isinstance(argument.value, VariableNode):
                given = variables.get(argument.value.name.value)
                return len(given) if isinstance(given, list) else 1
    return 1


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


def _item(nodes: RepositoryNodes, kind: str, number: int) -> Node | None:
    """The node of one item of a repository by the first letters of its id and its number."""
    found: Any
    if kind == "PR":
        found = nodes.pull_requests_by_number.get(number)
        return forms.pull_request(nodes, found) if found else None
    if kind == "I":
        found = nodes.issues_by_number.get(number)
        return forms.issue(nodes, found) if found else None
    if kind == "D":
        found = nodes.discussions_by_number.get(number)
        return forms.discussion(nodes, found) if found else None
    if kind == "MI":
        found = nodes.milestones_by_number.get(number)
        return forms.milestone(nodes, found) if found else None
    if kind == "CS":
        found = nodes.runs_by_id.get(number)
        return forms.check_suite(nodes, found) if found else None
    if kind == "DE":
        found = next((one for one in nodes.repository.deployments if one.id == number), None)
        return forms.deployment(nodes, found) if found else None
    return None


def _schema() -> GraphQLSchema:
    schema = build_schema(SCHEMA.read_text(encoding="utf-8"))
    for type_name, fields in RESOLVERS.items():
        kind = cast(GraphQLObjectType, schema.type_map[type_name])
        for field_name, resolve in fields.items():
            kind.fields[field_name].resolve = resolve
    return schema
