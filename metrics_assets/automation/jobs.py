"""The jobs: the main one, which is everything but telling people, and the one that tells them."""

from __future__ import annotations

import dagster as dg

from metrics_assets.assets.alerts import NOTIFICATIONS
from metrics_assets.assets.shared import key_of

MAIN_JOB = "main"
ALERTS_JOB = "alerts"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

_notifications = dg.AssetSelection.assets(key_of(NOTIFICATIONS))

main_job = dg.define_asset_job(
    MAIN_JOB,
    selection=dg.AssetSelection.all() - _notifications,
    description="Collect, derive, score, predict and publish, for one day or a range of days.",
)

alerts_job = dg.define_asset_job(
    ALERTS_JOB,
    selection=_notifications,
    description="Deliver the notifications of an alert. Asked for by the sensor `thresholds`.",
)
