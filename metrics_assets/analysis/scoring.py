"""Scores: several figures of one subject and day, each brought to 0-100 points and weighed into one number.

A model is a YAML file of the catalogue (`catalogue/scores/*.yaml`). What is not known drops out and lowers
the score's coverage; it never counts as zero points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

VALUE_COLUMNS = ("subject", "date", "metric", "value", "n", "state")
SCORE_COLUMNS = ("score", "version", "subject", "date", "value", "coverage", "components")
KNOWN_STATES = ("ok", "provisional")

Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]


class ScoreComponent(BaseModel):
    """One metric of a score and the line that turns its value into points.

    The line runs from `zero` (0 points) to `hundred` (100 points), which may be the smaller of the two, and
    is flat beyond both ends. With `scale: log` it is straight over the logarithm of the value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str = Field(min_length=1)
    metric: str = Field(min_length=1)
    weight: float
    zero: float
    hundred: float
    scale: Literal["linear", "log"] = "linear"

    @field_validator("weight")
    @classmethod
    def _weight_is_positive(cls, weight: float) -> float:
        if weight <= 0:
            raise ValueError(
                f"The weight must be greater than 0, but it is {weight:g}; leave the component out instead."
            )
        return weight

    @model_validator(mode="after")
    def _line_can_be_drawn(self) -> Self:
        if self.zero == self.hundred:
            raise ValueError(
                f"Component '{self.key}': zero and hundred are both {self.zero:g}; "
                "give two different values, so that a line can be drawn between them."
            )
        if self.scale == "log" and min(self.zero, self.hundred) <= 0:
            raise ValueError(
                f"Component '{self.key}': zero is {self.zero:g} and hundred is {self.hundred:g}; "
                "with scale: log both must be greater than 0 (or use scale: linear)."
            )
        return self

    def points(self, values: Floats) -> Floats:
        """Return 0-100 points for `values` (any shape, in the metric's unit), rounded to 2; NaN stays NaN."""
        low, high = sorted((self.zero, self.hundred))
        inside = np.clip(values, low, high)
        zero, hundred = self.zero, self.hundred
        if self.scale == "log":
            inside, zero, hundred = np.log(inside), float(np.log(zero)), float(np.log(hundred))
        # Clipped again: the logarithm of an end may differ from itself by a last digit between NumPy's loops.
        share = np.clip((inside - zero) / (hundred - zero), 0.0, 1.0)
        points: Floats = np.round(100.0 * share, 2)
        return points


class ScoreModel(BaseModel):
    """A named, versioned score: its components and the share of their weights that must be known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    score: str = Field(min_length=1)
    version: int = Field(ge=1)
    title: str = Field(min_length=1)
    minimum_coverage: float = Field(ge=0, le=1)
    components: tuple[ScoreComponent, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _keys_are_unique(self) -> Self:
        keys = [component.key for component in self.components]
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        if doubled:
            raise ValueError(
                f"Score '{self.score}': the component key {', '.join(map(repr, doubled))} "
                "is used more than once; "
                "each component needs a key of its own."
            )
        return self


def score(model: ScoreModel, values: pd.DataFrame) -> pd.DataFrame:
    """Score every subject and day that has a row for at least one of the model's metrics.

    `values` has the columns of `VALUE_COLUMNS`: one row per subject, date and metric, value in the metric's
    unit, state ok | provisional | too_few | unknown. Metrics that the model does not use are ignored. A
    figure counts when its state is ok or provisional and its value is a finite number.

    Returns the columns of `SCORE_COLUMNS`, one row per subject and date, sorted by them:
    - value: sum(weight * points) / sum(weight) over the known components, 0-100; `None` when the coverage is
      under the model's minimum;
    - coverage: weight of the known components / weight of all, 0-1;
    - components: list of dicts in the model's order with key, metric, state, value, n, points (0-100), weight
      and contribution (the points of the score that come from it; the contributions add up to the value but
      for rounding). Of a missing component value, points and contribution are `None` and `state` is the
      reason; of a score that is `None` every contribution is `None`.

    The value is made of the rounded points, so it can be recomputed from `components`.
    Raises ValueError when a column is missing or a subject has two values of a metric for a day.
    """
    absent = [column for column in VALUE_COLUMNS if column not in values.columns]
    if absent:
        raise ValueError(f"The values to score lack the column {', '.join(absent)}.")
    used = values[values["metric"].isin({component.metric for component in model.components})]
    day = used.groupby(["subject", "date"], sort=True).ngroup().to_numpy()
    _require_one_value_each(used, day)
    _, first_rows = np.unique(day, return_index=True)
    days = used[["subject", "date"]].iloc[first_rows].reset_index(drop=True)
    points, parts = _components(model, used, day, len(days))
    weights = np.array([component.weight for component in model.components])
    known = ~np.isnan(points)
    known_weight = np.where(known, weights, 0.0).sum(axis=1)
    coverage = known_weight / weights.sum()
    # A sum of decimal weights may fall short of the minimum by a last digit.
    enough = (known_weight > 0) & (coverage >= model.minimum_coverage - 1e-9)
    divisor = np.where(enough, known_weight, np.nan)[:, None]
    contributions = weights * points / divisor
    total = np.clip(np.where(known, contributions, 0.0).sum(axis=1), 0.0, 100.0)

    return pd.DataFrame(
        {
            "score": model.score,
            "version": model.version,
            "subject": days["subject"],
            "date": days["date"],
            "value": pd.Series(_with_none(np.where(enough, total, np.nan)), dtype=object),
            "coverage": coverage,
            "components": pd.Series(list(_explained(model, parts, points, np.round(contributions, 2))), dtype=object),
        },
        columns=list(SCORE_COLUMNS),
    )


def _require_one_value_each(used: pd.DataFrame, day: npt.NDArray[np.integer[Any]]) -> None:
    doubled = pd.DataFrame({"day": day, "metric": used["metric"].to_numpy()}).duplicated().to_numpy()
    if doubled.any():
        first = used[doubled].iloc[0]
        raise ValueError(
            f"There are two values of {first['metric']} for {first['subject']} on {first['date']}; "
            "a score needs one for each day."
        )


def _components(
    model: ScoreModel, used: pd.DataFrame, day: npt.NDArray[np.integer[Any]], days: int
) -> tuple[Floats, list[tuple[Objects, Objects, Objects]]]:
    """Return points [days, components], NaN where missing, and each component's states, values and ns.

    `day` is the row of the result that each row of `used` belongs to.
    """
    points = np.full((days, len(model.components)), np.nan)
    parts = []
    for column, component in enumerate(model.components):
        chosen = (used["metric"] == component.metric).to_numpy()
        rows, at = used[chosen], day[chosen]
        value, n = np.full(days, np.nan), np.full(days, np.nan)
        state = np.full(days, "unknown", dtype=object)
        value[at] = rows["value"].to_numpy(dtype=np.float64, na_value=np.nan)
        n[at] = rows["n"].to_numpy(dtype=np.float64, na_value=np.nan)
        state[at] = rows["state"].fillna("unknown").to_numpy(dtype=object)
        counts = np.isin(state.astype(str), KNOWN_STATES)
        known = counts & np.isfinite(value)
        state[counts & ~known] = "unknown"
        value[~known] = np.nan
        points[:, column] = component.points(value)
        parts.append((state, _with_none(value), _with_none(n, whole=True)))
    return points, parts


def _explained(
    model: ScoreModel, parts: list[tuple[Objects, Objects, Objects]], points: Floats, contributions: Floats
) -> Iterator[list[dict[str, Any]]]:
    """Yield each row's list of component dicts, with plain Python numbers that JSON can hold."""
    columns = []
    for column, (component, (states, values, ns)) in enumerate(zip(model.components, parts, strict=True)):
        gains, shares = _with_none(points[:, column]), _with_none(contributions[:, column])
        cells = zip(states, values, ns, gains, shares, strict=True)
        columns.append(
            [
                {
                    "key": component.key,
                    "metric": component.metric,
                    "state": state,
                    "value": value,
                    "n": n,
                    "points": gained,
                    "weight": component.weight,
                    "contribution": contribution,
                }
                for state, value, n, gained, contribution in cells
            ]
        )
    return map(list, zip(*columns, strict=True))


def _with_none(numbers: Floats, *, whole: bool = False) -> Objects:
    """Return the numbers as plain Python floats (or ints), `None` where they are NaN."""
    result = numbers.astype(object)
    missing = np.isnan(numbers)
    if whole:
        result[~missing] = numbers[~missing].astype(np.int64).astype(object)
    result[missing] = None
    return result
