"""How the tests of the demo server ask it: with the collector's own queries, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from metrics_assets.demo.history import History
from metrics_assets.demo.server import DemoServer

QUERIES = Path(__file__).resolve().parents[2] / "metrics_assets" / "sources" / "github" / "queries"
LISTS = sorted(file.stem for file in (QUERIES / "lists").glob("*.graphql"))


@contextmanager
def serving(history: History, **how: Any) -> Iterator[tuple[DemoServer, httpx.Client]]:
    """A server that plays a history, and a client with a token."""
    with (
        DemoServer(history, **how) as server,
        httpx.Client(base_url=server.url, headers={"Authorization": "Bearer anything"}, timeout=20) as client,
    ):
        yield server, client


def ask(client: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    """The answer to a GraphQL query, errors among it."""
    answer = client.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def composed(*names: str) -> str:
    """One query for several lists of a repository, as the collector puts it together."""
    texts = [(QUERIES / "lists" / f"{name}.graphql").read_text() for name in names]
    variables = [re.findall(r"# variables: (.*)", text)[0] for text in texts]
    spreads = [f"...{re.findall(r'fragment (.*) on Repository', text)[0]}" for text in texts]
    return _with_fragments(
        f"query Changes($owner: String!, $name: String!, {', '.join(variables)}) {{"
        f" repository(owner: $owner, name: $name) {{ {' '.join(spreads)} }} rateLimit {{ cost remaining resetAt }} }}",
        *texts,
    )


def probing(count: int) -> str:
    """One query about so many repositories, r0, r1 ..."""
    variables = ", ".join(f"$o{n}: String!, $n{n}: String!" for n in range(count))
    asked = " ".join(f"r{n}: repository(owner: $o{n}, name: $n{n}) {{ ...Probe }}" for n in range(count))
    text = (QUERIES / "probe.graphql").read_text()
    return _with_fragments(f"query Probe({variables}) {{ {asked} rateLimit {{ cost }} }}", text)


def document(name: str) -> str:
    """A query that is not put together."""
    return _with_fragments((QUERIES / f"{name}.graphql").read_text())


def _with_fragments(*texts: str) -> str:
    text = "\n".join(texts)
    return text + (QUERIES / "timeline_item.graphql").read_text() if "...TimelineItem" in text else text


def connection(body: dict[str, Any], name: str) -> dict[str, Any]:
    """The list of that name in an answer to a `composed` query."""
    assert "errors" not in body, body["errors"]
    found: dict[str, Any] = body["data"]["repository"]
    if name == "commits":
        found = found["default_branch"]["target"] if found["default_branch"] else {}
        return found.get("commits") or {"totalCount": 0, "pageInfo": {"hasNextPage": False}, "nodes": []}
    listed: dict[str, Any] = found[name]
    return listed


def pages(client: httpx.Client, name: str, repository: str, size: int, **variables: Any) -> Iterator[dict[str, Any]]:
    """The pages of a list of `owner/name`, one after the other."""
    owner, _, short = repository.partition("/")
    cursor = None
    while True:
        asked = {"owner": owner, "name": short, f"{name}_first": size, f"{name}_after": cursor} | variables
        items = connection(ask(client, composed(name), **asked), name)
        yield items
        if not items["pageInfo"]["hasNextPage"]:
            return
        cursor = items["pageInfo"]["endCursor"]
