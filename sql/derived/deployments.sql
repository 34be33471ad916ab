-- A row is a production deployment that has ended: a GitHub deployment in the repository's environment or, where
-- the repository has had none so far, a release, a release tag, or (only if asked for) a push.
-- deployed_at is the first success; finished_at is that, or else the first failure, and is the row's date.
-- replace: finished_at
with recursive has_child as (
    select repository_id, unnest(parents) as sha
    from raw.commits
    where on_default_branch
),

mainline as (
    -- Pushes: the first-parent line of the default branch, for the repositories that ask for it.
    select commits.repository_id, commits.sha, commits.parents, commits.committed_at
    from raw.commits as commits
    join ops.repository_settings as settings using (repository_id)
    where settings.deployment_source = 'pushes'
      and commits.on_default_branch
      and not exists (
          select 1 from has_child
          where has_child.repository_id = commits.repository_id and has_child.sha = commits.sha
      )
    union
    select mainline.repository_id, parent.sha, parent.parents, parent.committed_at
    from mainline
    cross join lateral (
        select commits.sha, commits.parents, commits.committed_at
        from raw.commits as commits
        where commits.repository_id = mainline.repository_id and commits.sha = mainline.parents[1]
        offset 0  -- looks each parent up by its key; a join would read the whole table at every step of the line
    ) as parent
),

tag_of_commit as (
    select repository_id, sha, min(tag) as tag
    from raw.tags
    group by repository_id, sha
),

github_deployments as (
    select
        deployments.repository_id,
        'deployments' as source,
        1 as choice,
        'deployment:' || deployments.deployment_id as deployment_key,
        deployments.environment,
        tag_of_commit.tag as version,
        deployments.sha,
        deployments.created_at,
        min(statuses.created_at) filter (where statuses.state = 'success') as deployed_at,
        min(statuses.created_at) filter (where statuses.state in ('failure', 'error')) as failed_at
    from raw.deployments as deployments
    join ops.repository_settings as settings
      on settings.repository_id = deployments.repository_id
     and settings.environment = deployments.environment
    left join raw.deployment_statuses as statuses
      on statuses.repository_id = deployments.repository_id
     and statuses.deployment_id = deployments.deployment_id
    left join tag_of_commit
      on tag_of_commit.repository_id = deployments.repository_id and tag_of_commit.sha = deployments.sha
    group by deployments.repository_id, deployments.deployment_id, tag_of_commit.tag
),

releases as (
    select
        releases.repository_id,
        'releases' as source,
        2 as choice,
        'release:' || releases.release_id as deployment_key,
        'release' as environment,
        releases.tag as version,
        tags.sha,
        releases.created_at,
        releases.published_at as deployed_at,
        null::timestamptz as failed_at
    from raw.releases as releases
    left join raw.tags as tags using (repository_id, tag)
    where not releases.is_draft and not releases.is_prerelease and releases.published_at is not null
),

release_tags as (
    select
        tags.repository_id,
        'tags' as source,
        3 as choice,
        'tag:' || tags.tag as deployment_key,
        'release' as environment,
        tags.tag as version,
        tags.sha,
        tags.tagged_at as created_at,
        tags.tagged_at as deployed_at,
        null::timestamptz as failed_at
    from raw.tags as tags
    join ops.repository_settings as settings using (repository_id)
    where tags.tag ~ settings.release_tag_pattern
),

pushes as (
    select
        repository_id,
        'pushes' as source,
        4 as choice,
        'push:' || sha as deployment_key,
        'default branch' as environment,
        null as version,
        sha,
        committed_at as created_at,
        committed_at as deployed_at,
        null::timestamptz as failed_at
    from mainline
),

ended as (
    select *, coalesce(deployed_at, failed_at) as finished_at
    from (
        select * from github_deployments
        union all select * from releases
        union all select * from release_tags
        union all select * from pushes
    ) as candidates
    where coalesce(deployed_at, failed_at) is not null
),

-- A better source replaces a weaker one from its own first day on, so that adopting it rewrites no past.
first_use as (
    select repository_id, choice, min(finished_at)::date as first_on
    from ended
    group by repository_id, choice
),

-- Versions that shipped while tags were all there was; a release written for one later does not ship it again.
shipped_as_tags as (
    select release_tags.repository_id, release_tags.version
    from release_tags
    join first_use on first_use.repository_id = release_tags.repository_id and first_use.choice = 2
    where release_tags.deployed_at::date < first_use.first_on
)

select
    ended.repository_id,
    settings.repository,
    ended.deployment_key,
    ended.source,
    ended.environment,
    ended.version,
    ended.sha,
    ended.created_at,
    ended.deployed_at,
    ended.finished_at,
    case when ended.deployed_at is null then 'failed' else 'succeeded' end as outcome
from ended
join ops.repository_settings as settings using (repository_id)
where ended.finished_at >= :start
  and ended.finished_at < :end
  and (
      settings.deployment_source = ended.source
      or (
          settings.deployment_source = 'auto'
          and ended.source <> 'pushes'
          and not exists (
              select 1 from first_use
              where first_use.repository_id = ended.repository_id
                and first_use.choice < ended.choice
                and first_use.first_on <= ended.finished_at::date
          )
          and not (
              ended.source = 'releases'
              and (ended.repository_id, ended.version) in (select repository_id, version from shipped_as_tags)
          )
      )
  )
