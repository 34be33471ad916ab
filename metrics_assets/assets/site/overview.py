"""What the overview shows, read from the warehouse."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from metrics_assets.assets.site.key_figures import read_key_figures
from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import read_series
from metrics_assets.assets.site.summaries import read_alerts, read_gates, read_insights, read_summaries
from metrics_assets.reporting.data import FOUR_KEYS, REWORK, SiteInfo
from metrics_assets.reporting.pages.overview import DayStatus, OverviewData, overview_files
from metrics_assets.reporting.verdict import Goal

# Only packs that are switched on count. A goal of a team is the team's own affair.
_GOALS = """
select daily.goal, catalogue.title, daily.subject_kind, daily.subject, daily.metric, daily.value, daily.target,
       daily.comparison, daily.status, daily.reason, daily.due_on, daily.base, daily.expected, daily.progress
from metrics.goals_daily as daily
join metrics.goal_catalogue as catalogue using (goal)
where daily.date = :day and daily.subject_kind <> 'team'
  and (catalogue.pack is null or catalogue.pack in (select unnest(packs) from ops.portfolio))
order by daily.goal, daily.subject_kind, daily.subject
"""
# Not its line: that may name a team.
_STATUS = "select status, details from ops.daily_status where date = :day"


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """The overview and its CSV files."""
    yield from overview_files(site, read_overview(reading, site))


def read_overview(reading: Reading, site: SiteInfo) -> OverviewData:
    keys = [key for key in (*FOUR_KEYS, REWORK) if key in reading.metrics]
    series = read_series(reading, keys, "portfolio", [site.portfolio])
    alerts, gates = read_alerts(reading), read_gates(reading)
    with reading.engine.connect() as connection:
        goals = connection.execute(sa.text(_GOALS), {"day": reading.day}).all()
        status = connection.execute(sa.text(_STATUS), {"day": reading.day}).one_or_none()
    return OverviewData(
        keys=tuple(series[site.portfolio, key] for key in keys),
        metrics=reading.metrics,
        summaries=read_summaries(reading, alerts, gates),
        alerts=alerts,
        goals=tuple(Goal(**goal._mapping) for goal in goals),
        key_figures=read_key_figures(reading),
        insights=read_insights(reading),
        gates=gates,
        status=None if status is None else DayStatus(status.status, tuple(status.details.get("failed_checks") or ())),
    )
