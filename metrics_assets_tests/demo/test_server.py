"""The demo server answers over real HTTP as GitHub does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from graphql import execute_sync, parse

from metrics_assets.demo.budget import Budget
from metrics_assets.demo.faults import (
    BAD_GATEWAY,
    DROP,
    TRUNCATE,
    Rule,
    graphql_errors,
    secondary_limit,
    slow,
)
from metrics_assets.demo.graph import Call, Graph
from metrics_assets.demo.history import History, Repository
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer, main

QUERIES = Path(__file__).resolve().parents[2] / "metrics_assets" / "sources" / "github" / "queries"
DOCUMENTS = sorted(file.stem for file in QUERIES.glob("*.graphql") if file.stem != "timeline_item")
LISTS = [name for name in DOCUMENTS if name != "timeline"]
ENTITY = {
    "deployments": "deployments",
    "forks": "forks",
    "issues": "issues",
    "pull_requests": "pull_requests",
    "stargazers": "stars",
    "tags": "tags",
}


@pytest.fixture(scope="module")
def aurora() -> History:
    return sample_organisation()


@pytest.fixture(scope="module")
def server(aurora: History) -> Iterator[DemoServer]:
    with DemoServer(aurora) as running:
        yield running


@pytest.fixture
def client(server: DemoServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Authorization": "Bearer anything"}) as opened:
        yield opened
    server.faults.clear()


def document(name: str) -> str:
    text = (QUERIES / f"{name}.graphql").read_text()
    return text + (QUERIES / "timeline_item.graphql").read_text() if "...TimelineItem" in text else text


def ask(client: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    answer = client.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def pages(client: httpx.Client, name: str, repository: str, size: int) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        body = ask(client, document(name), owner="aurora", name=repository, pageSize=size, cursor=cursor)
        assert "errors" not in body
        items = body["data"]["repository"]["items"]
        yield items
        if not items["pageInfo"]["hasNextPage"]:
            return
        cursor = items["pageInfo"]["endCursor"]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("repository", "size"), [("api", 37), ("toolkit", 100), ("sandbox", 10)])
def test_paging_yields_each_item_once(
    client: httpx.Client, aurora: History, name: str, repository: str, size: int
) -> None:
    wanted = len(getattr(aurora.repository(f"aurora/{repository}"), ENTITY[name]))
    rows = []
    for one in pages(client, name, repository, size):
        assert one["totalCount"] == wanted
        rows += one["edges"] if name == "stargazers" else one["nodes"]
    identities = {
        row["user"]["login"] if name == "stargazers" else row.get("id", row.get("node_id", row.get("name")))
        for row in rows
    }
    assert len(identities) == len(rows) == wanted
    times = [
        row.get("updated_at") if name in ("issues", "pull_requests") else row.get("starred_at") or row.get("created_at")
        for row in rows
    ]
    assert name == "tags" or times == sorted(times, reverse=True)


def test_long_timelines_go_on_by_node(client: httpx.Client, aurora: History) -> None:
    for name, repository in (("pull_requests", "api"), ("issues", "aurora-py")):
        rows = [row for one in pages(client, name, repository, 100) for row in one["nodes"]]
        (long,) = [row for row in rows if row["timeline"]["pageInfo"]["hasNextPage"]]
        cursor = long["timeline"]["pageInfo"]["endCursor"]
        body = ask(client, document("timeline"), id=long["node_id"], cursor=cursor)
        rest = body["data"]["node"]["timeline"]
        assert not rest["pageInfo"]["hasNextPage"]
        seen = [item["node_id"] for item in (*long["timeline"]["nodes"], *rest["nodes"])]
        items = getattr(aurora.repository(f"aurora/{repository}"), ENTITY[name])
        (played,) = [item for item in items if item.number == long["number"]]
        assert len(set(seen)) == len(seen) == len(played.timeline) > 100


def test_filters(client: httpx.Client, aurora: History) -> None:
    variables = {"owner": "aurora", "name": "api", "pageSize": 100, "states": ["OPEN"]}
    api = aurora.repository("aurora/api")
    assert api is not None
    pulls = ask(client, document("pull_requests"), **variables)["data"]["repository"]["items"]
    assert pulls["totalCount"] == sum(pull.state == "OPEN" for pull in api.pull_requests)
    since = api.issues[100].updated_at
    variables |= {"states": None, "since": since.isoformat().replace("+00:00", "Z")}
    issues = ask(client, document("issues"), **variables)["data"]["repository"]["items"]
    assert issues["totalCount"] == sum(issue.updated_at >= since for issue in api.issues)


def test_errors_are_named_as_at_github(client: httpx.Client) -> None:
    missing = ask(client, document("forks"), owner="aurora", name="nothing", pageSize=10)
    assert missing["data"]["repository"] is None
    (error,) = missing["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["repository"])
    assert error["message"] == "Could not resolve to a Repository with the name 'aurora/nothing'."
    assert "Cannot query field 'stars'" in ask(client, "{ viewer { stars } }")["errors"][0]["message"]
    assert "Syntax Error" in ask(client, "{ viewer ")["errors"][0]["message"]
    too_many = ask(client, document("forks"), owner="aurora", name="api", pageSize=101)
    assert too_many["errors"][0]["type"] == "EXCESSIVE_PAGINATION"
    unbounded = ask(client, '{ repository(owner: "aurora", name: "api") { forks { totalCount nodes { id } } } }')
    assert unbounded["errors"][0]["type"] == "MISSING_PAGINATION_BOUNDARIES"
    totals = ask(client, '{ repository(owner: "aurora", name: "api") { forks { totalCount } } }')
    assert totals["data"]["repository"]["forks"]["totalCount"] == 30


@pytest.mark.parametrize("name", LISTS)
def test_the_short_way_through_graphql_core_gives_the_same(aurora: History, name: str) -> None:
    graph = Graph(aurora)
    variables = {"owner": "aurora", "name": "aurora-py", "pageSize": 50}
    short = graph.answer(document(name), variables, None, Budget("graphql"))["data"]["repository"]
    long = execute_sync(
        graph.schema,
        parse(document(name)),
        context_value=Call(graph, 1, Budget("graphql")),
        variable_values=variables,
        type_resolver=lambda value, *_: value["__typename"],
    )
    assert long.errors is None
    assert long.data is not None
    assert long.data["repository"] == short


def test_graphql_follows_renames_and_prices_its_answers(client: httpx.Client) -> None:
    old = ask(client, '{ repository(owner: "aurora", name: "gateway") { nameWithOwner } rateLimit { cost used } }')
    new = ask(client, document("pull_requests"), owner="aurora", name="api", pageSize=100)
    assert old["data"]["repository"] == {"nameWithOwner": "aurora/api"}
    assert old["data"]["rateLimit"]["cost"] == 1
    assert new["data"]["rateLimit"]["cost"] == 3


def test_commits_page_by_links(client: httpx.Client, aurora: History) -> None:
    web = aurora.repository("aurora/web")
    assert web is not None
    shas: list[str] = []
    times: list[str] = []
    url: str | None = "/repos/aurora/web/commits?per_page=100"
    while url:
        answer = client.get(url)
        shas += [row["sha"] for row in answer.json()]
        times += [row["commit"]["committer"]["date"] for row in answer.json()]
        url = answer.links.get("next", {}).get("url")
    assert len(shas) == len(set(shas)) == len(web.commits)
    assert shas[0] == web.head
    assert times == sorted(times, reverse=True)
    second = client.get("/repos/aurora/web/commits?per_page=100&page=2").links
    assert list(second) == ["prev", "next", "last", "first"]
    assert re.fullmatch(r".*/repositories/\d+/commits\?per_page=100&page=15", second["last"]["url"])


def test_commits_of_a_branch_and_a_window(client: httpx.Client) -> None:
    branch = client.get("/repos/aurora/toolkit/commits?sha=0.8.x").json()
    assert branch[0]["commit"]["message"] == "Version 0.8.6"
    by_sha = client.get(f"/repos/aurora/toolkit/commits?sha={branch[0]['sha']}").json()
    assert by_sha == branch
    window = {"since": "2025-09-01T00:00:00Z", "until": "2025-09-30T23:59:59Z", "per_page": "100"}
    rows = client.get("/repos/aurora/api/commits", params=window).json()
    assert rows
    assert {row["commit"]["committer"]["date"][:7] for row in rows} == {"2025-09"}
    logins = {
        row["author"]["login"] for row in client.get("/repos/aurora/api/commits?per_page=100").json() if row["author"]
    }
    assert {"dependabot[bot]", "renovate[bot]"} & logins


def test_refusals(client: httpx.Client, server: DemoServer) -> None:
    anonymous = httpx.get(f"{server.url}/repos/aurora/api")
    assert (anonymous.status_code, anonymous.json()) == (401, {"message": "Bad credentials"})
    missing = client.get("/repos/aurora/nothing/releases")
    assert (missing.status_code, missing.json()) == (404, {"message": "Not Found"})
    assert client.get("/nothing").status_code == 404
    empty = client.get("/repos/aurora/sandbox/commits")
    assert (empty.status_code, empty.json()) == (409, {"message": "Git Repository is empty."})
    renamed = client.get("/repos/aurora/gateway/commits?per_page=5")
    assert renamed.status_code == 301
    followed = client.get(renamed.headers["Location"])
    assert followed.json() == client.get("/repos/aurora/api/commits?per_page=5").json()


def test_unchanged_answers_are_free(client: httpx.Client) -> None:
    first = client.get("/repos/aurora/api")
    assert first.json()["full_name"] == "aurora/api"
    again = client.get("/repos/aurora/api", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
    assert first.headers["Date"] == "Thu, 01 Jan 2026 00:30:00 GMT"
    assert first.headers["X-OAuth-Scopes"] == "repo"
    used = client.get("/rate_limit").json()["resources"]
    assert used["core"]["used"] == int(first.headers["X-RateLimit-Used"])
    assert abs(used["graphql"]["reset"] - time.time()) <= 3600


def test_a_spent_budget_refuses(aurora: History) -> None:
    with (
        DemoServer(aurora, budget=2) as poor,
        httpx.Client(headers={"Authorization": "x"}, base_url=poor.url) as client,
    ):
        assert [client.get("/user").status_code for _ in range(3)] == [200, 200, 403]
        assert client.get("/user").headers["X-RateLimit-Remaining"] == "0"
        too_dear = ask(client, document("pull_requests"), owner="aurora", name="api", pageSize=100)
        assert too_dear["errors"][0]["type"] == "RATE_LIMITED"


def test_organisation_and_releases(client: httpx.Client, aurora: History) -> None:
    names = [
        row["full_name"] for page in (1, 2) for row in client.get(f"/orgs/aurora/repos?per_page=5&page={page}").json()
    ]
    assert names == [repository.full_name for repository in aurora.repositories]
    releases = client.get("/repos/aurora/aurora-py/releases?per_page=100").json()
    assert sum(release["draft"] for release in releases) == 1
    assert next(release for release in releases if release["draft"])["published_at"] is None
    assert client.get("/orgs/nobody/repos").status_code == 404


def test_webhooks_are_kept(server: DemoServer) -> None:
    assert httpx.post(f"{server.url}/webhook", json={"text": "lead time is up"}).status_code == 200
    assert server.received[-1] == {"text": "lead time is up"}


def test_faults(client: httpx.Client, server: DemoServer) -> None:
    def first(fault: Any, request: Callable[[], httpx.Response], path: str = "") -> httpx.Response:
        server.faults[:] = [Rule(fault, path=path, times=1)]
        return request()

    def user() -> httpx.Response:
        return client.get("/user")

    def viewer() -> httpx.Response:
        return client.post("/graphql", json={"query": "{ viewer { login } }"})

    assert first(BAD_GATEWAY, user).status_code == 502
    assert user().status_code == 200
    limited = first(secondary_limit(7), viewer)
    assert (limited.status_code, limited.headers["Retry-After"]) == (403, "7")
    with pytest.raises(httpx.RemoteProtocolError):
        first(DROP, user)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        first(TRUNCATE, viewer).json()
    assert (
        first(graphql_errors("Something went wrong"), viewer).json()["errors"][0]["message"] == "Something went wrong"
    )
    started = time.monotonic()
    assert first(slow(120), viewer).json() == {"data": {"viewer": {"login": "demo"}}}
    assert time.monotonic() - started >= 0.12
    assert first(BAD_GATEWAY, viewer, path="/repos").status_code == 200


def test_requests_are_counted(client: httpx.Client, server: DemoServer) -> None:
    before = server.requests.copy()
    client.get("/user")
    ask(client, "{ viewer { login } }")
    assert server.requests - before == {"rest": 1, "graphql": 1}


def test_recorded_pull_requests_need_no_creation_time(aurora: History) -> None:
    api = aurora.repository("aurora/api")
    assert api is not None
    pull = next(pull for pull in api.pull_requests if pull.state == "MERGED")
    bare = type(pull)(number=1, state="MERGED", author=pull.author, updated_at=pull.updated_at)
    repository = Repository(owner="me", name="it", created_at=aurora.now, pull_requests=(bare,))
    with DemoServer(History(now=aurora.now, repositories=(repository,))) as server:
        client = httpx.Client(base_url=server.url, headers={"Authorization": "x"})
        body = ask(client, document("pull_requests"), owner="me", name="it", pageSize=10)
        client.close()
    assert "errors" not in body
    (row,) = body["data"]["repository"]["items"]["nodes"]
    assert row["created_at"] is None
    assert row["commits"] == {"totalCount": 0, "nodes": []}


def test_the_command_names_a_folder_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--history", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert "nowhere is not a folder. Name a folder that holds a meta.json." in result.output
