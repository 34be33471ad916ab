"""GraphQL answers and REST lists over a real server: errors inside good answers, limits, points, paging."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from metrics_assets.errors import MetricsError
from metrics_assets.sources.errors import (
    BadAnswer,
    Blocked,
    Forbidden,
    NotFound,
    RateLimited,
    TooHeavy,
    Unavailable,
)
from metrics_assets.sources.github.client import GitHub, InvalidCursor, as_list
from metrics_assets.sources.governor import HourlyCap
from metrics_assets.sources.http import ApiClient, Token, Validator
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

DOCUMENT = "query Forks($owner: String!) { repository(owner: $owner) { id } rateLimit { cost } }"
VARIABLES = {"owner": "acme", "name": "tool"}


def github(server: Scripted | str, clock: Clock, work: Any, client: Any = None, **more: Any) -> Any:
    """What `work(GitHub)` returns."""

    async def go() -> Any:
        url = server if isinstance(server, str) else server.url
        async with ApiClient(url, sleep=clock.sleep, clock=clock, **(client or {})) as api:
            return await work(GitHub(api, **more))

    return asyncio.run(go())


async def query(hub: GitHub, **more: Any) -> Any:
    return await hub.query(DOCUMENT, VARIABLES, "forks of acme/tool", **more)


async def pages(hub: GitHub) -> list[Any]:
    return [page.json async for page in hub.pages("/list")]


TOO_HEAVY = [
    Reply(status=502, body=b"<html>"),
    Reply(status=504),
    Reply(body={"errors": [{"message": "Something went wrong while executing your query. Please include `ABC`"}]}),
    Reply(body={"data": None, "errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits exceeded"}]}),
    Reply(body={"data": {"repository": None}, "errors": [{"type": "INTERNAL", "message": ""}]}),
    Reply(body={"data": {"repository": None, "rateLimit": {"cost": 1}}, "errors": [{"message": "Timeout on x"}]}),
]


@pytest.mark.parametrize("heavy", TOO_HEAVY, ids=["502", "504", "went wrong", "resource limits", "internal", "timeout"])
def test_what_was_too_heavy_is_told_apart(heavy: Reply) -> None:
    with Scripted(heavy) as server, pytest.raises(TooHeavy, match="after 2 tries"):
        github(server, Clock(), lambda hub: query(hub, tries_if_heavy=2))
    assert len(server.asked) == 2


@pytest.mark.parametrize("heavy", [*TOO_HEAVY, Reply(drop=True), Reply(cut=True, body={"data": {}})])
def test_what_was_too_heavy_may_pass_the_next_time(heavy: Reply) -> None:
    with Scripted(heavy, Reply(body={"data": {"repository": {"id": 1}}})) as server:
        reply = github(server, Clock(), query)
    assert reply.data == {"repository": {"id": 1}}
    assert len(server.asked) == 2


ERRORS = [
    ({"type": "NOT_FOUND", "message": "Could not resolve"}, NotFound, "check the name"),
    ({"type": "FORBIDDEN", "message": "SAML enforcement."}, Forbidden, "give the token the permission"),
    ({"type": "INSUFFICIENT_SCOPES", "message": "needs read:org"}, Forbidden, "give the token the permission"),
    ({"type": "DMCA_TAKEDOWN", "message": "taken down"}, Blocked, "blocked access"),
    ({"message": "`abc` does not appear to be a valid cursor."}, InvalidCursor, "valid cursor"),
    ({"message": "Field 'x' doesn't exist"}, BadAnswer, "report it as a defect"),
    ("just a text", BadAnswer, "just a text"),
    ({}, BadAnswer, "forks of acme/tool"),
]


@pytest.mark.parametrize(("error", "kind", "text"), ERRORS)
@pytest.mark.parametrize("errors", ["a list", "itself"])
def test_errors_in_a_good_answer_are_errors(error: Any, kind: type[MetricsError], text: str, errors: str) -> None:
    given = [error] if errors == "a list" else error
    with Scripted(Reply(body={"data": None, "errors": given})) as server, pytest.raises(kind) as caught:
        github(server, Clock(), query)
    assert type(caught.value) is kind
    assert str(caught.value).startswith("GraphQL, forks of acme/tool: ")
    assert text in str(caught.value)
    assert ".;" not in str(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("error", "kind", "text"), ERRORS)
@pytest.mark.parametrize("data", [{"repository": None}, {"repository": {"items": {"nodes": [None]}}}])
def test_errors_beside_partial_data_come_with_it(
    error: Any, kind: type[MetricsError], text: str, data: dict[str, Any]
) -> None:
    with Scripted(Reply(body={"data": data, "errors": [error]})) as server:
        reply = github(server, Clock(), query)
    (found,) = reply.errors
    assert reply.data == data
    assert type(found.as_source_error("GraphQL, forks of acme/tool")) is kind
    assert text in str(found.as_source_error("GraphQL, forks of acme/tool"))


def test_an_error_that_passes_beside_data_is_not_asked_again_and_says_where_it_is() -> None:
    error = {"message": "Timeout", "path": ["repository", "issues", "nodes", 3]}
    body = {"data": {"repository": {"issues": None}}, "errors": [error]}
    with Scripted(Reply(body=body)) as server:
        reply = github(server, Clock(), query)
    assert len(server.asked) == 1
    assert (reply.errors[0].path, reply.errors[0].passes) == (("repository", "issues", "nodes", 3), True)


@pytest.mark.parametrize("body", [[], "text", None, {}, {"data": None}, {"data": []}, {"errors": "everything"}, 5])
def test_an_answer_of_another_shape_is_an_error_of_the_source(body: Any) -> None:
    with Scripted(Reply(body=body)) as server, pytest.raises((BadAnswer, Unavailable)):
        github(server, Clock(), query)


LIMITED = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}


def test_a_graphql_rate_limit_waits_for_the_reset_and_then_goes_on() -> None:
    clock = Clock()
    spent = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock.now + 900))}
    with Scripted(Reply(body=LIMITED, headers=spent), Reply(body={"data": {"repository": {}}})) as server:
        github(server, clock, query)
        assert server.asked[0].body == server.asked[1].body == {"query": DOCUMENT, "variables": VARIABLES}
    assert clock.now == pytest.approx(1_000_901, abs=1)


@pytest.mark.parametrize("data", [{}, {"data": {"repository": {"items": 5}}}], ids=["alone", "beside data"])
@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "42"}, 42), ({}, 60)])
def test_a_graphql_secondary_limit_is_obeyed(headers: dict[str, str], seconds: int, data: dict[str, Any]) -> None:
    clock = Clock()
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    limited = Reply(body={**data, "errors": [{"message": message}]}, headers=headers)
    with Scripted(limited, Reply(body={"data": {"repository": {}}})) as server:
        github(server, clock, query)
    assert clock.slept == [seconds]


def test_a_graphql_limit_without_end_is_given_up() -> None:
    with Scripted(Reply(body=LIMITED)) as server, pytest.raises(RateLimited, match="after 6 tries"):
        github(server, Clock(), lambda hub: query(hub, tries_if_heavy=2))


def test_the_budgets_of_both_apis_are_apart() -> None:
    clock = Clock()
    spent = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock.now + 900))}

    def answer(asked: Asked) -> Reply:
        return Reply({"data": {"x": 1}}, headers=spent) if asked.path == "/graphql" else Reply([])

    async def work(hub: GitHub) -> None:
        await query(hub)
        await hub.get("/rest")

    with Scripted(answer=answer) as server:
        github(server, clock, work)
    assert clock.slept == []


def test_requests_and_points_are_accounted_for_and_count_against_the_cap() -> None:
    cap = HourlyCap(1000)

    async def work(hub: GitHub) -> Any:
        other = hub.accounted()
        await query(hub)
        await hub.get("/rest")
        await query(other)
        return hub.rest, hub.graphql, other.rest, other.graphql

    with Scripted(Reply(body={"data": {"x": 1, "rateLimit": {"cost": 11}}})) as server:
        rest, graphql, other_rest, other_graphql = github(server, Clock(), work, {"cap": cap})
    assert (rest.requests, rest.points, graphql.requests, graphql.points) == (1, 0, 1, 11)
    assert (other_rest.requests, other_graphql.requests, other_graphql.points) == (0, 1, 11)
    assert sum(amount for _, amount in cap.used) == 1 + 11 + 11


@pytest.mark.parametrize("cost", [None, "many", {}, []])
def test_an_answer_that_does_not_tell_its_price_costs_a_point(cost: Any) -> None:
    with Scripted(Reply(body={"data": {"x": 1, "rateLimit": cost if cost == [] else {"cost": cost}}})) as server:
        assert github(server, Clock(), query).points == 1


def test_the_enterprise_server_has_graphql_elsewhere() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body={"data": {"path": asked.path}})

    with Scripted(answer=answer) as server:
        assert github(f"{server.url}/api/v3", Clock(), query).data == {"path": "/api/graphql"}


# --- REST lists ---


def test_pages_of_a_rest_list_are_read_side_by_side_and_come_in_order() -> None:
    def answer(asked: Asked) -> Reply:
        page = int(asked.path.partition("&page=")[2] or 1)
        link = f'<{server.url}/list?page=2>; rel="next", <{server.url}/list?per_page=100&page=7>; rel="last"'
        return Reply(body=[page], headers={"Link": link})

    with Scripted(answer=answer) as server:
        assert github(server, Clock(), pages) == [[number] for number in range(1, 8)]
        assert len(server.asked) == 7
        assert all("per_page=100" in asked.path for asked in server.asked)


def test_pages_without_a_number_are_followed() -> None:
    def answer(asked: Asked) -> Reply:
        after = asked.path.partition("after=")[2]
        following = {"": "a", "a": "b"}.get(after)
        return Reply(
            body=[after], headers={"Link": f'<{server.url}/list?after={following}>; rel="next"'} if following else {}
        )

    with Scripted(answer=answer) as server:
        assert github(server, Clock(), pages) == [[""], ["a"], ["b"]]


def test_a_link_to_another_server_is_not_followed() -> None:
    link = {"Link": '<https://elsewhere.example/list?after=a>; rel="next"'}
    with Scripted(Reply(body=[], headers=link)) as server, pytest.raises(BadAnswer, match="where the token is not"):
        github(server, Clock(), pages, {"credentials": [Token("the test's", "of-the-test")]})


def test_an_error_on_a_later_page_is_raised_and_leaves_no_request_behind() -> None:
    def answer(asked: Asked) -> Reply:
        if "&page=3" in asked.path:
            return Reply(status=404, body={"message": "Not Found"})
        return Reply(body=[], headers={"Link": f'<{server.url}/list?page=9>; rel="last"'})

    async def work(hub: GitHub) -> Any:
        with pytest.raises(NotFound):
            await pages(hub)
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    with Scripted(answer=answer) as server:
        assert github(server, Clock(), work) == []


def test_a_list_that_is_none_is_an_error() -> None:
    async def work(hub: GitHub) -> Any:
        return [as_list(page) async for page in hub.pages("/list")]

    with Scripted(Reply(body={"message": "surprise"})) as server, pytest.raises(BadAnswer, match="a list was expected"):
        github(server, Clock(), work)


def test_a_list_whose_first_page_is_as_it_was_is_not_read() -> None:
    stored: dict[str, Validator] = {}

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("if-none-match") == '"1"':
            return Reply(b"", status=304, headers={"ETag": '"1"'})
        return Reply([1], headers={"ETag": '"1"', "Link": f'<{server.url}/list?page=3>; rel="last"'})

    async def work(hub: GitHub) -> Any:
        first = [page async for page in hub.pages("/list", {"anon": 1}, conditional=True)]
        stored[hub.address("/list", {"anon": 1, "per_page": 100})] = first[0].validator or Validator()
        return len(first), [page.not_modified async for page in hub.pages("/list", {"anon": 1}, conditional=True)]

    with Scripted(answer=answer) as server:
        assert github(server, Clock(), work, known=stored.get) == (3, [True])
        assert sum("if-none-match" in asked.headers for asked in server.asked) == 1
