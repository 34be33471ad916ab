"""Fed values and events, day by day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.derivations import derivations
from metrics_assets.warehouse.derived import derived_tables
from metrics_assets_tests.warehouse.tables import at, fill, on, table

ENTRY = {
    "title": "T", "definition": "D", "unit": "count", "direction": "higher", "grain": "day", "table_name": "fed_daily",
    "minimum_n": 1, "owner": "o", "cadence": "weekly", "priority": "P1", "timing": "lagging", "unknown": "u",
    "requirements": [], "stands_days": 14, "window_days": None, "fed": "kpi_values", "kind": None,
}  # fmt: skip


@pytest.fixture
def fed(warehouse: sa.Engine) -> sa.Engine:
    """A warehouse whose catalogue has some fed metrics: coverage stands for 14 days."""
    fill(warehouse)
    entries: list[Mapping[str, Any]] = [
        {"metric": "coverage"},
        {"metric": "talks", "fed": "events", "kind": "talk"},
        {"metric": "talks_week", "fed": "events", "kind": "talk", "window_days": 7},
        {"metric": "launches", "fed": "events", "kind": "launch"},
    ]
    with warehouse.begin() as connection:
        connection.exec_driver_sql("delete from metrics.catalogue")
        for entry in entries:
            row = {**ENTRY, **entry}
            connection.execute(
                sa.text(
                    f"insert into metrics.catalogue ({', '.join(row)}) values ({', '.join(f':{name}' for name in row)})"
                ),
                row,
            )
    return warehouse


def value(engine: sa.Engine, start: str, end: str, number: float, segment: str = "", metric: str = "coverage") -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into raw.kpi_values (metric, segment, period_start, period_end, value, source_url) "
                "values (:metric, :segment, :start, :end, :value, 'https://a.example')"
            ),
            {"metric": metric, "segment": segment, "start": on(start), "end": on(end), "value": number},
        )


def event(engine: sa.Engine, number: int, when: str, kind: str = "talk") -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into raw.events (event_id, occurred_at, kind, title) values (:id, :at, :kind, 't')"),
            {"id": str(number), "at": at(when), "kind": kind},
        )


def derive(engine: sa.Engine, first: str, last: str) -> None:
    derivations()["fed_daily"].run(engine, on(first), on(last) + timedelta(days=1))


def days(engine: sa.Engine, metric: str = "coverage") -> list[tuple[Any, ...]]:
    return table(engine, f"select date, value, state from metrics.fed_daily where metric = '{metric}' order by date")


def test_a_value_stands_from_its_periods_end_for_as_long_as_its_cadence_allows(fed: sa.Engine) -> None:
    value(fed, "06-02", "06-08", 0.8)
    value(fed, "06-23", "06-29", 0.9)
    derive(fed, "06-01", "07-20")
    rows = days(fed)
    assert rows[0] == ("06-08", 0.8, "ok")
    assert rows[14] == ("06-22", 0.8, "ok")
    assert rows[15] == ("06-23", None, "unknown")  # 15 days after the period's end
    assert rows[20] == ("06-28", None, "unknown")
    assert rows[21] == ("06-29", 0.9, "ok")
    assert rows[35:37] == [("07-13", 0.9, "ok"), ("07-14", None, "unknown")]
    assert len(rows) == 43
    assert table(
        fed, "select subject_kind, subject, n, period_start, period_end, source_url from metrics.fed_daily limit 1"
    ) == [("portfolio", "acme", None, "06-02", "06-08", "https://a.example")]


def test_day_by_day_is_the_same_as_at_once(fed: sa.Engine) -> None:
    value(fed, "06-02", "06-08", 0.8)
    value(fed, "06-09", "06-10", 0.7)
    value(fed, "06-01", "06-10", 0.6)  # ends on the same day; the shorter period says more
    event(fed, 1, "06-03 10:00")
    event(fed, 2, "06-05 23:59")
    derive(fed, "06-01", "06-30")
    at_once = table(fed, "select * from metrics.fed_daily order by metric, date")
    assert {day: number for day, number, _ in days(fed)}["06-10"] == 0.7
    with fed.begin() as connection:
        connection.exec_driver_sql("delete from metrics.fed_daily")
    for number in range(1, 31):
        derive(fed, f"06-{number:02}", f"06-{number:02}")
    assert table(fed, "select * from metrics.fed_daily order by metric, date") == at_once


def test_a_value_that_was_fed_late_changes_the_past_and_what_is_not_in_the_range_stays(fed: sa.Engine) -> None:
    derive(fed, "06-01", "06-10")
    assert days(fed) == []
    value(fed, "06-01", "06-03", 0.5)
    derive(fed, "06-05", "06-05")
    assert days(fed) == [("06-05", 0.5, "ok")]


def test_segments_are_subjects(fed: sa.Engine) -> None:
    for segment in ("", "Acme/API", "acme/api", "acme/other", "team:platform", "package:npm:@acme/x", "EMEA", "team:"):
        value(fed, "06-02", "06-03", 1, segment)
    derive(fed, "06-03", "06-03")
    assert table(fed, "select subject_kind, subject from metrics.fed_daily order by 1, 2") == [
        ("package", "npm:@acme/x"),
        ("portfolio", "acme"),
        ("repository", "acme/api"),
        ("segment", "EMEA"),
        ("segment", "acme/other"),
        ("segment", "team:"),
        ("team", "platform"),
    ]


def test_values_of_metrics_that_are_not_fed_and_what_is_no_number_are_no_figures(fed: sa.Engine) -> None:
    value(fed, "06-02", "06-03", 1, metric="talks")
    value(fed, "06-02", "06-03", 1, metric="stars_new")
    value(fed, "06-02", "06-03", float("nan"), "EMEA")
    value(fed, "06-02", "06-03", float("inf"))
    derive(fed, "06-03", "06-03")
    assert table(fed, "select metric, value, state from metrics.fed_daily") == [("coverage", None, "unknown")] * 2


def test_events_are_counted_from_the_first_of_their_kind_on(fed: sa.Engine) -> None:
    event(fed, 1, "06-03 10:00")
    event(fed, 2, "06-03 11:00")
    event(fed, 3, "06-05 00:00")
    event(fed, 4, "06-30 00:00", "launch")
    derive(fed, "06-01", "06-12")
    assert [(day, number) for day, number, _ in days(fed, "talks")] == [
        ("06-03", 2), ("06-04", 0), ("06-05", 1), ("06-06", 0), ("06-07", 0), ("06-08", 0), ("06-09", 0), ("06-10", 0),
        ("06-11", 0), ("06-12", 0),
    ]  # fmt: skip
    assert [(day, number) for day, number, _ in days(fed, "talks_week")] == [
        ("06-03", 2), ("06-04", 2), ("06-05", 3), ("06-06", 3), ("06-07", 3), ("06-08", 3), ("06-09", 3), ("06-10", 1),
        ("06-11", 1), ("06-12", 0),
    ]  # fmt: skip
    assert days(fed, "launches") == []


def test_events_before_the_start_count_in_windows_alone(fed: sa.Engine) -> None:
    event(fed, 1, "05-30 10:00")
    derive(fed, "06-01", "06-06")
    assert [number for _, number, _ in days(fed, "talks_week")] == [1, 1, 1, 1, 1, 0]


def test_the_catalogue_is_no_asset() -> None:
    assert derived_tables()["fed_daily"].reads == (
        ("ops", "portfolio"), ("raw", "events"), ("raw", "kpi_values"), ("raw", "repositories"),
    )  # fmt: skip
