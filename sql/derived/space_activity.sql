-- A row is what the people of a team (or of all teams in SPACE together, the portfolio) did in a week: commits on the
-- default branch, pull requests opened and reviewed, lines added and deleted by commits that are no merges. It is
-- never a measure by itself. A team is told of where enough of its people were active (ops.portfolio.minimum_group, at
-- least 3). A team inside another one is hidden where fewer than that are in the other alone, and a larger team or the
-- portfolio where fewer than that are left of it beside teams that are told of: a difference would be theirs. The
-- portfolio is hidden, too, where all who were active are one team: the figure would be that team's, which only its own
-- page may show. The other tables of SPACE go by this one's reason.
-- replace: date
with recursive weeks as (
    select day::date as date, day::date - 6 as first_day
    from generate_series(
        (:start)::date + (7 - extract(isodow from (:start)::date)::integer), (:end)::date - 1, interval '7 days'
    ) as day
),

rule as (
    select greatest(minimum_group, 3) as minimum from ops.portfolio
),

-- A day's week is known by its Sunday, so that weeks are joined by equality.
repository_weeks as materialized (
    select
        settings.repository_id,
        weeks.date,
        weeks.first_day,
        coalesce(
            collected.commits @> daterange(weeks.first_day, weeks.date + 1)
            and collected.pull_requests @> daterange(weeks.first_day, weeks.date + 1), false
        ) as is_known
    from ops.repository_settings as settings
    cross join weeks
    left join ops.collected_days as collected using (repository_id)
),

known_weeks as (
    select date, count(*) as repositories, count(*) filter (where is_known) as repositories_known
    from repository_weeks
    group by date
),

people as materialized (
    select distinct person_key from ops.space_members
),

contributions as (
    select
        repository_weeks.date,
        days.person_key,
        sum(days.commits) as commits,
        sum(days.pull_requests) as pull_requests
    from metrics.contributor_days as days
    join people using (person_key)
    join repository_weeks
      on repository_weeks.repository_id = days.repository_id
     and repository_weeks.date = days.date + (7 - extract(isodow from days.date)::integer)
    where repository_weeks.is_known
      and days.date >= (:start)::date - 6 and days.date < :end
    group by repository_weeks.date, days.person_key
),

active as materialized (
    select members.subject_kind, members.subject, contributions.date, contributions.person_key,
           contributions.commits, contributions.pull_requests
    from contributions
    join ops.space_members as members using (person_key)
),

sizes as materialized (
    select subject_kind, subject, date, count(*) as people, sum(commits) as commits,
           sum(pull_requests) as pull_requests
    from active
    group by subject_kind, subject, date
),

candidates as materialized (
    select sizes.* from sizes cross join rule
    where sizes.people >= rule.minimum
),

-- How many active people two subjects share; the portfolio is the larger of its pairs alone.
shared as materialized (
    select one.subject_kind, one.subject, one.date, other.subject as team, count(*) as people
    from active as one
    join active as other on other.date = one.date and other.person_key = one.person_key
    where other.subject_kind = 'team' and (one.subject_kind, one.subject) <> (other.subject_kind, other.subject)
    group by one.subject_kind, one.subject, one.date, other.subject
),

-- Weeks in which all active people of the portfolio are in one team.
one_team as (
    select distinct shared.date
    from shared
    join sizes as whole
      on whole.subject_kind = shared.subject_kind and whole.subject = shared.subject and whole.date = shared.date
    where shared.subject_kind = 'portfolio' and shared.people = whole.people
),

-- Teams of which all active people are in a larger one, or in the portfolio.
inside as materialized (
    select shared.subject_kind as whole_kind, shared.subject as whole, shared.date, whole.people as whole_people,
           part.subject as part, part.people
    from shared
    join candidates as whole
      on whole.subject_kind = shared.subject_kind and whole.subject = shared.subject and whole.date = shared.date
    join candidates as part
      on part.subject_kind = 'team' and part.subject = shared.team and part.date = shared.date
    where shared.people = part.people and part.people < whole.people
),

-- Those that have few people less than the larger team.
inside_another as materialized (
    select distinct inside.part as subject, inside.date
    from inside
    cross join rule
    where inside.whole_kind = 'team' and inside.whole_people - inside.people < rule.minimum
),

told_parts as materialized (
    select inside.*
    from inside
    where not exists (
        select 1 from inside_another
        where inside_another.date = inside.date
          and (
              inside_another.subject = inside.part
              or (inside.whole_kind = 'team' and inside_another.subject = inside.whole)
          )
    )
),

-- Parts that share nobody with another part of the whole can be taken away from it together, the others in any choice
-- that shares nobody.
parts as materialized (
    select told_parts.*,
        exists (
            select 1
            from told_parts as other
            join shared
              on shared.subject_kind = 'team' and shared.subject = other.part and shared.date = other.date
            where other.whole_kind = told_parts.whole_kind and other.whole = told_parts.whole
              and other.date = told_parts.date and shared.team = told_parts.part
        ) as shares_people
    from told_parts
),

choices as (
    select whole_kind, whole, date, '' as last_part, array[]::text[] as taken,
           whole_people - coalesce(sum(people) filter (where not shares_people), 0) as people_left,
           count(*) filter (where shares_people) > 12 as are_too_many
    from parts
    group by whole_kind, whole, date, whole_people
    union all
    select choices.whole_kind, choices.whole, choices.date, parts.part, choices.taken || parts.part,
           choices.people_left - parts.people, false
    from choices
    join parts
      on parts.whole_kind = choices.whole_kind and parts.whole = choices.whole and parts.date = choices.date
     and parts.part > choices.last_part
    where parts.shares_people and not choices.are_too_many
      and not exists (
          select 1 from shared
          where shared.subject_kind = 'team' and shared.subject = parts.part and shared.date = parts.date
            and shared.team = any (choices.taken)
      )
),

-- What is left of the whole beside parts that are told would be few people's.
tells_of_few as (
    select distinct choices.whole_kind as subject_kind, choices.whole as subject, choices.date
    from choices
    cross join rule
    where choices.are_too_many or choices.people_left between 1 and rule.minimum - 1
),

subjects as (
    select distinct subject_kind, subject from ops.space_members
),

standing as materialized (
    select
        subjects.subject_kind,
        subjects.subject,
        known_weeks.date,
        known_weeks.repositories,
        known_weeks.repositories_known,
        sizes.people,
        sizes.commits,
        sizes.pull_requests,
        case
            when known_weeks.repositories_known = 0 then 'no repository was collected for the whole week'
            when coalesce(sizes.people, 0) < rule.minimum
                then 'fewer than ' || rule.minimum || ' people were active in the week'
            when subjects.subject_kind = 'portfolio' and one_team.date is not null
                then 'only one team was active in the week, whose figure it would be'
            when inside_another.subject is not null
                then 'another team has the same people and fewer than ' || rule.minimum || ' others, whom the difference would show'
            when tells_of_few.subject is not null
                then 'fewer than ' || rule.minimum || ' people are left beside the teams that are shown, whom the difference would show'
        end as reason
    from subjects
    cross join known_weeks
    cross join rule
    left join sizes
      on sizes.subject_kind = subjects.subject_kind and sizes.subject = subjects.subject
     and sizes.date = known_weeks.date
    left join one_team on one_team.date = known_weeks.date
    left join inside_another
      on subjects.subject_kind = 'team' and inside_another.subject = subjects.subject
     and inside_another.date = known_weeks.date
    left join tells_of_few
      on tells_of_few.subject_kind = subjects.subject_kind and tells_of_few.subject = subjects.subject
     and tells_of_few.date = known_weeks.date
),

reviews as (
    select distinct repository_weeks.date, reviews.author_key as person_key, reviews.repository_id, reviews.number
    from raw.reviews as reviews
    join people on people.person_key = reviews.author_key
    join repository_weeks
      on repository_weeks.repository_id = reviews.repository_id
     and repository_weeks.date
         = reviews.submitted_at::date + (7 - extract(isodow from reviews.submitted_at)::integer)
    join raw.pull_requests as pull_requests
      on pull_requests.repository_id = reviews.repository_id and pull_requests.number = reviews.number
    where repository_weeks.is_known
      and reviews.submitted_at >= (:start)::date - 6 and reviews.submitted_at < :end
      and reviews.state <> 'pending'
      and pull_requests.author_key is distinct from reviews.author_key
),

reviewed as (
    select members.subject_kind, members.subject, reviews.date,
           count(distinct (reviews.repository_id, reviews.number)) as pull_requests
    from reviews
    join ops.space_members as members using (person_key)
    group by members.subject_kind, members.subject, reviews.date
),

lines_of_people as (
    select repository_weeks.date, commits.author_key as person_key, count(*) as commits,
           count(commits.additions) as commits_with_additions, sum(commits.additions) as additions,
           count(commits.deletions) as commits_with_deletions, sum(commits.deletions) as deletions
    from raw.commits as commits
    join people on people.person_key = commits.author_key
    join repository_weeks
      on repository_weeks.repository_id = commits.repository_id
     and repository_weeks.date
         = commits.committed_at::date + (7 - extract(isodow from commits.committed_at)::integer)
    where repository_weeks.is_known
      and commits.on_default_branch and cardinality(commits.parents) < 2
      and commits.committed_at >= (:start)::date - 6 and commits.committed_at < :end
    group by repository_weeks.date, commits.author_key
),

lines as (
    -- Unknown where the lines of one commit are.
    select members.subject_kind, members.subject, lines_of_people.date,
           case when sum(commits) = sum(commits_with_additions) then sum(additions) end as additions,
           case when sum(commits) = sum(commits_with_deletions) then sum(deletions) end as deletions
    from lines_of_people
    join ops.space_members as members using (person_key)
    group by members.subject_kind, members.subject, lines_of_people.date
)

select
    standing.subject_kind,
    standing.subject,
    standing.date,
    standing.reason,
    case when standing.reason is null then standing.people end as people,
    standing.repositories,
    standing.repositories_known,
    case when standing.reason is null then standing.commits end as commits,
    case when standing.reason is null then standing.pull_requests end as pull_requests_created,
    case when standing.reason is null then coalesce(reviewed.pull_requests, 0) end as pull_requests_reviewed,
    case when standing.reason is null then
        case when lines.date is null then 0 else lines.additions end end as additions,
    case when standing.reason is null then
        case when lines.date is null then 0 else lines.deletions end end as deletions
from standing
left join reviewed
  on reviewed.subject_kind = standing.subject_kind and reviewed.subject = standing.subject
 and reviewed.date = standing.date
left join lines
  on lines.subject_kind = standing.subject_kind and lines.subject = standing.subject and lines.date = standing.date
