"""Reports on their way: each is told once, and what was sent stays as it was, whoever is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets.alerting import outbox
from metrics_assets.assets.reports import making
from metrics_assets.assets.reports.assets import (
    NOTES_CHECK,
)
from metrics_assets.assets.reports.making import send, send_due
from metrics_assets.errors import ConfigurationError
from metrics_assets.reporting.documents import document_json
from metrics_assets.reporting.periods import period_named
from metrics_assets.settings import Settings
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.alerting.receiving import Answer, receiving, receiving_mail
from metrics_assets_tests.assets.small_reports import (
    BASE,
    DECEMBER,
    GIVEN,
    NEW_YEAR,
    bytes_of,
    content,
    kept,
    make,
    read,
    run,
    small,
    waiting,
)
from metrics_assets_tests.automation.conftest import Clock, clock, deployments, engine, instance

__all__ = ["clock", "engine", "instance", "small"]


@pytest.fixture
def finished(engine: sa.Engine, clock: Clock) -> sa.Engine:
    """December is over, and the morning after it has come."""
    deployments(engine, 1, *[1] * 31)
    clock.now = NEW_YEAR
    return engine


def test_a_finished_report_is_told_once_and_stays_as_it_was(
    finished: sa.Engine, instance: dg.DagsterInstance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, checks = run(instance, "2025-12-29", "2025-12-31")
    assert said["notified"] == "2025-12: hook, mail"
    assert said["state"] == "frozen, as of 2025-12-31"
    # It goes out, and nobody has written a word.
    assert not checks[NOTES_CHECK].passed
    assert checks[NOTES_CHECK].severity == dg.AssetCheckSeverity.WARN
    key = "report:monthly_report:2025-12-01"
    assert waiting(finished) == [(key, "hook", "pending"), (key, "mail", "pending")]
    before = bytes_of(finished)

    # What is learnt later changes the figures, and no report that was sent.
    with finished.begin() as connection:
        connection.execute(sa.text("update metrics.dora_daily set deployments_succeeded = 9"))
    for _ in range(2):
        again = make(finished, "2025-12-29", "2025-12-31")
        assert again.sent == []
        assert [made.kept_because for made in again.made] == ["It was sent on 2026-01-01 and stays as it was."]
        assert "**31 deployments.**" in again.made[0].stored.markdown
    assert bytes_of(finished) == before

    with receiving() as hook, receiving_mail() as mail:
        monkeypatch.setenv("HOOK_URL", hook.url)
        monkeypatch.setenv("MAIL_URL", f"mailto://127.0.0.1:{mail.port}/?from=metrics@example.org&to=team@example.org")
        for _ in range(2):
            assert not outbox.deliver(finished, GIVEN, lambda: NEW_YEAR).failed
        (told,) = hook.asked
        (letter,) = mail.got
    assert told.headers["idempotency-key"] == f"{key}:hook"
    assert told.body["verdict"] == "31 deployments."
    assert told.body["lines"] == ["31 deployments.", "Deployments: 31", "<b>Fine</b>."]
    page = "https://metrics.example.org/reports/monthly_report-2025-12-01.html"
    assert told.body["links"] == [{"label": "Report", "url": page}]
    assert letter["Subject"] == "acme, 2025-12-01"
    html = letter.get_body(("html",))
    plain = letter.get_body(("plain",))
    assert html is not None
    assert plain is not None
    assert "&lt;b&gt;Fine&lt;/b&gt;." in html.get_content()
    for text in ("Executive summary", "Deployments: 31", "Achievements", "Nothing noted.", page):
        assert text in html.get_content()
        assert text in plain.get_content()
    assert {row[2] for row in waiting(finished)} == {"sent"}


def test_the_past_is_made_and_nobody_is_told(engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock) -> None:
    deployments(engine, 1, *[1] * 31)
    # The end of the period is too long ago.
    clock.now = datetime(2026, 1, 12, tzinfo=UTC)
    past = make(engine, "2025-12-01", "2025-12-31")
    assert (past.sent, past.made[0].stored.state) == ([], "final")
    # The last day of the run is not the newest.
    clock.now = NEW_YEAR
    make(engine, "2025-12-01", "2025-12-30")
    assert waiting(engine) == []
    # A draft is not sent either.
    clock.now = datetime(2025, 12, 31, 3, tzinfo=UTC)
    with engine.begin() as connection:
        connection.execute(sa.text("delete from ops.reports"))
        connection.execute(sa.text("delete from metrics.dora_daily where date = '2025-12-31'"))
    make(engine, "2025-12-01", "2025-12-30")
    assert (kept(engine), waiting(engine)) == ([("2025-12", "draft", "2025-12-30")], [])


def test_a_report_that_was_not_sent_in_time_is_sent_by_the_next_run(
    finished: sa.Engine, instance: dg.DagsterInstance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*arguments: Any, **more: Any) -> int:
        raise RuntimeError("the outbox is out of order")

    with monkeypatch.context() as broken:
        broken.setattr(making, "enqueue_message", break_down)
        with pytest.raises(RuntimeError):
            make(finished, "2025-12-31", "2025-12-31")
    assert kept(finished) == [("2025-12", "final", "2025-12-31")]
    with finished.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.dora_daily (subject_kind, subject, repository_id, repository, date, "
                "days_observed, deployments_succeeded) "
                "values ('repository', 'acme/api', 1, 'acme/api', '2026-01-01', 28, 5)"
            )
        )
    clock.now = datetime(2026, 1, 2, 3, tzinfo=UTC)
    # A day of January alone: the report of December is there, and its turn has come.
    assert make(finished, "2026-01-01", "2026-01-01").sent == [(DECEMBER, ["hook", "mail"])]
    assert kept(finished) == [("2026-01", "draft", "2026-01-01"), ("2025-12", "frozen", "2025-12-31")]


def _send_alone(url: str, dies: str) -> None:
    """A process that sends, and dies before or after its transaction is whole."""
    engine = create_engine(sa.engine.make_url(url))
    if dies == "within":
        put = making.enqueue_message

        def put_and_die(*arguments: Any, **more: Any) -> int:
            put(*arguments, **more)
            os.kill(os.getpid(), signal.SIGKILL)
            return 0

        making.enqueue_message = put_and_die  # type: ignore[assignment]
    send_due(engine, GIVEN, "monthly_report", date(2025, 12, 31), NEW_YEAR)
    os.kill(os.getpid(), signal.SIGKILL)


def _deliver_alone(url: str, hook: str) -> None:
    os.environ["HOOK_URL"] = hook
    outbox.deliver(create_engine(sa.engine.make_url(url)), ONE_CHANNEL, lambda: NEW_YEAR)


ONE_CHANNEL = Settings.model_validate(
    {
        **BASE,
        "channels": {"hook": {"url_env": "HOOK_URL"}},
        "reports": {"pdf": False, "monthly_report": {"channels": ["hook"]}},
    }
)


def test_whoever_is_killed_a_report_is_told_once_and_frozen_with_it(
    finished: sa.Engine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as early:
        # Made, but not sent.
        early.setattr("metrics_assets.assets.reports.assets.send_due", lambda *arguments: [])
        make(finished, "2025-12-31", "2025-12-31")
    url = finished.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    for dies, expected in (("within", 0), ("after", 2), ("after", 2)):
        process = context.Process(target=_send_alone, args=(url, dies))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert len(waiting(finished)) == expected
        assert kept(finished) == [("2025-12", "frozen" if expected else "final", "2025-12-31")]

    # Killed when the receiver has it and nobody could note that: it is sent again under the same key.
    processes: list[Any] = []

    def answer(asked: Any) -> Answer:
        if len(receiver.asked) == 1:
            os.kill(processes[0].pid, signal.SIGKILL)
        return Answer()

    with receiving(answer=answer) as receiver:
        for _ in range(3):
            process = context.Process(target=_deliver_alone, args=(url, receiver.url))
            processes.append(process)
            process.start()
            process.join(60)
        keys = [asked.headers["idempotency-key"] for asked in receiver.asked]
    assert [process.exitcode for process in processes] == [-signal.SIGKILL, 0, 0]
    assert keys == ["report:monthly_report:2025-12-01:hook"] * 2
    assert ("report:monthly_report:2025-12-01", "hook", "sent") in waiting(finished)


def test_a_channel_that_was_added_later_can_be_told_by_hand(finished: sa.Engine, instance: dg.DagsterInstance) -> None:
    make(finished, "2025-12-31", "2025-12-31", given=ONE_CHANNEL)
    before = bytes_of(finished)
    assert send(finished, GIVEN, DECEMBER, NEW_YEAR) == ["mail"]
    assert send(finished, GIVEN, DECEMBER, NEW_YEAR) == []
    assert bytes_of(finished) == before


def test_a_draft_is_sent_only_when_that_is_said_and_is_not_frozen(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    deployments(engine, 1, *[1] * 10)
    make(engine, "2025-12-01", "2025-12-10")
    with pytest.raises(ConfigurationError, match="is a draft as of 2025-12-10, its period ends on 2025-12-31; run the"):
        send(engine, GIVEN, DECEMBER, NEW_YEAR)
    assert waiting(engine) == []
    assert send(engine, GIVEN, DECEMBER, NEW_YEAR, draft=True) == ["hook", "mail"]
    assert kept(engine) == [("2025-12", "draft", "2025-12-10")]
    assert {row[0] for row in waiting(engine)} == {"report:monthly_report:2025-12-01:draft:2025-12-10"}
    with pytest.raises(ConfigurationError, match="There is no monthly_report of 2025-11; make it with: metrics report"):
        send(engine, GIVEN, period_named("monthly_report", "2025-11", "sun"), NEW_YEAR)
    nobody = GIVEN.model_copy(update={"reports": GIVEN.reports.model_copy(update={"monthly_report": _nobody()})})
    with pytest.raises(ConfigurationError, match="Nobody is told of the monthly_report; name channels under reports"):
        send(engine, nobody, DECEMBER, NEW_YEAR)


def _nobody() -> Any:
    return GIVEN.reports.monthly_report.model_copy(update={"channels": []})


def test_what_was_frozen_while_it_was_made_anew_stays(
    finished: sa.Engine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(finished, "2025-12-31", "2025-12-31", given=GIVEN.model_copy(update={"reports": _quiet()}))

    def read_slowly(engine: sa.Engine, *arguments: Any) -> Any:
        figures = read(engine, *arguments)
        send(engine, GIVEN, DECEMBER, NEW_YEAR)  # somebody else
        figures["measures"][0]["now"]["value"] = 7
        return figures

    slow = replace(content("monthly_report"), read=read_slowly)
    made = making.make(finished, GIVEN, DECEMBER, date(2025, 12, 31), content=slow)
    assert made.kept_because == "It was frozen in the meantime."
    assert "31 deployments." in made.stored.markdown
    assert document_json(made.stored.document)["verdict"] == "31 deployments."


def _quiet() -> Any:
    return GIVEN.reports.model_copy(update={"monthly_report": _nobody()})
