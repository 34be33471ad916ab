-- The spans of time in which issues and pull requests were open, of those that were open at some time from a day on.
-- Closing twice without reopening is one closing. `is_closing` tells a closing from a deletion.
create or replace function metrics.issue_open_spans(since date)
returns table (repository_id bigint, number integer, opened_at timestamptz, ended_at timestamptz, is_closing boolean)
language sql stable as $$
    -- Never reopened: the issue itself knows.
    select issues.repository_id, issues.number, issues.created_at, ends.at, ends.at is distinct from issues.deleted_at
    from raw.issues as issues
    cross join lateral (
        select least(issues.closed_at, issues.deleted_at) as at
    ) as ends
    where (issues.closed_at is null or issues.closed_at >= since)
      and (issues.deleted_at is null or issues.deleted_at >= since)
      and not exists (
          select 1 from raw.issue_events as events
          where events.repository_id = issues.repository_id and events.number = issues.number
            and events.event = 'reopened'
      )
    union all
    select spans.repository_id, spans.number, spans.at, spans.next_at, spans.next_is_closing
    from (
        select changes.repository_id, changes.number, changes.at, changes.step,
               lead(changes.at) over item as next_at, lead(changes.is_closing) over item as next_is_closing
        from (
            select states.*, lag(states.step) over (
                       partition by states.repository_id, states.number order by states.at, states.step desc
                   ) as step_before
            from (
                select issues.repository_id, issues.number, steps.at, steps.step, steps.is_closing
                from (
                    select distinct events.repository_id, events.number
                    from raw.issue_events as events where events.event = 'reopened'
                ) as reopened
                join raw.issues as issues using (repository_id, number)
                cross join lateral (
                    select issues.created_at as at, 1 as step, false as is_closing
                    union all
                    select events.created_at, case events.event when 'closed' then -1 else 1 end, true
                    from raw.issue_events as events
                    where events.repository_id = issues.repository_id and events.number = issues.number
                      and events.event in ('closed', 'reopened')
                    union all
                    select issues.closed_at, -1, true
                    where issues.closed_at is not null
                      and not exists (
                          select 1 from raw.issue_events as events
                          where events.repository_id = issues.repository_id and events.number = issues.number
                            and events.event = 'closed'
                      )
                    union all
                    select issues.deleted_at, -1, false where issues.deleted_at is not null
                ) as steps
            ) as states
        ) as changes
        where changes.step is distinct from changes.step_before
        window item as (
            partition by changes.repository_id, changes.number order by changes.at, changes.step desc
        )
    ) as spans
    where spans.step = 1 and (spans.next_at is null or spans.next_at >= since)
$$;

-- The last closing of a merged pull request is its merge, and no closing.
create or replace function metrics.pull_request_open_spans(since date)
returns table (repository_id bigint, number integer, opened_at timestamptz, ended_at timestamptz, is_closing boolean)
language sql stable as $$
    select pulls.repository_id, pulls.number, pulls.created_at, ends.at,
           pulls.merged_at is null and ends.at is distinct from pulls.deleted_at
    from raw.pull_requests as pulls
    cross join lateral (
        select least(pulls.closed_at, pulls.deleted_at) as at
    ) as ends
    where pulls.created_at is not null
      and (pulls.closed_at is null or pulls.closed_at >= since)
      and (pulls.deleted_at is null or pulls.deleted_at >= since)
      and not exists (
          select 1 from raw.pull_request_events as events
          where events.repository_id = pulls.repository_id and events.number = pulls.number
            and events.event = 'reopened'
      )
    union all
    select spans.repository_id, spans.number, spans.at, spans.next_at,
           spans.next_is_closing and not (spans.is_merged and spans.next_is_last)
    from (
        select changes.repository_id, changes.number, changes.at, changes.step, changes.is_merged,
               lead(changes.at) over item as next_at, lead(changes.is_closing) over item as next_is_closing,
               lead(changes.at, 2) over item is null as next_is_last
        from (
            select states.*, lag(states.step) over (
                       partition by states.repository_id, states.number order by states.at, states.step desc
                   ) as step_before
            from (
                select pulls.repository_id, pulls.number, pulls.merged_at is not null as is_merged,
                       steps.at, steps.step, steps.is_closing
                from (
                    select distinct events.repository_id, events.number
                    from raw.pull_request_events as events where events.event = 'reopened'
                ) as reopened
                join raw.pull_requests as pulls using (repository_id, number)
                cross join lateral (
                    select pulls.created_at as at, 1 as step, false as is_closing
                    union all
                    select events.created_at, case events.event when 'closed' then -1 else 1 end, true
                    from raw.pull_request_events as events
                    where events.repository_id = pulls.repository_id and events.number = pulls.number
                      and events.event in ('closed', 'reopened')
                    union all
                    select pulls.closed_at, -1, true
                    where pulls.closed_at is not null
                      and not exists (
                          select 1 from raw.pull_request_events as events
                          where events.repository_id = pulls.repository_id and events.number = pulls.number
                            and events.event = 'closed'
                      )
                    union all
                    select pulls.deleted_at, -1, false where pulls.deleted_at is not null
                ) as steps
                where pulls.created_at is not null
            ) as states
        ) as changes
        where changes.step is distinct from changes.step_before
        window item as (
            partition by changes.repository_id, changes.number order by changes.at, changes.step desc
        )
    ) as spans
    where spans.step = 1 and (spans.next_at is null or spans.next_at >= since)
$$;
