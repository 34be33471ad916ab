-- DORA's keys of a repository over the last `days` days of its history, with the tier of each (tier set
-- `standard`). All chains of the repository count together, further environments do not. The tier is 'unknown' where
-- there are fewer than 7 days of data or nothing to measure.
--
-- select * from get_dora_performance_tier('acme/api', 30);
create or replace function metrics.get_dora_performance_tier(wanted text, days integer default 30)
returns table (metric text, value double precision, unit text, n bigint, tier text, tier_set text)
language sql stable
set timezone = 'UTC'  -- a day is a day in UTC, whatever the session's clock says
as $$
    with history as (
        select max(date) as last_day, max(date) - min(date) + 1 as days_of_data
        from metrics.dora_daily
        where subject_kind = 'repository' and subject = wanted
        having max(date) is not null
    ),
    span as (
        select *, last_day + 1 as until, greatest(last_day + 1 - days, last_day + 1 - days_of_data) as since
        from history
    ),
    chains as (
        select repository_id, chain from ops.subjects where subject_kind = 'repository' and subject = wanted
    ),
    finished as (
        select deployments.*
        from metrics.deployments as deployments
        join chains using (repository_id, chain)
        cross join span
        where deployments.finished_at >= span.since and deployments.finished_at < span.until
    ),
    failing as (
        select count(distinct (failures.chain, failures.deployment_key)) as deployments
        from metrics.deployment_failures as failures
        join finished using (repository_id, chain, deployment_key)
        cross join span
        where failures.detected_at < span.until
    ),
    shipped as (
        select changes.lead_time_hours
        from metrics.changes as changes
        join chains using (repository_id, chain)
        cross join span
        where changes.state = 'shipped'
          and changes.deployed_at >= span.since and changes.deployed_at < span.until
    ),
    restored as (
        select incidents.mttr_hours
        from metrics.incidents as incidents
        cross join span
        where incidents.repository_id in (select repository_id from chains)
          and coalesce(incidents.chain in (select chain from chains), true)
          and incidents.closed_at >= span.since and incidents.closed_at < span.until
    ),
    ever as (
        select exists (
            select 1 from metrics.deployments join chains using (repository_id, chain) cross join span
            where finished_at < span.until
        ) as ships
    ),
    figures as (
        select 'deployment_frequency' as metric, 'per day' as unit,
               (select count(*) from finished where outcome = 'succeeded') as n,
               case when ever.ships
                    then (select count(*) from finished where outcome = 'succeeded')::double precision
                         / nullif(span.until - span.since, 0)
               end as value
        from span cross join ever
        union all
        select 'lead_time_hours', 'hours', (select count(lead_time_hours) from shipped),
               (select percentile_cont(0.5) within group (order by lead_time_hours) from shipped)
        from span
        union all
        select 'change_failure_rate', 'ratio', (select count(*) from finished),
               (select deployments from failing)::double precision / nullif((select count(*) from finished), 0)
        from span
        union all
        select 'mttr_hours', 'hours', (select count(*) from restored),
               (select percentile_cont(0.5) within group (order by mttr_hours) from restored)
        from span
    )
    select figures.metric, figures.value, figures.unit, figures.n,
           case when span.days_of_data < 7 then 'unknown'
                else coalesce(metrics.dora_tier('standard', figures.metric, figures.value), 'unknown') end,
           'standard'
    from figures cross join span
$$;
