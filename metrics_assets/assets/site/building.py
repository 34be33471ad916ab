"""The whole site as of a day: what all pages share, which pages there are, and how they are written and looked over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import sqlalchemy as sa

from metrics_assets import addresses
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
from metrics_assets.assets.site.reading import Page, Reading, as_one_state, repository_names
from metrics_assets.assets.site.teams import team_pages
from metrics_assets.catalogue import parts
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.frame import not_found, static_files
from metrics_assets.reporting.from_catalogue import tier_source
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


def build_site(reading: Reading, root: Path) -> BuiltSite:
    """Build the whole site as of the reading's day under `root`, and switch to it.

    Pages are written as they are made, each from queries of its own. One that cannot be made ends the build, and the
    site stays as it was. Nothing of the run is on a page, so the same figures make the same build.
    """
    began = time.perf_counter()
    with as_one_state(reading) as still:
        site, inspection = site_info(still), Inspection()
        build = publish(inspection.watch(site_files(still, site)), root)
        return BuiltSite(
            build=build,
            site=site,
            findings=inspection.findings(site.pages, team_pages(still).values()),
            sizes=inspection.sizes,
            seconds=time.perf_counter() - began,
        )


def site_files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """All files of the site, one after the other."""
    yield from static_files().items()
    yield "404.html", not_found(site)
    for page in PAGES:
        yield from page(reading, site)


def site_info(reading: Reading) -> SiteInfo:
    """What all pages of a build share."""
    with reading.engine.connect() as connection:
        portfolio = connection.execute(sa.text("select portfolio, start from ops.portfolio")).one()
    return SiteInfo(
        portfolio=portfolio.portfolio,
        data_through=reading.day,
        start=portfolio.start,
        tier_source=tier_source(load_tiers()),
        problems=_problems(reading),
        banner=banner(reading),
        dagster_url=_dagster_url(reading.settings),
        pages=expected_pages(reading),
    )


_STATUS = "select details->'failed_checks' as failed from ops.daily_status where date = :day"


def _problems(reading: Reading) -> tuple[str, ...]:
    """A sentence per check of the day that failed and per list that is not whole."""
    with reading.engine.connect() as connection:
        status = connection.execute(sa.text(_STATUS), {"day": reading.day}).one_or_none()
        incomplete = [
            f"{row.subject}: {row.entity} incomplete: {row.reason}"
            for row in data_quality.collected_lists(connection, reading.day)
            if row.outcome == "incomplete"
        ]
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
        made = connection.execute(sa.text(_REPORTS), {"day": reading.day}).all()
    return frozenset(
        {
            *_FIXED,
            *(addresses.method(part.slug) for part in parts.pages()),
            *(addresses.repository(name) for name in repository_names(reading)),
            *(addresses.report(row.report, row.period_start.isoformat()) for row in made),
        }
    )


_REPORTS = "select report, period_start from ops.reports where as_of <= :day"
_FIXED = (
    addresses.OVERVIEW, addresses.DELIVERY, addresses.REPOSITORIES, addresses.TEAMS, addresses.COMMUNITY,
    addresses.GOALS, addresses.RELEASES, addresses.ALERTS, addresses.FORECASTS, addresses.INSIGHTS, addresses.REPORTS,
    addresses.DATA_QUALITY, addresses.METHOD,
)  # fmt: skip
