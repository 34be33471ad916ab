"""What the page of data quality is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Freshness:
    """A list of a source (issues of github), over all that it is collected of.

    Attributes:
        subjects: of how many repositories, packages or communities it is collected; `current` of them up to the day.
        oldest: the newest day that is there of the one that is farthest behind; None where one never came whole.
        farthest: its name.
    """

    source: str
    entity: str
    subjects: int
    current: int
    newest: date | None
    oldest: date | None
    farthest: str


@dataclass(frozen=True, slots=True)
class TableDay:
    """The newest day of a table of daily figures."""

    table: str
    newest: date


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A list that did not come whole; `days` in a row; error_class says what kind of problem it was."""

    source: str
    subject: str
    entity: str
    days: int
    reason: str
    error_class: str | None


@dataclass(frozen=True, slots=True)
class StateCounts:
    """In how many repositories a figure is known, provisional, stands on too few, or is unknown."""

    metric: str
    title: str
    known: int
    provisional: int
    too_few: int
    unknown: int
    why: str
    minimum_n: int | None


@dataclass(frozen=True, slots=True)
class FedFile:
    """A file that was fed, as it was read last."""

    file: str
    rows_read: int
    rows_written: int
    rows_rejected: int
    loaded_on: date


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that could not be taken. What stands in it is not shown: it may name people."""

    file: str
    line: int
    problem: str


@dataclass(frozen=True, slots=True)
class MetricProblem:
    """Why a metric of the user's own could not be calculated."""

    metric: str
    problem: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a source and resource cost. `limit` is what it gives in an hour, `busiest` what one run used at most."""

    source: str
    resource: str
    requests: float
    points: float
    not_modified: float
    retries: float
    waited_seconds: float
    busiest: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Days that are missing of data that its provider keeps for `kept_days` only; `lost` of them are gone for good."""

    what: str
    subject: str
    missing: int
    of_days: int
    lost: int
    kept_days: int
    newest_missing: date
