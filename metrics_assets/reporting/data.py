"""What the pages of the site are made of: typed records, read from the warehouse by the caller.

Nothing here reads a database or a clock, so the same data always gives the same pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

State = Literal["ok", "provisional", "too_few", "unknown"]
Tier = Literal["elite", "high", "medium", "low"]

TIERS: tuple[Tier, ...] = get_args(Tier)  # best first
FOUR_KEYS = (
    "deployment_frequency",
    "lead_time_hours",
    "change_failure_rate",
    "failed_deployment_recovery_hours",
)
REWORK = "rework_rate"
HEALTH = "health_score"
OVERVIEW_METRICS = (*FOUR_KEYS, REWORK, HEALTH)

ALERT_COLUMNS = (
    "rule",
    "title",
    "subject",
    "severity",
    "state",
    "opened_on",
    "value",
    "n",
    "reference",
    "text",
)


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """An entry of catalogue/metrics.yaml."""

    key: str
    title: str
    definition: str
    formula: str | None
    unit: str  # per day | hours | ratio | points | count
    direction: str  # higher | lower | neutral: where better is
    window: int | None  # days
    unknown: str  # why a figure may be missing
    minimum_n: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class TierBand:
    """A band of catalogue/tiers.yaml: values from `at_least` (included) to `below` (excluded)."""

    tier: Tier
    at_least: float | None = None
    below: float | None = None


# --- What all pages are made of -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of the week that ends with the day `on`; `value` is None unless the state is ok or provisional."""

    on: date
    value: float | None
    n: int | None
    state: State
    low: float | None = None  # of the 95 % interval
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A day on which the figure was unusual, in the words of metrics.anomalies."""

    on: date
    value: float | None
    expected: float | None
    severity: str
    kind: str
    explanation: str
    known_event: str | None = None
    lower: float | None = None  # the range that was expected
    upper: float | None = None
    score: float | None = None  # in deviations, negative where the figure went down


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """What is expected of a day to come: one in ten falls below p10, one in ten above p90."""

    on: date
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """How good forecasts so far ahead of the same figure were: errors relative to the seasonal naive forecast's."""

    horizon: int  # days
    target_on: date
    p10: float | None
    p50: float | None
    p90: float | None
    method: str
    n: int
    crps: float | None
    naive_crps: float | None
    coverage: float | None  # share of the days between p10 and p90; 0.8 is right
    beats_naive: bool | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The newest forecast of a figure: its way week by week (empty: too little history) and its backtests."""

    made_on: date
    points: tuple[ForecastPoint, ...]
    backtests: tuple[Backtest, ...]  # 7, 30, 90, 180 days


@dataclass(frozen=True, slots=True)
class Target:
    """The goal that a figure has."""

    title: str
    value: float
    comparison: str  # at_least | at_most | above | below
    status: str  # met | on track | at risk | off track | unknown
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of one subject, week by week (oldest first, the last is the site's day), with what is known of it."""

    metric: MetricInfo
    subject_kind: str
    subject: str
    points: tuple[Point, ...]
    anomalies: tuple[Anomaly, ...] = ()
    forecast: Forecast | None = None
    target: Target | None = None
    tier: Tier | None = None  # on the last day, by the site's tier set
    bands: tuple[TierBand, ...] = ()


@dataclass(frozen=True, slots=True)
class BannerItem:
    """A critical alert that is open: every page shows it at its head."""

    title: str
    subject: str
    since: date
    href: str  # path in the site with anchor


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """What all pages of a build share."""

    portfolio: str
    data_through: date
    start: date
    tier_source: str  # of the tier set in use, for example 'DORA 2023'
    problems: tuple[str, ...]  # a sentence per failed check or incomplete list
    banner: tuple[BannerItem, ...] = ()
    dagster_url: str | None = None
    pages: frozenset[str] = frozenset()  # paths that the build has: links lead to these alone
