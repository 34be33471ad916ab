"""Tests that insights and correlations share. All p are two-sided where nothing else is said."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# The share of wrong sentences among all sentences of a kind and day that is put up with.
SIGNIFICANT = 0.05
# A dozen values cannot tell an autocorrelation of 0.4 from none. With at least this much, series with 0.4 pass for a
# trend at 1 in 1,000 no more often than that; without it six times as often.
_LEAST_STICKINESS = 0.2


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """The p values corrected for how many they are (Benjamini and Hochberg 1995): of those kept under q, at most a
    share q is expected to be wrong. NaN are no tests and stay NaN.

    It holds for tests that depend on each other positively, as a team's and its repositories' do (Benjamini and
    Yekutieli 2001).
    """
    given = np.asarray(p, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    scaled = given[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def fisher_exact(failed: int, n: int, other_failed: int, other_n: int) -> float:
    """The p of two shares being the same (Fisher's exact test)."""
    from scipy.stats import fisher_exact as exact

    return float(exact([[failed, n - failed], [other_failed, other_n - other_failed]]).pvalue)


def mann_whitney(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """The p of two groups of values lying at the same height (Mann-Whitney U)."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(one, other, alternative="two-sided").pvalue)


def signed_rank(differences: npt.ArrayLike) -> float:
    """The p of differences lying around zero (Wilcoxon's signed-rank test); 1 where all are zero.

    Exact with ties as well: every sign of every rank is counted. Differences of zero are left out.
    """
    given = np.asarray(differences, dtype=np.float64)
    given = given[given != 0]
    # Twice the ranks: those of ties, the means of theirs, are whole numbers then.
    _, place, ties = np.unique(np.abs(given), return_inverse=True, return_counts=True)
    ranks = (2 * np.cumsum(ties) - ties + 1)[place]
    total = int(ranks.sum())
    ways = np.zeros(total + 1)
    ways[0] = 1.0
    for rank in ranks.tolist():
        ways[rank:] = ways[rank:] + ways[: total + 1 - rank]
    positive = int(ranks[given > 0].sum())
    tail = min(float(ways[: positive + 1].sum()), float(ways[positive:].sum()))
    return min(1.0, 2 * tail / 2.0 ** len(given))


@dataclass(frozen=True, slots=True)
class Trend:
    """A series' trend per step, with the ends of its 95 % interval; heights are the line's at the first and last step.

    The slope is the median of the slopes between all two values (Theil 1950, Sen 1968); the lines go through the median
    of what the slope leaves. p is Kendall's (exact where no two values are the same), interval and p both made wider
    where values stick to the one before: the variance is that of independent values times (1 + r) / (1 - r), r being
    the autocorrelation at lag 1 of what the line leaves, or 0.2 if it is less (as Hamed and Rao 1998, with the one lag
    that a dozen values can give).
    """

    slope: float
    low: float
    high: float
    first: float
    last: float
    p: float
    n: int
    earliest: float  # the height at the last step of the line with the slope `low`
    latest: float


def trend(values: npt.ArrayLike) -> Trend:
    """The trend of a series of equal steps; NaN are left out.

    Raises:
        ValueError: fewer than 4 values are known.
    """
    from scipy.special import ndtr, ndtri
    from scipy.stats import kendalltau

    given = np.asarray(values, dtype=np.float64)
    at = np.flatnonzero(~np.isnan(given))
    known, n = given[at], len(at)
    if n < 4:
        raise ValueError(f"a trend needs 4 values, there are {n}")
    one, other = np.triu_indices(n, 1)
    slopes = np.sort((known[other] - known[one]) / (at[other] - at[one]))
    slope = float(np.median(slopes))
    ties = np.unique(known, return_counts=True)[1]
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    if variance <= 0:  # all are the same
        return Trend(0.0, 0.0, 0.0, float(known[0]), float(known[0]), 1.0, n, float(known[0]), float(known[0]))
    rest = known - slope * at
    rest = rest - rest.mean()
    spread = float(rest @ rest)
    # An estimate from a dozen values is too low by about (1 + 3 r) / n (Kendall 1954).
    r = float(rest[1:] @ rest[:-1]) / spread if spread > 1e-12 * float(known @ known) else 0.0
    sticks = min(max(_LEAST_STICKINESS, (r * n + 1) / (n - 3) if r > 0 else 0.0), 0.9)
    wider = (1 + sticks) / (1 - sticks)
    z = -float(ndtri(kendalltau(at, known).pvalue / 2)) / math.sqrt(wider)
    apart = 1.959963984540054 * math.sqrt(variance * wider)
    low = float(slopes[max(0, round((len(slopes) - apart) / 2) - 1)])
    high = float(slopes[min(len(slopes) - 1, round((len(slopes) + apart) / 2))])

    def height(steepness: float, step: int) -> float:
        return float(np.median(known - steepness * at)) + steepness * step

    end = len(given) - 1
    return Trend(
        slope,
        low,
        high,
        height(slope, 0),
        height(slope, end),
        float(2 * ndtr(-z)),
        n,
        height(low, end),
        height(high, end),
    )
