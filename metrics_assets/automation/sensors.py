"""The sensor that turns breached thresholds into alert runs."""

import dagster as dg
import sqlalchemy as sa

from metrics_assets.alerting.states import due_events
from metrics_assets.assets.alerts import EVENT_TAG, check_thresholds
from metrics_assets.assets.shared import Warehouse
from metrics_assets.automation.jobs import alerts_job
from metrics_assets.catalogue.alerts import load_rules
from metrics_assets.settings import Settings


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
