-- Alerts with more states, escalation, acknowledgement and outcomes; the outbox for whatever is told.

alter table ops.alerts drop constraint alerts_state_check;
alter table ops.alerts add constraint alerts_state_check
    check (state in ('pending', 'firing', 'acknowledged', 'resolved'));
alter table ops.alerts add column metric text not null default '';  -- an anomaly rule is about many
alter table ops.alerts add column low double precision;
alter table ops.alerts add column high double precision;
alter table ops.alerts add column text text;  -- how it stands, as the newest evaluation said it
alter table ops.alerts add column breaches integer not null default 1;  -- days in a row that the rule held
alter table ops.alerts add column recoveries integer not null default 0;  -- days in a row that it did not
alter table ops.alerts add column fired_at timestamptz;
alter table ops.alerts add column acknowledged_at timestamptz;
alter table ops.alerts add column acknowledged_by text;
alter table ops.alerts add column acknowledge_note text;
alter table ops.alerts add column resolved_at timestamptz;
alter table ops.alerts add column resolved_because text;
alter table ops.alerts add column escalation_level integer not null default 0;
alter table ops.alerts add column escalate_at timestamptz;  -- when the next level is due; null: never
-- What alerts were about, and when, stands in what was told of them: without it they would be about another metric.
update ops.alerts as alerts
set metric = coalesce(told.metric, ''), text = told.text, fired_at = told.first_at,
    resolved_at = case when alerts.state = 'resolved' then coalesce(told.resolved_at, told.last_at) end
from (
    select alert_id,
        (array_agg(message->>'metric' order by event_id desc))[1] as metric,
        (array_agg(message->>'text' order by event_id desc))[1] as text,
        min(created_at) as first_at,
        max(created_at) filter (where event = 'resolved') as resolved_at,
        max(created_at) as last_at
    from ops.alert_events
    group by alert_id
) as told
where told.alert_id = alerts.alert_id;
drop index ops.alerts_open;
create unique index alerts_open on ops.alerts (rule, subject_kind, subject, metric) where state <> 'resolved';
create index on ops.alerts (rule, opened_on);

alter table ops.alert_events drop constraint alert_events_event_check;
alter table ops.alert_events add constraint alert_events_event_check
    check (event in ('opened', 'escalated', 'acknowledged', 'resolved'));
alter table ops.alert_events drop constraint alert_events_alert_id_event_date_key;
alter table ops.alert_events add column level integer not null default 0;  -- of escalation
-- What was told once is not told again, however often it is looked at.
alter table ops.alert_events add constraint alert_events_once unique (alert_id, event, level);

-- A row for each message and channel. What alerts say is made when it is sent (event_id); other messages (a status line,
-- a report) are written with the row. Rows of one channel and group_key are sent as one message.
alter table ops.notifications alter column event_id drop not null;
alter table ops.notifications drop constraint notifications_state_check;
alter table ops.notifications add constraint notifications_state_check check (state in ('pending', 'sent', 'dropped'));
alter table ops.notifications add column message_key text;
update ops.notifications set message_key = 'event:' || event_id;
alter table ops.notifications alter column message_key set not null;
alter table ops.notifications add constraint notifications_once unique (message_key, channel);
alter table ops.notifications add column message jsonb;
alter table ops.notifications add constraint notifications_say_something check (event_id is not null or message is not null);
alter table ops.notifications add column group_key text;
update ops.notifications set group_key = message_key;
alter table ops.notifications alter column group_key set not null;
alter table ops.notifications add column mention text;
alter table ops.notifications add column created_at timestamptz not null default now();
update ops.notifications as notifications set created_at = events.created_at
from ops.alert_events as events where events.event_id = notifications.event_id;
alter table ops.notifications add column held_because text;  -- quiet hours, a silence, an hour of the day
alter table ops.notifications add column dropped_because text;
create index on ops.notifications (next_attempt_at) where state = 'pending';

-- Where a channel keeps a thread of its own about an alert: the number of an issue.
create table ops.alert_threads (
    channel text not null,
    dedup_key text not null,
    external_id text not null,
    url text,
    primary key (channel, dedup_key)
);

-- What nobody is told of for a while; null stands for all.
create table ops.silences (
    silence_id bigint generated always as identity primary key,
    rule text,
    subject_kind text,
    subject text,
    starts_at timestamptz not null,
    ends_at timestamptz not null check (ends_at > starts_at),
    reason text not null,
    created_by text not null,
    created_at timestamptz not null default now()
);

-- Whether an alert was worth it, as the people say who got it.
create table ops.alert_outcomes (
    alert_id bigint primary key references ops.alerts,
    outcome text not null check (outcome in ('useful', 'noise')),
    note text,
    decided_by text not null,
    decided_at timestamptz not null
);

-- One line a day: is all well, and if not, what is not.
create table ops.daily_status (
    date date primary key,
    status text not null check (status in ('healthy', 'issues', 'unknown')),
    line text not null,
    details jsonb not null,
    made_at timestamptz not null default now()
);

-- The newest day whose figures the rules were evaluated on: an older one that is built anew wakes nobody.
create table ops.evaluations (
    only_row boolean primary key default true check (only_row),
    evaluated_through date not null
);
