-- All that the metrics need of GitHub, package registries and platforms, and how collecting stands and what it costs.

-- What the provider no longer has: the row stays for the days on which it was there, and is marked.
alter table raw.pull_requests add column deleted_at timestamptz;
alter table raw.issues add column deleted_at timestamptz;
alter table raw.releases add column deleted_at timestamptz;
alter table raw.tags add column deleted_at timestamptz;
alter table raw.deployments add column deleted_at timestamptz;
alter table raw.stargazers add column deleted_at timestamptz;
alter table raw.forks add column deleted_at timestamptz;

-- 'git' is where no API is asked: what only an API knows is null there.
alter table raw.repositories add column provider text not null default 'github' check (provider in ('github', 'git'));
alter table raw.pull_requests add column milestone integer;
alter table raw.issues add column milestone integer;
alter table raw.commits add column additions bigint;
alter table raw.commits add column deletions bigint;

-- A comment on a line of a pull request; the first of a thread gives the thread its id.
create table raw.review_comments (
    repository_id bigint not null,
    comment_id bigint not null,
    thread_id bigint not null,
    number integer not null,
    review_id bigint,
    author_key text,
    author_is_bot boolean,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    primary key (repository_id, comment_id)
);
create index on raw.review_comments (repository_id, number);

create table raw.discussions (
    repository_id bigint not null,
    number integer not null,
    title text,
    category text not null,
    is_answerable boolean not null,
    author_key text,
    author_is_bot boolean,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    closed_at timestamptz,
    answered_at timestamptz,  -- when an answer was chosen
    answer_created_at timestamptz,
    answer_author_key text,
    answer_author_is_bot boolean,
    upvotes integer not null,
    comments integer not null,
    deleted_at timestamptz,
    primary key (repository_id, number)
);

create table raw.discussion_comments (
    repository_id bigint not null,
    comment_id text not null,
    number integer not null,
    reply_to text,
    author_key text,
    author_is_bot boolean,
    is_answer boolean not null,
    created_at timestamptz not null,
    primary key (repository_id, comment_id)
);
create index on raw.discussion_comments (repository_id, number);

create table raw.milestones (
    repository_id bigint not null,
    number integer not null,
    title text not null,
    state text not null check (state in ('open', 'closed')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    due_on timestamptz,
    closed_at timestamptz,
    issues_open integer,
    issues_closed integer,
    deleted_at timestamptz,
    primary key (repository_id, number)
);

create table raw.workflow_runs (
    repository_id bigint not null,
    run_id bigint not null,
    workflow_id bigint not null,
    workflow text,
    number integer not null,
    attempt integer not null,
    event text not null,
    branch text,
    sha text not null,
    status text not null,
    conclusion text,
    actor_key text,
    actor_is_bot boolean,
    created_at timestamptz not null,
    started_at timestamptz,
    updated_at timestamptz not null,
    primary key (repository_id, run_id)
);
create index on raw.workflow_runs (repository_id, created_at);

create table raw.workflow_jobs (
    repository_id bigint not null,
    job_id bigint not null,
    run_id bigint not null,
    name text not null,
    status text not null,
    conclusion text,
    started_at timestamptz,
    completed_at timestamptz,
    primary key (repository_id, job_id)
);
create index on raw.workflow_jobs (repository_id, run_id);

-- Commits of the whole history by person, as the provider counts them: who is new, whatever `start` is.
create table raw.contributors (
    repository_id bigint not null,
    person_key text not null,
    person_is_bot boolean not null,
    commits integer not null,
    deleted_at timestamptz,
    primary key (repository_id, person_key)
);

create table raw.release_assets (
    repository_id bigint not null,
    asset_id text not null,
    release_id bigint not null,
    name text not null,
    size_bytes bigint not null,
    created_at timestamptz not null,
    deleted_at timestamptz,
    primary key (repository_id, asset_id)
);

-- Running totals of downloads; the past of these cannot be asked for.
create table raw.release_asset_counters (
    repository_id bigint not null,
    asset_id text not null,
    observed_on date not null,
    downloads bigint not null,
    primary key (repository_id, asset_id, observed_on)
);

create table raw.security_advisories (
    repository_id bigint not null,
    advisory_id text not null,
    severity text,
    state text not null,
    summary text,
    published_at timestamptz,
    updated_at timestamptz,
    withdrawn_at timestamptz,
    deleted_at timestamptz,
    primary key (repository_id, advisory_id)
);

create table raw.dependabot_alerts (
    repository_id bigint not null,
    number integer not null,
    state text not null,
    severity text,
    ecosystem text,
    dependency text,
    advisory_id text,
    created_at timestamptz not null,
    updated_at timestamptz,
    fixed_at timestamptz,
    dismissed_at timestamptz,
    deleted_at timestamptz,
    primary key (repository_id, number)
);

-- Views and clones by day. GitHub keeps 14 days and its figures of a day only grow, so the largest seen counts.
create table raw.traffic (
    repository_id bigint not null,
    date date not null,
    views bigint,
    unique_visitors bigint,
    clones bigint,
    unique_cloners bigint,
    primary key (repository_id, date)
);

-- Where visitors came from and what they read, as sums over the 14 days before the observation.
create table raw.traffic_sources (
    repository_id bigint not null,
    observed_on date not null,
    kind text not null check (kind in ('referrer', 'path')),
    name text not null,
    views bigint not null,
    unique_visitors bigint not null,
    primary key (repository_id, observed_on, kind, name)
);

-- Package registries. `unknown` says for each figure that the registry does not publish why it does not.
create table raw.packages (
    registry text not null,
    package text not null,
    state text not null check (state in ('active', 'deprecated', 'archived', 'missing')),
    latest_version text,
    license text,
    created_at timestamptz,
    observed_at timestamptz not null,
    unknown jsonb not null default '{}',
    primary key (registry, package)
);

create table raw.package_releases (
    registry text not null,
    package text not null,
    version text not null,
    published_at timestamptz,
    is_prerelease boolean not null,
    is_yanked boolean not null,  -- yanked, retracted or deprecated: what the registry advises against
    yanked_reason text,
    yanked_noticed_at timestamptz,  -- registries do not say when; this is when it was first seen so
    deleted_at timestamptz,
    primary key (registry, package, version)
);

-- Downloads of a day, where the registry publishes them by day; version '' is all versions together.
create table raw.package_downloads (
    registry text not null,
    package text not null,
    version text not null default '',
    date date not null,
    downloads bigint not null,
    primary key (registry, package, version, date)
);

-- Running totals and rolling sums as they stood on a day: downloads_total, downloads_30_days, dependents, ...
create table raw.package_counters (
    registry text not null,
    package text not null,
    version text not null default '',
    counter text not null,
    observed_on date not null,
    observed_at timestamptz not null,
    value bigint not null,
    primary key (registry, package, version, counter, observed_on)
);

create table raw.package_advisories (
    registry text not null,
    package text not null,
    advisory_id text not null,
    aliases text[] not null default '{}',
    summary text,
    severity text,
    affected_versions text[] not null default '{}',
    fixed_in text[] not null default '{}',
    published_at timestamptz,
    modified_at timestamptz,
    withdrawn_at timestamptz,
    deleted_at timestamptz,
    primary key (registry, package, advisory_id)
);

-- Platforms: what was said where, without the words and without names, and how many people are there.
create table raw.mentions (
    platform text not null,
    community text not null,
    mention_id text not null,
    kind text not null,
    author_key text,
    author_is_bot boolean,
    created_at timestamptz not null,
    updated_at timestamptz,
    score bigint,
    replies bigint,
    is_answered boolean,
    sentiment double precision check (sentiment between -1 and 1),
    sentiment_method text,
    primary key (platform, community, mention_id)
);
create index on raw.mentions (created_at);

create table raw.platform_counters (
    platform text not null,
    community text not null,
    counter text not null,
    observed_on date not null,
    observed_at timestamptz not null,
    value bigint not null,
    primary key (platform, community, counter, observed_on)
);

-- The packages and communities that metrics.yaml names now; those of every figure.
create table ops.package_settings (
    registry text not null,
    package text not null,
    repository_id bigint,
    repository text,
    primary key (registry, package)
);

create table ops.platform_settings (
    platform text not null,
    community text not null,
    primary key (platform, community)
);

alter table ops.repository_settings add column git text;  -- where git clones it, if that is wanted

-- The newest look at each repository: a mark per entity that changes when the entity does, and the provider's counts.
create table ops.probes (
    repository_id bigint primary key,
    run_id text not null,
    observed_at timestamptz not null,
    permission text,  -- what the token may do: READ, TRIAGE, WRITE, MAINTAIN, ADMIN
    marks jsonb not null,
    totals jsonb not null
);

-- How far each entity of each repository is. A killed run goes on from here.
create table ops.collection_state (
    repository_id bigint not null,
    entity text not null,
    mark text,  -- the probe's, of the last complete collection
    covers_from timestamptz,  -- everything updated since then is held
    collected_at timestamptz,  -- the provider's clock at the start of the last complete collection
    days datemultirange not null default '{}',  -- the days that were collected completely
    outside bigint,  -- rows that the provider counts and that are older than `start`
    swept_at timestamptz,  -- when deleted rows were last looked for
    position jsonb,  -- where an unfinished collection stands
    primary key (repository_id, entity)
);
insert into ops.collection_state (repository_id, entity, days)
select repository_id, entity, range_agg(daterange(range_start, range_end))
from ops.collection_log
where outcome = 'complete' and repository_id is not null
group by repository_id, entity;

-- Validators of answers (ETag, Last-Modified) by address, so that what did not change is not sent again.
create table ops.http_validators (
    url text primary key,
    etag text,
    last_modified text,
    stored_at timestamptz not null default now()
);

-- What every collection cost. A request that served several entities is shared out among them.
create table ops.api_usage (
    day date not null,
    run_id text not null,
    source text not null,
    entity text not null,
    subject text not null,
    resource text not null,
    requests numeric not null,
    points numeric not null,
    not_modified numeric not null default 0,
    retries numeric not null default 0,
    waited_seconds double precision not null default 0,
    updated_at timestamptz not null default now(),
    primary key (day, run_id, source, entity, subject, resource)
);

alter table ops.collection_log alter column requests type numeric;
alter table ops.collection_log alter column points type numeric;
alter table ops.collection_log add column error_class text;
alter table ops.collection_log add column source text not null default 'github';
