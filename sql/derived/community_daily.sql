-- A row is a repository, a team or the portfolio on a day: what its community asks for and how it is answered. Windows
-- are 28 days where a column does not say another; a sum is unknown where a day of its window is unknown.
-- What an issue is about is what its labels said when it was last collected: labels have no history here. Issues
-- count as resolved when they were first closed. A maintainer is who merged a pull request of the repository in the
-- 365 days before the closing. Of teams and the portfolio all issues, pull requests and contributions count together.
-- replace: date
with members as (
    select 'repository' as subject_kind, repository as subject, repository_id
    from ops.repository_settings
    union all
    select 'team', team, repository_id
    from ops.repository_settings
    where team is not null
    union all
    select 'portfolio', portfolio.portfolio, settings.repository_id
    from ops.repository_settings as settings
    cross join ops.portfolio as portfolio
),

-- What labels say, once for each set of them that there is.
labelled as (
    select
        labels,
        names && '{bug,regression,crash}' as is_bug,
        names && '{feature,enhancement,feature request,feature-request}' as is_feature,
        names && '{regression,production,escaped}' as is_escaped,
        names && '{p0,critical,security}' as is_p0,
        names && '{documentation,docs}' as is_documentation,
        names && '{installation,install,setup}' as is_installation,
        names && '{privacy}' as is_privacy
    from (
        select labels, metrics.label_names(labels) as names
        from (select distinct labels from raw.issues where labels <> '{}') as label_sets
    ) as named
),

spans as materialized (
    select spans.repository_id, spans.opened_at, spans.ended_at, labelled.is_bug, labelled.is_p0
    from metrics.issue_open_spans(:start) as spans
    join raw.issues as issues using (repository_id, number)
    join labelled using (labels)
    where spans.opened_at < :end and (labelled.is_bug or labelled.is_p0)
),

-- The first closing of issues that people opened. What was reopened later was closed then all the same.
closings as materialized (
    select
        issues.repository_id,
        issues.number,
        issues.author_key,
        issues.created_at,
        least(issues.closed_at, reopened.first_closed_at) as closed_at,
        issues.created_at + portfolio.issue_resolution_days::double precision * interval '1 day' as due_at
    from raw.issues as issues
    cross join ops.portfolio as portfolio
    left join (
        select repository_id, number, min(closings.created_at) as first_closed_at
        from (select distinct repository_id, number from raw.issue_events where event = 'reopened') as items
        join raw.issue_events as closings using (repository_id, number)
        where closings.event = 'closed'
        group by repository_id, number
    ) as reopened using (repository_id, number)
    where issues.created_at < :end
      and (
          issues.closed_at >= :start - 27
          or issues.created_at >= :start - 28 - portfolio.issue_resolution_days::integer
          or reopened.number is not null
      )
      and not coalesce(issues.author_is_bot, false)
      and issues.deleted_at is null
),

-- Per person and repository the days on which they count as a maintainer.
maintainers as (
    select repository_id, merged_by_key as person_key,
           range_agg(daterange(merged_at::date, merged_at::date + 366)) as days
    from raw.pull_requests
    where merged_at >= :start - 27 - 366
      and merged_at < :end
      and merged_by_key is not null
      and not coalesce(merged_by_is_bot, false)
    group by repository_id, merged_by_key
),

resolved as (
    select
        closings.repository_id,
        closings.number,
        closings.closed_at::date as date,
        bool_or(maintainers.person_key is not null) as by_maintainer,
        bool_or(events.event = 'commented' and events.actor_key is distinct from closings.author_key) is true
            as with_answer
    from closings
    left join raw.issue_events as events
      on events.repository_id = closings.repository_id
     and events.number = closings.number
     and events.created_at <= closings.closed_at
     and events.actor_key is not null
     and not coalesce(events.actor_is_bot, false)
    left join maintainers
      on maintainers.repository_id = events.repository_id
     and maintainers.person_key = events.actor_key
     and maintainers.days @> closings.closed_at::date
    where closings.closed_at >= :start - 27 and closings.closed_at < :end
      and exists (
          select 1 from maintainers as any_of
          where any_of.repository_id = closings.repository_id and any_of.days @> closings.closed_at::date
      )
    group by closings.repository_id, closings.number, closings.closed_at
),

-- An issue counts as touched from the day of a touch for 90 days, or until the next one.
touches as (
    select
        repository_id,
        date,
        least(
            date + 90, lead(date, 1, 'infinity'::date) over (partition by repository_id, number order by date)
        ) as until
    from (
        -- Touches that count on every day of the range are as good as one.
        select distinct
            repository_id,
            number,
            case when at::date between :end - 90 and :start - 1 then :start - 1 else at::date end as date
        from (
            select repository_id, number, created_at as at from raw.issues
            union all
            select repository_id, number, created_at from raw.issue_events
        ) as every
        where at >= :start - 89 and at < :end
    ) as days
),

happened as (
    select issues.repository_id, issues.created_at::date as date, what.about as what, count(*) as number
    from raw.issues as issues
    join labelled using (labels)
    cross join lateral unnest(array[
        case when is_bug then 'bugs' end, case when is_feature then 'features' end,
        case when is_bug and is_escaped then 'escaped' end, case when is_p0 then 'p0' end,
        case when is_documentation then 'documentation' end, case when is_installation then 'installation' end,
        case when is_privacy then 'privacy' end
    ]) as what (about)
    where issues.created_at >= :start - 27 and issues.created_at < :end and what.about is not null
    group by 1, 2, 3
    union all
    select repository_id, greatest(opened_at::date, :start), 'bugs open', count(*)
    from spans
    where is_bug
    group by 1, 2
    union all
    select repository_id, ended_at::date, 'bugs open', -count(*)
    from spans
    where is_bug and ended_at >= :start and ended_at < :end
    group by 1, 2
    union all
    select repository_id, greatest(opened_at::date, :start), 'p0 open', count(*)
    from spans
    where is_p0
    group by 1, 2
    union all
    select repository_id, ended_at::date, 'p0 open', -count(*)
    from spans
    where is_p0 and ended_at >= :start and ended_at < :end
    group by 1, 2
    union all
    select repository_id, due_at::date, case when closed_at <= due_at then 'in time' else 'late' end, count(*)
    from closings
    where due_at >= :start - 27 and due_at < :end
    group by 1, 2, 3
    union all
    select repository_id, date, 'resolved', count(*) from resolved group by 1, 2
    union all
    select repository_id, date, 'by community', count(*) from resolved where not by_maintainer group by 1, 2
    union all
    select repository_id, date, 'with answer', count(*) from resolved where with_answer group by 1, 2
    union all
    select repository_id, date, 'escalated', count(*) from resolved where with_answer and by_maintainer group by 1, 2
    union all
    select
        pulls.repository_id,
        pulls.merged_at::date,
        what.about,
        count(*)
    from raw.pull_requests as pulls
    cross join lateral unnest(array[
        'merged',
        case when merged_by_key is not null and author_key is not null and not coalesce(merged_by_is_bot, false)
             then 'merger known' end,
        case when merged_by_key = author_key then 'self-merged' end,
        case when exists (
            select 1 from raw.reviews as reviews
            where reviews.repository_id = pulls.repository_id
              and reviews.number = pulls.number
              and reviews.author_key is distinct from pulls.author_key
              and reviews.author_key is not null
              and not coalesce(reviews.author_is_bot, false)
              and reviews.state <> 'pending'
              and reviews.submitted_at <= pulls.merged_at
        ) then 'reviewed' end
    ]) as what (about)
    where pulls.merged_at >= :start - 27 and pulls.merged_at < :end
      and not coalesce(pulls.author_is_bot, false) and what.about is not null
    group by 1, 2, 3
    union all
    select repository_id, created_at::date, 'issue comments', count(*)
    from raw.issue_events
    where event = 'commented' and created_at >= :start - 89 and created_at < :end
    group by 1, 2
    union all
    select repository_id, date, 'touched', count(*) from touches group by 1, 2
    union all
    select repository_id, until, 'touched', -count(*) from touches where until < :end group by 1, 2
    union all
    select repository_id, committed_at::date, 'by bots', count(*)
    from raw.commits
    where author_is_bot and on_default_branch and committed_at >= :start - 27 and committed_at < :end
    group by 1, 2
    union all
    select repository_id, created_at::date, 'by bots', count(*)
    from raw.pull_requests
    where author_is_bot and created_at >= :start - 27 and created_at < :end
    group by 1, 2
    union all
    select repository_id, created_at::date, 'by bots', count(*)
    from raw.issues
    where author_is_bot and created_at >= :start - 27 and created_at < :end
    group by 1, 2
    union all
    select repository_id, submitted_at::date, 'by bots', count(*)
    from raw.reviews
    where author_is_bot and state <> 'pending' and submitted_at >= :start - 27 and submitted_at < :end
    group by 1, 2
    union all
    select repository_id, created_at::date, 'by bots', count(*)
    from raw.issue_events
    where actor_is_bot and event = 'commented' and created_at >= :start - 27 and created_at < :end
    group by 1, 2
    union all
    select repository_id, created_at::date, 'by bots', count(*)
    from raw.pull_request_events
    where actor_is_bot and event = 'commented' and created_at >= :start - 27 and created_at < :end
    group by 1, 2
),

by_day as (
    select
        members.subject_kind,
        members.subject,
        happened.date,
        sum(number) filter (where what = 'bugs') as bugs,
        sum(number) filter (where what = 'features') as features,
        sum(number) filter (where what = 'escaped') as escaped,
        sum(number) filter (where what = 'p0') as p0,
        sum(number) filter (where what = 'documentation') as documentation,
        sum(number) filter (where what = 'installation') as installation,
        sum(number) filter (where what = 'privacy') as privacy,
        sum(number) filter (where what = 'bugs open') as bugs_open,
        sum(number) filter (where what = 'p0 open') as p0_open,
        sum(number) filter (where what in ('in time', 'late')) as due,
        sum(number) filter (where what = 'in time') as in_time,
        sum(number) filter (where what = 'resolved') as resolved,
        sum(number) filter (where what = 'by community') as by_community,
        sum(number) filter (where what = 'with answer') as with_answer,
        sum(number) filter (where what = 'escalated') as escalated,
        sum(number) filter (where what = 'merged') as merged,
        sum(number) filter (where what = 'merger known') as merger_known,
        sum(number) filter (where what = 'self-merged') as self_merged,
        sum(number) filter (where what = 'reviewed') as reviewed,
        sum(number) filter (where what = 'issue comments') as issue_comments,
        sum(number) filter (where what = 'touched') as touched,
        sum(number) filter (where what = 'by bots') as by_bots
    from happened
    join members using (repository_id)
    group by members.subject_kind, members.subject, happened.date
),

-- The figures of days, of repositories and of groups alike, as far back as the longest window reaches.
daily as (
    select
        subject_kind,
        subject,
        -- Days that are in the year of every day of the range, and in no shorter window, are as good as one.
        case when date between :end - 365 and :start - 91 then :start - 91 else date end as date,
        max(stars_new) as stars_new,
        max(stars_total) as stars_total,
        max(forks_new) as forks_new,
        max(issues_opened) as issues_opened,
        max(issues_closed) as issues_closed,
        max(pull_requests_opened) as pull_requests_opened,
        max(pull_requests_merged) as pull_requests_merged,
        max(pull_requests_closed) as pull_requests_closed,
        sum(commits) as commits,
        count(commits) as commit_days,
        max(date) filter (where commits > 0) as last_commit_on,
        sum(releases) as releases,
        count(releases) as release_days,
        max(date) filter (where releases > 0) as last_release_on
    from (
        select 'repository' as subject_kind, repository as subject, date, stars_new, stars_total, forks_new,
               issues_opened, issues_closed, pull_requests_opened, pull_requests_merged, pull_requests_closed, commits,
               releases
        from metrics.repository_daily
        where date >= :start - 364 and date < :end
        union all
        select subject_kind, subject, date, stars_new, stars_total, forks_new, issues_opened, issues_closed,
               pull_requests_opened, pull_requests_merged, pull_requests_closed, commits, releases
        from metrics.group_daily
        where date >= :start - 364 and date < :end
    ) as both_kinds
    group by 1, 2, 3
),

subjects as (
    select
        members.subject_kind,
        members.subject,
        case when members.subject_kind = 'repository' then min(repositories.repository_id) end as repository_id,
        min(repositories.created_at)::date as created_on,
        greatest(min(repositories.created_at)::date, min(portfolio.start)) as first_on
    from members
    join raw.repositories as repositories using (repository_id)
    cross join ops.portfolio as portfolio
    group by members.subject_kind, members.subject
),

-- Of days before the range: the last commit and release, and the people who were seen until then.
before as (
    select
        subjects.subject_kind,
        subjects.subject,
        commits.date as last_commit_on,
        releases.date as last_release_on,
        people.seen,
        people.days = greatest(:start - subjects.first_on, 0) as is_every_day_known
    from subjects
    cross join lateral (
        select max(daily.date) as date from metrics.repository_daily as daily
        join members using (repository_id)
        where members.subject_kind = subjects.subject_kind and members.subject = subjects.subject
          and daily.commits > 0 and daily.date < :start
    ) as commits
    cross join lateral (
        select max(daily.date) as date from metrics.repository_daily as daily
        join members using (repository_id)
        where members.subject_kind = subjects.subject_kind and members.subject = subjects.subject
          and daily.releases > 0 and daily.date < :start
    ) as releases
    cross join lateral (
        select coalesce(sum(people_seen_first), 0) as seen, count(people_seen_first) as days
        from metrics.contributor_daily as people
        where people.subject_kind = subjects.subject_kind and people.subject = subjects.subject
          and people.date < :start
    ) as people
),

people as (
    select subject_kind, subject, date, contributions, people_seen_first, new_contributors, first_time_issue_reporters
    from metrics.contributor_daily
    where date >= :start - 29 and date < :end
),

windows as (
    select
        subject_kind,
        subject,
        date,
        bugs, p0, privacy,
        sum(bugs) over week as bugs_week,
        sum(documentation) over week as documentation_week,
        sum(installation) over week as installation_week,
        sum(bugs) over four_weeks as bugs_window,
        sum(features) over four_weeks as features_window,
        sum(escaped) over four_weeks as escaped_window,
        sum(case when date >= :start then bugs_open end) over so_far as bugs_open,
        sum(case when date >= :start then p0_open end) over so_far as p0_open,
        sum(due) over four_weeks as due,
        sum(in_time) over four_weeks as in_time,
        sum(resolved) over four_weeks as resolved,
        sum(by_community) over four_weeks as by_community,
        sum(with_answer) over four_weeks as with_answer,
        sum(escalated) over four_weeks as escalated,
        sum(merged) over four_weeks as merged,
        sum(merger_known) over four_weeks as merger_known,
        sum(self_merged) over four_weeks as self_merged,
        sum(reviewed) over four_weeks as reviewed,
        sum(by_bots) over four_weeks as by_bots,
        sum(issue_comments) over quarter as issue_comments,
        sum(touched) over so_far as touched,
        sum(contributions) over four_weeks as contributions,
        count(contributions) over four_weeks as contribution_days,
        sum(case when date >= :start then people_seen_first end) over so_far as seen,
        count(case when date >= :start then people_seen_first end) over so_far as seen_days,
        sum(new_contributors) over week as new_week,
        count(new_contributors) over week as new_week_days,
        sum(new_contributors) over month as new_month,
        count(new_contributors) over month as new_month_days,
        sum(first_time_issue_reporters) over week as reporters_week,
        count(first_time_issue_reporters) over week as reporters_week_days,
        sum(stars_new) over week as stars_week,
        count(stars_new) over week as stars_week_days,
        sum(stars_new) over month as stars_month,
        count(stars_new) over month as stars_month_days,
        stars_total,
        sum(forks_new) over week as forks_week,
        count(forks_new) over week as forks_week_days,
        count(issues_opened) over week as issue_week_days,
        count(issues_opened) over four_weeks as issue_days,
        count(issues_opened) over quarter as issue_quarter_days,
        issues_opened is not null as is_issue_day,
        sum(issues_opened) over four_weeks as issues_opened,
        sum(issues_closed) over four_weeks as issues_closed,
        sum(issues_closed) over quarter as issues_closed_quarter,
        sum(pull_requests_opened) over four_weeks as pulls_opened,
        count(pull_requests_opened) over four_weeks as opening_days,
        sum(pull_requests_merged) over four_weeks as pulls_merged,
        sum(pull_requests_closed) over four_weeks as pulls_closed,
        count(pull_requests_merged) over four_weeks as pull_days,
        sum(commits) over year as commits_year,
        sum(commit_days) over year as commit_days,
        commit_days > 0 as is_commit_day,
        max(last_commit_on) over so_far as last_commit_on,
        sum(releases) over year as releases_year,
        sum(release_days) over year as release_days,
        release_days > 0 as is_release_day,
        max(last_release_on) over so_far as last_release_on
    from daily
    full join by_day using (subject_kind, subject, date)
    full join people using (subject_kind, subject, date)
    window
        so_far as (partition by subject_kind, subject order by date),
        week as (so_far range between interval '6 days' preceding and current row),
        four_weeks as (so_far range between interval '27 days' preceding and current row),
        month as (so_far range between interval '29 days' preceding and current row),
        quarter as (so_far range between interval '89 days' preceding and current row),
        year as (so_far range between interval '364 days' preceding and current row)
),

traffic as (
    select
        members.subject_kind,
        members.subject,
        days.date,
        sum(raw_traffic.views) as views,
        sum(raw_traffic.clones) as clones,
        case when members.subject_kind = 'repository' then sum(raw_traffic.unique_visitors) end as unique_visitors
    from members
    join ops.collected_days as collected using (repository_id)
    cross join lateral (
        select day::date as date from generate_series(:start, :end - 1, interval '1 day') as day
    ) as days
    left join raw.traffic as raw_traffic
      on raw_traffic.repository_id = members.repository_id and raw_traffic.date = days.date
    where collected.traffic <> '{}'
    group by members.subject_kind, members.subject, days.date
    -- A repository of which traffic is collected and not known of the day makes the sum unknown.
    having count(*) = count(raw_traffic.views)
)

select
    subject_kind,
    subject,
    subjects.repository_id,
    date,
    case when subjects.created_on >= subjects.first_on and before.is_every_day_known
              and seen_days = date - greatest(:start, subjects.first_on) + 1
         then coalesce(before.seen, 0) + windows.seen end as contributors_total,
    case when new_week_days = week.days then new_week end as new_contributors_week,
    case when new_month_days = month.days then new_month end as new_contributors_month,
    case when reporters_week_days = week.days then reporters_week end as first_time_issue_reporters_week,
    case when contribution_days = four_weeks.days then contributions end as contributions_month,
    case when contribution_days = four_weeks.days then coalesce(by_bots, 0) end as bot_contributions_month,
    case when issue_days = four_weeks.days then issues_opened end as issues_opened_in_window,
    case when issue_days = four_weeks.days then issues_closed end as issues_closed_in_window,
    case when opening_days = four_weeks.days then pulls_opened end as pull_requests_opened_in_window,
    case when pull_days = four_weeks.days then pulls_merged end as pull_requests_merged_in_window,
    case when pull_days = four_weeks.days then pulls_closed end as pull_requests_closed_in_window,
    case when pull_days = four_weeks.days then pulls_merged + pulls_closed end as pull_requests_ended_in_window,
    case when issue_days = four_weeks.days then coalesce(due, 0) end as issues_due,
    case when issue_days = four_weeks.days then coalesce(in_time, 0) end as issues_closed_in_time,
    case when issue_days = four_weeks.days then coalesce(resolved, 0) end as issues_resolved,
    case when issue_days = four_weeks.days then coalesce(by_community, 0) end as issues_resolved_by_community,
    case when issue_days = four_weeks.days then coalesce(with_answer, 0) end as issues_resolved_with_answer,
    case when issue_days = four_weeks.days then coalesce(escalated, 0) end as issues_escalated,
    case when issue_week_days = week.days then coalesce(bugs_week, 0) end as bugs_opened_week,
    case when is_issue_day then coalesce(bugs_open, 0) end as bugs_open,
    case when issue_days = four_weeks.days then coalesce(bugs_window, 0) end as bugs_opened_in_window,
    case when issue_days = four_weeks.days then coalesce(features_window, 0) end as features_opened_in_window,
    case when issue_days = four_weeks.days then coalesce(bugs_window, 0) + coalesce(features_window, 0) end
        as bugs_and_features_opened_in_window,
    case when issue_days = four_weeks.days then coalesce(escaped_window, 0) end as bugs_escaped_in_window,
    case when is_issue_day then coalesce(p0, 0) end as p0_bugs_opened,
    case when is_issue_day then coalesce(p0_open, 0) end as p0_bugs_open,
    case when issue_week_days = week.days then coalesce(documentation_week, 0) end as documentation_issues_opened_week,
    case when issue_week_days = week.days then coalesce(installation_week, 0) end as installation_issues_opened_week,
    case when is_issue_day then coalesce(privacy, 0) end as privacy_issues_opened,
    case when pull_days = four_weeks.days then coalesce(merger_known, 0) end as pull_requests_with_known_merger,
    case when pull_days = four_weeks.days then coalesce(self_merged, 0) end as pull_requests_self_merged,
    case when pull_days = four_weeks.days then coalesce(merged, 0) end as pull_requests_by_people_merged,
    case when pull_days = four_weeks.days then coalesce(reviewed, 0) end as pull_requests_reviewed,
    case when release_days = year.days then releases_year end as releases_in_year,
    release_days + year.unborn as releases_days_known,
    -- Days on which there was no repository yet had no releases and no commits; others that are not known do not count.
    case when is_release_day then releases_year * (365.0 / 12) / (release_days + year.unborn) end as release_frequency,
    case when is_release_day then date - coalesce(windows.last_release_on, before.last_release_on) end
        as days_since_release,
    case when stars_week_days = week.days then stars_week end as stars_new_week,
    case when stars_month_days = month.days
         then stars_month::double precision / nullif(stars_total - stars_month, 0) end as stars_growth_month,
    case when forks_week_days = week.days then forks_week end as forks_new_week,
    traffic.views,
    traffic.unique_visitors,
    traffic.clones,
    (date - subjects.created_on) / (365.25 / 12) as created_since_months,
    case when is_commit_day
         then (date - coalesce(windows.last_commit_on, before.last_commit_on)) / (365.25 / 12) end
        as updated_since_months,
    case when is_commit_day then commits_year * 7.0 / (commit_days + year.unborn) end as commit_frequency_week,
    commit_days + year.unborn as commits_days_known,
    case when issue_quarter_days = quarter.days then issues_closed_quarter end as issues_closed_90_days,
    case when issue_quarter_days = quarter.days then coalesce(touched, 0) end as issues_updated_90_days,
    case when issue_quarter_days = quarter.days then coalesce(issue_comments, 0) end as issue_comments_90_days
from windows
join subjects using (subject_kind, subject)
join before using (subject_kind, subject)
left join traffic using (subject_kind, subject, date)
-- How many days of each window there can be: those since the creation.
cross join lateral (select date - subjects.created_on + 1 as days) as age
cross join lateral (select least(7, age.days) as days) as week
cross join lateral (select least(28, age.days) as days) as four_weeks
cross join lateral (select least(30, age.days) as days) as month
cross join lateral (select least(90, age.days) as days) as quarter
cross join lateral (select least(365, age.days) as days, greatest(365 - age.days, 0) as unborn) as year
where date >= :start and date < :end and date >= subjects.first_on
