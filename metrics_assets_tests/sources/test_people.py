"""The secret that people's keys are made with: made once, kept to its owner, never exchanged unnoticed."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from metrics_assets.errors import ConfigurationError
from metrics_assets.sources.github import answers
from metrics_assets.warehouse.people import installation_secret, person_keys
from metrics_assets.warehouse.write import PersonKeys


@pytest.fixture(autouse=True)
def _no_secret_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METRICS_PERSON_KEY", raising=False)


def filled(engine: sa.Engine, keys: PersonKeys) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into ops.portfolio values (true, 'p', '2025-01-01', 3, 3, :check)"), {"check": keys.check}
        )


def test_the_secret_is_made_once_and_readable_by_its_owner_only(warehouse: sa.Engine, tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    first = person_keys(warehouse, home)
    file = home / "person_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text()) == 64
    assert person_keys(warehouse, home).check == first.check
    assert [path.name for path in home.iterdir()] == ["person_key"]
    assert first.check not in file.read_text()


def test_two_homes_have_two_secrets(warehouse: sa.Engine, tmp_path: Path) -> None:
    assert person_keys(warehouse, tmp_path / "a").check != person_keys(warehouse, tmp_path / "b").check


# Six that wait for the next second before they make the secret, so that they meet.
_MAKE = """
import sys, time
from pathlib import Path
from metrics_assets.warehouse.people import installation_secret
time.sleep(1 - time.time() % 1)
print(installation_secret(Path(sys.argv[1])))
"""


def _made(home: str) -> bytes:
    return installation_secret(Path(home))


def test_processes_and_threads_that_start_together_agree(tmp_path: Path) -> None:
    # Processes of their own: a fork of a test process with threads may never end.
    starting = [
        subprocess.Popen([sys.executable, "-c", _MAKE, str(tmp_path / "processes")], stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    assert len({process.communicate(timeout=120)[0] for process in starting}) == 1
    assert [process.returncode for process in starting] == [0] * 6
    for attempt in range(10):
        home = str(tmp_path / f"threads{attempt}")
        with ThreadPoolExecutor(8) as threads:
            secrets = set(threads.map(_made, [home] * 16))
        assert secrets == {_made(home)}
        assert [path.name for path in Path(home).iterdir()] == ["person_key"]


def test_another_secret_than_the_warehouse_was_filled_with_is_refused(
    warehouse: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(warehouse, person_keys(warehouse, tmp_path))
    person_keys(warehouse, tmp_path)
    with pytest.raises(ConfigurationError, match="restore that one, or start with an empty database"):
        person_keys(warehouse, tmp_path / "other")
    monkeypatch.setenv("METRICS_PERSON_KEY", "an entirely different secret, long enough")
    with pytest.raises(ConfigurationError) as caught:
        person_keys(warehouse, tmp_path)
    assert "different secret" not in str(caught.value)


def test_a_secret_may_come_from_the_environment(
    warehouse: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_PERSON_KEY", "0123456789abcdef0123456789abcdef\n")
    from_variable = person_keys(warehouse, tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delenv("METRICS_PERSON_KEY")
    (tmp_path / "person_key").write_text("0123456789abcdef0123456789abcdef\n")  # restored with an editor
    assert person_keys(warehouse, tmp_path).check == from_variable.check


@pytest.mark.parametrize("short", ["x", "0123456789abcdef"])
def test_a_secret_that_can_be_guessed_is_refused(
    short: str, warehouse: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_PERSON_KEY", short)
    with pytest.raises(ConfigurationError, match="shorter than 32 characters"):
        person_keys(warehouse, tmp_path)


def test_a_secret_file_that_lost_its_content_is_refused(warehouse: sa.Engine, tmp_path: Path) -> None:
    (tmp_path / "person_key").touch()
    with pytest.raises(ConfigurationError, match="restore it from a backup"):
        person_keys(warehouse, tmp_path)


@pytest.mark.parametrize(
    ("rest", "graphql"),
    [
        ({"login": "mira-holt", "type": "User"}, {"login": "mira-holt", "type": "User"}),
        ({"login": "Mira-Holt", "type": "User"}, {"login": "mira-holt", "type": "User"}),
        ({"login": "dependabot[bot]", "type": "Bot"}, {"login": "dependabot", "type": "Bot"}),
    ],
)
def test_rest_and_graphql_name_the_same_person(rest: dict[str, str], graphql: dict[str, str]) -> None:
    keys = PersonKeys(b"a secret of the test, long enough")
    one, other = (answers.User.model_validate(given).account() for given in (rest, graphql))
    assert one is not None
    assert other is not None
    assert keys.key(one) == keys.key(other)
    assert keys.is_bot(one) is keys.is_bot(other) is (graphql["type"] == "Bot")


def test_ghost_is_nobody() -> None:
    assert answers.User(login="ghost").account() is None
