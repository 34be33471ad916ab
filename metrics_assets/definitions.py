"""The one Definitions object that Dagster loads. What there is, is decided here; how it works, elsewhere."""

from __future__ import annotations

import logging
import warnings

import dagster as dg

from metrics_assets import settings as configuration
from metrics_assets.assets.alerts import alert_assets
from metrics_assets.assets.checks import asset_checks
from metrics_assets.assets.derived import derived_assets
from metrics_assets.assets.feeds import feed_assets
from metrics_assets.assets.packages import package_assets
from metrics_assets.assets.platforms import platform_assets
from metrics_assets.assets.predictions import prediction_assets
from metrics_assets.assets.raw import raw_assets
from metrics_assets.assets.reports.assets import reporting_assets
from metrics_assets.assets.shared import GitHubApi, Shared, Warehouse
from metrics_assets.assets.site.asset import site_assets
from metrics_assets.assets.status import status_assets
from metrics_assets.automation.jobs import alerts_job, feeds_job, main_job
from metrics_assets.automation.schedules import daily_schedule
from metrics_assets.automation.sensors import sensors
from metrics_assets.partitions import daily
from metrics_assets.progress import progress_logger
from metrics_assets.settings import Settings

# BackfillPolicy is marked beta in Dagster 1.13; the project relies on it knowingly.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
# One line for every request is for debugging.
logging.getLogger("httpx").setLevel(logging.WARNING)


def build(settings: Settings) -> dg.Definitions:
    """Everything that Dagster runs for a configuration."""
    shared = Shared(settings, daily(settings))
    return dg.Definitions(
        assets=[
            *raw_assets(shared),
            *package_assets(shared),
            *platform_assets(shared),
            *feed_assets(shared),
            *derived_assets(shared),
            *prediction_assets(shared),
            *status_assets(shared),
            *alert_assets(shared),
            *reporting_assets(shared),
            *site_assets(shared),
        ],
        asset_checks=asset_checks(shared),
        jobs=[main_job, alerts_job, feeds_job],
        schedules=[daily_schedule(settings)],
        sensors=sensors(settings),
        resources={"warehouse": Warehouse(), "github": GitHubApi()},
        executor=dg.in_process_executor,
        loggers={"progress": progress_logger},
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded by Dagster: the definitions for METRICS_CONFIG, or metrics.yaml."""
    return build(configuration.load())
