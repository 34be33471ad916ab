"""Vertical scales of the charts, with ticks that people know: hours, days, weeks; daily, weekly, monthly.

A scale is linear: from zero where values come near it, else around the values. Durations and rates that span from
minutes to months are stretched near zero instead (inverse hyperbolic sine: like a logarithm, but zero has a place),
so that the tier bands stay visible and a zero can be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

NO_BREAK = "\u00a0"
HOUR_TICKS = (
    (0.0, "0"), (0.25, "15 min"), (1.0, "1 h"), (6.0, "6 h"), (24.0, "1 d"), (168.0, "7 d"),
    (720.0, "30 d"), (2160.0, "90 d"), (8760.0, "1 y"), (87600.0, "10 y"),
)  # fmt: skip
RATE_TICKS = (
    (0.0, "0"), (1 / 30, "1/month"), (1 / 7, "1/week"), (1.0, "1/day"), (3.0, "3/day"), (10.0, "10/day"),
    (30.0, "30/day"), (100.0, "100/day"), (1000.0, "1,000/day"),
)  # fmt: skip
CLOSEST_TICKS = 0.1  # share of the height under which two labels would touch
WIDE = 12  # times: durations and rates that span more are stretched
FROM_ZERO = 0.5  # a scale starts at zero where the smallest value is under this share of the largest
LEAST_SPAN = 0.1  # share of the largest value that a scale spans at least, so that noise stays small
SMALLEST = 1e-9
LEAST_POINTS = 20.0  # the same for points of a hundred


@dataclass(frozen=True, slots=True)
class Scale:
    """A vertical scale. `stretch` is the value up to which it is linear; None means linear throughout."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    stretch: float | None = None

    def position(self, value: float) -> float:
        """Return the share of the height at which a value lies, 0 at the bottom; others at the edge."""
        low, high = self._bend(self.low), self._bend(self.high)
        return min(1.0, max(0.0, (self._bend(value) - low) / (high - low)))

    def _bend(self, value: float) -> float:
        return value if self.stretch is None else math.asinh(value / self.stretch)


def scale_for(values: Sequence[float], unit: str) -> Scale:
    """Return the scale that holds all the values of a metric of that unit."""
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    if unit == "yes or no":
        return Scale(0.0, 1.0, ((0.0, "no"), (1.0, "yes")))
    if unit in ("hours", "per day") and low >= 0 and high > WIDE * low:
        least = min((value for value in values if value > 0), default=0.0)
        if high > WIDE * least > 0:
            ticks, stretch = (HOUR_TICKS, 0.5) if unit == "hours" else (RATE_TICKS, 1 / 30)
            return _stretched(low, high, ticks, stretch)
    return _linear(low, high, unit)


def _linear(low: float, high: float, unit: str) -> Scale:
    """Return a linear scale with three to six round ticks."""
    floor, ceiling = _limits(low, high, unit)
    largest = max(abs(low), abs(high))
    if largest < SMALLEST:
        low, high, largest = 0.0, 1.0, 1.0  # what is so small is drawn at zero
    least = LEAST_POINTS if unit == "points" else largest * LEAST_SPAN * (0.02 if ceiling == 1.0 else 1.0)
    if 0 <= low < FROM_ZERO * high:
        low = 0.0
        high *= 1.05
    else:
        room = max((high - low) * 0.1, (least - (high - low)) / 2)
        low, high = low - room, high + room
    low, high = max(low, floor), min(high, ceiling)
    factor, before, after = _display(high, unit)
    step = _round_step((high - low) * factor / 4)
    first, last = math.floor(low * factor / step + 1e-9), math.ceil(high * factor / step - 1e-9)
    first = max(first, math.ceil(floor * factor / step - 1e-9)) if math.isfinite(floor) else first
    last = min(last, math.floor(ceiling * factor / step + 1e-9)) if math.isfinite(ceiling) else last
    if last - first < 1:
        first = last - 1
    ticks = tuple(
        (at * step / factor, f"{before}{_number(at * step, step)}{after if at else _zero(after)}")
        for at in range(first, last + 1)
    )
    return Scale(min(low, ticks[0][0]), max(high, ticks[-1][0]), ticks)


def _limits(low: float, high: float, unit: str) -> tuple[float, float]:
    """Return how far a scale may reach beyond its values: shares end at one, points at a hundred, counts at zero."""
    floor = 0.0 if low >= 0 else -math.inf
    if unit == "ratio" and high <= 1:
        return floor, 1.0
    if unit == "points" and low >= -100 and high <= 100:
        return max(floor, -100.0), 100.0
    return floor, math.inf


def _display(high: float, unit: str) -> tuple[float, str, str]:
    """Return what a value is multiplied with to be shown, and what stands before and after the number."""
    choices: tuple[tuple[float, float, str], ...]
    match unit:
        case "hours":
            choices = ((48, 1 / 24, "d"), (2, 1.0, "h"), (0, 60.0, "min"))
        case "days":
            choices = ((2, 1.0, "d"), (0, 24.0, "h"))
        case "milliseconds":
            choices = ((2000, 1 / 1000, "s"), (0, 1.0, "ms"))
        case "megabytes":
            choices = ((2000, 1 / 1000, "GB"), (0, 1.0, "MB"))
        case "per day":
            choices = ((1, 1.0, "/day"), (1 / 7, 7.0, "/week"), (0, 30.0, "/month"))
        case "per week":
            choices = ((1, 1.0, "/week"), (0, 30 / 7, "/month"))
        case "ratio":
            choices = ((2.001, 1.0, "\u00d7"), (0, 100.0, "%"))
        case _:
            suffix = {"per month": "/month", "per second": "/s", "months": "mo"}.get(unit, "")
            return 1.0, {"rank": "#", "dollars": "$"}.get(unit, ""), _spaced(suffix)
    factor, suffix = next(((factor, suffix) for least, factor, suffix in choices if high >= least), (1.0, ""))
    return factor, "", _spaced(suffix)


def _spaced(suffix: str) -> str:
    return suffix if suffix[:1] in ("", "/", "\u00d7") else NO_BREAK + suffix


def _zero(after: str) -> str:
    """A zero needs no unit, but for per cent."""
    return after if after.endswith("%") else ""


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least * 0.999)


def _number(value: float, step: float) -> str:
    """A tick's number with the decimals of its step; thousands from 10,000 on as '20 k', '1.5 M'."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if step >= size / 10 and abs(value) >= size and (abs(value) >= 10_000 or step >= 10_000):
            return f"{value / size:g}{NO_BREAK}{letter}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value + 0.0:,.{decimals}f}"


def _stretched(low: float, high: float, known: tuple[tuple[float, str], ...], stretch: float) -> Scale:
    bottom = max((at for at, _ in known if at <= low * 0.8), default=0.0)
    top = next((at for at, _ in known if at >= high * 1.1 and at > bottom), high * 1.1)
    if sum(bottom <= at <= top for at, _ in known) < 2:
        bottom = 0.0  # beyond the known ticks: at least zero and the last of them
    scale = Scale(bottom, top, tuple(tick for tick in known if bottom <= tick[0] <= top), stretch)
    return Scale(bottom, top, _thinned(scale), stretch)


def _thinned(scale: Scale) -> tuple[tuple[float, str], ...]:
    """Drop ticks whose labels would touch the one above."""
    kept: list[tuple[float, str]] = []
    for tick in reversed(scale.ticks):
        if not kept or scale.position(kept[-1][0]) - scale.position(tick[0]) >= CLOSEST_TICKS:
            kept.append(tick)
    return tuple(reversed(kept))
