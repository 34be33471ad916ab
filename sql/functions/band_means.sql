-- What the band that a value of a metric falls into means, as the catalogue says it; null where it says nothing.
create or replace function metrics.band_means(wanted_metric text, value double precision)
returns text
language sql stable parallel safe
return (
    select bands.means
    from metrics.metric_bands as bands
    where bands.metric = wanted_metric
      and value is not null
      and value >= coalesce(bands.at_least, '-infinity')
      and value < coalesce(bands.below, 'infinity')
    order by bands.rank
    limit 1
);
