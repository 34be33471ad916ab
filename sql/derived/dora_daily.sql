-- A row is a subject (a repository, service, environment, team, or the portfolio) on a day: what it shipped and
-- broke that day, and DORA's keys over the window of 28 days that ends with the day (7 days where the name says
-- week). Every figure stands on the subject's rows, none on figures of its parts. Only what was known at the end of
-- the day counts. Null is unknown, never zero: before its first deployment nothing says whether a chain ships, and
-- on a day on which none of the subject's repositories was collected nothing says what happened.
-- replace: date
with subjects as materialized (
    select subjects.subject_kind, subjects.subject, subjects.repository_id, subjects.chain,
           greatest(portfolio.start, repositories.created_at::date) as first_day
    from ops.subjects as subjects
    join raw.repositories as repositories using (repository_id)
    cross join ops.portfolio as portfolio
),

-- Each repository of a subject once, however many chains it has.
subject_repositories as materialized (
    select distinct subject_kind, subject, repository_id from subjects
),

-- The days that were collected of at least one repository of the subject.
subject_collected as (
    select
        subject_kind,
        subject,
        range_agg(span) filter (where entity = 'issues') as issues,
        range_agg(span) filter (where entity <> 'issues') as changes
    from subject_repositories
    join ops.collected_days as collected_days using (repository_id)
    cross join lateral (
        select 'issues' as entity, unnest(collected_days.issues) as span
        union all
        select 'pull_requests', unnest(collected_days.pull_requests)
        union all
        select 'commits', unnest(collected_days.commits)
    ) as collected
    group by subject_kind, subject
),

-- A subject has been observed for as long as the first of its repositories: what shipped from that one counts from
-- then on, and repositories that were created later shipped nothing before.
days as materialized (
    select subject_kind, subject, day::date as date, first_day,
           least(28, day::date - first_day + 1) as days_observed
    from (select subject_kind, subject, min(first_day) as first_day from subjects group by subject_kind, subject) as known
    cross join generate_series(:start, :end - 1, interval '1 day') as day
),

-- By what a chain shipped last, up to each day: the source of its last deployment.
source_runs as materialized (
    select
        chains.repository_id,
        chains.chain,
        runs.source,
        runs.finished_at::date as since,
        lead(runs.finished_at::date, 1, 'infinity')
            over (partition by chains.repository_id, chains.chain order by runs.finished_at) as until
    from ops.chains as chains
    cross join lateral (
        (
            select source, finished_at
            from metrics.deployments as deployments
            where deployments.repository_id = chains.repository_id and deployments.chain = chains.chain
              and finished_at < :start
            order by finished_at desc, deployment_key desc
            limit 1
        )
        union all
        select source, finished_at
        from (
            select source, finished_at, lag(source) over (order by finished_at, deployment_key) as before
            from metrics.deployments as deployments
            where deployments.repository_id = chains.repository_id and deployments.chain = chains.chain
              and finished_at >= :start and finished_at < :end
        ) as recent
        where before is distinct from source
    ) as runs
),

subject_sources as (
    select
        subject_kind,
        subject,
        day::date as date,
        min(source) as source,
        max(source) as other_source,
        -- Since its first deployment, on the days on which what it ships by was collected.
        bool_or(collected.days @> day::date) as shipping
    from subjects
    join source_runs using (repository_id, chain)
    left join ops.collected_days as collected_days using (repository_id)
    cross join lateral (
        select case source
            when 'deployments' then collected_days.deployments
            when 'workflow_runs' then collected_days.workflow_runs
            when 'releases' then collected_days.releases
            when 'tags' then collected_days.tags
            when 'pushes' then collected_days.commits
        end as days
    ) as collected
    cross join generate_series(greatest(since, :start), least(until, :end) - 1, interval '1 day') as day
    group by subject_kind, subject, day::date
),

-- What happened to chains, in steps: up on the day from which something counts, down on the day after the last.
deployment_days as materialized (
    select repository_id, chain, finished_at::date as date, outcome, count(*) as deployments
    from metrics.deployments
    where finished_at >= :start - 27 and finished_at < :end
    group by repository_id, chain, finished_at::date, outcome
),

failing as (
    select failures.repository_id, failures.chain, failures.deployment_key, deployments.finished_at::date as date,
           greatest(deployments.finished_at::date, min(failures.detected_at)::date) as since
    from metrics.deployment_failures as failures
    join metrics.deployments as deployments using (repository_id, chain, deployment_key)
    where deployments.finished_at >= :start - 27 and deployments.finished_at < :end
    group by failures.repository_id, failures.chain, failures.deployment_key, deployments.finished_at
),

-- That a deployment was a repair is known when what it repaired is over.
repairs as (
    select
        reasons.repository_id,
        reasons.chain,
        unnest(range_agg(daterange(
            greatest(deployments.finished_at::date, reasons.restored_at::date, reasons.detected_at::date),
            least(deployments.finished_at::date + 28, reasons.lapsed_at::date)
        ))) as span
    from ops.failure_reasons as reasons
    join metrics.deployments as deployments
      on deployments.repository_id = reasons.repository_id and deployments.chain = reasons.chain
     and deployments.deployment_key = reasons.restored_by
    where deployments.finished_at >= :start - 27 and deployments.finished_at < :end
      and greatest(deployments.finished_at::date, reasons.restored_at::date, reasons.detected_at::date)
          < least(deployments.finished_at::date + 28, reasons.lapsed_at::date)
    group by reasons.repository_id, reasons.chain, reasons.restored_by
),

-- A change of a day, and when it shipped. What was deployed from its branch counts from its merge on: until then it
-- was no change.
change_days as materialized (
    select repository_id, chain, state, merged_at::date as merged_on,
           greatest(deployed_at, merged_at)::date as shipped_on, count(*) as changes
    from (
        select repository_id, chain, state, merged_at, deployed_at
        from metrics.changes
        where merged_at >= :start - 27 and merged_at < :end
        union all
        select repository_id, chain, state, merged_at, deployed_at
        from metrics.changes
        where state = 'waiting' and merged_at < :start - 27
        union all
        select repository_id, chain, state, merged_at, deployed_at
        from metrics.changes
        where deployed_at >= :start and merged_at < :start - 27
    ) as changes
    group by repository_id, chain, state, merged_at::date, greatest(deployed_at, merged_at)::date
),

-- From its first deployment on, a chain is known to ship: only then does what is merged wait for it.
adopted as (
    select chains.repository_id, chains.chain, first.date
    from ops.chains as chains
    cross join lateral (
        select finished_at::date as date
        from metrics.deployments as deployments
        where deployments.repository_id = chains.repository_id and deployments.chain = chains.chain
        order by finished_at
        limit 1
    ) as first
),

chain_steps as (
    select repository_id, chain, date, outcome || '_today' as what, deployments as step
    from deployment_days
    where date >= :start
    union all
    select repository_id, chain, date + edge.days, outcome, edge.sign * deployments
    from deployment_days cross join (values (0, 1), (28, -1)) as edge (days, sign)
    union all
    select repository_id, chain, case edge.sign when 1 then since else date + 28 end, 'failing', edge.sign
    from failing cross join (values (1), (-1)) as edge (sign)
    where since < date + 28
    union all
    select repository_id, chain, case edge.sign when 1 then lower(span) else upper(span) end, 'rework', edge.sign
    from repairs cross join (values (1), (-1)) as edge (sign)
    union all
    select repository_id, chain, case edge.sign when 1 then since else until end, 'unrecovered', edge.sign
    from ops.recoveries cross join (values (1), (-1)) as edge (sign)
    where restored_at is null
    union all
    select repository_id, chain, shipped_on, 'shipped_today', changes
    from change_days
    where state = 'shipped' and shipped_on >= :start
    union all
    -- Merged and not shipped at the end of the day.
    select repository_id, chain, greatest(merged_on, adopted.date), 'waiting', changes
    from change_days join adopted using (repository_id, chain)
    where state <> 'untied'
    union all
    select repository_id, chain, greatest(shipped_on, adopted.date), 'waiting', -changes
    from change_days join adopted using (repository_id, chain)
    where state in ('shipped', 'baseline')
    union all
    -- What became of the changes merged in the window: up when it is known, down when the window leaves the merge.
    select repository_id, chain, merged_on + edge.days, 'merged', edge.sign * changes
    from change_days cross join (values (0, 1), (28, -1)) as edge (days, sign)
    union all
    select repository_id, chain, case edge.sign when 1 then coalesce(shipped_on, merged_on) else merged_on + 28 end,
           'merged_' || state, edge.sign * changes
    from change_days cross join (values (1), (-1)) as edge (sign)
    where state <> 'waiting' and coalesce(shipped_on, merged_on) < merged_on + 28
),

chain_step_days as (
    select repository_id, chain, greatest(date, :start) as date, what, sum(step) as step
    from chain_steps
    where date < :end
    group by repository_id, chain, greatest(date, :start), what
),

-- An incident belongs to the chain that it is tied to; one that is tied to none, to its repository.
subject_incidents as (
    select subjects.subject_kind, subjects.subject, incidents.repository_id, incidents.issue_number,
           incidents.created_at
    from metrics.incidents as incidents
    join subjects on subjects.repository_id = incidents.repository_id and subjects.chain = incidents.chain
    union all
    select subject_repositories.subject_kind, subject_repositories.subject, incidents.repository_id,
           incidents.issue_number, incidents.created_at
    from metrics.incidents as incidents
    left join ops.chains as chains
      on chains.repository_id = incidents.repository_id and chains.chain = incidents.chain
    join subject_repositories
      on subject_repositories.repository_id = incidents.repository_id
     and subject_repositories.subject_kind in ('repository', 'team', 'portfolio')
    where chains.chain is null
),

incident_steps as (
    select subject_kind, subject, created_at::date as date, 'incidents_opened' as what, 1 as step
    from subject_incidents
    where created_at >= :start
    union all
    select subject_kind, subject,
           case edge.sign when 1 then spans.since::date else least(spans.until, issues.deleted_at)::date end,
           'incidents_open', edge.sign
    from subject_incidents
    join ops.incident_spans as spans using (repository_id, issue_number)
    -- What the provider no longer has is not open, and was not resolved.
    left join raw.issues as issues
      on issues.repository_id = spans.repository_id and issues.number = spans.issue_number
    cross join (values (1), (-1)) as edge (sign)
    where not spans.is_closed
    union all
    -- Closed on the day, and at its end.
    select subject_kind, subject, spans.since::date, 'incidents_resolved', 1
    from subject_incidents
    join ops.incident_spans as spans using (repository_id, issue_number)
    where spans.is_closed and spans.since >= :start and spans.until::date > spans.since::date
),

step_days as (
    select
        subject_kind,
        subject,
        date,
        sum(step) filter (where what = 'succeeded_today') as succeeded_today,
        sum(step) filter (where what = 'failed_today') as failed_today,
        sum(step) filter (where what in ('succeeded', 'failed')) as finished,
        sum(step) filter (where what = 'succeeded') as succeeded,
        sum(step) filter (where what = 'failing') as failing,
        sum(step) filter (where what = 'rework') as rework,
        sum(step) filter (where what = 'unrecovered') as unrecovered,
        sum(step) filter (where what = 'shipped_today') as shipped_today,
        sum(step) filter (where what = 'waiting') as waiting,
        sum(step) filter (where what = 'merged') as merged,
        sum(step) filter (where what = 'merged_shipped') as merged_shipped,
        sum(step) filter (where what = 'merged_baseline') as merged_baseline,
        sum(step) filter (where what = 'merged_untied') as merged_untied,
        sum(step) filter (where what = 'incidents_opened') as incidents_opened,
        sum(step) filter (where what = 'incidents_resolved') as incidents_resolved,
        sum(step) filter (where what = 'incidents_open') as incidents_open
    from (
        select subject_kind, subject, date, what, step
        from chain_step_days join subjects using (repository_id, chain)
        union all
        select subject_kind, subject, greatest(date, :start), what, step
        from incident_steps
        where date < :end
    ) as steps
    group by subject_kind, subject, date
),

standing as (
    select
        days.*,
        coalesce(succeeded_today, 0) as succeeded_today,
        coalesce(failed_today, 0) as failed_today,
        coalesce(shipped_today, 0) as shipped_today,
        coalesce(incidents_opened, 0) as incidents_opened,
        coalesce(incidents_resolved, 0) as incidents_resolved,
        coalesce(sum(finished) over so_far, 0) as finished,
        coalesce(sum(succeeded) over so_far, 0) as succeeded,
        coalesce(sum(failing) over so_far, 0) as failing,
        coalesce(sum(rework) over so_far, 0) as rework,
        coalesce(sum(unrecovered) over so_far, 0) as unrecovered,
        coalesce(sum(waiting) over so_far, 0) as waiting,
        coalesce(sum(merged) over so_far, 0) as merged,
        coalesce(sum(merged_shipped) over so_far, 0) as merged_shipped,
        coalesce(sum(merged_baseline) over so_far, 0) as merged_baseline,
        coalesce(sum(merged_untied) over so_far, 0) as merged_untied,
        coalesce(sum(incidents_open) over so_far, 0) as incidents_open
    from days
    left join step_days using (subject_kind, subject, date)
    window so_far as (partition by subject_kind, subject order by date)
),

identities as (
    select subject_kind, subject, repository_id, settings.repository
    from subject_repositories
    join ops.repository_settings as settings using (repository_id)
    where subject_kind in ('repository', 'service', 'environment')
)

select
    subject_kind,
    subject,
    identities.repository_id,
    identities.repository,
    date,
    -- Of several, none is the subject's.
    case when subject_sources.source = subject_sources.other_source then subject_sources.source end
        as deployment_source,
    standing.days_observed,
    case when shipping then succeeded_today end as deployments_succeeded,
    case when shipping then failed_today end as deployments_failed,
    case when shipping then shipped_today end as changes_shipped,
    case when shipping then waiting end as changes_waiting,
    case when collected.issues then incidents_opened end as incidents_opened,
    case when collected.issues then incidents_resolved end as incidents_resolved,
    case when collected.issues then incidents_open end as incidents_open,
    case when shipping then succeeded end as deployments_in_window,
    case when shipping then succeeded::double precision / days_observed end as deployment_frequency,
    case when shipping then metrics.poisson_low(succeeded) / days_observed end as deployment_frequency_low,
    case when shipping then metrics.poisson_high(succeeded) / days_observed end as deployment_frequency_high,
    durations.lead_time_hours,
    durations.lead_time_hours_p90,
    durations.lead_time_hours_low,
    durations.lead_time_hours_high,
    coalesce(durations.lead_time_n, 0) as lead_time_n,
    durations.lead_time_week_hours as lead_time_hours_week,
    coalesce(durations.lead_time_week_n, 0) as lead_time_week_n,
    durations.pr_lead_hours,
    durations.pr_lead_hours_p90,
    coalesce(durations.pr_lead_n, 0) as pr_lead_n,
    case when shipping and finished > 0 then failing::double precision / finished end as change_failure_rate,
    case when shipping then metrics.wilson_low(failing, finished) end as change_failure_rate_low,
    case when shipping then metrics.wilson_high(failing, finished) end as change_failure_rate_high,
    case when shipping then failing end as deployments_failing_in_window,
    case when shipping then finished end as deployments_finished_in_window,
    durations.failed_deployment_recovery_hours,
    durations.failed_deployment_recovery_hours_p90,
    coalesce(durations.failed_deployment_recovery_n, 0) as failed_deployment_recovery_n,
    case when shipping then unrecovered end as failures_unrecovered,
    durations.mttr_hours,
    durations.mttr_hours_p90,
    coalesce(durations.mttr_n, 0) as mttr_n,
    case when shipping and succeeded > 0 then rework::double precision / succeeded end as rework_rate,
    case when shipping then metrics.wilson_low(rework, succeeded) end as rework_rate_low,
    case when shipping then metrics.wilson_high(rework, succeeded) end as rework_rate_high,
    case when shipping then rework end as rework_deployments_in_window,
    case when collected.changes then merged end as changes_merged_in_window,
    case when collected.changes then merged_shipped end as changes_shipped_of_merged,
    case when collected.changes then merged - merged_shipped - merged_baseline - merged_untied
    end as changes_waiting_of_merged,
    case when collected.changes then merged_baseline end as changes_in_baseline_of_merged,
    case when collected.changes then merged_untied end as changes_untied_of_merged
from standing
left join subject_sources using (subject_kind, subject, date)
left join subject_collected using (subject_kind, subject)
left join identities using (subject_kind, subject)
left join metrics.durations_daily as durations using (subject_kind, subject, date)
cross join lateral (
    select subject_collected.issues @> date as issues, subject_collected.changes @> date as changes
) as collected
where date >= standing.first_day
