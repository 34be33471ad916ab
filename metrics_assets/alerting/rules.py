"""Deciding which rules hold for which subjects on a day.

A rule that must hold for several days in a row is judged on each of those days from the figures themselves, and not
by counting evaluations: after an outage of some days, or when a day is evaluated again, the answer is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from metrics_assets.alerting.conditions import Condition, Evaluation, Key, Verdict
from metrics_assets.alerting.readings import Figures, Pair, Readings, Values, last_days, reached_before, read_anomalies
from metrics_assets.alerting.sentences import sentence
from metrics_assets.alerting.subjects import Subjects, kinds_of, title_of
from metrics_assets.catalogue.alerts import (
    SEVERITIES,
    AnomalyRule,
    ChangeRule,
    MilestoneRule,
    MissingRule,
    MultipleRule,
    PipelineRule,
    Rule,
    ThresholdRule,
)

_VERDICTS: tuple[Verdict, ...] = ("unknown", "fine", "between", "breached")
_UNKNOWN, _FINE, _BETWEEN, _BREACHED = range(4)
Codes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]
_DayRule = ThresholdRule | ChangeRule | MultipleRule | MissingRule


def evaluate(engine: sa.Engine, rules: Mapping[str, Rule], on: date, also: Iterable[Key] = ()) -> Evaluation:
    """How the rules stand on a day; nothing later is looked at. Rules about the pipeline are left out.

    Args:
        also: alerts whose conditions are wanted, too, though they are not open any more.

    Returns:
        The conditions that are breached and those of open alerts. A subject without a row on the day has none.
    """
    conditions: list[Condition] = []
    looked_at = unknown = 0
    with engine.connect() as connection:
        subjects = Subjects(connection)
        is_open: dict[str, set[Pair]] = {}
        for row in connection.execute(sa.text(_OPEN)):
            is_open.setdefault(row.rule, set()).add((row.subject_kind, row.subject, row.metric))
        for key, *pair in also:
            is_open.setdefault(key, set()).add((pair[0], pair[1], pair[2]))
        figures = Figures(
            connection,
            {
                key: (rule, kinds_of(rule), _days(rule, on))
                for key, rule in rules.items()
                if not isinstance(rule, AnomalyRule | PipelineRule)
            },
        )
        for key in sorted(rules):
            rule, opened = rules[key], is_open.get(key, set())
            match rule:
                case PipelineRule():
                    continue
                case AnomalyRule():
                    found = list(_anomalies(connection, rule, opened, on))
                    looked_at += len(found)
                    unknown += sum(condition.verdict == "unknown" for condition in found)
                case MilestoneRule():
                    readings = figures.of(key)
                    looked_at += len(readings.pairs)
                    unknown += int(np.isnan(readings.value).sum())
                    found = list(_milestones(connection, rule, readings))
                case _:
                    readings = figures.of(key)
                    codes = judge(rule, readings)
                    looked_at += len(readings.pairs)
                    unknown += int((codes[:, -1] == _UNKNOWN).sum())
                    found = list(_conditions(rule, readings, codes, opened))
            conditions += (one for one in found if subjects.has(one.subject_kind, one.subject))
    return Evaluation(sorted(conditions, key=lambda condition: condition.key), looked_at, unknown)


_OPEN = "select rule, subject_kind, subject, metric from ops.alerts where state <> 'resolved'"


def _days(rule: Rule, on: date) -> list[date]:
    """The days that a rule is judged on. Unknown ones are passed over, so there are some to spare."""
    in_a_row = 1 if isinstance(rule, MilestoneRule) else max(rule.for_days, rule.clear_days)
    return last_days(on, 1 if in_a_row == 1 else 2 * in_a_row)


def judge(rule: _DayRule, readings: Readings) -> Codes:
    """The verdict on every pair and day, as its place in ('unknown', 'fine', 'between', 'breached')."""
    value, reference = readings.value, readings.reference
    unknown = np.isnan(value)
    match rule:
        case ThresholdRule():
            breached = _beyond(value, rule.limit, rule.upwards, strict=rule.strict)
            clear_at = rule.limit if rule.clear_at is None else rule.clear_at
            # At clear_at itself it is well again; at a limit without one, as the limit says.
            fine = ~_beyond(value, clear_at, rule.upwards, strict=rule.strict or rule.clear_at is not None)
            if rule.confident:
                end = readings.low if rule.upwards else readings.high
                unknown = unknown | (breached & np.isnan(end))
                breached = breached & _beyond(end, rule.limit, rule.upwards, strict=rule.strict)
        case ChangeRule():
            size = rule.drop if rule.rise is None else -rule.rise
            assert size is not None
            whole = reference if rule.by == "share" else np.ones_like(reference)
            upwards = rule.rise is not None
            breached = _beyond(value, reference - size * whole, upwards, strict=False)
            fine = ~_beyond(value, reference - rule.clear_share * size * whole, upwards, strict=False)
            too_little = (reference < rule.minimum_reference) & ~_equal(reference, rule.minimum_reference)
            if rule.by == "share":
                too_little |= reference <= 0
            # Too little to speak of a change: but that nothing got worse can be said of it, or an alert that was open
            # when it became so little would be for ever.
            worse = _beyond(value, reference, upwards, strict=True)
            unknown = unknown | np.isnan(reference) | (too_little & worse)
            breached, fine = breached & ~too_little, fine | (too_little & ~worse)
        case MultipleRule():
            breached = _beyond(value, rule.factor * reference, True, strict=False)
            clear_factor = rule.factor if rule.clear_factor is None else rule.clear_factor
            fine = ~_beyond(value, clear_factor * reference, True, strict=False)
            unknown = unknown | np.isnan(reference) | (reference <= 0)
        case MissingRule():
            breached = value >= rule.days
            fine = ~breached
    return np.select([unknown, breached, fine], [_UNKNOWN, _BREACHED, _FINE], _BETWEEN).astype(np.int8)


def _beyond(value: Values, limit: Values | float, upwards: bool, *, strict: bool) -> Flags:
    """Whether values lie beyond a limit; at exactly the limit, whatever the last binary digit says, if not strict."""
    beyond = value > limit if upwards else value < limit
    equal = _equal(value, limit)
    return np.asarray((beyond & ~equal) if strict else (beyond | equal))


def _equal(value: Values, other: Values | float) -> Flags:
    return np.isclose(value, other, rtol=1e-9, atol=1e-12)


def _conditions(rule: _DayRule, readings: Readings, codes: Codes, opened: set[Pair]) -> Iterator[Condition]:
    """The conditions of pairs that are breached or have an open alert."""
    for place, pair in enumerate(readings.pairs):
        code = int(codes[place, -1])
        if code == _BREACHED or pair in opened:
            days, since = _in_a_row(codes[place], readings.days)
            yield _condition(rule, readings, place, _VERDICTS[code], days, since)


def _in_a_row(codes: Codes, days: list[date]) -> tuple[int, date | None]:
    """How many of the days that were looked at ended in a row with what the last one says, and the first of them."""
    last, count, since = int(codes[-1]), 0, None
    for code, day in zip(codes[::-1], reversed(days), strict=True):
        if code == last:
            count, since = count + 1, day
        elif code in (_FINE, _BREACHED):
            break
    return count, since


def _condition(
    rule: _DayRule | MilestoneRule,
    readings: Readings,
    place: int,
    verdict: Verdict,
    days: int,
    since: date | None,
    reference: float | None = None,
) -> Condition:
    kind, subject, metric = readings.pairs[place]
    value, against, n, low, high = (
        None if np.isnan(column[place, -1]) else float(column[place, -1])
        for column in (readings.value, readings.reference, readings.n, readings.low, readings.high)
    )
    if reference is not None:
        against = reference
    elif isinstance(rule, ThresholdRule):
        against = rule.limit
    rows = None if n is None else int(n)
    text = sentence(rule, verdict, value, against, rows, low, high, readings.days[-1])
    if isinstance(rule, MissingRule):
        value = against = None  # the age of the last value is no value of the metric
    return Condition(
        rule=rule.key, metric=metric, subject_kind=kind, subject=subject, date=readings.days[-1], verdict=verdict,
        value=value, reference=against, n=rows, low=low, high=high, severity=rule.severity, text=text, days=days,
        since=since,
    )  # fmt: skip


def _milestones(connection: sa.Connection, rule: MilestoneRule, readings: Readings) -> Iterator[Condition]:
    """The highest milestone that each subject reached for the first time within the last weeks.

    It must be known that the value was below it before: of a subject that was above it when its history begins, nobody
    can say when it got there. What was told is not told again.
    """
    milestones = np.sort(np.array(rule.milestones))
    if not readings.pairs:
        return
    # How many milestones each value has reached, now and at the least within the weeks.
    now, least = (
        (_beyond(column[:, -1:], milestones[np.newaxis, :], True, strict=False)).sum(axis=1)
        for column in (readings.value, readings.reference)
    )
    places = np.flatnonzero((now > least) & ~np.isnan(readings.reference[:, -1])).tolist()
    told = {
        (row.subject_kind, row.subject, row.metric): row.reference
        for row in connection.execute(sa.text(_TOLD), {"rule": rule.key})
    }
    reached = {readings.pairs[place]: float(milestones[now[place] - 1]) for place in places}
    places = [place for place in places if told.get(pair := readings.pairs[place], -np.inf) < reached[pair]]
    if not places:
        return
    before = reached_before(connection, rule, [readings.pairs[place] for place in places], readings.days[-1])
    for place in places:
        milestone, most = reached[readings.pairs[place]], before.get(readings.pairs[place])
        if most is None or not _beyond(np.array([most]), milestone, True, strict=False)[0]:
            yield _condition(rule, readings, int(place), "breached", 1, readings.days[-1], milestone)


_TOLD = """
select subject_kind, subject, metric, max(reference) as reference from ops.alerts
where rule = :rule and reference is not null group by subject_kind, subject, metric
"""


def _anomalies(connection: sa.Connection, rule: AnomalyRule, opened: set[Pair], on: date) -> Iterator[Condition]:
    """The conditions of pairs with an anomaly on the day, and of open alerts.

    A shift of the level is an anomaly on the day on which it is noticed and none later: such an alert ends after
    `clear_days`, as that of a spike.
    """
    days = _days(rule, on)
    found = read_anomalies(connection, rule, kinds_of(rule), days)
    today = {pair for pair, by_day in found.by_pair.items() if on in by_day}
    for pair in sorted(today | opened):
        kind, subject, metric = pair
        by_day = found.by_pair.get(pair, {})
        codes = np.array(
            [_BREACHED if day in by_day else _FINE if day in found.judged else _UNKNOWN for day in days], dtype=np.int8
        )
        count, since = _in_a_row(codes, days)
        anomaly, verdict = by_day.get(on), _VERDICTS[int(codes[-1])]
        severity = rule.severity
        if anomaly is not None and anomaly.severity in SEVERITIES:
            severity = max(severity, anomaly.severity, key=SEVERITIES.index)
        yield Condition(
            rule=rule.key, metric=metric, subject_kind=kind, subject=subject, date=on, verdict=verdict,
            value=anomaly.value if anomaly else None, reference=anomaly.expected if anomaly else None,
            n=anomaly.n if anomaly else None, low=None, high=None, severity=severity,
            text=_about_anomaly(metric, verdict, anomaly.explanation if anomaly else None), days=count, since=since,
        )  # fmt: skip


def _about_anomaly(metric: str, verdict: Verdict, explanation: str | None) -> str:
    if explanation:
        return explanation
    said = {"breached": "not as the days before led to expect", "fine": "as the days before led to expect"}
    return f"{title_of(metric)}: {said.get(verdict, 'not judged on this day')}."
