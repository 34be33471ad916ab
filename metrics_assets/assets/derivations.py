"""Everything that is derived from what was collected, by table: the files of sql/derived, and what SQL cannot do.

A derivation rebuilds the rows of its table whose date lies in [start, end), in one transaction, from other tables
alone: no settings, no clock. The assets, the tests and the benchmark run these same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from graphlib import TopologicalSorter

import sqlalchemy as sa

from metrics_assets.warehouse.derived import DerivedTable, derived_tables, replace_range

Metadata = Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a table of schema metrics is made.

    Attributes:
        reads: the tables ('raw.commits') that it is made from.
        run: rebuilds [start, end) and returns what it did, `rows` among it.
        preview: a SELECT with the parameter :day, whose few rows are shown in the Dagster UI. Never of people.
    """

    name: str
    description: str
    reads: tuple[str, ...]
    kinds: frozenset[str]
    run: Callable[[sa.Engine, date, date], Metadata]
    group: str = "derive"
    preview: str | None = None

    @property
    def table(self) -> str:
        return f"metrics.{self.name}"


@cache
def derivations() -> dict[str, Derivation]:
    """All derivations by the name of their table, each after those that it reads."""
    from metrics_assets.assets import calculated, contributors, durations, gates, goals, issue_ages, scores, shipping

    found = {name: _from_sql(table) for name, table in derived_tables().items()}
    for module in (shipping, durations, contributors, issue_ages, calculated, scores, goals, gates):
        found |= {derivation.name: derivation for derivation in module.derivations()}
    graph = {
        name: {read.removeprefix("metrics.") for read in derivation.reads if read.startswith("metrics.")} & set(found)
        for name, derivation in found.items()
    }
    return {name: found[name] for name in TopologicalSorter(graph).static_order()}


def _from_sql(table: DerivedTable) -> Derivation:
    def run(engine: sa.Engine, start: date, end: date) -> Metadata:
        replaced = replace_range(engine, table, start, end)
        return {"rows": replaced.rows, "rows_replaced": replaced.removed}

    return Derivation(
        name=table.name,
        description=f"{table.description}\n\n```sql\n{_statement(table.sql)}\n```",
        reads=tuple(f"{schema}.{name}" for schema, name in table.reads),
        kinds=frozenset({"postgres", "sql"}),
        run=run,
    )


def _statement(sql: str) -> str:
    """A file's SELECT without its head, which is the description already."""
    lines = sql.splitlines()
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("--"))
    return "\n".join(lines[first:])
