"""The outbox over real HTTP: nothing lost, nothing sent twice unless it can be told, and no secret written down."""

from __future__ import annotations

import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.alerting.delivery import Delivered, deliver
from metrics_assets.settings import Channel
from metrics_assets_tests.alerting.conditions import condition, record
from metrics_assets_tests.sources.scripted import Asked, Reply, Scripted

SECRET = "/services/T000/B000/XyzSecretXyz"
ONCALL = {"oncall": Channel(url_env="ONCALL_URL")}


@pytest.fixture
def waiting(warehouse: sa.Engine) -> sa.Engine:
    """A warehouse with one notification in the outbox."""
    record(warehouse, condition(1, "breached"))
    return warehouse


def outbox(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(
            connection.execute(
                sa.text(
                    "select channel, state, attempts, sent_at, last_error, "
                    "extract(epoch from next_attempt_at - now()) / 60 as minutes "
                    "from ops.notifications order by notification_id"
                )
            )
        )


def due_now(engine: sa.Engine, attempts: int | None = None) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("update ops.notifications set next_attempt_at = now(), attempts = coalesce(:attempts, attempts)"),
            {"attempts": attempts},
        )


def send(engine: sa.Engine, **more: Any) -> Delivered:
    return deliver(engine, more.pop("channels", ONCALL), timeout_seconds=2, **more)


def test_what_was_taken_is_sent_once(waiting: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(Reply(status=204, body=b"")) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url + SECRET)
        assert (send(waiting).sent, send(waiting).sent) == (1, 0)
    (asked,) = receiver.asked
    assert (asked.method, asked.path) == ("POST", SECRET)
    assert asked.body["subject"] == "acme/api"
    assert asked.headers["idempotency-key"].endswith(":oncall")
    (row,) = outbox(waiting)
    assert (row.state, row.attempts, row.last_error) == ("sent", 1, None)
    assert row.sent_at is not None


def test_after_an_error_it_is_tried_again_with_the_same_key(
    waiting: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Scripted(Reply(status=500), Reply()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url + SECRET)
        assert send(waiting).failed == {"oncall": "the channel 'oncall' answered 500"}
        assert send(waiting) == Delivered()  # not yet
        due_now(waiting)
        assert send(waiting).sent == 1
    assert len({asked.headers["idempotency-key"] for asked in receiver.asked}) == 1
    (row,) = outbox(waiting)
    assert (row.state, row.attempts, row.last_error) == ("sent", 2, None)


def test_waiting_times_grow_up_to_an_hour_and_never_break(waiting: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCALL_URL", raising=False)
    minutes = []
    for attempts in (0, 1, 2, 3, 5, 6, 1000, 5000):
        due_now(waiting, attempts)
        send(waiting)
        minutes.append(round(outbox(waiting)[0].minutes))
        assert outbox(waiting)[0].attempts == attempts + 1
    assert minutes == [1, 2, 4, 8, 32, 60, 60, 60]


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
    url: str | None, said: str, waiting: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONCALL_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("ONCALL_URL", url)
    failed = send(waiting).failed["oncall"]
    assert said in failed
    assert "XyzSecretXyz" not in failed
    (row,) = outbox(waiting)
    assert (row.state, row.attempts, row.last_error) == ("pending", 1, failed)


def test_nobody_listens(waiting: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ONCALL_URL", f"http://127.0.0.1:{taken.getsockname()[1]}{SECRET}")
        assert send(waiting).failed == {"oncall": "the channel 'oncall' cannot be reached (ConnectError)"}
    assert outbox(waiting)[0].state == "pending"


def test_a_receiver_that_never_answers_does_not_hold_us(waiting: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("ONCALL_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert "ReadTimeout" in deliver(waiting, ONCALL, timeout_seconds=0.1).failed["oncall"]


def test_a_redirect_is_not_followed_with_the_message(waiting: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(Reply(status=302, headers={"Location": "/elsewhere"})) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert send(waiting).failed == {"oncall": "the channel 'oncall' answered 302"}
        assert len(receiver.asked) == 1


def test_a_channel_that_metrics_yaml_no_longer_has_is_named_and_others_are_served(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(warehouse, condition(1, "breached"), channels=("gone", "oncall"))
    with Scripted(Reply()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        delivered = send(warehouse)
    assert delivered.sent == 1
    assert "waits for the channel 'gone', which channels in metrics.yaml no longer has" in delivered.failed["gone"]
    assert {row.channel: row.state for row in outbox(warehouse)} == {"gone": "pending", "oncall": "sent"}


def test_one_event_may_be_delivered_alone(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    record(warehouse, condition(1, "breached"), condition(1, "breached", "acme/web"))
    with Scripted(Reply()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert send(warehouse, event_id=2).sent == 1
    assert [asked.body["subject"] for asked in receiver.asked] == ["acme/web"]
    assert [row.state for row in outbox(warehouse)] == ["pending", "sent"]


def test_deliveries_at_the_same_time_send_each_once(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    record(warehouse, *(condition(1, "breached", f"acme/{number}") for number in range(12)))
    with Scripted(Reply()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        with ThreadPoolExecutor(4) as threads:
            sent = [future.result().sent for future in [threads.submit(send, warehouse) for _ in range(4)]]
    assert sum(sent) == 12
    assert sorted(asked.body["subject"] for asked in receiver.asked) == sorted(f"acme/{n}" for n in range(12))
    assert {(row.state, row.attempts) for row in outbox(warehouse)} == {("sent", 1)}


def test_a_crash_between_sending_and_noting_it_can_be_told_by_the_receiver(
    waiting: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(asked: Asked) -> Reply:
        if len(receiver.asked) == 1:  # the database loses us while the receiver is taking the message
            with waiting.connect() as connection:
                connection.execute(
                    sa.text(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                        "and pid <> pg_backend_pid() and state = 'idle in transaction'"
                    )
                )
        return Reply()

    with Scripted(answer=answer) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        with pytest.raises(sa.exc.OperationalError):
            send(waiting)
        assert outbox(waiting)[0].state == "pending"
        assert send(waiting).sent == 1
        assert send(waiting).sent == 0
    first, second = receiver.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


def test_the_address_is_in_no_table_and_no_log(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "metrics_assets"):
        caplog.set_level(logging.DEBUG, logger=name)
    record(warehouse, *(condition(1, "breached", f"acme/{number}") for number in range(3)))
    with Scripted(Reply(status=500), Reply(drop=True), Reply()) as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url + SECRET)
        assert send(warehouse).sent == 1
    assert len(receiver.asked) == 3
    with warehouse.connect() as connection:
        tables = sa.inspect(connection).get_table_names(schema="ops")
        dump = [
            row
            for table in tables
            for row in connection.execute(sa.text(f"select t::text from ops.{table} as t")).scalars()
        ]
    assert len(dump) == 9
    assert "XyzSecretXyz" not in "\n".join(dump)
    assert "127.0.0.1" in caplog.text
    assert "XyzSecretXyz" not in caplog.text
