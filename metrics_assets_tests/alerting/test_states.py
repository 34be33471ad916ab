"""The life of alerts in a real database: opened once, resolved once, told once, whoever evaluates how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.alerting.states import due_events
from metrics_assets_tests.alerting.conditions import condition, record


def everything(engine: sa.Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {
            table: [tuple(row) for row in connection.execute(sa.text(f"select * from ops.{table} order by 1"))]
            for table in ("alerts", "alert_events", "notifications")
        }


def alerts(engine: sa.Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select subject, state, extract(day from opened_on)::int, extract(day from resolved_on)::int "
                "from ops.alerts order by alert_id"
            )
        )
        return [tuple(row) for row in found]


def told(engine: sa.Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select event, extract(day from date)::int, channel, notifications.state from ops.alert_events "
                "left join ops.notifications using (event_id) order by event_id, channel"
            )
        )
        return [tuple(row) for row in found]


def test_an_alert_opens_stays_and_is_resolved(warehouse: sa.Engine) -> None:
    assert record(warehouse, condition(1, "breached")) == 1
    assert record(warehouse, condition(2, "breached")) == 0
    assert record(warehouse, condition(3, "fine")) == 1
    assert record(warehouse, condition(4, "fine")) == 0
    assert alerts(warehouse) == [("acme/api", "resolved", 1, 3)]
    assert told(warehouse) == [("opened", 1, "oncall", "pending"), ("resolved", 3, "oncall", "pending")]


def test_the_unknown_neither_opens_nor_resolves(warehouse: sa.Engine) -> None:
    assert record(warehouse, condition(1, "unknown")) == 0
    assert alerts(warehouse) == []
    record(warehouse, condition(2, "breached"))
    assert record(warehouse, condition(3, "unknown")) == 0
    assert alerts(warehouse) == [("acme/api", "firing", 2, None)]


@pytest.mark.parametrize("verdict", ["breached", "fine", "unknown"])
def test_the_same_evaluation_twice_writes_nothing(warehouse: sa.Engine, verdict: Any) -> None:
    record(warehouse, condition(1, "breached"), condition(1, "breached", "acme/web"))
    record(warehouse, condition(2, verdict), condition(2, "fine", "acme/web"))
    before = everything(warehouse)
    for _ in range(2):
        assert record(warehouse, condition(2, verdict), condition(2, "fine", "acme/web")) == 0
    assert everything(warehouse) == before


def test_an_alert_may_come_back_and_is_told_again(warehouse: sa.Engine) -> None:
    for day, verdict in ((1, "breached"), (2, "fine"), (3, "breached"), (4, "fine")):
        assert record(warehouse, condition(day, verdict)) == 1  # type: ignore[arg-type]
    assert alerts(warehouse) == [("acme/api", "resolved", 1, 2), ("acme/api", "resolved", 3, 4)]
    assert len(told(warehouse)) == 4


@pytest.mark.parametrize("verdict", ["breached", "fine"])
def test_an_old_day_after_a_newer_one_changes_nothing(warehouse: sa.Engine, verdict: Any) -> None:
    record(warehouse, condition(10, "breached"))
    before = everything(warehouse)
    # Also for a subject that has no alert: what was so a week ago wakes nobody now.
    assert record(warehouse, condition(5, verdict), condition(5, "breached", "acme/web")) == 0
    assert everything(warehouse) == before
    record(warehouse, condition(12, "fine"))
    before = everything(warehouse)
    assert record(warehouse, condition(11, "breached")) == 0
    assert everything(warehouse) == before


def test_evaluations_at_the_same_time_open_one_alert(warehouse: sa.Engine) -> None:
    for day in range(1, 9):
        verdict: Any = "breached" if day % 2 else "fine"
        together = Barrier(4)

        def evaluate(day: int = day, verdict: Any = verdict, together: Barrier = together) -> int:
            together.wait()
            return record(warehouse, condition(day, verdict))

        with ThreadPoolExecutor(4) as threads:
            changed = [future.result() for future in [threads.submit(evaluate) for _ in range(4)]]
        assert sorted(changed) == [0, 0, 0, 1]
    assert len(alerts(warehouse)) == 4
    assert len(told(warehouse)) == 8


def test_every_channel_is_told_and_none_is_no_mistake(warehouse: sa.Engine) -> None:
    assert record(warehouse, condition(1, "breached"), channels=("oncall", "chat")) == 1
    assert record(warehouse, condition(1, "breached", "acme/web"), channels=()) == 1
    assert told(warehouse) == [
        ("opened", 1, "chat", "pending"), ("opened", 1, "oncall", "pending"), ("opened", 1, None, None),
    ]  # fmt: skip
    assert [event.subject for event in due_events(warehouse)] == ["acme/api"]


def test_the_message_says_what_where_how_bad_and_what_to_do(warehouse: sa.Engine) -> None:
    record(warehouse, condition(1, "breached"))
    record(warehouse, condition(2, "fine"))
    with warehouse.connect() as connection:
        opened, resolved = connection.execute(sa.text("select message from ops.alert_events order by 1")).scalars()
    if opened["event"] != "opened":
        opened, resolved = resolved, opened
    assert opened["dedup_key"] == resolved["dedup_key"]
    assert "Fewer deployments" in opened["title"]
    assert "acme/api" in opened["title"]
    assert opened["date"] == "2025-12-01"
    assert (opened["value"], opened["reference"], opened["n"]) == (1, 8, 7)
    assert opened["action"] == "Look."
    assert (opened["event"], resolved["event"]) == ("opened", "resolved")


def test_an_error_in_the_middle_writes_nothing(warehouse: sa.Engine) -> None:
    strange = condition(1, "breached", "acme/web")
    with pytest.raises(sa.exc.DBAPIError):
        record(warehouse, condition(1, "breached"), strange, channels=("oncall", "oncall"))
    assert everything(warehouse) == {"alerts": [], "alert_events": [], "notifications": []}


def test_events_that_are_due_come_oldest_first(warehouse: sa.Engine) -> None:
    record(warehouse, condition(1, "breached"), condition(1, "breached", "acme/web"))
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.notifications set attempts = 3 where notification_id = 1"))
    found = due_events(warehouse)
    assert [(event.subject, event.event, event.date, event.attempts) for event in found] == [
        ("acme/api", "opened", date(2025, 12, 1), 3), ("acme/web", "opened", date(2025, 12, 1), 0),
    ]  # fmt: skip
