-- The level of a report that a subject is nearest to in all keys together; null where fewer than three of the four
-- are known, or the set describes no clusters. The reports' levels are clusters, not steps: the one that is nearest
-- is none that was reached key by key.
--
-- The distance to a cluster is the mean, over the known keys, of the squared steps between the value and the
-- cluster's band: none within the band, else the way to its nearer end. A step is a factor of 7 for hours and for
-- deployments per day (an hour, a day, a week, a month are about so far apart), and 10 percentage points for the
-- failure rate. Under a minute, and under one deployment in two years, nothing is told apart. Of clusters that are
-- equally near, the better one is given.
create or replace function metrics.nearest_cluster(
    wanted_set text,
    frequency double precision,
    lead_time double precision,
    failure_rate double precision,
    recovery double precision
)
returns text
language sql stable parallel safe
return (
    select clusters.cluster
    from metrics.tier_sets as sets
    join metrics.tier_clusters as clusters using (tier_set)
    cross join lateral (
        select case
            when clusters.metric = 'deployment_frequency' then greatest(frequency, 1 / 730.0)
            when clusters.metric = 'lead_time_hours' then greatest(lead_time, 1 / 60.0)
            when clusters.metric = 'change_failure_rate' then failure_rate
            when clusters.metric = sets.recovery_metric then greatest(recovery, 1 / 60.0)
        end as value
    ) as given
    cross join lateral (
        select case
            when given.value < clusters.at_least then clusters.at_least
            when given.value > clusters.below then clusters.below
            else given.value
        end as value
    ) as nearest
    where clusters.tier_set = wanted_set
      and num_nonnulls(frequency, lead_time, failure_rate, recovery) >= 3
      -- greatest() leaves nulls out: what is not known must not look like the least there is.
      and case clusters.metric when 'deployment_frequency' then frequency when 'lead_time_hours' then lead_time
          when 'change_failure_rate' then failure_rate else recovery end is not null
    group by clusters.cluster, clusters.rank
    order by
        avg(case when clusters.metric = 'change_failure_rate' then ((given.value - nearest.value) / 0.1) ^ 2
                 else (ln(given.value / nearest.value) / ln(7)) ^ 2 end),
        clusters.rank
    limit 1
);
