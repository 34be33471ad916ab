"""Release gates evaluated: which criteria hold on a day, by figures and by evidence, and what follows for the gate."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int8]
State = Literal["met", "not met", "unknown"]
Verdict = Literal["passed", "failed", "unknown"]
NOT_MET, MET, UNKNOWN = 0, 1, -1
_KEEPS: dict[str, Callable[[Any, float], Any]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}
_WORDS: dict[int, State] = {NOT_MET: "not met", MET: "met", UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class Criterion:
    """What a criterion asks for.

    Attributes:
        level: must, should or nice.
        share: of the gate's score; the shares of a gate add up to 1.
        bounds: at_least, at_most, above, below, in the metric's unit.
        target: the condition in words.
        unknown: what is said where the metric is not known; None if it has no metric.
    """

    key: str
    title: str
    group: str
    level: str
    share: float
    target: str
    bounds: Mapping[str, float] = field(default_factory=dict)
    days: int = 1
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What somebody decided about a criterion: whether it is met, or a value to hold against its bounds."""

    decided_at: datetime
    met: bool | None = None
    value: float | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A gate of a subject on a day."""

    verdict: Verdict
    score: float
    must_missing: int
    criteria: list[dict[str, Any]]
    missing: list[str]


def within(values: Floats, bounds: Mapping[str, float]) -> States:
    """Whether each value keeps to all bounds; unknown where it is NaN."""
    kept = np.ones(values.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        for name, bound in bounds.items():
            kept &= _KEEPS[name](values, bound)
    states: States = np.where(np.isnan(values), UNKNOWN, kept).astype(np.int8)
    return states


def _keeps(value: float, bounds: Mapping[str, float]) -> bool:
    return all(_KEEPS[name](value, bound) for name, bound in bounds.items())


def held(values: Floats, bounds: Mapping[str, float], days: int) -> States:
    """Whether the bounds were kept on each of the last `days` days, for each day from the `days`-th on.

    Not met if they were broken on one of them, else unknown if the value of one is not known, else met.
    """
    windows = np.lib.stride_tricks.sliding_window_view(within(values, bounds), days)
    broken, unsure = (windows == NOT_MET).any(axis=1), (windows == UNKNOWN).any(axis=1)
    states: States = np.where(broken, NOT_MET, np.where(unsure, UNKNOWN, MET)).astype(np.int8)
    return states


def newest(evidence: Sequence[Evidence], before: datetime) -> Evidence | None:
    """The last decision before a time; `evidence` is in the order of its times."""
    found = None
    for one in evidence:
        if one.decided_at >= before:
            break
        found = one
    return found


def decide(criterion: Criterion, held_state: int, value: float | None, evidence: Evidence | None) -> dict[str, Any]:
    """The criterion on a day, as it stands in gate_evaluations.criteria.

    The metric decides where it is known; where it is not, and where there is none, evidence does.
    """
    decided: dict[str, Any] = {
        "key": criterion.key,
        "title": criterion.title,
        "group": criterion.group,
        "level": criterion.level,
        "target": criterion.target,
        "value": value,
        "evidence_url": None,
    }
    if held_state != UNKNOWN:
        return decided | {"state": _WORDS[held_state], "reason": _by_metric(criterion, held_state, value)}
    if evidence is not None:
        state, reason = _by_evidence(criterion, evidence)
        said = {"value": value if evidence.value is None else evidence.value, "evidence_url": evidence.url}
        return decided | said | {"state": _WORDS[state], "reason": reason}
    return decided | {"state": "unknown", "reason": criterion.unknown or "There is no evidence in gate_evidence.csv."}


def _by_metric(criterion: Criterion, state: int, value: float | None) -> str:
    shown = "The value of the day is not known" if value is None else f"{value:,.6g} on the day"
    if state == MET:
        return f"{shown}; {criterion.target} holds."
    if value is not None and _keeps(value, criterion.bounds):
        return f"{shown}, but it did not hold on each of the last {criterion.days} days."
    return f"{shown}, instead of {criterion.target}."


def _by_evidence(criterion: Criterion, evidence: Evidence) -> tuple[int, str]:
    on = evidence.decided_at.date().isoformat()
    if evidence.met is not None:
        return (MET, f"Decided to be met on {on}.") if evidence.met else (NOT_MET, f"Decided not to be met on {on}.")
    if evidence.value is not None and criterion.bounds:
        state = MET if _keeps(evidence.value, criterion.bounds) else NOT_MET
        return state, f"{evidence.value:,.6g} was entered on {on}."
    return UNKNOWN, f"Evidence was entered on {on}; it says neither whether this is met nor a value to judge."


def evaluate(criteria: Sequence[Criterion], decided: list[dict[str, Any]]) -> Evaluated:
    """The gate: failed if a must is not met, unknown if one is not known, else passed; the rest adds to the score."""
    musts = [one["state"] for criterion, one in zip(criteria, decided, strict=True) if criterion.level == "must"]
    met = [criterion.share for criterion, one in zip(criteria, decided, strict=True) if one["state"] == "met"]
    # Those that decide over the gate first, each level in the order of the catalogue.
    missing = [
        one["title"]
        for level in ("must", "should", "nice")
        for one in decided
        if one["level"] == level and one["state"] != "met"
    ]
    verdict: Verdict = "failed" if "not met" in musts else "unknown" if "unknown" in musts else "passed"
    return Evaluated(
        verdict=verdict,
        score=round(100 * min(sum(met), 1.0), 2),
        must_missing=sum(state != "met" for state in musts),
        criteria=decided,
        missing=missing,
    )
