"""The allowances of requests and points per hour, as GitHub keeps one for REST and one for GraphQL per token."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

HOUR = 3600.0


@dataclass(slots=True)
class Budget:
    """So many points per hour of real time; when it renews is told by the clock of the history that is played."""

    resource: str  # core | graphql
    limit: int = 5000
    used: int = 0
    clock: Callable[[], float] = time.time  # what the server's `Date` says, in seconds since 1970
    renews_at: float = field(default_factory=lambda: time.monotonic() + HOUR)

    @property
    def remaining(self) -> int:
        """What is left until `reset`."""
        return max(self.limit - self.used, 0)

    @property
    def reset(self) -> int:
        """When it renews, in seconds since 1970 by `clock`."""
        return math.ceil(self.clock() + max(self.renews_at - time.monotonic(), 0))

    def spend(self, points: int) -> bool:
        """Take points from the allowance; False, and what is left is lost, if there are too few left."""
        if time.monotonic() >= self.renews_at:
            self.used, self.renews_at = 0, time.monotonic() + HOUR
        if points > self.remaining:
            self.used = self.limit
            return False
        self.used += points
        return True

    def exhaust(self, seconds: float) -> None:
        """Nothing is left, and it renews in so many seconds."""
        self.used, self.renews_at = self.limit, time.monotonic() + seconds

    def headers(self) -> dict[str, str]:
        """The X-RateLimit headers of an answer."""
        return {f"X-RateLimit-{name.capitalize()}": str(value) for name, value in self.as_json().items()}

    def as_json(self) -> dict[str, int | str]:
        """The allowance as `GET /rate_limit` shows it."""
        return {
            "limit": self.limit,
            "remaining": self.remaining,
            "reset": self.reset,
            "used": self.used,
            "resource": self.resource,
        }


@dataclass(slots=True)
class Purse:
    """What one token may spend."""

    core: Budget
    graphql: Budget


@dataclass(slots=True)
class Purses:
    """A purse for each Authorization header."""

    limit: int
    clock: Callable[[], float]
    _known: dict[str, Purse] = field(default_factory=dict)

    def of(self, authorization: str) -> Purse:
        """The purse of a header, full when it is first seen."""
        if authorization not in self._known:
            budgets = (Budget(resource, self.limit, clock=self.clock) for resource in ("core", "graphql"))
            self._known[authorization] = Purse(*budgets)
        return self._known[authorization]
