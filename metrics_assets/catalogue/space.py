"""The catalogue of SPACE: its dimensions, what stands for each, benchmarks and labels."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metrics_assets.catalogue.reading import entries, read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import CATALOGUE


class Label(BaseModel):
    """What scores s with at_least <= s < below are called; an absent bound is open."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    label: str
    at_least: float | None = None
    below: float | None = None


class Dimension(BaseModel):
    """A dimension of SPACE under its full name.

    Attributes:
        metric: the figure that stands for it, a key of catalogue/metrics/space.yaml.
        from_people: whether people say it of themselves; SPACE asks for one such dimension at least.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Literal["satisfaction", "performance", "activity", "collaboration", "efficiency"]
    title: str
    metric: str
    unit: str
    from_people: bool = False
    benchmark: str
    source: str
    labels: tuple[Label, ...] = Field(min_length=1)


@cache
def load_space(path: Path = CATALOGUE / "space.yaml") -> tuple[Dimension, ...]:
    """The dimensions in the order of the file.

    Raises:
        CatalogueError: an entry is wrong or stands twice; the text names file, entry and key.
    """
    found: dict[str, Dimension] = {}
    for entry in entries(path, read_yaml(path), "dimensions"):
        name = f"dimension {entry.get('key', '?')}" if isinstance(entry, dict) else "a dimension"
        try:
            dimension = Dimension.model_validate(entry)
        except ValidationError as error:
            raise wrong_entry(path, name, error) from error
        if dimension.key in found:
            raise CatalogueError(f"{path.name}, {name}: the key stands twice; keep one entry.")
        found[dimension.key] = dimension
    return tuple(found.values())
