"""Running jobs in this process, without a daemon: for `metrics run` and `metrics demo`."""

from __future__ import annotations

import logging
import os
import socket
import traceback
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from metrics_assets.assets.raw import ENTITIES
from metrics_assets.assets.shared import key_of
from metrics_assets.automation.jobs import ALERTS_JOB, MAIN_JOB, RANGE_END_TAG, RANGE_START_TAG
from metrics_assets.automation.runs import HOST_TAG, PROCESS_TAG, is_dead
from metrics_assets.errors import ConfigurationError, MetricsError
from metrics_assets.settings import Settings

# Short lines instead of Dagster's own, which runs of the daemon keep.
_PROGRESS: dict[str, Any] = {"loggers": {"progress": {}}}
# So many alert runs are worth having apart in Dagster; each takes about a second.
_MOST_ALERT_RUNS = 5
_PACKAGE = Path(__file__).parent
_RECOLLECT: dict[str, Any] = {"ops": {"collect": {"config": {"recollect": True}}}}


@dataclass(slots=True)
class Outcome:
    """What came of a run of the main job and of the alerts that followed."""

    run_id: str
    succeeded: bool
    failed_steps: list[str] = field(default_factory=list)
    failed_checks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # checks that failed and are no more than that
    alerts: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    unevaluated: list[str] = field(default_factory=list)  # why the alert rules could not be evaluated, in sentences

    @property
    def all_good(self) -> bool:
        return self.succeeded and not (self.failed_checks or self.undelivered or self.unevaluated)


def run_main_job(
    definitions: dg.Definitions,
    instance: DagsterInstance,
    first: date,
    last: date,
    select: str | None = None,
    *,
    recollect: bool = False,
) -> Outcome:
    """Run the main job over [first, last], then look at the alert rules as the sensors do and deliver what is due.

    Of a run that failed only the rules about the pipeline itself are looked at.

    Args:
        recollect: ask the provider for everything of the days again, also where it says that nothing changed.
        select: an asset selection in Dagster's syntax, for example 'group:derive' or '+key:"metrics/dora_daily"'.

    Raises:
        ConfigurationError: the selection names nothing.
    """
    report_dead_runs(instance)
    job = definitions.resolve_job_def(MAIN_JOB)
    keys = _selected(definitions, job, select) if select else None
    collected = {key_of(table) for entity in ENTITIES.values() for table in entity.tables}
    if recollect and keys is not None and not collected & set(keys):
        raise ConfigurationError(
            f"--recollect: --select '{select}' leaves out everything that is collected; select for example "
            'key:"raw/issues", or group:collect.'
        )
    result = job.execute_in_process(
        instance=instance,
        asset_selection=keys,
        run_config={**_PROGRESS, **(_RECOLLECT if recollect else {})},
        tags={
            RANGE_START_TAG: first.isoformat(),
            RANGE_END_TAG: last.isoformat(),
            HOST_TAG: socket.gethostname(),
            PROCESS_TAG: str(os.getpid()),
        },
        raise_on_error=False,
    )
    outcome = Outcome(result.run_id, result.success)
    for event in result.all_events:
        if event.is_step_failure:
            outcome.failed_steps.append(str(event.step_key))
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            is_warning = check.severity == dg.AssetCheckSeverity.WARN
            (outcome.warnings if is_warning else outcome.failed_checks).append(
                f"{check.asset_key.to_user_string()} {check.check_name}: {check.description}"
            )
    _tell(definitions, instance, outcome)
    return outcome


def _selected(definitions: dg.Definitions, job: dg.JobDefinition, select: str) -> list[dg.AssetKey]:
    graph = definitions.resolve_asset_graph()
    try:
        selection = dg.AssetSelection.from_string(select)
        # What comes from one step comes together.
        selection |= selection.required_multi_asset_neighbors()
        chosen = selection.resolve(graph) & set(job.asset_layer.executable_asset_keys)
    except Exception as error:
        raise ConfigurationError(
            f"--select '{select}' is not an asset selection ({error}); write for example group:derive or "
            'key:"metrics/dora_daily"+.'
        ) from error
    if not chosen:
        groups = sorted({node.group_name for node in graph.asset_nodes if node.group_name})
        raise ConfigurationError(f"--select '{select}' selects nothing; the groups are: {', '.join(groups)}.")
    return sorted(chosen)


def _tell(definitions: dg.Definitions, instance: DagsterInstance, outcome: Outcome) -> None:
    """A tick of the sensors about alerts, and the runs that they ask for, of which many are one."""
    resources = {"warehouse": (definitions.resources or {})["warehouse"]}
    requests: dict[str, dict[str, str]] = {}
    for name in ("thresholds", "pipeline") if outcome.succeeded else ("pipeline",):
        sensor = definitions.resolve_sensor_def(name)
        with dg.build_sensor_context(instance=instance, definitions=definitions, resources=resources) as context:
            # What a tick says is for Dagster's UI.
            logging.disable(logging.INFO)
            try:
                tick = sensor.evaluate_tick(context)
            except Exception as error:
                # The run itself is done: what came of it is still to be said, and what is due to be told.
                problem = f"the alert rules could not be evaluated: {_said(error)}"
                if problem not in outcome.unevaluated:
                    outcome.unevaluated.append(problem)
                continue
            finally:
                logging.disable(logging.NOTSET)
        for request in tick.run_requests or []:
            tags = {**request.tags, "dagster/run_key": str(request.run_key), "dagster/sensor_name": name}
            requests.setdefault(str(request.run_key), tags)
    runs = list(requests.values())
    if len(runs) > _MOST_ALERT_RUNS:
        runs = [{"metrics/alert": f"{len(runs)} groups"}]
    job = definitions.resolve_job_def(ALERTS_JOB)
    for tags in runs:
        result = job.execute_in_process(instance=instance, tags=tags, run_config=_PROGRESS, raise_on_error=False)
        about = ": ".join(tags[name] for name in ("metrics/alert", "metrics/subject") if name in tags)
        (outcome.alerts if result.success else outcome.undelivered).append(about)


def _said(error: Exception) -> str:
    """An error's class and sentence. Of others' errors it is said where they came up instead: their texts may hold
    addresses with passwords.
    """
    name = type(error).__name__
    if isinstance(error, MetricsError):
        return f"{name}: {str(error).partition(chr(10))[0]}"
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if _PACKAGE in Path(frame.filename).parents]
    where = f"{Path(ours[-1].filename).relative_to(_PACKAGE.parent)}, line {ours[-1].lineno}" if ours else "a sensor"
    return f"{name}: it was raised in {where}."


def report_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark runs of this machine as failed whose process is gone, and give back what they held.

    The daemon's run monitoring does this for runs that it launched; a killed `metrics run` has no daemon.

    Returns:
        The ids of those runs.
    """
    dead = []
    started = RunsFilter(
        statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.STARTING], tags={HOST_TAG: socket.gethostname()}
    )
    for run in instance.get_runs(started):
        if not is_dead(run):
            continue
        instance.report_run_failed(run, "The process of this run was ended before the run was done.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        dead.append(run.run_id)
    return dead


def default_range(
    settings: Settings, today: date, given_first: date | None, given_last: date | None
) -> tuple[date, date]:
    """The days to run: as given, else everything that the settings want up to yesterday.

    Raises:
        ConfigurationError: the range is backwards or reaches beyond what the settings want or know.
    """
    yesterday = date.fromordinal(today.toordinal() - 1)
    newest = min(settings.end, yesterday) if settings.end else yesterday
    first, last = given_first or settings.start, given_last or newest
    if first > last:
        raise ConfigurationError(f"--from {first} is after --to {last}; swap them.")
    if first < settings.start:
        raise ConfigurationError(
            f"--from {first} is before start: {settings.start} in metrics.yaml; move start, or choose a later day."
        )
    if last > newest:
        raise ConfigurationError(
            f"--to {last} is after {newest}, the last whole day (UTC) that metrics.yaml wants; choose that or earlier."
        )
    return first, last
