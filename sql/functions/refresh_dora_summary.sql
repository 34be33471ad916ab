-- The number of rows of metrics.dora_summary. There is nothing to refresh: the summary is a view over dora_daily and
-- always up to date. The function is there for those who are used to calling it every day.
create or replace function metrics.refresh_dora_summary()
returns bigint
language sql stable
as $$
    select count(*) from metrics.dora_summary
$$;
