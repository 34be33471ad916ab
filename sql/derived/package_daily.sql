-- A row is a package on a day: its downloads, releases, yanks, dependents and open advisories. Downloads are the
-- registry's own of the day where it publishes them, else the difference of its running total between two looks.
-- Null is unknown, and downloads_unknown says why downloads is. Sums over 7 and 30 days are unknown where one of their
-- days is; how many are known stands beside them. A newest major version is the newest that was out by the day's end.
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
    cross join generate_series(:start - 59, :end - 1, interval '1 day') as day
    where day::date >= greatest(portfolio.start, coalesce((packages.created_at at time zone 'UTC')::date, '-infinity'))
),

-- A look in the morning stands for the midnight before it, so that a day is counted from one morning to the next.
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

-- Every day with the last look before its end, and the next one.
looks as (
    select totals.*, day::date as date
    from totals
    cross join generate_series(
        greatest(observed_on, :start - 59), least(coalesce(next_on, :end), :end) - 1, interval '1 day'
    ) as day
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

open_spans as (
    select
        registry,
        package,
        severity,
        (published_at at time zone 'UTC')::date as from_date,
        (least(withdrawn_at, mended_at, 'infinity') at time zone 'UTC')::date as to_date
    from vulnerabilities
    where published_at is not null
),

-- Downloads of the last days by version, with the version's major number.
by_version as (
    select registry, package, date, substring(version from '^[vV]?(\d{1,9})(?:\.|$)')::integer as major, downloads
    from raw.package_downloads
    where version <> '' and date >= :start - 6 and date < :end
),

-- What is known of days, one fact a row: side by side as tables they would have to be joined one by one.
facts as (
    select registry, package, date, 'published' as fact, downloads::double precision as value
    from raw.package_downloads
    where version = '' and date >= :start - 59 and date < :end
    union all
    -- A total that falls counts nothing: it is unknown, not negative.
    select
        registry,
        package,
        date,
        case when next_on = observed_on + 1 then 'difference' else 'average' end,
        (next_value - value)::double precision / (next_on - observed_on)
    from looks
    where next_value >= value
    union all
    select registry, package, date, 'fell from', value from looks where next_value < value
    union all
    select registry, package, date, 'fell to', next_value from looks where next_value < value
    union all
    select registry, package, date, 'last look', value from looks where next_on is null
    union all
    select registry, package, observed_on - 1, 'total', value
    from totals
    where observed_on > :start - 59 and observed_on <= :end
    union all
    select registry, package, observed_on - 1, 'dependents after', value
    from raw.package_counters
    where version = '' and counter in ('dependents', 'imported_by')
      and observed_on > :start - 59 and observed_on <= :end
    union all
    select registry, package, observed_on, 'dependents then', value
    from raw.package_counters
    where version = '' and counter in ('dependents', 'imported_by')
      and observed_on >= :start - 59 and observed_on < :end
    union all
    select
        registry,
        package,
        (published_at at time zone 'UTC')::date,
        case when is_prerelease then 'prereleases' else 'releases' end,
        count(*)
    from raw.package_releases
    where (published_at at time zone 'UTC')::date >= :start - 59 and (published_at at time zone 'UTC')::date < :end
    group by 1, 2, 3, 4
    union all
    select registry, package, (yanked_noticed_at at time zone 'UTC')::date, 'yanks', count(*)
    from raw.package_releases
    where is_yanked and yanked_noticed_at is not null
    group by 1, 2, 3
    union all
    select registry, package, day::date, kind.fact, count(*)
    from open_spans
    cross join generate_series(greatest(from_date, :start - 59), least(to_date, :end) - 1, interval '1 day') as day
    cross join lateral unnest(array[
        'open advisories', case when severity in ('critical', 'high') then 'open advisories, ' || severity end
    ]) as kind (fact)
    where kind.fact is not null
    group by 1, 2, 3, 4
    union all
    select registry, package, date, 'by version', sum(downloads)
    from by_version
    group by 1, 2, 3
    union all
    select registry, package, date, 'of major ' || major, sum(downloads)
    from by_version
    where major is not null
    group by 1, 2, 3, major
),

by_day as (
    select
        registry,
        package,
        date,
        max(value) filter (where fact = 'published') as published,
        max(value) filter (where fact in ('difference', 'average')) as differenced,
        bool_or(fact = 'average') as is_average,
        max(value) filter (where fact = 'fell from') as fell_from,
        max(value) filter (where fact = 'fell to') as fell_to,
        bool_or(fact = 'last look') as is_last_look,
        max(value) filter (where fact = 'total') as downloads_total,
        max(value) filter (where fact = 'dependents after') as dependents_after,
        max(value) filter (where fact = 'dependents then') as dependents_then,
        max(value) filter (where fact = 'releases') as releases,
        max(value) filter (where fact = 'prereleases') as prereleases,
        max(value) filter (where fact = 'yanks') as yanks,
        max(value) filter (where fact = 'open advisories') as advisories_open,
        max(value) filter (where fact = 'open advisories, critical') as advisories_open_critical,
        max(value) filter (where fact = 'open advisories, high') as advisories_open_high,
        max(value) filter (where fact = 'by version') as by_version,
        jsonb_object_agg(substring(fact from 10), value) filter (where fact like 'of major %') as by_major
    from facts
    group by registry, package, date
),

ever_counted as (
    select distinct registry, package from totals
),

with_days as (
    select
        days.registry,
        days.package,
        days.repository,
        days.date,
        coalesce(by_day.published, by_day.differenced) as downloads,
        case
            when by_day.published is not null then 'published'
            when by_day.differenced is null then null
            when by_day.is_average then 'average'
            else 'difference'
        end as downloads_method,
        case
            when by_day.published is not null or by_day.differenced is not null then null
            when days.unknown ? 'downloads' then days.unknown ->> 'downloads'
            when by_day.fell_from is not null
                then 'the registry''s running total fell from ' || by_day.fell_from || ' to ' || by_day.fell_to
                     || ': it began anew'
            when days.unknown is null then 'the package was not collected yet'
            when days.is_missing then 'the registry does not have the package'
            when by_day.is_last_look then 'the running total was not looked at after the day'
            when ever_counted.package is not null then 'the running total was not looked at before the day'
            else 'the registry has published no figure of the day'
        end as downloads_unknown,
        by_day.downloads_total::bigint as downloads_total,
        case when days.date < releases_read.last_on and not days.unknown ? 'releases'
             then coalesce(by_day.releases, 0) end as releases,
        case when days.date < releases_read.last_on and not days.unknown ? 'releases'
             then coalesce(by_day.prereleases, 0) end as prereleases,
        -- What was yanked already when the list was first read was yanked nobody knows when.
        case when days.date < releases_read.last_on and days.date > releases_read.first_on
             then coalesce(by_day.yanks, 0) end as releases_yanked,
        coalesce(by_day.dependents_after, by_day.dependents_then) as dependents,
        -- Whether one is mended is known of days whose releases are known.
        case when days.date < advisories_read.last_on and days.date < releases_read.last_on
             then coalesce(by_day.advisories_open, 0) end as advisories_open,
        case when days.date < advisories_read.last_on and days.date < releases_read.last_on
             then coalesce(by_day.advisories_open_critical, 0) end as advisories_open_critical,
        case when days.date < advisories_read.last_on and days.date < releases_read.last_on
             then coalesce(by_day.advisories_open_high, 0) end as advisories_open_high,
        by_day.by_version,
        by_day.by_major
    from days
    left join by_day
      on by_day.registry = days.registry and by_day.package = days.package and by_day.date = days.date
    left join ever_counted on ever_counted.registry = days.registry and ever_counted.package = days.package
    left join ops.package_readings as releases_read
      on releases_read.registry = days.registry and releases_read.package = days.package
     and releases_read.entity = 'package_releases'
    left join ops.package_readings as advisories_read
      on advisories_read.registry = days.registry and advisories_read.package = days.package
     and advisories_read.entity = 'package_advisories'
),

summed as (
    select
        with_days.*,
        sum(downloads) over week as downloads_week,
        count(downloads) over week as downloads_week_n,
        sum(downloads) over month as downloads_month,
        count(downloads) over month as downloads_month_n,
        sum(downloads) over month_before as downloads_previous_month,
        count(downloads) over month_before as downloads_previous_month_n,
        sum(by_version) over week as by_version_week,
        count(by_version) over week as by_version_days
    from with_days
    window
        so_far as (partition by registry, package order by date),
        week as (so_far range between interval '6 days' preceding and current row),
        month as (so_far range between interval '29 days' preceding and current row),
        month_before as (so_far range between interval '59 days' preceding and interval '30 days' preceding)
),

-- The newest major version that was out on each day, and what the week's downloads of it were.
majors as (
    select
        days.registry,
        days.package,
        days.date,
        max(substring(releases.version from '^[vV]?(\d{1,9})')::integer) as major
    from days
    join raw.package_releases as releases
      on releases.registry = days.registry and releases.package = days.package
     and releases.published_at < days.date + 1
     and not releases.is_prerelease
     and releases.deleted_at is null
     and (not releases.is_yanked or releases.yanked_noticed_at >= days.date + 1)
     and releases.version ~ '^[vV]?\d{1,9}(\.|$)'
    where days.date >= :start
    group by days.registry, days.package, days.date
)

select
    registry, package, repository, date, downloads, downloads_method, downloads_unknown, downloads_total, releases,
    prereleases, releases_yanked, dependents, advisories_open, advisories_open_critical, advisories_open_high,
    case when downloads_week_n = 7 then downloads_week end as downloads_week,
    downloads_week_n,
    case when downloads_month_n = 30 then downloads_month end as downloads_month,
    downloads_month_n,
    case when downloads_previous_month_n = 30 then downloads_previous_month end as downloads_previous_month,
    downloads_previous_month_n,
    case when by_version_days = 7 then by_version_week end as downloads_by_version_week,
    case when by_version_days = 7 and majors.major is not null then coalesce((
        select sum((week.by_major ->> majors.major::text)::double precision)
        from with_days as week
        where week.registry = summed.registry and week.package = summed.package
          and week.date > summed.date - 7 and week.date <= summed.date
    ), 0) end as downloads_of_latest_major_week,
    majors.major as latest_major
from summed
left join majors using (registry, package, date)
where date >= :start
