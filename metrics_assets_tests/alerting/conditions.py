"""A rule and conditions of it, to write alerts with."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from metrics_assets.alerting.rules import Condition, Verdict
from metrics_assets.alerting.states import record_conditions
from metrics_assets.catalogue.alerts import ChangeRule

RULE = ChangeRule(
    key="drop", title="Fewer deployments", metric="deployments_succeeded", severity="warning", action="Look.",
    source="test", kind="change", days=7, drop=0.5, minimum_reference=4,
)  # fmt: skip


def condition(day: int, verdict: Verdict, subject: str = "acme/api") -> Condition:
    """How the rule stands on a day of December."""
    return Condition("drop", "repository", subject, date(2025, 12, day), verdict, 1.0, 8.0, 7, "1 against 8.")


def record(engine: sa.Engine, *conditions: Condition, channels: tuple[str, ...] = ("oncall",)) -> int:
    """Write what conditions mean."""
    return record_conditions(engine, [RULE], conditions, channels)
