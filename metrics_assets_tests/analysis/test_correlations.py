"""Correlations: nothing is found where there is nothing, what is there is found, and too little says nothing."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest

from metrics_assets.analysis.correlations import (
    MINIMUM_N,
    Relation,
    compare,
    corrected,
    daily_changes,
    in_a_sentence,
    p_text,
    weekly_changes,
)
from metrics_assets.analysis.insights.statistics import benjamini_hochberg

Floats = npt.NDArray[np.float64]
PAIRS, WEEKS = 1000, 26
DAYS = WEEKS * 7


def over_28_days(daily: Floats) -> Floats:
    sums = np.cumsum(np.pad(daily, ((0, 0), (1, 0))), axis=1)
    return np.asarray((sums[:, 28:] - sums[:, :-28]) / 28, dtype=np.float64)


def autocorrelated(random: np.random.Generator, days: int, stays: float) -> Floats:
    values = random.normal(size=(PAIRS, days + 100))
    for day in range(1, days + 100):
        values[:, day] += stays * values[:, day - 1]
    return np.asarray(values[:, 100:], dtype=np.float64)


def kind_of_series(kind: str, random: np.random.Generator) -> tuple[Floats, bool]:
    """Series of a kind, a row each, and whether they are figures over windows."""
    if kind == "counts over 28 days":
        return over_28_days(random.poisson(0.7, (PAIRS, DAYS + 27)).astype(float)), True
    if kind == "outliers over 28 days":
        return over_28_days(random.standard_t(2, (PAIRS, DAYS + 27))), True
    if kind == "slow, over 28 days, with a trend":
        return over_28_days(autocorrelated(random, DAYS + 27, 0.9)) + np.arange(DAYS) * 0.05, True
    if kind == "random walk":
        return np.cumsum(random.normal(size=(PAIRS, DAYS)), axis=1), False
    return autocorrelated(random, DAYS, 0.95), False


@pytest.mark.parametrize("lags", [0, 4])
@pytest.mark.parametrize(
    "kind",
    ["counts over 28 days", "outliers over 28 days", "slow, over 28 days, with a trend", "random walk", "slow"],
)
def test_series_that_have_nothing_to_do_with_each_other_seldom_go_together(kind: str, lags: int) -> None:
    random = np.random.default_rng(11)
    (x, windows), (y, _) = kind_of_series(kind, random), kind_of_series(kind, random)
    found = compare(weekly_changes(x, of_windows=windows), weekly_changes(y, of_windows=windows), lags)
    assert found.enough.mean() > 0.8
    assert (found.p < 0.05).mean() <= 0.05
    # And after the correction for a thousand of them, as good as never.
    assert corrected(found.p)[1].sum() <= 1


def test_without_differences_and_effective_numbers_most_of_them_would_seem_to() -> None:
    # That the test above can fail: levels of random walks, as one would compare them naively.
    random = np.random.default_rng(11)
    x, y = (np.cumsum(random.normal(size=(PAIRS, WEEKS)), axis=1) for _ in range(2))
    r = np.array([np.corrcoef(one, other)[0, 1] for one, other in zip(x, y, strict=True)])
    assert (np.abs(r) > 0.4).mean() > 0.4  # the 5 % point of r with 26 independent values is 0.39


@pytest.mark.parametrize(("lag", "sign"), [(0, 1), (0, -1), (2, 1)])
def test_what_goes_together_is_found_among_many_that_do_not(lag: int, sign: int) -> None:
    random = np.random.default_rng(3)
    events = random.poisson(2, (50, DAYS + 27 + 7 * lag)).astype(float)
    x = over_28_days(events[:, 7 * lag :])
    follows = sign * over_28_days(events[:, : DAYS + 27]) + random.normal(size=(50, DAYS)) * 0.03
    y = np.vstack([follows[:10], over_28_days(random.poisson(2, (40, DAYS + 27)).astype(float))])
    found = compare(weekly_changes(x, of_windows=True), weekly_changes(y, of_windows=True), 4)
    _, survives = corrected(found.p)
    assert survives[:10].all()
    assert survives[10:].sum() <= 1
    assert (found.lag[:10] == lag).all()
    assert (sign * found.pearson[:10] > 0.7).all()
    assert (sign * found.spearman[:10] > 0.7).all()


def test_changes_that_overlap_are_worth_less_than_their_number() -> None:
    random = np.random.default_rng(4)
    x, y = (over_28_days(random.normal(size=(300, DAYS + 27))) for _ in range(2))
    found = compare(weekly_changes(x, of_windows=True), weekly_changes(y, of_windows=True), 0)
    assert (found.n == WEEKS - 1).all()
    # With r = -0.5 at four weeks, 25 changes are worth 25 / 1.5, less what the finite series takes off.
    assert 15 < np.median(found.n_effective) < 22


def test_a_common_pattern_of_the_week_is_no_relation() -> None:
    random = np.random.default_rng(5)
    weekdays = np.where(np.arange(182) % 7 < 5, 20.0, 2.0)
    x, y = (random.poisson(weekdays, (500, 182)).astype(float) for _ in range(2))
    found = compare(daily_changes(x), daily_changes(y), 0)
    assert (found.p < 0.05).mean() <= 0.07
    assert corrected(found.p)[1].sum() <= 1


def test_one_outlier_makes_no_relation() -> None:
    random = np.random.default_rng(6)
    x, y = random.normal(size=(2, 1, 25))
    x[0, 7] = y[0, 7] = 50.0
    found = compare(x, y, 0)
    assert found.pearson[0] > 0.95
    assert found.p[0] > 0.05


def test_a_week_is_its_days_mean_or_its_last_day_of_a_window() -> None:
    days = np.arange(21, dtype=float)[None, :]
    days[0, 7:11] = np.nan
    assert weekly_changes(days, of_windows=True).tolist() == [[7.0, 7.0]]
    # Of the second week only three days are known.
    assert np.isnan(weekly_changes(days, of_windows=False)).all()
    days[0, 10] = 10.0
    assert weekly_changes(days, of_windows=False).tolist() == [[8.5, 5.5]]


@pytest.mark.parametrize(
    ("known", "enough", "moves"), [(MINIMUM_N - 1, False, True), (25, True, True), (0, False, False)]
)
def test_too_few_have_no_numbers(known: int, enough: bool, moves: bool) -> None:
    random = np.random.default_rng(7)
    x, y = random.normal(size=(2, 1, 25))
    x[0, known:] = np.nan
    found = compare(x, y, 0)
    assert (bool(found.enough[0]), bool(found.moves[0]), int(found.n[0])) == (enough, moves, known)
    numbers = [found.lag, found.n_effective, found.pearson, found.spearman, found.p]
    assert all(np.isfinite(number[0]) == enough for number in numbers)


def test_what_never_or_hardly_changes_is_not_compared() -> None:
    random = np.random.default_rng(8)
    y = random.normal(size=(2, 25))
    x = np.zeros((2, 25))
    x[1, [3, 9, 17]] = 1.0, -2.0, 1.0
    found = compare(x, y, 0)
    assert found.enough.tolist() == [False, False]
    assert found.moves.tolist() == [False, True]
    assert np.isnan(found.p).all()


def test_the_more_lags_are_tried_the_more_it_takes() -> None:
    random = np.random.default_rng(9)
    x = random.normal(size=(1, 40))
    y = x + random.normal(size=(1, 40)) * 1.5
    alone, of_five = compare(x, y, 0), compare(x, y, 4)
    assert of_five.lag[0] == 0
    assert of_five.p[0] == pytest.approx(5 * alone.p[0])


def test_benjamini_hochberg_by_hand() -> None:
    # 0.01 * 4 / 1, 0.02 * 4 / 2, 0.03 * 4 / 3 and 0.5, each not greater than the next.
    assert benjamini_hochberg([0.03, 0.01, float("nan"), 0.5, 0.02])[[0, 1, 3, 4]] == pytest.approx(
        [0.04, 0.04, 0.5, 0.04]
    )
    assert np.isnan(benjamini_hochberg([0.03, float("nan")])[1])
    assert benjamini_hochberg([]).tolist() == []


def relation(pearson: float, lag: int = 0, comparisons: int = 40) -> Relation:
    return Relation("Deployment frequency", "DORA lead time", lag, 7, 51, 36.4, pearson, pearson, 0.0004, comparisons)


def test_the_sentence_names_direction_figures_and_lag_and_no_cause() -> None:
    assert relation(-0.82).sentence == (
        "Deployment frequency and DORA lead time moved strongly in opposite directions (r = -0.82, rank "
        "correlation -0.82, n = 51 changes between weeks, worth 36 independent ones; p < 0.001, corrected for 40 "
        "comparisons). That says "
        "nothing about cause."
    )
    lagged = relation(0.6, lag=14, comparisons=1).sentence
    assert "moved in the same direction, DORA lead time 14 days after deployment frequency (r = 0.60" in lagged
    assert "strongly" not in lagged
    assert "comparisons" not in lagged
    for sentence in (relation(-0.82).sentence, lagged):
        assert not re.search(r"because|due to|leads to|results in|thanks to", sentence)


@pytest.mark.parametrize(
    ("title", "within"), [("Lead time", "lead time"), ("DORA keys", "DORA keys"), ("GitHub stars", "GitHub stars")]
)
def test_titles_within_a_sentence(title: str, within: str) -> None:
    assert in_a_sentence(title) == within


def test_a_p_is_never_zero() -> None:
    assert [p_text(p) for p in (0.0, 0.0042, 0.0351)] == ["p < 0.001", "p = 0.004", "p = 0.04"]
