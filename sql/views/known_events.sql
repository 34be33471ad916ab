-- What happened on a day that may explain a jump in a figure: releases, packages' new versions and yanks, advisories,
-- incidents, stories that many read, and the events that were fed. A row is an event of a subject; subject_kind
-- 'portfolio' concerns every subject. No people are in it. An advisory that was withdrawn later was news on its day all
-- the same; a story's score is the last one read, not that of its day.
create or replace view metrics.known_events as
select
    'repository' as subject_kind,
    settings.repository as subject,
    (releases.published_at at time zone 'UTC')::date as date,
    'release' as kind,
    'release ' || releases.tag as title,
    null::text as url
from raw.releases as releases
join ops.repository_settings as settings using (repository_id)
where releases.published_at is not null and not releases.is_draft
union all
select
    'package',
    registry || ':' || package,
    (published_at at time zone 'UTC')::date,
    'package release',
    'version ' || version,
    null
from raw.package_releases
where published_at is not null
union all
select
    'package',
    registry || ':' || package,
    (yanked_noticed_at at time zone 'UTC')::date,
    'yank',
    'version ' || version || ' was yanked',
    null
from raw.package_releases
where is_yanked and yanked_noticed_at is not null
union all
select
    'package',
    registry || ':' || package,
    (published_at at time zone 'UTC')::date,
    'advisory',
    'advisory ' || advisory_id,
    null
from raw.package_advisories
where published_at is not null
union all
select
    'repository',
    incidents.repository,
    (incidents.created_at at time zone 'UTC')::date,
    'incident',
    'incident #' || incidents.issue_number,
    null
from metrics.incidents as incidents
union all
select
    'community',
    platform || ':' || community,
    (created_at at time zone 'UTC')::date,
    'story',
    'a story with ' || score || ' points',
    null
from raw.mentions
where score >= 100
union all
select
    'portfolio',
    portfolio.portfolio,
    (events.occurred_at at time zone 'UTC')::date,
    events.kind,
    events.title,
    events.url
from raw.events as events
cross join ops.portfolio as portfolio;
