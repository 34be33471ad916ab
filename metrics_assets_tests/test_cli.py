"""The command `metrics` as a user meets it: what it prints, its exit code, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from metrics_assets.demo.faults import Fault, Rule
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer
from metrics_assets.environment import use_demo_without_config
from metrics_assets.paths import DEMO_CONFIG
from metrics_assets.settings import Settings, metrics_home
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.command import metrics, url_text
from metrics_assets_tests.tables import assert_same, contents

_ONE_REPOSITORY = "start: 2025-12-01\nend: 2025-12-31\nrepositories:\n  - {github: aurora/toolkit}\n"


@pytest.mark.parametrize(
    ("configuration", "arguments", "variables", "sentence"),
    [
        (None, ("run",), {}, "metrics.yaml does not exist; copy metrics.example.yaml to it"),
        ("repositories: [{github: acme}]", ("run",), {}, "repositories[0].github: 'acme' is not understood"),
        (_ONE_REPOSITORY, ("run",), {}, "GITHUB_TOKEN is not set; create a token"),
        (
            _ONE_REPOSITORY,
            ("run",),
            {"GITHUB_TOKEN": "t", "GITHUB_API_URL": "github"},
            "GITHUB_API_URL is no plain http(s) address",
        ),
        (
            _ONE_REPOSITORY,
            ("run", "--from", "2025-12-09", "--to", "2025-12-08"),
            {"GITHUB_TOKEN": "t"},
            "--from 2025-12-09 is after --to 2025-12-08; swap them.",
        ),
        (
            _ONE_REPOSITORY,
            ("run", "--from", "2025-11-30"),
            {"GITHUB_TOKEN": "t"},
            "--from 2025-11-30 is before start: 2025-12-01 in metrics.yaml",
        ),
        (_ONE_REPOSITORY, ("run", "--to", "2026-01-01"), {"GITHUB_TOKEN": "t"}, "--to 2026-01-01 is after 2025-12-31"),
        (_ONE_REPOSITORY, ("run", "--from", "Monday"), {"GITHUB_TOKEN": "t"}, "'Monday' does not match the format"),
        (
            _ONE_REPOSITORY + "channels: {oncall: {url_env: ONCALL}}\n",
            ("run",),
            {"GITHUB_TOKEN": "t"},
            "channels.oncall.url_env names ONCALL, which is not set to an http(s) address; export it.",
        ),
        (
            _ONE_REPOSITORY,
            ("run",),
            {"GITHUB_TOKEN": "t", "METRICS_DATABASE_URL": "mysql://x/y"},
            "METRICS_DATABASE_URL",
        ),
    ],
)
def test_a_mistake_is_a_sentence_with_exit_code_2_and_nothing_is_written(
    configuration: str | None,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    sentence: str,
    tmp_path: Path,
) -> None:
    if configuration is not None:
        (tmp_path / "metrics.yaml").write_text(configuration)
    before = sorted(tmp_path.rglob("*"))
    result = metrics(*arguments, home=tmp_path, **variables)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.xdist_group("processes")
def test_run_does_the_main_job_and_a_second_run_changes_nothing(
    new_database: Callable[[str], URL], tmp_path: Path
) -> None:
    (tmp_path / "metrics.yaml").write_text(_ONE_REPOSITORY)
    database = new_database("twice")
    engine = create_engine(database)
    with DemoServer(sample_organisation()) as server:
        variables = {
            "GITHUB_API_URL": server.url,
            "GITHUB_TOKEN": "secret-of-the-test",
            "METRICS_DATABASE_URL": url_text(database),
        }
        first = metrics("run", home=tmp_path, **variables)
        assert first.returncode == 0, first.stderr
        assert "site " in first.stdout
        assert "database " in first.stdout
        pages = _files(tmp_path / "metrics-home" / "site" / "current")
        held = contents(engine)
        second = metrics("run", home=tmp_path, **variables)
    assert second.returncode == 0, second.stderr
    assert_same(contents(engine), held)
    again = _files(tmp_path / "metrics-home" / "site" / "current")
    differ = {path for path in {*pages, *again} if pages.get(path) != again.get(path)}
    # What the second look at the sources cost is new.
    assert differ <= {"data-quality.html", "data/collection-cost.csv"}
    assert "secret-of-the-test" not in first.stdout + first.stderr
    for path in (tmp_path / "metrics-home").rglob("*"):
        if path.is_file() and not path.is_socket():
            assert b"secret-of-the-test" not in path.read_bytes(), path
    engine.dispose()


def _files(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


@pytest.mark.xdist_group("processes")
def test_a_repository_that_cannot_be_had_is_named_and_the_others_are_collected(
    new_database: Callable[[str], URL], tmp_path: Path
) -> None:
    (tmp_path / "metrics.yaml").write_text(_ONE_REPOSITORY + "  - {github: aurora/not-there}\n")
    database = new_database("partly")
    with DemoServer(sample_organisation()) as server:
        result = metrics(
            "run",
            home=tmp_path,
            GITHUB_API_URL=server.url,
            GITHUB_TOKEN="token",
            METRICS_DATABASE_URL=url_text(database),
        )
    assert result.returncode == 1
    assert "aurora/not-there" in result.stderr
    assert "check the name and that the token may see it" in result.stderr
    assert "NOT all done" in result.stdout
    engine = create_engine(database)
    assert contents(engine)["metrics.dora_daily"]
    engine.dispose()


def test_check_says_what_is_good_and_what_is_not(new_database: Callable[[str], URL], tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text(_ONE_REPOSITORY + "  - {github: aurora/not-there}\n")
    organisation = sample_organisation()
    with DemoServer(replace(organisation, now=datetime.now(UTC))) as server:
        variables = {
            "GITHUB_API_URL": server.url,
            "GITHUB_TOKEN": "token",
            "METRICS_DATABASE_URL": url_text(new_database("checked")),
        }
        result = metrics("check", home=tmp_path, **variables)
        assert result.returncode == 2
        assert "ok   repository aurora/toolkit" in result.stdout
        assert "BAD  repository aurora/not-there" in result.stdout
        (tmp_path / "metrics.yaml").write_text(_ONE_REPOSITORY)
        assert metrics("check", home=tmp_path, **variables).returncode == 0
        server.play(organisation)
        late = metrics("check", home=tmp_path, **variables)
        assert (late.returncode, "minutes ahead of the provider's" in late.stdout) == (2, True)
        server.faults.append(Rule(Fault(status=401, body={"message": "Bad credentials"})))
        refused = metrics("check", home=tmp_path, **variables)
    assert refused.returncode == 2
    assert "GITHUB_TOKEN was refused (Bad credentials); create a new token" in refused.stdout


def test_the_schema_of_metrics_yaml_is_the_committed_one(tmp_path: Path) -> None:
    committed = Path(__file__).resolve().parents[1] / "metrics.schema.json"
    assert json.loads(committed.read_text()) == Settings.model_json_schema(), "run `make schema`"


@pytest.mark.parametrize(
    ("has_demo", "own_key", "own_config", "expected"),
    [(True, False, False, "demo"), (False, False, False, ""), (True, True, False, ""), (True, False, True, "")],
)
def test_the_demo_s_own_configuration_finds_the_demo_s_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_demo: bool, own_key: bool, own_config: bool, expected: str
) -> None:
    """Where METRICS_HOME holds a demo, another server beside it would be empty."""
    config = tmp_path / "metrics.yaml"
    config.write_text("repositories: [{github: acme/api}]")
    monkeypatch.delenv("METRICS_DATABASE_URL", raising=False)
    monkeypatch.setenv("METRICS_HOME", str(tmp_path))
    monkeypatch.setenv("METRICS_CONFIG", str(config if own_config else DEMO_CONFIG))
    if has_demo:
        (tmp_path / "demo" / "postgres").mkdir(parents=True)
    if own_key:
        (tmp_path / "person_key").touch()
    use_demo_without_config()
    assert metrics_home() == tmp_path / expected
