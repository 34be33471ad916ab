"""One look at many repositories: how many requests it takes, what cannot be seen, and what a mark is a sign of."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from metrics_assets.errors import MetricsError
from metrics_assets.sources.errors import BadAnswer, Blocked, Forbidden, NotFound, RateLimited, TooHeavy
from metrics_assets.sources.github import answers
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.probe import Probed, organization, probe, why_not
from metrics_assets.sources.http import ApiClient
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

LISTS = ("pull_requests", "issues", "discussions", "milestones", "releases", "tags", "deployments", "forks")
MARKS = {*LISTS, "stargazers", "contributors", "commits", "review_comments", "workflow_runs"}


def repository(number: int = 1, **instead: Any) -> dict[str, Any]:
    """A repository as the probe's query gives it."""
    one = {"totalCount": 3, "nodes": [{"updated_at": "2025-06-01T00:00:00Z"}]}
    lists: dict[str, Any] = {name: copy.deepcopy(one) for name in LISTS}
    lists["forks"]["nodes"] = [{"created_at": "2025-06-01T00:00:00Z"}]
    lists["tags"]["nodes"] = [{"name": "v1", "target": {"sha": "b" * 40}}]
    lists["deployments"]["nodes"][0]["state"] = "ACTIVE"
    suites = {"totalCount": 2, "nodes": [{"updated_at": "2025-06-01T00:00:00Z"}]}
    return {
        "id": number,
        "full_name": f"acme/r{number}",
        "created_at": "2020-01-01T00:00:00Z",
        "pushed_at": "2025-06-01T00:00:00Z",
        "default_branch": {"name": "main", "target": {"sha": "a" * 40, "check_suites": suites}},
        "topics": {"nodes": [{"topic": {"name": "t"}}]},
        "language": {"name": "Python"},
        "license": {"spdx_id": "MIT"},
        "permission": "READ",
        "watchers": {"totalCount": 9},
        "issues_open": {"totalCount": 1},
        "pull_requests_open": {"totalCount": 1},
        "stargazers": {"totalCount": 5, "edges": [{"starred_at": "2025-06-01T00:00:00Z"}]},
        **lists,
        **instead,
    }


Answer = Callable[[list[str]], Reply]


def names_in(asked: Asked) -> list[str]:
    variables = asked.body["variables"]
    return [f"{variables[f'o{index}']}/{variables[f'n{index}']}" for index in range(len(variables) // 2)]


def found(names: Sequence[str], errors: Sequence[Any] = (), **instead: Any) -> Reply:
    data = {f"r{index}": repository(index, full_name=name) for index, name in enumerate(names)}
    return Reply({"data": {**data, "rateLimit": {"cost": 11}, **instead}, "errors": list(errors)})


def probed(answer: Answer, names: Sequence[str], at_once: int = 100) -> tuple[list[Probed], list[int]]:
    """What came of a look at repositories, and how many each request asked for."""
    clock = Clock()

    async def go(url: str) -> list[Probed]:
        async with ApiClient(url, sleep=clock.sleep, clock=clock) as client:
            return [one async for one in probe(GitHub(client), names, at_once)]

    with Scripted(answer=lambda asked: answer(names_in(asked))) as server:
        result = asyncio.run(go(server.url))
        sizes = [len(names_in(asked)) for asked in server.asked]
    return result, sizes


def many(count: int) -> list[str]:
    return [f"acme/r{number}" for number in range(count)]


def test_250_repositories_take_three_requests_and_come_in_order() -> None:
    result, sizes = probed(found, many(250))
    assert sizes == [100, 100, 50]
    assert [one.name for one in result] == many(250)
    assert all(one.found and one.found.full_name == one.name for one in result)
    assert sum(one.points for one in result) == pytest.approx(33)
    assert sum(one.requests for one in result) == pytest.approx(3)


def test_nothing_to_look_at_is_not_asked() -> None:
    assert probed(found, []) == ([], [])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("NOT_FOUND", NotFound), ("FORBIDDEN", Forbidden), ("DMCA_TAKEDOWN", Blocked), ("", BadAnswer)],
)
def test_one_that_cannot_be_seen_does_not_hide_the_others(kind: str, expected: type[MetricsError]) -> None:
    error = {"type": kind, "message": "Could not resolve", "path": ["r42"]}
    result, sizes = probed(lambda names: found(names, [error], r42=None), many(100))
    assert sizes == [100]
    (lost,) = [one for one in result if one.found is None]
    assert lost.name == "acme/r42"
    assert type(lost.error) is expected
    assert "acme/r42" in str(lost.error)


def test_nothing_without_a_reason_is_not_found() -> None:
    result, _ = probed(lambda names: found(names, r1=None), many(3))
    assert [type(one.error) for one in result] == [type(None), NotFound, type(None)]


def test_a_repository_that_cannot_be_read_does_not_hide_the_others() -> None:
    result, _ = probed(lambda names: found(names, r1={"id": "many"}), many(3))
    assert [type(one.error) for one in result] == [type(None), BadAnswer, type(None)]
    assert "probe of acme/r1" in str(result[1].error)


def test_a_renamed_repository_comes_with_its_present_name() -> None:
    result, _ = probed(lambda names: found(names, r0=repository(5, full_name="acme/new")), ["acme/old"])
    assert result[0].name == "acme/old"
    assert result[0].found is not None
    assert result[0].found.record().repository == "acme/new"


@pytest.mark.parametrize("heavy", [Reply(status=502), Reply({"errors": [{"message": "Something went wrong"}]})])
def test_what_takes_too_long_is_asked_for_in_smaller_parts_that_grow_again(heavy: Reply) -> None:
    result, sizes = probed(lambda names: heavy if len(names) > 30 else found(names), many(250))
    assert [one.name for one in result if one.found] == many(250)
    assert sizes[:5] == [100, 100, 25, 50, 50]
    assert len(sizes) <= 40


def test_one_that_always_takes_too_long_is_given_up_and_the_others_are_not() -> None:
    result, sizes = probed(lambda names: Reply(status=504) if "acme/r7" in names else found(names), many(40))
    assert [one.name for one in result if one.error] == ["acme/r7"]
    assert isinstance(result[7].error, TooHeavy)
    assert [one.name for one in result] == many(40)
    assert len(sizes) <= 40


def test_a_limit_without_end_is_the_reason_for_all_and_not_asked_in_parts() -> None:
    limited = Reply({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]})
    result, sizes = probed(lambda names: limited, many(5))
    assert [type(one.error) for one in result] == [RateLimited] * 5
    assert sizes == [5] * 6


# --- marks ---


def marks(content: dict[str, Any]) -> dict[str, str]:
    return answers.Probe.model_validate(content).marks()


def changed(path: str, value: Any) -> set[str]:
    """Whose marks change when the provider says something else."""
    before, content = repository(), repository()
    place, *steps = path.split(".")
    within: Any = content
    for step in steps:
        within, place = within[int(place) if place.isdecimal() else place], step
    within[int(place) if place.isdecimal() else place] = value
    first, second = marks(before), marks(content)
    return {name for name in first | second if first.get(name) != second.get(name)}


LATER = "2025-06-01T00:00:01Z"
OF_PULL_REQUESTS = {"pull_requests", "review_comments", "workflow_runs"}
OF_TAGS, OF_DEPLOYMENTS = {"tags", "commits"}, {"deployments", "commits"}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("pull_requests.totalCount", 4, OF_PULL_REQUESTS),
        ("pull_requests.nodes.0.updated_at", LATER, OF_PULL_REQUESTS),
        ("pull_requests.nodes", [], OF_PULL_REQUESTS),
        ("issues.totalCount", 4, {"issues"}),
        ("issues.nodes.0.updated_at", LATER, {"issues"}),
        ("discussions.nodes.0.updated_at", LATER, {"discussions"}),
        ("milestones.nodes.0.updated_at", LATER, {"milestones"}),
        ("releases.nodes.0.updated_at", LATER, {"releases"}),
        ("tags.nodes.0.name", "v2", OF_TAGS),
        ("tags.nodes.0.target.sha", "c" * 40, OF_TAGS),
        ("tags.nodes", [], OF_TAGS),
        ("deployments.nodes.0.updated_at", LATER, OF_DEPLOYMENTS),
        ("deployments.nodes.0.state", "INACTIVE", OF_DEPLOYMENTS),
        ("stargazers.totalCount", 4, {"stargazers"}),
        ("stargazers.edges.0.starred_at", LATER, {"stargazers"}),
        ("forks.totalCount", 4, {"forks"}),
        ("forks.nodes.0.created_at", LATER, {"forks"}),
        ("default_branch.target.sha", "c" * 40, {"commits", "contributors"}),
        ("default_branch.target.check_suites.nodes.0.updated_at", LATER, {"workflow_runs"}),
        ("default_branch.target.check_suites.totalCount", 3, {"workflow_runs"}),
        ("pushed_at", LATER, {"workflow_runs"}),
        # These are of the repository itself and say nothing of its lists.
        ("full_name", "acme/new", set()),
        ("description", "new", set()),
        ("archived", True, set()),
        ("watchers.totalCount", 10, set()),
        ("permission", "ADMIN", set()),
        ("issues_open.totalCount", 2, set()),
    ],
)
def test_a_mark_changes_exactly_when_its_list_does(path: str, value: Any, expected: set[str]) -> None:
    assert changed(path, value) == expected


@pytest.mark.parametrize("name", [*LISTS, "stargazers"])
def test_a_list_that_may_not_be_seen_has_no_mark_and_no_count(name: str) -> None:
    error = {"type": "FORBIDDEN", "message": "no", "path": ["r0", name]}
    (one,), _ = probed(lambda names: found(names, [error], r0=repository(1, **{name: None})), ["acme/r1"])
    assert one.error is None
    assert one.found is not None
    without = {"pull_requests": OF_PULL_REQUESTS, "tags": OF_TAGS, "deployments": OF_DEPLOYMENTS}.get(name, {name})
    assert set(one.found.marks()) == MARKS - without
    assert name not in one.found.totals()
    assert (one.found.counters(one.observed_at) is None) == (name in ("stargazers", "forks"))


@pytest.mark.parametrize("name", ["issues", "stargazers"])
def test_a_newest_row_that_came_as_null_is_passed_over(name: str) -> None:
    """A row that the token may not see is null in its list, and the count still stands."""
    content = repository()
    content[name]["edges" if name == "stargazers" else "nodes"] = [None]
    assert name in marks(content)
    assert answers.Probe.model_validate(content).totals()[name] == content[name]["totalCount"]


def test_an_empty_repository_has_marks_of_nothing() -> None:
    content = repository(1, default_branch=None, empty=True, pushed_at=None)
    assert set(marks(content)) == MARKS
    assert answers.Probe.model_validate(content).record().state == "empty"


def test_the_counters_are_the_providers() -> None:
    (one,), _ = probed(found, ["acme/r0"])
    assert one.found is not None
    counters = one.found.counters(one.observed_at)
    assert counters is not None
    assert (counters.stars, counters.forks, counters.watchers) == (5, 3, 9)
    assert counters.issues_and_pull_requests_open == 2


# --- REST beside it ---


def rest(answer: Callable[[Asked], Reply], work: Any) -> Any:
    async def go(url: str) -> Any:
        async with ApiClient(url, sleep=Clock().sleep) as client:
            return await work(GitHub(client))

    with Scripted(answer=answer) as server:
        return asyncio.run(go(server.url))


def test_why_a_repository_cannot_be_seen_is_asked_of_rest() -> None:
    unseen = NotFound("GraphQL says so.")

    async def work(github: GitHub) -> Any:
        return [await why_not(github, name, unseen) for name in ("acme/blocked", "acme/there", "acme/gone")]

    def answer(asked: Asked) -> Reply:
        return Reply(status={"/repos/acme/blocked": 451, "/repos/acme/gone": 404}.get(asked.path, 200))

    blocked, there, gone = rest(answer, work)
    assert (type(blocked), there, type(gone)) == (Blocked, unseen, NotFound)


def test_an_organizations_repositories_without_its_forks() -> None:
    def answer(asked: Asked) -> Reply:
        listed = [
            {"id": number, "full_name": f"acme/r{number}", "created_at": "2020-01-01T00:00:00Z", "fork": number == 2}
            for number in range(4)
        ]
        return Reply(listed) if asked.path.startswith("/orgs/acme/repos?") else Reply(status=404)

    assert rest(answer, lambda github: organization(github, "acme")) == ["acme/r0", "acme/r1", "acme/r3"]
