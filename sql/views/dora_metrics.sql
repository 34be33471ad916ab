-- The events behind DORA's keys, one row each, oldest first: a change that was merged (pull_request, commit), a
-- deployment that ended, an incident that was opened. The frequency is the repository's on that day, over 28 days.
-- The actor is 'person' or 'bot' and never who it was; null where the event has none.
create or replace view metrics.dora_metrics as
select
    events.event_type,
    events.repository,
    events.timestamp,
    daily.deployment_frequency,
    events.lead_time_hours,
    events.deployment_failed,
    events.environment,
    events.pr_number,
    events.commit_sha,
    events.actor
from (
    select
        kind as event_type, repository_id, repository, merged_at as timestamp, lead_time_hours,
        null::boolean as deployment_failed, null::text as environment, number as pr_number, sha as commit_sha,
        case when author_is_bot then 'bot' when not author_is_bot then 'person' end as actor
    from metrics.changes
    where chain not like '@%'  -- further environments ship the same changes again
    union all
    select
        'deployment', deployments.repository_id, deployments.repository, finished_at, null,
        outcome = 'failed' or exists (
            select 1 from metrics.deployment_failures as failures
            where failures.repository_id = deployments.repository_id and failures.chain = deployments.chain
              and failures.deployment_key = deployments.deployment_key
        ),
        deployments.environment, null, deployments.sha,
        case when raw_deployments.creator_is_bot then 'bot' when not raw_deployments.creator_is_bot then 'person' end
    from metrics.deployments as deployments
    left join raw.deployments as raw_deployments
      on raw_deployments.repository_id = deployments.repository_id
     and 'deployment:' || raw_deployments.deployment_id = deployments.deployment_key
    union all
    select
        'incident', incidents.repository_id, incidents.repository, incidents.created_at, null, null, null, null, null,
        case when issues.author_is_bot then 'bot' when not issues.author_is_bot then 'person' end
    from metrics.incidents as incidents
    left join raw.issues as issues
      on issues.repository_id = incidents.repository_id and issues.number = incidents.issue_number
) as events
left join metrics.dora_daily as daily
  on daily.subject_kind = 'repository' and daily.subject = events.repository
 and daily.date = (events.timestamp at time zone 'UTC')::date;
