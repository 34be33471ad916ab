-- A row is a repository and a day of which its issues are known: issues labelled P1, bug or regression that were opened
-- on it. Labels are as last collected; they have no history here.
with marked as (
    select repository_id, created_at::date as date, count(*) as opened
    from raw.issues
    where created_at >= :start
      and created_at < :end
      and metrics.label_names(labels) && '{p1,bug,regression}'
    group by repository_id, created_at::date
)

select
    'repository' as subject_kind,
    daily.repository as subject,
    daily.date,
    coalesce(marked.opened, 0) as value
from metrics.repository_daily as daily
left join marked using (repository_id, date)
where daily.issues_opened is not null
  and daily.date >= :start
  and daily.date < :end
