-- The north stars that count, in their order: the metrics that say better than all others whether the project is on
-- its way, and why. Their values stand in metrics.metric_values.
create or replace view metrics.north_stars as
select
    stars.metric,
    catalogue.title,
    stars.why,
    catalogue.definition,
    catalogue.unit,
    catalogue.direction,
    stars.pack,
    stars.position
from metrics.north_star_catalogue as stars
join metrics.catalogue as catalogue on catalogue.metric = stars.metric
where stars.pack is null or stars.pack in (select unnest(packs) from ops.portfolio)
order by stars.position;
