"""Processes that evaluate and deliver, killed where it hurts: nothing is lost, and every repeat can be told."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.alerting import outbox, states
from metrics_assets.alerting.conditions import Condition
from metrics_assets.settings import Settings
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.alerting.receiving import RULE, RULES, Answer, Asked, receiving, settings_with

FIRST = date(2026, 1, 1)
DAYS, SUBJECTS = 24, 5
KILLS = 12
# One message per alert, so that every event has a key of its own.
SETTINGS = settings_with({"hook": {"url_env": "HOOK_URL"}}, group_from=99)


def conditions_on(day: date) -> list[Condition]:
    """Every repository's rule holds for some days and then does not, each in a rhythm of its own."""
    number = (day - FIRST).days
    return [
        Condition(
            RULE.key, "change_failure_rate", "repository", f"acme/{subject}", day,
            "breached" if (number + subject) % (subject + 2) <= subject // 2 else "fine",
            0.3, 0.25, 25, None, None, "warning", "30 %, above 25 %.",
        )
        for subject in range(SUBJECTS)
    ]  # fmt: skip


def work(engine: sa.Engine, settings: Settings = SETTINGS) -> None:
    """Evaluate day after day from where the last process died, and deliver after each."""
    with engine.connect() as connection:
        newest = connection.execute(sa.text("select max(last_evaluated_on) from ops.alerts")).scalar()
    day = newest or FIRST
    while day < FIRST + timedelta(days=DAYS):
        now = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1, hours=1)
        states.record(engine, RULES, conditions_on(day), settings, now, day)
        # No waiting times in between: these have tests of their own.
        delivered = outbox.deliver(engine, settings, lambda now=now: now, rules=RULES)  # type: ignore[misc]
        assert not delivered.failed, delivered
        day += timedelta(days=1)


def work_alone(url: str, hook: str) -> None:
    """What a process does."""
    os.environ["HOOK_URL"] = hook
    engine = create_engine(sa.engine.make_url(url))
    work(engine)
    engine.dispose()


def events(engine: sa.Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select events.event_id, subject, event, date from ops.alert_events as events "
                "join ops.alerts using (alert_id) order by events.date, subject, event"
            )
        )
        return [tuple(row) for row in found]


def test_whoever_is_killed_everything_is_told_once_a_key(new_database: Callable[[str], URL]) -> None:
    dice = random.Random(5)
    url, calm_url = new_database("killed"), new_database("calm")
    engine, calm = create_engine(url), create_engine(calm_url)
    killed: list[str] = []
    process: Any = None
    # Before each of these requests is answered, the process that sent it is killed: the message arrived, and nobody
    # could note it.
    deadly = set(dice.sample(range(2, 50), KILLS // 2))
    lock = threading.Lock()
    told: list[tuple[str, str, str]] = []

    def answer(asked: Asked) -> Answer:
        with lock:
            told.append((asked.headers["idempotency-key"], asked.body["subject"], asked.body["event"]))
            if len(told) in deadly and process is not None and process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
                killed.append("before the answer was heard")
        return Answer()

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    address = url.render_as_string(hide_password=False)
    with receiving(answer=answer) as receiver:
        for _ in range(200):
            process = context.Process(target=work_alone, args=(address, receiver.url))
            process.start()
            at_random = sum(how == "at random" for how in killed)
            if at_random < KILLS // 2:
                process.join(dice.uniform(0.1, 0.6))
                with lock:
                    if process.is_alive():
                        os.kill(process.pid, signal.SIGKILL)
                        killed.append("at random")
            process.join(60)
            assert process.exitcode in (0, -signal.SIGKILL)
            if process.exitcode == 0:
                break
        os.environ["HOOK_URL"] = receiver.url
        try:
            before = len(told)
            deadly.clear()
            work(calm)
            undisturbed = told[before:]
            del told[before:]
        finally:
            del os.environ["HOOK_URL"]

    assert len(killed) >= 10, killed
    happened = events(engine)
    # What happened is what happens where nobody is killed.
    assert [row[1:] for row in happened] == [row[1:] for row in events(calm)]
    assert len(happened) == len(undisturbed) > 60
    # Everything was told, with a key for each event, and nothing else was.
    assert {key for key, _, _ in told} == {f"event:{event_id}:hook" for event_id, *_ in happened}
    assert {(f"event:{event_id}:hook", subject, event) for event_id, subject, event, _ in happened} == set(told)
    # Raw repeats are those of the killed, and there are some, or the test has not hit where it hurts.
    repeats = sum(Counter(told).values()) - len(set(told))
    assert 0 < repeats <= len(killed)
    # In order for each alert: what began was told before it ended.
    for subject in {subject for _, subject, _ in told}:
        heard = list(dict.fromkeys((key, event) for key, name, event in told if name == subject))
        assert [event for _, event in heard] == [
            ("opened", "resolved")[position % 2] for position in range(len(heard))
        ]  # fmt: skip
    with engine.connect() as connection:
        assert connection.execute(sa.text("select state, count(*) from ops.notifications group by 1")).all() == [
            ("sent", len(happened))
        ]
    engine.dispose()
    calm.dispose()
