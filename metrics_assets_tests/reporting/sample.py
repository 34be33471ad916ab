"""A made-up portfolio for the tests of the pages: services, a library, and some that cannot be measured."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from metrics_assets import addresses
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.reporting.data import (
    FOUR_KEYS,
    REWORK,
    Anomaly,
    Backtest,
    Forecast,
    ForecastPoint,
    MetricInfo,
    Point,
    Series,
    SiteInfo,
    Target,
    TierBand,
)
from metrics_assets.reporting.from_catalogue import metric_infos, tier_bands, tier_of
from metrics_assets.reporting.pages.delivery_data import QUICK_CHECK, DeliveryData, Failure, TierSet
from metrics_assets.reporting.pages.key_figures import CATEGORIES, Compared, KeyFigures
from metrics_assets.reporting.pages.overview import DayStatus, OverviewData
from metrics_assets.reporting.pages.repository_data import (
    DAILY_DAYS,
    STAGES,
    TRENDS,
    Component,
    Day,
    Facts,
    Health,
    Part,
    Peer,
    RepositoryData,
    Steps,
)
from metrics_assets.reporting.pages.summaries import (
    RESPONSE,
    STARS,
    SUMMARY_METRICS,
    Figure,
    GateStand,
    OpenAlert,
    Summary,
    Told,
)
from metrics_assets.reporting.verdict import Goal

LAST = date(2026, 11, 20)
START = date(2025, 11, 1)
WEEKS = 53
TIER_KEYS = ("deployment_frequency", "lead_time_hours", "change_failure_rate", "recovery")

# repository -> the four keys, rework, health, stars and first response; None is unknown, a string too few
TYPICAL: dict[str, tuple[float | str | None, ...]] = {
    "aurora/gateway": (2.4, 31.0, 0.074, 3.3, 0.05, 82.0, 4200.0, 2.1),
    "aurora/billing": (0.6, 196.0, 0.46, 30.0, 0.21, 58.0, 12.0, 30.0),
    "aurora/search": (1.3, 52.0, 0.19, 6.8, 0.11, 74.0, 700.0, 9.0),
    "aurora/design-system": (0.11, 260.0, 0.0, None, "2", 91.0, 1500.0, "1"),
    "aurora/notifications": (0.36, 9.5, "2", 0.4, 0.0, 66.0, 80.0, 5.0),
    "aurora/notebooks": (None, None, None, None, None, 45.0, 3.0, None),
}
PORTFOLIO = (1.1, 96.0, 0.17, 5.4, 0.1)


@cache
def metrics() -> Mapping[str, MetricInfo]:
    return metric_infos(load_catalogue())


@cache
def bands() -> Mapping[str, tuple[TierBand, ...]]:
    return tier_bands(load_tiers())


def site(**changes: Any) -> SiteInfo:
    fields: dict[str, Any] = {
        "portfolio": "Aurora",
        "data_through": LAST,
        "start": START,
        "tier_source": "standard bands",
        "problems": (),
        "pages": frozenset(
            {
                addresses.OVERVIEW, addresses.DELIVERY, addresses.REPOSITORIES, addresses.GOALS, addresses.RELEASES,
                addresses.ALERTS, addresses.INSIGHTS, addresses.METHOD,
                *(addresses.repository(name) for name in (*TYPICAL, "aurora/legacy", "aurora/new-idea")),
            }
        ),
    }  # fmt: skip
    return SiteInfo(**{**fields, **changes})


def days() -> list[date]:
    return [LAST - timedelta(weeks=weeks) for weeks in reversed(range(WEEKS))]


def series(
    metric: str, end: float | str | None, *, subject: str = "Aurora", kind: str = "portfolio", **changes: Any
) -> Series:
    """53 weeks that end with a value: None is unknown in all of them, a string too few with that n."""
    fields: dict[str, Any] = {
        "metric": metrics()[metric],
        "subject_kind": kind,
        "subject": subject,
        "points": _points(metric, subject, end),
        "tier": tier_of(end, bands().get(metric, ())) if isinstance(end, float) else None,
        "bands": bands().get(metric, ()),
    }
    return Series(**{**fields, **changes})


def weeks_of(metric: str, values: Sequence[float | None], **changes: Any) -> Series:
    """A series of these values, the last of which is that of the last day."""
    points = tuple(
        Point(LAST - timedelta(weeks=len(values) - 1 - index), value, 9 if value is not None else None,
              "unknown" if value is None else "ok")
        for index, value in enumerate(values)
    )  # fmt: skip
    last = values[-1] if values else None
    tier = tier_of(last, bands().get(metric, ()))
    fields: dict[str, Any] = {"points": points, "tier": tier}
    return series(metric, None, **{**fields, **changes})


def full_series(metric: str, end: float, **changes: Any) -> Series:
    """A series with everything that a chart can show."""
    spread = [end * factor for factor in (0.8, 1.0, 1.3)]
    fields: dict[str, Any] = {
        "anomalies": tuple(
            Anomaly(
                LAST - timedelta(days=days), end * 3, end, "warning", "spike", f"{metric} was unusual.", "release 1.2"
            )
            for days in (10, 40, 90)
        ),
        "forecast": Forecast(
            LAST,
            tuple(ForecastPoint(LAST + timedelta(weeks=weeks), *spread) for weeks in range(1, 14)),
            tuple(
                Backtest(days, LAST + timedelta(days=days), *spread, "pooled", 60, 0.1, 0.13, 0.81, True)
                for days in (7, 30, 90, 180)
            ),
        ),
        "target": Target("A goal", end * 0.9, "at_most", "at risk", date(2026, 12, 31)),
    }
    return series(metric, end, **{**fields, **changes})


def _points(metric: str, subject: str, end: float | str | None) -> tuple[Point, ...]:
    dice = random.Random(f"{metric} {subject}")
    points = []
    for index, on in enumerate(days()):
        if end is None:
            points.append(Point(on, None, 0, "unknown"))
        elif isinstance(end, str):
            points.append(Point(on, None, int(end), "too_few"))
        else:
            left = WEEKS - 1 - index
            value = end * math.exp(dice.gauss(0, 0.2) * min(1, left / 4))
            points.append(Point(on, value, 20, "provisional" if left == 0 else "ok", value * 0.8, value * 1.2))
    return tuple(points)


def figure(metric: str, end: float | str | None) -> Figure:
    if isinstance(end, str):
        return Figure(None, int(end), "too_few")
    if end is None:
        return Figure(None, 0, "unknown")
    tier = tier_of(end, bands().get(metric, ())) if metric in FOUR_KEYS else None
    light: Any = None
    if metric == STARS:
        light = "green" if end >= 1000 else "yellow" if end >= 500 else "red"
    if metric == RESPONSE:
        light = "green" if end < 4 else "yellow" if end < 24 else "red"
    return Figure(end, 20, "ok", tier, light)


def summary(repository: str, ends: Sequence[float | str | None], **changes: Any) -> Summary:
    fields: dict[str, Any] = {
        "repository": repository,
        "state": "active",
        "ships_by": "deployments" if ends and ends[0] is not None else None,
        "figures": {metric: figure(metric, end) for metric, end in zip(SUMMARY_METRICS, ends, strict=False)},
        "health_weeks": tuple(60.0 + week for week in range(26)),
    }
    return Summary(**{**fields, **changes})


def summaries() -> tuple[Summary, ...]:
    """Six active repositories, one that is archived and one that is empty."""
    active = [summary(name, ends) for name, ends in TYPICAL.items()]
    return (*active, summary("aurora/legacy", (), state="archived"), summary("aurora/new-idea", (), state="empty"))


def alert(rule: str, subject: str, severity: str = "warning", **changes: Any) -> OpenAlert:
    fields: dict[str, Any] = {
        "rule": rule,
        "title": rule.replace("_", " ").capitalize(),
        "subject_kind": "repository",
        "subject": subject,
        "metric": "lead_time_hours",
        "severity": severity,
        "state": "firing",
        "opened_on": date(2026, 11, 17),
        "text": f"{rule} holds.",
        "anchor": f"alert-{rule}-00000000",
    }
    return OpenAlert(**{**fields, **changes})


def goal(goal: str, value: float | None, status: str, **changes: Any) -> Goal:
    fields: dict[str, Any] = {
        "goal": goal,
        "title": goal.replace("_", " ").capitalize(),
        "subject_kind": "portfolio",
        "subject": "Aurora",
        "metric": "lead_time_hours",
        "value": value,
        "target": 24.0,
        "comparison": "below",
        "status": status,
        "reason": "as the figures say",
    }
    return Goal(**{**fields, **changes})


def key_figures() -> KeyFigures:
    known = {STARS: (4022.0, 3579.0, 2794.0), "bugs_open": (21.0, 23.0, 0.0)}
    categories = tuple(
        (name, tuple(_compared(key, known.get(key, (None, None, None))) for key in keys if key in metrics()))
        for name, keys in CATEGORIES.items()
    )
    stars = (_compared("performance_weighted_adoption", (1.4, None, 1.0), "Fast, and chosen for it."),)
    return KeyFigures(date(2026, 10, 20), date(2026, 8, 20), stars, categories)


def _compared(metric: str, values: Sequence[float | None], why: str = "") -> Compared:
    return Compared(metrics()[metric], *(figure(metric, value) for value in values), why)


def overview(**changes: Any) -> OverviewData:
    fields: dict[str, Any] = {
        "keys": tuple(full_series(key, end) for key, end in zip((*FOUR_KEYS, REWORK), PORTFOLIO, strict=True)),
        "metrics": metrics(),
        "summaries": summaries(),
        "alerts": (
            alert("low_deployment_activity", "aurora/notifications"),
            alert("lead_time_bottleneck", "aurora/billing", "critical", state="acknowledged"),
        ),
        "goals": (goal("lead_time", 96.0, "off track"), goal("stars", 30.0, "met"), goal("later", None, "unknown")),
        "key_figures": key_figures(),
        "insights": tuple(Told("portfolio", "Aurora", LAST, f"Sentence {n}.", "Act.") for n in range(5)),
        "gates": (GateStand("beta", "Beta", "repository", "aurora/gateway", "failed", 60.0, ("Docs",)),),
        "status": DayStatus("issues"),
    }
    return OverviewData(**{**fields, **changes})


def repository_series(name: str = "aurora/gateway", *, end: float = 31.0) -> dict[str, Series]:
    keys = [*TRENDS, *(stage for stage in STAGES if stage not in TRENDS)]
    return {key: full_series(key, end, subject=name, kind="repository") for key in keys if key in metrics()}


def repository(name: str = "aurora/gateway", **changes: Any) -> RepositoryData:
    fields: dict[str, Any] = {
        "summary": summary(name, TYPICAL.get(name, TYPICAL["aurora/gateway"])),
        "facts": Facts("The way in.", "main", date(2020, 1, 1), "v1.2", date(2026, 11, 1), LAST, "v1.2", ("pypi: gw",)),
        "parts": (Part("service", f"{name}#edge", "deployments", {key: figure(key, 1.0) for key in FOUR_KEYS}),),
        "steps": Steps(
            days_observed=28,
            window={"merged": 25, "shipped": 20, "waiting": 3, "baseline": 0, "untied": 2},
            shipped_in_window=22,
            changes=(("shipped", None, 300), ("untied", "its commit is in no deployment", 7)),
            succeeded=80,
            failed=4,
            deployments_in_window=20,
            failing_in_window=2,
            failures=(("incident", 5), ("revert", 1)),
            incidents=(("time", 1), ("sha", 3), (None, 2)),
        ),
        "week": {"lead_time_hours": figure("lead_time_hours", 30.0)},
        "days": tuple(
            Day(LAST - timedelta(days=left), 1, 0, dict.fromkeys(FOUR_KEYS, 1.0))
            for left in reversed(range(DAILY_DAYS))
        ),
        "peers": (Peer("lead_time_hours", 2, 6, 0.8, 52.0),),
        "health": Health(
            82.0, 0.85, 1,
            (
                Component("contributor_growth", "ok", 1.1, 26, 80.0, 15.0, 14.1),
                Component("fork_growth", "unknown", None, None, None, 15.0, None),
            ),
        ),
        "alerts": (alert("lead_time_bottleneck", name),),
        "anomalies": ((metrics()["issues_opened"], Anomaly(LAST, 40.0, 6.0, "warning", "spike", "40 issues.", None)),),
        "insights": (Told("repository", name, LAST, "The bottleneck is review.", "Make them smaller."),),
        "gates": (GateStand("beta", "Beta", "repository", name, "failed", 60.0, ("Docs", "Tests")),),
    }  # fmt: skip
    return RepositoryData(**{**fields, **changes})


def delivery(**changes: Any) -> DeliveryData:
    keys = dict(zip((*FOUR_KEYS, REWORK), PORTFOLIO, strict=True))
    of_all = {key: full_series(key, end) for key, end in keys.items()}
    of_all |= {key: series(key, 10.0) for key in STAGES}
    of_all |= {key: series(key, 7.0) for key in QUICK_CHECK}
    fields: dict[str, Any] = {
        "series": of_all,
        "metrics": metrics(),
        "summaries": summaries(),
        "hours": {(1, 9): (12, 1), (5, 16): (3, 2)},
        "signals": (("incident", 3), ("revert", 1)),
        "failures": (
            Failure("aurora/billing", "v9", ("incident", "revert"), datetime(2026, 11, 3, 8, tzinfo=UTC), None, None),
            Failure("aurora/search", None, ("rollback",), datetime(2026, 11, 9, 8, tzinfo=UTC),
                    datetime(2026, 11, 9, 10, tzinfo=UTC), 2.0),
        ),
        "tier_sets": (
            TierSet("standard", None, "standard bands", dict.fromkeys(TIER_KEYS, "high"), "unknown", 4),
            TierSet("2021", 2021, "a report", dict.fromkeys(TIER_KEYS, "elite"), "low", 4),
        ),
        "industry": {"lead_time_hours": 5.5, "deployment_frequency": 4.8, "failed_deployment_recovery_hours": 7.4},
    }  # fmt: skip
    return DeliveryData(**{**fields, **changes})
