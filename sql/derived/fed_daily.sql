-- A row is a metric that is fed from outside, about a subject, on a day. Of kpi_values the newest value whose period had
-- ended by the day stands, for as long as the metric's cadence allows (metrics.catalogue.stands_days); after that the
-- value is unknown (null) until a newer one is fed. Events are counted from the day of the first of their kind on: those
-- of the day, or of the metric's window. A value that is fed late counts for the days of its period all the same.
-- replace: date
with portfolio as (
    select portfolio, start from ops.portfolio
),

-- One repository has a name at a time; of two that had it, it does not matter whose spelling is taken.
repositories as (
    select lower(repository) as name, min(repository) as repository
    from raw.repositories
    group by lower(repository)
),

fed_values as (
    select
        fed.metric,
        case when fed.segment = '' then 'portfolio'
             when repositories.repository is not null then 'repository'
             when fed.segment ~ '^team:.' then 'team'
             when fed.segment ~ '^package:.' then 'package'
             else 'segment' end as subject_kind,
        case when fed.segment = '' then portfolio.portfolio
             when repositories.repository is not null then repositories.repository
             when fed.segment ~ '^(team|package):.' then regexp_replace(fed.segment, '^(team|package):', '')
             else fed.segment end as subject,
        fed.period_start,
        fed.period_end,
        -- Whoever writes with SQL may write what is no number.
        case when fed.value not in ('NaN', 'Infinity', '-Infinity') then fed.value end as value,
        fed.source_url,
        fed.loaded_at,
        catalogue.stands_days
    from raw.kpi_values as fed
    join metrics.catalogue as catalogue on catalogue.metric = fed.metric and catalogue.fed = 'kpi_values'
    cross join portfolio
    left join repositories on repositories.name = lower(fed.segment)
    where fed.period_end < :end
),

-- Of periods that end on the same day the shortest says most about it.
newest as (
    select distinct on (metric, subject_kind, subject, period_end) *
    from fed_values
    order by metric, subject_kind, subject, period_end, period_start desc, loaded_at desc
),

standing as (
    select
        *,
        lead(period_end) over (partition by metric, subject_kind, subject order by period_end) as next_end
    from newest
),

days_of_values as (
    select
        standing.metric,
        standing.subject_kind,
        standing.subject,
        day::date as date,
        case when day::date - standing.period_end <= standing.stands_days then standing.value end as value,
        standing.period_start,
        standing.period_end,
        standing.source_url
    from standing
    cross join portfolio
    cross join generate_series(
        greatest(standing.period_end, portfolio.start, :start),
        least(standing.next_end - 1, :end - 1),
        interval '1 day'
    ) as day
    where standing.next_end is null or standing.next_end > :start
),

counted as (
    select metric, kind, coalesce(window_days, 1) as window_days
    from metrics.catalogue
    where fed = 'events'
),

first_of_kind as (
    select kind, min(occurred_at)::date as date
    from raw.events
    where occurred_at < :end
    group by kind
),

-- An event counts on every day whose window reaches back to it.
days_of_events as (
    select counted.metric, day::date as date, count(*) as events
    from counted
    join raw.events as events on events.kind = counted.kind
    cross join generate_series(
        greatest(events.occurred_at::date, :start),
        least(events.occurred_at::date + counted.window_days - 1, :end - 1),
        interval '1 day'
    ) as day
    where events.occurred_at >= :start - (select max(window_days) from counted) and events.occurred_at < :end
    group by counted.metric, day::date
)

select
    metric,
    subject_kind,
    subject,
    date,
    value,
    null::bigint as n,
    case when value is null then 'unknown' else 'ok' end as state,
    period_start,
    period_end,
    source_url
from days_of_values
union all
select
    counted.metric,
    'portfolio' as subject_kind,
    portfolio.portfolio as subject,
    day::date as date,
    coalesce(days_of_events.events, 0)::double precision as value,
    null::bigint as n,
    'ok' as state,
    day::date - counted.window_days + 1 as period_start,
    day::date as period_end,
    null as source_url
from counted
join first_of_kind on first_of_kind.kind = counted.kind
cross join portfolio
cross join generate_series(
    greatest(first_of_kind.date, portfolio.start, :start), :end - 1, interval '1 day'
) as day
left join days_of_events on days_of_events.metric = counted.metric and days_of_events.date = day::date
