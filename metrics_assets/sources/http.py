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
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx

from metrics_assets.sources.errors import BadAnswer, Blocked, Forbidden, NotFound, Unauthorized, Unavailable

logger = logging.getLogger(__name__)

TRIES = 6
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 3600.0
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
    in_flight: int = 0

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what an answer's headers say."""
        try:
            limit, remaining = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
            reset_at = float(headers["x-ratelimit-reset"])
        except (KeyError, ValueError):
            return
        # Answers arrive out of order: a late one of the hour before says nothing about this hour, and within one
        # hour the lowest figure is the newest.
        if reset_at < self.reset_at - 60:
            return
        if self.remaining is None or reset_at > self.reset_at or remaining < self.remaining:
            self.limit, self.remaining, self.reset_at = limit, remaining, reset_at

    def wait_seconds(self, now: float) -> float:
        """How long to wait before the next request: 0, or until the hour is over."""
        if self.remaining is None or self.limit is None or now >= self.reset_at:
            return 0.0
        reserved = round(self.limit * (1 - self.share), 6)  # 100 * (1 - 0.8) is a little less than 20
        # Requests on their way are spent already, though no answer has said so yet.
        left = self.remaining - self.in_flight
        return min(self.reset_at - now + 1, _LONGEST_PAUSE_SECONDS) if left <= reserved else 0.0


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


@dataclass(frozen=True, slots=True)
class _Setback:
    """Why a request has to be sent again, and how long the provider wants nothing to be sent before."""

    problem: str
    pause: float | None = None


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
            headers=dict(headers),
            timeout=timeout_seconds,
            follow_redirects=True,
            limits=httpx.Limits(max_connections=concurrency),
        )
        self._share = share
        self._budgets: dict[str, Budget] = {}
        self._paces = {name: PerMinute(limit) for name, limit in (per_minute or {}).items()}
        self._in_flight = asyncio.Semaphore(concurrency)
        self._paused_until = 0.0
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
        url = self._url(path)
        what = f"{method} {url}"
        request = self._client.build_request(
            method, url, params=params, json=body, headers={"Accept": accept} if accept else None
        )
        failures = pauses = 0
        while True:
            spent.requests += 1
            outcome = await self._attempt(request, resource, what, retry_answer)
            if isinstance(outcome, Answer):
                return outcome
            if outcome.pause is None:
                failures += 1
                logger.info("%s: %s, try %d of %d", what, outcome.problem, failures, tries)
            else:
                pauses += 1
                logger.warning("%s: %s; waiting %.0f s", what, outcome.problem, outcome.pause)
                # Nothing else is sent meanwhile either: who goes on during a secondary limit may be shut out.
                self._paused_until = max(self._paused_until, self._clock() + outcome.pause)
            if failures >= tries or pauses >= TRIES:
                times = failures + pauses
                raise Unavailable(f"{what}: {outcome.problem}, after {times} tries; run it again later.")
            if outcome.pause is None:
                await self._sleep(_delay(failures))

    async def _attempt(
        self, request: httpx.Request, resource: str, what: str, retry_answer: Callable[[Any], str | None]
    ) -> Answer | _Setback:
        try:
            response = await self._send(request, resource, what)
        except httpx.RequestError as error:
            return _Setback(f"the connection failed ({type(error).__name__})")
        pause = _pause_seconds(response, self._clock())
        if pause is not None:
            return _Setback(f"the provider asks to wait ({response.status_code})", pause)
        if response.status_code in _TRANSIENT:
            return _Setback(f"the provider answered {response.status_code}")
        _raise_for_status(response, what)
        try:
            content = response.json() if response.content else None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            return _Setback(f"the answer is not JSON ({error})")
        again = retry_answer(content)
        if again is None:
            return Answer(content, response.headers, str(response.url))
        return _Setback(again, _limited_seconds(response, self._clock()) if "rate limit" in again.lower() else None)

    async def _send(self, request: httpx.Request, resource: str, what: str) -> httpx.Response:
        budget = self._budget(resource)
        # The allowance is asked for with a place in flight, so that what waits in the queue is judged by the
        # newest answer's budget.
        async with self._in_flight:
            await self._wait_for_allowance(resource, what)
            budget.in_flight += 1
            try:
                response = await self._client.send(request)
            finally:
                budget.in_flight -= 1
            budget.learn(response.headers)
        return response

    def _url(self, path: str) -> str:
        """The whole address; links in answers are followed only to the server that the token is for."""
        if not path.startswith("http"):
            return f"{self.base_url}{path}"
        try:
            link, base = httpx.URL(path), httpx.URL(self.base_url)
        except httpx.InvalidURL as error:
            raise BadAnswer(f"{self.base_url}: an answer's link leads to no address ({error}).") from error
        if (link.scheme, link.netloc) != (base.scheme, base.netloc):
            raise BadAnswer(
                f"{self.base_url}: an answer's link leads to {link.scheme}://{link.host}, where the token is not "
                "sent; set GITHUB_API_URL to the address that the server gives itself."
            )
        return path

    def _budget(self, resource: str) -> Budget:
        return self._budgets.setdefault(resource, Budget(self._share))

    async def _wait_for_allowance(self, resource: str, what: str) -> None:
        while True:
            now = self._clock()
            pace = self._paces.get(resource)
            wait = max(
                self._budget(resource).wait_seconds(now),
                pace.wait_seconds(now) if pace else 0.0,
                self._paused_until - now,
            )
            if wait <= 0:
                if pace:
                    pace.sent.append(now)
                return
            if wait > 5:
                logger.warning("%s: the allowance is used up; waiting %.0f s", what, wait)
            await self._sleep(wait)


def _delay(attempt: int) -> float:
    """Exponential back-off with full jitter, so that many clients do not come back at the same moment."""
    longest: float = min(_FIRST_DELAY_SECONDS * 2 ** (attempt - 1), _LONGEST_DELAY_SECONDS)
    return random.uniform(0.5, 1.0) * longest


def _pause_seconds(response: httpx.Response, now: float) -> float | None:
    """How long a rate-limited answer asks to wait; None where the answer is about something else."""
    if response.status_code == 503 and "retry-after" in response.headers:
        return _limited_seconds(response, now)
    if response.status_code not in (403, 429):
        return None
    limited = (
        response.status_code == 429
        or _retry_after(response, now) is not None
        or response.headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in response.text.lower()
    )
    return _limited_seconds(response, now) if limited else None


def _limited_seconds(response: httpx.Response, now: float) -> float:
    """How long to wait after a rate-limited answer: as it says, until the hour is over, or else a minute."""
    asked = _retry_after(response, now)
    if asked is None and response.headers.get("x-ratelimit-remaining") == "0":
        try:
            asked = float(response.headers["x-ratelimit-reset"]) - now + 1
        except (KeyError, ValueError):
            asked = None
    return 60.0 if asked is None else min(max(asked, 1.0), _LONGEST_PAUSE_SECONDS)


def _retry_after(response: httpx.Response, now: float) -> float | None:
    """Seconds of the Retry-After header, which may also be a date."""
    text = response.headers.get("retry-after", "").strip()
    try:
        return float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - now
    except ValueError:
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
    raise BadAnswer(f"{what}: {status} {said}; run it again, and report it as a defect if it stays so.")


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])[:200].rstrip(". ")
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase
