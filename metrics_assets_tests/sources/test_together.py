"""Questions of several repositories in one query: batched, halved where they are too heavy, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from metrics_assets.demo import synthetic
from metrics_assets.demo.faults import BAD_GATEWAY, Fault, Rule, Seen
from metrics_assets.demo.server import DemoServer
from metrics_assets.sources.errors import BadAnswer, Forbidden, SourceError, TooHeavy, Unavailable
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.together import Questions, Together
from metrics_assets.sources.http import ApiClient, Token

Result = TypeVar("Result")


class _Asked:
    """Answers questions in capitals; some of them are trouble."""

    def __init__(self, **trouble: Exception) -> None:
        self.batches: list[list[str]] = []
        self._trouble = trouble

    async def __call__(self, questions: list[str]) -> dict[str, str]:
        self.batches.append(questions)
        await asyncio.sleep(0)
        for question in questions:
            if question in self._trouble:
                raise self._trouble[question]
        return {question: question.upper() for question in questions if question != "nothing"}


def _together(asked: _Asked, at_once: int = 100) -> Together[str]:
    return Together(asked, at_once=at_once, patience=0.01)


async def _outcomes(together: Together[str], *several: list[str]) -> list[Any]:
    found = await asyncio.wait_for(
        asyncio.gather(*(together.of(questions) for questions in several), return_exceptions=True), 5
    )
    assert not together._waiting, "questions that nobody asks"
    return list(found)


def test_questions_of_several_are_one_query() -> None:
    asked = _Asked()
    found = asyncio.run(_outcomes(_together(asked), ["a", "b"], ["b", "c", "nothing"], []))
    assert found == [{"a": "A", "b": "B"}, {"b": "B", "c": "C"}, {}]
    assert asked.batches == [["a", "b", "c", "nothing"]]


def test_a_full_batch_does_not_wait_and_what_is_left_does() -> None:
    asked = _Asked()
    many = [f"q{number}" for number in range(7)]
    found = asyncio.run(_outcomes(_together(asked, at_once=3), many, ["other"]))
    assert found == [{question: question.upper() for question in many}, {"other": "OTHER"}]
    assert asked.batches == [many[:3], many[3:6], ["q6", "other"]]


def test_an_error_reaches_all_who_wait_and_no_one_who_asks_later() -> None:
    asked = _Asked(secret=Unavailable("is down"))

    async def run() -> None:
        together = _together(asked)
        first = await _outcomes(together, ["a"], ["secret", "b"])
        assert [type(one) for one in first] == [Unavailable, Unavailable]
        assert await _outcomes(together, ["a"]) == [{"a": "A"}]

    asyncio.run(run())
    assert asked.batches == [["a", "secret", "b"], ["a"]]  # halves would fare no better


def test_an_error_that_nobody_foresaw_reaches_all_who_wait() -> None:
    found = asyncio.run(_outcomes(_together(_Asked(b=ZeroDivisionError())), ["a"], ["b"]))
    assert [type(one) for one in found] == [ZeroDivisionError, ZeroDivisionError]


@pytest.mark.parametrize("error", [TooHeavy("too much"), BadAnswer("odd"), Forbidden("secret")])
def test_only_who_asks_the_question_that_is_the_trouble_fails(error: SourceError) -> None:
    """Found by halving; the others' answers came and are theirs."""
    asked = _Asked(bad=error)
    found = asyncio.run(_outcomes(_together(asked), ["a", "b"], ["c", "bad"], ["d"]))
    assert asked.batches[:3] == [["a", "b", "c", "bad", "d"], ["a", "b"], ["c", "bad", "d"]]
    assert found[0] == {"a": "A", "b": "B"}
    assert found[1] is error
    assert found[2] == {"d": "D"}


def test_who_is_cancelled_takes_no_answer_from_the_others() -> None:
    async def run() -> dict[str, str]:
        together = _together(_Asked())
        gone = asyncio.create_task(together.of(["a"]))
        stays = asyncio.create_task(together.of(["a", "b"]))
        await asyncio.sleep(0)
        gone.cancel()
        found = await asyncio.wait_for(stays, 5)
        with pytest.raises(asyncio.CancelledError):
            await gone
        return found

    assert asyncio.run(run()) == {"a": "A", "b": "B"}


# --- the questions themselves, asked of the server ---

HISTORY = synthetic.many_repositories(3, seed=5)
RUNS = synthetic.large_repository(6, 2, 10, 0, workflow_runs=9, comments=3, seed=5)


def _ask(server: DemoServer, work: Callable[[Questions], Awaitable[Result]]) -> tuple[Result, Questions]:
    async def soon(_: float) -> None:
        await asyncio.sleep(0)

    async def run() -> tuple[Result, Questions]:
        async with ApiClient(server.url, credentials=[Token("the test's", "of-the-test")], sleep=soon) as client:
            questions = Questions(GitHub(client))
            return await work(questions), questions

    return asyncio.run(run())


def _suites() -> list[str]:
    one = RUNS.repositories[0]
    return [f"CS_{one.id}_{run.id}" for run in one.workflow_runs]


def test_numbers_of_several_repositories_are_one_request() -> None:
    async def work(questions: Questions) -> list[dict[str, set[int]]]:
        return await asyncio.gather(
            *(questions.numbers.of([f"{entity} {one.full_name}"]) for one in HISTORY.repositories for entity in lists)
        )

    lists = ("issues", "pull_requests")
    with DemoServer(HISTORY) as server:
        found, questions = _ask(server, work)
        assert server.requests["graphql"] == 1
    merged = {question: numbers for one in found for question, numbers in one.items()}
    assert merged == {
        f"{entity} {one.full_name}": {item.number for item in getattr(one, entity)}
        for one in HISTORY.repositories
        for entity in lists
    }
    assert questions.github.graphql.requests == 1
    assert questions.github.graphql.points >= 1


def test_jobs_too_heavy_together_are_asked_for_in_halves() -> None:
    def heavy(seen: Seen) -> Fault | None:
        return BAD_GATEWAY if len((seen.body.get("variables") or {}).get("ids", [])) > 3 else None

    async def work(questions: Questions) -> dict[str, Any]:
        found = await asyncio.gather(questions.jobs.of(_suites()[:5]), questions.jobs.of([*_suites()[5:], "CS_1_1"]))
        return {**found[0], **found[1]}

    with DemoServer(RUNS) as server:
        server.faults.append(heavy)
        found, questions = _ask(server, work)
        assert server.requests["graphql"] == questions.github.graphql.requests > 5
    assert {suite: [job.id for job in one.jobs] for suite, one in found.items()} == {
        f"CS_{RUNS.repositories[0].id}_{run.id}": [job.id for job in run.jobs]
        for run in RUNS.repositories[0].workflow_runs
    }


def test_an_answer_without_nodes_is_named() -> None:
    with DemoServer(RUNS) as server:
        server.faults.append(Rule(Fault(change=lambda seen, content: {"data": {"nodes": "none"}})))
        with pytest.raises(BadAnswer, match="GraphQL, jobs of 1 workflow runs: the answer has no nodes"):
            _ask(server, lambda questions: questions.jobs.of(_suites()[:1]))
        with pytest.raises(BadAnswer, match="numbers of issues synthetic/large: the answer has no numbers"):
            _ask(server, lambda questions: questions.numbers.of(["issues synthetic/large"]))
