from __future__ import annotations

from typing import Any

import pytest

from metrics_assets.analysis.detection import Finding, explain, human, unjudged


def finding(**given: Any) -> Finding:
    usual: dict[str, Any] = {
        "title": "New stars", "unit": "count", "kind": "spike", "value": 60.0, "n": None, "known_days": 56,
        "missing_days": 0, "zero_days": 0, "expected": 12.3, "lower": 2.1, "upper": 25.9, "score": 7.4,
        "weekday_used": False, "methods": ("classifier",), "event": None,
    }  # fmt: skip
    return Finding(**usual | given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {},
            "New stars: 60; 12.3 expected (3 to 25, from 56 days). Spike: 7.4 deviations above it. Told by classifier.",
        ),
        (
            {
                "kind": "drop",
                "value": 0.0,
                "zero_days": 9,
                "weekday_used": True,
                "methods": ("residual rule", "classifier"),
            },
            "New stars: 0; 12.3 expected (3 to 25, from 56 days; weekday pattern used). Drop: zero for 9 days. "
            "Told by residual rule and classifier.",
        ),
        (
            {"unit": "hours", "n": 7, "kind": "level_shift", "score": -4.26, "event": "release v1"},
            "New stars: 2.5 d (n = 7); 12.3 h expected (2.1 h to 1.1 d, from 56 days). Level shift: the last "
            "days together are 4.3 deviations below it. Told by classifier. It may be explained by release v1.",
        ),
        (
            {"kind": "drift", "n": 60, "methods": ("residual rule", "classifier", "isolation forest")},
            "New stars: 60; 12.3 expected (3 to 25, from 56 days). Drift: the last 14 days are 7.4 deviations above "
            "those of 8 weeks ago. Told by all three methods.",
        ),
        (
            {"kind": "variance", "score": 2.5},
            "New stars: 60; 12.3 expected (3 to 25, from 56 days). Variance: the last 14 days are 2.5 times as far "
            "from expectation as usual. Told by classifier.",
        ),
        (
            {"kind": "missing_data", "value": None, "missing_days": 3, "known_days": 53},
            "New stars: no value for 3 days, although 53 of the 56 days before have one. Missing data.",
        ),
    ],
)
def test_an_anomaly_in_words(given: dict[str, Any], words: str) -> None:
    assert explain(finding(**given)) == words


def test_why_there_is_no_verdict() -> None:
    assert unjudged(12, 28, 0, weak=False) == "Not judged: only 12 of 28 days are known."
    assert unjudged(56, 28, 0, weak=True) == "Not judged: the figure itself stands on too few."
    assert unjudged(56, 28, 0, weak=False) == "Not judged: too few of the last days had an expectation."
    assert unjudged(56, 28, 2, weak=False) == "No value; that alone is not told on this day."


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (14, "14"),
        (2.06, "2.1"),
        (1234.4, "1,234"),
        (0.0351, "0.035"),
        (56.25, "56.2"),
        (7.99, "8"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_are_written_for_people(number: float, text: str) -> None:
    assert human(number) == text
