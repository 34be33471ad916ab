"""A hostile provider commits every fault that it is asked for, and lets through who tries again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from metrics_assets.demo.faults import (
    ACCEPTED,
    CHANCES,
    CUT,
    GONE,
    NOT_A_LIST,
    WRONG_TYPES,
    Fault,
    Hostility,
    Rule,
    Seen,
    exhausted,
    hostile,
    partial_data,
    secondary_limit,
)
from metrics_assets.demo.history import History
from metrics_assets.demo.server import DemoServer
from metrics_assets.demo.synthetic import large_repository
from metrics_assets_tests.demo.asking import ask, composed, connection, document, serving

Running = tuple[DemoServer, httpx.Client]
NONE = dict.fromkeys(CHANCES, 0.0)
COMMITS = "/repos/synthetic/large/commits?per_page=10"


@pytest.fixture(scope="module")
def history() -> History:
    return large_repository(40, 40, 60, 80, seed=2)


@pytest.fixture
def running(history: History) -> Iterator[Running]:
    with serving(history) as opened:
        yield opened


def stars(client: httpx.Client, size: int = 10, after: str | None = None) -> httpx.Response:
    variables = {"owner": "synthetic", "name": "large", "stargazers_first": size, "stargazers_after": after}
    return client.post("/graphql", json={"query": composed("stargazers"), "variables": variables})


def only(name: str, **more: Any) -> Hostility:
    (rule,) = hostile(1, **(NONE | {name: 1.0} | more))
    assert isinstance(rule, Hostility)
    return rule


@pytest.mark.parametrize(
    ("name", "happens"),
    [
        ("drop", httpx.TransportError),
        ("cut", httpx.TransportError),
        ("truncated", ValueError),
    ],
)
def test_broken_connections_and_answers(running: Running, name: str, happens: type[Exception]) -> None:
    server, client = running
    rule = only(name, in_a_row=2)
    server.faults.append(rule)
    for _ in range(2):
        with pytest.raises(happens):
            stars(client).json()
    assert len(stars(client).json()["data"]["repository"]["stargazers"]["edges"]) == 10
    assert rule.committed == {name: 2}


def test_the_head_of_a_cut_answer_arrives(running: Running) -> None:
    server, client = running
    server.faults.append(Rule(CUT, times=1))
    with client.stream("GET", COMMITS) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.TransportError):
            answer.read()


def test_errors_without_data(running: Running) -> None:
    server, client = running
    server.faults.append(only("no_data"))
    body = stars(client).json()
    assert body["data"] is None
    assert body["errors"][0]["message"]
    assert client.get(COMMITS).status_code == 200  # REST knows no such thing


def test_partial_data_lacks_what_the_path_names(running: Running) -> None:
    server, client = running
    lost = set()
    for seed in range(12):
        server.faults[:] = [Rule(partial_data(seed), times=1)]
        variables = {"owner": "synthetic", "name": "large", "issues_first": 5, "pull_requests_first": 5}
        body = ask(client, composed("issues", "pull_requests"), **variables)
        (error,) = body["errors"]
        assert error["type"] == "INTERNAL"
        assert error["message"].startswith("Something went wrong while executing your query")
        place: Any = body["data"]
        left = list(error["path"])
        while left and place is not None:
            place = place[left.pop(0)]
        assert place is None
        item = isinstance(error["path"][-1], int)
        lost.add("what holds the list" if left else "an item" if item else "a list")
    assert {"a list", "an item", "what holds the list"} <= lost


def test_partial_data_of_nodes_by_id(running: Running) -> None:
    server, client = running
    for seed in range(4):
        server.faults[:] = [Rule(partial_data(seed), times=1)]
        body = ask(client, document("jobs"), ids=["CS_1_1"])
        assert body["errors"]


def test_gateways_fail_more_often_on_large_pages() -> None:
    def share(size: int) -> float:
        (rule,) = hostile(3, **(NONE | {"gateway": 0.1}))
        asked = (
            Seen(n, "graphql", "POST", "/graphql", {}, {"variables": {"n": str(n), "x_first": size}})
            for n in range(800)
        )
        return sum(rule(seen) is not None for seen in asked) / 800

    small, usual, large = share(10), share(25), share(100)
    assert small == pytest.approx(0.04, abs=0.03)
    assert usual == pytest.approx(0.1, abs=0.03)
    assert large == pytest.approx(0.4, abs=0.06)


def test_a_large_page_that_fails_may_be_asked_for_smaller(running: Running) -> None:
    server, client = running
    server.faults.append(only("gateway", in_a_row=2))
    found = [stars(client, size).status_code for size in (100, 50, 25)]
    assert set(found[:2]) <= {502, 504}
    assert found[2] == 200


@pytest.mark.parametrize("name", ["limited", "limited_silently"])
def test_secondary_limits(running: Running, name: str) -> None:
    server, client = running
    server.faults.append(only(name, in_a_row=30))
    answers = [client.get(COMMITS) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {403, 429}
    assert {answer.headers.get("Retry-After") for answer in answers} == {"1" if name == "limited" else None}


def test_an_exhausted_budget_renews(running: Running) -> None:
    server, client = running
    for graphql in (False, True):
        server.faults[:] = [Rule(exhausted(0.8, graphql=graphql), times=1)]
        for number in range(2):  # the second refusal is the budget's own
            refused = stars(client) if graphql else client.get(COMMITS)
            assert refused.status_code == (200 if graphql else 403), number
            assert refused.headers["X-RateLimit-Remaining"] == "0"
            reset = int(refused.headers["X-RateLimit-Reset"]) - server.history.now.timestamp()
            assert 0 < reset <= 1
        time.sleep(0.85)
        again = stars(client) if graphql else client.get(COMMITS)
        assert again.status_code == 200
        assert "errors" not in again.json()


def test_statistics_are_not_ready(running: Running) -> None:
    server, client = running
    server.faults.append(only("accepted", in_a_row=1))
    path = "/repos/synthetic/large/contributors"
    assert [client.get(path).status_code for _ in range(2)] == [202, 200]
    assert client.get(COMMITS).status_code == 200


def test_doubles_on_a_page_and_on_the_next(running: Running) -> None:
    server, client = running
    plain = connection(stars(client).json(), "stargazers")
    rule = only("doubles")
    server.faults.append(rule)
    first = connection(stars(client).json(), "stargazers")
    assert len(first["edges"]) == 11
    assert [edge for n, edge in enumerate(first["edges"]) if edge not in first["edges"][:n]] == plain["edges"]
    rule.chances["doubles"] = 0.0
    second = connection(stars(client, after=first["pageInfo"]["endCursor"]).json(), "stargazers")
    assert second["edges"][0] == plain["edges"][-1]
    assert len(second["edges"]) == 11
    third = connection(stars(client, after=second["pageInfo"]["endCursor"]).json(), "stargazers")
    assert len(third["edges"]) == 10


def test_doubles_in_rest(running: Running) -> None:
    server, client = running
    server.faults.append(only("doubles"))
    rows = [row["sha"] for page in (1, 2) for row in client.get(f"{COMMITS}&page={page}").json()]
    assert len(rows) == 23
    assert len(set(rows)) == 20


def test_everything_at_once_still_lets_through(running: Running) -> None:
    server, client = running

    def patiently(request: Callable[[], httpx.Response], complete: Callable[[Any], bool]) -> Any:
        for _ in range(4):
            try:
                answer = request()
                body = answer.json()
            except (httpx.TransportError, ValueError):
                continue
            if answer.status_code == 200 and complete(body):
                return body
        raise AssertionError("more faults in a row than were allowed")

    server.faults += hostile(11, in_a_row=3, **{name: 0.09 for name in CHANCES if name != "exhausted"})
    found: list[str] = []
    cursor, more = None, True
    while more:
        body = patiently(lambda cursor=cursor: stars(client, 4, cursor), lambda body: "errors" not in body)
        page = connection(body, "stargazers")
        found += [edge["user"]["login"] for edge in page["edges"]]
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert len(set(found)) == 80 < len(found)
    rows = [
        row["sha"]
        for number in range(1, 7)
        for row in patiently(lambda number=number: client.get(f"{COMMITS}&page={number}"), lambda _: True)
    ]
    assert len(set(rows)) == 60
    (rule,) = server.faults
    assert isinstance(rule, Hostility)
    assert len(rule.committed) >= 6


def test_the_same_seed_commits_the_same_faults() -> None:
    def faults(seed: int, order: int) -> Counter[str]:
        (rule,) = hostile(seed, **dict.fromkeys(("drop", "gateway", "limited"), 0.1))
        assert isinstance(rule, Hostility)
        requests = [Seen(n, "rest", "GET", f"/repos/a/b{n}", {}, {}) for n in range(300)]
        for seen in requests[::order]:
            rule(seen)
        return rule.committed

    assert faults(5, 1) == faults(5, -1) != faults(6, 1)
    with pytest.raises(ValueError, match="no fault named dropp; there are: drop, cut"):
        hostile(1, dropp=0.5)


@pytest.mark.parametrize(
    ("fault", "status"), [(ACCEPTED, 202), (GONE, 410), (secondary_limit(None, 429), 429), (NOT_A_LIST, 200)]
)
def test_single_faults(running: Running, fault: Fault, status: int) -> None:
    server, client = running
    server.faults.append(Rule(fault, path="/commits", times=1))
    answer = client.get(COMMITS)
    assert answer.status_code == status
    assert isinstance(answer.json(), dict)
    assert isinstance(client.get(COMMITS).json(), list)


def test_wrong_types(running: Running) -> None:
    server, client = running
    server.faults.append(Rule(WRONG_TYPES, times=1))
    (wrong, *_), (right, *_) = client.get(COMMITS).json(), client.get(COMMITS).json()
    assert wrong["sha"] == [right["sha"]]
    assert wrong["commit"]["comment_count"] == "number 0"
    assert wrong.keys() == right.keys()
