-- The days that were collected completely, by repository and entity. On other days a figure is unknown: what was
-- not asked for, or could not be had, is not zero.
create or replace view ops.collected_days as
select
    repository_id,
    coalesce(range_agg(daterange(range_start, range_end)) filter (where entity = 'pull_requests'), '{}') as pull_requests,
    coalesce(range_agg(daterange(range_start, range_end)) filter (where entity = 'issues'), '{}') as issues,
    coalesce(range_agg(daterange(range_start, range_end)) filter (where entity = 'commits'), '{}') as commits,
    coalesce(range_agg(daterange(range_start, range_end)) filter (where entity = 'releases'), '{}') as releases,
    coalesce(range_agg(daterange(range_start, range_end)) filter (where entity = 'tags'), '{}') as tags,
    coalesce(range_agg(daterange(range_start, range_end)) filter (where entity = 'deployments'), '{}') as deployments,
    coalesce(range_agg(daterange(range_start, range_end)) filter (where entity = 'stargazers'), '{}') as stargazers,
    coalesce(range_agg(daterange(range_start, range_end)) filter (where entity = 'forks'), '{}') as forks
from ops.collection_log
where outcome = 'complete' and repository_id is not null
group by repository_id;
