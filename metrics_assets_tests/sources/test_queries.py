"""Every query is what GitHub's published schema allows, and what the demo server answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate

import metrics_assets
from metrics_assets.demo.graph import SCHEMA, price
from metrics_assets.sources.github import documents
from metrics_assets.sources.github.lists import LISTS, NUMBERS

PUBLISHED = (
    Path(metrics_assets.__file__).parents[1] / ".metrics/test-tools/node_modules/@octokit/graphql-schema/schema.graphql"
)
# Every document that is ever sent, by a name.
DOCUMENTS = {
    **{
        plan.document: documents.lists_of_a_repository([plan.document])
        for plan in [*(one.plan for one in LISTS.values()), *NUMBERS.values()]
    },
    "all lists at once": documents.lists_of_a_repository([one.plan.document for one in LISTS.values()]),
    "two probes": documents.probes(2),
    **{name: documents.whole(name) for name in ("timeline", "discussion_comments", "jobs", "review_comments")},
    "numbers together": documents.numbers_of([("pull_requests", "a/b"), ("issues", "a/b"), ("discussions", "c/d")])[0],
}
NAMES = sorted(DOCUMENTS)


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    """GitHub's schema, as npm's @octokit/graphql-schema publishes it."""
    if not PUBLISHED.exists():
        pytest.skip(
            f"GitHub's schema is not at {PUBLISHED}; get it with: "
            "npm install --prefix .metrics/test-tools @octokit/graphql-schema@15.26.1"
        )
    return build_schema(PUBLISHED.read_text(encoding="utf-8"), assume_valid_sdl=True)


@pytest.fixture(scope="module")
def of_the_demo() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text(encoding="utf-8"))


def test_every_file_is_sent_in_some_document() -> None:
    files = {str(file.relative_to(documents.QUERIES).with_suffix("")) for file in documents.QUERIES.rglob("*.graphql")}
    assert files == {*DOCUMENTS, "probe", "timeline_item"} - {"all lists at once", "two probes", "numbers together"}


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_valid_at_github(name: str, published: GraphQLSchema) -> None:
    assert validate(published, parse(DOCUMENTS[name])) == []


def test_the_published_schema_would_refuse_a_wrong_query(published: GraphQLSchema) -> None:
    assert validate(published, parse(DOCUMENTS["lists/forks"].replace("databaseId", "databaseID")))


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_valid_at_the_demo_server(name: str, of_the_demo: GraphQLSchema) -> None:
    assert validate(of_the_demo, parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_one_operation_that_tells_its_price(name: str) -> None:
    operations = [one for one in parse(DOCUMENTS[name]).definitions if isinstance(one, OperationDefinitionNode)]
    assert len(operations) == 1
    assert "rateLimit { cost" in DOCUMENTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_no_query_may_ask_for_more_than_half_a_million_nodes(name: str) -> None:
    largest = {f"{entity}_first": github_list.plan.page for entity, github_list in LISTS.items()}
    points, nodes = price(parse(DOCUMENTS[name]), largest)
    assert (points, nodes) <= (25, 500_000)
    assert nodes <= 500_000


@pytest.mark.parametrize("name", ["lists/issues", "lists/pull_requests"])
def test_the_rest_of_a_timeline_asks_for_the_same_kinds(name: str) -> None:
    (wanted,), others = _kinds(name), _kinds("timeline")
    assert wanted in others


def _kinds(name: str) -> list[list[str]]:
    found = re.findall(r"itemTypes: \[([^\]]*)\]", DOCUMENTS[name])
    return [sorted(kinds.replace(",", " ").split()) for kinds in found]
