"""metrics.durations_daily: medians over moving windows, of the rows of every subject, never of other medians."""

from __future__ import annotations

from datetime import date

import numpy as np
import sqlalchemy as sa

from metrics_assets.analysis.windows import Spans
from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.assets.item_durations import measure_discussions, measure_issues, measure_pull_requests
from metrics_assets.assets.measured_durations import HOUR, TABLE, WEEK, WINDOW, Measured
from metrics_assets.warehouse.frames import replacing_days


def derivations() -> list[Derivation]:
    """metrics.durations_daily."""
    return [
        Derivation(
            name="durations_daily",
            description="Medians of durations over the 28 days that end with the day (7 where the name says week): "
            "lead time and its stages, recovery, first responses, resolutions, in clock hours and in business hours. "
            "Each stands on the rows of its subject, with the 90th percentile, the ends of the median's 95 % "
            "interval, and on how many it stands. What is open at the day's end is counted beside them, and in the "
            "estimates (Kaplan-Meier) it has lasted at least until then.",
            reads=(
                "metrics.changes",
                "metrics.deployment_failures",
                "metrics.deployments",
                "metrics.incidents",
                "ops.portfolio",
                "ops.repository_settings",
                "raw.discussions",
                "raw.issue_events",
                "raw.issues",
                "raw.pull_request_events",
                "raw.pull_requests",
                "raw.repositories",
                "raw.reviews",
            ),
            kinds=frozenset({"postgres", "numpy"}),
            run=measure_durations,
        )
    ]


def measure_durations(engine: sa.Engine, start: date, end: date) -> Metadata:
    """Rebuild the rows of [start, end)."""
    with replacing_days(engine, TABLE, start, end) as connection:
        measured = Measured(connection, start, end)
        if not measured.subjects:
            return {"rows": 0}
        _delivery(measured)
        _recovery(measured)
        measure_pull_requests(measured)
        measure_issues(measured)
        measure_discussions(measured)
        return {"rows": measured.write()}


def _delivery(measured: Measured) -> None:
    """Lead time and its stages, from metrics.changes."""
    # What was deployed from its branch counts from its merge on: until then it was no change.
    shipped = measured.read(
        "select chains.code, greatest(deployed_at, merged_at), coalesce(lead_time_hours, 'NaN'), "
        "coalesce(merge_to_deploy_hours, 'NaN') from measured_chains as chains "
        "join metrics.changes as changes using (repository_id, chain) "
        "where state = 'shipped' and deployed_at >= %(since)s and deployed_at < %(end)s and merged_at < %(end)s "
        "union all "
        "select chains.code, merged_at, coalesce(lead_time_hours, 'NaN'), coalesce(merge_to_deploy_hours, 'NaN') "
        "from measured_chains as chains join metrics.changes as changes using (repository_id, chain) "
        "where state = 'shipped' and merged_at >= %(since)s and merged_at < %(end)s and deployed_at < %(since)s",
        {"code": "i8", "shipped_at": "i8", "lead_time": "f8", "deploy": "f8"},
    )
    day = measured.day_of(shipped["shipped_at"])
    lead_time, deploy = measured.spread(
        shipped["code"], measured.of_chain, day, day + WINDOW - 1, shipped["lead_time"], shipped["deploy"]
    )
    measured.keep("lead_time", lead_time, "shipping")
    measured.keep("deploy", deploy, "shipping")
    week = Spans(lead_time.subject, lead_time.first, lead_time.first + WEEK - 1, lead_time.value)
    measured.keep("lead_time_week", week, "shipping")

    stages = ("pr_lead", "coding", "pickup", "review", "merge")
    merged = measured.read(
        "select chains.code, merged_at, " + ", ".join(f"coalesce({name}_hours, 'NaN')" for name in stages) + " "
        "from measured_chains as chains join metrics.changes using (repository_id, chain) "
        "where kind = 'pull_request' and merged_at >= %(since)s and merged_at < %(end)s",
        {"code": "i8", "merged_at": "i8", **dict.fromkeys(stages, "f8")},
    )
    day = measured.day_of(merged["merged_at"])
    hours = [merged[name] for name in stages]
    spans = measured.spread(merged["code"], measured.of_chain, day, day + WINDOW - 1, *hours)
    for name, one in zip(stages, spans, strict=True):
        measured.keep(name, one, "pull_requests")


def _recovery(measured: Measured) -> None:
    """Recovery of failed deployments, and of incidents; of each what was known at the day's end."""
    recovered = measured.read(
        "select chains.code, since::timestamptz, until::timestamptz, restored_at, recovery_hours::double precision "
        "from ops.recoveries join measured_chains as chains using (repository_id, chain) "
        "where restored_at >= %(since)s and restored_at < %(end)s",
        {"code": "i8", "since": "i8", "until": "i8", "restored_at": "i8", "hours": "f8"},
    )
    first = measured.day_of(recovered["since"])
    last = np.minimum(measured.day_of(recovered["restored_at"]) + WINDOW, measured.day_of(recovered["until"])) - 1
    (spans,) = measured.spread(recovered["code"], measured.of_chain, first, last, recovered["hours"])
    measured.keep("failed_deployment_recovery", spans, "shipping")

    # An incident belongs to the chain that it is tied to; one that is tied to none, to its repository.
    closed = measured.read(
        "select coalesce(chains.code, -1), repositories.code, closings.created_at, closed_at, reopened_at "
        "from ops.incident_closings as closings join measured_repositories as repositories using (repository_id) "
        "left join measured_chains as chains "
        "on chains.repository_id = closings.repository_id and chains.chain = closings.chain "
        "where closed_at >= %(since)s and closed_at < %(end)s",
        {"chain": "i8", "repository": "i8", "created_at": "i8", "closed_at": "i8", "reopened_at": "i8"},
    )
    first = measured.day_of(closed["closed_at"])
    last = np.minimum(first + WINDOW, measured.day_of(closed["reopened_at"])) - 1
    hours = (closed["closed_at"] - closed["created_at"]) / HOUR
    tied = closed["chain"] >= 0
    parts = [
        measured.spread(closed[by][chosen], members, first[chosen], last[chosen], hours[chosen])[0]
        for by, members, chosen in (
            ("chain", measured.of_chain, tied),
            ("repository", measured.of_repository, ~tied),
        )
    ]
    measured.keep("mttr", _together(parts), "issues")


def _together(parts: list[Spans]) -> Spans:
    return Spans(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("subject", "first", "last", "value"))
    )
