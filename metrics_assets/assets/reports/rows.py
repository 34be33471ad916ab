"""What reports are made of beside figures: goals, gates, alerts, forecasts, events, issues, as of a day.

No row of a team is read, so that no report can name one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting.rules import evaluate
from metrics_assets.catalogue.alerts import MilestoneRule, MultipleRule, Rule, ThresholdRule
from metrics_assets.reporting.data import MetricInfo, Target
from metrics_assets.reporting.reports import records
from metrics_assets.reporting.reports.lines import amount, number
from metrics_assets.reporting.reports.windows import Windows

_STANDS_DAYS = 7  # what is judged or forecast once a day or week stands for so many days
_MOST_ANOMALIES = 20
_MOST_ISSUES = 500


def goals(
    connection: sa.Connection, windows: Windows, metrics: Mapping[str, MetricInfo]
) -> Iterator[records.GoalState]:
    """The goals on the last day, with what they were before the period and when they are likely to be reached."""
    parameters = {"day": windows.now.last, "before": windows.before.last, "since": _since(windows)}
    for row in connection.execute(sa.text(_GOALS), parameters):
        if row.metric in metrics:
            yield records.GoalState(
                goal=row.goal,
                title=row.title,
                owner=row.owner,
                metric=metrics[row.metric],
                subject_kind=row.subject_kind,
                subject=row.subject,
                value=row.value,
                target=Target(row.title, row.target, row.comparison, row.status, row.due_on),
                status_before=row.status_before,
                reason=row.reason,
                expected=row.expected,
                likely_on=row.p50_on,
                probability=row.probability,
            )


_GOALS = """
select
    daily.goal, coalesce(catalogue.title, daily.goal) as title, coalesce(catalogue.owner, 'engineering') as owner,
    daily.metric, daily.subject_kind, daily.subject,
    case when daily.metric_state in ('ok', 'provisional') then daily.value end as value,
    daily.target, daily.comparison, daily.due_on, daily.status, daily.reason, daily.expected,
    before.status as status_before, forecast.p50_on, forecast.probability
from metrics.goals_daily as daily
left join metrics.goal_catalogue as catalogue on catalogue.goal = daily.goal
left join metrics.goals_daily as before
  on before.goal = daily.goal and before.subject_kind = daily.subject_kind and before.subject = daily.subject
 and before.date = :before
left join lateral (
    select * from metrics.goal_forecasts as every
    where every.goal = daily.goal and every.subject_kind = daily.subject_kind and every.subject = daily.subject
      and every.date <= :day and every.date > :since
    order by every.date desc limit 1
) as forecast on true
where daily.date = :day and daily.subject_kind <> 'team'
  and (catalogue.pack is null or catalogue.pack in (select unnest(packs) from ops.portfolio))
order by daily.goal, daily.subject_kind, daily.subject
"""


def gates(connection: sa.Connection, windows: Windows) -> Iterator[records.GateState]:
    parameters = {"day": windows.now.last, "since": _since(windows)}
    for row in connection.execute(sa.text(_GATES), parameters):
        yield records.GateState(row.title, row.subject, row.verdict, row.score, row.must_missing, tuple(row.missing))


_GATES = """
select distinct on (evaluations.gate, evaluations.subject_kind, evaluations.subject)
    coalesce(criteria.gate_title, evaluations.gate) as title, evaluations.subject, evaluations.verdict,
    evaluations.score, evaluations.must_missing, evaluations.missing
from metrics.gate_evaluations as evaluations
left join (select distinct gate, gate_title, pack from metrics.gate_criteria) as criteria using (gate)
where (criteria.pack is null or criteria.pack in (select unnest(packs) from ops.portfolio))
  and evaluations.date <= :day and evaluations.date > :since and evaluations.subject_kind <> 'team'
order by evaluations.gate, evaluations.subject_kind, evaluations.subject, evaluations.date desc
"""


def releases(connection: sa.Connection, windows: Windows) -> Iterator[records.ReleaseState]:
    """The releases of the period, newest first, with the verdict on each."""
    parameters = {"start": windows.now.start, "end": windows.now.end + timedelta(days=1)}
    for row in connection.execute(sa.text(_RELEASES), parameters):
        yield records.ReleaseState(row.repository, row.tag, row.on, row.is_prerelease, row.verdict, row.gate)


_RELEASES = """
select settings.repository, releases.tag, (releases.published_at at time zone 'UTC')::date as on,
       releases.is_prerelease, verdict.verdict, verdict.gate
from raw.releases as releases
join ops.repository_settings as settings using (repository_id)
left join lateral (
    select verdicts.verdict, coalesce(criteria.gate_title, verdicts.gate) as gate
    from metrics.gate_verdicts as verdicts
    left join metrics.gate_criteria as criteria on criteria.gate = verdicts.gate
    where verdicts.repository_id = releases.repository_id and verdicts.release = releases.tag
      and verdicts.subject_kind <> 'team'
    order by verdicts.verdict, verdicts.gate limit 1
) as verdict on true
where releases.published_at >= cast(:start as date)::timestamp at time zone 'UTC'
  and releases.published_at < cast(:end as date)::timestamp at time zone 'UTC'
  and not releases.is_draft
  and (releases.deleted_at is null or releases.deleted_at >= cast(:end as date)::timestamp at time zone 'UTC')
order by releases.published_at desc, settings.repository
"""


def alerts(
    engine: sa.Engine,
    rules: Mapping[str, Rule],
    windows: Windows,
    metrics: Mapping[str, MetricInfo],
    owners: Mapping[str, str],
) -> list[records.AlertState]:
    """The alerts that were open on a day of the period, and what the rules say of its last day.

    A past day may have been filled in without its rules being evaluated: what they say of the last day counts as well.
    An alert that was still open is told as it stood on the last day: its row says how it stands now.
    """
    day = windows.now.last
    with engine.connect() as connection:
        rows = connection.execute(sa.text(_ALERTS), {"start": windows.now.start, "day": day}).all()
    still_open = [
        (row.rule, row.subject_kind, row.subject, row.metric)
        for row in rows
        if row.resolved_on is None or row.resolved_on > day
    ]
    conditions = {said.key: said for said in evaluate(engine, rules, day, still_open).conditions}

    def alert(rule: Rule | None, said: Any, opened_on: date | None, resolved_on: date | None) -> records.AlertState:
        return records.AlertState(
            rule=said.rule,
            title=rule.title if rule else said.rule,
            subject=said.subject,
            severity=said.severity,
            opened_on=opened_on,
            resolved_on=resolved_on,
            text=said.text or "",
            action=rule.action if rule else "",
            metric=metrics.get(said.metric),
            value=said.value,
            owner=owners.get(said.metric, "engineering"),
        )

    found = []
    for row in rows:
        rule = rules.get(row.rule)
        days = rule.for_days if rule else 1
        if row.opened_on + timedelta(days=days - 1) > day:
            continue  # nobody knew of it yet
        resolved = row.resolved_on if row.resolved_on and row.resolved_on <= day else None
        said = None
        if resolved is None:
            said = conditions.pop((row.rule, row.subject_kind, row.subject, row.metric), None)
        found.append(alert(rule, said or row, row.opened_on, resolved))
    for said in conditions.values():
        rule = rules[said.rule]
        holds = said.verdict == "breached" and (said.days or 1) >= rule.for_days
        if holds and said.subject_kind != "team" and not isinstance(rule, MilestoneRule):
            found.append(alert(rule, said, None, None))
    return sorted(found, key=lambda one: (one.opened_on or day, one.rule, one.subject))


_ALERTS = """
select rule, metric, subject_kind, subject, severity, opened_on, resolved_on, text, value
from ops.alerts
where opened_on <= :day and (resolved_on is null or resolved_on >= :start)
  and state <> 'pending' and subject_kind <> 'team'
order by alert_id
"""


def rule_reviews(
    connection: sa.Connection, rules: Mapping[str, Rule], windows: Windows, as_of: date, units: Mapping[str, str]
) -> Iterator[records.RuleReview]:
    """The rules whose alerts opened within the period, with what people said of them by `as_of`."""
    parameters = {"start": windows.now.start, "day": windows.now.last, "as_of": as_of}
    for row in connection.execute(sa.text(_RULES), parameters):
        rule = rules.get(row.rule)
        title, limit = (rule.title, _limit(rule, units)) if rule else (row.rule, None)
        yield records.RuleReview(row.rule, title, limit, row.fired, row.useful, row.noise)


def _limit(rule: Rule, units: Mapping[str, str]) -> str | None:
    match rule:
        case ThresholdRule():
            return f"{'above' if rule.upwards else 'below'} {amount(rule.limit, units.get(rule.metric, 'count'))}"
        case MultipleRule():
            return f"{number(rule.factor)} times the baseline"
        case _:
            return None


_RULES = """
select alerts.rule, count(*) as fired,
       count(*) filter (where outcomes.outcome = 'useful') as useful,
       count(*) filter (where outcomes.outcome = 'noise') as noise
from ops.alerts as alerts
left join ops.alert_outcomes as outcomes
  on outcomes.alert_id = alerts.alert_id and (outcomes.decided_at at time zone 'UTC')::date <= :as_of
where alerts.opened_on >= :start and alerts.opened_on <= :day and alerts.state <> 'pending'
  and alerts.subject_kind <> 'team'
group by alerts.rule
order by fired desc, alerts.rule
"""


def anomalies(
    connection: sa.Connection, windows: Windows, metrics: Mapping[str, MetricInfo]
) -> Iterator[records.AnomalyState]:
    """The days of the period that were unusual, the most unusual first."""
    parameters = {"start": windows.now.start, "day": windows.now.last, "most": _MOST_ANOMALIES}
    for row in connection.execute(sa.text(_ANOMALIES), parameters):
        title = metrics[row.metric].title if row.metric in metrics else row.metric
        yield records.AnomalyState(
            title, row.subject_kind, row.subject, row.date, row.severity, row.kind, row.explanation
        )


_ANOMALIES = """
select metric, subject_kind, subject, date, severity, kind, explanation
from metrics.anomalies
where state = 'anomaly' and date >= :start and date <= :day and subject_kind <> 'team'
  and severity in ('critical', 'warning') and explanation is not null
order by array_position('{portfolio,repository}'::text[], subject_kind) nulls last,
         array_position('{critical,warning}'::text[], severity), abs(score) desc nulls last, date desc, metric, subject
limit :most
"""


def insights(connection: sa.Connection, windows: Windows) -> Iterator[records.InsightState]:
    """The newest of each insight of the period, those that weigh most first."""
    for row in connection.execute(sa.text(_INSIGHTS), {"start": windows.now.start, "day": windows.now.last}):
        yield records.InsightState(*row)


_INSIGHTS = """
select newest.topic, newest.subject_kind, newest.subject, newest.date, newest.weight, newest.sentence, newest.action,
       coalesce(catalogue.owner, 'engineering')
from (
    select distinct on (insight, subject_kind, subject) *
    from metrics.insights
    where date >= :start and date <= :day and subject_kind <> 'team'
    order by insight, subject_kind, subject, date desc
) as newest
left join metrics.catalogue as catalogue on catalogue.metric = newest.evidence->>'metric'
order by newest.weight desc, newest.insight, newest.subject
"""


def outlooks(
    connection: sa.Connection, windows: Windows, metrics: Mapping[str, MetricInfo], portfolio: str
) -> Iterator[records.Outlook]:
    """The newest forecasts of the portfolio's figures, as far ahead as they go."""
    parameters = {
        "metrics": list(metrics), "day": windows.now.last, "since": _since(windows), "portfolio": portfolio,
    }  # fmt: skip
    rows = {row.metric: row for row in connection.execute(sa.text(_OUTLOOKS), parameters)}
    for key in metrics:
        if (row := rows.get(key)) is None:
            continue
        scenarios = sorted(row.scenarios or (), key=lambda one: -float(one["p50"]))
        yield records.Outlook(
            metric=metrics[key],
            made_on=row.date,
            target_on=row.target_on,
            p10=row.p10,
            p50=row.p50,
            p90=row.p90,
            beats_naive=row.beats_naive,
            coverage=row.coverage,
            reason=row.reason,
            scenarios=tuple(records.Scenario(one["name"], one["p10"], one["p50"], one["p90"]) for one in scenarios),
        )


_OUTLOOKS = """
select distinct on (forecasts.metric)
    forecasts.metric, forecasts.date, forecasts.target_on, forecasts.p10, forecasts.p50, forecasts.p90,
    judged.beats_naive, judged.coverage, forecasts.reason,
    (
        select jsonb_agg(jsonb_build_object('name', scenario, 'p10', scenarios.p10, 'p50', scenarios.p50,
                                            'p90', scenarios.p90))
        from metrics.forecast_scenarios as scenarios
        where scenarios.metric = forecasts.metric and scenarios.subject_kind = forecasts.subject_kind
          and scenarios.subject = forecasts.subject and scenarios.date = forecasts.date
          and scenarios.horizon = forecasts.horizon
    ) as scenarios
from metrics.forecasts as forecasts
-- Forecasts so far ahead can seldom be checked: those 30 days ahead say how good it is.
left join metrics.forecasts as judged
  on judged.metric = forecasts.metric and judged.subject_kind = forecasts.subject_kind
 and judged.subject = forecasts.subject and judged.date = forecasts.date and judged.horizon = 30
where forecasts.metric = any (:metrics) and forecasts.subject_kind = 'portfolio' and forecasts.subject = :portfolio
  and forecasts.date <= :day and forecasts.date > :since
order by forecasts.metric, forecasts.date desc, forecasts.horizon desc
"""


def events(connection: sa.Connection, windows: Windows) -> Iterator[records.EventState]:
    """What happened in the period beside releases, which have rows of their own; oldest first."""
    parameters = {"start": windows.now.start, "day": windows.now.last}
    for row in connection.execute(sa.text(_EVENTS), parameters):
        yield records.EventState(*row)


_EVENTS = """
select date, kind, title, subject
from metrics.known_events
where date >= :start and date <= :day and kind <> 'release'
order by date, kind, subject, title
"""


def milestones(connection: sa.Connection, windows: Windows) -> Iterator[records.MilestoneState]:
    """The milestones that were closed in the period, and the open ones that are due within 45 days after it."""
    last = windows.now.last
    parameters = {"start": windows.now.start, "day": last, "until": last + timedelta(days=45)}
    for row in connection.execute(sa.text(_MILESTONES), parameters):
        closed = row.closed_on if row.closed_on and row.closed_on <= last else None
        yield records.MilestoneState(row.repository, row.title, None if closed else row.due_on, closed)


_MILESTONES = """
with dated as (
    select settings.repository, milestones.title, (milestones.created_at at time zone 'UTC')::date as created_on,
           (milestones.due_on at time zone 'UTC')::date as due_on,
           (milestones.closed_at at time zone 'UTC')::date as closed_on
    from raw.milestones as milestones
    join ops.repository_settings as settings using (repository_id)
    where milestones.deleted_at is null
       or milestones.deleted_at >= (cast(:day as date) + 1)::timestamp at time zone 'UTC'
)

select repository, title, due_on, closed_on
from dated
where created_on <= :day
  and (
      closed_on between :start and :day
      or (closed_on is null or closed_on > :day) and due_on > :day and due_on <= :until
  )
order by coalesce(closed_on, due_on), repository, title
"""


def issues(connection: sa.Connection, windows: Windows) -> Iterator[records.IssueState]:
    """The bugs, urgent issues and requests for features that stood open in the period; labels as last collected."""
    parameters = {
        "start": windows.now.start, "after": windows.now.last + timedelta(days=1), "most": _MOST_ISSUES,
    }  # fmt: skip
    for row in connection.execute(sa.text(_ISSUES), parameters):
        yield records.IssueState(*row)


_ISSUES = """
with labelled as (
    select labels,
           case when names && '{p0,critical,security}' then 'P0' when names && '{p1,high}' then 'P1'
                when names && '{p2,medium}' then 'P2' else '' end as severity,
           names && '{bug,regression,crash}' as is_bug,
           names && '{feature,enhancement,feature request,feature-request}' as is_request
    from (
        select labels, metrics.label_names(labels) as names
        from (select distinct labels from raw.issues where labels <> '{}') as label_sets
    ) as named
),

-- An issue that was reopened has several spans: the last one that had begun says how it stands.
spans as (
    select distinct on (repository_id, number) repository_id, number, ended_at
    from metrics.issue_open_spans(cast(:start as date))
    where opened_at < cast(:after as date)::timestamp at time zone 'UTC'
    order by repository_id, number, opened_at desc
)

select
    settings.repository, issues.number, coalesce(issues.title, ''), labelled.severity, labelled.is_bug,
    labelled.is_request, (issues.created_at at time zone 'UTC')::date,
    case when spans.ended_at < cast(:after as date)::timestamp at time zone 'UTC'
         then (spans.ended_at at time zone 'UTC')::date end,
    (
        select count(*) from raw.issue_events as events
        where events.repository_id = issues.repository_id and events.number = issues.number
          and events.event = 'commented' and not coalesce(events.actor_is_bot, false)
          and events.created_at < cast(:after as date)::timestamp at time zone 'UTC'
    )::integer
from spans
join raw.issues as issues using (repository_id, number)
join labelled using (labels)
join ops.repository_settings as settings using (repository_id)
where labelled.is_bug or labelled.is_request or labelled.severity <> ''
order by labelled.severity = '', labelled.severity, issues.created_at, settings.repository, issues.number
limit :most
"""


def unanswered(connection: sa.Connection, windows: Windows) -> Iterator[records.Unanswered]:
    """What was opened in the 28 days up to the last day and nobody answered, closed or not, in the whole portfolio."""
    parameters = {"day": windows.now.last, "before": windows.before.last}
    rows = {row.date: row for row in connection.execute(sa.text(_UNANSWERED), parameters)}
    now, before = rows.get(windows.now.last), rows.get(windows.before.last)
    for what, column in (("Issues", "issues_unanswered"), ("Pull requests", "pull_requests_unanswered")):
        yield records.Unanswered(what, getattr(now, column, None), getattr(before, column, None))


_UNANSWERED = """
select date, issues_unanswered, pull_requests_unanswered
from metrics.group_daily
where subject_kind = 'portfolio' and date in (:day, :before)
"""


def _since(windows: Windows) -> date:
    return windows.now.last - timedelta(days=_STANDS_DAYS)
