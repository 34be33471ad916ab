"""Figures out of the warehouse for reports: the rows of some days, series for charts, tiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.reporting.data import (
    Anomaly,
    Backtest,
    Forecast,
    ForecastPoint,
    MetricInfo,
    Point,
    Series,
    State,
    Target,
    Tier,
    TierBand,
)

_WEEKS = 53


@dataclass(frozen=True, slots=True)
class Value:
    value: float | None
    n: int | None
    state: State
    low: float | None
    high: float | None


# By metric, subject kind and subject: the rows by day.
Values = dict[tuple[str, str, str], dict[date, Value]]

# psycopg2 writes the metrics into the statement: the planner then reads their branches of the view and no others.
_SQL = """
select metric, subject_kind, subject, date, n, state, low, high,
       case when state in ('ok', 'provisional') then value end as value
from metrics.metric_values
where metric = any (:metrics) and subject_kind = any (:kinds) and date = any (:days)
order by metric, subject_kind, subject, date
"""


def read_values(
    connection: sa.Connection, metrics: Iterable[str], kinds: Iterable[str], days: Iterable[date]
) -> Values:
    """The rows of some metrics on some days, of subjects of some kinds; never a team's.

    A value of a state other than ok and provisional is None.
    """
    parameters = {"metrics": sorted(set(metrics)), "kinds": sorted(set(kinds) - {"team"}), "days": sorted(set(days))}
    found: Values = {}
    for row in connection.execute(sa.text(_SQL), parameters):
        known = row.value is not None
        value = Value(row.value, row.n, row.state, row.low if known else None, row.high if known else None)
        found.setdefault((row.metric, row.subject_kind, row.subject), {})[row.date] = value
    return found


def tier_of(bands: Sequence[TierBand], value: float | None) -> Tier | None:
    if value is None:
        return None
    for band in bands:
        if (band.at_least is None or value >= band.at_least) and (band.below is None or value < band.below):
            return band.tier
    return None


def report_series(
    connection: sa.Connection,
    metric: MetricInfo,
    portfolio: str,
    through: date,
    target: Target | None,
    bands: Mapping[str, Sequence[TierBand]],
) -> Series:
    """A figure week by week, with its anomalies and its newest forecast as of the day."""
    weeks = [through - timedelta(weeks=back) for back in range(_WEEKS - 1, -1, -1)]
    rows = read_values(connection, [metric.key], ["portfolio"], weeks).get((metric.key, "portfolio", portfolio), {})
    parameters: dict[str, Any] = {
        "metric": metric.key, "portfolio": portfolio, "since": weeks[0], "day": through,
        "lately": through - timedelta(days=7),
    }  # fmt: skip
    anomalies = connection.execute(sa.text(_ANOMALIES), parameters).all()
    of_metric = tuple(bands.get(metric.key, ()))
    last = rows.get(through)
    return Series(
        metric=metric,
        subject_kind="portfolio",
        subject=portfolio,
        points=tuple(
            Point(week, row.value, row.n, row.state, row.low, row.high)
            if (row := rows.get(week))
            else Point(week, None, None, "unknown")
            for week in weeks
        ),
        anomalies=tuple(Anomaly(*row) for row in anomalies),
        forecast=_forecast(connection, parameters),
        target=target,
        tier=tier_of(of_metric, last.value if last else None),
        bands=of_metric,
    )


_ANOMALIES = """
select date, value, expected, severity, kind, explanation, known_event
from metrics.anomalies
where metric = :metric and subject_kind = 'portfolio' and subject = :portfolio and state = 'anomaly'
  and date > :since and date <= :day and explanation is not null
order by date
"""
_PATH = """
select date, p10, p50, p90
from metrics.forecast_paths
where metric = :metric and subject_kind = 'portfolio' and subject = :portfolio and date <= :day and date > :lately
"""
_BACKTESTS = """
select horizon, target_on, p10, p50, p90, method, n, crps, naive_crps, coverage, beats_naive, reason
from metrics.forecasts
where metric = :metric and subject_kind = 'portfolio' and subject = :portfolio and date = :made_on
order by horizon
"""


def _forecast(connection: sa.Connection, parameters: Mapping[str, Any]) -> Forecast | None:
    """The newest forecast, if it was made by the day: the way of an older one is not kept."""
    path = connection.execute(sa.text(_PATH), parameters).one_or_none()
    if path is None:
        return None
    weekly = range(6, len(path.p50), 7)  # element 0 is the day after
    backtests = connection.execute(sa.text(_BACKTESTS), {**parameters, "made_on": path.date})
    return Forecast(
        made_on=path.date,
        points=tuple(
            ForecastPoint(path.date + timedelta(days=at + 1), path.p10[at], path.p50[at], path.p90[at]) for at in weekly
        ),
        backtests=tuple(Backtest(*row) for row in backtests),
    )
