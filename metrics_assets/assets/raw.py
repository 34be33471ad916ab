"""The raw assets: one per entity of a source, each the tables that it fills."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.assets.collecting import Collected, Collector
from metrics_assets.assets.portfolio import collect_repositories
from metrics_assets.assets.shared import (
    COLLECT,
    GITHUB_POOL,
    GitHubApi,
    Shared,
    Warehouse,
    key_of,
    markdown_table,
)
from metrics_assets.errors import ConfigurationError
from metrics_assets.partitions import days_of
from metrics_assets.sources.errors import Unauthorized

_SETTINGS = "ops.repository_settings"
_KINDS = {"github", "postgres"}


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of the source: its tables, the first of which has the entity's name, and what they hold."""

    tables: dict[str, str]
    after: tuple[str, ...] = (_SETTINGS,)


_REPOSITORIES = {
    "raw.repositories": "Repositories of metrics.yaml and its organizations as the provider describes them now.",
    "raw.repository_counters": "Stars, forks, watchers and open issues as the provider counted them on the day of "
    "the collection; their past cannot be asked for, so every day's is kept.",
    _SETTINGS: "What metrics.yaml says of each repository: team, what counts as a deployment or an incident, which "
    "entities are collected. The repositories of every figure.",
    "ops.portfolio": "What metrics.yaml says of the whole: its name, the first day, when days settle.",
}

ENTITIES = {
    "pull_requests": Entity(
        {
            "raw.pull_requests": "Pull requests updated on the day, with their first commit; at the first "
            "collection also every open one.",
            "raw.reviews": "Submitted reviews of the pull requests updated on the day.",
            "raw.pull_request_events": "State changes, labels and comments of the pull requests updated on the day.",
        }
    ),
    "issues": Entity(
        {
            "raw.issues": "Issues updated on the day; at the first collection also every open one. Of their text "
            "only what it refers to is kept.",
            "raw.issue_events": "State changes, labels and comments of the issues updated on the day.",
        }
    ),
    "releases": Entity({"raw.releases": "All releases, drafts and pre-releases marked."}),
    "tags": Entity({"raw.tags": "All tags with the commit they stand for and when they were made."}),
    "deployments": Entity(
        {
            "raw.deployments": "Deployments made on the day, to every environment.",
            "raw.deployment_statuses": "All statuses of the deployments made on the day; the first success is when "
            "it was deployed.",
        }
    ),
    "commits": Entity(
        {
            "raw.commits": "Commits of the default branch with their parents, and what deployed or tagged commits "
            "stand on besides."
        },
        after=(_SETTINGS, "raw.tags", "raw.deployments"),
    ),
    "stargazers": Entity({"raw.stargazers": "Stars given on the day that still stood when they were collected."}),
    "forks": Entity({"raw.forks": "Forks made on the day that still existed when they were collected."}),
}


def raw_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The assets that talk to GitHub, one step at a time in the pool `github`."""
    return [_repositories(shared), *(_entity(shared, name, entity) for name, entity in ENTITIES.items())]


def _repositories(shared: Shared) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="repositories",
        specs=[shared.spec(table, COLLECT, _KINDS, text) for table, text in _REPOSITORIES.items()],
        check_specs=[_complete("raw.repositories")],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=GITHUB_POOL,
    )
    def repositories(
        context: dg.AssetExecutionContext, warehouse: Warehouse, github: GitHubApi
    ) -> Iterator[dg.MaterializeResult[Any]]:
        collector = _collector(context, shared, warehouse, github)
        collected = _run(collector, collect_repositories(collector))
        yield from _results(collector, collected, list(_REPOSITORIES), counted_problems=[])

    return repositories


def _entity(shared: Shared, name: str, entity: Entity) -> dg.AssetsDefinition:
    tables = list(entity.tables)

    @dg.multi_asset(
        name=name,
        specs=[shared.spec(table, COLLECT, _KINDS, text, deps=entity.after) for table, text in entity.tables.items()],
        check_specs=[_complete(tables[0])],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=GITHUB_POOL,
    )
    def collect_entity(
        context: dg.AssetExecutionContext, warehouse: Warehouse, github: GitHubApi
    ) -> Iterator[dg.MaterializeResult[Any]]:
        collector = _collector(context, shared, warehouse, github)
        collected = _run(collector, collector.collect(name))
        yield from _results(collector, collected, tables, _miscounted(collector, name))

    return collect_entity


def _complete(table: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        "complete",
        asset=key_of(table),
        description="Every repository could be collected, and where the whole history is wanted the provider "
        "counts as many rows as we do.",
    )


def _collector(context: dg.AssetExecutionContext, shared: Shared, warehouse: Warehouse, github: GitHubApi) -> Collector:
    try:
        return Collector(
            engine=warehouse.engine,
            github=github.connect(shared.settings),
            people=warehouse.people(shared.settings),
            settings=shared.settings,
            run_id=context.run.run_id,
            days=days_of(context),
            report=context.log.info,
        )
    except ConfigurationError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _run(collector: Collector, work: Coroutine[Any, Any, Collected]) -> Collected:
    async def connected() -> Collected:
        async with collector.github.client:
            return await work

    try:
        return asyncio.run(connected())
    except Unauthorized as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _miscounted(collector: Collector, entity: str) -> list[str]:
    """Where the provider's own count of a whole list is not ours; only where the whole history is wanted."""
    with collector.engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select log.repository, log.rows_in_warehouse, log.rows_at_provider "
                "from ops.collection_log as log "
                "join ops.repository_settings as settings using (repository_id) "
                "join raw.repositories as repositories using (repository_id) "
                "cross join ops.portfolio as portfolio "
                "where log.entity = :entity and log.run_id = :run and log.outcome = 'complete' "
                "and log.rows_at_provider is not null and log.rows_in_warehouse < log.rows_at_provider "
                "and portfolio.start <= repositories.created_at::date order by log.repository"
            ),
            {"entity": entity, "run": collector.run_id},
        )
        return [f"{row[0]}: the provider counts {row[2]}, the warehouse {row[1]}" for row in found]


def _results(
    collector: Collector, collected: Collected, tables: list[str], counted_problems: list[str]
) -> Iterator[dg.MaterializeResult[Any]]:
    problems = [f"{repository}: {why}" for repository, why in sorted(collected.missing.items())] + counted_problems
    for position, table in enumerate(tables):
        with collector.engine.connect() as connection:
            total = connection.execute(sa.text(f"select count(*) from {table}")).scalar_one()
        metadata: dict[str, Any] = {
            "dagster/row_count": total,
            "rows_read": collected.rows_read[table],
            "rows_changed": collected.rows_written[table],
            "repositories": collected.repositories,
        }
        checks = []
        if position == 0:
            metadata |= {"requests": collected.requests, "graphql_points": collected.points}
            if problems:
                metadata["missing"] = markdown_table(["what is missing"], [[problem] for problem in problems])
            checks = [
                dg.AssetCheckResult(
                    check_name="complete",
                    asset_key=key_of(table),
                    passed=not problems,
                    description="; ".join(problems) or "Nothing is missing.",
                    metadata={"repositories": collected.repositories, "missing": len(problems)},
                )
            ]
        yield dg.MaterializeResult(asset_key=key_of(table), metadata=metadata, check_results=checks)
