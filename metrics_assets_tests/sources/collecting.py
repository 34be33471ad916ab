"""Collecting from a served history without Dagster, and what a history's model says must come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.collecting import Collected, Collector
from metrics_assets.assets.portfolio import collect_repositories
from metrics_assets.demo.history import Repository, ancestors
from metrics_assets.partitions import Days
from metrics_assets.settings import Settings
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.http import ApiClient
from metrics_assets.warehouse.write import PersonKeys

PEOPLE = PersonKeys(b"a secret of the test, long enough")
# Commits come last: they ask what was deployed and tagged.
ENTITIES = ("pull_requests", "issues", "releases", "tags", "deployments", "stargazers", "forks", "commits")
LAST = date(2025, 12, 31)


def settings_of(*repositories: str, start: str = "2023-01-01", **more: Any) -> Settings:
    return Settings.model_validate({"start": start, "repositories": [{"github": one} for one in repositories], **more})


def collect(
    url: str,
    engine: sa.Engine,
    settings: Settings,
    first: date,
    entities: Sequence[str] = ENTITIES,
    *,
    run_id: str = "run",
    page_size: int = 50,
    repositories: bool = True,
) -> dict[str, Collected]:
    """Collect repositories and entities over [first, LAST], each as its asset does."""

    async def go() -> dict[str, Collected]:
        async with ApiClient(url, {"Authorization": "Bearer of-the-test"}) as client:
            collector = Collector(
                engine=engine,
                github=GitHub(client, page_size=page_size),
                people=PEOPLE,
                settings=settings,
                run_id=run_id,
                days=Days(first, LAST + timedelta(days=1)),
            )
            done = {"repositories": await collect_repositories(collector)} if repositories else {}
            for entity in entities:
                done[entity] = await collector.collect(entity)
            return done

    return asyncio.run(go())


def rows(engine: sa.Engine, sql: str, **parameters: Any) -> list[Any]:
    """The rows of a query as tuples, or as values where it has one column."""
    with engine.connect() as connection:
        found = connection.execute(sa.text(sql), parameters).all()
    return [tuple(row) if len(row) > 1 else row[0] for row in found]


def contents(engine: sa.Engine) -> dict[str, list[str]]:
    """Everything in raw.*, as texts in order."""
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names(schema="raw")
        return {
            table: sorted(connection.execute(sa.text(f"select t::text from raw.{table} as t")).scalars())
            for table in sorted(tables)
            if table != "repository_counters"
        }


def default_branch(repository: Repository) -> set[str]:
    """The commits of the default branch."""
    commits = {commit.sha: commit for commit in repository.commits}
    return ancestors(commits, repository.head) if repository.head else set()
