from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics_assets.analysis.anomalies import (
    ANOMALY_COLUMNS,
    AboutMetric,
    Settings,
    detect_anomalies,
)
from metrics_assets.analysis.anomaly_words import human
from metrics_assets.analysis.forest import PooledForest

from .sample_series import FIRST_DAY, measure, sample

START = date(2025, 1, 6)  # a Monday
WEEK = [12, 14, 13, 15, 12, 3, 2]


def day(number: int) -> date:
    return START + timedelta(days=number)


def daily(values: list[Any], subject: str = "a/b", metric: str = "stars_new", state: str = "ok") -> pd.DataFrame:
    """One series from START on; None is a day that was asked for and has no value."""
    return pd.DataFrame(
        {
            "metric": metric,
            "subject_kind": "repository",
            "subject": subject,
            "date": [day(number) for number in range(len(values))],
            "value": [math.nan if value is None else float(value) for value in values],
            "n": None,
            "state": ["unknown" if value is None else state for value in values],
        }
    )


def judge(values: list[Any], first: int, last: int | None = None, **options: Any) -> list[dict[str, Any]]:
    """The verdicts on the days first to last (to the end of the values without it)."""
    end = day(len(values) if last is None else last + 1)
    result = detect_anomalies(daily(values), day(first), end, **options)
    return [dict(zip(result.columns, row, strict=True)) for row in result.itertuples(index=False)]


def alarms(rows: list[dict[str, Any]]) -> list[tuple[date, str]]:
    return [(row["date"], row["kind"]) for row in rows if row["state"] == "anomaly"]


def test_a_spike_is_told_with_what_was_expected() -> None:
    about = {"stars_new": AboutMetric("New stars")}
    (row,) = judge([*WEEK * 8, 60], 56, about=about)
    assert tuple(row) == ANOMALY_COLUMNS
    assert (row["state"], row["kind"], row["severity"], row["value"]) == ("anomaly", "spike", "critical", 60)
    assert row["lower"] < row["expected"] < row["upper"] < 60
    assert row["expected"] == pytest.approx(12, abs=1)
    assert row["score"] > 5
    assert row["explanation"].startswith("New stars: 60; 1")
    assert "from 56 days; weekday pattern used). Spike." in row["explanation"]
    assert "by the residual rule alone" in row["explanation"]


def test_the_weekday_decides_what_is_usual() -> None:
    saturday = judge([*WEEK * 8, *WEEK[:5], 14], 61)[0]
    monday = judge([*WEEK * 8, 14], 56)[0]
    assert (saturday["state"], saturday["kind"]) == ("anomaly", "spike")
    assert monday["state"] == "normal"
    assert monday["expected"] == pytest.approx(12, abs=1)


def test_a_lonely_one_after_zeros_is_nothing() -> None:
    rows = judge([0] * 60 + [1, 0, 2, 0], 60)
    assert alarms(rows) == []


def test_bursts_are_judged_by_earlier_bursts() -> None:
    """Many zeros and a large day now and then, as commits come in small repositories."""
    rng = np.random.default_rng(3)
    values = np.where(rng.random(400) < 0.3, rng.negative_binomial(0.7, 0.08, 400), 0)
    assert len(alarms(judge(values.tolist(), 60))) <= 5


def test_a_lasting_change_is_told_once_as_a_level_shift() -> None:
    found = [kind for _, kind in alarms(judge([*WEEK * 10, *[value * 3 for value in WEEK * 6]], 70))]
    assert found.count("level_shift") == 1
    assert found.count("spike") <= 1


def test_a_count_that_stops_is_a_drop() -> None:
    values = [2, 1, 3, 0, 2, 1, 2] * 9 + [0] * 12
    (first, *_) = [row for row in judge(values, 63) if row["kind"] == "drop"]
    assert first["explanation"].endswith(
        "Judged by the residual rule alone; there is too little history for the second method."
    )
    assert "Drop: zero for" in first["explanation"]
    assert first["score"] < 0


def test_a_gap_is_told_once_and_ends_when_the_series_has_stopped() -> None:
    rows = judge([*WEEK * 8, *[None] * 40], 56)
    assert [row["state"] for row in rows] == ["too_few", "anomaly", *["too_few"] * 26]
    assert (rows[1]["kind"], rows[1]["severity"], rows[1]["value"]) == ("missing_data", "warning", None)
    assert "no value for 2 days" in rows[1]["explanation"]
    assert rows[5]["explanation"].endswith(f"told on {rows[1]['date']}.")


def test_a_gap_of_absent_rows_is_the_same_as_of_unknown_ones() -> None:
    values = daily([*WEEK * 8, *[None] * 6])
    whole = detect_anomalies(values, day(50), day(62))
    pd.testing.assert_frame_equal(whole, detect_anomalies(values[values["value"].notna()], day(50), day(62)))


def test_a_series_without_sundays_is_not_reported_every_sunday() -> None:
    rows = judge([*WEEK[:6], None] * 20, 0)
    assert [kind for _, kind in alarms(rows)] == []
    assert "not unusual here" in rows[-1]["explanation"]


@pytest.mark.parametrize("known", [0, 1, 27, 28])
def test_under_28_days_there_is_no_verdict(known: int) -> None:
    (row,) = judge([*(WEEK * 4)[:known], 500], known)
    if known < 28:
        assert (row["state"], row["kind"], row["expected"]) == ("too_few", None, None)
        assert f"only {known} of 28 days" in row["explanation"]
    else:
        assert row["state"] == "anomaly"


def test_a_figure_that_stands_on_too_few_is_passed_on_unjudged() -> None:
    values = daily([*WEEK * 8, 500])
    values.loc[56, "state"] = "too_few"
    values.loc[56, "n"] = 2
    (row,) = detect_anomalies(values, day(56), day(57)).to_dict("records")
    assert (row["state"], row["value"], row["n"]) == ("too_few", 500, 2)
    assert "(n = 2); not judged, because the figure itself stands on too few" in row["explanation"]


def test_within_the_cool_down_the_first_alarm_is_named() -> None:
    rows = judge([*WEEK * 8, 60, 14, 60, *[14] * 10, 60], 56)
    assert alarms(rows)[0] == (day(56), "spike")
    assert rows[2]["state"] == "normal"
    assert rows[2]["explanation"].endswith(f"Still the spike told on {day(56)}.")
    assert (day(69), "spike") in alarms(rows)


def test_other_units_are_judged_on_their_own_scale() -> None:
    rng = np.random.default_rng(5)
    about = {
        "lead": AboutMetric("Lead time", "hours"),
        "share": AboutMetric("Failed share", "ratio"),
        "net": AboutMetric("Net change", "lines"),
    }
    hours = [*np.exp(rng.normal(3, 0.2, 80)), 200]
    ratio = [*rng.normal(0.3, 0.02, 80), 0.9]
    lines = [*rng.normal(-50, 10, 80), 80]
    values = pd.concat([daily(hours, metric="lead"), daily(ratio, metric="share"), daily(lines, metric="net")])
    rows = detect_anomalies(values, day(80), day(81), about=about).to_dict("records")
    assert [(row["metric"], row["kind"]) for row in rows] == [
        ("lead", "spike"),
        ("net", "spike"),
        ("share", "spike"),
    ]
    assert rows[0]["explanation"].startswith("Lead time: 200 hours; ")
    assert rows[1]["expected"] == pytest.approx(-50, abs=10)


def test_the_second_method_is_asked_and_can_be_replaced() -> None:
    class Everything:
        asked = 0

        def rank(self, features: Any, month: Any, asked: Any) -> Any:
            Everything.asked += int(asked.sum())
            return np.where(asked, self.word, np.nan)

        def __init__(self, word: float) -> None:
            self.word = word

    values = [*WEEK * 8, 26]  # at about 1.1 times the threshold
    assert alarms(judge(values, 56, settings=Settings(second=Everything(1.0)))) == [(day(56), "spike")]
    assert alarms(judge(values, 56, settings=Settings(second=Everything(0.5)))) == []
    assert Everything.asked >= 2


def test_nothing_to_judge_is_an_empty_table() -> None:
    for values, first, last in [(daily([]), 0, 5), (daily(WEEK), 3, 3), (daily(WEEK), -9, -2)]:
        result = detect_anomalies(values, day(first), day(last))
        assert result.empty
        assert tuple(result.columns) == ANOMALY_COLUMNS


def test_a_range_may_begin_before_the_series() -> None:
    assert len(detect_anomalies(daily(WEEK), day(-5), day(7))) == 7


def test_two_rows_of_one_day_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two rows of stars_new for a/b on 2025-01-06"):
        detect_anomalies(pd.concat([daily(WEEK), daily(WEEK)]), day(0), day(5))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="lack the column state"):
        detect_anomalies(daily(WEEK).drop(columns="state"), day(0), day(5))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (14, "14"), (2.06, "2.1"), (1234.4, "1,234"), (0.0351, "0.035"), (56.25, "56.2"), (7.99, "8")],
)
def test_numbers_are_written_for_people(number: float, text: str) -> None:
    assert human(number) == text


# A forest that learns early, so that short series reach every part of the detector.
EARLY = Settings(second=PooledForest(minimum_rows=30, trees=8), agreement=0.9, residual=2.0, week=1.5)


@st.composite
def several_series(draw: st.DrawFn) -> pd.DataFrame:
    """Three to five series of 100 to 140 days: Poisson counts; some shifted, spiked, cut or with holes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    days = draw(st.integers(100, 140))
    frames = []
    for number in range(draw(st.integers(3, 5))):
        rate = np.full(days, draw(st.sampled_from([0.2, 3.0, 40.0])))
        rate[draw(st.integers(0, days - 1)) :] *= draw(st.sampled_from([0.0, 0.5, 1.0, 2.0]))
        counts = rng.poisson(rate).astype(float)
        counts[rng.random(days) < 0.02] *= 4
        values: list[Any] = [
            None if hole else count for count, hole in zip(counts, rng.random(days) < 0.04, strict=True)
        ]
        hole = draw(st.integers(0, days))
        values[hole : hole + draw(st.integers(0, 5))] = [None] * len(values[hole : hole + 5])
        frame = daily(values[:days], subject=f"a/{number}", metric=f"metric{number % 2}")
        frames.append(frame.iloc[draw(st.integers(0, 40)) :])
    return pd.concat(frames, ignore_index=True)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(several_series(), st.data())
def test_a_verdict_depends_on_nothing_later(values: pd.DataFrame, data: st.DataObject) -> None:
    """The whole range at once, any part of it, and day after day with the rest cut off: the same rows."""
    order = data.draw(st.randoms(use_true_random=False)).sample(range(len(values)), len(values))
    whole = detect_anomalies(values.iloc[order], day(0), day(140), settings=EARLY)

    def of_days(first: int, last: int) -> pd.DataFrame:
        inside = [day(first) <= when < day(last) for when in whole["date"]]
        return whole[inside].reset_index(drop=True)

    first = data.draw(st.integers(0, 139))
    last = data.draw(st.integers(first + 1, 140))
    part = detect_anomalies(values, day(first), day(last), settings=EARLY)
    pd.testing.assert_frame_equal(part, of_days(first, last), check_exact=True)

    for number in sorted(data.draw(st.sets(st.integers(28, 139), min_size=6, max_size=6))):
        known_then = values[[when <= day(number) for when in values["date"]]]
        alone = detect_anomalies(known_then, day(number), day(number + 1), settings=EARLY)
        pd.testing.assert_frame_equal(alone, of_days(number, number + 1), check_exact=True)


def test_every_day_alone_gives_the_same_verdicts_as_all_at_once() -> None:
    values, _ = sample(clean=1, eventful=3, days=150, seed=6)
    last = FIRST_DAY + timedelta(days=150)
    whole = detect_anomalies(values, FIRST_DAY, last, settings=EARLY)
    days = [FIRST_DAY + timedelta(days=number) for number in range(150)]
    single = [
        detect_anomalies(values[values["date"] <= when], when, when + timedelta(days=1), settings=EARLY)
        for when in days
    ]
    joined = pd.concat(single).sort_values(["metric", "subject_kind", "subject", "date"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole, check_exact=True)
    assert (whole["state"] == "anomaly").sum() >= 3


def test_it_finds_what_was_put_in_without_crying_wolf() -> None:
    """Loose bounds, so that a broken detector is seen; the figures themselves belong to a benchmark."""
    values, events = sample(clean=24, eventful=24, days=400, seed=8)
    result = detect_anomalies(values, FIRST_DAY, FIRST_DAY + timedelta(days=400))
    measured = measure(result, events)
    assert measured.false_alarms <= 4
    assert measured.found >= 0.4
    assert min(measured.by_kind.values()) > 0.2
