"""Makes model.npz: teaches the classifier and the forest by simulated series and sets the thresholds.

    python -m metrics_assets.analysis.detection.training [--series 3000]

Deterministic for a version of scikit-learn; takes a few minutes. The thresholds come from clean series of another
seed: together the methods may call FALSE_ALARMS of them unusual per series and year.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from metrics_assets.analysis.detection import simulated
from metrics_assets.analysis.detection.evidence import FEATURES, Evidence, gather
from metrics_assets.analysis.detection.methods import (
    MODEL,
    SIGNS,
    ask,
    forest_rows,
    read_model,
    signs,
)
from metrics_assets.analysis.detection.numbers import Bools, Floats, Integers
from metrics_assets.analysis.detection.trees import boosted_trees, isolation_trees
from metrics_assets.analysis.detection.verdicts import alarm_days

DAYS = 480
FIRST = 28  # the first day that can be judged
SEED, CALIBRATION_SEED = 20250101, 20250102
FALSE_ALARMS = 1.3  # per series and year, of all methods together
OF_A_SIGN = 0.6  # of each sign of the residual rule
OF_THE_FOREST = 1.0
OF_BOTH_OTHERS = 0.15  # of the rule beyond doubt and the forest where they agree
ORDINARY_DAYS = 0.08  # share of the ordinary days that are learnt from; each counts for as many
# Ordinary days with such a sign are all learnt from.
NOTABLE = {
    "spike": 3.0,
    "drop": 3.0,
    "level_shift": 2.5,
    "drift": 2.5,
    "variance": 0.6,
}
# Events count alike, not their days: how much one day of each kind (of `simulated`) counts.
SHARE_OF_AN_EVENT = np.array([0.0, 6.0, 3.0, 1.2, 0.6, 0.8, 0.0])
_SERIES_AT_ONCE = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=3000)
    arguments = parser.parse_args()
    arrays = train(arguments.series)
    np.savez_compressed(Path(__file__).parent / MODEL, **arrays)


def train(series: int) -> dict[str, Any]:
    """The arrays of the file, learnt from `series` simulated series."""
    from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest

    rng = np.random.default_rng(SEED)
    rows, event, weight, usual = [], [], [], []
    for evidence, label, judged, _ in _evidence(simulated.simulate(series, DAYS, SEED)):
        ordinary = judged & (label == simulated.NOTHING)
        told = judged & (label != simulated.NOTHING) & (label != simulated.AFTER)
        notable = np.maximum.reduce([sign / NOTABLE[kind] for kind, sign in signs(evidence).items()]) > 1.0
        chosen = ordinary & (notable | (rng.random(judged.shape) < ORDINARY_DAYS))
        rows += [evidence.features[told], evidence.features[chosen]]
        event += [np.ones(told.sum()), np.zeros(chosen.sum())]
        weight += [SHARE_OF_AN_EVENT[label[told]], np.where(notable[chosen], 1.0, 1.0 / ORDINARY_DAYS)]
        usual.append(evidence.features[ordinary & (rng.random(judged.shape) < 0.02)])
    classifier = HistGradientBoostingClassifier(
        learning_rate=0.06, max_iter=220, max_leaf_nodes=24, min_samples_leaf=200, l2_regularization=5.0,
        early_stopping=False, random_state=SEED,
    )  # fmt: skip
    classifier.fit(np.concatenate(rows), np.concatenate(event), sample_weight=np.concatenate(weight))
    trees, baseline = boosted_trees(classifier)
    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=SEED, n_jobs=1)
    forest.fit(forest_rows(np.concatenate(usual)))
    cuts, usual_depth = isolation_trees(forest)
    arrays = {
        "features": np.array(FEATURES),
        "numbers": np.array([baseline, usual_depth, 0.0, 0.0, 1.0]),
        "rule": np.ones(len(SIGNS)),
        **trees.arrays("classifier"),
        **cuts.arrays("forest"),
    }
    return _with_thresholds(arrays, series // 3)


def _with_thresholds(arrays: dict[str, Any], series: int) -> dict[str, Any]:
    """Set the thresholds by what clean series would be alarmed for."""
    clean = [
        (evidence, judged)
        for evidence, _, judged, _ in _evidence(simulated.simulate(series, DAYS, CALIBRATION_SEED, clean=1.0))
    ]
    years = sum(judged.sum() for _, judged in clean) / 365.25

    def threshold(values: list[Floats], lasting: list[Bools], budget: float, low: float, high: float) -> float:
        for _ in range(16):
            middle = (low + high) / 2
            alarms = sum(alarm_days(value >= middle, last).sum() for value, last in zip(values, lasting, strict=True))
            low, high = (middle, high) if alarms > budget * years else (low, middle)
        return high

    never = [np.zeros(judged.shape, dtype=bool) for _, judged in clean]
    rule = [
        threshold(
            [np.where(judged, signs(evidence)[kind], -np.inf) for evidence, judged in clean], never, OF_A_SIGN, 0, 20
        )
        for kind in SIGNS
    ]
    numbers = arrays["numbers"]
    arrays = arrays | {"rule": np.array(rule)}
    opinions = [ask(evidence, judged, read_model(arrays)) for evidence, judged in clean]
    lasting = [one.lasting for one in opinions]
    numbers[3] = threshold([one.alone for one in opinions], never, OF_THE_FOREST, -10, 10)
    agreed = [np.where(one.alone >= numbers[3], one.strongest, 0.0) for one in opinions]
    numbers[4] = threshold(agreed, lasting, OF_BOTH_OTHERS, 1, 20)
    # What the two others say together is said whatever the classifier thinks.
    either = [np.where(both >= numbers[4], np.inf, one.odds) for both, one in zip(agreed, opinions, strict=True)]
    numbers[2] = threshold(either, lasting, FALSE_ALARMS, -10, 20)
    return arrays


def _evidence(parts: list[simulated.Simulated]) -> Iterator[tuple[Evidence, Integers, Bools, Bools]]:
    for part in parts:
        for begin in range(0, len(part.values), _SERIES_AT_ONCE):
            some = slice(begin, begin + _SERIES_AT_ONCE)
            evidence = gather(part.values[some], part.scale, FIRST)
            judged = ~np.isnan(evidence.z) & (evidence.known_days >= FIRST)
            yield evidence, part.label[some, FIRST:], judged, part.clean[some]


if __name__ == "__main__":
    warnings.simplefilter("error")
    main()
