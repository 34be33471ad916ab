-- What is said about the project where, and how it sounds.

-- The days of a community that were collected completely. On other days its figures are unknown.
create view ops.collected_platform_days as
select repository as subject, range_agg(daterange(range_start, range_end)) as days
from ops.collection_log
where source = 'platforms' and outcome = 'complete'
group by repository;

create table metrics.platform_daily (
    platform text not null,
    community text not null,
    date date not null,
    mentions bigint,
    questions bigint,
    questions_answered bigint,
    score_sum bigint,
    members bigint,
    members_online bigint,
    members_observed_on date,
    questions_total bigint,
    sentiment double precision check (sentiment between -1 and 1),
    sentiment_n bigint,
    sentiment_people bigint,
    sentiment_positive_share double precision,
    sentiment_negative_share double precision,
    sentiment_method text,
    days_collected integer not null,
    primary key (platform, community, date)
);
create index on metrics.platform_daily (date);
