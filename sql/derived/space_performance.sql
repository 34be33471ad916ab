-- A row is what came of a team's work in a week: test coverage (fed for the team, metric unit_test_coverage), comments
-- by others on the pull requests of its people that were merged in the week, bugs reported in its repositories for each
-- 1000 lines changed there (lines added and deleted by commits on the default branch that are no merges), and the
-- change failure rate of its deliveries over 28 days. The portfolio has the teams' people, and all repositories.
-- replace: date
with weeks as (
    select subject_kind, subject, date, date - 6 as first_day, reason, people
    from metrics.space_activity
    where date >= :start and date < :end
),

shown as materialized (
    select * from weeks where reason is null
),

people as materialized (
    select distinct person_key from ops.space_members
),

-- A day's week is known by its Sunday, so that weeks are joined by equality.
merged as materialized (
    select pull_requests.repository_id, pull_requests.number, pull_requests.author_key,
           pull_requests.merged_at::date + (7 - extract(isodow from pull_requests.merged_at)::integer) as date
    from raw.pull_requests as pull_requests
    join people on people.person_key = pull_requests.author_key
    join ops.repository_settings as settings using (repository_id)
    where pull_requests.merged_at >= (:start)::date - 6 and pull_requests.merged_at < :end
),

comments as (
    select merged.*, remarks.comments + lines.comments as comments
    from merged
    join ops.collected_days as collected
      on collected.repository_id = merged.repository_id
     and collected.pull_requests @> daterange(merged.date - 6, merged.date + 1)
    cross join lateral (
        select count(*) as comments
        from raw.pull_request_events as events
        where events.repository_id = merged.repository_id and events.number = merged.number
          and events.event = 'commented'
          and events.created_at < merged.date + 1
          and events.actor_key <> merged.author_key and not coalesce(events.actor_is_bot, false)
    ) as remarks
    cross join lateral (
        select count(*) as comments
        from raw.review_comments as comments
        where comments.repository_id = merged.repository_id and comments.number = merged.number
          and comments.created_at < merged.date + 1
          and comments.author_key <> merged.author_key and not coalesce(comments.author_is_bot, false)
    ) as lines
),

discussed as (
    select shown.subject_kind, shown.subject, shown.date, count(*) as pull_requests,
           sum(comments.comments) as comments
    from comments
    join ops.space_members as members on members.person_key = comments.author_key
    join shown
      on shown.subject_kind = members.subject_kind and shown.subject = members.subject and shown.date = comments.date
    group by shown.subject_kind, shown.subject, shown.date
),

repositories as (
    select distinct 'team' as subject_kind, team as subject, repository_id from ops.chains where team is not null
    union
    select 'portfolio', portfolio.portfolio, settings.repository_id
    from ops.repository_settings as settings cross join ops.portfolio as portfolio
),

changed_in_repositories as materialized (
    select repository_id, committed_at::date + (7 - extract(isodow from committed_at)::integer) as date,
           count(*) as commits, count(additions + deletions) as commits_with_lines,
           sum(additions + deletions) as lines
    from raw.commits
    where on_default_branch and cardinality(parents) < 2
      and committed_at >= (:start)::date - 6 and committed_at < :end
    group by 1, 2
),

changed as (
    -- Unknown where the lines of one commit are.
    select shown.subject_kind, shown.subject, shown.date,
           case when sum(commits) = sum(commits_with_lines) then sum(lines) end as lines
    from shown
    join repositories using (subject_kind, subject)
    join changed_in_repositories as changed using (repository_id, date)
    group by shown.subject_kind, shown.subject, shown.date
)

select
    weeks.subject_kind,
    weeks.subject,
    weeks.date,
    weeks.reason,
    weeks.people,
    coverage.value as coverage,
    discussed.pull_requests as pull_requests_merged,
    discussed.comments as pull_request_comments,
    discussed.comments::double precision / discussed.pull_requests as comments_per_pull_request,
    case when weeks.reason is null then community.bugs_opened_week end as bugs_opened,
    changed.lines as lines_changed,
    case when weeks.reason is null
         then 1000.0 * community.bugs_opened_week / nullif(changed.lines, 0) end as bugs_per_1000_lines,
    case when weeks.reason is null then delivery.change_failure_rate end as change_failure_rate,
    case when weeks.reason is null then delivery.deployments_finished_in_window end as deployments_in_window
from weeks
left join metrics.fed_daily as coverage
  on coverage.metric = 'unit_test_coverage' and coverage.subject_kind = weeks.subject_kind
 and coverage.subject = weeks.subject and coverage.date = weeks.date and coverage.state in ('ok', 'provisional')
 and weeks.reason is null
left join discussed
  on discussed.subject_kind = weeks.subject_kind and discussed.subject = weeks.subject and discussed.date = weeks.date
left join changed
  on changed.subject_kind = weeks.subject_kind and changed.subject = weeks.subject and changed.date = weeks.date
left join metrics.community_daily as community
  on community.subject_kind = weeks.subject_kind and community.subject = weeks.subject and community.date = weeks.date
left join metrics.dora_daily as delivery
  on delivery.subject_kind = weeks.subject_kind and delivery.subject = weeks.subject and delivery.date = weeks.date
