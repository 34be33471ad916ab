-- How the system itself is doing: what metrics.yaml asks for, what was collected, what it cost, who was told.

create table ops.portfolio (
    only_row boolean primary key default true check (only_row),
    portfolio text not null,
    start date not null,
    settle_days integer not null,
    minimum_group integer not null,
    -- Recognises the secret that people were hashed with, without giving it away.
    person_key_check text not null
);

-- One row per repository that metrics.yaml names now; the repositories of every figure.
create table ops.repository_settings (
    repository_id bigint primary key,
    repository text not null,
    team text,
    deployment_source text not null,
    environment text not null,
    release_tag_pattern text not null,
    incident_labels text[] not null,
    incident_maximum_gap_hours numeric not null,
    entities text[] not null
);

-- One row per repository, entity and collection: what was asked for, what came, what is missing and why.
create table ops.collection_log (
    repository_id bigint,  -- null where the repository could never be found
    repository text not null,
    entity text not null,
    run_id text not null,
    range_start date not null,
    range_end date not null,
    outcome text not null check (outcome in ('complete', 'incomplete', 'skipped')),
    rows_read bigint not null,
    rows_in_warehouse bigint,
    rows_at_provider bigint,
    requests integer not null,
    points integer not null,
    reason text,
    finished_at timestamptz not null default now(),
    primary key (repository, entity, run_id)
);
create index on ops.collection_log (entity, finished_at);
create index on ops.collection_log (repository_id, entity);

create table ops.alerts (
    alert_id bigint generated always as identity primary key,
    rule text not null,
    subject_kind text not null,
    subject text not null,
    severity text not null,
    state text not null check (state in ('firing', 'acknowledged', 'resolved')),
    opened_on date not null,
    resolved_on date,
    last_evaluated_on date not null,
    value double precision,
    n bigint,
    reference double precision
);
-- At most one alert per rule and subject is open, however many evaluations run at the same time.
create unique index alerts_open on ops.alerts (rule, subject_kind, subject) where state <> 'resolved';

create table ops.alert_events (
    event_id bigint generated always as identity primary key,
    alert_id bigint not null references ops.alerts,
    event text not null check (event in ('opened', 'resolved')),
    date date not null,
    message jsonb not null,
    created_at timestamptz not null default now(),
    unique (alert_id, event, date)
);

-- The outbox: a row per event and channel is written with the event, and stays until the channel took it.
create table ops.notifications (
    notification_id bigint generated always as identity primary key,
    event_id bigint not null references ops.alert_events,
    channel text not null,
    state text not null default 'pending' check (state in ('pending', 'sent')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    sent_at timestamptz,
    last_error text,
    unique (event_id, channel)
);
