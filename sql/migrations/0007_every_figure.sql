-- Every figure: delivery by chain and for every subject, durations, communities, SPACE, fed and calculated figures,
-- goals and gates. Tables that get another key are made anew and take over the rows that there are.

-- What metrics.yaml says of delivery beyond the repository's own chain, see the view ops.chains.
alter table ops.repository_settings add column workflow text;
alter table ops.repository_settings add column job text;
alter table ops.repository_settings add column failure_signals text[] not null
    default '{incident,rollback,revert,hotfix,yank,failed_deployment}';
alter table ops.repository_settings add column hotfix_labels text[] not null default '{hotfix}';
alter table ops.repository_settings add column hotfix_days integer not null default 3;
alter table ops.repository_settings add column chains jsonb not null default '[]';

alter table ops.portfolio add column business_hours jsonb not null
    default '{"timezone": "UTC", "days": [0, 1, 2, 3, 4], "from": "09:00", "to": "17:00", "holidays": []}';
alter table ops.portfolio add column issue_resolution_days numeric not null default 14;
alter table ops.portfolio add column first_response_hours numeric not null default 24;
alter table ops.portfolio add column space_teams text[] not null default '{}';

-- Who is in which team and works for which organisation, as metrics.yaml says it. For counting only, never served.
create table ops.team_members (
    team text not null,
    person_key text not null,
    primary key (team, person_key)
);
create table ops.affiliations (
    person_key text primary key,
    organisation text not null
);

-- The directories that a commit touched, to a depth of three; read from git where a service has paths.
alter table raw.commits add column directories text[];

-- Figures and facts fed from files (or by hand, into these tables).
create table raw.kpi_values (
    metric text not null,
    period_start date not null,
    period_end date not null,  -- the last day of the period
    segment text not null default '',
    value double precision not null,
    source_url text,
    entered_by_key text,
    file text,
    line integer,
    loaded_at timestamptz not null default now(),
    primary key (metric, segment, period_start, period_end)
);

create table raw.events (
    event_id text primary key,  -- of its own fields, so that a row that is fed twice is one event
    occurred_at timestamptz not null,
    kind text not null,
    title text not null,
    url text,
    severity text,
    note text,
    file text,
    line integer,
    loaded_at timestamptz not null default now()
);
create index on raw.events (occurred_at);

create table raw.gate_evidence (
    gate text not null,
    criterion text not null,
    decided_at timestamptz not null,
    met boolean,
    value double precision,
    evidence_url text,
    decided_by_key text,
    file text,
    line integer,
    loaded_at timestamptz not null default now(),
    primary key (gate, criterion, decided_at)
);

-- What people decided about the cause of an incident. The newest decision counts, the others are its history.
create table raw.incident_corrections (
    repository text not null,
    issue_number integer not null,
    deployment text not null,  -- its key, commit or version
    decided_at timestamptz not null,
    verdict text not null check (verdict in ('caused', 'not caused')),
    note text,
    decided_by_key text,
    file text,
    line integer,
    loaded_at timestamptz not null default now(),
    primary key (repository, issue_number, deployment, decided_at)
);

-- Files that were fed, and the rows of theirs that could not be taken, with the reason.
create table ops.fed_files (
    file text not null,
    checksum text not null,
    rows_read integer not null,
    rows_written integer not null,
    rows_rejected integer not null,
    loaded_at timestamptz not null default now(),
    primary key (file, checksum)
);
create table ops.rejected_rows (
    file text not null,
    line integer not null,
    content text not null,
    problem text not null,
    rejected_at timestamptz not null default now(),
    primary key (file, line)
);

-- The catalogue, for whoever reads the warehouse with SQL; filled from the files whenever they change.
create table metrics.catalogue (
    metric text primary key,
    title text not null,
    definition text not null,
    formula text,
    unit text not null,
    direction text not null,
    grain text not null,
    window_days integer,
    table_name text not null,
    minimum_n integer not null,
    owner text not null,
    cadence text not null,
    stands_days integer not null,  -- how long a fed value stands after its period
    fed text,
    kind text,
    priority text not null,
    timing text not null,
    unknown text not null,
    source text,
    requirements text[] not null
);
create table metrics.metric_bands (
    metric text not null,
    rank integer not null,
    band text not null,
    at_least double precision,
    below double precision,
    means text,
    primary key (metric, rank)
);

-- Delivery, by chain: the first deployment of a chain ships nothing, the others ship what is new in them.
alter table metrics.deployments rename to deployments_before;
create table metrics.deployments (
    repository_id bigint not null,
    chain text not null,
    repository text not null,
    deployment_key text not null,
    source text not null check (source in ('deployments', 'workflow_runs', 'releases', 'tags', 'pushes')),
    environment text not null,
    version text,
    sha text,
    created_at timestamptz not null,
    deployed_at timestamptz,
    finished_at timestamptz not null,
    outcome text not null check (outcome in ('succeeded', 'failed')),
    primary key (repository_id, chain, deployment_key)
);
insert into metrics.deployments
select repository_id, '', repository, deployment_key, source, environment, version, sha, created_at, deployed_at,
       finished_at, outcome
from metrics.deployments_before;
drop table metrics.deployments_before;
create index on metrics.deployments (repository_id, chain, finished_at);

alter table metrics.deployment_commits rename to deployment_commits_before;
create table metrics.deployment_commits (
    repository_id bigint not null,
    chain text not null,
    sha text not null,
    deployment_key text not null,
    deployed_at timestamptz not null,
    is_baseline boolean not null,
    primary key (repository_id, chain, sha)
);
insert into metrics.deployment_commits
select repository_id, '', sha, deployment_key, deployed_at, is_baseline from metrics.deployment_commits_before;
drop table metrics.deployment_commits_before;
create index on metrics.deployment_commits (repository_id, sha);
create index on metrics.deployment_commits (repository_id, deployment_key);
create index on metrics.deployment_commits (deployed_at);

-- Every deployment that an incident may be laid to, with the rule that says so; the chosen one is the incident's.
create table metrics.incident_links (
    repository_id bigint not null,
    repository text not null,
    issue_number integer not null,
    chain text not null,
    deployment_key text not null,
    rule text not null check (
        rule in ('hand', 'sha', 'pull_request', 'revert', 'version', 'service', 'time')
    ),
    confidence double precision not null,
    evidence text not null,
    deployed_at timestamptz not null,
    gap_hours double precision not null,
    is_chosen boolean not null,
    created_at timestamptz not null,  -- of the incident
    primary key (repository_id, issue_number, chain, deployment_key, rule)
);
create index on metrics.incident_links (created_at);

alter table metrics.incidents rename to incidents_before;
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
    chain text,
    deployment_key text,
    tie_rule text,
    tie_confidence double precision,
    tie_gap_hours double precision,
    primary key (repository_id, issue_number)
);
insert into metrics.incidents
select repository_id, repository, issue_number, title, severity, status, created_at, closed_at, mttr_hours,
       case when deployment_key is not null then '' end, deployment_key, tie_rule, tie_confidence, tie_gap_hours
from metrics.incidents_before;
drop table metrics.incidents_before;
create index on metrics.incidents (repository_id, created_at);

alter table metrics.deployment_failures rename to deployment_failures_before;
create table metrics.deployment_failures (
    repository_id bigint not null,
    chain text not null,
    repository text not null,
    deployment_key text not null,
    signal text not null check (
        signal in ('failed_deployment', 'incident', 'rollback', 'revert', 'hotfix', 'yank')
    ),
    evidence text not null,
    failed_at timestamptz not null,
    detected_at timestamptz not null,
    restored_at timestamptz,
    restored_by text,
    recovery_hours double precision,
    primary key (repository_id, chain, deployment_key, signal, evidence)
);
insert into metrics.deployment_failures
select repository_id, '', repository, deployment_key, signal, evidence, failed_at, detected_at, restored_at,
       restored_by, recovery_hours
from metrics.deployment_failures_before;
drop table metrics.deployment_failures_before;
create index on metrics.deployment_failures (repository_id, chain, detected_at);

alter table metrics.changes rename to changes_before;
create table metrics.changes (
    repository_id bigint not null,
    chain text not null,
    repository text not null,
    change_key text not null,
    kind text not null check (kind in ('pull_request', 'commit')),
    number integer,
    sha text,
    author_is_bot boolean,
    first_commit_at timestamptz,
    opened_at timestamptz,
    first_review_at timestamptz,  -- the first review or remark by a person who is not the author
    approved_at timestamptz,  -- the last approval before the merge
    merged_at timestamptz not null,
    deployment_key text,
    deployed_at timestamptz,
    state text not null check (state in ('shipped', 'baseline', 'waiting', 'untied')),
    reason text,
    coding_hours double precision,  -- first commit to opening
    pickup_hours double precision,  -- opening to first review
    review_hours double precision,  -- first review to approval (to the merge, where nobody approved)
    merge_hours double precision,  -- approval to merge
    merge_to_deploy_hours double precision,
    pr_lead_hours double precision,
    lead_time_hours double precision,
    primary key (repository_id, chain, change_key)
);
insert into metrics.changes (
    repository_id, chain, repository, change_key, kind, number, sha, author_is_bot, first_commit_at, merged_at,
    deployment_key, deployed_at, state, reason, merge_to_deploy_hours, pr_lead_hours, lead_time_hours
)
select repository_id, '', repository, change_key, kind, number, sha, author_is_bot, first_commit_at, merged_at,
       deployment_key, deployed_at, state, reason, merge_to_deploy_hours, pr_lead_hours, lead_time_hours
from metrics.changes_before;
drop table metrics.changes_before;
create index on metrics.changes (repository_id, chain, merged_at);
create index on metrics.changes (repository_id, chain, deployed_at);

alter table metrics.dora_daily rename to dora_daily_before;
create table metrics.dora_daily (
    subject_kind text not null check (
        subject_kind in ('repository', 'service', 'environment', 'team', 'portfolio')
    ),
    subject text not null,
    repository_id bigint,  -- of a repository, service or environment
    repository text,
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
    deployment_frequency_low double precision,
    deployment_frequency_high double precision,
    lead_time_hours double precision,
    lead_time_hours_p90 double precision,
    lead_time_hours_low double precision,
    lead_time_hours_high double precision,
    lead_time_n integer,
    lead_time_hours_week double precision,
    lead_time_week_n integer,
    pr_lead_hours double precision,
    pr_lead_hours_p90 double precision,
    pr_lead_n integer,
    change_failure_rate double precision,
    change_failure_rate_low double precision,
    change_failure_rate_high double precision,
    deployments_failing_in_window integer,
    deployments_finished_in_window integer,
    failed_deployment_recovery_hours double precision,
    failed_deployment_recovery_hours_p90 double precision,
    failed_deployment_recovery_n integer,
    failures_unrecovered integer,
    mttr_hours double precision,
    mttr_hours_p90 double precision,
    mttr_n integer,
    rework_rate double precision,
    rework_rate_low double precision,
    rework_rate_high double precision,
    rework_deployments_in_window integer,
    -- Coverage: what became, by the day's end, of the changes merged in the window.
    changes_merged_in_window integer,
    changes_shipped_of_merged integer,
    changes_waiting_of_merged integer,
    changes_in_baseline_of_merged integer,
    changes_untied_of_merged integer,
    primary key (subject_kind, subject, date)
);
insert into metrics.dora_daily (
    subject_kind, subject, repository_id, repository, date, deployment_source, days_observed, deployments_succeeded,
    deployments_failed, changes_shipped, changes_waiting, incidents_opened, incidents_resolved, incidents_open,
    deployments_in_window, deployment_frequency, lead_time_hours, lead_time_hours_p90, lead_time_n,
    lead_time_hours_week, lead_time_week_n, pr_lead_hours, pr_lead_hours_p90, pr_lead_n, change_failure_rate,
    deployments_failing_in_window, deployments_finished_in_window, failed_deployment_recovery_hours,
    failed_deployment_recovery_n, failures_unrecovered, mttr_hours, mttr_n, rework_rate, rework_deployments_in_window
)
select
    'repository', repository, repository_id, repository, date, deployment_source, days_observed, deployments_succeeded,
    deployments_failed, changes_shipped, changes_waiting, incidents_opened, incidents_resolved, incidents_open,
    deployments_in_window, deployment_frequency, lead_time_hours, lead_time_hours_p90, lead_time_n,
    lead_time_hours_week, lead_time_week_n, pr_lead_hours, pr_lead_hours_p90, pr_lead_n, change_failure_rate,
    deployments_failing_in_window, deployments_finished_in_window, failed_deployment_recovery_hours,
    failed_deployment_recovery_n, failures_unrecovered, mttr_hours, mttr_n, rework_rate, rework_deployments_in_window
from metrics.dora_daily_before
-- A repository that was renamed has days under both names; the newer id is the one that lives.
on conflict do nothing;
drop view if exists metrics.metric_values, metrics.dora_summary;
drop table metrics.dora_daily_before;
create index on metrics.dora_daily (date);
create index on metrics.dora_daily (repository_id, date);

create index on metrics.repository_daily (repository, date);
create index on raw.repository_counters (observed_on);
create index on metrics.scores (date);

-- Medians of durations over the trailing window of each figure (28 days where the name does not say week), by the
-- rows of the subject: median, 90th percentile, ends of the median's 95 % interval, and on how many it stands.
create table metrics.durations_daily (
    subject_kind text not null,
    subject text not null,
    repository_id bigint,
    date date not null,
    lead_time_hours double precision,
    lead_time_hours_p90 double precision,
    lead_time_hours_low double precision,
    lead_time_hours_high double precision,
    lead_time_n integer,
    lead_time_week_hours double precision,
    lead_time_week_hours_p90 double precision,
    lead_time_week_hours_low double precision,
    lead_time_week_hours_high double precision,
    lead_time_week_n integer,
    pr_lead_hours double precision,
    pr_lead_hours_p90 double precision,
    pr_lead_hours_low double precision,
    pr_lead_hours_high double precision,
    pr_lead_n integer,
    coding_hours double precision,
    coding_hours_p90 double precision,
    coding_hours_low double precision,
    coding_hours_high double precision,
    coding_n integer,
    pickup_hours double precision,
    pickup_hours_p90 double precision,
    pickup_hours_low double precision,
    pickup_hours_high double precision,
    pickup_n integer,
    review_hours double precision,
    review_hours_p90 double precision,
    review_hours_low double precision,
    review_hours_high double precision,
    review_n integer,
    merge_hours double precision,
    merge_hours_p90 double precision,
    merge_hours_low double precision,
    merge_hours_high double precision,
    merge_n integer,
    deploy_hours double precision,
    deploy_hours_p90 double precision,
    deploy_hours_low double precision,
    deploy_hours_high double precision,
    deploy_n integer,
    failed_deployment_recovery_hours double precision,
    failed_deployment_recovery_hours_p90 double precision,
    failed_deployment_recovery_hours_low double precision,
    failed_deployment_recovery_hours_high double precision,
    failed_deployment_recovery_n integer,
    mttr_hours double precision,
    mttr_hours_p90 double precision,
    mttr_hours_low double precision,
    mttr_hours_high double precision,
    mttr_n integer,
    pull_request_merge_hours double precision,
    pull_request_merge_hours_p90 double precision,
    pull_request_merge_hours_low double precision,
    pull_request_merge_hours_high double precision,
    pull_request_merge_n integer,
    pull_request_first_response_hours double precision,
    pull_request_first_response_hours_p90 double precision,
    pull_request_first_response_hours_low double precision,
    pull_request_first_response_hours_high double precision,
    pull_request_first_response_n integer,
    pull_request_first_response_open integer,  -- of the window's, those that wait at the day's end
    pull_request_first_response_business_hours double precision,
    pull_request_first_response_business_hours_p90 double precision,
    pull_request_first_response_business_hours_low double precision,
    pull_request_first_response_business_hours_high double precision,
    pull_request_first_response_business_n integer,
    pull_request_first_response_estimated_hours double precision,  -- Kaplan-Meier: what is still open counts as open so long
    pull_request_first_response_estimated_n integer,
    issue_first_response_hours double precision,
    issue_first_response_hours_p90 double precision,
    issue_first_response_hours_low double precision,
    issue_first_response_hours_high double precision,
    issue_first_response_n integer,
    issue_first_response_open integer,  -- of the window's, those that wait at the day's end
    issue_first_response_business_hours double precision,
    issue_first_response_business_hours_p90 double precision,
    issue_first_response_business_hours_low double precision,
    issue_first_response_business_hours_high double precision,
    issue_first_response_business_n integer,
    issue_first_response_estimated_hours double precision,  -- Kaplan-Meier: what is still open counts as open so long
    issue_first_response_estimated_n integer,
    issue_resolution_hours double precision,
    issue_resolution_hours_p90 double precision,
    issue_resolution_hours_low double precision,
    issue_resolution_hours_high double precision,
    issue_resolution_n integer,
    issue_resolution_open integer,  -- of the window's, those that wait at the day's end
    issue_resolution_business_hours double precision,
    issue_resolution_business_hours_p90 double precision,
    issue_resolution_business_hours_low double precision,
    issue_resolution_business_hours_high double precision,
    issue_resolution_business_n integer,
    issue_resolution_estimated_hours double precision,  -- Kaplan-Meier: what is still open counts as open so long
    issue_resolution_estimated_n integer,
    critical_bug_resolution_hours double precision,
    critical_bug_resolution_hours_p90 double precision,
    critical_bug_resolution_hours_low double precision,
    critical_bug_resolution_hours_high double precision,
    critical_bug_resolution_n integer,
    high_bug_resolution_hours double precision,
    high_bug_resolution_hours_p90 double precision,
    high_bug_resolution_hours_low double precision,
    high_bug_resolution_hours_high double precision,
    high_bug_resolution_n integer,
    security_response_hours double precision,
    security_response_hours_p90 double precision,
    security_response_hours_low double precision,
    security_response_hours_high double precision,
    security_response_n integer,
    security_response_open integer,  -- of the window's, those that wait at the day's end
    discussion_answer_hours double precision,
    discussion_answer_hours_p90 double precision,
    discussion_answer_hours_low double precision,
    discussion_answer_hours_high double precision,
    discussion_answer_n integer,
    discussion_answer_open integer,  -- of the window's, those that wait at the day's end
    primary key (subject_kind, subject, date)
);
create index on metrics.durations_daily (date);

-- Figures of the user's that come from outside (kpi_values.csv, events.csv), and those that are calculated from
-- other metrics or by a SELECT of the user's own: narrow, because nobody knows beforehand which there are.
create table metrics.fed_daily (
    metric text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    value double precision,
    n bigint,
    state text not null check (state in ('ok', 'provisional', 'too_few', 'unknown')),
    period_start date,
    period_end date,
    source_url text,
    primary key (metric, subject_kind, subject, date)
);
create index on metrics.fed_daily (date);

create table metrics.calculated_daily (
    metric text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    value double precision,
    n bigint,
    state text not null check (state in ('ok', 'provisional', 'too_few', 'unknown')),
    low double precision,
    high double precision,
    primary key (metric, subject_kind, subject, date)
);
create index on metrics.calculated_daily (date);

-- Metrics of the catalogue that could not be calculated, by the last run; the others were.
create table ops.metric_problems (
    metric text primary key,
    problem text not null,
    noticed_at timestamptz not null default now()
);
