"""One HTTP client for all sources: it spends a budget, paces itself, and tries again what may pass.

It knows nothing of pull requests. It stays under the provider's limits by reading them from the answers'
headers instead of running into them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from metrics_assets.sources.errors import BadAnswer, Blocked, Forbidden, NotFound, Unauthorized, Unavailable

logger = logging.getLogger(__name__)

TRIES = 6
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 60.0
_TRANSIENT = (408, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its JSON (None where the body is empty), its headers and where it came from in the end."""

    json: Any
    headers: httpx.Headers
    url: str


@dataclass(slots=True)
class Budget:
    """What the provider allows within the hour, by its own headers, less the share left to others."""

    share: float
    limit: int | None = None
    remaining: int | None = None
    reset_at: float = 0.0

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what an answer's headers say."""
        try:
            limit, remaining = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
            reset_at = float(headers["x-ratelimit-reset"])
        except (KeyError, ValueError):
            return
        # Answers arrive out of order; within one hour the lowest figure is the newest.
        if self.remaining is None or reset_at > self.reset_at or remaining < self.remaining:
            self.limit, self.remaining, self.reset_at = limit, remaining, reset_at

    def wait_seconds(self, now: float) -> float:
        """How long to wait before the next request: 0, or until the hour is over."""
        if self.remaining is None or self.limit is None or now >= self.reset_at:
            return 0.0
        reserved = self.limit * (1 - self.share)
        return min(self.reset_at - now + 1, 3600.0) if self.remaining <= reserved else 0.0


@dataclass(slots=True)
class PerMinute:
    """At most `limit` requests in any 60 seconds (the provider's secondary limit)."""

    limit: int
    sent: deque[float] = field(default_factory=deque)

    def wait_seconds(self, now: float) -> float:
        while self.sent and now - self.sent[0] >= 60:
            self.sent.popleft()
        return 60 - (now - self.sent[0]) if len(self.sent) >= self.limit else 0.0


@dataclass(slots=True)
class Spent:
    """What was used, for ops.collection_log."""

    requests: int = 0
    points: int = 0


class ApiClient:
    """An asynchronous client of one API.

    Args:
        base_url: the API's address without a slash at the end.
        headers: sent with every request; a token belongs here and nowhere else.
        share: the share of the hourly budget that may be used.
        concurrency: requests in flight at the same time.
        per_minute: the most requests in 60 seconds, by resource.
        sleep, clock: replaceable for tests.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        share: float = 1.0,
        concurrency: int = 8,
        per_minute: Mapping[str, int] | None = None,
        timeout_seconds: float = 30.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = base_url
        self._client = httpx.AsyncClient(
            headers=dict(headers), timeout=timeout_seconds, follow_redirects=True,
            limits=httpx.Limits(max_connections=concurrency),
        )
        self._share = share
        self._budgets: dict[str, Budget] = {}
        self._paces = {name: PerMinute(limit) for name, limit in (per_minute or {}).items()}
        self._in_flight = asyncio.Semaphore(concurrency)
        self._sleep = sleep
        self._clock = clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        resource: str,
        spent: Spent,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        accept: str | None = None,
        retry_answer: Callable[[Any], str | None] = lambda answer: None,
        tries: int = TRIES,
    ) -> Answer:
        """Ask once, or as often as it takes within `tries`.

        Args:
            path: below `base_url`, or a whole URL.
            resource: which budget the request is paid from.
            retry_answer: looks into a good answer's JSON and returns why it has to be asked again, or None.

        Raises:
            Unauthorized, NotFound, Forbidden, Blocked, BadAnswer, Unavailable: see `sources.errors`.
        """
        url = path if path.startswith("http") else f"{self.base_url}{path}"
        what = f"{method} {url}"
        problem = "no answer"
        for attempt in range(tries):
            if attempt:
                await self._sleep(_delay(attempt))
            await self._wait_for_allowance(resource, what)
            spent.requests += 1
            try:
                async with self._in_flight:
                    response = await self._client.request(
                        method, url, params=params, json=body, headers={"Accept": accept} if accept else None
                    )
            except httpx.TransportError as error:
                problem = f"the connection failed ({type(error).__name__})"
                logger.info("%s: %s, try %d of %d", what, problem, attempt + 1, tries)
                continue
            self._budget(resource).learn(response.headers)
            pause = _pause_seconds(response, self._clock())
            if pause is not None:
                problem = f"the provider asks to wait ({response.status_code})"
                logger.warning("%s: %s; waiting %.0f s", what, problem, pause)
                await self._sleep(pause)
                continue
            if response.status_code in _TRANSIENT:
                problem = f"the provider answered {response.status_code}"
                logger.info("%s: %s, try %d of %d", what, problem, attempt + 1, tries)
                continue
            _raise_for_status(response, what)
            try:
                content = response.json() if response.content else None
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                problem = f"the answer is not JSON ({error})"
                logger.info("%s: %s, try %d of %d", what, problem, attempt + 1, tries)
                continue
            again = retry_answer(content)
            if again is None:
                return Answer(content, response.headers, str(response.url))
            problem = again
            logger.info("%s: %s, try %d of %d", what, problem, attempt + 1, tries)
        raise Unavailable(f"{what}: {problem}, after {tries} tries; run it again later.")

    def _budget(self, resource: str) -> Budget:
        return self._budgets.setdefault(resource, Budget(self._share))

    async def _wait_for_allowance(self, resource: str, what: str) -> None:
        while True:
            now = self._clock()
            pace = self._paces.get(resource)
            wait = max(self._budget(resource).wait_seconds(now), pace.wait_seconds(now) if pace else 0.0)
            if wait <= 0:
                if pace:
                    pace.sent.append(now)
                return
            if wait > 5:
                logger.warning("%s: the budget's share is used up; waiting %.0f s", what, wait)
            await self._sleep(wait)


def _delay(attempt: int) -> float:
    """Exponential back-off with full jitter, so that many clients do not come back at the same moment."""
    return random.uniform(0.5, 1.0) * min(_FIRST_DELAY_SECONDS * 2 ** (attempt - 1), _LONGEST_DELAY_SECONDS)


def _pause_seconds(response: httpx.Response, now: float) -> float | None:
    """How long a rate-limited answer asks to wait; None where the answer is about something else."""
    if response.status_code not in (403, 429):
        return None
    retry_after = response.headers.get("retry-after")
    if retry_after is not None and retry_after.isdigit():
        return float(retry_after)
    if response.headers.get("x-ratelimit-remaining") == "0":
        reset = float(response.headers.get("x-ratelimit-reset", now + 60))
        return min(max(reset - now, 0) + 1, 3600.0)
    if response.status_code == 429 or "rate limit" in response.text.lower():
        return 60.0
    return None


def _raise_for_status(response: httpx.Response, what: str) -> None:
    status = response.status_code
    if status < 400:
        return
    said = _message(response)
    if status == 401:
        raise Unauthorized(f"{what}: the token was refused ({said}); create a new one and export GITHUB_TOKEN.")
    if status in (404, 410):
        raise NotFound(f"{what}: {status} {said}; check the name and that the token may see it.")
    if status == 403:
        raise Forbidden(f"{what}: 403 {said}; give the token the permission for this.")
    if status == 451:
        raise Blocked(f"{what}: 451 {said}; the provider has blocked access.")
    raise BadAnswer(f"{what}: {status} {said}")


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase
