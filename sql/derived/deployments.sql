-- A row is a production deployment of a chain that has ended: a GitHub deployment in the chain's environment or,
-- where the chain has had none so far, a run of the workflow that deploys, a release, a release tag, or (only if
-- asked for) a push. A service's releases and tags are those that match its own pattern. Where a job of the workflow
-- is named, it decides and not the run: a run may fail long after it has deployed, and succeed without deploying.
-- deployed_at is the first success; finished_at is that, or else the first failure, and is the row's date.
-- replace: finished_at
with chains as (
    select * from ops.chains
),

tag_of_commit as (
    select tags.repository_id, chains.chain, tags.sha, min(tags.tag) as tag
    from raw.tags as tags
    join chains using (repository_id)
    where chains.kind <> 'service' or tags.tag ~ chains.release_tag_pattern
    group by tags.repository_id, chains.chain, tags.sha
),

github_deployments as (
    select
        deployments.repository_id,
        chains.chain,
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
    join chains
      on chains.repository_id = deployments.repository_id
     and chains.environment = deployments.environment
    left join raw.deployment_statuses as statuses
      on statuses.repository_id = deployments.repository_id
     and statuses.deployment_id = deployments.deployment_id
    left join tag_of_commit
      on tag_of_commit.repository_id = deployments.repository_id
     and tag_of_commit.chain = chains.chain
     and tag_of_commit.sha = deployments.sha
    group by deployments.repository_id, deployments.deployment_id, chains.chain, tag_of_commit.tag
),

-- Runs that may have deployed: on the default branch, and not for a pull request (whose branch may be another
-- repository's, of the same name).
runs as (
    select workflow_runs.*, chains.chain, chains.environment, chains.job
    from raw.workflow_runs as workflow_runs
    join chains
      on chains.repository_id = workflow_runs.repository_id and workflow_runs.workflow ~ chains.workflow
    join raw.repositories as repositories
      on repositories.repository_id = workflow_runs.repository_id
     and repositories.default_branch = workflow_runs.branch
    where workflow_runs.event not like 'pull_request%'
),

-- By name, because a job that is run again is another job of the same name.
jobs as (
    select
        runs.repository_id,
        runs.chain,
        runs.run_id,
        min(jobs.completed_at) filter (where jobs.conclusion = 'success') as deployed_at,
        min(jobs.completed_at) filter (where jobs.conclusion in ('failure', 'timed_out')) as failed_at
    from runs
    join raw.workflow_jobs as jobs using (repository_id, run_id)
    where jobs.name ~ runs.job
    group by runs.repository_id, runs.chain, runs.run_id, jobs.name
),

run_ends as (
    -- Where several jobs deploy, all of them must.
    select
        repository_id, chain, run_id,
        case when count(*) = count(deployed_at) then max(deployed_at) end as deployed_at,
        min(failed_at) filter (where deployed_at is null) as failed_at
    from jobs
    where deployed_at is not null or failed_at is not null
    group by repository_id, chain, run_id
    union all
    select
        runs.repository_id, runs.chain, runs.run_id,
        case when runs.conclusion = 'success' then ended.at end,
        case when runs.conclusion in ('failure', 'timed_out') then ended.at end
    from runs
    cross join lateral (
        -- (A run is touched once more when its logs are deleted.)
        select coalesce(max(jobs.completed_at), runs.updated_at) as at
        from raw.workflow_jobs as jobs
        where jobs.repository_id = runs.repository_id and jobs.run_id = runs.run_id
    ) as ended
    where runs.job is null and runs.status = 'completed'
),

workflow_runs as (
    select
        runs.repository_id,
        runs.chain,
        'workflow_runs' as source,
        2 as choice,
        'run:' || runs.run_id as deployment_key,
        runs.environment,
        tag_of_commit.tag as version,
        runs.sha,
        runs.created_at,
        run_ends.deployed_at,
        run_ends.failed_at
    from runs
    join run_ends using (repository_id, chain, run_id)
    left join tag_of_commit using (repository_id, chain, sha)
),

releases as (
    select
        releases.repository_id,
        chains.chain,
        'releases' as source,
        3 as choice,
        'release:' || releases.release_id as deployment_key,
        'release' as environment,
        releases.tag as version,
        tags.sha,
        releases.created_at,
        releases.published_at as deployed_at,
        null::timestamptz as failed_at
    from raw.releases as releases
    join chains using (repository_id)
    left join raw.tags as tags using (repository_id, tag)
    where not releases.is_draft and not releases.is_prerelease and releases.published_at is not null
      and (chains.kind = 'repository' or (chains.kind = 'service' and releases.tag ~ chains.release_tag_pattern))
),

release_tags as (
    select
        tags.repository_id,
        chains.chain,
        'tags' as source,
        4 as choice,
        'tag:' || tags.tag as deployment_key,
        'release' as environment,
        tags.tag as version,
        tags.sha,
        tags.tagged_at as created_at,
        tags.tagged_at as deployed_at,
        null::timestamptz as failed_at
    from raw.tags as tags
    join chains using (repository_id)
    where chains.kind <> 'environment' and tags.tag ~ chains.release_tag_pattern
),

side_commits as (
    select repository_id, unnest(shas) as sha
    from metrics.side_commits
    where date >= :start and date < :end
),

pushes as (
    -- The first-parent line of the default branch, for the chains that ask for it.
    select
        commits.repository_id,
        chains.chain,
        'pushes' as source,
        5 as choice,
        'push:' || commits.sha as deployment_key,
        'default branch' as environment,
        null as version,
        commits.sha,
        commits.committed_at as created_at,
        commits.committed_at as deployed_at,
        null::timestamptz as failed_at
    from chains
    join raw.commits as commits using (repository_id)
    where chains.deployment_source = 'pushes'
      and commits.on_default_branch
      and commits.committed_at >= :start and commits.committed_at < :end
      and not exists (
          select 1 from side_commits
          where side_commits.repository_id = commits.repository_id and side_commits.sha = commits.sha
      )
),

ended as (
    select *, coalesce(deployed_at, failed_at) as finished_at
    from (
        select * from github_deployments
        union all select * from workflow_runs
        union all select * from releases
        union all select * from release_tags
        union all select * from pushes
    ) as candidates
    where coalesce(deployed_at, failed_at) is not null
),

-- A better source replaces a weaker one from its own first day on, so that adopting it rewrites no past.
first_use as (
    select repository_id, chain, choice, min(finished_at)::date as first_on
    from ended
    group by repository_id, chain, choice
),

-- Versions that shipped while tags were all there was; a release written for one later does not ship it again.
shipped_as_tags as (
    select release_tags.repository_id, release_tags.chain, release_tags.version
    from release_tags
    join first_use
      on first_use.repository_id = release_tags.repository_id
     and first_use.chain = release_tags.chain
     and first_use.choice = 3
    where release_tags.deployed_at::date < first_use.first_on
)

select
    ended.repository_id,
    ended.chain,
    chains.repository,
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
join chains using (repository_id, chain)
where ended.finished_at >= :start
  and ended.finished_at < :end
  and (
      chains.deployment_source = ended.source
      or (
          chains.deployment_source = 'auto'
          and ended.source <> 'pushes'
          and not exists (
              select 1 from first_use
              where first_use.repository_id = ended.repository_id
                and first_use.chain = ended.chain
                and first_use.choice < ended.choice
                and first_use.first_on <= ended.finished_at::date
          )
          and not (
              ended.source = 'releases'
              and (ended.repository_id, ended.chain, ended.version)
                  in (select repository_id, chain, version from shipped_as_tags)
          )
      )
  )
