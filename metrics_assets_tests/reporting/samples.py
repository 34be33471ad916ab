"""Builders of the records that pages are made of, for the tests of all pages: one figure, one site."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from metrics_assets import addresses
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.reporting.data import (
    Anomaly,
    Backtest,
    Forecast,
    ForecastPoint,
    MetricInfo,
    Point,
    Series,
    SiteInfo,
    State,
    Target,
    TierBand,
)
from metrics_assets.reporting.from_catalogue import metric_infos, tier_bands

DAY = date(2025, 12, 31)
ALL_PAGES = frozenset(
    (
        addresses.OVERVIEW, addresses.DELIVERY, addresses.REPOSITORIES, addresses.TEAMS, addresses.COMMUNITY,
        addresses.GOALS, addresses.RELEASES, addresses.ALERTS, addresses.FORECASTS, addresses.INSIGHTS,
        addresses.REPORTS, addresses.DATA_QUALITY, addresses.METHOD,
    )
)  # fmt: skip
HOSTILE = "<script>alert(1)</script>\"' onload=x {{ 7*7 }} =1+1 🦊 " + "x" * 300


@cache
def metric(key: str = "lead_time_hours") -> MetricInfo:
    """The catalogue's entry of a metric."""
    return metric_infos(load_catalogue())[key]


@cache
def bands(key: str = "lead_time_hours") -> tuple[TierBand, ...]:
    """The tier bands of a metric, of the standard set."""
    return tier_bands(load_tiers()).get(key, ())


def info(unit: str, *, direction: str = "higher", title: str = "A figure", window: int | None = 28) -> MetricInfo:
    """A metric of a unit, not in the catalogue."""
    return MetricInfo(f"a_{unit.replace(' ', '_')}", title, "", None, unit, direction, window, "Nothing was fed.", 3)


def points(values: Sequence[float | None], *, day: date = DAY, n: int | None = 42) -> tuple[Point, ...]:
    """Weekly points that end with `day`; None is a week that is not known."""
    first = day - timedelta(weeks=len(values) - 1)
    states: dict[bool, State] = {True: "ok", False: "unknown"}
    return tuple(
        Point(first + timedelta(weeks=i), value, n if value is not None else None, states[value is not None])
        for i, value in enumerate(values)
    )


def wave(level: float, *, weeks: int = 53, seed: int = 7, swing: float = 0.2) -> list[float | None]:
    """Values that go up and down around a level."""
    numbers = random.Random(seed)
    return [level * (1 + swing * math.sin(i / 6 + seed) + swing * numbers.uniform(-0.6, 0.6)) for i in range(weeks)]


def series(
    key: str | MetricInfo = "lead_time_hours",
    values: Sequence[float | None] | None = None,
    *,
    subject: str = "aurora/gateway",
    kind: str = "repository",
    level: float = 37.8,
    **changes: Any,
) -> Series:
    """A figure over 53 weeks with the bands of the catalogue; `changes` replaces fields of the series."""
    about = metric(key) if isinstance(key, str) else key
    known = points(wave(level) if values is None else values)
    fields = {"metric": about, "subject_kind": kind, "subject": subject, "points": known, "bands": bands(about.key)}
    return Series(**{**fields, **changes})


def full_series(key: str = "lead_time_hours", *, level: float = 37.8, **changes: Any) -> Series:
    """A figure with all that a chart can show: intervals, anomalies, a goal, a tier, a forecast that was tried."""
    plain = series(key, level=level)
    known = [p for p in plain.points if p.value is not None]
    with_interval = tuple(
        dataclasses.replace(p, low=p.value * 0.8, high=p.value * 1.3) if p.value is not None else p
        for p in plain.points
    )
    provisional = (*with_interval[:-1], dataclasses.replace(with_interval[-1], state="provisional"))
    severities = ((12, "warning"), (14, "critical"), (30, "info"), (49, "critical"))
    unusual = [(known[i], severity) for i, severity in severities]
    found = tuple(
        Anomaly(p.on - timedelta(days=2), p.value, level, severity, "spike", "far above what was expected", None)
        for p, severity in unusual
    )
    fields: dict[str, Any] = {
        "points": provisional,
        "anomalies": found,
        "forecast": forecast(known[-1].value or level),
        "target": Target("Ship faster", level * 0.6, "at_most", "off track", date(2026, 12, 31)),
        "tier": "high",
    }
    return dataclasses.replace(plain, **{**fields, **changes})


def forecast(level: float, *, weeks: int = 26, day: date = DAY) -> Forecast:
    """A forecast of so many weeks, and its backtests."""
    way = tuple(
        ForecastPoint(day + timedelta(weeks=i), level * (1 - 0.02 * i**0.5 * 3), level, level * (1 + 0.03 * i**0.5 * 3))
        for i in range(1, weeks + 1)
    )
    tests = tuple(
        Backtest(days, day + timedelta(days=days), level * 0.6, level * 0.98, level * 1.35, "pooled", 65,
                 0.79, 1.0, 0.81, True)
        for days in (7, 30, 90, 180)
    )  # fmt: skip
    return Forecast(day, way, tests)


def site_info(**changes: Any) -> SiteInfo:
    """A site with all pages; `changes` replaces fields."""
    fields: dict[str, Any] = {
        "portfolio": "Aurora",
        "data_through": DAY,
        "start": date(2025, 6, 1),
        "tier_source": "requirements S4-14 to S4-17",
        "problems": (),
        "pages": ALL_PAGES,
    }
    return SiteInfo(**{**fields, **changes})
