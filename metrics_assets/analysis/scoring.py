"""Scores: several figures of one subject and day, each brought to points, and weighed into one number.

A model is a YAML file of the catalogue (`catalogue/scores/*.yaml`). What is not known drops out and lowers the
score's coverage; it never counts as zero points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

VALUE_COLUMNS = ("subject_kind", "subject", "date", "metric", "value", "n", "state")
SCORE_COLUMNS = ("score", "version", "subject_kind", "subject", "date", "value", "coverage", "components")
KNOWN_STATES = ("ok", "provisional")
OF_THE_PACKAGES = "package"

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

SubjectKind = Literal["repository", "portfolio"]


class _Component(BaseModel):
    """One figure of a score.

    `subject_kind` says where the figure stands: at the scored subject itself (absent), at the portfolio for every
    subject, or at the packages of the subject, of which the largest figure counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str = Field(min_length=1)
    metric: str = Field(min_length=1)
    title: str | None = None
    subject_kind: Literal["portfolio", "package"] | None = None


class ScoreComponent(_Component):
    """One metric of a score of points and the line that turns its value into them.

    The line runs from `zero` (0 points) to `hundred` (100 points), which may be the smaller of the two, and is flat
    beyond both ends. With `scale: log` it is straight over the logarithm of the value.
    """

    category: str | None = None
    weight: float = 1.0
    zero: float
    hundred: float
    scale: Literal["linear", "log"] = "linear"

    @field_validator("weight")
    @classmethod
    def _weight_is_positive(cls, weight: float) -> float:
        return _positive(weight)

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


class Signal(_Component):
    """One signal of a criticality score: its weight alpha and its threshold, which is the value of a full share.

    `inverted` turns the signal round, so that 0 is a full share and the threshold none.
    """

    alpha: float
    threshold: float = Field(gt=0)
    inverted: bool = False

    @field_validator("alpha")
    @classmethod
    def _alpha_weighs(cls, alpha: float) -> float:
        if alpha == 0:
            raise ValueError("alpha is 0, so that the signal would not count; leave it out instead.")
        return alpha


class _Model(BaseModel):
    """A named, versioned score: its components and the share of their weights that must be known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    score: str = Field(min_length=1, pattern=r"^[a-z][a-z0-9_]*$")
    version: int = Field(ge=1)
    title: str = Field(min_length=1)
    minimum_coverage: float = Field(ge=0, le=1)
    subject_kinds: tuple[SubjectKind, ...] = Field(("repository",), min_length=1)


class ScoreModel(_Model):
    """A score from 0 to 100 points.

    With `categories` each component belongs to one, and the points of a category are the weighted mean of those of
    its components that are known: a category keeps its weight however many they are, and drops out with the last.
    """

    form: Literal["points"] = "points"
    categories: Mapping[str, float] = Field(default_factory=dict)
    components: tuple[ScoreComponent, ...] = Field(min_length=1)

    @field_validator("categories")
    @classmethod
    def _categories_weigh(cls, categories: Mapping[str, float]) -> Mapping[str, float]:
        for weight in categories.values():
            _positive(weight)
        return categories

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        _require_unique_keys(self.score, self.components)
        named = {component.category for component in self.components}
        if self.categories and None in named:
            without = next(component.key for component in self.components if component.category is None)
            raise ValueError(f"Score '{self.score}': the component '{without}' names no category; give it one.")
        unknown = {name for name in named if name is not None} - set(self.categories)
        if unknown:
            raise ValueError(f"Score '{self.score}': there is no category '{min(unknown)}'; add its weight.")
        empty = set(self.categories) - {name for name in named if name is not None}
        if empty:
            raise ValueError(f"Score '{self.score}': the category '{min(empty)}' has no component; leave it out.")
        return self

    def groups(self) -> list[tuple[float, list[int]]]:
        """The weight of each category and the positions of its components; without categories each is its own."""
        if not self.categories:
            return [(component.weight, [position]) for position, component in enumerate(self.components)]
        return [
            (weight, [position for position, part in enumerate(self.components) if part.category == name])
            for name, weight in self.categories.items()
        ]


class CriticalityModel(_Model):
    """A score from 0 to 1: the weighted mean of the logarithms of signals, as shares of those of their thresholds.

    With `clamped` a signal beyond its threshold counts as the threshold, as the shipped scorer does it. Without,
    the larger of the two is the divisor, as in the paper.
    """

    form: Literal["criticality"]
    clamped: bool
    components: tuple[Signal, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        _require_unique_keys(self.score, self.components)
        turned = next((part.key for part in self.components if part.inverted and not self.clamped), None)
        if turned:
            raise ValueError(
                f"Score '{self.score}': the component '{turned}' is inverted, which needs clamped: true; "
                "the paper writes alpha: -1 instead."
            )
        return self


Model = ScoreModel | CriticalityModel


def _positive(weight: float) -> float:
    if weight <= 0:
        raise ValueError(f"The weight must be greater than 0, but it is {weight:g}; leave the component out instead.")
    return weight


def _require_unique_keys(score: str, components: Sequence[_Component]) -> None:
    keys = [component.key for component in components]
    doubled = sorted({key for key in keys if keys.count(key) > 1})
    if doubled:
        raise ValueError(
            f"Score '{score}': the component key {', '.join(map(repr, doubled))} is used more than once; "
            "each component needs a key of its own."
        )


class Figures:
    """The values that models are made of: a row per subject and day of one kind of subject, a column per metric.

    Args:
        values: the columns of `VALUE_COLUMNS`, a row per subject, date and metric; value in the metric's unit, state
            ok | provisional | too_few | unknown. A figure counts when its state is ok or provisional and its value
            is a finite number.

    Raises:
        ValueError: a column is missing, or a subject has two values of a metric for a day.
    """

    def __init__(self, values: pd.DataFrame) -> None:
        absent = [column for column in VALUE_COLUMNS if column not in values.columns]
        if absent:
            raise ValueError(f"The values to score lack the column {', '.join(absent)}.")
        self._by = {
            (str(metric), str(kind)): rows
            for (metric, kind), rows in values.groupby(["metric", "subject_kind"], sort=False, observed=True)
        }
        for (metric, _), rows in self._by.items():
            doubled = rows.duplicated(["subject", "date"]).to_numpy()
            if doubled.any():
                first = rows[doubled].iloc[0]
                raise ValueError(
                    f"There are two values of {metric} for {first['subject']} on {first['date']}; "
                    "a score needs one for each day."
                )

    def days(self, kind: str, metrics: Sequence[str]) -> pd.MultiIndex:
        """The subjects and days of a kind that have a row of at least one metric, sorted."""
        indexes = [
            pd.MultiIndex.from_arrays([rows["subject"].astype(object), rows["date"]], names=["subject", "date"])
            for metric in dict.fromkeys(metrics)
            if (rows := self._by.get((metric, kind))) is not None
        ]
        if not indexes:
            return pd.MultiIndex.from_arrays([[], []], names=["subject", "date"])
        found = indexes[0]
        for index in indexes[1:]:
            if not index.equals(found):
                found = found.union(index, sort=False)
        return found.sort_values() if not found.is_monotonic_increasing else found

    def column(self, metric: str, kind: str, days: pd.MultiIndex, *, at: str | None) -> tuple[Objects, Floats, Floats]:
        """States, values and ns of a metric at the rows `days`; value is NaN where it does not count.

        Args:
            at: 'portfolio' reads every row from the portfolio of its day; None from the row's own subject.
        """
        size = len(days)
        state: Objects = np.full(size, "unknown", dtype=object)
        value, n = np.full(size, np.nan), np.full(size, np.nan)
        rows = self._by.get((metric, at or kind))
        if rows is None or not size:
            return state, value, n
        if at == "portfolio":
            position = pd.Index(rows["date"]).get_indexer(days.get_level_values("date"))
        else:
            own = pd.MultiIndex.from_arrays([rows["subject"].astype(object), rows["date"]])
            position = np.arange(size) if own.equals(days) else own.get_indexer(days)
        there = position >= 0
        position = position[there]
        value[there] = rows["value"].to_numpy(dtype=np.float64, na_value=np.nan)[position]
        n[there] = rows["n"].to_numpy(dtype=np.float64, na_value=np.nan)[position]
        state[there] = rows["state"].astype(object).fillna("unknown").to_numpy(dtype=object)[position]
        counts = np.isin(state.astype(str), KNOWN_STATES)
        known = counts & np.isfinite(value)
        state[counts & ~known] = "unknown"
        value[~known] = np.nan
        return state, value, n


def score(model: Model, values: pd.DataFrame | Figures) -> pd.DataFrame:
    """Score every subject and day that has a row for at least one of the model's own metrics.

    Args:
        values: see `Figures`. Metrics that the model does not use are ignored; the figures of a component that is
            read from the portfolio make no row by themselves.

    Returns:
        The columns of `SCORE_COLUMNS`, one row per kind, subject and date, sorted by them:
        - value: of points sum(weight * points) / sum(weight) over what is known, 0-100; of criticality the formula
          of the Criticality Score, 0-1; NaN where the coverage is under the model's minimum;
        - coverage: weight of the known components / weight of all, 0-1;
        - components: a JSON list in the model's order with key, metric, state, value, n, points (on the score's
          scale), weight and contribution (the part of the score that comes from it; contributions add up to the
          value but for rounding). Values have 6 significant digits. Of a missing component value, points and
          contribution are null and `state` is the reason; of a score that is null every contribution is.

    Raises:
        ValueError: see `Figures`.
    """
    figures = values if isinstance(values, Figures) else Figures(values)
    parts = [_score_kind(model, figures, kind) for kind in model.subject_kinds]
    return pd.concat(parts, ignore_index=True)


def _score_kind(model: Model, figures: Figures, kind: str) -> pd.DataFrame:
    from metrics_assets.analysis.criticality import weigh_signals

    own = [part.metric for part in model.components if part.subject_kind is None or part.subject_kind == kind]
    days = figures.days(kind, own)
    columns = [_read(figures, part, kind, days) for part in model.components]
    known_values = np.column_stack([value for _, value, _ in columns]) if len(days) else np.empty((0, len(columns)))
    if isinstance(model, CriticalityModel):
        points, weights, total, contributions, coverage = weigh_signals(model, known_values)
        decimals = 5
    else:
        points, weights, total, contributions, coverage = _weigh_points(model, known_values)
        decimals = 2
    # A sum of decimal weights may fall short of the minimum by a last digit.
    enough = coverage >= model.minimum_coverage - 1e-9
    total = np.where(enough, total, np.nan)
    contributions = np.where(np.isnan(total)[:, None], np.nan, contributions)
    return pd.DataFrame(
        {
            "score": model.score,
            "version": model.version,
            "subject_kind": kind,
            "subject": days.get_level_values("subject"),
            "date": days.get_level_values("date"),
            "value": total,
            "coverage": coverage,
            "components": list(_explained(model, columns, points, weights, contributions, decimals)),
        },
        columns=list(SCORE_COLUMNS),
    )


def _read(figures: Figures, part: _Component, kind: str, days: pd.MultiIndex) -> tuple[Objects, Floats, Floats]:
    if part.subject_kind == OF_THE_PACKAGES:
        # Brought to the subject before: what is said of packages stands beside its own figures under this kind.
        return figures.column(part.metric, f"{OF_THE_PACKAGES} of {kind}", days, at=None)
    return figures.column(part.metric, kind, days, at=part.subject_kind)


def _weigh_points(model: ScoreModel, values: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return points [days, components], weights [components], value [days], contributions, coverage [days]."""
    points = np.column_stack([part.points(values[:, position]) for position, part in enumerate(model.components)])
    known = ~np.isnan(points)
    own = np.array([part.weight for part in model.components])
    weights = np.zeros(len(model.components))
    share = np.zeros_like(points)
    group_weights = np.zeros(len(points))
    coverage = np.zeros(len(points))
    for weight, members in model.groups():
        weights[members] = weight * own[members] / own[members].sum()
        known_weight = np.where(known[:, members], own[members], 0.0).sum(axis=1)
        there = known_weight > 0
        share[:, members] = weight * own[members] / np.where(there, known_weight, 1.0)[:, None]
        group_weights += np.where(there, weight, 0.0)
        coverage += weight * known_weight / own[members].sum()
    divisor = np.where(group_weights > 0, group_weights, np.nan)
    contributions = np.where(known, share * points, np.nan) / divisor[:, None]
    total = np.clip(np.where(known, contributions, 0.0).sum(axis=1), 0.0, 100.0)
    return points, weights, np.where(group_weights > 0, total, np.nan), contributions, coverage / weights.sum()


def _explained(
    model: Model,
    columns: Sequence[tuple[Objects, Floats, Floats]],
    points: Floats,
    weights: Floats,
    contributions: Floats,
    decimals: int,
) -> Iterator[str]:
    """Yield each row's components as JSON text. It is put together by column: a dump of each cell is much slower."""
    texts = []
    for position, (part, (states, values, ns)) in enumerate(zip(model.components, columns, strict=True)):
        head = json.dumps({"key": part.key, "metric": part.metric}, separators=(",", ":"))[:-1]
        weight = json.dumps(round(float(weights[position]), 4))
        cells = zip(
            states,
            _json_numbers(values, digits=6),
            _json_numbers(ns, whole=True),
            _json_numbers(np.round(points[:, position], decimals)),
            _json_numbers(np.round(contributions[:, position], decimals)),
            strict=True,
        )
        texts.append(
            [
                f'{head},"state":"{state}","value":{value},"n":{n},"points":{gained},"weight":{weight},'
                f'"contribution":{contribution}}}'
                for state, value, n, gained, contribution in cells
            ]
        )
    for row in zip(*texts, strict=True):
        yield f"[{','.join(row)}]"


def _json_numbers(numbers: Floats, *, whole: bool = False, digits: int | None = None) -> list[float | int | str]:
    """The numbers as JSON writes them: null where they are NaN, with so many significant digits."""
    missing = np.isnan(numbers)
    plain: Objects = np.where(missing, 0, numbers).astype(np.int64 if whole else np.float64).astype(object)
    if digits:
        plain = np.array([f"{number:.{digits}g}" for number in plain.tolist()], dtype=object)
    plain[missing] = "null"
    result: list[float | int | str] = plain.tolist()
    return result
