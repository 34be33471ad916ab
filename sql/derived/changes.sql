-- A row is a change: a merged pull request, or a commit that went to the default branch without one. It ships in
-- the first successful deployment that contains its commit; what the first deployment of all contained (baseline)
-- has no lead time, because nothing says when it really shipped.
-- Its date is the merge; rows that had not shipped when the range began are brought up to date.
-- replace: merged_at
with recursive has_child as (
    select repository_id, unnest(parents) as sha
    from raw.commits
    where on_default_branch
),

mainline as (
    -- The first-parent line of the default branch, from its head back to a month before the range.
    select commits.repository_id, commits.sha, commits.parents[1] as parent_sha
    from raw.commits as commits
    where commits.on_default_branch
      and not exists (
          select 1 from has_child
          where has_child.repository_id = commits.repository_id and has_child.sha = commits.sha
      )
    union
    select mainline.repository_id, parent.sha, parent.parent_sha
    from mainline
    cross join lateral (
        select commits.sha, commits.parents[1] as parent_sha
        from raw.commits as commits
        where commits.repository_id = mainline.repository_id
          and commits.sha = mainline.parent_sha
          and commits.committed_at >= :start - interval '31 days'
        offset 0  -- looks each parent up by its key; a join would read the whole table at every step of the line
    ) as parent
),

open_before as (
    select repository_id, change_key
    from metrics.changes
    where merged_at < :start and (state = 'waiting' or state = 'untied' or deployed_at >= :start)
),

merged_pull_requests as (
    select
        repository_id,
        'pull_request:' || number as change_key,
        'pull_request' as kind,
        number,
        merge_sha as sha,
        author_is_bot,
        -- (least alone would turn an unknown first commit into the merge.)
        case when first_commit_at is not null then least(first_commit_at, merged_at) end as first_commit_at,
        merged_at
    from raw.pull_requests
    where merged_at is not null
      and (
          (merged_at >= :start and merged_at < :end)
          or (repository_id, 'pull_request:' || number) in (select repository_id, change_key from open_before)
      )
),

commits_in_question as (
    select commits.repository_id, commits.sha, commits.parents, commits.author_is_bot, commits.authored_at,
           commits.committed_at, commits.pull_request_number
    from mainline
    join raw.commits as commits using (repository_id, sha)
    where commits.committed_at >= :start and commits.committed_at < :end
    union
    select commits.repository_id, commits.sha, commits.parents, commits.author_is_bot, commits.authored_at,
           commits.committed_at, commits.pull_request_number
    from open_before
    join raw.commits as commits
      on commits.repository_id = open_before.repository_id
     and commits.sha = substring(open_before.change_key from '^commit:(.*)$')
),

direct_commits as (
    select
        commits.repository_id,
        'commit:' || commits.sha as change_key,
        'commit' as kind,
        null::integer as number,
        commits.sha,
        commits.author_is_bot,
        commits.authored_at as first_commit_at,
        commits.committed_at as merged_at
    from commits_in_question as commits
    where cardinality(commits.parents) < 2
      and not exists (
          select 1 from raw.pull_requests as pull_requests
          where pull_requests.repository_id = commits.repository_id
            and pull_requests.merged_at is not null
            and pull_requests.merge_sha = commits.sha
      )
      -- A condition of its own: with "or" every commit would be held against every pull request.
      and not exists (
          select 1 from raw.pull_requests as pull_requests
          where pull_requests.repository_id = commits.repository_id
            and pull_requests.merged_at is not null
            and pull_requests.number = commits.pull_request_number
      )
),

changes as (
    select * from merged_pull_requests
    union all
    select * from direct_commits
)

select
    changes.repository_id,
    settings.repository,
    changes.change_key,
    changes.kind,
    changes.number,
    changes.sha,
    changes.author_is_bot,
    changes.first_commit_at,
    changes.merged_at,
    shipped.deployment_key,
    shipped.deployed_at,
    case
        when shipped.is_baseline then 'baseline'
        when shipped.deployment_key is not null then 'shipped'
        when commits.sha is null then 'untied'
        else 'waiting'
    end as state,
    case
        when shipped.is_baseline then 'contained in the first deployment known, which ships nothing'
        when shipped.deployment_key is not null then null
        when changes.sha is null then 'the provider names no merge commit'
        when commits.sha is null then 'its merge commit is on no collected branch'
        else 'no deployment contains it yet'
    end as reason,
    extract(epoch from changes.merged_at - changes.first_commit_at) / 3600 as pr_lead_hours,
    case when not shipped.is_baseline
         then extract(epoch from shipped.deployed_at - changes.merged_at) / 3600 end as merge_to_deploy_hours,
    case when not shipped.is_baseline
         then extract(epoch from shipped.deployed_at - changes.first_commit_at) / 3600 end as lead_time_hours
from changes
join ops.repository_settings as settings using (repository_id)
left join metrics.deployment_commits as shipped
  on shipped.repository_id = changes.repository_id and shipped.sha = changes.sha
left join raw.commits as commits
  on commits.repository_id = changes.repository_id and commits.sha = changes.sha
