"""PagerDuty and GitHub's issues, on real servers: one thing for each alert, however often something is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.alerting.channels.base import Parcel
from metrics_assets.alerting.channels.github_issue import marker
from metrics_assets.alerting.channels.pagerduty import event as pagerduty_event
from metrics_assets.alerting.messages import Link
from metrics_assets.settings import Channel
from metrics_assets_tests.alerting.receiving import (
    DAY,
    NOON,
    Answer,
    Asked,
    GitHub,
    deliver,
    happen,
    receiving,
    rows,
    settings_with,
)  # fmt: skip
from metrics_assets_tests.alerting.samples import HOSTILE, MESSAGE, NASTY, give, said


@pytest.fixture
def connection(warehouse: sa.Engine) -> Any:
    with warehouse.begin() as found:
        yield found


# PagerDuty.

KEY = "0123456789abcdef0123456789ABCDEF"


@pytest.fixture
def pager(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("IT_URL", KEY)
    return lambda receiver: Channel(kind="pagerduty", url_env="IT_URL", base_url=receiver.url)


def test_pagerduty_is_told_of_an_incident_from_beginning_to_end(pager: Any) -> None:
    with receiving(Answer(202, b'{"status": "success"}')) as receiver:
        for event in ("opened", "escalated", "acknowledged", "resolved"):
            give(pager(receiver), replace(MESSAGE, event=event))  # type: ignore[arg-type]
    assert {(asked.method, asked.path) for asked in receiver.asked} == {("POST", "/v2/enqueue")}
    assert [body["event_action"] for body in receiver.bodies] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert {(body["routing_key"], body["dedup_key"]) for body in receiver.bodies} == {(KEY, MESSAGE.dedup_key)}
    opened, _, _, resolved = receiver.bodies
    payload = opened["payload"]
    assert payload["summary"] == MESSAGE.title
    assert (payload["severity"], payload["source"], payload["timestamp"]) == (
        "critical",
        "acme/api",
        f"{DAY}T23:59:59Z",
    )
    assert (payload["custom_details"]["value"], payload["custom_details"]["n"]) == (0.32, 25)
    assert opened["links"][1] == {"href": "https://s.example", "text": "Site"}
    assert set(resolved) == {"routing_key", "event_action", "dedup_key"}


def test_pagerdutys_limits_are_kept(pager: Any) -> None:
    long = replace(MESSAGE, title="t" * 5000, dedup_key="k" * 500, links=(Link("l" * 500, "https://s.example"),))
    parcel = Parcel("it", Channel(kind="pagerduty", url_env="X"), long, "key", None, None, 1)  # type: ignore[arg-type]
    body = pagerduty_event(parcel, KEY)
    assert (len(body["payload"]["summary"]), len(body["dedup_key"]), len(body["links"][0]["text"])) == (1024, 255, 100)
    # The number of the alert is at the end of the key.
    other = replace(parcel, message=replace(long, dedup_key="k" * 499 + "l"))
    assert pagerduty_event(other, KEY)["dedup_key"] != body["dedup_key"]


@pytest.mark.parametrize(
    ("answer", "words", "this_one", "after"),
    [
        (Answer(400, b'{"message": "Event object is invalid", "errors": ["no source"]}'),
         "answered 400: Event object is invalid; no source", True, None),
        (Answer(400, f'{{"message": "bad key {KEY}"}}'.encode()), "answered 400: bad key …", True, None),
        (Answer(400, b"garbage"), "answered 400: it does not say why", True, None),
        (Answer(400, b"[1]"), "answered 400: it does not say why", True, None),
        (Answer(429, b"{}", {"Retry-After": "12"}), "answered 429", False, 12.0),
        (Answer(500), "answered 500", False, None),
        (Answer(200), "answered 200, where PagerDuty says 202", False, None),
        (Answer(drop=True), "cannot be reached (RemoteProtocolError)", False, None),
        (Answer(silent_seconds=5), "cannot be reached (ReadTimeout)", False, None),
    ],
)  # fmt: skip
def test_pagerduty_that_refuses(answer: Answer, words: str, this_one: bool, after: float | None, pager: Any) -> None:
    with receiving(answer) as receiver:
        problem = said(pager(receiver))
    assert str(problem) == f"the channel 'it' {words}"
    assert (problem.this_one, problem.after_seconds) == (this_one, after)
    assert KEY not in str(problem)


def test_an_incident_ends_though_its_beginning_may_not_have_arrived(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IT_URL", KEY)
    with receiving(Answer(silent_seconds=3), Answer(202)) as receiver:
        settings = settings_with({"pager": {"kind": "pagerduty", "url_env": "IT_URL", "base_url": receiver.url}})
        happen(warehouse, settings)
        deliver(warehouse, settings)
        happen(warehouse, settings, "resolved", now=NOON + timedelta(hours=1))
        assert deliver(warehouse, settings, NOON + timedelta(hours=1)).sent == 1
    assert [body["event_action"] for body in receiver.bodies] == ["trigger", "resolve"]
    assert [row.state for row in rows(warehouse)] == ["dropped", "sent"]


def test_incidents_and_issues_are_told_of_one_by_one(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IT_URL", KEY)
    with receiving(Answer(202)) as receiver:
        settings = settings_with({"pager": {"kind": "pagerduty", "url_env": "IT_URL", "base_url": receiver.url}})
        happen(warehouse, settings, subjects=[f"acme/{number}" for number in range(5)])
        assert deliver(warehouse, settings).sent == 5
    assert len({body["dedup_key"] for body in receiver.bodies}) == 5


# Issues on GitHub.

ISSUES = {"issues": {"kind": "github_issue", "repository": "acme/alerts", "token_env": "BOT_TOKEN"}}


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Any:
    played = GitHub()
    with receiving(answer=played) as receiver:
        monkeypatch.setenv("GITHUB_API_URL", receiver.url)
        monkeypatch.setenv("BOT_TOKEN", "token-of-a-bot")
        yield played


def test_an_issue_is_opened_commented_on_and_closed(warehouse: sa.Engine, github: GitHub) -> None:
    settings = settings_with(ISSUES)
    happen(warehouse, settings)
    acknowledge = lambda alert_id: f"https://a.example/alerts/{alert_id}?token=t0ken"  # noqa: E731
    assert deliver(warehouse, settings, acknowledge=acknowledge).sent == 1
    issue = github.issues[1]
    assert issue["title"] == "[warning] Change failure rate too high: acme/api"
    assert [label["name"] for label in issue["labels"]] == ["metrics-alert"]
    assert "<!-- metrics_assets:alert:metrics_assets:failures_high:acme/api:1 -->" in issue["body"]
    assert "t0ken" not in issue["body"]  # who reads the repository may not acknowledge for others
    for event in ("escalated", "acknowledged"):
        happen(warehouse, settings, event, level=1 if event == "escalated" else 0, batch=event)  # type: ignore[arg-type]
        assert deliver(warehouse, settings).sent == 1
    happen(warehouse, settings, "resolved", batch="end", text="Ended by hand.")
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.alerts set resolved_because = 'by hand by Alice: done'"))
    assert deliver(warehouse, settings).sent == 1
    assert [comment["body"].split("\n")[0] for comment in github.comments[1]] == [
        "**Escalated**", "**Acknowledged**", "**Resolved**",
    ]  # fmt: skip
    assert issue["state"] == "closed"
    assert "Ended by hand." in github.comments[1][-1]["body"]
    assert "Alice" not in str(github.comments)
    with warehouse.connect() as connection:
        (thread,) = connection.execute(sa.text("select * from ops.alert_threads"))
    assert (thread.channel, thread.dedup_key, thread.external_id) == (
        "issues", "metrics_assets:failures_high:acme/api:1", "1",
    )  # fmt: skip


def test_what_was_written_before_a_crash_is_not_written_again(warehouse: sa.Engine, github: GitHub) -> None:
    settings = settings_with(ISSUES)
    now = NOON
    for number in range(150):  # of others, on two pages
        github._create({"title": f"other {number}", "body": "x", "labels": ["metrics-alert"]})
    # Everything that changes something is served once without an answer.
    lost: set[tuple[str, str, int]] = set()

    def lose(asked: Asked) -> Answer | None:
        what = (asked.method, asked.path, len(lost) if asked.method == "GET" else 0)
        if asked.method == "GET" or what in lost:
            return None
        lost.add(what)
        return Answer(drop=True)

    github.after = lose
    for event in ("opened", "escalated", "resolved"):
        happen(warehouse, settings, event, level=1 if event == "escalated" else 0, batch=event, now=now)  # type: ignore[arg-type]
        for _ in range(4):
            delivered = deliver(warehouse, settings, now)
            now += timedelta(hours=1)
            if not delivered.failed:
                break
        assert delivered.failed == {}
    assert {row.state for row in rows(warehouse)} == {"sent"}
    assert len(github.issues) == 151
    assert len(github.comments[151]) == 2
    assert github.issues[151]["state"] == "closed"
    assert {method for method, _, _ in lost} == {"POST", "PATCH"}


def test_an_issue_that_somebody_closed_is_opened_again_by_a_repeat(warehouse: sa.Engine, github: GitHub) -> None:
    settings = settings_with(ISSUES)
    happen(warehouse, settings)
    deliver(warehouse, settings)
    github.issues[1]["state"] = "closed"
    with warehouse.begin() as connection:  # a crash before the commit
        connection.execute(sa.text("update ops.notifications set state = 'pending'"))
        connection.execute(sa.text("delete from ops.alert_threads"))
    deliver(warehouse, settings)
    assert (len(github.issues), github.issues[1]["state"]) == (1, "open")


def test_the_end_of_what_has_no_issue_is_not_told_and_an_escalation_makes_one(
    warehouse: sa.Engine, github: GitHub
) -> None:
    settings = settings_with(ISSUES)
    happen(warehouse, settings)
    deliver(warehouse, settings)
    del github.issues[1]
    happen(warehouse, settings, "acknowledged", batch="two")
    assert deliver(warehouse, settings).sent == 1
    assert github.issues == {}
    happen(warehouse, settings, "escalated", level=1, batch="three")
    assert deliver(warehouse, settings).sent == 1
    assert len(github.issues) == 1
    happen(warehouse, settings, subjects=["acme/web"], batch="four")
    happen(warehouse, settings, "resolved", subjects=["acme/web"], batch="five")
    assert deliver(warehouse, settings) == type(deliver(warehouse, settings))(sent=1, dropped=1)
    assert len(github.issues) == 1


@pytest.mark.parametrize(
    ("answer", "words", "after"),
    [
        (Answer(500), "answered 500", None),
        (Answer(403, b"{}", {"Retry-After": "30"}), "answered 403: GitHub's limit is reached", 30.0),
        (Answer(403, b"{}"), "answered 403", None),
        (Answer(200, b"garbage"), "answered 200 with something that is no JSON", None),
        (Answer(200, b'{"a": 1}'), "answered with something that is no list of issues", None),
        (Answer(drop=True), "cannot be reached (RemoteProtocolError)", None),
    ],
)
def test_github_that_refuses(answer: Answer, words: str, after: float | None, connection: Any, github: GitHub) -> None:
    github.before = lambda asked: answer
    channel = Channel(kind="github_issue", repository="acme/alerts", token_env="BOT_TOKEN")
    problem = said(channel, connection=connection)
    assert str(problem) == f"the channel 'it' {words}"
    assert problem.after_seconds == after
    assert "token-of-a-bot" not in str(problem)


def test_a_repository_without_issues_is_named(connection: Any, github: GitHub) -> None:
    github.before = lambda asked: Answer(404, b"{}") if asked.method == "POST" else None
    channel = Channel(kind="github_issue", repository="acme/alerts", token_env="BOT_TOKEN")
    assert str(said(channel, connection=connection)) == (
        "the channel 'it' answered 404: acme/alerts has no issues that this token may write"
    )


def test_a_marker_cannot_be_ended_by_a_name() -> None:
    assert marker("alert", "a:b/c d:1") == "<!-- metrics_assets:alert:a:b/c d:1 -->"
    assert marker("alert", "x --> <b>").count("-->") == 1


def test_issues_show_names_as_they_are(connection: Any, github: GitHub) -> None:
    channel = Channel(kind="github_issue", repository="acme/alerts", token_env="BOT_TOKEN")
    give(channel, replace(HOSTILE, dedup_key=f"k:{NASTY}"), mention="alice", connection=connection)
    body = github.issues[1]["body"]
    assert "@everyone" not in body
    assert "](http" not in body
    assert "\\<b onload" in body
    assert "https://evil" not in body.split("<!--")[0]
    assert "alice" not in body
    assert body.count("-->") == 2
