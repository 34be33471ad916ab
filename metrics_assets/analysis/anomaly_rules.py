"""When a day is an anomaly: thresholds, the agreement of two methods, gaps and the cool-down.

Arrays are [series, days]. Nothing here looks ahead: column D depends on columns up to D.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from metrics_assets.analysis.forest import PooledForest, SecondMethod
from metrics_assets.analysis.residuals import WINDOW, Residuals

KINDS = ("missing_data", "level_shift", "spike", "drop")  # of two on one day, the earlier one here is told

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]

_FAR_PAST = -(10**6)


@dataclass(frozen=True)
class Settings:
    """How much it takes to call a day an anomaly.

    `residual`, `week` and `zero_run` are the thresholds at which the residual rule speaks: standard
    deviations of the day, of the sum of 7 days, and events of a Poisson count that failed to come while a
    count stayed at zero. The rule decides alone at `extreme` times its threshold, and at `alone` times while
    the second method has nothing to learn from; in between the second method must rank the day at `agreement`
    or more.
    """

    minimum_days: int = 28  # known days of the 56 before
    residual: float = 2.8
    week: float = 2.5
    zero_run: float = 6.0
    extreme: float = 1.3
    critical: float = 2.0  # times the threshold, for the severity
    alone: float = 1.25
    agreement: float = 0.97
    cool_down_days: int = 7
    gap_chance: float = 1e-4
    gap_days: int = 28  # a series without a value for longer is not running any more
    second: SecondMethod = field(default_factory=PooledForest)


@dataclass(frozen=True)
class Verdicts:
    """The verdict on each series and day.

    `judged`: there is a value and enough history. `strength[kind]`: how far the residual rule's threshold is
    reached, 1 is at it. `rank`: the second method's word, NaN where it was not asked or had none.
    `told[kind]`: the day (column) on which the event that holds on this day was first reported, -1 where
    none holds.
    """

    judged: Bools
    strength: Mapping[str, Floats]
    rank: Floats
    told: Mapping[str, Integers]


def judge(
    present: Bools,
    evidence: Residuals,
    months: Integers,
    families: npt.NDArray[np.object_],
    settings: Settings,
) -> Verdicts:
    """Return the verdicts from the first day on.

    `present` says which days have a value (of whatever state); `months` [days] counts calendar months;
    `families` [series] names the series that the second method learns from together.
    """
    judged = ~np.isnan(evidence.z) & (evidence.known_days >= settings.minimum_days)
    strength = _strength(evidence, judged, settings)
    rank = _ranks(evidence, judged, strength, months, families, settings)
    strength["missing_data"] = _gaps(present, evidence.known_days, settings)
    told = {kind: _first_reports(_holds(kind, strength[kind], rank, settings), settings) for kind in KINDS}
    return Verdicts(judged, strength, rank, told)


def severity(kind: str, strength: float, settings: Settings) -> str:
    """Return info where two methods had to agree, warning for an extreme residual, critical far beyond."""
    if kind == "missing_data":
        return "warning"
    if strength < settings.extreme:
        return "info"
    return "warning" if strength < settings.critical else "critical"


def _strength(evidence: Residuals, judged: Bools, settings: Settings) -> dict[str, Floats]:
    z = np.where(judged, evidence.z, 0.0)
    week = np.where(judged, np.abs(evidence.week), 0.0)
    zeros = np.where(judged, evidence.zero_run, 0.0)
    return {
        "spike": np.maximum(z, 0.0) / settings.residual,
        "drop": np.maximum(np.maximum(-z, 0.0) / settings.residual, zeros / settings.zero_run),
        "level_shift": week / settings.week,
    }


def _gaps(present: Bools, known_days: Integers, settings: Settings) -> Floats:
    """Return 1 where a run of missing days would come by chance less often than `gap_chance`, else 0.

    A weekday's chance to be missing is its share of missing days in the last 8 weeks, drawn towards the share
    of all days, so that a series without values on Sundays is not reported every Sunday.
    """
    started = np.maximum.accumulate(present, axis=1)
    missing = np.where(started, (~present).astype(np.float64), np.nan)
    padded = np.pad(missing, ((0, 0), (WINDOW, 0)), constant_values=np.nan)
    strength = np.zeros_like(missing)
    chance = np.zeros(len(missing))
    for day in range(missing.shape[1]):
        past = np.ascontiguousarray(padded[:, day : day + WINDOW])
        overall = (np.nansum(past, axis=1) + 0.5) / (np.sum(~np.isnan(past), axis=1) + 1.0)
        weekday = np.ascontiguousarray(past[:, ::7])
        own = (np.nansum(weekday, axis=1) + 2.0 * overall) / (np.sum(~np.isnan(weekday), axis=1) + 2.0)
        chance = np.where(missing[:, day] == 1, chance + np.log(own), 0.0)
        enough = known_days[:, day] >= settings.minimum_days
        strength[:, day] = enough & (chance < np.log(settings.gap_chance))
    return strength


def _ranks(
    evidence: Residuals,
    judged: Bools,
    strength: Mapping[str, Floats],
    months: Integers,
    families: npt.NDArray[np.object_],
    settings: Settings,
) -> Floats:
    """Ask the second method, family by family, about the days on which its word makes a difference."""
    features = evidence.features()
    largest = np.maximum.reduce(list(strength.values()))
    rank = np.full(judged.shape, np.nan)
    month = np.broadcast_to(months, judged.shape)
    for family in dict.fromkeys(families):
        rows = judged & (families == family)[:, None]
        asked = largest[rows] >= 1.0
        if asked.any():
            rank[rows] = settings.second.rank(features[rows], month[rows], asked)
    return rank


def _holds(kind: str, strength: Floats, rank: Floats, settings: Settings) -> Bools:
    if kind == "missing_data":
        return strength >= 1.0
    alone = np.where(np.isnan(rank), settings.alone, settings.extreme)
    return (strength >= alone) | ((strength >= 1.0) & (rank >= settings.agreement))


def _first_reports(holds: Bools, settings: Settings) -> Integers:
    """Return `told` of `Verdicts`: an event ends when its rule has not held for the cool-down."""
    last, first = np.full(len(holds), _FAR_PAST), np.full(len(holds), _FAR_PAST)
    told = np.full(holds.shape, -1)
    for day in range(holds.shape[1]):
        held = holds[:, day]
        first = np.where(held & (day - last >= settings.cool_down_days), day, first)
        last = np.where(held, day, last)
        told[:, day] = np.where(held, first, -1)
    return told
