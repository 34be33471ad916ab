"""The figures that a report is made of: everything that was read, so that a report can be told again from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pydantic import TypeAdapter

from metrics_assets.reporting.data import MetricInfo, Series, State, Target, Tier
from metrics_assets.reporting.documents import ReportKind

How = Literal["last", "sum"]


@dataclass(frozen=True, slots=True)
class PeriodValue:
    """A figure on the last day of a period, or its sum over the days of the period.

    Attributes:
        value: None where it is unknown, and where it stands on fewer rows than may be shown.
        days_known, days: of a sum: on how many of how many days it was known; the others are not in it.
    """

    value: float | None
    n: int | None
    state: State
    days_known: int | None = None
    days: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is known, and every day of a sum is in it."""
        return self.value is not None and self.days_known == self.days


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a subject with the same figure a period, a quarter and a year before.

    Attributes:
        subject: of a sum over many subjects how many they are ('3 packages').
        is_there: whether the warehouse has rows of it in any of these periods; what was never fed has none.
    """

    metric: MetricInfo
    subject_kind: str
    subject: str
    how: How
    now: PeriodValue
    before: PeriodValue
    quarter: PeriodValue
    year: PeriodValue
    is_there: bool
    fed: bool = False


@dataclass(frozen=True, slots=True)
class GoalState:
    """A goal of a subject on the last day, and what it was before the period.

    Attributes:
        likely_on: the day by which it is reached as likely as not; None where the forecast does not say one.
        probability: of reaching it in time, from 0 to 1.
    """

    goal: str
    title: str
    owner: str
    metric: MetricInfo
    subject_kind: str
    subject: str
    value: float | None
    target: Target
    status_before: str | None
    reason: str
    expected: float | None = None
    likely_on: date | None = None
    probability: float | None = None

    @property
    def status(self) -> str:
        return self.target.status


@dataclass(frozen=True, slots=True)
class GateState:
    """A release gate on the last day; `missing` are the titles of what it still lacks, musts first."""

    title: str
    subject: str
    verdict: str  # passed | failed | unknown
    score: float
    must_missing: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """A release of the period with the verdict of its gate, where it has one."""

    repository: str
    tag: str
    on: date
    is_prerelease: bool
    verdict: str | None = None
    gate: str | None = None


@dataclass(frozen=True, slots=True)
class AlertState:
    """An alert that was open on some day of the period.

    Attributes:
        opened_on: None where it was found by looking at the last day alone, so that nobody knows since when it holds.
        resolved_on: None while it is open.
    """

    rule: str
    title: str
    subject: str
    severity: str
    opened_on: date | None
    resolved_on: date | None
    text: str
    action: str
    metric: MetricInfo | None = None
    value: float | None = None
    owner: str = "engineering"  # of the metric


@dataclass(frozen=True, slots=True)
class RuleReview:
    """What became of the alerts of a rule that opened within the period."""

    rule: str
    title: str
    limit: str | None  # what it is set to, in words
    fired: int
    useful: int
    noise: int


@dataclass(frozen=True, slots=True)
class AnomalyState:
    metric: str  # its title
    subject_kind: str
    subject: str
    on: date
    severity: str
    kind: str
    explanation: str


@dataclass(frozen=True, slots=True)
class InsightState:
    topic: str
    subject_kind: str
    subject: str
    on: date
    weight: float
    sentence: str
    action: str | None
    owner: str = "engineering"  # of the metric that it is about


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is expected under a scenario: one in ten falls below p10, one in ten above p90."""

    name: str  # pessimistic | realistic | optimistic
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """The forecast of a figure for the longest horizon that there is; `reason` says why there is none."""

    metric: MetricInfo
    made_on: date
    target_on: date
    p10: float | None
    p50: float | None
    p90: float | None
    beats_naive: bool | None
    coverage: float | None
    reason: str | None
    scenarios: tuple[Scenario, ...] = ()


@dataclass(frozen=True, slots=True)
class EventState:
    """Something that happened and may have moved figures: fed events, stories, advisories, incidents."""

    on: date
    kind: str
    title: str
    subject: str


@dataclass(frozen=True, slots=True)
class MilestoneState:
    """A milestone of a repository that was closed in the period, or is due soon after it."""

    repository: str
    title: str
    due_on: date | None  # None: it is closed
    closed_on: date | None


@dataclass(frozen=True, slots=True)
class TierDay:
    """A key of DORA's on the last day of a month."""

    on: date
    metric: str
    value: float | None
    tier: Tier | None


@dataclass(frozen=True, slots=True)
class Key:
    """A key of DORA's of a repository on the last day, and on the last day of the period before."""

    metric: str
    value: float | None
    value_before: float | None
    tier: Tier | None
    tier_before: Tier | None


@dataclass(frozen=True, slots=True)
class RepositoryKeys:
    """The keys of a repository, in the order of the four."""

    repository: str
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class IssueState:
    """An issue by number and title. `severity` is P0, P1, P2 or '' (its labels do not say one)."""

    repository: str
    number: int
    title: str
    severity: str
    is_bug: bool
    is_request: bool
    opened_on: date
    closed_on: date | None  # None: open at the end of the period
    comments: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """How many issues or pull requests of 28 days nobody answered, now and a period before; None: not known."""

    what: str
    now: int | None
    before: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All that a report of a period was made from. Nothing in it is about a team or a person.

    Attributes:
        start: the first day of which the warehouse holds figures.
        through: the last day that the report reads: the period's, or `as_of` where that is earlier.
        measures: the figures of the report's lines; where a line is about each package or segment, one for each.
    """

    report: ReportKind
    portfolio: str
    start: date
    period_start: date
    period_end: date
    as_of: date
    through: date
    prepared_by: str | None
    dashboard: str | None
    tier_source: str
    measures: tuple[Measure, ...]
    goals: tuple[GoalState, ...] = ()
    gates: tuple[GateState, ...] = ()
    releases: tuple[ReleaseState, ...] = ()
    alerts: tuple[AlertState, ...] = ()
    rules: tuple[RuleReview, ...] = ()
    anomalies: tuple[AnomalyState, ...] = ()
    insights: tuple[InsightState, ...] = ()
    outlooks: tuple[Outlook, ...] = ()
    events: tuple[EventState, ...] = ()
    milestones: tuple[MilestoneState, ...] = ()
    tiers: tuple[TierDay, ...] = ()
    repositories: tuple[RepositoryKeys, ...] = ()  # those with a key that is medium or low, the worst first
    repositories_rated: int = 0
    repositories_below: int = 0  # of them with a key that is medium or low
    issues: tuple[IssueState, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()
    north_stars: tuple[str, ...] = ()  # metrics
    series: tuple[Series, ...] = ()

    @property
    def is_draft(self) -> bool:
        return self.as_of < self.period_end

    def of(self, metric: str, how: How | None = None) -> tuple[Measure, ...]:
        """The measures of a metric, of all subjects."""
        return tuple(
            found for found in self.measures if found.metric.key == metric and (how is None or found.how == how)
        )

    def one(self, metric: str, how: How | None = None) -> Measure | None:
        """The measure of a metric: the portfolio's, where there is one."""
        found = self.of(metric, how)
        return next((one for one in found if one.subject_kind == "portfolio"), found[0] if found else None)

    def select(self, lines: Iterable[Line]) -> list[tuple[Line, Measure]]:
        """The measures of some lines, in their order."""
        return [(line, measure) for line in lines for measure in self.of(line.metric, line.how)]


@dataclass(frozen=True, slots=True)
class Line:
    """A figure that a report has a line for.

    Attributes:
        how: the figure on the last day, or the sum of a daily count over the days of the period.
        kind: whose; of packages, communities and repositories the sum over all of them, or each by itself (`each`).
        always: said even where it was never fed; otherwise it is left out then.
        improved: compared in words ('improved from 4 h') and not in per cent.
    """

    metric: str
    label: str | None = None
    how: How = "last"
    kind: str = "portfolio"
    each: bool = False
    always: bool = False
    improved: bool = False


_ADAPTER = TypeAdapter(Figures)


def figures_json(figures: Figures) -> dict[str, Any]:
    """The figures as they are stored beside the report; dates are ISO texts."""
    stored: dict[str, Any] = _ADAPTER.dump_python(figures, mode="json")
    return stored


def figures_of(stored: Mapping[str, Any]) -> Figures:
    """The figures that were stored.

    Raises:
        pydantic.ValidationError: they are not what `figures_json` made.
    """
    return _ADAPTER.validate_python(stored, strict=False)
