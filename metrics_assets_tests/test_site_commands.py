"""`metrics site` as a user meets it."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.engine import URL

from metrics_assets import cli
from metrics_assets.assets.site import building
from metrics_assets.errors import ConfigurationError, MetricsError
from metrics_assets.warehouse import engine as engines
from metrics_assets_tests.assets.site_warehouse import CONFIG, DAY, fill
from metrics_assets_tests.assets.test_site_asset import only
from metrics_assets_tests.command import start_metrics, url_text


@pytest.fixture
def config(new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The metrics.yaml of a warehouse without figures; its site has small pages."""
    path = tmp_path / "metrics.yaml"
    path.write_text(CONFIG)
    monkeypatch.setenv("METRICS_CONFIG", str(path))
    monkeypatch.setenv("METRICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("METRICS_DATABASE_URL", url_text(new_database("commands")))
    monkeypatch.setattr(building, "PAGES", only())
    engines.engine.cache_clear()
    yield path
    engines.engine().dispose()
    engines.engine.cache_clear()


@pytest.fixture
def engine(config: Path) -> sa.Engine:
    """Its warehouse, filled."""
    fill(engines.engine())
    return engines.engine()


def run(*arguments: str) -> Result:
    """The command in this process; what it raises is raised here."""
    return CliRunner().invoke(cli.commands, ("site", *arguments), catch_exceptions=False, standalone_mode=False)


def test_before_there_is_anything_it_says_what_to_do(config: Path) -> None:
    with pytest.raises(ConfigurationError, match="There are no figures yet; run: metrics run"):
        run("build")
    with pytest.raises(ConfigurationError, match="There is no site yet; run `metrics run` or `metrics site build`"):
        run("serve")
    with pytest.raises(ConfigurationError, match=r"does not say where to publish; write site\.publish_to"):
        run("publish")
    config.write_text(f"{CONFIG}site: {{publish_to: public}}\n")
    with pytest.raises(ConfigurationError, match="There is no site yet"):
        run("publish")


def test_a_site_is_built_as_of_a_day(engine: sa.Engine, tmp_path: Path) -> None:
    built = run("build")
    index = tmp_path / "home/site/current/index.html"
    assert f"pages as of {DAY}, " in built.output
    assert built.output.endswith(f": {index}\n")
    assert index.exists()
    past = run("build", "--day", "2025-12-01", "--to", str(tmp_path / "past"))
    assert "pages as of 2025-12-01, " in past.output
    assert (tmp_path / "past/current/index.html").exists()
    with pytest.raises(ConfigurationError, match="--day 2026-01-01: figures go to 2025-12-31; write that day or an e"):
        run("build", "--day", "2026-01-01")


def test_a_folder_that_cannot_be_written_is_a_sentence(engine: sa.Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("theirs")
    with pytest.raises(MetricsError, match=r"The site was not built in .*/file/site \(Not a directory\); the one that"):
        run("build", "--to", str(tmp_path / "file/site"))
    (tmp_path / "deployed").mkdir()
    (tmp_path / "deployed/current").symlink_to("releases/42")
    with pytest.raises(MetricsError, match="not a symbolic link made by this program"):
        run("build", "--to", str(tmp_path / "deployed"))


def test_what_is_wrong_with_the_pages_is_said_and_counts(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "PAGES", only(("index.html", '<a href="gone.html">')))
    result = CliRunner().invoke(cli.commands, ["site", "build"])
    assert result.exit_code == 1
    assert "index.html links to gone.html, which is not there." in result.output


def test_it_is_published(engine: sa.Engine, config: Path) -> None:
    run("build")
    config.write_text(f"{CONFIG}site: {{publish_to: public}}\n")
    assert " files written, 0 removed, 0 as they were." in run("publish").output
    assert (config.parent / "public/current/index.html").exists()
    config.write_text(f"{CONFIG}site: {{publish_to: /dev/null/x}}\n")
    with pytest.raises(MetricsError, match="The site was not published to /dev/null/x"):
        run("publish")


def test_teams_are_told_their_own_addresses(engine: sa.Engine, config: Path, tmp_path: Path) -> None:
    (line,) = run("teams").output.splitlines()
    assert line.startswith(f"heron: {tmp_path}/home/site/current/team/")
    config.write_text(f"{CONFIG}alerts: {{site_url: https://metrics.example.org}}\n")
    (line,) = run("teams").output.splitlines()
    assert line.startswith("heron: https://metrics.example.org/team/")
    config.write_text(CONFIG.replace("[heron]", "[]"))
    with pytest.raises(ConfigurationError, match=r"No team has opted in; list those that did under space\.teams"):
        run("teams")


def test_the_site_is_served_on_this_machine_alone(engine: sa.Engine, config: Path, tmp_path: Path) -> None:
    run("build")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start_metrics(
        "site", "serve", "--port", str(port), home=tmp_path, METRICS_CONFIG=str(config),
        METRICS_HOME=str(tmp_path / "home"),
    )  # fmt: skip
    try:
        for _ in range(150):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except httpx.HTTPError:
                assert process.poll() is None
                time.sleep(0.2)
        assert answer.text == "<p>page</p>"
        assert httpx.get(f"http://127.0.0.1:{port}/absent.html", timeout=5).status_code == 404
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def test_a_day_must_be_one() -> None:
    with pytest.raises(click.BadParameter):
        run("build", "--day", "yesterday")
