"""Faults that a test asks the demo server to commit: what GitHub does on a bad day."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from metrics_assets.demo.dice import Dice


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
    body: Any = field(default_factory=dict)  # ... and this content
    headers: dict[str, str] = field(default_factory=dict)
    delay_ms: int = 0  # wait first
    drop: bool = False  # close the connection without a word
    truncate: bool = False  # answer, but send only the first half of the content
    cut: bool = False  # close the connection in the middle of the content
    exhaust: float | None = None  # the token's budget is spent, and renews in so many seconds
    change: Callable[[Seen, Any], Any] | None = None  # what becomes of the content of the right answer


BAD_GATEWAY = Fault(status=502, body={"message": "Server Error"})
GATEWAY_TIMEOUT = Fault(status=504, body={"message": "We couldn't respond to your request in time."})
DROP = Fault(drop=True)
CUT = Fault(cut=True)
TRUNCATE = Fault(truncate=True)
ACCEPTED = Fault(status=202)
NOT_FOUND = Fault(status=404, body={"message": "Not Found"})
GONE = Fault(status=410, body={"message": "This repository was deleted"})
LEGAL_REASONS = Fault(status=451, body={"message": "Repository access blocked"})
NOT_A_LIST = Fault(status=200, body={"message": "An object where a list is expected."})
SOMETHING_WENT_WRONG = (
    "Something went wrong while executing your query. Please include `0F0F:0F0F` when reporting this."
)


def slow(milliseconds: int) -> Fault:
    """The right answer, late."""
    return Fault(delay_ms=milliseconds)


def secondary_limit(retry_after: int | None, status: int = 403) -> Fault:
    """GitHub's answer to too many requests at once: 403 or 429, not always with how many seconds to wait."""
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    return Fault(status=status, body={"message": message}, headers=headers)


def exhausted(seconds: float, *, graphql: bool = False) -> Fault:
    """The token's budget is spent and renews in so many seconds; GraphQL says so with status 200."""
    message = "API rate limit exceeded"
    if graphql:
        return Fault(status=200, body={"errors": [{"type": "RATE_LIMITED", "message": message}]}, exhaust=seconds)
    return Fault(status=403, body={"message": message}, exhaust=seconds)


def graphql_errors(message: str, kind: str | None = None) -> Fault:
    """A GraphQL answer with status 200 that holds an error and no data."""
    error = {"message": message} | ({"type": kind} if kind else {})
    return Fault(status=200, body={"data": None, "errors": [error]})


def partial_data(seed: int = 0) -> Fault:
    """A GraphQL answer with status 200 of which a part is missing, as an error with a path tells.

    The part is one of the lists, one item of a list, or (because at GitHub most lists may not be null) the whole
    object that has the list; the seed decides. An answer that holds no list stays as it is.
    """
    return Fault(change=lambda seen, content: _without_a_part(Dice(f"partial {seed}"), content))


WRONG_TYPES = Fault(change=lambda seen, content: _of_wrong_types(content))
"""The right answer with numbers as texts, texts as lists and truth values as numbers."""


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


def hostile(seed: int, *, in_a_row: int = 2, wait_seconds: int = 1, **chances: float) -> Faults:
    """A provider on its worst day: one rule that commits every kind of fault in `CHANCES`, always the same ones.

    `chances` sets others than those of `CHANCES` (shares of the requests; 0 leaves a fault out). The same request,
    whatever its page size, fails at most `in_a_row` times in a row, so that a client that tries again gets through;
    waits that are named are of `wait_seconds`, and an exhausted budget renews after once or twice as long.
    """
    if unknown := chances.keys() - CHANCES.keys():
        raise ValueError(f"There is no fault named {sorted(unknown)[0]}; there are: {', '.join(CHANCES)}.")
    return [Hostility(seed, in_a_row, wait_seconds, CHANCES | chances)]


CHANCES = {
    "drop": 0.02,  # the connection is closed before the answer
    "cut": 0.02,  # ... in the middle of it
    "truncated": 0.02,  # half the JSON
    "no_data": 0.02,  # GraphQL: 200 with errors and no data
    "partial": 0.03,  # GraphQL: 200 with an error and some data
    "gateway": 0.02,  # 502 or 504, of pages of 25; twice as often of pages of 50
    "limited": 0.02,  # 403 or 429 with Retry-After
    "limited_silently": 0.01,  # ... without
    "exhausted": 0.005,  # the budget is spent
    "accepted": 0.2,  # 202, of contributors and statistics only
    "doubles": 0.05,  # an item twice on a page, and the last one again on the next
}
ONLY_GRAPHQL = ("no_data", "partial")
USUAL_PAGE = 25


@dataclass(slots=True)
class Hostility:
    """The rule of `hostile`; `committed` counts the faults by name."""

    seed: int
    in_a_row: int
    wait_seconds: int
    chances: dict[str, float]
    committed: Counter[str] = field(default_factory=Counter)
    _seen: Counter[str] = field(default_factory=Counter)  # how often each request came
    _failed: Counter[str] = field(default_factory=Counter)  # how often in a row it failed
    _last: dict[str, dict[tuple[str, ...], Any]] = field(default_factory=dict)  # request -> list -> its last item

    def __call__(self, seen: Seen) -> Fault | None:
        """The fault for this request, or None."""
        if seen.kind == "webhook":
            return None
        request = _identity(seen)
        self._seen[request] += 1
        # Thrown anew per request, so that the order in which concurrent requests arrive changes nothing.
        dice = Dice(f"hostile {self.seed} {request} {self._seen[request]}")
        name = self._name(dice, seen)
        if name is not None and name != "doubles":
            if self._failed[request] >= self.in_a_row:
                name = None
            else:
                self._failed[request] += 1
                self.committed[name] += 1
                return self._fault(name, dice, seen)
        self._failed[request] = 0
        return self._doubles(name is not None, dice, seen)

    def _name(self, dice: Dice, seen: Seen) -> str | None:
        thrown = dice.between(0, 1)
        for name, chance in self.chances.items():
            if name in ONLY_GRAPHQL and seen.kind != "graphql":
                continue
            if name == "accepted" and not ("/contributors" in seen.path or "/stats/" in seen.path):
                continue
            thrown -= chance * (_page_size(seen) / USUAL_PAGE if name == "gateway" else 1)
            if thrown < 0:
                return name
        return None

    def _fault(self, name: str, dice: Dice, seen: Seen) -> Fault:
        status = dice.pick((403, 429))
        choices: dict[str, Callable[[], Fault]] = {
            "drop": lambda: DROP,
            "cut": lambda: CUT,
            "truncated": lambda: TRUNCATE,
            "no_data": lambda: graphql_errors(*dice.pick(NO_DATA)),
            "partial": lambda: partial_data(dice.whole(0, 1_000_000)),
            "gateway": lambda: dice.pick((BAD_GATEWAY, GATEWAY_TIMEOUT)),
            "limited": lambda: secondary_limit(self.wait_seconds, status),
            "limited_silently": lambda: secondary_limit(None, status),
            "exhausted": lambda: exhausted(self.wait_seconds * dice.between(1, 2), graphql=seen.kind == "graphql"),
            "accepted": lambda: ACCEPTED,
        }
        return choices[name]()

    def _doubles(self, wanted: bool, dice: Dice, seen: Seen) -> Fault | None:
        """An item twice on this page, and the last item of a page that had doubles again on the next."""
        listing = _identity(seen, with_cursors=False)
        again = self._last.pop(listing, {}) if _goes_on(seen) else {}
        if not wanted and not again:
            return None
        self.committed["doubles"] += 1

        def change(_: Seen, content: Any) -> Any:
            for path, items in _lists(content):
                last = items[-1] if items else None
                if items and wanted:
                    position = dice.whole(0, len(items) - 1)
                    items.insert(position, items[position])
                if path in again:
                    items.insert(0, again[path])
                if wanted and last is not None:
                    self._last.setdefault(listing, {})[path] = last
            return content

        return Fault(change=change)


NO_DATA: tuple[tuple[str, str | None], ...] = (
    (SOMETHING_WENT_WRONG, None),
    ("Resource limits for this query exceeded.", "RESOURCE_LIMITS_EXCEEDED"),
    ("Timeout on validation of query", None),
)


def _identity(seen: Seen, *, with_cursors: bool = True) -> str:
    """A request as a text that stays the same when it is tried again, also with another page size."""
    variables = seen.body.get("variables") or {}
    kept = {
        name: value
        for name, value in variables.items()
        if not isinstance(value, int) and (with_cursors or not _is_cursor(name))
    }
    query = {
        name: value
        for name, value in seen.query.items()
        if name != "per_page" and (with_cursors or name not in ("page", "after"))
    }
    document = seen.body.get("query", "") if with_cursors else ""
    return json.dumps([seen.method, seen.path, query, document, kept], sort_keys=True, default=str)


def _is_cursor(variable: str) -> bool:
    return variable == "cursor" or variable.endswith("after")


def _goes_on(seen: Seen) -> bool:
    """Whether a page other than the first is asked for."""
    variables = seen.body.get("variables") or {}
    by_cursor = any(value and _is_cursor(name) for name, value in variables.items())
    return by_cursor or "after" in seen.query or seen.query.get("page", "1") != "1"


def _page_size(seen: Seen) -> int:
    """The largest page that is asked for."""
    numbers = [value for value in (seen.body.get("variables") or {}).values() if isinstance(value, int)]
    given = seen.query.get("per_page", "")
    if given.isdecimal():
        numbers.append(int(given))
    return max(numbers, default=USUAL_PAGE)


def _lists(content: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], list[Any]]]:
    """The outermost lists of an answer with their paths, the items of a connection among them."""
    if isinstance(content, list):
        return [(path, content)]
    if not isinstance(content, dict):
        return []
    return [found for name, value in content.items() for found in _lists(value, (*path, name))]


def _without_a_part(dice: Dice, content: Any) -> Any:
    """A GraphQL answer that lacks a list, an item or an object, with the error that says so."""
    data = content.get("data") if isinstance(content, dict) else None
    lists = [(path, items) for path, items in _lists(data) if path[-1] in ("nodes", "edges")]
    if not lists:
        return content
    found, items = dice.pick(lists)
    part = dice.whole(0, 2)
    where: list[str | int] = list(found[:-1] or found)
    if part == 1 and items:
        where = [*found, dice.whole(0, len(items) - 1)]
    lost: list[str | int] = where[:-1] if part == 2 and len(where) > 1 else where
    holder: Any = data
    for name in lost[:-1]:
        holder = holder[name]
    holder[lost[-1]] = None
    error = {"type": "INTERNAL", "path": where, "message": SOMETHING_WENT_WRONG}
    return {"data": data, "errors": [*content.get("errors", []), error]}


def _of_wrong_types(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _of_wrong_types(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_of_wrong_types(value) for value in content]
    if isinstance(content, bool):
        return int(content)
    if isinstance(content, int | float):
        return f"number {content}"
    return [content] if isinstance(content, str) else content


def changed(fault: Fault, seen: Seen, answer: Response) -> Response:
    """The right answer with what a fault makes of its content; errors and 304 stay as they are."""
    if fault.change is None or answer.status_code != 200:
        return answer
    content = fault.change(seen, json.loads(bytes(answer.body)))
    headers = {name: value for name, value in answer.headers.items() if name not in ("content-length", "etag")}
    return JSONResponse(content, headers=headers)


async def commit(fault: Fault, answer: Response | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Send what the fault leaves of an answer, which is None where the connection is closed without a word."""
    if answer is None:
        await _hang_up(send)
        return
    if fault.cut:
        headers = answer.raw_headers
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        half = bytes(answer.body)[: len(answer.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(0.005)  # until it has left
        await _hang_up(send)
        return
    if fault.truncate:
        half = bytes(answer.body)[: len(answer.body) // 2]
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        answer = Response(half, status_code=answer.status_code, headers=kept)
    await answer(scope, receive, send)


async def _hang_up(send: Send) -> None:
    send.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's, there is no public way
    await asyncio.sleep(0.01)  # until uvicorn has noticed, else it tries to answer 500
