"""What speaks for something unusual on a day: the day itself, sums of days, unrest, silence, and slow change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics_assets.analysis.detection.expectation import LEVEL, TREND, WINDOW, Z_DAYS, Expectation, expect
from metrics_assets.analysis.detection.numbers import (
    Floats,
    Integers,
    filled,
    known,
    mean,
    median,
    root_mean_square,
    windows,
)
from metrics_assets.analysis.detection.scales import COUNT, restore, stabilise

CLIP = 4.0  # a single day cannot make a sum large
FAR = 20.0  # deviations beyond which all is the same
USUAL = 84  # days that say how large sums and changes usually are
LATELY = 7  # of them the last are left out: what goes on is not yet usual
SUMS = (3, 7, 14, 28, 56)
LEAST_USUAL = 14  # of them must be known
DRIFT_DAYS = 14
DRIFT_OVER = (28, 56)
LEAST_KNOWN = 0.5  # of the days of a sum
_OF_Z = LATELY + USUAL + 28  # days of z before a day
# Days before a day that its evidence is made of.
EVIDENCE_DAYS = Z_DAYS + _OF_Z

FEATURES = (
    "z", "z_before", "z_against_largest", "sum_3", "sum_7", "sum_14", "sum_28", "sum_56",
    "usual_7", "usual_14", "usual_28", "largest_3", "smallest_3", "unrest_7", "unrest_14", "unrest_28",
    "zero_run", "drift_28", "drift_56", "usual_drift_28", "usual_drift_56", "drift_short", "drift_turn",
    "known_days", "known_errors", "size", "follows", "echo", "weekday", "tail", "zeros", "unchanged", "last_large",
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What is known of each series on each judged day; arrays are [series, days].

    `known_days` of the 56 days before had a value. `z` is the day's error in deviations. `features` [series, days, k]
    are those of FEATURES, NaN where unknown. `expectation` is of all days that were handed in.
    """

    known_days: Integers
    expectation: Expectation
    z: Floats
    features: Floats

    def __getitem__(self, name: str) -> Floats:
        return self.features[..., FEATURES.index(name)]


def gather(values: Floats, scale: int, first: int) -> Evidence:
    """Gather the evidence of the days of `values` [series, days] from column `first` on.

    Args:
        values: of one scale, in the metric's unit; NaN where unknown.
    """
    scaled = stabilise(values, scale)
    expectation = expect(scaled, scale, max(first - _OF_Z, 0))
    z = expectation.z
    clipped, today = np.clip(z, -CLIP, CLIP), z[:, first:]
    found: dict[str, Floats] = {"z": np.clip(today, -FAR, FAR)}
    before = windows(np.clip(z, -FAR, FAR), WINDOW, first)
    largest = np.max(filled(np.abs(before), 0.0), axis=-1)
    found["z_before"] = before[..., -1]
    found["z_against_largest"] = found["z"] / np.maximum(largest, 3.0)
    found["last_large"] = _days_since(np.abs(before) > 3.5)
    found |= _sums(clipped, first)
    three = windows(np.clip(z, -FAR, FAR), 3, first, with_day=True)
    found["largest_3"] = np.max(filled(three, 0.0), axis=-1)
    found["smallest_3"] = np.min(filled(three, 0.0), axis=-1)
    for days in (7, 14, 28):
        squares = mean(windows(np.square(clipped), days, first, with_day=True), (days + 1) // 2)
        found[f"unrest_{days}"] = np.log((filled(squares, 1.0) + 0.25) / 1.25)
    found["zero_run"] = _zero_run(values, expectation, scale, first)
    found |= _drift(expectation, first)

    past = windows(scaled, WINDOW, first)
    known_days = known(past)
    found["known_days"] = known_days.astype(np.float64)
    found["known_errors"] = known(before).astype(np.float64)
    centre = expectation.centre[:, first:]
    found["size"] = np.log1p(np.abs(restore(centre, scale))) if scale == COUNT else np.full(centre.shape, -1.0)
    found["follows"] = (expectation.predictor[:, first:] != LEVEL).astype(np.float64)
    shifted = windows(clipped, WINDOW + 1, first)
    found["echo"] = mean(shifted[..., 1:] * shifted[..., :-1], 14) / (mean(np.square(shifted), 14) + 0.1)
    deviation = expectation.low[:, first:]
    found["weekday"] = np.std(windows(expectation.weekday, 7, first, with_day=True), axis=-1) / deviation
    found["tail"] = expectation.high[:, first:] / deviation
    found["zeros"] = mean(np.where(np.isnan(past), np.nan, past == 0), 7)
    steps = np.diff(past, axis=-1)
    found["unchanged"] = mean(np.where(np.isnan(steps), np.nan, steps == 0), 7)
    return Evidence(known_days, expectation, today, np.stack([found[name] for name in FEATURES], axis=-1))


def _sums(clipped: Floats, first: int) -> dict[str, Floats]:
    """Sums of z as a z of their own, and those of 7 to 28 days against how large they usually are."""
    found = {}
    for days in SUMS:
        of_days = _sum(clipped, days, max(first - USUAL - LATELY, 0))
        found[f"sum_{days}"] = _last(of_days, clipped.shape[1] - first)
        if days in (7, 14, 28):
            usual = root_mean_square(_usual(of_days, clipped.shape[1] - first), LEAST_USUAL)
            found[f"usual_{days}"] = found[f"sum_{days}"] / np.maximum(1.0, filled(usual, 1.0))
    return found


def _sum(clipped: Floats, days: int, first: int) -> Floats:
    window = windows(clipped, days, first, with_day=True)
    count = known(window)
    total = np.sum(filled(window, 0.0), axis=-1) / np.sqrt(np.maximum(count, 1))
    return np.where(count >= LEAST_KNOWN * days, total, np.nan)


def _usual(values: Floats, days: int) -> Floats:
    """Return [series, days, 84]: the 84 `values` that end a week before each of the last `days` days."""
    late = np.pad(values, ((0, 0), (LATELY, 0)), constant_values=np.nan)[:, : values.shape[1]]
    return windows(late, USUAL, values.shape[1] - days)


def _last(values: Floats, days: int) -> Floats:
    return values[:, values.shape[1] - days :]


def _days_since(happened: np.typing.NDArray[np.bool_]) -> Floats:
    """Return how long ago something last happened within the last axis, which ends with the day before."""
    position = np.argmax(happened[..., ::-1], axis=-1) + 1.0
    days: Floats = np.where(np.any(happened, axis=-1), position, happened.shape[-1] + 1.0)
    return days


def _zero_run(values: Floats, expectation: Expectation, scale: int, first: int) -> Floats:
    """Return the root of how many events a count was expected to have over its run of zeros, at most 56 days.

    A Poisson count's events: those of a count that comes in bursts are fewer. A gap neither ends nor feeds the run.
    """
    if scale != COUNT:
        return np.zeros((values.shape[0], values.shape[1] - first))
    events = restore(expectation.centre, scale) / np.square(expectation.low)
    events = np.where(values == 0, np.maximum(events, 0.0), np.where(np.isnan(values), 0.0, np.nan))
    window = windows(events, WINDOW, first, with_day=True)[..., ::-1]
    running = np.cumprod(~np.isnan(window), axis=-1)
    root: Floats = np.sqrt(np.sum(np.where(running == 1, filled(window, 0.0), 0.0), axis=-1))
    return root


def _drift(expectation: Expectation, first: int) -> dict[str, Floats]:
    """The level of 14 days against those of 4 and 8 weeks before, in deviations and against its usual change."""
    days = expectation.level.shape[1] - first
    begin = max(first - USUAL - LATELY - max(DRIFT_OVER) - 1, 0)
    level = median(windows(expectation.level, DRIFT_DAYS, begin, with_day=True))
    # What goes on growing by its usual step, as totals do, does not drift by that.
    deviation = np.where(expectation.predictor[:, first:] == TREND, np.nan, expectation.low[:, first:])
    found = {}
    for over in (14, *DRIFT_OVER):
        earlier = np.pad(level, ((0, 0), (over, 0)), constant_values=np.nan)[:, : level.shape[1]]
        change = level - earlier
        if over == 14:
            found["drift_short"] = _last(change, days) / deviation
            continue
        found[f"drift_{over}"] = _last(change, days) / deviation
        # A series that grows every month drifts no more than it did.
        usual = _usual(change, days)
        middle = mean(usual, LEAST_USUAL)
        spread = root_mean_square(usual - middle[..., None], LEAST_USUAL) / deviation
        found[f"usual_drift_{over}"] = (found[f"drift_{over}"] - middle / deviation) / np.maximum(0.5, spread)
    found["drift_turn"] = 2.0 * found["drift_28"] - found["drift_56"]
    return found
