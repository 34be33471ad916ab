"""DORA performance tiers: which band of which tier set a value falls into."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.reading import read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import CATALOGUE

Tier = Literal["elite", "high", "medium", "low"]
TIER_SET = "standard"  # the set that tiers are told by
_KEYS = ("deployment_frequency", "lead_time_hours", "change_failure_rate")
_RECOVERY = "failed_deployment_recovery_hours"  # where a set does not say otherwise


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TierBand(_Model):
    """Values v with at_least <= v < below; an absent bound is open. Units are the metric's."""

    tier_set: str
    metric: str
    rank: int
    tier: Tier
    source: str
    at_least: float | None = None
    below: float | None = None


class TierSet(_Model):
    """A set of tiers: a report's, or one of nobody's."""

    tier_set: str
    year: int | None = None
    recovery_metric: str
    source: str


class ClusterBand(_Model):
    """What a report says of one key of one of its levels; two equal ends are one figure."""

    tier_set: str
    cluster: Tier
    rank: int
    share: float | None = None
    metric: str
    at_least: float | None = None
    below: float | None = None


class IndustryMean(_Model):
    """Points (0 to 10) that the Quick Check's answers have on average, over all industries."""

    metric: str
    year: int
    mean: float
    sd: float
    source: str


class Tiers(_Model):
    """Everything of tiers.yaml."""

    sets: tuple[TierSet, ...]
    bands: tuple[TierBand, ...]
    clusters: tuple[ClusterBand, ...]
    industry: tuple[IndustryMean, ...]


@cache
def load_tiers(path: Path = CATALOGUE / "tiers.yaml") -> Tiers:
    """All tier sets; bands best first within a metric, clusters best first within a set.

    Raises:
        CatalogueError: a set is wrong; the text names file, set and metric.
    """
    content = read_yaml(path)
    described = content.get("sets") if isinstance(content, dict) else None
    if not isinstance(described, dict) or not described:
        raise CatalogueError(f"{path.name} holds no tier sets; it must have them by name under 'sets'.")
    sets: list[TierSet] = []
    bands: list[TierBand] = []
    clusters: list[ClusterBand] = []
    for name, entry in described.items():
        metrics = entry.get("metrics") if isinstance(entry, dict) else None
        if not isinstance(metrics, dict) or not isinstance(entry.get("source"), str):
            raise CatalogueError(f"{path.name}, set {name}: it must have a 'source' and 'metrics'.")
        about = {key: value for key, value in entry.items() if key not in ("metrics", "clusters", "recovery")}
        about |= {"tier_set": str(name), "recovery_metric": entry.get("recovery", _RECOVERY)}
        sets.append(_valid(TierSet, about, path, f"set {name}"))
        for metric in [*metrics, sets[-1].recovery_metric]:
            if metric not in load_catalogue().metrics:
                raise CatalogueError(
                    f"{path.name}, set {name}, metric {metric}: there is no such metric; "
                    "use a key of catalogue/metrics."
                )
        for metric in metrics:
            bands += _bands(path, str(name), str(metric), metrics[metric], entry["source"])
        clusters += _clusters(path, sets[-1], entry.get("clusters") or {})
    return Tiers(
        sets=tuple(sets),
        bands=tuple(bands),
        clusters=tuple(clusters),
        industry=tuple(_industry(path, content.get("quick_check") or {})),
    )


def _bands(path: Path, tier_set: str, metric: str, found: Any, source: str) -> list[TierBand]:
    name = f"set {tier_set}, metric {metric}"
    if not isinstance(found, list) or not found:
        raise CatalogueError(f"{path.name}, {name}: a list of bands is needed, best first.")
    bands = []
    for rank, entry in enumerate(found, start=1):
        shared = {"tier_set": tier_set, "metric": metric, "rank": rank, "source": source}
        whole = {**entry, **shared} if isinstance(entry, dict) else entry
        bands.append(_valid(TierBand, whole, path, f"{name}, band {rank}"))
    last = bands[-1]
    if last.at_least is not None or last.below is not None:
        raise CatalogueError(f"{path.name}, {name}: the last band must have no bounds, so that every value has a tier.")
    return bands


def _clusters(path: Path, tier_set: TierSet, found: Any) -> list[ClusterBand]:
    bands = []
    for rank, (cluster, keys) in enumerate(found.items(), start=1):
        name = f"set {tier_set.tier_set}, cluster {cluster}"
        if not isinstance(keys, dict) or keys.keys() - {"share"} != {*_KEYS, "recovery"}:
            raise CatalogueError(f"{path.name}, {name}: it must say {', '.join(_KEYS)} and recovery, each a band.")
        for key in (*_KEYS, "recovery"):
            metric = tier_set.recovery_metric if key == "recovery" else key
            shared = {
                "tier_set": tier_set.tier_set,
                "cluster": cluster,
                "rank": rank,
                "share": keys.get("share"),
                "metric": metric,
            }
            whole = {**keys[key], **shared} if isinstance(keys[key], dict) else keys[key]
            bands.append(_valid(ClusterBand, whole, path, f"{name}, {key}"))
    return bands


def _industry(path: Path, found: Any) -> list[IndustryMean]:
    shared = {key: value for key, value in found.items() if key != "industry"}
    return [
        _valid(IndustryMean, {**values, **shared, "metric": metric}, path, f"quick_check, {metric}")
        for metric, values in (found.get("industry") or {}).items()
    ]


M = TypeVar("M", bound=_Model)


def _valid(model: type[M], entry: Any, path: Path, name: str) -> M:
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        raise wrong_entry(path, name, error) from error
