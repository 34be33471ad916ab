"""The page of forecasts, from records made by hand: no history, half a year ahead, far too much, hostile texts."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest

from metrics_assets import addresses
from metrics_assets.reporting.data import Backtest, Forecast, Target
from metrics_assets.reporting.pages.forecasts import (
    Event,
    Featured,
    ForecastRow,
    ForecastsData,
    GoalForecast,
    RiskInsight,
    Scenario,
    Span,
    forecasts_files,
)
from metrics_assets.reporting.pages.forecasts_risk import falling
from metrics_assets_tests.reporting.page_reader import read_harmless
from metrics_assets_tests.reporting.samples import DAY, HOSTILE, full_series, metric, series, site_info

NOTHING = ForecastsData(None, (), (), (), (), (), {}, (), (), {})
KEYS = ("stars_total", "lead_time_hours", "change_failure_rate", "commits", "active_contributors_month")
METRICS = {key: metric(key) for key in KEYS}


def row(**changes: Any) -> ForecastRow:
    fields: dict[str, Any] = {
        "metric": "stars_total", "subject_kind": "portfolio", "subject": "Aurora", "now": 4000.0,
        "ahead": {30: Span(4200.0, 4400.0, 4600.0), 90: Span(4500.0, 5000.0, 5500.0),
                  180: Span(5000.0, 6000.0, 7000.0)},
        "method": "drift", "beats_naive": True, "n": 65, "crps": 1.2, "naive_crps": 3.6, "coverage": 0.8,
        "reason": None,
    }  # fmt: skip
    return ForecastRow(**fields | changes)


def goal(**changes: Any) -> GoalForecast:
    fields: dict[str, Any] = {
        "title": "12,000 stars", "subject_kind": "portfolio", "subject": "Aurora", "metric": "stars_total",
        "target": 12000.0, "comparison": "at_least", "due_on": date(2026, 12, 31), "p10_on": date(2026, 3, 1),
        "p50_on": date(2026, 5, 1), "p90_on": None, "probability": 0.63, "looked_until": date(2026, 12, 31),
        "state": "ok", "reason": None,
    }  # fmt: skip
    return GoalForecast(**fields | changes)


def scenarios(pessimistic: float, realistic: float, optimistic: float) -> tuple[Scenario, ...]:
    values = {"pessimistic": pessimistic, "realistic": realistic, "optimistic": optimistic}
    return tuple(
        Scenario(horizon, name, Span(value * 0.9, value, value * 1.1))
        for name, value in values.items()
        for horizon in (30, 90, 180)
    )


def page_of(data: ForecastsData) -> Any:
    return read_harmless(dict(forecasts_files(site_info(), data))[addresses.FORECASTS])


def test_where_nothing_is_forecast_it_says_so() -> None:
    text = page_of(NOTHING).text
    assert "There is no forecast yet." in text
    assert "No figure of the portfolio or of a package has enough history for a forecast." in text
    assert "No goal has a figure that is forecast." in text
    assert "No holiday is known in the next 180 days." in text


def test_scenarios_say_where_each_ends_and_whether_the_goal_would_be_reached() -> None:
    figure = series(
        "stars_total", [100.0] * 53, kind="portfolio", subject="Aurora", bands=(),
        target=Target("Stars", 150.0, "at_least", "on track"),
        forecast=Forecast(DAY, (), (Backtest(30, DAY, 1.0, 2.0, 3.0, "drift", 65, 1.2, 3.6, 0.75, True),)),
    )  # fmt: skip
    page = page_of(dataclasses.replace(NOTHING, made_on=DAY, rows=(row(),), metrics=METRICS,
                                       featured=(Featured(figure, scenarios(120.0, 150.0, 180.0)),)))  # fmt: skip
    assert "Pessimistic: 120 in 180 days, 20 % higher than now; the goal of 150 would not be reached." in page.text
    assert "Realistic: 150 in 180 days, 50 % higher than now; the goal of 150 would be reached." in page.text
    assert "In 180 days" in page.text
    assert "108 to 132" in page.text
    # The backtest stands beside it.
    assert "67 % less CRPS 1.2, naive 3.6" in page.text
    assert "75 % of 65 days; 80 % is right" in page.text
    assert "chart-stars_total" in page.ids


def test_what_was_never_tested_is_not_called_good_or_bad() -> None:
    untested = row(n=0, crps=None, naive_crps=None, coverage=None, beats_naive=None)
    text = page_of(dataclasses.replace(NOTHING, made_on=DAY, rows=(untested,), metrics=METRICS)).text
    assert "How good the forecasts are is not known yet" in text
    assert "not tested" in text
    assert "tested figures are forecast better" not in text


def test_a_figure_without_enough_history_has_its_reason_and_no_number() -> None:
    few = [
        row(metric="commits", subject_kind="repository", subject=f"aurora/{i}", ahead={}, method="too_few", n=0,
            beats_naive=None, crps=None, naive_crps=None, coverage=None, now=77777.0,
            reason="13 of the last 182 days have a value; 28 are needed." if i else "No day has a value.")
        for i in range(3)
    ]  # fmt: skip
    text = page_of(dataclasses.replace(NOTHING, made_on=DAY, rows=tuple(few), metrics=METRICS)).text
    assert "Commits 3 13 of the last 182 days have a value; 28 are needed." in text
    assert "77,777" not in text
    assert "0 figures forecast, 3 with too little history" in text


def test_only_what_can_be_compared_and_was_tested_is_called_likely_to_get_worse() -> None:
    worse = {90: Span(10.0, 20.0, 30.0)}
    better_lower = {90: Span(50.0, 60.0, 70.0)}
    rows = [
        row(metric="active_contributors_month", subject="falls", now=40.0, ahead=worse),
        row(metric="active_contributors_month", subject="maybe", now=25.0, ahead=worse),
        row(metric="active_contributors_month", subject="untested", now=40.0, ahead=worse, beats_naive=None),
        row(metric="lead_time_hours", subject="rises", now=48.0, ahead=better_lower),
        row(metric="lead_time_hours", subject="falls", now=80.0, ahead=better_lower),
        row(metric="commits", subject="a day's count", now=40.0, ahead=worse),
        row(metric="stars_total", subject="level", now=40.0, ahead=worse),
        row(metric="stars_total", subject="not known", now=None, ahead=worse),
    ]
    found = falling(rows, METRICS)
    assert [(one.metric, one.subject) for one in found] == [
        ("active_contributors_month", "falls"), ("stars_total", "level"), ("lead_time_hours", "rises"),
    ]  # fmt: skip
    data = dataclasses.replace(
        NOTHING, made_on=DAY, rows=tuple(rows), metrics=METRICS, actions={"lead_time_hours": "Make changes smaller."},
        risks=(RiskInsight("aurora/api", "Half of the work is one contributor's.", "Share it out.", 40, None),),
    )  # fmt: skip
    text = page_of(data).text
    assert "3 figures are likely to be worse in 90 days than now" in text
    assert "Make changes smaller." in text
    assert "Half of the work is one contributor's." in text
    assert "What to do: Share it out." in text


def test_goals_have_odds_in_words_and_what_is_still_ahead_stands_first() -> None:
    goals = (
        goal(title="unknown", state="unknown", probability=None, p10_on=None, p50_on=None, reason="No value is known."),
        goal(title="met", state="met", probability=1.0, p10_on=None, p50_on=None),
        goal(title="over", probability=0.0, p50_on=None, due_on=date(2025, 6, 30)),
        goal(title="unlikely", probability=1e-80, p50_on=None, p10_on=None, due_on=None),
        goal(title="likely"),
    )
    text = page_of(dataclasses.replace(NOTHING, made_on=DAY, goals=goals, metrics=METRICS)).text
    places = [text.index(f"{name} Aurora") for name in ("likely", "unlikely", "over", "met", "unknown")]
    assert places == sorted(places)
    assert "63 % 1 May 2026 1 Mar 2026 to later" in text
    assert "under 1 % by 31 Dec 2026 not by 31 Dec 2026" in text
    assert "not known not known No value is known." in text


def test_what_lies_outside_the_figures_is_named() -> None:
    data = dataclasses.replace(
        NOTHING,
        events=(Event(date(2025, 12, 20), "aurora/api", "release", "release v2"),),
        holidays=(date(2026, 1, 1),),
    )
    text = page_of(data).text
    assert "20 Dec 2025: release, aurora/api: release v2" in text
    assert "Holidays that the forecasts know: 1 Jan 2026." in text


@pytest.mark.parametrize("text", [HOSTILE, "x" * 10_000])
def test_hostile_texts_are_only_texts(text: str) -> None:
    data = ForecastsData(
        made_on=DAY,
        featured=(
            Featured(full_series("stars_total", subject=text, subject_kind="package"), scenarios(1.0, 2.0, 3.0)),
        ),
        surveys=(),
        rows=(row(subject=text), row(metric=text, method="too_few", ahead={}, reason=text)),
        goals=(goal(title=text, subject=text, reason=text),),
        risks=(RiskInsight(text, text, text, None, None),),
        actions={},
        events=(Event(DAY, text, text, text),),
        holidays=(),
        metrics=METRICS,
    )
    assert " ".join(text.split()) in page_of(data).text


def test_of_a_thousand_repositories_fifty_figures_are_shown_and_all_are_in_the_csv() -> None:
    rows = tuple(
        row(metric=key, subject_kind="repository", subject=f"organisation/repository-{i}")
        for i in range(1000)
        for key in KEYS
    )
    goals = tuple(goal(subject=f"organisation/repository-{i}") for i in range(1000))
    data = dataclasses.replace(
        NOTHING, made_on=DAY, rows=rows, goals=goals, metrics=METRICS,
        featured=tuple(
            Featured(full_series(key, subject_kind="portfolio", subject="Aurora"), scenarios(1.0, 2.0, 3.0))
            for key in KEYS
        ),
    )  # fmt: skip
    found = dict(forecasts_files(site_info(), data))
    text = read_harmless(found[addresses.FORECASTS]).text
    assert "50 of 5,000 shown; all in the CSV." in text
    assert "50 of 1,000 shown; all in the CSV." in text
    assert str(found["data/forecasts.csv"]).count("\n") == 5001
    assert str(found["data/forecasts-goals.csv"]).count("\n") == 1001
