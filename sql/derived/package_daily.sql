-- A row is a package on a day: its downloads, releases, yanks, dependents and open advisories. Downloads are the
-- registry's own of the day where it publishes them, else the difference of its running total between two looks.
-- Null is unknown, and downloads_unknown says why downloads is.
-- replace: date
with days as (
    select
        settings.registry,
        settings.package,
        settings.repository,
        day::date as date,
        packages.unknown,
        packages.state = 'missing' as is_missing
    from ops.package_settings as settings
    cross join ops.portfolio as portfolio
    left join raw.packages as packages
      on packages.registry = settings.registry and packages.package = settings.package
    cross join generate_series(:start, :end - 1, interval '1 day') as day
    -- Many registries give times; a package made on a day has that day.
    where day::date >= greatest(portfolio.start, coalesce((packages.created_at at time zone 'UTC')::date, '-infinity'))
),

totals as (
    select
        registry,
        package,
        observed_on,
        value,
        lead(observed_on) over package_looks as next_on,
        lead(value) over package_looks as next_value
    from raw.package_counters
    where version = '' and counter = 'downloads_total'
    window package_looks as (partition by registry, package order by observed_on)
),

releases_made as (
    select
        registry,
        package,
        (published_at at time zone 'UTC')::date as date,
        count(*) filter (where not is_prerelease) as releases,
        count(*) filter (where is_prerelease) as prereleases
    from raw.package_releases
    where (published_at at time zone 'UTC')::date >= :start and (published_at at time zone 'UTC')::date < :end
    group by 1, 2, 3
),

yanks as (
    select
        releases.registry,
        releases.package,
        (releases.yanked_noticed_at at time zone 'UTC')::date as date,
        count(*) as yanked
    from raw.package_releases as releases
    join ops.package_readings as readings
      on readings.registry = releases.registry and readings.package = releases.package
     and readings.entity = 'package_releases'
    where releases.is_yanked and releases.yanked_noticed_at > readings.first_at
    group by 1, 2, 3
),

dependents as (
    select registry, package, observed_on, value
    from raw.package_counters
    where version = '' and counter in ('dependents', 'imported_by')
),

-- One vulnerability may stand in several databases: of entries that share a name, the first one counts.
vulnerabilities as (
    select
        advisories.*,
        case
            when cardinality(advisories.fixed_in) > 0 then (
                select min(coalesce(releases.published_at, '-infinity'))
                from raw.package_releases as releases
                where releases.registry = advisories.registry and releases.package = advisories.package
                  and releases.version = any (advisories.fixed_in)
            )
            -- Named versions alone are affected: a release after all of them is free of it.
            when cardinality(advisories.affected_versions) > 0 then (
                select min(releases.published_at)
                from raw.package_releases as releases
                where releases.registry = advisories.registry and releases.package = advisories.package
                  and releases.version <> all (advisories.affected_versions)
                  and not releases.is_prerelease
                  and releases.published_at > (
                      select max(affected.published_at)
                      from raw.package_releases as affected
                      where affected.registry = advisories.registry and affected.package = advisories.package
                        and affected.version = any (advisories.affected_versions)
                  )
            )
        end as mended_at
    from raw.package_advisories as advisories
    where advisories.deleted_at is null
      and not exists (
          select 1
          from raw.package_advisories as other
          where other.registry = advisories.registry and other.package = advisories.package
            and other.advisory_id < advisories.advisory_id and other.deleted_at is null
            and (other.aliases || other.advisory_id) && (advisories.aliases || advisories.advisory_id)
            and (other.withdrawn_at is null or advisories.withdrawn_at is not null)
      )
),

open_days as (
    select
        registry,
        package,
        (published_at at time zone 'UTC')::date as from_date,
        (least(coalesce(withdrawn_at, 'infinity'), coalesce(mended_at, 'infinity')) at time zone 'UTC')::date as to_date
    from vulnerabilities
    where published_at is not null
)

select
    days.registry,
    days.package,
    days.repository,
    days.date,
    coalesce(published.downloads, differenced.downloads) as downloads,
    case
        when published.downloads is not null then 'published'
        when differenced.downloads is null then null
        when totals.next_on = totals.observed_on + 1 then 'difference'
        else 'average'
    end as downloads_method,
    case
        when published.downloads is not null or differenced.downloads is not null then null
        when days.unknown ? 'downloads' then days.unknown ->> 'downloads'
        when totals.next_value < totals.value
            then 'the registry''s total fell from ' || totals.value || ' on ' || totals.observed_on || ' to '
                 || totals.next_value || ' on ' || totals.next_on || ': it began anew'
        when days.unknown is null then 'the package was not collected yet'
        when days.is_missing then 'the registry does not have the package'
        when totals.value is not null then 'the running total was not looked at after the day'
        when exists (
            select 1
            from raw.package_counters as counters
            where counters.registry = days.registry and counters.package = days.package
              and counters.version = '' and counters.counter = 'downloads_total'
        ) and not exists (
            select 1
            from raw.package_downloads as downloads
            where downloads.registry = days.registry and downloads.package = days.package and downloads.version = ''
        ) then 'the running total was not looked at before the day'
        else 'the registry has published no figure of the day'
    end as downloads_unknown,
    after_day.value as downloads_total,
    case when days.date < releases_read.last_on and not coalesce(days.unknown ? 'releases', false)
         then coalesce(releases_made.releases, 0) end as releases,
    case when days.date < releases_read.last_on and not coalesce(days.unknown ? 'releases', false)
         then coalesce(releases_made.prereleases, 0) end as prereleases,
    case when days.date < releases_read.last_on and days.date > releases_read.first_on
         then coalesce(yanks.yanked, 0) end as releases_yanked,
    coalesce(dependents_after.value, dependents_then.value) as dependents,
    case when days.date < least(advisories_read.last_on, releases_read.last_on)
               and advisories_read.last_on is not null and releases_read.last_on is not null
         then (
             select count(*)
             from open_days
             where open_days.registry = days.registry and open_days.package = days.package
               and open_days.from_date <= days.date and open_days.to_date > days.date
         ) end as advisories_open
from days
left join raw.package_downloads as published
  on published.registry = days.registry and published.package = days.package
 and published.version = '' and published.date = days.date
left join totals
  on totals.registry = days.registry and totals.package = days.package
 and totals.observed_on <= days.date and (totals.next_on > days.date or totals.next_on is null)
left join lateral (
    -- A total that falls counts nothing: it is unknown, not negative.
    select (totals.next_value - totals.value)::double precision / (totals.next_on - totals.observed_on) as downloads
    where totals.next_value >= totals.value
) as differenced on true
left join totals as after_day
  on after_day.registry = days.registry and after_day.package = days.package
 and after_day.observed_on = days.date + 1
left join ops.package_readings as releases_read
  on releases_read.registry = days.registry and releases_read.package = days.package
 and releases_read.entity = 'package_releases'
left join ops.package_readings as advisories_read
  on advisories_read.registry = days.registry and advisories_read.package = days.package
 and advisories_read.entity = 'package_advisories'
left join releases_made
  on releases_made.registry = days.registry and releases_made.package = days.package
 and releases_made.date = days.date
left join yanks on yanks.registry = days.registry and yanks.package = days.package and yanks.date = days.date
left join dependents as dependents_after
  on dependents_after.registry = days.registry and dependents_after.package = days.package
 and dependents_after.observed_on = days.date + 1
left join dependents as dependents_then
  on dependents_then.registry = days.registry and dependents_then.package = days.package
 and dependents_then.observed_on = days.date
