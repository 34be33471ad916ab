"""`metrics alerts` and `metrics status` as a user meets them."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import click
import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.engine import URL

from metrics_assets import cli
from metrics_assets.alert_commands import _duration
from metrics_assets.alerting.states import record
from metrics_assets.alerting.status import Status, write_status
from metrics_assets.catalogue.alerts import load_rules
from metrics_assets.errors import ConfigurationError, MetricsError
from metrics_assets.serving import _acknowledge_page, page_port
from metrics_assets.warehouse import engine as engines
from metrics_assets_tests.alerting.conditions import condition, settings
from metrics_assets_tests.automation.conftest import Receiver, receiver
from metrics_assets_tests.command import metrics, start_metrics, url_text

__all__ = ["receiver"]

_CONFIG = """
start: 2025-12-01
repositories: [{github: acme/api}]
channels:
  oncall: {url_env: RECEIVER}
alerts: {acknowledge_url: http://127.0.0.1:3001}
"""
RULE = load_rules()["low_deployment_activity"]


@pytest.fixture
def engine(new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """The warehouse of a metrics.yaml, with an alert about acme/api."""
    (tmp_path / "metrics.yaml").write_text(_CONFIG)
    monkeypatch.setenv("METRICS_CONFIG", str(tmp_path / "metrics.yaml"))
    monkeypatch.setenv("METRICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("METRICS_DATABASE_URL", url_text(new_database("commands")))
    engines.engine.cache_clear()
    made = engines.engine()
    about = condition(1, "breached", rule=RULE.key, text="1 in the last 7 days against 8.")
    record(made, {RULE.key: RULE}, [about], settings("oncall"), datetime.now(UTC))
    yield made
    made.dispose()
    engines.engine.cache_clear()


def run(*arguments: str) -> Result:
    """The command in this process; what it raises is raised here."""
    return CliRunner().invoke(cli.commands, arguments, catch_exceptions=False, standalone_mode=False)


def said(*arguments: str) -> str:
    return run(*arguments).output


def test_an_alert_from_the_list_to_its_review(engine: sa.Engine, receiver: Receiver) -> None:
    listed = said("alerts", "list")
    assert "firing        warning   2025-12-01  low_deployment_activity: acme/api" in listed
    assert "1 in the last 7 days against 8." in listed
    number = listed.split()[0]
    shown = said("alerts", "show", number)
    assert "[warning] Low deployment activity: acme/api\n1 in the last 7 days against 8.\n" in shown
    assert "What to do\n  Ask the team what blocks them" in shown
    assert f"Acknowledge: http://127.0.0.1:3001/alerts/{number}?token=" in shown
    assert "oncall: not told yet" in shown
    assert said("alerts", "deliver") == "1 sent, 0 not to be told any more, 0 channels failed\n"
    assert (
        said("alerts", "ack", number, "--by", "ann", "--note", "on it") == f"Alert {number} is acknowledged by ann.\n"
    )
    assert "acknowledged by ann: on it" in said("alerts", "show", number)
    said("alerts", "useful", number)
    said("alerts", "noise", number, "--by", "ann", "--note", "a holiday")
    review = said("alerts", "review", "--weeks", "1")
    assert "low_deployment_activity                   1           0 min           -       0      1          0" in review
    assert "Noise: 100 % of the 1 that somebody has decided about." in review
    said("alerts", "resolve", number, "--by", "ann")
    assert said("alerts", "list") == "No alert is open.\n"
    said("alerts", "deliver")
    assert receiver.titles == [
        "[warning] Low deployment activity: acme/api",
        "[acknowledged] Low deployment activity: acme/api",
        "[resolved] Low deployment activity: acme/api",
    ]


def test_a_silence_and_its_end(engine: sa.Engine, receiver: Receiver) -> None:
    made = said("alerts", "silence", RULE.key, "--subject", "acme/api", "--for", "2h", "--why", "a move", "--by", "ann")
    assert made.startswith("Silence 1: nobody is told of alerts of low_deployment_activity about acme/api until ")
    assert ", by ann: a move" in said("alerts", "silences")
    assert said("alerts", "deliver").startswith("0 sent")
    assert said("alerts", "unsilence", "1") == "Silence 1 has ended.\n"
    assert said("alerts", "silences") == "Nothing is silenced.\n"
    assert said("alerts", "deliver").startswith("1 sent")


def test_a_test_message_reaches_its_channel(engine: sa.Engine, receiver: Receiver) -> None:
    assert said("alerts", "test", "oncall").startswith("The channel oncall took a test message; look whether")
    assert receiver.titles == ["[test] portfolio: a test message"]
    receiver.status = 500
    with pytest.raises(MetricsError, match="the channel 'oncall' answered 500"):
        run("alerts", "test", "oncall")
    with pytest.raises(MetricsError, match="the channel 'oncall' answered 500"):
        run("alerts", "deliver")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("ack", "99"), "There is no alert 99"),
        (("show", "99"), "There is no alert 99; `metrics alerts list --all` lists them."),
        (("useful", "99"), "99"),
        (("unsilence", "9"), "There is no silence 9"),
        (("test", "team"), "metrics.yaml has no channel team; add it under channels."),
        (("silence", "nope", "--for", "2h", "--why", "x"), "There is no rule 'nope'"),
        (("silence", "--for", "2 hours", "--why", "x"), "--for 2 hours is not understood; write 30m, 2h, 3d or 1w"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence(engine: sa.Engine, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(MetricsError) as raised:
        run("alerts", *arguments)
    assert sentence in str(raised.value)


def test_what_happened_without_an_alert_is_in_the_review(engine: sa.Engine) -> None:
    today = datetime.now(UTC).date()
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into raw.package_releases (registry, package, version, published_at, is_prerelease, "
                "is_yanked, yanked_noticed_at) values ('npm', 'tool', '1.0', :at, false, true, :at)"
            ),
            {"at": datetime(today.year, today.month, today.day, tzinfo=UTC)},
        )
    assert f"  {today}  npm:tool: version 1.0 was yanked\n" in said("alerts", "review")


def test_the_status_line(engine: sa.Engine) -> None:
    with pytest.raises(ConfigurationError, match="No day has a status yet; run: metrics run"):
        run("status")
    write_status(
        engine, Status(date(2025, 12, 1), "healthy", "2025-12-01: healthy: all is well.", {}), datetime.now(UTC)
    )
    assert said("status") == "2025-12-01: healthy: all is well.\n"


@pytest.mark.xdist_group("processes")
def test_the_page_behind_the_link_acknowledges(engine: sa.Engine, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shown = said("alerts", "show", said("alerts", "list").split()[0])
    link = next(line.split()[1] for line in shown.splitlines() if line.startswith("Acknowledge: "))
    here = link.replace(":3001", f":{port}")
    process = start_metrics(
        "alerts", "serve", "--port", str(port), home=tmp_path,
        METRICS_HOME=str(tmp_path / "home"), METRICS_DATABASE_URL=url_text(engine.url),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.ConnectError):
                answer = httpx.get(here)
                break
            assert time.monotonic() < deadline, "it took too long"
            time.sleep(0.2)
        assert (answer.status_code, "acme/api" in answer.text) == (200, True)
        assert "firing" in said("alerts", "list")
        assert httpx.post(here, data={"action": "acknowledge", "by": "ann"}).status_code == 303
        assert "acknowledged" in said("alerts", "list")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def test_the_page_runs_beside_dagster_where_links_lead_to_it(engine: sa.Engine) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with _acknowledge_page(settings("oncall", acknowledge_url=url), 3000):
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(httpx.ConnectError):
                answer = httpx.get(f"{url}/alerts/1?token=wrong")
                break
            assert time.monotonic() < deadline, "it took too long"
            time.sleep(0.1)
        assert answer.status_code == 403
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with _acknowledge_page(settings("oncall"), port - 1), pytest.raises(httpx.ConnectError):
        httpx.get(url)


@pytest.mark.parametrize("text", ["", "0h", "2", "h", "2.5h", "400d", "-1h", "99999h"])
def test_a_duration_that_is_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not understood"):
        _duration(text)


@pytest.mark.parametrize(("text", "hours"), [("30m", 0.5), ("2h", 2), ("3d", 72), ("1w", 168)])
def test_a_duration(text: str, hours: float) -> None:
    assert _duration(text).total_seconds() == hours * 3600


@pytest.mark.parametrize(
    ("address", "port"),
    [("http://127.0.0.1:8080", 8080), ("http://localhost:8080/m", 8080), ("https://alerts.example.org", 3001)],
)
def test_where_the_page_to_acknowledge_listens(address: str, port: int) -> None:
    assert page_port(address, 3000) == port


def test_every_command_says_what_it_does() -> None:
    group = cli.commands.commands["alerts"]
    assert isinstance(group, click.Group)
    assert set(group.commands) == {
        "list", "show", "ack", "resolve", "useful", "noise", "silence", "silences", "unsilence", "review", "test",
        "deliver", "serve",
    }  # fmt: skip
    assert all(command.help for command in group.commands.values())


@pytest.mark.xdist_group("processes")
def test_the_command_ends_with_2_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text(_CONFIG)
    result = metrics("alerts", "silence", "--for", "x", "--why", "x", home=tmp_path)
    assert (result.returncode, "--for x is not understood" in result.stderr) == (2, True)
    assert not (tmp_path / "metrics-home").exists()
