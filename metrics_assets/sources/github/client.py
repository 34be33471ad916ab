"""GitHub's two APIs over one `ApiClient`: pages of REST lists, pages of GraphQL connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from metrics_assets.sources.asking import parse
from metrics_assets.sources.errors import BadAnswer, Forbidden, NotFound, Unavailable
from metrics_assets.sources.github.answers import PageInfo
from metrics_assets.sources.http import TRIES, Answer, ApiClient, Spent

_QUERIES = Path(__file__).with_name("queries")
_LAST_PAGE = re.compile(r"[?&]page=(\d+)[^>]*>;\s*rel=\"last\"")
_NEXT_URL = re.compile(r"<([^>]+)>;\s*rel=\"next\"")
_SMALLEST_PAGE = 5
_GOOD_PAGES_BEFORE_GROWING = 4
# What GitHub says when a query took more than its ten seconds.
_TOO_HEAVY = ("something went wrong", "timeout", "resource limits", "resource_limits_exceeded")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a GraphQL connection."""

    items: list[dict[str, Any]]
    total_count: int
    info: PageInfo


@dataclass(slots=True)
class GitHub:
    """GitHub, or anything that speaks like it.

    Attributes:
        page_size: the rows asked for per page of a GraphQL connection, at the most; pages get smaller while
            GitHub finds them too heavy and grow back afterwards.
        spent: requests and points used so far through this object; see `accounted`.
    """

    client: ApiClient
    page_size: int = 50
    spent: Spent = field(default_factory=Spent)

    def accounted(self) -> GitHub:
        """The same connection with an account of its own."""
        return replace(self, spent=Spent())

    async def get(self, path: str, params: dict[str, str | int] | None = None) -> Answer:
        """One REST answer."""
        return await self.client.request(
            "GET", path, resource="core", params=params, spent=self.spent, accept="application/vnd.github+json"
        )

    async def pages(self, path: str, params: dict[str, str | int] | None = None) -> AsyncGenerator[list[Any], None]:
        """The pages of a REST list: the first one alone, the rest side by side where their number is known."""
        first = await self.get(path, {**(params or {}), "per_page": 100})
        yield _as_list(first)
        link = first.headers.get("link", "")
        last = _LAST_PAGE.search(link)
        if last is None:
            async for answer in self._follow(link):
                yield _as_list(answer)
            return
        requests = [
            asyncio.create_task(self.get(path, {**(params or {}), "per_page": 100, "page": page}))
            for page in range(2, int(last.group(1)) + 1)
        ]
        try:
            for request in requests:
                yield _as_list(await request)
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

    async def query(self, query: str, tries: int = TRIES, /, **variables: Any) -> dict[str, Any]:
        """The `data` of a GraphQL query from queries/<name>.graphql.

        Raises:
            NotFound, Forbidden: what the query is about cannot be seen with this token.
            BadAnswer: GitHub rejects the query; that is a defect of this product.
        """
        answer = await self.client.request(
            "POST",
            _graphql_path(self.client.base_url),
            resource="graphql",
            spent=self.spent,
            body={"query": document(query), "variables": variables},
            retry_answer=_worth_another_try,
            tries=tries,
        )
        data, errors = answer.json.get("data"), answer.json.get("errors")
        if errors:
            _raise_graphql(errors, query, variables)
        if not isinstance(data, dict):
            raise BadAnswer(f"GraphQL query {query} ({_about(variables)}): the answer has no data.")
        self.spent.points += int((data.get("rateLimit") or {}).get("cost", 1))
        return data

    async def connection(self, query: str, /, **variables: Any) -> AsyncIterator[Page]:
        """All pages of the connection that a query gives as `repository.items`.

        Their `total_count` is that of `repository.whole` where the query asks for it, because `items` may be a
        part of the list.
        """
        cursor: str | None = None
        size, good = self.page_size, 0
        while True:
            try:
                # A page that is too heavy stays so: rather ask for a smaller one than again for the same.
                tries = TRIES if size <= _SMALLEST_PAGE else 2
                data = await self.query(query, tries, pageSize=size, cursor=cursor, **variables)
            except Unavailable:
                if size <= _SMALLEST_PAGE:
                    raise
                size, good = max(_SMALLEST_PAGE, size // 2), 0
                continue
            repository = data.get("repository") or {}
            found = repository.get("items")
            if not isinstance(found, dict) or "pageInfo" not in found:
                raise BadAnswer(f"GraphQL query {query} ({_about(variables)}): the answer has no list of items.")
            page = Page(
                items=[item for item in found.get("nodes") or found.get("edges") or [] if item],
                total_count=int((repository.get("whole") or found).get("totalCount") or 0),
                info=parse(PageInfo, found["pageInfo"], query),
            )
            yield page
            if not page.info.has_next_page:
                return
            cursor, good = page.info.end_cursor, good + 1
            if good % _GOOD_PAGES_BEFORE_GROWING == 0:
                size = min(self.page_size, size * 2)


@cache
def document(name: str) -> str:
    """The text of a query, with the fragments that it uses."""
    text = (_QUERIES / f"{name}.graphql").read_text(encoding="utf-8")
    if "...TimelineItem" in text:
        text += (_QUERIES / "timeline_item.graphql").read_text(encoding="utf-8")
    return text


def _graphql_path(base_url: str) -> str:
    # GitHub Enterprise Server has REST at /api/v3 and GraphQL at /api/graphql.
    return str(httpx.URL(base_url).join("/api/graphql")) if base_url.endswith("/api/v3") else "/graphql"


def _worth_another_try(content: Any) -> str | None:
    """Why a GraphQL answer has to be asked again: errors that pass by themselves, or with a smaller page."""
    if not isinstance(content, dict):
        return "the GraphQL answer is not an object"
    errors = content.get("errors") or []
    for error in errors if isinstance(errors, list) else []:
        named = error if isinstance(error, dict) else {}
        message, kind = str(named.get("message") or ""), str(named.get("type") or "")
        if kind == "RATE_LIMITED" or "rate limit" in message.lower():
            return f"GraphQL rate limit: {message or kind}"
        if kind == "INTERNAL" or any(words in message.lower() for words in _TOO_HEAVY):
            return f"GraphQL error: {message or kind}"
    return None


def _raise_graphql(errors: Any, name: str, variables: dict[str, Any]) -> None:
    first = errors[0] if isinstance(errors, list) else errors
    kind, message = (first.get("type"), first.get("message")) if isinstance(first, dict) else (None, None)
    what = f"GraphQL query {name} ({_about(variables)}): {str(message or kind or first)[:200].rstrip('. ')}"
    if kind == "NOT_FOUND":
        raise NotFound(f"{what}; check the name and that the token may see it.")
    if kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES"):
        raise Forbidden(f"{what}; give the token the permission for this.")
    raise BadAnswer(f"{what}; run it again, and report it as a defect if it stays so.")


def _about(variables: dict[str, Any]) -> str:
    return f"{variables['owner']}/{variables['name']}" if "owner" in variables else str(variables.get("id", ""))


def _as_list(answer: Answer) -> list[Any]:
    if not isinstance(answer.json, list):
        raise BadAnswer(f"GET {answer.url}: a list was expected, not {type(answer.json).__name__}.")
    return answer.json
