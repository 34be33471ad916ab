from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from metrics_assets.analysis.scoring import SCORE_COLUMNS, ScoreComponent, ScoreModel, score
from metrics_assets.catalogue.reading import read_yaml
from metrics_assets.paths import CATALOGUE

DAY = date(2025, 3, 1)
HEALTH = CATALOGUE / "scores" / "repository_health.yaml"

# 50 + 30 + 20: speed goes up from 0 to 10, delay falls from 100 hours to 1 on a log line, share rises to 1.
MODEL = ScoreModel.model_validate(
    {
        "score": "example",
        "version": 3,
        "title": "Example",
        "minimum_coverage": 0.6,
        "components": [
            {"key": "speed", "metric": "speed", "weight": 50, "zero": 0, "hundred": 10},
            {"key": "delay", "metric": "delay", "weight": 30, "zero": 100, "hundred": 1, "scale": "log"},
            {"key": "share", "metric": "share", "weight": 20, "zero": 0, "hundred": 1},
        ],
    }
)


def table(*rows: tuple[Any, ...], kind: str = "repository") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["subject", "date", "metric", "value", "n", "state"])
    return frame.assign(subject_kind=kind)


def rows_of(result: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a result, with the components out of their JSON and None for what is unknown."""
    return [
        row | {"value": None if math.isnan(row["value"]) else row["value"], "components": json.loads(row["components"])}
        for row in result.to_dict("records")
    ]


def day_of(subject: str, **values: float | str | None) -> pd.DataFrame:
    """One day of a subject; a string instead of a number is the state of a value that does not count."""
    return table(
        *(
            (subject, DAY, metric, 7.0, 2, value) if isinstance(value, str) else (subject, DAY, metric, value, 9, "ok")
            for metric, value in values.items()
        )
    )


@pytest.mark.parametrize(
    ("values", "value", "coverage", "points"),
    [
        # 0.5 * 40 + 0.3 * 50 + 0.2 * 100
        ({"speed": 4, "delay": 10, "share": 1}, 55.0, 1.0, [40, 50, 100]),
        # beyond the ends of the lines
        ({"speed": -5, "delay": 0, "share": 8}, 50.0, 1.0, [0, 100, 100]),
        # share is missing: (50 * 40 + 30 * 50) / 80
        ({"speed": 4, "delay": 10}, 43.75, 0.8, [40, 50, None]),
        ({"speed": 4, "delay": 10, "share": "too_few"}, 43.75, 0.8, [40, 50, None]),
        ({"speed": 4, "delay": 10, "share": "unknown"}, 43.75, 0.8, [40, 50, None]),
        ({"speed": 4, "delay": 10, "share": math.inf}, 43.75, 0.8, [40, 50, None]),
        # provisional figures count
        ({"speed": "provisional", "delay": 10}, 62.5, 0.8, [70, 50, None]),
        # 0.5 of the weights is less than 0.6
        ({"speed": 4, "delay": "unknown"}, None, 0.5, [40, None, None]),
        ({"speed": "unknown"}, None, 0.0, [None, None, None]),
    ],
)
def test_a_score_is_the_weighted_mean_of_what_is_known(
    values: dict[str, Any], value: float | None, coverage: float, points: list[float | None]
) -> None:
    (row,) = rows_of(score(MODEL, day_of("a/b", **values)))
    assert row["value"] == (None if value is None else pytest.approx(value))
    assert row["coverage"] == pytest.approx(coverage)
    assert [component["points"] for component in row["components"]] == points


def test_components_explain_the_score_in_the_order_of_the_model() -> None:
    values = table(
        ("a/b", DAY, "share", 0.9, 2, "too_few"),
        ("a/b", DAY, "delay", 10.0, 12, "ok"),
        ("a/b", DAY, "speed", 4.0, None, "provisional"),
        ("a/b", DAY, "stars", 9.0, 9, "ok"),
    )
    result = score(MODEL, values)
    assert tuple(result.columns) == SCORE_COLUMNS
    (row,) = rows_of(result)
    assert (row["score"], row["version"], row["subject"], row["date"]) == ("example", 3, "a/b", DAY)
    speed = {"key": "speed", "metric": "speed", "state": "provisional", "value": 4.0, "n": None}
    delay = {"key": "delay", "metric": "delay", "state": "ok", "value": 10.0, "n": 12}
    share = {"key": "share", "metric": "share", "state": "too_few", "value": None, "n": 2}
    assert row["components"] == [
        speed | {"points": 40.0, "weight": 50.0, "contribution": 25.0},
        delay | {"points": 50.0, "weight": 30.0, "contribution": 18.75},
        share | {"points": None, "weight": 20.0, "contribution": None},
    ]


def test_a_score_that_is_unknown_has_no_contributions() -> None:
    (row,) = rows_of(score(MODEL, day_of("a/b", speed=4)))
    assert [component["contribution"] for component in row["components"]] == [None, None, None]


def test_subjects_and_days_come_sorted_and_others_are_left_out() -> None:
    later = day_of("a/a", speed=1, delay=1).assign(date=date(2025, 3, 2))
    other = day_of("c/c", stars=5)
    result = score(MODEL, pd.concat([day_of("b/b", speed=1), later, other, day_of("a/a", speed=2)]))
    assert list(zip(result["subject"], result["date"], strict=True)) == [
        ("a/a", DAY),
        ("a/a", date(2025, 3, 2)),
        ("b/b", DAY),
    ]


def test_nothing_to_score_is_an_empty_table() -> None:
    result = score(MODEL, day_of("a/b", stars=1))
    assert result.empty
    assert tuple(result.columns) == SCORE_COLUMNS


def test_two_values_of_one_day_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two values of speed for a/b on 2025-03-01"):
        score(MODEL, pd.concat([day_of("a/b", speed=1), day_of("a/b", speed=2)]))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="lack the column state"):
        score(MODEL, day_of("a/b", speed=1).drop(columns="state"))


def test_the_health_score_of_the_catalogue_is_valid_and_its_weights_are_percent() -> None:
    model = ScoreModel.model_validate(read_yaml(HEALTH))
    assert sum(component.weight for component in model.components) == 100
    merge = next(part for part in model.components if part.key == "review_velocity")
    assert merge.points(np.array([0.0, 12.0, 63.498, 336.0, 900.0])).tolist() == [100, 100, 50, 0, 0]


# Two categories: work holds 60 and rest 40, however many of their components are known.
BY_CATEGORY = ScoreModel.model_validate(
    {
        "score": "by_category",
        "version": 1,
        "title": "By category",
        "minimum_coverage": 0.25,
        "categories": {"work": 60, "rest": 40},
        "components": [
            {"key": "speed", "category": "work", "metric": "speed", "weight": 3, "zero": 0, "hundred": 10},
            {"key": "share", "category": "work", "metric": "share", "zero": 0, "hundred": 1},
            {"key": "sleep", "category": "rest", "metric": "sleep", "zero": 0, "hundred": 8},
        ],
    }
)


@pytest.mark.parametrize(
    ("values", "value", "coverage", "contributions"),
    [
        # work: (3 * 40 + 1 * 80) / 4 = 50; rest 100; 0.6 * 50 + 0.4 * 100
        ({"speed": 4, "share": 0.8, "sleep": 8}, 70.0, 1.0, [18, 12, 40]),
        # work is share alone, 80, and holds its 60: 0.6 * 80 + 0.4 * 100; a quarter of work is known
        ({"share": 0.8, "sleep": 8}, 88.0, 0.55, [None, 48, 40]),
        # rest drops out
        ({"speed": 4, "share": 0.8}, 50.0, 0.6, [30, 20, None]),
        ({"share": 0.8}, None, 0.15, [None, None, None]),
    ],
)
def test_a_category_keeps_its_weight_however_many_of_its_components_are_known(
    values: dict[str, Any], value: float | None, coverage: float, contributions: list[float | None]
) -> None:
    (row,) = rows_of(score(BY_CATEGORY, day_of("a/b", **values)))
    assert row["value"] == (None if value is None else pytest.approx(value))
    assert row["coverage"] == pytest.approx(coverage)
    assert [component["contribution"] for component in row["components"]] == contributions
    assert [part["weight"] for part in row["components"]] == [45.0, 15.0, 40.0]


def test_figures_of_the_portfolio_and_of_packages_count_for_each_of_their_repositories() -> None:
    model = ScoreModel.model_validate(
        {
            "score": "s",
            "version": 1,
            "title": "S",
            "minimum_coverage": 0,
            "subject_kinds": ["repository", "portfolio"],
            "components": [
                {"key": "own", "metric": "stars", "weight": 1, "zero": 0, "hundred": 10},
                {"key": "fed", "metric": "nps", "subject_kind": "portfolio", "weight": 1, "zero": 0, "hundred": 100},
                {"key": "used", "metric": "users", "subject_kind": "package", "weight": 2, "zero": 0, "hundred": 10},
            ],
        }
    )
    values = pd.concat(
        [
            table(("a/b", DAY, "stars", 5.0, 1, "ok"), ("a/c", DAY, "stars", 10.0, 1, "ok")),
            table(("acme", DAY, "nps", 30.0, 9, "ok"), kind="portfolio"),
            table(("a/b", DAY, "users", 2.0, 1, "ok"), kind="package of repository"),
        ]
    )
    shown = [
        (row["subject_kind"], row["subject"], row["value"], [part["points"] for part in row["components"]])
        for row in rows_of(score(model, values))
    ]
    assert shown == [
        ("repository", "a/b", 30.0, [50.0, 30.0, 20.0]),
        ("repository", "a/c", 65.0, [100.0, 30.0, None]),
        ("portfolio", "acme", 30.0, [None, 30.0, None]),
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"categories": {"work": 60}}, "there is no category 'rest'; add its weight"),
        ({"categories": {"work": 60, "rest": 40, "fun": 5}}, "the category 'fun' has no component"),
        ({"categories": {"work": 60, "rest": 0}}, "weight must be greater than 0"),
        ({"components": [{"key": "a", "metric": "m", "zero": 0, "hundred": 1}]}, "'a' names no category"),
    ],
)
def test_wrong_categories_are_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ScoreModel.model_validate(BY_CATEGORY.model_dump() | change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"zero": 1.0, "hundred": 1.0}, "zero and hundred are both 1"),
        ({"zero": 0.0, "hundred": 1.0, "scale": "log"}, "with scale: log both must be greater than 0"),
        ({"weight": 0}, "weight must be greater than 0"),
        ({"weight": -1}, "weight must be greater than 0"),
        ({"weight": math.nan}, "finite number"),
        ({"scale": "cubic"}, "'linear' or 'log'"),
        ({"wieght": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_component_is_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    good = {"key": "a", "metric": "m", "weight": 1, "zero": 0, "hundred": 1}
    with pytest.raises(ValidationError, match=sentence):
        ScoreComponent.model_validate(good | change)


def test_keys_must_be_unique() -> None:
    doubled = MODEL.model_dump() | {"components": [MODEL.components[0].model_dump()] * 2}
    with pytest.raises(ValidationError, match="component key 'speed' is used more than once"):
        ScoreModel.model_validate(doubled)


# Properties; without a deadline, since a busy machine is no defect of the score.

METRICS = ("one", "two", "three", "four")
finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e6)


@st.composite
def models(draw: st.DrawFn) -> ScoreModel:
    components = []
    for number in range(draw(st.integers(1, 5))):
        scale = draw(st.sampled_from(["linear", "log"]))
        ends = st.tuples(*([positive if scale == "log" else finite] * 2))
        zero, hundred = draw(ends.filter(lambda pair: abs(pair[0] - pair[1]) > 1e-3 * abs(pair[0]) + 1e-6))
        components.append(
            {
                "key": f"key{number}",
                "metric": draw(st.sampled_from(METRICS)),
                "weight": draw(st.floats(0.01, 100)),
                "zero": zero,
                "hundred": hundred,
                "scale": scale,
            }
        )
    return ScoreModel.model_validate(
        {
            "score": "s",
            "version": 1,
            "title": "S",
            "minimum_coverage": draw(st.sampled_from([0.0, 0.3, 0.6, 1.0])),
            "components": components,
        }
    )


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    keys = st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 3), st.sampled_from(METRICS))
    rows = [
        (
            subject,
            date(2025, 1, day),
            metric,
            draw(finite | st.just(math.nan)),
            draw(st.none() | st.integers(0, 99)),
            draw(st.sampled_from(["ok", "ok", "provisional", "too_few", "unknown"])),
        )
        for subject, day, metric in draw(st.lists(keys, unique=True, min_size=1, max_size=20))
    ]
    return table(*rows)


def plain_score(model: ScoreModel, rows: pd.DataFrame, subject: str, day: date) -> tuple[float | None, float]:
    """The definition, written as one would explain it: one subject, one day, part by part."""
    known = gained = 0.0
    for part in model.components:
        for row in rows.to_dict("records"):
            if (row["subject"], row["date"], row["metric"]) != (subject, day, part.metric):
                continue
            if row["state"] not in ("ok", "provisional") or math.isnan(row["value"]):
                continue
            low, high = min(part.zero, part.hundred), max(part.zero, part.hundred)
            value = min(max(row["value"], low), high)
            if part.scale == "log":
                share = math.log(value / part.zero) / math.log(part.hundred / part.zero)
            else:
                share = (value - part.zero) / (part.hundred - part.zero)
            known += part.weight
            gained += part.weight * 100 * share
    coverage = known / sum(part.weight for part in model.components)
    return (None if known == 0 or coverage < model.minimum_coverage - 1e-9 else gained / known), coverage


@settings(deadline=None)
@given(models(), tables())
def test_the_score_equals_the_plain_definition(model: ScoreModel, values: pd.DataFrame) -> None:
    for row in rows_of(score(model, values)):
        value, coverage = plain_score(model, values, row["subject"], row["date"])
        assert row["coverage"] == pytest.approx(coverage)
        assert (row["value"] is None) == (value is None)
        if value is not None:
            assert 0 <= row["value"] <= 100
            assert row["value"] == pytest.approx(value, abs=0.0051)  # points are rounded to 2 decimals


@settings(deadline=None)
@given(models(), tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(model: ScoreModel, values: pd.DataFrame, random: Any) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(score(model, values), score(model, values.iloc[order]))


@settings(deadline=None)
@given(models(), st.dictionaries(st.sampled_from(METRICS), finite, min_size=4), st.data())
def test_a_better_value_never_lowers_the_score(
    model: ScoreModel, values: dict[str, float], data: st.DataObject
) -> None:
    # A metric that two components pull in different directions has no better side.
    single = [part for part in model.components if sum(other.metric == part.metric for other in model.components) == 1]
    if not single:
        return
    part = data.draw(st.sampled_from(single))
    step = data.draw(st.floats(0, 1e6))
    better = values | {part.metric: values[part.metric] + math.copysign(step, part.hundred - part.zero)}
    before = score(model, day_of("a", **values))["value"].iloc[0]
    after = score(model, day_of("a", **better))["value"].iloc[0]
    assert math.isnan(before) or after >= before - 1e-9
