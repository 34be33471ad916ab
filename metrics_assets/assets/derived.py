"""The derived assets: one per derivation."""

from datetime import date
from functools import cache
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, derivations
from metrics_assets.assets.headlines import chart_of
from metrics_assets.assets.shared import Shared, Warehouse, key_of, preview, table_tags
from metrics_assets.partitions import days_of
from metrics_assets.paths import SQL
from metrics_assets.warehouse.column_lineage import column_sources
from metrics_assets.warehouse.derived import derived_tables, table_columns

# Up to so many rows a table is counted; of a larger one the planner's estimate is told.
_MOST_COUNTED = 1_000_000
_ROWS_SHOWN, _COLUMNS_SHOWN = 10, 12


def derived_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """One asset per derived table; what it depends on is what it reads."""
    return [derivation_asset(shared, derivation) for derivation in derivations().values()]


def derivation_asset(shared: Shared, derivation: Derivation) -> dg.AssetsDefinition:
    """The asset of a derivation: its table, its description, what it reads."""

    @dg.asset(
        key=key_of(derivation.table),
        deps=[key_of(table) for table in derivation.reads],
        description=_description(derivation),
        metadata={**shared.metadata(derivation.table), **_made_by(derivation)},
        tags=table_tags(derivation.table),
        **shared.arguments(
            derivation.group, set(derivation.kinds if "sql" in derivation.kinds else {*derivation.kinds, "python"})
        ),
    )
    def derive(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        days = days_of(context)
        metadata: dict[str, Any] = dict(derivation.run(warehouse.engine, days.start, days.end))
        if days.start == days.last:
            metadata["dagster/partition_row_count"] = metadata["rows"]
        # What a run shows stands with its last day alone: every day of a range has an event of its own.
        context.add_asset_metadata(_shown(warehouse.engine, derivation, days.last), partition_key=days.last.isoformat())
        return dg.MaterializeResult(metadata={**metadata, "from": days.start.isoformat(), "to": days.last.isoformat()})

    asset: dg.AssetsDefinition = derive
    return asset


def _description(derivation: Derivation) -> str:
    """What a row is, then where it goes next, then the SQL."""
    said, fence, sql = derivation.description.partition("\n\n```sql")
    following = [f"`{name}`" for name in _readers().get(derivation.table, ())]
    onwards = f"Read by {', '.join(following)}." if following else "Read by alert rules, reports and pages."
    return f"{said}\n\n{onwards}{fence}{sql}"


@cache
def _readers() -> dict[str, tuple[str, ...]]:
    """By table the derived tables and predictions that are made from it."""
    from metrics_assets.assets.predictions import predictions

    found: dict[str, tuple[str, ...]] = {}
    for derivation in (*derivations().values(), *predictions().values()):
        for table in derivation.reads:
            found[table] = (*found.get(table, ()), derivation.table)
    return found


def _shown(engine: sa.Engine, derivation: Derivation, day: date) -> dict[str, Any]:
    """What the UI shows of a table as of a day: its rows, a chart, a few of them, and where its columns are from."""
    with engine.connect() as connection:
        shown = {**_rows_of(connection, derivation.table), **chart_of(connection, derivation.name, day)}
        sql = derivation.preview or _newest_rows(derivation.table)
        if sql:
            shown["newest_day"] = preview(connection, sql, day=day)
    lineage = _lineage(derivation)
    return {**shown, **({"dagster/column_lineage": lineage} if lineage else {})}


def _rows_of(connection: sa.Connection, table: str) -> dict[str, Any]:
    estimate = connection.execute(
        sa.text("select reltuples::bigint from pg_class where oid = cast(:table as regclass)"), {"table": table}
    ).scalar_one()
    if estimate > _MOST_COUNTED:
        return {"rows_about": int(estimate)}
    return {"dagster/row_count": connection.execute(sa.text(f"select count(*) from {table}")).scalar_one()}


def _newest_rows(table: str) -> str | None:
    """A SELECT of a few rows of a day; none of a table that holds people's keys or has no day."""
    names = [column.name for column in table_columns()[table]]
    if "date" not in names or "holds" in table_tags(table):
        return None
    subjects = [name for name in ("subject_kind", "subject", "repository") if name in names]
    others = [name for name in names if name not in subjects and name != "repository_id"]
    first = ", ".join([*subjects, *others][:_COLUMNS_SHOWN])
    order = ", ".join(subjects) or "1"
    # What a team's figures are is for the team: the UI is everybody's.
    which = "date = :day and subject_kind <> 'team'" if "subject_kind" in names else "date = :day"
    return f"select {first} from {table} where {which} order by {order} limit {_ROWS_SHOWN}"


def _lineage(derivation: Derivation) -> dg.TableColumnLineage | None:
    """The columns that the table's columns are made of, as far as its SQL says so; None where nothing is known."""
    if derivation.name not in derived_tables():
        return None
    read = set(derivation.reads)
    deps = {
        column: [dg.TableColumnDep(key_of(table), name) for table, name in sources if table in read]
        for column, sources in column_sources(derivation.name).items()
    }
    known = {column: found for column, found in deps.items() if found}
    return dg.TableColumnLineage(known) if known else None


def _made_by(derivation: Derivation) -> dict[str, Any]:
    """Where the code is, and the SQL of the views that a SELECT reads; its own SQL ends the description."""
    if derivation.name not in derived_tables():
        return {"made_by": f"{derivation.run.__module__.replace('.', '/')}.py"}
    sql = derived_tables()[derivation.name].sql
    views = {
        f"sql_of_view_{file.stem}": dg.MetadataValue.md(f"```sql\n{file.read_text(encoding='utf-8').strip()}\n```")
        for file in sorted((SQL / "views").glob("*.sql"))
        if f"ops.{file.stem}" in sql or f"metrics.{file.stem} " in sql
    }
    return {"made_by": f"sql/derived/{derivation.name}.sql", **views}
