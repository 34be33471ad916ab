"""The catalogue of metrics: what every figure means, and where it stands."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from metrics_assets.catalogue.reading import entries, read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import CATALOGUE

_IDENTIFIER = re.compile(r"^[a-z][a-z0-9_]*$")


class Metric(BaseModel):
    """One figure: a column (or an expression over columns) of a daily table of schema `metrics`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    title: str
    definition: str
    unit: Literal["per day", "hours", "ratio", "count", "points", "score"]
    direction: Literal["higher", "lower", "neutral"]
    table: str
    unknown: str
    formula: str | None = None
    column: str | None = None
    expression: str | None = None
    where: str | None = None
    n: str | None = None
    minimum_n: int = 1
    window: int | None = None
    source: str | None = None
    anomalies: bool = False

    @field_validator("key", "table", "column", "n")
    @classmethod
    def _is_an_identifier(cls, text: str | None) -> str | None:
        if text is not None and not _IDENTIFIER.match(text):
            raise ValueError(f"'{text}' must be lower-case letters, digits and underscores")
        return text

    @property
    def value_sql(self) -> str:
        """The SQL expression of the value."""
        return self.expression or self.column or self.key


class Catalogue(BaseModel):
    """All metrics, by key, in the order of the file."""

    model_config = ConfigDict(frozen=True)

    metrics: dict[str, Metric]

    def tables(self, keys: list[str]) -> list[str]:
        """The daily tables that the metrics `keys` stand in, each once."""
        return sorted({self.metrics[key].table for key in keys})

    def with_anomalies(self) -> list[str]:
        """The keys of the metrics that are watched for anomalies."""
        return [metric.key for metric in self.metrics.values() if metric.anomalies]


@cache
def load_catalogue(path: Path = CATALOGUE / "metrics.yaml") -> Catalogue:
    """Read the metrics of a catalogue file.

    Raises:
        CatalogueError: an entry is wrong or stands twice; the text names file, entry and key.
    """
    metrics: dict[str, Metric] = {}
    for position, entry in enumerate(entries(path, read_yaml(path), "metrics")):
        name = f"metric {entry.get('key', position + 1)}" if isinstance(entry, dict) else f"metric {position + 1}"
        try:
            metric = Metric.model_validate(entry)
        except ValidationError as error:
            raise wrong_entry(path, name, error) from error
        if metric.key in metrics:
            raise CatalogueError(f"{path.name}, {name}: the key stands twice; keep one entry.")
        metrics[metric.key] = metric
    return Catalogue(metrics=metrics)
