-- Spans in which an incident was open or closed: one that is reopened was closed until then all the same.
create or replace view ops.incident_spans as
with incident_states as (
    select repository_id, issue_number, created_at as at, false as is_closed
    from metrics.incidents
    union all
    select incidents.repository_id, incidents.issue_number, events.created_at, events.event = 'closed'
    from metrics.incidents as incidents
    join raw.issue_events as events
      on events.repository_id = incidents.repository_id and events.number = incidents.issue_number
    where events.event in ('closed', 'reopened')
    union all
    select repository_id, issue_number, closed_at, true
    from metrics.incidents as incidents
    where closed_at is not null
      and not exists (
          select 1 from raw.issue_events as events
          where events.repository_id = incidents.repository_id
            and events.number = incidents.issue_number and events.event = 'closed'
      )
)
select repository_id, issue_number, is_closed, at as since, lead(at, 1, 'infinity') over item as until
from (
    select *, lag(is_closed) over (partition by repository_id, issue_number order by at, is_closed) as before
    from incident_states
) as states
where is_closed is distinct from before
window item as (partition by repository_id, issue_number order by at, is_closed);

create or replace view ops.incident_closings as
select incidents.repository_id, incidents.issue_number, incidents.chain, incidents.created_at,
       spans.since as closed_at, spans.until as reopened_at
from ops.incident_spans as spans
join metrics.incidents as incidents using (repository_id, issue_number)
where spans.is_closed;

-- Why a deployment counts as failed, and when that was mended; a reopened incident is mended several times.
create or replace view ops.failure_reasons as
select
    failures.repository_id,
    failures.chain,
    failures.deployment_key,
    failures.signal,
    failures.evidence,
    failures.failed_at,
    failures.detected_at,
    coalesce(closings.closed_at, failures.restored_at) as restored_at,
    coalesce(closings.reopened_at, 'infinity') as lapsed_at,
    case when failures.signal = 'incident' then repair.deployment_key else failures.restored_by end as restored_by
from metrics.deployment_failures as failures
left join ops.incident_closings as closings
  on closings.repository_id = failures.repository_id
 and failures.signal = 'incident'
 and failures.evidence = 'issue:' || closings.issue_number
left join lateral (
    select good.deployment_key
    from metrics.deployments as good
    where good.repository_id = failures.repository_id
      and good.chain = failures.chain
      and failures.signal = 'incident'
      and good.outcome = 'succeeded'
      and good.finished_at > failures.detected_at
      and good.finished_at <= closings.closed_at
    order by good.finished_at desc, good.deployment_key desc
    limit 1
) as repair on true;

-- A failed deployment has recovered when all the reasons known by then are mended. A row is a span of days [since,
-- until) in which nothing of that changed; restored_at is null while it has not recovered.
create or replace view ops.recoveries as
with reasons as materialized (
    select * from ops.failure_reasons
),

recovery_dates as (
    select repository_id, chain, deployment_key, detected_at::date as date from reasons
    union
    select repository_id, chain, deployment_key, restored_at::date from reasons where restored_at is not null
    union
    select repository_id, chain, deployment_key, lapsed_at::date from reasons where lapsed_at < 'infinity'
)

select
    repository_id,
    chain,
    deployment_key,
    recovery_dates.date as since,
    lead(recovery_dates.date, 1, 'infinity')
        over (partition by repository_id, chain, deployment_key order by recovery_dates.date) as until,
    case when count(*) filter (where mended.it) = count(distinct (reasons.signal, reasons.evidence))
         then max(reasons.restored_at) filter (where mended.it) end as restored_at,
    max(extract(epoch from reasons.restored_at - reasons.failed_at) / 3600) filter (where mended.it)
        as recovery_hours
from recovery_dates
join reasons using (repository_id, chain, deployment_key)
cross join lateral (
    select coalesce(
        reasons.restored_at < recovery_dates.date + 1 and reasons.lapsed_at >= recovery_dates.date + 1, false
    ) as it
) as mended
where reasons.detected_at < recovery_dates.date + 1
group by repository_id, chain, deployment_key, recovery_dates.date;
