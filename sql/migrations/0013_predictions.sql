-- Predictions: what was expected, what is ahead, what moves together, and what follows from it in sentences.

-- A row is a figure on a day with what was expected of it from the values of the days before, ordinary days too; the
-- detector reads the values alone, never these rows. A sentence stands where there is something to say.
alter table metrics.anomalies alter column explanation drop not null;
alter table metrics.anomalies add column methods text[];  -- that called the day unusual
alter table metrics.anomalies add column known_event text;  -- a release or another event that may explain it
create index on metrics.anomalies (date);

-- The forecasts of a day: for 7, 30, 90 and 180 days ahead, with what the backtest says of such forecasts of the same
-- series. `date` is the last day that was known, the forecast is for `target_on`.
create table metrics.forecasts (
    metric text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    horizon smallint not null,
    target_on date not null,
    p10 double precision,
    p50 double precision,
    p90 double precision,
    method text not null check (method in ('seasonal_naive', 'pooled', 'mixed', 'drift', 'extended', 'too_few')),
    beats_naive boolean,
    n integer not null default 0,  -- forecast days that the backtest compared
    mase double precision,
    crps double precision,
    coverage double precision,
    naive_mase double precision,
    naive_crps double precision,
    reason text,
    primary key (metric, subject_kind, subject, date, horizon)
);
create index on metrics.forecasts (date);

-- The way to there, day by day, of the newest forecast alone: element i is the day date + i.
create table metrics.forecast_paths (
    metric text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    p10 double precision[] not null,
    p50 double precision[] not null,
    p90 double precision[] not null,
    primary key (metric, subject_kind, subject)
);

create table metrics.forecast_scenarios (
    metric text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    horizon smallint not null,
    scenario text not null check (scenario in ('pessimistic', 'realistic', 'optimistic')),
    p10 double precision not null,
    p50 double precision not null,
    p90 double precision not null,
    primary key (metric, subject_kind, subject, date, horizon, scenario)
);
create index on metrics.forecast_scenarios (date);

-- When a goal is reached: with a chance of 10, 50 and 90 % by these days, null where not by `looked_until`.
create table metrics.goal_forecasts (
    goal text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    metric text not null,
    target double precision not null,
    comparison text not null,
    due_on date,
    p10_on date,
    p50_on date,
    p90_on date,
    probability double precision,  -- of reaching it by due_on, or by looked_until where no day is due
    looked_until date,
    extrapolated boolean,
    state text not null check (state in ('ok', 'met', 'unknown')),
    reason text,
    primary key (goal, subject_kind, subject, date)
);
create index on metrics.goal_forecasts (date);

-- Two metrics of a subject over the days up to `date`, each differenced. x leads y by lag_days. p is corrected for the
-- lags that were tried, p_adjusted for all pairs and subjects of the day, too; both stand on n_effective changes.
create table metrics.correlations (
    pair text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    x text not null,
    y text not null,
    lag_days smallint,
    n integer not null,
    n_effective double precision,  -- what n is worth where changes overlap or follow each other
    pearson double precision,
    spearman double precision,
    p double precision,
    p_adjusted double precision,
    survives boolean not null,
    state text not null check (state in ('ok', 'too_few', 'unknown')),
    sentence text,
    primary key (pair, subject_kind, subject, date)
);
create index on metrics.correlations (date);

-- Sentences that follow from the figures, each with the rows that it stands on.
create table metrics.insights (
    insight text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    topic text not null,
    weight double precision not null,  -- the greater, the more it matters; for sorting
    sentence text not null,
    action text,
    n integer,
    p double precision,
    evidence jsonb not null,
    primary key (insight, subject_kind, subject, date)
);
create index on metrics.insights (date);
