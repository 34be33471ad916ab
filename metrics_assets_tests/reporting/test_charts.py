"""The line chart draws what is known, leaves gaps where nothing is, and says first in a sentence what it shows."""

from __future__ import annotations

import dataclasses
import itertools
import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.reporting.charts import tier_bar
from metrics_assets.reporting.data import Anomaly, Forecast, MetricInfo, Series, Target
from metrics_assets.reporting.frame import template
from metrics_assets.reporting.kit import ChartView, chart
from metrics_assets.reporting.kit.labels import moved_apart, text_width
from metrics_assets.reporting.scales import scale_for
from metrics_assets.reporting.wording import anchor, brief, change, light, odds, quantity, rounded, span, status

from . import samples

UNITS = (
    "per day", "per week", "per month", "per second", "hours", "days", "months", "milliseconds", "megabytes", "ratio",
    "count", "points", "score", "rank", "dollars", "yes or no",
)  # fmt: skip


def view(series: Series, **options: object) -> ChartView:
    return chart(series, csv="data/page.csv", **options)  # type: ignore[arg-type]


def plain(text: object) -> str:
    return str(text).replace("\u00a0", " ")


def figure(series: Series, **options: object) -> str:
    """The chart as a page shows it."""
    return str(template("parts.html.j2").module.chart(view(series, **options), ""))  # type: ignore[attr-defined]


def test_the_takeaway_says_value_basis_change_tier_goal_and_what_is_expected() -> None:
    said = plain(view(samples.full_series()).takeaway)
    assert re.fullmatch(
        r"1\.6 d in the 28 days to 31 Dec 2025 \(n = 42, provisional\), 17 % lower than 28 days before \(better\); "
        r"High; the goal is at most 23 h by 31 Dec 2026: off track\. "
        r"Expected in 30 days: 1\.5 d \(80 %: 22 h to 2\.1 d\)\.",
        said,
    ), said


def test_a_figure_that_was_never_known_has_a_sentence_and_no_axes() -> None:
    seen = view(samples.series(values=[None] * 53))
    assert plain(seen.takeaway) == "Not known on 31 Dec 2025: No change was shipped in the window."
    assert seen.plot is None
    assert seen.table is None
    assert "<svg" not in figure(samples.series(values=[None] * 53))


def test_a_last_week_that_is_not_known_is_said_and_has_no_dot_and_no_label() -> None:
    seen = view(samples.series(values=[10.0, 20.0, None]))
    assert plain(seen.takeaway).endswith("The last known value is 20 h, of 24 Dec 2025.")
    assert 'class="dot main"' not in str(seen.plot)
    assert "r-main" not in str(seen.plot)


def test_too_few_says_how_many_are_needed_and_shows_no_number() -> None:
    series = samples.series(values=[10.0, 20.0, None])
    last = dataclasses.replace(series.points[-1], state="too_few", n=2)
    seen = view(dataclasses.replace(series, points=(*series.points[:-1], last)))
    assert plain(seen.takeaway).startswith("Too few to say on 31 Dec 2025: Only 2 in 28 days; it needs at least 3.")


def test_a_gap_breaks_the_line_and_a_lone_point_is_a_dot() -> None:
    plot = str(view(samples.series(values=[10, 20, None, 30, None, 40, 50])).plot)
    line = re.search(r'class="line main" d="([^"]+)"', plot)
    assert line is not None
    assert line[1].count("M") == 2
    lone = re.search(r'class="dot lone main" d="([^"]+)"', plot)
    assert lone is not None
    assert re.fullmatch(r"M500 \d+h0", lone[1])


def test_weeks_before_anything_is_known_are_left_out_but_for_eight() -> None:
    half = view(samples.series(values=[None] * 20 + [30.0] * 33))
    assert plain(half.remarks).startswith("Known since 21 May 2025.")
    assert str(half.table).count("<tr>") == 1 + 33
    assert len(str(half.plot).split('data-at="')[1].split('"')[0].split()) == 33
    late = view(samples.series(values=[None] * 50 + [30.0] * 3))
    assert str(late.table).count("<tr>") == 1 + 8
    other = samples.series(values=[5.0] * 53, subject="aurora/other")
    assert str(view(samples.series(values=[None] * 20 + [30.0] * 33), others=[other]).table).count("<tr>") == 1 + 53


def test_zero_is_drawn_and_unknown_is_not() -> None:
    zero = str(view(samples.series("contributors_total", [0.0, 0.0, 0.0])).plot)
    assert re.search(r'class="line main" d="M0 400L500 400L1000 400"', zero)
    unknown = str(view(samples.series("contributors_total", [5.0, None, None])).plot)
    assert 'class="line main"' not in unknown


def test_the_stretch_up_to_a_provisional_week_is_dashed() -> None:
    seen = view(samples.full_series())
    assert 'class="line main provisional"' in str(seen.plot)
    assert "provisional" in str(seen.legend)
    assert 'class="line main provisional"' not in str(view(samples.series()).plot)


def test_bands_goal_forecast_and_interval_are_drawn_and_named() -> None:
    seen = view(samples.full_series())
    plot = plain(seen.plot)
    assert re.findall(r'class="rail r-tier t-\w+"[^>]*>(\w+)', plot) == ["High", "Elite"]
    assert 'class="target"' in plot
    assert ">goal 23 h<" in plot
    assert ">now 1.6 d<" in plot
    assert ">today<" in plot
    assert 'class="expected"' in plot
    assert 'class="interval"' in plot
    assert "Elite under 1 d, High under 7 d, Medium under 30 d, otherwise Low" in plain(seen.remarks)


def test_the_backtest_is_said_or_why_there_is_none() -> None:
    full = samples.full_series()
    assert plain(view(full).backtest) == (
        "Forecasts 30 days ahead of this figure erred 21 % less than last week's value did; "
        "81 % of 65 days fell inside the band, 80 % would be right."
    )
    assert full.forecast is not None
    test = full.forecast.backtests[1]
    nothing = dataclasses.replace(test, p10=None, p50=None, p90=None, reason="Fewer than 60 days are known.")
    seen = view(dataclasses.replace(full, forecast=Forecast(samples.DAY, (), (nothing,))))
    assert seen.backtest == "No forecast: fewer than 60 days are known."
    assert "Expected" not in seen.takeaway
    assert "today" not in str(seen.plot)
    untried = dataclasses.replace(test, crps=None, naive_crps=None)
    seen = view(dataclasses.replace(full, forecast=dataclasses.replace(full.forecast, backtests=(untried,))))
    assert "not known yet" in seen.backtest
    worse = dataclasses.replace(test, crps=1.1, naive_crps=1.0)
    seen = view(dataclasses.replace(full, forecast=dataclasses.replace(full.forecast, backtests=(worse,))))
    assert "10\u00a0% more than last week's" in seen.backtest


def test_at_most_four_anomalies_are_numbered_by_day_the_most_severe_first_and_the_rest_counted() -> None:
    found = tuple(
        Anomaly(samples.DAY - timedelta(days=10 * i), 30.0, 20.0, "critical" if i in (8, 9) else "info", "x", f"no {i}")
        for i in range(10)
    )
    unplaced = Anomaly(samples.DAY, None, None, "critical", "missing", "no value at all")
    before = Anomaly(date(2020, 1, 1), 1.0, 1.0, "critical", "x", "long ago")
    seen = view(samples.series(anomalies=(*found, unplaced, before)))
    assert [plain(note).split(":")[0] for note in seen.notes] == [
        "2 Oct 2025",
        "12 Oct 2025",
        "21 Dec 2025",
        "31 Dec 2025",
    ]
    assert seen.more == "7 more anomalies in the CSV file."
    assert re.findall(r'class="marklabel"[^>]*>(\d)', str(seen.plot)) == list("1234")


@pytest.mark.parametrize(
    ("found", "said", "is_better"),
    [
        ({}, "1.2 d, expected 20 h. Spike.", False),
        ({"lower": 15.0, "upper": 23.0}, "1.2 d, expected 15 to 23 h. Spike.", False),
        (
            {"known_event": "incident 7 on 2025-12-31", "explanation": "It may be explained by incident 7."},
            "1.2 d, expected 20 h. Spike. At the same time: incident 7.", False,
        ),
        (
            {"known_event": "release v1 on 2025-12-30"},
            "1.2 d, expected 20 h. Spike. At the same time: release v1 on 30 Dec 2025.", False,
        ),
        ({"kind": "level_shift", "score": -4.0}, "1.2 d, expected 20 h. Level shift down, for the better.", True),
        ({"kind": "drift", "score": 4.0}, "1.2 d, expected 20 h. Drift up.", False),
        ({"kind": "variance", "score": 4.0, "expected": None}, "1.2 d. Unusually unsteady.", False),
        ({"kind": "drop", "value": 2.0}, "2 h, expected 20 h. Drop, for the better.", True),
    ],
)  # fmt: skip
def test_an_anomaly_is_said_shortly_and_whether_it_is_for_the_better(
    found: dict[str, Any], said: str, is_better: bool
) -> None:
    usual = Anomaly(samples.DAY, 30.0, 20.0, "critical", "spike", "long and technical")
    seen = view(samples.series(anomalies=(replace(usual, **found),)))
    assert plain(seen.notes[0]) == f"31 Dec 2025: {said}"
    assert seen.better == ((1,) if is_better else ())
    assert ("anomaly for the better" in str(seen.legend)) == is_better
    assert ('class="dot mark better"' in str(seen.plot)) == is_better


def test_one_point_is_not_points_and_zero_has_no_sign() -> None:
    for unit, one in (("ratio", 0.01), ("points", 1.0)):
        metric = dataclasses.replace(samples.series().metric, unit=unit)
        assert plain(change(0.5, 0.5 + one, metric).text) == "1 point higher than"
        assert plain(change(0.5, 0.5 + 1.02 * one, metric).text) == "1 point higher than"
        assert plain(change(0.5, 0.5 + 2 * one, metric).text) == "2 points higher than"
    assert [rounded(-0.0), rounded(-0.04, 1), rounded(-0.06, 1), rounded(1234.5678, 2)] == [
        "0",
        "0.0",
        "-0.1",
        "1,234.57",
    ]
    assert str(quantity(-0.0, "count")) == "0"


def test_a_light_is_shown_in_one_way_whatever_its_bands_are_called() -> None:
    assert light("green") == ("✓", "Green", "ok")
    assert light("red") == ("✕", "Red", "bad")
    assert [light(name, rank, 3) for rank, name in enumerate(("calm", "busy", "swamped"))] == [
        ("✓", "Calm", "ok"), ("!", "Busy", "watch"), ("✕", "Swamped", "bad"),
    ]  # fmt: skip
    assert light(None)[1] == "Unknown"


def test_the_table_has_every_week_and_what_is_expected() -> None:
    table = plain(view(samples.full_series()).table)
    rows = table.split("<tr>")[2:]
    assert len(rows) == 53 + 13
    assert rows[52].strip() == "<th scope=row>31 Dec 2025<td>1.6 d<td>42<td>provisional"
    assert "expected" in rows[53]
    short = plain(view(samples.series(values=[10.0, None])).table)
    assert "<th scope=row>31 Dec 2025<td>not known<td><td>not known" in short


def test_up_to_two_others_are_coloured_and_named_and_more_are_grey() -> None:
    others = [samples.series(values=samples.wave(90, seed=i), subject=f"aurora/r{i}") for i in range(3)]
    two = view(samples.series(), others=others[:2])
    assert "r0" in str(two.legend)
    assert "gateway, 28 days" in str(two.legend)
    assert 'class="line third"' in str(two.plot)
    three = view(samples.series(), others=others)
    assert str(three.plot).count('class="line context"') == 3
    assert "3 others" in str(three.legend)
    assert str(three.table).count("data-said") == 4


def test_texts_are_escaped_everywhere() -> None:
    about = samples.info("hours", title=samples.HOSTILE)
    unusual = Anomaly(samples.DAY, 30.0, 20.0, samples.HOSTILE, samples.HOSTILE, samples.HOSTILE, samples.HOSTILE)
    hostile = samples.series(about, subject=samples.HOSTILE, anomalies=(unusual,))
    html = figure(hostile, others=[samples.series(about, subject=samples.HOSTILE)], title=samples.HOSTILE)
    assert "<script" not in html
    assert "\"'" not in html
    assert html.count("{{ 7*7 }}") > 3


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("level", [0.0, 0.004, 0.9, 37.8, 123456.0])
def test_every_unit_has_a_chart_whose_words_fit(unit: str, level: float) -> None:
    series = samples.series(
        samples.info(unit),
        [level] * 5 if unit == "yes or no" else samples.wave(level),
        target=Target("g", level, "at_least", "met"),
    )
    html = str(view(series).plot)
    tops = [float(top) for top in re.findall(r'class="tick" style="top:([\d.-]+)%"', html)]
    assert len(tops) >= 2
    assert all(upper - lower >= 8 for upper, lower in itertools.pairwise(tops))
    rail = [float(top) for top in re.findall(r'class="rail [^"]*" style="top:([\d.-]+)%"', html)]
    assert all(after - before >= 8 for before, after in itertools.pairwise(rail))


def test_a_chart_is_small_and_has_its_links() -> None:
    html = figure(samples.full_series())
    assert len(html.encode()) < 14_000
    assert 'href="data/page.csv" download' in html
    assert 'id="chart-lead_time_hours"' in html
    assert re.search(r'<a href="method[^"]*#lead_time_hours">Method', html)


def test_a_tier_bar_says_its_counts() -> None:
    assert 'aria-label="3 Elite, 1 Low, 2 not rated"' in tier_bar({"elite": 3, "low": 1}, 2)


@given(
    st.lists(st.floats(0, 1e5).filter(lambda value: value == 0 or value > 1e-9), min_size=1, max_size=20),
    st.sampled_from(UNITS[:-1]),
)
def test_scales_hold_their_values_in_order(values: list[float], unit: str) -> None:
    scale = scale_for(values, unit)
    assert scale.low <= min(values)
    assert scale.high >= max(values)
    places = [scale.position(value) for value in sorted(values)]
    assert places == sorted(places)
    assert len(scale.ticks) >= 2
    at = [scale.position(tick) for tick, _ in scale.ticks]
    assert all(second - first >= 0.08 for first, second in itertools.pairwise(at))
    assert len({text for _, text in scale.ticks}) == len(scale.ticks)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9))
def test_scales_hold_what_is_negative(values: list[float]) -> None:
    scale = scale_for(values, "score")
    assert scale.low - 1e-9 <= min(values) <= max(values) <= scale.high


def test_a_share_close_to_one_can_be_told_from_one() -> None:
    scale = scale_for([0.9991, 0.9998], "ratio")
    assert scale.high == 1.0
    assert scale.position(0.9998) - scale.position(0.9991) > 0.25


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_labels_are_moved_apart_and_stay_inside(wanted: list[float]) -> None:
    wanted.sort()
    centres = moved_apart(wanted, [0.1] * len(wanted), -0.02, 1.02)
    assert all(second - first >= 0.1 - 1e-9 for first, second in itertools.pairwise(centres))
    assert centres[0] >= 0.03 - 1e-9
    assert centres[-1] <= 0.97 + 1e-9


def test_labels_that_do_not_touch_are_where_they_belong() -> None:
    assert moved_apart([0.2, 0.5, 0.8], [0.1, 0.1, 0.1], 0, 1) == pytest.approx([0.2, 0.5, 0.8])


def test_wider_texts_are_wider() -> None:
    assert 0 < text_width("il") < text_width("WM") < text_width("WM🦊")


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0, "hours", "0 h"), (0.001, "hours", "under 1 min"), (0.4, "hours", "24 min"),
        (0.999, "hours", "1 h"), (3.2, "hours", "3.2 h"), (37.8, "hours", "1.6 d"),
        (2400, "hours", "100 d"), (-2.0, "hours", "-2 h"), (0.5, "days", "12 h"), (1, "months", "1 month"),
        (2.1, "per day", "2.1 per day"), (0.0, "per day", "0 per day"), (0.46, "per day", "3.2 per week"),
        (0.05, "per day", "1.5 per month"), (0.5, "per week", "2.1 per month"), (3, "per second", "3 per second"),
        (0.12, "ratio", "12 %"), (0.074, "ratio", "7.4 %"), (0.0, "ratio", "0 %"), (0.9995, "ratio", "99.95 %"),
        (0.99999, "ratio", "99.999 %"), (1.0, "ratio", "100 %"), (2.5, "ratio", "2.5 times"),
        (81.6, "points", "82"), (-20.2, "points", "-20"), (-0.2, "points", "0"),
        (12345, "count", "12,345"), (3, "rank", "#3"), (1_190_000, "dollars", "$1.19 M"), (-50, "dollars", "-$50"),
        (874, "milliseconds", "874 ms"), (1500, "milliseconds", "1.5 s"), (2000, "megabytes", "2 GB"),
        (1.0, "yes or no", "yes"), (0.0, "yes or no", "no"),
    ],
)  # fmt: skip
def test_numbers_are_said_in_the_unit_that_is_easiest_to_read(value: float, unit: str, said: str) -> None:
    assert plain(quantity(value, unit)) == said


def test_labels_of_charts_are_brief_and_ranges_say_their_unit_once() -> None:
    assert plain(brief(14080, "count")) == "14.1 k"
    assert plain(brief(0.05, "per day")) == "1.5/month"
    assert plain(span(3.2, 7.2, "hours")) == "3.2 to 7.2 h"
    assert plain(span(22, 51, "hours")) == "22 h to 2.1 d"


@pytest.mark.parametrize(
    ("share", "said"), [(1e-51, "under 1 %"), (0.374, "37 %"), (0.999, "over 99 %"), (1.0, "over 99 %")]
)
def test_odds_promise_no_more_than_they_can(share: float, said: str) -> None:
    assert plain(odds(share)) == said


@pytest.mark.parametrize(
    ("name", "word", "role"),
    [("met", "Met", "ok"), ("at risk", "At risk", "watch"), ("off_track", "Off track", "bad"), ("", "Unknown", "calm")],
)
def test_the_states_of_goals_have_words_and_roles(name: str, word: str, role: str) -> None:
    assert status(name)[1:] == (word, role)


HOURS = MetricInfo("lead", "Lead", "", None, "hours", "lower", 28, "")


@pytest.mark.parametrize(
    ("before", "now", "role"),
    [(10, 5, "better"), (10, 20, "worse"), (10, 10.1, "calm"), (0, 4, "worse"), (0, 0, "calm")],
)
def test_a_change_knows_where_better_is(before: float, now: float, role: str) -> None:
    assert change(before, now, HOURS).role == role


@pytest.mark.parametrize(
    ("unit", "before", "now", "said"),
    [
        ("ratio", 0.1, 0.135, "3.5 points higher than"), ("points", -20, 5, "25 points higher than"),
        ("score", -0.2, 0.3, "0.5 higher than"), ("rank", 10, 9, "1 place lower than"), ("count", 0, 4, "up from 0"),
        ("yes or no", 0, 1, "changed from no"), ("count", 100, 92, "8 % lower than"),
    ],
)  # fmt: skip
def test_a_change_is_said_in_what_its_unit_allows(unit: str, before: float, now: float, said: str) -> None:
    assert plain(change(before, now, samples.info(unit)).text) == said


def test_anchors_differ_for_names_that_read_the_same() -> None:
    assert anchor("repo", "a/b-c") != anchor("repo", "a-b/c")
    assert re.fullmatch(r"[A-Za-z0-9-]+", anchor("repo", '"><script>'))
