"""The alerts that are open as of the site's day, in the words of that day."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
import sqlalchemy as sa

from metrics_assets.alerting.rules import evaluate
from metrics_assets.assets.site.reading import Reading
from metrics_assets.catalogue.alerts import SEVERITIES, Rule
from metrics_assets.reporting.data import ALERT_COLUMNS
from metrics_assets.reporting.pages.alerts import MOST_SHOWN

TEAM = "team"
_FOUND = "open alerts"
OPEN_ALERT_COLUMNS = (*ALERT_COLUMNS, "subject_kind", "metric", "anchor")

# The alerts that people had been told of when the day was evaluated, which is on the day after it.
_OPEN_ALERTS = """
select rule, metric, subject_kind, subject, severity, opened_on, value, n, reference, coalesce(text, '') as text,
       case when (acknowledged_at at time zone 'UTC')::date <= cast(:day as date) + 1 then 'acknowledged'
            else 'firing' end as state
from ops.alerts
where opened_on <= :day and (resolved_on is null or resolved_on > :day)
  and state <> 'pending'
  and coalesce((fired_at at time zone 'UTC')::date, opened_on) <= cast(:day as date) + 1
order by alert_id
"""


def alerts_of(reading: Reading) -> pd.DataFrame:
    """The open alerts of the reading's day without those of teams, in the order of the page of alerts.

    The rules are evaluated once for all pages. `anchor` is '' where that page has no row for the alert, only its CSV.
    """
    if _FOUND not in reading.found:
        frame = open_alerts(reading.engine, reading.rules, reading.day)
        rank = {severity: number for number, severity in enumerate(reversed(SEVERITIES))}
        frame = frame.assign(rank=frame["severity"].map(rank)).sort_values(
            ["rank", "opened_on", "subject", "title"], kind="stable", ignore_index=True
        )
        frame.loc[MOST_SHOWN:, "anchor"] = ""
        reading.found[_FOUND] = frame[list(OPEN_ALERT_COLUMNS)]
    found: pd.DataFrame = reading.found[_FOUND]
    return found.copy()


def open_alerts(engine: sa.Engine, rules: Mapping[str, Rule], day: date, *, teams: bool = False) -> pd.DataFrame:
    """The alerts that are open as of the day, in the words of the day itself.

    The site of a day may be built before its rules are evaluated: what they say counts as well.

    Args:
        teams: whether alerts about teams are wanted too; only a team's own page may show them.

    Returns:
        OPEN_ALERT_COLUMNS: those of reporting.data, subject_kind, metric and `anchor`, the id that the row has on the
        page of alerts. `opened_on` is the first day that the rule held.
    """
    with engine.connect() as connection:
        alerts = connection.execute(sa.text(_OPEN_ALERTS), {"day": day}).all()
    known = [(alert.rule, alert.subject_kind, alert.subject, alert.metric) for alert in alerts]
    conditions = {condition.key: condition for condition in evaluate(engine, rules, day, known).conditions}
    rows = []
    for key, alert in zip(known, alerts, strict=True):
        said = conditions.pop(key, None)
        rule = rules.get(alert.rule)
        ends = rule and said and said.verdict == "fine" and (said.days or 1) >= rule.clear_days
        if rule is not None and not ends:
            rows.append(_row(rule, alert, said or alert, alert.state, alert.opened_on))
    for one in conditions.values():
        rule = rules[one.rule]
        if one.verdict == "breached" and (one.days or 1) >= rule.for_days and rule.kind != "milestone":
            rows.append(_row(rule, one, one, "firing", one.since or day))
    found = pd.DataFrame(rows, columns=list(OPEN_ALERT_COLUMNS))
    return found if teams else found[found["subject_kind"] != TEAM].reset_index(drop=True)


def alert_anchor(rule: str, subject_kind: str, subject: str, metric: str) -> str:
    """The id of an alert on the page of alerts: the same from day to day, and safe whatever the names hold."""
    about = "\0".join((subject_kind, subject, metric))
    return f"alert-{rule}-{hashlib.sha256(about.encode()).hexdigest()[:8]}"


def _row(rule: Rule, alert: Any, said: Any, state: str, opened_on: date) -> tuple[Any, ...]:
    """A row of the site's table: `said` is how it stands, a condition or the alert itself."""
    return (
        rule.key, rule.title, alert.subject, alert.severity, state, opened_on, said.value, said.n, said.reference,
        f"{said.text} {rule.action}", alert.subject_kind, alert.metric,
        alert_anchor(rule.key, alert.subject_kind, alert.subject, alert.metric),
    )  # fmt: skip
