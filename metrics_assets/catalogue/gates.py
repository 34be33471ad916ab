"""The catalogue of release gates: what must hold before something is released, in groups of criteria."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from metrics_assets.catalogue.goals import SubjectKind
from metrics_assets.catalogue.metrics import Catalogue, check_requirements, load_catalogue
from metrics_assets.catalogue.packs import metric_of, pack_of, read_keyed
from metrics_assets.catalogue.reading import catalogue_files

Level = Literal["must", "should", "nice"]


class Criterion(BaseModel):
    """One thing that must hold: a condition on a metric, on each of the last `days` days, or evidence by hand.

    Bounds are in the metric's unit. Without a metric, a row of gate_evidence.csv decides; the value in it is held
    against the bounds if the row does not say itself whether the criterion is met. `subject_kind` and `subject` say
    whose value counts where it is not the gate's subject's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    metric: str | None = None
    subject_kind: SubjectKind | None = None
    subject: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    days: int = Field(1, ge=1, le=366)
    weight: float | None = Field(None, gt=0)
    requirements: tuple[str, ...] = ()

    @field_validator("requirements")
    @classmethod
    def _are_requirements(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return check_requirements(ids)

    @model_validator(mode="after")
    def _can_be_decided(self) -> Self:
        if self.metric is not None and not self.bounds:
            raise ValueError("has a metric and no condition; add at_least, at_most, above or below")
        if self.metric is None and (self.days != 1 or self.subject_kind is not None):
            raise ValueError("has days or a subject without a metric; add the metric")
        if (self.subject_kind is None) != (self.subject is None):
            raise ValueError("subject_kind and subject belong together; give both, or neither")
        return self

    @property
    def bounds(self) -> dict[str, float]:
        """The bounds that are given, by name."""
        named = {"at_least": self.at_least, "above": self.above, "at_most": self.at_most, "below": self.below}
        return {name: bound for name, bound in named.items() if bound is not None}

    @property
    def target(self) -> str:
        """The condition in words: 'at least 5,000 on each of the last 7 days'."""
        if not self.bounds:
            return "evidence"
        bounds = " and ".join(f"{name.replace('_', ' ')} {_number(bound)}" for name, bound in self.bounds.items())
        return bounds if self.days == 1 else f"{bounds} on each of the last {self.days} days"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


class Group(BaseModel):
    """Criteria that belong together: `must` decides over the gate, `should` and `nice` only add to its score."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    group: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    level: Level = "must"
    weight: float | None = Field(None, gt=0)
    criteria: tuple[Criterion, ...] = Field(min_length=1)


class Gate(BaseModel):
    """A gate; `pack` is the pack that it came with, None if it always counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    description: str | None = None
    subject_kind: SubjectKind = "portfolio"
    subject: str | None = None
    groups: tuple[Group, ...] = Field(min_length=1)
    owner: str | None = None
    requirements: tuple[str, ...] = ()
    pack: str | None = Field(None, exclude=True)

    @field_validator("requirements")
    @classmethod
    def _are_requirements(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return check_requirements(ids)

    @model_validator(mode="after")
    def _can_fail(self) -> Self:
        for name, keys in (
            ("group", [group.group for group in self.groups]),
            ("criterion", [criterion.key for group in self.groups for criterion in group.criteria]),
        ):
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                raise ValueError(f"has the {name} '{twice}' twice; keep one of them")
        if all(group.level != "must" for group in self.groups):
            raise ValueError("has no group of level must, so that it would always pass; add one")
        weights: list[tuple[str, list[float | None]]] = [
            ("groups", [group.weight for group in self.groups]),
            *(
                (f"criteria of '{group.group}'", [criterion.weight for criterion in group.criteria])
                for group in self.groups
            ),
        ]
        for name, given in weights:
            if None in given and any(weight is not None for weight in given):
                raise ValueError(f"has some {name} with a weight and some without; give it to all, or to none")
        return self

    def criteria(self) -> list[tuple[Group, Criterion, float]]:
        """Every criterion with its group and its share of the score; the shares add up to 1."""
        whole = sum(group.weight or 1.0 for group in self.groups)
        return [
            (
                group,
                criterion,
                (group.weight or 1.0) / whole
                * (criterion.weight or 1.0) / sum(one.weight or 1.0 for one in group.criteria),
            )
            for group in self.groups
            for criterion in group.criteria
        ]  # fmt: skip


@cache
def load_gates() -> dict[str, Gate]:
    """Every gate by key: of catalogue/gates, of all packs, and the user's own, which may replace one of those.

    Raises:
        CatalogueError: an entry is wrong, stands twice, or is about a metric that does not exist.
    """
    return read_gates(catalogue_files("gates"), load_catalogue())


def read_gates(files: list[Path], catalogue: Catalogue, own: Path | None = None) -> dict[str, Gate]:
    """The gates of some files.

    Raises:
        CatalogueError: as `load_gates`.
    """

    def read(path: Path, entry: Any) -> Gate:
        gate = Gate.model_validate(entry)
        for _, criterion, _ in gate.criteria():
            if criterion.metric is not None:
                metric_of(catalogue, criterion.metric, f"{path.name}, gate {gate.key}, criterion {criterion.key}")
        return gate.model_copy(update={"pack": pack_of(path)})

    return read_keyed(files, "gates", read, own)
