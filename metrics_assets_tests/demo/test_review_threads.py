"""Comments on lines of pull requests as GraphQL shows them: in threads, oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from graphql import execute_sync, parse

from metrics_assets.demo.budget import Budget
from metrics_assets.demo.graph import Call, Graph, price
from metrics_assets.demo.history import History, PullRequest, Repository, ReviewComment, User
from metrics_assets.demo.nodes import when
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets_tests.demo.asking import ask, serving

QUERY = """
query ReviewComments($ids: [ID!]!) {
  nodes(ids: $ids) {
    ... on PullRequest {
      node_id: id
      threads: reviewThreads(last: 20) {
        totalCount
        nodes {
          comments(first: 50) {
            totalCount
            nodes {
              id: databaseId
              created_at: createdAt
              updated_at: updatedAt
              review: pullRequestReview { id: databaseId }
              user: author { login type: __typename }
              reply_to: replyTo { id: databaseId }
            }
          }
        }
      }
    }
  }
  rateLimit { cost remaining resetAt }
}
"""
BEGIN = datetime(2025, 6, 1, tzinfo=UTC)
MIRA = User("mira")


@pytest.fixture(scope="module")
def aurora() -> History:
    return sample_organisation()


@pytest.fixture(scope="module")
def client(aurora: History) -> Iterator[httpx.Client]:
    with serving(aurora, budget=10**6) as (_, opened):
        yield opened


def comment(number: int, minutes: int, first: int | None = None, **other: Any) -> ReviewComment:
    time = BEGIN + timedelta(minutes=minutes)
    values: dict[str, Any] = {"number": 7, "review_id": None, "author": MIRA, "path": "a.py"} | other
    return ReviewComment(id=number, created_at=time, updated_at=time, in_reply_to=first, **values)


def one_pull_request(*comments: ReviewComment) -> History:
    pull = PullRequest(number=7, state="OPEN", author=MIRA, updated_at=BEGIN, created_at=BEGIN)
    repository = Repository(owner="me", name="it", created_at=BEGIN, pull_requests=(pull,), review_comments=comments)
    return History(now=BEGIN + timedelta(days=1), repositories=(repository,))


def threads(history: History, chosen: str) -> dict[str, Any]:
    """The threads of the only pull request; `chosen` is the field as it is asked for."""
    identity = f"PR_{history.repositories[0].id}_7"
    text = f'{{ node(id: "{identity}") {{ ... on PullRequest {{ {chosen} }} }} }}'
    body = Graph(history).answer(text, None, None, Budget("graphql"))
    assert "errors" not in body, body["errors"]
    found: dict[str, Any] = body["data"]["node"]["reviewThreads"]
    return found


def ids(connection: dict[str, Any]) -> list[list[int]]:
    return [[one["databaseId"] for one in thread["comments"]["nodes"]] for thread in connection["nodes"]]


def test_the_threads_of_all_pull_requests_hold_what_rest_says(client: httpx.Client, aurora: History) -> None:
    played = aurora.repository("aurora/api")
    assert played is not None
    url: str | None = "/repos/aurora/api/pulls/comments?per_page=100"
    expected: dict[int, dict[str, Any]] = {}
    while url:
        answer = client.get(url)
        expected |= {row["id"]: row for row in answer.json()}
        url = answer.links.get("next", {}).get("url")
    assert len(expected) == len(played.review_comments) > 300
    wanted = [f"PR_{played.id}_{pull.number}" for pull in played.pull_requests]
    found: dict[int, dict[str, Any]] = {}
    for begin in range(0, len(wanted), 100):
        body = ask(client, QUERY, ids=wanted[begin : begin + 100])
        assert "errors" not in body
        assert [pull["node_id"] for pull in body["data"]["nodes"]] == wanted[begin : begin + 100]
        for pull in body["data"]["nodes"]:
            assert pull["threads"]["totalCount"] == len(pull["threads"]["nodes"])
            begun = [thread["comments"]["nodes"][0]["created_at"] for thread in pull["threads"]["nodes"]]
            assert begun == sorted(begun)
            for thread in pull["threads"]["nodes"]:
                first, *replies = rows = thread["comments"]["nodes"]
                assert thread["comments"]["totalCount"] == len(rows)
                assert first["reply_to"] is None
                assert [row["reply_to"] for row in replies] == [{"id": first["id"]}] * len(replies)
                assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)
                found |= {row["id"]: row | {"pull": pull["node_id"]} for row in rows}
    assert found.keys() == expected.keys()
    for number, row in found.items():
        rest = expected[number]
        assert (row["created_at"], row["updated_at"]) == (rest["created_at"], rest["updated_at"])
        assert row["review"] == {"id": rest["pull_request_review_id"]}
        assert row["user"]["login"] == rest["user"]["login"].removesuffix("[bot]")
        assert (row["reply_to"] or {}).get("id") == rest.get("in_reply_to_id")
        assert row["pull"].rpartition("_")[2] == rest["pull_request_url"].rpartition("/")[2]
    assert any(row["reply_to"] for row in found.values())


def test_a_review_is_the_one_of_the_timeline_where_there_is_one(aurora: History) -> None:
    played = aurora.repository("aurora/api")
    assert played is not None
    remark = next(one for one in played.review_comments if one.in_reply_to is None)
    answer = next(one for one in played.review_comments if one.in_reply_to is not None)
    for one, known in ((remark, True), (answer, False)):
        text = (
            f'{{ node(id: "PR_{played.id}_{one.number}") {{ ... on PullRequest {{ '
            "timelineItems(first: 100) { nodes { ... on PullRequestReview { ...Review } } } reviewThreads(first: 50) "
            "{ nodes { comments(first: 50) { nodes { databaseId pullRequestReview { ...Review } } } } } } } } "
            "fragment Review on PullRequestReview "
            "{ id databaseId fullDatabaseId state submittedAt author { login } }"
        )
        body = Graph(aurora).answer(text, None, None, Budget("graphql"))
        node = body["data"]["node"]
        comments = [row for thread in node["reviewThreads"]["nodes"] for row in thread["comments"]["nodes"]]
        review = next(row["pullRequestReview"] for row in comments if row["databaseId"] == one.id)
        assert (review["databaseId"], review["fullDatabaseId"]) == (one.review_id, str(one.review_id))
        assert (review in node["timelineItems"]["nodes"]) is known
        if not known:
            assert one.author is not None
            assert (review["state"], review["submittedAt"]) == ("COMMENTED", when(one.created_at))
            assert review["author"] == {"login": one.author.login}


SOME = one_pull_request(
    comment(20, 3), comment(10, 1), comment(30, 9, 10), comment(25, 4, 20), comment(40, 5), comment(15, 2, 10)
)
COMMENTS = "nodes { comments(first: 50) { nodes { databaseId } } } pageInfo { hasNextPage hasPreviousPage }"


@pytest.mark.parametrize(
    ("asked", "expected", "before_and_after"),
    [
        ("last: 20", [[10, 15, 30], [20, 25], [40]], (False, False)),
        ("last: 2", [[20, 25], [40]], (True, False)),
        ("last: 0", [], (True, False)),
        ("first: 2", [[10, 15, 30], [20, 25]], (False, True)),
    ],
)
def test_threads_are_oldest_first_and_last_gives_the_newest(
    asked: str, expected: list[list[int]], before_and_after: tuple[bool, bool]
) -> None:
    found = threads(SOME, f"reviewThreads({asked}) {{ totalCount {COMMENTS} }}")
    assert found["totalCount"] == 3
    assert ids(found) == expected
    assert (found["pageInfo"]["hasPreviousPage"], found["pageInfo"]["hasNextPage"]) == before_and_after


def test_comments_of_a_thread_are_paged_from_both_ends() -> None:
    text = "reviewThreads(first: 1) {{ nodes {{ comments({}) {{ totalCount nodes {{ databaseId }} }} }} }}"
    assert ids(threads(SOME, text.format("last: 1"))) == [[30]]
    assert ids(threads(SOME, text.format("first: 2"))) == [[10, 15]]
    assert threads(SOME, text.format("last: 1"))["nodes"][0]["comments"]["totalCount"] == 3


def test_pages_go_on_after_a_cursor() -> None:
    text = "reviewThreads(first: 2{}) {{ nodes {{ comments(first: 9) {{ nodes {{ databaseId }} }} }} {} }}"
    cursor = threads(SOME, text.format("", "pageInfo { endCursor }"))["pageInfo"]["endCursor"]
    assert ids(threads(SOME, text.format(f', after: "{cursor}"', ""))) == [[40]]


def test_what_is_not_there_is_null() -> None:
    history = one_pull_request(comment(5, 1, author=None), comment(6, 2, 4), comment(2**31, 3))
    fields = "databaseId fullDatabaseId author { login } replyTo { id } pullRequestReview { id }"
    found = threads(
        history, f"reviewThreads(last: 9) {{ nodes {{ isResolved id comments(first: 9) {{ nodes {{ {fields} }} }} }} }}"
    )
    none = {"replyTo": None, "pullRequestReview": None}
    assert [row for thread in found["nodes"] for row in thread["comments"]["nodes"]] == [
        {"databaseId": 5, "fullDatabaseId": "5", "author": None} | none,
        {"databaseId": 6, "fullDatabaseId": "6", "author": {"login": "mira"}} | none,  # what it answers was deleted
        {"databaseId": None, "fullDatabaseId": "2147483648", "author": {"login": "mira"}} | none,  # as an Int
    ]
    repository = history.repositories[0].id
    assert [thread["id"] for thread in found["nodes"]] == [f"PRRT_{repository}_{n}" for n in (5, 4, 2**31)]
    assert [thread["isResolved"] for thread in found["nodes"]] == [False] * 3
    bare = replace(history.repositories[0], review_comments=())
    empty = threads(replace(history, repositories=(bare,)), "reviewThreads(last: 9) { totalCount nodes { id } }")
    assert empty == {"totalCount": 0, "nodes": []}


def test_a_boundary_is_needed_and_has_a_limit(client: httpx.Client, aurora: History) -> None:
    def kind(field: str) -> tuple[str, str]:
        text = f'{{ node(id: "PR_{aurora.repositories[0].id}_NUMBER") {{ ... on PullRequest {{ {field} }} }} }}'
        number = aurora.repositories[0].pull_requests[0].number
        (error,) = ask(client, text.replace("NUMBER", str(number)))["errors"]
        return error["type"], error["message"]

    assert kind("reviewThreads { nodes { id } }")[0] == "MISSING_PAGINATION_BOUNDARIES"
    excessive, message = kind("reviewThreads(last: 101) { nodes { id } }")
    assert (excessive, "`last` limit of 100" in message) == ("EXCESSIVE_PAGINATION", True)


def test_the_price_counts_the_lists_of_each_pull_request(client: httpx.Client, aurora: History) -> None:
    played = aurora.repository("aurora/api")
    assert played is not None
    wanted = [f"PR_{played.id}_{pull.number}" for pull in played.pull_requests[:100]]
    assert ask(client, QUERY, ids=wanted)["data"]["rateLimit"]["cost"] == 21  # 100 x (1 + 20) lists / 100
    assert ask(client, QUERY, ids=wanted[:50])["data"]["rateLimit"]["cost"] == 10
    assert ask(client, QUERY, ids=wanted[:1])["data"]["rateLimit"]["cost"] == 1
    assert price(parse(QUERY), {"ids": wanted})[1] == 100 * 20 + 100 * 20 * 50
    literal = QUERY.replace("($ids: [ID!]!)", "").replace("$ids", '["a", "b"]')
    assert price(parse(literal), {})[1] == 2 * (20 + 20 * 50)
    by_variable = QUERY.replace("$ids: [ID!]!", "$ids: [ID!]!, $n: Int!").replace("last: 20", "last: $n")
    assert price(parse(by_variable), {"ids": wanted, "n": 10})[0] == 11


def test_the_server_executes_it_as_graphql_core_does(aurora: History) -> None:
    played = aurora.repository("aurora/api")
    assert played is not None
    graph, text = Graph(aurora), QUERY.replace("rateLimit { cost remaining resetAt }", "")
    variables = {"ids": [f"PR_{played.id}_{pull.number}" for pull in played.pull_requests[:40]]}
    core = execute_sync(
        graph.schema,
        parse(text),
        context_value=Call(graph, 1, Budget("graphql")),
        variable_values=variables,
        type_resolver=lambda value, *_: value["__typename"],
    )
    assert core.errors is None
    assert graph.answer(text, variables, None, Budget("graphql")) == {"data": core.data}
