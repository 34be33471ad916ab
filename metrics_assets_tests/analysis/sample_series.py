"""Seeded daily series as the product has them, with labelled events, and a detector's measure on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

FIRST_DAY = date(2023, 1, 2)
KINDS = ("spike", "drop", "level_shift", "missing_data")
METRICS = ("stars_new", "issues_opened", "commits", "pull_requests_merged")


@dataclass(frozen=True)
class Event:
    """What was put into a series: a detector finds it with an anomaly on one of the days [first, last]."""

    metric: str
    subject: str
    kind: str
    first: date
    last: date


@dataclass(frozen=True)
class Measure:
    found: float  # share of the events that have an alarm on one of their days
    by_kind: dict[str, float]
    false_alarms: float  # alarms per clean series and judged year


def sample(clean: int, eventful: int, days: int, seed: int) -> tuple[pd.DataFrame, list[Event]]:
    """Return daily values (columns as `detect_anomalies` takes them) and the events of the eventful series.

    Counts are negative binomial around a rate with a weekday pattern, growth and a slow wave; subjects named
    clean/... have no event. Eventful series come to at least 3 a day, so that their events can be seen, and
    get an event every 40 to 90 days from day 70 on. One series in three lacks 1 % of its days.
    """
    rng = np.random.default_rng(seed)
    frames, events = [], []
    for number in range(clean + eventful):
        metric = METRICS[number % len(METRICS)]
        subject = f"{'clean' if number < clean else 'eventful'}/r{number}"
        rate = float(np.exp(rng.uniform(np.log(0.1 if number < clean else 3.0), np.log(400.0))))
        mean = rate * _shape(days, rng)
        missing = rng.random(days) < (0.01 if number % 3 == 0 else 0.0)
        if number >= clean:
            day = 70 + int(rng.integers(0, 30))
            while day < days - 15:
                kind = KINDS[int(rng.integers(len(KINDS)))]
                last = _disturb(kind, day, mean, missing, rng)
                whole = FIRST_DAY + timedelta(days=day), FIRST_DAY + timedelta(days=last)
                events.append(Event(metric, subject, kind, *whole))
                day += int(rng.integers(40, 90))
        spread = float(rng.choice([0.0, 0.02, 0.1, 0.25]))
        frames.append(_frame(metric, subject, _counts(mean, spread, rng), missing))
    return pd.concat(frames, ignore_index=True), events


def measure(anomalies: pd.DataFrame, events: list[Event]) -> Measure:
    """Compare the rows of `detect_anomalies` with the events that were put in."""
    alarms = anomalies[anomalies["state"] == "anomaly"]
    days = {key: set(group["date"].tolist()) for key, group in alarms.groupby(["metric", "subject"], sort=False)}
    hits = [
        any(event.first <= day <= event.last for day in days.get((event.metric, event.subject), ())) for event in events
    ]
    by_kind = {
        kind: float(np.mean([hit for hit, event in zip(hits, events, strict=True) if event.kind == kind]))
        for kind in KINDS
    }
    clean = anomalies["subject"].str.startswith("clean/")
    judged = int((clean & (anomalies["state"] != "too_few")).sum())
    false = int((alarms["subject"].str.startswith("clean/")).sum())
    return Measure(float(np.mean(hits)), by_kind, false / (judged / 365.25))


def _shape(days: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    at = np.arange(days)
    weekend = float(rng.choice([1.0, 0.6, 0.25]))
    growth = np.exp(float(rng.choice([0.0, 0.0, 0.5, -0.4])) * at / 365)
    wave = 1 + 0.15 * np.sin(2 * np.pi * (at / 180 + float(rng.random())))
    return np.where(at % 7 >= 5, weekend, 1.0) * growth * wave


def _disturb(
    kind: str,
    day: int,
    mean: np.ndarray[tuple[int], np.dtype[np.float64]],
    missing: np.ndarray[tuple[int], np.dtype[np.bool_]],
    rng: np.random.Generator,
) -> int:
    """Put an event into the series from `day` on and return the last day on which finding it counts."""
    if kind == "spike":
        mean[day] = mean[day] * rng.uniform(2.5, 6) + 5
        return day + 1
    if kind == "drop":
        length = int(rng.integers(2, 6))
        mean[day : day + length] *= rng.uniform(0, 0.3)
        return day + length
    if kind == "level_shift":
        mean[day:] *= float(rng.choice([rng.uniform(1.6, 2.5), rng.uniform(0.3, 0.6)]))
        return day + 13
    length = int(rng.integers(3, 11))
    missing[day : day + length] = True
    return day + length - 1


def _counts(
    mean: np.ndarray[tuple[int], np.dtype[np.float64]], spread: float, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    rate = mean if spread == 0 else rng.gamma(1 / spread, spread * np.maximum(mean, 1e-12))
    return rng.poisson(rate)


def _frame(
    metric: str,
    subject: str,
    counts: np.ndarray[tuple[int], np.dtype[np.int64]],
    missing: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "metric": metric,
            "subject_kind": "repository",
            "subject": subject,
            "date": [FIRST_DAY + timedelta(days=day) for day in range(len(counts))],
            "value": np.where(missing, np.nan, counts.astype(np.float64)),
            "n": None,
            "state": np.where(missing, "unknown", "ok"),
        }
    )
