"""What tables of repositories are made of, read for all repositories at once: no query is made for one of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, cast

import sqlalchemy as sa

from metrics_assets.assets.site.open_alerts import alerts_of
from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import DAYS_FOR_A_TIER
from metrics_assets.reporting.data import FOUR_KEYS, HEALTH
from metrics_assets.reporting.pages.summaries import (
    RESPONSE,
    STARS,
    SUMMARY_METRICS,
    Figure,
    GateStand,
    OpenAlert,
    Summary,
    Told,
    figure_of,
)

_HEALTH_WEEKS = 26
_INSIGHTS_STAND_DAYS = 31  # they are made for the last days of months and of ranges

_REPOSITORIES = """
select settings.repository, repositories.state, daily.deployment_source, daily.days_observed
from ops.repository_settings as settings
join raw.repositories as repositories using (repository_id)
left join metrics.dora_daily as daily
  on daily.subject_kind = 'repository' and daily.subject = settings.repository and daily.date = :day
order by settings.repository
"""
# psycopg2 writes the metrics into the statement: the planner then reads their branches of the view and no others.
_FIGURES = """
select subject, metric, value, n, state,
       case when metric = any (:lights) and state in ('ok', 'provisional')
            then metrics.traffic_light(metric, value) end as light
from metrics.metric_values
where metric = any (:metrics) and subject_kind = 'repository' and date = :day
"""
_HEALTH = """
select subject, date, value
from metrics.metric_values
where metric = 'health_score' and subject_kind = 'repository' and date = any (:days)
  and state in ('ok', 'provisional')
"""
# Only packs that are switched on count. A gate of a team is the team's own affair.
_GATES = """
select evaluations.gate, criteria.gate_title, evaluations.subject_kind, evaluations.subject, evaluations.verdict,
       evaluations.score, evaluations.missing
from metrics.gate_evaluations as evaluations
join (
    select distinct gate, gate_title
    from metrics.gate_criteria
    where pack is null or pack in (select unnest(packs) from ops.portfolio)
) as criteria using (gate)
where evaluations.date = :day and evaluations.subject_kind <> 'team'
order by evaluations.gate, evaluations.subject_kind, evaluations.subject
"""
_INSIGHTS = """
select subject_kind, subject, date, sentence, action
from metrics.insights
where date = (select max(date) from metrics.insights where date <= :day and date > :since)
  and subject_kind <> 'team'
order by weight desc, subject_kind, subject, insight
"""


def read_summaries(reading: Reading, alerts: Sequence[OpenAlert], gates: Sequence[GateStand]) -> tuple[Summary, ...]:
    """Every repository of the portfolio on the reading's day, in the order of their names."""
    days = [reading.day - timedelta(weeks=weeks) for weeks in reversed(range(_HEALTH_WEEKS))]
    wanted = [metric for metric in SUMMARY_METRICS if metric in reading.metrics]
    with reading.engine.connect() as connection:
        repositories = connection.execute(sa.text(_REPOSITORIES), {"day": reading.day}).all()
        observed = {row.repository: row.days_observed or 0 for row in repositories}
        rows = connection.execute(
            sa.text(_FIGURES), {"day": reading.day, "metrics": wanted, "lights": [STARS, RESPONSE]}
        ).all()
        weekly = connection.execute(sa.text(_HEALTH), {"days": days}).all() if HEALTH in wanted else []
    figures: dict[str, dict[str, Figure]] = defaultdict(dict)
    for row in rows:
        has_days = observed.get(row.subject, 0) >= DAYS_FOR_A_TIER
        bands = reading.bands.get(row.metric, ()) if row.metric in FOUR_KEYS and has_days else ()
        figures[row.subject][row.metric] = figure_of(row.value, row.n, row.state, bands, row.light)
    health: dict[str, dict[date, float]] = defaultdict(dict)
    for row in weekly:
        health[row.subject][row.date] = row.value
    severities = Counter((alert.subject, alert.severity) for alert in alerts if alert.subject_kind == "repository")
    of_repositories: dict[str, list[GateStand]] = defaultdict(list)
    for gate in gates:
        if gate.subject_kind == "repository":
            of_repositories[gate.subject].append(gate)
    return tuple(
        Summary(
            repository=row.repository,
            state=row.state,
            ships_by=row.deployment_source,
            figures=figures[row.repository],
            health_weeks=tuple(health[row.repository].get(day) for day in days),
            critical=severities[row.repository, "critical"],
            warning=severities[row.repository, "warning"],
            gates=tuple(of_repositories[row.repository]),
        )
        for row in repositories
    )


def read_alerts(reading: Reading) -> tuple[OpenAlert, ...]:
    """The alerts that are open on the reading's day, without those of teams."""
    frame = alerts_of(reading)
    return tuple(
        OpenAlert(
            rule=row.rule,
            title=row.title,
            subject_kind=row.subject_kind,
            subject=row.subject,
            metric=row.metric,
            severity=row.severity,
            state=row.state,
            opened_on=row.opened_on,
            text=row.text,
            anchor=row.anchor,
        )
        for row in cast("Any", frame.itertuples(index=False))
    )


def read_gates(reading: Reading) -> tuple[GateStand, ...]:
    """Where the gates stand on the reading's day, without those of teams."""
    with reading.engine.connect() as connection:
        rows = connection.execute(sa.text(_GATES), {"day": reading.day}).all()
    return tuple(
        GateStand(row.gate, row.gate_title, row.subject_kind, row.subject, row.verdict, row.score, tuple(row.missing))
        for row in rows
    )


def read_insights(reading: Reading) -> tuple[Told, ...]:
    """The newest insights as of the reading's day, the weightiest first, without those of teams."""
    since = reading.day - timedelta(days=_INSIGHTS_STAND_DAYS)
    with reading.engine.connect() as connection:
        rows = connection.execute(sa.text(_INSIGHTS), {"day": reading.day, "since": since}).all()
    return tuple(Told(row.subject_kind, row.subject, row.date, row.sentence, row.action) for row in rows)
