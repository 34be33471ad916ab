"""The demo server answers over real HTTP as GitHub does."""

from __future__ import annotations

import re
import time
from collections import Counter
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
from metrics_assets.demo.nodes import when
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer, main
from metrics_assets_tests.demo.asking import LISTS, ask, composed, connection, document, pages, probing

ENTITY = {"stargazers": "stars"}  # where the history's name is not the query's


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


def rows(connection: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = connection.get("nodes", connection.get("edges"))
    return found


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("repository", "size"), [("api", 37), ("aurora-py", 100), ("sandbox", 10)])
def test_paging_yields_each_item_once(
    client: httpx.Client, aurora: History, name: str, repository: str, size: int
) -> None:
    size = min(size, 40) if name == "discussions" else size
    wanted = len(getattr(aurora.repository(f"aurora/{repository}"), ENTITY.get(name, name)))
    found: list[dict[str, Any]] = []
    for one in pages(client, name, f"aurora/{repository}", size):
        assert one["totalCount"] == wanted
        found += rows(one)
    identities = {
        row["user"]["login"]
        if name == "stargazers"
        else next(row[key] for key in ("node_id", "id", "sha", "number", "name") if key in row)
        for row in found
    }
    assert len(identities) == len(found) == wanted
    order = next(
        (key for key in ("starred_at", "committed_at", "updated_at", "created_at") if found and key in found[0]), ""
    )
    if name in ("deployments", "releases", "forks"):
        order = "created_at"
    times = [row.get(order, "") for row in found]
    assert times == sorted(times, reverse=True)


def test_several_lists_in_one_call(client: httpx.Client, aurora: History) -> None:
    names = ("pull_requests", "issues", "commits", "stargazers", "tags")
    variables = {f"{name}_first": 40 for name in names} | {"owner": "aurora", "name": "aurora-py"}
    body = ask(client, composed(*names), **variables)
    assert {name: len(rows(connection(body, name))) for name in names} == dict.fromkeys(names, 40) | {"tags": 11}
    assert body["data"]["rateLimit"]["cost"] == 2  # (5 lists + 40 x (3 + 2 + 1) lists inside) / 100, rounded


def test_long_timelines_go_on_by_node(client: httpx.Client, aurora: History) -> None:
    for name, repository in (("pull_requests", "api"), ("issues", "aurora-py")):
        found = [row for one in pages(client, name, f"aurora/{repository}", 100) for row in one["nodes"]]
        (long,) = [row for row in found if row["timeline"]["pageInfo"]["hasNextPage"]]
        cursor = long["timeline"]["pageInfo"]["endCursor"]
        body = ask(client, document("timeline"), id=long["node_id"], cursor=cursor)
        rest = body["data"]["node"]["timeline"]
        assert not rest["pageInfo"]["hasNextPage"]
        seen = [item["node_id"] for item in (*long["timeline"]["nodes"], *rest["nodes"])]
        items = getattr(aurora.repository(f"aurora/{repository}"), name)
        (played,) = [item for item in items if item.number == long["number"]]
        assert len(set(seen)) == len(seen) == len(played.timeline) > 100


def test_filters(client: httpx.Client, aurora: History) -> None:
    api = aurora.repository("aurora/api")
    assert api is not None
    (pulls, *_) = pages(client, "pull_requests", "aurora/api", 100, pull_requests_states=["OPEN"])
    assert pulls["totalCount"] == sum(pull.state == "OPEN" for pull in api.pull_requests)
    since = api.issues[100].updated_at
    asked = {"issues_since": since.isoformat().replace("+00:00", "Z")}
    for states in (["CLOSED"], None):
        found = [
            row for one in pages(client, "issues", "aurora/api", 20, issues_states=states, **asked) for row in rows(one)
        ]
        wanted = [one for one in api.issues if one.updated_at >= since and (not states or one.state in states)]
        assert len(wanted) == len(found)
        assert {one.number for one in wanted} == {row["number"] for row in found}


def test_a_probe_names_what_is_missing_and_answers_the_rest(client: httpx.Client, aurora: History) -> None:
    names = ("nothing", "gateway", "sandbox", "aurora-py")
    variables = {f"o{n}": "aurora" for n in range(4)} | {f"n{n}": name for n, name in enumerate(names)}
    body = ask(client, probing(4), **variables)
    (error,) = body["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["r0"])
    assert body["data"]["r0"] is None
    assert body["data"]["r1"]["full_name"] == "aurora/api"
    assert (body["data"]["r2"]["empty"], body["data"]["r2"]["default_branch"]) == (True, None)
    found, played = body["data"]["r3"], aurora.repository("aurora/aurora-py")
    assert played is not None
    assert found["permission"] == "ADMIN"
    assert found["topics"]["nodes"][0] == {"topic": {"name": "python"}}
    assert found["default_branch"]["target"]["sha"] == played.head
    assert found["pull_requests_open"]["totalCount"] == sum(one.state == "OPEN" for one in played.pull_requests)
    newest = max(one.updated_at for one in played.discussions)
    assert found["discussions"]["nodes"] == [{"updated_at": when(newest)}]


def test_discussions_hold_their_answers_and_replies(client: httpx.Client, aurora: History) -> None:
    played = aurora.repository("aurora/aurora-py")
    assert played is not None
    found = {row["number"]: row for one in pages(client, "discussions", "aurora/aurora-py", 40) for row in rows(one)}
    for discussion in played.discussions:
        row = found[discussion.number]
        assert row["comments"]["totalCount"] == len(discussion.comments)
        talk = [item for one in row["comments"]["nodes"] for item in (one, *one["replies"]["nodes"])]
        answers = [item["node_id"] for item in talk if item["is_answer"]]
        assert answers == ([row["answer"]["node_id"]] if discussion.answer else [])
        assert (row["answer_chosen_at"] is None) == (discussion.answer is None)
        for comment in row["comments"]["nodes"]:
            assert comment["reply_to"] is None
            assert all(reply["reply_to"] == {"node_id": comment["node_id"]} for reply in comment["replies"]["nodes"])
    assert any(one.replies for discussion in played.discussions for one in discussion.comments)


def test_milestones_count_issues_alone(client: httpx.Client, aurora: History) -> None:
    played = aurora.repository("aurora/aurora-py")
    assert played is not None
    (shown,) = pages(client, "milestones", "aurora/aurora-py", 10)
    for row in shown["nodes"]:
        states = Counter(one.state for one in played.issues if one.milestone == row["number"])
        assert row["open_issues"]["totalCount"] == states["OPEN"]
        assert row["closed_issues"]["totalCount"] == states["CLOSED"]
    pulls = [row for one in pages(client, "pull_requests", "aurora/aurora-py", 100) for row in rows(one)]
    milestones = {pull.number: pull.milestone for pull in played.pull_requests}
    assert {row["number"]: row["milestone"] and row["milestone"]["number"] for row in pulls} == milestones


def test_commits_have_parents_lines_and_authors(client: httpx.Client, aurora: History) -> None:
    played = aurora.repository("aurora/api")
    assert played is not None
    found = {row["sha"]: row for one in pages(client, "commits", "aurora/api", 100) for row in rows(one)}
    for commit in played.commits:
        row = found[commit.sha]
        assert [one["sha"] for one in row["parents"]["nodes"]] == list(commit.parents)
        assert (row["additions"], row["deletions"]) == (commit.additions, commit.deletions)
        assert row["author"]["email"] == commit.author_email
    users = {(row["author"]["user"] or {}).get("login"): row["author"]["user"] for row in found.values()}
    assert users["dependabot[bot]"]["type"] == "User"


def test_jobs_by_the_suites_of_runs(client: httpx.Client, aurora: History) -> None:
    played = aurora.repository("aurora/search")
    assert played is not None
    runs = client.get("/repos/aurora/search/actions/runs?per_page=100").json()["workflow_runs"]
    suites = [run["check_suite_node_id"] for run in runs]
    body = ask(client, document("jobs"), ids=suites)
    assert [one["suite_id"] for one in body["data"]["nodes"]] == suites
    known = {run.id: run for run in played.workflow_runs}
    for run, suite in zip(runs, body["data"]["nodes"], strict=True):
        assert [job["id"] for job in suite["jobs"]["nodes"]] == [job.id for job in known[run["id"]].jobs]
    missing = ask(client, document("jobs"), ids=["CS_1_1", suites[0]])
    assert missing["data"]["nodes"][0] is None
    assert missing["data"]["nodes"][1]["suite_id"] == suites[0]
    assert (missing["errors"][0]["type"], missing["errors"][0]["path"]) == ("NOT_FOUND", ["nodes", 0])


def test_errors_are_named_as_at_github(client: httpx.Client) -> None:
    missing = ask(client, composed("forks"), owner="aurora", name="nothing", forks_first=10)
    assert missing["data"]["repository"] is None
    (error,) = missing["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["repository"])
    assert error["message"] == "Could not resolve to a Repository with the name 'aurora/nothing'."
    assert "Cannot query field 'stars'" in ask(client, "{ viewer { stars } }")["errors"][0]["message"]
    assert "Syntax Error" in ask(client, "{ viewer ")["errors"][0]["message"]
    too_many = ask(client, composed("forks"), owner="aurora", name="api", forks_first=101)
    assert too_many["errors"][0]["type"] == "EXCESSIVE_PAGINATION"
    unbounded = ask(client, '{ repository(owner: "aurora", name: "api") { forks { totalCount nodes { id } } } }')
    assert unbounded["errors"][0]["type"] == "MISSING_PAGINATION_BOUNDARIES"
    wide = (
        '{ repository(owner: "aurora", name: "api") { pullRequests(first: 100) { nodes { commits(first: 100) '
        "{ nodes { commit { parents(first: SIZE) { nodes { id } } } } } } } } }"
    )
    assert "errors" not in ask(client, wide.replace("SIZE", "48"))
    assert ask(client, wide.replace("SIZE", "49"))["errors"][0]["type"] == "MAX_NODE_LIMIT_EXCEEDED"
    totals = ask(client, '{ repository(owner: "aurora", name: "api") { forks { totalCount } } }')
    assert totals["data"]["repository"]["forks"]["totalCount"] == 30


def slowly(graph: Graph, text: str, variables: dict[str, Any]) -> dict[str, Any]:
    """What graphql-core itself answers, in the shape of GitHub's answers."""
    found = execute_sync(
        graph.schema,
        parse(text),
        context_value=Call(graph, 1, Budget("graphql")),
        variable_values=variables,
        type_resolver=lambda value, *_: value["__typename"],
    )
    errors = [{"path": error.path, "message": error.message} for error in found.errors or ()]
    return {"data": found.data} | ({"errors": errors} if errors else {})


def quickly(graph: Graph, text: str, variables: dict[str, Any]) -> dict[str, Any]:
    found = graph.answer(text, variables, None, Budget("graphql"))
    if "errors" in found:
        found["errors"] = [{"path": error.get("path"), "message": error["message"]} for error in found["errors"]]
    return found


@pytest.mark.parametrize("name", LISTS)
def test_the_server_executes_as_graphql_core_does(aurora: History, name: str) -> None:
    variables = {"owner": "aurora", "name": "aurora-py", f"{name}_first": 20}
    text = composed(name).replace("rateLimit { cost remaining resetAt }", "")
    assert quickly(Graph(aurora), text, variables) == slowly(Graph(aurora), text, variables)


REPOSITORY = '{ repository(owner: "aurora", name: "api") '


@pytest.mark.parametrize(
    "text",
    [
        '{ a: repository(owner: "aurora", name: "nix") { id } b: repository(owner: "aurora", name: "web") { id } }',
        REPOSITORY + "{ id forks { nodes { id } } } }",  # may not be null, nor may what holds it be then
        REPOSITORY + "{ id milestones { nodes { id } } } }",  # may be null
        REPOSITORY + '{ id issues(first: 2) { nodes { id labels(first: 1, after: "?") { totalCount } } } } }',
        REPOSITORY + '{ issues(first: 2) { nodes { timelineItems(first: 1, after: "?") { totalCount } } } } }',
        REPOSITORY + "{ id name @include(if: false) owner { __typename id } } }",
        REPOSITORY + "{ id ...One } } fragment One on Repository { id owner { login } ...Two } "
        "fragment Two on Repository { owner { id ... on Organization { databaseId } ... on User { id } } }",
        'query Of($n: Int!) { repository(owner: "aurora", name: "api") { forks(first: $n) { totalCount } } }',
        '{ nodes(ids: ["I_1_1", "nonsense"]) { id ... on Issue { title } } viewer { __typename login } __typename }',
        "query One { viewer { login } } query Two { viewer { id } }",
    ],
)
def test_errors_and_nulls_are_those_of_graphql_core(aurora: History, text: str) -> None:
    graph = Graph(aurora)
    assert quickly(graph, text, {}) == slowly(graph, text, {})


def test_graphql_follows_renames_and_prices_its_answers(client: httpx.Client) -> None:
    old = ask(client, '{ repository(owner: "aurora", name: "gateway") { nameWithOwner } rateLimit { cost used } }')
    new = ask(client, composed("pull_requests"), owner="aurora", name="api", pull_requests_first=100)
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


def test_unchanged_answers_are_free(client: httpx.Client, aurora: History) -> None:
    first = client.get("/repos/aurora/api")
    assert first.json()["full_name"] == "aurora/api"
    again = client.get("/repos/aurora/api", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
    assert first.headers["Date"] == "Thu, 01 Jan 2026 00:30:00 GMT"
    assert first.headers["X-OAuth-Scopes"] == "repo"
    used = client.get("/rate_limit").json()["resources"]
    assert used["core"]["used"] == int(first.headers["X-RateLimit-Used"])
    assert used["graphql"]["reset"] == pytest.approx(aurora.now.timestamp() + 3600, abs=60)


def test_a_spent_budget_refuses(aurora: History) -> None:
    with (
        DemoServer(aurora, budget=2) as poor,
        httpx.Client(headers={"Authorization": "x"}, base_url=poor.url) as client,
    ):
        assert [client.get("/user").status_code for _ in range(3)] == [200, 200, 403]
        assert client.get("/user").headers["X-RateLimit-Remaining"] == "0"
        too_dear = ask(client, composed("pull_requests"), owner="aurora", name="api", pull_requests_first=100)
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
        body = ask(client, composed("pull_requests"), owner="me", name="it", pull_requests_first=10)
        client.close()
    assert "errors" not in body
    (row,) = body["data"]["repository"]["pull_requests"]["nodes"]
    assert row["created_at"] is None
    assert row["commits"] == {"totalCount": 0, "nodes": []}


def test_the_command_names_a_folder_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--history", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert "nowhere is not a folder. Name a folder that holds a meta.json." in result.output
