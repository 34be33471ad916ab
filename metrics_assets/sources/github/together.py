"""What several repositories ask for at the same time, asked for in one query.

Repositories are read side by side. Where one needs something small (the jobs of two workflow runs), the question
waits a moment for the others', and one query answers all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from metrics_assets.sources.asking import parse
from metrics_assets.sources.errors import BadAnswer, Blocked, Forbidden, NotFound, TooHeavy
from metrics_assets.sources.github import answers
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.documents import numbers_of, whole

_PATIENCE_SECONDS = 0.3
# One bad question of a hundred is found in seven halvings; three of them take no more than these.
_MOST_FAILURES = 24

Value = TypeVar("Value")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(slots=True)
class Together(Generic[Value]):
    """Gathers questions and asks them together.

    Attributes:
        ask: what answers some questions; of what it leaves out there is nothing.
        at_once: the most questions of a query.
        patience: how long, in seconds, a query waits for more of them.
    """

    ask: Callable[[list[str]], Awaitable[dict[str, Value]]]
    at_once: int = 100
    patience: float = _PATIENCE_SECONDS
    _waiting: dict[str, asyncio.Future[Value | None]] = field(default_factory=dict)
    _asking: set[asyncio.Task[None]] = field(default_factory=set)
    _alarm: asyncio.TimerHandle | None = None

    async def of(self, questions: Sequence[str]) -> dict[str, Value]:
        """The answers to questions.

        Raises:
            SourceError: they could not be had.
        """
        loop = asyncio.get_running_loop()
        mine: dict[str, asyncio.Future[Value | None]] = {
            question: self._waiting.setdefault(question, loop.create_future()) for question in dict.fromkeys(questions)
        }
        while len(self._waiting) >= self.at_once:
            self._send()
        if self._waiting and self._alarm is None:
            self._alarm = loop.call_later(self.patience, self._send)
        if mine:
            # Who waits may be cancelled; what the others wait for goes on.
            await asyncio.wait(mine.values())
        answers_of = {question: future.result() for question, future in mine.items()}
        return {question: value for question, value in answers_of.items() if value is not None}

    def _send(self) -> None:
        """Ask the first of the waiting questions, without waiting for the answer."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        batch = {question: self._waiting.pop(question) for question in list(self._waiting)[: self.at_once]}
        if batch:
            task = asyncio.create_task(self._answer(batch))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        if self._waiting:
            self._alarm = asyncio.get_running_loop().call_later(self.patience, self._send)

    async def _answer(self, batch: dict[str, asyncio.Future[Value | None]]) -> None:
        found: dict[str, Value | Exception] = {}
        try:
            found = await self._in_parts(list(batch), [0])
        except Exception as error:
            found = dict.fromkeys(batch, error)
        finally:
            for question, future in batch.items():
                outcome = found.get(question)
                if future.done():
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                    future.exception()  # nobody may be waiting for it any more
                else:
                    future.set_result(outcome)

    async def _in_parts(self, questions: list[str], failures: list[int]) -> dict[str, Value | Exception]:
        """Ask; where that is too much at once, or one of the questions is the trouble, ask for half at a time.

        Args:
            failures: how often it has failed so far, in one element; where everything fails, halving ends.
        """
        try:
            return dict(await self.ask(questions))
        except (TooHeavy, BadAnswer, Blocked, Forbidden, NotFound) as error:
            failures[0] += 1
            if len(questions) == 1 or failures[0] > _MOST_FAILURES:
                return dict.fromkeys(questions, error)
            half = len(questions) // 2
            first = await self._in_parts(questions[:half], failures)
            return {**first, **await self._in_parts(questions[half:], failures)}


@dataclass(slots=True)
class Questions:
    """The questions of a collection that are asked together; their price is the portfolio's.

    jobs             a check suite's node id: the jobs of its workflow run
    review_comments  a pull request's node id: its newest threads
    numbers          'pull_requests acme/api', for a list of at most 100: the numbers that it has
    """

    github: GitHub
    jobs: Together[answers.CheckSuite] = field(init=False)
    review_comments: Together[answers.ReviewedPullRequest] = field(init=False)
    numbers: Together[set[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = Together(self._jobs)
        self.review_comments = Together(self._review_comments, at_once=50)
        self.numbers = Together(self._numbers, at_once=50)

    async def _jobs(self, ids: list[str]) -> dict[str, answers.CheckSuite]:
        found = await self._nodes("jobs", ids, answers.CheckSuite, f"jobs of {len(ids)} workflow runs")
        return {suite.suite_id: suite for suite in found}

    async def _review_comments(self, ids: list[str]) -> dict[str, answers.ReviewedPullRequest]:
        what = f"comments on lines of {len(ids)} pull requests"
        found = await self._nodes("review_comments", ids, answers.ReviewedPullRequest, what)
        return {pull.node_id: pull for pull in found}

    async def _nodes(self, query: str, ids: list[str], model: type[Model], what: str) -> list[Model]:
        """The nodes of some ids; those that were deleted meanwhile are left out."""
        reply = await self.github.query(whole(query), {"ids": ids}, what, tries_if_heavy=2)
        for error in reply.errors:
            if error.kind != "NOT_FOUND":
                raise error.as_source_error(f"GraphQL, {what}")
        nodes: Any = reply.data.get("nodes")
        if not isinstance(nodes, list):
            raise BadAnswer(f"GraphQL, {what}: the answer has no nodes; run it again later.")
        return [parse(model, node, what) for node in nodes if node]

    async def _numbers(self, questions: list[str]) -> dict[str, set[int]]:
        lists = [tuple(question.split(" ", 1)) for question in questions]
        document, variables = numbers_of([(entity, repository) for entity, repository in lists])
        what = f"numbers of {', '.join(questions[:3])}"
        reply = await self.github.query(document, variables, what, tries_if_heavy=2)
        found: dict[str, set[int]] = {}
        for index, question in enumerate(questions):
            errors = [error for error in reply.errors if error.path[:1] == (f"r{index}",)]
            if errors:
                raise errors[0].as_source_error(f"GraphQL, numbers of {question}")
            try:
                listed = reply.data[f"r{index}"]["listed"]
                found[question] = {int(node["number"]) for node in listed["nodes"]}
                if listed["totalCount"] > len(found[question]):
                    raise BadAnswer(f"GraphQL, numbers of {question}: {listed['totalCount']} do not fit on a page.")
            except (KeyError, TypeError, ValueError) as error:
                raise BadAnswer(f"GraphQL, numbers of {question}: the answer has no numbers ({error!r}).") from error
        return found
