"""Checks that stand beside the assets and read what they wrote.

Each says in a sentence what it found, shows the rows, and on how many it stands. Two block: a wrong daily table would
spread into scores, alerts and pages. What a user may have written wrong in a metric of their own warns.
"""

from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.assets.shared import Shared, Warehouse, key_of, markdown_table

_MOST_SHOWN = 10


def asset_checks(shared: Shared) -> list[dg.AssetChecksDefinition]:
    """Checks of the derived tables."""
    return [_rates_are_shares(shared), _shipped_once(shared), _calculated()]


def _calculated() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of("metrics.calculated_daily"),
        name="calculated",
        description="Every metric that is calculated from others, or by a SELECT of the user's own, could be. A "
        "warning: the other metrics are not touched by it.",
    )
    def calculated(warehouse: Warehouse) -> dg.AssetCheckResult:
        with warehouse.engine.connect() as connection:
            rows = connection.execute(sa.text("select metric, problem from ops.metric_problems order by metric")).all()
        problems = [row.problem for row in rows]
        return dg.AssetCheckResult(
            passed=not problems,
            severity=dg.AssetCheckSeverity.WARN,
            description=" ".join(problems) if problems else "All metrics could be calculated.",
            metadata={
                "problems": len(problems),
                **({"metrics": markdown_table(["metric", "problem"], [tuple(row) for row in rows])} if rows else {}),
            },
        )

    return calculated


# What may not be in a day of delivery, each with a sentence. Several chains may ship by several sources, and then the
# subject has none.
_NOT_PLAUSIBLE = """
select
    subject, date::text as date,
    case
        when change_failure_rate not between 0 and 1 then 'the change failure rate is ' || change_failure_rate
        when rework_rate not between 0 and 1 then 'the rework rate is ' || rework_rate
        when lead_time_hours < 0 then 'the lead time is negative: ' || lead_time_hours || ' h'
        when deployment_frequency < 0 then 'the deployment frequency is negative: ' || deployment_frequency
        else 'a deployment frequency is known though nothing is known to ship'
    end as why,
    count(*) over () as found
from metrics.dora_daily
where change_failure_rate not between 0 and 1 or rework_rate not between 0 and 1 or lead_time_hours < 0
   or deployment_frequency < 0
   or (deployment_source is null and deployment_frequency is not null and subject_kind in ('service', 'environment'))
order by date, subject
limit :most
"""


def _rates_are_shares(shared: Shared) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of("metrics.dora_daily"),
        name="rates_are_shares",
        blocking=True,
        description="Rates lie between 0 and 1, nothing is negative, and no deployment frequency is known where "
        "nothing ships. It blocks: scores, alerts and pages are not made from a day that is wrong.",
    )
    def rates_are_shares(warehouse: Warehouse) -> dg.AssetCheckResult:
        return _judge(warehouse, _NOT_PLAUSIBLE, "metrics.dora_daily", "plausible")

    return rates_are_shares


_NOT_SHIPPED = """
select
    repository || ' ' || change_key as change,
    case when deployment_key is null then 'it counts as shipped, and no deployment is named'
         else 'it was shipped, and has a first commit but no lead time' end as why,
    count(*) over () as found
from metrics.changes
where state = 'shipped' and (deployment_key is null or lead_time_hours is null and first_commit_at is not null)
order by 1
limit :most
"""


def _shipped_once(shared: Shared) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of("metrics.changes"),
        name="shipped_after_merge",
        description="Every shipped change names its deployment, and has a lead time where its first commit is known. "
        "It blocks: lead times are made of these rows.",
        blocking=True,
    )
    def shipped_after_merge(warehouse: Warehouse) -> dg.AssetCheckResult:
        return _judge(warehouse, _NOT_SHIPPED, "metrics.changes", "right")

    return shipped_after_merge


def _judge(warehouse: Warehouse, sql: str, table: str, word: str) -> dg.AssetCheckResult:
    """The result of a SELECT of wrong rows: its last column is how many there are in all, the one before says why."""
    with warehouse.engine.connect() as connection:
        result = connection.execute(sa.text(sql), {"most": _MOST_SHOWN})
        columns, wrong = list(result.keys())[:-1], [tuple(row) for row in result]
        rows = connection.execute(sa.text(f"select count(*) from {table}")).scalar_one()
    found = wrong[0][-1] if wrong else 0
    metadata: dict[str, Any] = {"rows_checked": rows, "rows_wrong": found}
    if not wrong:
        return dg.AssetCheckResult(passed=True, description=f"All {rows:,} rows are {word}.", metadata=metadata)
    shown = [row[:-1] for row in wrong]
    first = "; ".join(f"{' on '.join(str(value) for value in row[:-1])}: {row[-1]}" for row in shown[:3])
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{found:,} of {rows:,} rows are wrong, for example {first}.",
        metadata={**metadata, "wrong": markdown_table(columns, shown)},
    )
