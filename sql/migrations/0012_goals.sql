-- Goals, north stars and release gates: the catalogue's entries, and what became of them on every day.

-- The packs that metrics.yaml switches on: goals, north stars, gates and scores of the others do not count.
alter table ops.portfolio add column packs text[] not null default '{engineering,community}';

-- The catalogue, for whoever reads the warehouse with SQL; filled from the files whenever they change. `pack` is null
-- where an entry counts whatever the packs.
create table metrics.goal_catalogue (
    goal text primary key,
    title text not null,
    metric text not null,
    subject_kind text not null,
    subject text,  -- null: every subject of the kind
    target double precision not null,
    comparison text not null check (comparison in ('at_least', 'at_most', 'above', 'below')),
    due_on date,
    due_months integer,  -- after metrics.yaml's start
    starts_on date,
    base double precision,
    owner text,
    source text,
    pack text,
    requirements text[] not null
);
create table metrics.north_star_catalogue (
    position integer primary key,
    metric text not null,
    why text not null,
    pack text,
    requirements text[] not null
);
create table metrics.gate_criteria (
    gate text not null,
    position integer not null,
    gate_title text not null,
    subject_kind text not null,
    subject text,
    group_key text not null,
    group_title text not null,
    level text not null check (level in ('must', 'should', 'nice')),
    criterion text not null,
    title text not null,
    metric text,
    target text not null,
    days integer not null,
    share double precision not null,  -- of the gate's score; the shares of a gate add up to 1
    owner text,
    pack text,
    requirements text[] not null,
    primary key (gate, position)
);

-- A goal of a subject on a day. base, expected and progress (share of the way from base to target) are of goals with
-- a due day; expected is the straight line from the base on starts_on to the target on due_on.
create table metrics.goals_daily (
    goal text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    metric text not null,
    value double precision,
    n bigint,
    metric_state text not null,
    target double precision not null,
    comparison text not null,
    due_on date,
    starts_on date,
    base double precision,
    expected double precision,
    progress double precision,
    status text not null check (status in ('met', 'on track', 'at risk', 'off track', 'unknown')),
    reason text not null,
    -- In this order because one reads the newest day of a goal.
    primary key (goal, date, subject_kind, subject)
);
create index on metrics.goals_daily (date);

-- A gate of a subject on a day. criteria holds one object a criterion: key, title, group, level, state (met, not met,
-- unknown), value, target, evidence_url, reason.
create table metrics.gate_evaluations (
    gate text not null,
    subject_kind text not null,
    subject text not null,
    date date not null,
    verdict text not null check (verdict in ('passed', 'failed', 'unknown')),
    score double precision not null,  -- 0 to 100: the weighted share of the criteria that are met
    must_missing integer not null,  -- criteria of level must that are not met, or not known to be
    criteria jsonb not null,
    missing text[] not null,  -- titles of all criteria that are not met, or not known to be; those of level must first
    primary key (gate, date, subject_kind, subject)
);
create index on metrics.gate_evaluations (date);

-- The verdict on a release: the evaluation of the day it was published on, copied once. What is learnt later, or
-- built again, does not change it.
create table metrics.gate_verdicts (
    gate text not null,
    subject_kind text not null,
    subject text not null,
    repository_id bigint not null,
    repository text not null,
    release text not null,  -- its tag
    released_on date not null,
    date date not null,  -- of the evaluation
    verdict text not null check (verdict in ('passed', 'failed', 'unknown')),
    score double precision not null,
    criteria jsonb not null,
    missing text[] not null,
    frozen_at timestamptz not null default now(),
    primary key (gate, subject_kind, subject, repository_id, release)
);
