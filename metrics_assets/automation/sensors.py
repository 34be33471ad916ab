"""The sensors: breached thresholds become alert runs, and fed files are read when they change."""

import hashlib
import json
import time
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import sqlalchemy as sa

from metrics_assets.alerting.states import due_events
from metrics_assets.assets.alerts import EVENT_TAG, check_thresholds
from metrics_assets.assets.feeds import feeds_folder, state_of
from metrics_assets.assets.shared import Warehouse
from metrics_assets.automation.jobs import RANGE_END_TAG, RANGE_START_TAG, alerts_job, feeds_job
from metrics_assets.catalogue.alerts import load_rules
from metrics_assets.settings import Settings

# A file that was changed so lately may not be whole yet.
_SETTLING_SECONDS = 5


def thresholds_sensor(settings: Settings) -> dg.SensorDefinition:
    """Evaluates the rules on the newest day and asks for one run per alert that opened or ended."""

    @dg.sensor(
        name="thresholds",
        job=alerts_job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Evaluates every alert rule on the newest day. One run per alert that opened or ended, and one "
        "more for each further try where a channel did not take it; run keys keep any from being asked for twice.",
    )
    def thresholds(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult | dg.SkipReason:
        with warehouse.engine.connect() as connection:
            newest = connection.execute(sa.text("select max(date) from metrics.dora_daily")).scalar()
        if newest is None:
            return dg.SkipReason("There are no figures yet; run the job `main` first.")
        changed = check_thresholds(warehouse.engine, settings, newest)
        due = due_events(warehouse.engine)
        looked_at = f"{len(load_rules())} rules on {newest}: {changed} alerts opened or ended"
        if not due:
            return dg.SkipReason(f"{looked_at}, nothing to deliver.")
        context.log.info(f"{looked_at}, {len(due)} to deliver.")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"alert:{event.event_id}:{event.attempts}",
                    tags={
                        EVENT_TAG: str(event.event_id),
                        "metrics/alert": f"{event.rule} {event.event}",
                        "metrics/subject": event.subject,
                    },
                )
                for event in due
            ],
        )

    return thresholds


def feeds_sensor(settings: Settings) -> dg.SensorDefinition:
    """Watches the folder of fed files and asks for one run whenever a file came, changed or went."""

    @dg.sensor(
        name="feeds",
        job=feeds_job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Looks at the names, sizes and times of the files in `{settings.feeds}` beside metrics.yaml. One "
        "run whenever they differ, over all days, because a file may speak of any of them.",
    )
    def feeds(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        folder = feeds_folder(settings)
        seen = state_of(folder)
        cursor = json.dumps(seen, sort_keys=True)
        looked_at = f"{len(seen)} files in {folder}" if folder.is_dir() else f"{folder} does not exist"
        if cursor == (context.cursor or "{}"):
            return dg.SkipReason(f"{looked_at}: nothing is fed." if not seen else f"{looked_at}: none has changed.")
        now = time.time_ns()
        fresh = [name for name, (changed, _) in seen.items() if 0 <= now - changed < _SETTLING_SECONDS * 10**9]
        if fresh:
            return dg.SkipReason(f"{looked_at}: {', '.join(fresh)} may still be being written; the next look takes it.")
        days = _all_days(settings, datetime.now(UTC).date())
        if days is None:
            return dg.SkipReason(f"{looked_at}: metrics.yaml wants no whole day yet.")
        context.log.info(f"{looked_at}: they have changed.")
        hour = now // 3_600_000_000_000
        return dg.SensorResult(
            cursor=cursor,
            run_requests=[
                dg.RunRequest(
                    # With what was before: a folder that is as it was once has to be read again all the same.
                    run_key=f"feeds:{hashlib.sha256(f'{context.cursor} {cursor}'.encode()).hexdigest()[:16]}:{hour}",
                    tags={RANGE_START_TAG: days[0].isoformat(), RANGE_END_TAG: days[1].isoformat()},
                )
            ],
        )

    return feeds


def _all_days(settings: Settings, today: date) -> tuple[date, date] | None:
    """The first and the last day that there is."""
    yesterday = today - timedelta(days=1)
    last = min(yesterday, settings.end) if settings.end else yesterday
    return (settings.start, last) if settings.start <= last else None
