"""95 % intervals: of a median by order statistics, of a share (Wilson), of a count (Byar). The SQL functions
metrics.wilson_low, wilson_high, poisson_low and poisson_high are the same formulas."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z = 1.959963984540054  # the standard normal's 97.5 % point
_TAIL = 0.025


def median_ranks(n: ArrayLike) -> NDArray[np.int64]:
    """The rank l of the lower end of the median's 95 % interval; the upper end has the rank n + 1 - l.

    No shape of the distribution is assumed: the number of values under the median is binomial with a half, and l is
    the largest rank with P(fewer than l values lie under the median) <= 2.5 % (Conover, Practical Nonparametric
    Statistics, 3.2).

    Args:
        n: sample sizes.

    Returns:
        Ranks from 1; 0 where there is no such interval, which is so for fewer than 6 values.
    """
    sizes = np.asarray(n, dtype=np.int64)
    largest = int(sizes.max(initial=0))
    return _median_ranks(1 << max(largest, 1).bit_length())[sizes]


@cache
def _median_ranks(count: int) -> NDArray[np.int64]:
    """The ranks of the sample sizes 0 to count - 1, each from the one before."""
    ranks = np.zeros(count, dtype=np.int64)
    k, at, upto = 0, 1.0, 1.0  # P(X = k) and P(X <= k) of X ~ binomial(n, 1/2), where k is the next rank to be reached
    for n in range(count):
        if n:
            below = at * k / (n - k)  # P(X = k - 1) of n - 1
            upto -= at / 2
            at = (at + below) / 2
        if upto <= _TAIL:
            at *= (n - k) / (k + 1)
            k += 1
            upto += at
        ranks[n] = k
    return ranks


def wilson(successes: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the interval of a share (Wilson 1927, score interval); NaN where n is 0."""
    k, size = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(n, dtype=float))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = k / size
        middle = (share + Z**2 / (2 * size)) / (1 + Z**2 / size)
        half = Z * np.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2)) / (1 + Z**2 / size)
        # Of none and of all, the end is exact, whatever the last digit of the sum says.
        low = np.where(k == 0, 0.0, middle - half)
        high = np.where(k == size, 1.0, middle + half)
    return np.where(size > 0, low, np.nan), np.where(size > 0, high, np.nan)


def poisson(count: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the interval of a count (Byar's approximation, Breslow and Day, Statistical Methods II, 2.3)."""
    k = np.asarray(count, dtype=float)
    known = np.maximum(k, 1)
    low = np.where(k > 0, known * (1 - 1 / (9 * known) - Z / (3 * np.sqrt(known))) ** 3, 0.0)
    high = (k + 1) * (1 - 1 / (9 * (k + 1)) + Z / (3 * np.sqrt(k + 1))) ** 3
    return low, high
