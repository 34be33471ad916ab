"""The catalogue of goals and north stars: which value a figure shall reach, for whom, and by when."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from metrics_assets.catalogue.metrics import Catalogue, check_requirements, load_catalogue
from metrics_assets.catalogue.packs import metric_of, named_entries, pack_of, read_keyed
from metrics_assets.catalogue.reading import catalogue_files, wrong_entry
from metrics_assets.errors import CatalogueError

SubjectKind = Literal["repository", "service", "environment", "team", "portfolio", "package", "community", "segment"]
Comparison = Literal["at_least", "at_most", "above", "below"]
_BY_DIRECTION: dict[str, Comparison] = {"higher": "at_least", "lower": "at_most"}


class Goal(BaseModel):
    """A value that a metric shall reach by a day, or shall always hold.

    Attributes:
        target: in the metric's unit.
        by: the day at whose end it is judged; or `months` after metrics.yaml's start; neither: it holds always.
        starts: where the way to the target begins; default metrics.yaml's start.
        base: the value there; default the metric's first known value from then on.
        pack: the pack that it came with; None if it always counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    metric: str
    subject_kind: SubjectKind = "portfolio"
    subject: str | None = None
    target: float
    comparison: Comparison | None = None
    by: date | None = None
    months: int | None = Field(None, ge=1)
    starts: date | None = Field(None, alias="from")
    base: float | None = None
    owner: str | None = None
    source: str | None = None
    requirements: tuple[str, ...] = ()
    pack: str | None = Field(None, exclude=True)

    @field_validator("requirements")
    @classmethod
    def _are_requirements(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return check_requirements(ids)

    @model_validator(mode="after")
    def _has_one_way(self) -> Self:
        if self.by is not None and self.months is not None:
            raise ValueError("has by and months; keep one of them")
        if self.base is not None and not self.has_a_date:
            raise ValueError("has a base and no day by which it is reached; add by or months, or leave the base out")
        if self.by is not None and self.starts is not None and self.starts >= self.by:
            raise ValueError(f"begins on {self.starts} and is due on {self.by}; let it begin before it is due")
        return self

    @property
    def has_a_date(self) -> bool:
        return self.by is not None or self.months is not None


class NorthStar(BaseModel):
    """A metric that says better than all others whether the project is on its way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    why: str = Field(min_length=1)
    requirements: tuple[str, ...] = ()
    pack: str | None = Field(None, exclude=True)

    @field_validator("requirements")
    @classmethod
    def _are_requirements(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return check_requirements(ids)


@cache
def load_goals() -> dict[str, Goal]:
    """Every goal by key: of catalogue/goals, of all packs, and the user's own, which may replace one of those.

    Raises:
        CatalogueError: an entry is wrong, stands twice, or is about a metric that does not exist.
    """
    return read_goals(catalogue_files("goals"), load_catalogue())


def read_goals(files: list[Path], catalogue: Catalogue, own: Path | None = None) -> dict[str, Goal]:
    """The goals of some files; `comparison` is filled in from the metric's direction.

    Raises:
        CatalogueError: as `load_goals`.
    """

    def read(path: Path, entry: Any) -> Goal:
        goal = Goal.model_validate(entry)
        metric = metric_of(catalogue, goal.metric, f"{path.name}, goal {goal.key}")
        comparison = goal.comparison or _BY_DIRECTION.get(metric.direction)
        if comparison is None:
            raise CatalogueError(
                f"{path.name}, goal {goal.key}: {metric.key} is better neither higher nor lower; "
                "say comparison: at_least, at_most, above or below."
            )
        return goal.model_copy(update={"comparison": comparison, "pack": pack_of(path)})

    return read_keyed(files, "goals", read, own)


@cache
def load_north_stars() -> tuple[NorthStar, ...]:
    """The north stars of all packs and of the user's own files, in their order.

    Raises:
        CatalogueError: an entry is wrong, stands twice in a file, or names a metric that does not exist.
    """
    return read_north_stars(catalogue_files("north_stars"), load_catalogue())


def read_north_stars(files: list[Path], catalogue: Catalogue) -> tuple[NorthStar, ...]:
    """The north stars of some files; the same metric may be one in several packs.

    Raises:
        CatalogueError: as `load_north_stars`.
    """
    found: dict[tuple[Path, str], NorthStar] = {}
    for path, name, entry in named_entries(files, "north_stars"):
        try:
            star = NorthStar.model_validate(entry)
        except ValidationError as error:
            raise wrong_entry(path, name, error) from error
        metric_of(catalogue, star.metric, f"{path.name}, {name}")
        if (path, star.metric) in found:
            raise CatalogueError(f"{path.name}, {name}: it stands twice; keep one entry.")
        found[path, star.metric] = star.model_copy(update={"pack": pack_of(path)})
    return tuple(found.values())
