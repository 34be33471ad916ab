"""What the page of a repository is made of, besides its series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from metrics_assets.reporting.data import FOUR_KEYS, HEALTH, REWORK, Anomaly, MetricInfo
from metrics_assets.reporting.pages.summaries import RESPONSE, STARS, Figure, GateStand, OpenAlert, Summary, Told

STAGES = ("coding_hours", "pickup_hours", "review_hours", "merge_hours", "deploy_hours")
STAGE_TITLES = {
    "coding_hours": "Coding",
    "pickup_hours": "Pickup",
    "review_hours": "Review",
    "merge_hours": "Merge",
    "deploy_hours": "Deploy",
}
TRENDS = (
    *FOUR_KEYS, REWORK, "pickup_hours", "review_hours", RESPONSE, "issues_open", "pull_requests_open",
    "new_contributors_month", STARS, HEALTH,
)  # fmt: skip
PEER_METRICS = (*FOUR_KEYS, "pickup_hours", RESPONSE, HEALTH)
DAILY_DAYS = 30


@dataclass(frozen=True, slots=True)
class Facts:
    """What a repository is; None and empty where it is not known or there is none."""

    description: str | None = None
    default_branch: str | None = None
    created_on: date | None = None
    release: str | None = None  # the tag of the last release
    released_on: date | None = None
    deployed_on: date | None = None  # the last deployment that succeeded
    version: str | None = None  # of that deployment
    packages: tuple[str, ...] = ()  # 'registry: package'


@dataclass(frozen=True, slots=True)
class Part:
    """A service or a further environment of a repository, with its own keys."""

    kind: str  # service | environment
    subject: str  # 'owner/name#api', 'owner/name@staging'
    ships_by: str | None
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Steps:
    """How many rows each step of the computation had, as of the site's day; None is unknown, never zero.

    The counts of `window` are of the changes merged in the last 28 days: merged, shipped, waiting, baseline, untied.
    The others count everything since the history began.
    """

    days_observed: int | None = None
    window: Mapping[str, int | None] = field(default_factory=dict)
    shipped_in_window: int | None = None
    changes: tuple[tuple[str, str | None, int], ...] = ()  # state, reason, how many
    succeeded: int = 0
    failed: int = 0
    deployments_in_window: int | None = None
    failing_in_window: int | None = None
    failures: tuple[tuple[str, int], ...] = ()  # signal, how many deployments
    incidents: tuple[tuple[str | None, int], ...] = ()  # rule that tied them, how many; None: tied to none


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a repository stands among all that have the figure: rank 1 is the best."""

    metric: str
    rank: int
    of: int
    at_least_as_good_as: float | None  # share of the others
    median: float


@dataclass(frozen=True, slots=True)
class Component:
    """A component of the health score: `points` are of 100, `contribution` is what the score has of them."""

    metric: str
    state: str
    value: float | None
    n: int | None
    points: float | None
    weight: float
    contribution: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """The health score's model on the site's day; `coverage` is the share of the weights that is known."""

    value: float | None
    coverage: float
    version: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on a day, and the keys of the 28 days that end with it."""

    on: date
    succeeded: int | None
    failed: int | None
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class RepositoryData:
    """Everything the page of a repository shows, besides its series."""

    summary: Summary
    facts: Facts = Facts()
    parts: tuple[Part, ...] = ()
    steps: Steps = Steps()
    week: Mapping[str, Figure] = field(default_factory=dict)  # the four keys of the last 7 days
    days: tuple[Day, ...] = ()  # the last 30, oldest first
    peers: tuple[Peer, ...] = ()
    health: Health | None = None
    alerts: tuple[OpenAlert, ...] = ()
    anomalies: tuple[tuple[MetricInfo, Anomaly], ...] = ()  # of the last 28 days, the newest first
    insights: tuple[Told, ...] = ()
    gates: tuple[GateStand, ...] = ()
