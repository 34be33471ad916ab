"""The alert rules: of catalogue/rules, of the packs, and the user's own.

A rule of a pack counts where the pack is on. metrics.yaml may switch each rule off, or change its severity, channels
and numbers (`alerts.rules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from metrics_assets.catalogue.metrics import Catalogue, check_requirements, load_catalogue
from metrics_assets.catalogue.packs import metric_of, pack_of, read_keyed
from metrics_assets.catalogue.reading import catalogue_files
from metrics_assets.errors import CatalogueError
from metrics_assets.settings import ChannelName, ClockTime, Severity, Weekday

SubjectKind = Literal[
    "repository", "service", "environment", "package", "community", "segment", "team", "portfolio", "pipeline"
]
AnomalyKind = Literal["spike", "drop", "level_shift", "drift", "variance", "missing_data"]
# Severities from the least to the most.
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


class Escalation(BaseModel):
    """Whom else to tell when an alert fires on and nobody has acknowledged it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_minutes: int = Field(ge=1, le=60 * 24 * 30)  # since it fired, or since the level before
    channels: tuple[ChannelName, ...] = ()  # default: the rule's
    mention: str | None = None


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    severity: Severity
    action: str = Field(min_length=1)  # what to do, in a sentence
    subject_kinds: tuple[SubjectKind, ...] = ()  # default: repositories, packages, communities; of fed figures all
    subjects: tuple[str, ...] = ()  # default: every subject of the kinds
    for_days: int = Field(1, ge=1, le=90)  # days in a row that it must hold before anybody is told
    clear_days: int = Field(1, ge=1, le=90)  # days in a row that it must not hold before the alert ends
    channels: tuple[
        ChannelName, ...
    ] = ()  # names of metrics.yaml's channels; default, and where absent: the default ones
    mention: str | None = None  # channel, here, or a name that the channel knows
    escalate: tuple[Escalation, ...] = ()
    quiet: bool | None = None  # held in quiet hours; default: whatever is not critical
    tell_at: ClockTime | None = None  # told at this time of the day at the earliest, in the time of the business hours
    tell_on: tuple[Weekday, ...] = ()  # told on these days of the week
    runbook: str | None = None  # a page that says more
    source: str | None = None
    requirements: tuple[str, ...] = ()
    pack: str | None = Field(None, exclude=True)

    @field_validator("requirements")
    @classmethod
    def _are_requirements(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return check_requirements(ids)

    def metrics(self) -> set[str]:
        """The metrics that the rule reads."""
        return set()


class _MetricRule(_Rule):
    metric: str
    minimum_n: int = Field(1, ge=1)

    def metrics(self) -> set[str]:
        return {self.metric}


class ThresholdRule(_MetricRule):
    """Holds where the value is beyond a limit; ends where it is back behind `clear_at`, in between nothing changes.

    With `confident`, the whole 95 % interval must be beyond the limit (for metrics that have one).
    """

    kind: Literal["threshold"]
    above: float | None = None
    below: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    clear_at: float | None = None
    confident: bool = False

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        given = [name for name in ("above", "below", "at_least", "at_most") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("must have one of above, below, at_least and at_most")
        if self.clear_at is not None and (self.clear_at > self.limit if self.upwards else self.clear_at < self.limit):
            raise ValueError(f"clear_at {self.clear_at:g} lies beyond the limit {self.limit:g}; it must lie before it")
        return self

    @property
    def upwards(self) -> bool:
        """Whether large values are the bad ones."""
        return self.above is not None or self.at_least is not None

    @property
    def strict(self) -> bool:
        """Whether the limit itself is still good."""
        return self.above is not None or self.below is not None

    @property
    def limit(self) -> float:
        return next(v for v in (self.above, self.below, self.at_least, self.at_most) if v is not None)


class ChangeRule(_MetricRule):
    """Compares with `days` days before: the sum of the last `days` days with the sum of the days before those (`of:
    sum`, for daily counts), or the value with the value of that day (`of: value`). Holds where it fell by at least
    `drop` or rose by at least `rise`: shares of the reference (`by: share`) or in the metric's unit (`by: amount`).
    Ends where less than `clear_share` of that change is left.
    """

    kind: Literal["change"]
    days: int = Field(ge=1, le=366)
    of: Literal["sum", "value"] = "sum"
    by: Literal["share", "amount"] = "share"
    drop: float | None = Field(None, gt=0)
    rise: float | None = Field(None, gt=0)
    clear_share: float = Field(1.0, gt=0, le=1)
    minimum_reference: float = Field(0, ge=0)

    @model_validator(mode="after")
    def _has_one_direction(self) -> Self:
        if (self.drop is None) == (self.rise is None):
            raise ValueError("must have either drop or rise")
        if self.drop is not None and self.by == "share" and self.drop > 1:
            raise ValueError(f"drop {self.drop:g} is more than everything; write a share of 1, as 0.5")
        return self


class MultipleRule(_MetricRule):
    """Holds where the value is at least `factor` times the baseline metric's value `lag_days` before."""

    kind: Literal["multiple"]
    baseline: str
    lag_days: int = Field(ge=0, le=366)
    factor: float = Field(gt=1)
    clear_factor: float | None = Field(None, gt=0)

    def metrics(self) -> set[str]:
        return {self.metric, self.baseline}


class MilestoneRule(_MetricRule):
    """Good news, told once: the value is for the first time at or above one of the `milestones`."""

    kind: Literal["milestone"]
    milestones: tuple[float, ...] = Field(min_length=1)


class AnomalyRule(_Rule):
    """Holds on the days that metrics.anomalies calls an anomaly of at least `at_least` severity."""

    kind: Literal["anomaly"]
    metric_keys: tuple[str, ...] = ()  # default: every metric that is judged
    anomalies: tuple[AnomalyKind, ...] = ()  # default: every kind
    at_least: Severity = "warning"

    def metrics(self) -> set[str]:
        return set(self.metric_keys)


class MissingRule(_MetricRule):
    """Holds where the metric has had no known value for `days` days, of a subject that had one before."""

    kind: Literal["missing"]
    days: int = Field(ge=1, le=366)


class PipelineRule(_Rule):
    """About the pipeline itself; the subject is a job, a table, a repository's list or a source.

    run_failed: the newest run of a job failed. data_late: the newest day of a table is more than `hours` hours past
    its end. collection_incomplete: a list of a repository was not collected whole on the last `days` days.
    rate_limited: more than `share` of a source's hourly budget is used. undelivered: a notification waits for more than
    `hours` hours.
    """

    kind: Literal["pipeline"]
    condition: Literal["run_failed", "data_late", "collection_incomplete", "rate_limited", "undelivered"]
    hours: float | None = Field(None, gt=0)
    days: int = Field(1, ge=1)
    share: float = Field(0.9, gt=0, le=1)


Rule = ThresholdRule | ChangeRule | MultipleRule | MilestoneRule | AnomalyRule | MissingRule | PipelineRule
_ADAPTER: TypeAdapter[Rule] = TypeAdapter(Annotated[Rule, Field(discriminator="kind")])


@cache
def load_rules() -> dict[str, Rule]:
    """Every rule by key: of catalogue/rules, of all packs, and the user's own, which may replace one of those.

    Raises:
        CatalogueError: an entry is wrong, stands twice, or reads a metric that does not exist.
    """
    return read_rules(catalogue_files("rules"), load_catalogue())


def read_rules(files: list[Path], catalogue: Catalogue, own: Path | None = None) -> dict[str, Rule]:
    """The rules of some files.

    Raises:
        CatalogueError: as `load_rules`.
    """

    def read(path: Path, entry: Any) -> Rule:
        rule = _ADAPTER.validate_python(entry)
        for key in sorted(rule.metrics()):
            metric_of(catalogue, key, f"{path.name}, rule {rule.key}")
        return rule.model_copy(update={"pack": pack_of(path)})

    return read_keyed(files, "rules", read, own)


def active_rules(
    packs: Iterable[str],
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    rules: Mapping[str, Rule] | None = None,
) -> dict[str, Rule]:
    """The rules that count: those of no pack and of the packs that are on, changed by metrics.yaml.

    Args:
        changes: a rule's key and what is different: `off: true`, or fields of the rule with other values. A change
            that is not off also switches on a rule whose pack is not on.
        rules: others than the catalogue's.

    Raises:
        CatalogueError: there is no rule of a key, or a change does not fit the rule.
    """
    changes, every, on = changes or {}, load_rules() if rules is None else rules, set(packs)
    for key in changes:
        if key not in every:
            raise CatalogueError(
                f"metrics.yaml, alerts.rules.{key}: there is no rule '{key}'; `metrics catalogue` lists all."
            )
    found = {}
    for key, rule in every.items():
        change = dict(changes.get(key, {}))
        if change.pop("off", False) or not (rule.pack is None or rule.pack in on or key in changes):
            continue
        found[key] = _changed(rule, change) if change else rule
    return found


def _changed(rule: Rule, change: Mapping[str, Any]) -> Rule:
    try:
        changed = _ADAPTER.validate_python({**rule.model_dump(exclude_defaults=True), "kind": rule.kind, **change})
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'][1:]))}: {problem['msg']}" for problem in error.errors()
        )
        raise CatalogueError(f"metrics.yaml, alerts.rules.{rule.key}: {problems}.") from error
    return changed.model_copy(update={"pack": rule.pack})
