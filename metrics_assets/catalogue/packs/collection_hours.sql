-- A row is the portfolio on a day: hours from the first to the last list that a run brought, of the longest run whose
-- lists ended on the day. n is the number of runs.
with runs as (
    select
        run_id,
        min(finished_at)::date as date,
        extract(epoch from max(finished_at) - min(finished_at)) / 3600 as hours
    from ops.collection_log
    where finished_at >= :start
      and finished_at < :end
    group by run_id
)

select
    'portfolio' as subject_kind,
    portfolio.portfolio as subject,
    runs.date,
    max(runs.hours) as value,
    count(*) as n
from runs
cross join ops.portfolio as portfolio
group by portfolio.portfolio, runs.date
