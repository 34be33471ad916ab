"""The whole site as of a day: what all pages share, which pages there are, and how they are written and looked over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets.assets.alerts import rules_of
from metrics_assets.assets.site import (
    alerts,
    badges,
    community,
    data_quality,
    delivery,
    forecasts,
    goals,
    insights,
    method,
    overview,
    releases,
    reports,
    repositories,
    teams,
)
from metrics_assets.assets.site.alerts import banner
from metrics_assets.assets.site.reading import TIER_SET, Page, Reading
from metrics_assets.assets.site.teams import team_pages
from metrics_assets.catalogue import parts
from metrics_assets.catalogue.metrics import Metric, load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.reporting.data import MetricInfo, SiteInfo, TierBand
from metrics_assets.reporting.frame import not_found, static_files
from metrics_assets.reporting.looking_over import Finding, Inspection
from metrics_assets.reporting.site import Build, publish
from metrics_assets.reporting.wording import day as written_day

if TYPE_CHECKING:
    from metrics_assets.settings import Settings

PAGES: tuple[Page, ...] = (
    overview.files, repositories.files, delivery.files, teams.files, community.files, goals.files, releases.files,
    alerts.files, forecasts.files, insights.files, reports.files, data_quality.files, method.files, badges.files,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BuiltSite:
    """A build that was switched to, and what was seen of it.

    Attributes:
        sizes: bytes of each page, by its path.
    """

    build: Build
    site: SiteInfo
    findings: tuple[Finding, ...]
    sizes: dict[str, int]
    seconds: float


def build_site(reading: Reading, root: Path, run: str | None = None) -> BuiltSite:
    """Build the whole site as of the reading's day under `root`, and switch to it.

    Pages are written as they are made, each from queries of its own. One that cannot be made ends the build, and the
    site stays as it was.

    Args:
        run: the id of the Dagster run.
    """
    began = time.perf_counter()
    site, inspection = site_info(reading, run), Inspection()
    build = publish(inspection.watch(site_files(reading, site)), root)
    return BuiltSite(
        build=build,
        site=site,
        findings=inspection.findings(site.pages, team_pages(reading).values()),
        sizes=inspection.sizes,
        seconds=time.perf_counter() - began,
    )


def site_files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """All files of the site, one after the other."""
    yield from static_files().items()
    yield "404.html", not_found(site)
    for page in PAGES:
        yield from page(reading, site)


def reading_of(engine: sa.Engine, settings: Settings, day: date) -> Reading:
    """What the pages of a day read from.

    Raises:
        CatalogueError: a file of the catalogue is wrong.
    """
    return Reading(
        engine=engine,
        day=day,
        settings=settings,
        rules=rules_of(settings),
        metrics={key: _info(metric) for key, metric in load_catalogue().metrics.items()},
        bands=_bands(),
    )


def _info(metric: Metric) -> MetricInfo:
    return MetricInfo(
        key=metric.key,
        title=metric.title,
        definition=metric.definition,
        formula=metric.formula,
        unit=metric.unit,
        direction=metric.direction,
        window=metric.window,
        unknown=metric.unknown,
        minimum_n=metric.minimum_n,
        source=metric.source,
    )


def _bands() -> dict[str, tuple[TierBand, ...]]:
    bands: dict[str, tuple[TierBand, ...]] = {}
    for band in load_tiers().bands:  # best first
        if band.tier_set == TIER_SET:
            bands[band.metric] = (
                *bands.get(band.metric, ()),
                TierBand(band.tier, band.at_least, band.below),
            )
    return bands


def site_info(reading: Reading, run: str | None = None) -> SiteInfo:
    """What all pages of a build share; `run` is the id of the Dagster run that builds it."""
    with reading.engine.connect() as connection:
        portfolio = connection.execute(sa.text("select portfolio, start from ops.portfolio")).one()
    return SiteInfo(
        portfolio=portfolio.portfolio,
        data_through=reading.day,
        start=portfolio.start,
        tier_source=next(band.source for band in load_tiers().bands if band.tier_set == TIER_SET),
        problems=_problems(reading),
        banner=banner(reading),
        run=run,
        dagster_url=_dagster_url(reading.settings),
        pages=expected_pages(reading),
    )


_INCOMPLETE = """
select repository || ': ' || entity || ' incomplete: ' || reason
from (
    select distinct on (repository, entity) * from ops.collection_log order by repository, entity, finished_at desc
) as latest
where outcome = 'incomplete'
order by repository, entity
"""
_STATUS = "select details->'failed_checks' as failed from ops.daily_status where date = :day"


def _problems(reading: Reading) -> tuple[str, ...]:
    """A sentence per check of the day that failed and per list that is not whole."""
    with reading.engine.connect() as connection:
        status = connection.execute(sa.text(_STATUS), {"day": reading.day}).one_or_none()
        # The last word on each repository and entity: the figures of every day stand on what is there now.
        incomplete = connection.execute(sa.text(_INCOMPLETE)).scalars().all()
    if status is None:
        day = written_day(reading.day)
        checks = [f"Whether the checks of {day} passed is not known: no status of the day was made."]
    else:
        checks = [f"Failed: {check}." for check in status.failed or ()]
    return (*checks, *incomplete)


def _dagster_url(settings: Settings) -> str | None:
    """Where the Dagster UI is; None where that is this machine and the site is read on others."""
    url = settings.alerts.dagster_url
    is_here = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    goes_elsewhere = settings.site.publish_to or settings.site.github_pages
    return None if is_here and goes_elsewhere else url


def expected_pages(reading: Reading) -> frozenset[str]:
    """The paths of the pages that others may link to. Pages of teams are not among them: only the team has theirs."""
    with reading.engine.connect() as connection:
        names = connection.execute(sa.text(_REPOSITORIES)).scalars().all()
        made = connection.execute(sa.text(_REPORTS), {"day": reading.day}).all()
    return frozenset(
        {
            *_FIXED,
            *(addresses.method(part.slug) for part in parts.pages()),
            *(addresses.repository(name) for name in names),
            *(addresses.report(row.report, row.period_start.isoformat()) for row in made),
        }
    )


_REPOSITORIES = """
select settings.repository from ops.repository_settings as settings
join raw.repositories as repositories using (repository_id)
"""
_REPORTS = "select report, period_start from ops.reports where as_of <= :day"
_FIXED = (
    addresses.OVERVIEW, addresses.DELIVERY, addresses.REPOSITORIES, addresses.TEAMS, addresses.COMMUNITY,
    addresses.GOALS, addresses.RELEASES, addresses.ALERTS, addresses.FORECASTS, addresses.INSIGHTS, addresses.REPORTS,
    addresses.DATA_QUALITY, addresses.METHOD,
)  # fmt: skip
