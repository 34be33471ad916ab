"""Forecasts in the warehouse: figures in, forecasts out. The last known day is Sunday, 1 June 2025."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from metrics_assets.assets.forecasts import derivation, make_forecasts
from metrics_assets.catalogue.goals import Goal
from metrics_assets.catalogue.metrics import Catalogue, Metric
from metrics_assets.warehouse.frames import replace_days
from metrics_assets.warehouse.series import read_series
from metrics_assets_tests.warehouse.tables import on, table

SHARED: dict[str, Any] = {"definition": "D", "unknown": "Nobody counted.", "fed": "kpi_values"}
CATALOGUE = Catalogue(
    metrics={
        metric.key: metric
        for metric in (
            Metric(key="stars", title="Stars", unit="count", direction="higher", **SHARED),
            Metric(key="visits", title="Visits", unit="count", direction="higher", **SHARED),
            Metric(key="bugs", title="Open bugs", unit="count", direction="lower", **SHARED),
            Metric(key="share", title="Reviewed", unit="ratio", direction="higher", **SHARED),
            Metric(key="place", title="Place", unit="rank", direction="lower", **SHARED),
            Metric(key="age", title="Age", unit="count", direction="neutral", forecast=False, **SHARED),
        )
    }
)
DAY = on("06-01")
WEEK = [12, 14, 13, 15, 12, 3, 2]
EVERYTHING = ("forecasts", "forecast_paths", "forecast_scenarios", "goal_forecasts")


def figures(
    engine: sa.Engine, values: Iterable[float | None], metric: str, subject: str = "acme", kind: str = "portfolio",
    last: date = DAY, state: str = "ok",
) -> None:  # fmt: skip
    """One value a day, the last one on `last`; None is unknown."""
    every = list(values)
    rows = [
        {
            "date": last - timedelta(days=len(every) - 1 - at),
            "value": value,
            "state": state if value is not None else "unknown",
        }
        for at, value in enumerate(every)
    ]
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.fed_daily (metric, subject_kind, subject, date, value, state) "
                "values (:metric, :kind, :subject, :date, :value, :state)"
            ),
            [row | {"metric": metric, "kind": kind, "subject": subject} for row in rows],
        )


def total(days: int, growth: float = 2.0, seed: int = 1) -> list[float]:
    return [100.0 + value for value in np.cumsum(np.random.default_rng(seed).poisson(growth, days)).tolist()]


def weekly(days: int, seed: int = 2) -> list[float]:
    """The last day is a Sunday."""
    week = np.resize(np.array(WEEK[::-1]), days)[::-1]
    return [float(value) for value in np.random.default_rng(seed).poisson(week)]


def goal(key: str, metric: str = "stars", target: float = 100, **more: Any) -> Goal:
    given = {"key": key, "title": key, "metric": metric, "target": target, "comparison": "at_least"}
    return Goal.model_validate(given | more)


def forecast(engine: sa.Engine, *goals: Goal, last: date = DAY, days: int = 1) -> Any:
    end = last + timedelta(days=1)
    return make_forecasts(engine, end - timedelta(days=days), end, goals, CATALOGUE)


def everything(engine: sa.Engine) -> dict[str, list[Any]]:
    return {name: table(engine, f"select t::text from metrics.{name} as t order by 1") for name in EVERYTHING}


@pytest.fixture(autouse=True)
def _portfolio(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
            "values ('acme', '2025-01-01', 3, 3, 'x')"
        )


def test_a_total_and_a_weekly_count_a_quarter_ahead(warehouse: sa.Engine) -> None:
    figures(warehouse, total(300), "stars")
    figures(warehouse, weekly(300), "visits", "acme/api", "repository")
    said = forecast(warehouse)
    rows = table(
        warehouse,
        "select metric, subject_kind, subject, date, horizon, target_on, p10 <= p50 and p50 <= p90, "
        "method <> 'too_few', n > 0 from metrics.forecasts order by metric, horizon",
    )
    assert rows == [
        (metric, kind, subject, "06-01", horizon, target_on, True, True, horizon < 180)
        for metric, kind, subject in (("stars", "portfolio", "acme"), ("visits", "repository", "acme/api"))
        for horizon, target_on in ((7, "06-08"), (30, "07-01"), (90, "08-30"), (180, "11-28"))
    ]
    now = total(300)[-1]
    ahead = dict(table(warehouse, "select horizon, p50 from metrics.forecasts where metric = 'stars'"))
    for horizon in (7, 30, 90, 180):
        assert ahead[horizon] == pytest.approx(now + 2 * horizon, rel=0.15)
    ((method, reason, beats),) = table(
        warehouse, "select method, reason, beats_naive from metrics.forecasts where metric = 'stars' and horizon = 180"
    )
    assert (method, beats) == ("extended", None)
    assert reason.startswith("Beyond 90 days nothing was backtested: the path goes on with its mean growth")
    paths = table(
        warehouse,
        "select paths.metric, array_length(paths.p50, 1), paths.p50[7] = week.p50 and paths.p90[90] = quarter.p90 "
        "from metrics.forecast_paths as paths "
        "join metrics.forecasts as week using (metric, date) join metrics.forecasts as quarter using (metric, date) "
        "where week.horizon = 7 and quarter.horizon = 90 order by 1",
    )
    assert paths == [("stars", 90, True), ("visits", 90, True)]
    assert (said["rows"], said["series"], said["path_rows"], said["scenario_rows"], said["served_extended"]) == (
        8,
        2,
        2,
        24,
        2,
    )
    assert 0 <= said["beats_naive_share"] <= 1
    # A Friday is busier than the Sunday after it: 6 and 8 June are days 5 and 7 ahead.
    assert table(warehouse, "select p50[5] > p50[7] from metrics.forecast_paths where metric = 'visits'") == [(True,)]


def test_the_naive_forecast_is_named_where_the_model_does_not_beat_it(warehouse: sa.Engine) -> None:
    figures(warehouse, np.resize(WEEK, 301).tolist(), "visits")
    forecast(warehouse)
    rows = table(
        warehouse, "select distinct method, beats_naive, reason from metrics.forecasts where horizon < 180 order by 3"
    )
    assert {row[:2] for row in rows} == {("seasonal_naive", False)}
    assert all(row[2].startswith("The last value of the same weekday stands: ") for row in rows)


def test_too_few_days_have_a_reason_and_no_day_no_row(warehouse: sa.Engine) -> None:
    figures(warehouse, total(20), "stars")
    figures(warehouse, [None] * 200, "visits")
    figures(warehouse, weekly(200), "visits", "acme/api", "repository", state="too_few")
    figures(warehouse, weekly(60), "visits", "acme/old", "repository", last=on("06-01") - timedelta(days=200))
    figures(warehouse, weekly(60), "visits", "acme/still", "repository", last=on("05-01"))
    figures(warehouse, total(200), "place")
    figures(warehouse, total(200), "age")
    figures(warehouse, total(200), "stars", "acme/api@staging", "environment")
    forecast(warehouse)
    assert table(
        warehouse, "select metric, subject, horizon, method, p50, n, reason from metrics.forecasts order by subject, 3"
    ) == [
        (metric, subject, horizon, "too_few", None, 0, reason)
        for metric, subject, reason in (
            ("stars", "acme", "20 of the last 182 days have a value; 28 are needed."),
            ("visits", "acme/still", "None of the last 28 days has a value."),
        )
        for horizon in (7, 30, 90, 180)
    ]
    assert table(warehouse, "select * from metrics.forecast_paths") == []


def test_scenarios_are_in_order_whichever_way_is_better(warehouse: sa.Engine) -> None:
    figures(warehouse, total(300), "stars")
    figures(warehouse, [value / 3 for value in total(300)], "bugs")
    figures(warehouse, np.clip(np.random.default_rng(3).normal(0.8, 0.1, 300), 0, 1).tolist(), "share")
    forecast(warehouse)
    by_scenario = table(
        warehouse,
        "select metric, horizon, array_agg(scenario order by p50, scenario), bool_and(p10 <= p50 and p50 <= p90) "
        "from metrics.forecast_scenarios group by metric, horizon order by metric, horizon",
    )
    worst_first = ["pessimistic", "realistic", "optimistic"]
    assert by_scenario == [
        *(("bugs", horizon, worst_first[::-1], True) for horizon in (7, 30, 90, 180)),
        *(("stars", horizon, worst_first, True) for horizon in (7, 30, 90, 180)),
    ]
    assert table(
        warehouse,
        "select count(*) from metrics.forecast_scenarios as scenarios "
        "join metrics.forecasts as served using (metric, subject_kind, subject, date, horizon) "
        "where scenario = 'realistic' and (scenarios.p10, scenarios.p50, scenarios.p90) "
        "= (served.p10, served.p50, served.p90)",
    ) == [(8,)]
    ((factor,),) = table(
        warehouse,
        "select (better.p50 - now.value) / (usual.p50 - now.value) from metrics.forecast_scenarios as better "
        "join metrics.forecast_scenarios as usual using (metric, date, horizon) "
        "join metrics.fed_daily as now using (metric, date) "
        "where metric = 'stars' and horizon = 90 and better.scenario = 'optimistic' and usual.scenario = 'realistic'",
    )
    assert factor == pytest.approx(1.3, abs=1e-4)


def test_goals_met_reached_later_not_reached_overdue_and_unknown(warehouse: sa.Engine) -> None:
    values = total(300)
    figures(warehouse, values, "stars")
    figures(warehouse, total(300, seed=4), "stars", "acme/api", "repository")
    figures(warehouse, total(20), "bugs")
    now = values[-1]
    forecast(
        warehouse,
        goal("met", target=now - 1),
        goal("soon", target=now + 90, by=date(2025, 8, 1)),
        goal("far", target=now + 230),
        goal("never", target=now * 1000, by=date(2025, 12, 31)),
        goal("overdue", target=now + 90, by=date(2025, 3, 31)),
        goal("few", "bugs", target=1, comparison="at_most"),
        goal("unknown", "visits"),
        goal("no_forecast", "place"),
        goal("of_a_pack", pack="release-watch"),
        goal("each", target=10, subject_kind="repository"),
        goal("nobody", "visits", subject_kind="repository"),
    )
    rows = {
        row[0]: row[1:]
        for row in table(
            warehouse,
            "select goal, subject, state, due_on, probability, p10_on < p50_on and p50_on <= p90_on, p50_on, "
            "looked_until, extrapolated, reason from metrics.goal_forecasts",
        )
    }
    assert sorted(rows) == ["each", "far", "few", "met", "never", "overdue", "soon", "unknown"]
    assert rows["met"] == (
        "acme", "met", None, 1, None, None, None, None, f"It was {now:,.0f} on 2025-06-01: the target is met."
    )  # fmt: skip
    assert rows["each"][:2] == ("acme/api", "met")
    subject, state, due, probability, ordered, middle, until, extrapolated, reason = rows["soon"]
    assert (subject, state, due, ordered, until, extrapolated, reason) == (
        "acme", "ok", "08-01", True, "11-28", False, None,
    )  # fmt: skip
    assert probability > 0.8  # 61 days at two a day
    assert "07-01" < middle < "08-01"
    assert "08-30" < rows["far"][5] < "11-28"
    assert rows["far"][7:] == (True, "After 2025-08-30 the forecast goes on with its mean growth.")
    assert rows["never"][3:6] == (0, None, None)
    assert rows["never"][8].startswith("It is not expected by 2025-12-31.")
    assert (rows["overdue"][1], rows["overdue"][3], rows["overdue"][5]) == ("ok", 0, middle)
    assert rows["overdue"][8] == "It was due on 2025-03-31; the days say when the target is reached after all."
    assert rows["few"][1] == "unknown"
    assert rows["few"][8] == "20 of the last 182 days have a value; 28 are needed."
    assert (rows["unknown"][1], rows["unknown"][8]) == ("unknown", "No value of 'Visits' of acme is known lately.")


def test_from_the_due_day_on_its_value_decides_as_in_the_goals(warehouse: sa.Engine) -> None:
    shares = np.full(300, 0.5)
    shares[-40] = 0.9  # on 23 April
    shares[-10:] = 0.85
    known: list[float | None] = shares.tolist()
    known[-30] = None  # on 3 May
    figures(warehouse, known, "share")
    due = {"met": "04-23", "late": "04-24", "unknown": "05-03", "today": "06-01", "long_ago": "05-03"}
    target = {"long_ago": 0.95}
    forecast(
        warehouse,
        *(goal(key, "share", target=target.get(key, 0.8), by=on(day)) for key, day in due.items()),
        goal("missed", "share", target=0.95, by=on("04-23")),
        goal("always", "share", target=0.8),
    )
    rows = {
        row[0]: row[1:]
        for row in table(warehouse, "select goal, state, probability, reason from metrics.goal_forecasts")
    }
    assert rows["met"] == ("met", 1, "It was 90 % on the due day (2025-04-23): the target is met.")
    assert rows["today"] == ("met", 1, "It was 85 % on the due day (2025-06-01): the target is met.")
    assert rows["always"] == ("met", 1, "It was 85 % on 2025-06-01: the target is met.")
    assert rows["late"] == ("met", 0, "It was 85 % on 2025-06-01: the target is met, after the due day (2025-04-24).")
    assert rows["unknown"] == (
        "met", None, "It was 85 % on 2025-06-01: the target is met; the value of the due day (2025-05-03) is not known."
    )  # fmt: skip
    assert rows["missed"][:2] == ("ok", 0)
    assert rows["long_ago"][:2] == ("ok", None)
    assert "Its value on the due day is not known." in rows["long_ago"][2]


def test_subjects_that_are_named_no_more_have_no_forecast_and_no_odds(warehouse: sa.Engine) -> None:
    for kind, subject in (("repository", "acme/api"), ("repository", "acme/gone"), ("segment", "EMEA")):
        figures(warehouse, weekly(60), "visits", subject, kind)
    each = goal("each", "visits", target=1000, subject_kind="repository")
    subjects = "select distinct subject from metrics.{} order by 1"
    forecast(warehouse, each)  # metrics.yaml was not read yet
    assert table(warehouse, subjects.format("forecasts")) == [("EMEA",), ("acme/api",), ("acme/gone",)]
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "insert into ops.repository_settings (repository_id, repository, deployment_source, environment, "
            "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
            "values (1, 'acme/api', 'auto', 'production', 'v', array['incident'], 24, array['releases'])"
        )
    said = forecast(warehouse, each)
    assert said["series"] == 2
    for name in ("forecasts", "forecast_paths"):
        assert table(warehouse, subjects.format(name)) == [("EMEA",), ("acme/api",)]
    assert table(warehouse, subjects.format("goal_forecasts")) == [("acme/api",)]


def test_texts_with_a_lone_carriage_return_are_written(warehouse: sa.Engine) -> None:
    figures(warehouse, weekly(60), "visits", "EMEA\rnorth", "segment")
    assert forecast(warehouse)["rows"] == 4
    assert table(warehouse, "select distinct subject from metrics.forecasts") == [("EMEA\rnorth",)]
    frame = pd.DataFrame(
        [{"metric": "visits", "subject_kind": "segment", "subject": "a\rb", "date": DAY, "state": "ok"}]
    )
    assert replace_days(warehouse, "metrics.fed_daily", frame, DAY, DAY + timedelta(days=1), {"subject": "a\rb"}) == 1
    assert table(warehouse, "select subject from metrics.fed_daily where subject like 'a%'") == [("a\rb",)]


def test_a_day_rebuilt_is_the_same_whatever_came_later_and_in_whatever_order(warehouse: sa.Engine) -> None:
    goals = (goal("far", target=1000),)
    for subject in ("acme/b", "acme/a", "acme/c"):
        figures(warehouse, weekly(250), "visits", subject, "repository")
    figures(warehouse, total(250), "stars")
    forecast(warehouse, *goals)
    before = everything(warehouse)
    assert all(before.values())
    with warehouse.begin() as connection:
        connection.exec_driver_sql("create temp table kept as select * from metrics.fed_daily")
        connection.exec_driver_sql("delete from metrics.fed_daily")
        connection.exec_driver_sql("insert into metrics.fed_daily select * from kept order by md5(subject || date)")
    figures(warehouse, [9999.0] * 30, "stars", last=on("07-01"))
    forecast(warehouse, *goals)
    assert everything(warehouse) == before


def test_the_newest_origin_alone_has_paths_and_each_origin_keeps_its_figures(warehouse: sa.Engine) -> None:
    figures(warehouse, weekly(200), "visits")
    figures(warehouse, total(200), "stars", "acme/gone", "repository", last=on("05-20"))
    forecast(warehouse, last=on("05-20"))
    origins = "select subject, date from metrics.forecast_paths order by 1"
    assert table(warehouse, origins) == [("acme", "05-20"), ("acme/gone", "05-20")]
    with warehouse.begin() as connection:
        connection.exec_driver_sql("delete from metrics.fed_daily where subject = 'acme/gone'")
    forecast(warehouse, days=5)  # a range has one origin, its last day
    assert table(warehouse, origins) == [("acme", "06-01")]
    every = "select date, count(*) from metrics.forecasts group by 1 order by 1"
    assert table(warehouse, every) == [("05-20", 8), ("06-01", 4)]
    newest = everything(warehouse)["forecast_paths"]
    said = forecast(warehouse, last=on("05-20"))
    assert said["path_rows"] == 0
    assert everything(warehouse)["forecast_paths"] == newest
    assert table(warehouse, every) == [("05-20", 4), ("06-01", 4)]


def test_an_empty_warehouse_and_one_without_a_portfolio(warehouse: sa.Engine) -> None:
    assert (forecast(warehouse, goal("g"))["rows"], forecast(warehouse)["series"]) == (0, 0)
    forecast(warehouse, goal("g"))
    assert table(warehouse, "select goal, subject, state from metrics.goal_forecasts") == [("g", "acme", "unknown")]
    with warehouse.begin() as connection:
        connection.exec_driver_sql("delete from ops.portfolio")
    figures(warehouse, total(60), "stars")
    assert forecast(warehouse, goal("g"))["rows"] == 4
    assert table(warehouse, "select * from metrics.goal_forecasts") == []


def test_the_derivation_runs_as_the_asset_does(warehouse: sa.Engine) -> None:
    figures(warehouse, weekly(60), "requests_per_second")
    found = derivation()
    assert found.run(warehouse, on("05-30"), on("06-02"))["rows"] == 4
    assert {"metrics.fed_daily", "ops.portfolio"} <= set(found.reads)
    assert found.preview is not None
    assert len(table(warehouse, found.preview.replace(":day", "'2025-06-01'"))) == 4


def test_series_are_read_exactly_and_in_the_order_of_their_keys(warehouse: sa.Engine) -> None:
    figures(warehouse, [1 / 3, None, -2e300, 0.0], "visits", "ä/ö", "repository")
    figures(warehouse, [5.0], "stars", "Z", "segment")
    figures(warehouse, [6.0], "stars", "a", "segment", state="too_few")
    figures(warehouse, [7.0], "stars", "a", "team", last=on("05-29"), state="provisional")
    read = read_series(warehouse, ["visits", "stars"], ["repository", "segment", "team"], on("05-29"), on("06-02"))
    assert read.keys.to_numpy().tolist() == [
        ["stars", "segment", "Z"], ["stars", "team", "a"], ["visits", "repository", "ä/ö"],
    ]  # fmt: skip
    expected = [[np.nan] * 3 + [5], [7] + [np.nan] * 3, [1 / 3, np.nan, -2e300, 0]]
    np.testing.assert_array_equal(read.values, np.array(expected))
    assert read_series(warehouse, ["visits"], ["team"], on("05-29"), on("06-02")).values.shape == (0, 4)
