-- Every goal that counts, on the newest day that it was judged, with its title and owner; one row a subject. A goal
-- that was never judged is unknown: it has not begun, or nobody of its kind has such a figure.
create or replace view metrics.current_goals as
with active as (
    select goals.*
    from metrics.goal_catalogue as goals
    where goals.pack is null or goals.pack in (select unnest(packs) from ops.portfolio)
)
select
    active.goal,
    active.title,
    active.owner,
    active.pack,
    active.subject_kind,
    coalesce(daily.subject, active.subject) as subject,
    daily.date,
    active.metric,
    daily.value,
    daily.n,
    daily.metric_state,
    active.target,
    active.comparison,
    coalesce(daily.due_on, active.due_on) as due_on,
    coalesce(daily.starts_on, active.starts_on) as starts_on,
    daily.base,
    daily.expected,
    daily.progress,
    coalesce(daily.status, 'unknown') as status,
    coalesce(daily.reason, 'It was not judged yet: it has not begun, or there is no such figure of this kind.') as reason
from active
left join lateral (
    select max(every.date) as date from metrics.goals_daily as every where every.goal = active.goal
) as newest on true
left join metrics.goals_daily as daily on daily.goal = active.goal and daily.date = newest.date;
