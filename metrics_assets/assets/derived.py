"""The derived assets: the files of sql/derived, and the walk over the commit graph between them."""

from typing import Any

import dagster as dg

from metrics_assets.assets.shared import DERIVE, Shared, Warehouse, key_of, table_metadata
from metrics_assets.assets.shipping import ship_commits
from metrics_assets.partitions import days_of
from metrics_assets.warehouse.derived import DerivedTable, derived_tables, replace_range


def derived_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """One asset per derived table; what it depends on is read from its SQL."""
    return [_deployment_commits(shared), *(_derived(shared, table) for table in derived_tables().values())]


def _derived(shared: Shared, table: DerivedTable) -> dg.AssetsDefinition:
    name = f"metrics.{table.name}"

    @dg.asset(
        key=key_of(name),
        deps=[key_of(f"{schema}.{read}") for schema, read in table.reads],
        description=f"{table.description}\n\n```sql\n{_statement(table.sql)}\n```",
        metadata=table_metadata(name),
        **shared.arguments(DERIVE, {"postgres", "sql"}),
    )
    def derive(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        days = days_of(context)
        replaced = replace_range(warehouse.engine, table, days.start, days.end)
        return dg.MaterializeResult(
            metadata={
                "dagster/partition_row_count": replaced.rows,
                "rows_replaced": replaced.removed,
                "from": days.start.isoformat(),
                "to": days.last.isoformat(),
            }
        )

    asset: dg.AssetsDefinition = derive
    return asset


def _statement(sql: str) -> str:
    """A file's SELECT without its head, which is the description already."""
    lines = sql.splitlines()
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("--"))
    return "\n".join(lines[first:])


def _deployment_commits(shared: Shared) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of("metrics.deployment_commits"),
        deps=[key_of("metrics.deployments"), key_of("raw.commits")],
        description="The first successful deployment that contained a commit, by reachability in the commit graph. "
        "The first deployment of a repository is a baseline: it ships nothing, because nothing says when what it "
        "contains was really shipped.",
        metadata=table_metadata("metrics.deployment_commits"),
        **shared.arguments(DERIVE, {"postgres", "python"}),
    )
    def deployment_commits(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        shipped = ship_commits(warehouse.engine, days_of(context).start)
        return dg.MaterializeResult(
            metadata={
                "repositories": shipped.repositories,
                "deployments": shipped.deployments,
                "commits_shipped": shipped.commits,
                "commits_in_baselines": shipped.baseline_commits,
            }
        )

    asset: dg.AssetsDefinition = deployment_commits
    return asset
