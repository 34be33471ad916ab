"""Every query is what GitHub's published schema allows, and what the demo server answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate

import metrics_assets
from metrics_assets.demo.graph import SCHEMA
from metrics_assets.sources.github import client
from metrics_assets.sources.github.client import document

QUERIES = Path(client.__file__).with_name("queries")
PUBLISHED = (
    Path(metrics_assets.__file__).parents[1] / ".metrics/test-tools/node_modules/@octokit/graphql-schema/schema.graphql"
)
NAMES = sorted(file.stem for file in QUERIES.glob("*.graphql") if file.stem != "timeline_item")


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    """GitHub's schema, as npm's @octokit/graphql-schema publishes it."""
    if not PUBLISHED.exists():
        pytest.skip(
            f"GitHub's schema is not at {PUBLISHED}; get it with: "
            "npm install --prefix .metrics/test-tools @octokit/graphql-schema@15.26.1"
        )
    return build_schema(PUBLISHED.read_text(encoding="utf-8"), assume_valid_sdl=True)


def test_there_is_a_query_for_each_list() -> None:
    assert NAMES == [
        "deployments", "forks", "issues", "pull_requests", "stargazers", "tags", "timeline",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_valid_at_github(name: str, published: GraphQLSchema) -> None:
    assert validate(published, parse(document(name))) == []


def test_the_published_schema_would_refuse_a_wrong_query(published: GraphQLSchema) -> None:
    assert validate(published, parse(document("forks").replace("databaseId", "databaseID")))


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_valid_at_the_demo_server(name: str) -> None:
    assert validate(build_schema(SCHEMA.read_text(encoding="utf-8")), parse(document(name))) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_one_operation_that_tells_its_price(name: str) -> None:
    operations = [one for one in parse(document(name)).definitions if isinstance(one, OperationDefinitionNode)]
    assert len(operations) == 1
    assert "rateLimit { cost" in document(name)


@pytest.mark.parametrize("name", ["issues", "pull_requests"])
def test_the_rest_of_a_timeline_asks_for_the_same_kinds(name: str) -> None:
    (wanted,), others = _kinds(name), _kinds("timeline")
    assert wanted in others


def _kinds(name: str) -> list[list[str]]:
    found = re.findall(r"itemTypes: \[([^\]]*)\]", document(name))
    return [sorted(kinds.replace(",", " ").split()) for kinds in found]
