"""The sensor `pipeline`: alerts about the pipeline itself, which hold with time though no figure changes."""

import json
from collections.abc import Callable
from datetime import datetime

import dagster as dg

from metrics_assets.alerting.pipeline import RunFacts
from metrics_assets.assets.alerts import check_pipeline, utc_now
from metrics_assets.assets.shared import Warehouse
from metrics_assets.automation.delivering import look_at_outbox
from metrics_assets.automation.jobs import alerts_job
from metrics_assets.automation.runs import newest_change, run_facts
from metrics_assets.settings import Settings

# Late days, used budgets and waiting messages are looked at so often; a run that ended is noticed at once.
_EVERY_MINUTES = 10


def pipeline_sensor(settings: Settings, clock: Callable[[], datetime] = utc_now) -> dg.SensorDefinition:
    """Evaluates the rules about runs, late days, lists that are not whole, budgets, and messages that wait."""

    @dg.sensor(
        name="pipeline",
        job=alerts_job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Evaluates the alert rules about the pipeline itself whenever a run has ended, and every "
        f"{_EVERY_MINUTES} minutes: failed runs (not those that will be tried again), late days, lists that could not "
        "be collected whole, used budgets, messages that cannot be delivered.",
    )
    def pipeline(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult | dg.SkipReason:
        now, engine = clock(), warehouse.engine
        state = {"run": newest_change(context.instance), "part": int(now.timestamp()) // (60 * _EVERY_MINUTES)}
        cursor = json.dumps(state, sort_keys=True)
        if cursor == context.cursor:
            return dg.SkipReason(f"No run has ended since the last look, less than {_EVERY_MINUTES} minutes ago.")
        facts = run_facts(context.instance, settings)
        checked = check_pipeline(engine, settings, facts, now)
        outbox = look_at_outbox(engine, context.instance, now)
        sentence = (
            f"{_jobs(facts)}; {checked.rules} rules, {checked.looked_at} of what they look at is or was wrong: "
            f"{len(checked.opened)} opened, {len(checked.resolved)} resolved, {outbox.sentence}."
        )
        if not outbox.requests:
            context.update_cursor(cursor)
            return dg.SkipReason(sentence)
        context.log.info(sentence)
        return dg.SensorResult(outbox.requests, cursor=cursor)

    return pipeline


def _jobs(facts: RunFacts) -> str:
    if not facts.jobs:
        return "No run has ended yet"
    return "Newest runs: " + ", ".join(
        f"{job} {'succeeded' if run.succeeded else 'FAILED'}" for job, run in sorted(facts.jobs.items())
    )
