"""Notes files as a hostile contributor leaves them: no other file is read, and none ends a run without a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets.assets.reports.making import stored
from metrics_assets.errors import ConfigurationError
from metrics_assets_tests.assets.small_reports import DECEMBER, make, small
from metrics_assets_tests.automation.conftest import Clock, clock, deployments, engine, instance

__all__ = ["clock", "engine", "instance", "small"]


@pytest.fixture
def file(engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock, tmp_path: Path) -> Path:
    """Where the notes of December go."""
    deployments(engine, 1, *[1] * 31)
    (tmp_path / "reports").mkdir()
    return tmp_path / "reports/2025-12.md"


@pytest.mark.parametrize("leads_to", ["../secret.txt", "/dev/zero", "2025-12.md", "../gone.txt"])
def test_a_link_out_of_the_folder_is_not_followed(leads_to: str, file: Path, engine: sa.Engine) -> None:
    (file.parent.parent / "secret.txt").write_text("hunter2")
    file.symlink_to(leads_to)
    with pytest.raises(ConfigurationError, match=r"2025-12\.md (leads out of its folder|cannot be read)"):
        make(engine, "2025-12-01", "2025-12-31")
    assert stored(engine, DECEMBER) is None


def test_a_link_within_the_folder_is(file: Path, engine: sa.Engine) -> None:
    (file.parent / "..data").mkdir()
    (file.parent / "..data/2025-12.md").write_text("## Achievements\n### Technical\nA new parser.\n")
    file.symlink_to("..data/2025-12.md")
    make(engine, "2025-12-01", "2025-12-31")
    kept = stored(engine, DECEMBER)
    assert kept is not None
    assert "A new parser." in kept.markdown


def test_what_is_no_file_is_not_waited_for(file: Path, engine: sa.Engine) -> None:
    os.mkfifo(file)
    with pytest.raises(ConfigurationError, match="is no file that can be read"):
        make(engine, "2025-12-01", "2025-12-31")


def test_a_file_that_would_keep_the_parser_busy_is_refused(file: Path, engine: sa.Engine) -> None:
    file.write_text("[" * 60_000)
    with pytest.raises(ConfigurationError, match="is longer than 50,000 bytes; shorten it"):
        make(engine, "2025-12-01", "2025-12-31")


def test_control_characters_reach_neither_the_database_nor_a_terminal(file: Path, engine: sa.Engine) -> None:
    file.write_bytes(b"## Achievements\n### Technical\nA\x00 new\x1b]0;parser\xc2\x9b.\n\tmore\xc2\xa0so\n")
    (made,) = make(engine, "2025-12-01", "2025-12-31").made
    assert made.remarks == ("2025-12.md: 3 control characters stand as spaces; type them anew.",)
    assert "A  new ]0;parser ." in made.stored.markdown
    assert "more\u00a0so" in made.stored.markdown
    assert not {"\x00", "\x1b", "\x9b"} & {*made.stored.markdown, *made.stored.html}
