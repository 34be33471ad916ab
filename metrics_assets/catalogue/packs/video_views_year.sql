-- A row is a channel and a day on which its running total of views was read: views since the total of a year before.
-- The total nearest to 365 days before counts, at most three days older; without one the figure is unknown.
select
    'community' as subject_kind,
    newest.platform || ':' || newest.community as subject,
    newest.observed_on as date,
    newest.value - year_before.value as value
from raw.platform_counters as newest
join lateral (
    select earlier.value
    from raw.platform_counters as earlier
    where earlier.platform = newest.platform
      and earlier.community = newest.community
      and earlier.counter = newest.counter
      and earlier.observed_on between newest.observed_on - 368 and newest.observed_on - 365
    order by earlier.observed_on desc
    limit 1
) as year_before on true
where newest.platform = 'youtube'
  and newest.counter = 'views_total'
  and newest.observed_on >= :start and newest.observed_on < :end
