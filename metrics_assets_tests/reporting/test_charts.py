"""The chart kit draws what is known, leaves gaps where nothing is, and speaks in units that people use."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.reporting.charts import Line, Marker, Point, line_chart, sparkline, tier_bar
from metrics_assets.reporting.data import MetricInfo, TierBand
from metrics_assets.reporting.scales import scale_for
from metrics_assets.reporting.wording import anchor, change, quantity

START = date(2026, 1, 1)
HOURS = MetricInfo("lead", "Lead", "", None, "hours", "lower", 28, "")
BANDS = (TierBand("elite", below=24), TierBand("high", below=168), TierBand("low"))


def points(*values: float | None) -> tuple[Point, ...]:
    return tuple(Point(START + timedelta(weeks=index), value) for index, value in enumerate(values))


def chart(line: Line, **options: object) -> str:
    end = line.points[-1].on
    scale = scale_for([p.value for p in line.points if p.value is not None], "hours")
    return line_chart([line], scale=scale, start=START, end=end, label="a <b>", **options)  # type: ignore[arg-type]


def test_a_gap_breaks_the_line_and_a_lone_point_is_a_dot() -> None:
    html = chart(Line(points(10, 20, None, 30, None, 40, 50)))
    path = re.search(r'class="line context" d="([^"]+)"', html)
    assert path is not None
    assert path[1].count("M") == 3
    assert re.search(r"M500 \d+h0", path[1])


def test_a_last_week_that_is_not_known_has_no_dot_and_no_label() -> None:
    html = chart(Line(points(10, 20, None), "main", "Median", ""))
    assert 'class="dot' not in html
    assert "endlabel" not in html


def test_the_last_point_is_labelled_and_provisional_parts_are_dashed() -> None:
    known = points(10, 20, 30)
    line = Line((*known[:2], Point(known[2].on, 30, provisional=True)), "main", "Median", "1.3 d")
    html = chart(line)
    assert "<span>Median</span> <b>1.3 d</b>" in html
    assert 'class="line main provisional"' in html


def test_bands_are_named_and_texts_escaped() -> None:
    html = chart(Line(points(10, 200), "second", "<i>", "&"), bands=BANDS, markers=[Marker(1, START, 10)])
    assert re.findall(r'class="band t-\w+"[^>]*><span>(\w+)', html) == ["Elite", "High", "Low"]
    assert "a &lt;b&gt;" in html
    assert "&lt;i&gt;" in html
    assert 'class="marklabel"' in html


def test_sparklines_of_nothing_and_of_one_value() -> None:
    assert "<path" not in sparkline([None, None], label="none")
    assert "<path" not in sparkline([], label="none")
    assert 'class="dot end"' in sparkline([None, 5.0], label="one")


def test_a_tier_bar_says_its_counts() -> None:
    assert 'aria-label="3 Elite, 1 Low, 2 not rated"' in tier_bar({"elite": 3, "low": 1}, 2)


@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=20),
    st.sampled_from(["hours", "per day", "ratio", "count"]),
)
def test_scales_hold_their_values_in_order(values: list[float], unit: str) -> None:
    scale = scale_for(values, unit)
    assert scale.low <= min(values) or unit == "ratio"
    assert scale.high >= max(values)
    places = [scale.position(value) for value in sorted(values)]
    assert places == sorted(places)
    assert len(scale.ticks) >= 2


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0, "hours", "0 h"), (0.001, "hours", "under 1 min"), (0.4, "hours", "24 min"),
        (0.999, "hours", "1 h"), (3.2, "hours", "3.2 h"), (37.8, "hours", "1.6 d"),
        (2400, "hours", "100 d"), (2.1, "per day", "2.1 per day"),
        (0.0, "per day", "0 per day"), (0.46, "per day", "3.2 per week"), (0.05, "per day", "1.5 per month"),
        (0.12, "ratio", "12 %"), (0.074, "ratio", "7.4 %"), (0.0, "ratio", "0 %"), (81.6, "points", "82"),
        (12345, "count", "12,345"),
    ],
)  # fmt: skip
def test_numbers_are_said_in_the_unit_that_is_easiest_to_read(value: float, unit: str, said: str) -> None:
    assert str(quantity(value, unit)).replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("before", "now", "role"),
    [(10, 5, "better"), (10, 20, "worse"), (10, 10.1, "calm"), (0, 4, "worse"), (0, 0, "calm")],
)
def test_a_change_knows_where_better_is(before: float, now: float, role: str) -> None:
    assert change(before, now, HOURS).role == role


def test_anchors_differ_for_names_that_read_the_same() -> None:
    assert anchor("repo", "a/b-c") != anchor("repo", "a-b/c")
    assert re.fullmatch(r"[A-Za-z0-9-]+", anchor("repo", '"><script>'))
