-- A row is an incident: an issue with one of the repository's incident labels, tied to the deployment that caused
-- it by the surest of its links (metrics.incident_links).
-- Its date is when it was opened; rows that were open or touched since the range began are brought up to date.
-- replace: created_at
-- also replaces: (repository_id, issue_number) in (select repository_id, number from raw.issues where closed_at is null)
-- also replaces: (repository_id, issue_number) in (select repository_id, number from raw.issues where updated_at >= :start)
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
      and issues.created_at < :end
      and (
          issues.created_at >= :start
          -- Labels may come late, and make an incident of an issue of a day that no run covers again.
          or issues.updated_at >= :start
          or issues.closed_at is null
          or exists (
              select 1 from raw.incident_corrections as corrections
              where corrections.repository = settings.repository
                and corrections.issue_number = issues.number
                and greatest(corrections.loaded_at, corrections.decided_at) >= :start
          )
          or exists (
              select 1 from metrics.incidents as known
              where known.repository_id = issues.repository_id
                and known.issue_number = issues.number
                and (known.closed_at is null or known.closed_at >= :start)
          )
      )
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
    links.chain,
    links.deployment_key,
    links.rule as tie_rule,
    links.confidence as tie_confidence,
    links.gap_hours as tie_gap_hours
from incident_issues
left join metrics.incident_links as links
  on links.repository_id = incident_issues.repository_id
 and links.issue_number = incident_issues.number
 and links.is_chosen
