-- The band that a value of a metric falls into, by the bands of the metric in the catalogue; null where the value is
-- unknown or the metric has no bands. Traffic lights are bands named green, yellow and red.
--
-- select metrics.band('stars_total', 1200);
create or replace function metrics.band(wanted_metric text, value double precision)
returns text
language sql stable parallel safe
return (
    select bands.band
    from metrics.metric_bands as bands
    where bands.metric = wanted_metric
      and value is not null
      and value >= coalesce(bands.at_least, '-infinity')
      and value < coalesce(bands.below, 'infinity')
    order by bands.rank
    limit 1
);
