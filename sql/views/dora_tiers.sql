-- The tiers of every subject's keys on a day, by tier set: of each key by its own, and the report's cluster that the
-- keys together are nearest to. 'unknown' where there are fewer than 7 days of data, or a key is not known; the
-- cluster is unknown under three known keys, and where the set is no report's.
create or replace view metrics.dora_tiers as
select
    daily.subject_kind,
    daily.subject,
    daily.date,
    sets.tier_set,
    sets.year,
    coalesce(metrics.dora_tier(sets.tier_set, 'deployment_frequency', keys.frequency), 'unknown')
        as deployment_frequency_tier,
    coalesce(metrics.dora_tier(sets.tier_set, 'lead_time_hours', keys.lead_time), 'unknown') as lead_time_tier,
    coalesce(metrics.dora_tier(sets.tier_set, 'change_failure_rate', keys.failure_rate), 'unknown')
        as change_failure_rate_tier,
    coalesce(metrics.dora_tier(sets.tier_set, sets.recovery_metric, keys.recovery), 'unknown') as recovery_tier,
    sets.recovery_metric,
    coalesce(
        metrics.nearest_cluster(sets.tier_set, keys.frequency, keys.lead_time, keys.failure_rate, keys.recovery),
        'unknown'
    ) as nearest_cluster,
    num_nonnulls(keys.frequency, keys.lead_time, keys.failure_rate, keys.recovery) as keys_known,
    sets.source
from metrics.dora_daily as daily
cross join metrics.tier_sets as sets
-- Too few days make every key unknown.
cross join lateral (
    select
        case when daily.days_observed >= 7 then daily.deployment_frequency end as frequency,
        case when daily.days_observed >= 7 then daily.lead_time_hours end as lead_time,
        case when daily.days_observed >= 7 then daily.change_failure_rate end as failure_rate,
        case when daily.days_observed < 7 then null
             when sets.recovery_metric = 'mttr_hours' then daily.mttr_hours
             else daily.failed_deployment_recovery_hours end as recovery
) as keys;
