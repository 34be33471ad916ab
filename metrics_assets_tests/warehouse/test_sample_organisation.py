"""The whole sample organisation, collected for real: against the oracle, and in ranges of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

import metrics_assets.demo
from metrics_assets.demo.history import History
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.settings import Settings, load
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.playing import materialize, playing
from metrics_assets_tests.warehouse.oracle import Oracle
from metrics_assets_tests.warehouse.tables import derive, everything, in_order

DAY = timedelta(days=1)
_ID = {"repository_id", "repository", "date"}


@pytest.fixture(scope="module")
def history() -> History:
    return sample_organisation()


@pytest.fixture(scope="module")
def demo() -> Settings:
    return load(Path(metrics_assets.demo.__file__).with_name("metrics.yaml"))


@pytest.fixture(scope="module")
def collected(
    postgres: URL, template: str, history: History, demo: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[URL]:
    """A database with the organisation collected and derived by the main job, to be copied or read only."""
    url = postgres.set(database="sample_organisation")
    maintenance = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with maintenance.connect() as connection:
        connection.execute(sa.text(f"create database {url.database} template {template}"))
    assert demo.end is not None
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        playing(history, url, tmp_path_factory.mktemp("home"), monkeypatch),
    ):
        assert materialize(demo, demo.start, demo.end, "group:collect or group:derive").success
    yield url
    with maintenance.connect() as connection:
        connection.execute(sa.text(f"drop database {url.database} with (force)"))


@pytest.mark.parametrize("name", ["dora_daily", "repository_daily"])
def test_every_figure_is_the_oracles(collected: URL, history: History, demo: Settings, name: str) -> None:
    assert demo.end is not None
    engine = create_engine(collected)
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"select * from metrics.{name}")).mappings()
        found = {(row["repository"], row["date"]): dict(row) for row in rows}
    engine.dispose()
    expected_days, differences = 0, []
    for repository in history.repositories:
        oracle = Oracle(repository, demo.start)
        figures = {"dora_daily": oracle.dora, "repository_daily": oracle.repository_day}[name]
        for number in range((demo.end - oracle.first_day).days + 1):
            day = oracle.first_day + number * DAY
            expected_days += 1
            if number % 7 and 1 not in (day.day, (day + DAY).day):
                continue
            ours, expected = found[repository.full_name, day], figures(day)
            assert expected.keys() == ours.keys() - _ID
            for column, value in expected.items():
                same = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
                if ours[column] != same:
                    differences.append(f"{repository.full_name} {day} {column}: {ours[column]}, expected {value}")
    assert differences == []
    assert len(found) == expected_days


def test_the_range_of_a_run_does_not_matter(collected: URL, warehouse: sa.Engine) -> None:
    """40 days at once, day by day, in two halves, and then parts of it once more."""
    _copy_raw(collected, warehouse)
    first, last = date(2025, 8, 10), date(2025, 9, 18)
    middle = first + 17 * DAY
    derive(warehouse, last, first=first)
    at_once = everything(warehouse)
    # The sample organisation publishes no packages and is talked about nowhere.
    assert all(at_once[name] for name in in_order() if name not in ("package_daily", "platform_daily"))

    derive(warehouse, middle, first=first)
    derive(warehouse, last, first=middle + DAY)
    assert everything(warehouse) == at_once, "two halves over what there was"

    _empty(warehouse)
    derive(warehouse, middle, first=first)
    derive(warehouse, last, first=middle + DAY)
    assert everything(warehouse) == at_once, "two halves"
    derive(warehouse, last, first=first)
    assert everything(warehouse) == at_once, "once more at once"

    _empty(warehouse)
    for number in range((last - first).days + 1):
        derive(warehouse, first + number * DAY, first=first + number * DAY)
    assert everything(warehouse) == at_once, "day by day"

    _empty(warehouse)
    for number in range(0, (last - first).days + 1, 5):
        day = min(first + (number + 4) * DAY, last)
        derive(warehouse, day, first=max(day - 7 * DAY, first))
    assert everything(warehouse) == at_once, "with a look back, as the schedule does"


def _copy_raw(collected: URL, warehouse: sa.Engine) -> None:
    """Everything upstream of the derived tables, taken over from another database."""
    source = create_engine(collected)
    with source.connect() as reading, warehouse.begin() as writing:
        names = reading.execute(
            sa.text("select schemaname || '.' || tablename from pg_tables where schemaname = 'raw'")
        ).scalars()
        for name in [*names, "ops.portfolio", "ops.repository_settings"]:
            rows = [dict(row) for row in reading.execute(sa.text(f"select * from {name}")).mappings()]
            if rows:
                columns = ", ".join(rows[0])
                marks = ", ".join(f":{column}" for column in rows[0])
                writing.execute(sa.text(f"insert into {name} ({columns}) values ({marks})"), rows)
    source.dispose()


def _empty(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text("truncate " + ", ".join(f"metrics.{name}" for name in in_order())))
