-- A row is a repository on a day: what happened that day, what stood open at its end, and how it answered and
-- grew over trailing windows (28 days for pull requests and issues, 90 days for people, freshness and forks).
-- Only what was known at the end of the day counts. Null is unknown: not collected, or too early to say.
-- replace: date
with days as (
    select
        settings.repository_id,
        settings.repository,
        day::date as date
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

issue_spans as materialized (
    select repository_id, number, opened_at, ended_at, is_closing
    from metrics.issue_open_spans(:start)
    where opened_at < :end
),

-- An issue that is not open for longer than 90 days is fresh all that time. Of the others the touches decide.
old_issues as (
    select distinct spans.repository_id, spans.number, issues.created_at
    from issue_spans as spans
    join raw.issues as issues using (repository_id, number)
    where coalesce(spans.ended_at, :end) >= issues.created_at + interval '90 days'
),

fresh_spans as (
    select old_spans.repository_id, unnest(old_spans.open_span * touched.fresh_span) as span
    from (
        select spans.repository_id, spans.number,
               range_agg(daterange(spans.opened_at::date, coalesce(spans.ended_at::date, 'infinity'))) as open_span
        from issue_spans as spans
        join old_issues using (repository_id, number)
        group by spans.repository_id, spans.number
    ) as old_spans
    join (
        select repository_id, number, range_agg(daterange(at::date, at::date + 90)) as fresh_span
        from (
            select repository_id, number, created_at as at from old_issues
            union all
            select old_issues.repository_id, old_issues.number, events.created_at
            from old_issues
            join raw.issue_events as events
              on events.repository_id = old_issues.repository_id and events.number = old_issues.number
        ) as touches
        where at >= :start - 89
        group by repository_id, number
    ) as touched using (repository_id, number)
    union all
    select spans.repository_id, daterange(spans.opened_at::date, coalesce(spans.ended_at::date, 'infinity'))
    from issue_spans as spans
    where not exists (
        select 1 from old_issues
        where old_issues.repository_id = spans.repository_id and old_issues.number = spans.number
    )
),

stars as (
    select repository_id, starred_at::date as date, count(*) as stars
    from raw.stargazers
    where starred_at >= :start
    group by repository_id, starred_at::date
),

forks as (
    select repository_id, created_at::date as date, count(*) as forks
    from raw.forks
    where created_at >= :start - 89
    group by repository_id, created_at::date
),

releases_made as (
    -- Releases; before the day of a repository's first one, its release tags.
    select tags.repository_id, tags.tagged_at::date as date
    from raw.tags as tags
    join ops.repository_settings as settings using (repository_id)
    left join (
        select repository_id, min(published_at)::date as first_on
        from raw.releases
        where not is_draft and not is_prerelease
        group by repository_id
    ) as first_release using (repository_id)
    where tags.tagged_at >= :start and tags.tagged_at < :end
      and tags.tag ~ settings.release_tag_pattern
      and tags.tagged_at::date < coalesce(first_release.first_on, 'infinity')
    union all
    select releases.repository_id, releases.published_at::date
    from raw.releases as releases
    where not releases.is_draft and not releases.is_prerelease
      and releases.published_at >= :start and releases.published_at < :end
      and not exists (
          -- For a version that was counted when it was tagged.
          select 1
          from raw.tags as tags
          join ops.repository_settings as settings using (repository_id)
          where tags.repository_id = releases.repository_id and tags.tag = releases.tag
            and tags.tag ~ settings.release_tag_pattern
            and tags.tagged_at::date < (
                select min(first.published_at)::date
                from raw.releases as first
                where first.repository_id = releases.repository_id and not first.is_draft and not first.is_prerelease
            )
      )
),

-- One kind of thing a row, so that all of it is added up in one go. What happened before the range counts on its
-- first day where it still stands then, and under its own date where a window wants it.
happened as (
    select repository_id, created_at::date as date, 'pull requests opened' as what, count(*) as number
    from raw.pull_requests
    where created_at >= :start - 27 and created_at < :end
    group by 1, 2
    union all
    select repository_id, merged_at::date, 'pull requests merged', count(*)
    from raw.pull_requests
    where merged_at >= :start - 27 and merged_at < :end
    group by 1, 2
    union all
    select repository_id, greatest(opened_at::date, :start), 'pull requests open', count(*)
    from metrics.pull_request_open_spans(:start)
    where opened_at < :end
    group by 1, 2
    union all
    select repository_id, ended_at::date, 'pull requests open', -count(*)
    from metrics.pull_request_open_spans(:start)
    where ended_at >= :start and ended_at < :end
    group by 1, 2
    union all
    select repository_id, ended_at::date, 'pull requests closed', count(*)
    from metrics.pull_request_open_spans(:start)
    where ended_at >= :start and ended_at < :end and is_closing
    group by 1, 2
    union all
    select repository_id, created_at::date, 'issues opened', count(*)
    from raw.issues
    where created_at >= :start and created_at < :end
    group by 1, 2
    union all
    select repository_id, greatest(opened_at::date, :start), 'issues open', count(*)
    from issue_spans
    group by 1, 2
    union all
    select repository_id, ended_at::date, 'issues open', -count(*)
    from issue_spans
    where ended_at >= :start and ended_at < :end
    group by 1, 2
    union all
    select repository_id, ended_at::date, 'issues closed', count(*)
    from issue_spans
    where ended_at >= :start and ended_at < :end and is_closing
    group by 1, 2
    union all
    select repository_id, greatest(lower(span), :start), 'issues fresh', count(*)
    from fresh_spans
    where not isempty(span) and upper(span) >= :start
    group by 1, 2
    union all
    select repository_id, upper(span), 'issues fresh', -count(*)
    from fresh_spans
    where upper(span) >= :start and upper(span) < :end
    group by 1, 2
    union all
    select repository_id, committed_at::date, 'commits', count(*)
    from raw.commits
    where on_default_branch and committed_at >= :start and committed_at < :end
    group by 1, 2
    union all
    select repository_id, date, 'releases', count(*)
    from releases_made
    group by 1, 2
    union all
    select repository_id, date, 'stars', stars
    from stars
    where date < :end
    union all
    select repository_id, date, 'forks', forks
    from forks
    where date < :end
),

by_day as (
    select
        repository_id,
        date,
        sum(number) filter (where what = 'pull requests opened') as pull_requests_opened,
        sum(number) filter (where what = 'pull requests merged') as pull_requests_merged,
        sum(number) filter (where what = 'pull requests open') as pull_requests_open,
        sum(number) filter (where what = 'pull requests closed') as pull_requests_closed,
        sum(number) filter (where what = 'issues opened') as issues_opened,
        sum(number) filter (where what = 'issues open') as issues_open,
        sum(number) filter (where what = 'issues closed') as issues_closed,
        sum(number) filter (where what = 'issues fresh') as issues_fresh,
        sum(number) filter (where what = 'commits') as commits,
        sum(number) filter (where what = 'releases') as releases,
        sum(number) filter (where what = 'stars') as stars,
        sum(number) filter (where what = 'forks') as forks
    from (
        select repository_id, date, what, number from happened
        union all
        select repository_id, date, null, 0 from days
    ) as rows
    group by repository_id, date
),

summed as (
    select
        by_day.*,
        coalesce(sum(pull_requests_open) over so_far, 0) as pull_requests_standing,
        coalesce(sum(issues_open) over so_far, 0) as issues_standing,
        coalesce(sum(issues_fresh) over so_far, 0) as fresh_standing,
        coalesce(sum(pull_requests_opened) over month, 0) as pull_requests_opened_in_window,
        coalesce(sum(pull_requests_merged) over month, 0) as pull_requests_merged_in_window,
        coalesce(sum(forks) over (
            partition by repository_id order by date
            range between interval '89 days' preceding and current row
        ), 0) as forks_in_window
    from by_day
    window
        so_far as (partition by repository_id order by date),
        month as (
            partition by repository_id order by date range between interval '27 days' preceding and current row
        )
),

-- The first count that the provider gave after each day, with the day of the one before it.
looks as (
    select repository_id, observed_at as at, observed_at::date as date, stars, forks,
           lag(observed_at::date, 1, '-infinity') over (partition by repository_id order by observed_at) as date_before
    from raw.repository_counters
),

-- Those that count for the range, with what came of their own day before they were made.
counted as (
    select
        looks.*,
        (select count(*) from raw.stargazers
         where stargazers.repository_id = looks.repository_id
           and starred_at >= looks.date and starred_at <= looks.at) as stars_of_the_day,
        (select count(*) from raw.forks
         where forks.repository_id = looks.repository_id
           and created_at >= looks.date and created_at <= looks.at) as forks_of_the_day
    from looks
    where date > :start and date_before < :end
),

-- Stars and forks from the range's first day to each day's end, before that day or count.
running as (
    select repository_id, date, max(stars_so_far) as stars, max(forks_so_far) as forks
    from (
        select repository_id, date, sum(stars) over so_far as stars_so_far, sum(forks) over so_far as forks_so_far
        from (
            select repository_id, date, stars, 0 as forks from stars
            union all
            select repository_id, date, 0, forks from forks where date >= :start
            union all
            select repository_id, date, 0, 0 from days
            union all
            select repository_id, date - 1, 0, 0 from counted
        ) as known
        window so_far as (partition by repository_id order by date)
    ) as sums
    group by repository_id, date
),

-- A total is the provider's next count less what came in between: withdrawn stars stay in.
totals as (
    select
        days.repository_id,
        days.date,
        counted.stars - counted.stars_of_the_day - (at_count.stars - at_day.stars) as stars,
        counted.forks - counted.forks_of_the_day - (at_count.forks - at_day.forks) as forks
    from counted
    join days
      on days.repository_id = counted.repository_id
     and days.date >= counted.date_before and days.date < counted.date
    join running as at_count
      on at_count.repository_id = counted.repository_id and at_count.date = counted.date - 1
    join running as at_day on at_day.repository_id = days.repository_id and at_day.date = days.date
)

select
    days.repository_id,
    days.repository,
    days.date,
    case when collected.stars then coalesce(summed.stars, 0) end as stars_new,
    case when collected.stars then totals.stars end as stars_total,
    case when collected.forks then coalesce(summed.forks, 0) end as forks_new,
    case when collected.forks then totals.forks end as forks_total,
    case when collected.issues then coalesce(summed.issues_opened, 0) end as issues_opened,
    case when collected.issues then coalesce(summed.issues_closed, 0) end as issues_closed,
    case when collected.issues then summed.issues_standing end as issues_open,
    case when collected.openings then coalesce(summed.pull_requests_opened, 0) end as pull_requests_opened,
    case when collected.pull_requests then coalesce(summed.pull_requests_merged, 0) end as pull_requests_merged,
    case when collected.pull_requests then coalesce(summed.pull_requests_closed, 0) end as pull_requests_closed,
    case when collected.openings then summed.pull_requests_standing end as pull_requests_open,
    case when collected.commits then coalesce(summed.commits, 0) end as commits,
    case when collected.releases then coalesce(summed.releases, 0) end as releases,
    people.active_contributors,
    people.new_contributors,
    people.contributors_in_window,
    people.contributors_in_previous_window,
    people.contributors_retained,
    case when collected.openings then summed.pull_requests_opened_in_window end as pull_requests_opened_in_window,
    case when collected.pull_requests then summed.pull_requests_merged_in_window end as pull_requests_merged_in_window,
    case when collected.openings then durations.pull_request_merge_hours end as pull_request_merge_hours,
    coalesce(durations.pull_request_merge_n, 0) as pull_request_merge_n,
    case when collected.openings then durations.pull_request_first_response_hours end
        as pull_request_first_response_hours,
    coalesce(durations.pull_request_first_response_n, 0) as pull_request_first_response_n,
    case when collected.openings then coalesce(durations.pull_request_first_response_open, 0) end
        as pull_requests_unanswered,
    case when collected.issues then durations.issue_first_response_hours end as issue_first_response_hours,
    coalesce(durations.issue_first_response_n, 0) as issue_first_response_n,
    case when collected.issues then coalesce(durations.issue_first_response_open, 0) end as issues_unanswered,
    case when collected.issues then summed.fresh_standing end as issues_open_fresh,
    case when collected.forks then summed.forks_in_window end as forks_in_window
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
        collected_days.releases @> days.date or collected_days.tags @> days.date as releases
) as collected
left join summed on summed.repository_id = days.repository_id and summed.date = days.date
left join totals on totals.repository_id = days.repository_id and totals.date = days.date
left join metrics.contributor_daily as people
  on people.subject_kind = 'repository' and people.subject = days.repository and people.date = days.date
left join metrics.durations_daily as durations
  on durations.subject_kind = 'repository' and durations.subject = days.repository and durations.date = days.date
