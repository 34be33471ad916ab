"""The daily schedule: the days that may still change, and whatever is missing before them, as one run."""

from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from metrics_assets.assets.derivations import derivations
from metrics_assets.assets.shared import key_of
from metrics_assets.assets.site.asset import SITE
from metrics_assets.automation.jobs import RANGE_END_TAG, RANGE_START_TAG, main_job
from metrics_assets.settings import Settings


def daily_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Every day at 02:30 UTC the last `settle_days` + 1 days, because incidents close late and figures come late."""

    @dg.schedule(
        name="daily",
        job=main_job,
        cron_schedule="30 2 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Collects and derives the last {settings.settle_days + 1} days in one run, and the days before "
        "them that are missing: after an outage, or all of the history on the first day.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # The site comes last, so a day that it has is a day that everything had; a table that a newer version brought
        # has no day yet.
        wanted = [SITE, *(key_of(derivation.table) for derivation in derivations().values())]
        done = set.intersection(*(set(context.instance.get_materialized_partitions(key)) for key in wanted))
        days = days_to_run(settings, context.scheduled_execution_time.date(), done)
        if days is None:
            return dg.SkipReason("metrics.yaml wants no day that is not settled.")
        first, last = days
        return dg.RunRequest(
            run_key=last.isoformat(),
            tags={RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()},
        )

    return daily


def days_to_run(settings: Settings, today: date, done: Collection[str]) -> tuple[date, date] | None:
    """The first and last day that the run of `today` covers; None where nothing is wanted.

    Args:
        done: the days ('2025-12-31') that are there already.
    """
    yesterday = today - timedelta(days=1)
    last = min(yesterday, settings.end) if settings.end else yesterday
    wanted = [settings.start + timedelta(days=day) for day in range((last - settings.start).days + 1)]
    settled_before = yesterday - timedelta(days=settings.settle_days)
    open_days = [day for day in wanted if day >= settled_before or day.isoformat() not in done]
    return (open_days[0], last) if open_days else None
