"""The catalogue's metrics and tiers as the records that pages and reports are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from metrics_assets.catalogue.metrics import Catalogue
from metrics_assets.catalogue.tiers import TIER_SET, Tiers
from metrics_assets.reporting.data import MetricInfo, Tier, TierBand


def metric_infos(catalogue: Catalogue) -> dict[str, MetricInfo]:
    """The entries of all metrics, by their keys."""
    names = [field.name for field in fields(MetricInfo)]
    return {
        key: MetricInfo(**{name: getattr(metric, name) for name in names}) for key, metric in catalogue.metrics.items()
    }


def tier_bands(tiers: Tiers) -> dict[str, tuple[TierBand, ...]]:
    """The bands of each metric that has some in the tier set in use, best first."""
    bands: dict[str, tuple[TierBand, ...]] = {}
    for band in tiers.bands:
        if band.tier_set == TIER_SET:
            bands[band.metric] = (*bands.get(band.metric, ()), TierBand(band.tier, band.at_least, band.below))
    return bands


def tier_source(tiers: Tiers) -> str:
    """Where the tier set in use comes from."""
    return next(band.source for band in tiers.bands if band.tier_set == TIER_SET)


def tier_of(value: float | None, bands: Sequence[TierBand]) -> Tier | None:
    """The first band that holds the value; None of what is unknown, and where there are no bands."""
    if value is None:
        return None
    for band in bands:
        if (band.at_least is None or value >= band.at_least) and (band.below is None or value < band.below):
            return band.tier
    return None
