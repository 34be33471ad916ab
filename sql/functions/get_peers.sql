-- How a metric's subjects stand beside each other on a day: each with its rank (1 is the best, equals share a rank),
-- how many there are, the share of its peers that it is at least as good as (null where it has none), and the median
-- of all. Better is what the catalogue says of the metric; of a metric without a better side, more. Only figures that
-- are known take part.
--
-- select * from get_peers('lead_time_hours', '2025-06-30');
create or replace function metrics.get_peers(metric text, day date, subject_kind text default 'repository')
returns table (
    subject text, value double precision, state text, rank bigint, "of" bigint, percentile double precision,
    median double precision
)
language sql stable parallel safe
as $$
    select
        figures.subject,
        figures.value,
        figures.state,
        rank() over (order by figures.goodness desc),
        count(*) over (),
        -- Those that are no better, without itself.
        (count(*) over (order by figures.goodness range between unbounded preceding and current row) - 1)::double precision
            / nullif(count(*) over () - 1, 0),
        figures.median
    from (
        select
            known.subject,
            known.value,
            known.state,
            case catalogue.direction when 'lower' then -known.value else known.value end as goodness,
            (
                select percentile_cont(0.5) within group (order by peers.value)
                from metrics.metric_values as peers
                where peers.metric = get_peers.metric
                  and peers.date = get_peers.day
                  and peers.subject_kind = get_peers.subject_kind
                  and peers.state in ('ok', 'provisional')
            ) as median
        from metrics.metric_values as known
        join metrics.catalogue as catalogue on catalogue.metric = known.metric
        where known.metric = get_peers.metric
          and known.date = get_peers.day
          and known.subject_kind = get_peers.subject_kind
          and known.state in ('ok', 'provisional')
    ) as figures
    order by rank() over (order by figures.goodness desc), figures.subject
$$;
