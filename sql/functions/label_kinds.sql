-- What a label says without its scale: 'Type: Bug', 'kind/bug' and 'bug' are one.
create or replace function metrics.label_names(labels text[]) returns text[]
language sql immutable parallel safe as $$
    select coalesce(array_agg(regexp_replace(lower(label), '^.*[:/]\s*', '')), '{}') from unnest(labels) as label
$$;
