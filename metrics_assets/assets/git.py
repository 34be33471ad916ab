"""Collecting from git: the readers of `sources.git` as asynchronous batches, and force pushes in the warehouse.

It knows nothing of Dagster. A clone is fetched once a run (`fetch`), then read once for each entity (`collect_git`);
every batch is written in one transaction, together with `mark_departed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from metrics_assets.settings import Settings
from metrics_assets.sources.errors import SourceError
from metrics_assets.sources.git import pull_requests, reading
from metrics_assets.sources.git.batch import GitBatch, Position
from metrics_assets.sources.git.mirror import Mirror, Snapshot

Result = TypeVar("Result")

# What git alone can give. With GitHub beside it, commits and tags come from git and all else from GitHub.
GIT_ENTITIES = ("commits", "tags", "pull_requests", "contributors")


async def fetch(mirror: Mirror, *, fresh_since: datetime | None = None) -> Snapshot:
    """Bring a clone up to date; a cancelled one is ended.

    Args:
        fresh_since: nothing is fetched if the last fetch was since then.

    Raises:
        SourceError: it could not be fetched.
    """
    return await _in_thread(lambda: mirror.update(fresh_since=fresh_since), mirror.abort)


async def collect_git(
    mirror: Mirror,
    entity: str,
    repository_id: int,
    name: str,
    start: datetime,
    known: Position | None = None,
    *,
    with_directories: bool = False,
) -> AsyncIterator[GitBatch]:
    """One entity of a fetched clone, committed (or merged) since `start`.

    Args:
        entity: 'repository', or one of GIT_ENTITIES.
        repository_id: GitHub's where the repository is there, too; else `mirror.repository_id`.
        name: 'owner/name'.
        known: the position that the last complete reading gave with this entity.
        with_directories: commits are read with the directories that they changed (see `wants_directories`).

    Yields:
        Batches to be written as they come. The last one's `position` is stored with it; `remarks` are for people.

    Raises:
        SourceError: the clone could not be read.
    """
    batches = await asyncio.to_thread(
        lambda: _read(mirror, entity, repository_id, name, start, known, with_directories)
    )
    try:
        while (batch := await _in_thread(lambda: next(batches, None))) is not None:
            yield batch
    finally:
        # Closing ends the git that is being read.
        await asyncio.to_thread(_close, batches)


def wants_directories(settings: Settings, git: str | None) -> bool:
    """Whether the directories of a repository's commits are needed: one of its services has paths."""
    return git is not None and any(
        service.paths for entry in settings.repositories if entry.git == git for service in entry.services.values()
    )


def mark_departed(connection: sa.Connection, repository_id: int, mirror: Mirror, batch: GitBatch) -> int:
    """Mark commits that a force push took off the default branch; to be called after a batch's rows were written.

    Returns:
        How many rows changed.
    """
    changed = 0
    if batch.departed:
        changed += connection.execute(
            sa.text(
                "update raw.commits set on_default_branch = false "
                "where repository_id = :repository and sha = any (:shas) and on_default_branch"
            ),
            {"repository": repository_id, "shas": batch.departed},
        ).rowcount
    if batch.whole_branch:
        connection.execute(sa.text("create temp table if not exists branch_commits (sha text) on commit delete rows"))
        connection.execute(sa.text("truncate branch_commits"))
        for shas in reading.batched(reading.default_branch_commits(mirror), 20_000):
            connection.execute(sa.text("insert into branch_commits select unnest(:shas)"), {"shas": shas})
        changed += connection.execute(
            sa.text(
                "update raw.commits as held set on_default_branch = false "
                "where repository_id = :repository and on_default_branch "
                "and not exists (select 1 from branch_commits where branch_commits.sha = held.sha)"
            ),
            {"repository": repository_id},
        ).rowcount
    return changed


def _read(
    mirror: Mirror,
    entity: str,
    repository_id: int,
    name: str,
    start: datetime,
    known: Position | None,
    with_directories: bool,
) -> Iterator[GitBatch]:
    match entity:
        case "repository":
            return iter(
                [GitBatch([reading.repository(mirror, name)], remarks=tuple(reading.remarks(mirror.snapshot())))]
            )
        case "commits":
            return reading.commits(mirror, repository_id, start, known, with_directories=with_directories)
        case "tags":
            return reading.tags(mirror, repository_id)
        case "contributors":
            return reading.contributors(mirror, repository_id, known)
        case "pull_requests":
            return pull_requests.merged_pull_requests(mirror, repository_id, start, known)
        case _:
            raise SourceError(f"{mirror.shown}: git knows no {entity}; it gives {', '.join(GIT_ENTITIES)}.")


def _close(batches: Any) -> None:
    if hasattr(batches, "close"):
        batches.close()


async def _in_thread(work: Callable[[], Result], abort: Callable[[], None] = lambda: None) -> Result:
    """A result from a thread. Where the task is cancelled the work is aborted, and its thread waited for."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        abort()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # seen; the cancellation is what is raised
        raise
