"""The second method of anomaly detection: what is unusual among all series of a metric together.

It is the seam for a stronger detector: whatever has a `rank` like `SecondMethod` can take the forest's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]


class SecondMethod(Protocol):
    """Judges days by their features (see `residuals.Residuals.features`)."""

    def rank(self, features: Floats, month: Integers, asked: Bools) -> Floats:
        """Return how unusual each row is, 0 (usual) to 1; NaN where it was not asked or nothing is known yet.

        `features` [rows, k] are all judgeable days of one metric, ordered by series and day; `month` [rows]
        counts calendar months; `asked` [rows] marks the rows whose rank is wanted. A row may be judged only
        by rows of earlier months, and its rank must not depend on which other rows were asked.
        """
        ...


@dataclass(frozen=True)
class PooledForest:
    """One isolation forest for each calendar month, trained on all earlier months of all series of a metric.

    The rank of a day is the share of training days that the forest isolates less easily (F. T. Liu, K. M.
    Ting and Z.-H. Zhou, "Isolation forest", ICDM 2008). Under `minimum_rows` of training there is no rank.
    """

    minimum_rows: int = 500
    training_rows: int = 4096  # at most, evenly spread over what there is
    trees: int = 60
    seed: int = 20250101

    def rank(self, features: Floats, month: Integers, asked: Bools) -> Floats:
        ranks = np.full(len(features), np.nan)
        for current in np.unique(month[asked]):
            training = np.flatnonzero(month < current)
            if len(training) < self.minimum_rows:
                continue
            if len(training) > self.training_rows:
                spread = np.linspace(0, len(training) - 1, self.training_rows).astype(np.int64)
                training = training[spread]
            rows = np.flatnonzero(asked & (month == current))
            ranks[rows] = self._ranks(features[training], features[rows])
        return ranks

    def _ranks(self, training: Floats, judged: Floats) -> Floats:
        from sklearn.ensemble import IsolationForest  # imported late: it takes seconds

        forest = IsolationForest(
            n_estimators=self.trees, max_samples=min(256, len(training)), random_state=self.seed, n_jobs=None
        )
        forest.fit(training)
        # A low score is an unusual day.
        usual = np.sort(forest.score_samples(training))
        above = np.searchsorted(usual, forest.score_samples(judged), side="right")
        ranks: Floats = 1.0 - above / len(usual)
        return ranks
