"""Faults that a test asks the demo server to commit: what GitHub does on a bad day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as rules see it."""

    number: int  # of all requests, the first is 1
    kind: str  # rest | graphql | webhook
    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]  # what was posted: query and variables


@dataclass(frozen=True, slots=True)
class Fault:
    """What the server does instead of, or before, its answer."""

    status: int | None = None  # answer with this status ...
    body: dict[str, Any] = field(default_factory=dict)  # ... and this content
    headers: dict[str, str] = field(default_factory=dict)
    delay_ms: int = 0  # wait first
    drop: bool = False  # close the connection without a word
    truncate: bool = False  # answer, but send only the first half of the content


BAD_GATEWAY = Fault(status=502, body={"message": "Server Error"})
DROP = Fault(drop=True)
TRUNCATE = Fault(truncate=True)


def slow(milliseconds: int) -> Fault:
    """The right answer, late."""
    return Fault(delay_ms=milliseconds)


def secondary_limit(retry_after: int) -> Fault:
    """GitHub's answer to too many requests at once."""
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return Fault(status=403, body={"message": message}, headers={"Retry-After": str(retry_after)})


def graphql_errors(message: str, kind: str | None = None) -> Fault:
    """A GraphQL answer with status 200 that holds an error and no data."""
    error = {"message": message} | ({"type": kind} if kind else {})
    return Fault(status=200, body={"data": None, "errors": [error]})


@dataclass(slots=True)
class Rule:
    """Commits a fault, at most `times` times, where `when` accepts and `path` is in the path."""

    fault: Fault
    path: str = ""
    times: int | None = None
    when: Callable[[Seen], bool] = lambda seen: True
    committed: int = 0

    def __call__(self, seen: Seen) -> Fault | None:
        """The fault for this request, or None."""
        spent = self.times is not None and self.committed >= self.times
        if spent or self.path not in seen.path or not self.when(seen):
            return None
        self.committed += 1
        return self.fault


Faults = list[Callable[[Seen], Fault | None]]
"""Rules in the order in which they are asked; the first fault counts."""


async def commit(fault: Fault, answer: Response | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Send what the fault leaves of an answer; `answer` is None where the fault has its own."""
    if fault.drop:
        send.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's, there is no public way
        await asyncio.sleep(0.01)  # until uvicorn has noticed, else it tries to answer 500
        return
    if answer is None:
        answer = JSONResponse(fault.body, status_code=fault.status or 200, headers=fault.headers)
    elif fault.truncate:
        half = bytes(answer.body)[: len(answer.body) // 2]
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        answer = Response(half, status_code=answer.status_code, headers=headers)
    await answer(scope, receive, send)
