-- A row is a forum and a day on which its statistics were read: posts of the 30 days up to then, as the forum counts.
select
    'community' as subject_kind,
    platform || ':' || community as subject,
    observed_on as date,
    value
from raw.platform_counters
where platform = 'discourse'
  and counter = 'posts_30_days'
  and observed_on >= :start and observed_on < :end
