"""The site as an asset: every page, built from the warehouse, looked over, swapped in whole, and published."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets import settings as configuration
from metrics_assets.assets.alerts import newest_day
from metrics_assets.assets.reports.assets import report_keys
from metrics_assets.assets.shared import PUBLISH, Shared, Warehouse, key_of, markdown_table, page_links
from metrics_assets.partitions import days_of, made_for
from metrics_assets.publishing.everywhere import TEAM_PAGES, has_targets, publish_everywhere
from metrics_assets.settings import Settings

if TYPE_CHECKING:
    from metrics_assets.assets.site.building import BuiltSite
    from metrics_assets.reporting.looking_over import Finding

SITE = dg.AssetKey(["site", "pages"])
# What pages read; further tables stand behind these.
READS = (
    "metrics.dora_daily",
    "metrics.changes",
    "metrics.incidents",
    "metrics.deployment_failures",
    "metrics.durations_daily",
    "metrics.repository_daily",
    "metrics.community_daily",
    "metrics.contributor_daily",
    "metrics.discussion_daily",
    "metrics.group_daily",
    "metrics.issue_age_daily",
    "metrics.package_daily",
    "metrics.platform_daily",
    "metrics.fed_daily",
    "metrics.calculated_daily",
    "metrics.space_satisfaction",
    "metrics.space_performance",
    "metrics.space_activity",
    "metrics.space_collaboration",
    "metrics.space_efficiency",
    "metrics.scores",
    "metrics.goals_daily",
    "metrics.gate_evaluations",
    "metrics.anomalies",
    "metrics.forecasts",
    "metrics.correlations",
    "metrics.insights",
    "ops.daily_status",
)
CHECKS: Mapping[str, str] = {
    "links_lead_somewhere": "Every link within the site leads to a file, and to a place on its page, that is there.",
    "pages_are_small": "No page has more than 300 KB.",
    "nothing_from_outside": "No page asks another machine for anything: no style, script, picture or font.",
    "charts_have_tables": "Every chart has the table of its figures.",
    "all_pages": "Every page of the navigation, repository, report and team is there, and no other.",
}
PUBLISHED = "published"
_PAGES_SHOWN = 20
_PAGES = {"overview": addresses.OVERVIEW, "data_quality": addresses.DATA_QUALITY, "method": addresses.METHOD}
_DOCUMENTED_IN = "How the site is built and published: `docs/operating.md`; what its figures mean: `docs/metrics.md`."


def site_folder() -> Path:
    """Where the site is built: `builds` and the link `current`."""
    return configuration.metrics_home() / "site"


def site_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The asset site/pages."""
    specs = [dg.AssetCheckSpec(name, asset=SITE, description=text) for name, text in CHECKS.items()]
    if has_targets(shared.settings.site):
        where = "The site is where metrics.yaml says (`site`); a past day's is not published."
        specs.append(dg.AssetCheckSpec(PUBLISHED, asset=SITE, description=where))

    site_url = shared.settings.alerts.site_url

    @dg.asset(
        key=SITE,
        deps=[*(key_of(table) for table in READS), *report_keys(shared.settings)],
        check_specs=specs,
        description="The dashboard site as of the last day of the run's range: overview, delivery, repositories, "
        "teams, community, goals, releases, alerts, forecasts, insights, reports, data quality, method, badges. Static "
        "pages under METRICS_HOME/site; a build is complete before it is switched to, and one that fails leaves the "
        "site as it was. Published where `site` of metrics.yaml says. Look at it with `metrics site serve`.",
        metadata={"documented_in": dg.MetadataValue.md(_DOCUMENTED_IN), **page_links(_PAGES, site_url)},
        **shared.arguments(PUBLISH, {"html"}),
    )
    def pages(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:  # type: ignore[type-arg]  # with checks Dagster knows it without arguments alone
        from metrics_assets.assets.site.building import build_site
        from metrics_assets.assets.site.reading import reading_of

        settings, days = shared.settings, days_of(context)
        day = days.last
        built = build_site(reading_of(warehouse.engine, settings, day), site_folder())
        results = [_result(finding) for finding in built.findings]
        if has_targets(settings.site):
            results.append(_published(warehouse.engine, settings, day, built))
        metadata = {**_metadata(built, settings), "made_for": made_for([day], days)}
        return dg.MaterializeResult(metadata=metadata, check_results=results)

    return [pages]


def publish_current(settings: Settings) -> tuple[list[str], list[str]]:
    """Publish the build that the site has been switched to; sentences of what was done and of what failed."""
    done, failed = publish_everywhere(
        (site_folder() / "current").resolve(),
        settings.site,
        beside=configuration.config_path().resolve().parent,
        home=configuration.metrics_home(),
    )
    return [one.sentence for one in done], [str(error) for error in failed]


def _published(engine: sa.Engine, settings: Settings, day: date, built: "BuiltSite") -> dg.AssetCheckResult:
    newest = newest_day(engine)
    if newest is not None and day < newest:
        said = f"This is the site of {day}; figures go on to {newest}, so it stays on this machine."
        return dg.AssetCheckResult(passed=True, check_name=PUBLISHED, asset_key=SITE, description=said)
    done, failed = publish_current(settings)
    return dg.AssetCheckResult(
        passed=not failed,
        check_name=PUBLISHED,
        asset_key=SITE,
        description=" ".join([*failed, *done]),
        metadata={"targets": len(done) + len(failed), "failed": len(failed)},
    )


def _result(finding: "Finding") -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not finding.count,
        check_name=finding.name,
        asset_key=SITE,
        description=finding.sentence,
        metadata={"looked_at": finding.looked_at, "problems": finding.count},
    )


def _metadata(built: "BuiltSite", settings: Settings) -> dict[str, Any]:
    build, address = built.build, settings.alerts.site_url
    # The address of a team's page is for the team.
    sizes = [(path, size) for path, size in built.sizes.items() if not path.startswith(TEAM_PAGES)]
    largest = sorted(sizes, key=lambda page: (-page[1], page[0]))[:_PAGES_SHOWN]
    return {
        "path": dg.MetadataValue.path(str(build.index)),
        **({"address": dg.MetadataValue.url(f"{address}/index.html")} if address else {}),
        "pages": build.pages,
        "files": build.files,
        "bytes": build.bytes,
        "largest_page": f"{largest[0][0]}: {largest[0][1] / 1000:.0f} KB",
        "seconds": round(built.seconds, 1),
        "preview": markdown_table(
            ["largest pages", "KB"],
            [(path, f"{size / 1000:.0f}") for path, size in largest],
        ),
    }
