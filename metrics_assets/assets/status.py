"""The status line of each day: the asset that evaluates the rules at the end of a run and says how the day stands."""

from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.alerting.status import status_of, tell_status, write_status
from metrics_assets.assets import alerts
from metrics_assets.assets.alerts import check_thresholds, newest_day, rules_of, tables_of
from metrics_assets.assets.shared import NOTIFY, Shared, Warehouse, key_of, preview, table_tags
from metrics_assets.partitions import days_of, made_for

DAILY_STATUS = "ops.daily_status"


def status_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The asset ops/daily_status."""

    @dg.asset(
        key=key_of(DAILY_STATUS),
        deps=[key_of(table) for table in tables_of(rules_of(shared.settings))],
        description="One line a day: healthy, or what is not, or unknown where there are no figures. Made for the "
        "last day of a run's range, after its alert rules were evaluated; channels with `daily_status: true` are told "
        "the line of the newest day once.",
        metadata=shared.metadata(DAILY_STATUS),
        tags=table_tags(DAILY_STATUS),
        **shared.arguments(NOTIFY, {"postgres"}),
    )
    def daily_status(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        engine, settings, now = warehouse.engine, shared.settings, alerts.utc_now()
        days = days_of(context)
        day = days.last
        is_newest = day == newest_day(engine)
        if is_newest:
            context.log.info(f"{check_thresholds(engine, settings, day, now).sentence}.")
        status = status_of(engine, rules_of(settings), day, _failed_checks(context))
        write_status(engine, status, now)
        told = tell_status(engine, status, settings, now) if is_newest else 0
        return dg.MaterializeResult(
            metadata={
                "status": status.status,
                "line": status.line,
                "told": told,
                "made_for": made_for([day], days),
                "details": dict(status.details),
                "newest": _newest(engine),
            }
        )

    return [daily_status]


def _newest(engine: sa.Engine) -> dg.MarkdownMetadataValue:
    """The lines of the last days."""
    with engine.connect() as connection:
        return preview(connection, "select date, status, line from ops.daily_status order by date desc limit 10")


def _failed_checks(context: dg.AssetExecutionContext) -> list[str]:
    """The checks of this run that did not pass, up to now; those that only warn are no failures."""
    records = context.instance.get_records_for_run(
        context.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    found = []
    for record in records:
        event = record.event_log_entry.dagster_event
        data = event.asset_check_evaluation_data if event is not None else None
        if data is not None and not data.passed and data.severity == dg.AssetCheckSeverity.ERROR:
            found.append(f"check {data.check_name} of {data.asset_key.to_user_string()}")
    return sorted(set(found))
