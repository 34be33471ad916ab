-- A row is a repository, a team or the portfolio on a day: how its discussions go. Participants are distinct people
-- over 30 days; answers, follow-up and categories are of the discussions opened in the last 90 days; upvotes are of
-- those opened in the last 30 days, as last counted. Whether a category takes answers is as last collected.
-- An answer is a first comment by another person, an accepted one was chosen. Null is unknown: not collected.
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

days as (
    select
        members.subject_kind,
        members.subject,
        min(repositories.repository_id) as repository_id,
        day::date as date,
        bool_and(collected.discussions @> day::date) as is_collected,
        -- Whether the 30 and the 90 days up to it are known, or all since the creation.
        bool_and(collected.discussions @> day::date and since.date <= day::date - 29) as is_month_known,
        bool_and(collected.discussions @> day::date and since.date <= day::date - 89) as is_quarter_known
    from members
    join raw.repositories as repositories using (repository_id)
    join ops.collected_days as collected using (repository_id)
    cross join ops.portfolio as portfolio
    cross join lateral (
        select case when repositories.created_at::date >= portfolio.start then '-infinity'
                    else portfolio.start end as date
    ) as since
    cross join generate_series(
        greatest(:start, portfolio.start, repositories.created_at::date), :end - 1, interval '1 day'
    ) as day
    where collected.discussions <> '{}'
      and (repositories.state not in ('gone', 'blocked') or day::date < upper(collected.discussions))
    group by members.subject_kind, members.subject, day
),

threads as (
    select
        discussions.*,
        answers.at as first_answer_at,
        -- When an answer was chosen is not always told; then it was when it was written.
        least(discussions.answered_at, case when discussions.answered_at is null then answer_created_at end)
            as accepted_at
    from raw.discussions as discussions
    join ops.repository_settings using (repository_id)
    left join (
        select comments.repository_id, comments.number, min(comments.created_at) as at
        from raw.discussion_comments as comments
        join raw.discussions as about using (repository_id, number)
        where not coalesce(comments.author_is_bot, false)
          and comments.author_key is not null
          and comments.author_key is distinct from about.author_key
          and about.created_at >= :start - 89
        group by comments.repository_id, comments.number
    ) as answers using (repository_id, number)
    where discussions.created_at >= :start - 89 and discussions.created_at < :end
),

-- A discussion on every day of the 90 on which it counts; deleted ones until then.
standing as (
    select threads.*, members.subject_kind, members.subject, day::date as date
    from threads
    join members using (repository_id)
    cross join generate_series(
        greatest(threads.created_at::date, :start),
        least(threads.created_at::date + 89, :end - 1, threads.deleted_at::date - 1),
        interval '1 day'
    ) as day
),

counted as (
    select
        subject_kind,
        subject,
        date,
        count(*) filter (where created_at::date = date) as discussions_new,
        count(*) filter (where created_at::date > date - 30) as discussions_new_month,
        count(*) filter (where is_answerable) as discussions_answerable,
        count(*) filter (where is_answerable and (first_answer_at::date <= date or accepted_at::date <= date))
            as discussions_answered,
        count(*) filter (where is_answerable and accepted_at::date <= date) as discussions_accepted,
        count(*) filter (where created_at::date < date - 6) as discussions_due,
        count(*) filter (
            where created_at::date < date - 6
              and least(first_answer_at, accepted_at, closed_at)::date <= date
        ) as discussions_followed_up,
        sum(upvotes) filter (where created_at::date > date - 30) as discussion_upvotes_month
    from standing
    group by subject_kind, subject, date
),

-- How evenly the categories are used: their entropy, for each bit that it could have; 1 is even. (A sum of floats
-- depends on their order in its last digit; one of numerics does not.)
balanced as (
    select
        subject_kind,
        subject,
        date,
        count(*) as categories,
        -sum((share * ln(share))::numeric)::double precision / nullif(ln(count(*)), 0) as balance
    from (
        select
            subject_kind,
            subject,
            date,
            count(*)::double precision / sum(count(*)) over (partition by subject_kind, subject, date) as share
        from standing
        group by subject_kind, subject, date, category
    ) as shares
    group by subject_kind, subject, date
),

-- Per person the days on which they count as having taken part in the last 30 days.
taking_part as (
    select subject_kind, subject, unnest(range_agg(daterange(at::date, at::date + 30))) as span
    from (
        select repository_id, author_key, author_is_bot, created_at as at
        from raw.discussions
        where created_at >= :start - 29 and created_at < :end
        union all
        select repository_id, author_key, author_is_bot, created_at
        from raw.discussion_comments
        where created_at >= :start - 29 and created_at < :end
    ) as said
    join members using (repository_id)
    where author_key is not null and not coalesce(author_is_bot, false)
    group by subject_kind, subject, author_key
),

participants as (
    select subject_kind, subject, date, sum(sum(step)) over (partition by subject_kind, subject order by date) as people
    from (
        select subject_kind, subject, greatest(lower(span), :start) as date, 1 as step from taking_part
        union all
        select subject_kind, subject, upper(span), -1 from taking_part where upper(span) < :end
        union all
        select subject_kind, subject, date, 0 from days
    ) as steps
    group by subject_kind, subject, date
)

select
    days.subject_kind,
    days.subject,
    case when days.subject_kind = 'repository' then days.repository_id end as repository_id,
    days.date,
    case when is_collected then coalesce(discussions_new, 0) end as discussions_new,
    case when is_month_known then coalesce(discussions_new_month, 0) end as discussions_new_month,
    case when is_month_known then coalesce(participants.people, 0) end as discussion_participants_month,
    case when is_quarter_known then coalesce(discussions_answerable, 0) end as discussions_answerable,
    case when is_quarter_known then coalesce(discussions_answered, 0) end as discussions_answered,
    case when is_quarter_known then coalesce(discussions_accepted, 0) end as discussions_accepted,
    case when is_quarter_known then coalesce(discussions_due, 0) end as discussions_due,
    case when is_quarter_known then coalesce(discussions_followed_up, 0) end as discussions_followed_up,
    case when is_month_known then coalesce(discussion_upvotes_month, 0) end as discussion_upvotes_month,
    case when is_quarter_known then balance end as discussion_category_balance,
    case when is_quarter_known then coalesce(categories, 0) end as discussion_categories
from days
left join counted
  on counted.subject_kind = days.subject_kind and counted.subject = days.subject and counted.date = days.date
left join balanced
  on balanced.subject_kind = days.subject_kind and balanced.subject = days.subject and balanced.date = days.date
left join participants
  on participants.subject_kind = days.subject_kind and participants.subject = days.subject
 and participants.date = days.date
