"""The predictions: days that are not as the days before them led to expect."""

from datetime import date
from typing import Any

import dagster as dg

from metrics_assets.assets.shared import FORECAST, WATCHED, Shared, Warehouse, key_of, preview, table_metadata
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.partitions import days_of
from metrics_assets.warehouse.frames import read_metric_values, replace_days

_TABLE = "metrics.anomalies"


def prediction_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The asset metrics/anomalies; it depends on the tables of the metrics that are watched."""
    catalogue = load_catalogue()
    watched = catalogue.with_anomalies()

    @dg.asset(
        key=key_of(_TABLE),
        deps=[key_of(f"metrics.{table}") for table in catalogue.tables(watched)],
        description="Every watched metric on every day: what was expected from the days before it alone, and "
        "whether the day is a spike, a drop, a level shift or missing, in words. Judged by robust residuals over "
        "weekdays and by an isolation forest (scikit-learn) over all series. Under 28 days of history: too few.",
        metadata=table_metadata(_TABLE),
        **shared.arguments(FORECAST, {"postgres", "scikitlearn"}),
    )
    def anomalies(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        from metrics_assets.analysis.anomalies import AboutMetric, detect_anomalies

        days = days_of(context)
        history = read_metric_values(warehouse.engine, watched, date.min, days.end, WATCHED)
        about = {key: AboutMetric(catalogue.metrics[key].title, catalogue.metrics[key].unit) for key in watched}
        found = detect_anomalies(history, days.start, days.end, about=about)
        rows = replace_days(warehouse.engine, _TABLE, found, days.start, days.end, {})
        with warehouse.engine.connect() as connection:
            latest = preview(
                connection,
                "select date, subject, metric, severity, explanation from metrics.anomalies "
                "where state = 'anomaly' and date >= :start and date < :end "
                "order by date desc, abs(score) desc limit 10",
                start=days.start,
                end=days.end,
            )
        return dg.MaterializeResult(
            metadata={
                "dagster/partition_row_count": rows,
                "anomalies": int((found["state"] == "anomaly").sum()),
                "too_few": int((found["state"] == "too_few").sum()),
                "latest": latest,
            }
        )

    return [anomalies]
