"""Filling metrics.deployment_commits: the commit graph from the warehouse, walked, and written back."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa

from metrics_assets.analysis.reachability import first_containing
from metrics_assets.warehouse.frames import copy_rows


@dataclass(frozen=True, slots=True)
class Shipped:
    """What a run did."""

    repositories: int
    deployments: int
    commits: int
    baseline_commits: int


def ship_commits(engine: sa.Engine, start: date) -> Shipped:
    """Say for each commit which deployment contained it first, for all deployments from `start` on.

    Not only for a range: if a deployment of the past comes or goes, later ones ship other commits.
    """
    totals = [0, 0, 0, 0]
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('metrics.deployment_commits'))"))
        connection.execute(
            sa.text("delete from metrics.deployment_commits where deployed_at >= :start"), {"start": start}
        )
        for repository_id in connection.execute(
            sa.text(
                "select distinct repository_id from metrics.deployments "
                "where outcome = 'succeeded' and finished_at >= :start order by repository_id"
            ),
            {"start": start},
        ).scalars():
            for position, count in enumerate((1, *_ship_repository(connection, repository_id, start))):
                totals[position] += count
    return Shipped(*totals)


def _ship_repository(connection: sa.Connection, repository_id: int, start: date) -> tuple[int, int, int]:
    deployments = connection.execute(
        sa.text(
            "select deployment_key, sha, deployed_at from metrics.deployments where repository_id = :id "
            "and outcome = 'succeeded' and sha is not null order by deployed_at, deployment_key"
        ),
        {"id": repository_id},
    ).all()
    # Without what shipped before the range: the walk ends there, as it does where the history begins.
    parents = {
        row[0]: row[1]
        for row in connection.execute(
            sa.text(
                "select sha, parents from raw.commits as commits where repository_id = :id and not exists ("
                "select 1 from metrics.deployment_commits as shipped "
                "where shipped.repository_id = commits.repository_id and shipped.sha = commits.sha)"
            ),
            {"id": repository_id},
        )
    }
    if not deployments:  # releases whose tags are not known
        return 0, 0, 0
    midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
    new = [row for row in deployments if row.deployed_at >= midnight]
    first = first_containing(parents, [(row.deployment_key, row.sha) for row in new])

    baseline = deployments[0].deployment_key
    times = {row.deployment_key: row.deployed_at for row in new}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for sha, key in first.items():
        writer.writerow([repository_id, sha, key, times[key], key == baseline])
    buffer.seek(0)
    copy_rows(connection, "metrics.deployment_commits", None, buffer)
    return len(new), len(first), sum(key == baseline for key in first.values())
