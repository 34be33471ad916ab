"""When days without a value are news: a series that usually has one every day, or every working day, has stopped."""

from __future__ import annotations

import numpy as np

from metrics_assets.analysis.detection.expectation import WINDOW
from metrics_assets.analysis.detection.numbers import Bools, Floats, Integers, filled, known, windows

LONGEST = 28  # a series without a value for longer is not running any more
CHANCE = 1e-4  # a run of missing days that comes by chance as rarely is told
# Days before a day that its gap is judged by.
GAP_DAYS = WINDOW + LONGEST + 1


def days_missing(present: Bools, first: int) -> Integers:
    """Return how many days up to each day there was no value: 0 where there is one, LONGEST + 1 for more."""
    padded = np.pad(present, ((0, 0), (LONGEST, 0)))
    window = np.lib.stride_tricks.sliding_window_view(padded, LONGEST + 1, axis=1)[:, first:, ::-1]
    return np.where(np.any(window, axis=-1), np.argmax(window, axis=-1), LONGEST + 1)


def is_gap(present: Bools, missing: Integers, known_days: Integers, minimum_days: int, first: int) -> Bools:
    """Return the days on which a run of missing days has become too unlikely to be chance.

    A weekday's chance to be missing is its share of missing days in the last 8 weeks, drawn towards the share of all
    days, so that a series without values on Sundays is not reported every Sunday. Days before the series' first value
    of these weeks say nothing.

    Args:
        missing: of `days_missing`, from day 0 on.
        known_days: of the 56 days before each day.
    """
    begin = max(first - LONGEST, 0)
    started = windows(np.where(present, 1.0, 0.0), WINDOW, begin)
    began = np.maximum.accumulate(filled(started, 0.0), axis=-1)
    window = np.where(began > 0, 1.0 - started, np.nan)
    overall = _share(window, np.full(window.shape[:-1], 0.5), 1.0)
    # The oldest of the window is a multiple of 7 days ago.
    own = np.log(_share(window[..., ::7], overall, 2.0))
    running = np.pad(own, ((0, 0), (LONGEST, 0)))
    rows = np.lib.stride_tricks.sliding_window_view(running, LONGEST + 1, axis=1)[:, first - begin :, ::-1]
    run = missing[:, first:, None]
    chance = np.sum(np.where(np.arange(LONGEST + 1) < run, rows, 0.0), axis=-1)
    enough = known_days[:, first:] >= minimum_days
    late: Integers = missing[:, first:]
    unlikely: Bools = enough & (late > 0) & (late <= LONGEST) & (chance < np.log(CHANCE))
    return unlikely


def _share(window: Floats, prior: Floats, weight: float) -> Floats:
    count = known(window)
    share: Floats = (np.sum(filled(window, 0.0), axis=-1) + weight * prior) / (count + weight)
    return share
