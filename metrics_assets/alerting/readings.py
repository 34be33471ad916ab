"""The figures that rules are judged by: few queries for all rules, and only the days that they need."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from metrics_assets.catalogue.alerts import (
    SEVERITIES,
    AnomalyRule,
    ChangeRule,
    MilestoneRule,
    MissingRule,
    MultipleRule,
    ThresholdRule,
)

Values = npt.NDArray[np.float64]
# Subject kind, subject and metric.
Pair = tuple[str, str, str]
# How far back a value is looked for that a subject had before it went missing, at the least.
_HAD_ONE_DAYS = 31
# A milestone is news if one of these days before it was not reached: one that was reached earlier is none any more.
_MILESTONE_DAYS = (28, 7, 1)


@dataclass(frozen=True, slots=True)
class Readings:
    """What a rule is judged by, on the days in a row that it looks at; the last of them is the day of the evaluation.

    Attributes:
        pairs: what the rows of the arrays are about. Each has a column per day; NaN is unknown.
        reference: what the values are compared with; NaN also where the rule has a fixed limit.
    """

    pairs: list[Pair]
    days: list[date]
    value: Values
    reference: Values
    n: Values
    low: Values
    high: Values


def last_days(on: date, count: int) -> list[date]:
    """So many days, the last one `on`."""
    return [on - timedelta(days=back) for back in range(count - 1, -1, -1)]


# Every query gives rows as _COLUMNS says. It is given metrics as a constant list: then the planner reads their branches
# of the view and drops the others.
_KNOWN = """
select metric, subject_kind, subject, date, n, low, high,
       case when state in ('ok', 'provisional') then value end as value
from metrics.metric_values
where metric = any (%(metrics)s) and subject_kind = any (%(kinds)s) and {dates}
"""
_VALUES = """
select metric, subject_kind, subject, date, value, null, n, low, high
from ({known}) as known
"""
# The sum of the days up to the day, and of as many before. With a day missing there is none: it would look like a drop.
_SUMS = """
with sums as (
    select metric, subject_kind, subject, day,
           sum(value) filter (where date > day - %(length)s) as last,
           count(value) filter (where date > day - %(length)s) as last_days,
           sum(value) filter (where date <= day - %(length)s) as before,
           count(value) filter (where date <= day - %(length)s) as before_days,
           sum(n) filter (where date > day - %(length)s) as n
    from unnest(cast(%(days)s as date[])) as day
    join ({known}) as known on date > day - 2 * %(length)s and date <= day
    group by metric, subject_kind, subject, day
)
select metric, subject_kind, subject, day, case when last_days = %(length)s then last end,
       case when before_days = %(length)s then before end, n, null, null
from sums
"""
# For how many days there has been no value then. One that stands on too few rows is there: nothing is missing where
# little happens.
_AGES = """
select metric, subject_kind, subject, day, day - max(date), null, null, null, null
from unnest(cast(%(days)s as date[])) as day
join (
    select metric, subject_kind, subject, date from metrics.metric_values
    where metric = any (%(metrics)s) and subject_kind = any (%(kinds)s) and {dates}
      and value is not null and state <> 'unknown'
) as there on date <= day
group by metric, subject_kind, subject, day
"""
_SHAPES = {"values": _VALUES, "sums": _SUMS, "ages": _AGES}

MetricRule = ThresholdRule | ChangeRule | MultipleRule | MissingRule | MilestoneRule
_FIGURES = ["value", "reference", "n", "low", "high"]
_COLUMNS = ["metric", "subject_kind", "subject", "day", *_FIGURES]


@dataclass(frozen=True, slots=True)
class _Batch:
    """What can be read of many metrics by one query: planning one takes as long as reading a metric of a thousand.

    Attributes:
        length: of sums, how many days; of ages, how many days may be missing.
    """

    shape: str
    days: tuple[date, ...]
    length: int = 0


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a metric: the numbers of the subject and of the day, and the five figures."""

    pair: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    figures: Values
    days: int

    def only(self, wanted: npt.NDArray[np.bool_]) -> _Rows:
        if wanted.all():
            return self
        return _Rows(self.pair[wanted], self.day[wanted], self.figures[wanted], self.days)

    def spread(self, places: npt.NDArray[np.intp], subjects: int) -> Values:
        """The figures as figure x subject x day; NaN where there is no row."""
        table = np.full((5, subjects, self.days), np.nan)
        table[:, places, self.day] = self.figures.T
        return table


class Figures:
    """What rules over a metric are judged by on the days up to one, read for all of them together.

    `value` and `reference` are, of a threshold, the value and nothing; of a change, the two sums or values; of a
    multiple, the value and the baseline; of what may be missing, the days without a value; of a milestone, the value
    and the least one of some days of the weeks before.
    """

    def __init__(
        self, connection: sa.Connection, rules: Mapping[str, tuple[MetricRule, Sequence[str], list[date]]]
    ) -> None:
        """Note what is needed: rules by key, each with the kinds of subjects and the days that it looks at."""
        self._connection, self._rules = connection, rules
        self._metrics: dict[_Batch, set[str]] = {}
        self._read: dict[_Batch, dict[str, _Rows]] = {}
        self._pairs: list[tuple[str, str]] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._kinds = sorted({kind for _, kinds, _ in rules.values() for kind in kinds})
        for rule, _, days in rules.values():
            for batch, metric in _needed(rule, days):
                self._metrics.setdefault(batch, set()).add(metric)

    def of(self, key: str) -> Readings:
        """What a rule is judged by."""
        rule, kinds, days = self._rules[key]
        (batch, metric), *compared = _needed(rule, days)
        minimum_n = 0 if isinstance(rule, MissingRule) else rule.minimum_n
        rows = self._rows(batch, metric, kinds, rule.subjects)
        ids, places = np.unique(rows.pair, return_inverse=True)
        value, reference, n, low, high = rows.spread(places, len(ids))
        _only_enough(value, n, minimum_n)
        for other, other_metric in compared:
            before = self._rows(other, other_metric, kinds, rule.subjects)
            before = before.only(np.isin(before.pair, ids))
            reference, _, other_n, _, _ = before.spread(np.searchsorted(ids, before.pair), len(ids))
            if isinstance(rule, ChangeRule):  # how many rows of a baseline are enough, its own state says
                _only_enough(reference, other_n, minimum_n)
        if isinstance(rule, MilestoneRule):
            reference = np.fmin.reduce(value[:, :-1], axis=1, keepdims=True)
            value, n, low, high = (column[:, -1:] for column in (value, n, low, high))
        pairs = [(*self._pairs[pair], rule.metric) for pair in ids]
        return Readings(pairs, days, value, reference, n, low, high)

    def _rows(self, batch: _Batch, metric: str, kinds: Sequence[str], subjects: Sequence[str]) -> _Rows:
        if batch not in self._read:
            frame = _ask(self._connection, *_query(batch, sorted(self._metrics[batch]), self._kinds))
            self._read[batch] = self._by_metric(frame, batch)
        rows = self._read[batch].get(metric)
        if rows is None:
            return _Rows(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 5)), len(batch.days))
        wanted = [
            kind in kinds and (not subjects or subject in subjects) for kind, subject in self._pairs
        ]  # by the number of the pair
        return rows.only(np.array(wanted)[rows.pair])

    def _by_metric(self, frame: pd.DataFrame, batch: _Batch) -> dict[str, _Rows]:
        """The rows of each metric, with numbers for what they are about."""
        kinds, subjects, days, metrics = (
            frame[name].cat.categories.tolist() for name in ("subject_kind", "subject", "day", "metric")
        )
        codes = {name: frame[name].cat.codes.to_numpy(np.int64) for name in _COLUMNS[:4]}
        ids, places = np.unique(codes["subject_kind"] * len(subjects) + codes["subject"], return_inverse=True)
        numbers = np.empty(len(ids), dtype=np.int64)
        for place, code in enumerate(ids.tolist()):
            pair = (kinds[code // len(subjects)], subjects[code % len(subjects)])
            numbers[place] = self._numbers.setdefault(pair, len(self._numbers))
            if numbers[place] == len(self._pairs):
                self._pairs.append(pair)
        number_of = {day.isoformat(): number for number, day in enumerate(batch.days)}
        of_day = np.array([number_of[day] for day in days], dtype=np.int64)
        every = _Rows(numbers[places], of_day[codes["day"]], frame[_FIGURES].to_numpy(), len(batch.days))
        return {metric: every.only(codes["metric"] == code) for code, metric in enumerate(metrics)}


def _needed(rule: MetricRule, days: list[date]) -> list[tuple[_Batch, str]]:
    """The batches that a rule reads of, with the metric; what it compares with comes second, if apart."""
    match rule:
        case ThresholdRule():
            return [(_Batch("values", tuple(days)), rule.metric)]
        case ChangeRule(of="sum"):
            return [(_Batch("sums", tuple(days), rule.days), rule.metric)]
        case ChangeRule():
            lag, baseline = rule.days, rule.metric
        case MultipleRule():
            lag, baseline = rule.lag_days, rule.baseline
        case MissingRule():
            return [(_Batch("ages", tuple(days), rule.days), rule.metric)]
        case MilestoneRule():
            on = days[-1]
            return [(_Batch("values", (*(on - timedelta(days=back) for back in _MILESTONE_DAYS), on)), rule.metric)]
    before = tuple(day - timedelta(days=lag) for day in days)
    return [(_Batch("values", tuple(days)), rule.metric), (_Batch("values", before), baseline)]


def _query(batch: _Batch, metrics: list[str], kinds: list[str]) -> tuple[str, dict[str, Any]]:
    first, last = batch.days[0], batch.days[-1]
    match batch.shape:
        case "sums":
            first -= timedelta(days=2 * batch.length - 1)
        case "ages":
            first -= timedelta(days=batch.length + max(_HAD_ONE_DAYS, 2 * batch.length))
    if batch.shape == "values":
        dates = "date = %(last)s" if first == last else "date = any (cast(%(days)s as date[]))"
    else:
        dates = "date >= %(first)s and date <= %(last)s"
    given = {"metrics": metrics, "kinds": kinds, "days": list(batch.days), "length": batch.length}
    sql = _SHAPES[batch.shape].format(known=_KNOWN.format(dates=dates), dates=dates)
    return sql, {**given, "first": first, "last": last}


def _ask(connection: sa.Connection, sql: str, given: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a query, by COPY: an evaluation reads a hundred thousand; one by one takes longer than the query."""
    buffer = io.StringIO()
    cursor: Any = connection.connection.cursor()
    try:
        # Constants in the statement, for the planner.
        cursor.copy_expert(f"copy ({cursor.mogrify(sql, given).decode()}) to stdout (format csv)", buffer)
    finally:
        cursor.close()
    buffer.seek(0)
    return pd.read_csv(
        buffer,
        names=_COLUMNS,
        dtype={name: "float64" if name in _FIGURES else "category" for name in _COLUMNS},
        keep_default_na=False,  # a repository may be called NA
        na_values={name: ["", "NaN"] for name in _FIGURES},
    )


def _only_enough(value: Values, n: Values, minimum_n: int) -> None:
    """Make values unknown that stand on fewer rows; a figure without a count is taken as it is."""
    value[n < minimum_n] = np.nan


def reached_before(
    connection: sa.Connection, rule: MilestoneRule, pairs: Iterable[Pair], on: date
) -> dict[Pair, float]:
    """The greatest value that subjects ever had before the weeks that are looked at, where one is known."""
    wanted = set(pairs)
    given = {
        "metrics": [rule.metric],
        "kinds": sorted({kind for kind, _, _ in wanted}),
        "subjects": sorted({subject for _, subject, _ in wanted}),
        "until": on - timedelta(days=_MILESTONE_DAYS[0]),
        "minimum_n": rule.minimum_n,
    }
    known = _KNOWN.format(dates="date < %(until)s and subject = any (%(subjects)s)")
    rows = _fetch(
        connection,
        f"select subject_kind, subject, max(value) from ({known}) as known "
        "where n is null or n >= %(minimum_n)s group by subject_kind, subject",
        given,
    )
    return {
        (kind, subject, rule.metric): most
        for kind, subject, most in rows
        if most is not None and (kind, subject, rule.metric) in wanted
    }


def _fetch(connection: sa.Connection, sql: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    cursor: Any = connection.connection.cursor()
    try:
        cursor.execute(sql, given)
        return list(cursor.fetchall())
    finally:
        cursor.close()


@dataclass(frozen=True, slots=True)
class FoundAnomaly:
    """A row of metrics.anomalies that a rule is about."""

    value: float | None
    n: int | None
    expected: float | None
    severity: Any
    explanation: str | None


@dataclass(frozen=True, slots=True)
class FoundAnomalies:
    """The anomalies that a rule is about, by pair and day, and the days that were judged at all."""

    by_pair: dict[Pair, dict[date, FoundAnomaly]]
    judged: set[date]


# A day that the detector has not reached says nothing; one on which it found nothing says that all is well.
_JUDGED = """
select day from unnest(cast(%(days)s as date[])) as day
where exists (select from metrics.anomalies where date = day)
"""
_ANOMALIES = """
select subject_kind, subject, metric, date, value, n, expected, severity, explanation
from metrics.anomalies
where state = 'anomaly' and date >= %(first)s and date <= %(last)s and severity = any (%(severities)s)
  and subject_kind = any (%(kinds)s)
"""


def read_anomalies(
    connection: sa.Connection, rule: AnomalyRule, kinds: Sequence[str], days: list[date]
) -> FoundAnomalies:
    """The anomalies of some days in a row that a rule is about."""
    given = {
        "days": days,
        "first": days[0],
        "last": days[-1],
        "kinds": list(kinds),
        "severities": list(SEVERITIES[SEVERITIES.index(rule.at_least) :]),
        "metrics": list(rule.metric_keys),
        "anomalies": list(rule.anomalies),
        "subjects": list(rule.subjects),
    }
    sql = _ANOMALIES
    for column, name in (("metric", "metrics"), ("kind", "anomalies"), ("subject", "subjects")):
        if given[name]:
            sql += f"  and {column} = any (%({name})s)\n"
    found: dict[Pair, dict[date, FoundAnomaly]] = {}
    for kind, subject, metric, day, *rest in _fetch(connection, sql, given):
        found.setdefault((kind, subject, metric), {})[day] = FoundAnomaly(*rest)
    return FoundAnomalies(found, {day for (day,) in _fetch(connection, _JUDGED, given)})
