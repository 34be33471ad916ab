"""The outbox over real HTTP: nothing lost, nothing told twice unless the receiver can tell, everything in order."""

from __future__ import annotations

import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.alerting import outbox
from metrics_assets.alerting.events import Told
from metrics_assets.alerting.outbox import Delivered, due
from metrics_assets.catalogue.alerts import Escalation, MilestoneRule
from metrics_assets_tests.alerting.conditions import at, record
from metrics_assets_tests.alerting.conditions import condition as alert_condition
from metrics_assets_tests.alerting.receiving import (
    NOON,
    RULE,
    RULES,
    Answer,
    Asked,
    condition,
    deliver,
    happen,
    receiving,
    rows,
    settings_with,
)  # fmt: skip

SECRET = "/services/T000/B000/XyzSecretXyz"
ONCALL = settings_with({"oncall": {"url_env": "ONCALL_URL"}})
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def states(engine: sa.Engine) -> list[tuple[Any, ...]]:
    return [(row.subject, row.event, row.channel, row.state) for row in rows(engine)]


def silence(engine: sa.Engine, until: datetime, **of: str | None) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.silences (rule, subject_kind, subject, starts_at, ends_at, reason, created_by) "
                "values (:rule, :kind, :subject, :start, :until, 'test', 'test')"
            ),
            {
                "rule": of.get("rule"),
                "kind": of.get("kind"),
                "subject": of.get("subject"),
                "start": NOON,
                "until": until,
            },
        )


# Who is told.


def test_an_event_has_a_row_for_each_channel_of_its_rule_and_is_put_in_once(warehouse: sa.Engine) -> None:
    settings = settings_with({name: {"url_env": "X", "default": name == "b"} for name in "abc"})
    rule = RULE.model_copy(update={"channels": ("a", "c"), "mention": "here"})
    (event_id,) = happen(warehouse, settings, rule=rule)
    found = rows(warehouse)
    assert [(row.channel, row.mention, row.message_key, row.group_key, row.next_attempt_at) for row in found] == [
        ("a", "here", f"event:{event_id}", "one:failures_high:opened", NOON),
        ("c", "here", f"event:{event_id}", "one:failures_high:opened", NOON),
    ]  # fmt: skip
    with warehouse.begin() as connection:
        again = outbox.enqueue_events(
            connection, [Told(event_id, "opened", rule, condition(), 0)], "two", settings, NOON
        )
    assert again == 0


@pytest.mark.parametrize(
    ("named", "told"), [((), ["b"]), (("a",), ["a"]), (("gone",), ["b"]), (("a", "gone"), ["a", "b"])]
)
def test_channels_that_are_not_there_are_the_default_ones(
    named: tuple[str, ...], told: list[str], warehouse: sa.Engine
) -> None:
    settings = settings_with({name: {"url_env": "X", "default": name == "b"} for name in "abc"})
    happen(warehouse, settings, rule=RULE.model_copy(update={"channels": named}))
    assert [row.channel for row in rows(warehouse)] == told


def test_a_channel_is_not_told_of_what_is_below_its_severity(warehouse: sa.Engine) -> None:
    settings = settings_with({"a": {"url_env": "X", "minimum_severity": "critical"}, "b": {"url_env": "X"}})
    happen(warehouse, settings)
    happen(warehouse, settings, subjects=["acme/web"], severity="critical")
    assert [(row.subject, row.channel) for row in rows(warehouse)] == [
        ("acme/api", "b"), ("acme/web", "a"), ("acme/web", "b"),
    ]  # fmt: skip


def test_an_escalation_has_channels_and_a_mention_of_its_own_and_its_end_is_told_to_all(warehouse: sa.Engine) -> None:
    settings = settings_with({name: {"url_env": "X", "default": name == "a"} for name in "abc"})
    levels = (Escalation(after_minutes=30), Escalation(after_minutes=60, channels=("b",), mention="channel"))
    rule = RULE.model_copy(update={"escalate": levels, "mention": "here"})
    happen(warehouse, settings, rule=rule)
    happen(warehouse, settings, "escalated", rule=rule, level=1)
    happen(warehouse, settings, "escalated", rule=rule, level=2)
    happen(warehouse, settings, "acknowledged", rule=rule)
    # Whatever became of the rule, and of a channel that has gone since.
    happen(warehouse, settings_with({"a": {"url_env": "X"}, "c": {"url_env": "X"}}), "resolved", rule=None)
    happen(warehouse, settings_with({"a": {"url_env": "X"}, "c": {"url_env": "X"}}), "resolved", rule=rule)
    assert [(row.event, row.channel, row.mention) for row in rows(warehouse)] == [
        ("opened", "a", "here"), ("escalated", "a", "here"), ("escalated", "b", "channel"),
        ("acknowledged", "a", None), ("acknowledged", "b", None), ("resolved", "a", None),
    ]  # fmt: skip


def test_a_message_of_another_kind_is_put_in_once_and_not_for_incident_channels(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with(
        {
            "chat": {"url_env": "CHAT"},
            "pager": {"kind": "pagerduty", "url_env": "X"},
            "issues": {"kind": "github_issue", "repository": "acme/api"},
        }
    )
    said = {"title": "All is well.", "lines": ["12 repositories"], "date": date(2026, 1, 6)}
    for expected in (1, 0):
        with warehouse.begin() as connection:
            names = ["chat", "pager", "issues", "gone"]
            assert outbox.enqueue_message(connection, "status:2026-01-06", names, said, NOON, settings) == expected
    (group,) = due(warehouse, NOON)
    assert (group.group_key, group.rule, group.event, group.subjects) == ("status:2026-01-06", None, None, [])
    with receiving() as receiver:
        monkeypatch.setenv("CHAT", receiver.url)
        assert deliver(warehouse, settings).sent == 1
    (asked,) = receiver.asked
    assert asked.headers["idempotency-key"] == "status:2026-01-06:chat"
    assert asked.body == {
        "event": "message",
        "title": "All is well.",
        "lines": ["12 repositories"],
        "date": "2026-01-06",
    }


# Sending.


def test_what_was_taken_is_sent_once(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    (event_id,) = happen(warehouse, ONCALL)
    with receiving(Answer(204)) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url + SECRET)
        assert deliver(warehouse, ONCALL).sent == 1
        assert deliver(warehouse, ONCALL) == Delivered()
    (asked,) = receiver.asked
    assert (asked.method, asked.path) == ("POST", SECRET)
    assert asked.headers["idempotency-key"] == f"event:{event_id}:oncall"
    assert asked.headers["content-type"] == "application/json"
    (row,) = rows(warehouse)
    assert (row.state, row.attempts, row.last_error, row.sent_at) == ("sent", 1, None, NOON)


def test_after_an_error_it_is_tried_again_with_the_same_key(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, ONCALL)
    with receiving(Answer(500), Answer()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url + SECRET)
        assert deliver(warehouse, ONCALL).failed == {"oncall": "the channel 'oncall' answered 500"}
        assert rows(warehouse)[0].last_error == "the channel 'oncall' answered 500"
        assert deliver(warehouse, ONCALL, NOON + MINUTE - timedelta(seconds=1)) == Delivered()
        assert deliver(warehouse, ONCALL, NOON + MINUTE).sent == 1
    assert len({(asked.headers["idempotency-key"], asked.content) for asked in receiver.asked}) == 1
    (row,) = rows(warehouse)
    assert (row.state, row.attempts, row.last_error) == ("sent", 2, None)


def test_waiting_times_grow_up_to_an_hour_and_never_break(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, ONCALL)
    monkeypatch.delenv("ONCALL_URL", raising=False)
    now, waited = NOON, []
    for attempts in (0, 1, 2, 3, 5, 6, 1000, 100_000):
        with warehouse.begin() as connection:
            connection.execute(sa.text("update ops.notifications set attempts = :attempts"), {"attempts": attempts})
        assert "oncall" in deliver(warehouse, ONCALL, now).failed
        (row,) = rows(warehouse)
        assert row.attempts == attempts + 1
        waited.append((row.next_attempt_at - now) / MINUTE)
        now = row.next_attempt_at
    assert waited == [1, 2, 4, 8, 32, 60, 60, 60]


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [(429, "7", 7), (503, "1800", 1800), (429, "999999", 3600), (429, "soon", 60), (500, "7", 60)],
)
def test_a_receiver_may_say_when_to_come_back(
    status: int, header: str, seconds: int, warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, ONCALL)
    with receiving(Answer(status, headers={"Retry-After": header})) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        deliver(warehouse, ONCALL)
    assert rows(warehouse)[0].next_attempt_at == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "channels.oncall.url_env names ONCALL_URL, which is not set to an http(s) address; export it."),
        ("", "which is not set to an http(s) address"),
        ("slack.example.org" + SECRET, "which is not set to an http(s) address"),
        ("http://[::1" + SECRET, "channel 'oncall'"),
        ("http://" + "x" * 300 + ".example" + SECRET, "channel 'oncall'"),
        ("http://exa mple.invalid" + SECRET, "channel 'oncall'"),
        ("http://127.0.0.1:99999" + SECRET, "channel 'oncall'"),
        ("http://\u00ad.example" + SECRET, "channel 'oncall'"),
        ("http://127.0.0.1:1/\x01" + SECRET, "channel 'oncall'"),
        ("https://" , "channel 'oncall'"),
    ],
)  # fmt: skip
def test_a_channel_without_a_good_address_is_named(
    url: str | None, said: str, warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, ONCALL)
    monkeypatch.delenv("ONCALL_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("ONCALL_URL", url)
    failed = deliver(warehouse, ONCALL).failed["oncall"]
    assert said in failed
    assert "XyzSecretXyz" not in failed
    (row,) = rows(warehouse)
    assert (row.state, row.attempts, row.last_error) == ("pending", 1, failed)


def test_nobody_listens(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(warehouse, ONCALL)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ONCALL_URL", f"http://127.0.0.1:{taken.getsockname()[1]}{SECRET}")
        assert deliver(warehouse, ONCALL).failed == {"oncall": "the channel 'oncall' cannot be reached (ConnectError)"}
    assert rows(warehouse)[0].state == "pending"


def test_a_redirect_is_not_followed_with_the_message(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(warehouse, ONCALL)
    with receiving(Answer(302, headers={"Location": "/elsewhere"})) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(warehouse, ONCALL).failed == {"oncall": "the channel 'oncall' answered 302"}
        assert len(receiver.asked) == 1


def test_a_channel_that_does_not_answer_is_asked_once_and_the_others_are_served(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with({"down": {"url_env": "DOWN_URL"}, "up": {"url_env": "UP_URL"}}, group_from=99)
    happen(warehouse, settings, subjects=[f"acme/{number}" for number in range(5)])
    with receiving(Answer(503)) as down, receiving() as up:
        monkeypatch.setenv("DOWN_URL", down.url)
        monkeypatch.setenv("UP_URL", up.url)
        delivered = deliver(warehouse, settings)
        assert (delivered.sent, list(delivered.failed), len(down.asked), len(up.asked)) == (5, ["down"], 1, 5)
    waiting = [row for row in rows(warehouse) if row.channel == "down"]
    # Whether it was tried or not: all of them have waited for as long, and the next run is another one.
    assert {(row.attempts, row.next_attempt_at) for row in waiting} == {(1, NOON + MINUTE)}


def test_a_message_that_is_refused_does_not_hold_up_the_next(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, ONCALL, subjects=["acme/bad", "acme/good"])

    def answer(asked: Asked) -> Answer:
        return Answer(422 if asked.body["subject"] == "acme/bad" else 200)

    with receiving(answer=answer) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(warehouse, ONCALL).sent == 1
    assert [row[0] for row in states(warehouse) if row[3] == "pending"] == ["acme/bad"]


def test_a_mistake_of_ours_is_said_and_does_not_hold_up_the_next(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with({"broken": {"url_env": "ONCALL_URL"}, "fine": {"url_env": "ONCALL_URL"}})
    happen(warehouse, settings)
    real = outbox.kinds.send

    def send(parcel: Any) -> None:
        if parcel.name == "broken":
            raise KeyError(SECRET)
        real(parcel)

    monkeypatch.setattr(outbox.kinds, "send", send)
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        delivered = deliver(warehouse, settings)
    assert delivered.sent == 1
    assert delivered.failed["broken"].startswith("the channel 'broken' failed (KeyError, line ")
    assert "XyzSecretXyz" not in delivered.failed["broken"]


def test_a_channel_that_metrics_yaml_no_longer_has_is_said_once_and_dropped(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, settings_with({"gone": {"url_env": "X"}, "oncall": {"url_env": "ONCALL_URL"}}))
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        delivered = deliver(warehouse, ONCALL)
        assert (delivered.sent, delivered.dropped) == (1, 1)
        assert delivered.failed == {
            "gone": "metrics.yaml has no channel gone any more; what waited for it was dropped."
        }
        assert deliver(warehouse, ONCALL) == Delivered()
    gone, told = rows(warehouse)
    assert (gone.state, gone.dropped_because) == ("dropped", "metrics.yaml has no channel gone any more.")
    assert told.state == "sent"


def test_what_a_channel_that_is_gone_was_to_tell_goes_to_the_default_ones(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = RULE.model_copy(update={"channels": ("gone",), "mention": "here"})
    before = settings_with({"gone": {"url_env": "X"}, "oncall": {"url_env": "ONCALL_URL"}})
    now_there = settings_with(
        {
            "oncall": {"url_env": "ONCALL_URL"},
            "pager": {"kind": "pagerduty", "url_env": "X", "minimum_severity": "critical"},
            "other": {"url_env": "X", "default": False},
        }
    )
    happen(warehouse, before, rule=rule)
    happen(warehouse, before, "escalated", rule=rule, level=1, batch="two")
    happen(warehouse, before, "acknowledged", rule=rule, batch="three")
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        delivered = deliver(warehouse, now_there)
    assert (delivered.sent, delivered.dropped) == (3, 3)
    assert delivered.failed == {
        "gone": "metrics.yaml has no channel gone any more; what waited for it goes to the default channels."
    }
    assert [body["event"] for body in receiver.bodies] == ["opened", "escalated", "acknowledged"]
    assert [(row.event, row.channel, row.state, row.mention) for row in rows(warehouse)] == [
        ("opened", "gone", "dropped", "here"), ("escalated", "gone", "dropped", "here"),
        ("acknowledged", "gone", "dropped", None), ("opened", "oncall", "sent", "here"),
        ("escalated", "oncall", "sent", "here"), ("acknowledged", "oncall", "sent", None),
    ]  # fmt: skip


def test_of_what_the_default_channels_have_heard_nothing_is_told_again(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = settings_with({"gone": {"url_env": "X"}, "oncall": {"url_env": "ONCALL_URL"}})
    happen(warehouse, both, rule=RULE.model_copy(update={"channels": ("gone",)}))
    levels = (Escalation(after_minutes=30, channels=("oncall",)),)
    happen(warehouse, both, "escalated", rule=RULE.model_copy(update={"escalate": levels}), level=1, batch="two")
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        deliver(warehouse, ONCALL)
        assert deliver(warehouse, ONCALL) == Delivered()
    assert [body["event"] for body in receiver.bodies] == ["escalated"]


# What is due, and in which order.


def test_a_group_is_due_as_one_and_its_tries_grow(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with({"a": {"url_env": "A_URL"}, "b": {"url_env": "B_URL"}})
    happen(warehouse, settings, subjects=["acme/web", "acme/api"])
    happen(warehouse, settings, subjects=["acme/cli"], batch="two")
    first, second = due(warehouse, NOON)
    assert (first.group_key, first.attempts) == ("one:failures_high:opened", 0)
    assert (first.rule, first.event, first.subjects) == ("failures_high", "opened", ["acme/api", "acme/web"])
    assert second.subjects == ["acme/cli"]
    with receiving() as receiver, receiving(Answer(500)) as down:
        monkeypatch.setenv("A_URL", receiver.url)
        monkeypatch.setenv("B_URL", down.url)
        assert deliver(warehouse, settings, group_key=first.group_key).sent == 2
    assert [group.group_key for group in due(warehouse, NOON)] == [second.group_key]
    again = next(group for group in due(warehouse, NOON + MINUTE) if group.group_key == first.group_key)
    assert (again.attempts, again.subjects) == (4, ["acme/api", "acme/web"])


def test_an_end_is_not_told_before_its_beginning(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}})
    happen(warehouse, settings)
    happen(warehouse, settings, "escalated", level=1, batch="two", now=NOON + MINUTE)
    with receiving(Answer(500), Answer()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        # The beginning failed and waits for 13:00; the escalation, though its time has come, waits for it.
        deliver(warehouse, settings)
        with warehouse.begin() as connection:
            connection.execute(
                sa.text("update ops.notifications set next_attempt_at = :at where notification_id = 1"),
                {"at": NOON + HOUR},
            )
        assert due(warehouse, NOON + 2 * MINUTE) == []
        assert deliver(warehouse, settings, NOON + 2 * MINUTE) == Delivered()
        # Then both go in one delivery, one after the other.
        assert deliver(warehouse, settings, NOON + HOUR).sent == 2
        happen(warehouse, settings, "resolved", batch="three", now=NOON + HOUR)
        assert deliver(warehouse, settings, NOON + HOUR).sent == 1
    assert [body["event"] for body in receiver.bodies] == ["opened", "opened", "escalated", "resolved"]


def test_a_channel_that_is_down_for_an_hour_gets_everything_in_order_afterwards(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}})
    clock = NOON
    back = NOON + HOUR
    with receiving(answer=lambda asked: Answer(200 if clock >= back else 502)) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        for minute in range(180):
            clock = NOON + minute * MINUTE
            if minute < 60 and minute % 10 == 0:
                happen(warehouse, settings, subjects=[f"acme/{minute}"], batch=f"b{minute}", now=clock)
            if minute < 60 and minute % 10 == 5:
                happen(
                    warehouse, settings, "escalated", subjects=[f"acme/{minute - 5}"], level=1, batch=f"b{minute}",
                    now=clock,
                )  # fmt: skip
            if due(warehouse, clock):
                deliver(warehouse, settings, clock)
        told = [(asked.body["subject"], asked.body["event"]) for asked in receiver.asked]
    assert {row.state for row in rows(warehouse)} == {"sent"}
    assert {(row.subject, row.event) for row in rows(warehouse)} <= set(told)
    for subject in {subject for subject, _ in told}:
        last = [event for name, event in told if name == subject][-2:]
        assert last == ["opened", "escalated"]
    # 1 + 2 + 4 ... minutes: not a call a minute.
    assert len(told) < 70


def test_what_is_over_before_it_was_told_is_told_by_nobody(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with({"a": {"url_env": "A_URL"}, "b": {"url_env": "B_URL"}})
    happen(warehouse, settings)
    with receiving() as receiver, receiving(Answer(500)) as down:
        monkeypatch.setenv("A_URL", receiver.url)
        monkeypatch.setenv("B_URL", down.url)
        deliver(warehouse, settings)
        happen(warehouse, settings, "resolved", now=NOON + HOUR)
        delivered = deliver(warehouse, settings, NOON + HOUR)
        assert (delivered.sent, delivered.dropped, delivered.failed) == (1, 2, {})
        assert [body["event"] for body in receiver.bodies] == ["opened", "resolved"]
        assert len(down.asked) == 1
    assert states(warehouse) == [
        ("acme/api", "opened", "a", "sent"), ("acme/api", "opened", "b", "dropped"),
        ("acme/api", "resolved", "a", "sent"), ("acme/api", "resolved", "b", "dropped"),
    ]  # fmt: skip
    assert rows(warehouse)[1].dropped_because == "The alert had ended before anybody could be told."


def test_what_is_told_once_is_told(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = MilestoneRule(
        key="stars", title="Stars", severity="info", action="Thank.", kind="milestone", metric="stars_total",
        milestones=(100,),
    )  # fmt: skip
    record(warehouse, alert_condition(1, "breached", rule="stars", metric="stars_total", reference=100.0), rule=rule)
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(warehouse, ONCALL, at(1), rules={"stars": rule}) == Delivered(sent=1)
    assert [(body["event"], body["rule"]) for body in receiver.bodies] == [("opened", "stars")]


def test_what_is_critical_is_told_though_it_is_over(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(warehouse, ONCALL, severity="critical")
    happen(warehouse, ONCALL, "resolved", severity="critical", now=NOON + HOUR)
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(warehouse, ONCALL, NOON + 2 * HOUR) == Delivered(sent=2)
    assert [body["event"] for body in receiver.bodies] == ["opened", "resolved"]


def test_what_is_critical_and_over_is_not_told_where_it_was_held_back(warehouse: sa.Engine) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}}, **QUIET)
    rule = RULE.model_copy(update={"quiet": True})
    happen(warehouse, settings, severity="critical", rule=rule, now=NIGHT)
    happen(warehouse, settings, "resolved", severity="critical", rule=rule, now=NIGHT + HOUR)
    assert deliver(warehouse, settings, MORNING, rules={rule.key: rule}) == Delivered(dropped=2)
    silence(warehouse, NOON + HOUR, subject="acme/web")
    happen(warehouse, ONCALL, subjects=["acme/web"], severity="critical", now=NOON + MINUTE)
    # It ends after the silence: that it began in it counts.
    happen(warehouse, ONCALL, "resolved", subjects=["acme/web"], severity="critical", now=NOON + 2 * HOUR)
    assert deliver(warehouse, ONCALL, NOON + 3 * HOUR) == Delivered(dropped=2)


def test_what_is_being_sent_is_not_dropped(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(warehouse, ONCALL)
    dropped = []

    def answer(asked: Asked) -> Answer:
        if asked.body["event"] == "opened":  # the alert ends while the receiver takes the beginning
            happen(warehouse, ONCALL, "resolved", batch="two")
            dropped.append(deliver(warehouse, ONCALL).dropped)
        return Answer()

    with receiving() as receiver:
        receiver.answer = None
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        # Not under the receiver's lock: the answer itself delivers.
        real = receiver.next
        monkeypatch.setattr(type(receiver), "next", lambda self, asked: (real(asked), answer(asked))[1])
        assert deliver(warehouse, ONCALL).sent == 2
    assert dropped == [0]
    assert [body["event"] for body in receiver.bodies] == ["opened", "resolved"]


# Many at once.


def test_many_alerts_of_a_rule_are_one_message(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(warehouse, ONCALL, subjects=[f"acme/{number}" for number in range(12)])

    def link(alert_id: int) -> str:
        return f"https://alerts.example.org/alerts/{alert_id}"

    with receiving(Answer(500), Answer()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        deliver(warehouse, ONCALL, acknowledge=link)
        assert deliver(warehouse, ONCALL, NOON + MINUTE, acknowledge=link).sent == 12
    failed, told = receiver.asked
    assert failed.headers["idempotency-key"] == told.headers["idempotency-key"]
    assert told.headers["idempotency-key"].startswith("event:1+11:")
    assert told.body["title"] == "[warning] Change failure rate too high: 12 repositories"
    assert [alert["subject"] for alert in told.body["alerts"]] == [f"acme/{number}" for number in range(12)]
    assert len({alert["dedup_key"] for alert in told.body["alerts"]}) == 12
    assert "Acknowledge alert 1" in [link["label"] for link in told.body["links"]]
    assert {(row.state, row.attempts) for row in rows(warehouse)} == {("sent", 2)}


def test_another_set_of_alerts_is_another_message(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}}, group_from=2)
    happen(warehouse, settings, subjects=["acme/a", "acme/b", "acme/c"])
    with receiving(Answer(500), Answer()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        deliver(warehouse, settings)
        happen(warehouse, settings, "resolved", subjects=["acme/c"], batch="two")
        assert deliver(warehouse, settings, NOON + MINUTE).sent == 2
    first, second = receiver.asked
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


@pytest.mark.parametrize(("group_from", "calls"), [(3, 2), (2, 1)])
def test_a_few_are_told_one_by_one(
    group_from: int, calls: int, warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}}, group_from=group_from)
    happen(warehouse, settings, subjects=["acme/api", "acme/web"])
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(warehouse, settings).sent == 2
        assert len(receiver.asked) == calls


def test_deliveries_at_the_same_time_send_each_once(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}}, group_from=99)
    happen(warehouse, settings, subjects=[f"acme/{number}" for number in range(12)])
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        with ThreadPoolExecutor(4) as threads:
            sent = [future.result().sent for future in [threads.submit(deliver, warehouse, settings) for _ in range(4)]]
    assert sum(sent) == 12
    assert sorted(body["subject"] for body in receiver.bodies) == sorted(f"acme/{n}" for n in range(12))
    assert {(row.state, row.attempts) for row in rows(warehouse)} == {("sent", 1)}


def test_a_crash_between_sending_and_noting_it_can_be_told_by_the_receiver(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, ONCALL)

    def answer(asked: Asked) -> Answer:
        if len(receiver.asked) == 1:  # the database loses us while the receiver is taking the message
            with warehouse.connect() as connection:
                connection.execute(
                    sa.text(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                        "and pid <> pg_backend_pid() and state = 'idle in transaction'"
                    )
                )
        return Answer()

    with receiving(answer=answer) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        with pytest.raises(sa.exc.OperationalError):
            deliver(warehouse, ONCALL)
        assert rows(warehouse)[0].state == "pending"
        assert deliver(warehouse, ONCALL).sent == 1
        assert deliver(warehouse, ONCALL).sent == 0
    first, second = receiver.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


# Hours in which nobody is told, silences, and clocks.

NIGHT = datetime(2026, 1, 7, 23, tzinfo=UTC)
MORNING = datetime(2026, 1, 8, 8, tzinfo=UTC)
QUIET: dict[str, Any] = {"quiet_hours": {"from": "20:00", "to": "08:00"}}


def test_what_happens_at_night_is_told_in_the_morning(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}}, **QUIET)
    happen(warehouse, settings, now=NIGHT)
    happen(warehouse, settings, subjects=["acme/web"], severity="critical", now=NIGHT)
    held, urgent = rows(warehouse)
    assert (held.next_attempt_at, held.held_because) == (MORNING, "quiet hours")
    assert (urgent.next_attempt_at, urgent.held_because) == (NIGHT, None)
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(warehouse, settings, NIGHT).sent == 1
        assert deliver(warehouse, settings, MORNING - MINUTE) == Delivered()
        assert deliver(warehouse, settings, MORNING).sent == 1
    assert [body["subject"] for body in receiver.bodies] == ["acme/web", "acme/api"]
    assert {row.held_because for row in rows(warehouse)} == {None}


def test_what_is_over_in_the_morning_is_not_told(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}}, **QUIET)
    happen(warehouse, settings, now=NIGHT)
    happen(warehouse, settings, "resolved", now=NIGHT + HOUR)
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(warehouse, settings, MORNING) == Delivered(dropped=2)
        assert receiver.asked == []


def test_a_second_try_also_keeps_the_quiet_hours(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with({"oncall": {"url_env": "ONCALL_URL"}}, **QUIET)
    evening = datetime(2026, 1, 7, 19, 59, tzinfo=UTC)
    happen(warehouse, settings, now=evening)
    with receiving(Answer(500)) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        deliver(warehouse, settings, evening)
        (row,) = rows(warehouse)
        assert (row.next_attempt_at, row.held_because) == (MORNING, "quiet hours")
        # Hours that were changed since count as they are now.
        later = settings_with({"oncall": {"url_env": "ONCALL_URL"}}, quiet_hours={"from": "20:00", "to": "09:00"})
        assert deliver(warehouse, later, MORNING) == Delivered()
        assert rows(warehouse)[0].next_attempt_at == MORNING + HOUR
        assert len(receiver.asked) == 1


def test_a_silenced_alert_waits_until_the_silence_ends_or_is_lifted(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, ONCALL, subjects=["acme/api", "acme/web"], severity="critical")
    silence(warehouse, NOON + HOUR, subject="acme/api")
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert [group.subjects for group in due(warehouse, NOON)] == [["acme/web"]]
        assert deliver(warehouse, ONCALL).sent == 1
        assert due(warehouse, NOON + HOUR - MINUTE) == []
        assert len(due(warehouse, NOON + HOUR)) == 1
        with warehouse.begin() as connection:
            connection.execute(sa.text("update ops.silences set ends_at = :at"), {"at": NOON + 5 * MINUTE})
        assert deliver(warehouse, ONCALL, NOON + 5 * MINUTE).sent == 1
    assert [body["subject"] for body in receiver.bodies] == ["acme/web", "acme/api"]


@pytest.mark.parametrize(
    ("of", "silenced"),
    [
        ({}, True),
        ({"rule": "failures_high"}, True),
        ({"rule": "other"}, False),
        ({"kind": "repository", "subject": "acme/api"}, True),
        ({"kind": "service", "subject": "acme/api"}, False),
        ({"rule": "failures_high", "subject": "acme/web"}, False),
    ],
)
def test_a_silence_is_of_a_rule_a_subject_or_everything(
    of: dict[str, str], silenced: bool, warehouse: sa.Engine
) -> None:
    happen(warehouse, ONCALL)
    silence(warehouse, NOON + HOUR, **of)
    assert (due(warehouse, NOON) == []) is silenced
    # Not before it begins, and not of what is no alert.
    assert len(due(warehouse, NOON - MINUTE)) == 1
    with warehouse.begin() as connection:
        outbox.enqueue_message(connection, "status", ["oncall"], {"title": "All is well."}, NOON, ONCALL)
    assert "status" in [group.group_key for group in due(warehouse, NOON)]


def test_a_silenced_alert_that_is_over_is_not_told(warehouse: sa.Engine) -> None:
    happen(warehouse, ONCALL)
    silence(warehouse, NOON + HOUR)
    happen(warehouse, ONCALL, "resolved", batch="two")
    assert deliver(warehouse, ONCALL, NOON + HOUR) == Delivered(dropped=2)


@pytest.mark.parametrize("back", [30 * MINUTE, 2 * HOUR, 24 * HOUR])
def test_a_clock_that_is_set_back_delays_nothing_and_doubles_nothing(
    back: timedelta, warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(warehouse, ONCALL)
    with receiving(Answer(500), Answer(500), Answer()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        deliver(warehouse, ONCALL)  # the next try would be at 12:01
        now = NOON - back
        assert "oncall" in deliver(warehouse, ONCALL, now).failed
        # Tried at once, and from now on in the new time.
        assert deliver(warehouse, ONCALL, now + MINUTE) == Delivered()
        assert deliver(warehouse, ONCALL, now + 2 * MINUTE).sent == 1
        assert deliver(warehouse, ONCALL, NOON + HOUR) == Delivered()
    assert len(receiver.asked) == 3


def test_a_next_try_that_only_a_clock_set_back_can_explain_is_none(warehouse: sa.Engine) -> None:
    happen(warehouse, ONCALL)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("update ops.notifications set attempts = 9, next_attempt_at = :at"), {"at": NOON + 5 * HOUR}
        )
    assert len(due(warehouse, NOON)) == 1
    assert due(warehouse, NOON + 4 * HOUR + MINUTE) == []


def test_the_address_is_in_no_table_and_no_log(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "metrics_assets"):
        caplog.set_level(logging.DEBUG, logger=name)
    happen(warehouse, ONCALL)
    with receiving(Answer(500), Answer(drop=True), Answer()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url + SECRET)
        for minutes in (0, 1, 3):
            deliver(warehouse, ONCALL, NOON + minutes * MINUTE)
    assert len(receiver.asked) == 3
    with warehouse.connect() as connection:
        tables = sa.inspect(connection).get_table_names(schema="ops")
        dump = [
            row
            for table in tables
            for row in connection.execute(sa.text(f"select t::text from ops.{table} as t")).scalars()
        ]
    assert len(dump) == 3
    assert "XyzSecretXyz" not in "\n".join(dump)
    assert "127.0.0.1" in caplog.text
    assert "XyzSecretXyz" not in caplog.text


def test_the_rules_of_metrics_yaml_are_the_default(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = next(rule for rule in outbox.load_rules().values() if not rule.tell_on and rule.tell_at is None)
    happen(warehouse, ONCALL, rule=rule)
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(warehouse, ONCALL, rules=None).sent == 1
    assert receiver.bodies[0]["action"] == rule.action
    assert RULES[RULE.key] is RULE
