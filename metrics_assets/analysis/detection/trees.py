"""Ensembles of trees as plain arrays: what was learnt is a file of numbers, and asking needs nothing but numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metrics_assets.analysis.detection.numbers import Floats, Integers

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Trees:
    """Binary trees; arrays are [trees, nodes], node 0 is the root.

    At a node whose `feature` is -1 the tree ends and says `value`. Else a row goes `left` where its feature is at most
    `threshold`, `right` otherwise; where it is unknown, left if `unknown_left`.
    """

    feature: Integers
    threshold: Floats
    left: Integers
    right: Integers
    unknown_left: np.typing.NDArray[np.bool_]
    value: Floats

    def total(self, rows: Floats) -> Floats:
        """Return [rows]: the sum of what all trees say of `rows` [rows, features]."""
        totals = np.empty(len(rows))
        for begin in range(0, len(rows), _ROWS_AT_ONCE):
            totals[begin : begin + _ROWS_AT_ONCE] = self._total(rows[begin : begin + _ROWS_AT_ONCE])
        return totals

    def _total(self, rows: Floats) -> Floats:
        total = np.zeros(len(rows))
        everyone = np.arange(len(rows))
        for tree in range(len(self.feature)):
            feature, threshold = self.feature[tree], self.threshold[tree]
            node = np.zeros(len(rows), dtype=np.int64)
            going = everyone
            while len(going):
                at = node[going]
                inner = feature[at] >= 0
                going, at = going[inner], at[inner]
                value = rows[going, feature[at]]
                goes_left = np.where(np.isnan(value), self.unknown_left[tree, at], value <= threshold[at])
                node[going] = np.where(goes_left, self.left[tree, at], self.right[tree, at])
            total += self.value[tree, node]
        return total

    def arrays(self, name: str) -> dict[str, Any]:
        """The arrays under names of their own, in few bytes."""
        return {
            f"{name}_feature": self.feature.astype(np.int8),
            f"{name}_threshold": self.threshold.astype(np.float64),
            f"{name}_left": self.left.astype(np.int16),
            f"{name}_right": self.right.astype(np.int16),
            f"{name}_unknown_left": self.unknown_left,
            f"{name}_value": self.value.astype(np.float64),
        }

    @classmethod
    def read(cls, name: str, arrays: Mapping[str, Any]) -> Trees:
        """The trees that `arrays` were made of."""
        return cls(
            feature=arrays[f"{name}_feature"].astype(np.int64),
            threshold=arrays[f"{name}_threshold"],
            left=arrays[f"{name}_left"].astype(np.int64),
            right=arrays[f"{name}_right"].astype(np.int64),
            unknown_left=arrays[f"{name}_unknown_left"],
            value=arrays[f"{name}_value"],
        )


def boosted_trees(model: Any) -> tuple[Trees, float]:
    """The trees of a fitted binary HistGradientBoostingClassifier, and what its log odds begin with."""
    nodes = [predictor.nodes for (predictor,) in model._predictors]
    found = _stack(
        [
            (
                np.where(tree["is_leaf"], -1, tree["feature_idx"]),
                tree["num_threshold"],
                tree["left"],
                tree["right"],
                tree["missing_go_to_left"].astype(bool),
                tree["value"],
            )
            for tree in nodes
        ]
    )
    return found, float(np.ravel(model._baseline_prediction)[0])


def isolation_trees(model: Any) -> tuple[Trees, float]:
    """The trees of a fitted IsolationForest: their value is how many cuts it takes to be alone, and the usual depth."""
    from sklearn.ensemble._iforest import _average_path_length

    parts = []
    for estimator, features in zip(model.estimators_, model.estimators_features_, strict=True):
        tree = estimator.tree_
        depth = np.zeros(tree.node_count)
        for node in range(tree.node_count):
            for child in (tree.children_left[node], tree.children_right[node]):
                if child >= 0:
                    depth[child] = depth[node] + 1
        is_leaf = tree.children_left < 0
        parts.append(
            (
                np.where(is_leaf, -1, features[np.maximum(tree.feature, 0)]),
                tree.threshold,
                tree.children_left,
                tree.children_right,
                np.zeros(tree.node_count, dtype=bool),
                np.where(is_leaf, depth + _average_path_length(tree.n_node_samples), 0.0),
            )
        )
    return _stack(parts), float(_average_path_length(np.array([model.max_samples_]))[0]) * len(parts)


def _stack(trees: list[tuple[Any, ...]]) -> Trees:
    widest = max(len(tree[0]) for tree in trees)
    columns = []
    for position, fill in enumerate((-1, 0.0, 0, 0, False, 0.0)):
        stacked = np.full((len(trees), widest), fill)
        for row, tree in enumerate(trees):
            stacked[row, : len(tree[position])] = tree[position]
        columns.append(stacked)
    return Trees(columns[0], columns[1], columns[2], columns[3], columns[4], columns[5])
