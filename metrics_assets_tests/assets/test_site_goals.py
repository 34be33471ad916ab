"""The page of goals read from a warehouse: those of the day, without teams."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.site import goals
from metrics_assets.assets.site.goals import feed_words, goals_data
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets_tests.assets.site_warehouse import DAY, HOSTILE, PACKS, TEAM, fill, read, run, words
from metrics_assets_tests.tables import insert


@pytest.fixture
def filled(warehouse: sa.Engine) -> sa.Engine:
    fill(warehouse)
    run(warehouse, "update ops.portfolio set packs = :packs", packs=PACKS)
    return warehouse


def test_the_page_of_a_warehouse_that_knows_nothing(filled: sa.Engine) -> None:
    said = words(filled, goals)
    assert re.search(r"None of \d+ goals can be judged: their figures are not known\.", said)
    assert "Feed kpi_values.csv" in said
    assert "Performance-weighted adoption" in said  # a north star


def judged(goal: str, day: date, **more: Any) -> dict[str, Any]:
    return {
        "goal": goal,
        "subject_kind": "portfolio",
        "subject": "Aurora",
        "date": day,
        "metric": "stars_total",
        "value": 900,
        "metric_state": "ok",
        "target": 12_000,
        "comparison": "at_least",
        "due_on": date(2026, 3, 31),
        "starts_on": date(2025, 6, 1),
        "base": 100,
        "expected": 8000,
        "progress": 0.07,
        "status": "off track",
        "reason": "900, behind the line to at least 12,000 by 2026-03-31 (8,000 expected)",
        **more,
    }


def test_goals_are_those_of_the_day(filled: sa.Engine) -> None:
    insert(
        filled,
        "metrics.goals_daily",
        judged("stars_2025_q4", DAY - timedelta(days=1), value=100, status="at risk", reason="A day before."),
        judged("stars_2025_q4", DAY),
        judged("stars_2025_q4", DAY + timedelta(days=1), value=99_999, status="met", reason="A day after."),
        judged("excellent_satisfaction", DAY, subject_kind="team", subject=TEAM, metric="developer_satisfaction"),
    )
    forecast = {
        "goal": "stars_2025_q4",
        "subject_kind": "portfolio",
        "subject": "Aurora",
        "metric": "stars_total",
        "target": 12_000,
        "comparison": "at_least",
        "due_on": date(2026, 3, 31),
        "state": "ok",
        "looked_until": date(2026, 6, 29),
    }
    insert(
        filled,
        "metrics.goal_forecasts",
        {
            **forecast,
            "date": DAY - timedelta(days=2),
            "p50_on": date(2026, 2, 3),
            "p10_on": date(2026, 1, 10),
            "p90_on": date(2026, 4, 5),
            "probability": 0.62,
        },
        {**forecast, "date": DAY + timedelta(days=1), "probability": 1.0},
    )
    reading, site = read(filled)
    found = next(goal for goal in goals_data(reading, site).goals if goal.goal == "stars_2025_q4")
    assert (found.value, found.status, found.outlook and found.outlook.probability) == (900, "off track", 0.62)
    assert goals_data(reading, site).of_teams
    said = words(filled, goals)
    assert "900, behind the line to at least 12,000 by 31 Mar 2026 (8,000 expected)." in said
    assert "reached about 3 Feb 2026 (between 10 Jan 2026 and 5 Apr 2026), odds 62 % by the due day" in said
    assert "A day before" not in said
    assert "A day after" not in said
    assert "Goals of teams stand on each team's own page." in said
    # A day before its row of the day is made, the newest one of the week stands.
    assert "A day before." in words(filled, goals, DAY - timedelta(days=1))
    assert "A day before." not in words(filled, goals, DAY - timedelta(days=9))


def test_values_that_are_too_few_are_no_numbers(filled: sa.Engine) -> None:
    insert(
        filled,
        "metrics.goals_daily",
        judged("stars_2025_q4", DAY, metric_state="too_few", status="unknown", value=4711),
    )
    reading, site = read(filled)
    found = next(goal for goal in goals_data(reading, site).goals if goal.goal == "stars_2025_q4")
    assert found.value is None
    assert "4,711" not in words(filled, goals)


def test_an_owner_that_is_a_team_is_not_named(filled: sa.Engine) -> None:
    run(filled, "update metrics.goal_catalogue set owner = 'Heron' where goal = 'stars_2025_q4'")
    insert(filled, "metrics.goals_daily", judged("stars_2025_q4", DAY))
    reading, site = read(filled)
    found = next(goal for goal in goals_data(reading, site).goals if goal.goal == "stars_2025_q4")
    assert (found.pack, found.area) == ("Community", "")


def test_hostile_goals(filled: sa.Engine) -> None:
    run(filled, "update metrics.goal_catalogue set title = :title where goal = 'stars_2025_q4'", title=HOSTILE)
    insert(filled, "metrics.goals_daily", judged("stars_2025_q4", DAY, reason=HOSTILE))
    assert "<img src=x onerror=alert(1)>" in words(filled, goals)


def test_what_to_feed() -> None:
    metrics = load_catalogue().metrics
    assert feed_words("community_satisfaction", metrics) == "kpi_values.csv: metric community_satisfaction (quarterly)"
    assert feed_words("awards", metrics) == "events.csv: kind award"
    assert feed_words("stars_total", metrics) == ""
    assert feed_words("performance_multiple", metrics) == (
        "kpi_values.csv: metric requests_per_second (daily), metric competitor_requests_per_second (weekly)"
    )
