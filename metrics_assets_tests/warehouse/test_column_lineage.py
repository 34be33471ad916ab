"""Where derived columns come from: only what the SQL says, and for most of them."""

from __future__ import annotations

import pytest

from metrics_assets.warehouse.column_lineage import column_sources
from metrics_assets.warehouse.derived import derived_tables, table_columns


def test_a_column_that_is_passed_on_comes_from_its_table() -> None:
    sources = column_sources("group_daily")
    assert ("metrics.repository_daily", "commits") in sources["commits"]
    assert sources["active_contributors"] == (("metrics.contributor_daily", "active_contributors"),)
    assert all(table != "metrics.contributor_daily" for table, _ in sources["commits"])


def test_a_column_follows_unions_and_common_table_expressions() -> None:
    assert ("metrics.fed_daily", "value") in column_sources("space_satisfaction")["satisfaction"]
    assert ("metrics.deployments", "outcome") in column_sources("dora_daily")["deployments_succeeded"]


@pytest.mark.parametrize("name", sorted(derived_tables()))
def test_every_source_is_a_column_of_a_table_that_the_select_reads_or_that_is_no_asset(name: str) -> None:
    reads = {f"{schema}.{table}" for schema, table in derived_tables()[name].reads}
    columns = {column.name for column in table_columns()[f"metrics.{name}"]}
    for column, sources in column_sources(name).items():
        assert column in columns
        for table, of in sources:
            assert of in {one.name for one in table_columns()[table]}
            assert table in reads or table.split(".")[0] in {"ops", "metrics"}


def test_most_columns_are_resolved() -> None:
    names = derived_tables()
    resolved = sum(len(column_sources(name)) for name in names)
    assert resolved > 0.6 * sum(len(table_columns()[f"metrics.{name}"]) for name in names)
