"""Series of the site: week by week, only what was known on the day, and no number where there is none."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading, reading_of
from metrics_assets.assets.site.series import read_series
from metrics_assets.errors import CatalogueError
from metrics_assets.reporting.data import Point, Target
from metrics_assets.settings import Settings
from metrics_assets_tests.tables import insert

DAY = date(2025, 12, 31)
WEEK = timedelta(days=7)
KEY, LEAD = "deployment_frequency", "lead_time_hours"
SETTINGS = Settings.model_validate({"start": "2025-01-01", "repositories": [{"github": "acme/api"}]})


def reading(engine: sa.Engine, day: date = DAY) -> Reading:
    return reading_of(engine, SETTINGS, day)


def dora(on: date, subject: str = "acme/api", **figures: Any) -> dict[str, Any]:
    return {"subject_kind": "repository", "subject": subject, "date": on, "days_observed": 28, **figures}


ABOUT = {"metric": KEY, "subject_kind": "repository", "subject": "acme/api"}


def test_points_are_whole_weeks_up_to_the_day(warehouse: sa.Engine) -> None:
    insert(
        warehouse,
        "metrics.dora_daily",
        dora(DAY, deployment_frequency=1.5, deployments_in_window=42, deployment_frequency_low=1.0,
             deployment_frequency_high=2.0, lead_time_hours=30.0, lead_time_n=1),
        dora(DAY - timedelta(days=1), deployment_frequency=9.0, deployments_in_window=9),
        dora(DAY - WEEK, deployment_frequency=0.5, deployments_in_window=14),
        dora(DAY + WEEK, deployment_frequency=7.0, deployments_in_window=7),
    )  # fmt: skip
    found = read_series(reading(warehouse), [KEY, LEAD], "repository", weeks=3)
    assert list(found) == [("acme/api", KEY), ("acme/api", LEAD)]
    series = found["acme/api", KEY]
    assert series.points == (
        Point(DAY - 2 * WEEK, None, None, "unknown"),
        Point(DAY - WEEK, 0.5, 14, "ok"),
        Point(DAY, 1.5, 42, "ok", 1.0, 2.0),
    )
    assert (series.metric.key, series.subject_kind, series.tier) == (KEY, "repository", "elite")
    assert [band.tier for band in series.bands] == ["elite", "high", "medium", "low"]
    # One change is too few for a lead time: what it was is not told, what it stands on is.
    lead = found["acme/api", LEAD]
    assert lead.points[-1] == Point(DAY, None, 1, "too_few")
    assert lead.tier is None
    # A week before, neither the newest value nor anything after it is known.
    before = read_series(reading(warehouse, DAY - WEEK), [KEY], "repository", weeks=1)
    assert before["acme/api", KEY].points == (Point(DAY - WEEK, 0.5, 14, "ok"),)


def test_every_pair_that_is_asked_for_is_there(warehouse: sa.Engine) -> None:
    insert(warehouse, "metrics.dora_daily", dora(DAY, deployment_frequency=1.0, deployments_in_window=28))
    found = read_series(reading(warehouse), [KEY, "stars_total"], "repository", ["acme/new", "acme/api"], weeks=2)
    assert list(found) == [
        ("acme/new", KEY), ("acme/new", "stars_total"), ("acme/api", KEY), ("acme/api", "stars_total"),
    ]  # fmt: skip
    assert {point.state for point in found["acme/new", KEY].points} == {"unknown"}
    assert read_series(reading(warehouse), [KEY], "repository", []) == {}
    assert read_series(reading(warehouse), [], "repository") == {}
    assert read_series(reading(warehouse), [KEY], "team") == {}
    with pytest.raises(CatalogueError, match="asks for the metric 'nonsense', which the catalogue does not have"):
        read_series(reading(warehouse), ["nonsense"], "repository")


def test_anomalies_are_those_of_the_stretch(warehouse: sa.Engine) -> None:
    row = {**ABOUT, "value": 9.0, "n": 9, "state": "anomaly", "kind": "spike", "expected": 1.0, "severity": "warning"}
    insert(
        warehouse,
        "metrics.anomalies",
        {**row, "date": DAY, "explanation": "Nine."},
        {**row, "date": DAY - timedelta(days=13), "explanation": None, "severity": None, "known_event": "v1"},
        {**row, "date": DAY - timedelta(days=14), "explanation": "Too old."},
        {**row, "date": DAY + timedelta(days=1), "explanation": "To come."},
        {**row, "date": DAY - timedelta(days=2), "explanation": None, "state": "normal"},
    )
    (series,) = read_series(reading(warehouse), [KEY], "repository", ["acme/api"], weeks=2).values()
    assert [(one.on, one.severity, one.explanation, one.known_event) for one in series.anomalies] == [
        (DAY - timedelta(days=13), "info", "", "v1"), (DAY, "warning", "Nine.", None),
    ]  # fmt: skip


def forecast(on: date, horizon: int, p50: float | None = 2.0, method: str = "pooled") -> dict[str, Any]:
    low, high = (None, None) if p50 is None else (p50 - 1, p50 + 1)
    return {
        **ABOUT, "date": on, "horizon": horizon, "target_on": on + timedelta(days=horizon), "p10": low, "p50": p50,
        "p90": high, "method": method, "n": 60, "crps": 0.8, "naive_crps": 1.0, "coverage": 0.81,
        "beats_naive": True,
    }  # fmt: skip


def path(on: date, days: int = 16) -> dict[str, Any]:
    return {
        **ABOUT, "date": on, "p10": [float(day) for day in range(1, days + 1)],
        "p50": [day + 0.5 for day in range(1, days + 1)], "p90": [day + 1.0 for day in range(1, days + 1)],
    }  # fmt: skip


def test_the_newest_forecast_is_shown_by_weeks_with_its_backtests(warehouse: sa.Engine) -> None:
    insert(warehouse, "metrics.forecasts", forecast(DAY, 30), forecast(DAY, 7), forecast(DAY - WEEK, 7))
    insert(warehouse, "metrics.forecast_paths", path(DAY))
    (series,) = read_series(reading(warehouse), [KEY], "repository", ["acme/api"], weeks=2).values()
    assert series.forecast is not None
    assert series.forecast.made_on == DAY
    assert [(point.on, point.p10, point.p50, point.p90) for point in series.forecast.points] == [
        (DAY + WEEK, 7.0, 7.5, 8.0), (DAY + 2 * WEEK, 14.0, 14.5, 15.0),
    ]  # fmt: skip
    assert [(test.horizon, test.n, test.coverage, test.beats_naive) for test in series.forecast.backtests] == [
        (7, 60, 0.81, True), (30, 60, 0.81, True),
    ]  # fmt: skip


def test_a_past_day_has_its_own_forecast_and_nothing_of_a_later_one(warehouse: sa.Engine) -> None:
    before = DAY - WEEK
    insert(
        warehouse,
        "metrics.forecasts",
        forecast(DAY, 7, 5.0), forecast(before, 7), forecast(before, 30), forecast(before, 180, 3.0, "extended"),
    )  # fmt: skip
    insert(warehouse, "metrics.forecast_paths", path(DAY))
    (series,) = read_series(reading(warehouse, before), [KEY], "repository", ["acme/api"], weeks=2).values()
    assert series.forecast is not None
    # The way was kept of the newest day alone: of this one the days that were forecast are left.
    assert [(point.on, point.p50) for point in series.forecast.points] == [
        (before + WEEK, 2.0), (before + timedelta(days=30), 2.0),
    ]  # fmt: skip


@pytest.mark.parametrize(("age", "is_shown"), [(0, True), (8, True), (9, False)])
def test_an_old_forecast_is_none(age: int, is_shown: bool, warehouse: sa.Engine) -> None:
    insert(warehouse, "metrics.forecasts", forecast(DAY - timedelta(days=age), 7, None, "too_few"))
    (series,) = read_series(reading(warehouse), [KEY], "repository", ["acme/api"], weeks=2).values()
    assert (series.forecast is not None) is is_shown
    assert not series.forecast or series.forecast.points == ()


def test_of_several_goals_the_next_one_is_shown(warehouse: sa.Engine) -> None:
    def goal(key: str, due: date | None, status: str, on: date = DAY, pack: str | None = None) -> None:
        insert(
            warehouse,
            "metrics.goal_catalogue",
            {"goal": key, "title": f"Goal {key}", "metric": KEY, "subject_kind": "repository", "target": 1.0,
             "comparison": "at_least", "requirements": [], "pack": pack},
        )  # fmt: skip
        insert(
            warehouse,
            "metrics.goals_daily",
            {**ABOUT, "goal": key, "date": on, "metric_state": "ok", "target": 1.0, "comparison": "at_least",
             "due_on": due, "status": status, "reason": "."},
        )  # fmt: skip

    def shown() -> Target | None:
        return read_series(reading(warehouse), [KEY], "repository", ["acme/api"], weeks=1)["acme/api", KEY].target

    insert(
        warehouse,
        "ops.portfolio",
        {"portfolio": "Aurora", "start": DAY, "settle_days": 3, "minimum_group": 3, "person_key_check": "x"},
    )
    goal("of another day", None, "off track", DAY - WEEK)
    goal("of a pack that is off", None, "off track", pack="growth")
    assert shown() is None
    for key, due, status in (
        ("unknown", DAY + WEEK, "unknown"), ("met", DAY + WEEK, "met"),
        ("missed long ago", DAY - 3 * WEEK, "off track"), ("missed", DAY - WEEK, "off track"),
        ("later", DAY + 9 * WEEK, "on track"), ("next", DAY, "at risk"),
    ):  # fmt: skip
        goal(key, due, status)
        assert shown() == Target(f"Goal {key}", 1.0, "at_least", status, due)
