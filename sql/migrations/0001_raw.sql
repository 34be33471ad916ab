-- What the sources said, one table per entity, upserted by the provider's own key. No person is in here under a
-- name: *_key columns hold a keyed hash of the login (or of the e-mail address where git knows no login).
-- Null in a *_key column means that the account was deleted.
create schema raw;
create schema metrics;
create schema ops;

create table raw.repositories (
    repository_id bigint primary key,
    repository text not null,
    state text not null check (state in ('active', 'archived', 'empty', 'gone', 'blocked')),
    default_branch text,
    description text,
    language text,
    license text,
    topics text[] not null default '{}',
    is_fork boolean not null,
    is_private boolean not null,
    has_issues boolean not null,
    created_at timestamptz not null,
    pushed_at timestamptz
);
create index on raw.repositories (repository);

create table raw.repository_counters (
    repository_id bigint not null,
    observed_on date not null,
    observed_at timestamptz not null,
    stars bigint not null,
    forks bigint not null,
    watchers bigint,
    issues_and_pull_requests_open bigint not null,
    primary key (repository_id, observed_on)
);

create table raw.pull_requests (
    repository_id bigint not null,
    number integer not null,
    title text,
    state text not null check (state in ('open', 'closed', 'merged')),
    is_draft boolean,
    author_key text,
    author_is_bot boolean,
    merged_by_key text,
    merged_by_is_bot boolean,
    created_at timestamptz,
    updated_at timestamptz not null,
    closed_at timestamptz,
    merged_at timestamptz,
    first_commit_at timestamptz,
    commits integer,
    head_sha text,
    merge_sha text,
    base_branch text,
    labels text[] not null default '{}',
    additions bigint,
    deletions bigint,
    changed_files integer,
    primary key (repository_id, number)
);
create index on raw.pull_requests (repository_id, merged_at);

create table raw.reviews (
    repository_id bigint not null,
    review_id text not null,
    number integer not null,
    author_key text,
    author_is_bot boolean,
    state text not null,
    submitted_at timestamptz not null,
    primary key (repository_id, review_id)
);
create index on raw.reviews (repository_id, number);

create table raw.pull_request_events (
    repository_id bigint not null,
    event_id text not null,
    number integer not null,
    event text not null,
    actor_key text,
    actor_is_bot boolean,
    label text,
    created_at timestamptz not null,
    primary key (repository_id, event_id)
);
create index on raw.pull_request_events (repository_id, number);

create table raw.issues (
    repository_id bigint not null,
    number integer not null,
    title text,
    state text not null check (state in ('open', 'closed')),
    state_reason text,
    author_key text,
    author_is_bot boolean,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    closed_at timestamptz,
    labels text[] not null default '{}',
    comments integer not null,
    mentions text[] not null default '{}',
    primary key (repository_id, number)
);

create table raw.issue_events (like raw.pull_request_events including all);

create table raw.commits (
    repository_id bigint not null,
    sha text not null,
    parents text[] not null,
    author_key text,
    author_is_bot boolean,
    authored_at timestamptz not null,
    committed_at timestamptz not null,
    pull_request_number integer,
    reverts_sha text,
    on_default_branch boolean not null,
    primary key (repository_id, sha)
);
create index on raw.commits (repository_id, committed_at);
create index on raw.commits (repository_id, reverts_sha) where reverts_sha is not null;

create table raw.releases (
    repository_id bigint not null,
    release_id bigint not null,
    tag text not null,
    name text,
    author_key text,
    author_is_bot boolean,
    is_draft boolean not null,
    is_prerelease boolean not null,
    created_at timestamptz not null,
    published_at timestamptz,
    primary key (repository_id, release_id)
);

create table raw.tags (
    repository_id bigint not null,
    tag text not null,
    sha text not null,
    tagged_at timestamptz not null,
    is_annotated boolean not null,
    primary key (repository_id, tag)
);

create table raw.deployments (
    repository_id bigint not null,
    deployment_id bigint not null,
    sha text not null,
    ref text,
    environment text not null,
    task text,
    creator_key text,
    creator_is_bot boolean,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (repository_id, deployment_id)
);

create table raw.deployment_statuses (
    repository_id bigint not null,
    status_id text not null,
    deployment_id bigint not null,
    state text not null,
    created_at timestamptz not null,
    primary key (repository_id, status_id)
);
create index on raw.deployment_statuses (repository_id, deployment_id);

create table raw.stargazers (
    repository_id bigint not null,
    person_key text not null,
    person_is_bot boolean not null,
    starred_at timestamptz not null,
    primary key (repository_id, person_key)
);

create table raw.forks (
    repository_id bigint not null,
    fork_id bigint not null,
    owner_key text,
    owner_is_bot boolean,
    created_at timestamptz not null,
    primary key (repository_id, fork_id)
);

create index on raw.stargazers (repository_id, starred_at);
create index on raw.forks (repository_id, created_at);
