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
    benjamini_hochberg,
    dispersion,
    fisher_exact,
    two_shares,
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
# A window that is not even this unusual by itself cannot be after the correction for having been chosen.
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

    A weekday is tested by Fisher's exact test and by a chi-square that is divided by how much more the failures scatter
    over days than independent ones would (Rao and Scott 1992); the greater p counts, so that one bad day is not a
    weekday. Corrected for the weekdays tried (Bonferroni) and the subjects (Benjamini-Hochberg).
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
    weekday = pd.DatetimeIndex(days.index).day_of_week
    failed = np.bincount(weekday, weights=days["sum"], minlength=7)
    n = np.bincount(weekday, weights=days["count"], minlength=7)
    failing_days = np.bincount(weekday, weights=days["sum"] > 0, minlength=7)
    shares = failed / np.maximum(n, 1)
    effect = dispersion(days["sum"].tolist(), days["count"].tolist(), shares[weekday])
    tried = 0
    best: dict[str, Any] | None = None
    for one in range(7):
        others, failed_others = int(n.sum() - n[one]), int(failed.sum() - failed[one])
        if n[one] < _LEAST_OF_WEEKDAY or others < _LEAST_OF_OTHERS:
            continue
        tried += 1
        if failing_days[one] < _LEAST_FAILING_DAYS or shares[one] <= failed_others / others:
            continue
        k, of = int(failed[one]), int(n[one])
        p = max(fisher_exact(k, of, failed_others, others), two_shares(k, of, failed_others, others, effect))
        if best is None or p < best["p"]:
            ratio = shares[one] / (failed_others / others) if failed_others else float("inf")
            best = {"weekday": one, "failed": k, "n": of, "failed_others": failed_others, "others": others, "p": p,
                    "ratio": float(ratio), "effect": effect, "failed_by_day": failed, "by_day": n}  # fmt: skip
    return None if best is None else {**best, "p": min(best["p"] * tried, 1.0)}


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
            "test": "Fisher's exact and chi-square with design effect, the greater p",
            "design_effect": round(found["effect"], 3),
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
    in standard deviations. As it was chosen as the lowest, it is held against the lowest ones of draws in which the
    failures fall on any deployments (Westfall and Young 1993); then corrected for the subjects (Benjamini-Hochberg).
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
    blocks = len(_HOURS) - 1
    block = np.searchsorted(_HOURS, own["at"].dt.hour.to_numpy(), side="right") - 1
    cell = own["at"].dt.day_of_week.to_numpy() * blocks + block
    n = np.bincount(cell, minlength=7 * blocks)
    failed = np.bincount(cell, weights=own["failed"].to_numpy(dtype=np.float64), minlength=7 * blocks)
    total, failures = int(n.sum()), int(failed.sum())
    inside = cells @ n
    enough = (inside >= _LEAST_IN_WINDOW) & (total - inside >= _LEAST_OUTSIDE)
    if failures < _LEAST_FAILURES or failures == total or not enough.any():
        return None
    of, chosen = inside[enough], np.flatnonzero(enough)
    spread = np.sqrt(of * (failures / total) * (1 - failures / total) * (total - of) / (total - 1))

    def lowest(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray((counts - of * failures / total) / spread, dtype=np.float64)

    scores = lowest(cells[enough] @ failed)
    best = int(np.argmin(scores))
    k, size = int(cells[chosen[best]] @ failed), int(of[best])
    alone = fisher_exact(k, size, failures - k, total - size)
    p = min(alone * len(of), 1.0)
    if alone < _WORTH_DRAWING:
        # Seeded by nothing but the code, so that a day that is made again says the same.
        draws = np.random.default_rng(0).multivariate_hypergeometric(n, failures, size=_DRAWS, method="marginals")
        drawn = lowest(draws @ cells[enough].T).min(axis=1)
        # The corrected p is at most Bonferroni's; draws alone cannot say that it is under 1 in 5,000.
        p = min(p, (1 + int((drawn <= scores[best] + 1e-12).sum())) / (_DRAWS + 1))
    return {"window": windows[chosen[best]], "failed": k, "n": size, "failed_others": failures - k,
            "others": total - size, "p": p, "tried": len(of)}  # fmt: skip


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
            "test": "lowest of all windows against random draws",
            "dates": [first.isoformat(), last.isoformat()],
            "weekdays": [WEEKDAYS[weekday], WEEKDAYS[until]],
            "hours": [_HOURS[block], _HOURS[end + 1]],
            "windows_tried": found["tried"],
            "numerators": [found["failed"], found["failed_others"]],
            "denominators": [found["n"], found["others"]],
        },
    )
