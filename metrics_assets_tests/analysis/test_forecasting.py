from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from metrics_assets.analysis.forecasting import (
    BACKTEST_COLUMNS,
    FORECAST_COLUMNS,
    HORIZONS,
    Settings,
    continued,
    figure_rows,
    forecast,
    goal_date,
    look_ahead,
    refresh,
    scenario_rows,
    scenarios,
)
from metrics_assets.analysis.forecasting.backtesting import MIXED, NAIVE, POOLED, TOO_FEW, Evidence, choose
from metrics_assets.analysis.forecasting.errors import absolute_error, covered, crps
from metrics_assets.analysis.forecasting.features import next_level
from metrics_assets.analysis.forecasting.figures import significant
from metrics_assets.analysis.forecasting.grid import read_grid, restore, stabilise
from metrics_assets.analysis.forecasting.naive import NORMAL_DECILE, drift, seasonal_error, seasonal_naive
from metrics_assets.analysis.forecasting.pooled import rest_days
from metrics_assets.analysis.forecasting.settings import WINDOW
from metrics_assets.analysis.forecasting.widths import calibrate

ORIGIN = date(2026, 3, 1)  # a Sunday
WEEK = [12, 14, 13, 15, 12, 3, 2]
# Few trees on little: these tests ask how forecasts are made, not how good they are.
QUICK = Settings(trees=15, training_windows=900, horizons_each=6, backtest_step=42)


def daily(
    values: Any, subject: str = "a/b", metric: str = "stars_new", state: str = "ok", last: date = ORIGIN
) -> pd.DataFrame:
    """One series that ends on `last`; None is a day that was asked for and has no value."""
    days = len(values)
    return pd.DataFrame(
        {
            "metric": metric,
            "subject_kind": "repository",
            "subject": subject,
            "date": [last - timedelta(days=days - 1 - number) for number in range(days)],
            "value": [math.nan if value is None else float(value) for value in values],
            "n": None,
            "state": ["unknown" if value is None else state for value in values],
        }
    )


def path(p10: list[float], p50: list[float], p90: list[float]) -> pd.DataFrame:
    days = [ORIGIN + timedelta(days=number + 1) for number in range(len(p50))]
    return pd.DataFrame({"date": days, "p10": p10, "p50": p50, "p90": p90})


def some_series(days: int = 300, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.concat(
        [
            daily(rng.poisson(np.tile(WEEK, days // 7 + 1)[:days]), "a/weekly"),
            daily(np.cumsum(rng.poisson(0.7, days)), "a/total", "stars_total"),
            daily(np.clip(0.8 + rng.normal(0, 0.1, days), 0, 1), "a/share", "reviewed_share"),
            daily(rng.poisson(0.05, days), "a/rare"),
        ],
        ignore_index=True,
    )


UNITS = {"reviewed_share": "ratio"}
QUICK_UNITS = Settings(units=UNITS, trees=15, training_windows=900, horizons_each=6, backtest_step=42)


def test_there_is_a_row_for_each_series_and_day_and_the_quantiles_are_in_order() -> None:
    rows = forecast(some_series(), ORIGIN, 90, QUICK_UNITS)
    assert tuple(rows.columns) == FORECAST_COLUMNS
    assert len(rows) == 4 * 90
    one = rows[rows["subject"] == "a/weekly"]
    assert one["horizon"].tolist() == list(range(1, 91))
    assert one["date"].tolist() == [ORIGIN + timedelta(days=number) for number in range(1, 91)]
    assert (rows["p10"] <= rows["p50"]).all()
    assert (rows["p50"] <= rows["p90"]).all()
    assert set(rows["origin"]) == {ORIGIN}
    assert rows["reason"].isna().all()


def test_counts_stay_at_or_above_zero_and_shares_within_zero_and_one() -> None:
    rows = forecast(some_series(), ORIGIN, 90, QUICK_UNITS)
    assert rows["p10"].min() >= 0
    assert rows.loc[rows["metric"] == "reviewed_share", "p90"].max() <= 1


def test_a_growth_that_was_negative_may_be_negative_again() -> None:
    growth = np.random.default_rng(2).normal(-0.3, 0.1, 120)
    settings = Settings(units={"stars_growth": "ratio"}, trees=15, training_windows=900, backtest_step=42)
    rows = forecast(daily(growth, metric="stars_growth"), ORIGIN, 7, settings)
    assert (rows["p50"] < 0).all()


def test_a_forecast_and_its_backtest_do_not_change_when_the_future_is_known() -> None:
    past = some_series(240)
    known = past.assign(date=[day - timedelta(days=60) for day in past["date"]])
    future = some_series(60, seed=6).assign(value=9999.0)
    both = pd.concat([known, future], ignore_index=True).sample(frac=1, random_state=1)
    origin = ORIGIN - timedelta(days=60)
    for with_future, without in zip(
        refresh(both, origin, 30, QUICK_UNITS), refresh(known, origin, 30, QUICK_UNITS), strict=True
    ):
        assert_frame_equal(with_future, without)


def test_the_model_that_is_backtested_does_not_know_the_days_it_is_judged_by(monkeypatch: pytest.MonkeyPatch) -> None:
    from metrics_assets.analysis.forecasting import serving

    fits: list[tuple[int, Any]] = []
    original = serving.PooledModel.fit.__func__  # type: ignore[attr-defined]

    def fit(cls: Any, grid: Any, until: int, simulated: Any, settings: Settings) -> Any:
        model = original(cls, grid, until, simulated, settings)
        fits.append((until, model.predict(grid, np.array([0]), np.array([100]), np.array([[1, 30]])).quantiles))
        return model

    monkeypatch.setattr(serving.PooledModel, "fit", classmethod(fit))
    values = some_series()
    forecast(values, ORIGIN, 7, QUICK_UNITS)
    recent = pd.Series(values["date"]) > ORIGIN - timedelta(days=QUICK.backtest_days)
    forecast(values.assign(value=values["value"].where(~recent, values["value"] * 7 + 3)), ORIGIN, 7, QUICK_UNITS)
    (first, before), (last, _), (_, again), _ = fits
    assert (first, last) == (299 - QUICK.backtest_days, 299)
    np.testing.assert_array_equal(before, again)


def test_the_same_input_gives_the_same_rows_in_whatever_order() -> None:
    values = some_series()
    one = refresh(values, ORIGIN, 14, QUICK_UNITS)
    two = refresh(values.sample(frac=1, random_state=3), ORIGIN, 14, QUICK_UNITS)
    for first, second in zip(one, two, strict=True):
        assert_frame_equal(first, second)


def test_too_short_and_silent_series_say_why() -> None:
    values = pd.concat(
        [
            daily(WEEK * 3, "a/short"),
            daily(WEEK * 4, "a/enough"),
            daily([*WEEK * 8, *[None] * 28], "a/silent"),
            daily(WEEK * 8, "a/unknown", state="too_few"),
        ]
    )
    rows, judged = refresh(values, ORIGIN, 30, QUICK)
    at_30 = rows[rows["horizon"] == 30].set_index("subject")
    assert at_30.loc["a/short", "method"] == "too_few"
    assert at_30.loc["a/short", "reason"] == "21 of the last 182 days have a value; 28 are needed."
    assert at_30.loc["a/silent", "reason"] == "None of the last 28 days has a value."
    assert at_30.loc["a/unknown", "reason"] == "0 of the last 182 days have a value; 28 are needed."
    assert at_30.loc["a/enough", "method"] != "too_few"
    assert np.isfinite(at_30.loc["a/enough", "p50"])
    assert at_30.loc[["a/short", "a/silent", "a/unknown"], ["p10", "p50", "p90"]].isna().all(axis=None)
    short = judged[judged["subject"] == "a/short"].iloc[0]
    assert (short["method"], short["beats_naive"], short["n"]) == ("too_few", None, 0)


def test_gaps_are_no_zeros() -> None:
    values: list[Any] = [100 + number % 7 for number in range(200)]
    values[20:40] = [None] * 20
    values[190:194] = [None] * 4
    rows = forecast(daily(values), ORIGIN, 14, QUICK)
    assert rows["p10"].min() > 60


def test_a_constant_series_stays_what_it_is() -> None:
    rows = forecast(daily([42] * 200), ORIGIN, 90, QUICK)
    assert set(rows["method"]) == {"seasonal_naive"}
    assert (rows[["p10", "p50", "p90"]] == 42).all(axis=None)


def test_all_zeros_stay_zero_and_have_no_scaled_error() -> None:
    rows, judged = refresh(daily([0] * 200), ORIGIN, 90, QUICK)
    assert (rows[["p10", "p50", "p90"]] == 0).all(axis=None)
    assert judged["mase"].isna().all()
    assert judged["coverage"].eq(1).all()
    assert judged["beats_naive"].tolist() == [False] * 3


def test_where_the_model_does_not_beat_it_the_naive_forecast_is_served() -> None:
    exact = [1000 if number % 7 == 3 else 10 * (number % 7) for number in range(301)]
    rows, judged = refresh(daily(exact), ORIGIN, 90, QUICK)
    assert set(rows["method"]) == {"seasonal_naive"}
    assert rows["p50"].tolist()[:14] == (exact[-7:] * 2)
    assert judged["beats_naive"].tolist() == [False] * 3
    assert (judged["mase"] == judged["naive_mase"]).all() or judged["mase"].isna().all()


def test_the_backtest_says_how_good_the_served_forecast_was() -> None:
    _, rows = refresh(some_series(), ORIGIN, 7, QUICK_UNITS)
    assert tuple(rows.columns) == BACKTEST_COLUMNS
    assert rows["horizon"].tolist() == [7, 30, 90] * 4
    better = rows[rows["beats_naive"] == True]  # noqa: E712 (a column of objects)
    assert len(better) > 0
    assert set(better["method"]) <= {"pooled", "mixed", "drift"}
    assert rows["coverage"].between(0, 1).all()
    assert (rows["n"] > 0).all()


def test_an_empty_input_a_lacking_column_and_two_rows_for_a_day() -> None:
    values = daily(WEEK * 8)
    assert tuple(forecast(values[:0], ORIGIN).columns) == FORECAST_COLUMNS
    assert tuple(refresh(values, ORIGIN - timedelta(days=900))[1].columns) == BACKTEST_COLUMNS
    with pytest.raises(ValueError, match="lack the column state"):
        forecast(values.drop(columns="state"), ORIGIN)
    with pytest.raises(ValueError, match="two rows of stars_new for a/b on 2026-03-01"):
        forecast(pd.concat([values, values[-1:]]), ORIGIN)
    with pytest.raises(ValueError, match="1 to 90 days ahead, not 91"):
        forecast(values, ORIGIN, 91)


def test_the_interval_holds_four_days_in_five_of_simulated_noise() -> None:
    rng = np.random.default_rng(11)
    days, series = 330, 40
    level = np.exp(rng.uniform(2, 7, (series, 1)))
    weekend = np.where(np.arange(days) % 7 >= 5, rng.uniform(0.3, 1.0, (series, 1)), 1.0)
    values = rng.poisson(level * weekend * rng.gamma(20, 1 / 20, (series, days)))
    origin = ORIGIN - timedelta(days=90)
    known = pd.concat([daily(row[:-90], f"a/{number}", last=origin) for number, row in enumerate(values)])
    settings = Settings(trees=40, training_windows=2000, horizons_each=6, backtest_step=42)
    rows, judged = refresh(known, origin, 90, settings)
    subjects = rows["subject"].astype(str).str.removeprefix("a/").astype(int).to_numpy()
    actual = values[subjects, rows["horizon"].to_numpy() + days - 91]
    inside = (rows["p10"].to_numpy() <= actual) & (actual <= rows["p90"].to_numpy())
    for first, last in ((1, 7), (8, 30), (31, 90)):
        assert 0.73 <= inside[rows["horizon"].between(first, last)].mean() <= 0.88
    assert judged["beats_naive"].astype(bool).mean() > 0.8


def test_seasonal_naive_by_hand() -> None:
    window = np.full((1, WINDOW), np.nan)
    window[0, -14:] = [1, 2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6, 7, np.nan]
    assert seasonal_error(window)[0] == 1
    found = seasonal_naive(window, np.array([[1, 7, 8]]), np.zeros(1), np.full(1, np.inf))
    assert found[0, :, 1].tolist() == [2, 7, 2]  # Sunday's own value is a week old
    np.testing.assert_allclose(found[0, :, 2], [2 + NORMAL_DECILE, 7 + NORMAL_DECILE, 2 + NORMAL_DECILE * math.sqrt(2)])
    assert found[0, 2, 0] == pytest.approx(2 - NORMAL_DECILE * math.sqrt(2))


def test_drift_by_hand() -> None:
    window = np.full((2, WINDOW), np.nan)
    window[0, -5:] = [10, 10, 12, 16, 18]  # 2 a day, off by 2, 0, 2 and 0
    window[1, -4:-1] = [5, 4, 3]  # nothing of the last day
    found = drift(window, np.array([[1, 8], [1, 8]]), np.zeros(2), np.full(2, np.inf))
    assert found[:, :, 1].tolist() == [[20, 34], [1, 0]]
    spread = NORMAL_DECILE * math.sqrt(2) * math.sqrt(8 * (1 + 8 / 4))
    np.testing.assert_allclose(found[0, 1], [max(34 - spread, 18), 34, 34 + spread])
    assert found[1, 0].tolist() == [1, 1, 1]


def test_errors_by_hand() -> None:
    actual = np.array([10.0, np.nan])
    quantiles = np.array([[4.0, 8.0, 9.0], [0.0, 0.0, 0.0]])
    # 2/3 of the pinball losses 0.1 * 6, 0.5 * 2 and 0.9 * 1
    assert crps(actual, quantiles)[0] == pytest.approx(2 / 3 * (0.6 + 1.0 + 0.9))
    assert absolute_error(actual, quantiles)[0] == 2
    assert covered(actual, quantiles)[0] == 0
    assert np.isnan([crps(actual, quantiles)[1], covered(actual, quantiles)[1]]).all()


def test_the_scale_is_undone_exactly() -> None:
    values = np.array([[0.0, 1.0, -3.0, 1e6], [0.0, 0.25, 1.0, 0.5]])
    share = np.array([False, True])
    np.testing.assert_allclose(restore(stabilise(values, share), share), values, rtol=1e-12)


def test_widths_grow_where_the_interval_held_too_little() -> None:
    needed = np.concatenate([np.full(5000, 0.5), np.full(5000, 2.0)])
    group = np.zeros(10_000, dtype=np.int64)
    widths = calibrate(needed, group, np.full(10_000, 40), 0.8).factors
    assert widths[0, 44] == pytest.approx(2.0, abs=0.1)
    assert widths[0, 0] == 1.0  # nothing was measured there
    assert (widths[1] == 1.0).all()


def test_the_goal_date_of_a_path_by_hand() -> None:
    straight = path([90 + n for n in range(10)], [100 + n for n in range(10)], [110 + n for n in range(10)])
    found = goal_date(straight, 105, due=ORIGIN + timedelta(days=6))
    assert found.p50 == ORIGIN + timedelta(days=6)
    assert found.p10 == ORIGIN + timedelta(days=1)
    assert found.p90 is None
    assert found.probability == pytest.approx(0.5)
    assert not found.extrapolated
    above = goal_date(straight, 110, "above", due=ORIGIN + timedelta(days=1))
    assert above.p10 == ORIGIN + timedelta(days=1)
    assert above.probability == pytest.approx(0.1, abs=1e-3)


def test_a_goal_beyond_the_forecast_is_extrapolated_and_says_so() -> None:
    straight = path([100 + n for n in range(10)], [100 + n for n in range(10)], [100 + n for n in range(10)])
    assert goal_date(straight, 130).p50 is None
    later = goal_date(straight, 130, until=ORIGIN + timedelta(days=60))
    assert later.p50 == ORIGIN + timedelta(days=31)
    assert later.extrapolated
    due = goal_date(straight, 130, due=ORIGIN + timedelta(days=40))
    assert (due.probability, due.extrapolated, due.last) == (1.0, True, ORIGIN + timedelta(days=40))


def test_a_goal_downwards_and_one_already_met_and_one_overdue() -> None:
    falling = path([9.0 - n for n in range(5)], [10.0 - n for n in range(5)], [11.0 - n for n in range(5)])
    assert goal_date(falling, 8, "at_most").p50 == ORIGIN + timedelta(days=3)
    assert goal_date(falling, 20, "below").p90 == ORIGIN + timedelta(days=1)
    assert goal_date(falling, 8, "at_most", due=ORIGIN - timedelta(days=1)).probability == 0


def test_a_path_without_numbers_or_with_a_hole_has_no_goal_date() -> None:
    with pytest.raises(ValueError, match="no forecast"):
        goal_date(path([math.nan], [math.nan], [math.nan]), 5)
    with pytest.raises(ValueError, match="one row for each day"):
        goal_date(path([1.0] * 3, [2.0] * 3, [3.0] * 3).drop(index=1), 5)


def test_odds_of_a_day_beyond_the_forecast_are_extrapolated_though_the_first_days_are_not() -> None:
    wide = path([90.0] * 10, [100.0] * 10, [110.0] * 10)
    until = ORIGIN + timedelta(days=60)
    near = goal_date(wide, 105, until=until)
    assert near.p10 == ORIGIN + timedelta(days=1)
    assert (near.p90, near.last, near.extrapolated) == (None, until, True)
    assert not goal_date(wide, 85, until=until).extrapolated  # as good as certain on the first day
    assert not goal_date(wide, 105, until=until, due=ORIGIN + timedelta(days=5)).extrapolated


def test_scenarios_multiply_the_change_and_not_the_value() -> None:
    found = scenarios(np.array([[100.0, 110, 120]]), np.array([100.0]))
    assert list(found) == ["pessimistic", "realistic", "optimistic"]
    assert found["pessimistic"].tolist() == [pytest.approx([100, 107, 114])]
    assert found["realistic"].tolist() == [[100, 110, 120]]
    assert found["optimistic"].tolist() == [pytest.approx([100, 113, 126])]


def test_the_optimistic_scenario_is_never_the_worse_one() -> None:
    falling = np.array([[80.0, 90, 105]])
    found = scenarios(falling, np.array([100.0]))
    assert found["pessimistic"].tolist() == [pytest.approx([74, 87, 103.5])]
    assert found["optimistic"].tolist() == [pytest.approx([86, 93, 106.5])]
    of_bugs = scenarios(falling, np.array([100.0]), better="lower")
    assert of_bugs["optimistic"].tolist() == [pytest.approx([74, 87, 103.5])]
    assert scenarios(np.array([[0.0, 1, 9]]), np.array([10.0]))["pessimistic"][0, 0] == 0


def test_a_path_goes_on_with_its_growth_and_its_weekdays() -> None:
    weeks = np.tile([10.0, 10, 10, 10, 10, 0, 0], 4) + np.arange(28)  # grows by 1 a day
    paths = np.stack([weeks - 2, weeks, weeks + 2], axis=-1)
    further = continued(paths, 14)
    np.testing.assert_allclose(further[:, 1], np.tile([10.0, 10, 10, 10, 10, 0, 0], 2) + np.arange(28, 42))
    assert further[13, 2] - further[13, 1] == pytest.approx(2 * math.sqrt(42 / 28))
    assert continued(paths, 60, upper=50.0).max() == 50
    assert continued(paths[:1], 3).tolist() == [pytest.approx([10 - 2 * n, 10, 10 + 2 * n]) for n in np.sqrt([2, 3, 4])]


def test_the_model_is_told_of_public_holidays() -> None:
    christmas = frozenset({date(2025, 12, 25), date(2025, 12, 26)})
    assert rest_days(date(2025, 12, 24), 4, christmas).tolist() == [0, 1, 1, 0]
    quick = Settings(holidays=christmas, trees=15, training_windows=900, backtest_step=42)
    assert np.isfinite(forecast(daily(WEEK * 20), ORIGIN, 7, quick)["p50"]).all()


def evidence(days: list[int], raw: list[list[float]], group: list[int]) -> Evidence:
    """The same days and mean CRPS of naive, pooled, mixed and drift forecasts for every block of each series."""
    found = Evidence.none(len(days))
    found.days[:] = found.scaled_days[:] = np.array(days)[:, None]
    found.raw_crps[:] = found.crps[:] = (np.array(raw) * np.array(days)[:, None])[:, None]
    found.group[:] = group
    return found


def test_few_days_of_its_own_do_not_outweigh_what_all_similar_series_say() -> None:
    usual, other = [2.0, 1.0, 1.5, 9.0], [1.0, 0.99, 0.7, 9.0]
    found = evidence(
        [1000, 4, 500, 4, 0, 0], [usual, other, other, [0.0, 0.1, 0.1, 0.1], other, other], [0, 0, 0, 0, 0, 2]
    )
    steady = np.arange(6) == 3
    method = choose(found, np.array([True, True, True, True, True, False]), steady)
    # as most; few days; its own many days; weeks that repeat exactly; no day; too short
    assert method[:, 0].tolist() == [POOLED, POOLED, MIXED, NAIVE, POOLED, TOO_FEW]


def test_what_did_not_beat_the_naive_forecast_is_not_served_whatever_similar_series_say() -> None:
    usual = [2.0, 1.0, 1.5, 9.0]
    few = [[1.0, 1.3, 1.1, 9.0], [1.0, 1.0, 0.9, 9.0], [1.0, 1.0, 1.0, 1.0]]
    found = evidence([1000, 4, 4, 4], [usual, *few], [0] * 4)
    method = choose(found, np.ones(4, dtype=bool), np.zeros(4, dtype=bool))
    # In the third nothing but the second best of similar series was better than the naive one.
    assert method.tolist() == [[POOLED] * 3, [NAIVE] * 3, [MIXED] * 3, [NAIVE] * 3]


def test_a_group_without_any_backtest_takes_what_all_others_say_and_the_model_without_any() -> None:
    found = evidence([100, 0], [[1.0, 2.0, 3.0, 4.0], [0, 0, 0, 0]], [0, 2])
    assert choose(found, np.ones(2, dtype=bool), np.zeros(2, dtype=bool))[1].tolist() == [NAIVE] * 3
    assert choose(Evidence.none(1), np.ones(1, dtype=bool), np.zeros(1, dtype=bool))[0].tolist() == [POOLED] * 3


def test_without_any_change_a_total_stays_and_a_count_has_its_weekdays() -> None:
    window = np.array([np.resize(WEEK, WINDOW), np.arange(WINDOW) + 5.0])
    level = next_level(window)
    assert level[0].tolist() == WEEK
    assert level[1].tolist() == [WINDOW + 4.0] * 7


def test_the_figures_say_what_backs_them() -> None:
    values = pd.concat([some_series(), daily(WEEK * 3, "a/short"), daily(WEEK * 4 + [1], "a/young")])
    grid = read_grid(values, ORIGIN, UNITS)
    assert grid is not None
    outlook = look_ahead(grid, settings=QUICK_UNITS)
    rows = figure_rows(outlook)
    assert rows["horizon"].tolist() == list(HORIZONS) * 6
    assert (rows["target_on"] == [ORIGIN + timedelta(days=days) for days in rows["horizon"]]).all()
    short = rows[rows["subject"] == "a/short"]
    assert set(short["method"]) == {"too_few"}
    assert set(short["reason"]) == {"21 of the last 182 days have a value; 28 are needed."}
    young = rows[rows["subject"] == "a/young"].set_index("horizon")
    assert young.loc[30, "beats_naive"] is None
    assert young.loc[30, "reason"].startswith("Nothing could be compared in the backtest yet")
    assert young.loc[180, "method"] == "extended"
    served = rows[rows["method"].isin(["seasonal_naive", "pooled", "mixed", "drift"]) & (rows["n"] > 0)]
    assert (served["reason"].isna() == served["beats_naive"].astype(bool)).all()
    assert ((served["method"] != "seasonal_naive") == served["beats_naive"].astype(bool)).all()
    assert rows.loc[rows["metric"] == "reviewed_share", "p90"].max() <= 1
    assert rows["p10"].min() >= 0
    with pytest.raises(ValueError, match="an outlook of 90 days, not of 30"):
        figure_rows(look_ahead(grid, 30, QUICK_UNITS))
    some = scenario_rows(outlook, {"stars_total": "higher"})
    assert some["scenario"].tolist() == ["pessimistic", "realistic", "optimistic"] * 4
    assert all(part.is_monotonic_increasing for _, part in some.groupby("horizon")["p50"])


def test_where_the_naive_forecast_is_served_the_figures_say_by_what_it_was_weighed() -> None:
    grid = read_grid(daily(np.resize(WEEK, 301).tolist()), ORIGIN, {})
    assert grid is not None
    rows = figure_rows(look_ahead(grid, settings=QUICK)).set_index("horizon")
    assert rows.loc[7, "method"] == "seasonal_naive"
    assert rows.loc[7, "reason"] == (
        f"The last value of the same weekday stands: nothing was better both over {rows.loc[7, 'n']} days of this "
        "series' backtest and weighed with those of similar series."
    )


def test_a_number_is_kept_to_seven_digits() -> None:
    found = significant(np.array([0.0, -1234567.89, 1 / 3, math.nan, 5e-300]))
    np.testing.assert_array_equal(found, [0.0, -1234568.0, 0.3333333, math.nan, 5e-300])


def test_few_series_are_less_work() -> None:
    assert Settings().for_series(10).training_windows < Settings().for_series(2000).training_windows
    assert Settings().for_series(100_000) == Settings()
