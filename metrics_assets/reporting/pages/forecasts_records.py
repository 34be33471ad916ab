"""What the page of forecasts is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from metrics_assets.reporting.data import MetricInfo, Series

HORIZONS = (30, 90, 180)
SCENARIOS = ("pessimistic", "realistic", "optimistic")


@dataclass(frozen=True, slots=True)
class Span:
    """What is expected of a day: one in ten falls below p10, one in ten above p90."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is expected `horizon` days ahead if growth is less, the same or more than it is."""

    horizon: int
    scenario: str  # pessimistic | realistic | optimistic
    span: Span


@dataclass(frozen=True, slots=True)
class Featured:
    """A figure with a chart of its own; `scenarios` is empty where the figure does not grow."""

    series: Series
    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """The newest forecasts of a figure by horizon, and how good those for 30 days ahead were.

    Attributes:
        now: the figure of the day the forecast was made on.
        ahead: by horizon (30, 90, 180 days); empty where there is too little history.
        method: of 30 days ahead; too_few: there is no forecast, and `reason` says why.
        n: days that the backtest compared.
    """

    metric: str
    subject_kind: str
    subject: str
    now: float | None
    ahead: Mapping[int, Span]
    method: str
    beats_naive: bool | None
    n: int
    crps: float | None
    naive_crps: float | None
    coverage: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something outside the figures that may move them: a release, or what was fed as an event."""

    on: date
    subject: str
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class GoalForecast:
    """A row of metrics.goal_forecasts with the goal's title.

    Attributes:
        p10_on, p50_on, p90_on: with a chance of 10, 50 and 90 % reached by then; None: not by `looked_until`.
        probability: of reaching it by the due day, or by `looked_until` where no day is due.
        state: ok | met | unknown.
    """

    title: str
    subject_kind: str
    subject: str
    metric: str
    target: float
    comparison: str
    due_on: date | None
    p10_on: date | None
    p50_on: date | None
    p90_on: date | None
    probability: float | None
    looked_until: date | None
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class RiskInsight:
    """A sentence about a risk to growth, and what to do."""

    subject: str
    sentence: str
    action: str | None
    n: int | None
    p: float | None


@dataclass(frozen=True, slots=True)
class ForecastsData:
    """All that the page shows; nothing in it is about a team.

    Attributes:
        made_on: the day the newest forecasts were made on; None where there are none.
        featured: figures of the portfolio and of packages, most important first.
        surveys: figures that come too rarely to be forecast; their trend is shown.
        rows: all forecasts, most important first.
        risks: what the figures of the day say of risks to growth.
        actions: by metric, what to do where it gets worse.
        events: of the last 28 days, newest first.
        holidays: days within the next 180 on which people rest, which the forecasts know.
    """

    made_on: date | None
    featured: tuple[Featured, ...]
    surveys: tuple[Series, ...]
    rows: tuple[ForecastRow, ...]
    goals: tuple[GoalForecast, ...]
    risks: tuple[RiskInsight, ...]
    actions: Mapping[str, str]
    events: tuple[Event, ...]
    holidays: tuple[date, ...]
    metrics: Mapping[str, MetricInfo]
