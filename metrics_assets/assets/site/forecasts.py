"""The page of forecasts: the newest forecasts as of a day, their scenarios and backtests, and what is at risk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.site.open_alerts import TEAM
from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import read_series
from metrics_assets.reporting.data import Series, SiteInfo
from metrics_assets.reporting.pages.forecasts import (
    HORIZONS,
    Event,
    Featured,
    ForecastRow,
    ForecastsData,
    GoalForecast,
    RiskInsight,
    Scenario,
    Span,
    forecasts_files,
)

# What a forecast is about first: growth, contributors, churn, then delivery and what waits.
_PORTFOLIO = (
    "stars_total", "new_contributors_month", "active_contributors_month", "contributor_churn", "downloads_month",
    "deployment_frequency", "lead_time_hours", "change_failure_rate", "issues_open", "community_health_score",
)  # fmt: skip
_PACKAGES = ("downloads_week",)
_MOST_PACKAGES = 4
_SURVEYS = ("community_satisfaction", "contributor_satisfaction_share", "space_satisfaction", "user_satisfaction")
_IMPORTANT = (*_PORTFOLIO, "downloads_week", "failed_deployment_recovery_hours", "rework_rate", "health_score")
_STANDS_DAYS = 8  # an older forecast is none of today
_EVENT_DAYS, _MOST_EVENTS = 28, 12
_LATER_DAYS = 180

_NEWEST = """
select max(date) from metrics.forecasts where date <= :day and date > cast(:day as date) - :stands
"""
# A row is a figure with its forecasts of 30, 90 and 180 days ahead; portfolio first, then packages, then the others.
_FORECASTS = f"""
select metric, subject_kind, subject, horizon, p10, p50, p90, method, beats_naive, n, crps, naive_crps, coverage, reason
from metrics.forecasts
where date = :made_on and subject_kind <> '{TEAM}' and horizon = any (:horizons)
order by
    coalesce(array_position(cast(:important as text[]), metric), 1000),
    coalesce(array_position(array['portfolio', 'package', 'community', 'repository'], subject_kind), 9),
    metric, subject, horizon
"""
# psycopg2 writes the day into the text, so that the planner reads one day of each branch.
_NOW = f"""
select metric, subject_kind, subject, value
from metrics.metric_values
where date = :made_on and state in ('ok', 'provisional') and subject_kind <> '{TEAM}' and value is not null
"""
_SCENARIOS = """
select subject, metric, horizon, scenario, p10, p50, p90
from metrics.forecast_scenarios
where date = :made_on and subject_kind = :kind and metric = any (:metrics) and subject = any (:subjects)
  and horizon = any (:horizons)
order by subject, metric, horizon, scenario
"""
_GOALS = f"""
select coalesce(goals.title, forecasts.goal), forecasts.subject_kind, forecasts.subject, forecasts.metric,
       forecasts.target, forecasts.comparison, forecasts.due_on, p10_on, p50_on, p90_on, probability, looked_until,
       state, reason
from metrics.goal_forecasts as forecasts
left join metrics.goal_catalogue as goals using (goal)
where forecasts.date = :made_on and forecasts.subject_kind <> '{TEAM}'
  and (goals.pack is null or goals.pack in (select unnest(packs) from ops.portfolio))
order by forecasts.goal, forecasts.subject
"""
_RISKS = f"""
select subject, sentence, action, n, p
from metrics.insights
where topic = 'growth risk' and subject_kind <> '{TEAM}'
  and date = (select max(date) from metrics.insights where date <= :day and date > cast(:day as date) - 31)
order by weight desc, subject, insight
limit 20
"""
_EVENTS = f"""
select date, subject, kind, title
from metrics.known_events
where date <= :day and date > cast(:day as date) - :days and kind <> 'incident' and subject_kind <> '{TEAM}'
order by date desc, subject, kind, title
limit :most
"""


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """forecasts.html and its CSV files."""
    yield from forecasts_files(site, forecasts_data(reading))


def forecasts_data(reading: Reading) -> ForecastsData:
    """What the page shows as of the reading's day; nothing of it is about a team."""
    from metrics_assets.analysis.insights.trends import ACTIONS

    with reading.engine.connect() as connection:
        made_on = connection.execute(sa.text(_NEWEST), {"day": reading.day, "stands": _STANDS_DAYS}).scalar()
        portfolio = connection.execute(sa.text("select portfolio, business_hours from ops.portfolio")).one()
        events = connection.execute(
            sa.text(_EVENTS), {"day": reading.day, "days": _EVENT_DAYS, "most": _MOST_EVENTS}
        ).all()
        risks = connection.execute(sa.text(_RISKS), {"day": reading.day}).all()
        rows = _rows(connection, made_on) if made_on else ()
        goals = connection.execute(sa.text(_GOALS), {"made_on": made_on}).all() if made_on else []
    return ForecastsData(
        made_on=made_on,
        featured=_featured(reading, portfolio.portfolio, rows, made_on),
        surveys=_surveys(reading, portfolio.portfolio),
        rows=rows,
        goals=tuple(GoalForecast(*row) for row in goals),
        risks=tuple(RiskInsight(*row) for row in risks),
        actions=ACTIONS,
        events=tuple(Event(*row) for row in events),
        holidays=_holidays(portfolio.business_hours, reading.day),
        metrics=reading.metrics,
    )


def _rows(connection: sa.Connection, made_on: date) -> tuple[ForecastRow, ...]:
    now = {tuple(key): value for *key, value in connection.execute(sa.text(_NOW), {"made_on": made_on})}
    ahead: dict[tuple[str, str, str], dict[int, Span]] = {}
    first: dict[tuple[str, str, str], Any] = {}
    given = {"made_on": made_on, "horizons": list(HORIZONS), "important": list(_IMPORTANT)}
    for row in connection.execute(sa.text(_FORECASTS), given):
        key = (row.metric, row.subject_kind, row.subject)
        first.setdefault(key, row)  # the nearest horizon is the one that is tested best
        spans = ahead.setdefault(key, {})
        if row.p50 is not None:
            spans[row.horizon] = Span(row.p10, row.p50, row.p90)
    return tuple(
        ForecastRow(
            *key, now.get(key), ahead[key], row.method, row.beats_naive, row.n, row.crps, row.naive_crps, row.coverage,
            row.reason,
        )
        for key, row in first.items()
    )  # fmt: skip


def _featured(
    reading: Reading, portfolio: str, rows: tuple[ForecastRow, ...], made_on: date | None
) -> tuple[Featured, ...]:
    """The portfolio's main figures that have a forecast, then the packages with the most downloads."""
    if made_on is None:
        return ()
    forecast = {(row.subject_kind, row.subject, row.metric) for row in rows if row.method != "too_few"}
    metrics = [key for key in _PORTFOLIO if key in reading.metrics and ("portfolio", portfolio, key) in forecast]
    packages = sorted(
        (row for row in rows if row.subject_kind == "package" and row.metric in _PACKAGES and row.method != "too_few"),
        key=lambda row: -(row.now or 0),
    )[:_MOST_PACKAGES]
    found = []
    for kind, keys, subjects in (
        ("portfolio", metrics, [portfolio]),
        ("package", [key for key in _PACKAGES if key in reading.metrics], [row.subject for row in packages]),
    ):
        series = read_series(reading, keys, kind, subjects)
        scenarios = _scenarios(reading, made_on, kind, keys, subjects)
        found += [Featured(one, scenarios.get(key, ())) for key, one in series.items()]
    return tuple(found)


def _scenarios(
    reading: Reading, made_on: date, kind: str, metrics: list[str], subjects: list[str]
) -> dict[tuple[str, str], tuple[Scenario, ...]]:
    found: dict[tuple[str, str], tuple[Scenario, ...]] = {}
    given = {
        "made_on": made_on, "kind": kind, "metrics": metrics, "subjects": subjects, "horizons": list(HORIZONS),
    }  # fmt: skip
    with reading.engine.connect() as connection:
        for row in connection.execute(sa.text(_SCENARIOS), given):
            key = (row.subject, row.metric)
            entry = Scenario(row.horizon, row.scenario, Span(row.p10, row.p50, row.p90))
            found[key] = (*found.get(key, ()), entry)
    return found


def _surveys(reading: Reading, portfolio: str) -> tuple[Series, ...]:
    """What people answered of the portfolio, where they were asked."""
    keys = [key for key in _SURVEYS if key in reading.metrics]
    series = read_series(reading, keys, "portfolio", [portfolio])
    return tuple(one for one in series.values() if any(point.value is not None for point in one.points))


def _holidays(business_hours: dict[str, Any], day: date) -> tuple[date, ...]:
    """The configured days of rest among the days to come."""
    days = sorted(date.fromisoformat(one) for one in business_hours.get("holidays", []))
    return tuple(one for one in days if day < one <= day + timedelta(days=_LATER_DAYS))
