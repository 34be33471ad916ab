"""The jobs: the main one, which is everything but telling people, the one that tells them, and the one for feeds."""

from __future__ import annotations

import dagster as dg

from metrics_assets.assets.alerts import NOTIFICATIONS
from metrics_assets.assets.feeds import TABLES as FED_TABLES
from metrics_assets.assets.shared import key_of

MAIN_JOB = "main"
ALERTS_JOB = "alerts"
FEEDS_JOB = "feeds"
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
    description="Deliver a group of messages, or all that are due. Asked for by the sensors that look at the outbox.",
)

feeds_job = dg.define_asset_job(
    FEEDS_JOB,
    selection=dg.AssetSelection.assets(*(key_of(table) for table in FED_TABLES)).downstream() - _notifications,
    description="Read the fed files and derive what stands on them. Asked for by the sensor `feeds`.",
)
