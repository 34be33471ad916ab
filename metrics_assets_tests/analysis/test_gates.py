"""Gates evaluated by hand: what a criterion is by figures and by evidence, and what follows for the gate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from metrics_assets.analysis.gates import MET, NOT_MET, UNKNOWN, Criterion, Evidence, decide, evaluate, held, newest

FAST = Criterion("fast", "Fast", "speed", "must", 0.6, "at least 10", {"at_least": 10}, 1, "Nobody measured it.")
SOUND = Criterion("sound", "Audited", "quality", "must", 0.3, "evidence")
LIKED = Criterion("liked", "Liked", "people", "nice", 0.1, "above 4", {"above": 4})
NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "bounds", "days", "states"),
    [
        ([9, 10, 11, None], {"at_least": 10}, 1, [NOT_MET, MET, MET, UNKNOWN]),
        ([9, 10, 11], {"above": 10}, 1, [NOT_MET, NOT_MET, MET]),
        ([9, 10, 11], {"at_most": 10}, 1, [MET, MET, NOT_MET]),
        ([9, 10, 11], {"below": 10}, 1, [MET, NOT_MET, NOT_MET]),
        ([9, 10, 11], {"at_least": 10, "below": 11}, 1, [NOT_MET, MET, NOT_MET]),
        # On each of the last three days: one that is broken says more than one that is not known.
        ([10, 10, 10, 9, None, 10, 10, 10], {"at_least": 10}, 3, [MET, NOT_MET, NOT_MET, NOT_MET, UNKNOWN, MET]),
    ],
)
def test_a_condition_holds_on_each_of_the_last_days(
    values: list[float | None], bounds: dict[str, float], days: int, states: list[int]
) -> None:
    array = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    assert held(array, bounds, days).tolist() == states


@pytest.mark.parametrize(
    ("criterion", "state", "value", "evidence", "said"),
    [
        (FAST, MET, 12.0, None, ("met", 12, None, "12 on the day; at least 10 holds.")),
        (FAST, NOT_MET, 9.5, None, ("not met", 9.5, None, "9.5 on the day, instead of at least 10.")),
        (FAST, UNKNOWN, None, None, ("unknown", None, None, "Nobody measured it.")),
        # Evidence decides what no figure decides, and never against one.
        (FAST, NOT_MET, 9.5, Evidence(NOON, True), ("not met", 9.5, None, "9.5 on the day, instead of at least 10.")),
        (FAST, UNKNOWN, None, Evidence(NOON, True, None, "u"), ("met", None, "u", "Decided to be met on 2025-06-02.")),
        (FAST, UNKNOWN, None, Evidence(NOON, None, 9.0), ("not met", 9, None, "9 was entered on 2025-06-02.")),
        (SOUND, UNKNOWN, None, None, ("unknown", None, None, "There is no evidence in gate_evidence.csv.")),
        (SOUND, UNKNOWN, None, Evidence(NOON, False), ("not met", None, None, "Decided not to be met on 2025-06-02.")),
        (LIKED, UNKNOWN, None, Evidence(NOON, None, 4.5), ("met", 4.5, None, "4.5 was entered on 2025-06-02.")),
        (SOUND, UNKNOWN, None, Evidence(NOON, None, 4.5), ("unknown", 4.5, None, "Evidence was entered on 2025-06-0")),
    ],
)  # fmt: skip
def test_what_decides_a_criterion(
    criterion: Criterion, state: int, value: float | None, evidence: Evidence | None, said: tuple[Any, ...]
) -> None:
    decided = decide(criterion, state, value, evidence)
    assert (decided["state"], decided["value"], decided["evidence_url"]) == said[:3]
    assert decided["reason"].startswith(said[3])


def test_a_condition_that_was_broken_before_the_day_says_so() -> None:
    week = Criterion("fast", "Fast", "speed", "must", 1, "at least 10 on each …", {"at_least": 10}, 7, "U")
    said = decide(week, NOT_MET, 11.0, None)["reason"]
    assert said == "11 on the day, but it did not hold on each of the last 7 days."


def test_the_newest_decision_before_the_days_end_counts() -> None:
    history = [Evidence(datetime(2025, 6, day, tzinfo=UTC), met=day != 2) for day in (1, 2, 3)]
    found = [newest(history, datetime(2025, 6, day, tzinfo=UTC)) for day in (1, 2, 3, 9)]
    assert [one and one.met for one in found] == [None, True, False, True]


@pytest.mark.parametrize(
    ("fast", "sound", "liked", "verdict", "score", "must_missing", "missing"),
    [
        ("met", "met", "met", "passed", 100, 0, []),
        ("met", "met", "not met", "passed", 90, 0, ["Liked"]),
        ("met", "met", "unknown", "passed", 90, 0, ["Liked"]),
        ("met", "not met", "met", "failed", 70, 1, ["Audited"]),
        ("met", "unknown", "not met", "unknown", 60, 1, ["Audited", "Liked"]),
        ("not met", "unknown", "met", "failed", 10, 2, ["Fast", "Audited"]),
        ("unknown", "unknown", "unknown", "unknown", 0, 2, ["Fast", "Audited", "Liked"]),
    ],
)
def test_verdicts(
    fast: str, sound: str, liked: str, verdict: str, score: float, must_missing: int, missing: list[str]
) -> None:
    criteria = [LIKED, FAST, SOUND]
    decided = [
        {"title": criterion.title, "level": criterion.level, "state": state}
        for criterion, state in zip(criteria, (liked, fast, sound), strict=True)
    ]
    found = evaluate(criteria, decided)
    assert (found.verdict, found.score, found.must_missing, found.missing) == (verdict, score, must_missing, missing)
