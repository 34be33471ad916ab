"""The verdict on each day: whether something happened, of what kind, and how severe it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from metrics_assets.analysis.detection.evidence import EVIDENCE_DAYS, Evidence, gather
from metrics_assets.analysis.detection.expectation import WINDOW
from metrics_assets.analysis.detection.gaps import GAP_DAYS, LONGEST, days_missing, is_gap
from metrics_assets.analysis.detection.methods import (
    CLASSIFIER,
    FOREST,
    KINDS,
    METHODS,
    RULE,
    SIGNS,
    Model,
    ask,
    learnt,
)
from metrics_assets.analysis.detection.numbers import Bools, Floats, Integers, filled, known, windows
from metrics_assets.analysis.detection.scales import restore, scale_of

MINIMUM_DAYS = 28  # known days of the 56 before
COOL_DOWN = 7  # days without anything unusual, after which an event is over
BOUND = 3.0  # deviations between the expectation and its bounds
WARNING, CRITICAL = 1.3, 2.0  # times the residual rule's threshold
SEVERITIES = ("info", "warning", "critical")
# Days before a day that its verdict is made of.
LOOK_BACK = max(EVIDENCE_DAYS, GAP_DAYS) + COOL_DOWN
_CELLS_AT_ONCE = 65_536  # bounds the memory: a cell has some windows of 56 days

NO_KIND = -1


@dataclass(frozen=True)
class Panel:
    """Daily series: arrays are [series, days].

    `values` are in the metric's unit, NaN where unknown; `weak` marks values that stand on too few rows themselves:
    they are there, but neither judged nor learnt from. `units` [series] are the catalogue's.
    """

    values: Floats
    weak: Bools
    units: Sequence[str]


@dataclass(frozen=True)
class Verdicts:
    """The verdict on each series and day; arrays are [series, days].

    `kind` is the place in KINDS, NO_KIND where nothing is told; `judged` says whether there was a value and enough
    history. `missing` counts the days up to the day that have no value. `expected`, `lower` and `upper` are in the
    metric's unit, NaN where unknown. `score` is what decided, in deviations, negative below the expectation.
    `severity` is the place in SEVERITIES. `methods` [series, days, 3] says which of METHODS call the day unusual,
    told or not; `certainty` how far the verdict is from turning, 0 and more is unusual.
    """

    kind: Integers
    judged: Bools
    missing: Integers
    known_days: Integers
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats
    severity: Integers
    methods: Bools
    certainty: Floats
    weekday_used: Bools
    zero_days: Integers


def judge(panel: Panel, first: int, model: Model | None = None) -> Verdicts:
    """Judge the days from column `first` on, each by itself and the days before it alone.

    A verdict is made of at most LOOK_BACK days before its day: hand in as many before `first`, where there are as many,
    and it is the same whatever range is judged at once. It depends on no other series.

    An event is told once: while the days after it are unusual too, and until none was for COOL_DOWN days, nothing
    further is told, but that what began as a jump is there to stay. Of a gap one day is told.
    """
    model = model or learnt()
    days = panel.values.shape[1]
    if first >= days or not len(panel.values):
        return _nothing(len(panel.values), max(days - first, 0))
    scales = np.array([scale_of(unit) for unit in panel.units], dtype=np.int64)
    at_once = max(_CELLS_AT_ONCE // max(days, 1), 1)
    parts: list[tuple[Integers, Verdicts]] = []
    for scale in np.unique(scales).tolist():
        members = np.flatnonzero(scales == scale)
        for begin in range(0, len(members), at_once):
            chosen = members[begin : begin + at_once]
            parts.append((chosen, _judge(panel.values[chosen], panel.weak[chosen], scale, first, model)))
    place = np.argsort(np.concatenate([chosen for chosen, _ in parts]), kind="stable")
    return Verdicts(
        **{one.name: np.concatenate([getattr(part, one.name) for _, part in parts])[place] for one in fields(Verdicts)}
    )


def alarm_days(unusual: Bools, lasting: Bools) -> Bools:
    """Return [series, days]: the unusual days on which something is told.

    Those before which no day was unusual for the cool-down; and of what began with a jump the day from which it is
    `lasting`, unless that was told in the cool-down before.
    """
    stays = unusual & lasting
    return (unusual & ~_lately(unusual)) | (stays & ~_lately(stays))


def _lately(happened: Bools) -> Bools:
    padded = np.pad(happened, ((0, 0), (COOL_DOWN, 0)))
    window = np.lib.stride_tricks.sliding_window_view(padded, COOL_DOWN, axis=1)[:, : happened.shape[1]]
    happened_lately: Bools = np.any(window, axis=-1)
    return happened_lately


def _nothing(series: int, days: int) -> Verdicts:
    """The verdicts on nothing: no series, or no days."""
    numbers, whole = np.empty((series, days)), np.empty((series, days), dtype=np.int64)
    return Verdicts(
        kind=whole, judged=whole > 0, missing=whole, known_days=whole, expected=numbers, lower=numbers, upper=numbers,
        score=numbers, severity=whole, methods=np.empty((series, days, len(METHODS)), dtype=bool),
        certainty=numbers, weekday_used=whole > 0, zero_days=whole,
    )  # fmt: skip


def _judge(values: Floats, weak: Bools, scale: int, first: int, model: Model) -> Verdicts:
    finite = np.where(np.isfinite(values), values, np.nan)
    present = ~np.isnan(finite)
    # An event that is told on the day began up to a cool-down before it.
    begin = max(first - COOL_DOWN, 0)
    evidence = gather(np.where(weak, np.nan, finite), scale, begin)
    enough = evidence.known_days >= MINIMUM_DAYS
    judged = enough & ~np.isnan(evidence.z)
    opinions = ask(evidence, judged, model)
    late = first - begin
    told = alarm_days(opinions.certainty >= 0.0, opinions.lasting)[:, late:]

    every = known(windows(np.where(weak | ~present, np.nan, 1.0), WINDOW, 0))
    missing = days_missing(present, 0)
    gaps = is_gap(present, missing, every, MINIMUM_DAYS, begin)
    gap = alarm_days(gaps, np.zeros(gaps.shape, dtype=bool))[:, late:]

    strength = np.stack([opinions.strength[kind][:, late:] for kind in SIGNS])
    strongest = np.argmax(strength, axis=0)
    kind = np.where(told, strongest, np.where(gap, KINDS.index("missing_data"), NO_KIND))
    force = np.max(strength, axis=0)
    severity = np.where(gap & ~told, 1, (force >= WARNING).astype(np.int64) + (force >= CRITICAL))
    called = {
        RULE: (opinions.strongest >= 1.0)[:, late:],
        CLASSIFIER: (opinions.odds >= 0.0)[:, late:],
        FOREST: (opinions.alone >= 0.0)[:, late:],
    }
    expectation = evidence.expectation
    centre, floor, ceiling = (part[:, first:] for part in (expectation.centre, expectation.floor, expectation.ceiling))
    low, high = expectation.low[:, first:], expectation.high[:, first:]
    centre = np.where(enough[:, late:] & ~np.isnan(low), centre, np.nan)
    return Verdicts(
        kind=kind,
        judged=judged[:, late:],
        missing=missing[:, first:],
        known_days=evidence.known_days[:, late:],
        expected=restore(centre, scale),
        lower=restore(np.maximum(centre - BOUND * low, floor), scale),
        upper=restore(np.minimum(centre + BOUND * high, ceiling), scale),
        score=_score(evidence, strongest, late),
        severity=severity,
        methods=np.stack([called[method] for method in METHODS], axis=-1),
        certainty=opinions.certainty[:, late:],
        weekday_used=np.abs(evidence["weekday"][:, late:]) > 0.05,
        zero_days=_zero_days(finite, first),
    )


def _score(evidence: Evidence, strongest: Integers, late: int) -> Floats:
    """What decided, by the kind that is strongest: the day, 7 days, 14 against those 8 weeks ago, or unrest."""
    z = evidence.z[:, late:]
    week = np.where(
        np.abs(filled(evidence["usual_14"], 0.0)) > np.abs(filled(evidence["usual_7"], 0.0)),
        evidence["usual_14"], evidence["usual_7"],
    )[:, late:]  # fmt: skip
    silence = 1.5 * evidence["zero_run"][:, late:]
    unrest = np.sqrt(1.25 * np.exp(evidence["unrest_14"][:, late:]))
    drop = np.where(silence > -filled(z, 0.0), -silence, z)
    scores = [z, drop, week, evidence["drift_56"][:, late:], unrest]
    return np.where(np.isnan(z), np.nan, np.choose(strongest, scores))


def _zero_days(values: Floats, first: int) -> Integers:
    """Return how many days in a row up to each were zero, at most 56; a day without a value does not end it."""
    window = windows(values, WINDOW, first, with_day=True)[..., ::-1]
    running = np.cumprod((window == 0) | np.isnan(window), axis=-1)
    zeros: Integers = np.sum(running * (window == 0), axis=-1)
    return zeros


def emitted(verdicts: Verdicts) -> Bools:
    """The days that have a row: those with a value, and those without that are at most LONGEST days after one."""
    return verdicts.missing <= LONGEST
