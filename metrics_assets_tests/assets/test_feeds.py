"""Fed files into the warehouse: what is written, what is set aside, what the sensor sees, and the command."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.assets.feeds import CHECK, TABLES, Fed, Feeder, feed_assets, sentences
from metrics_assets.assets.shared import Shared, Warehouse, key_of
from metrics_assets.automation.sensors import feeds_sensor
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.definitions import build
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.partitions import daily
from metrics_assets.settings import Settings
from metrics_assets.sources.files.layouts import Known
from metrics_assets.sources.records import Account
from metrics_assets.warehouse.people import person_keys
from metrics_assets_tests.command import metrics, url_text
from metrics_assets_tests.playing import materialize as materialize_days
from metrics_assets_tests.playing import playing
from metrics_assets_tests.tables import contents
from metrics_assets_tests.warehouse.tables import PEOPLE, table

SETTINGS = Settings.model_validate(
    {"start": "2025-06-01", "end": "2025-06-30", "repositories": [{"github": "acme/api"}]}
)
KNOWN = Known({"revenue": "dollars"}, {}, {"mvp": {"tested"}}, date(2025, 7, 1), lambda name: PEOPLE.key(Account(name)))
HEADER = "metric_key,period_start,period_end,value,segment,entered_by\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `feeds` beside a metrics.yaml that is not there."""
    monkeypatch.setenv("METRICS_CONFIG", str(tmp_path / "metrics.yaml"))
    (tmp_path / "feeds").mkdir()
    return tmp_path / "feeds"


Reading = Callable[[], list[Fed]]


@pytest.fixture
def feed(warehouse: sa.Engine, folder: Path) -> Reading:
    return lambda: Feeder(warehouse, folder, KNOWN).feed()[0]


def rows(warehouse: sa.Engine) -> list[tuple[Any, ...]]:
    return table(warehouse, "select period_end, segment, value, file, line from raw.kpi_values order by 1, 2")


def row(day: int, value: float | str, segment: str = "", person: str = "ann") -> str:
    return f"revenue,2025-06-{day:02},2025-06-{day:02},{value},{segment},{person}\n"


def test_good_rows_are_written_and_bad_ones_set_aside_until_they_are_mended(
    warehouse: sa.Engine, folder: Path, feed: Reading
) -> None:
    path = folder / "kpi_values.csv"
    path.write_text(HEADER + row(1, 1.5) + row(2, "95%") + row(3, 3, "EMEA"))
    (one,) = feed()
    assert (one.read, one.written, one.rejected_count) == (3, 2, 1)
    assert rows(warehouse) == [("06-01", "", 1.5, "kpi_values.csv", 2), ("06-03", "EMEA", 3, "kpi_values.csv", 4)]
    assert table(warehouse, "select file, line, content, problem from ops.rejected_rows") == [
        (
            "kpi_values.csv",
            3,
            "revenue,2025-06-02,2025-06-02,95%,,…",
            "value '95%' has a per cent sign; write it as a share: 0.95.",
        )
    ]
    assert (folder / "kpi_values.rejected.csv").exists()
    path.write_text(HEADER + row(1, 1.5) + row(2, 0.95) + row(3, 3, "EMEA"))
    (one,) = feed()
    assert (one.read, one.written, one.rejected_count) == (3, 1, 0)
    assert table(warehouse, "select * from ops.rejected_rows") == []
    assert not (folder / "kpi_values.rejected.csv").exists()
    assert table(warehouse, "select rows_read, rows_written, rows_rejected from ops.fed_files order by 3") == [
        (3, 1, 0), (3, 2, 1),
    ]  # fmt: skip


def test_of_a_person_only_the_hash_is_kept(warehouse: sa.Engine, folder: Path, feed: Reading) -> None:
    (folder / "kpi_values.csv").write_text(HEADER + row(1, 1, person="Annabel") + row(2, "x", person="Annabel"))
    (folder / "gate_evidence.csv").write_text(
        "gate,criterion,met,decided_by,decided_at\nmvp,tested,yes,Annabel,2025-06-01\nmvp,tested,oh,Annabel,2025-06-01\n"
    )
    (folder / "incident_links.csv").write_text(
        "repository,issue_number,deployment,verdict,decided_by,decided_at\nacme/api,7,v1,caused,@annabel,2025-06-01\n"
    )
    feed()
    assert not any("annabel" in text.lower() for table in contents(warehouse).values() for text in table)
    assert (
        table(
            warehouse,
            "select entered_by_key from raw.kpi_values union all select decided_by_key from raw.gate_evidence "
            "union all select decided_by_key from raw.incident_corrections",
        )
        == [(PEOPLE.key(Account("annabel")),)] * 3
    )


def test_the_same_again_writes_nothing(warehouse: sa.Engine, folder: Path, feed: Reading) -> None:
    (folder / "kpi_values.csv").write_text(HEADER + row(1, 1) + row(2, 2))
    (folder / "kpi_values.finance.csv").write_text(HEADER + row(2, 7))
    (folder / "events.csv").write_text("occurred_at,kind,title,note\n2025-06-01,talk,T,\n2025-06-01,talk,T,later\n")
    first = feed()
    assert {one.name: one.written for one in first} == {
        "events.csv": 1, "kpi_values.csv": 1, "kpi_values.finance.csv": 1,
    }  # fmt: skip
    before = {name: found for name, found in contents(warehouse).items() if name.startswith("raw.")}
    assert {one.written for one in feed()} == {0}
    assert {name: found for name, found in contents(warehouse).items() if name.startswith("raw.")} == before
    # What a later file says counts, and so does a later line.
    assert [found[2] for found in rows(warehouse)] == [1, 7]
    assert table(warehouse, "select note from raw.events") == [("later",)]


def test_a_later_line_counts_and_the_earlier_is_named(warehouse: sa.Engine, folder: Path, feed: Reading) -> None:
    (folder / "kpi_values.csv").write_text(HEADER + row(1, 1) + row(1, 1) + row(2, 2) + row(1, 3))
    (one,) = feed()
    assert rows(warehouse)[0] == ("06-01", "", 3, "kpi_values.csv", 5)
    assert (one.written, one.rejected_count, one.replaced) == (2, 0, (3,))
    assert sentences(one)[1] == "kpi_values.csv: later lines say something else than line 3; the later count."


def test_a_changed_row_is_updated_and_a_removed_row_stays(warehouse: sa.Engine, folder: Path, feed: Reading) -> None:
    path = folder / "kpi_values.csv"
    path.write_text(HEADER + row(1, 1) + row(2, 2))
    feed()
    with warehouse.begin() as connection:
        connection.exec_driver_sql("update raw.kpi_values set loaded_at = '2025-06-05'")
    path.write_text(HEADER + row(2, 5))
    (one,) = feed()
    assert one.written == 1
    assert rows(warehouse) == [("06-01", "", 1, "kpi_values.csv", 2), ("06-02", "", 5, "kpi_values.csv", 2)]
    assert table(warehouse, "select loaded_at = '2025-06-05' from raw.kpi_values order by period_end") == [
        (True,), (False,),
    ]  # fmt: skip


def test_rows_that_were_written_with_sql_stay(warehouse: sa.Engine, folder: Path, feed: Reading) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "insert into raw.kpi_values (metric, period_start, period_end, value) "
            "values ('revenue', '2025-05-01', '2025-05-31', 9)"
        )
    (folder / "kpi_values.csv").write_text(HEADER + row(1, 1))
    feed()
    assert [found[:3] for found in rows(warehouse)] == [("05-31", "", 9), ("06-01", "", 1)]


def test_a_file_that_went_leaves_no_rejected_rows(warehouse: sa.Engine, folder: Path, feed: Reading) -> None:
    (folder / "kpi_values-old.csv").write_text(HEADER + row(1, "x"))
    (folder / "events.csv").write_text("occurred_at,kind,title\nx,talk,T\n")
    feed()
    (folder / "kpi_values-old.csv").unlink()
    feed()
    assert table(warehouse, "select file from ops.rejected_rows") == [("events.csv",)]


def test_many_rows(warehouse: sa.Engine, folder: Path, feed: Reading) -> None:
    (folder / "kpi_values.csv").write_text(
        HEADER
        + "".join(row(1 + number % 30, number, f"s{number // 30}") for number in range(50_000))
        + row(1, "x") * 1200
    )
    (one,) = feed()
    assert (one.read, one.written, one.rejected_count) == (51_200, 50_000, 1200)
    assert table(warehouse, "select count(*) from ops.rejected_rows") == [(1000,)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_named(folder: Path, feed: Reading) -> None:
    (folder / "kpi_values.csv").write_text(HEADER)
    (folder / "kpi_values.csv").chmod(0)
    (one,) = feed()
    assert "the file cannot be read" in one.rejected[0].problem


# In Dagster.


@pytest.fixture
def materialize(
    warehouse: sa.Engine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dg.ExecuteInProcessResult]:
    monkeypatch.setenv("METRICS_HOME", str(tmp_path / "home"))
    engine = warehouse
    monkeypatch.setattr(Warehouse, "engine", property(lambda self: engine))

    def run(*selected: str) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            feed_assets(Shared(SETTINGS, daily(SETTINGS))),
            selection=[key_of(name) for name in selected] or None,
            resources={"warehouse": Warehouse()},
            partition_key="2025-06-03",
            raise_on_error=False,
        )

    return run


def test_nothing_fed_is_fine(materialize: Callable[..., dg.ExecuteInProcessResult], folder: Path) -> None:
    folder.rmdir()
    result = materialize()
    assert result.success
    checks = result.get_asset_check_evaluations()
    assert {(check.check_name, check.passed) for check in checks} == {(CHECK, True)}
    assert len(checks) == len(TABLES)
    metadata = result.asset_materializations_for_node("read_feeds")[0].metadata
    assert str(metadata["files"].value).startswith("Nothing is fed: ")


def test_the_check_lists_rows_that_were_not_taken_and_does_not_block(
    materialize: Callable[..., dg.ExecuteInProcessResult], folder: Path, warehouse: sa.Engine
) -> None:
    (folder / "kpi_values.csv").write_text(HEADER + "no_such_metric,2025-06-01,2025-06-01,1,,\n")
    (folder / "events.csv").write_text("occurred_at,kind,title\n2025-06-01,talk,T\n")
    result = materialize()
    assert result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    (check,) = failed
    assert check.asset_key == key_of("raw.kpi_values")
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert str(check.description).startswith("kpi_values.csv, line 2: metric_key 'no_such_metric' is no metric that is")
    assert table(warehouse, "select count(*) from raw.events") == [(1,)]


def test_one_of_the_tables_alone(
    materialize: Callable[..., dg.ExecuteInProcessResult], folder: Path, warehouse: sa.Engine
) -> None:
    (folder / "kpi_values.csv").write_text(HEADER + "x,2025-06-01,2025-06-01,1,,\n")
    (folder / "events.csv").write_text("occurred_at,kind,title\n2025-06-01,talk,T\n")
    result = materialize("raw.events")
    assert result.success
    assert {one.asset_key for one in result.asset_materializations_for_node("read_feeds")} == {key_of("raw.events")}
    assert table(warehouse, "select count(*) from ops.rejected_rows") == [(0,)]


# The sensor.


@pytest.fixture
def tick(folder: Path) -> Iterator[Callable[[], dg.SensorExecutionData | Any]]:
    sensor = feeds_sensor(SETTINGS)
    with dg.instance_for_test() as instance:
        cursor: list[str | None] = [None]

        def ticking() -> Any:
            context = dg.build_sensor_context(instance=instance, cursor=cursor[0])
            data = sensor.evaluate_tick(context)
            cursor[0] = data.cursor or cursor[0]
            return data

        yield ticking


def written(path: Path, content: str, seconds_ago: float = 60) -> None:
    path.write_text(content)
    then = time.time() - seconds_ago
    os.utime(path, (then, then))


def test_the_sensor_asks_once_for_every_change(folder: Path, tick: Callable[[], Any]) -> None:
    assert f"0 files in {folder}: nothing is fed." in tick().skip_message
    written(folder / "kpi_values.csv", HEADER)
    (first,) = tick().run_requests
    assert first.tags["dagster/asset_partition_range_start"] == "2025-06-01"
    assert first.tags["dagster/asset_partition_range_end"] == "2025-06-30"
    assert "1 files in" in tick().skip_message
    assert "none has changed" in tick().skip_message
    # What is not fed, or was put there by the product itself, is no change.
    written(folder / "kpi_values.rejected.csv", HEADER)
    written(folder / "notes.txt", HEADER)
    assert "none has changed" in tick().skip_message
    written(folder / "kpi_values.csv", HEADER + row(1, 1), 30)
    (second,) = tick().run_requests
    assert first.run_key != second.run_key
    (folder / "kpi_values.csv").unlink()
    assert len(tick().run_requests) == 1
    assert "nothing is fed" in tick().skip_message


def test_the_sensor_waits_until_a_file_is_whole(folder: Path, tick: Callable[[], Any]) -> None:
    written(folder / "kpi_values.csv", HEADER, 0)
    assert "kpi_values.csv may still be being written; the next look takes it" in tick().skip_message
    written(folder / "kpi_values.csv", HEADER, 20)
    assert len(tick().run_requests) == 1


def test_the_sensor_without_a_folder(folder: Path, tick: Callable[[], Any]) -> None:
    folder.rmdir()
    assert f"{folder} does not exist: nothing is fed." in tick().skip_message


def test_the_job_reads_the_files_and_makes_what_stands_on_them() -> None:
    definitions = build(SETTINGS)
    keys = definitions.resolve_job_def("feeds").asset_layer.executable_asset_keys
    assert {*(key_of(name) for name in TABLES), key_of("metrics.fed_daily"), key_of("metrics.incidents")} <= set(keys)
    assert key_of("raw.issues") not in keys
    assert key_of("ops.notifications") not in keys


# The command.

_CONFIG = "start: 2025-12-01\nend: 2025-12-31\nrepositories:\n  - {github: aurora/toolkit}\n"


def test_the_command_says_what_it_took(new_database: Callable[[str], URL], tmp_path: Path) -> None:
    url = url_text(new_database("feed"))
    (tmp_path / "metrics.yaml").write_text(_CONFIG)
    result = metrics("feed", home=tmp_path, METRICS_DATABASE_URL=url)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"Nothing is fed: {tmp_path / 'feeds'} holds none of the files" in result.stdout
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "events.csv").write_text("occurred_at,kind,title\n2025-06-01,talk,T\n01.06.2025,talk,T\n")
    result = metrics("feed", home=tmp_path, METRICS_DATABASE_URL=url)
    assert result.returncode == 1
    assert "events.csv: 2 rows read, 1 new or changed, 1 not taken" in result.stdout
    assert "line 3: occurred_at '01.06.2025' is no time; write it like 2025-12-31" in result.stderr
    (tmp_path / "feeds" / "events.csv").write_text("occurred_at,kind,title\n2025-06-01,talk,T\n")
    result = metrics("feed", home=tmp_path, METRICS_DATABASE_URL=url)
    assert result.returncode == 0
    assert "events.csv: 1 rows read, 0 new or changed, 0 not taken" in result.stdout


def test_the_main_job_turns_a_file_into_figures(
    new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with playing(sample_organisation(), new_database("fed"), tmp_path / "home", monkeypatch) as (_, engine):
        monkeypatch.setenv("METRICS_CONFIG", str(tmp_path / "metrics.yaml"))
        (tmp_path / "feeds").mkdir()
        key, metric = next((key, one) for key, one in load_catalogue().metrics.items() if one.fed == "kpi_values")
        assert metric.stored_in == "fed_daily"
        (tmp_path / "feeds" / "kpi_values.csv").write_text(HEADER + f"{key},2025-06-01,2025-06-02,1,EMEA,ann\n")
        selected = ('key:"raw/kpi_values"', 'key:"metrics/fed_daily"', 'key:"metrics/calculated_daily"')
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
                f"values ('acme', '2025-06-01', 3, 3, '{person_keys(engine, tmp_path / 'home').check}')"
            )
        result = materialize_days(SETTINGS, date(2025, 6, 1), date(2025, 6, 3), " or ".join(selected))
        assert result.success
        assert table(engine, "select subject, date, value from metrics.fed_daily order by 2") == [
            ("EMEA", "06-02", 1), ("EMEA", "06-03", 1),
        ]  # fmt: skip
