-- A row is a repository and a day on which its traffic was read: views of the last 14 days by the sites they came from,
-- all together. n is the number of sites; GitHub tells the ten with the most views.
select
    'repository' as subject_kind,
    repositories.repository as subject,
    sources.observed_on as date,
    sum(sources.views) as value,
    count(*) as n
from raw.traffic_sources as sources
join raw.repositories as repositories using (repository_id)
where sources.kind = 'referrer'
  and sources.observed_on >= :start and sources.observed_on < :end
group by repositories.repository, sources.observed_on
