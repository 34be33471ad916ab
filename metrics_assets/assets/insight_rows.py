"""The rows that insights stand on: deployments, merged and open pull requests, reviews; as known at a day's end.

People are counted within the queries, or stand as numbers that mean nothing outside; no key of a person leaves them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa

if TYPE_CHECKING:
    from metrics_assets.analysis.insights.reviews import Queue, ReviewLoad, Waiting
    from metrics_assets.analysis.insights.risks import Coverage, Uncollected

_STAGES = ["coding_hours", "pickup_hours", "review_hours", "merge_hours", "deploy_hours"]

# Repositories, teams and the portfolio, with their repositories. A repository of several services is one.
_OF = """
    select distinct subject_kind, subject, repository_id from ops.subjects
    where subject_kind in ('repository', 'team', 'portfolio')
"""
_DEPLOYMENTS = """
select subjects.subject_kind, subjects.subject, deployments.repository_id || ':' || deployments.chain as chain,
       deployments.finished_at at time zone :timezone as at,
       (deployments.finished_at at time zone 'UTC')::date as finished_on,
       failures.detected_at is not null as failed,
       extract(epoch from failures.detected_at - deployments.finished_at) / 86400 as failed_within_days
from metrics.deployments as deployments
join ops.subjects as subjects using (repository_id, chain)
left join lateral (
    select min(detected_at) as detected_at
    from metrics.deployment_failures as failures
    where failures.repository_id = deployments.repository_id and failures.chain = deployments.chain
      and failures.deployment_key = deployments.deployment_key and failures.detected_at < :end
) as failures on true
where deployments.finished_at >= :since and deployments.finished_at < :end
  and subjects.subject_kind <> 'environment'
"""
_MERGED = f"""
with subjects as ({_OF}),
merged as (
    select repository_id, number, author_key, additions + deletions as lines, merged_at,
           extract(epoch from merged_at - least(first_commit_at, merged_at)) / 3600 as lead_hours
    from raw.pull_requests
    where merged_at >= :since and merged_at < :end and not coalesce(author_is_bot, false)
      and author_key is not null and first_commit_at is not null
),
counted as (
    select merged.*, dense_rank() over (order by author_key) as author, remarks.comments
    from merged
    left join ops.collected_days as collected using (repository_id)
    cross join lateral (
        -- Unknown where the day of the merge was not collected.
        select case when collected.pull_requests @> merged.merged_at::date
                    then (
                        select count(*) from raw.pull_request_events as events
                        where events.repository_id = merged.repository_id and events.number = merged.number
                          and events.event = 'commented' and events.created_at <= merged.merged_at
                          and not coalesce(events.actor_is_bot, false)
                    ) + (
                        select count(*) from raw.review_comments as comments
                        where comments.repository_id = merged.repository_id and comments.number = merged.number
                          and comments.created_at <= merged.merged_at and not coalesce(comments.author_is_bot, false)
                    ) end as comments
    ) as remarks
)
select subject_kind, subject, author, lead_hours, lines, comments
from counted join subjects using (repository_id)
"""
_REVIEWS = f"""
with subjects as ({_OF}),
given as (
    select reviews.repository_id, reviews.author_key, count(*) as reviews
    from raw.reviews as reviews
    join raw.pull_requests as pulls using (repository_id, number)
    where reviews.submitted_at >= :since and reviews.submitted_at < :end and reviews.state <> 'pending'
      and reviews.author_key is not null and not coalesce(reviews.author_is_bot, false)
      and reviews.author_key is distinct from pulls.author_key
    group by reviews.repository_id, reviews.author_key
)
select subject_kind, subject, array_agg(reviews order by reviews desc) as reviews
from (
    select subject_kind, subject, author_key, sum(reviews)::integer as reviews
    from given join subjects using (repository_id)
    group by subject_kind, subject, author_key
) as people
group by subject_kind, subject
order by subject_kind, subject
"""
# A draft waits for nobody: by the last event until the day's end, else by the first one after it, else as it is now.
_WAITING = f"""
with subjects as ({_OF}),
open_pulls as materialized (
    select pulls.repository_id, pulls.number, pulls.author_key, pulls.is_draft, spans.opened_at
    from metrics.pull_request_open_spans(:end) as spans
    join raw.pull_requests as pulls using (repository_id, number)
    join ops.collected_days as collected using (repository_id)
    where spans.opened_at < :end and (spans.ended_at is null or spans.ended_at >= :end)
      and collected.pull_requests @> (:end)::date - 1
      and not coalesce(pulls.author_is_bot, false) and pulls.author_key is not null
),
judged as (
    select open_pulls.repository_id, extract(epoch from (:end)::timestamptz - opened_at) / 86400 as days,
           answers.is_answered
    from open_pulls
    cross join lateral (
        select
            (array_agg(event order by created_at desc) filter (where created_at < :end))[1] as before,
            (array_agg(event order by created_at) filter (where created_at >= :end))[1] as after
        from raw.pull_request_events as events
        where events.repository_id = open_pulls.repository_id and events.number = open_pulls.number
          and events.event in ('convert_to_draft', 'ready_for_review')
        offset 0  -- looks each up by its number; a join would read what ever happened
    ) as drafts
    cross join lateral (
        select count(*) > 0 as is_answered
        from (
            select author_key, author_is_bot, submitted_at as made_at
            from raw.reviews
            where reviews.repository_id = open_pulls.repository_id and reviews.number = open_pulls.number
              and state <> 'pending'
            union all
            select actor_key, actor_is_bot, created_at
            from raw.pull_request_events as events
            where events.repository_id = open_pulls.repository_id and events.number = open_pulls.number
              and event = 'commented'
            union all
            select author_key, author_is_bot, created_at
            from raw.review_comments as comments
            where comments.repository_id = open_pulls.repository_id and comments.number = open_pulls.number
        ) as remarks
        where author_key <> open_pulls.author_key and not coalesce(author_is_bot, false) and made_at < :end
        offset 0
    ) as answers
    where not coalesce(drafts.before = 'convert_to_draft', drafts.after = 'ready_for_review', is_draft, false)
)
select subject_kind, subject, count(*) as open,
       count(*) filter (where days > :old and not is_answered) as unreviewed,
       coalesce(max(days) filter (where days > :old and not is_answered), 0) as oldest_days
from judged join subjects using (repository_id)
group by subject_kind, subject
order by subject_kind, subject
"""
# A pull request is a change of each chain that it ships in, and is one here: as it shipped first.
_CHANGES = """
select distinct on (subjects.subject_kind, subjects.subject, changes.repository_id, changes.change_key)
       subjects.subject_kind, subjects.subject, changes.merged_at >= :recent as is_recent, changes.coding_hours,
       changes.pickup_hours, changes.review_hours, changes.merge_hours,
       -- What shipped later was not known.
       case when changes.deployed_at < :end then changes.merge_to_deploy_hours end as deploy_hours
from metrics.changes as changes
join ops.subjects as subjects using (repository_id, chain)
where changes.kind = 'pull_request' and changes.merged_at >= :since and changes.merged_at < :end
  and not coalesce(changes.author_is_bot, false) and subjects.subject_kind <> 'environment'
order by subjects.subject_kind, subjects.subject, changes.repository_id, changes.change_key,
         case when changes.deployed_at < :end then changes.deployed_at end nulls last, changes.chain
"""
_COVERAGE = """
select subject_kind, subject, changes_merged_in_window, changes_shipped_of_merged, changes_waiting_of_merged,
       changes_in_baseline_of_merged, changes_untied_of_merged
from metrics.dora_daily
where date = :day and subject_kind <> 'environment' and changes_merged_in_window is not null
order by subject_kind, subject
"""
# Days since the entity's first collected day on, so that a repository that is new misses nothing.
_UNCOLLECTED = """
select settings.repository, state.entity, count(*) filter (where not state.days @> days.day::date) as days,
       count(*) as of
from ops.collection_state as state
join ops.repository_settings as settings using (repository_id)
cross join generate_series((:since)::date, (:end)::date - 1, '1 day') as days (day)
where days.day::date >= lower(state.days) and state.entity = any (settings.entities)
group by settings.repository, state.entity
having count(*) filter (where not state.days @> days.day::date) > 0
order by settings.repository, state.entity
"""


class DayRows:
    """What was known at a day's end; each property is one query."""

    DELIVERY_DAYS, MERGED_DAYS, REVIEW_DAYS, STAGE_DAYS = 180, 90, 28, 112

    def __init__(self, connection: sa.Connection, day: date) -> None:
        self._connection, self._day, self._end = connection, day, day + timedelta(days=1)
        settings = connection.execute(sa.text("select minimum_group, business_hours from ops.portfolio")).one()
        self.minimum_group: int = settings.minimum_group
        self._timezone: str = settings.business_hours["timezone"]

    def since(self, days: int) -> date:
        """The first of as many days as end with the day."""
        return self._end - timedelta(days=days)

    @cached_property
    def deployments(self) -> pd.DataFrame:
        """Deployments: subject_kind, subject, chain, at (local time), finished_on, failed, failed_within_days."""
        frame = self._frame(_DEPLOYMENTS, since=self.since(self.DELIVERY_DAYS), timezone=self._timezone)
        return frame.astype(
            {"at": "datetime64[ns]", "finished_on": "datetime64[ns]", "failed": "bool", "failed_within_days": "float64"}
        )

    @cached_property
    def merged(self) -> pd.DataFrame:
        """Pull requests of people that were merged: subject_kind, subject, author, lead_hours, lines, comments."""
        frame = self._frame(_MERGED, since=self.since(self.MERGED_DAYS))
        return frame.astype(dict.fromkeys(["lead_hours", "lines", "comments"], "float64"))

    @cached_property
    def review_loads(self) -> list[ReviewLoad]:
        """The reviews of each reviewer of the last 28 days, by subject."""
        from metrics_assets.analysis.insights.reviews import ReviewLoad

        return [ReviewLoad(*row) for row in self._rows(_REVIEWS, since=self.since(self.REVIEW_DAYS))]

    def queues(self, open_pull_requests: Mapping[str, int]) -> list[Queue]:
        """Each team's open pull requests and active reviewers."""
        from metrics_assets.analysis.insights.reviews import Queue

        people = {load.subject: len(load.reviews) for load in self.review_loads if load.subject_kind == "team"}
        return [Queue(team, count, people.get(team, 0)) for team, count in sorted(open_pull_requests.items())]

    @cached_property
    def waiting(self) -> list[Waiting]:
        """Open pull requests, and those of them that nobody answered for a week."""
        from metrics_assets.analysis.insights.reviews import OLD_DAYS, Waiting

        return [
            Waiting(row.subject_kind, row.subject, row.open, row.unreviewed, float(row.oldest_days))
            for row in self._rows(_WAITING, old=OLD_DAYS)
        ]

    @cached_property
    def stages(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The stages' hours of pull requests merged in the last 28 days, and in the 84 days before."""
        frame = self._frame(_CHANGES, since=self.since(self.STAGE_DAYS), recent=self.since(self.REVIEW_DAYS))
        frame = frame.astype({"is_recent": "bool", **dict.fromkeys(_STAGES, "float64")})
        return frame[frame["is_recent"]], frame[~frame["is_recent"]]

    @cached_property
    def coverages(self) -> list[Coverage]:
        """What became of the changes merged in the window."""
        from metrics_assets.analysis.insights.risks import Coverage

        return [Coverage(*row) for row in self._rows(_COVERAGE, day=self._day)]

    @cached_property
    def uncollected(self) -> list[Uncollected]:
        """Days of the last 28 that were not collected."""
        from metrics_assets.analysis.insights.risks import Uncollected

        return [Uncollected(*row) for row in self._rows(_UNCOLLECTED, since=self.since(self.REVIEW_DAYS))]

    def _rows(self, sql: str, **given: Any) -> list[Any]:
        return list(self._connection.execute(sa.text(sql), self._given(sql, given)).all())

    def _frame(self, sql: str, **given: Any) -> pd.DataFrame:
        return pd.read_sql(sa.text(sql), self._connection, params=self._given(sql, given))

    def _given(self, sql: str, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, **({"end": self._end} if ":end" in sql else {})}
