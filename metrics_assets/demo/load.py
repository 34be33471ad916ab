"""How many requests came, how fast and how many at once: for those who have to stay below GitHub's limits."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(slots=True)
class Load:
    """Counts requests by kind: rest, graphql, webhook."""

    requests: Counter[str] = field(default_factory=Counter)
    busiest_minute: dict[str, int] = field(default_factory=dict)  # the most in any 60 seconds, by kind
    most_at_once: int = 0
    at_once: int = 0
    _recent: dict[str, deque[float]] = field(default_factory=dict)

    def begin(self, kind: str) -> None:
        """A request has come."""
        self.requests[kind] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        now, recent = time.monotonic(), self._recent.setdefault(kind, deque())
        recent.append(now)
        while recent[0] <= now - MINUTE:
            recent.popleft()
        self.busiest_minute[kind] = max(self.busiest_minute.get(kind, 0), len(recent))

    def end(self) -> None:
        """A request has been answered."""
        self.at_once -= 1
