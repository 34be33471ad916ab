"""How a key is spread over the repositories: the median repository, and how many are in each tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from metrics_assets.reporting import wording
from metrics_assets.reporting.charts import tier_bar
from metrics_assets.reporting.data import TIERS, Series, Tier
from metrics_assets.reporting.pages.summaries import Summary, spread


@dataclass(frozen=True, slots=True)
class SpreadView:
    """A key over the repositories in words; `bar` is None where the key has no tiers or nothing is rated."""

    median: str
    bar: Markup | None
    tiers: tuple[tuple[Tier, int], ...]
    rest: str


def spread_views(keys: Sequence[Series], summaries: Sequence[Summary]) -> list[SpreadView]:
    """One view per key, in their order."""
    return [_view(series, summaries) for series in keys]


def _view(series: Series, summaries: Sequence[Summary]) -> SpreadView:
    metric = series.metric
    found = spread(summaries, metric)
    if found.median is None:
        median = "Known in no repository."
    elif found.known == 1:
        median = f"Known in one repository: {wording.quantity(found.median, metric.unit)}."
    else:
        median = f"Median of {wording.repositories(found.known)}: {wording.quantity(found.median, metric.unit)}."
    rated = sum(found.tiers.values())
    rest = [f"{found.too_few} too few"] if found.too_few else []
    rest += [f"{found.unknown} not known"] if found.unknown else []
    return SpreadView(
        median=median,
        bar=tier_bar(dict(found.tiers), found.not_rated) if series.bands and rated else None,
        tiers=tuple((tier, found.tiers[tier]) for tier in TIERS if found.tiers.get(tier)),
        rest=wording.listed(rest),
    )
