"""The allowance of requests or points per hour, as GitHub keeps one for REST and one for GraphQL."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

HOUR = 3600


@dataclass(slots=True)
class Budget:
    """So many points per hour of real time, whatever the history's clock says."""

    resource: str  # core | graphql
    limit: int = 5000
    used: int = 0
    reset: int = field(default_factory=lambda: int(time.time()) + HOUR)  # seconds since 1970

    @property
    def remaining(self) -> int:
        """What is left until `reset`."""
        return max(self.limit - self.used, 0)

    def spend(self, points: int) -> bool:
        """Take points from the allowance; False, and nothing taken, if there are too few left."""
        if time.time() >= self.reset:
            self.used, self.reset = 0, int(time.time()) + HOUR
        if points > self.remaining:
            return False
        self.used += points
        return True

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
