"""The Criticality Score by both of its formulas, against what its project publishes."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metrics_assets.analysis.criticality import weigh_signals
from metrics_assets.analysis.scoring import CriticalityModel, score
from metrics_assets.catalogue.reading import read_yaml
from metrics_assets.paths import CATALOGUE

# The project's README on kubernetes/kubernetes, by the metrics of this catalogue; it prints 0.99107.
KUBERNETES = {
    "created_since_months": 87,
    "updated_since_months": 0,
    "contributors_total": 3999,
    "organisations": 5,
    "commit_frequency_week": 97.2,
    "releases_in_year": 70,
    "issues_closed_90_days": 3062,
    "issues_updated_90_days": 5395,
    "comments_per_issue_90_days": 5.5,
    "dependents": 454393,
}


def model(name: str) -> CriticalityModel:
    return CriticalityModel.model_validate(read_yaml(CATALOGUE / "scores" / f"{name}.yaml"))


def scored(which: CriticalityModel, signals: dict[str, float]) -> dict[str, Any]:
    rows = pd.DataFrame(
        [
            (
                "package of repository" if metric == "dependents" else "repository",
                "kubernetes/kubernetes",
                date(2022, 1, 1),
                metric,
                float(value),
                None,
                "ok",
            )
            for metric, value in signals.items()
        ],
        columns=["subject_kind", "subject", "date", "metric", "value", "n", "state"],
    )
    (row,) = score(which, rows).to_dict("records")
    return {str(name): value for name, value in row.items()} | {"components": json.loads(row["components"])}


@pytest.mark.parametrize(("name", "golden"), [("criticality_paper", 0.99107), ("criticality", 0.89753)])
def test_the_readme_s_kubernetes_has_the_published_scores(name: str, golden: float) -> None:
    row = scored(model(name), KUBERNETES)
    assert round(row["value"], 5) == golden
    assert row["coverage"] == pytest.approx(1)
    assert sum(part["contribution"] for part in row["components"]) == pytest.approx(row["value"], abs=1e-4)


def test_a_signal_that_is_not_known_drops_out_of_both_sums() -> None:
    without = {metric: value for metric, value in KUBERNETES.items() if metric != "dependents"}
    row = scored(model("criticality"), without)
    whole = scored(model("criticality"), KUBERNETES)
    dependents = next(part for part in whole["components"] if part["key"] == "dependents")
    assert row["value"] == pytest.approx((whole["value"] * 10.5 - 2 * dependents["points"]) / 8.5, abs=1e-5)
    assert row["coverage"] == pytest.approx(8.5 / 10.5)


def test_under_the_minimum_coverage_there_is_no_score() -> None:
    row = scored(model("criticality"), {"created_since_months": 80, "organisations": 2})
    assert math.isnan(row["value"])
    assert row["coverage"] == pytest.approx(2 / 10.5)
    assert all(part["contribution"] is None for part in row["components"])


def test_months_without_an_update_count_against_the_project() -> None:
    values = [scored(model("criticality"), KUBERNETES | {"updated_since_months": months}) for months in (0, 60, 120)]
    assert values[0]["value"] > values[1]["value"] > values[2]["value"]
    assert next(part for part in values[2]["components"] if part["key"] == "updated_since")["points"] == 0


signals = st.lists(st.floats(0, 1e9) | st.just(math.nan), min_size=10, max_size=10)


@given(signals)
def test_the_shipped_score_stays_from_0_to_1(values: list[float]) -> None:
    _, _, (total,), _, (coverage,) = weigh_signals(model("criticality"), np.array([values]))
    assert math.isnan(total) == (coverage == 0)
    assert math.isnan(total) or 0 <= total <= 1 + 1e-9


@given(signals)
def test_the_paper_s_score_is_its_formula(values: list[float]) -> None:
    paper = model("criticality_paper")
    known = [(part, value) for part, value in zip(paper.components, values, strict=True) if not math.isnan(value)]
    weight = sum(part.alpha for part, _ in known)
    _, _, (total,), _, _ = weigh_signals(paper, np.array([values]))
    if weight <= 0:
        assert math.isnan(total)
    else:
        gained = sum(
            part.alpha * math.log(1 + value) / math.log(1 + max(value, part.threshold)) for part, value in known
        )
        assert total == pytest.approx(gained / weight, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"alpha": 0}, "alpha is 0"),
        ({"threshold": 0}, "greater than 0"),
        ({"inverted": True}, "'a' is inverted, which needs clamped: true"),
    ],
)
def test_a_wrong_signal_is_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    part = {"key": "a", "metric": "m", "alpha": 1, "threshold": 10} | change
    head = {"score": "s", "version": 1, "title": "S", "form": "criticality", "minimum_coverage": 0, "clamped": False}
    with pytest.raises(ValidationError, match=sentence):
        CriticalityModel.model_validate(head | {"components": [part]})
