-- A row is a team or the portfolio on a day: sums over its repositories of what metrics.repository_daily says of each.
-- People are not added up: a person of two repositories is one, see metrics.contributor_daily.
-- A sum is unknown on a day on which it is unknown of a repository of which it is collected otherwise. A repository
-- of which something is never collected has no part in that sum, nor has one that went away, from then on.
-- replace: date
with members as (
    select 'team' as subject_kind, team as subject, repository_id
    from ops.repository_settings
    where team is not null
    union all
    select 'portfolio', portfolio.portfolio, settings.repository_id
    from ops.repository_settings as settings
    cross join ops.portfolio as portfolio
),

-- By repository the days on which each kind of thing is asked for. An open end goes on, unless it went away.
asked as (
    select
        repository_id,
        is_without_openings,
        range_agg(span) filter (where entity = 'stargazers') as stars,
        range_agg(span) filter (where entity = 'forks') as forks,
        range_agg(span) filter (where entity = 'issues') as issues,
        range_agg(span) filter (where entity = 'pull_requests') as pull_requests,
        range_agg(span) filter (where entity = 'commits') as commits,
        range_agg(span) filter (where entity in ('releases', 'tags')) as releases
    from (
        select
            repositories.repository_id,
            state.entity,
            daterange(null, case when repositories.state in ('gone', 'blocked') then upper(state.days) end) as span,
            -- When pull requests were opened is never known where a history was taken from git alone.
            exists (
                select 1 from raw.pull_requests as pulls
                where pulls.repository_id = repositories.repository_id and pulls.created_at is null
            ) as is_without_openings
        from raw.repositories as repositories
        join ops.collection_state as state using (repository_id)
        where state.days <> '{}'
    ) as spans
    group by repository_id, is_without_openings
),

summed as (
    select
        members.subject_kind,
        members.subject,
        daily.date,
        count(*) as repositories,
        count(*) filter (
            where coalesce(daily.commits, issues_opened, pull_requests_merged, stars_new, forks_new, daily.releases)
                is not null
        ) as repositories_known,
        bool_and(stars_new is not null) filter (where asked.stars @> date) as stars_known,
        bool_and(stars_total is not null) filter (where asked.stars @> date) as stars_total_known,
        bool_and(forks_new is not null) filter (where asked.forks @> date) as forks_known,
        bool_and(forks_total is not null) filter (where asked.forks @> date) as forks_total_known,
        bool_and(issues_opened is not null) filter (where asked.issues @> date) as issues_known,
        bool_and(pull_requests_merged is not null) filter (where asked.pull_requests @> date) as pull_requests_known,
        bool_and(pull_requests_opened is not null)
            filter (where asked.pull_requests @> date and not asked.is_without_openings) as openings_known,
        bool_and(daily.commits is not null) filter (where asked.commits @> date) as commits_known,
        bool_and(daily.releases is not null) filter (where asked.releases @> date) as releases_known,
        sum(stars_new) as stars_new,
        sum(stars_total) as stars_total,
        sum(forks_new) as forks_new,
        sum(forks_total) as forks_total,
        sum(issues_opened) as issues_opened,
        sum(issues_closed) as issues_closed,
        sum(issues_open) as issues_open,
        sum(pull_requests_opened) as pull_requests_opened,
        sum(pull_requests_merged) as pull_requests_merged,
        sum(pull_requests_closed) as pull_requests_closed,
        sum(pull_requests_open) as pull_requests_open,
        sum(daily.commits) as commits,
        sum(daily.releases) as releases,
        sum(pull_requests_opened_in_window) as pull_requests_opened_in_window,
        sum(pull_requests_merged_in_window) as pull_requests_merged_in_window,
        sum(pull_requests_unanswered) as pull_requests_unanswered,
        sum(issues_unanswered) as issues_unanswered,
        sum(issues_open_fresh) as issues_open_fresh,
        sum(forks_in_window) as forks_in_window
    from members
    join metrics.repository_daily as daily using (repository_id)
    left join asked using (repository_id)
    where daily.date >= :start and daily.date < :end
    group by members.subject_kind, members.subject, daily.date
)

select
    summed.subject_kind,
    summed.subject,
    summed.date,
    repositories,
    repositories_known,
    case when stars_known then stars_new end as stars_new,
    case when stars_total_known then stars_total end as stars_total,
    case when forks_known then forks_new end as forks_new,
    case when forks_total_known then forks_total end as forks_total,
    case when issues_known then issues_opened end as issues_opened,
    case when issues_known then issues_closed end as issues_closed,
    case when issues_known then issues_open end as issues_open,
    case when openings_known then pull_requests_opened end as pull_requests_opened,
    case when pull_requests_known then pull_requests_merged end as pull_requests_merged,
    case when pull_requests_known then pull_requests_closed end as pull_requests_closed,
    case when openings_known then pull_requests_open end as pull_requests_open,
    case when commits_known then commits end as commits,
    case when releases_known then releases end as releases,
    people.active_contributors,
    people.new_contributors,
    people.contributors_in_window,
    people.contributors_in_previous_window,
    people.contributors_retained,
    case when openings_known then pull_requests_opened_in_window end as pull_requests_opened_in_window,
    case when pull_requests_known then pull_requests_merged_in_window end as pull_requests_merged_in_window,
    case when openings_known then pull_requests_unanswered end as pull_requests_unanswered,
    case when issues_known then issues_unanswered end as issues_unanswered,
    case when issues_known then issues_open_fresh end as issues_open_fresh,
    case when forks_known then forks_in_window end as forks_in_window
from summed
left join metrics.contributor_daily as people
  on people.subject_kind = summed.subject_kind and people.subject = summed.subject and people.date = summed.date
