-- A row is an incident: an issue with one of the repository's incident labels, tied to the deployment that caused
-- it by the best evidence there is: a commit, a pull request or a version that its text names, else the time.
-- Its date is when it was opened; rows that were open or touched since the range began are brought up to date.
-- replace: created_at
with incident_issues as (
    select
        issues.*,
        settings.repository,
        settings.incident_maximum_gap_hours as maximum_gap_hours,
        coalesce(severities.severity, 'unknown') as severity
    from raw.issues as issues
    join ops.repository_settings as settings using (repository_id)
    left join lateral (
        -- The first label that says one: 'severity: major', 'priority/high', 'P1' and 'sev-2' are understood.
        select case when level ~ '^[0-9]$' then scale || level else replace(level, '-', '') end as severity
        from unnest(issues.labels) with ordinality as labels (label, position)
        cross join lateral (
            select
                lower(substring(label from '(?i)(critical|major|minor|high|medium|low|sev-?[0-9]|p[0-9]|[0-9])\s*$')),
                case when label ~* '^p' then 'p' else 'sev' end
        ) as said (level, scale)
        where label ~* '^(severity|priority|sev|p)[-:_ /]*(critical|major|minor|high|medium|low|[0-9]|sev-?[0-9]|p[0-9])\s*$'
        order by position
        limit 1
    ) as severities on true
    where issues.labels && settings.incident_labels
      and (
          (issues.created_at >= :start and issues.created_at < :end)
          -- Labels may come late, and make an incident of an issue of a day that no run covers again.
          or (issues.updated_at >= :start and issues.created_at < :end)
          or exists (
              select 1 from metrics.incidents as known
              where known.repository_id = issues.repository_id
                and known.issue_number = issues.number
                and known.created_at < :end
                and (known.closed_at is null or known.closed_at >= :start)
          )
      )
),

mentions as (
    select
        incident_issues.repository_id,
        incident_issues.number,
        incident_issues.created_at,
        split_part(mention, ':', 1) as kind,
        substring(mention from position(':' in mention) + 1) as what
    from incident_issues
    cross join unnest(incident_issues.mentions) as mention
),

ties as (
    -- The deployed commit itself, or the deployment that first contained the commit.
    select mentions.repository_id, mentions.number, deployments.deployment_key, 'sha' as tie_rule,
           1.0 as tie_confidence, deployments.deployed_at
    from mentions
    join metrics.deployments as deployments
      on deployments.repository_id = mentions.repository_id
     and deployments.sha like mentions.what || '%'
     and deployments.deployed_at <= mentions.created_at
    where mentions.kind = 'sha'
    union all
    select mentions.repository_id, mentions.number, shipped.deployment_key, 'sha', 0.95, shipped.deployed_at
    from mentions
    join metrics.deployment_commits as shipped
      on shipped.repository_id = mentions.repository_id
     and shipped.sha like mentions.what || '%'
     and shipped.deployed_at <= mentions.created_at
    where mentions.kind = 'sha' and not shipped.is_baseline
    union all
    select mentions.repository_id, mentions.number, shipped.deployment_key, 'pull_request', 0.9, shipped.deployed_at
    from mentions
    join raw.pull_requests as pull_requests
      on pull_requests.repository_id = mentions.repository_id
     and mentions.kind = 'number'
     and pull_requests.number = mentions.what::integer
    join metrics.deployment_commits as shipped
      on shipped.repository_id = pull_requests.repository_id
     and shipped.sha = pull_requests.merge_sha
     and shipped.deployed_at <= mentions.created_at
    where not shipped.is_baseline
    union all
    select mentions.repository_id, mentions.number, deployments.deployment_key, 'version', 0.8, deployments.deployed_at
    from mentions
    join metrics.deployments as deployments
      on deployments.repository_id = mentions.repository_id
     and mentions.kind = 'version'
     and ltrim(deployments.version, 'v') = mentions.what
     and deployments.deployed_at <= mentions.created_at
    union all
    -- No evidence in the text: the last deployment before, if it is near enough to be blamed.
    select incident_issues.repository_id, incident_issues.number, latest.deployment_key, 'time', 0.3,
           latest.deployed_at
    from incident_issues
    cross join lateral (
        select deployments.deployment_key, deployments.deployed_at
        from metrics.deployments as deployments
        where deployments.repository_id = incident_issues.repository_id
          and deployments.outcome = 'succeeded'
          and deployments.finished_at <= incident_issues.created_at
          and deployments.finished_at
              >= incident_issues.created_at - incident_issues.maximum_gap_hours * interval '1 hour'
        order by deployments.finished_at desc, deployments.deployment_key desc
        limit 1
    ) as latest
),

best_tie as (
    select distinct on (repository_id, number) *
    from ties
    order by repository_id, number, tie_confidence desc, deployed_at desc, deployment_key
)

select
    incident_issues.repository_id,
    incident_issues.repository,
    incident_issues.number as issue_number,
    incident_issues.title,
    incident_issues.severity,
    case when incident_issues.closed_at is null then 'open' else 'resolved' end as status,
    incident_issues.created_at,
    incident_issues.closed_at,
    extract(epoch from incident_issues.closed_at - incident_issues.created_at) / 3600 as mttr_hours,
    best_tie.deployment_key,
    best_tie.tie_rule,
    best_tie.tie_confidence,
    extract(epoch from incident_issues.created_at - best_tie.deployed_at) / 3600 as tie_gap_hours
from incident_issues
left join best_tie using (repository_id, number)
