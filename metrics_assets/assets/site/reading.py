"""What every page of the site may read: the warehouse as of a day, and the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from metrics_assets.catalogue.alerts import Rule
from metrics_assets.reporting.data import MetricInfo, SiteInfo, TierBand
from metrics_assets.settings import Settings

TIER_SET = "standard"


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a page reads from. Every query takes the day: the site of a past day is built as it was."""

    engine: sa.Engine
    day: date
    settings: Settings
    rules: Mapping[str, Rule]
    metrics: Mapping[str, MetricInfo]
    bands: Mapping[str, tuple[TierBand, ...]]  # of the tier set in use


# A page: reads what it needs and yields its files, each with its path in the site.
Page = Callable[[Reading, SiteInfo], Iterator[tuple[str, str | bytes]]]
