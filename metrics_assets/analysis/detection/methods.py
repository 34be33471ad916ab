"""The methods that judge a day, and how they come to one verdict.

Three methods look at the same evidence. The residual rule compares the strongest sign of each kind of event with what
is usual. A classifier was taught by simulated events on simulated series of all kinds, and gives odds. An isolation
forest, taught by ordinary days alone, says how easily a day is told apart from them; it speaks up for what nobody
simulated. A day is unusual when the classifier says so, or when the rule is beyond doubt and the forest agrees.

What was learnt is the file model.npz; `training` makes it. It is the same for every series, so that a verdict depends
on nothing but the series' own past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from metrics_assets.analysis.detection.evidence import FEATURES, Evidence
from metrics_assets.analysis.detection.numbers import Bools, Floats, filled
from metrics_assets.analysis.detection.trees import Trees

# What a day can be; of the first five the residual rule has a sign each.
KINDS = ("spike", "drop", "level_shift", "drift", "variance", "missing_data")
SIGNS = KINDS[:5]
_LASTING = [SIGNS.index("level_shift"), SIGNS.index("drift")]
RULE, CLASSIFIER, FOREST = "residual rule", "classifier", "isolation forest"
METHODS = (RULE, CLASSIFIER, FOREST)
MODEL = "model.npz"
# A day on which no sign is anything is not worth the trees' time.
_WORTH_ASKING = 0.5


@dataclass(frozen=True)
class Model:
    """What was learnt: trees, and from where on a method calls a day unusual.

    `rule` are the signs' thresholds in the order of SIGNS, `odds` and `alone` those of the other methods. `doubtless`
    is how many times its threshold a sign must reach for a verdict without the classifier.
    """

    classifier: Trees
    baseline: float
    forest: Trees
    usual_depth: float
    rule: Floats
    odds: float
    alone: float
    doubtless: float


@dataclass(frozen=True)
class Opinions:
    """What the methods say of each day; arrays are [series, days].

    `strength[kind]` is 1 where the residual rule's threshold is reached; `odds` and `alone` are above 0 where the
    classifier's and the forest's are, -inf where they were not asked; `certainty` is how far the verdict is from
    turning: 0 and more is unusual.
    """

    strength: Mapping[str, Floats]
    odds: Floats
    alone: Floats
    certainty: Floats

    @property
    def lasting(self) -> Bools:
        """Whether the strongest sign is of something that stays."""
        return np.isin(np.argmax(np.stack([self.strength[kind] for kind in SIGNS]), axis=0), _LASTING)

    @property
    def strongest(self) -> Floats:
        strongest: Floats = np.maximum.reduce(list(self.strength.values()))
        return strongest


@cache
def learnt() -> Model:
    """The model that the package comes with."""
    with resources.files(__package__).joinpath(MODEL).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return read_model(dict(arrays))


def read_model(arrays: Mapping[str, Floats]) -> Model:
    """The model of a file's arrays.

    Raises:
        ValueError: it was made of other features than those of this version.
    """
    if tuple(arrays["features"].tolist()) != FEATURES:
        raise ValueError(f"{MODEL} was made of other features; run python -m {__package__}.training to make it anew.")
    baseline, usual_depth, odds, alone, doubtless = arrays["numbers"].tolist()
    return Model(
        classifier=Trees.read("classifier", arrays),
        baseline=baseline,
        forest=Trees.read("forest", arrays),
        usual_depth=usual_depth,
        rule=arrays["rule"],
        odds=odds,
        alone=alone,
        doubtless=doubtless,
    )


def signs(evidence: Evidence) -> dict[str, Floats]:
    """The strongest sign of each kind of event, of any size; 0 where nothing is known."""
    z = filled(evidence["z"], 0.0)
    drift = np.sqrt(np.abs(filled(evidence["drift_56"], 0.0) * filled(evidence["usual_drift_56"], 0.0)))
    return {
        "spike": np.maximum(z, 0.0),
        "drop": np.maximum(np.maximum(-z, 0.0), 1.5 * evidence["zero_run"]),
        "level_shift": np.maximum(np.abs(filled(evidence["usual_7"], 0.0)), np.abs(filled(evidence["usual_14"], 0.0))),
        "drift": drift,
        "variance": np.maximum(evidence["unrest_14"], 0.0),
    }


def ask(evidence: Evidence, judged: Bools, model: Model) -> Opinions:
    """Ask all methods about the days that are `judged`."""
    rule = dict(zip(SIGNS, model.rule.tolist(), strict=True))
    strength = {kind: np.where(judged, sign / rule[kind], 0.0) for kind, sign in signs(evidence).items()}
    strongest = np.maximum.reduce(list(strength.values()))
    odds, alone = np.full(judged.shape, -np.inf), np.full(judged.shape, -np.inf)
    asked = judged & (strongest >= _WORTH_ASKING)
    odds[asked] = classifier_odds(evidence.features[asked], model) - model.odds
    odd = asked & (strongest >= 1.0)
    alone[odd] = isolation(evidence.features[odd], model) - model.alone
    both = np.minimum(4.0 * np.log(np.maximum(strongest, 1e-9) / model.doubtless), alone)
    return Opinions(strength, odds, alone, np.maximum(odds, both))


def classifier_odds(rows: Floats, model: Model) -> Floats:
    """The logarithm of the odds that a day is part of an event, of rows of FEATURES."""
    return model.classifier.total(rows) + model.baseline


def isolation(rows: Floats, model: Model) -> Floats:
    """How easily rows of FEATURES are told apart, in tenths of the usual number of cuts that are saved."""
    return 10.0 * (1.0 - model.forest.total(forest_rows(rows)) / model.usual_depth)


def forest_rows(rows: Floats) -> Floats:
    """Rows as the forest takes them: nothing unknown, and nothing that only tells kinds of series apart."""
    context = [FEATURES.index(name) for name in ("known_days", "known_errors", "size", "follows", "zeros", "unchanged")]
    found = filled(rows, 0.0)
    found[:, context] = 0.0
    return found
