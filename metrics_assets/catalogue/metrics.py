"""The catalogue of metrics: what every figure means, and where it stands or how it is made.

A metric is one of three:
- a column, or an expression over columns, of a daily table (`table`);
- fed from outside: rows of kpi_values.csv or events.csv (`fed`);
- calculated: a `formula` over other metrics, or a SELECT in a file of its own (`sql`).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from metrics_assets.catalogue.reading import catalogue_files, entries, read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError

_IDENTIFIER = re.compile(r"^[a-z][a-z0-9_]*$")
_REQUIREMENT = re.compile(r"^S[0-4]-\d{2,3}$")

Unit = Literal[
    "per day",
    "per week",
    "per month",
    "per second",
    "hours",
    "days",
    "months",
    "milliseconds",
    "megabytes",
    "ratio",
    "count",
    "points",
    "score",
    "rank",
    "dollars",
    "yes or no",
]
Direction = Literal["higher", "lower", "neutral"]
Cadence = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "per release"]
# How many days a fed value stands for after its period has ended: its own period again, and some time to feed it.
CADENCE_DAYS: dict[Cadence, int] = {
    "daily": 3,
    "weekly": 14,
    "monthly": 62,
    "quarterly": 184,
    "yearly": 731,
    "per release": 366,
}


_WHY_UNKNOWN = {
    "fed": "Nothing was fed for the day, or what was fed is too old.",
    "calculated": "A figure that it is made from is unknown.",
    "table": "It is not known of the day.",
}


class Band(BaseModel):
    """Values v with at_least <= v < below, and what they mean; an absent bound is open. Units are the metric's."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    band: str
    at_least: float | None = None
    below: float | None = None
    means: str | None = None


class Metric(BaseModel):
    """One figure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    title: str
    definition: str
    unit: Unit
    direction: Direction
    unknown: str = Field(min_length=1)  # why it may be

    grain: Literal["day", "week", "month", "quarter"] = "day"
    window: int | None = Field(None, ge=1)
    formula: str | None = None

    # Where it stands: a column of a table of schema metrics, ...
    table: str | None = None
    groups: str | None = None  # the table with the same columns about teams and the portfolio, if it is another one
    column: str | None = None
    expression: str | None = None
    where: str | None = None
    n: str | None = None
    minimum_n: int = Field(1, ge=1)
    low: str | None = None  # the columns of the ends of its 95 % interval
    high: str | None = None
    numerator: str | None = None
    denominator: str | None = None
    # ... or what is fed from outside, ...
    fed: Literal["kpi_values", "events"] | None = None
    kind: str | None = None  # of the events that are counted
    # ... or a file with a SELECT of its own.
    sql: str | None = None

    owner: str = "engineering"
    cadence: Cadence = "daily"
    priority: Literal["P0", "P1", "P2"] = "P1"
    timing: Literal["leading", "lagging"] = "lagging"
    bands: tuple[Band, ...] = ()
    anomalies: bool | None = None  # whether its days are judged; default: every daily figure's are
    forecast: bool | None = None  # as anomalies
    source: str | None = None
    requirements: tuple[str, ...] = ()
    _file: Path | None = PrivateAttr(None)

    @property
    def is_daily(self) -> bool:
        """Whether every day may have a value of its own, so that days can be compared."""
        return self.grain == "day" and self.cadence == "daily" and self.unit not in ("rank", "yes or no")

    @model_validator(mode="before")
    @classmethod
    def _says_why_it_may_be_unknown(cls, entry: Any) -> Any:
        if isinstance(entry, dict) and "unknown" not in entry:
            made = "fed" if entry.get("fed") else "table" if entry.get("table") else "calculated"
            return {**entry, "unknown": _WHY_UNKNOWN[made]}
        return entry

    @field_validator("key", "table", "groups", "column", "n", "low", "high")
    @classmethod
    def _is_an_identifier(cls, text: str | None) -> str | None:
        if text is not None and not _IDENTIFIER.match(text):
            raise ValueError(f"'{text}' must be lower-case letters, digits and underscores")
        return text

    @field_validator("requirements")
    @classmethod
    def _are_requirements(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return check_requirements(ids)

    @model_validator(mode="after")
    def _is_made_in_one_way(self) -> Self:
        ways = [name for name in ("table", "fed", "sql") if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(f"has {' and '.join(ways)}; a metric is made in one way, keep one of them")
        if not ways and not self.formula:
            raise ValueError(
                "says nowhere where it comes from; give table (and column), fed: kpi_values or events, "
                "sql: a file beside this one, or a formula over other metrics"
            )
        if (self.fed == "events") != (self.kind is not None):
            raise ValueError("fed: events and kind belong together; give both, or neither")
        if not self.table and (self.column or self.expression or self.where or self.groups):
            raise ValueError("has column, expression, where or groups without a table; add the table")
        return self

    @property
    def file(self) -> Path | None:
        """The catalogue file that it stands in."""
        return self._file

    @property
    def value_sql(self) -> str:
        """The SQL expression of the value in its table."""
        return self.expression or self.column or self.key

    @property
    def is_calculated(self) -> bool:
        """Whether it is made from other metrics, or by a SELECT of its own, into metrics.calculated_daily."""
        return self.table is None and self.fed is None

    @property
    def stored_in(self) -> str:
        """The table of schema metrics that holds its values."""
        return self.table or ("fed_daily" if self.fed else "calculated_daily")


class Catalogue(BaseModel):
    """All metrics, by key, in the order of the files."""

    model_config = ConfigDict(frozen=True)

    metrics: dict[str, Metric]

    def tables(self, keys: list[str]) -> list[str]:
        """The daily tables that the metrics `keys` stand in, each once."""
        found = {self.metrics[key].stored_in for key in keys}
        found |= {groups for key in keys if (groups := self.metrics[key].groups)}
        return sorted(found)

    def with_anomalies(self) -> list[str]:
        """The keys of the metrics whose days are judged: all daily figures, but those that say no."""
        return [metric.key for metric in self.metrics.values() if metric.is_daily and metric.anomalies is not False]

    def with_forecasts(self) -> list[str]:
        """The keys of the metrics that are forecast: all daily figures, but those that say no."""
        return [metric.key for metric in self.metrics.values() if metric.is_daily and metric.forecast is not False]


def check_requirements(ids: tuple[str, ...]) -> tuple[str, ...]:
    """The ids, if they look like S4-05.

    Raises:
        ValueError: one does not.
    """
    for one in ids:
        if not _REQUIREMENT.match(one):
            raise ValueError(f"'{one}' is no id of a requirement; write it like S4-05")
    return ids


@cache
def load_catalogue() -> Catalogue:
    """Every metric: the built-in ones, those of the packs, and the user's own in `catalogue/` beside metrics.yaml.

    Raises:
        CatalogueError: an entry is wrong or stands twice; the text names file, entry and key.
    """
    return read_catalogue(catalogue_files("metrics"))


def read_catalogue(files: list[Path]) -> Catalogue:
    """The metrics of some catalogue files. `defaults:` of a file holds keys that its entries need not repeat.

    Raises:
        CatalogueError: an entry is wrong or stands twice; the text names file, entry and key.
    """
    metrics: dict[str, Metric] = {}
    stands_in: dict[str, Path] = {}
    for path in files:
        content = read_yaml(path)
        defaults = content.get("defaults", {}) if isinstance(content, dict) else {}
        for position, entry in enumerate(entries(path, content, "metrics")):
            metric = _read(path, position, entry, defaults)
            if metric.key in metrics:
                also = "" if stands_in[metric.key] == path else f" (also in {stands_in[metric.key].name})"
                raise CatalogueError(f"{path.name}, metric {metric.key}: the key stands twice{also}; keep one entry.")
            metrics[metric.key], stands_in[metric.key] = metric, path
    return Catalogue(metrics=metrics)


def _read(path: Path, position: int, entry: Any, defaults: Any) -> Metric:
    name = f"metric {entry.get('key', position + 1)}" if isinstance(entry, dict) else f"metric {position + 1}"
    merged = {**defaults, **entry} if isinstance(entry, dict) and isinstance(defaults, dict) else entry
    try:
        metric = Metric.model_validate(merged)
    except ValidationError as error:
        raise wrong_entry(path, name, error) from error
    metric._file = path
    return metric
