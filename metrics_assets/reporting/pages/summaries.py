"""What tables of repositories are made of: each repository on the site's day, and how much attention it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from statistics import median
from typing import Literal, cast

from metrics_assets import addresses
from metrics_assets.reporting.data import FOUR_KEYS, HEALTH, REWORK, TIERS, MetricInfo, SiteInfo, State, Tier, TierBand
from metrics_assets.reporting.from_catalogue import tier_of

STARS = "stars_total"
RESPONSE = "issue_first_response_business_hours"
SUMMARY_METRICS = (*FOUR_KEYS, REWORK, HEALTH, STARS, RESPONSE)
SHORT_TITLES = {
    "deployment_frequency": "Deployments",
    "lead_time_hours": "Lead time",
    "change_failure_rate": "Failure rate",
    "failed_deployment_recovery_hours": "Recovery",
    REWORK: "Rework",
    HEALTH: "Health",
    STARS: "Stars",
    RESPONSE: "First response",
}
Light = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure on the site's day; `value` is None unless the state is ok or provisional."""

    value: float | None
    n: int | None
    state: State
    tier: Tier | None = None
    light: Light | None = None


MISSING = Figure(None, None, "unknown")


def figure_of(
    value: float | None, n: int | None, state: str, bands: Sequence[TierBand] = (), light: Light | None = None
) -> Figure:
    """A row of metrics.metric_values as a figure, rated by `bands`: without a value unless it is known."""
    if value is None or not isfinite(value) or state not in ("ok", "provisional"):
        return Figure(None, n, "too_few" if state == "too_few" else "unknown")
    return Figure(value, n, cast(State, state), tier_of(value, bands), light)


@dataclass(frozen=True, slots=True)
class GateStand:
    """Where a gate of a subject stands on the site's day."""

    gate: str
    title: str
    subject_kind: str
    subject: str
    verdict: str  # passed | failed | unknown
    score: float
    missing: tuple[str, ...]  # criteria that are not met, or not known to be; those that must be met come first


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that is open on the site's day."""

    rule: str
    title: str
    subject_kind: str
    subject: str
    metric: str
    severity: str  # critical | warning | info
    state: str  # firing | acknowledged
    opened_on: date
    text: str
    anchor: str  # of its row on the page of alerts


@dataclass(frozen=True, slots=True)
class Told:
    """An insight: a sentence that follows from the figures of a day."""

    subject_kind: str
    subject: str
    on: date
    sentence: str
    action: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A repository on the site's day."""

    repository: str
    state: str  # active | archived | empty | gone | blocked
    ships_by: str | None  # deployments | workflow_runs | releases | tags | pushes; None: not known
    figures: Mapping[str, Figure] = field(default_factory=dict)
    health_weeks: tuple[float | None, ...] = ()
    critical: int = 0  # open alerts
    warning: int = 0
    gates: tuple[GateStand, ...] = ()

    def figure(self, metric: str) -> Figure:
        return self.figures.get(metric, MISSING)

    @property
    def weakest(self) -> Tier | None:
        """The worst tier of the four keys."""
        ranks = [TIERS.index(tier) for key in FOUR_KEYS if (tier := self.figure(key).tier) is not None]
        return TIERS[max(ranks)] if ranks else None

    @property
    def weakest_keys(self) -> tuple[str, ...]:
        """The keys that have the worst tier."""
        weakest = self.weakest
        return tuple(key for key in FOUR_KEYS if weakest is not None and self.figure(key).tier == weakest)


def by_attention(summaries: Iterable[Summary]) -> list[Summary]:
    """The active repositories, those that need attention most first.

    Weakest tier first, then more open critical alerts, then less health. Where nothing is rated there is nothing to
    say, and what is unknown comes last, unless something critical is open.
    """

    def rank(summary: Summary) -> tuple[int, int, float, str, str]:
        weakest, health = summary.weakest, summary.figure(HEALTH).value
        unrated = len(TIERS) if summary.critical else -1
        tier = unrated if weakest is None else TIERS.index(weakest)
        name = summary.repository
        return (-tier, -summary.critical, health if health is not None else 101.0, name.casefold(), name)

    return sorted((summary for summary in summaries if summary.state == "active"), key=rank)


@dataclass(frozen=True, slots=True)
class Spread:
    """How a figure is spread over the active repositories."""

    median: float | None
    known: int
    tiers: Mapping[Tier, int]
    too_few: int
    unknown: int

    @property
    def not_rated(self) -> int:
        return self.known + self.too_few + self.unknown - sum(self.tiers.values())


def spread(summaries: Sequence[Summary], metric: MetricInfo) -> Spread:
    """A median of repositories, never a mean of means, and how many are in each tier."""
    figures = [summary.figure(metric.key) for summary in summaries if summary.state == "active"]
    values = [figure.value for figure in figures if figure.value is not None]
    return Spread(
        median=median(values) if values else None,
        known=len(values),
        tiers=Counter(figure.tier for figure in figures if figure.tier is not None),
        too_few=sum(figure.state == "too_few" for figure in figures),
        unknown=sum(figure.state == "unknown" for figure in figures),
    )


def subject_href(site: SiteInfo, subject_kind: str, subject: str) -> str | None:
    """The page of what a row is about: the repository's, of a service or an environment too; none of anything else."""
    if subject_kind not in ("repository", "service", "environment"):
        return None
    name = subject
    if subject_kind == "service":
        name = subject.rpartition("#")[0]
    elif subject_kind == "environment":
        name = subject.rpartition("@")[0]
    return page_of(site, addresses.repository(name))


def page_of(site: SiteInfo, path: str) -> str | None:
    """A path of the site where the build has that page; links lead to no other."""
    return path if path.partition("#")[0] in site.pages else None
