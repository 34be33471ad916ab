"""When a forecast path reaches a target, with odds; and the path under a pessimistic and an optimistic scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from metrics_assets.analysis.forecasting.continuing import continued
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
    path: pd.DataFrame,
    target: float,
    direction: Direction = "at_least",
    *,
    due: date | None = None,
    until: date | None = None,
    highest: float = np.inf,
) -> GoalDate:
    """Return the day on which the series first meets `target`.

    `path` is the forecast of one series (columns date, p10, p50, p90, one row a day). The chance to have met the
    target by a day is the greatest chance to meet it on a day up to it, the value being split-normal between the
    quantiles: right for totals and levels; for a noisy daily count, which may meet a target by chance on any day, it
    is too low. `until` (or a later `due`) continues the path beyond the forecast, as `continued`; `highest` is the
    greatest value that there can be.

    Raises ValueError for an empty path, and for one with unknown values or without a row for each day.
    """
    upwards = direction in ("at_least", "above")
    strict = direction in ("above", "below")
    quantiles, days = _quantiles(path)
    forecast_days = len(days)
    wanted = max((day for day in (until, due) if day is not None), default=days[-1])
    quantiles, days = _continued(quantiles, days, wanted, highest)
    met = np.maximum.accumulate(_chance(quantiles, target, upwards, strict))
    last = len(days) - 1
    due_at = last if due is None else (due - days[0]).days
    first, middle, late = (_first(met, share) for share in (0.1, 0.5, 0.9))
    # Without a due day, what is not as good as certain by the last day was looked for until then.
    until_at = due_at if due is not None or late is None else None
    needed = [at for at in (first, middle, late, until_at) if at is not None]
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


def scenarios(
    paths: Floats,
    level: Floats,
    factors: Mapping[str, float] = SCENARIOS,
    *,
    better: Literal["higher", "lower"] = "higher",
) -> dict[str, Floats]:
    """Return `paths` [..., days, 3] under each scenario, in the order of `factors`.

    `level` [..., days] is what the days would be without any change. Of what p10, p50 and p90 lie above or below it,
    a change for the better is multiplied by the factor, a change for the worse by 2 less the factor: 0.7 is 30 %
    less growth, or 30 % more decline. So a scenario of a greater factor is never the worse one. The realistic one is
    the forecast. Where no value of a path and its level is negative, none becomes so.
    """
    change = paths - level[..., None]
    gain = change >= 0 if better == "higher" else change <= 0
    positive = np.all(paths >= 0, axis=(-2, -1)) & np.all(level >= 0, axis=-1)
    lowest = np.where(positive, 0.0, -np.inf)[..., None, None]
    found = {}
    for name, factor in factors.items():
        changed = level[..., None] + np.where(gain, factor, 2 - factor) * change
        found[name] = np.sort(np.maximum(changed, lowest), axis=-1)
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


def _continued(quantiles: Floats, days: list[date], until: date, highest: float) -> tuple[Floats, list[date]]:
    more = (until - days[-1]).days
    if more <= 0:
        return quantiles, days
    lowest = 0.0 if np.all(quantiles >= 0) else -np.inf
    beyond = continued(quantiles, more, lowest, highest)
    return np.concatenate([quantiles, beyond]), [*days, *(days[-1] + timedelta(days=day) for day in range(1, more + 1))]


def _chance(quantiles: Floats, target: float, upwards: bool, strict: bool) -> Floats:
    """Return [days]: the chance that the day's value meets the target."""
    from scipy.special import ndtr

    middle = quantiles[:, 1]
    side = np.where(target >= middle, quantiles[:, 2] - middle, middle - quantiles[:, 0]) / NORMAL_DECILE
    off = (middle - target) if upwards else (target - middle)
    certain = (off > 0 if strict else off >= 0).astype(np.float64)
    return np.where(side > 0, ndtr(off / np.where(side > 0, side, 1.0)), certain)
