"""What all platforms have in common: how one is described, reached, and turned into records.

A platform's module is an async generator `collect(asker, community, since, until, score_text)`. Texts are scored
where they are parsed and go no further: no record has a field for them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

import httpx
from pydantic import Field

from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker, Batch
from metrics_assets.sources.http import ApiClient, Spent
from metrics_assets.sources.records import Account, PlatformCounter

# A text's score from -1 to 1 and the method's name; None for a text without words.
ScoreText = Callable[[str], tuple[float, str] | None]

# What the warehouse and the calendar can hold; anything else is no figure and no time.
Figure = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Seconds = Annotated[float, Field(ge=0, lt=253_402_300_800)]

USER_AGENT = "metrics_assets (engineering and community metrics)"


class Collect(Protocol):
    """Yields what a community said and how large it is.

    Args:
        community: as metrics.yaml writes it.
        since, until: the days wanted, half-open. Platforms that tell when something changed also give what was
            created before `since` and changed after it.

    Raises:
        SourceError, Unauthorized: what came before stays valid.
    """

    def __call__(
        self, asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
    ) -> AsyncIterator[Batch]: ...


@dataclass(frozen=True, slots=True)
class Off:
    """Why a platform is not asked; a state, not a failure."""

    reason: str


@dataclass(frozen=True, slots=True)
class Timing:
    """How time passes; replaceable for tests."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.time


class Connect(Protocol):
    """Makes the client of a platform from metrics.yaml and the environment, or says why it is off."""

    def __call__(self, sources: Sources, community: str, timing: Timing) -> ApiClient | Off: ...


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that can be collected from.

    Attributes:
        name: as in metrics.yaml and in the tables.
        own_servers: every community is a server of its own, and has a client of its own.
    """

    name: str
    connect: Connect
    collect: Collect
    own_servers: bool = False


class PlatformClient(ApiClient):
    """An ApiClient whose platform says limits and errors in words of its own, in the answer's body.

    Args:
        look: reads each answer before its status is judged; raises what the platform means, and returns the seconds
            for which the platform wants nothing to be sent, or 0.
        added: parameters of every request that belong into no message and no table, such as a key.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        *,
        look: Callable[[str, httpx.Response], float] = lambda what, response: 0.0,
        added: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(base_url, {"User-Agent": USER_AGENT, **(headers or {})}, **options)
        self._look = look
        self._added = dict(added or {})

    async def _send(self, request: httpx.Request, resource: str, what: str, spent: Spent) -> tuple[Any, httpx.Response]:
        request.url = request.url.copy_merge_params(self._added)
        key, response = await super()._send(request, resource, what, spent)
        pause = self._look(what, response)
        if pause > 0:
            key.paused_until = max(key.paused_until, self.now() + pause)
        return key, response


def off_without(*variables: str | None) -> Off | None:
    """Off, where one of these environment variables is not set."""
    missing = [name for name in variables if name and not os.environ.get(name, "").strip()]
    return Off(f"off: export {' and '.join(missing)}") if missing else None


def secret(variable: str | None) -> str:
    """The content of an environment variable, '' where there is none."""
    return os.environ.get(variable, "").strip() if variable else ""


def no_address(name: str) -> Off:
    """What to say where metrics.yaml takes a platform's address away."""
    return Off(f"off: sources.{name}.base_url of metrics.yaml is empty")


def account(platform: str, name: str | int | None, *, is_bot: bool = False) -> Account | None:
    """Somebody on a platform. A name there says nothing about who has it elsewhere, so the platform goes with it."""
    return None if name is None or name == "" else Account(f"{platform}:{name}", is_bot=is_bot)


def scored(score_text: ScoreText, *texts: str | None) -> tuple[float | None, str | None]:
    """The score of texts that belong together, and the method; both None where there are no words."""
    found = score_text("\n\n".join(text for text in texts if text))
    return found if found else (None, None)


def counters(asker: Asker, platform: str, community: str, values: Mapping[str, int | None]) -> list[PlatformCounter]:
    """Counters as they stand now; None is not known and gives no row."""
    now = asker.now()
    return [
        PlatformCounter(platform, community, name, now.date(), now, value)
        for name, value in values.items()
        if value is not None
    ]


def from_seconds(seconds: float) -> datetime:
    """A time of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
