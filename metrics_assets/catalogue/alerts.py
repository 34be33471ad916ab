"""The catalogue of alert rules."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from metrics_assets.catalogue.metrics import Catalogue, load_catalogue
from metrics_assets.catalogue.reading import entries, read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import CATALOGUE

Severity = Literal["info", "warning", "critical"]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    title: str
    metric: str
    severity: Severity
    action: str
    source: str

    def metrics(self) -> set[str]:
        """The metrics that the rule reads."""
        return {self.metric}


class ChangeRule(_Rule):
    """Fires where the last `days` days sum to at most (1 - drop) of the same number of days before."""

    kind: Literal["change"]
    days: int = Field(ge=1, le=90)
    drop: float = Field(gt=0, le=1)
    minimum_reference: float = Field(gt=0)


class MultipleRule(_Rule):
    """Fires where the value is at least `factor` times the baseline metric's value `lag_days` before."""

    kind: Literal["multiple"]
    baseline: str
    lag_days: int = Field(ge=0, le=365)
    factor: float = Field(gt=1)

    def metrics(self) -> set[str]:
        return {self.metric, self.baseline}


Rule = Annotated[ChangeRule | MultipleRule, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[ChangeRule | MultipleRule] = TypeAdapter(Rule)


@cache
def load_rules(path: Path = CATALOGUE / "alerts.yaml") -> tuple[ChangeRule | MultipleRule, ...]:
    """All rules of a catalogue file.

    Raises:
        CatalogueError: a rule is wrong, stands twice, or reads a metric that does not exist.
    """
    catalogue = load_catalogue()
    rules: dict[str, ChangeRule | MultipleRule] = {}
    for entry in entries(path, read_yaml(path), "rules"):
        rule = _read(path, entry, catalogue)
        if rule.key in rules:
            raise CatalogueError(f"{path.name}, rule {rule.key}: the key stands twice; keep one entry.")
        rules[rule.key] = rule
    return tuple(rules.values())


def _read(path: Path, entry: Any, catalogue: Catalogue) -> ChangeRule | MultipleRule:
    name = f"rule {entry.get('key', '?')}" if isinstance(entry, dict) else "a rule"
    try:
        rule = _ADAPTER.validate_python(entry)
    except ValidationError as error:
        raise wrong_entry(path, name, error) from error
    unknown = rule.metrics() - set(catalogue.metrics)
    if unknown:
        raise CatalogueError(
            f"{path.name}, {name}: there is no metric '{min(unknown)}'; use a key of catalogue/metrics."
        )
    return rule
