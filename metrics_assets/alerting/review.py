"""The review of alerts (requirement S4-60): by rule, whether it was worth it; and what happened that no rule saw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

# An alert so many days after an event, or the day before it, may well be about it.
_DAYS_AFTER = 2


@dataclass(frozen=True, slots=True)
class RuleReview:
    """What became of a rule's alerts.

    Attributes:
        opened: alerts that people were told of.
        hours_to_acknowledge, hours_to_resolve: medians of those that were; None where none was.
        undecided: told, and nobody has said whether they were useful or noise.
    """

    rule: str
    opened: int
    hours_to_acknowledge: float | None
    hours_to_resolve: float | None
    useful: int
    noise: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Missed:
    """An event of a subject of which no alert opened around its day."""

    date: date
    subject: str
    kind: str
    title: str


def review(engine: sa.Engine, weeks: int, now: datetime) -> list[RuleReview]:
    """The rules whose alerts fired within the last weeks, the noisiest first."""
    with engine.connect() as connection:
        rows = connection.execute(sa.text(_REVIEW), {"since": now - timedelta(weeks=weeks), "now": now})
        return [RuleReview(*row) for row in rows]


def missed(engine: sa.Engine, weeks: int, now: datetime) -> list[Missed]:
    """Incidents, advisories, yanks and fed outages of the last weeks on whose subject no alert opened then."""
    since = (now - timedelta(weeks=weeks)).date()
    with engine.connect() as connection:
        rows = connection.execute(sa.text(_MISSED), {"since": since, "today": now.date(), "days_after": _DAYS_AFTER})
        return [Missed(*row) for row in rows]


_REVIEW = """
select
    rule,
    count(*) as opened,
    percentile_cont(0.5) within group (order by extract(epoch from acknowledged_at - fired_at) / 3600)
        filter (where acknowledged_at is not null) as hours_to_acknowledge,
    percentile_cont(0.5) within group (order by extract(epoch from resolved_at - fired_at) / 3600)
        filter (where resolved_at is not null) as hours_to_resolve,
    count(*) filter (where outcome = 'useful') as useful,
    count(*) filter (where outcome = 'noise') as noise,
    count(*) filter (where outcome is null) as undecided
from ops.alerts
left join ops.alert_outcomes using (alert_id)
where
    alerts.state <> 'pending'
    and coalesce(fired_at, opened_on at time zone 'UTC') > :since
    and coalesce(fired_at, opened_on at time zone 'UTC') <= :now
group by rule
order by count(*) filter (where outcome = 'noise') desc, opened desc, rule
"""
_MISSED = """
select events.date, events.subject, events.kind, events.title
from metrics.known_events as events
where
    events.kind in ('incident', 'advisory', 'yank', 'outage')
    and events.date >= :since and events.date <= :today
    and not exists (
        select 1 from ops.alerts as alerts
        where
            alerts.state <> 'pending'
            and (
                alerts.subject = events.subject
                or starts_with(alerts.subject, events.subject || '#')
                or events.subject_kind = 'portfolio' and alerts.subject_kind <> 'pipeline'
            )
            and alerts.opened_on between events.date - 1 and events.date + cast(:days_after as integer)
    )
order by events.date desc, events.subject, events.title
"""
