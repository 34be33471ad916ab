"""Cursors stay where they are while the lists change, and nonsense is refused."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from metrics_assets.demo.budget import Budget
from metrics_assets.demo.changes import Stirring
from metrics_assets.demo.graph import Graph
from metrics_assets.demo.history import Commit, History, Star, User
from metrics_assets.demo.server import DemoServer
from metrics_assets.demo.synthetic import huge_repository, large_repository
from metrics_assets_tests.demo.asking import ask, composed, connection, pages, serving


@pytest.fixture(scope="module")
def small() -> History:
    return large_repository(60, 60, 90, 120, forks=30, releases=20, deployments=25, seed=3)


def first_page(client: httpx.Client, name: str, size: int = 10, after: str | None = None) -> dict[str, Any]:
    asked = {"owner": "synthetic", "name": "large", f"{name}_first": size, f"{name}_after": after}
    return connection(ask(client, composed(name), **asked), name)


def played(history: History, **changed: Any) -> History:
    (one,) = history.repositories
    return replace(history, repositories=(replace(one, **changed),))


def test_new_stars_shift_no_page(small: History) -> None:
    (one,) = small.repositories
    with serving(small) as (server, client):
        before = first_page(client, "stargazers")
        second = first_page(client, "stargazers", after=before["pageInfo"]["endCursor"])
        new = tuple(Star(User(f"late-{n}"), small.now) for n in range(7))
        server.play(played(small, stars=(*one.stars[:-3], *new)))  # and three of the newest are withdrawn
        again = first_page(client, "stargazers", after=before["pageInfo"]["endCursor"])
        assert again["edges"] == second["edges"]
        assert again["totalCount"] == 124


def test_a_pull_request_that_moves_up_leaves_the_others_in_place(small: History) -> None:
    (one,) = small.repositories
    with serving(small) as (server, client):
        before = first_page(client, "pull_requests")
        cursor, last = before["pageInfo"]["endCursor"], before["nodes"][-1]["number"]
        moved = tuple(replace(p, updated_at=small.now) if p.number == last else p for p in one.pull_requests)
        second = first_page(client, "pull_requests", after=cursor)
        server.play(played(small, pull_requests=moved))
        assert first_page(client, "pull_requests", after=cursor)["nodes"] == second["nodes"]
        assert first_page(client, "pull_requests")["nodes"][0]["number"] == last


def test_pushes_do_not_shift_a_history_that_is_read(small: History) -> None:
    (one,) = small.repositories
    head = one.commits[-1]
    late = head.committed_at + timedelta(minutes=1)
    new = Commit(
        sha="f" * 40,
        parents=(head.sha,),
        message="Late",
        author=None,
        author_email="a@b",
        authored_at=late,
        committed_at=late,
    )
    with serving(small) as (server, client):
        before = first_page(client, "commits")
        assert before["pageInfo"]["endCursor"] == f"{head.sha} 9"
        server.play(played(small, commits=(*one.commits, new), branches={"main": new.sha}))
        second = first_page(client, "commits", after=before["pageInfo"]["endCursor"])
        assert [row["sha"] for row in second["nodes"]] == [commit.sha for commit in one.commits[-11:-21:-1]]
        assert first_page(client, "commits")["nodes"][0]["sha"] == new.sha
        assert first_page(client, "commits")["totalCount"] == second["totalCount"] + 1


def test_commits_since_a_time(small: History) -> None:
    (one,) = small.repositories
    since = one.commits[50].committed_at
    with serving(small) as (_, client):
        asked = {"commits_since": since.isoformat().replace("+00:00", "Z")}
        found = [
            row["sha"] for page in pages(client, "commits", "synthetic/large", 7, **asked) for row in page["nodes"]
        ]
    assert found == [commit.sha for commit in one.commits[:49:-1]]


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "",
        base64.b64encode(b"cursor:v2:").decode(),
        base64.b64encode(b"cursor:v2:7").decode(),
        base64.b64encode(b"cursor:v1:" + json.dumps(["at", "2025-01-01T00:00:00+00:00", 1]).encode()).decode(),
        base64.b64encode(b"cursor:v2:" + json.dumps(["at", "yesterday", 1]).encode()).decode(),
        base64.b64encode(b"cursor:v2:" + json.dumps(["is", 5, 1]).encode()).decode(),
        f"{'a' * 40} 5",
    ],
)
@pytest.mark.parametrize("name", ["pull_requests", "commits"])
def test_a_cursor_that_makes_no_sense_is_refused(small: History, name: str, cursor: str) -> None:
    asked = {"owner": "synthetic", "name": "large", f"{name}_first": 5, f"{name}_after": cursor}
    body = Graph(small).answer(composed(name), asked, None, Budget("graphql"))
    assert body["errors"][0]["message"] == f"`{cursor}` does not appear to be a valid cursor."


def test_cursors_of_one_list_are_not_those_of_another(small: History) -> None:
    with serving(small) as (_, client):
        cursor = first_page(client, "stargazers")["pageInfo"]["endCursor"]  # a time and a login
        asked = {"owner": "synthetic", "name": "large", "issues_first": 5, "issues_after": cursor}
        assert "valid cursor" in ask(client, composed("issues"), **asked)["errors"][0]["message"]


def test_what_moves_while_it_is_read_is_seen_at_the_top_again(small: History) -> None:
    (one,) = small.repositories
    with serving(small) as (server, client):
        stirring = Stirring(server, "synthetic/large", every=2, pull_requests=2, stars=1, seed=5)
        server.faults.append(stirring)
        numbers = [
            row["number"] for page in pages(client, "pull_requests", "synthetic/large", 7) for row in page["nodes"]
        ]
        assert stirring.stirred == 4
        server.faults.clear()
        # Newest first, an item that is touched leaves the pages still to come, and is at the top afterwards.
        missed = {pull.number for pull in one.pull_requests} - set(numbers)
        assert missed <= stirring.touched
        assert missed
        top = [row["number"] for row in first_page(client, "pull_requests", 20)["nodes"]]
        assert missed <= set(top)
        stars = first_page(client, "stargazers", 4)
        assert {edge["user"]["login"] for edge in stars["edges"]} == stirring.starred
    assert server.history.now == small.now + timedelta(seconds=4)


def test_a_page_of_a_huge_list_is_as_quick_as_one_of_a_small_one() -> None:
    def seconds(history: History, name: str, size: int, owner: str) -> float:
        graph, cursor, took = Graph(history), None, []
        for _ in range(12):
            asked = {"owner": "synthetic", "name": owner, f"{name}_first": size, f"{name}_after": cursor}
            started = time.process_time()
            body = graph.answer(composed(name), asked, None, Budget("graphql"))
            took.append(time.process_time() - started)
            cursor = connection(body, name)["pageInfo"]["endCursor"]
        return sorted(took)[len(took) // 2]

    huge = huge_repository(stars=20_000, pull_requests=10_000)
    little = large_repository(700, 1, 10, 1300, comments=0)
    for name, size in (("stargazers", 100), ("pull_requests", 50)):
        assert seconds(huge, name, size, "huge") < 3 * seconds(little, name, size, "large")


def test_the_server_says_what_it_plays(small: History) -> None:
    with DemoServer(small) as server:
        assert server.history is small
        later = replace(small, now=small.now + timedelta(days=1))
        server.play(later)
        assert server.history is later
        answer = httpx.get(f"{server.url}/user", headers={"Authorization": "x"})
    assert answer.headers["Date"] == "Fri, 02 Jan 2026 00:30:00 GMT"
