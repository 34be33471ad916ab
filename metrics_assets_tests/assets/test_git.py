"""Git into the warehouse: nothing is written twice, and a force push is seen there."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.git import GIT_ENTITIES, collect_git, fetch, mark_departed, wants_directories
from metrics_assets.settings import Settings
from metrics_assets.sources.errors import NotFound, SourceError
from metrics_assets.sources.git.batch import Position
from metrics_assets.sources.git.mirror import Mirror
from metrics_assets.warehouse.write import PersonKeys, upsert
from metrics_assets_tests.sources.git.building import Writer, empty_repository, git, recorded

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_PEOPLE = PersonKeys(b"a secret of this test")


async def _collect(
    engine: sa.Engine, mirror: Mirror, entity: str, known: Position | None = None
) -> tuple[Counter[str], Position | None]:
    """Write one entity as a collector does; how many rows of each table changed, and the position."""
    changed: Counter[str] = Counter()
    position = known
    async for batch in collect_git(mirror, entity, mirror.repository_id, "acme/tool", _ALWAYS, known):
        with engine.begin() as connection:
            for table, rows in groupby(sorted(batch.records, key=lambda row: row.TABLE), key=lambda row: row.TABLE):
                changed[table] += upsert(connection, list(rows), _PEOPLE)
            changed["departed"] += mark_departed(connection, mirror.repository_id, mirror, batch)
        position = batch.position or position
    return +changed, position


@pytest.mark.parametrize(
    ("services", "wanted"), [({"web": {"paths": ["apps/web"]}}, True), ({"web": {"release_tags": "^web"}}, False)]
)
def test_directories_are_read_where_a_service_has_paths(services: dict[str, Any], wanted: bool) -> None:
    here, there = "https://host.invalid/acme/here.git", "https://host.invalid/acme/there.git"
    settings = Settings.model_validate(
        {
            "portfolio": "acme",
            "start": "2025-01-01",
            "repositories": [{"git": here, "services": services}, {"git": there}],
        }
    )
    assert wants_directories(settings, here) is wanted
    assert not wants_directories(settings, there)
    assert not wants_directories(settings, None)


def _on_default_branch(engine: sa.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(sa.text("select sha from raw.commits where on_default_branch")).scalars())


def test_a_second_collection_writes_nothing(warehouse: sa.Engine, real_data: Path, tmp_path: Path) -> None:
    remote = recorded(real_data / "githistory" / "felixgeelhaar+bolt", tmp_path / "remote.git")
    mirror = Mirror(f"file://{remote}", tmp_path)

    contributors = len(set(git(remote, "log", "--no-merges", "--format=%ae", "main").split()))

    async def run() -> None:
        await fetch(mirror)
        positions = {}
        written: Counter[str] = Counter()
        for entity in ("repository", *GIT_ENTITIES):
            changed, positions[entity] = await _collect(warehouse, mirror, entity)
            written += changed
        assert written == {
            "raw.repositories": 1,
            "raw.commits": 187,
            "raw.tags": 11,
            "raw.pull_requests": 80,
            "raw.contributors": contributors,
        }
        await fetch(mirror)
        for entity in ("repository", *GIT_ENTITIES):
            changed, position = await _collect(warehouse, mirror, entity, positions[entity])
            assert (changed, position) == ({}, positions[entity]), entity
            changed, position = await _collect(warehouse, mirror, entity)
            assert (changed, position) == ({}, positions[entity]), entity

    asyncio.run(run())


@pytest.mark.parametrize("clone_is_lost", [False, True])
def test_a_force_push_takes_commits_off_the_default_branch(
    warehouse: sa.Engine, tmp_path: Path, clone_is_lost: bool
) -> None:
    remote = empty_repository(tmp_path / "remote.git")
    with Writer(remote) as write:
        write.commit("1", "first")
        write.commit("2", "second", parents=["1"])
        write.commit("3", "third", parents=["1"])
        write.ref("refs/heads/main", "2")
        write.ref("refs/heads/other", "3")
    home = tmp_path / "home"
    mirror = Mirror(f"file://{remote}", home)

    async def run() -> None:
        await fetch(mirror)
        _, position = await _collect(warehouse, mirror, "commits")
        second = git(remote, "rev-parse", "main")
        assert second in _on_default_branch(warehouse)
        git(remote, "update-ref", "refs/heads/main", git(remote, "rev-parse", "other"))
        if clone_is_lost:
            home.rename(tmp_path / "lost")
        await fetch(mirror)
        changed, _ = await _collect(warehouse, mirror, "commits", position)
        assert changed == {"raw.commits": 1, "departed": 1}
        assert _on_default_branch(warehouse) == set(git(remote, "rev-list", "main").split())
        assert second not in _on_default_branch(warehouse)

    asyncio.run(run())


def test_a_collection_that_is_cancelled_leaves_no_git_behind(tmp_path: Path) -> None:
    remote = empty_repository(tmp_path / "remote.git")
    with Writer(remote) as write:
        for place in range(5000):
            write.commit(str(place), "x" * 1000, parents=[str(place - 1)] if place else [])
        write.ref("refs/heads/main", "4999")
    mirror = Mirror(f"file://{remote}", tmp_path / "home")

    async def run() -> None:
        await fetch(mirror)
        async with aclosing(collect_git(mirror, "commits", 1, "acme/tool", _ALWAYS)) as batches:
            async for batch in batches:
                assert batch.records
                break

        fetching = asyncio.create_task(fetch(Mirror("git://127.0.0.1:1/a/b.git", tmp_path / "home")))
        await asyncio.sleep(0)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching

    asyncio.run(run())
    assert not list(tmp_path.rglob("*.partial"))


def test_what_cannot_be_collected_says_why(tmp_path: Path) -> None:
    mirror = Mirror(f"file://{tmp_path}/none.git", tmp_path)

    async def stars() -> None:
        async for _ in collect_git(mirror, "stargazers", 1, "acme/tool", _ALWAYS):
            pass

    with pytest.raises(
        SourceError, match="git knows no stargazers; it gives commits, tags, pull_requests, contributors"
    ):
        asyncio.run(stars())
    with pytest.raises(NotFound, match=r"none\.git: git ls-remote failed"):
        asyncio.run(fetch(mirror))
