-- A row is how a team's people worked with others in a week: their pull requests that somebody of another team
-- reviewed, the comments they wrote on pull requests, the reviews they gave to others, and the asynchronous score: of
-- their pull requests whose deadline fell into the week, the share that somebody else answered by then, times 10. The
-- deadline is the end of the working day after the opening (business hours of metrics.yaml); what waits longer counts
-- as late, what was closed or merged before anybody answered does not count. For the portfolio another team is one
-- that author and reviewer do not share.
-- replace: date
with weeks as (
    select subject_kind, subject, date, date - 6 as first_day, reason, people
    from metrics.space_activity
    where date >= :start and date < :end
),

-- The members of the teams that are shown, by week.
shown as materialized (
    select weeks.subject_kind, weeks.subject, weeks.date, members.person_key
    from weeks
    join ops.space_members as members using (subject_kind, subject)
    where weeks.reason is null
),

people as materialized (
    select distinct person_key from shown
),

-- The weeks of repositories of which pull requests were collected, by the Sunday.
known as materialized (
    select collected.repository_id, of_week.date
    from (select distinct date, first_day from weeks where reason is null) as of_week
    join ops.collected_days as collected on collected.pull_requests @> daterange(of_week.first_day, of_week.date + 1)
    join ops.repository_settings as settings using (repository_id)
),

reviews as materialized (
    select reviews.repository_id, reviews.number, reviews.author_key as reviewer_key, pull_requests.author_key,
           known.date
    from raw.reviews as reviews
    join known
      on known.repository_id = reviews.repository_id
     and known.date = reviews.submitted_at::date + (7 - extract(isodow from reviews.submitted_at)::integer)
    join raw.pull_requests as pull_requests
      on pull_requests.repository_id = reviews.repository_id and pull_requests.number = reviews.number
    where reviews.submitted_at >= (:start)::date - 6 and reviews.submitted_at < :end
      and reviews.state <> 'pending' and not coalesce(reviews.author_is_bot, false)
      and reviews.author_key <> pull_requests.author_key
),

given as (
    select shown.subject_kind, shown.subject, shown.date, count(*) as reviews
    from shown
    join reviews on reviews.reviewer_key = shown.person_key and reviews.date = shown.date
    group by shown.subject_kind, shown.subject, shown.date
),

across_teams as (
    select shown.subject_kind, shown.subject, shown.date,
           count(distinct (reviews.repository_id, reviews.number)) as pull_requests
    from shown
    join reviews on reviews.author_key = shown.person_key and reviews.date = shown.date
    where exists (select 1 from ops.team_members as theirs where theirs.person_key = reviews.reviewer_key)
      and not exists (
          select 1
          from ops.team_members as theirs
          where theirs.person_key = reviews.reviewer_key
            and case shown.subject_kind
                    when 'team' then theirs.team = shown.subject
                    else exists (
                        select 1 from ops.team_members as own
                        where own.person_key = shown.person_key and own.team = theirs.team
                    )
                end
      )
    group by shown.subject_kind, shown.subject, shown.date
),

comments as materialized (
    select repository_id, actor_key as author_key, created_at
    from raw.pull_request_events
    where event = 'commented' and created_at >= (:start)::date - 6 and created_at < :end
    union all
    select repository_id, author_key, created_at
    from raw.review_comments
    where created_at >= (:start)::date - 6 and created_at < :end
),

comments_of_people as (
    select comments.author_key as person_key, known.date, count(*) as comments
    from comments
    join people on people.person_key = comments.author_key
    join known
      on known.repository_id = comments.repository_id
     and known.date = comments.created_at::date + (7 - extract(isodow from comments.created_at)::integer)
    group by comments.author_key, known.date
),

written as (
    select shown.subject_kind, shown.subject, shown.date, sum(comments_of_people.comments) as comments
    from shown
    join comments_of_people using (person_key, date)
    group by shown.subject_kind, shown.subject, shown.date
),

calendar as (
    select
        day::date as day,
        portfolio.business_hours ->> 'timezone' as timezone,
        portfolio.business_hours -> 'days' @> to_jsonb(extract(isodow from day)::integer - 1)
            and not coalesce(portfolio.business_hours -> 'holidays' @> to_jsonb(day::date::text), false) as is_working
    from ops.portfolio as portfolio
    cross join generate_series((:start)::date - 40, (:end)::date + 1, interval '1 day') as day
),

deadlines as materialized (
    select day, timezone,
           min(day) filter (where is_working)
               over (order by day rows between 1 following and unbounded following) as due_on
    from calendar
),

due as (
    select
        known.date,
        pull_requests.repository_id,
        pull_requests.number,
        pull_requests.author_key,
        pull_requests.closed_at,
        least(
            (deadlines.due_on + 1)::timestamp at time zone deadlines.timezone,
            (known.date + 1)::timestamp at time zone 'UTC'
        ) as due_at
    from raw.pull_requests as pull_requests
    join people on people.person_key = pull_requests.author_key
    join deadlines on deadlines.day = (pull_requests.created_at at time zone deadlines.timezone)::date
    join known
      on known.repository_id = pull_requests.repository_id
     and known.date = deadlines.due_on + (7 - extract(isodow from deadlines.due_on)::integer)
    where pull_requests.created_at >= (:start)::date - 40 and pull_requests.created_at < :end
),

answered as (
    select due.*, least(review.at, remark.at, line.at) as answered_at
    from due
    cross join lateral (
        select min(reviews.submitted_at) as at
        from raw.reviews as reviews
        where reviews.repository_id = due.repository_id and reviews.number = due.number
          and reviews.state <> 'pending' and reviews.author_key <> due.author_key
          and not coalesce(reviews.author_is_bot, false)
    ) as review
    cross join lateral (
        select min(events.created_at) as at
        from raw.pull_request_events as events
        where events.repository_id = due.repository_id and events.number = due.number
          and events.event = 'commented' and events.actor_key <> due.author_key
          and not coalesce(events.actor_is_bot, false)
    ) as remark
    cross join lateral (
        select min(comments.created_at) as at
        from raw.review_comments as comments
        where comments.repository_id = due.repository_id and comments.number = due.number
          and comments.author_key <> due.author_key and not coalesce(comments.author_is_bot, false)
    ) as line
),

punctual as (
    select shown.subject_kind, shown.subject, shown.date, count(*) as pull_requests,
           count(*) filter (where answered.answered_at < answered.due_at) as in_time
    from answered
    join shown on shown.person_key = answered.author_key and shown.date = answered.date
    where answered.answered_at < answered.due_at
       or answered.closed_at is null or answered.closed_at >= answered.due_at
    group by shown.subject_kind, shown.subject, shown.date
)

select
    weeks.subject_kind,
    weeks.subject,
    weeks.date,
    weeks.reason,
    weeks.people,
    case when weeks.reason is null then coalesce(across_teams.pull_requests, 0) end as cross_team_pull_requests,
    case when weeks.reason is null then coalesce(written.comments, 0) end as pull_request_comments,
    case when weeks.reason is null then coalesce(given.reviews, 0) end as reviews_given,
    case when weeks.reason is null then coalesce(punctual.pull_requests, 0) end as pull_requests_due,
    case when weeks.reason is null then coalesce(punctual.in_time, 0) end as pull_requests_answered_in_time,
    10.0 * punctual.in_time / punctual.pull_requests as async_score
from weeks
left join across_teams
  on across_teams.subject_kind = weeks.subject_kind and across_teams.subject = weeks.subject
 and across_teams.date = weeks.date
left join written
  on written.subject_kind = weeks.subject_kind and written.subject = weeks.subject and written.date = weeks.date
left join given
  on given.subject_kind = weeks.subject_kind and given.subject = weeks.subject and given.date = weeks.date
left join punctual
  on punctual.subject_kind = weeks.subject_kind and punctual.subject = weeks.subject and punctual.date = weeks.date
