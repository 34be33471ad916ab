"""Intervals: against scipy and figures that can be looked up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from metrics_assets.analysis.intervals import median_ranks, poisson, wilson


def test_the_ranks_of_the_medians_interval_are_the_binomials() -> None:
    sizes = np.arange(3000)
    expected = np.maximum(stats.binom.ppf(0.025, sizes, 0.5), 0)
    assert np.array_equal(median_ranks(sizes), expected)


def test_fewer_than_six_values_have_no_interval() -> None:
    assert median_ranks([0, 1, 5, 6, 8, 9, 20]).tolist() == [0, 0, 0, 1, 1, 2, 6]


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 10, 0, 0.2775), (1, 10, 0.0179, 0.4042), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1),
     (3, 100, 0.0103, 0.0845)],
)  # fmt: skip
def test_the_interval_of_a_share(part: int, whole: int, low: float, high: float) -> None:
    ends = wilson(part, whole)
    assert (float(ends[0]), float(ends[1])) == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_there_is_no_share() -> None:
    assert np.isnan(wilson([0], [0])).all()


def test_the_interval_of_a_count_is_nearly_the_exact_one() -> None:
    counts = np.arange(1, 200)
    low, high = poisson(counts)
    assert low == pytest.approx(stats.chi2.ppf(0.025, 2 * counts) / 2, rel=0.01, abs=0.02)
    assert high == pytest.approx(stats.chi2.ppf(0.975, 2 * counts + 2) / 2, rel=0.01)
    none = poisson([0])
    assert (float(none[0][0]), float(none[1][0])) == pytest.approx((0, 3.69), abs=0.05)
