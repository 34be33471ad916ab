"""Goals judged: a value against its target, and against the straight line that leads there by the due day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

KNOWN_STATES = ("ok", "provisional")
INPUT_COLUMNS = (
    "date", "value", "n", "state", "low", "high", "target", "comparison", "due_on", "starts_on", "base", "due_value",
    "unit", "unknown", "minimum_n",
)  # fmt: skip
# A goal without a due day is at risk, not off track, while it fails by at most this share of its target; one with a
# due day while at least this share of the way that is expected has been made.
NEAR = 0.1
ENOUGH_OF_THE_WAY = 0.8
# Sums of decimals may miss by a last digit.
_ROUNDING = 1e-9

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
_WORDS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}
_STATUSES = np.array(["unknown", "off track", "at risk", "on track", "met"], dtype=object)
_UNKNOWN, _OFF, _RISK, _ON, _MET = range(5)


def judge(rows: pd.DataFrame) -> pd.DataFrame:
    """Judge goals, one row a goal, subject and day.

    Args:
        rows: the columns of `INPUT_COLUMNS`. value, low and high in the metric's unit, state as in
            metrics.metric_values (null where there is no row of the day); due_on null: the goal holds always; base
            the value where the way begins; due_value the known value of the due day, of days after it.

    Returns:
        expected (the straight line from base to target), progress (share of the way from base to target that was
        made; 0 or 1 where the base is as good as the target), status and reason, in the order of `rows`.

    Before the due day a goal is met if it is reached, on track if the value is at least as good as expected, at risk
    if at least 80 % of the expected way was made, else off track. From the due day on the value of the due day
    decides: met or missed. Without a due day it is met, at risk (it fails by at most 10 % of the target, or the
    value's interval holds the target) or off track. What is not known is unknown, never off track.
    """
    value = rows["value"].to_numpy(dtype=np.float64, na_value=np.nan)
    known = rows["state"].isin(KNOWN_STATES).to_numpy() & np.isfinite(value)
    now = np.where(known, value, np.nan)
    target, base = rows["target"].to_numpy(dtype=np.float64), rows["base"].to_numpy(dtype=np.float64)
    comparison = rows["comparison"]
    sign = np.where(comparison.isin(["at_least", "above"]).to_numpy(), 1.0, -1.0)
    strict = comparison.isin(["above", "below"]).to_numpy()
    date, due, starts = (rows[name].to_numpy(dtype="datetime64[D]") for name in ("date", "due_on", "starts_on"))

    dated = ~np.isnat(due)
    over = dated & (date >= due)
    judged = np.where(over & (date > due), rows["due_value"].to_numpy(dtype=np.float64), now)
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = sign * (judged - target)
        reached = np.where(strict, gained > 0, gained >= 0)
        flat = sign * (base - target) >= 0
        share = np.clip((date - starts) / (due - starts), 0.0, 1.0)
        share = np.where(over, 1.0, share)
        expected = np.where(flat | over, target, base + (target - base) * share)
        progress = np.where(flat, (gained >= 0) * 1.0, (now - base) / (target - base))
        line = (sign * (now - expected) >= -_ROUNDING * np.abs(expected)) & ~flat
        most_of_it = (progress >= ENOUGH_OF_THE_WAY * share - _ROUNDING) & ~flat
        near = np.abs(now - target) <= (NEAR + _ROUNDING) * np.abs(target)
        inside = (rows["low"].to_numpy(dtype=np.float64) <= target) & (
            target <= rows["high"].to_numpy(dtype=np.float64)
        )

    on_the_way = np.where(line, _ON, np.where(np.where(flat, near, most_of_it), _RISK, _OFF))
    always = np.where(near | inside, _RISK, _OFF)
    status = np.where(over, _OFF, np.where(dated, on_the_way, always))
    status = np.where(reached, _MET, status)
    status = np.where(np.isnan(judged), _UNKNOWN, status)
    expected = np.where(dated, expected, np.nan)
    progress = np.where(dated & known & ~np.isnan(base), progress, np.nan)
    reasons = _reasons(rows, status, now, judged, expected, dated, over, flat, near)
    return pd.DataFrame(
        {"expected": expected, "progress": progress, "status": _STATUSES[status], "reason": reasons}, index=rows.index
    )


def _reasons(
    rows: pd.DataFrame,
    status: npt.NDArray[np.int64],
    now: Floats,
    judged: Floats,
    expected: Floats,
    dated: Flags,
    over: Flags,
    flat: Flags,
    near: Flags,
) -> list[str]:
    """A sentence a row. Written once per kind of number and unit, because there may be a million rows."""
    wanted, due = _targets(rows), _texts_of(rows["due_on"])
    units = rows["unit"].tolist()
    values, lines = _shown(judged, units), _shown(expected, units)
    low, high = (_shown(rows[name].to_numpy(dtype=np.float64), units) for name in ("low", "high"))
    late = (over & (rows["date"] != rows["due_on"]).to_numpy()).tolist()
    reasons: list[str] = []
    columns = zip(
        status.tolist(), dated.tolist(), over.tolist(), late, flat.tolist(), near.tolist(), values, wanted, due, lines,
        low, high, _unknown(rows), strict=True,
    )  # fmt: skip
    for code, has_due, ended, after, level, close, value, target, day, line, least, most, unknown in columns:
        if code == _UNKNOWN:
            reasons.append(f"The value of the due day ({day}) is not known." if after else unknown)
        elif ended:
            verb = "met" if code == _MET else "missed"
            reasons.append(f"{verb}: {value} on the due day ({day}), the goal was {target}")
        elif code == _MET:
            reasons.append(f"{value}, the goal is {target}" + (f" by {day}" if has_due else ""))
        elif not has_due or level:
            why = ""
            if code == _RISK:
                why = (
                    f"; within {100 * NEAR:.0f} % of it"
                    if close
                    else f"; its interval {least} to {most} holds the target"
                )
            reasons.append(f"{value}, the goal is {target}" + (f" by {day}" if has_due else "") + why)
        else:
            than = "on" if code == _ON else "behind"
            reasons.append(f"{value}, {than} the line to {target} by {day} ({line} expected)")
    return reasons


def _unknown(rows: pd.DataFrame) -> list[str]:
    """Why the value of a row is not known, if it is not."""
    texts: list[str] = rows["unknown"].tolist()
    few = np.flatnonzero(((rows["state"] == "too_few") & rows["n"].notna()).to_numpy())
    if few.size:
        n, least = rows["n"].to_numpy(dtype=np.float64), rows["minimum_n"].to_numpy(dtype=np.float64)
        for row in few.tolist():
            texts[row] = f"Stands on {n[row]:.0f} of {least[row]:.0f} rows."
    return texts


def _targets(rows: pd.DataFrame) -> list[str]:
    """'at least 2,000' for each row; there are as many different ones as there are goals."""
    known: dict[tuple[str, float, str], str] = {}
    texts = []
    for key in zip(rows["comparison"].tolist(), rows["target"].tolist(), rows["unit"].tolist(), strict=True):
        if key not in known:
            known[key] = f"{_WORDS[key[0]]} {number(key[1], key[2])}"
        texts.append(known[key])
    return texts


def _texts_of(days: pd.Series[Any]) -> list[str]:
    codes, unique = pd.factorize(days)
    texts = [day.date().isoformat() for day in pd.DatetimeIndex(unique)]
    return [texts[code] if code >= 0 else "" for code in codes.tolist()]


def _shown(numbers: Floats, units: Sequence[str]) -> list[str]:
    """Each number with its unit, or '' where there is none."""
    known: dict[tuple[float, str], str] = {}
    texts = []
    for one, unit in zip(numbers.tolist(), units, strict=True):
        if one != one:
            texts.append("")
            continue
        text = known.get((one, unit))
        if text is None:
            text = known[one, unit] = number(one, unit)
        texts.append(text)
    return texts


_BARE = ("count", "points", "score", "rank", "yes or no")


def number(value: float, unit: str) -> str:
    """A number as a sentence shows it: three digits, thousands apart, in the unit that reads best.

    Ratios are in per cent, two days of hours and more in days, rates under one a day by week or month.
    """
    if unit == "ratio":
        return f"{_digits(100 * value)} %"
    if unit == "hours" and abs(value) >= 48:
        return f"{_digits(value / 24)} days"
    if unit == "per day" and 0 < abs(value) < 0.95:
        return f"{_digits(value * 7)} per week" if abs(value) * 7 >= 0.95 else f"{_digits(value * 30)} per month"
    return _digits(value) if unit in _BARE else f"{_digits(value)} {unit}"


def _digits(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def first_known(values: pd.DataFrame, keys: Iterable[str]) -> pd.DataFrame:
    """The first known value, by date, of each combination of `keys`: these columns, date and value."""
    known = values[values["state"].isin(KNOWN_STATES) & np.isfinite(values["value"])]
    names = list(keys)
    first: pd.DataFrame = known.sort_values("date", kind="stable").drop_duplicates(names)
    return first[[*names, "date", "value"]]


def carry(values: pd.DataFrame, days: int, start: Any, end: Any) -> pd.DataFrame:
    """Let each row stand for `days` days, or until the next one: one row a subject and day of [start, end).

    For figures of a week, month or quarter, which have a row on its last day alone.
    """
    spread = values.loc[values.index.repeat(days)]
    spread = spread.assign(
        made_on=spread["date"], date=spread["date"] + pd.to_timedelta(np.tile(np.arange(days), len(values)), unit="D")
    )
    spread = spread[(spread["date"] >= pd.Timestamp(start)) & (spread["date"] < pd.Timestamp(end))]
    spread = spread.sort_values("made_on", kind="stable")
    newest: pd.DataFrame = spread.drop_duplicates(["metric", "subject_kind", "subject", "date"], keep="last")
    newest = newest.drop(columns="made_on")
    return newest.reset_index(drop=True)
