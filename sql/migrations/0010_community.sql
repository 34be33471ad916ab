-- Communities: people, discussions, issues by what they are about, groups of repositories, and CHAOSS models.

-- Short ranges are read by time, repository by repository.
create index on raw.pull_requests (repository_id, created_at);
create index on raw.pull_requests (repository_id) where created_at is null;
create index on raw.issues (repository_id, created_at);
create index on raw.issues (repository_id, closed_at);
create index on raw.issue_events (repository_id, created_at);
create index on raw.issue_events (repository_id, number) where event = 'reopened';
create index on raw.issue_events (repository_id, number) where event = 'closed';
create index on raw.pull_request_events (repository_id, number) where event = 'reopened';
create index on raw.pull_request_events (repository_id, number) where event = 'closed';
create index on raw.discussion_comments (repository_id, created_at);

-- What programs did is little beside what people did.
create index on raw.commits (repository_id, committed_at) where author_is_bot;
create index on raw.pull_requests (repository_id, created_at) where author_is_bot;
create index on raw.issues (repository_id, created_at) where author_is_bot;
create index on raw.reviews (repository_id, submitted_at) where author_is_bot;
create index on raw.issue_events (repository_id, created_at) where actor_is_bot;
create index on raw.pull_request_events (repository_id, created_at) where actor_is_bot;

-- A person is looked up in one repository, and in all repositories of a team.
drop index metrics.contributor_days_repository_id_person_key_date_idx;
create index on metrics.contributor_days (person_key, repository_id, date) include (issues);

create index on metrics.repository_daily (repository_id, date) where releases > 0;
create index on metrics.repository_daily (repository_id, date) where commits > 0;

-- How many people of a repository, a team or the portfolio did what. Distinct people, counted, never named.
create table metrics.contributor_daily (
    subject_kind text not null check (subject_kind in ('repository', 'team', 'portfolio')),
    subject text not null,
    repository_id bigint,
    date date not null,
    active_contributors integer,
    contributions integer,
    people_seen_first integer,  -- whose first contribution that we know of was on the day
    new_contributors integer,  -- the same, where 90 days of history stand before the day
    first_time_issue_reporters integer,
    active_contributors_month integer,
    contributors_in_window integer,
    contributors_in_previous_window integer,
    contributors_retained integer,
    inactive_contributors integer,
    occasional_contributors integer,
    contributions_in_window integer,
    contributions_by_members_of_organisations integer,
    contributor_absence_factor integer,
    elephant_factor integer,
    organisations integer,
    primary key (subject_kind, subject, date)
);
create index on metrics.contributor_daily (date);
create index on metrics.contributor_daily (repository_id, date);

-- Ages of the issues that are open at a day's end.
create table metrics.issue_age_daily (
    subject_kind text not null check (subject_kind in ('repository', 'team', 'portfolio')),
    subject text not null,
    repository_id bigint,
    date date not null,
    issue_age_days double precision,
    issue_age_days_mean double precision,
    issues_open integer,
    primary key (subject_kind, subject, date)
);
create index on metrics.issue_age_daily (date);

-- What metrics.repository_daily has, of teams and of the portfolio: sums over their repositories.
create table metrics.group_daily (
    subject_kind text not null check (subject_kind in ('team', 'portfolio')),
    subject text not null,
    date date not null,
    repositories integer not null,
    repositories_known integer not null,
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
    pull_requests_unanswered integer,
    issues_unanswered integer,
    issues_open_fresh integer,
    forks_in_window integer,
    primary key (subject_kind, subject, date)
);
create index on metrics.group_daily (date);

create table metrics.discussion_daily (
    subject_kind text not null check (subject_kind in ('repository', 'team', 'portfolio')),
    subject text not null,
    repository_id bigint,
    date date not null,
    discussions_new integer,
    discussions_new_month integer,
    discussion_participants_month integer,
    discussions_answerable integer,  -- opened in the last 90 days, in a category where answers are chosen
    discussions_answered integer,  -- of those, answered by somebody else
    discussions_accepted integer,  -- of those, with a chosen answer
    discussions_due integer,  -- opened in the last 90 days and older than 7 days
    discussions_followed_up integer,  -- of those, answered or closed
    discussion_upvotes_month integer,
    discussion_category_balance double precision,
    discussion_categories integer,
    primary key (subject_kind, subject, date)
);
create index on metrics.discussion_daily (date);

create table metrics.community_daily (
    subject_kind text not null check (subject_kind in ('repository', 'team', 'portfolio')),
    subject text not null,
    repository_id bigint,
    date date not null,
    contributors_total integer,
    new_contributors_week integer,
    new_contributors_month integer,
    first_time_issue_reporters_week integer,
    contributions_month integer,  -- by people, over 28 days
    bot_contributions_month integer,
    issues_opened_in_window integer,
    issues_closed_in_window integer,
    pull_requests_opened_in_window integer,
    pull_requests_merged_in_window integer,
    pull_requests_closed_in_window integer,  -- unmerged
    pull_requests_ended_in_window integer,  -- merged or closed
    issues_due integer,
    issues_closed_in_time integer,
    issues_resolved integer,
    issues_resolved_by_community integer,
    issues_resolved_with_answer integer,
    issues_escalated integer,
    bugs_opened_week integer,
    bugs_open integer,
    bugs_opened_in_window integer,
    features_opened_in_window integer,
    bugs_and_features_opened_in_window integer,
    bugs_escaped_in_window integer,
    p0_bugs_opened integer,
    p0_bugs_open integer,
    documentation_issues_opened_week integer,
    installation_issues_opened_week integer,
    privacy_issues_opened integer,
    pull_requests_with_known_merger integer,
    pull_requests_self_merged integer,
    pull_requests_by_people_merged integer,
    pull_requests_reviewed integer,
    releases_in_year integer,
    releases_days_known integer,
    release_frequency double precision,
    days_since_release integer,
    stars_new_week integer,
    stars_growth_month double precision,
    forks_new_week integer,
    views bigint,
    unique_visitors bigint,
    clones bigint,
    created_since_months double precision,
    updated_since_months double precision,
    commit_frequency_week double precision,
    commits_days_known integer,
    issues_closed_90_days integer,
    issues_updated_90_days integer,
    issue_comments_90_days integer,
    primary key (subject_kind, subject, date)
);
create index on metrics.community_daily (date);

-- Packages and platforms: sums over days, which are unknown where a day is.
alter table metrics.package_daily add column downloads_week double precision;
alter table metrics.package_daily add column downloads_week_n integer;
alter table metrics.package_daily add column downloads_month double precision;
alter table metrics.package_daily add column downloads_month_n integer;
alter table metrics.package_daily add column downloads_previous_month double precision;
alter table metrics.package_daily add column downloads_previous_month_n integer;
alter table metrics.package_daily add column downloads_by_version_week double precision;
alter table metrics.package_daily add column downloads_of_latest_major_week double precision;
alter table metrics.package_daily add column latest_major integer;
alter table metrics.package_daily add column advisories_open_critical bigint;
alter table metrics.package_daily add column advisories_open_high bigint;
alter table metrics.platform_daily add column mentions_week bigint;
alter table metrics.platform_daily add column mentions_week_n integer;
alter table metrics.platform_daily add column questions_month bigint;
alter table metrics.platform_daily add column questions_month_n integer;

-- Which metrics, in which order, a CHAOSS model shows; filled from catalogue/models whenever they change.
create table metrics.chaoss_models (
    model text not null,
    position integer not null,
    metric text not null,
    primary key (model, position)
);
