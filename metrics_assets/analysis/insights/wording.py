"""What an insight is, and how figures, shares and days are said in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from metrics_assets.analysis.correlations import in_a_sentence, p_text
from metrics_assets.analysis.wording import amount, share

__all__ = ["AboutMetric", "Insight", "amount", "capital", "count", "in_a_sentence", "p_text", "share", "weight"]

Topic = Literal[
    "tier", "trend", "growth risk", "failures", "deployment windows", "reviews", "balance", "bottleneck", "gaps"
]
# What weighs more stands first. Within one of these, the size of the effect decides, see `weight`.
RISK, WORSE, ADVICE, GOOD_NEWS, CAVEAT = 4.0, 3.0, 2.0, 1.0, 0.5


@dataclass(frozen=True, slots=True)
class AboutMetric:
    """What the catalogue says of a metric."""

    title: str
    unit: str
    direction: Literal["higher", "lower", "neutral"]


@dataclass(frozen=True, slots=True)
class Insight:
    """A sentence about a subject, and what it stands on.

    Attributes:
        weight: the greater, the more it matters.
        n: observations behind the sentence; p of the test, corrected for how many were done, where one was.
        evidence: metrics, days, values and counts, enough to check the sentence; nothing about a single person.
    """

    insight: str
    subject_kind: str
    subject: str
    topic: Topic
    weight: float
    sentence: str
    evidence: Mapping[str, Any] = field(hash=False)
    action: str | None = None
    n: int | None = None
    p: float | None = None


def weight(base: float, ratio: float) -> float:
    """The weight of an insight: its kind's, and up to 1 by how large the effect is (1 is a fourfold change)."""
    large, small = max(ratio, 1.0), min(ratio, 1.0)
    fold = large if large > 1 else (1 / small if small > 0 else 4.0)
    return round(base + min(fold - 1, 3.0) / 3, 3)


def count(number: int, one: str, many: str | None = None) -> str:
    """'1 deployment', '1,200 deployments'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]
