-- How long incidents took, by severity: of those closed in the last `days` days of the history, hours from opening
-- to closing; and how many are open at its end, whenever they were opened. Null where none was closed.
--
-- select * from get_mttr_stats();  -- every repository, 30 days, every severity
-- select * from get_mttr_stats('acme/api', 90, 'critical');
create or replace function metrics.get_mttr_stats(
    wanted_repository text default null, days integer default 30, wanted_severity text default null
)
returns table (
    severity text,
    n bigint,
    median_hours double precision,
    mean_hours double precision,
    p90_hours double precision,
    minimum_hours double precision,
    maximum_hours double precision,
    open bigint
)
language sql stable
set timezone = 'UTC'  -- a day is a day in UTC, whatever the session's clock says
as $$
    with span as (
        select max(date) + 1 as until, max(date) + 1 - days as since from metrics.dora_daily
    ),
    found as (
        select incidents.severity, incidents.mttr_hours,
               incidents.closed_at >= span.since and incidents.closed_at < span.until as is_closed,
               incidents.closed_at is null or incidents.closed_at >= span.until as is_open
        from metrics.incidents as incidents
        cross join span
        where incidents.created_at < span.until
          and (wanted_repository is null or incidents.repository = wanted_repository)
          and (wanted_severity is null or incidents.severity = wanted_severity)
    )
    select
        found.severity,
        count(*) filter (where is_closed),
        percentile_cont(0.5) within group (order by mttr_hours) filter (where is_closed),
        avg(mttr_hours) filter (where is_closed),
        percentile_cont(0.9) within group (order by mttr_hours) filter (where is_closed),
        min(mttr_hours) filter (where is_closed),
        max(mttr_hours) filter (where is_closed),
        count(*) filter (where is_open)
    from found
    where is_closed or is_open
    group by found.severity
    order by found.severity
$$;
