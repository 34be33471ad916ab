"""Figures about the alerts themselves: how many fired, and how many of those that somebody judged were useful."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from metrics_assets.assets.calculated import calculate, plan
from metrics_assets.catalogue.metrics import Catalogue, load_catalogue
from metrics_assets_tests.warehouse.tables import at, fill, on, table

Alert = Callable[..., None]
METRICS = ("useful_alerts_share", "alerts_fired")


@pytest.fixture
def alert(warehouse: sa.Engine) -> Alert:
    """Writes an alert of a rule: when it fired (None: it is pending), and the newest decision about it."""
    fill(warehouse)

    def writing(rule: str, fired: str | None, outcome: str | None = None, decided: str = "") -> None:
        with warehouse.begin() as connection:
            number = connection.execute(
                sa.text(
                    "insert into ops.alerts (rule, subject_kind, subject, severity, state, opened_on, "
                    "last_evaluated_on, fired_at) values (:rule, 'repository', 'acme/api', 'warning', :state, "
                    "'2025-06-01', '2025-06-01', :fired) returning alert_id"
                ),
                {"rule": rule, "state": "resolved" if fired else "pending", "fired": fired and at(fired)},
            ).scalar_one()
            if outcome:
                connection.execute(
                    sa.text(
                        "insert into ops.alert_outcomes (alert_id, outcome, decided_by, decided_at) "
                        "values (:number, :outcome, 'somebody', :decided)"
                    ),
                    {"number": number, "outcome": outcome, "decided": at(decided)},
                )

    return writing


def made(engine: sa.Engine, metric: str, first: str, last: str) -> list[tuple[object, ...]]:
    """What the days [first, last] of a metric come to: (kind, subject, day, value, n, state)."""
    metrics = load_catalogue().metrics
    wanted = plan(Catalogue(metrics={key: metrics[key] for key in METRICS}))
    assert wanted.problems == {}
    found = calculate(engine, wanted, on(first), on(last) + timedelta(days=1))
    assert found["problems"] == 0
    return [
        tuple(row)
        for row in table(
            engine,
            "select subject_kind, subject, to_char(date, 'MM-DD'), round(value::numeric, 3)::float, n, state "
            f"from metrics.metric_values where metric = '{metric}' order by 3, 1, 2",
        )
    ]


def test_of_the_alerts_judged_in_four_weeks_the_share_of_useful_ones(warehouse: sa.Engine, alert: Alert) -> None:
    alert("slow", "06-02 08:00", "useful", "06-02 09:00")
    alert("slow", "06-03 08:00", "noise", "06-03 00:00")
    alert("slow", "06-03 09:00", "useful", "06-29 23:59")
    alert("late", "06-02 08:00", "useful", "06-03 09:00")
    alert("late", "06-02 08:00")  # nobody judged it
    # On 29 June the decisions since 2 June count, on 30 June those since 3 June.
    assert made(warehouse, "useful_alerts_share", "06-29", "06-30") == [
        ("portfolio", "acme", "06-29", 0.75, 4, "ok"),
        ("segment", "rule:late", "06-29", 1, 1, "too_few"),
        ("segment", "rule:slow", "06-29", 0.667, 3, "ok"),
        ("portfolio", "acme", "06-30", 0.667, 3, "ok"),
        ("segment", "rule:late", "06-30", 1, 1, "too_few"),
        ("segment", "rule:slow", "06-30", 0.5, 2, "too_few"),
    ]


def test_a_day_knows_only_what_was_decided_by_then(warehouse: sa.Engine, alert: Alert) -> None:
    alert("slow", "06-02 08:00", "useful", "06-05 09:00")
    days = [row[2] for row in made(warehouse, "useful_alerts_share", "06-01", "06-07") if row[0] == "portfolio"]
    assert days == ["06-05", "06-06", "06-07"]


def test_without_a_decision_nothing_is_known(warehouse: sa.Engine, alert: Alert) -> None:
    alert("slow", "06-02 08:00")
    assert made(warehouse, "useful_alerts_share", "06-01", "06-07") == []


def test_alerts_count_on_the_day_that_they_fired_and_from_the_first_one_on(warehouse: sa.Engine, alert: Alert) -> None:
    alert("slow", "06-03 00:00")
    alert("late", "06-03 23:59")
    alert("late", "06-05 00:00")
    alert("slow", None)
    assert [row[2:4] for row in made(warehouse, "alerts_fired", "06-01", "06-05")] == [
        ("06-03", 2),
        ("06-04", 0),
        ("06-05", 1),
    ]
