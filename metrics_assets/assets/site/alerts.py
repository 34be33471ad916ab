"""The page of alerts and anomalies: what it reads as of a day, and the banner of critical alerts for all pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets.alerting.events import TOLD
from metrics_assets.alerting.recording import BY_HAND
from metrics_assets.alerting.subjects import kinds_of
from metrics_assets.assets.site.open_alerts import TEAM, alerts_of
from metrics_assets.assets.site.reading import Reading
from metrics_assets.catalogue.alerts import PipelineRule, Rule
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.reporting.data import BannerItem, SiteInfo
from metrics_assets.reporting.pages.alerts import (
    AlertsData,
    EndedAlert,
    OpenAlert,
    RuleRecord,
    Silence,
    UnusualDay,
    WatchedLabel,
    alerts_files,
    since,
)

MOST_IN_THE_BANNER = 5
# Figures that count issues by their labels, the most urgent first.
_LABELS = (
    "p0_bugs_opened", "p0_bugs_open", "p1_issues_opened", "bugs_opened_week", "bugs_open",
    "installation_issues_opened_week", "privacy_issues_opened", "documentation_issues_opened_week",
)  # fmt: skip

# Alerts that had begun by the day and had not ended before the 28 days; a day is evaluated on the day after it.
_ALERTS = f"""
select
    alerts.rule, alerts.subject_kind, alerts.subject, alerts.metric, alerts.severity, alerts.opened_on,
    alerts.resolved_on, coalesce(alerts.resolved_because, '') as because, coalesce(alerts.text, '') as text,
    (
        select coalesce(max(events.level), 0) from ops.alert_events as events
        where events.alert_id = alerts.alert_id and events.event = 'escalated'
          and (events.created_at at time zone 'UTC')::date <= cast(:day as date) + 1
    ) as escalated
from ops.alerts as alerts
where alerts.state <> 'pending' and alerts.opened_on <= :day and alerts.subject_kind <> '{TEAM}'
  and (alerts.resolved_on is null or alerts.resolved_on >= :since)
order by alerts.alert_id
"""
# What people said within the 28 days, of alerts that may have ended long ago.
_JUDGED = f"""
select alerts.rule, outcomes.outcome, count(*) as alerts
from ops.alert_outcomes as outcomes
join ops.alerts as alerts using (alert_id)
where (outcomes.decided_at at time zone 'UTC')::date between :since and cast(:day as date) + 1
  and alerts.opened_on <= :day and alerts.subject_kind <> '{TEAM}'
group by alerts.rule, outcomes.outcome
"""
# Without who said so and why: both may name people. A silence without a kind may be about a team.
_SILENCES = f"""
select rule, subject, (starts_at at time zone 'UTC')::date as starts_on, (ends_at at time zone 'UTC')::date as ends_on
from ops.silences
where (starts_at at time zone 'UTC')::date <= :day and (ends_at at time zone 'UTC')::date > :day
  and (created_at at time zone 'UTC')::date <= cast(:day as date) + 1
  and subject_kind is distinct from '{TEAM}'
  and (subject is null or subject not in (
      select team from ops.team_members
      union select team from ops.repository_settings where team is not null
      union select unnest(space_teams) from ops.portfolio
  ))
order by starts_at, silence_id
"""
_LABELLED = """
select metric, date, sum(value) filter (where state in ('ok', 'provisional')) as value,
       count(value) filter (where state in ('ok', 'provisional')) as known
from metrics.metric_values
where metric = any (:metrics) and subject_kind = 'repository' and date >= :since and date <= :day
group by metric, date
"""
_ANOMALIES = f"""
select date, metric, subject_kind, subject, coalesce(severity, 'info') as severity, coalesce(kind, '') as kind, value,
       expected, coalesce(explanation, '') as explanation, known_event, score
from metrics.anomalies
where state = 'anomaly' and date >= :since and date <= :day and subject_kind <> '{TEAM}'
order by date desc, subject, metric
"""


def banner(reading: Reading) -> tuple[BannerItem, ...]:
    """The critical alerts that are open, for the head of every page: at most five, the oldest first."""
    alerts = alerts_of(reading)
    critical = alerts[alerts["severity"] == "critical"].sort_values(["opened_on", "subject", "title"], kind="stable")
    return tuple(
        BannerItem(alert.title, alert.subject, alert.opened_on, _place(alert.anchor))
        for alert in _records(critical.head(MOST_IN_THE_BANNER))
    )


def _place(anchor: str) -> str:
    return f"{addresses.ALERTS}#{anchor}" if anchor else addresses.ALERTS


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """alerts.html and its CSV files."""
    yield from alerts_files(site, alerts_data(reading))


def alerts_data(reading: Reading) -> AlertsData:
    """What the page shows as of the reading's day; nothing of it is about a team."""
    given = {"day": reading.day, "since": since(reading.day)}
    with reading.engine.connect() as connection:
        alerts = list[Any](connection.execute(sa.text(_ALERTS), given).all())
        judged = {(row.rule, row.outcome): row.alerts for row in connection.execute(sa.text(_JUDGED), given)}
        silences = connection.execute(sa.text(_SILENCES), given).all()
        anomalies = connection.execute(sa.text(_ANOMALIES), given).all()
        repositories = connection.execute(sa.text("select count(*) from ops.repository_settings")).scalar_one()
        wanted = [key for key in _LABELS if key in reading.metrics]
        labelled = list[Any](connection.execute(sa.text(_LABELLED), given | {"metrics": wanted}).all())
    frame = alerts_of(reading)
    rules = {key: without_teams(rule) for key, rule in reading.rules.items()}
    fired = _fired(alerts, frame, rules, reading.day)
    return AlertsData(
        open=_open(frame, alerts, rules),
        ended=tuple(_ended(row, rules) for row in alerts if _has_ended(row, reading.day)),
        silences=tuple(Silence(*row) for row in silences),
        rules=tuple(
            RuleRecord(rule, fired.get(key, 0), judged.get((key, "useful"), 0), judged.get((key, "noise"), 0))
            for key, rule in rules.items()
        ),
        anomalies=tuple(UnusualDay(*row) for row in anomalies),
        labels=tuple(_label(key, labelled, rules, repositories, reading.day) for key in wanted),
        metrics=reading.metrics,
        catalogue=load_catalogue(),
    )


def without_teams(rule: Rule) -> Rule:
    """A rule as every page may say it: where it is about teams, without their names."""
    return rule.model_copy(update={"subjects": ()}) if rule.subjects and TEAM in kinds_of(rule) else rule


def _label(key: str, rows: list[Any], rules: Mapping[str, Rule], repositories: int, day: date) -> WatchedLabel:
    """A figure by labels: of the 28 days where it counts a day, else of the day itself."""
    of_metric = [row for row in rows if row.metric == key]
    today = [row for row in of_metric if row.date == day]
    counted = [row.value for row in (of_metric if key.endswith("_opened") else today) if row.value is not None]
    return WatchedLabel(
        metric=key,
        number=sum(counted) if counted else None,
        known=sum(row.known for row in today),
        repositories=repositories,
        rules=tuple(rule.title for rule in rules.values() if key in rule.metrics()),
    )


def _records(frame: pd.DataFrame) -> list[Any]:
    """The rows of a frame; what is missing is None."""
    return list(frame.astype(object).where(frame.notna(), None).itertuples())


def _open(frame: pd.DataFrame, alerts: list[Any], rules: Mapping[str, Rule]) -> tuple[OpenAlert, ...]:
    escalated = {(row.rule, row.subject_kind, row.subject, row.metric): row.escalated for row in alerts}
    found = []
    for row in _records(frame):
        rule = rules[row.rule]
        runbook = rule.runbook
        found.append(
            OpenAlert(
                anchor=row.anchor,
                rule=row.rule,
                title=row.title,
                severity=row.severity,
                subject_kind=row.subject_kind,
                subject=row.subject,
                metric=row.metric or "",
                state=row.state,
                opened_on=row.opened_on,
                value=row.value,
                n=None if row.n is None else int(row.n),
                reference=row.reference,
                text=row.text.removesuffix(rule.action).strip(),
                action=rule.action,
                table=_table(row.metric, row.subject_kind),
                runbook=runbook if runbook and runbook.startswith(("http://", "https://")) else None,
                escalated=escalated.get((row.rule, row.subject_kind, row.subject, row.metric), 0),
            )
        )
    return tuple(found)


def _table(key: str | None, kind: str) -> str | None:
    metric = load_catalogue().metrics.get(key or "")
    if metric is None:
        return None
    return metric.groups if kind == "portfolio" and metric.groups is not None else metric.stored_in


def _has_ended(row: Any, day: date) -> bool:
    return row.resolved_on is not None and row.resolved_on <= day


def _ended(row: Any, rules: Mapping[str, Rule]) -> EndedAlert:
    return EndedAlert(
        title=rules[row.rule].title if row.rule in rules else row.rule.replace("_", " "),
        severity=row.severity,
        subject_kind=row.subject_kind,
        subject=row.subject,
        metric=row.metric,
        opened_on=row.opened_on,
        resolved_on=row.resolved_on,
        # Who ended it, and what they noted, is nobody else's business.
        because="ended by hand" if row.because.startswith(BY_HAND) else row.because or "not said",
        text=row.text,
        is_milestone=row.because == TOLD,
    )


def _fired(alerts: list[Any], frame: pd.DataFrame, rules: Mapping[str, Rule], day: date) -> dict[str, int]:
    """How many alerts of each rule fired in the 28 days: those that are recorded, and those that the day says."""
    first, found = since(day), set()
    for row in alerts:
        rule = rules.get(row.rule)
        # It fired when the rule had held for long enough; the pipeline has no days of figures.
        waited = 0 if rule is None or isinstance(rule, PipelineRule) else rule.for_days - 1
        if first <= row.opened_on + timedelta(days=waited) <= day:
            found.add((row.rule, row.subject_kind, row.subject, row.metric, row.opened_on))
    for row in _records(frame):
        waited = rules[row.rule].for_days - 1
        if first <= row.opened_on + timedelta(days=waited) <= day:
            found.add((row.rule, row.subject_kind, row.subject, row.metric, row.opened_on))
    counted: dict[str, int] = {}
    for rule_key, *_ in found:
        counted[rule_key] = counted.get(rule_key, 0) + 1
    return counted
