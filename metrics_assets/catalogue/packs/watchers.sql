-- A row is a repository on a day on which it was looked at: how many people watch it. `subscribers_count` of GitHub;
-- what its interface calls `watchers_count` are stars. Of two repositories that had the name one after the other the
-- larger figure counts.
select
    'repository' as subject_kind,
    repositories.repository as subject,
    counters.observed_on as date,
    max(counters.watchers) as value
from raw.repository_counters as counters
join raw.repositories as repositories using (repository_id)
where counters.observed_on >= :start and counters.observed_on < :end
  and counters.watchers is not null
group by repositories.repository, counters.observed_on
