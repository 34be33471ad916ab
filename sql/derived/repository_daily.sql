-- A row is a repository on a day: what happened that day, what stood open at its end, and how it answered and
-- grew over trailing windows (28 days for pull requests and issues, 90 days for people, freshness and forks).
-- Only what was known at the end of the day counts. Null is unknown: not collected, or too early to say.
-- replace: date
with days as (
    select
        settings.repository_id,
        settings.repository,
        day::date as date,
        repositories.created_at::date as created_on,
        portfolio.start,
        -- Whether everything since the repository's creation was asked for.
        repositories.created_at::date >= portfolio.start as since_creation
    from ops.repository_settings as settings
    join raw.repositories as repositories using (repository_id)
    cross join ops.portfolio as portfolio
    cross join generate_series(:start, :end - 1, interval '1 day') as day
    where day::date >= greatest(portfolio.start, repositories.created_at::date)
),

-- Opening times are not known where a history was taken from git alone.
openings_unknown as (
    select distinct repository_id
    from raw.pull_requests
    where created_at is null
),

pull_request_states as (
    select repository_id, number, created_at as at, 1 as step
    from raw.pull_requests
    where created_at is not null
    union all
    select repository_id, number, created_at, case event when 'closed' then -1 else 1 end
    from raw.pull_request_events
    where event in ('closed', 'reopened')
    union all
    select repository_id, number, closed_at, -1
    from raw.pull_requests as pull_requests
    where closed_at is not null
      and not exists (
          select 1 from raw.pull_request_events as events
          where events.repository_id = pull_requests.repository_id
            and events.number = pull_requests.number and events.event = 'closed'
      )
    union all
    select repository_id, number, deleted_at, -1
    from raw.pull_requests
    where deleted_at is not null
),

issue_states as (
    select repository_id, number, created_at as at, 1 as step
    from raw.issues
    union all
    select repository_id, number, created_at, case event when 'closed' then -1 else 1 end
    from raw.issue_events
    where event in ('closed', 'reopened')
    union all
    select repository_id, number, closed_at, -1
    from raw.issues as issues
    where closed_at is not null
      and not exists (
          select 1 from raw.issue_events as events
          where events.repository_id = issues.repository_id
            and events.number = issues.number and events.event = 'closed'
      )
    union all
    select repository_id, number, deleted_at, -1
    from raw.issues
    where deleted_at is not null
),

-- An item that is closed twice without being reopened changed once.
pull_request_changes as (
    select repository_id, number, at, step, lead(step) over item is null as is_last
    from (
        select *, lag(step) over (partition by repository_id, number order by at, step desc) as step_before
        from pull_request_states
    ) as states
    where step is distinct from step_before
    window item as (partition by repository_id, number order by at, step desc)
),

pull_request_steps as (
    select
        repository_id,
        changes.at::date as date,
        sum(changes.step) as open_step,
        -- The last closing of a merged one is its merge, and one that was deleted was not closed.
        count(*) filter (
            where changes.step = -1
              and not (changes.is_last and pull_requests.merged_at is not null)
              and changes.at is distinct from pull_requests.deleted_at
        ) as closed
    from pull_request_changes as changes
    join raw.pull_requests as pull_requests using (repository_id, number)
    where changes.at < :end
    group by repository_id, changes.at::date
),

issue_steps as (
    select repository_id, at::date as date, sum(step) as open_step,
           count(*) filter (where step = -1 and at is distinct from deleted_at) as closed
    from (
        select *, lag(step) over (partition by repository_id, number order by at, step desc) as step_before
        from issue_states
    ) as states
    join raw.issues as issues using (repository_id, number)
    where step is distinct from step_before and at < :end
    group by repository_id, at::date
),

pull_requests_opened as (
    select repository_id, created_at::date as date, count(*) as opened
    from raw.pull_requests
    where created_at >= :start and created_at < :end
    group by repository_id, created_at::date
),

pull_requests_merged as (
    select repository_id, merged_at::date as date, count(*) as merged
    from raw.pull_requests
    where merged_at >= :start and merged_at < :end
    group by repository_id, merged_at::date
),

issues_opened as (
    select repository_id, created_at::date as date, count(*) as opened
    from raw.issues
    where created_at >= :start and created_at < :end
    group by repository_id, created_at::date
),

commits_made as (
    select repository_id, committed_at::date as date, count(*) as commits
    from raw.commits
    where on_default_branch and committed_at >= :start and committed_at < :end
    group by repository_id, committed_at::date
),

-- Releases; before the day of a repository's first one, its release tags.
release_times as (
    select repository_id, tag, published_at as at
    from raw.releases
    where not is_draft and not is_prerelease and published_at is not null
),

early_tags as (
    select tags.repository_id, tags.tag, tags.tagged_at as at
    from raw.tags as tags
    join ops.repository_settings as settings using (repository_id)
    left join (
        select repository_id, min(at)::date as first_on from release_times group by repository_id
    ) as first_release using (repository_id)
    where tags.tag ~ settings.release_tag_pattern
      and tags.tagged_at::date < coalesce(first_release.first_on, 'infinity')
),

releases_made as (
    select repository_id, at::date as date, count(*) as releases
    from (
        select repository_id, at from early_tags
        union all
        select repository_id, at from release_times
        where (repository_id, tag) not in (select repository_id, tag from early_tags)
    ) as all_releases
    where at >= :start and at < :end
    group by repository_id, at::date
),

stars as (
    select repository_id, starred_at::date as date, count(*) as stars
    from raw.stargazers
    group by repository_id, starred_at::date
),

forks as (
    select repository_id, created_at::date as date, count(*) as forks
    from raw.forks
    group by repository_id, created_at::date
),

-- What the provider counted, with how many of those we know by date.
counted as (
    select repository_id, at, stars, forks, sum(star) over so_far as stars_known, sum(fork) over so_far as forks_known
    from (
        select repository_id, starred_at as at, 1 as star, 0 as fork, null::bigint as stars, null::bigint as forks
        from raw.stargazers
        union all
        select repository_id, created_at, 0, 1, null, null from raw.forks
        union all
        select repository_id, observed_at, 0, 0, stars, forks from raw.repository_counters
    ) as known
    window so_far as (partition by repository_id order by at)
),

-- The first count that the provider gave after the day, less what came in between: withdrawn stars stay in.
snapshots as (
    select repository_id, day::date as date, stars, stars_known, forks, forks_known
    from (
        select *, lag(at::date, 1, '-infinity') over (partition by repository_id order by at) as counted_before
        from counted
        where stars is not null
    ) as counts
    cross join generate_series(
        greatest(counted_before, :start), least(at::date, :end) - 1, interval '1 day'
    ) as day
),

people as (
    select repository_id, date, count(*) as active
    from metrics.contributor_days
    where date >= :start and date < :end
    group by repository_id, date
),

newcomers as (
    select repository_id, first_on as date, count(*) as new_people
    from (
        select repository_id, person_key, min(date) as first_on
        from metrics.contributor_days
        group by repository_id, person_key
    ) as first_days
    group by repository_id, first_on
),

-- Per person the days on which they count as active in the last 90 days, and in the 90 days before those.
person_windows as (
    select
        repository_id,
        person_key,
        range_agg(daterange(date, date + 90)) as now_active,
        range_agg(daterange(date + 90, date + 180)) as before_active
    from metrics.contributor_days
    where date >= :start - 179 and date < :end
    group by repository_id, person_key
),

people_spans as (
    select repository_id, 'now' as which, unnest(now_active) as span from person_windows
    union all
    select repository_id, 'before', unnest(before_active) from person_windows
    union all
    select repository_id, 'both', unnest(now_active * before_active) from person_windows
),

people_steps as (
    select repository_id, which, lower(span) as date, 1 as step from people_spans
    union all
    select repository_id, which, upper(span), -1 from people_spans
),

people_steps_by_day as (
    select
        repository_id,
        date,
        sum(step) filter (where which = 'now') as now_step,
        sum(step) filter (where which = 'before') as before_step,
        sum(step) filter (where which = 'both') as both_step
    from people_steps
    where date < :end
    group by repository_id, date
),

-- Spans in which an issue was open, cut to the spans in which it had been opened or touched within 90 days.
issue_spans as (
    select
        repository_id,
        number,
        daterange(at::date, coalesce(lead(at::date) over item, 'infinity'::date)) as span,
        step
    from (
        select *, lag(step) over (partition by repository_id, number order by at, step desc) as step_before
        from issue_states
    ) as states
    where step is distinct from step_before
    window item as (partition by repository_id, number order by at, step desc)
),

issue_open as (
    select repository_id, number, range_agg(span) as open_span
    from issue_spans
    where step = 1
    group by repository_id, number
),

issue_touched as (
    select repository_id, number, range_agg(daterange(at::date, at::date + 90)) as fresh_span
    from (
        select repository_id, number, created_at as at from raw.issues
        union all
        select repository_id, number, created_at from raw.issue_events
    ) as touches
    where at >= :start - 89
    group by repository_id, number
),

fresh_spans as (
    select repository_id, unnest(open_span * fresh_span) as span
    from issue_open
    join issue_touched using (repository_id, number)
),

fresh_steps as (
    select repository_id, date, sum(step) as fresh_step
    from (
        select repository_id, lower(span) as date, 1 as step from fresh_spans
        union all
        select repository_id, upper(span), -1 from fresh_spans
    ) as steps
    where date < :end
    group by repository_id, date
),

-- Running totals from the beginning of the history to the end of each day.
step_dates as (
    select repository_id, date from days
    union
    select repository_id, date from people_steps_by_day
    union
    select repository_id, date from pull_request_steps
    union
    select repository_id, date from issue_steps
    union
    select repository_id, date from fresh_steps
    union
    select repository_id, date from stars
    union
    select repository_id, date from forks
),

standing as (
    select
        repository_id,
        date,
        sum(coalesce(pull_request_steps.open_step, 0)) over so_far as pull_requests_open,
        sum(coalesce(issue_steps.open_step, 0)) over so_far as issues_open,
        sum(coalesce(fresh_steps.fresh_step, 0)) over so_far as issues_open_fresh,
        sum(coalesce(stars.stars, 0)) over so_far as stars,
        sum(coalesce(forks.forks, 0)) over so_far as forks,
        sum(coalesce(people_steps_by_day.now_step, 0)) over so_far as people_now,
        sum(coalesce(people_steps_by_day.before_step, 0)) over so_far as people_before,
        sum(coalesce(people_steps_by_day.both_step, 0)) over so_far as people_both
    from step_dates
    left join pull_request_steps using (repository_id, date)
    left join issue_steps using (repository_id, date)
    left join fresh_steps using (repository_id, date)
    left join stars using (repository_id, date)
    left join forks using (repository_id, date)
    left join people_steps_by_day using (repository_id, date)
    window so_far as (partition by repository_id order by date)
),

first_responses as (
    select pull_requests.repository_id, 'pull_request' as kind, pull_requests.number, pull_requests.created_at,
           min(responses.at) as responded_at
    from raw.pull_requests as pull_requests
    left join (
        select repository_id, number, author_key as person_key, submitted_at as at
        from raw.reviews
        where not coalesce(author_is_bot, false) and state <> 'pending'
        union all
        select repository_id, number, actor_key, created_at
        from raw.pull_request_events
        where event = 'commented' and not coalesce(actor_is_bot, false)
    ) as responses
      on responses.repository_id = pull_requests.repository_id
     and responses.number = pull_requests.number
     and responses.person_key is not null
     and responses.person_key is distinct from pull_requests.author_key
     and responses.at >= pull_requests.created_at
    where pull_requests.created_at >= :start - 27 and pull_requests.created_at < :end
      and not coalesce(pull_requests.author_is_bot, false)
    group by pull_requests.repository_id, pull_requests.number, pull_requests.created_at
    union all
    select issues.repository_id, 'issue', issues.number, issues.created_at, min(events.created_at)
    from raw.issues as issues
    left join raw.issue_events as events
      on events.repository_id = issues.repository_id
     and events.number = issues.number
     and events.event = 'commented'
     and not coalesce(events.actor_is_bot, false)
     and events.actor_key is not null
     and events.actor_key is distinct from issues.author_key
     and events.created_at >= issues.created_at
    where issues.created_at >= :start - 27 and issues.created_at < :end
      and not coalesce(issues.author_is_bot, false)
    group by issues.repository_id, issues.number, issues.created_at
),

response_windows as (
    select
        repository_id,
        kind,
        day::date as date,
        percentile_cont(0.5) within group (order by extract(epoch from responded_at - created_at) / 3600)
            filter (where responded_at < day::date + 1) as median_hours,
        count(*) filter (where responded_at < day::date + 1) as answered,
        count(*) filter (where responded_at is null or responded_at >= day::date + 1) as unanswered
    from first_responses
    cross join generate_series(
        greatest(created_at::date, :start), least(created_at::date + 27, :end - 1), interval '1 day'
    ) as day
    group by repository_id, kind, day::date
),

merge_windows as (
    select
        repository_id,
        day::date as date,
        percentile_cont(0.5) within group (order by extract(epoch from merged_at - created_at) / 3600)
            as median_hours,
        count(created_at) as timed,
        count(*) as merged
    from raw.pull_requests
    cross join generate_series(
        greatest(merged_at::date, :start), least(merged_at::date + 27, :end - 1), interval '1 day'
    ) as day
    where merged_at >= :start - 27 and merged_at < :end
    group by repository_id, day::date
),

opened_windows as (
    select repository_id, day::date as date, count(*) as opened
    from raw.pull_requests
    cross join generate_series(
        greatest(created_at::date, :start), least(created_at::date + 27, :end - 1), interval '1 day'
    ) as day
    where created_at >= :start - 27 and created_at < :end
    group by repository_id, day::date
),

fork_windows as (
    select repository_id, day::date as date, count(*) as forks
    from raw.forks
    cross join generate_series(
        greatest(created_at::date, :start), least(created_at::date + 89, :end - 1), interval '1 day'
    ) as day
    where created_at >= :start - 89 and created_at < :end
    group by repository_id, day::date
)

select
    days.repository_id,
    days.repository,
    days.date,
    case when collected.stars then coalesce(stars.stars, 0) end as stars_new,
    case when collected.stars then snapshots.stars - (snapshots.stars_known - standing.stars) end as stars_total,
    case when collected.forks then coalesce(forks.forks, 0) end as forks_new,
    case when collected.forks then snapshots.forks - (snapshots.forks_known - standing.forks) end as forks_total,
    case when collected.issues then coalesce(issues_opened.opened, 0) end as issues_opened,
    case when collected.issues then coalesce(issue_steps.closed, 0) end as issues_closed,
    case when collected.issues then standing.issues_open end as issues_open,
    case when collected.openings then coalesce(pull_requests_opened.opened, 0) end as pull_requests_opened,
    case when collected.pull_requests then coalesce(pull_requests_merged.merged, 0) end as pull_requests_merged,
    case when collected.pull_requests then coalesce(pull_request_steps.closed, 0) end as pull_requests_closed,
    case when collected.openings then standing.pull_requests_open end as pull_requests_open,
    case when collected.commits then coalesce(commits_made.commits, 0) end as commits,
    case when collected.releases then coalesce(releases_made.releases, 0) end as releases,
    case when collected.people then coalesce(people.active, 0) end as active_contributors,
    case when collected.people and (days.since_creation or days.date >= days.start + 90)
         then coalesce(newcomers.new_people, 0) end as new_contributors,
    case when collected.people and (days.since_creation or days.date >= days.start + 89)
         then standing.people_now end as contributors_in_window,
    case when collected.people and (days.since_creation or days.date >= days.start + 179)
         then standing.people_before end as contributors_in_previous_window,
    case when collected.people and (days.since_creation or days.date >= days.start + 179)
         then standing.people_both end as contributors_retained,
    case when collected.openings then coalesce(opened_windows.opened, 0) end as pull_requests_opened_in_window,
    case when collected.pull_requests then coalesce(merge_windows.merged, 0) end as pull_requests_merged_in_window,
    case when collected.openings then merge_windows.median_hours end as pull_request_merge_hours,
    coalesce(merge_windows.timed, 0) as pull_request_merge_n,
    case when collected.openings
         then pull_request_responses.median_hours end as pull_request_first_response_hours,
    coalesce(pull_request_responses.answered, 0) as pull_request_first_response_n,
    case when collected.openings then coalesce(pull_request_responses.unanswered, 0) end as pull_requests_unanswered,
    case when collected.issues then issue_responses.median_hours end as issue_first_response_hours,
    coalesce(issue_responses.answered, 0) as issue_first_response_n,
    case when collected.issues then coalesce(issue_responses.unanswered, 0) end as issues_unanswered,
    case when collected.issues then standing.issues_open_fresh end as issues_open_fresh,
    case when collected.forks then coalesce(fork_windows.forks, 0) end as forks_in_window
from days
left join ops.collected_days as collected_days using (repository_id)
cross join lateral (
    select
        collected_days.stargazers @> days.date as stars,
        collected_days.forks @> days.date as forks,
        collected_days.issues @> days.date as issues,
        collected_days.pull_requests @> days.date as pull_requests,
        collected_days.pull_requests @> days.date
            and days.repository_id not in (select repository_id from openings_unknown) as openings,
        collected_days.commits @> days.date as commits,
        collected_days.releases @> days.date or collected_days.tags @> days.date as releases,
        collected_days.pull_requests @> days.date or collected_days.issues @> days.date
            or collected_days.commits @> days.date as people
) as collected
left join stars on stars.repository_id = days.repository_id and stars.date = days.date
left join forks on forks.repository_id = days.repository_id and forks.date = days.date
left join snapshots on snapshots.repository_id = days.repository_id and snapshots.date = days.date
left join issues_opened on issues_opened.repository_id = days.repository_id and issues_opened.date = days.date
left join issue_steps on issue_steps.repository_id = days.repository_id and issue_steps.date = days.date
left join pull_requests_opened
  on pull_requests_opened.repository_id = days.repository_id and pull_requests_opened.date = days.date
left join pull_requests_merged
  on pull_requests_merged.repository_id = days.repository_id and pull_requests_merged.date = days.date
left join pull_request_steps
  on pull_request_steps.repository_id = days.repository_id and pull_request_steps.date = days.date
left join commits_made on commits_made.repository_id = days.repository_id and commits_made.date = days.date
left join releases_made on releases_made.repository_id = days.repository_id and releases_made.date = days.date
left join people on people.repository_id = days.repository_id and people.date = days.date
left join newcomers on newcomers.repository_id = days.repository_id and newcomers.date = days.date
left join standing on standing.repository_id = days.repository_id and standing.date = days.date
left join response_windows as pull_request_responses
  on pull_request_responses.repository_id = days.repository_id
 and pull_request_responses.date = days.date and pull_request_responses.kind = 'pull_request'
left join response_windows as issue_responses
  on issue_responses.repository_id = days.repository_id
 and issue_responses.date = days.date and issue_responses.kind = 'issue'
left join merge_windows on merge_windows.repository_id = days.repository_id and merge_windows.date = days.date
left join opened_windows on opened_windows.repository_id = days.repository_id and opened_windows.date = days.date
left join fork_windows on fork_windows.repository_id = days.repository_id and fork_windows.date = days.date
