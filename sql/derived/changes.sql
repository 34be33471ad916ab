-- A row is a change of a chain: a merged pull request, or a commit that went to the default branch without one. It
-- ships in the first successful deployment of the chain that contains its commit; what the chain's first deployment
-- contained (baseline) has no lead time, because nothing says when it really shipped. Where a service has paths, its
-- changes are those that touched one of them: by the merge commit's directories, else by those of the commits that
-- name the pull request. Where nobody read the directories, the change is untied.
-- The stages begin where the one before ends, so that they add up to the lead time wherever all are known: a pull
-- request that was opened before its first commit took no coding; opening, review and approval count from the stage
-- before on, and at the merge at the latest. Only people other than the author review. A change that nobody
-- reviewed before the merge has neither pickup nor review; where nobody approved, review lasts to the merge.
-- Its date is the merge; rows that had not shipped when the range began are brought up to date.
-- replace: merged_at
-- also replaces: state = 'untied' or deployed_at >= :start
with chains as (
    select repository_id, repository, chain, paths from ops.chains
),

open_before as (
    -- What has shipped since the range began, and what may be tied by now.
    select changes.repository_id, changes.change_key
    from metrics.changes as changes
    cross join lateral (
        select 1
        from metrics.deployment_commits as shipped
        where shipped.repository_id = changes.repository_id
          and shipped.chain = changes.chain
          and shipped.sha = changes.sha
        offset 0  -- looks each up by its key; a join might read all that ever shipped
    ) as shipped
    where changes.state = 'waiting' and changes.merged_at < :start
    union
    select repository_id, change_key
    from metrics.changes
    where deployed_at >= :start and merged_at < :start
    union
    select repository_id, change_key
    from metrics.changes
    where state = 'untied' and merged_at < :start
),

pull_requests_in_question as (
    select repository_id, number, author_key, author_is_bot, created_at, first_commit_at, merged_at, merge_sha
    from raw.pull_requests
    where merged_at >= :start and merged_at < :end
    union
    select pull_requests.repository_id, pull_requests.number, author_key, author_is_bot, created_at, first_commit_at,
           merged_at, merge_sha
    from open_before
    join raw.pull_requests as pull_requests
      on pull_requests.repository_id = open_before.repository_id
     and pull_requests.number = substring(open_before.change_key from '^pull_request:(.*)$')::integer
    where merged_at < :start
),

reviews as (
    -- What people other than the author said until the merge.
    select
        asked.repository_id,
        asked.number,
        min(remarks.made_at) filter (where remarks.made_at >= asked.created_at) as first_review_at,
        max(remarks.made_at) filter (where remarks.approves) as approved_at
    from pull_requests_in_question as asked
    cross join lateral (
        select author_key, author_is_bot, submitted_at as made_at, state = 'approved' as approves
        from raw.reviews
        where reviews.repository_id = asked.repository_id and reviews.number = asked.number and state <> 'pending'
        union all
        select actor_key, actor_is_bot, created_at, false
        from raw.pull_request_events as events
        where events.repository_id = asked.repository_id and events.number = asked.number and event = 'commented'
        union all
        select author_key, author_is_bot, created_at, false
        from raw.review_comments as comments
        where comments.repository_id = asked.repository_id and comments.number = asked.number
        offset 0  -- looks each up by its number; a join would read what was ever said
    ) as remarks
    where remarks.author_key is distinct from asked.author_key
      and remarks.author_key is not null
      and not remarks.author_is_bot
      and remarks.made_at <= asked.merged_at
    group by asked.repository_id, asked.number
),

-- Where a service has paths: the directories of the commits that name a pull request.
named_directories as (
    select commits.repository_id, commits.pull_request_number as number, array_agg(directory) as directories
    from (select distinct repository_id from chains where cardinality(paths) > 0) as with_paths
    cross join lateral (
        select *
        from raw.commits
        where commits.repository_id = with_paths.repository_id and commits.pull_request_number is not null
        offset 0  -- most repositories have no paths, and a join would read the commits of all
    ) as commits
    cross join unnest(commits.directories) as directory
    group by commits.repository_id, commits.pull_request_number
),

merged_pull_requests as (
    select
        asked.repository_id,
        'pull_request:' || asked.number as change_key,
        'pull_request' as kind,
        asked.number,
        asked.merge_sha as sha,
        asked.author_is_bot,
        -- (least alone would turn an unknown first commit into the merge.)
        case when asked.first_commit_at is not null then least(asked.first_commit_at, asked.merged_at) end
            as first_commit_at,
        asked.created_at as opened_at,
        reviews.first_review_at,
        reviews.approved_at,
        asked.merged_at,
        commits.sha is not null as is_collected,
        coalesce(commits.directories, named_directories.directories) as directories
    from pull_requests_in_question as asked
    left join reviews using (repository_id, number)
    left join raw.commits as commits
      on commits.repository_id = asked.repository_id and commits.sha = asked.merge_sha
    left join named_directories
      on named_directories.repository_id = asked.repository_id and named_directories.number = asked.number
),

side_commits as (
    select repository_id, unnest(shas) as sha
    from metrics.side_commits
    where date >= :start and date < :end
),

commits_in_question as (
    select commits.*
    from raw.commits as commits
    where commits.committed_at >= :start and commits.committed_at < :end
      and commits.on_default_branch
      and not exists (
          select 1 from side_commits
          where side_commits.repository_id = commits.repository_id and side_commits.sha = commits.sha
      )
    union all
    select commits.*
    from open_before
    join raw.commits as commits
      on commits.repository_id = open_before.repository_id
     and commits.sha = substring(open_before.change_key from '^commit:(.*)$')
    where commits.committed_at < :start
),

direct_commits as (
    select
        commits.repository_id,
        'commit:' || commits.sha as change_key,
        'commit' as kind,
        null::integer as number,
        commits.sha,
        commits.author_is_bot,
        least(commits.authored_at, commits.committed_at) as first_commit_at,
        null::timestamptz as opened_at,
        null::timestamptz as first_review_at,
        null::timestamptz as approved_at,
        commits.committed_at as merged_at,
        true as is_collected,
        commits.directories
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
),

of_chains as (
    select
        changes.*,
        chains.chain,
        chains.repository,
        cardinality(chains.paths) > 0 and changes.directories is null as is_of_unknown_chain,
        greatest(changes.first_commit_at, least(changes.opened_at, changes.merged_at)) as pickup_since
    from changes
    join chains using (repository_id)
    where cardinality(chains.paths) = 0
       or changes.directories is null
       or exists (
           select 1
           from unnest(changes.directories) as directory
           cross join unnest(chains.paths) as path
           where directory = path or starts_with(directory, path || '/')
       )
)

select
    changes.repository_id,
    changes.chain,
    changes.repository,
    changes.change_key,
    changes.kind,
    changes.number,
    changes.sha,
    changes.author_is_bot,
    changes.first_commit_at,
    changes.opened_at,
    changes.first_review_at,
    changes.approved_at,
    changes.merged_at,
    shipped.deployment_key,
    shipped.deployed_at,
    case
        when shipped.is_baseline then 'baseline'
        when shipped.deployment_key is not null then 'shipped'
        when changes.is_collected and not changes.is_of_unknown_chain then 'waiting'
        else 'untied'
    end as state,
    case
        when shipped.is_baseline then 'contained in the first deployment known, which ships nothing'
        when shipped.deployment_key is not null then null
        when changes.sha is null then 'the provider names no merge commit'
        when not changes.is_collected then 'its merge commit is on no collected branch'
        when changes.is_of_unknown_chain
            then 'which service it belongs to is not known; read the paths from git (git: in metrics.yaml)'
        else 'no deployment contains it yet'
    end as reason,
    case when changes.opened_at is not null and changes.first_commit_at is not null
         then extract(epoch from changes.pickup_since - changes.first_commit_at) / 3600 end as coding_hours,
    case when changes.first_review_at is not null
         then extract(epoch from greatest(changes.first_review_at, changes.pickup_since) - changes.pickup_since) / 3600
    end as pickup_hours,
    case when changes.first_review_at is not null
         then extract(epoch from coalesce(stages.approved_at, changes.merged_at)
                                 - greatest(changes.first_review_at, changes.pickup_since)) / 3600
    end as review_hours,
    extract(epoch from changes.merged_at - stages.approved_at) / 3600 as merge_hours,
    case when not shipped.is_baseline
         then extract(epoch from shipped.deployed_at - changes.merged_at) / 3600 end as merge_to_deploy_hours,
    extract(epoch from changes.merged_at - changes.first_commit_at) / 3600 as pr_lead_hours,
    case when not shipped.is_baseline
         then extract(epoch from shipped.deployed_at - changes.first_commit_at) / 3600 end as lead_time_hours
from of_chains as changes
cross join lateral (
    select case when changes.approved_at is not null
                then greatest(changes.approved_at, changes.first_review_at, changes.pickup_since) end as approved_at
) as stages
left join metrics.deployment_commits as shipped
  on shipped.repository_id = changes.repository_id
 and shipped.chain = changes.chain
 and shipped.sha = changes.sha
 and not changes.is_of_unknown_chain
