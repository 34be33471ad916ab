-- Derived tables. Each is filled by the file of its name in sql/derived (or by the asset of its name) and can be
-- rebuilt for any day from raw.* alone.

-- A production deployment, or what stands for one where nothing is deployed (a release, a tag, a push).
create table metrics.deployments (
    repository_id bigint not null,
    repository text not null,
    deployment_key text not null,
    source text not null check (source in ('deployments', 'releases', 'tags', 'pushes')),
    environment text not null,
    version text,
    sha text,
    created_at timestamptz not null,
    deployed_at timestamptz,
    finished_at timestamptz not null,
    outcome text not null check (outcome in ('succeeded', 'failed')),
    primary key (repository_id, deployment_key)
);
create index on metrics.deployments (repository_id, finished_at);

-- The first deployment that contained a commit.
create table metrics.deployment_commits (
    repository_id bigint not null,
    sha text not null,
    deployment_key text not null,
    deployed_at timestamptz not null,
    is_baseline boolean not null,
    primary key (repository_id, sha)
);
create index on metrics.deployment_commits (repository_id, deployment_key);
create index on metrics.deployment_commits (repository_id, deployed_at);

create table metrics.incidents (
    repository_id bigint not null,
    repository text not null,
    issue_number integer not null,
    title text,
    severity text not null,
    status text not null check (status in ('open', 'resolved')),
    created_at timestamptz not null,
    closed_at timestamptz,
    mttr_hours double precision,
    deployment_key text,
    tie_rule text check (tie_rule in ('sha', 'pull_request', 'version', 'time')),
    tie_confidence double precision,
    tie_gap_hours double precision,
    primary key (repository_id, issue_number)
);
create index on metrics.incidents (repository_id, created_at);

create table metrics.deployment_failures (
    repository_id bigint not null,
    repository text not null,
    deployment_key text not null,
    signal text not null check (signal in ('failed_deployment', 'incident', 'rollback', 'revert')),
    evidence text not null,
    failed_at timestamptz not null,
    detected_at timestamptz not null,
    restored_at timestamptz,
    restored_by text,
    recovery_hours double precision,
    primary key (repository_id, deployment_key, signal, evidence)
);
create index on metrics.deployment_failures (repository_id, detected_at);

create table metrics.changes (
    repository_id bigint not null,
    repository text not null,
    change_key text not null,
    kind text not null check (kind in ('pull_request', 'commit')),
    number integer,
    sha text,
    author_is_bot boolean,
    first_commit_at timestamptz,
    merged_at timestamptz not null,
    deployment_key text,
    deployed_at timestamptz,
    state text not null check (state in ('shipped', 'baseline', 'waiting', 'untied')),
    reason text,
    pr_lead_hours double precision,
    merge_to_deploy_hours double precision,
    lead_time_hours double precision,
    primary key (repository_id, change_key)
);
create index on metrics.changes (repository_id, merged_at);
create index on metrics.changes (repository_id, deployed_at);

create table metrics.dora_daily (
    repository_id bigint not null,
    repository text not null,
    date date not null,
    deployment_source text,
    days_observed integer not null,
    deployments_succeeded integer,
    deployments_failed integer,
    changes_shipped integer,
    changes_waiting integer,
    incidents_opened integer,
    incidents_resolved integer,
    incidents_open integer,
    deployments_in_window integer,
    deployment_frequency double precision,
    lead_time_hours double precision,
    lead_time_hours_p90 double precision,
    lead_time_n integer,
    lead_time_hours_week double precision,
    lead_time_week_n integer,
    pr_lead_hours double precision,
    pr_lead_hours_p90 double precision,
    pr_lead_n integer,
    change_failure_rate double precision,
    deployments_failing_in_window integer,
    deployments_finished_in_window integer,
    failed_deployment_recovery_hours double precision,
    failed_deployment_recovery_n integer,
    failures_unrecovered integer,
    mttr_hours double precision,
    mttr_n integer,
    rework_rate double precision,
    rework_deployments_in_window integer,
    primary key (repository_id, date)
);
create index on metrics.dora_daily (date);

-- Who contributed on which day; for counting only, never served.
create table metrics.contributor_days (
    repository_id bigint not null,
    date date not null,
    person_key text not null,
    commits integer not null,
    pull_requests integer not null,
    reviews integer not null,
    issues integer not null,
    comments integer not null,
    primary key (repository_id, date, person_key)
);
create index on metrics.contributor_days (repository_id, person_key, date);

create table metrics.repository_daily (
    repository_id bigint not null,
    repository text not null,
    date date not null,
    stars_new integer,
    stars_total bigint,
    forks_new integer,
    forks_total bigint,
    issues_opened integer,
    issues_closed integer,
    issues_open integer,
    pull_requests_opened integer,
    pull_requests_merged integer,
    pull_requests_closed integer,
    pull_requests_open integer,
    commits integer,
    releases integer,
    active_contributors integer,
    new_contributors integer,
    contributors_in_window integer,
    contributors_in_previous_window integer,
    contributors_retained integer,
    pull_requests_opened_in_window integer,
    pull_requests_merged_in_window integer,
    pull_request_merge_hours double precision,
    pull_request_merge_n integer,
    pull_request_first_response_hours double precision,
    pull_request_first_response_n integer,
    pull_requests_unanswered integer,
    issue_first_response_hours double precision,
    issue_first_response_n integer,
    issues_unanswered integer,
    issues_open_fresh integer,
    forks_in_window integer,
    primary key (repository_id, date)
);
create index on metrics.repository_daily (date);

-- A score is a named, versioned model of the catalogue; its components are kept for every day.
create table metrics.scores (
    score text not null,
    version integer not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    value double precision,
    coverage double precision not null,
    components jsonb not null,
    primary key (score, subject_kind, subject, date)
);

create table metrics.anomalies (
    metric text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    value double precision,
    n bigint,
    state text not null check (state in ('normal', 'anomaly', 'too_few')),
    kind text,
    expected double precision,
    lower double precision,
    upper double precision,
    score double precision,
    severity text,
    explanation text not null,
    primary key (metric, subject_kind, subject, date)
);
create index on metrics.anomalies (date) where state = 'anomaly';

-- What puts a value into a tier, from catalogue/tiers.yaml: the first band (by rank) that holds the value.
create table metrics.tier_bands (
    tier_set text not null,
    metric text not null,
    tier text not null,
    rank integer not null,
    at_least double precision,
    below double precision,
    source text not null,
    primary key (tier_set, metric, tier)
);
