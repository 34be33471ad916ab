"""How much may be asked of a provider, and when: everything that keeps a client under the limits.

    Budget      so many requests or points per hour, by the provider's own headers, less the share left to others
    PerMinute   at most so many requests in any 60 seconds
    Busy        at most so many seconds of the provider's work in any 60 seconds
    HourlyCap   at most so many requests and points in any hour, because metrics.yaml says so
    Breaker     nothing at all for a while, after the provider has kept failing

Each says how long to wait; none sleeps. Times are seconds of the provider's clock, as far as its answers tell it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LONGEST_PAUSE_SECONDS = 3600.0
_FAILURES_UNTIL_OPEN = 5
_BREAK_SECONDS = 60.0


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
        if self.remaining is None or reset_at > self.reset_at + 60 or remaining < self.remaining:
            self.limit, self.remaining, self.reset_at = limit, remaining, reset_at

    def wait_seconds(self, now: float) -> float:
        """How long to wait before the next request: 0, or until the hour is over."""
        if self.remaining is None or self.limit is None or now >= self.reset_at:
            return 0.0
        reserved = round(self.limit * (1 - self.share), 6)  # 100 * (1 - 0.8) is a little less than 20
        # Requests on their way are spent already, though no answer has said so yet.
        left = self.remaining - self.in_flight
        return min(self.reset_at - now + 1, LONGEST_PAUSE_SECONDS) if left <= reserved else 0.0


@dataclass(slots=True)
class PerMinute:
    """At most `limit` requests in any 60 seconds (the provider's secondary limit)."""

    limit: int
    sent: deque[float] = field(default_factory=deque)

    def wait_seconds(self, now: float) -> float:
        """How long until one more request is allowed."""
        while self.sent and now - self.sent[0] >= 60:
            self.sent.popleft()
        return 60 - (now - self.sent[0]) if len(self.sent) >= self.limit else 0.0


@dataclass(slots=True)
class Busy:
    """At most `limit` seconds of answering in any 60 seconds: the provider's own estimate of its CPU time."""

    limit: float
    answered: deque[tuple[float, float]] = field(default_factory=deque)
    total: float = 0.0

    def add(self, now: float, seconds: float) -> None:
        """Count an answer that took so long."""
        self.answered.append((now, seconds))
        self.total += seconds

    def wait_seconds(self, now: float) -> float:
        """How long until enough of the answers are a minute old."""
        while self.answered and now - self.answered[0][0] >= 60:
            self.total -= self.answered.popleft()[1]
        excess, wait = self.total - self.limit, 0.0
        for at, seconds in self.answered:
            if excess < 0:
                break
            excess, wait = excess - seconds, 60 - (now - at)
        return wait


@dataclass(slots=True)
class HourlyCap:
    """At most `limit` requests and points together in any hour, over all credentials.

    Attributes:
        used: (time, amount), what earlier runs used among them.
    """

    limit: int
    used: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, now: float, amount: float) -> None:
        self.used.append((now, amount))

    def wait_seconds(self, now: float) -> float:
        """How long until an hour ago is late enough."""
        while self.used and now - self.used[0][0] >= 3600:
            self.used.popleft()
        excess, wait = sum(amount for _, amount in self.used) - self.limit, 0.0
        for at, amount in self.used:
            if excess < 0:
                break
            excess, wait = excess - amount, 3600 - (now - at)
        return wait


@dataclass(slots=True)
class Breaker:
    """Opens after several requests in a row failed for good, and lets one try again a minute later.

    Without it, each of a thousand repositories would wait through all its retries while the provider is down.
    """

    clock: Callable[[], float]
    failures: int = 0
    open_until: float = 0.0

    def is_open(self) -> bool:
        return self.clock() < self.open_until

    def succeeded(self) -> None:
        self.failures, self.open_until = 0, 0.0

    def failed(self) -> None:
        self.failures += 1
        if self.failures >= _FAILURES_UNTIL_OPEN:
            self.open_until = self.clock() + _BREAK_SECONDS


@dataclass(slots=True)
class Allowance:
    """All limits of one credential."""

    share: float
    per_minute: Mapping[str, int]
    busy_seconds: Mapping[str, float]
    budgets: dict[str, Budget] = field(default_factory=dict)
    paces: dict[str, PerMinute] = field(default_factory=dict)
    busy: dict[str, Busy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.paces = {name: PerMinute(limit) for name, limit in self.per_minute.items()}
        self.busy = {name: Busy(limit) for name, limit in self.busy_seconds.items()}

    def budget(self, resource: str) -> Budget:
        return self.budgets.setdefault(resource, Budget(self.share))

    def wait_seconds(self, resource: str, now: float, theirs: float | None = None) -> float:
        """How long to wait before the next request for a resource; `theirs` is now by the provider's clock."""
        waits = [self.budget(resource).wait_seconds(now if theirs is None else theirs)]
        if resource in self.paces:
            waits.append(self.paces[resource].wait_seconds(now))
        if resource in self.busy:
            waits.append(self.busy[resource].wait_seconds(now))
        return max(waits)

    def left(self, resource: str) -> float:
        """What is left of the hour, as a share; 1 where nothing is known yet."""
        budget = self.budget(resource)
        if budget.remaining is None or not budget.limit:
            return 1.0
        return (budget.remaining - budget.in_flight) / budget.limit
