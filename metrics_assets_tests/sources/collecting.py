"""Collecting from a served history without Dagster, and what a history's model says must come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.collecting import Collected, Collector
from metrics_assets.assets.portfolio import collect_repositories
from metrics_assets.demo.history import Repository, ancestors
from metrics_assets.partitions import Days
from metrics_assets.settings import ENTITIES, Settings
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.http import ApiClient, Token, Validator
from metrics_assets.warehouse.collection import Book
from metrics_assets.warehouse.write import PersonKeys

PEOPLE = PersonKeys(b"a secret of the test, long enough")
LAST = date(2025, 12, 31)


@dataclass(frozen=True, slots=True)
class Both:
    """What the look at the portfolio gave, and the collection after it."""

    portfolio: Collected
    entities: Collected


def settings_of(*repositories: str, start: str = "2023-01-01", **more: Any) -> Settings:
    return Settings.model_validate({"start": start, "repositories": [{"github": one} for one in repositories], **more})


def collect(
    url: str,
    engine: sa.Engine,
    settings: Settings,
    first: date,
    entities: Sequence[str] = ENTITIES,
    *,
    last: date = LAST,
    run_id: str = "run",
    page_size: int = 50,
    repositories: bool = True,
    recollect: bool = False,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Both:
    """Collect repositories and entities over [first, last], as the two assets do."""

    async def go() -> Both:
        book = Book(engine, run_id, first, last + timedelta(days=1))
        validators = book.validators(url)
        async with ApiClient(url, credentials=[Token("the test's", "of-the-test")], sleep=sleep) as client:
            collector = Collector(
                engine=engine,
                github=GitHub(
                    client,
                    page_size=page_size,
                    known=lambda address: Validator(*validators[address]) if address in validators else None,
                ),
                people=PEOPLE,
                settings=settings,
                book=book,
                days=Days(first, last + timedelta(days=1)),
                recollect=recollect,
            )
            portfolio = await collect_repositories(collector) if repositories else Collected()
            return Both(portfolio, await collector.collect(entities))

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
