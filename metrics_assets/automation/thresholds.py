"""The sensor `thresholds`: the alert rules about figures, evaluated when figures, rules or the hour have changed."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime

import dagster as dg

from metrics_assets.assets.alerts import check_thresholds, evaluated_through, newest_day, rules_of, utc_now
from metrics_assets.assets.shared import Warehouse
from metrics_assets.automation.delivering import look_at_outbox
from metrics_assets.automation.jobs import alerts_job
from metrics_assets.automation.runs import newest_change, run_in_progress
from metrics_assets.settings import Settings


def thresholds_sensor(settings: Settings, clock: Callable[[], datetime] = utc_now) -> dg.SensorDefinition:
    """Evaluates the rules on the newest day and asks for one run per group of messages that is due."""

    @dg.sensor(
        name="thresholds",
        job=alerts_job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Evaluates the alert rules on the newest day, and on the days since it last did, when a run has "
        "ended, the rules have changed, or an hour has passed; looks at the outbox at every tick. One run per group "
        "of messages that is due; run keys keep any from being asked for twice.",
    )
    def thresholds(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult | dg.SkipReason:
        now, engine = clock(), warehouse.engine
        day = newest_day(engine)
        state = {
            "run": newest_change(context.instance),
            "rules": _fingerprint(settings),
            "day": str(day),
            "hour": int(now.timestamp()) // 3600,
        }
        cursor = json.dumps(state, sort_keys=True)
        last, making = evaluated_through(engine), run_in_progress(context.instance)
        if day is None:
            evaluated = "there are no figures yet; run the job `main` first"
        elif making is not None and (last is None or day > last):
            # Not all tables have the day yet, and a day is evaluated as the newest one only once.
            evaluated = f"run {making[:8]} is still making {day}, which is evaluated when it is done"
            cursor = context.cursor or ""
        elif cursor == context.cursor:
            evaluated = f"nothing has changed since {day} was evaluated in this hour"
        else:
            evaluated = check_thresholds(engine, settings, day, now).sentence
        outbox = look_at_outbox(engine, context.instance, now)
        sentence = f"{evaluated[0].upper()}{evaluated[1:]}, {outbox.sentence}."
        if not outbox.requests:
            if day is not None:
                context.update_cursor(cursor)
            return dg.SkipReason(sentence)
        context.log.info(sentence)
        return dg.SensorResult(outbox.requests, cursor=cursor)

    return thresholds


def _fingerprint(settings: Settings) -> str:
    """A mark that changes with the rules that count, and with whom they tell."""
    rules = [rule.model_dump(mode="json") for _, rule in sorted(rules_of(settings).items())]
    told = [settings.alerts.model_dump(mode="json"), sorted(settings.channels)]
    return hashlib.sha256(json.dumps([rules, told], sort_keys=True).encode()).hexdigest()[:16]
