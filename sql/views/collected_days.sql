-- The days that were collected completely, by repository and entity. On other days a figure is unknown: what was
-- not asked for, or could not be had, is not zero.
create or replace view ops.collected_days as
select
    repository_id,
    coalesce(range_agg(days) filter (where entity = 'pull_requests'), '{}') as pull_requests,
    coalesce(range_agg(days) filter (where entity = 'issues'), '{}') as issues,
    coalesce(range_agg(days) filter (where entity = 'commits'), '{}') as commits,
    coalesce(range_agg(days) filter (where entity = 'releases'), '{}') as releases,
    coalesce(range_agg(days) filter (where entity = 'tags'), '{}') as tags,
    coalesce(range_agg(days) filter (where entity = 'deployments'), '{}') as deployments,
    coalesce(range_agg(days) filter (where entity = 'stargazers'), '{}') as stargazers,
    coalesce(range_agg(days) filter (where entity = 'forks'), '{}') as forks,
    coalesce(range_agg(days) filter (where entity = 'review_comments'), '{}') as review_comments,
    coalesce(range_agg(days) filter (where entity = 'discussions'), '{}') as discussions,
    coalesce(range_agg(days) filter (where entity = 'milestones'), '{}') as milestones,
    coalesce(range_agg(days) filter (where entity = 'workflow_runs'), '{}') as workflow_runs,
    coalesce(range_agg(days) filter (where entity = 'contributors'), '{}') as contributors,
    coalesce(range_agg(days) filter (where entity = 'security_advisories'), '{}') as security_advisories,
    coalesce(range_agg(days) filter (where entity = 'dependabot_alerts'), '{}') as dependabot_alerts,
    coalesce(range_agg(days) filter (where entity = 'traffic'), '{}') as traffic
from ops.collection_state
group by repository_id;
