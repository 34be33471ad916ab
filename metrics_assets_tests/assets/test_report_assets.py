"""The reports as assets: which are made, what they say of themselves, and what metrics.yaml may say."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets.assets.reports.assets import (
    FIGURES_CHECK,
    NOTES_CHECK,
    report_keys,
    reporting_assets,
)
from metrics_assets.assets.reports.making import stored
from metrics_assets.assets.shared import Shared
from metrics_assets.errors import ConfigurationError
from metrics_assets.partitions import daily
from metrics_assets.reporting.periods import period_named
from metrics_assets.settings import Settings, load
from metrics_assets_tests.assets.small_reports import (
    BASE,
    DECEMBER,
    GIVEN,
    document,
    kept,
    make,
    run,
    small,
)
from metrics_assets_tests.automation.conftest import Clock, clock, deployments, engine, instance

__all__ = ["clock", "engine", "instance", "small"]


def test_a_range_makes_the_periods_that_end_in_it_and_a_draft_of_the_last(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    deployments(engine, 1, *[1] * 31)
    said, _ = run(instance, "2025-12-01", "2025-12-31", "weekly_digest")
    assert kept(engine) == [
        ("2026-W01", "draft", "2025-12-31"),
        ("2025-W52", "final", "2025-12-28"),
        ("2025-W51", "final", "2025-12-21"),
        ("2025-W50", "final", "2025-12-14"),
        ("2025-W49", "final", "2025-12-07"),
    ]
    assert said["made"] == 5
    assert said["state"] == "draft, as of 2025-12-31"
    assert said["period"] == "2025-12-29 to 2026-01-04"
    assert "**3 deployments.**" in said["report"]


def test_weeks_end_when_metrics_yaml_says(engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock) -> None:
    deployments(engine, 1, *[1] * 14)
    given = Settings.model_validate({**BASE, "reports": {"week_ends": "fri", "pdf": False}})
    make(engine, "2025-12-01", "2025-12-12", "weekly_digest", given)
    assert kept(engine) == [("2025-W50", "final", "2025-12-12"), ("2025-W49", "final", "2025-12-05")]


def test_a_draft_becomes_final_and_an_older_run_does_not_undo_it(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    deployments(engine, 1, *[1] * 31)
    make(engine, "2025-12-01", "2025-12-10")
    assert kept(engine) == [("2025-12", "draft", "2025-12-10")]
    make(engine, "2025-12-31", "2025-12-31")
    assert kept(engine) == [("2025-12", "final", "2025-12-31")]
    (made,) = make(engine, "2025-12-05", "2025-12-10").made
    assert kept(engine) == [("2025-12", "final", "2025-12-31")]
    assert made.kept_because == "The one that is kept knows the days up to 2025-12-31."


def test_figures_and_document_are_kept_as_they_were_made(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    deployments(engine, 1, *[2] * 31)
    make(engine, "2025-12-01", "2025-12-31")
    report = stored(engine, DECEMBER)
    assert report is not None
    assert report.figures["measures"][0]["now"] == {"value": 62, "state": "ok"}
    # The document says what can be said again from the figures alone, in every form.
    assert report.document == document("monthly_report", report.figures)
    assert "**Deployments:** 62" in report.markdown
    assert "&lt;b&gt;Fine&lt;/b&gt;." in report.html
    assert "<dd>62</dd>" in report.html


def test_a_report_that_is_off_is_no_asset() -> None:
    given = Settings.model_validate({**BASE, "reports": {"weekly_digest": False, "executive_summary": {False: True}}})
    assert [key.to_user_string() for key in report_keys(given)] == [
        "reports/monthly_report",
        "reports/quarterly_review",
    ]
    assert [asset.key for asset in reporting_assets(Shared(given, daily(given)))] == report_keys(given)


@pytest.mark.parametrize(
    ("reports", "sentence"),
    [
        ("{monthly_report: {channels: [chat]}}", "reports.monthly_report.channels names 'chat', which channels does "
         "not define; use one of: alarm, hook."),
        ("{weekly_digest: {channels: [alarm]}}", "reports.weekly_digest.channels names 'alarm', whose kind pagerduty "
         "takes alerts only; name a channel of another kind."),
        ("{week_ends: sunday}", "reports.week_ends is 'sunday'; use one of: 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' "
         "or 'sun'."),
        ("{monthly: {}}", "reports.monthly is not a known key; remove it or use one of: executive_summary, folder, "),
        ("{send_within_days: 0}", "reports.send_within_days is 0, but input should be greater than or equal to 1"),
    ],
)  # fmt: skip
def test_mistakes_in_metrics_yaml_are_sentences(tmp_path: Path, reports: str, sentence: str) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text(
        "repositories: [{github: acme/api}]\n"
        "channels: {hook: {url_env: HOOK}, alarm: {kind: pagerduty, url_env: KEY}}\n"
        f"reports: {reports}\n"
    )
    with pytest.raises(ConfigurationError, match="reports") as error:
        load(file)
    assert sentence in str(error.value)


def test_yaml_reads_off_as_false_and_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text(
        "repositories: [{github: acme/api}]\nreports: {weekly_digest: off, quarterly_review: {off: true}, "
        "monthly_report: {off: false}, executive_summary: on}\n"
    )
    assert {kind: one.off for kind, one in load(file).reports.kinds().items()} == {
        "monthly_report": False,
        "weekly_digest": True,
        "quarterly_review": True,
        "executive_summary": False,
    }


# --- notes, checks, printing ---


def test_notes_are_read_from_the_file_of_the_period(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock, tmp_path: Path
) -> None:
    deployments(engine, 1, *[1] * 31)
    (tmp_path / "reports").mkdir()
    notes = tmp_path / "reports" / "2025-12.md"
    notes.write_text("## Achievements\n### Technical\nA *new* parser.\n\n## Sports\nWe ran.\n")
    said, checks = run(instance, "2025-12-01", "2025-12-31")
    assert "A *new* parser." in said["report"]
    assert "We ran." in said["report"]
    assert said["remarks"].startswith("2025-12.md: 'Sports' is no heading of this report; what it says stands under")
    assert checks[NOTES_CHECK].description == "All 2 places for notes of 2025-12 are filled."
    make(engine, "2025-12-01", "2025-12-31", "executive_summary")
    summary = stored(engine, period_named("executive_summary", "2025-12", "sun"))
    assert summary is not None
    assert "A *new* parser." in summary.markdown
    assert "We ran." not in summary.markdown  # the monthly report keeps it
    notes.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"2025-12\.md is not UTF-8 text \(byte 0\); save it as UTF-8\."):
        make(engine, "2025-12-01", "2025-12-31")


def test_checks_say_what_is_unknown_and_what_nobody_noted(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    deployments(engine, 1, 1)
    _, checks = run(instance, "2025-12-01", "2025-12-01")
    assert checks[FIGURES_CHECK].passed
    assert checks[NOTES_CHECK].passed
    assert checks[NOTES_CHECK].description == (
        "0 of 1 places for notes of 2025-12 are filled; nothing is noted of achievements.technical. Write 2025-12.md."
    )
    _, checks = run(instance, "2026-01-05", "2026-01-05")
    assert not checks[FIGURES_CHECK].passed
    assert checks[FIGURES_CHECK].severity == dg.AssetCheckSeverity.WARN
    assert checks[FIGURES_CHECK].description == "1 of 1 figures of 2026-01 have no value; the report says why."


def test_a_missing_chromium_is_said_and_fails_nothing(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deployments(engine, 1, *[1] * 31)
    monkeypatch.setenv("METRICS_CHROMIUM", str(tmp_path / "nowhere"))
    given = GIVEN.model_copy(update={"reports": GIVEN.reports.model_copy(update={"pdf": True})})
    (made,) = make(engine, "2025-12-01", "2025-12-31", given=given).made
    assert (
        " ".join(made.remarks) == "There is no PDF: There is no Chromium; install one, or name it in METRICS_CHROMIUM."
    )
    printer = tmp_path / "chromium"
    printer.write_text(
        '#!/bin/sh\nfor a in "$@"; do case $a in --print-to-pdf=*) echo "%PDF-$$" > "${a#*=}";; esac; done\n'
    )
    printer.chmod(0o755)
    monkeypatch.setenv("METRICS_CHROMIUM", str(printer))
    make(engine, "2025-12-01", "2025-12-31", given=given)
    first = stored(engine, DECEMBER)
    assert first is not None
    assert (first.pdf or b"").startswith(b"%PDF-")
    # What has not changed is not printed again.
    make(engine, "2025-12-01", "2025-12-31", given=given)
    again = stored(engine, DECEMBER)
    assert again is not None
    assert again.pdf == first.pdf
