"""A rule and conditions of it, a metrics.yaml and a clock, to write alerts with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting.conditions import Condition, Verdict
from metrics_assets.alerting.states import Changes
from metrics_assets.alerting.states import record as record_conditions
from metrics_assets.catalogue.alerts import ChangeRule, Rule
from metrics_assets.settings import Settings

RULE = ChangeRule(
    key="drop", title="Fewer deployments", metric="deployments_succeeded", severity="warning", action="Look.",
    source="test", kind="change", days=7, drop=0.5, minimum_reference=4,
)  # fmt: skip
# The first condition's day has ended an hour ago.
NOW = datetime(2025, 12, 2, 1, tzinfo=UTC)


def settings(*channels: str, **alerts: Any) -> Settings:
    """A metrics.yaml with webhooks of some names; their addresses are in ONCALL_URL."""
    return Settings.model_validate(
        {
            "portfolio": "acme",
            "start": "2025-01-01",
            "repositories": [{"github": "acme/api"}, {"github": "acme/web"}],
            "channels": {name: {"url_env": "ONCALL_URL"} for name in channels},
            "alerts": alerts,
        }
    )


def at(day: int, hour: int = 1, minute: int = 0) -> datetime:
    """A time on the day after a day of December, when that day is evaluated."""
    return datetime(2025, 12, day, hour, minute, tzinfo=UTC) + timedelta(days=1)


def condition(day: int, verdict: Verdict, subject: str = "acme/api", **other: Any) -> Condition:
    """How the rule stands on a day of December."""
    given: dict[str, Any] = {
        "rule": "drop",
        "metric": "deployments_succeeded",
        "subject_kind": "repository",
        "value": 1.0,
        "reference": 8.0,
        "n": 7,
        "low": None,
        "high": None,
        "severity": "warning",
        "text": "1 against 8.",
    }
    return Condition(subject=subject, date=date(2025, 12, day), verdict=verdict, **(given | other))


def record(
    engine: sa.Engine,
    *conditions: Condition,
    channels: tuple[str, ...] = ("oncall",),
    rule: Rule = RULE,
    now: datetime | None = None,
) -> Changes:
    """Write what conditions mean, an hour after the end of the last one's day."""
    last = max(one.date.day for one in conditions)
    return record_conditions(engine, {rule.key: rule}, conditions, settings(*channels), now or at(last))
