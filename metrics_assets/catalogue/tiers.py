"""DORA performance tiers: which band of which tier set a value falls into."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.reading import read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import CATALOGUE

Tier = Literal["elite", "high", "medium", "low"]


class TierBand(BaseModel):
    """Values v with at_least <= v < below; an absent bound is open. Units are the metric's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier_set: str
    metric: str
    rank: int
    tier: Tier
    source: str
    at_least: float | None = None
    below: float | None = None


@cache
def load_tiers(path: Path = CATALOGUE / "tiers.yaml") -> list[TierBand]:
    """All bands of all tier sets, best first within a metric.

    Raises:
        CatalogueError: a band is wrong; the text names file, set and metric.
    """
    bands = []
    content = read_yaml(path)
    sets = content.get("sets") if isinstance(content, dict) else None
    if not isinstance(sets, dict) or not sets:
        raise CatalogueError(f"{path.name} holds no tier sets; it must have them by name under 'sets'.")
    for tier_set, described in sets.items():
        metrics = described.get("metrics") if isinstance(described, dict) else None
        if not isinstance(metrics, dict) or not isinstance(described.get("source"), str):
            raise CatalogueError(f"{path.name}, set {tier_set}: it must have a 'source' and 'metrics'.")
        for metric in metrics:
            bands += _bands(path, str(tier_set), str(metric), metrics[metric], described["source"])
    return bands


def _bands(path: Path, tier_set: str, metric: str, found: Any, source: str) -> list[TierBand]:
    name = f"set {tier_set}, metric {metric}"
    if metric not in load_catalogue().metrics:
        raise CatalogueError(f"{path.name}, {name}: there is no such metric; use a key of catalogue/metrics.yaml.")
    if not isinstance(found, list) or not found:
        raise CatalogueError(f"{path.name}, {name}: a list of bands is needed, best first.")
    bands = []
    for rank, entry in enumerate(found, start=1):
        shared = {"tier_set": tier_set, "metric": metric, "rank": rank, "source": source}
        try:
            bands.append(TierBand.model_validate({**entry, **shared} if isinstance(entry, dict) else entry))
        except ValidationError as error:
            raise wrong_entry(path, f"{name}, band {rank}", error) from error
    last = bands[-1]
    if last.at_least is not None or last.below is not None:
        raise CatalogueError(f"{path.name}, {name}: the last band must have no bounds, so that every value has a tier.")
    return bands
