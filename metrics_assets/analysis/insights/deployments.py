"""On which days and at which hours deployments fail more often, and when they fail least."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metrics_assets.analysis.insights.statistics import (
    SIGNIFICANT,
    Floats,
    benjamini_hochberg,
    fisher_exact,
)
from metrics_assets.analysis.insights.wording import ADVICE, WORSE, Insight, p_text, share, weight
from metrics_assets.analysis.intervals import wilson

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# A failed deployment soon after a failed one is the same attempt again.
_RETRY = pd.Timedelta(minutes=60)
# With fewer, one or two failures make any ratio.
_LEAST_OF_WEEKDAY, _LEAST_OF_OTHERS, _LEAST_FAILING_DAYS = 10, 20, 3
_LEAST_RATIO = 1.5
_LEAST_IN_WINDOW, _LEAST_OUTSIDE, _LEAST_FAILURES = 30, 30, 10
# Hours of the blocks that windows are made of: people plan by parts of the day, not by hours.
_HOURS = (0, 9, 12, 15, 18, 24)
_DRAWS = 4999
# So many draws as low as the window itself, and it is nothing special: at 20 p is known to a fifth or so.
_AS_LOW = 20
_AT_A_TIME, _DRAWS_AT_ONCE = 500_000, 250
# A window that is not even this unusual by itself is not after the correction for having been chosen.
_WORTH_DRAWING = 0.01
_SUBJECT = ["subject_kind", "subject"]


def without_retries(deployments: pd.DataFrame) -> pd.DataFrame:
    """The deployments without failed ones that follow a failed one of the same chain within an hour.

    Args:
        deployments: subject_kind, subject, chain, at (local time), failed.
    """
    ordered = deployments.sort_values([*_SUBJECT, "chain", "at"], kind="stable", ignore_index=True)
    before = ordered.groupby([*_SUBJECT, "chain"], sort=False)[["at", "failed"]].shift()
    retry = ordered["failed"] & before["failed"].eq(True) & (ordered["at"] - before["at"] <= _RETRY)
    return ordered[~retry].reset_index(drop=True)


def weekday_failures(deployments: pd.DataFrame, first: date, last: date) -> list[Insight]:
    """Subjects of which deployments of one weekday fail more often than those of the other days.

    The worst weekday is the one that is highest above the others in standard deviations. As failures come by the day,
    and as it was chosen as the worst, it is held against the worst ones of draws that shuffle whole days over the
    weekdays (Westfall and Young 1993), so that one bad day is not a weekday. Fisher's exact test, times the weekdays
    tried (Bonferroni), has to agree: the greater p counts. Then corrected for the subjects (Benjamini-Hochberg).
    """
    tested = []
    for (kind, subject), own in deployments.groupby(_SUBJECT, sort=True):
        found = _worst_weekday(own)
        if found:
            tested.append((str(kind), str(subject), found))
    adjusted = benjamini_hochberg([found["p"] for _, _, found in tested])
    return [
        _weekday_insight(kind, subject, found, float(p), first, last)
        for (kind, subject, found), p in zip(tested, adjusted, strict=True)
        if p < SIGNIFICANT and found["ratio"] >= _LEAST_RATIO
    ]


def _worst_weekday(own: pd.DataFrame) -> dict[str, Any] | None:
    days = own.groupby(own["at"].dt.normalize())["failed"].agg(["sum", "count"])
    # A row a day: its failures, its deployments, and whether any failed.
    each = np.column_stack([days["sum"], days["count"], days["sum"] > 0]).astype(np.float64)
    weekday = np.eye(7)[pd.DatetimeIndex(days.index).day_of_week]
    failed, n, failing_days = each.T @ weekday
    excess = _excess(failed, n, failing_days)
    one = int(np.argmax(excess))
    if excess[one] <= 0:
        return None
    k, of, failed_others, others = (
        int(count) for count in (failed[one], n[one], failed.sum() - failed[one], n.sum() - n[one])
    )
    tried = int(_is_enough(n).sum())
    p = min(fisher_exact(k, of, failed_others, others) * tried, 1.0)
    if p < SIGNIFICANT:
        # Seeded by nothing but the code, so that a day that is made again says the same.
        order = np.random.default_rng(0).permuted(np.tile(np.arange(len(each)), (_DRAWS, 1)), axis=1)
        drawn = _excess(*(column[order] @ weekday for column in each.T)).max(axis=1)
        p = max(p, (1 + int((drawn >= excess[one] - 1e-12).sum())) / (_DRAWS + 1))
    ratio = k / of / (failed_others / others) if failed_others else float("inf")
    return {"weekday": one, "failed": k, "n": of, "failed_others": failed_others, "others": others, "p": p,
            "ratio": ratio, "tried": tried, "failed_by_day": failed, "by_day": n}  # fmt: skip


def _is_enough(n: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray((n >= _LEAST_OF_WEEKDAY) & (n.sum(axis=-1, keepdims=True) - n >= _LEAST_OF_OTHERS))


def _excess(failed: Floats, n: Floats, failing_days: Floats) -> Floats:
    """How many standard deviations each weekday's failures are above their share; no number at all (minus infinity)
    where too few deployments, or too few days with failures, say anything."""
    total, failures = n.sum(axis=-1, keepdims=True), failed.sum(axis=-1, keepdims=True)
    share_of_all = failures / total
    variance = n * share_of_all * (1 - share_of_all) * (total - n) / np.maximum(total - 1, 1)
    says = _is_enough(n) & (failing_days >= _LEAST_FAILING_DAYS) & (variance > 0)
    return np.where(says, (failed - n * share_of_all) / np.sqrt(np.where(says, variance, 1.0)), -np.inf)


def _weekday_insight(kind: str, subject: str, found: dict[str, Any], p: float, first: date, last: date) -> Insight:
    name = WEEKDAYS[found["weekday"]]
    times = f"{found['ratio']:.1f} times as often as" if np.isfinite(found["ratio"]) else "and none did of"
    return Insight(
        insight="weekday_failures",
        subject_kind=kind,
        subject=subject,
        topic="failures",
        weight=weight(WORSE, min(found["ratio"], 4.0)),
        sentence=f"Deployments of a {name} failed {times} those of other days: {found['failed']} of {found['n']} "
        f"({share(found['failed'] / found['n'])}) against {found['failed_others']} of {found['others']} "
        f"({share(found['failed_others'] / found['others'])}) since {first.isoformat()} ({p_text(p)}).",
        action=f"Look at what is deployed on a {name} and how; until that is clear, deploy it on another day.",
        n=found["n"] + found["others"],
        p=p,
        evidence={
            "metric": "change_failure_rate",
            "subject": subject,
            "test": "worst of all weekdays against draws of shuffled days, and Fisher's exact, the greater p",
            "weekdays_tried": found["tried"],
            "dates": [first.isoformat(), last.isoformat()],
            "weekdays": list(WEEKDAYS),
            "numerators": [int(one) for one in found["failed_by_day"]],
            "denominators": [int(one) for one in found["by_day"]],
        },
    )


# Windows: contiguous weekdays and hours.


@cache
def _windows() -> tuple[list[tuple[int, int, int, int]], npt.NDArray[np.float64]]:
    """The windows (first and last weekday, first and last block), and their cells as rows of 0 and 1."""
    blocks = len(_HOURS) - 1
    found, cells = [], []
    for weekday, until in _runs(7):
        for block, end in _runs(blocks):
            grid = np.zeros((7, blocks))
            grid[weekday : until + 1, block : end + 1] = 1
            # All days at some hours and all hours of some days are windows, too; all of both is none.
            if not grid.all():
                found.append((weekday, until, block, end))
                cells.append(grid.ravel())
    # The smallest first: of two that hold the same deployments it says more.
    order = sorted(range(len(found)), key=lambda place: float(cells[place].sum()))
    return [found[place] for place in order], np.array([cells[place] for place in order])


def _runs(count: int) -> Iterator[tuple[int, int]]:
    return ((first, last) for first in range(count) for last in range(first, count))


def deployment_windows(deployments: pd.DataFrame, first: date, last: date) -> list[Insight]:
    """The weekdays and hours at which a subject's deployments failed least, where that is more than chance.

    Of all runs of weekdays and parts of the day that hold enough deployments, the one that is lowest against the rest
    in standard deviations. As it was chosen as the lowest, it is held against the lowest ones of draws (Westfall and
    Young 1993). Failures come by the day, so draws keep days together: they shuffle whole days over the weekdays, and
    days with as many deployments swap their outcomes, begun at any of them. What leaves out one bad day is no window
    then. Corrected for the subjects (Benjamini-Hochberg).
    """
    tested = []
    for (kind, subject), own in deployments.groupby(_SUBJECT, sort=True):
        found = _best_window(own)
        if found:
            tested.append((str(kind), str(subject), found))
    adjusted = benjamini_hochberg([found["p"] for _, _, found in tested])
    return [
        _window_insight(kind, subject, found, float(p), first, last)
        for (kind, subject, found), p in zip(tested, adjusted, strict=True)
        if p < SIGNIFICANT
    ]


def _best_window(own: pd.DataFrame) -> dict[str, Any] | None:
    windows, cells = _windows()
    held = _Days(own)
    n, failed = held.cells()
    total, failures = int(n.sum()), int(failed.sum())
    inside = cells @ n
    enough = int(((inside >= _LEAST_IN_WINDOW) & (total - inside >= _LEAST_OUTSIDE)).sum())
    if failures < _LEAST_FAILURES or failures == total or not enough:
        return None
    scores = _depths(n, failed)
    best = int(np.argmin(scores))
    k, size = int(cells[best] @ failed), int(inside[best])
    p = 1.0
    if fisher_exact(k, size, failures - k, total - size) < _WORTH_DRAWING:
        p = _share_of_draws(held, float(scores[best]))
    return {"window": windows[best], "failed": k, "n": size, "failed_others": failures - k,
            "others": total - size, "p": p, "tried": enough}  # fmt: skip


def _share_of_draws(held: _Days, score: float) -> float:
    """In what share of draws the lowest window is at least as low.

    Draws end when as low ones have come often enough to see that it is nothing special: p is their number over that of
    the draws then (Besag and Clifford 1991).
    """
    # Seeded by nothing but the code, so that a day that is made again says the same.
    random = np.random.default_rng(0)
    # Few draws at a time: one is as long as the deployments.
    at_a_time = min(_DRAWS_AT_ONCE, max(1, _AT_A_TIME // held.deployments))
    as_low = 0
    for begun in range(0, _DRAWS, at_a_time):
        drawn = _depths(*held.drawn(random, min(at_a_time, _DRAWS - begun))).min(axis=1)
        found = as_low + np.cumsum(drawn <= score + 1e-12)
        if found[-1] >= _AS_LOW:
            return _AS_LOW / (begun + int(np.argmax(found >= _AS_LOW)) + 1)
        as_low = int(found[-1])
    return (1 + as_low) / (_DRAWS + 1)


def _depths(n: Floats, failed: Floats) -> Floats:
    """By how many standard deviations the failures of each window differ from its share of all; infinite where the
    window holds too few or leaves too few."""
    cells = _windows()[1]
    total, failures = n.sum(axis=-1, keepdims=True), failed.sum(axis=-1, keepdims=True)
    inside, share_of_all = n @ cells.T, failures / total
    enough = (inside >= _LEAST_IN_WINDOW) & (total - inside >= _LEAST_OUTSIDE)
    variance = inside * share_of_all * (1 - share_of_all) * (total - inside) / (total - 1)
    distance = failed @ cells.T - inside * share_of_all
    return np.where(enough, distance / np.sqrt(np.where(enough, variance, 1.0)), np.inf)


class _Days:
    """A subject's deployments by day, and other ways in which their failures could have fallen."""

    def __init__(self, own: pd.DataFrame) -> None:
        day = own["at"].dt.normalize()
        size = day.groupby(day).transform("size")
        # Days with as many deployments stand together, so that they can swap.
        ordered = own.assign(day=day, size=size).sort_values(["size", "day", "at"], kind="stable", ignore_index=True)
        self._day, days = pd.factorize(ordered["day"])
        self._weekday = pd.DatetimeIndex(days).day_of_week.to_numpy()
        self._block = np.searchsorted(_HOURS, ordered["at"].dt.hour.to_numpy(), side="right") - 1
        self._failed = ordered["failed"].to_numpy(dtype=np.float64)
        self._sizes = np.bincount(self._day)
        self._begins = np.cumsum(self._sizes) - self._sizes
        self._place = np.arange(len(ordered)) - self._begins[self._day]

    @property
    def deployments(self) -> int:
        """How many there are."""
        return len(self._day)

    def cells(self) -> tuple[Floats, Floats]:
        """The deployments of each cell of a window, and how many of them failed."""
        n, failed = self._counted(self._weekday[self._day][None, :], self._failed[None, :])
        return n[0], failed[0]

    def drawn(self, random: np.random.Generator, count: int) -> tuple[Floats, Floats]:
        """The same of some draws, a row each."""
        weekday = random.permuted(np.tile(self._weekday, (count, 1)), axis=1)
        swapped = np.argsort(self._sizes + random.random((count, len(self._sizes))), axis=1)
        begun = (random.random(swapped.shape) * self._sizes).astype(np.int64)
        place = (self._place + begun[:, self._day]) % self._sizes[self._day]
        return self._counted(weekday[:, self._day], self._failed[self._begins[swapped][:, self._day] + place])

    def _counted(self, weekday: npt.NDArray[np.int64], failed: Floats) -> tuple[Floats, Floats]:
        blocks, rows = len(_HOURS) - 1, len(weekday)
        cell = (weekday * blocks + self._block + 7 * blocks * np.arange(rows)[:, None]).ravel()
        n = np.bincount(cell, minlength=rows * 7 * blocks).astype(np.float64)
        fell = np.bincount(cell, weights=failed.ravel(), minlength=rows * 7 * blocks).astype(np.float64)
        return n.reshape(rows, -1), fell.reshape(rows, -1)


def _window_insight(kind: str, subject: str, found: dict[str, Any], p: float, first: date, last: date) -> Insight:
    weekday, until, block, end = found["window"]
    days = WEEKDAYS[weekday] if weekday == until else f"{WEEKDAYS[weekday]} to {WEEKDAYS[until]}"
    hours = f" {_HOURS[block]:02d}:00 to {_HOURS[end + 1]:02d}:00" if (block, end) != (0, len(_HOURS) - 2) else ""
    when = hours.strip() if hours and (weekday, until) == (0, 6) else f"{days}{hours}"
    low, high = (float(bound) for bound in wilson(found["failed"], found["n"]))
    outside = found["failed_others"] / found["others"]
    return Insight(
        insight="deployment_window",
        subject_kind=kind,
        subject=subject,
        topic="deployment windows",
        weight=weight(ADVICE, outside / max(found["failed"] / found["n"], outside / 4)),
        sentence=f"Deployments failed least {when}: {found['failed']} of {found['n']} failed "
        f"({share(found['failed'] / found['n'])}, interval {share(low)} to {share(high)}), at other times "
        f"{found['failed_others']} of {found['others']} ({share(outside)}; "
        f"since {first.isoformat()}, {p_text(p)}).",
        action=f"Where it can be chosen, deploy {when}.",
        n=found["n"] + found["others"],
        p=p,
        evidence={
            "metric": "change_failure_rate",
            "subject": subject,
            "test": "lowest of all windows against draws of shuffled days",
            "dates": [first.isoformat(), last.isoformat()],
            "weekdays": [WEEKDAYS[weekday], WEEKDAYS[until]],
            "hours": [_HOURS[block], _HOURS[end + 1]],
            "windows_tried": found["tried"],
            "numerators": [found["failed"], found["failed_others"]],
            "denominators": [found["n"], found["others"]],
        },
    )
