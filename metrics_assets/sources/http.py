"""One HTTP client for all sources: it spends a budget, paces itself, and tries again what may pass.

It knows nothing of pull requests. It stays under the provider's limits by reading them from the answers'
headers instead of running into them; `governor` says how long to wait.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from metrics_assets.sources.errors import (
    BadAnswer,
    Blocked,
    Empty,
    Forbidden,
    NotFound,
    NotReady,
    RateLimited,
    TooHeavy,
    Unauthorized,
    Unavailable,
)
from metrics_assets.sources.governor import LONGEST_PAUSE_SECONDS, Allowance, Breaker, HourlyCap

logger = logging.getLogger(__name__)

TRIES = 6
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 60.0
_TRANSIENT = (408, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Validator:
    """What an answer was marked with, so that it need not be sent again while it stays the same."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers of a conditional request."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its JSON (None where the body is empty), its headers and where it came from in the end.

    Attributes:
        text: the body, where text was asked for instead of JSON.
        not_modified: the provider says that nothing changed since the validator that was sent; no content then.
    """

    json: Any
    headers: httpx.Headers
    url: str
    text: str = ""
    not_modified: bool = False

    @property
    def validator(self) -> Validator | None:
        """What to send with the next request for the same; None where the provider marks nothing."""
        etag, modified = self.headers.get("etag"), self.headers.get("last-modified")
        return Validator(etag, modified) if etag or modified else None


@dataclass(slots=True)
class Spent:
    """What was used, for ops.api_usage."""

    requests: float = 0
    points: float = 0
    not_modified: float = 0
    retries: float = 0
    waited_seconds: float = 0.0

    def add(self, other: Spent, share: float = 1.0) -> None:
        """Take over a share of what was used elsewhere."""
        self.requests += other.requests * share
        self.points += other.points * share
        self.not_modified += other.not_modified * share
        self.retries += other.retries * share
        self.waited_seconds += other.waited_seconds * share


class Credential(Protocol):
    """Something that lets a request in."""

    @property
    def name(self) -> str:
        """What to call it in messages; never the secret itself."""

    async def authorization(self) -> str:
        """The value of the Authorization header; asked for before every request."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that does not change."""

    name: str
    secret: str = field(repr=False)

    async def authorization(self) -> str:
        return f"Bearer {self.secret}"


@dataclass(frozen=True, slots=True)
class Nobody:
    """No credential at all: public APIs."""

    name: str = "no token"

    async def authorization(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class _Setback:
    """Why a request has to be sent again, and how long the provider wants nothing to be sent before."""

    problem: str
    pause: float | None = None
    error: type[Unavailable] = Unavailable


@dataclass(slots=True)
class _Key:
    """A credential with its limits; `refused` once the provider does not accept it."""

    credential: Credential
    allowance: Allowance
    paused_until: float = 0.0
    refused: bool = False


class ApiClient:
    """An asynchronous client of one API.

    Args:
        base_url: the API's address without a slash at the end.
        headers: sent with every request; secrets belong into `credentials`.
        credentials: who asks; each has limits of its own, and the one with the most left is used.
        share: the share of the hourly budget that may be used.
        concurrency: requests in flight at the same time, of each resource.
        at_once: of some resources fewer.
        per_minute: the most requests in 60 seconds, by resource.
        busy_seconds: the most seconds of answering in 60 seconds, by resource.
        cap: the most requests and points per hour, over all credentials.
        sleep, clock: replaceable for tests.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        *,
        credentials: Sequence[Credential] = (),
        share: float = 1.0,
        concurrency: int = 8,
        at_once: Mapping[str, int] | None = None,
        per_minute: Mapping[str, int] | None = None,
        busy_seconds: Mapping[str, float] | None = None,
        cap: HourlyCap | None = None,
        timeout_seconds: float = 30.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = base_url
        self._client = httpx.AsyncClient(
            headers=dict(headers or {}),
            timeout=timeout_seconds,
            follow_redirects=True,
            limits=httpx.Limits(max_connections=2 * concurrency),
        )
        self._keys = [
            _Key(credential, Allowance(share, per_minute or {}, busy_seconds or {}))
            for credential in credentials or (Nobody(),)
        ]
        self._cap = cap
        # Of each resource its own, so that one whose allowance is used up does not hold up the others.
        self._in_flight: dict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(concurrency),
            {resource: asyncio.Semaphore(min(limit, concurrency)) for resource, limit in (at_once or {}).items()},
        )
        self._sleep = sleep
        self._clock = clock
        self._breaker = Breaker(clock)
        # How far the provider's clock is ahead of ours: its limits are times of its own.
        self.clock_offset = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    def now(self) -> float:
        """Seconds since 1970 by the provider's clock, as far as its answers have told it."""
        return self._clock() + self.clock_offset

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
        text: bool = False,
        known: Validator | None = None,
        retry_answer: Callable[[Any], str | None] = lambda answer: None,
        tries: int = TRIES,
        tries_if_heavy: int | None = None,
    ) -> Answer:
        """Ask once, or as often as it takes within `tries`.

        Args:
            path: below `base_url`, or a whole URL.
            resource: which budget the request is paid from.
            text: the answer is text, not JSON.
            known: what the last answer was marked with; the answer may then be `not_modified`.
            tries_if_heavy: how often to ask for what the provider could not answer in time; a smaller page helps more.
            retry_answer: looks into a good answer's JSON and returns why it has to be asked again, or None.

        Raises:
            Unauthorized, SourceError: see `sources.errors`.
        """
        url = self._url(path)
        what = f"{method} {url}"
        headers = {**({"Accept": accept} if accept else {}), **(known.headers() if known else {})}
        request = self._client.build_request(method, url, params=params, json=body, headers=headers)
        failures = pauses = 0
        while True:
            if self._breaker.is_open():
                raise Unavailable(
                    f"{what}: not sent, because {self.base_url} has just failed several times; run it again later."
                )
            spent.requests += 1
            outcome = await self._attempt(request, resource, what, spent, text, retry_answer)
            if isinstance(outcome, Answer):
                self._breaker.succeeded()
                return outcome
            spent.retries += 1
            if outcome.pause is None:
                failures += 1
                logger.info("%s: %s, try %d of %d", what, outcome.problem, failures, tries)
            else:
                pauses += 1
                logger.warning("%s: %s; waiting %.0f s", what, outcome.problem, outcome.pause)
            allowed = tries_if_heavy or tries if outcome.error is TooHeavy else tries
            if failures >= allowed or pauses >= TRIES:
                # A page that is too heavy says nothing about the provider's health.
                if outcome.error is Unavailable:
                    self._breaker.failed()
                times = failures + pauses
                raise outcome.error(f"{what}: {outcome.problem}, after {times} tries; run it again later.")
            if outcome.pause is None:
                await self._sleep(_delay(failures))

    async def _attempt(
        self,
        request: httpx.Request,
        resource: str,
        what: str,
        spent: Spent,
        text: bool,
        retry_answer: Callable[[Any], str | None],
    ) -> Answer | _Setback:
        try:
            key, response = await self._send(request, resource, what, spent)
        except httpx.RequestError as error:
            return _Setback(f"the connection failed ({type(error).__name__})")
        pause = _pause_seconds(response, self.now())
        if pause is not None:
            # Nothing else is sent with this credential meanwhile: who goes on during a limit may be shut out.
            key.paused_until = max(key.paused_until, self._clock() + pause)
            return _Setback(f"the provider asks to wait ({response.status_code})", pause, RateLimited)
        if response.status_code in _TRANSIENT:
            heavy = TooHeavy if response.status_code in (502, 504) else Unavailable
            return _Setback(f"the provider answered {response.status_code}", error=heavy)
        if response.status_code == 202:
            return _Setback("the provider is still computing the answer (202)", error=NotReady)
        if response.status_code == 304:
            spent.not_modified += 1
            return Answer(None, response.headers, str(response.url), not_modified=True)
        if response.status_code == 401 and self._refuse(key):
            return _Setback(f"{key.credential.name} was refused (401); another one is used", pause=0.0)
        if response.status_code >= 400:
            self._breaker.succeeded()  # a refusal is an answer, too
        _raise_for_status(response, what, key.credential.name)
        if text:
            return Answer(None, response.headers, str(response.url), text=response.text)
        try:
            content = response.json() if response.content else None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            return _Setback(f"the answer is not JSON ({error})")
        again = retry_answer(content)
        if again is None:
            return Answer(content, response.headers, str(response.url))
        if "rate limit" in again.lower():
            pause = _limited_seconds(response, self.now())
            key.paused_until = max(key.paused_until, self._clock() + pause)
            return _Setback(again, pause, RateLimited)
        return _Setback(again, error=TooHeavy)

    async def _send(
        self, request: httpx.Request, resource: str, what: str, spent: Spent
    ) -> tuple[_Key, httpx.Response]:
        # The allowance is asked for with a place in flight, so that what waits in the queue is judged by the
        # newest answer's budget.
        async with self._in_flight[resource]:
            key, authorization = await self._let_in(resource, what, spent)
            if authorization:
                request.headers["Authorization"] = authorization
            budget = key.allowance.budget(resource)
            budget.in_flight += 1
            began = self._clock()
            try:
                response = await self._client.send(request)
            finally:
                budget.in_flight -= 1
                ended = self._clock()
                if resource in key.allowance.busy:
                    key.allowance.busy[resource].add(ended, ended - began)
            self._learn_clock(response)
            budget.learn(response.headers)
        return key, response

    async def _let_in(self, resource: str, what: str, spent: Spent) -> tuple[_Key, str]:
        """The credential that may ask first, and its header; one that gets no token is left out."""
        while True:
            key = await self._wait_for_allowance(resource, what, spent)
            try:
                return key, await key.credential.authorization()
            except Unauthorized:
                if not self._refuse(key):
                    raise

    def _learn_clock(self, response: httpx.Response) -> None:
        try:
            theirs = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            return
        # The header has whole seconds; less than two are no news.
        offset = theirs - self._clock()
        if abs(offset - self.clock_offset) >= 2:
            self.clock_offset = offset

    def _refuse(self, key: _Key) -> bool:
        """Leave a credential out from now on; whether there is another one."""
        key.refused = True
        return any(not other.refused for other in self._keys)

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

    async def _wait_for_allowance(self, resource: str, what: str, spent: Spent) -> _Key:
        """The credential that may ask first, when it may."""
        while True:
            now = self._clock()  # our own limits; only the provider's reset is a time of its clock
            usable = [key for key in self._keys if not key.refused] or self._keys
            waits = [
                (max(key.allowance.wait_seconds(resource, now, self.now()), key.paused_until - now, 0.0), key)
                for key in usable
            ]
            shortest = min(wait for wait, _ in waits)
            wait = max(shortest, self._cap.wait_seconds(now) if self._cap else 0.0)
            if wait <= 0:
                key = max((key for wait, key in waits if wait <= 0), key=lambda key: key.allowance.left(resource))
                if resource in key.allowance.paces:
                    key.allowance.paces[resource].sent.append(now)
                if self._cap:
                    self._cap.add(now, 1)
                return key
            if wait > 5:
                logger.warning("%s: the allowance is used up; waiting %.0f s", what, wait)
            spent.waited_seconds += wait
            await self._sleep(wait)

    def charge(self, points: float) -> None:
        """Count points beyond the request itself against the cap of metrics.yaml."""
        if self._cap and points > 0:
            self._cap.add(self._clock(), points)


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
    return 60.0 if asked is None else min(max(asked, 1.0), LONGEST_PAUSE_SECONDS)


def _retry_after(response: httpx.Response, now: float) -> float | None:
    """Seconds of the Retry-After header, which may also be a date."""
    text = response.headers.get("retry-after", "").strip()
    try:
        return float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - now
    except ValueError:
        return None


def _raise_for_status(response: httpx.Response, what: str, credential: str) -> None:
    status = response.status_code
    if status < 400:
        return
    said = _message(response)
    if status == 401:
        raise Unauthorized(
            f"{what}: {credential} was refused ({said}); create a new token and put it into the environment."
        )
    if status in (404, 410):
        raise NotFound(f"{what}: {status} {said}; check the name and that the token may see it.")
    if status == 403:
        raise Forbidden(f"{what}: 403 {said}; give the token the permission for this.")
    if status == 409:
        raise Empty(f"{what}: 409 {said}; there is nothing in it yet.")
    if status == 451:
        raise Blocked(f"{what}: 451 {said}; the provider has blocked access.")
    raise BadAnswer(f"{what}: {status} {said}; run it again, and report it as a defect if it stays so.")


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])[:200].rstrip(". ")
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase
