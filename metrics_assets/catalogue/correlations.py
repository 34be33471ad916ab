"""The catalogue of correlations: which two metrics are held against each other, over how many days, and why."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from metrics_assets.catalogue.metrics import Catalogue, check_requirements, load_catalogue
from metrics_assets.catalogue.packs import metric_of, pack_of, read_keyed
from metrics_assets.catalogue.reading import catalogue_files
from metrics_assets.errors import CatalogueError

_GRAINS = ("day", "week")


class Correlation(BaseModel):
    """A pair of metrics that may move together.

    Attributes:
        x: the metric that leads, where there is a lag.
        why: what the pair may show, for whoever reads about it.
        max_lag_days: how many days x may lead y by.
        days: how far it looks back.
        grain: whether days are compared (each with the same weekday a week before) or ISO weeks.
        pack: the pack that it came with; None if it always counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    x: str
    y: str
    why: str = Field(min_length=1)
    max_lag_days: int = Field(0, ge=0, le=90)
    days: int = Field(180, ge=28, le=1461)
    grain: Literal["day", "week"] = "week"
    requirements: tuple[str, ...] = ()
    pack: str | None = Field(None, exclude=True)

    @field_validator("requirements")
    @classmethod
    def _are_requirements(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return check_requirements(ids)

    @model_validator(mode="after")
    def _can_be_looked_at(self) -> Self:
        if self.x == self.y:
            raise ValueError(f"x and y are both {self.x}; a metric always goes with itself, name another one")
        if self.grain == "week" and self.max_lag_days % 7:
            raise ValueError(f"max_lag_days is {self.max_lag_days}, but weeks are compared; give a multiple of 7")
        # One third of the days, so that most are left to compare at every lag.
        if self.max_lag_days * 3 > self.days:
            raise ValueError(
                f"max_lag_days is {self.max_lag_days} of {self.days} days; give at most a third of days, or more days"
            )
        return self


@cache
def load_correlations() -> dict[str, Correlation]:
    """Every pair by key: of catalogue/correlations, of all packs, and the user's own, which may replace one of those.

    Raises:
        CatalogueError: an entry is wrong, stands twice, or is about a metric that does not exist or comes too rarely.
    """
    return read_correlations(catalogue_files("correlations"), load_catalogue())


def read_correlations(files: list[Path], catalogue: Catalogue, own: Path | None = None) -> dict[str, Correlation]:
    """The pairs of some files.

    Raises:
        CatalogueError: as `load_correlations`.
    """

    def read(path: Path, entry: Any) -> Correlation:
        pair = Correlation.model_validate(entry)
        where = f"{path.name}, correlation {pair.key}"
        for key in (pair.x, pair.y):
            metric = metric_of(catalogue, key, where)
            comparable = _GRAINS[: _GRAINS.index(pair.grain) + 1]
            if metric.grain not in comparable:
                remedy = "say grain: week" if metric.grain == "week" else "choose a metric of days or weeks"
                raise CatalogueError(
                    f"{where}: {key} has one value a {metric.grain}, the pair one a {pair.grain}; {remedy}."
                )
        return pair.model_copy(update={"pack": pack_of(path)})

    return read_keyed(files, "correlations", read, own)
