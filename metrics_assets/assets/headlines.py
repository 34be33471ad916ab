"""What the Dagster UI draws of a table: one figure over the last 30 days, for those tables that have a natural one."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.reporting.preview_charts import preview_chart


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure of a table: a SELECT of (date, value) with the parameter :day, the last of the days."""

    title: str
    unit: str
    sql: str


def _of_portfolio(table: str, value: str) -> str:
    return (
        f"select date, {value} from metrics.{table} where subject_kind = 'portfolio' "
        "and date > cast(:day as date) - 30 and date <= :day order by date"
    )


def _counted(table: str, what: str, where: str = "true") -> str:
    return (
        f"select date, count(*) filter (where {what}) from metrics.{table} "
        f"where date > cast(:day as date) - 30 and date <= :day and {where} group by date order by date"
    )


HEADLINES = {
    "dora_daily": Headline(
        "Deployment frequency of the portfolio", "per day", _of_portfolio("dora_daily", "deployment_frequency")
    ),
    "durations_daily": Headline(
        "Median lead time of the portfolio", "hours", _of_portfolio("durations_daily", "lead_time_hours")
    ),
    "group_daily": Headline("Commits of the portfolio", "count", _of_portfolio("group_daily", "commits")),
    "repository_daily": Headline(
        "Commits in all repositories",
        "count",
        "select date, case when count(commits) > 0 then sum(commits) end from metrics.repository_daily "
        "where date > cast(:day as date) - 30 and date <= :day group by date order by date",
    ),
    "community_daily": Headline(
        "People who ever contributed to the portfolio", "count", _of_portfolio("community_daily", "contributors_total")
    ),
    "scores": Headline(
        "Median repository health",
        "points",
        "select date, percentile_cont(0.5) within group (order by value) from metrics.scores "
        "where score = 'repository_health' and date > cast(:day as date) - 30 and date <= :day "
        "group by date order by date",
    ),
    "goals_daily": Headline(
        "Goals that are met or on track", "count", _counted("goals_daily", "status in ('met', 'on track')")
    ),
    "anomalies": Headline("Anomalies found", "count", _counted("anomalies", "state = 'anomaly'")),
    "forecasts": Headline(
        "Deployment frequency of the portfolio, expected over the next 30 days",
        "per day",
        "select date + ahead, p50[ahead] from metrics.forecast_paths cross join generate_series(1, 30) as ahead "
        "where metric = 'deployment_frequency' and subject_kind = 'portfolio' and date = :day "
        "and ahead <= cardinality(p50) order by ahead",
    ),
    "gate_evaluations": Headline(
        "Release gates that pass", "count", _counted("gate_evaluations", "verdict = 'passed'")
    ),
}


def chart_of(connection: sa.Connection, table: str, day: date) -> dict[str, Any]:
    """The chart of a table as metadata; nothing where it has no figure, or no row of these days."""
    headline = HEADLINES.get(table)
    if headline is None:
        return {}
    rows = connection.execute(sa.text(headline.sql), {"day": day}).all()
    if not rows:
        return {}
    days = [(row[0], None if row[1] is None else float(row[1])) for row in rows]
    return {"chart": dg.MetadataValue.md(preview_chart(headline.title, days, headline.unit))}
