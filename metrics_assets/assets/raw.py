"""The raw assets of the repositories: one look at the portfolio, then whatever has changed, table by table.

All entities are one step, because a request asks for several lists of a repository at once; each table is an asset
of its own and can be selected alone.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.assets.collecting import Collected, Collector
from metrics_assets.assets.portfolio import collect_repositories, probe_again
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
from metrics_assets.warehouse.collection import Book

_SETTINGS = "ops.repository_settings"
_KINDS = {"github", "postgres"}
# Problems that a check's description names; the rest is in the metadata and in ops.collection_log.
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of the source: its tables, the first of which has the entity's name, and what they hold."""

    tables: dict[str, str]


class CollectConfig(dg.Config):
    """What the launchpad may say of a collection.

    Attributes:
        recollect: ask for everything of the range again, also where the provider says that nothing changed.
    """

    recollect: bool = False


_REPOSITORIES = {
    "raw.repositories": "Repositories of metrics.yaml and its organizations as the provider describes them now.",
    "raw.repository_counters": "Stars, forks, watchers and open issues as the provider counted them on the day of "
    "the collection; their past cannot be asked for, so every day's is kept.",
    _SETTINGS: "What metrics.yaml says of each repository: team, what counts as a deployment or an incident, which "
    "entities are collected. The repositories of every figure.",
    "ops.portfolio": "What metrics.yaml says of the whole: its name, the first day, when days settle.",
    "ops.team_members": "Who is in which team, as metrics.yaml says it; hashes of logins, for counting only.",
    "ops.affiliations": "Who works for which organisation, as metrics.yaml says it; hashes of logins.",
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
    "review_comments": Entity(
        {"raw.review_comments": "Comments on lines of pull requests, with the thread that they belong to."}
    ),
    "issues": Entity(
        {
            "raw.issues": "Issues updated on the day; at the first collection also every open one. Of their text "
            "only what it refers to is kept.",
            "raw.issue_events": "State changes, labels and comments of the issues updated on the day.",
        }
    ),
    "discussions": Entity(
        {
            "raw.discussions": "Discussions updated on the day, with when and by whom they were answered.",
            "raw.discussion_comments": "Comments and replies of the discussions updated on the day.",
        }
    ),
    "milestones": Entity({"raw.milestones": "All milestones and how much of each is done."}),
    "releases": Entity(
        {
            "raw.releases": "All releases, drafts and pre-releases marked.",
            "raw.release_assets": "The files of releases.",
            "raw.release_asset_counters": "How often each file had been downloaded by the day of the collection.",
        }
    ),
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
        }
    ),
    "workflow_runs": Entity(
        {
            "raw.workflow_runs": "Runs of GitHub Actions created on the day.",
            "raw.workflow_jobs": "The jobs of the workflow runs created on the day.",
        }
    ),
    "stargazers": Entity({"raw.stargazers": "Stars given on the day that still stood when they were collected."}),
    "forks": Entity({"raw.forks": "Forks made on the day that still existed when they were collected."}),
    "contributors": Entity(
        {"raw.contributors": "Who ever committed and how often, as the provider counts it, whatever `start` is."}
    ),
    "security_advisories": Entity({"raw.security_advisories": "The repositories' own security advisories."}),
    "dependabot_alerts": Entity(
        {"raw.dependabot_alerts": "Alerts about vulnerable dependencies, where the token may see them."}
    ),
    "traffic": Entity(
        {
            "raw.traffic": "Views and clones by day, where the token may see them. GitHub keeps 14 days of them.",
            "raw.traffic_sources": "Where visitors came from and what they read, over the 14 days before.",
        }
    ),
}


def raw_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The assets that talk to GitHub and git, one step at a time in the pool `github`."""
    return [_repositories(shared), _entities(shared)]


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
        collector = _collector(context, shared, warehouse, github, recollect=False)
        collected = _run(collector, collect_repositories(collector))
        for position, table in enumerate(_REPOSITORIES):
            metadata = _metadata(collector, collected, table)
            checks = []
            if position == 0:
                problems = _problems(collected, "repositories")
                metadata |= {"requests": collected.requests, "graphql_points": collected.points}
                checks = [_check_result(table, problems)]
            yield dg.MaterializeResult(asset_key=key_of(table), metadata=metadata, check_results=checks)

    return repositories


def _entities(shared: Shared) -> dg.AssetsDefinition:
    specs = [
        shared.spec(table, COLLECT, _KINDS, text, deps=(_SETTINGS,))
        for entity in ENTITIES.values()
        for table, text in entity.tables.items()
    ]
    entity_of = {key_of(table): name for name, entity in ENTITIES.items() for table in entity.tables}

    @dg.multi_asset(
        name="collect",
        specs=[spec.replace_attributes(skippable=True) for spec in specs],
        check_specs=[_complete(next(iter(entity.tables))) for entity in ENTITIES.values()],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=GITHUB_POOL,
    )
    def collect(
        context: dg.AssetExecutionContext, config: CollectConfig, warehouse: Warehouse, github: GitHubApi
    ) -> Iterator[dg.MaterializeResult[Any]]:
        selected = set(context.selected_asset_keys)
        wanted = [name for name in ENTITIES if any(entity_of[key] == name for key in selected)]
        collector = _collector(context, shared, warehouse, github, recollect=config.recollect)
        collected = _run(collector, _probe_and_collect(collector, wanted))
        checked = {handle.asset_key for handle in context.selected_asset_check_keys}
        for name in wanted:
            for position, table in enumerate(ENTITIES[name].tables):
                if key_of(table) not in selected:
                    continue
                metadata = _metadata(collector, collected, table)
                checks = []
                if position == 0:
                    metadata |= _spent(collector, name)
                    problems = _problems(collected, name) + _miscounted(collector, name)
                    if problems:
                        metadata["missing"] = markdown_table(["what is missing"], [[text] for text in problems])
                    if collected.skipped[name]:
                        metadata["not_asked_for"] = markdown_table(
                            ["repository", "why"], sorted(collected.skipped[name].items())[:_MOST_SHOWN]
                        )
                    if key_of(table) in checked:
                        checks = [_check_result(table, problems)]
                yield dg.MaterializeResult(asset_key=key_of(table), metadata=metadata, check_results=checks)

    return collect


async def _probe_and_collect(collector: Collector, entities: list[str]) -> Collected:
    if not collector.book.probed_in_this_run():
        await probe_again(collector)
    return await collector.collect(entities)


def _complete(table: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        "complete",
        asset=key_of(table),
        description="Every repository could be collected, and where the whole history is wanted the provider "
        "counts as many rows as we do.",
    )


def _check_result(table: str, problems: list[str]) -> dg.AssetCheckResult:
    more = f"; and {len(problems) - _MOST_SHOWN} more" if len(problems) > _MOST_SHOWN else ""
    return dg.AssetCheckResult(
        check_name="complete",
        asset_key=key_of(table),
        passed=not problems,
        description=("; ".join(problems[:_MOST_SHOWN]) + more) or "Nothing is missing.",
        metadata={"missing": len(problems)},
    )


def _collector(
    context: dg.AssetExecutionContext, shared: Shared, warehouse: Warehouse, github: GitHubApi, *, recollect: bool
) -> Collector:
    days = days_of(context)
    book = Book(warehouse.engine, context.run.run_id, days.start, days.end)
    try:
        return Collector(
            engine=warehouse.engine,
            github=github.connect(shared.settings, warehouse.engine),
            people=warehouse.people(shared.settings),
            settings=shared.settings,
            book=book,
            days=days,
            recollect=recollect,
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
    except (Unauthorized, ConfigurationError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _problems(collected: Collected, entity: str) -> list[str]:
    return [f"{subject}: {why}" for subject, why in sorted(collected.missing[entity].items())]


def _miscounted(collector: Collector, entity: str) -> list[str]:
    """Where the provider's own count of a whole list is not ours; only where the whole history is wanted."""
    with collector.engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select log.repository, log.rows_in_warehouse, log.rows_at_provider "
                "from ops.collection_log as log "
                "join raw.repositories as repositories using (repository_id) "
                "cross join ops.portfolio as portfolio "
                "where log.entity = :entity and log.run_id = :run and log.outcome = 'complete' "
                "and log.rows_at_provider is not null and log.rows_in_warehouse < log.rows_at_provider "
                "and portfolio.start <= repositories.created_at::date order by log.repository"
            ),
            {"entity": entity, "run": collector.book.run_id},
        )
        return [f"{row[0]}: the provider counts {row[2]}, the warehouse {row[1]}" for row in found]


def _metadata(collector: Collector, collected: Collected, table: str) -> dict[str, Any]:
    with collector.engine.connect() as connection:
        total = connection.execute(sa.text(f"select count(*) from {table}")).scalar_one()
    return {
        "dagster/row_count": total,
        "rows_read": collected.rows_read[table],
        "rows_changed": collected.rows_written[table],
        "rows_deleted_at_provider": collected.deleted[table.removeprefix("raw.")],
        "repositories": collected.repositories,
    }


def _spent(collector: Collector, entity: str) -> dict[str, Any]:
    """What the entity cost in this run; a request for several lists is shared out among them."""
    with collector.engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select coalesce(sum(requests), 0), coalesce(sum(points), 0), coalesce(sum(not_modified), 0), "
                "coalesce(sum(retries), 0) from ops.api_usage where run_id = :run and entity = :entity"
            ),
            {"run": collector.book.run_id, "entity": entity},
        ).one()
    names = ("requests", "graphql_points", "not_modified", "retries")
    return {name: round(float(value), 2) for name, value in zip(names, found, strict=True)}
