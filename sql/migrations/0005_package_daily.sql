-- A package of a registry on a day. Null is unknown: not published, not collected, or too early to say.
create table metrics.package_daily (
    registry text not null,
    package text not null,
    repository text,  -- that publishes it
    date date not null,
    -- Of the day. An average over days without an observation has fractions.
    downloads double precision,
    downloads_method text check (downloads_method in ('published', 'difference', 'average')),
    downloads_unknown text,  -- why downloads is null
    downloads_total bigint,  -- the registry's running total at the first look after the day
    releases bigint,  -- without pre-releases
    prereleases bigint,
    releases_yanked bigint,  -- noticed on the day: registries do not say when it was done
    dependents bigint,  -- packages that depend on it; of a Go module, packages that import it
    advisories_open bigint,  -- published, not withdrawn, and no version that mends it is out
    primary key (registry, package, date)
);
create index on metrics.package_daily (date);

-- When a package's releases and advisories were read first and last. The lists come whole: one that was read after
-- a day's end knows that day.
create view ops.package_readings as
select
    split_part(repository, ':', 1) as registry,
    substring(repository from position(':' in repository) + 1) as package,
    entity,
    (min(finished_at) at time zone 'UTC')::date as first_on,
    (max(finished_at) at time zone 'UTC')::date as last_on
from ops.collection_log
where source = 'registries' and outcome = 'complete' and entity in ('package_releases', 'package_advisories')
group by 1, 2, 3;
