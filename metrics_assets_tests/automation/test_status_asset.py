"""The asset ops/daily_status: evaluates the rules on the newest day, says how it stands, and has it told once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.alerting.states import open_alerts
from metrics_assets.assets.shared import Shared, Warehouse
from metrics_assets.assets.status import status_assets
from metrics_assets.partitions import daily
from metrics_assets.settings import Settings
from metrics_assets_tests.automation.conftest import FALLEN, Clock, deployments, settings

TOLD = Settings.model_validate(
    {**settings().model_dump(exclude={"alerts", "channels"}), "end": "2025-12-31", "packs": [], "sources": {}}
    | {"channels": {"team": {"url_env": "RECEIVER", "daily_status": True}}}
)


def made(day: str, instance: dg.DagsterInstance) -> Mapping[str, Any]:
    """What a run of the asset says of a day."""
    result = dg.materialize(
        status_assets(Shared(TOLD, daily(TOLD))),
        instance=instance,
        partition_key=day,
        resources={"warehouse": Warehouse()},
    )
    (event,) = result.get_asset_materialization_events()
    return {name: entry.value for name, entry in event.materialization.metadata.items()}


def test_the_newest_day_is_evaluated_and_told_once(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    deployments(engine, 1, *FALLEN)
    first = made("2025-12-14", instance)
    assert (first["status"], first["told"]) == ("issues", 1)
    assert first["line"] == ("2025-12-14: issues: 1 alert fires (1 warning). Low deployment activity: acme/api.")
    assert first["details"]["alerts"] == {"critical": 0, "warning": 1, "info": 0}
    (alert,) = open_alerts(engine)
    assert (alert.rule, alert.date) == ("low_deployment_activity", date(2025, 12, 14))
    again = made("2025-12-14", instance)
    assert (again["line"], again["told"]) == (first["line"], 0)
    with engine.connect() as connection:
        kept = connection.execute(sa.text("select date::text, status, line from ops.daily_status")).all()
    assert [tuple(row) for row in kept] == [("2025-12-14", "issues", first["line"])]


def test_a_day_that_is_made_anew_is_neither_evaluated_nor_told(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    deployments(engine, 1, *FALLEN, 2, 2)
    past = made("2025-12-14", instance)
    assert (past["status"], past["told"]) == ("healthy", 0)
    assert open_alerts(engine) == []
    assert made("2025-12-20", instance)["line"] == "2025-12-20: unknown: there are no figures of this day."


def test_a_check_that_failed_in_the_run_is_an_issue(engine: sa.Engine, instance: dg.DagsterInstance) -> None:
    deployments(engine, 1, 1)

    @dg.asset(key=["metrics", "dora_daily"], partitions_def=daily(TOLD))
    def dora_daily() -> None:
        pass

    @dg.asset_check(asset=["metrics", "dora_daily"])
    def plausible() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    definitions = dg.Definitions(
        [dora_daily, *status_assets(Shared(TOLD, daily(TOLD)))],
        asset_checks=[plausible],
        resources={"warehouse": Warehouse()},
    )
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, partition_key="2025-12-01")
    (event,) = result.asset_materializations_for_node("ops__daily_status")
    assert event.metadata["line"].value == (
        "2025-12-01: issues: no alert fires, 1 check failed. check plausible of metrics/dora_daily."
    )
