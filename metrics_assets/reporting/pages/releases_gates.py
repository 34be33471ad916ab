"""Release gates as cards: Ready, Review or Blocked, what is missing first, then every criterion with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from metrics_assets.reporting import wording
from metrics_assets.reporting.pages.community_words import cut, web_address

# What a verdict says to whoever wants to release: glyph, word, colour role; worst first.
VERDICTS = {
    "failed": ("✕", "Blocked", "bad"),
    "unknown": ("!", "Review", "watch"),
    "passed": ("✓", "Ready", "ok"),
}
STATES = {
    "not met": ("✕", "not met", "bad"),
    "unknown": ("?", "not known", "watch"),
    "met": ("✓", "met", "ok"),
}
LEVELS = ("must", "should", "nice")
_LEVEL_SAYS = {
    "must": "each of these decides over the gate",
    "should": "adds to the score alone",
    "nice": "adds to the score alone",
}
_NAMED_MISSING = 3


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that must hold, as metrics.gate_evaluations judged it on the day.

    `value` and `bounds` (at_least, at_most, above, below) are in `unit`, which is empty where evidence alone decides;
    `target` says the condition where there are no bounds. `days`: on how many days in a row it must hold.
    """

    title: str
    group: str
    level: str  # must | should | nice
    state: str  # met | not met | unknown
    target: str
    reason: str
    value: float | None = None
    unit: str = ""
    bounds: tuple[tuple[str, float], ...] = ()
    days: int = 1
    evidence_url: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of one candidate; `evaluated_on` is None where it was never evaluated."""

    gate: str
    title: str
    subject: str
    verdict: str  # passed | unknown | failed
    score: float | None  # 0 to 100
    must_missing: int | None
    evaluated_on: date | None
    criteria: tuple[Criterion, ...] = ()
    missing: tuple[str, ...] = ()  # titles, those of level must first


@dataclass(frozen=True, slots=True)
class CriterionView:
    """A line of a card."""

    glyph: str
    word: str
    role: str
    title: str
    value: str
    target: str
    reason: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class LevelView:
    """The criteria of a level: those that are not met first, then those that nobody knows, then those that hold."""

    name: str
    says: str
    met: str
    open: tuple[CriterionView, ...]
    holding: tuple[CriterionView, ...]


@dataclass(frozen=True, slots=True)
class GateView:
    """A card."""

    anchor: str
    title: str
    subject: str
    glyph: str
    word: str
    role: str
    score: str
    says: str
    missing: tuple[str, ...]
    more_missing: int
    note: str
    levels: tuple[LevelView, ...]


def ordered(gates: Sequence[Gate]) -> list[Gate]:
    """Blocked before Review before Ready; within these, fewest missing last, else the order of the catalogue."""
    rank = {verdict: number for number, verdict in enumerate(VERDICTS)}
    return sorted(gates, key=lambda gate: rank.get(gate.verdict, 1))


def gate_view(gate: Gate, data_through: date) -> GateView:
    """The card of a gate."""
    glyph, word, role = VERDICTS.get(gate.verdict, VERDICTS["unknown"])
    levels = tuple(_level(name, criteria) for name in LEVELS if (criteria := _of_level(gate, name)))
    return GateView(
        anchor=anchor_of(gate),
        title=cut(gate.title),
        subject=cut(gate.subject),
        glyph=glyph,
        word=word,
        role=role,
        score=score_text(gate.score),
        says=_says(gate),
        missing=tuple(cut(title) for title in gate.missing[:_NAMED_MISSING]),
        more_missing=max(len(gate.missing) - _NAMED_MISSING, 0),
        note=_note(gate, data_through),
        levels=levels,
    )


def anchor_of(gate: Gate) -> str:
    return wording.anchor("gate", f"{gate.gate} {gate.subject}")


def score_text(score: float | None) -> str:
    return "no score" if score is None else f"{score:.0f} of 100"


def _of_level(gate: Gate, level: str) -> list[Criterion]:
    return [criterion for criterion in gate.criteria if criterion.level == level]


def _says(gate: Gate) -> str:
    """How the criteria that decide stand: '3 of 5 that must hold do; 1 does not, 1 is not known.'"""
    musts = [criterion.state for criterion in _of_level(gate, "must")]
    if not musts:
        return "It was not evaluated yet." if gate.evaluated_on is None else "None of its criteria decides."
    met, broken, unknown = (musts.count(state) for state in ("met", "not met", "unknown"))
    if met == len(musts):
        return "The one that must hold does." if met == 1 else f"All {met} that must hold do."
    rest = []
    if broken:
        rest.append(f"{broken} {'does' if broken == 1 else 'do'} not")
    if unknown:
        rest.append(f"{unknown} {'is' if unknown == 1 else 'are'} not known")
    return f"{met} of {len(musts)} that must hold {'does' if met == 1 else 'do'}; {', '.join(rest)}."


def _note(gate: Gate, data_through: date) -> str:
    if gate.evaluated_on is None or gate.evaluated_on == data_through:
        return ""
    return f"As evaluated on {wording.day(gate.evaluated_on)}, the last time before this page's day."


def _level(name: str, criteria: Sequence[Criterion]) -> LevelView:
    rank = {state: number for number, state in enumerate(STATES)}
    views = [(one.state == "met", _criterion(one)) for one in sorted(criteria, key=lambda one: rank.get(one.state, 1))]
    met = sum(is_met for is_met, _ in views)
    return LevelView(
        name=name.upper(),
        says=_LEVEL_SAYS[name],
        met=f"{met} of {len(criteria)} met",
        open=tuple(view for is_met, view in views if not is_met),
        holding=tuple(view for is_met, view in views if is_met),
    )


def _criterion(criterion: Criterion) -> CriterionView:
    glyph, word, role = STATES.get(criterion.state, STATES["unknown"])
    return CriterionView(
        glyph=glyph,
        word=word,
        role=role,
        title=cut(criterion.title),
        value=value_text(criterion),
        target=target_text(criterion),
        reason=reason_text(criterion),
        evidence=web_address(criterion.evidence_url),
    )


def value_text(criterion: Criterion) -> str:
    """The value of the day in its unit; empty where evidence decides without one."""
    return "" if criterion.value is None else str(wording.quantity(criterion.value, criterion.unit))


def target_text(criterion: Criterion) -> str:
    """The condition in words and in its unit: 'at least 75 % on each of the last 7 days'."""
    if not criterion.bounds:
        return "" if criterion.target == "evidence" else cut(criterion.target)
    said = " and ".join(
        f"{name.replace('_', ' ')} {wording.quantity(bound, criterion.unit)}" for name, bound in criterion.bounds
    )
    return said if criterion.days == 1 else f"{said} on each of the last {criterion.days} days"


def reason_text(criterion: Criterion) -> str:
    """Why, where value and target do not say it already: unknown, decided by evidence, or broken before the day."""
    if criterion.state == "unknown" or criterion.value is None or " on the day" not in criterion.reason:
        return wording.written_days(cut(criterion.reason, 300))
    if criterion.state == "not met" and "did not hold on each" in criterion.reason:
        return f"It holds on the day, but it did not on each of the last {criterion.days} days."
    return ""
