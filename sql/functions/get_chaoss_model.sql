-- The metrics of a CHAOSS model for one repository, team or portfolio on a day, each with its value four weeks before.
-- Without a kind of subject the name is the portfolio's, else a repository's, else a team's: a team that is named like
-- another subject is asked for by its kind, so that no row is another's.
-- The trend is the project's own: steady within 5 % of the earlier value; projects are not compared. It is unknown
-- where a value is, where one stands on too few rows, or where neither way is better.
--
-- select * from get_chaoss_model('starter_project_health', 'acme/api', '2025-06-30');
-- select * from get_chaoss_model('starter_project_health', 'platform', '2025-06-30', 'team');
drop function if exists metrics.get_chaoss_model(text, text, date);
create or replace function metrics.get_chaoss_model(
    model text, subject text, day date, subject_kind text default null
)
returns table (
    metric text, title text, value double precision, state text, n bigint, value_four_weeks_before double precision,
    trend text
)
language sql stable as $$
    with kind as (
        select coalesce(
            get_chaoss_model.subject_kind,
            case when exists (
                     select 1 from ops.portfolio where portfolio.portfolio = get_chaoss_model.subject
                 ) then 'portfolio'
                 when exists (
                     select 1 from ops.repository_settings as settings
                     where settings.repository = get_chaoss_model.subject
                 ) then 'repository'
                 else 'team' end
        ) as name
    ),
    wanted as (
        select models.metric, models.position, catalogue.title, catalogue.direction
        from metrics.chaoss_models as models
        join metrics.catalogue as catalogue using (metric)
        where models.model = get_chaoss_model.model
    ),
    found as (
        select values.metric, values.date, values.value, values.n, values.state
        from metrics.metric_values as values
        where values.metric = any (select wanted.metric from wanted)
          and values.subject = get_chaoss_model.subject
          and values.subject_kind = (select kind.name from kind)
          and values.subject_kind in ('repository', 'team', 'portfolio')
          and values.date in (get_chaoss_model.day, get_chaoss_model.day - 28)
    )
    select
        wanted.metric,
        wanted.title,
        now.value,
        coalesce(now.state, 'unknown'),
        now.n,
        before.value,
        case
            when now.value is null or before.value is null or 'too_few' in (now.state, before.state) then 'unknown'
            when abs(now.value - before.value) <= 0.05 * abs(before.value) then 'steady'
            when wanted.direction = 'neutral' then 'unknown'
            when (now.value > before.value) = (wanted.direction = 'higher') then 'better'
            else 'worse'
        end
    from wanted
    left join found as now on now.metric = wanted.metric and now.date = get_chaoss_model.day
    left join found as before on before.metric = wanted.metric and before.date = get_chaoss_model.day - 28
    order by wanted.position
$$;
