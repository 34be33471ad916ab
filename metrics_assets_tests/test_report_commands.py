"""`metrics report` as a user meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.engine import URL

from metrics_assets import cli
from metrics_assets.assets.reports import making
from metrics_assets.assets.reports.making import Content
from metrics_assets.errors import ConfigurationError
from metrics_assets.reporting.notes import with_notes
from metrics_assets.warehouse import engine as engines
from metrics_assets_tests.automation.conftest import Receiver, deployments, receiver
from metrics_assets_tests.command import metrics, url_text
from metrics_assets_tests.reporting.documents import document

__all__ = ["receiver"]

_CONFIG = """
start: 2025-12-01
repositories: [{github: acme/api}]
channels: {team: {url_env: RECEIVER}}
reports: {folder: notes, monthly_report: {channels: [team]}}
"""


def _content(kind: Any) -> Content:
    """A report that says its days."""

    def read(engine: sa.Engine, settings: Any, start: date, end: date, as_of: date) -> dict[str, Any]:
        return {"measures": [], "days": [str(start), str(end), str(as_of)]}

    def write(figures: Any) -> Any:
        start, end, as_of = map(date.fromisoformat, figures["days"])
        return document(report=kind, title=f"acme: {start}", period_start=start, period_end=end, as_of=as_of)

    return Content(read, write, lambda figures: figures)


@pytest.fixture
def engine(new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """The warehouse of a metrics.yaml whose figures end on 31 December."""
    (tmp_path / "metrics.yaml").write_text(_CONFIG)
    monkeypatch.setenv("METRICS_CONFIG", str(tmp_path / "metrics.yaml"))
    monkeypatch.setenv("METRICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("METRICS_DATABASE_URL", url_text(new_database("reports")))
    monkeypatch.setattr(making, "content_of", _content)
    engines.engine.cache_clear()
    made = engines.engine()
    deployments(made, 1, *[1] * 31)
    yield made
    made.dispose()
    engines.engine.cache_clear()


def run(*arguments: str) -> Result:
    """The command in this process; what it raises is raised here."""
    return CliRunner().invoke(cli.commands, ["report", *arguments], catch_exceptions=False, standalone_mode=False)


def test_a_report_from_its_making_to_its_sending(engine: sa.Engine, receiver: Receiver, tmp_path: Path) -> None:
    assert run("list").output == "There are no reports yet; they are made with every run: metrics run\n"
    html = tmp_path / "out" / "report.html"
    made = run("make", "monthly_report", "--period", "2025-12", "--html", str(html))
    assert made.output == f"acme: 2025-12-01: final, as of 2025-12-31.\n{html}\n"
    assert html.read_text().startswith("<!doctype html>")
    assert run("show", "monthly_report").output.startswith("# acme: 2025-12-01\n")
    assert run("list").output == "monthly_report     2025-12   final   as of 2025-12-31\n"
    sent = run("send", "monthly_report", "--period", "2025-12").output
    assert sent == "In the outbox for team; the daemon delivers it, or now: metrics alerts deliver\n"
    assert (
        run("send", "monthly_report", "--period", "2025-12").output == "All of its channels were told of it before.\n"
    )
    assert "monthly_report     2025-12   frozen  as of 2025-12-31, sent " in run("list").output
    assert "and stays as it was." in run("make", "monthly_report", "--period", "2025-12").output
    delivered = CliRunner().invoke(cli.commands, ["alerts", "deliver"], catch_exceptions=False, standalone_mode=False)
    assert delivered.output == "1 sent, 0 not to be told any more, 0 channels failed\n"
    assert receiver.titles == ["acme: 2025-12-01"]


def test_notes_are_written_once_and_read_then(engine: sa.Engine, tmp_path: Path) -> None:
    run("make", "monthly_report", "--period", "2025-12")
    file = tmp_path / "notes" / "2025-12.md"
    assert run("notes", "monthly_report", "--period", "2025-12").output == f"{file}\n"
    assert "## Achievements\n\n### Technical\n" in file.read_text()
    assert with_notes(document(), file.read_text()).remarks == ()
    file.write_text(file.read_text().replace("### Technical\n", "### Technical\nA new parser.\n"))
    with pytest.raises(ConfigurationError, match=r"2025-12\.md is there already; nothing was changed\."):
        run("notes", "monthly_report", "--period", "2025-12")
    run("make", "monthly_report", "--period", "2025-12")
    assert "A new parser." in run("show", "monthly_report", "--period", "2025-12").output


def test_a_draft_is_sent_only_with_draft(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("delete from metrics.dora_daily where date > '2025-12-10'"))
    assert run("make", "monthly_report", "--period", "2025-12-05").output == (
        "acme: 2025-12-01: draft, as of 2025-12-10.\n"
    )
    with pytest.raises(ConfigurationError, match="is a draft as of 2025-12-10"):
        run("send", "monthly_report", "--period", "2025-12")
    assert run("send", "monthly_report", "--period", "2025-12", "--draft").output.startswith("In the outbox for team;")
    assert run("list").output == "monthly_report     2025-12   draft   as of 2025-12-10\n"


def test_a_pdf_that_cannot_be_printed_is_a_sentence(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METRICS_CHROMIUM", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="There is no PDF: There is no Chromium; install one"):
        run("make", "monthly_report", "--period", "2025-12", "--pdf", str(tmp_path / "report.pdf"))
    assert not (tmp_path / "report.pdf").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "weekly_digest"], "There is no weekly_digest yet; make it with: metrics report make weekly_digest"),
        (["show", "monthly_report", "--period", "2025-11"], "There is no monthly_report of 2025-11 yet"),
        (["make", "monthly_report", "--period", "2026-01"],
         "2026-01 begins on 2026-01-01, and figures end with 2025-12-31; run its days first: metrics run"),
        (["make", "monthly_report", "--period", "December"], "'December' is no period of the monthly_report; write a"),
        (["send", "weekly_digest", "--period", "2025-W52"], "Nobody is told of the weekly_digest; name channels under"),
        (["send", "monthly_report", "--period", "2025-12"], "There is no monthly_report of 2025-12; make it with"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_a_sentence(engine: sa.Engine, arguments: list[str], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        run(*arguments)
    assert str(error.value).startswith(sentence)


def test_a_kind_that_is_none_is_refused_by_the_command(tmp_path: Path) -> None:
    done = metrics("report", "show", "yearly", home=tmp_path)
    assert done.returncode == 2
    assert "'yearly' is not one of 'monthly_report', 'weekly_digest'" in done.stderr
