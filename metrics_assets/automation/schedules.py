"""The daily schedule: the days that may still change, as one run."""

from datetime import date, timedelta

import dagster as dg

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
        description=f"Collects and derives the last {settings.settle_days + 1} days in one run.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        days = days_to_settle(settings, context.scheduled_execution_time.date())
        if days is None:
            return dg.SkipReason(f"metrics.yaml wants nothing after {settings.end}.")
        first, last = days
        return dg.RunRequest(
            run_key=last.isoformat(),
            tags={RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()},
        )

    return daily


def days_to_settle(settings: Settings, today: date) -> tuple[date, date] | None:
    """The first and last day that a run of `today` covers; None where the settings want none of them."""
    last = today - timedelta(days=1)
    if settings.end is not None and last > settings.end + timedelta(days=settings.settle_days):
        return None
    last = min(last, settings.end) if settings.end else last
    first = max(settings.start, last - timedelta(days=settings.settle_days))
    return (first, last) if first <= last else None
