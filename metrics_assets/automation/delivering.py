"""Asking for runs that deliver: one for each group of notifications that is due."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
import sqlalchemy as sa

from metrics_assets.alerting.outbox import DueGroup, due
from metrics_assets.assets.alerts import GROUP_TAG
from metrics_assets.automation.jobs import ALERTS_JOB

_RUN_KEY_TAG = "dagster/run_key"
# So many groups at once get a run each; more are delivered by one run.
_MOST_RUNS = 20
_SUBJECTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Outbox:
    """What a sensor does about the outbox.

    Attributes:
        sentence: what is in it, without a full stop.
    """

    requests: list[dg.RunRequest]
    sentence: str


def look_at_outbox(engine: sa.Engine, instance: dg.DagsterInstance, now: datetime) -> Outbox:
    """The runs to ask for now.

    A run that dies before its try is noted would be asked for never again, as its key was used; so the key holds the
    hour. Sensors keep apart only the keys of their own: what another sensor has asked for is left out here.
    """
    groups = due(engine, now)
    requests = _requests(groups, now)
    keys = [str(request.run_key) for request in requests]
    asked = _asked_for(instance, keys) if keys else set()
    new = [request for request in requests if request.run_key not in asked]
    parts = [f"{len(groups)} to deliver" if groups else "nothing to deliver"]
    if len(new) < len(requests):
        parts.append(f"{len(requests) - len(new)} of the runs asked for before")
    if held := _held(engine, now):
        parts.append(held)
    return Outbox(new, ", ".join(parts))


def _requests(groups: list[DueGroup], now: datetime) -> list[dg.RunRequest]:
    hour = int(now.timestamp()) // 3600
    if len(groups) > _MOST_RUNS:
        named = "\n".join(f"{group.group_key}:{group.attempts}" for group in groups)
        key = hashlib.sha256(named.encode()).hexdigest()[:16]
        return [dg.RunRequest(run_key=f"alert:all:{key}:{hour}", tags={"metrics/alert": f"{len(groups)} groups"})]
    return [
        dg.RunRequest(
            run_key=f"alert:{group.group_key}:{group.attempts}:{hour}",
            tags={GROUP_TAG: group.group_key, "metrics/alert": _about(group), "metrics/subject": _subjects(group)},
        )
        for group in groups
    ]


def _about(group: DueGroup) -> str:
    return f"{group.rule} {group.event}" if group.rule else group.group_key.split(":")[0]


def _subjects(group: DueGroup) -> str:
    more = len(group.subjects) - _SUBJECTS_SHOWN
    shown = ", ".join(group.subjects[:_SUBJECTS_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown or "everybody"


def _asked_for(instance: dg.DagsterInstance, keys: list[str]) -> set[str]:
    """The run keys that a run of the alert job has already."""
    runs = instance.get_runs(dg.RunsFilter(job_name=ALERTS_JOB, tags={_RUN_KEY_TAG: keys}), limit=10 * len(keys))
    return {run.tags[_RUN_KEY_TAG] for run in runs}


def _held(engine: sa.Engine, now: datetime) -> str:
    """How many notifications wait, and what for."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select held_because, count(*) from ops.notifications where state = 'pending' "
                "and next_attempt_at > :now and created_at <= :now group by 1 order by 1"
            ),
            {"now": now},
        ).all()
    return ", ".join(f"{count} {_HELD.get(why, f'held for {why}')}" for why, count in rows)


_HELD = {None: "to be tried again later", "quiet hours": "held in quiet hours"}
