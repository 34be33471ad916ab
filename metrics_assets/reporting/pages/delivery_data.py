"""What the page of delivery is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from metrics_assets.reporting.data import MetricInfo, Series
from metrics_assets.reporting.pages.summaries import Summary

QUICK_CHECK = ("quick_check_throughput", "quick_check_stability", "quick_check_overall")
LOOKED_BACK_DAYS = 90


@dataclass(frozen=True, slots=True)
class Failure:
    """A deployment that counts as failed: all reasons that were known by the site's day, and when it was mended."""

    repository: str
    version: str | None
    signals: tuple[str, ...]
    failed_at: datetime
    restored_at: datetime | None
    recovery_hours: float | None


@dataclass(frozen=True, slots=True)
class TierSet:
    """The tiers of the portfolio by one report, and the report's cluster that it is nearest to; 'unknown' in words."""

    tier_set: str
    year: int | None
    source: str
    tiers: Mapping[str, str]  # metric: tier
    cluster: str
    keys_known: int


@dataclass(frozen=True, slots=True)
class DeliveryData:
    """Everything the page of delivery shows; no row of it is about a team.

    `series` are the portfolio's, by metric: keys, stages and Quick Check. `hours` holds how many deployments there
    were in the last 90 days by (ISO weekday, hour UTC): finished and failed among them; None: none was ever seen.
    `failures` are those of the last 90 days, the open ones first; `signals` counts deployments by reason.
    """

    series: Mapping[str, Series]
    metrics: Mapping[str, MetricInfo]
    summaries: tuple[Summary, ...]
    hours: Mapping[tuple[int, int], tuple[int, int]] | None
    signals: tuple[tuple[str, int], ...] = ()
    failures: tuple[Failure, ...] = ()
    tier_sets: tuple[TierSet, ...] = ()
    industry: Mapping[str, float] | None = None  # the Quick Check's averages, by metric
