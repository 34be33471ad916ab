"""The rules about the pipeline itself: whether runs succeed, days arrive, lists are whole, and people can be told.

What Dagster knows comes in as facts; the rest stands in the warehouse. A condition is given of whatever is wrong, and
of whatever has an open alert, so that the alert ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting.conditions import Condition
from metrics_assets.alerting.outbox import SILENCED
from metrics_assets.catalogue.alerts import PipelineRule, Rule
from metrics_assets.catalogue.metrics import load_catalogue

SUBJECT_KIND = "pipeline"
# A list that nothing was heard of for so long is not collected any more.
_LOG_DAYS = 30
# Tables that have rows only where metrics.yaml names something.
_WANTED_BY = {"package_daily": "ops.package_settings", "platform_daily": "ops.platform_settings"}


@dataclass(frozen=True, slots=True)
class JobRun:
    """The newest run of a job that has ended.

    Attributes:
        problem: of a failed run its failed steps and why, in words that anybody may read.
    """

    run_id: str
    succeeded: bool
    ended_at: datetime
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the warehouse does not know.

    Attributes:
        jobs: the newest ended run by job; a run that will be tried again has not ended.
        budgets: how many requests and points may be used of a source in an hour; others are not judged.
        end: the last day that metrics.yaml wants.
        named: what metrics.yaml lists besides packages and communities, as it writes it: repositories, and whose
            repositories are looked for. One that was never found is in no table of settings.
    """

    jobs: Mapping[str, JobRun] = field(default_factory=dict)
    budgets: Mapping[str, float] = field(default_factory=dict)
    end: date | None = None
    named: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a rule stands for a subject."""

    subject: str
    breached: bool
    text: str
    value: float | None = None
    reference: float | None = None
    n: int | None = None


def conditions(engine: sa.Engine, rules: Mapping[str, Rule], runs: RunFacts, now: datetime) -> list[Condition]:
    """How the pipeline's rules stand at `now`: whatever is breached, and whatever has an open alert.

    Rules of other kinds are left out. An open alert about something that is not there any more is fine: it ends.
    """
    found = []
    with engine.connect() as connection:
        for rule in rules.values():
            if not isinstance(rule, PipelineRule):
                continue
            unseen = set(connection.execute(sa.text(_OPEN), {"rule": rule.key}).scalars())
            for standing in _LOOK[rule.condition](connection, rule, runs, now):
                if rule.subjects and standing.subject not in rule.subjects:
                    continue
                if standing.breached or standing.subject in unseen:
                    found.append(_condition(rule, standing, now))
                unseen.discard(standing.subject)
            found += [
                _condition(rule, _Standing(subject, False, "There is nothing of it any more."), now)
                for subject in sorted(unseen)
            ]
    return found


_OPEN = "select subject from ops.alerts where rule = :rule and subject_kind = 'pipeline' and state <> 'resolved'"


def _condition(rule: PipelineRule, standing: _Standing, now: datetime) -> Condition:
    return Condition(
        rule=rule.key,
        metric="",
        subject_kind=SUBJECT_KIND,
        subject=standing.subject,
        date=now.astimezone(UTC).date(),
        verdict="breached" if standing.breached else "fine",
        value=standing.value,
        reference=standing.reference,
        n=standing.n,
        low=None,
        high=None,
        severity=rule.severity,
        text=standing.text,
    )


def _run_failed(connection: sa.Connection, rule: PipelineRule, runs: RunFacts, now: datetime) -> Iterator[_Standing]:
    for job, run in sorted(runs.jobs.items()):
        at, short = _minute(run.ended_at), run.run_id[:8]
        if run.succeeded:
            yield _Standing(job, False, f"Run {short} of {job} succeeded at {at}.")
        else:
            yield _Standing(job, True, f"Run {short} of {job} failed at {at}: {run.problem or 'nothing says why'}.")


def _data_late(connection: sa.Connection, rule: PipelineRule, runs: RunFacts, now: datetime) -> Iterator[_Standing]:
    hours = 24.0 if rule.hours is None else rule.hours
    # The newest day that has been over for long enough, of the days that are wanted at all.
    due = (now.astimezone(UTC) - timedelta(hours=hours)).date() - timedelta(days=1)
    due = due if runs.end is None else min(due, runs.end)
    for table, newest in newest_days(connection).items():
        past = (now - _end_of(newest)).total_seconds() / 3600
        if newest < due:
            text = (
                f"The newest day of {table} is {newest}, {past:,.0f} hours past its end; a day is due {hours:g} hours "
                f"after its end, and {due} is missing."
            )
        else:
            text = f"The newest day of {table} is {newest}, as it should be."
        yield _Standing(table, newest < due, text, value=round(past, 1), reference=hours)


def newest_days(connection: sa.Connection) -> dict[str, date]:
    """The newest day of each table of daily figures that are made here and that has any, by 'metrics.table'."""
    made = [m.key for m in load_catalogue().metrics.values() if m.grain == "day" and m.fed is None and m.table]
    found = {}
    for table in load_catalogue().tables(made):
        wanted_by = _WANTED_BY.get(table)
        if wanted_by and not connection.execute(sa.text(f"select exists (select 1 from {wanted_by})")).scalar():
            continue
        newest = connection.execute(sa.text(f"select max(date) from metrics.{table}")).scalar()
        if newest is not None:
            found[f"metrics.{table}"] = newest
    return found


def _collection_incomplete(
    connection: sa.Connection, rule: PipelineRule, runs: RunFacts, now: datetime
) -> Iterator[_Standing]:
    named = sorted(name.lower() for name in runs.named)
    rows = connection.execute(
        sa.text(_COLLECTIONS), {"rule": rule.key, "now": now, "log_days": _LOG_DAYS, "named": named}
    )
    for row in rows:
        subject = f"{row.repository} {row.entity}"
        breached = row.outcome == "incomplete" and row.days >= rule.days
        if row.outcome == "incomplete":
            since = f" on {row.days} days in a row" if row.days > 1 else ""
            text = f"{row.entity} of {row.repository} could not be collected whole{since}: {_reason(row.reason)}"
        else:
            text = f"{row.entity} of {row.repository} was collected whole."
        yield _Standing(subject, breached, text, value=float(row.days), reference=float(rule.days))


# A row is a list of a repository that is not whole, or of which an alert says so: how its newest collection went, and
# on how many days in a row it went wrong. Of what metrics.yaml names no more nothing counts. What a list is about is a
# repository under the name that its provider gives it, 'registry:package' or 'platform:community'; the look at a
# repository itself (entity repositories) is noted under the name in metrics.yaml, of an organisation under its login.
_COLLECTIONS = """
with named as (
    select lower(repository) as repository from ops.repository_settings
    union select lower(registry || ':' || package) from ops.package_settings
    union select lower(platform || ':' || community) from ops.platform_settings
),
recent as (
    select repository, entity, outcome, reason, finished_at from ops.collection_log
    where
        finished_at > cast(:now as timestamptz) - make_interval(days => :log_days) and finished_at <= :now
        and (
            lower(repository) in (select repository from named)
            or entity = 'repositories' and lower(repository) = any (cast(:named as text[]))
            -- Before the first collection nothing is known of what is named.
            or not exists (select 1 from ops.repository_settings)
        )
),
last_good as (
    select repository, entity, max(finished_at) as at from recent where outcome <> 'incomplete' group by 1, 2
),
days_wrong as (
    select recent.repository, recent.entity, count(distinct (finished_at at time zone 'UTC')::date) as days
    from recent left join last_good using (repository, entity)
    where outcome = 'incomplete' and finished_at > coalesce(last_good.at, '-infinity')
    group by 1, 2
),
newest as (
    select distinct on (repository, entity) repository, entity, outcome, reason
    from recent order by repository, entity, finished_at desc
)
select newest.*, coalesce(days_wrong.days, 0) as days
from newest left join days_wrong using (repository, entity)
where
    outcome = 'incomplete'
    or repository || ' ' || entity in (select subject from ops.alerts where rule = :rule and state <> 'resolved')
order by repository, entity
"""


def _rate_limited(connection: sa.Connection, rule: PipelineRule, runs: RunFacts, now: datetime) -> Iterator[_Standing]:
    used = {row.source: row.used for row in connection.execute(sa.text(_USED), {"now": now})}
    for source, budget in sorted(runs.budgets.items()):
        share = float(used.get(source, 0)) / budget
        # A long run's use is noted as a whole, so it can come to more than an hour has.
        shown = "all" if share >= 1 else f"{share:.0%}".replace("%", " %")
        text = f"{shown} of the {budget:,.0f} requests and points that may be used of {source} in an hour are used."
        yield _Standing(source, share > rule.share, text, value=round(min(share, 1.0), 3), reference=rule.share)


# As warehouse.collection.used_within_the_hour: a request that cost points is in its points. Requests and points have
# budgets of their own, so the one that is used more counts.
_USED = """
with by_resource as (
    select source, resource, sum(greatest(requests, points)) as used from ops.api_usage
    where updated_at > cast(:now as timestamptz) - interval '1 hour' and updated_at <= :now
    group by source, resource
)
select source, max(used)::float8 as used from by_resource group by source
"""


def _undelivered(connection: sa.Connection, rule: PipelineRule, runs: RunFacts, now: datetime) -> Iterator[_Standing]:
    hours = 1.0 if rule.hours is None else rule.hours
    for row in connection.execute(sa.text(_WAITING), {"now": now}):
        waited = float(row.hours)
        reason = f" ({_reason(row.last_error).rstrip('.')})" if row.last_error else ""
        text = (
            f"{row.waiting} notification{'' if row.waiting == 1 else 's'} for the channel {row.channel} cannot be "
            f"delivered, the oldest for {waited:.1f} hours{reason}. Nothing is lost; it is tried again."
        )
        yield _Standing(row.channel, waited > hours, text, value=round(waited, 2), reference=hours, n=row.waiting)


# A row is a channel: how long its oldest notification has been tried. Tries are 1, 2, 4 ... 60 minutes apart. What is
# held on purpose is not meant: its time lies ahead, or somebody silenced it.
_WAITING = f"""
with waiting as (
    select
        channel,
        last_error,
        notification_id,
        case
            when attempts <= 1 then 0 when attempts <= 7 then power(2, attempts - 1) - 1 else 63 + (attempts - 7) * 60
        end as tried_minutes,
        case when attempts = 0 then 0 when attempts <= 6 then power(2, attempts - 1) else 60 end as next_minutes,
        extract(epoch from cast(:now as timestamptz) - next_attempt_at) / 60 as overdue_minutes
    from ops.notifications as notifications
    left join ops.alert_events as events using (event_id)
    left join ops.alerts as alerts using (alert_id)
    where
        notifications.state = 'pending'
        and (attempts > 0 or next_attempt_at <= :now)
        and not {SILENCED}
)
select
    channel,
    count(*) as waiting,
    max(tried_minutes + greatest(next_minutes + overdue_minutes, 0)) / 60 as hours,
    (array_agg(last_error order by tried_minutes desc, notification_id))[1] as last_error
from waiting
group by channel
order by channel
"""

_LOOK: Mapping[str, Callable[[sa.Connection, PipelineRule, RunFacts, datetime], Iterator[_Standing]]] = {
    "run_failed": _run_failed,
    "data_late": _data_late,
    "collection_incomplete": _collection_incomplete,
    "rate_limited": _rate_limited,
    "undelivered": _undelivered,
}


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def _reason(text: Any) -> str:
    """The first line of a reason as a sentence."""
    line = (str(text or "").strip().splitlines() or ["nothing says why"])[0][:300]
    return line if line.endswith(".") else f"{line}."
