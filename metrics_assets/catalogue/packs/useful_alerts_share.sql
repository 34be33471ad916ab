-- A row is a day, for the portfolio or for one rule: of the alerts about which somebody decided in the 28 days up to
-- it, the share that was useful. n is the number of alerts decided. A rule stands as a segment, 'rule:' and its key.
-- Somebody's newest decision counts, on its day: a changed mind changes the days since the first one, too.
with decided as (
    select
        alerts.rule,
        outcomes.decided_at::date as date,
        (outcomes.outcome = 'useful')::integer as useful
    from ops.alert_outcomes as outcomes
    join ops.alerts as alerts using (alert_id)
    where outcomes.decided_at >= :start - 27
      and outcomes.decided_at < :end
),

windows as (
    select day::date as date, decided.rule, decided.useful
    from generate_series(:start, :end - 1, interval '1 day') as day
    join decided on decided.date > day::date - 28 and decided.date <= day::date
)

select 'portfolio' as subject_kind, portfolio.portfolio as subject, date, avg(useful) as value, count(*) as n
from windows
cross join ops.portfolio as portfolio
group by portfolio.portfolio, date
union all
select 'segment' as subject_kind, 'rule:' || rule as subject, date, avg(useful) as value, count(*) as n
from windows
group by rule, date
