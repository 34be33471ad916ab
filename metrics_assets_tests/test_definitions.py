"""What Dagster loads: one graph, every asset explained, owned and partitioned alike, and cheap in events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.automation.schedules import days_to_run
from metrics_assets.definitions import build
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.settings import Settings
from metrics_assets.warehouse.derived import table_columns
from metrics_assets.warehouse.engine import create_engine, dagster_url
from metrics_assets_tests.playing import materialize, playing

_SETTINGS = Settings.model_validate(
    {"start": "2025-12-01", "end": "2025-12-31", "repositories": [{"github": "aurora/toolkit"}]}
)


@pytest.fixture(scope="module")
def graph() -> dg.BaseAssetGraph:  # type: ignore[type-arg, name-defined]
    definitions = build(_SETTINGS)
    dg.Definitions.validate_loadable(definitions)
    return definitions.resolve_asset_graph()


def test_every_asset_is_explained_owned_and_in_a_group(graph: dg.BaseAssetGraph) -> None:  # type: ignore[name-defined]
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name in {"collect", "derive", "evaluate", "forecast", "notify", "publish"}, key


def test_every_asset_but_pages_is_the_table_of_its_key(graph: dg.BaseAssetGraph) -> None:  # type: ignore[name-defined]
    tables = {".".join(key.path) for key in graph.get_all_asset_keys() if key.path[0] != "site"}
    assert tables <= set(table_columns())


def test_all_partitions_are_the_same_days_so_that_a_backfill_is_one_run(graph: dg.BaseAssetGraph) -> None:  # type: ignore[name-defined]
    partitioned = [graph.get(key) for key in graph.get_all_asset_keys() if graph.get(key).partitions_def]
    assert {node.partitions_def for node in partitioned} == {
        dg.DailyPartitionsDefinition("2025-12-01", end_date="2026-01-01", timezone="UTC")
    }
    assert {node.backfill_policy for node in partitioned} == {dg.BackfillPolicy.single_run()}
    unpartitioned = {key.to_user_string() for key in graph.get_all_asset_keys() if not graph.get(key).partitions_def}
    assert unpartitioned == {"ops/notifications"}


def test_the_status_of_a_day_comes_after_everything_that_rules_read(graph: dg.BaseAssetGraph) -> None:  # type: ignore[name-defined]
    status = dg.AssetKey(["ops", "daily_status"])
    before = {key.to_user_string() for key in graph.get(status).parent_keys}
    assert {"metrics/dora_daily", "metrics/repository_daily", "metrics/anomalies"} <= before
    definitions = build(_SETTINGS)
    assert status in set(definitions.resolve_job_def("main").asset_layer.executable_asset_keys)
    alerts = definitions.resolve_job_def("alerts").asset_layer.executable_asset_keys
    assert set(alerts) == {dg.AssetKey(["ops", "notifications"])}


def test_every_sensor_runs_by_itself_once_a_minute() -> None:
    sensors = {sensor.name: sensor for sensor in build(_SETTINGS).sensors or []}
    assert set(sensors) == {"thresholds", "pipeline", "escalations", "feeds"}
    for sensor in sensors.values():
        assert isinstance(sensor, dg.SensorDefinition)
        assert sensor.minimum_interval_seconds == 60
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_what_talks_to_a_source_is_in_its_pool() -> None:
    pools = {}
    for definition in build(_SETTINGS).assets or []:
        assert isinstance(definition, dg.AssetsDefinition)
        collects = set(definition.group_names_by_key.values()) == {"collect"}
        assert (definition.op.pool is not None) == collects, definition.keys
        if collects:
            pools[definition.op.name] = definition.op.pool
    assert pools == {
        "repositories": "github", "collect": "github", "packages": "registries", "platforms": "platforms",
        "read_feeds": "feeds",
    }  # fmt: skip


def _days(first: date, last: date) -> set[str]:
    return {(first + timedelta(days=day)).isoformat() for day in range((last - first).days + 1)}


_START, _END = _SETTINGS.start, date(2025, 12, 31)


@pytest.mark.parametrize(
    ("today", "end", "done", "expected"),
    [
        # All is there: the days that may still change.
        (date(2026, 3, 10), None, _days(_START, date(2026, 3, 8)), (date(2026, 3, 6), date(2026, 3, 9))),
        # The daemon was down for a week.
        (date(2026, 3, 10), None, _days(_START, date(2026, 3, 1)), (date(2026, 3, 2), date(2026, 3, 9))),
        # The first day of all.
        (date(2026, 3, 10), None, set(), (_START, date(2026, 3, 9))),
        (date(2025, 12, 2), None, set(), (_START, _START)),
        # No whole day yet.
        (_START, None, set(), None),
        # Near the end and after it.
        (date(2026, 1, 2), _END, _days(_START, _END), (date(2025, 12, 29), _END)),
        (date(2026, 1, 20), _END, _days(_START, _END), None),
        (date(2026, 1, 20), _END, _days(_START, date(2025, 12, 30)), (_END, _END)),
    ],
)
def test_the_schedule_asks_for_the_days_that_may_still_change_or_are_missing(
    today: date, end: date | None, done: set[str], expected: tuple[date, date] | None
) -> None:
    settings = _SETTINGS.model_copy(update={"end": end})
    assert days_to_run(settings, today, done) == expected


def test_a_tick_of_the_schedule_asks_for_one_run_over_the_range() -> None:
    definitions = build(_SETTINGS.model_copy(update={"end": None}))
    schedule = definitions.resolve_schedule_def("daily")
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=datetime(2026, 1, 5, 2, 30, tzinfo=UTC))
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.run_key == "2026-01-04"
    assert request.tags["dagster/asset_partition_range_start"] == "2025-12-01"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-01-04"


def test_a_longer_range_costs_one_event_per_asset_and_day(
    new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's own event log dominates long backfills; two of its environment variables keep it small."""
    database = new_database("events")
    first = date(2025, 12, 1)
    with playing(sample_organisation(), database, tmp_path, monkeypatch):
        events = create_engine(dagster_url(database))
        counts = []
        for days in (1, 11):
            materialize(_SETTINGS, first, first + timedelta(days=days - 1))
            with events.connect() as connection:
                counts.append(connection.execute(sa.text("select count(*) from public.event_logs")).scalar_one())
        events.dispose()
    assets = len(build(_SETTINGS).resolve_asset_graph().get_all_asset_keys()) - 1
    assert counts[1] - counts[0] <= counts[0] + 10 * assets + 5
