"""Figures out of the warehouse for reports: the rows of some days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from metrics_assets.assets.site.series import DAYS_FOR_A_TIER
from metrics_assets.reporting.data import State


@dataclass(frozen=True, slots=True)
class Value:
    value: float | None
    n: int | None
    state: State
    low: float | None
    high: float | None


# By metric, subject kind and subject: the rows by day.
Values = dict[tuple[str, str, str], dict[date, Value]]

# psycopg2 writes the metrics into the statement: the planner then reads their branches of the view and no others.
_SQL = """
select metric, subject_kind, subject, date, n, state, low, high,
       case when state in ('ok', 'provisional') then value end as value
from metrics.metric_values
where metric = any (:metrics) and subject_kind = any (:kinds) and date = any (:days)
order by metric, subject_kind, subject, date
"""


def read_values(
    connection: sa.Connection, metrics: Iterable[str], kinds: Iterable[str], days: Iterable[date]
) -> Values:
    """The rows of some metrics on some days, of subjects of some kinds; never a team's.

    A value of a state other than ok and provisional is None.
    """
    parameters = {"metrics": sorted(set(metrics)), "kinds": sorted(set(kinds) - {"team"}), "days": sorted(set(days))}
    found: Values = {}
    for row in connection.execute(sa.text(_SQL), parameters):
        known = row.value is not None
        value = Value(row.value, row.n, row.state, row.low if known else None, row.high if known else None)
        found.setdefault((row.metric, row.subject_kind, row.subject), {})[row.date] = value
    return found


_FEW_DAYS = """
select subject_kind, subject, date from metrics.dora_daily
where subject_kind = any (:kinds) and date = any (:days) and days_observed < :fewest
"""


def too_young(connection: sa.Connection, kinds: Iterable[str], days: Iterable[date]) -> set[tuple[str, str, date]]:
    """Kind, subject and day of those that were observed too few days to have a tier, as in metrics.dora_tiers."""
    parameters = {"kinds": sorted(set(kinds)), "days": sorted(set(days)), "fewest": DAYS_FOR_A_TIER}
    return {tuple(row) for row in connection.execute(sa.text(_FEW_DAYS), parameters)}
