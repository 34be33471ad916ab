"""Collecting one entity of all repositories: from the source's batches to tables, log and report.

Where `sources` and `warehouse` meet. It knows nothing of Dagster, so that it can be run and tested without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from metrics_assets.partitions import Days
from metrics_assets.settings import Settings
from metrics_assets.sources.errors import SourceError
from metrics_assets.sources.github import collect
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.collect import Batch
from metrics_assets.sources.http import Spent
from metrics_assets.sources.records import Record
from metrics_assets.warehouse.write import PersonKeys, upsert

logger = logging.getLogger(__name__)

# Repositories that are read side by side; the client's own limit on requests in flight holds beneath it.
_REPOSITORIES_AT_ONCE = 4
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A repository to collect from."""

    repository_id: int
    repository: str
    default_branch: str | None
    state: str


@dataclass(slots=True)
class Collected:
    """What a collection did."""

    rows_read: Counter[str] = field(default_factory=Counter)
    rows_written: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    points: int = 0
    repositories: int = 0
    missing: dict[str, str] = field(default_factory=dict)  # repository: what is missing and why

    def count(self, written: Counter[str], read: list[Record]) -> None:
        """Add a batch; writers run side by side, so only the event loop counts."""
        self.rows_written.update(written)
        self.rows_read.update(record.TABLE for record in read)


@dataclass(frozen=True, slots=True)
class Collector:
    """Everything that collecting needs, whatever the entity."""

    engine: sa.Engine
    github: GitHub
    people: PersonKeys
    settings: Settings
    run_id: str
    days: Days
    report: Report = logger.info

    async def collect(self, entity: str) -> Collected:
        """Collect one entity of every repository that wants it, since the range's start.

        A repository that cannot be collected is reported and does not stop the others.

        Raises:
            Unauthorized: the token was refused, so that nothing can be collected.
        """
        collected = Collected()
        self._log_skipped(entity)
        gate = asyncio.Semaphore(_REPOSITORIES_AT_ONCE)
        targets = self.targets(entity)

        async def one(target: Target) -> None:
            async with gate:
                await self._collect_repository(entity, target, collected)
                collected.repositories += 1
                self.report(f"{target.repository} done ({collected.repositories} of {len(targets)})")

        await _all(one(target) for target in targets)
        return collected

    async def _collect_repository(self, entity: str, target: Target, collected: Collected) -> None:
        github = self.github.accounted()
        rows, total, outcome, reason = 0, None, "complete", None
        try:
            if target.state == "empty" and entity in ("commits", "tags"):
                reason = "the repository is empty"
            else:
                async for batch in self._batches(entity, target, github):
                    rows += len(batch.records)
                    total = batch.total_count if batch.total_count is not None else total
                    collected.count(await asyncio.to_thread(self.write, batch.records), batch.records)
        except SourceError as error:
            collected.missing[target.repository] = str(error)
            self.report(f"{target.repository}: {error}")
            outcome, reason = "incomplete", str(error)
        self.log(
            entity,
            target.repository,
            outcome,
            github.spent,
            reason,
            repository_id=target.repository_id,
            rows=rows,
            total=total,
        )
        collected.requests += github.spent.requests
        collected.points += github.spent.points

    def _batches(self, entity: str, target: Target, github: GitHub) -> AsyncIterator[Batch]:
        """What the entity's function yields for a repository; the one place that knows which function it is."""
        identity: tuple[GitHub, int, str] = (github, target.repository_id, target.repository)
        since = self.days.start_time
        backlog = not self._collected_before(entity, target)
        match entity:
            case "pull_requests":
                return collect.pull_requests(*identity, since, backlog=backlog)
            case "issues":
                return collect.issues(*identity, since, backlog=backlog)
            case "commits":
                return collect.commits(
                    *identity,
                    since,
                    start=datetime.combine(self.settings.start, datetime.min.time(), UTC),
                    branch=target.default_branch,
                    deployed=self._deployed(target),
                    unknown=lambda shas, on_default: self._unknown_commits(target, shas, on_default),
                )
            case "releases":
                return collect.releases(*identity)
            case "tags":
                return collect.tags(*identity)
            case "deployments":
                return collect.deployments(*identity, since)
            case "stargazers":
                return collect.stargazers(*identity, since)
            case "forks":
                return collect.forks(*identity, since)
            case _:
                raise ValueError(f"there is no entity '{entity}'")

    def targets(self, entity: str) -> list[Target]:
        """The repositories of metrics.yaml from which an entity is wanted and can be had."""
        with self.engine.connect() as connection:
            found = connection.execute(
                sa.text(
                    "select repository_id, settings.repository, default_branch, state "
                    "from ops.repository_settings as settings join raw.repositories using (repository_id) "
                    "where :entity = any (entities) and state not in ('gone', 'blocked') "
                    "and (:entity <> 'issues' or has_issues) order by settings.repository"
                ),
                {"entity": entity},
            )
            return [Target(*row) for row in found]

    def write(self, rows: list[Record]) -> Counter[str]:
        """Write records of any tables in one transaction; how many rows of each table that changed."""
        changed: Counter[str] = Counter()
        by_table = sorted(rows, key=lambda row: row.TABLE)
        with self.engine.begin() as connection:
            for table, group in groupby(by_table, key=lambda row: row.TABLE):
                changed[table] = upsert(connection, list(group), self.people)
        return changed

    def _collected_before(self, entity: str, target: Target) -> bool:
        return bool(
            self._scalar(
                "select exists (select 1 from ops.collection_log where repository_id = :repository "
                "and entity = :entity and outcome = 'complete')",
                repository=target.repository_id,
                entity=entity,
            )
        )

    def _deployed(self, target: Target) -> list[str]:
        """Commits that were deployed or tagged; not of the range alone, as a new tag may stand for an old commit."""
        return self._column(
            "select sha from raw.deployments join ops.repository_settings using (repository_id, environment) "
            "where repository_id = :repository and created_at >= :start "
            "union select sha from raw.tags where repository_id = :repository and tagged_at >= :start",
            repository=target.repository_id,
            start=self.settings.start,
        )

    def _unknown_commits(self, target: Target, shas: Iterable[str], on_default_branch: bool) -> set[str]:
        asked = set(shas)
        known = self._column(
            "select sha from raw.commits where repository_id = :repository and sha = any (:shas) "
            "and (on_default_branch or not :on_default_branch)",
            repository=target.repository_id,
            shas=list(asked),
            on_default_branch=on_default_branch,
        )
        return asked - set(known)

    def _log_skipped(self, entity: str) -> None:
        """Note which repositories want the entity and cannot give it, so that what is missing has a reason."""
        with self.engine.connect() as connection:
            found = connection.execute(
                sa.text(
                    "select repository_id, settings.repository, state from ops.repository_settings as settings "
                    "join raw.repositories using (repository_id) "
                    "where :entity = any (entities) and state in ('gone', 'blocked')"
                ),
                {"entity": entity},
            ).all()
        for repository_id, repository, state in found:
            self.log(entity, repository, "skipped", Spent(), f"the repository is {state}", repository_id=repository_id)

    def log(
        self,
        entity: str,
        repository: str,
        outcome: str,
        spent: Spent,
        reason: str | None,
        *,
        repository_id: int | None,
        rows: int = 0,
        total: int | None = None,
    ) -> None:
        """Note what a collection of one entity of one repository gave, what it cost and what is missing."""
        in_warehouse = self._scalar(
            f"select count(*) from raw.{entity} where repository_id = :repository", repository=repository_id
        )
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into ops.collection_log (repository_id, repository, entity, run_id, range_start, "
                    "range_end, outcome, rows_read, rows_in_warehouse, rows_at_provider, requests, points, reason) "
                    "values (:repository_id, :repository, :entity, :run_id, :start, :end, :outcome, :rows, "
                    ":in_warehouse, :total, :requests, :points, :reason) "
                    "on conflict (repository, entity, run_id) do update set outcome = excluded.outcome, "
                    "rows_read = excluded.rows_read, rows_in_warehouse = excluded.rows_in_warehouse, "
                    "rows_at_provider = excluded.rows_at_provider, requests = excluded.requests, "
                    "points = excluded.points, reason = excluded.reason, finished_at = now()"
                ),
                {
                    "repository_id": repository_id,
                    "repository": repository,
                    "entity": entity,
                    "run_id": self.run_id,
                    "start": self.days.start,
                    "end": self.days.end,
                    "outcome": outcome,
                    "rows": rows,
                    "in_warehouse": in_warehouse,
                    "total": total,
                    "requests": spent.requests,
                    "points": spent.points,
                    "reason": reason,
                },
            )

    def _scalar(self, sql: str, **parameters: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(sa.text(sql), parameters).scalar()

    def _column(self, sql: str, **parameters: Any) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(sql), parameters).scalars())


async def _all(jobs: Iterable[Any]) -> None:
    """Run jobs side by side; the first unexpected error cancels the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except* Exception as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
