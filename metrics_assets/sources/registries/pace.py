"""Registries that ask for a pace, not only for a limit: crates.io wants no more than one request in a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Paced:
    """Nobody in particular, who asks at most once in so many seconds.

    A client asks its credential before every request, also before one that it sends again: what waits here holds
    for all of them.
    """

    seconds: float
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], float]
    name: str = "no token"
    _next: float = 0.0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def authorization(self) -> str:
        async with self._turn:
            while (wait := self._next - self.clock()) > 0:
                await self.sleep(wait)
            self._next = self.clock() + self.seconds
        return ""
