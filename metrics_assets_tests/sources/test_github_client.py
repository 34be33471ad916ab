"""GraphQL and REST paging over a real server: page sizes, errors inside good answers, and what is said of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from metrics_assets.errors import MetricsError
from metrics_assets.sources.errors import BadAnswer, Forbidden, NotFound, Unavailable
from metrics_assets.sources.github import answers
from metrics_assets.sources.github.client import GitHub, Page, parse
from metrics_assets.sources.http import ApiClient
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

WHERE = {"owner": "acme", "name": "tool"}


def github(server: Scripted, clock: Clock, work: Any, page_size: int = 50) -> Any:
    """What `work(GitHub)` returns."""

    async def go() -> Any:
        async with ApiClient(server.url, {}, sleep=clock.sleep, clock=clock) as client:
            return await work(GitHub(client, page_size=page_size))

    return asyncio.run(go())


def pages_of(server: Scripted, page_size: int = 50, query: str = "forks") -> list[Page]:
    async def work(hub: GitHub) -> list[Page]:
        return [page async for page in hub.connection(query, **WHERE)]

    found: list[Page] = github(server, Clock(), work, page_size)
    return found


def items(first: int, count: int, total: int, **more: Any) -> Reply:
    nodes = [{"id": number} for number in range(first, min(first + count, total))]
    end = first + len(nodes)
    info = {"hasNextPage": end < total, "endCursor": str(end)}
    return Reply(
        body={"data": {"repository": {"items": {"totalCount": total, "pageInfo": info, "nodes": nodes}, **more}}}
    )


def heavy_over(limit: int, total: int, heavy: Reply, sizes: list[int]) -> Any:
    """A server for which pages of more than `limit` rows are too heavy."""

    def answer(asked: Asked) -> Reply:
        variables = asked.body["variables"]
        sizes.append(variables["pageSize"])
        if variables["pageSize"] > limit:
            return heavy
        return items(int(variables["cursor"] or 0), variables["pageSize"], total)

    return answer


TOO_HEAVY = [
    Reply(status=502, body=b"<html>"),
    Reply(status=504),
    Reply(body={"errors": [{"message": "Something went wrong while executing your query. Please include `ABC`"}]}),
    Reply(body={"data": None, "errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits exceeded"}]}),
    Reply(drop=True),
]


@pytest.mark.parametrize("heavy", TOO_HEAVY, ids=["502", "504", "went wrong", "resource limits", "drop"])
def test_pages_get_smaller_until_they_pass_and_grow_back(heavy: Reply) -> None:
    sizes: list[int] = []
    with Scripted(answer=heavy_over(15, 200, heavy, sizes)) as server:
        pages = pages_of(server)
    assert [item["id"] for page in pages for item in page.items] == list(range(200))
    assert sizes[:5] == [50, 50, 25, 25, 12]
    assert sizes.count(24) >= 2  # it tries again to grow ...
    assert sizes.count(24) <= sizes.count(12) / 2 + 1  # ... but not at every page


def test_the_smallest_page_is_the_last_attempt() -> None:
    sizes: list[int] = []
    with Scripted(answer=heavy_over(0, 10, Reply(status=502), sizes)) as server, pytest.raises(Unavailable):
        pages_of(server)
    assert sizes == [50, 50, 25, 25, 12, 12, 6, 6, 5, 5, 5, 5, 5, 5]


def test_a_page_size_under_the_smallest_is_kept() -> None:
    sizes: list[int] = []
    with Scripted(answer=heavy_over(50, 5, Reply(), sizes)) as server:
        pages = pages_of(server, page_size=2)
    assert (sizes, len(pages)) == ([2, 2, 2], 3)


def test_the_count_of_the_whole_list_is_told_where_the_list_is_a_part() -> None:
    with Scripted(items(0, 3, 3, whole={"totalCount": 70})) as server:
        assert [page.total_count for page in pages_of(server, query="issues")] == [70]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        ({"type": "NOT_FOUND", "message": "Could not resolve"}, NotFound, "check the name"),
        ({"type": "FORBIDDEN", "message": "SAML enforcement."}, Forbidden, "give the token the permission"),
        ({"type": "INSUFFICIENT_SCOPES", "message": "needs read:org"}, Forbidden, "give the token the permission"),
        ({"message": "Field 'x' doesn't exist"}, BadAnswer, "report it as a defect"),
        ("just a text", BadAnswer, "just a text"),
        ({}, BadAnswer, "GraphQL query forks"),
    ],
)
@pytest.mark.parametrize("data", [None, {"repository": None}, {"repository": {"items": {"nodes": [None]}}}])
def test_errors_in_a_good_answer_are_errors_also_beside_partial_data(
    error: Any, kind: type[MetricsError], text: str, data: Any
) -> None:
    with Scripted(Reply(body={"data": data, "errors": [error]})) as server, pytest.raises(kind) as caught:
        pages_of(server)
    assert "GraphQL query forks (acme/tool): " in str(caught.value)
    assert text in str(caught.value)
    assert ".;" not in str(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        [], "text", None, {}, {"data": None}, {"data": []}, {"data": {"repository": None}},
        {"data": {"repository": {"items": []}}}, {"data": {"repository": {"items": {"nodes": []}}}},
        {"data": {"repository": {"items": {"nodes": [], "pageInfo": {"hasNextPage": "perhaps"}}}}},
        {"errors": "everything"},
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_an_error_of_the_source(body: Any) -> None:
    with Scripted(Reply(body=body)) as server, pytest.raises((BadAnswer, Unavailable)):
        pages_of(server)


def test_a_graphql_rate_limit_waits_for_the_reset_and_then_goes_on() -> None:
    clock = Clock()
    spent = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock.now + 900))}
    limited = Reply(body={"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}, headers=spent)

    async def work(hub: GitHub) -> Any:
        return [page async for page in hub.connection("forks", **WHERE)]

    with Scripted(limited, items(0, 3, 3)) as server:
        assert len(github(server, clock, work)) == 1
        assert server.asked[0].body["variables"]["pageSize"] == server.asked[1].body["variables"]["pageSize"]
    assert clock.now == pytest.approx(1_000_901, abs=1)


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "42"}, 42), ({}, 60)])
def test_a_graphql_secondary_limit_is_obeyed(headers: dict[str, str], seconds: int) -> None:
    clock = Clock()
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."

    async def work(hub: GitHub) -> Any:
        return await hub.query("forks", 1, **WHERE)

    with Scripted(Reply(body={"errors": [{"message": message}]}, headers=headers), items(0, 1, 1)) as server:
        github(server, clock, work)
    assert clock.slept == [seconds]


def test_pages_of_a_rest_list_are_read_side_by_side_and_come_in_order() -> None:
    def answer(asked: Asked) -> Reply:
        page = int(asked.path.partition("&page=")[2] or 1)
        link = f'<{server.url}/list?page=2>; rel="next", <{server.url}/list?per_page=100&page=7>; rel="last"'
        return Reply(body=[page], headers={"Link": link})

    async def work(hub: GitHub) -> Any:
        return [page async for page in hub.pages("/list")]

    with Scripted(answer=answer) as server:
        assert github(server, Clock(), work) == [[number] for number in range(1, 8)]
        assert len(server.asked) == 7


def test_pages_without_a_number_are_followed() -> None:
    def answer(asked: Asked) -> Reply:
        after = asked.path.partition("after=")[2]
        following = {"": "a", "a": "b"}.get(after)
        return Reply(
            body=[after], headers={"Link": f'<{server.url}/list?after={following}>; rel="next"'} if following else {}
        )

    async def work(hub: GitHub) -> Any:
        return [page async for page in hub.pages("/list")]

    with Scripted(answer=answer) as server:
        assert github(server, Clock(), work) == [[""], ["a"], ["b"]]


def test_an_error_on_a_later_page_is_raised_and_leaves_no_request_behind() -> None:
    def answer(asked: Asked) -> Reply:
        if "&page=3" in asked.path:
            return Reply(status=404, body={"message": "Not Found"})
        return Reply(body=[], headers={"Link": f'<{server.url}/list?page=9>; rel="last"'})

    async def work(hub: GitHub) -> Any:
        with pytest.raises(NotFound):
            [page async for page in hub.pages("/list")]
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    with Scripted(answer=answer) as server:
        assert github(server, Clock(), work) == []


def test_a_list_that_is_none_is_an_error() -> None:
    async def work(hub: GitHub) -> Any:
        return [page async for page in hub.pages("/list")]

    with Scripted(Reply(body={"message": "surprise"})) as server, pytest.raises(BadAnswer, match="a list was expected"):
        github(server, Clock(), work)


def test_what_cannot_be_read_is_named_without_naming_people() -> None:
    issue = {"number": 12, "node_id": "I_1", "state": "open", "created_at": "yesterday", "updated_at": "2025-01-01"}
    with pytest.raises(BadAnswer, match=r"issues of acme/tool: Issue 12: created_at is 'yesterday'"):
        parse(answers.Issue, issue, "issues of acme/tool")
    for user in ("mira-holt", {"id": 5, "email": "mira-holt@example.org"}, {"login": ["mira-holt"]}):
        with pytest.raises(BadAnswer) as caught:
            parse(answers.Issue, {**issue, "created_at": "2025-01-01T00:00:00Z", "user": user}, "issues")
        assert "mira-holt" not in str(caught.value)
    with pytest.raises(BadAnswer) as caught:
        parse(answers.Issue, "mira-holt", "issues")
    assert "mira-holt" not in str(caught.value)
