"""The derived assets: one per derivation."""

from typing import Any

import dagster as dg

from metrics_assets.assets.derivations import Derivation, derivations
from metrics_assets.assets.shared import Shared, Warehouse, key_of, preview, table_metadata
from metrics_assets.partitions import days_of


def derived_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """One asset per derived table; what it depends on is what it reads."""
    return [derivation_asset(shared, derivation) for derivation in derivations().values()]


def derivation_asset(shared: Shared, derivation: Derivation) -> dg.AssetsDefinition:
    """The asset of a derivation: its table, its description, what it reads."""

    @dg.asset(
        key=key_of(derivation.table),
        deps=[key_of(table) for table in derivation.reads],
        description=derivation.description,
        metadata=table_metadata(derivation.table),
        **shared.arguments(derivation.group, set(derivation.kinds)),
    )
    def derive(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        days = days_of(context)
        metadata: dict[str, Any] = dict(derivation.run(warehouse.engine, days.start, days.end))
        metadata["dagster/partition_row_count"] = metadata.pop("rows")
        if derivation.preview:
            with warehouse.engine.connect() as connection:
                metadata["newest_day"] = preview(connection, derivation.preview, day=days.last)
        return dg.MaterializeResult(metadata={**metadata, "from": days.start.isoformat(), "to": days.last.isoformat()})

    asset: dg.AssetsDefinition = derive
    return asset
