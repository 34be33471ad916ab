"""Vertical scales of the charts, with ticks that people know: hours, days, weeks; daily, weekly, monthly.

Durations and rates span from minutes to months. Their scales are stretched near zero (inverse hyperbolic
sine: like a logarithm, but zero has a place), so that the tier bands stay visible and a zero can be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HOUR_TICKS = (
    (0.0, "0"), (0.25, "15 min"), (1.0, "1 h"), (6.0, "6 h"), (24.0, "1 d"), (168.0, "1 wk"),
    (720.0, "30 d"), (2160.0, "90 d"), (8760.0, "1 y"), (87600.0, "10 y"),
)  # fmt: skip
RATE_TICKS = (
    (0.0, "0"), (1 / 30, "1/month"), (1 / 7, "1/week"), (1.0, "1/day"), (3.0, "3/day"), (10.0, "10/day"),
    (30.0, "30/day"), (100.0, "100/day"), (1000.0, "1,000/day"),
)  # fmt: skip
RATIO_STEPS = (0.01, 0.02, 0.05, 0.10, 0.25)
CLOSEST_TICKS = 0.1  # share of the height under which two labels would touch


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
    match unit:
        case "hours":
            return _stretched(low, high, HOUR_TICKS, stretch=0.5)
        case "per day":
            return _stretched(low, high, RATE_TICKS, stretch=1 / 30)
        case "ratio":
            return _ratio(high)
        case "points":
            return Scale(0, 100, tuple((float(at), str(at)) for at in (0, 25, 50, 75, 100)))
        case _:
            step = max(1.0, 10.0 ** math.floor(math.log10(high or 1)))
            top = step * math.ceil((high or 1) / step)
            return Scale(min(0.0, low), top, ((0.0, "0"), (top, f"{top:,.0f}")))


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


def _ratio(high: float) -> Scale:
    step = next((step for step in RATIO_STEPS if step * 4 >= high), 0.25)
    steps = max(4, math.ceil(high / step - 1e-9))
    return Scale(0.0, step * steps, tuple((step * i, f"{step * i * 100:.0f} %") for i in range(steps + 1)))
