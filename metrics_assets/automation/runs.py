"""What Dagster knows of the pipeline: how the newest run of each job ended, and why."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus

from metrics_assets import settings as configuration
from metrics_assets.alerting.pipeline import JobRun, RunFacts
from metrics_assets.assets.shared import BUDGETS
from metrics_assets.automation.jobs import FEEDS_JOB, MAIN_JOB
from metrics_assets.errors import ConfigurationError
from metrics_assets.settings import Settings

if TYPE_CHECKING:
    from dagster._core.execution.plan.objects import StepFailureData
    from dagster_shared.error import SerializableErrorInfo

# Dagster's own name for runs of assets that somebody chose, and of backfills.
_CHOSEN_ASSETS = "__ASSET_JOB"
# Job: what it is called in sentences, and as the subject of alerts.
JOBS = {MAIN_JOB: MAIN_JOB, FEEDS_JOB: FEEDS_JOB, _CHOSEN_ASSETS: "assets"}
# Where a run goes on that has no daemon to look after it.
HOST_TAG, PROCESS_TAG = "metrics/host", "metrics/process"
_WILL_RETRY_TAG = "dagster/will_retry"
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
_MOST_LOOKED_AT = 10
_MOST_STEPS_SHOWN = 3
_LONGEST_REASON = 300
# What GitHub gives a token in an hour: so many requests, and as many GraphQL points.
_GITHUB_PER_HOUR = 5000


def run_facts(instance: dg.DagsterInstance, settings: Settings) -> RunFacts:
    """What the pipeline's rules need to know that is not in the warehouse.

    Assets that somebody chose and that failed are forgotten once the main job has succeeded after them: it makes them
    all, and nobody may ever choose those again.
    """
    jobs = {}
    for job, name in JOBS.items():
        record = _newest(instance, job)
        if record is None or (job == _CHOSEN_ASSETS and _was_mended(instance, record)):
            continue
        run = record.dagster_run
        succeeded = run.status is DagsterRunStatus.SUCCESS
        jobs[name] = JobRun(
            run.run_id, succeeded, _ended_at(record), None if succeeded else why_it_failed(instance, run.run_id)
        )
    named = frozenset({*(one.name for one in settings.repositories), *settings.organizations})
    return RunFacts(jobs, _budgets(settings), settings.end, named)


def newest_change(instance: dg.DagsterInstance) -> str:
    """A mark that changes whenever a run ended that may have changed figures, or failed to."""
    newest = [record for job in JOBS if (record := _newest(instance, job)) is not None]
    latest = max(newest, key=lambda record: record.update_timestamp, default=None)
    return "" if latest is None else f"{latest.dagster_run.run_id}:{latest.dagster_run.status.value}"


def run_in_progress(instance: dg.DagsterInstance) -> str | None:
    """The id of a run that is changing figures at the moment; not of one whose process is gone."""
    for job in JOBS:
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=[DagsterRunStatus.STARTED])):
            if not is_dead(run):
                return run.run_id
    return None


def is_dead(run: dg.DagsterRun) -> bool:
    """Whether a run was begun by `metrics run` on this machine, and its process is gone."""
    if run.tags.get(HOST_TAG) != socket.gethostname():
        return False
    process = int(run.tags.get(PROCESS_TAG, "0"))
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _was_mended(instance: dg.DagsterInstance, failed: dg.RunRecord) -> bool:
    """Whether a run failed, and the main job has succeeded since, whatever became of the main job later."""
    if failed.dagster_run.status is DagsterRunStatus.SUCCESS:
        return False
    succeeded = _newest(instance, MAIN_JOB, [DagsterRunStatus.SUCCESS])
    return succeeded is not None and _ended_at(succeeded) > _ended_at(failed)


def _newest(
    instance: dg.DagsterInstance, job: str, statuses: Sequence[DagsterRunStatus] = _ENDED
) -> dg.RunRecord | None:
    """The run of a job that ended last; one that will be tried again has not ended."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=job, statuses=statuses), limit=_MOST_LOOKED_AT, order_by="update_timestamp"
    )
    return next((one for one in records if one.dagster_run.tags.get(_WILL_RETRY_TAG, "").lower() != "true"), None)


def _ended_at(record: dg.RunRecord) -> datetime:
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, UTC)
    return record.update_timestamp.replace(tzinfo=record.update_timestamp.tzinfo or UTC)


def why_it_failed(instance: dg.DagsterInstance, run_id: str) -> str:
    """The failed steps of a run, and why, in words that may be sent anywhere.

    Of errors of other libraries only the class is said: their texts may hold addresses with passwords.
    """
    records = instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_FAILURE).records
    steps = []
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is not None and event.is_step_failure:
            steps.append(f"step {event.step_key}: {_reason(event.step_failure_data)}")
    if not steps:
        return "no step failed; its process ended, or could not begin"
    more = f"; and {len(steps) - _MOST_STEPS_SHOWN} steps more" if len(steps) > _MOST_STEPS_SHOWN else ""
    return "; ".join(steps[:_MOST_STEPS_SHOWN]) + more


def _reason(failure: StepFailureData) -> str:
    user = failure.user_failure_data
    if user is not None and user.description:  # we have raised dg.Failure, with a sentence of ours
        return _first_line(user.description)
    errors = _chain(failure.error)
    ours = next((error for error in errors if error.message.startswith("metrics_assets.")), None)
    if ours is not None:
        return f"{ours.cls_name}: {_first_line(ours.message.partition(': ')[2])}"
    # The first is Dagster's own, around what the step raised.
    raised = errors[1] if len(errors) > 1 else errors[0] if errors else None
    return (raised.cls_name if raised else None) or "nothing says why"


def _chain(error: SerializableErrorInfo | None) -> list[SerializableErrorInfo]:
    """An error and what caused it, the outermost first."""
    found = []
    while error is not None:
        found.append(error)
        error = error.cause
    return found


def _first_line(text: str) -> str:
    line = (text.strip().splitlines() or ["nothing says why"])[0].rstrip(".")
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


def _budgets(settings: Settings) -> dict[str, float]:
    """How much may be used of a source in an hour; only of GitHub that is known beforehand."""
    source = settings.sources.github
    if source.budget_per_hour is not None:
        budget = source.budget_per_hour
        return {"github": float(budget if isinstance(budget, int) else BUDGETS[budget])}
    try:
        credentials = len(configuration.github_tokens(settings)) + (source.app is not None)
    except ConfigurationError:
        return {}
    return {"github": credentials * _GITHUB_PER_HOUR * source.share_of_budget} if credentials else {}
