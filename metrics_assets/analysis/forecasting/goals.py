"""When a forecast path reaches a target, with odds; and the path under a pessimistic and an optimistic scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr  # type: ignore[import-untyped]

from metrics_assets.analysis.forecasting.naive import NORMAL_DECILE
from metrics_assets.analysis.forecasting.settings import Floats

Direction = Literal["at_least", "at_most", "above", "below"]
SCENARIOS: Mapping[str, float] = {"pessimistic": 0.7, "realistic": 1.0, "optimistic": 1.3}


@dataclass(frozen=True)
class GoalDate:
    """When a target is reached: with a chance of 10 %, 50 % and 90 % by `p10`, `p50` and `p90`; None is not by `last`.

    `probability` is the chance by the due day (by `last` where no day is due). `extrapolated`: days after the
    forecast's own were needed, on which growth simply goes on; say so when you show it.
    """

    p10: date | None
    p50: date | None
    p90: date | None
    probability: float
    last: date
    extrapolated: bool


def goal_date(
    path: pd.DataFrame | Floats,
    target: float,
    direction: Direction = "at_least",
    *,
    due: date | None = None,
    dates: Sequence[date] | None = None,
    until: date | None = None,
) -> GoalDate:
    """Return the day on which the series first meets `target`.

    `path` is either the forecast of one series (columns date, p10, p50, p90, one row a day), or simulated paths
    [paths, days] with their `dates`. Of quantiles, the chance to have met the target by a day is the greatest chance
    to meet it on a day up to it, the value being split-normal between the quantiles: right for totals and levels; for
    a noisy daily count, which may meet a target by chance on any day, it is too low, and simulated paths are
    better. `until` (or a later `due`) continues quantiles beyond the forecast: the median by its mean
    growth, the interval by the root of time.

    Raises ValueError for an empty path, one with unknown values, or paths without as many dates.
    """
    upwards = direction in ("at_least", "above")
    strict = direction in ("above", "below")
    if isinstance(path, pd.DataFrame):
        quantiles, days = _quantiles(path)
        forecast_days = len(days)
        wanted = max((day for day in (until, due) if day is not None), default=days[-1])
        quantiles, days = _continued(quantiles, days, wanted)
        met = np.maximum.accumulate(_chance(quantiles, target, upwards, strict))
    else:
        days = list(dates or [])
        if path.ndim != 2 or path.size == 0 or path.shape[1] != len(days) or np.isnan(path).any():
            raise ValueError("Simulated paths must be known numbers [paths, days], with as many dates as days.")
        forecast_days = len(days)
        met = np.mean(np.maximum.accumulate(_meets(path, target, upwards, strict), axis=1), axis=0)
    last = len(days) - 1
    due_at = last if due is None else (due - days[0]).days
    first, middle, late = (_first(met, share) for share in (0.1, 0.5, 0.9))
    needed = [at for at in (first, middle, late, None if due is None else due_at) if at is not None]
    return GoalDate(
        p10=None if first is None else days[first],
        p50=None if middle is None else days[middle],
        p90=None if late is None else days[late],
        probability=float(met[min(due_at, last)]) if due_at >= 0 else 0.0,
        last=days[-1],
        extrapolated=max(needed, default=last) >= forecast_days,
    )


def _first(met: Floats, share: float) -> int | None:
    there = met >= share - 1e-9
    return int(np.argmax(there)) if there.any() else None


def scenarios(path: pd.DataFrame, now: float, factors: Mapping[str, float] = SCENARIOS) -> dict[str, pd.DataFrame]:
    """Return the path under each scenario: its growth since `now`, the latest known value, times the factor.

    The realistic path is the forecast; 0.7 and 1.3 multiply what p10, p50 and p90 have gained (or lost) since
    `now`. Where no value of the path is negative, none becomes so. A decline is multiplied as well: of a metric
    that shall fall, "optimistic" is the faster fall.
    """
    columns = ["p10", "p50", "p90"]
    values = path[columns].to_numpy(dtype=np.float64)
    lowest = 0.0 if np.all(values >= 0) and now >= 0 else -np.inf
    found = {}
    for name, factor in factors.items():
        changed = np.sort(np.maximum(now + factor * (values - now), lowest), axis=1)
        found[name] = path.assign(**{column: changed[:, number] for number, column in enumerate(columns)})
    return found


def _quantiles(path: pd.DataFrame) -> tuple[Floats, list[date]]:
    ordered = path.sort_values("date")
    quantiles = ordered[["p10", "p50", "p90"]].to_numpy(dtype=np.float64)
    days = [day.date() for day in pd.to_datetime(ordered["date"])]
    if not days or np.isnan(quantiles).any():
        raise ValueError("There is no forecast to find a date in: give the rows of one series that have numbers.")
    if (days[-1] - days[0]).days != len(days) - 1:
        raise ValueError("The path must have one row for each day.")
    return quantiles, days


def _continued(quantiles: Floats, days: list[date], until: date) -> tuple[Floats, list[date]]:
    more = (until - days[-1]).days
    if more <= 0 or len(days) < 2:
        return quantiles, days
    ahead = np.arange(1, more + 1)
    final = quantiles[-1]
    growth = (final[1] - quantiles[0, 1]) / (len(days) - 1)
    median = final[1] + growth * ahead
    spread = (final - final[1]) * np.sqrt((len(days) + ahead) / len(days))[:, None]
    lowest = 0.0 if np.all(quantiles >= 0) else -np.inf
    continued = np.maximum(median[:, None] + spread, lowest)
    return np.concatenate([quantiles, continued]), [*days, *(days[-1] + timedelta(days=int(day)) for day in ahead)]


def _chance(quantiles: Floats, target: float, upwards: bool, strict: bool) -> Floats:
    """Return [days]: the chance that the day's value meets the target."""
    middle = quantiles[:, 1]
    side = np.where(target >= middle, quantiles[:, 2] - middle, middle - quantiles[:, 0]) / NORMAL_DECILE
    off = (middle - target) if upwards else (target - middle)
    certain = (off > 0 if strict else off >= 0).astype(np.float64)
    return np.where(side > 0, ndtr(off / np.where(side > 0, side, 1.0)), certain)


def _meets(values: Floats, target: float, upwards: bool, strict: bool) -> np.typing.NDArray[np.bool_]:
    if upwards:
        return values > target if strict else values >= target
    return values < target if strict else values <= target
