-- SPACE of every team that is in it, and of the portfolio, over the last `weeks` weeks: a row per dimension with the
-- mean of its weekly figures, the label of the score, the change against as many weeks before (null where those are
-- unknown), the benchmark, how many people stand behind it, and of how many weeks the figure is known.
--
-- A score is shown only where at least three dimensions of the team are known, one of them from people (satisfaction):
-- activity is never shown by itself. Else score, label and trend are null, and `reason` says what is missing.
--
-- select * from get_space_scores(4);
create or replace function metrics.get_space_scores(weeks integer default 4)
returns table (
    team text, dimension text, score double precision, unit text, label text, trend double precision, benchmark text,
    n integer, weeks_known bigint, shown boolean, reason text, subject_kind text
)
language sql stable
as $$
    with newest as (
        select max(date) as date from metrics.space_activity
    ),
    teams as (
        select distinct members.subject_kind, members.subject from ops.space_members as members
    ),
    weekly as (
        select 'satisfaction' as dimension, rows.subject_kind, rows.subject, rows.date, rows.satisfaction as value,
               rows.responses as n, rows.reason
        from metrics.space_satisfaction as rows
        union all
        select 'performance', rows.subject_kind, rows.subject, rows.date, rows.coverage, rows.people,
               coalesce(rows.reason, 'no test coverage was fed for the team')
        from metrics.space_performance as rows
        union all
        select 'activity', rows.subject_kind, rows.subject, rows.date, rows.commits, rows.people, rows.reason
        from metrics.space_activity as rows
        union all
        select 'collaboration', rows.subject_kind, rows.subject, rows.date, rows.cross_team_pull_requests, rows.people,
               rows.reason
        from metrics.space_collaboration as rows
        union all
        select 'efficiency', rows.subject_kind, rows.subject, rows.date, rows.deep_work_share, rows.members, rows.reason
        from metrics.space_efficiency as rows
    ),
    figures as (
        select
            teams.subject_kind,
            teams.subject,
            dimensions.dimension,
            avg(weekly.value) filter (where weekly.date > newest.date - 7 * weeks) as score,
            avg(weekly.value) filter (where weekly.date <= newest.date - 7 * weeks) as before,
            count(weekly.value) filter (where weekly.date > newest.date - 7 * weeks) as weeks_known,
            -- Of the newest week that is known, and of the newest that is not.
            (array_agg(weekly.n order by weekly.date desc) filter (
                where weekly.value is not null and weekly.date > newest.date - 7 * weeks
            ))[1] as n,
            (array_agg(weekly.reason order by weekly.date desc) filter (
                where weekly.value is null and weekly.date > newest.date - 7 * weeks
            ))[1] as reason
        from teams
        cross join metrics.space_dimensions as dimensions
        cross join newest
        left join weekly
          on weekly.dimension = dimensions.dimension and weekly.subject_kind = teams.subject_kind
         and weekly.subject = teams.subject
         and weekly.date > newest.date - 14 * weeks and weekly.date <= newest.date
        group by teams.subject_kind, teams.subject, dimensions.dimension
    ),
    known as (
        select
            figures.subject_kind,
            figures.subject,
            count(figures.score) as dimensions,
            coalesce(bool_or(dimensions.from_people) filter (where figures.score is not null), false) as has_people,
            string_agg(dimensions.title, ', ' order by dimensions.position) filter (where figures.score is null) as missing
        from figures
        join metrics.space_dimensions as dimensions using (dimension)
        group by figures.subject_kind, figures.subject
    ),
    judged as (
        select figures.*, known.dimensions >= 3 and known.has_people as allowed, known.dimensions, known.has_people,
               known.missing
        from figures
        join known using (subject_kind, subject)
    )
    select
        judged.subject,
        dimensions.title,
        case when judged.allowed then round(judged.score::numeric, 3)::double precision end,
        dimensions.unit,
        case when judged.allowed then (
            select labels.label
            from metrics.space_labels as labels
            where labels.dimension = judged.dimension
              and judged.score >= coalesce(labels.at_least, '-infinity')
              and judged.score < coalesce(labels.below, 'infinity')
            order by labels.rank
            limit 1
        ) end,
        case when judged.allowed then round((judged.score - judged.before)::numeric, 3)::double precision end,
        dimensions.benchmark,
        case when judged.allowed then judged.n end,
        judged.weeks_known,
        judged.allowed and judged.score is not null,
        case
            when judged.allowed and judged.score is not null then null
            when judged.allowed then coalesce(judged.reason, 'nothing is known of these weeks')
            when not judged.has_people
                then 'SPACE needs a figure from people, and their satisfaction is not known'
                     || coalesce(': ' || (
                            select people.reason
                            from figures as people
                            join metrics.space_dimensions as said using (dimension)
                            where said.from_people and people.subject_kind = judged.subject_kind
                              and people.subject = judged.subject
                            limit 1
                        ), '')
            else 'SPACE needs at least three dimensions, and ' || judged.dimensions || ' are known; missing: '
                 || judged.missing
        end,
        judged.subject_kind
    from judged
    join metrics.space_dimensions as dimensions on dimensions.dimension = judged.dimension
    order by judged.subject_kind desc, judged.subject, dimensions.position
$$;
