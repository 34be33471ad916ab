"""Checks that stand beside the assets and read what they wrote."""

import dagster as dg
import sqlalchemy as sa

from metrics_assets.assets.shared import Shared, Warehouse, key_of


def asset_checks(shared: Shared) -> list[dg.AssetChecksDefinition]:
    """Checks of the derived tables. Two block: a wrong daily table would spread into scores, alerts and pages."""
    return [_rates_are_shares(shared), _shipped_once(shared), _calculated()]


def _calculated() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of("metrics.calculated_daily"),
        name="calculated",
        description="Every metric that is calculated from others, or by a SELECT of the user's own, could be.",
    )
    def calculated(warehouse: Warehouse) -> dg.AssetCheckResult:
        with warehouse.engine.connect() as connection:
            problems = list(
                connection.execute(sa.text("select problem from ops.metric_problems order by metric")).scalars()
            )
        return dg.AssetCheckResult(
            passed=not problems,
            description=" ".join(problems) if problems else "All metrics could be calculated.",
            metadata={"problems": len(problems)},
        )

    return calculated


def _rates_are_shares(shared: Shared) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of("metrics.dora_daily"),
        name="rates_are_shares",
        blocking=True,
        description="Rates lie between 0 and 1, nothing is negative, and no deployment frequency is known where "
        "nothing ships.",
    )
    def rates_are_shares(warehouse: Warehouse) -> dg.AssetCheckResult:
        with warehouse.engine.connect() as connection:
            wrong = connection.execute(
                sa.text(
                    # Several chains may ship by several sources, and then the subject has none.
                    "select subject || ' on ' || date from metrics.dora_daily where change_failure_rate "
                    "not between 0 and 1 or rework_rate not between 0 and 1 or lead_time_hours < 0 "
                    "or deployment_frequency < 0 or (deployment_source is null and deployment_frequency is not null "
                    "and subject_kind in ('service', 'environment')) "
                    "order by date limit 5"
                )
            ).scalars()
            found = list(wrong)
        return dg.AssetCheckResult(
            passed=not found, description=f"Wrong rows: {', '.join(found)}" if found else "All rows are plausible."
        )

    return rates_are_shares


def _shipped_once(shared: Shared) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of("metrics.changes"),
        name="shipped_after_merge",
        description="No change is deployed before it was written, and every shipped change names its deployment.",
        blocking=True,
    )
    def shipped_after_merge(warehouse: Warehouse) -> dg.AssetCheckResult:
        with warehouse.engine.connect() as connection:
            wrong = connection.execute(
                sa.text(
                    "select repository || ' ' || change_key from metrics.changes where state = 'shipped' "
                    "and (deployment_key is null or lead_time_hours is null and first_commit_at is not null) limit 5"
                )
            ).scalars()
            found = list(wrong)
        return dg.AssetCheckResult(
            passed=not found, description=f"Wrong rows: {', '.join(found)}" if found else "All rows agree."
        )

    return shipped_after_merge
