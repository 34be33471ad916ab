"""CHAOSS's metrics models: named lists of metrics that are read together, by their trend within one project.

A model is no score. Its figures are never added up, and projects are not compared by it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.reading import catalogue_files, read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError


class Missing(BaseModel):
    """A metric of the model that is not there, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    why: str


class ChaossModel(BaseModel):
    """A metrics model: its metrics are keys of the catalogue, in the order of the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    source: str
    metrics: tuple[str, ...] = Field(min_length=1)
    missing: tuple[Missing, ...] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> ChaossModel:
        twice = sorted({key for key in self.metrics if self.metrics.count(key) > 1})
        if twice:
            raise ValueError(f"names {', '.join(twice)} twice; keep one")
        return self

    def rows(self) -> list[dict[str, str | int]]:
        """Rows of metrics.chaoss_models."""
        return [
            {"model": self.model, "position": position, "metric": metric}
            for position, metric in enumerate(self.metrics, start=1)
        ]


@cache
def load_models() -> dict[str, ChaossModel]:
    """The models by key.

    Raises:
        CatalogueError: a file is wrong, a model stands twice, or a metric does not exist; the text names file and key.
    """
    return read_models(catalogue_files("models"))


def read_models(files: list[Path]) -> dict[str, ChaossModel]:
    """The models of some files, one a file.

    Raises:
        CatalogueError: a file is wrong, a model stands twice, or a metric does not exist; the text names file and key.
    """
    found: dict[str, ChaossModel] = {}
    for path in files:
        try:
            model = ChaossModel.model_validate(read_yaml(path))
        except ValidationError as error:
            raise wrong_entry(path, f"model {path.stem}", error) from error
        if model.model in found:
            raise CatalogueError(f"{path.name}, model {model.model}: the model stands twice; keep one of them.")
        for metric in model.metrics:
            if metric not in load_catalogue().metrics:
                raise CatalogueError(
                    f"{path.name}, model {model.model}: there is no metric '{metric}'; correct the key."
                )
        found[model.model] = model
    return found
