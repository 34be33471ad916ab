"""What Dagster loads: one graph, every asset explained, owned and partitioned alike, and cheap in events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.assets import columns
from metrics_assets.assets.checks import asset_checks
from metrics_assets.assets.derivations import derivations
from metrics_assets.assets.derived import derivation_asset
from metrics_assets.assets.headlines import HEADLINES, chart_of
from metrics_assets.assets.shared import Shared, Warehouse
from metrics_assets.automation.jobs import RANGE_END_TAG, RANGE_START_TAG
from metrics_assets.automation.schedules import days_to_run
from metrics_assets.definitions import build
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.partitions import Days, daily, made_for
from metrics_assets.settings import Settings
from metrics_assets.warehouse.derived import derived_tables, table_columns
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


def test_every_derived_table_says_what_follows_and_shows_its_sql(graph: dg.BaseAssetGraph) -> None:  # type: ignore[name-defined]
    for name in derived_tables():
        node = graph.get(dg.AssetKey(["metrics", name]))
        assert "Read by " in node.description, name
        head, _, sql = node.description.partition("```sql")
        assert "Read by " in head, name
        assert "select" in sql, name
        assert node.metadata["made_by"] == f"sql/derived/{name}.sql"
    dora = graph.get(dg.AssetKey(["metrics", "dora_daily"]))
    assert "create or replace view" in dora.metadata["sql_of_view_subjects"].md_str


def test_columns_say_what_they_mean(graph: dg.BaseAssetGraph) -> None:  # type: ignore[name-defined]
    columns = {
        column.name: column.description or ""
        for column in graph.get(dg.AssetKey(["metrics", "dora_daily"])).metadata["dagster/column_schema"].columns
    }
    assert columns["deployment_frequency"].startswith("Deployment frequency (per day): ")
    assert "95 % interval" in columns["deployment_frequency_low"]
    assert columns["date"] == "The UTC day; of a window its last day."
    fed = graph.get(dg.AssetKey(["metrics", "fed_daily"])).metadata["dagster/column_schema"].columns
    assert {column.name: column.description for column in fed}["value"].startswith("The value of the row's metric")


def test_tables_link_to_the_pages_of_a_site_that_is_published() -> None:
    settings = _SETTINGS.model_validate(
        {**_SETTINGS.model_dump(exclude_unset=True), "alerts": {"site_url": "https://metrics.example.com/site"}}
    )
    for one, expected in ((_SETTINGS, None), (settings, "https://metrics.example.com/site/delivery.html")):
        metadata = build(one).resolve_asset_graph().get(dg.AssetKey(["metrics", "dora_daily"])).metadata
        link = metadata.get("site_delivery")
        assert (link.url if link else None) == expected


def test_tables_that_hold_people_s_keys_can_be_selected(graph: dg.BaseAssetGraph) -> None:  # type: ignore[name-defined]
    held = {
        key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).tags.get("holds") == "person-keys"
    }
    assert {"raw/commits", "raw/reviews", "raw/stargazers", "metrics/contributor_days"} <= held
    assert "metrics/dora_daily" not in held


def _run_of_days(asset: dg.AssetsDefinition, instance: dg.DagsterInstance) -> bool:
    tags = {RANGE_START_TAG: "2025-12-01", RANGE_END_TAG: "2025-12-03"}
    resources = {"warehouse": Warehouse()}
    return dg.materialize([asset], instance=instance, tags=tags, resources=resources, raise_on_error=False).success


def test_days_of_a_run_that_failed_do_not_look_materialized(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Warehouse, "engine", warehouse)
    shared = Shared(_SETTINGS, daily(_SETTINGS))
    good = derivations()["group_daily"]
    key = dg.AssetKey(["metrics", "group_daily"])

    def fails(engine: sa.Engine, start: date, end: date) -> dict[str, int]:
        raise RuntimeError("the disk is full")

    with dg.instance_for_test() as instance:
        assert not _run_of_days(derivation_asset(shared, dataclasses.replace(good, run=fails)), instance)
        assert instance.get_materialized_partitions(key) == set()
        assert _run_of_days(derivation_asset(shared, good), instance)
        assert instance.get_materialized_partitions(key) == {"2025-12-01", "2025-12-02", "2025-12-03"}
        # A later failure takes nothing away of what is there.
        assert not _run_of_days(derivation_asset(shared, dataclasses.replace(good, run=fails)), instance)
        assert len(instance.get_materialized_partitions(key)) == 3


def test_what_a_run_shows_stands_with_its_last_day_alone(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Warehouse, "engine", warehouse)
    shared = Shared(_SETTINGS, daily(_SETTINGS))
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
                "values ('acme', '2025-12-01', 3, 3, 'x')"
            )
        )
    with dg.instance_for_test() as instance:
        assert _run_of_days(derivation_asset(shared, derivations()["group_daily"]), instance)
        records = instance.fetch_materializations(dg.AssetKey(["metrics", "group_daily"]), limit=10).records
        shown = {record.partition_key: set(record.asset_materialization.metadata) for record in records}
    assert {"dagster/row_count", "newest_day", "dagster/column_lineage"} <= shown["2025-12-03"]
    assert shown["2025-12-01"] == shown["2025-12-02"] == {"rows", "rows_replaced", "from", "to"}


@pytest.mark.parametrize("table", sorted(HEADLINES))
def test_every_headline_can_be_read(warehouse: sa.Engine, table: str) -> None:
    with warehouse.connect() as connection:
        assert chart_of(connection, table, date(2025, 12, 31)) == {}


def test_checks_say_what_is_wrong_and_on_how_many_rows(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Warehouse, "engine", warehouse)
    (check,) = [one for one in asset_checks(Shared(_SETTINGS, daily(_SETTINGS))) if "dora" in str(one.check_keys)]
    insert = sa.text(
        "insert into metrics.dora_daily (subject_kind, subject, date, days_observed, change_failure_rate) "
        "values ('repository', :subject, '2025-12-01', 28, :rate)"
    )
    with warehouse.begin() as connection:
        connection.execute(insert, {"subject": "acme/api", "rate": 0.5})
    good = check(Warehouse())
    assert isinstance(good, dg.AssetCheckResult)
    assert good.passed
    assert good.description == "All 1 rows are plausible."
    with warehouse.begin() as connection:
        connection.execute(insert, {"subject": "acme/web", "rate": 1.5})
    bad = check(Warehouse())
    assert isinstance(bad, dg.AssetCheckResult)
    assert not bad.passed
    assert bad.severity is dg.AssetCheckSeverity.ERROR
    assert bad.description == (
        "1 of 2 rows are wrong, for example acme/web on 2025-12-01: the change failure rate is 1.5."
    )
    assert "acme/web" in bad.metadata["wrong"].md_str  # type: ignore[union-attr]


def test_every_asset_but_pages_is_the_table_of_its_key(graph: dg.BaseAssetGraph) -> None:  # type: ignore[name-defined]
    tables = {".".join(key.path) for key in graph.get_all_asset_keys() if key.path[0] not in {"site", "reports"}}
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


def test_what_is_written_of_columns_is_of_columns_that_are_there() -> None:
    for table, meanings in columns._OF_TABLE.items():
        assert set(meanings) <= {column.name for column in table_columns()[table]}, table
    assert "state" not in columns.column_meanings("raw.deployments")
    assert columns.column_meanings("ops.notifications")["state"] == "pending, sent or dropped."


def test_what_is_told_and_published_has_tags_links_and_columns() -> None:
    settings = _SETTINGS.model_validate(
        {**_SETTINGS.model_dump(exclude_unset=True), "alerts": {"site_url": "https://metrics.example.com/site"}}
    )
    graph = build(settings).resolve_asset_graph()
    for key, link, page in (
        ("ops/notifications", "site_alerts", "alerts.html"),
        ("ops/daily_status", "site_overview", "index.html"),
        ("reports/weekly_digest", "site_reports", "reports.html"),
        ("site/pages", "site_overview", "index.html"),
    ):
        node = graph.get(dg.AssetKey(key.split("/")))
        assert node.metadata[link].url == f"https://metrics.example.com/site/{page}"
        if key != "site/pages":
            assert node.tags["schema"] == "ops"
            assert all(column.description for column in node.metadata["dagster/column_schema"].columns), key


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([3], "2025-12-03; not for the other 2 days of the run, of which is kept what was there"),
        ([2, 3], "2025-12-02, 2025-12-03; not for the other day of the run, of which is kept what was there"),
        ([1, 2, 3], "2025-12-01, 2025-12-02, 2025-12-03"),
    ],
)
def test_a_green_day_without_rows_says_for_which_days_something_was_made(made: list[int], said: str) -> None:
    days = Days(date(2025, 12, 1), date(2025, 12, 4))
    assert made_for([date(2025, 12, day) for day in made], days) == said
