-- A row is how well a team's work flowed in a week. Focus and meetings are fed for the team as means over its people
-- (metrics focus_hours, meeting_hours, context_switches and deep_work_share); shown where the team has at least
-- ops.portfolio.minimum_group members (at least 3), and of the portfolio as the teams' mean weighed by members, hidden
-- where teams that are not shown could be told from it, and what was fed for one team alone: it would be that team's. Of its people's pull requests: the median hours from opening
-- to first review of those merged in the week, and how many were open at its end for each member.
-- replace: date
with weeks as (
    select subject_kind, subject, date, date - 6 as first_day, reason, people
    from metrics.space_activity
    where date >= :start and date < :end
),

rule as (
    select greatest(minimum_group, 3) as minimum from ops.portfolio
),

sizes as (
    select subject_kind, subject, count(*) as members
    from ops.space_members
    group by subject_kind, subject
),

fed as (
    select
        weeks.subject,
        weeks.date,
        sizes.members,
        sizes.members >= rule.minimum and not is_nested.it as is_shown,
        max(daily.value) filter (where daily.metric = 'focus_hours') as focus_hours,
        max(daily.value) filter (where daily.metric = 'meeting_hours') as meeting_hours,
        max(daily.value) filter (where daily.metric = 'context_switches') as context_switches,
        max(daily.value) filter (where daily.metric = 'deep_work_share') as deep_work_share
    from weeks
    join sizes using (subject_kind, subject)
    cross join rule
    -- From a team's mean and that of one within it the few others could be told.
    cross join lateral (
        select exists (
            select 1
            from sizes as larger
            where larger.subject_kind = 'team'
              and larger.subject <> weeks.subject
              and larger.members - sizes.members between 1 and rule.minimum - 1
              and not exists (
                  select 1
                  from ops.space_members as member
                  where member.subject_kind = 'team'
                    and member.subject = weeks.subject
                    and not exists (
                        select 1
                        from ops.space_members as other
                        where other.subject_kind = 'team'
                          and other.subject = larger.subject
                          and other.person_key = member.person_key
                    )
              )
        ) as it
    ) as is_nested
    join metrics.fed_daily as daily
      on daily.subject_kind = 'team' and daily.subject = weeks.subject and daily.date = weeks.date
    where weeks.subject_kind = 'team'
      and daily.metric in ('focus_hours', 'meeting_hours', 'context_switches', 'deep_work_share')
      and daily.state in ('ok', 'provisional')
    group by weeks.subject, weeks.date, sizes.members, rule.minimum, is_nested.it
),

focus as (
    select 'team' as subject_kind, subject, date, is_shown, focus_hours, meeting_hours, context_switches,
           deep_work_share
    from fed
    union all
    -- (Sums of numerics, because one of floats depends on their order in its last digit.)
    select
        'portfolio', portfolio.portfolio, fed.date,
        sum(fed.members) >= rule.minimum
            and greatest(count(focus_hours), count(meeting_hours), count(context_switches), count(deep_work_share)) > 1
            and coalesce(sum(fed.members) filter (where not fed.is_shown and focus_hours is not null), 0)
                not between 1 and rule.minimum - 1
            and coalesce(sum(fed.members) filter (where not fed.is_shown and meeting_hours is not null), 0)
                not between 1 and rule.minimum - 1
            and coalesce(sum(fed.members) filter (where not fed.is_shown and context_switches is not null), 0)
                not between 1 and rule.minimum - 1
            and coalesce(sum(fed.members) filter (where not fed.is_shown and deep_work_share is not null), 0)
                not between 1 and rule.minimum - 1,
        case when count(focus_hours) > 1 then sum((focus_hours * members)::numeric)::double precision
            / nullif(sum(members) filter (where focus_hours is not null), 0) end,
        case when count(meeting_hours) > 1 then sum((meeting_hours * members)::numeric)::double precision
            / nullif(sum(members) filter (where meeting_hours is not null), 0) end,
        case when count(context_switches) > 1 then sum((context_switches * members)::numeric)::double precision
            / nullif(sum(members) filter (where context_switches is not null), 0) end,
        case when count(deep_work_share) > 1 then sum((deep_work_share * members)::numeric)::double precision
            / nullif(sum(members) filter (where deep_work_share is not null), 0) end
    from fed
    cross join rule
    cross join ops.portfolio as portfolio
    group by portfolio.portfolio, fed.date, rule.minimum
),

shown as (
    select weeks.subject_kind, weeks.subject, weeks.date, weeks.first_day, members.person_key
    from weeks
    join ops.space_members as members using (subject_kind, subject)
    where weeks.reason is null
),

picked_up as (
    select subject_kind, subject, date, count(*) as pull_requests,
           percentile_cont(0.5) within group (order by pickup_hours) as hours
    from (
        -- A pull request is a change of each chain that it ships in, and is one here.
        select distinct shown.subject_kind, shown.subject, shown.date, changes.repository_id, changes.number,
               changes.pickup_hours
        from shown
        join raw.pull_requests as pull_requests
          on pull_requests.author_key = shown.person_key
         and pull_requests.merged_at >= shown.first_day and pull_requests.merged_at < shown.date + 1
        join metrics.changes as changes
          on changes.repository_id = pull_requests.repository_id
         and changes.change_key = 'pull_request:' || pull_requests.number
        join ops.chains as chains
          on chains.repository_id = changes.repository_id and chains.chain = changes.chain
        where pull_requests.merged_at >= (:start)::date - 6 and pull_requests.merged_at < :end
          and changes.pickup_hours is not null
    ) as merged
    group by subject_kind, subject, date
),

in_progress as (
    select shown.subject_kind, shown.subject, shown.date, count(settings.repository_id) as pull_requests
    from shown
    left join raw.pull_requests as pull_requests
      on pull_requests.author_key = shown.person_key
     and pull_requests.created_at < shown.date + 1
     and (pull_requests.closed_at is null or pull_requests.closed_at >= shown.date + 1)
     and (pull_requests.deleted_at is null or pull_requests.deleted_at >= shown.date + 1)
    left join ops.repository_settings as settings using (repository_id)
    group by shown.subject_kind, shown.subject, shown.date
)

select
    weeks.subject_kind,
    weeks.subject,
    weeks.date,
    nullif(concat_ws(
        '; ',
        case when focus.date is null then 'focus: nothing was fed, or it is too old'
             when not focus.is_shown and weeks.subject_kind = 'portfolio'
                 then 'focus: one team, or fewer than ' || rule.minimum || ' people, would be told from it'
             when not focus.is_shown then 'focus: fewer than ' || rule.minimum || ' people would be told from it' end,
        'flow: ' || weeks.reason
    ), '') as reason,
    weeks.people,
    sizes.members,
    case when focus.is_shown then focus.focus_hours end as focus_hours,
    case when focus.is_shown then focus.meeting_hours end as meeting_hours,
    case when focus.is_shown then focus.context_switches end as context_switches,
    case when focus.is_shown then focus.deep_work_share end as deep_work_share,
    picked_up.hours as pickup_hours,
    case when weeks.reason is null then coalesce(picked_up.pull_requests, 0) end as pickup_n,
    in_progress.pull_requests as pull_requests_open,
    in_progress.pull_requests::double precision / nullif(sizes.members, 0) as pull_requests_open_per_person
from weeks
cross join rule
join sizes using (subject_kind, subject)
left join focus
  on focus.subject_kind = weeks.subject_kind and focus.subject = weeks.subject and focus.date = weeks.date
left join picked_up
  on picked_up.subject_kind = weeks.subject_kind and picked_up.subject = weeks.subject
 and picked_up.date = weeks.date
left join in_progress
  on in_progress.subject_kind = weeks.subject_kind and in_progress.subject = weeks.subject
 and in_progress.date = weeks.date
