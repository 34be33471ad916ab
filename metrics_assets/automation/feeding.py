"""The sensor `feeds`: fed files are read when they change, and again where reading them failed."""

import hashlib
import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus

from metrics_assets.assets.feeds import feeds_folder, state_of
from metrics_assets.automation.jobs import RANGE_END_TAG, RANGE_START_TAG, feeds_job
from metrics_assets.settings import Settings

# A file that was changed so lately may not be whole yet.
_SETTLING_SECONDS = 5
# A run that failed is asked for again after 1, 2, 4 ... hours, at the most a day.
_LONGEST_WAIT_HOURS = 24


def feeds_sensor(settings: Settings) -> dg.SensorDefinition:
    """Watches the folder of fed files and asks for one run whenever a file came, changed or went."""

    @dg.sensor(
        name="feeds",
        job=feeds_job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Looks at the names, sizes and times of the files in the folder {settings.feeds} beside "
        "metrics.yaml. One run whenever they differ, over all days, because a file may speak of any of "
        "them. A run that failed is asked for again, later and later.",
    )
    def feeds(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        folder = feeds_folder(settings)
        seen = {name: list(state) for name, state in state_of(folder).items()}
        known = _read(context.cursor)
        looked_at = f"{len(seen)} files in {folder}" if folder.is_dir() else f"{folder} does not exist"
        now = time.time_ns()
        hour, tries = now // 3_600_000_000_000, 0
        if seen == known["files"]:
            if not _failed(context.instance, known["run_key"]):
                return dg.SkipReason(f"{looked_at}: nothing is fed." if not seen else f"{looked_at}: none has changed.")
            tries = known["tries"] + 1
            left = known["hour"] + min(2 ** (tries - 1), _LONGEST_WAIT_HOURS) - hour
            if left > 0:
                return dg.SkipReason(f"{looked_at}: the run that read them failed; it is tried again in {left} hours.")
            looked_at = f"{looked_at}: the run that read them failed, try {tries + 1}"
        fresh = [name for name, (changed, _) in seen.items() if 0 <= now - changed < _SETTLING_SECONDS * 10**9]
        if fresh:
            return dg.SkipReason(f"{looked_at}: {', '.join(fresh)} may still be being written; the next look takes it.")
        days = _all_days(settings, datetime.now(UTC).date())
        if days is None:
            return dg.SkipReason(f"{looked_at}: metrics.yaml wants no whole day yet.")
        context.log.info(f"{looked_at}{'' if tries else ': they have changed'}.")
        # With what was before: a folder that is as it was once has to be read again all the same.
        change = json.dumps([known["files"], seen, known["run_key"]], sort_keys=True)
        run_key = f"feeds:{hashlib.sha256(change.encode()).hexdigest()[:16]}:{hour}"
        return dg.SensorResult(
            cursor=json.dumps({"files": seen, "run_key": run_key, "hour": hour, "tries": tries}, sort_keys=True),
            run_requests=[
                dg.RunRequest(
                    run_key=run_key, tags={RANGE_START_TAG: days[0].isoformat(), RANGE_END_TAG: days[1].isoformat()}
                )
            ],
        )

    return feeds


def _read(cursor: str | None) -> dict[str, Any]:
    """The files as they were when a run was last asked for, and that run's key, hour and number of tries before it."""
    content = json.loads(cursor or "{}")
    if set(content) == {"files", "run_key", "hour", "tries"}:
        return dict(content)
    # An earlier version kept the files alone.
    return {"files": content, "run_key": None, "hour": 0, "tries": 0}


def _failed(instance: dg.DagsterInstance, run_key: str | None) -> bool:
    """Whether the run of a key failed, and will not be tried again by itself. A cancelled one was somebody's wish."""
    if run_key is None:
        return False
    (run,) = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": run_key}), limit=1) or (None,)
    return (
        run is not None
        and run.status is DagsterRunStatus.FAILURE
        and run.tags.get("dagster/will_retry", "").lower() != "true"
    )


def _all_days(settings: Settings, today: date) -> tuple[date, date] | None:
    """The first and the last day that there is."""
    yesterday = today - timedelta(days=1)
    last = min(yesterday, settings.end) if settings.end else yesterday
    return (settings.start, last) if settings.start <= last else None
