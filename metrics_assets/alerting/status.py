"""The status line of a day: is all well, and if not, what is not (requirement S2-58)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from metrics_assets.alerting.events import TOLD
from metrics_assets.alerting.outbox import enqueue_message
from metrics_assets.alerting.pipeline import newest_days
from metrics_assets.catalogue.alerts import SEVERITIES, Rule
from metrics_assets.settings import Settings

_WORST_SHOWN = 3
_MOST_KEPT = 50  # of each kind of problem, in the details


@dataclass(frozen=True, slots=True)
class Status:
    """How a day stands.

    Attributes:
        line: one sentence, the day in front.
        details: alerts (how many hold, by severity), milestones, acknowledged, repositories, incomplete, late_tables,
            failed_checks, newest_day.
    """

    date: date
    status: Literal["healthy", "issues", "unknown"]
    line: str
    details: Mapping[str, Any]


def status_of(engine: sa.Engine, rules: Mapping[str, Rule], on: date, failed_checks: Sequence[str] = ()) -> Status:
    """How a day stands: its alerts, how it was collected, which tables do not have it.

    Alerts of severity info are notes: they are counted, but are no issues. Milestones that were reached on the day are
    good news. A past day is told by the alerts that held then; what concerns the pipeline itself is known a day later.

    Args:
        failed_checks: the asset checks that did not pass, each in a few words.
    """
    with engine.connect() as connection:
        newest = connection.execute(sa.text("select max(date) from metrics.dora_daily")).scalar()
        has_figures = connection.execute(sa.text(_HAS_FIGURES), {"on": on}).scalar()
        if newest is None or not has_figures:
            line = f"{on}: unknown: there are no figures of this day."
            return Status(on, "unknown", line, {"newest_day": _day(newest)})
        alerts = connection.execute(sa.text(_ALERTS), {"on": on, "is_newest": on >= newest}).all()
        milestones = connection.execute(sa.text(_MILESTONES), {"on": on, "told": TOLD}).scalar_one()
        collections = connection.execute(sa.text(_COLLECTIONS), {"on": on}).all()
        late = sorted(table for table, day in newest_days(connection).items() if day < on)
    alerts = sorted(alerts, key=lambda row: (-SEVERITIES.index(row.severity), row.opened_on, row.rule, row.subject))
    severities = Counter(row.severity for row in alerts)
    incomplete = [row for row in collections if row.outcome == "incomplete"]
    repositories = {row.repository for row in collections if row.is_ours}
    whole = repositories - {row.repository for row in incomplete}
    details = {
        "alerts": {severity: severities[severity] for severity in reversed(SEVERITIES)},
        "milestones": milestones,
        "acknowledged": sum(row.state == "acknowledged" for row in alerts),
        "repositories": {"collected_whole": len(whole), "all": len(repositories)},
        "incomplete": [f"{row.repository} {row.entity}: {row.reason}" for row in incomplete[:_MOST_KEPT]],
        "incomplete_count": len(incomplete),
        "late_tables": late,
        "failed_checks": list(failed_checks[:_MOST_KEPT]),
        "newest_day": _day(newest),
    }
    bad = [row for row in alerts if row.severity != "info"]
    worst = [
        *(f"{rules[row.rule].title if row.rule in rules else row.rule}: {row.subject}" for row in bad),
        *failed_checks,
        *(f"{row.entity} of {row.repository} not collected whole" for row in incomplete),
        *(f"{table} has no row of the day" for table in late),
    ]
    notes = severities["info"]
    besides = [
        *([f"{_count(notes, 'note', 'notes')} (info)"] if notes else []),
        *([f"{_count(milestones, 'milestone', 'milestones')} reached"] if milestones else []),
    ]
    if not worst:
        found = [
            f"{_count(len(whole), 'repository', 'repositories')} collected whole",
            f"newest figures of {newest}",
            *([] if notes else ["no alert fires"]),
            *besides,
        ]
        return Status(on, "healthy", f"{on}: healthy: {', '.join(found)}.", details)
    found = [
        _count(len(bad), "alert fires", "alerts fire") + _by_severity(severities) if bad else "no alert fires",
        *([_count(len(failed_checks), "check failed", "checks failed")] if failed_checks else []),
        *([_count(len(incomplete), "list is", "lists are") + " not whole"] if incomplete else []),
        *([_count(len(late), "table is late", "tables are late")] if late else []),
        *besides,
    ]
    more = f"; and {len(worst) - _WORST_SHOWN} more" if len(worst) > _WORST_SHOWN else ""
    line = f"{on}: issues: {', '.join(found)}. {'; '.join(worst[:_WORST_SHOWN])}{more}."
    return Status(on, "issues", line, details)


def write_status(engine: sa.Engine, status: Status, now: datetime) -> None:
    """Keep a day's status in ops.daily_status, in the place of what was there."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.daily_status as kept (date, status, line, details, made_at) "
                "values (:date, :status, :line, cast(:details as jsonb), :now) on conflict (date) do update set "
                "status = excluded.status, line = excluded.line, details = excluded.details, "
                "made_at = excluded.made_at "
                "where (kept.status, kept.line, kept.details) "
                "is distinct from (excluded.status, excluded.line, excluded.details)"
            ),
            {
                "date": status.date,
                "status": status.status,
                "line": status.line,
                "details": json.dumps(status.details, sort_keys=True),
                "now": now,
            },
        )


def tell_status(engine: sa.Engine, status: Status, settings: Settings, now: datetime) -> int:
    """Put a day's line into the outbox for the channels with `daily_status: true`, once for each day.

    Returns:
        How many channels will be told that were not told before.
    """
    channels = [name for name, channel in settings.channels.items() if channel.daily_status]
    message = {
        "title": f"{settings.portfolio}: {status.status} on {status.date}",
        "lines": [status.line.removeprefix(f"{status.date}: ")],
        "severity": "warning" if status.status == "issues" else "info",
        "status": status.status,
        "date": status.date.isoformat(),
    }
    with engine.begin() as connection:
        return enqueue_message(connection, f"daily_status:{status.date}", channels, message, now, settings)


def newest_status(engine: sa.Engine) -> Status | None:
    """The status of the newest day that has one."""
    with engine.connect() as connection:
        row = connection.execute(
            sa.text("select date, status, line, details from ops.daily_status order by date desc limit 1")
        ).one_or_none()
    return None if row is None else Status(row.date, row.status, row.line, row.details)


_HAS_FIGURES = "select exists (select 1 from metrics.dora_daily where date = :on)"
_ALERTS = """
select rule, subject_kind, subject, severity, state, opened_on
from ops.alerts
where
    state <> 'pending'
    and case
        when subject_kind <> 'pipeline' then opened_on <= :on and (resolved_on is null or resolved_on > :on)
        when :is_newest then state <> 'resolved'
        else opened_on <= cast(:on as date) + 1 and (resolved_on is null or resolved_on > cast(:on as date) + 1)
    end
"""
# A milestone is told once, and its alert has ended with that.
_MILESTONES = "select count(*) from ops.alerts where resolved_because = :told and opened_on = :on"
# A row is a list of a repository (or of a package or community): how the newest collection went that was about the day.
_COLLECTIONS = """
select distinct on (log.repository, log.entity)
    log.repository,
    log.entity,
    log.outcome,
    coalesce(log.reason, 'nothing says why') as reason,
    settings.repository is not null as is_ours
from ops.collection_log as log
left join ops.repository_settings as settings on settings.repository = log.repository
where log.range_start <= :on and log.range_end > :on
order by log.repository, log.entity, log.finished_at desc
"""


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _by_severity(severities: Mapping[str, int]) -> str:
    parts = [f"{severities[name]} {name}" for name in reversed(SEVERITIES) if name != "info" and severities.get(name)]
    return f" ({', '.join(parts)})"


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
