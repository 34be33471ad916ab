"""The open alerts of the site: as of its day, whether it is built before the rules are evaluated or after."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from metrics_assets.alerting.rules import evaluate
from metrics_assets.alerting.states import acknowledge, record
from metrics_assets.assets.site.open_alerts import alert_anchor, open_alerts
from metrics_assets.catalogue.alerts import MilestoneRule, Rule, ThresholdRule
from metrics_assets_tests.alerting.conditions import settings

DAY = date(2025, 12, 10)
ABOUT: dict[str, Any] = {"severity": "warning", "action": "Look."}
RULES: dict[str, Rule] = {
    "failing": ThresholdRule(
        kind="threshold", key="failing", title="F", metric="change_failure_rate", above=0.3, clear_at=0.1, **ABOUT
    ),
    "slow": ThresholdRule(
        kind="threshold", key="slow", title="S", metric="change_failure_rate", above=0.3, for_days=2, **ABOUT
    ),
    "stars": MilestoneRule(kind="milestone", key="stars", title="M", metric="stars_total", milestones=(10,), **ABOUT),
}


def figures(engine: sa.Engine, metric: str, *values: float) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.calculated_daily (metric, subject_kind, subject, date, value, n, state) "
                "values (:metric, 'repository', 'acme/api', :date, :value, 9, 'ok')"
            ),
            [
                {"metric": metric, "date": DAY + timedelta(days=number), "value": value}
                for number, value in enumerate(values)
            ],
        )


def evaluated(engine: sa.Engine, day: date) -> datetime:
    now = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=2)
    record(engine, RULES, evaluate(engine, RULES, day).conditions, settings(), now, day)
    return now


def shown(engine: sa.Engine, day: date) -> list[tuple[Any, ...]]:
    frame: pd.DataFrame = open_alerts(engine, RULES, day)
    return [(row.rule, row.state, row.opened_on, row.value, row.text) for row in frame.itertuples()]


def test_the_open_alerts_of_a_day(warehouse: sa.Engine) -> None:
    figures(warehouse, "change_failure_rate", 0.5, 0.2, 0.0)
    figures(warehouse, "stars_total", 9, 10, 10)
    first = [
        ("failing", "firing", DAY, 0.5, "Change failure rate: 50 % (n = 9), above 30 %. Look."),
    ]
    assert shown(warehouse, DAY) == first  # before the rules are evaluated
    now = evaluated(warehouse, DAY)
    assert shown(warehouse, DAY) == first
    second = DAY + timedelta(days=1)
    between = "Change failure rate: 20 % (n = 9), between 10 %, where it is well again, and the limit of 30 %. Look."
    assert shown(warehouse, second) == [("failing", "firing", DAY, 0.2, between)]
    # One that was told before the time of it was kept is open all the same.
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.alerts set fired_at = null where rule = 'failing'"))
    assert shown(warehouse, second) == [("failing", "firing", DAY, 0.2, between)]
    acknowledge(warehouse, 1, "ann", None, settings(), now + timedelta(days=1))
    evaluated(warehouse, second)
    assert shown(warehouse, second) == [("failing", "acknowledged", DAY, 0.2, between)]
    third = DAY + timedelta(days=2)
    assert shown(warehouse, third) == []
    evaluated(warehouse, third)
    assert shown(warehouse, third) == []
    # The site of a day that is built anew shows what it showed.
    assert shown(warehouse, DAY) == first
    assert shown(warehouse, second) == [("failing", "acknowledged", DAY, 0.2, between)]


def test_alerts_of_a_team_are_for_its_own_page(warehouse: sa.Engine) -> None:
    figures(warehouse, "change_failure_rate", 0.5)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.alerts (rule, metric, subject_kind, subject, severity, state, opened_on, "
                "last_evaluated_on, fired_at, text) values ('failing', 'change_failure_rate', 'team', 'heron', "
                "'warning', 'firing', :day, :day, :day, 'It fails.')"
            ),
            {"day": DAY},
        )
    (row,) = open_alerts(warehouse, RULES, DAY).itertuples()
    assert (row.subject_kind, row.subject, row.metric) == ("repository", "acme/api", "change_failure_rate")
    assert row.anchor == alert_anchor("failing", "repository", "acme/api", "change_failure_rate")
    every = open_alerts(warehouse, RULES, DAY, teams=True)
    assert sorted(every["subject"]) == ["acme/api", "heron"]
    assert every["anchor"].is_unique
