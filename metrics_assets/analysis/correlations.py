"""Two metrics of many subjects held against each other: whether they moved together, never why.

Figures with trends, and figures over windows that overlap, always seem to go together. So:
- what is compared are changes: from one ISO week to the next (or, by day, from the same weekday a week before, which
  takes out the week's pattern). A daily figure counts by its week's mean, one over a window by the week's last day;
- changes of windows that overlap hold the same events twice (what entered four weeks ago leaves now), and changes of
  slow figures follow each other. Neither is a new observation, so the tests use the effective number of changes,
  n / (1 + 2 * sum over lags k of (1 - k / n) * r_x(k) * r_y(k)), with the autocorrelations of both series up to a
  quarter of n (Bartlett 1946; Bretherton et al. 1999), at most n;
- both Pearson's r and Spearman's rank correlation are tested (Student's t) and the greater p counts, so that one
  outlier cannot make a relation. The p of the best lag is multiplied by the number of lags that were tried
  (Bonferroni), and those of all pairs and subjects are corrected together by Benjamini and Hochberg.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from metrics_assets.analysis.insights.statistics import SIGNIFICANT, Floats, benjamini_hochberg

# Of ten values, only |r| > 0.63 differs from none, and every single one still tells.
MINIMUM_EFFECTIVE = 10
MINIMUM_N = 12
# A series that hardly ever changes (a survey's answers) has as many observations as it has changes.
MINIMUM_CHANGES = 8
STRONG = 0.7  # |r| above which S4-45 calls a relation strong
WEEK = 7
# A week's mean stands for the week where most of its days are known.
_KNOWN_DAYS = 4


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one pair, an element a subject. NaN where `enough` is false.

    Attributes:
        lag: steps that x leads y by, of the lag that shows most.
        n: pairs of changes compared there (the most of any lag where there are not enough).
        p: corrected for the lags tried.
        enough: there are MINIMUM_N changes, MINIMUM_EFFECTIVE effective ones, MINIMUM_CHANGES that are not zero.
        moves: both series have changed at all.
    """

    lag: Floats
    n: Floats
    n_effective: Floats
    pearson: Floats
    spearman: Floats
    p: Floats
    enough: np.ndarray[tuple[int], np.dtype[np.bool_]]
    moves: np.ndarray[tuple[int], np.dtype[np.bool_]]


def weekly_changes(daily: Floats, *, of_windows: bool) -> Floats:
    """The changes from week to week.

    Args:
        daily: a row a subject, a column a day; the last is the Sunday of the last week, and there are whole weeks.
        of_windows: the last day stands for the week (figures over windows, figures of weeks), not the mean.
    """
    weeks = daily.reshape(len(daily), daily.shape[1] // WEEK, WEEK)
    if of_windows:
        values = weeks[:, :, -1]
    else:
        known = ~np.isnan(weeks)
        sums = np.where(known, weeks, 0.0).sum(axis=2)
        count = known.sum(axis=2)
        values = np.where(count >= _KNOWN_DAYS, sums / np.maximum(count, 1), np.nan)
    return np.diff(values, axis=1)


def daily_changes(daily: Floats) -> Floats:
    """The changes of each day from the same weekday a week before."""
    return np.asarray(daily[:, WEEK:] - daily[:, :-WEEK], dtype=np.float64)


def compare(x: Floats, y: Floats, lags: int) -> Compared:
    """Hold the changes of two metrics against each other, at lags 0 to `lags` by which x leads.

    Args:
        x, y: a row a subject, a column a week or day; NaN where unknown.
    """
    count = len(x)
    tried = np.zeros(count)
    best = {name: np.full(count, np.nan) for name in ("lag", "n_effective", "pearson", "spearman", "p")}
    n_best, most = np.zeros(count), np.zeros(count)
    moves = _moves(x, y, 1)
    for lag in range(lags + 1):
        leading, following = x[:, : x.shape[1] - lag], y[:, lag:]
        n, n_effective, pearson, spearman, p = _compare_at(leading, following)
        most = np.maximum(most, n)
        tried += ~np.isnan(p)
        better = ~np.isnan(p) & (np.isnan(best["p"]) | (p < best["p"]))
        found: dict[str, Any] = {
            "lag": lag,
            "n_effective": n_effective,
            "pearson": pearson,
            "spearman": spearman,
            "p": p,
        }
        for name, values in found.items():
            best[name] = np.where(better, values, best[name])
        n_best = np.where(better, n, n_best)
    enough = ~np.isnan(best["p"])
    return Compared(
        lag=best["lag"],
        n=np.where(enough, n_best, most),
        n_effective=best["n_effective"],
        pearson=best["pearson"],
        spearman=best["spearman"],
        p=np.minimum(best["p"] * np.maximum(tried, 1), 1.0),
        enough=enough,
        moves=moves,
    )


def _moves(x: Floats, y: Floats, least: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    both = ~np.isnan(x) & ~np.isnan(y)
    return np.asarray(
        (((x != 0) & both).sum(axis=1) >= least) & (((y != 0) & both).sum(axis=1) >= least), dtype=np.bool_
    )


def _compare_at(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """n, effective n, Pearson's r, Spearman's and the greater p of each row; NaN where there are not enough."""
    both = ~np.isnan(x) & ~np.isnan(y)
    n = both.sum(axis=1).astype(np.float64)
    pearson, one, other = _correlation(x, y, both)
    ranked = [pd.DataFrame(np.where(both, series, np.nan)).rank(axis=1).to_numpy(dtype=np.float64) for series in (x, y)]
    spearman, _, _ = _correlation(ranked[0], ranked[1], both)
    n_effective = _effective(one, other, n)
    enough = (n >= MINIMUM_N) & (n_effective >= MINIMUM_EFFECTIVE) & _moves(x, y, MINIMUM_CHANGES)
    p = np.maximum(_p(pearson, n_effective), _p(spearman, n_effective))
    p, n_effective, pearson, spearman = (
        np.where(enough, found, np.nan) for found in (p, n_effective, pearson, spearman)
    )
    return n, n_effective, pearson, spearman, p


def _correlation(
    x: Floats, y: Floats, both: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> tuple[Floats, Floats, Floats]:
    """Pearson's r of each row, and both series less their means over their spread, 0 where one is unknown."""
    n = np.maximum(both.sum(axis=1, keepdims=True), 1)
    scaled = []
    for series in (x, y):
        centred = np.where(both, series, 0.0)
        centred = np.where(both, centred - centred.sum(axis=1, keepdims=True) / n, 0.0)
        spread = np.sqrt((centred**2).sum(axis=1, keepdims=True))
        # Rounding leaves some spread to a series that never changes.
        size = np.abs(np.where(both, series, 0.0)).max(axis=1, initial=0.0, keepdims=True)
        scaled.append(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9 * size))
    r = np.clip((scaled[0] * scaled[1]).sum(axis=1), -1.0, 1.0)
    return r, scaled[0], scaled[1]


def _effective(x: Floats, y: Floats, n: Floats) -> Floats:
    """The effective number of changes of series that are scaled to a sum of squares of 1."""
    inflation = np.ones(len(x))
    for lag in range(1, x.shape[1] // 4 + 1):
        products = (x[:, lag:] * x[:, :-lag]).sum(axis=1) * (y[:, lag:] * y[:, :-lag]).sum(axis=1)
        inflation += 2 * np.maximum(1 - lag / np.maximum(n, 1), 0.0) * products
    return n / np.maximum(inflation, 1.0)


def _p(r: Floats, n: Floats) -> Floats:
    """The two-sided p of r being no correlation, by Student's t."""
    from scipy.special import stdtr

    freedom = np.maximum(n - 2, 1.0)
    with np.errstate(divide="ignore"):
        t = np.abs(r) * np.sqrt(freedom / np.maximum(1 - r**2, 0.0))
    return np.asarray(2 * stdtr(freedom, -t), dtype=np.float64)


def corrected(p: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The p of all pairs and subjects of a day corrected together, and which of them survive."""
    adjusted = benjamini_hochberg(p)
    return adjusted, np.asarray(np.nan_to_num(adjusted, nan=1.0) < SIGNIFICANT, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Relation:
    """A pair of a subject that survived the correction; the titles are the catalogue's."""

    x_title: str
    y_title: str
    lag_days: int
    step_days: int
    n: int
    n_effective: float
    pearson: float
    spearman: float
    p_adjusted: float
    comparisons: int

    @property
    def sentence(self) -> str:
        """What was seen, without a word about causes."""
        x, y = in_a_sentence(self.x_title), in_a_sentence(self.y_title)
        strength = "strongly " if abs(self.pearson) > STRONG else ""
        direction = "in the same direction" if self.pearson > 0 else "in opposite directions"
        when = f", {y} {self.lag_days} days after {x}" if self.lag_days else ""
        steps = "weeks" if self.step_days == WEEK else "days"
        effective = f", worth {self.n_effective:.0f} independent ones" if self.n_effective < self.n - 0.5 else ""
        of = f", corrected for {self.comparisons} comparisons" if self.comparisons > 1 else ""
        moved = f"{x[:1].upper()}{x[1:]} and {y} moved {strength}{direction}{when}"
        return (
            f"{moved} (r = {self.pearson:.2f}, rank correlation {self.spearman:.2f}, n = {self.n} changes between "
            f"{steps}{effective}; {p_text(self.p_adjusted)}{of}). That says nothing about cause."
        )


def p_text(p: float) -> str:
    """'p = 0.03', with as many digits as say something; never 0."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.01 else f"p = {p:.2f}"


def in_a_sentence(title: str) -> str:
    """A title within a sentence: its first letter small, unless it is a name (DORA, GitHub, npm's)."""
    first = title.split(" ", 1)[0]
    return title if first[1:].lower() != first[1:] else title[:1].lower() + title[1:]
