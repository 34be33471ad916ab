"""What the Dagster UI shows of a table's rows is for everybody who may open it: no row is a team's."""

from __future__ import annotations

import re

import pytest

from metrics_assets.assets.derivations import derivations
from metrics_assets.assets.derived import _newest_rows
from metrics_assets.assets.predictions import predictions
from metrics_assets.warehouse.derived import table_columns

MADE = {
    made.table: made.preview or _newest_rows(made.table) for made in (*derivations().values(), *predictions().values())
}
OF_SUBJECTS = sorted(
    table for table, sql in MADE.items() if sql and "subject_kind" in {column.name for column in table_columns()[table]}
)


@pytest.mark.parametrize("table", OF_SUBJECTS)
def test_no_preview_shows_a_row_of_a_team(table: str) -> None:
    assert re.search(r"subject_kind (<> 'team'|not in \([^)]*'team'[^)]*\))", MADE[table] or ""), MADE[table]


def test_the_tables_of_space_and_of_what_teams_feed_are_among_them() -> None:
    assert {"metrics.space_satisfaction", "metrics.fed_daily", "metrics.insights"} <= set(OF_SUBJECTS)
