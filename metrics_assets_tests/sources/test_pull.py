"""Several lists in one request: what is asked for again, smaller or alone, and what is given up after how many."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from metrics_assets.errors import MetricsError
from metrics_assets.sources.errors import BadAnswer, Forbidden, NotFound, RateLimited, SourceError, TooHeavy
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.lists import LISTS
from metrics_assets.sources.github.pull import pull
from metrics_assets.sources.github.walks import Walk
from metrics_assets.sources.http import ApiClient, Spent
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

NESTED, FLAT = "releases", "tags"  # read whole: their rows need no time


@dataclass
class Pulled:
    """What a pull gave: rows and errors by list, and what was asked."""

    ids: dict[str, list[int]] = field(default_factory=dict)
    errors: dict[str, list[SourceError]] = field(default_factory=dict)
    spent: dict[str, Spent] = field(default_factory=dict)
    account: Spent = field(default_factory=Spent)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def sizes(self, entity: str) -> list[int]:
        return [variables[f"{entity}_first"] for variables in self.asked if f"{entity}_first" in variables]

    def together(self) -> list[int]:
        """How many lists each request asked for."""
        return [sum(name.endswith("_first") for name in variables) for variables in self.asked]


def pulled(answer: Callable[[dict[str, Any]], Reply], *entities: str, page_size: int = 50) -> Pulled:
    """Pull lists from a server that looks at the variables of a request."""
    found = Pulled()

    def reply(asked: Asked) -> Reply:
        found.asked.append(asked.body["variables"])
        assert len(found.asked) < 500, "this never ends"
        return answer(asked.body["variables"])

    async def go(url: str) -> None:
        clock = Clock()
        async with ApiClient(url, sleep=clock.sleep, clock=clock) as client:
            github = GitHub(client, page_size=page_size)
            walks = [Walk.begin(LISTS[name].plan, None, backlog=False, limit=page_size) for name in entities]
            async for pages in pull(github, "acme/tool", walks):
                for page in pages:
                    entity = page.walk.plan.entity
                    found.spent.setdefault(entity, Spent()).add(page.spent)
                    if page.error:
                        found.errors.setdefault(entity, []).append(page.error)
                    if page.taken:
                        found.ids.setdefault(entity, []).extend(item["id"] for item in page.taken.items)
            found.account = github.graphql

    with Scripted(answer=reply) as server:
        asyncio.run(go(server.url))
    return found


def page(variables: dict[str, Any], entity: str, total: int) -> dict[str, Any]:
    """A page of a list of `total` rows."""
    first, begin = variables[f"{entity}_first"], int(variables[f"{entity}_after"] or 0)
    end = min(begin + first, total)
    nodes = [{"id": number} for number in range(begin, end)]
    return {"totalCount": total, "pageInfo": {"hasNextPage": end < total, "endCursor": str(end)}, "nodes": nodes}


def asked_for(variables: dict[str, Any]) -> list[str]:
    return [name.removesuffix("_first") for name in variables if name.endswith("_first")]


def good(variables: dict[str, Any], errors: Sequence[Any] = (), *, total: int = 230, instead: Any = None) -> Reply:
    """All lists that are asked for, some of them replaced."""
    repository = {name: page(variables, name, total) for name in asked_for(variables)} | (instead or {})
    return Reply({"data": {"repository": repository, "rateLimit": {"cost": 3}}, "errors": list(errors)})


def error(kind: str, *path: str | int, message: str = "no") -> dict[str, Any]:
    return {"type": kind, "message": message, "path": list(path)}


def test_several_lists_come_in_one_request_and_each_in_its_own_pages() -> None:
    found = pulled(good, NESTED, FLAT, "milestones")
    assert all(ids == list(range(230)) for ids in found.ids.values())
    assert set(found.ids) == {NESTED, FLAT, "milestones"}
    assert found.together() == [3, 3, 3, 1, 1]  # 50 nested rows at a time, 100 of the others
    assert found.errors == {}


def test_a_request_is_one_document_with_the_variables_it_declares() -> None:
    seen: list[Any] = []

    def answer(asked: Asked) -> Reply:
        seen.append(asked.body)
        return good(asked.body["variables"], total=3)

    async def go(url: str) -> None:
        async with ApiClient(url) as client:
            walks = [Walk.begin(one.plan, None, backlog=True) for one in LISTS.values() if one.is_read_whole]
            _ = [pages async for pages in pull(GitHub(client), "acme/tool", walks)]

    with Scripted(answer=answer) as server:
        asyncio.run(go(server.url))
    (body,) = seen
    assert set(re.findall(r"\$(\w+):", body["query"])) == set(body["variables"])
    assert body["variables"]["owner"], body["variables"]["name"] == ("acme", "tool")


HEAVY = [
    Reply(status=502, body=b"<html>"),
    Reply(status=504),
    Reply({"errors": [{"message": "Something went wrong while executing your query."}]}),
    Reply({"data": {"repository": None}, "errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "x"}]}),
]


@pytest.mark.parametrize("heavy", HEAVY, ids=["502", "504", "went wrong", "resource limits"])
def test_pages_get_smaller_until_they_pass_and_grow_back(heavy: Reply) -> None:
    found = pulled(lambda variables: good(variables) if variables["releases_first"] <= 15 else heavy, NESTED)
    sizes = found.sizes(NESTED)
    assert found.ids[NESTED] == list(range(230))
    assert sizes[:6] == [50, 50, 25, 25, 12, 12]
    assert sizes.count(25) >= 4  # it tries again to grow ...
    assert sizes.count(12) >= 12  # ... but not at every page
    assert len(sizes) <= 45


def test_only_one_of_several_lists_being_too_heavy_makes_it_smaller_for_a_while() -> None:
    heavy = [True] * 3

    def answer(variables: dict[str, Any]) -> Reply:
        if NESTED in asked_for(variables) and heavy and variables["releases_first"] > 20:
            heavy.pop()
            return good(variables, [error("INTERNAL", "repository", NESTED)], instead={NESTED: None})
        return good(variables)

    found = pulled(answer, NESTED, FLAT)
    assert found.ids == {NESTED: list(range(230)), FLAT: list(range(230))}
    assert found.errors == {}
    assert found.sizes(NESTED)[:3] == [50, 25, 12]
    assert found.sizes(NESTED)[-1] > 12
    assert set(found.sizes(FLAT)) == {100}


@pytest.mark.parametrize(
    "errors",
    [
        [error("RESOURCE_LIMITS_EXCEEDED", "repository", NESTED)],
        [error("", "repository", NESTED, "nodes", 3, message="Something went wrong")],
        [],
    ],
    ids=["the list", "a row", "nothing said"],
)
def test_what_came_of_a_partial_answer_is_kept_and_the_rest_asked_for_again(errors: list[Any]) -> None:
    answers = iter([errors])

    def answer(variables: dict[str, Any]) -> Reply:
        if (first := next(answers, None)) is not None:
            return good(variables, first, instead={NESTED: None})
        return good(variables)

    found = pulled(answer, NESTED, FLAT)
    assert found.ids == {NESTED: list(range(230)), FLAT: list(range(230))}
    assert [one.get("tags_after") for one in found.asked[:3]] == [None, "100", "200"]
    assert [one["releases_after"] for one in found.asked[:2]] == [None, None]
    assert found.sizes(NESTED)[:2] == [50, 25]
    assert found.errors == {}


@pytest.mark.parametrize(
    ("kind", "expected"), [("FORBIDDEN", Forbidden), ("NOT_FOUND", NotFound), ("UNDEFINED", BadAnswer)]
)
def test_a_list_that_may_not_be_seen_is_given_up_alone(kind: str, expected: type[MetricsError]) -> None:
    def answer(variables: dict[str, Any]) -> Reply:
        if NESTED in asked_for(variables):
            return good(variables, [error(kind, "repository", NESTED)], instead={NESTED: None})
        return good(variables)

    found = pulled(answer, NESTED, FLAT, "milestones")
    assert found.ids == {FLAT: list(range(230)), "milestones": list(range(230))}
    assert [type(one) for one in found.errors[NESTED]] == [expected]
    assert NESTED in str(found.errors[NESTED][0])
    assert "acme/tool" in str(found.errors[NESTED][0])
    assert found.together() == [3, 2, 2]


def test_a_list_below_another_place_is_found_by_its_path() -> None:
    """Commits are below the default branch."""

    def answer(variables: dict[str, Any]) -> Reply:
        where = error("FORBIDDEN", "repository", "default_branch", "target", "commits")
        return good(
            variables, [where] if "commits" in asked_for(variables) else [], instead={"default_branch": {"target": {}}}
        )

    found = pulled(answer, FLAT, "commits")
    assert found.ids == {FLAT: list(range(230))}
    assert [type(one) for one in found.errors["commits"]] == [Forbidden]


@pytest.mark.parametrize(
    "garbage",
    [{}, {"data": []}, {"data": None}, {"data": None, "errors": [{"message": "Field 'x' doesn't exist"}]}],
)
def test_garbage_for_the_whole_is_asked_for_one_by_one(garbage: Any) -> None:
    def answer(variables: dict[str, Any]) -> Reply:
        return Reply(garbage) if NESTED in asked_for(variables) else good(variables)

    found = pulled(answer, NESTED, FLAT, "milestones")
    assert found.ids == {FLAT: list(range(230)), "milestones": list(range(230))}
    assert [type(one) for one in found.errors[NESTED]] == [BadAnswer]
    assert found.together() == [3, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("garbage", [{"data": {"repository": None}}, {"data": {"repository": {}}}, {"data": {}}])
def test_nothing_instead_of_a_page_is_given_up_after_a_few_requests(garbage: Any) -> None:
    found = pulled(lambda variables: Reply(garbage), NESTED, FLAT)
    assert {name: [type(one) for one in errors] for name, errors in found.errors.items()} == {
        NESTED: [BadAnswer],
        FLAT: [BadAnswer],
    }
    assert len(found.asked) == 9


def test_a_list_that_is_always_too_heavy_is_given_up_and_the_others_are_not() -> None:
    def answer(variables: dict[str, Any]) -> Reply:
        return Reply(status=502) if NESTED in asked_for(variables) else good(variables)

    found = pulled(answer, NESTED, FLAT)
    assert found.ids == {FLAT: list(range(230))}
    assert [type(one) for one in found.errors[NESTED]] == [TooHeavy]
    # Both together at scales 1, 1/2, 1/4, 1/8 twice each and at 1/16 six times, then alone six times.
    assert found.sizes(NESTED) == [50] * 2 + [25] * 2 + [12] * 2 + [6] * 2 + [5] * 12
    assert len(found.asked) == 20 + 3


def test_a_part_that_is_always_missing_is_given_up_and_the_others_are_not() -> None:
    def answer(variables: dict[str, Any]) -> Reply:
        if NESTED in asked_for(variables):
            return good(variables, [error("INTERNAL", "repository", NESTED)], instead={NESTED: None})
        return good(variables)

    found = pulled(answer, NESTED, FLAT)
    assert found.ids == {FLAT: list(range(230))}
    assert [type(one) for one in found.errors[NESTED]] == [TooHeavy]
    assert len(found.asked) == 9


def test_a_repository_that_is_gone_ends_all_its_lists() -> None:
    gone = Reply({"data": {"repository": None}, "errors": [error("NOT_FOUND", "repository")]})
    found = pulled(lambda variables: gone, NESTED, FLAT)
    assert found.ids == {}
    assert {type(one) for errors in found.errors.values() for one in errors} == {NotFound}
    assert sorted(found.errors) == sorted([NESTED, FLAT])
    assert len(found.asked) <= 3


def test_a_limit_without_end_ends_all_lists_at_once() -> None:
    limited = Reply({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]})
    found = pulled(lambda variables: limited, NESTED, FLAT)
    assert {type(one) for errors in found.errors.values() for one in errors} == {RateLimited}
    assert len(found.asked) == 6


INVALID = "`abc` does not appear to be a valid cursor."


@pytest.mark.parametrize("where", [["repository", NESTED], []], ids=["the list", "the whole"])
def test_a_cursor_that_is_unknown_by_now_begins_the_list_again(where: list[str]) -> None:
    once = [True]

    def answer(variables: dict[str, Any]) -> Reply:
        if variables.get("releases_after") == "100" and once:
            once.clear()
            if not where:
                return Reply({"data": None, "errors": [{"message": INVALID}]})
            return good(variables, [error("", *where, message=INVALID)], instead={NESTED: None})
        return good(variables)

    found = pulled(answer, NESTED, FLAT)
    assert set(found.ids[NESTED]) == set(range(230))
    assert set(found.ids[FLAT]) == set(range(230))
    assert found.errors == {}


@pytest.mark.parametrize("where", [["repository", NESTED], []], ids=["the list", "the whole"])
def test_cursors_that_are_never_known_are_given_up(where: list[str]) -> None:
    def answer(variables: dict[str, Any]) -> Reply:
        if variables.get("releases_after"):
            if not where:
                return Reply({"data": None, "errors": [{"message": INVALID}]})
            return good(variables, [error("", *where, message=INVALID)], instead={NESTED: None})
        return good(variables)

    found = pulled(answer, NESTED, FLAT)
    assert len(found.errors[NESTED]) == 1
    assert len(found.asked) <= 40


def test_a_walk_that_its_taker_gave_up_is_not_asked_for_any_more() -> None:
    asked: list[list[str]] = []

    def answer(request: Asked) -> Reply:
        asked.append(asked_for(request.body["variables"]))
        return good(request.body["variables"])

    async def go(url: str) -> None:
        async with ApiClient(url) as client:
            walks = [Walk.begin(LISTS[name].plan, None, backlog=False, limit=50) for name in (NESTED, FLAT)]
            async for _ in pull(GitHub(client), "acme/tool", walks):
                walks[0].pending = []

    with Scripted(answer=answer) as server:
        asyncio.run(go(server.url))
    assert asked == [[NESTED, FLAT], [FLAT], [FLAT]]


def test_nothing_to_ask_for_is_not_asked() -> None:
    assert pulled(good).asked == []


@pytest.mark.parametrize("trouble", ["none", "heavy", "partial", "nothing"])
def test_every_request_is_accounted_for_in_the_pages(trouble: str) -> None:
    """What pages say they cost goes into ops.api_usage; it must be what was asked."""
    answers = iter([trouble])

    def answer(variables: dict[str, Any]) -> Reply:
        first = next(answers, "none")
        if first == "heavy":
            return Reply(status=502)
        if first == "partial":
            return good(variables, [error("INTERNAL", "repository", NESTED)], instead={NESTED: None})
        return good(variables, instead={NESTED: None, FLAT: None}) if first == "nothing" else good(variables)

    def heavy_once(variables: dict[str, Any]) -> Reply:
        # Twice, so that the client's own second try fails as well and the page gets smaller.
        return Reply(status=502) if trouble == "heavy" and variables["releases_first"] == 50 else answer(variables)

    found = pulled(heavy_once, NESTED, FLAT)
    assert found.account.requests == len(found.asked)
    assert sum(spent.requests for spent in found.spent.values()) == pytest.approx(len(found.asked))
    assert sum(spent.points for spent in found.spent.values()) == pytest.approx(found.account.points)
    assert sum(spent.retries for spent in found.spent.values()) == pytest.approx(found.account.retries)
