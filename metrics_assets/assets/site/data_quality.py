"""The page of data quality: what the logs of collecting and the tables say about the data as of a day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting.pipeline import newest_days
from metrics_assets.assets.shared import BUDGETS
from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import read_series
from metrics_assets.reporting.data import Series, SiteInfo
from metrics_assets.reporting.pages.data_quality import (
    COST_DAYS,
    Cost,
    DataQualityData,
    FedFile,
    Freshness,
    Gap,
    Incomplete,
    MetricProblem,
    RejectedRow,
    StateCounts,
    TableDay,
    data_quality_files,
)

_COMPLETE_SHARE = "collections_complete_share"
_STATUS_DAYS = 28
_LOG_DAYS = 30  # a list that nothing was heard of for so long is not collected any more
_TRAFFIC_KEPT, _DOWNLOADS_KEPT = 14, 90
_TRAFFIC_LOOKED, _DOWNLOADS_LOOKED = 28, 90
# Registries publish a day's downloads some days later.
_DOWNLOADS_LATE = 3
_GITHUB_PER_HOUR = 5000.0  # requests, and as many GraphQL points, that GitHub gives a token
_LONGEST = 300
_MOST_ROWS = 1000

# What metrics.yaml names now: of others nothing counts any more.
_NAMED = """
named as (
    select lower(repository) as subject from ops.repository_settings
    union select lower(registry || ':' || package) from ops.package_settings
    union select lower(platform || ':' || community) from ops.platform_settings
)
"""
# The newest collection of each list that was about the day or one before it, and the newest day that came whole.
_LISTS = f"""
with {_NAMED},
log as (
    select source, repository as subject, entity, outcome, reason, error_class, finished_at,
           least(range_end - 1, cast(:day as date)) as last_day
    from ops.collection_log
    where range_start <= :day and range_end > cast(:day as date) - {_LOG_DAYS}
      and lower(repository) in (select subject from named)
),
good as (
    select source, subject, entity, max(last_day) as whole_to, max(finished_at) as at
    from log where outcome <> 'incomplete' group by source, subject, entity
),
wrong as (
    select log.source, log.subject, log.entity, count(distinct (log.finished_at at time zone 'UTC')::date) as days
    from log left join good using (source, subject, entity)
    where log.outcome = 'incomplete' and log.finished_at > coalesce(good.at, '-infinity')
    group by log.source, log.subject, log.entity
)
select distinct on (log.source, log.subject, log.entity)
    log.source, log.subject, log.entity, log.outcome, coalesce(log.reason, 'nothing says why') as reason,
    log.error_class, good.whole_to, coalesce(wrong.days, 0) as days
from log
left join good using (source, subject, entity)
left join wrong using (source, subject, entity)
order by log.source, log.subject, log.entity, log.finished_at desc
"""
_STATUS = "select details->'failed_checks' as failed from ops.daily_status where date = :day"
_STATUSES = f"""
select status, count(*) from ops.daily_status
where date <= :day and date > cast(:day as date) - {_STATUS_DAYS} group by status order by status
"""
_STATES = """
select metric, state, count(*) as repositories
from metrics.metric_values
where date = :day and subject_kind = 'repository'
group by metric, state
"""
_FILES = """
select distinct on (file)
    file, rows_read, rows_written, rows_rejected, (loaded_at at time zone 'UTC')::date as loaded_on
from ops.fed_files order by file, loaded_at desc
"""
_REJECTED = "select file, line, problem from ops.rejected_rows order by file, line limit :most"
_PROBLEMS = "select metric, problem from ops.metric_problems order by metric"
# What was used by the runs that collected the days: a run of a backfill as a whole.
_COSTS = """
with runs as (
    select distinct run_id from ops.collection_log
    where range_start <= :day and range_end > cast(:day as date) - :days
),
by_run as (
    select source, resource, run_id, sum(requests) as requests, sum(points) as points,
           sum(not_modified) as not_modified, sum(retries) as retries,
           sum(waited_seconds) as waited_seconds, sum(greatest(requests, points)) as used
    from ops.api_usage where run_id in (select run_id from runs) group by source, resource, run_id
)
select source, resource, sum(requests)::float8, sum(points)::float8, sum(not_modified)::float8, sum(retries)::float8,
       sum(waited_seconds)::float8, max(used)::float8
from by_run group by source, resource order by sum(requests) desc, source, resource
"""
# Days since the list's first collected day on that were not collected.
_TRAFFIC_GAPS = """
select 'traffic' as what, settings.repository as subject,
       array_agg(days.day::date order by days.day) filter (where not state.days @> days.day::date) as missing,
       count(*) as of_days
from ops.collection_state as state
join ops.repository_settings as settings using (repository_id)
cross join generate_series(cast(:day as date) - :looked + 1, cast(:day as date), '1 day') as days (day)
where state.entity = 'traffic' and not isempty(state.days) and days.day::date >= lower(state.days)
group by settings.repository
having bool_or(not state.days @> days.day::date)
order by settings.repository
"""
_DOWNLOAD_GAPS = """
with known as (
    select distinct downloads.registry, downloads.package, downloads.date
    from raw.package_downloads as downloads join ops.package_settings using (registry, package)
    where downloads.date <= :day
),
firsts as (select registry, package, min(date) as first from known group by registry, package)
select 'downloads' as what, firsts.registry || ':' || firsts.package as subject,
       array_agg(days.day::date order by days.day) filter (where known.date is null) as missing, count(*) as of_days
from firsts
cross join generate_series(cast(:day as date) - :looked + 1, cast(:day as date) - :late, '1 day') as days (day)
left join known on (known.registry, known.package, known.date) = (firsts.registry, firsts.package, days.day::date)
where days.day::date >= firsts.first
group by firsts.registry, firsts.package
having bool_or(known.date is null)
order by 2
"""
_TEAMS = """
select team from ops.team_members
union select team from ops.repository_settings where team is not null
union select unnest(space_teams) from ops.portfolio
"""


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """data-quality.html and its CSV files."""
    yield from data_quality_files(site, data_quality_data(reading))


def data_quality_data(reading: Reading) -> DataQualityData:
    """What the page shows as of the reading's day; nothing of it names a team."""
    day = {"day": reading.day}
    with reading.engine.connect() as connection:

        def rows(sql: str, **given: Any) -> list[Any]:
            return list(connection.execute(sa.text(sql), day | given if ":day" in sql else given).all())

        portfolio = connection.execute(sa.text("select portfolio from ops.portfolio")).scalar_one()
        repositories = connection.execute(sa.text("select count(*) from ops.repository_settings")).scalar_one()
        teams = _Teams(connection.execute(sa.text(_TEAMS)).scalars())
        lists = collected_lists(connection, reading.day)
        status = rows(_STATUS)
        newest = newest_days(connection)
        gaps = [
            *(_gap(row, reading.day, _TRAFFIC_KEPT) for row in rows(_TRAFFIC_GAPS, looked=_TRAFFIC_LOOKED)),
            *(
                _gap(row, reading.day, _DOWNLOADS_KEPT)
                for row in rows(_DOWNLOAD_GAPS, looked=_DOWNLOADS_LOOKED, late=_DOWNLOADS_LATE)
            ),
        ]
        return DataQualityData(
            repositories=repositories,
            lists=len(lists),
            whole=sum(row.outcome != "incomplete" for row in lists),
            complete_share=_complete_share(reading, portfolio),
            freshness=tuple(_freshness(lists, reading.day)),
            table_days=tuple(TableDay(table, min(last, reading.day)) for table, last in sorted(newest.items())),
            incomplete=tuple(
                Incomplete(row.source, row.subject, row.entity, row.days, _first_line(row.reason), row.error_class)
                for row in lists
                if row.outcome == "incomplete"
            ),
            checks=tuple(map(str, status[0].failed or ())) if status else None,
            statuses=tuple((row.status, row.count) for row in rows(_STATUSES)),
            states=tuple(_states(rows(_STATES), repositories, reading)),
            files=tuple(FedFile(*row) for row in rows(_FILES)),
            rejected=tuple(
                RejectedRow(row.file, row.line, teams.unnamed(row.problem)) for row in rows(_REJECTED, most=_MOST_ROWS)
            ),
            problems=tuple(MetricProblem(row.metric, teams.unnamed(row.problem)) for row in rows(_PROBLEMS)),
            costs=tuple(Cost(*(*row, _limit(reading, row.source))) for row in rows(_COSTS, days=COST_DAYS)),
            gaps=tuple(gaps),
        )


def collected_lists(connection: sa.Connection, day: date) -> list[Any]:
    """How the newest collection of each list ended that was about the day or one before it, of what is named now."""
    return list(connection.execute(sa.text(_LISTS), {"day": day}).all())


class _Teams:
    """The teams' names, which only a team's own page may have."""

    def __init__(self, names: Iterable[str]) -> None:
        known = sorted({re.escape(name) for name in names if name})
        self._names = re.compile(rf"(?<!\w)(?:{'|'.join(known)})(?!\w)", re.IGNORECASE) if known else None

    def unnamed(self, text: str) -> str:
        """The text in one line, without the name of a team."""
        line = _first_line(text)
        return self._names.sub("(a team)", line) if self._names else line


def _first_line(text: str) -> str:
    line = (text.strip().splitlines() or [""])[0]
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _complete_share(reading: Reading, portfolio: str) -> Series | None:
    if _COMPLETE_SHARE not in reading.metrics:
        return None
    series = read_series(reading, [_COMPLETE_SHARE], "portfolio", [portfolio])
    return series[portfolio, _COMPLETE_SHARE]


def _freshness(lists: list[Any], day: date) -> Iterator[Freshness]:
    by_list: dict[tuple[str, str], list[Any]] = {}
    for row in lists:
        by_list.setdefault((row.source, row.entity), []).append(row)
    for (source, entity), found in by_list.items():
        known = [row.whole_to for row in found if row.whole_to is not None]
        farthest = min(found, key=lambda row: (row.whole_to or date.min, row.subject))
        yield Freshness(
            source=source,
            entity=entity,
            subjects=len(found),
            current=sum(one >= day for one in known),
            newest=max(known, default=None),
            oldest=farthest.whole_to,
            farthest=farthest.subject,
        )


def _states(rows: list[Any], repositories: int, reading: Reading) -> Iterator[StateCounts]:
    by_metric: dict[str, dict[str, int]] = {}
    for row in rows:
        by_metric.setdefault(row.metric, {})[row.state] = row.repositories
    for key, counts in by_metric.items():
        metric = reading.metrics.get(key)
        if metric is None:
            continue
        yield StateCounts(
            metric=key,
            title=metric.title,
            known=counts.get("ok", 0),
            provisional=counts.get("provisional", 0),
            too_few=counts.get("too_few", 0),
            # A repository without a row is not known either.
            unknown=counts.get("unknown", 0) + max(0, repositories - sum(counts.values())),
            why=metric.unknown,
            minimum_n=metric.minimum_n,
        )


def _gap(row: Any, day: date, kept: int) -> Gap:
    lost = sum(one <= day - timedelta(days=kept) for one in row.missing)
    return Gap(row.what, row.subject, len(row.missing), row.of_days, lost, kept, row.missing[-1])


def _limit(reading: Reading, source: str) -> float | None:
    """What a source gives in an hour; only of GitHub that is known, and metrics.yaml may allow less."""
    if source != "github":
        return None
    budget = reading.settings.sources.github.budget_per_hour
    return _GITHUB_PER_HOUR if budget is None else float(budget if isinstance(budget, int) else BUDGETS[budget])
