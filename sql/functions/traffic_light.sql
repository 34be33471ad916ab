-- A value of a metric as a traffic light. Bands that are named green, yellow and red say it themselves; of others,
-- which the catalogue lists best first, the first is green, the last is red, and those between are yellow. Null where
-- the value is unknown or the metric has fewer than two bands.
--
-- select metrics.traffic_light('issue_first_response_hours', 3.5);
create or replace function metrics.traffic_light(wanted_metric text, value double precision)
returns text
language sql stable parallel safe
return (
    select
        case
            when bands.band in ('green', 'yellow', 'red') then bands.band
            when bands.rank = ends.best then 'green'
            when bands.rank = ends.worst then 'red'
            else 'yellow'
        end
    from metrics.metric_bands as bands
    cross join (
        select min(every.rank) as best, max(every.rank) as worst
        from metrics.metric_bands as every
        where every.metric = wanted_metric
    ) as ends
    where bands.metric = wanted_metric
      and ends.best < ends.worst
      and value is not null
      and value >= coalesce(bands.at_least, '-infinity')
      and value < coalesce(bands.below, 'infinity')
    order by bands.rank
    limit 1
);
