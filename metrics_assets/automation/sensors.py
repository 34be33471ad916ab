"""All sensors."""

from __future__ import annotations

import dagster as dg

from metrics_assets.automation.escalations import escalations_sensor
from metrics_assets.automation.feeding import feeds_sensor
from metrics_assets.automation.pipeline import pipeline_sensor
from metrics_assets.automation.thresholds import thresholds_sensor
from metrics_assets.settings import Settings

__all__ = ["escalations_sensor", "feeds_sensor", "pipeline_sensor", "sensors", "thresholds_sensor"]


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors of a configuration."""
    return [
        thresholds_sensor(settings),
        pipeline_sensor(settings),
        escalations_sensor(settings),
        feeds_sensor(settings),
    ]
