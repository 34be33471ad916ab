"""Seeded daily series of the kinds that projects have, so that the pooled model knows something from the first day.

A new installation has a handful of short series: too little to learn 90 days ahead from. Simulated counts with
weekdays, growth and bursts, totals, shares and durations stand in, and weigh little once there are real ones.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from metrics_assets.analysis.forecasting.grid import Grid, grid_of
from metrics_assets.analysis.forecasting.settings import Floats

SERIES = 320
DAYS = 420
KINDS = ("count", "rare", "total", "ratio", "hours", "walk")


def simulated_grid(last: date, seed: int, series: int = SERIES, days: int = DAYS) -> Grid:
    """Return simulated series [series, days] that end on `last`; a third of them begins late, as new projects do."""
    rng = np.random.default_rng(seed)
    kinds = np.array(KINDS)[np.arange(series) % len(KINDS)]
    rate = _rates(last, series, days, rng)
    rare = rng.poisson(rate * 10 ** rng.uniform(-3.5, -0.5, (series, 1)) * _bursts(series, days, rng))
    dispersion = rng.choice([0.02, 0.1, 0.3, 1.0], (series, 1))
    volume = np.exp(rng.uniform(np.log(0.3), np.log(5000), (series, 1)))
    counts = rng.poisson(volume * rate * rng.gamma(1 / dispersion, dispersion, (series, days)))
    wander = np.cumsum(rng.standard_t(4, (series, days)) * 10 ** rng.uniform(-3, -1, (series, 1)), axis=1)
    noise = rng.normal(0, 1, (series, days))
    of_kind: dict[str, Floats] = {
        "count": counts.astype(np.float64),
        "rare": rare.astype(np.float64),
        "total": np.cumsum(np.where(volume < 20, counts, rare), axis=1) + np.round(volume),
        "ratio": np.clip(rng.uniform(0.1, 0.95, (series, 1)) + wander / 3 + 0.05 * dispersion * noise, 0.0, 1.0),
        "hours": np.exp(rng.uniform(0, 5, (series, 1)) + wander + (0.1 + dispersion / 2) * noise) * np.sqrt(rate),
        "walk": np.round(np.maximum(volume * np.exp(wander), 0.0)),
    }
    values = np.select([kinds[:, None] == kind for kind in KINDS], [of_kind[kind] for kind in KINDS])
    late = np.where(rng.random(series) < 1 / 3, rng.integers(0, days - 60, series), 0)
    values = np.where(np.arange(days) < late[:, None], np.nan, values)
    lacking = rng.random((series, days)) < rng.choice([0.0, 0.0, 0.02, 0.1], (series, 1))
    values = np.where(lacking, np.nan, values)
    keys = pd.DataFrame({"metric": kinds, "subject_kind": "simulated", "subject": np.arange(series).astype(str)})
    return grid_of(keys, last, values, np.where(kinds == "ratio", "ratio", "count"))


def _rates(last: date, series: int, days: int, rng: np.random.Generator) -> Floats:
    """Return how busy each day is: weekends, growth or decay, a slow wave, steps; 1 on an ordinary day."""
    day = np.arange(days)
    weekday = (last.weekday() - (days - 1 - day)) % 7
    weekend = rng.choice([1.0, 1.0, 0.7, 0.4, 0.15], (series, 1))
    growth = np.exp(rng.choice([0.0, 0.0, 0.4, 1.0, -0.4, -1.0], (series, 1)) * (day - days / 2) / 365)
    wave = 1 + rng.uniform(0, 0.4, (series, 1)) * np.sin(2 * np.pi * (day / 180 + rng.random((series, 1))))
    step = np.where(day > rng.integers(0, 2 * days, (series, 1)), rng.uniform(0.4, 2.0, (series, 1)), 1.0)
    rates: Floats = np.where(weekday >= 5, weekend, 1.0) * growth * wave * step * _bursts(series, days, rng)
    return rates


def _bursts(series: int, days: int, rng: np.random.Generator) -> Floats:
    """Return 1, and more for some days after a release or a mention: a jump that fades over about five days."""
    jumps = np.where(rng.random((series, days)) < 1 / 90, rng.exponential(3.0, (series, days)), 0.0)
    jumps = np.where(rng.random((series, 1)) < 0.5, jumps, 0.0)
    fading = np.zeros(series)
    bursts = np.ones((series, days))
    for day in range(days):
        fading = 0.8 * fading + jumps[:, day]
        bursts[:, day] += fading
    return bursts
