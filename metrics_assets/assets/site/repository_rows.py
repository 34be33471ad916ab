"""What the pages of repositories show besides series, read for all repositories at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading
from metrics_assets.reporting.data import FOUR_KEYS, Anomaly, MetricInfo
from metrics_assets.reporting.pages.repository_data import (
    DAILY_DAYS,
    PEER_METRICS,
    Component,
    Day,
    Facts,
    Health,
    Part,
    Peer,
    RepositoryData,
    Steps,
)
from metrics_assets.reporting.pages.summaries import Figure, GateStand, OpenAlert, Summary, Told, figure_of

_ANOMALY_DAYS = 28
_WEEK_DAYS = 7
_T = TypeVar("_T")

_FACTS = """
select settings.repository, repositories.description, repositories.default_branch,
       (repositories.created_at at time zone 'UTC')::date as created_on,
       releases.tag as release, releases.published_on as released_on,
       deployments.deployed_on, deployments.version,
       array(
           select packages.registry || ': ' || packages.package
           from ops.package_settings as packages
           where packages.repository_id = settings.repository_id
           order by 1
       ) as packages
from ops.repository_settings as settings
join raw.repositories as repositories using (repository_id)
left join lateral (
    select tag, (published_at at time zone 'UTC')::date as published_on
    from raw.releases as releases
    where releases.repository_id = settings.repository_id and not is_draft
      and published_at < cast(:day as date) + 1
      and (deleted_at is null or deleted_at >= cast(:day as date) + 1)
    order by published_at desc, release_id desc
    limit 1
) as releases on true
left join lateral (
    select version, (finished_at at time zone 'UTC')::date as deployed_on
    from metrics.deployments as deployments
    join ops.chains as chains using (repository_id, chain)
    where deployments.repository_id = settings.repository_id and outcome = 'succeeded'
      and chains.kind <> 'environment' and finished_at < cast(:day as date) + 1
    order by finished_at desc, deployment_key desc
    limit 1
) as deployments on true
"""
_PARTS = """
select daily.repository, chains.kind, daily.subject, daily.deployment_source, daily.days_observed
from metrics.dora_daily as daily
join (select distinct kind, subject from ops.chains where kind <> 'repository') as chains
  on chains.kind = daily.subject_kind and chains.subject = daily.subject
where daily.date = :day and daily.subject_kind in ('service', 'environment')
order by daily.repository, chains.kind desc, daily.subject
"""
_PART_FIGURES = """
select subject_kind, subject, metric, value, n, state
from metrics.metric_values
where metric = any (:metrics) and subject_kind in ('service', 'environment') and date = :day
"""
_DAYS = """
select subject, date, days_observed, deployments_succeeded, deployments_failed, deployments_in_window,
       deployments_failing_in_window, changes_merged_in_window, changes_shipped_of_merged, changes_waiting_of_merged,
       changes_in_baseline_of_merged, changes_untied_of_merged, lead_time_hours_week, lead_time_week_n, lead_time_n,
       deployment_frequency, lead_time_hours, change_failure_rate, failed_deployment_recovery_hours,
       deployments_finished_in_window, failed_deployment_recovery_n
from metrics.dora_daily
where subject_kind = 'repository' and date > :since and date <= :day
order by subject, date
"""
# What was deployed after the day was waiting on it; further environments count for themselves alone.
_CHANGES = """
select subjects.subject,
       case when state in ('shipped', 'baseline') and deployed_at >= cast(:day as date) + 1 then 'waiting'
            else state end as stood,
       case when state in ('shipped', 'baseline') and deployed_at >= cast(:day as date) + 1
            then 'no deployment contains it yet' else reason end as why,
       count(*) as changes
from metrics.changes as changes
join ops.subjects as subjects using (repository_id, chain)
where subjects.subject_kind = 'repository' and merged_at < cast(:day as date) + 1
group by 1, 2, 3
order by 1, 2, 3
"""
_DEPLOYMENTS = """
select subjects.subject, outcome, count(*) as deployments
from metrics.deployments as deployments
join ops.subjects as subjects using (repository_id, chain)
where subjects.subject_kind = 'repository' and finished_at < cast(:day as date) + 1
group by 1, 2
"""
_FAILURES = """
select subjects.subject, signal, count(distinct (failures.chain, failures.deployment_key)) as deployments
from metrics.deployment_failures as failures
join ops.subjects as subjects using (repository_id, chain)
where subjects.subject_kind = 'repository' and detected_at < cast(:day as date) + 1
group by 1, 2
order by 1, 3 desc, 2
"""
_INCIDENTS = """
select settings.repository as subject, tie_rule, count(*) as incidents
from metrics.incidents as incidents
join ops.repository_settings as settings using (repository_id)
where incidents.created_at < cast(:day as date) + 1
group by 1, 2
order by 1, 3 desc, 2
"""
# The keys of seven days: the same rules as dora_daily's of 28.
_WEEK_FAILING = """
select subjects.subject, count(distinct (deployments.chain, deployments.deployment_key)) as finished,
       -- A pair of nulls counts as a pair, so those without a failure are left out by hand.
       count(distinct (failures.chain, failures.deployment_key))
           filter (where failures.deployment_key is not null) as failing
from metrics.deployments as deployments
join ops.subjects as subjects using (repository_id, chain)
left join metrics.deployment_failures as failures
  on failures.repository_id = deployments.repository_id and failures.chain = deployments.chain
 and failures.deployment_key = deployments.deployment_key and failures.detected_at < cast(:day as date) + 1
where subjects.subject_kind = 'repository' and finished_at >= :since and finished_at < cast(:day as date) + 1
group by 1
"""
_WEEK_RECOVERED = """
select subjects.subject, count(*) as recovered,
       percentile_cont(0.5) within group (order by recoveries.recovery_hours) as hours
from ops.recoveries as recoveries
join ops.subjects as subjects using (repository_id, chain)
where subjects.subject_kind = 'repository' and recoveries.since <= :day and recoveries.until > :day
  and recoveries.restored_at >= :since and recoveries.restored_at < cast(:day as date) + 1
group by 1
"""
_PEERS = 'select subject, rank, "of", percentile, median from metrics.get_peers(:metric, :day)'
_HEALTH = """
select subject, value, coverage, version, components
from metrics.scores
where score = 'repository_health' and subject_kind = 'repository' and date = :day
"""
_ANOMALIES = """
select subject, metric, date, value, expected, severity, kind, explanation, known_event, lower, upper, score
from metrics.anomalies
where state = 'anomaly' and subject_kind = 'repository' and date > :since and date <= :day
order by subject, date desc, abs(score) desc nulls last, metric
"""


def read_repositories(
    reading: Reading,
    summaries: Sequence[Summary],
    alerts: Sequence[OpenAlert],
    gates: Sequence[GateStand],
    insights: Sequence[Told],
) -> Iterator[RepositoryData]:
    """What each repository's page shows, in the order of `summaries`; every query is made once for all of them."""
    day = reading.day
    with reading.engine.connect() as connection:

        def rows(sql: str, **more: Any) -> Sequence[Any]:
            return connection.execute(sa.text(sql), {"day": day, **more}).all()

        facts = {row.repository: _facts(row) for row in rows(_FACTS)}
        parts = _grouped((part[0], part[1]) for part in _parts(reading, connection))
        days = _grouped((row.subject, row) for row in rows(_DAYS, since=day - timedelta(days=DAILY_DAYS)))
        changes = _grouped((row.subject, (row.stood, row.why, row.changes)) for row in rows(_CHANGES))
        finished = {(row.subject, row.outcome): row.deployments for row in rows(_DEPLOYMENTS)}
        failures = _grouped((row.subject, (row.signal, row.deployments)) for row in rows(_FAILURES))
        incidents = _grouped((row.subject, (row.tie_rule, row.incidents)) for row in rows(_INCIDENTS))
        since = day - timedelta(days=_WEEK_DAYS - 1)
        failing = {row.subject: row for row in rows(_WEEK_FAILING, since=since)}
        recovered = {row.subject: row for row in rows(_WEEK_RECOVERED, since=since)}
        peers = _grouped(
            (row.subject, Peer(metric, row.rank, row.of, row.percentile, row.median))
            for metric in PEER_METRICS
            if metric in reading.metrics
            for row in rows(_PEERS, metric=metric)
        )
        health = {row.subject: _health(row) for row in rows(_HEALTH)}
        anomalies = _grouped(
            (row.subject, found)
            for row in rows(_ANOMALIES, since=day - timedelta(days=_ANOMALY_DAYS))
            if (found := _anomaly(row, reading.metrics)) is not None
        )
    open_alerts = _grouped((_repository_of(one.subject_kind, one.subject), one) for one in alerts)
    told = _grouped((_repository_of(one.subject_kind, one.subject), one) for one in insights)
    least = {key: reading.metrics[key].minimum_n or 1 for key in FOUR_KEYS if key in reading.metrics}
    stands = _grouped((_repository_of(one.subject_kind, one.subject), one) for one in gates)
    for summary in summaries:
        name = summary.repository
        of_days = days.get(name, ())
        last = of_days[-1] if of_days and of_days[-1].date == day else None
        yield RepositoryData(
            summary=summary,
            facts=facts.get(name, Facts()),
            parts=parts.get(name, ()),
            steps=Steps(
                days_observed=last.days_observed if last else None,
                window=_window(last),
                shipped_in_window=last.lead_time_n if last else None,
                changes=changes.get(name, ()),
                succeeded=finished.get((name, "succeeded"), 0),
                failed=finished.get((name, "failed"), 0),
                deployments_in_window=last.deployments_in_window if last else None,
                failing_in_window=last.deployments_failing_in_window if last else None,
                failures=failures.get(name, ()),
                incidents=incidents.get(name, ()),
            ),
            week=_week(reading, of_days, failing.get(name), recovered.get(name)),
            days=tuple(_day(row, least) for row in of_days),
            peers=peers.get(name, ()),
            health=health.get(name),
            alerts=open_alerts.get(name, ()),
            anomalies=anomalies.get(name, ()),
            insights=told.get(name, ()),
            gates=stands.get(name, ()),
        )


def _grouped(pairs: Iterable[tuple[str, _T]]) -> dict[str, tuple[_T, ...]]:
    found: dict[str, list[_T]] = defaultdict(list)
    for key, item in pairs:
        found[key].append(item)
    return {key: tuple(items) for key, items in found.items()}


def _repository_of(subject_kind: str, subject: str) -> str:
    """The repository that a row is about; '' where it is about none."""
    match subject_kind:
        case "repository":
            return subject
        case "service":
            return subject.rpartition("#")[0]
        case "environment":
            return subject.rpartition("@")[0]
        case _:
            return ""


def _facts(row: Any) -> Facts:
    return Facts(
        description=row.description or None,
        default_branch=row.default_branch,
        created_on=row.created_on,
        release=row.release,
        released_on=row.released_on,
        deployed_on=row.deployed_on,
        version=row.version,
        packages=tuple(row.packages),
    )


def _parts(reading: Reading, connection: sa.Connection) -> Iterator[tuple[str, Part]]:
    rows = connection.execute(sa.text(_PARTS), {"day": reading.day}).all()
    keys = [key for key in FOUR_KEYS if key in reading.metrics]
    if not rows or not keys:
        return
    figures: dict[tuple[str, str], dict[str, Figure]] = defaultdict(dict)
    days = {(row.kind, row.subject): row.days_observed for row in rows}
    for row in connection.execute(sa.text(_PART_FIGURES), {"day": reading.day, "metrics": keys}):
        about = row.subject_kind, row.subject
        is_rated = (days.get(about) or 0) >= _WEEK_DAYS
        bands = reading.bands.get(row.metric, ()) if is_rated else ()
        figures[about][row.metric] = figure_of(row.value, row.n, row.state, bands)
    for row in rows:
        part = Part(row.kind, row.subject, row.deployment_source, figures[row.kind, row.subject])
        yield row.repository, part


def _window(last: Any) -> Mapping[str, int | None]:
    if last is None:
        return {}
    return {
        "merged": last.changes_merged_in_window,
        "shipped": last.changes_shipped_of_merged,
        "waiting": last.changes_waiting_of_merged,
        "baseline": last.changes_in_baseline_of_merged,
        "untied": last.changes_untied_of_merged,
    }


def _week(reading: Reading, days: Sequence[Any], failing: Any, recovered: Any) -> dict[str, Figure]:
    """The four keys of the last seven days; unknown where one of the days was not collected."""
    week = [row for row in days if row.date > reading.day - timedelta(days=_WEEK_DAYS)]
    if len(week) < _WEEK_DAYS or week[-1].deployments_succeeded is None:
        return {}
    counts = [row.deployments_succeeded for row in week]
    found: dict[str, Figure] = {}

    def add(metric: str, value: float | None, n: int) -> None:
        least = reading.metrics[metric].minimum_n if metric in reading.metrics else None
        state = "unknown" if value is None else "too_few" if least and n < least else "ok"
        found[metric] = figure_of(value, n, state, reading.bands.get(metric, ()))

    if None not in counts:
        add("deployment_frequency", sum(counts) / _WEEK_DAYS, sum(counts))
    add("lead_time_hours", week[-1].lead_time_hours_week, week[-1].lead_time_week_n or 0)
    if failing is not None and failing.finished:
        add("change_failure_rate", failing.failing / failing.finished, failing.finished)
    if recovered is not None:
        add("failed_deployment_recovery_hours", recovered.hours, recovered.recovered)
    return found


_ROWS_OF_KEYS = {
    "deployment_frequency": "deployments_in_window",
    "lead_time_hours": "lead_time_n",
    "change_failure_rate": "deployments_finished_in_window",
    "failed_deployment_recovery_hours": "failed_deployment_recovery_n",
}


def _day(row: Any, least: Mapping[str, int]) -> Day:
    """A key that stands on fewer rows than the catalogue asks for is not shown as a number."""
    values = {
        key: getattr(row, key) if (getattr(row, count) or 0) >= least.get(key, 1) else None
        for key, count in _ROWS_OF_KEYS.items()
    }
    return Day(row.date, row.deployments_succeeded, row.deployments_failed, values)


def _health(row: Any) -> Health:
    components = tuple(
        Component(
            metric=one["metric"],
            state=one["state"],
            value=one.get("value"),
            n=one.get("n"),
            points=one.get("points"),
            weight=one["weight"],
            contribution=one.get("contribution"),
        )
        for one in row.components
    )
    return Health(row.value, row.coverage, row.version, components)


def _anomaly(row: Any, metrics: Mapping[str, MetricInfo]) -> tuple[MetricInfo, Anomaly] | None:
    metric = metrics.get(row.metric)
    if metric is None:
        return None
    anomaly = Anomaly(
        row.date,
        row.value,
        row.expected,
        row.severity or "info",
        row.kind or "",
        row.explanation or "",
        row.known_event,
        row.lower,
        row.upper,
        row.score,
    )
    return metric, anomaly


def names_in_batches(summaries: Sequence[Summary], size: int) -> Iterator[list[str]]:
    """The names of the repositories, some at a time."""
    names = [summary.repository for summary in summaries]
    for start in range(0, len(names), size):
        yield names[start : start + size]
