-- A row is a search on Hacker News and a day: on how many of the 365 days up to it a story stood on the front page
-- when we looked. n is the number of days on which we looked.
select
    'community' as subject_kind,
    counters.platform || ':' || counters.community as subject,
    day::date as date,
    count(*) filter (where counters.value > 0) as value,
    count(*) as n
from generate_series(:start, :end - 1, interval '1 day') as day
join raw.platform_counters as counters
  on counters.observed_on > day::date - 365 and counters.observed_on <= day::date
where counters.platform = 'hacker_news' and counters.counter = 'front_page_stories'
group by counters.platform, counters.community, day::date
