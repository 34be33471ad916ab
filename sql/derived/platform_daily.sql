-- A row is a community of a platform on a day: what was said that day, how many people were there as last counted by
-- its end, and how what people wrote in the 28 days up to it sounds. Points and answers are as of the last collection.
-- Null is unknown: not collected, not told by the platform, or said by fewer people than may be shown.
-- replace: date
with days as (
    select
        settings.platform,
        settings.community,
        day::date as date,
        portfolio.minimum_group,
        coalesce(collected.days @> day::date, false) as is_collected,
        -- Of the 28 days, those that were collected.
        coalesce((
            select sum(upper(span) - lower(span))
            from unnest(collected.days * datemultirange(daterange(day::date - 27, day::date + 1))) as span
        ), 0)::integer as days_collected
    from ops.platform_settings as settings
    cross join ops.portfolio as portfolio
    cross join generate_series(:start - 29, :end - 1, interval '1 day') as day
    left join ops.collected_platform_days as collected
      on collected.subject = settings.platform || ':' || settings.community
    where day::date >= portfolio.start
),

said as (
    select
        platform,
        community,
        created_at::date as date,
        count(*) as mentions,
        count(*) filter (where kind = 'question') as questions,
        count(*) filter (where kind = 'question' and is_answered) as questions_answered,
        sum(score) as score_sum,
        count(score) as scores
    from raw.mentions
    where created_at >= :start - 29 and created_at < :end
    group by platform, community, created_at::date
),

-- Neither programs nor deleted accounts are people.
felt as (
    select
        platform,
        community,
        day::date as date,
        avg(sentiment) as sentiment,
        count(*) as mentions,
        count(distinct author_key) as people,
        -- A third of the scale each: nearer to neutral is neutral.
        avg((sentiment > 1.0 / 3)::integer) as positive_share,
        avg((sentiment < -1.0 / 3)::integer) as negative_share,
        string_agg(distinct sentiment_method, ', ') as methods
    from raw.mentions
    cross join generate_series(
        greatest(created_at::date, :start), least(created_at::date + 27, :end - 1), interval '1 day'
    ) as day
    where created_at >= :start - 27
      and created_at < :end
      and sentiment is not null
      and author_key is not null
      and not coalesce(author_is_bot, false)
    group by platform, community, day::date
),

-- A count stands for the six days after it; then nobody knows.
counted as (
    select
        platform,
        community,
        counter,
        day::date as date,
        value,
        observed_on,
        row_number() over (partition by platform, community, counter, day order by observed_on desc) as age
    from raw.platform_counters
    cross join generate_series(
        greatest(observed_on, :start - 29), least(observed_on + 6, :end - 1), interval '1 day'
    ) as day
    where observed_on >= :start - 35 and observed_on < :end
),

standing as (
    select
        platform,
        community,
        date,
        max(value) filter (where counter in ('members', 'subscribers', 'followers')) as members,
        max(observed_on) filter (where counter in ('members', 'subscribers', 'followers')) as members_observed_on,
        max(value) filter (where counter = 'members_online') as members_online,
        max(value) filter (where counter = 'questions_total') as questions_total,
        -- X counts what it does not list, day by day.
        max(value) filter (where counter = 'mentions' and observed_on = date) as mentions
    from counted
    where age = 1
    group by platform, community, date
),

by_day as (
    select
        days.platform,
        days.community,
        days.date,
        case when days.platform = 'x' then standing.mentions
             when days.is_collected and days.platform <> 'discord' then coalesce(said.mentions, 0) end as mentions,
        case when days.is_collected and days.platform = 'stack_exchange'
             then coalesce(said.questions, 0) end as questions,
        case when days.is_collected and days.platform = 'stack_exchange'
             then coalesce(said.questions_answered, 0) end as questions_answered,
        case when days.is_collected and said.scores > 0 then said.score_sum end as score_sum,
        standing.members,
        standing.members_online,
        standing.members_observed_on,
        standing.questions_total,
        case when days.is_collected and felt.people >= days.minimum_group then felt.sentiment end as sentiment,
        case when days.is_collected and days.platform not in ('discord', 'x', 'youtube')
             then coalesce(felt.mentions, 0) end as sentiment_n,
        case when days.is_collected and felt.people >= days.minimum_group then felt.people end as sentiment_people,
        case when days.is_collected and felt.people >= days.minimum_group
             then felt.positive_share end as sentiment_positive_share,
        case when days.is_collected and felt.people >= days.minimum_group
             then felt.negative_share end as sentiment_negative_share,
        case when days.is_collected and felt.people >= days.minimum_group then felt.methods end as sentiment_method,
        days.days_collected
    from days
    left join said on said.platform = days.platform and said.community = days.community and said.date = days.date
    left join felt on felt.platform = days.platform and felt.community = days.community and felt.date = days.date
    left join standing
      on standing.platform = days.platform and standing.community = days.community and standing.date = days.date
),

summed as (
    select
        by_day.*,
        sum(mentions) over week as mentions_sum,
        count(mentions) over week as mentions_week_n,
        sum(questions) over month as questions_sum,
        count(questions) over month as questions_month_n
    from by_day
    window
        so_far as (partition by platform, community order by date),
        week as (so_far range between interval '6 days' preceding and current row),
        month as (so_far range between interval '29 days' preceding and current row)
)

-- Of 7 and of 30 days: unknown where a day of them is.
select
    summed.*,
    case when mentions_week_n = 7 then mentions_sum end as mentions_week,
    case when questions_month_n = 30 then questions_sum end as questions_month
from summed
where date >= :start
