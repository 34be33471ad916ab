"""GitHub's two APIs over one `ApiClient`: REST answers and lists, GraphQL queries with partial answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx

from metrics_assets.sources.asking import answered_at
from metrics_assets.sources.errors import BadAnswer, Blocked, Forbidden, NotFound, SourceError, TooHeavy
from metrics_assets.sources.http import TRIES, Answer, ApiClient, Spent, Validator

_LAST_PAGE = re.compile(r"[?&]page=(\d+)[^>]*>;\s*rel=\"last\"")
_NEXT_URL = re.compile(r"<([^>]+)>;\s*rel=\"next\"")
# What GitHub says when a query took more than its ten seconds.
_TOO_HEAVY = ("something went wrong", "timeout", "timed out", "resource limits", "resource_limits_exceeded")
_INVALID_CURSOR = "valid cursor"


@dataclass(frozen=True, slots=True)
class GraphQLError:
    """One error of a GraphQL answer.

    Attributes:
        path: to what is missing because of it, such as ('repository', 'issues'); empty where all is.
    """

    kind: str
    message: str
    path: tuple[str | int, ...]

    @property
    def passes(self) -> bool:
        """Whether asking again, or for less, may help."""
        return self.kind in ("INTERNAL", "RESOURCE_LIMITS_EXCEEDED") or any(
            words in self.message.lower() for words in _TOO_HEAVY
        )

    @property
    def limits(self) -> bool:
        """Whether it is about a rate limit."""
        return self.kind == "RATE_LIMITED" or "rate limit" in self.message.lower()

    def as_source_error(self, what: str) -> SourceError:
        """The error to raise, or to report for a part of the answer."""
        text = f"{what}: {(self.message or self.kind)[:200].rstrip('. ')}"
        if self.kind == "NOT_FOUND":
            return NotFound(f"{text}; check the name and that the token may see it.")
        if self.kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES"):
            return Forbidden(f"{text}; give the token the permission for this.")
        if self.kind in ("DMCA_TAKEDOWN", "BLOCKED", "UNAVAILABLE_FOR_LEGAL_REASONS"):
            return Blocked(f"{text}; the provider has blocked access.")
        if self.passes:
            return TooHeavy(f"{text}; run it again later.")
        if _INVALID_CURSOR in self.message:
            return InvalidCursor(text)
        return BadAnswer(f"{text}; run it again, and report it as a defect if it stays so.")


class InvalidCursor(SourceError):
    """The place where a list was left is unknown to the provider by now."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A GraphQL answer: what came, what did not and why, its price, and the provider's time."""

    data: dict[str, Any]
    errors: list[GraphQLError]
    points: int
    at: datetime


@dataclass(slots=True)
class GitHub:
    """GitHub, or anything that speaks like it.

    Attributes:
        page_size: the rows asked for per page of a nested list, at the most.
        rest, graphql: what was used so far through this object; see `accounted`.
        known: the stored validator of an address, for conditional requests.
    """

    client: ApiClient
    page_size: int = 50
    rest: Spent = field(default_factory=Spent)
    graphql: Spent = field(default_factory=Spent)
    known: Callable[[str], Validator | None] = lambda url: None

    def accounted(self) -> GitHub:
        """The same connection with an account of its own."""
        return replace(self, rest=Spent(), graphql=Spent())

    async def get(self, path: str, params: dict[str, str | int] | None = None, *, conditional: bool = False) -> Answer:
        """One REST answer; with `conditional` it may be `not_modified`."""
        return await self.client.request(
            "GET",
            path,
            resource="core",
            params=params,
            spent=self.rest,
            accept="application/vnd.github+json",
            known=self.known(self.address(path, params)) if conditional else None,
        )

    def address(self, path: str, params: dict[str, str | int] | None = None) -> str:
        """What an answer's validator is stored under."""
        return str(httpx.URL(f"{self.client.base_url}{path}", params=params or {}))

    async def pages(
        self, path: str, params: dict[str, str | int] | None = None, *, conditional: bool = False
    ) -> AsyncGenerator[Answer, None]:
        """The pages of a REST list: the first one alone, the rest side by side where their number is known.

        With `conditional`, nothing follows where the first page is as it was.
        """
        asked = {**(params or {}), "per_page": 100}
        first = await self.get(path, asked, conditional=conditional)
        yield first
        link = first.headers.get("link", "")
        last = _LAST_PAGE.search(link)
        if first.not_modified:
            return
        if last is None:
            async for answer in self._follow(link):
                yield answer
            return
        requests = [
            asyncio.create_task(self.get(path, {**asked, "page": page})) for page in range(2, int(last.group(1)) + 1)
        ]
        try:
            for request in requests:
                yield await request
        finally:
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)

    async def _follow(self, link: str) -> AsyncIterator[Answer]:
        following = _NEXT_URL.search(link)
        while following:
            answer = await self.get(following.group(1))
            yield answer
            following = _NEXT_URL.search(answer.headers.get("link", ""))

    async def query(self, document: str, variables: dict[str, Any], what: str, *, tries_if_heavy: int = TRIES) -> Reply:
        """A GraphQL answer, whole or in part.

        Args:
            what: names the query in messages, for example 'issues of acme/api'.

        Raises:
            NotFound, Forbidden, Blocked, TooHeavy, BadAnswer: nothing of it came.
        """
        try:
            answer = await self.client.request(
                "POST",
                _graphql_path(self.client.base_url),
                resource="graphql",
                spent=self.graphql,
                body={"query": document, "variables": variables},
                retry_answer=_worth_another_try,
                tries_if_heavy=tries_if_heavy,
            )
        except SourceError as error:
            raise type(error)(f"GraphQL, {what}: {error}") from error
        errors = _errors(answer.json)
        data = answer.json.get("data")
        if not isinstance(data, dict):
            if errors:
                raise errors[0].as_source_error(f"GraphQL, {what}")
            raise BadAnswer(f"GraphQL, {what}: the answer has no data.")
        limit = data.get("rateLimit")
        points = limit.get("cost") if isinstance(limit, dict) else None
        points = points if isinstance(points, int) else 1
        self.graphql.points += points
        self.client.charge(points - 1)
        return Reply(data, errors, points, answered_at(answer))


def as_list(answer: Answer) -> list[Any]:
    """The content of an answer that must be a list.

    Raises:
        BadAnswer: it is something else.
    """
    if not isinstance(answer.json, list):
        raise BadAnswer(f"GET {answer.url}: a list was expected, not {type(answer.json).__name__}.")
    return answer.json


def _graphql_path(base_url: str) -> str:
    # GitHub Enterprise Server has REST at /api/v3 and GraphQL at /api/graphql.
    return str(httpx.URL(base_url).join("/api/graphql")) if base_url.endswith("/api/v3") else "/graphql"


def _errors(content: Any) -> list[GraphQLError]:
    listed = content.get("errors") if isinstance(content, dict) else None
    found = []
    for error in listed if isinstance(listed, list) else [listed] if listed else []:
        named = error if isinstance(error, dict) else {"message": str(error)}
        path = named.get("path")
        found.append(
            GraphQLError(
                kind=str(named.get("type") or ""),
                message=str(named.get("message") or ""),
                path=tuple(path) if isinstance(path, list) else (),
            )
        )
    return found


def _worth_another_try(content: Any) -> str | None:
    """Why a GraphQL answer has to be asked again: a limit, or an error that passes and left nothing."""
    if not isinstance(content, dict):
        return "the GraphQL answer is not an object"
    data = content.get("data")
    anything = isinstance(data, dict) and any(data[name] is not None for name in data if name != "rateLimit")
    for error in _errors(content):
        if error.limits:
            return f"GraphQL rate limit: {error.message or error.kind}"
        if error.passes and not anything:
            return f"GraphQL error: {error.message or error.kind}"
    return None
