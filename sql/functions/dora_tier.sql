-- The tier that a value falls into, by the bands of catalogue/tiers.yaml; null where the value is unknown or the
-- set has no bands for the metric.
create or replace function metrics.dora_tier(wanted_set text, wanted_metric text, value double precision)
returns text
language sql stable parallel safe
return (
    select bands.tier
    from metrics.tier_bands as bands
    where bands.tier_set = wanted_set
      and bands.metric = wanted_metric
      and value is not null
      and value >= coalesce(bands.at_least, '-infinity')
      and value < coalesce(bands.below, 'infinity')
    order by bands.rank
    limit 1
);
