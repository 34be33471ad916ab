"""DORA performance tiers: which band of which tier set a value falls into."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from metrics_assets.catalogue.reading import read_yaml, wrong_entry
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
    for tier_set, content in read_yaml(path)["sets"].items():
        for metric, entries in content["metrics"].items():
            for rank, entry in enumerate(entries, start=1):
                try:
                    bands.append(
                        TierBand(
                            tier_set=tier_set, metric=metric, rank=rank, source=content["source"], **entry
                        )
                    )
                except ValidationError as error:
                    raise wrong_entry(path, f"set {tier_set}, metric {metric}, band {rank}", error) from error
    return bands
