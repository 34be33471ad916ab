"""Webhooks and the services of apprise, on real servers: what arrives, what is said if not, and no secret."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from metrics_assets.alerting.channels import check, check_all
from metrics_assets.alerting.channels.discord import mention as discord_mention
from metrics_assets.alerting.channels.slack import mention as slack_mention
from metrics_assets.alerting.channels.through_apprise import reason
from metrics_assets.alerting.messages import Link, Section
from metrics_assets.errors import ConfigurationError
from metrics_assets.settings import Channel
from metrics_assets_tests.alerting.receiving import (
    Answer,
    Receiver,
    receiving,
    receiving_mail,
)  # fmt: skip
from metrics_assets_tests.alerting.samples import HOSTILE, MESSAGE, NASTY, give, said

# Slack and Discord, by their own addresses; only where these lead is another place.

SLACK = Channel(kind="slack", url_env="IT_URL")
SLACK_URL = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
DISCORD = Channel(kind="discord", url_env="IT_URL")
DISCORD_URL = "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"
SECRETS = ("TIiajkdnlazkcOXrIdevi7FQ", "JHMHI8qBe7bk2ZwO5U711o3dV_js", "s3cretPassw0rd")


@pytest.fixture
def to_slack(monkeypatch: pytest.MonkeyPatch) -> Any:
    from apprise.plugins.slack import NotifySlack

    def to(receiver: Receiver | str) -> None:
        url = receiver if isinstance(receiver, str) else receiver.url
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{url}/services")
        monkeypatch.setenv("IT_URL", SLACK_URL)

    return to


@pytest.fixture
def to_discord(monkeypatch: pytest.MonkeyPatch) -> Any:
    from apprise.plugins.discord import NotifyDiscord

    def to(receiver: Receiver | str) -> None:
        url = receiver if isinstance(receiver, str) else receiver.url
        monkeypatch.setattr(NotifyDiscord, "notify_url", f"{url}/api/webhooks")
        monkeypatch.setenv("IT_URL", DISCORD_URL)

    return to


def test_slack_is_given_mrkdwn(to_slack: Any) -> None:
    with receiving() as receiver:
        to_slack(receiver)
        give(SLACK, mention="channel")
    (asked,) = receiver.asked
    assert asked.path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    (attachment,) = asked.body["attachments"]
    assert attachment["title"] == MESSAGE.title
    assert attachment["text"] == (
        "<!channel>\n"
        "Change failure rate: 32 % (n = 25), above 25 %.\n"
        "28 days: ▁▂▃·▅▆▇█ (8 % to 32 %)\n\n"
        "*On the same days*\n• 2026-01-05: release v2.1.0\n• 2026-01-06: Stars: 14, unusual (6 expected)\n\n"
        "*What to do*\n• Look.\n\n"
        "<https://a.example/alerts/1?token=t0ken|Acknowledge>\n<https://s.example|Site>"
    )
    assert asked.body["mrkdwn"] is True


def test_slack_calls_nobody_whom_a_name_names(to_slack: Any) -> None:
    with receiving() as receiver:
        to_slack(receiver)
        give(SLACK, HOSTILE)
    (attachment,) = receiver.bodies[0]["attachments"]
    for text in (attachment["title"], attachment["text"]):
        assert "<!channel>" not in text
        assert "&lt;!channel&gt;" in text
        assert "<b" not in text
    # Only ours are links.
    assert attachment["text"].count("<http") == 2
    assert "https://evil" not in attachment["text"]


@pytest.mark.parametrize(
    ("name", "slack", "discord"),
    [
        ("channel", "<!channel>", "@everyone"),
        ("@here", "<!here>", "@here"),
        ("everyone", "<!everyone>", "@everyone"),
        ("U024BE7LH", "<@U024BE7LH>", "@U024BE7LH"),
        ("S0614TZR7", "<!subteam^S0614TZR7>", "@S0614TZR7"),
        ("@engineering", "@engineering", "@engineering"),
        ("175928847299117063", "@175928847299117063", "<@175928847299117063>"),
        ("&165511591545143296", "&amp;165511591545143296", "<@&165511591545143296>"),
        ("<!here>", "&lt;!here&gt;", "@\\<!here\\>"),
    ],
)
def test_mentions_are_written_as_the_services_do(name: str, slack: str, discord: str) -> None:
    assert (slack_mention(name), discord_mention(name)) == (slack, discord)


def test_discord_is_given_markdown_that_it_takes(to_discord: Any) -> None:
    with receiving(Answer(204)) as receiver:
        to_discord(receiver)
        give(DISCORD, mention="here")
        give(DISCORD, replace(MESSAGE, lines=tuple(f"line {number} " + "x" * 100 for number in range(100))))
        give(DISCORD, replace(HOSTILE, sections=(Section("h", tuple(NASTY for _ in range(100))),)))
    short, long, hostile = (body["content"] for body in receiver.bodies)
    assert short.startswith("@here **\\[critical\\] Change failure rate too high: acme/api**\r\n")
    assert "**On the same days**\n- 2026-01-05: release v2.1.0\n" in short
    assert "[Acknowledge](<https://a.example/alerts/1?token=t0ken>)" in short
    assert len(long) <= 2000
    assert len(hostile) <= 2000
    assert "Site" in hostile  # the links are left where the rest is cut
    assert "@everyone" not in hostile
    assert "](http" not in hostile
    assert "https://evil" not in hostile


@pytest.mark.parametrize(
    ("status", "content"), [(500, b"no"), (429, b"slow down"), (403, b"invalid_token"), (200, b"garbage")]
)
def test_slack_that_refuses_is_quoted(status: int, content: bytes, to_slack: Any) -> None:
    with receiving(Answer(status, content, {"Retry-After": "30"})) as receiver:
        to_slack(receiver)
        assert str(said(SLACK)) == f"the channel 'it' answered {status}"
        assert len(receiver.asked) == 1


def test_discord_that_refuses_is_quoted_and_not_waited_for(to_discord: Any) -> None:
    later = str(int((datetime.now(UTC) + timedelta(hours=1)).timestamp()))
    limits = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": later, "Retry-After": "3600"}
    with receiving(Answer(429, b"{}", limits)) as receiver:
        to_discord(receiver)
        assert str(said(DISCORD)) == "the channel 'it' answered 429"
        assert len(receiver.asked) == 2  # apprise itself asks once more


@pytest.mark.parametrize("kind", ["slack", "discord"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [(Answer(drop=True), "closed the connection"), (Answer(silent_seconds=5), "did not answer in time")],
)
def test_services_that_do_not_answer(kind: str, answer: Answer, words: str, to_slack: Any, to_discord: Any) -> None:
    with receiving(answer) as receiver:
        (to_slack if kind == "slack" else to_discord)(receiver)
        assert str(said(SLACK if kind == "slack" else DISCORD)) == f"the channel 'it' {words}"


def test_services_that_nobody_serves(to_slack: Any, to_discord: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        to_slack(nobody)
        assert str(said(SLACK)) == "the channel 'it' cannot be reached (NewConnectionError)"
        to_discord(nobody)
        assert str(said(DISCORD)) == "the channel 'it' cannot be reached (NewConnectionError)"


# E-mail.

EMAIL = Channel(kind="email", url_env="IT_URL")


def mail_url(port: int, to: str = "team@example.org") -> str:
    return f"mailto://127.0.0.1:{port}/?from=metrics@example.org&to={to}"


def test_mail_is_html_and_text_with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving_mail() as mail:
        monkeypatch.setenv("IT_URL", mail_url(mail.port))
        give(EMAIL)
    (got,) = mail.got
    assert got["subject"] == MESSAGE.title
    assert (got["to"], got["x-metrics-idempotency-key"]) == ("team@example.org", "event:1:it")
    assert got.get_content_type() == "multipart/alternative"
    text = got.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    html = got.get_body(("html",)).get_content()  # type: ignore[union-attr]
    for part in (text, html):
        assert "Change failure rate: 32 % (n = 25), above 25 %." in part
        assert "28 days: ▁▂▃·▅▆▇█ (8 % to 32 %)" in part
        assert "https://a.example/alerts/1?token=t0ken" in part
    assert "<li>2026-01-05: release v2.1.0</li>" in html
    assert len([line for line in text.splitlines() if line.strip()]) >= 8


def test_mail_shows_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    message = replace(
        HOSTILE, links=(Link("Runbook", "javascript:alert(1)"), Link("Site", "https://s.example/?a=1&b=2"))
    )
    with receiving_mail() as mail:
        monkeypatch.setenv("IT_URL", mail_url(mail.port))
        give(EMAIL, message)
    html = mail.got[0].get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<b onload" not in html
    assert "&lt;b onload=&#x27;x&#x27;&gt;" in html
    assert "javascript:" not in html
    assert '<a href="https://s.example/?a=1&amp;b=2">' in html
    assert "evil.example" not in str(mail.got[0]["to"])


def test_every_recipient_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving_mail() as mail:
        monkeypatch.setenv("IT_URL", mail_url(mail.port, "a@example.org,b@example.org"))
        give(EMAIL)
    assert sorted(str(got["to"]) for got in mail.got) == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize("answer", ["451 Try again later", "554 Refused"])
def test_mail_that_is_refused(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving_mail(answer) as mail:
        monkeypatch.setenv("IT_URL", mail_url(mail.port))
        assert str(said(EMAIL)) == f"the channel 'it' answered {answer[:3]}"


def test_a_mail_server_that_is_not_there_or_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("IT_URL", mail_url(taken.getsockname()[1]))
        assert str(said(EMAIL)) == "the channel 'it' cannot be reached (Connection refused)"
        taken.listen()
        assert str(said(EMAIL)) == "the channel 'it' did not answer in time"


# Other services of apprise.

OTHER = Channel(kind="apprise", url_env="IT_URL")


def test_another_service_is_given_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("IT_URL", receiver.url.replace("http://", "json://"))
        give(OTHER, mention="here")
        give(OTHER, HOSTILE)
    plain, hostile = receiver.bodies
    assert plain["title"] == MESSAGE.title
    assert plain["message"].startswith("@here\nChange failure rate: 32 % (n = 25), above 25 %.\n28 days")
    assert "On the same days\n- 2026-01-05: release v2.1.0\n" in plain["message"]
    assert "Site: https://s.example" in plain["message"]
    assert NASTY in hostile["message"]


def test_another_service_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(Answer(503)) as receiver:
        monkeypatch.setenv("IT_URL", receiver.url.replace("http://", "json://"))
        assert str(said(OTHER)) == "the channel 'it' answered 503"


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("Socket Exception: ... (Caused by NameResolutionError('x'))", "cannot be reached (NameResolutionError)"),
        ("Socket Exception: (535, b'5.7.8 Authentication failed for s3cretPassw0rd')", "answered 535"),
        ("Socket Exception: [SSL: CERTIFICATE_VERIFY_FAILED] x", "cannot be reached (its certificate is not trusted)"),
        ("something about https://s3cretPassw0rd", "did not take the message, and apprise does not say why"),
    ],
)
def test_the_reason_is_taken_from_what_apprise_says_without_its_text(record: str, words: str) -> None:
    assert reason(["Sending", record]) == words


# Addresses: what is wrong with them, and that they stay secret.


@pytest.mark.parametrize(
    ("kind", "address", "words"),
    [
        ("slack", None, "names IT_URL, which is not set; export it, for example as https://hooks.slack.com/"),
        (
            "slack",
            "not an address s3cretPassw0rd",
            "holds no address of kind slack; write it as https://hooks.slack.com/",
        ),
        ("slack", "https://hooks.slack.com/services/s3cretPassw0rd", "IT_URL"),
        ("slack", DISCORD_URL, "has kind slack, but IT_URL holds the address of another service (discord)"),
        ("discord", SLACK_URL, "has kind discord, but IT_URL holds the address of another service (slack)"),
        ("email", SLACK_URL, "has kind email, but IT_URL holds the address of another service (slack)"),
        ("email", "mailto://me:s3cretPassw0rd@", "holds no address of kind email"),
        ("apprise", "nothing://s3cretPassw0rd", "holds no address of a service that apprise knows"),
        ("webhook", "s3cretPassw0rd", "which is not set to an http(s) address"),
        ("pagerduty", "s3cretPassw0rd", "does not hold a routing key of PagerDuty's Events API v2"),
        ("pagerduty", None, "does not hold a routing key"),
    ],
)
def test_an_address_that_does_not_fit_is_explained_and_not_repeated(
    kind: Any, address: str | None, words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.delenv("IT_URL", raising=False)
    if address is not None:
        monkeypatch.setenv("IT_URL", address)
    channel = Channel(kind=kind, url_env="IT_URL")
    with pytest.raises(ConfigurationError) as caught:
        check("it", {"it": channel})
    with pytest.raises(ConfigurationError, match="IT_URL"):
        give(channel)
    assert words in str(caught.value)
    for secret in SECRETS:
        assert secret not in str(caught.value)
        assert secret not in caplog.text


def test_a_good_address_is_said_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: dict[Any, str] = {
        "webhook": "https://example.org/x", "slack": SLACK_URL, "discord": DISCORD_URL, "apprise": "json://localhost",
        "email": "mailtos://user:password@example.org", "pagerduty": "a" * 32,
    }  # fmt: skip
    for kind, address in addresses.items():
        monkeypatch.setenv("IT_URL", address)
        assert check("it", {"it": Channel(kind=kind, url_env="IT_URL")}) == "IT_URL is set"
    issues = Channel(kind="github_issue", repository="acme/alerts", token_env="BOT_TOKEN")
    monkeypatch.delenv("BOT_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="BOT_TOKEN is not set"):
        check_all({"issues": issues})
    monkeypatch.setenv("BOT_TOKEN", "x")
    check_all({"issues": issues})
    with pytest.raises(ConfigurationError, match="no channel other"):
        check("other", {"issues": issues})


def test_nothing_secret_is_logged_and_apprise_is_quiet(
    to_slack: Any, to_discord: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("apprise", "urllib3", "urllib3.connectionpool", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    with receiving(Answer(), Answer(500)) as receiver:
        to_slack(receiver)
        give(SLACK)
        said(SLACK)
        to_discord(receiver)
        said(DISCORD)
    with receiving_mail("535 No") as mail:
        monkeypatch.setenv("IT_URL", f"mailto://me:s3cretPassw0rd@127.0.0.1:{mail.port}/?from=a@example.org")
        said(EMAIL)
    for secret in (*SECRETS, "example.org"):
        assert secret not in caplog.text
