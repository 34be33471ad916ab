-- A row is what the people of a team said of their work, as it stood at a week's end: satisfaction from 1 to 5 and the
-- net promoter score from -100 to 100, as fed for the team (metrics developer_satisfaction and developer_nps) with the
-- number of people who answered (survey_responses). Shown where at least ops.portfolio.minimum_group (at least 3)
-- answered. The portfolio is the teams' mean weighed by answers, hidden where the answers of hidden teams could be told
-- from it, and where one team alone answered: the mean would be that team's figure. The interval is the widest that score and answers allow, since nobody says how many were in between. What
-- people wrote is not stored.
-- replace: date
with weeks as (
    select day::date as date
    from generate_series(
        (:start)::date + (7 - extract(isodow from (:start)::date)::integer), (:end)::date - 1, interval '7 days'
    ) as day
),

rule as (
    select greatest(minimum_group, 3) as minimum, portfolio from ops.portfolio
),

teams as (
    select subject as team, count(*) as members
    from ops.space_members
    where subject_kind = 'team'
    group by subject
),

fed as (
    select
        teams.team,
        teams.members,
        weeks.date,
        max(daily.value) filter (where daily.metric = 'developer_satisfaction') as satisfaction,
        max(daily.value) filter (where daily.metric = 'developer_nps') as nps,
        -- How many answered is fed by itself, or beside the score.
        coalesce(
            -- (Of the same survey: the number of an older one says nothing.)
            case when count(distinct daily.period_end) <= 1
                 then max(daily.value) filter (where daily.metric = 'survey_responses')::integer end,
            min(daily.n) filter (where daily.metric <> 'survey_responses')::integer
        ) as responses
    from teams
    cross join weeks
    left join metrics.fed_daily as daily
      on daily.subject_kind = 'team' and daily.subject = teams.team and daily.date = weeks.date
     and daily.metric in ('developer_satisfaction', 'developer_nps', 'survey_responses')
     and daily.state in ('ok', 'provisional')
    group by teams.team, teams.members, weeks.date
),

told as (
    select fed.*,
           case
               when satisfaction is null and nps is null then 'no survey was fed, or the last one is too old'
               when responses is null then 'nobody said how many answered; feed survey_responses beside it'
               when responses < rule.minimum then 'fewer than ' || rule.minimum || ' people answered'
           end as reason
    from fed cross join rule
),

together as (
    select
        date,
        sum(members) as members,
        sum(responses) filter (where satisfaction is not null or nps is not null) as responses,
        sum(responses) filter (where reason like 'fewer than %' and satisfaction is not null) as hidden_satisfaction,
        sum(responses) filter (where reason like 'fewer than %' and nps is not null) as hidden_nps,
        sum(satisfaction * responses) / nullif(sum(responses) filter (where satisfaction is not null), 0) as satisfaction,
        sum(nps * responses) / nullif(sum(responses) filter (where nps is not null), 0) as nps,
        count(*) filter (where satisfaction is not null and responses > 0) as teams_satisfaction,
        count(*) filter (where nps is not null and responses > 0) as teams_nps,
        count(*) filter (where (satisfaction is not null or nps is not null) and responses is null) as uncounted
    from told
    group by date
),

people as (
    select count(*) as members from ops.space_members where subject_kind = 'portfolio'
),

standing as (
    select 'team' as subject_kind, team as subject, date, reason, satisfaction, nps, responses, members from told
    union all
    select
        'portfolio', rule.portfolio, together.date,
        case
            when together.responses is null and together.uncounted > 0
                then 'nobody said how many answered; feed survey_responses beside it'
            when together.responses is null then 'no survey was fed, or the last one is too old'
            when together.responses < rule.minimum then 'fewer than ' || rule.minimum || ' people answered'
            when together.teams_satisfaction < 2 and together.teams_nps < 2
                then 'only one team answered, whose figure it would be'
            when together.hidden_satisfaction between 1 and rule.minimum - 1
                or together.hidden_nps between 1 and rule.minimum - 1
                then 'fewer than ' || rule.minimum || ' people answered in the teams that are not shown, and the difference would show them'
        end,
        case when together.teams_satisfaction > 1 then together.satisfaction end,
        case when together.teams_nps > 1 then together.nps end,
        together.responses, people.members
    from together cross join rule cross join people
)

select
    subject_kind,
    subject,
    date,
    reason,
    case when reason is null then satisfaction end as satisfaction,
    case when reason is null then nps end as nps,
    case when reason is null then greatest(nps - margin, -100) end as nps_low,
    case when reason is null then least(nps + margin, 100) end as nps_high,
    case when reason is null then responses end as responses,
    members,
    case when reason is null then least(responses::double precision / nullif(members, 0), 1) end as response_rate
from standing
cross join lateral (
    -- Of the share of promoters minus that of detractors, where nobody is in between.
    select 100 * 1.96 * sqrt(greatest(1 - (nps / 100) ^ 2, 0) / nullif(responses, 0)) as margin
) as spread
where exists (select 1 from ops.space_members)
