-- A row is the portfolio on a day: of the lists whose collection ended on it, the share that came whole. Lists that
-- were not asked for, because nothing had changed or they are switched off, do not count. n is the number of lists.
select
    'portfolio' as subject_kind,
    portfolio.portfolio as subject,
    log.finished_at::date as date,
    avg((log.outcome = 'complete')::integer) as value,
    count(*) as n
from ops.collection_log as log
cross join ops.portfolio as portfolio
where log.outcome <> 'skipped'
  and log.finished_at >= :start
  and log.finished_at < :end
group by portfolio.portfolio, log.finished_at::date
