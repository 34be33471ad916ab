"""A made-up portfolio for the tests of the pages: services, a library, and some that cannot be measured."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pandas as pd

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.reporting.data import (
    ALERT_COLUMNS,
    ANOMALY_COLUMNS,
    FOUR_KEYS,
    OVERVIEW_METRICS,
    TIER_COLUMNS,
    VALUE_COLUMNS,
    MetricInfo,
    OverviewData,
    RepositoryInfo,
    TierBand,
)

LAST = date(2026, 11, 20)
START = date(2026, 4, 1)

# repository -> the four keys, rework and health at the end; None is unknown, a string too few
TYPICAL: dict[str, tuple[float | str | None, ...]] = {
    "aurora/gateway": (2.4, 31.0, 0.074, 3.3, 0.05, 82),
    "aurora/billing": (0.6, 196.0, 0.46, 30.0, 0.21, 58),
    "aurora/search": (1.3, 52.0, 0.19, 6.8, 0.11, 74),
    "aurora/design-system": (0.11, 260.0, 0.0, None, "2", 91),
    "aurora/notifications": (0.36, 9.5, "2", 0.4, 0.0, 66),
    "aurora/notebooks": (None, None, None, None, None, 45),
}


def catalogue_metrics() -> dict[str, MetricInfo]:
    fields = [field.name for field in dataclasses.fields(MetricInfo)]
    known = load_catalogue().metrics
    return {key: MetricInfo(**{name: getattr(known[key], name) for name in fields}) for key in OVERVIEW_METRICS}


def catalogue_bands() -> dict[str, tuple[TierBand, ...]]:
    found: dict[str, tuple[TierBand, ...]] = {}
    for band in load_tiers().bands:
        if band.tier_set == "standard":
            found[band.metric] = (*found.get(band.metric, ()), TierBand(band.tier, band.at_least, band.below))
    return found


def tier_of(value: float, bands: Iterable[TierBand]) -> str:
    return next(
        band.tier
        for band in bands
        if (band.at_least is None or value >= band.at_least) and (band.below is None or value < band.below)
    )


def overview_data(**changes: Any) -> OverviewData:
    """Eight repositories; `changes` replaces fields of the result."""
    repositories = (
        RepositoryInfo("aurora/gateway", "platform", "active", "deployments"),
        RepositoryInfo("aurora/billing", "payments", "active", "deployments"),
        RepositoryInfo("aurora/search", "discovery", "active", "workflow_runs"),
        RepositoryInfo("aurora/design-system", "web", "active", "releases"),
        RepositoryInfo("aurora/notifications", "platform", "active", "deployments"),
        RepositoryInfo("aurora/notebooks", None, "active", None),
        RepositoryInfo("aurora/legacy-portal", "web", "archived", "deployments"),
        RepositoryInfo("aurora/new-idea", "discovery", "empty", None),
    )
    fields: dict[str, Any] = {
        "portfolio": "aurora",
        "data_through": LAST,
        "start": START,
        "tier_source": "standard bands of requirements S4-14 to S4-17",
        "metrics": catalogue_metrics(),
        "bands": catalogue_bands(),
        "repositories": repositories,
        "values": values_frame(TYPICAL),
        "tiers": tiers_frame(TYPICAL),
        "alerts": alerts_frame(),
        "anomalies": anomalies_frame(),
        "problems": ("aurora/billing: pull requests incomplete, 212 of 240 collected",),
        "run": "5f3a91c2",
    }
    return OverviewData(**{**fields, **changes})


def large_data(size: int) -> OverviewData:
    """A portfolio of that many measured repositories."""
    pattern = list(TYPICAL.values())[:5]
    typical = {f"aurora/service-number-{i:02d}": pattern[i % 5] for i in range(size)}
    repositories = tuple(
        RepositoryInfo(name, f"team-{i % 7}", "active", "deployments") for i, name in enumerate(typical)
    )
    return overview_data(
        repositories=repositories, values=values_frame(typical), tiers=tiers_frame(typical), problems=()
    )


def values_frame(typical: dict[str, tuple[float | str | None, ...]]) -> pd.DataFrame:
    rows = []
    days = [START + timedelta(days=i) for i in range((LAST - START).days + 1)]
    for repository, ends in typical.items():
        for metric, end in zip(OVERVIEW_METRICS, ends, strict=True):
            rows += _series(repository, metric, end, days)
    frame = pd.DataFrame(rows, columns=list(VALUE_COLUMNS))
    frame["date"] = pd.to_datetime(frame["date"])
    return frame


def _series(repository: str, metric: str, end: float | str | None, days: list[date]) -> list[tuple[object, ...]]:
    dice = random.Random(f"{repository} {metric}")
    drift, wave = dice.uniform(-0.5, 0.5), dice.uniform(10, 30)
    rows: list[tuple[object, ...]] = []
    level = 0.0
    for index, on in enumerate(days):
        left = len(days) - 1 - index
        level = 0.9 * level + dice.gauss(0, 0.05)
        is_hole = repository.endswith("search") and 60 < left < 100 and metric != "health_score"
        if end is None or is_hole:
            rows.append((repository, metric, on, None, 0, "unknown"))
        elif isinstance(end, str):
            rows.append((repository, metric, on, 0.5, int(end), "too_few"))
        else:
            shape = math.exp((drift * left / len(days) + 0.12 * math.sin(left / wave) + level) * min(1, left / 14))
            value = min(100.0, end * shape) if metric == "health_score" else end * shape
            state = "provisional" if left < 3 and metric != "health_score" else "ok"
            rows.append((repository, metric, on, value, max(3, int(20 * shape)), state))
    return rows


def tiers_frame(typical: dict[str, tuple[float | str | None, ...]]) -> pd.DataFrame:
    bands = catalogue_bands()
    rows = [
        (repository, metric, tier_of(value, bands[metric]))
        for repository, ends in typical.items()
        for metric, value in zip(OVERVIEW_METRICS, ends, strict=True)
        if metric in FOUR_KEYS and isinstance(value, float)
    ]
    return pd.DataFrame(rows, columns=list(TIER_COLUMNS))


def alerts_frame() -> pd.DataFrame:
    rows = [
        ("low_deployment_activity", "Low deployment activity", "aurora/notifications", "warning", "firing",
         pd.Timestamp("2026-11-17"), 2.0, 9, 9.0, "2 deployments in 7 days, 9 in the 7 before (78 % fewer)."),
        ("lead_time_bottleneck", "Lead time bottleneck", "aurora/billing", "critical", "acknowledged",
         pd.Timestamp("2026-11-12"), 640.0, 5, 196.0,
         "Changes of the last week took 27 d to ship, 3.3 times the usual 8.2 d."),
        ("low_deployment_activity", "Low deployment activity", "aurora/gateway", "warning", "resolved",
         pd.Timestamp("2026-10-01"), 2.0, 9, 9.0, "This one is over."),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(ALERT_COLUMNS))


def anomalies_frame() -> pd.DataFrame:
    rows = [
        ("deployments_succeeded", "aurora/gateway", pd.Timestamp("2026-11-18"), 14.0, 2.3, "warning", "spike",
         "14 deployments, 2.3 expected for a Wednesday: six times the usual."),
        ("lead_time_hours", "aurora/billing", pd.Timestamp("2026-11-14"), 212.0, 120.0, "critical", "spike",
         "8.8 d where 5 d was expected."),
        ("issues_opened", "aurora/search", pd.Timestamp("2026-11-02"), 40.0, 6.0, "info", "spike",
         "Older than a week: not listed."),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(ANOMALY_COLUMNS))
