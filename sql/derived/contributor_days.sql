-- A row is a person's contributions to a repository on a day: commits on the default branch, pull requests and
-- issues opened, reviews, comments. Bots and deleted accounts are not people. For counting only, never served.
-- replace: date
with contributions as (
    select repository_id, author_key as person_key, committed_at as at, 1 as commits, 0 as pull_requests,
           0 as reviews, 0 as issues, 0 as comments
    from raw.commits
    where on_default_branch and not coalesce(author_is_bot, false)
    union all
    select repository_id, author_key, created_at, 0, 1, 0, 0, 0
    from raw.pull_requests
    where not coalesce(author_is_bot, false)
    union all
    select repository_id, author_key, submitted_at, 0, 0, 1, 0, 0
    from raw.reviews
    where not coalesce(author_is_bot, false) and state <> 'pending'
    union all
    select repository_id, author_key, created_at, 0, 0, 0, 1, 0
    from raw.issues
    where not coalesce(author_is_bot, false)
    union all
    select repository_id, actor_key, created_at, 0, 0, 0, 0, 1
    from raw.issue_events
    where event = 'commented' and not coalesce(actor_is_bot, false)
    union all
    select repository_id, actor_key, created_at, 0, 0, 0, 0, 1
    from raw.pull_request_events
    where event = 'commented' and not coalesce(actor_is_bot, false)
)

select
    contributions.repository_id,
    contributions.at::date as date,
    contributions.person_key,
    sum(contributions.commits) as commits,
    sum(contributions.pull_requests) as pull_requests,
    sum(contributions.reviews) as reviews,
    sum(contributions.issues) as issues,
    sum(contributions.comments) as comments
from contributions
join ops.repository_settings as settings using (repository_id)
where contributions.at >= :start
  and contributions.at < :end
  and contributions.person_key is not null
group by contributions.repository_id, contributions.at::date, contributions.person_key
