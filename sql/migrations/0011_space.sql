-- SPACE by week: a row is a team, or the portfolio, and an ISO week; `date` is the Sunday that ends it. Teams are in
-- here because metrics.yaml lists them under space, and only where enough people stand behind a figure: else the
-- figures are null and `reason` says why. No row is about one person.

create index on raw.pull_requests (author_key, created_at);

create table metrics.space_activity (
    subject_kind text not null check (subject_kind in ('team', 'portfolio')),
    subject text not null,
    date date not null,
    reason text,
    people integer,  -- of the team who did something in the week
    repositories integer not null,
    repositories_known integer not null,  -- of which commits and pull requests of the whole week were collected
    commits integer,
    pull_requests_created integer,
    pull_requests_reviewed integer,
    additions bigint,
    deletions bigint,
    primary key (subject_kind, subject, date)
);

create table metrics.space_satisfaction (
    subject_kind text not null check (subject_kind in ('team', 'portfolio')),
    subject text not null,
    date date not null,
    reason text,
    satisfaction double precision,  -- 1 to 5
    nps double precision,  -- -100 to 100
    nps_low double precision,
    nps_high double precision,
    responses integer,
    members integer,
    response_rate double precision,
    primary key (subject_kind, subject, date)
);

create table metrics.space_performance (
    subject_kind text not null check (subject_kind in ('team', 'portfolio')),
    subject text not null,
    date date not null,
    reason text,
    people integer,
    coverage double precision,
    pull_requests_merged integer,
    pull_request_comments integer,
    comments_per_pull_request double precision,
    bugs_opened integer,
    lines_changed bigint,
    bugs_per_1000_lines double precision,
    change_failure_rate double precision,
    deployments_in_window integer,
    primary key (subject_kind, subject, date)
);

create table metrics.space_collaboration (
    subject_kind text not null check (subject_kind in ('team', 'portfolio')),
    subject text not null,
    date date not null,
    reason text,
    people integer,
    cross_team_pull_requests integer,
    pull_request_comments integer,
    reviews_given integer,
    pull_requests_due integer,
    pull_requests_answered_in_time integer,
    async_score double precision,  -- 0 to 10
    primary key (subject_kind, subject, date)
);

create table metrics.space_efficiency (
    subject_kind text not null check (subject_kind in ('team', 'portfolio')),
    subject text not null,
    date date not null,
    reason text,
    people integer,
    members integer,
    focus_hours double precision,
    meeting_hours double precision,
    context_switches double precision,
    deep_work_share double precision,
    pickup_hours double precision,
    pickup_n integer,
    pull_requests_open integer,
    pull_requests_open_per_person double precision,
    primary key (subject_kind, subject, date)
);

-- The catalogue of the dimensions (catalogue/space.yaml), filled whenever it changes.
create table metrics.space_dimensions (
    dimension text primary key,
    position integer not null,
    title text not null,
    metric text not null,
    unit text not null,
    from_people boolean not null,  -- what people say of themselves
    benchmark text not null,
    source text not null
);
create table metrics.space_labels (
    dimension text not null,
    rank integer not null,
    label text not null,
    at_least double precision,
    below double precision,
    primary key (dimension, rank)
);

-- The components of a score are written once and read whole: as text they are written in a fraction of the time.
alter table metrics.scores alter column components type json;
