-- The days that were collected completely, by repository and entity. On other days a figure is unknown: what was
-- not asked for, or could not be had, is not zero.
create or replace view ops.collected_days as
select
    repository_id,
    coalesce((array_agg(days) filter (where entity = 'pull_requests'))[1], '{}') as pull_requests,
    coalesce((array_agg(days) filter (where entity = 'issues'))[1], '{}') as issues,
    coalesce((array_agg(days) filter (where entity = 'commits'))[1], '{}') as commits,
    coalesce((array_agg(days) filter (where entity = 'releases'))[1], '{}') as releases,
    coalesce((array_agg(days) filter (where entity = 'tags'))[1], '{}') as tags,
    coalesce((array_agg(days) filter (where entity = 'deployments'))[1], '{}') as deployments,
    coalesce((array_agg(days) filter (where entity = 'stargazers'))[1], '{}') as stargazers,
    coalesce((array_agg(days) filter (where entity = 'forks'))[1], '{}') as forks,
    coalesce((array_agg(days) filter (where entity = 'review_comments'))[1], '{}') as review_comments,
    coalesce((array_agg(days) filter (where entity = 'discussions'))[1], '{}') as discussions,
    coalesce((array_agg(days) filter (where entity = 'milestones'))[1], '{}') as milestones,
    coalesce((array_agg(days) filter (where entity = 'workflow_runs'))[1], '{}') as workflow_runs,
    coalesce((array_agg(days) filter (where entity = 'contributors'))[1], '{}') as contributors,
    coalesce((array_agg(days) filter (where entity = 'security_advisories'))[1], '{}') as security_advisories,
    coalesce((array_agg(days) filter (where entity = 'dependabot_alerts'))[1], '{}') as dependabot_alerts,
    coalesce((array_agg(days) filter (where entity = 'traffic'))[1], '{}') as traffic
from ops.collection_state
group by repository_id;
