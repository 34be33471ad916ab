-- A row is a repository on a day: what it shipped and broke that day, and DORA's keys over the window of 28 days
-- that ends with the day (7 days where the name says week). Only what was known at the end of the day counts.
-- Null is unknown, never zero: before its first deployment nothing says whether a repository ships, and on a day
-- that was not collected nothing says what happened.
-- replace: date
with days as (
    select
        settings.repository_id,
        settings.repository,
        day::date as date,
        least(28, day::date - greatest(portfolio.start, repositories.created_at::date) + 1) as days_observed
    from ops.repository_settings as settings
    join raw.repositories as repositories using (repository_id)
    cross join ops.portfolio as portfolio
    cross join generate_series(:start, :end - 1, interval '1 day') as day
    where day::date >= greatest(portfolio.start, repositories.created_at::date)
),

-- Each event once for every day whose window holds it.
deployment_windows as (
    select
        deployments.repository_id,
        day::date as date,
        count(*) filter (where deployments.finished_at::date = day::date and outcome = 'succeeded') as succeeded_today,
        count(*) filter (where deployments.finished_at::date = day::date and outcome = 'failed') as failed_today,
        count(*) filter (where outcome = 'succeeded') as succeeded,
        count(*) as finished
    from metrics.deployments as deployments
    cross join generate_series(
        greatest(deployments.finished_at::date, :start),
        least(deployments.finished_at::date + 27, :end - 1),
        interval '1 day'
    ) as day
    where deployments.finished_at >= :start - 27 and deployments.finished_at < :end
    group by deployments.repository_id, day::date
),

failing_windows as (
    select failures.repository_id, day::date as date, count(distinct failures.deployment_key) as failing
    from metrics.deployment_failures as failures
    join metrics.deployments as deployments using (repository_id, deployment_key)
    cross join generate_series(
        greatest(deployments.finished_at::date, failures.detected_at::date, :start),
        least(deployments.finished_at::date + 27, :end - 1),
        interval '1 day'
    ) as day
    where deployments.finished_at >= :start - 27 and deployments.finished_at < :end
    group by failures.repository_id, day::date
),

-- Spans in which an incident was open or closed: one that is reopened was closed until then all the same.
incident_states as (
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
),

incident_spans as (
    select repository_id, issue_number, is_closed, at as since, lead(at, 1, 'infinity') over item as until
    from (
        select *, lag(is_closed) over (partition by repository_id, issue_number order by at, is_closed) as before
        from incident_states
    ) as states
    where is_closed is distinct from before
    window item as (partition by repository_id, issue_number order by at, is_closed)
),

closings as (
    select incidents.repository_id, incidents.issue_number, incidents.created_at, incident_spans.since as closed_at,
           incident_spans.until as reopened_at
    from incident_spans
    join metrics.incidents as incidents using (repository_id, issue_number)
    where incident_spans.is_closed
),

-- Why a deployment counts as failed, and when that was mended; a reopened incident is mended several times.
reasons as (
    select
        failures.repository_id,
        failures.deployment_key,
        failures.signal,
        failures.evidence,
        failures.failed_at,
        failures.detected_at,
        coalesce(closings.closed_at, failures.restored_at) as restored_at,
        coalesce(closings.reopened_at, 'infinity') as lapsed_at,
        case when failures.signal = 'incident' then repair.deployment_key else failures.restored_by end as restored_by
    from metrics.deployment_failures as failures
    left join closings
      on closings.repository_id = failures.repository_id
     and failures.signal = 'incident'
     and failures.evidence = 'issue:' || closings.issue_number
    left join lateral (
        select good.deployment_key
        from metrics.deployments as good
        where good.repository_id = failures.repository_id
          and failures.signal = 'incident'
          and good.outcome = 'succeeded'
          and good.finished_at > failures.detected_at
          and good.finished_at <= closings.closed_at
        order by good.finished_at desc, good.deployment_key desc
        limit 1
    ) as repair on true
),

-- A failed deployment has recovered when all the reasons known by then are mended; each day on which that changes.
recovery_dates as (
    select repository_id, deployment_key, detected_at::date as date from reasons
    union
    select repository_id, deployment_key, restored_at::date from reasons where restored_at is not null
    union
    select repository_id, deployment_key, lapsed_at::date from reasons where lapsed_at < 'infinity'
),

recoveries as (
    select
        repository_id,
        deployment_key,
        recovery_dates.date as since,
        lead(recovery_dates.date, 1, 'infinity')
            over (partition by repository_id, deployment_key order by recovery_dates.date) as until,
        case when count(*) filter (where mended.it) = count(distinct (reasons.signal, reasons.evidence))
             then max(reasons.restored_at) filter (where mended.it) end as restored_at,
        max(extract(epoch from reasons.restored_at - reasons.failed_at) / 3600) filter (where mended.it)
            as recovery_hours
    from recovery_dates
    join reasons using (repository_id, deployment_key)
    cross join lateral (
        select coalesce(
            reasons.restored_at < recovery_dates.date + 1 and reasons.lapsed_at >= recovery_dates.date + 1, false
        ) as it
    ) as mended
    where reasons.detected_at < recovery_dates.date + 1
    group by repository_id, deployment_key, recovery_dates.date
),

recovery_windows as (
    select
        repository_id,
        day::date as date,
        percentile_cont(0.5) within group (order by recovery_hours) as recovery_hours,
        count(*) as recovered
    from recoveries
    cross join generate_series(
        greatest(since, :start), least(restored_at::date + 27, until - 1, :end - 1), interval '1 day'
    ) as day
    where restored_at >= :start - 27 and restored_at < :end
    group by repository_id, day::date
),

unrecovered as (
    select days.repository_id, days.date, count(*) as failures
    from days
    join recoveries
      on recoveries.repository_id = days.repository_id
     and days.date >= recoveries.since and days.date < recoveries.until
     and recoveries.restored_at is null
    group by days.repository_id, days.date
),

-- That a deployment was a repair is known when what it repaired is over.
rework_windows as (
    select reasons.repository_id, day::date as date, count(distinct reasons.restored_by) as rework
    from reasons
    join metrics.deployments as deployments
      on deployments.repository_id = reasons.repository_id and deployments.deployment_key = reasons.restored_by
    cross join generate_series(
        greatest(deployments.finished_at::date, reasons.restored_at::date, :start),
        least(deployments.finished_at::date + 27, reasons.lapsed_at::date - 1, :end - 1),
        interval '1 day'
    ) as day
    where deployments.finished_at >= :start - 27 and deployments.finished_at < :end
    group by reasons.repository_id, day::date
),

shipped_windows as (
    select
        repository_id,
        day::date as date,
        count(*) filter (where shipped_at::date = day::date) as shipped_today,
        percentile_cont(0.5) within group (order by lead_time_hours) as median_hours,
        percentile_cont(0.9) within group (order by lead_time_hours) as p90_hours,
        count(lead_time_hours) as n,
        percentile_cont(0.5) within group (order by lead_time_hours)
            filter (where shipped_at >= day::date - 6) as week_hours,
        count(lead_time_hours) filter (where shipped_at >= day::date - 6) as week_n
    from (
        -- What was deployed from its branch counts from its merge on: until then it was no change.
        select repository_id, lead_time_hours, greatest(deployed_at, merged_at) as shipped_at
        from metrics.changes
        where state = 'shipped'
    ) as shipped
    cross join generate_series(
        greatest(shipped_at::date, :start), least(shipped_at::date + 27, :end - 1), interval '1 day'
    ) as day
    where shipped_at >= :start - 27 and shipped_at < :end
    group by repository_id, day::date
),

merged_windows as (
    select
        repository_id,
        day::date as date,
        percentile_cont(0.5) within group (order by pr_lead_hours) as median_hours,
        percentile_cont(0.9) within group (order by pr_lead_hours) as p90_hours,
        count(pr_lead_hours) as n
    from metrics.changes
    cross join generate_series(
        greatest(merged_at::date, :start), least(merged_at::date + 27, :end - 1), interval '1 day'
    ) as day
    where kind = 'pull_request' and merged_at >= :start - 27 and merged_at < :end
    group by repository_id, day::date
),

-- Merged and not shipped at the end of the day: one up at the merge, one down at the deployment.
waiting_steps as (
    select repository_id, merged_at::date as date, 1 as step
    from metrics.changes
    where state in ('shipped', 'waiting') and merged_at < :end
    union all
    select repository_id, greatest(deployed_at, merged_at)::date, -1
    from metrics.changes
    where state = 'shipped' and deployed_at < :end and merged_at < :end
),

waiting as (
    select repository_id, date, sum(step) as step
    from waiting_steps
    group by repository_id, date
),

waiting_totals as (
    select repository_id, date, sum(step) over (partition by repository_id order by date) as waiting,
           lead(date, 1, 'infinity') over (partition by repository_id order by date) as until
    from waiting
),

incident_windows as (
    select
        repository_id,
        day::date as date,
        percentile_cont(0.5) within group (order by extract(epoch from closed_at - created_at) / 3600)
            as median_hours,
        count(*) as n,
        count(*) filter (where closed_at::date = day::date) as resolved_today
    from closings
    cross join generate_series(
        greatest(closed_at::date, :start),
        least(closed_at::date + 27, reopened_at::date - 1, :end - 1),
        interval '1 day'
    ) as day
    where closed_at >= :start - 27 and closed_at < :end
    group by repository_id, day::date
),

incidents_opened as (
    select repository_id, created_at::date as date, count(*) as opened
    from metrics.incidents
    where created_at >= :start and created_at < :end
    group by repository_id, created_at::date
),

incidents_open as (
    select days.repository_id, days.date, count(*) as still_open
    from days
    join incident_spans
      on incident_spans.repository_id = days.repository_id
     and not incident_spans.is_closed
     and incident_spans.since < days.date + 1 and incident_spans.until >= days.date + 1
    group by days.repository_id, days.date
),

latest_source as (
    -- The source of the last deployment up to the day.
    select repository_id, source, finished_at::date as since,
           lead(finished_at::date, 1, 'infinity') over (partition by repository_id order by finished_at) as until
    from (
        select repository_id, source, finished_at,
               lag(source) over (partition by repository_id order by finished_at) as before
        from metrics.deployments
    ) as runs
    where before is distinct from source
)

select
    days.repository_id,
    days.repository,
    days.date,
    latest_source.source as deployment_source,
    days.days_observed,
    case when collected.shipping then coalesce(deployment_windows.succeeded_today, 0) end as deployments_succeeded,
    case when collected.shipping then coalesce(deployment_windows.failed_today, 0) end as deployments_failed,
    case when collected.shipping then coalesce(shipped_windows.shipped_today, 0) end as changes_shipped,
    case when collected.shipping then coalesce(waiting_totals.waiting, 0) end as changes_waiting,
    case when collected.issues then coalesce(incidents_opened.opened, 0) end as incidents_opened,
    case when collected.issues then coalesce(incident_windows.resolved_today, 0) end as incidents_resolved,
    case when collected.issues then coalesce(incidents_open.still_open, 0) end as incidents_open,
    case when collected.shipping then coalesce(deployment_windows.succeeded, 0) end as deployments_in_window,
    case when collected.shipping
         then coalesce(deployment_windows.succeeded, 0)::double precision / days.days_observed
    end as deployment_frequency,
    case when collected.shipping then shipped_windows.median_hours end as lead_time_hours,
    case when collected.shipping then shipped_windows.p90_hours end as lead_time_hours_p90,
    coalesce(shipped_windows.n, 0) as lead_time_n,
    case when collected.shipping then shipped_windows.week_hours end as lead_time_hours_week,
    coalesce(shipped_windows.week_n, 0) as lead_time_week_n,
    case when collected.pull_requests then merged_windows.median_hours end as pr_lead_hours,
    case when collected.pull_requests then merged_windows.p90_hours end as pr_lead_hours_p90,
    coalesce(merged_windows.n, 0) as pr_lead_n,
    case when collected.shipping and deployment_windows.finished > 0
         then coalesce(failing_windows.failing, 0)::double precision / deployment_windows.finished
    end as change_failure_rate,
    case when collected.shipping then coalesce(failing_windows.failing, 0) end as deployments_failing_in_window,
    case when collected.shipping then coalesce(deployment_windows.finished, 0) end as deployments_finished_in_window,
    case when collected.shipping then recovery_windows.recovery_hours end as failed_deployment_recovery_hours,
    coalesce(recovery_windows.recovered, 0) as failed_deployment_recovery_n,
    case when collected.shipping then coalesce(unrecovered.failures, 0) end as failures_unrecovered,
    case when collected.issues then incident_windows.median_hours end as mttr_hours,
    coalesce(incident_windows.n, 0) as mttr_n,
    case when collected.shipping and deployment_windows.succeeded > 0
         then coalesce(rework_windows.rework, 0)::double precision / deployment_windows.succeeded
    end as rework_rate,
    case when collected.shipping then coalesce(rework_windows.rework, 0) end as rework_deployments_in_window
from days
left join ops.collected_days as collected_days using (repository_id)
left join latest_source
  on latest_source.repository_id = days.repository_id
 and days.date >= latest_source.since and days.date < latest_source.until
cross join lateral (
    select
        collected_days.issues @> days.date as issues,
        collected_days.pull_requests @> days.date as pull_requests,
        -- Since its first deployment, on the days on which what it ships by was collected.
        case latest_source.source
            when 'deployments' then collected_days.deployments
            when 'releases' then collected_days.releases
            when 'tags' then collected_days.tags
            when 'pushes' then collected_days.commits
        end @> days.date as shipping
) as collected
left join deployment_windows
  on deployment_windows.repository_id = days.repository_id and deployment_windows.date = days.date
left join failing_windows
  on failing_windows.repository_id = days.repository_id and failing_windows.date = days.date
left join recovery_windows
  on recovery_windows.repository_id = days.repository_id and recovery_windows.date = days.date
left join unrecovered
  on unrecovered.repository_id = days.repository_id and unrecovered.date = days.date
left join rework_windows
  on rework_windows.repository_id = days.repository_id and rework_windows.date = days.date
left join shipped_windows
  on shipped_windows.repository_id = days.repository_id and shipped_windows.date = days.date
left join merged_windows
  on merged_windows.repository_id = days.repository_id and merged_windows.date = days.date
left join waiting_totals
  on waiting_totals.repository_id = days.repository_id
 and days.date >= waiting_totals.date and days.date < waiting_totals.until
left join incident_windows
  on incident_windows.repository_id = days.repository_id and incident_windows.date = days.date
left join incidents_opened
  on incidents_opened.repository_id = days.repository_id and incidents_opened.date = days.date
left join incidents_open
  on incidents_open.repository_id = days.repository_id and incidents_open.date = days.date
