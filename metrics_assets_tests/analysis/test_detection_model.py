"""What the detector learnt, and that the arrays say what scikit-learn's models say."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from metrics_assets.analysis.detection import simulated
from metrics_assets.analysis.detection.evidence import FEATURES
from metrics_assets.analysis.detection.methods import learnt, read_model
from metrics_assets.analysis.detection.trees import Trees, boosted_trees, isolation_trees


def _rows() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(3000, 5))
    answer = (rows[:, 0] + np.abs(rows[:, 1]) > 1).astype(float)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows, answer


def test_boosted_trees_say_what_the_classifier_says() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, answer = _rows()
    model = HistGradientBoostingClassifier(max_iter=20, early_stopping=False).fit(rows, answer)
    trees, baseline = boosted_trees(model)
    again = Trees.read("x", trees.arrays("x"))
    np.testing.assert_allclose(again.total(rows) + baseline, model.decision_function(rows), rtol=1e-9, atol=1e-9)


def test_isolation_trees_say_what_the_forest_says() -> None:
    from sklearn.ensemble import IsolationForest

    rows = np.nan_to_num(_rows()[0]).astype(np.float32).astype(np.float64)  # as the forest rounds them
    model = IsolationForest(n_estimators=20, random_state=1).fit(rows)
    trees, usual = isolation_trees(model)
    np.testing.assert_allclose(-(2.0 ** -(trees.total(rows) / usual)), model.score_samples(rows), rtol=1e-6)


def test_the_package_comes_with_a_model_of_these_features() -> None:
    model = learnt()
    assert set(np.unique(model.classifier.feature)) <= set(range(-1, len(FEATURES)))
    assert np.all(model.rule > 0)
    assert model.doubtless >= 1


def test_a_model_of_other_features_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"other features; run python -m metrics_assets\.analysis\.detection"):
        read_model({"features": np.array(["z"])})


def test_simulated_series_follow_from_their_seed() -> None:
    one, other = simulated.simulate(40, 300, 5), simulated.simulate(40, 300, 5)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left.values, right.values)
        np.testing.assert_array_equal(left.label, right.label)
        assert not left.label[left.clean].any()
    assert {part.scale for part in one} == {0, 1, 2, 3}
    labels = np.unique(np.concatenate([part.label.ravel() for part in one]))
    assert labels.tolist() == list(range(7))


def test_judging_does_not_import_what_only_learning_needs() -> None:
    """scikit-learn takes seconds to import."""
    program = (
        "import sys, numpy as np\n"
        "from metrics_assets.analysis.detection import Panel, judge\n"
        "judge(Panel(np.ones((1, 60)), np.zeros((1, 60), dtype=bool), ['count']), 50)\n"
        "sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
