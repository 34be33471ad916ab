"""The badges: figures of repositories and of the portfolio as small pictures, to be embedded elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from metrics_assets import addresses
from metrics_assets.assets.site.reading import Reading, repository_names
from metrics_assets.assets.site.series import Key, read_series
from metrics_assets.reporting.badges import health_badge, metric_badge, tier_badge
from metrics_assets.reporting.data import FOUR_KEYS, HEALTH, OVERVIEW_METRICS, TIERS, Series, SiteInfo, Tier

TIER, HEALTH_BADGE = "tier", "health"
# Of each repository; the portfolio, which is one, has a badge of every metric that is known of it.
METRICS = (
    *OVERVIEW_METRICS,
    "stars_total",
    "forks_total",
    "issues_open",
    "active_contributors_month",
    "issue_first_response_hours",
    "pull_request_merge_hours",
    "release_frequency",
)
_BATCH = 100


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """badges/<subject>/: tier.svg, health.svg and one file for each metric."""
    every = list(reading.metrics)
    series = read_series(reading, every, "portfolio", [site.portfolio], weeks=1)
    known = [metric for metric in every if series[site.portfolio, metric].points[-1].value is not None]
    yield from _badges(site.portfolio, list(dict.fromkeys([*_known(reading, FOUR_KEYS), *known])), series)
    metrics = _known(reading, METRICS)
    names = repository_names(reading)
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        series = read_series(reading, metrics, "repository", batch, weeks=1)
        for name in batch:
            yield from _badges(name, metrics, series)


def _known(reading: Reading, metrics: Sequence[str]) -> list[str]:
    """The metrics that the catalogue has: a user's own may leave some out."""
    return [metric for metric in metrics if metric in reading.metrics]


def _badges(subject: str, metrics: Sequence[str], series: Mapping[Key, Series]) -> Iterator[tuple[str, str]]:
    of_it = {metric: series[subject, metric] for metric in metrics}
    yield addresses.badge(subject, TIER), tier_badge("DORA", _weakest(of_it))
    for metric, one in of_it.items():
        badge = health_badge(one) if metric == HEALTH else metric_badge(one)
        yield addresses.badge(subject, metric), badge
        if metric == HEALTH:
            yield addresses.badge(subject, HEALTH_BADGE), badge


def _weakest(series: Mapping[str, Series]) -> Tier | None:
    """The weakest tier of the four keys; None where none of them is rated."""
    rated = [tier for key in FOUR_KEYS if key in series and (tier := series[key].tier) is not None]
    return max(rated, key=TIERS.index, default=None)
