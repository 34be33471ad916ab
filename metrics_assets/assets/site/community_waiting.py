"""What waits for a first answer as of a day: issues, pull requests and discussions that only their author spoke in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading
from metrics_assets.settings import github_api_url

if TYPE_CHECKING:
    from metrics_assets.reporting.pages.community import Waiting

SHOWN = 20
_PATHS = {"issue": "issues", "pull request": "pull", "discussion": "discussions"}

# A first answer is a word by a person who is not the author, as metrics.durations_daily counts it. Only what was opened
# since the history begins counts: of what is older the first answers may not have been collected; and only of
# repositories whose list of the day is complete, as the answer may stand in what is missing.
_WAITING = """
with span as (
    select cast(:day as date) as day, cast(:end as timestamptz) as until,
           (select start from ops.portfolio)::timestamp at time zone 'UTC' as since
),
lists as (
    select states.repository_id, states.entity
    from ops.collection_state as states cross join span
    where states.entity in ('issues', 'pull_requests', 'discussions') and states.days @> span.day
),
items as (
    select 'issue' as kind, issues.repository_id, issues.number, issues.title, issues.author_key, issues.created_at
    from raw.issues as issues
    cross join span
    join lists on lists.repository_id = issues.repository_id and lists.entity = 'issues'
    join metrics.issue_open_spans(:day) as spans
      on spans.repository_id = issues.repository_id and spans.number = issues.number
    where issues.created_at >= span.since and not coalesce(issues.author_is_bot, false)
      and spans.opened_at < span.until and (spans.ended_at is null or spans.ended_at >= span.until)
      and not exists (
          select 1 from raw.issue_events as events
          where events.repository_id = issues.repository_id and events.number = issues.number
            and events.event = 'commented' and not coalesce(events.actor_is_bot, false)
            and events.actor_key <> coalesce(issues.author_key, '') and events.created_at < span.until
            and events.created_at >= issues.created_at
      )
    union all
    select 'pull request', pulls.repository_id, pulls.number, pulls.title, pulls.author_key, pulls.created_at
    from raw.pull_requests as pulls
    cross join span
    join lists on lists.repository_id = pulls.repository_id and lists.entity = 'pull_requests'
    join metrics.pull_request_open_spans(:day) as spans
      on spans.repository_id = pulls.repository_id and spans.number = pulls.number
    where pulls.created_at >= span.since and not coalesce(pulls.author_is_bot, false)
      and not coalesce(pulls.is_draft, false)
      and spans.opened_at < span.until and (spans.ended_at is null or spans.ended_at >= span.until)
      and not exists (
          select 1 from raw.reviews as reviews
          where reviews.repository_id = pulls.repository_id and reviews.number = pulls.number
            and not coalesce(reviews.author_is_bot, false) and reviews.state <> 'pending'
            and reviews.author_key <> coalesce(pulls.author_key, '') and reviews.submitted_at < span.until
            and reviews.submitted_at >= pulls.created_at
      )
      and not exists (
          select 1 from raw.pull_request_events as events
          where events.repository_id = pulls.repository_id and events.number = pulls.number
            and events.event = 'commented' and not coalesce(events.actor_is_bot, false)
            and events.actor_key <> coalesce(pulls.author_key, '') and events.created_at < span.until
            and events.created_at >= pulls.created_at
      )
    union all
    select 'discussion', talks.repository_id, talks.number, talks.title, talks.author_key, talks.created_at
    from raw.discussions as talks
    cross join span
    join lists on lists.repository_id = talks.repository_id and lists.entity = 'discussions'
    where talks.created_at >= span.since and talks.created_at < span.until
      and not coalesce(talks.author_is_bot, false)
      and (talks.closed_at is null or talks.closed_at >= span.until)
      and (talks.deleted_at is null or talks.deleted_at >= span.until)
      and not exists (
          select 1 from raw.discussion_comments as comments
          where comments.repository_id = talks.repository_id and comments.number = talks.number
            and not coalesce(comments.author_is_bot, false)
            and comments.author_key <> coalesce(talks.author_key, '') and comments.created_at < span.until
      )
)
select items.kind, settings.repository, repositories.provider, items.number, items.title,
       (items.created_at at time zone 'UTC')::date as opened_on,
       floor(extract(epoch from span.until - items.created_at) / 86400)::integer as days,
       count(*) over (partition by items.kind) as of_kind
from items
cross join span
join ops.repository_settings as settings using (repository_id)
join raw.repositories as repositories using (repository_id)
where repositories.state = 'active'  -- nobody can answer in one that is archived
order by items.created_at, settings.repository, items.kind, items.number
"""
# Repositories whose issues or pull requests of the day are not known.
_MISSING = """
select count(*)
from ops.repository_settings as settings
join raw.repositories as repositories using (repository_id)
where repositories.state = 'active' and repositories.provider = 'github' and repositories.created_at < :end
  and (
      select count(*) from ops.collection_state as states
      where states.repository_id = settings.repository_id and states.entity in ('issues', 'pull_requests')
        and states.days @> cast(:day as date)
  ) < 2
"""


def read_waiting(reading: Reading) -> tuple[tuple[Waiting, ...], dict[str, int], int]:
    """What waits, the oldest first; how many of each kind; how many repositories nothing can be said of."""
    from metrics_assets.reporting.pages.community import Waiting

    given = {"day": reading.day, "end": f"{reading.day + timedelta(days=1)} 00:00:00+00"}
    with reading.engine.connect() as connection:
        rows: Any = connection.execute(sa.text(f"{_WAITING} limit {SHOWN}"), given).all()
        totals = connection.execute(
            sa.text(f"select kind, max(of_kind) as number from ({_WAITING}) as every group by kind order by 1"), given
        ).all()
        missing = connection.execute(sa.text(_MISSING), given).scalar_one()
    site = provider_site()
    waiting = tuple(
        Waiting(
            kind=row.kind,
            repository=row.repository,
            number=row.number,
            title=row.title,
            opened_on=row.opened_on,
            days=row.days,
            url=f"{site}/{row.repository}/{_PATHS[row.kind]}/{row.number}"
            if site is not None and row.provider == "github"
            else None,
        )
        for row in rows
    )
    return waiting, {row.kind: row.number for row in totals}, missing


def provider_site() -> str | None:
    """Where people look at what the API gives; None where the API's address does not say it."""
    url = github_api_url()
    parts = urlsplit(url)
    if parts.hostname == "api.github.com":
        return "https://github.com"
    if parts.path.rstrip("/") == "/api/v3":
        return f"{parts.scheme}://{parts.netloc}"  # GitHub Enterprise Server
    return None
