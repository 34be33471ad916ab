-- Tier sets by the year of their report, the clusters that the reports describe, and the Quick Check's averages; all
-- filled from catalogue/tiers.yaml whenever it changes.
create table metrics.tier_sets (
    tier_set text primary key,
    year integer,  -- of the report; null where it is nobody's
    recovery_metric text not null,  -- what the set's time to restore is compared with
    source text not null
);

-- The levels as they were reported. A band with two equal ends is one figure; an absent end is open.
create table metrics.tier_clusters (
    tier_set text not null,
    cluster text not null,
    rank integer not null,
    share double precision,  -- of the answers
    metric text not null,
    at_least double precision,
    below double precision,
    primary key (tier_set, cluster, metric)
);

create table metrics.quick_check_industry (
    metric text primary key,
    year integer not null,
    mean double precision not null,  -- points from 0 to 10
    sd double precision not null,
    source text not null
);
