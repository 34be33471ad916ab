"""The reports in the site: the list of all, a page and files for each, drafts marked, and nothing of later days."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.reports import files, reports_data
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.documents import document_json
from metrics_assets.reporting.frame import static_files
from metrics_assets.reporting.pages.reports import ReportEntry, ReportFiles, ReportsData, reports_files
from metrics_assets.settings import Settings
from metrics_assets_tests.reporting.documents import HOSTILE, document

SITE = SiteInfo("acme", date(2025, 12, 31), date(2025, 1, 1), "DORA 2023", (), pages=frozenset({addresses.REPORTS}))


def entry(number: int = 12, **changes: Any) -> ReportEntry:
    start = date(2025, number, 1)
    values: dict[str, Any] = {
        "kind": "monthly_report",
        "period": f"2025-{number:02}",
        "start": start,
        "end": date(2025, number, 28),
        "as_of": date(2025, number, 28),
        "title": f"Report {number}",
        "verdict": "All is well.",
        "state": "final",
        "sent_on": None,
        "has_pdf": True,
    }
    return ReportEntry(**{**values, **changes})


def built(*entries: ReportEntry, text: str = "All is well.") -> dict[str, str | bytes]:
    def read(one: ReportEntry) -> ReportFiles:
        return ReportFiles(document(text), "# Markdown\n", b"%PDF-" if one.has_pdf else None)

    return dict(reports_files(SITE, ReportsData(entries, read)))


class Page(HTMLParser):
    def __init__(self, html: str | bytes) -> None:
        super().__init__()
        assert isinstance(html, str)
        self.hrefs: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.hrefs += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_report_has_a_page_and_its_files() -> None:
    made = built(entry(12), entry(11, has_pdf=False))
    assert set(made) == {
        "reports.html",
        "data/reports.csv",
        "reports/report.css",
        "reports/monthly_report-2025-12-01.html",
        "reports/monthly_report-2025-12-01.md",
        "reports/monthly_report-2025-12-01.pdf",
        "reports/monthly_report-2025-11-01.html",
        "reports/monthly_report-2025-11-01.md",
    }
    page = Page(made["reports/monthly_report-2025-12-01.html"])
    assert "reports/monthly_report-2025-12-01.pdf" in {href.removeprefix("../") for href in page.hrefs}
    assert not any(href.endswith(".pdf") for href in Page(made["reports/monthly_report-2025-11-01.html"]).hrefs)
    assert made == built(entry(12), entry(11, has_pdf=False))


def test_links_of_the_pages_lead_to_what_the_build_has() -> None:
    made = built(entry(12), entry(11))
    known = {*made, *static_files()}
    for path, content in made.items():
        if path.endswith(".html"):
            folder = path.rpartition("/")[0]
            for href in Page(content).hrefs:
                if href.startswith(("#", "data:", "https://metrics.example.org")):
                    continue
                target = href.removeprefix("../") if href.startswith("../") else f"{folder}/{href}".lstrip("/")
                assert target.partition("#")[0] in known, (path, href)


def test_the_list_marks_drafts_and_shows_the_newest_of_each_kind() -> None:
    draft = entry(12, state="draft", as_of=date(2025, 12, 10), has_pdf=False, title="December so far")
    sent = entry(11, state="frozen", sent_on=date(2025, 12, 1), title="November")
    summary = entry(11, kind="executive_summary", state="draft", title="November, one page")
    text = " ".join(Page(built(draft, sent, summary)["reports.html"]).text.replace("\u00a0", " ").split())
    assert "3 reports since 1 Nov 2025." in text
    assert "1 was sent and stays as it is; 2 are drafts of a period that still runs." in text
    newest = text[text.index("Newest of each kind") : text.index("All reports", text.index("Newest of each kind"))]
    assert "November" in newest
    assert "sent on 1 Dec 2025" in newest
    assert "November, one page" in newest  # there is nothing but its draft
    assert "December so far" not in newest
    assert "draft" in text[text.index("December so far") :]
    assert "not printed" in text


def test_a_list_of_none_says_so_and_a_long_one_is_cut() -> None:
    assert "There is no report yet" in Page(built()["reports.html"]).text
    many = [entry(1 + number % 12, title=f"Report {number}", has_pdf=False) for number in range(450)]
    made = dict(reports_files(SITE, ReportsData(tuple(many), lambda _: ReportFiles(document(), "", None))))
    page = made["reports.html"]
    assert isinstance(page, str)
    assert "200 of 450 shown; all in the CSV." in page
    assert len(page.encode()) < 300_000
    assert str(made["data/reports.csv"]).count("\n") == 451


def test_hostile_texts_stay_texts() -> None:
    made = built(entry(12, title=HOSTILE, verdict=HOSTILE), text=HOSTILE)
    for path in ("reports.html", "reports/monthly_report-2025-12-01.html"):
        page = Page(made[path])
        assert "<script>alert(1)</script>" in page.text
        assert not any("javascript:" in href or "evil.example" in href for href in page.hrefs)
        assert "img" not in page.tags
        assert re.findall(r"<script(?! src=\"(?:\.\./)?site\.js\")", str(made[path])) == []


# --- from the warehouse ---


@pytest.fixture
def reading(warehouse: sa.Engine) -> Reading:
    settings = Settings.model_validate({"repositories": [{"github": "acme/api"}]})
    with warehouse.begin() as connection:
        for kind, start, end, as_of, frozen in (
            ("monthly_report", "2025-11-01", "2025-11-30", "2025-11-30", datetime(2025, 12, 1, 23, tzinfo=UTC)),
            ("monthly_report", "2025-12-01", "2025-12-31", "2025-12-10", None),
            ("weekly_digest", "2025-12-08", "2025-12-14", "2025-12-14", None),
        ):
            whole = document(report=kind, period_start=date.fromisoformat(start), period_end=date.fromisoformat(end))
            connection.execute(
                sa.text(
                    "insert into ops.reports (report, period_start, period_end, as_of, title, figures, document, "
                    "markdown, html, pdf, frozen_at) "
                    "values (:kind, :start, :end, :as_of, :kind, '{}', cast(:document as jsonb), '# M', '<p>', :pdf, "
                    ":frozen)"
                ),
                {
                    "kind": kind, "start": start, "end": end, "as_of": as_of, "frozen": frozen,
                    "document": json.dumps(document_json(whole)), "pdf": b"%PDF-1" if frozen else None,
                },
            )  # fmt: skip
    return Reading(warehouse, date(2025, 12, 31), settings, {}, {}, {})


def test_the_site_of_a_day_has_the_reports_that_were_known_by_then(reading: Reading) -> None:
    entries = reports_data(reading).entries
    assert [(one.kind, one.period, one.state) for one in entries] == [
        ("monthly_report", "2025-12", "draft"),
        ("weekly_digest", "2025-W50", "final"),
        ("monthly_report", "2025-11", "frozen"),
    ]
    assert entries[2].sent_on == date(2025, 12, 1)
    earlier = Reading(reading.engine, date(2025, 12, 9), reading.settings, {}, {}, {})
    assert [one.period for one in reports_data(earlier).entries] == ["2025-11"]
    made = dict(files(reading, SITE))
    assert made["reports/monthly_report-2025-11-01.pdf"] == b"%PDF-1"
    assert made["reports/monthly_report-2025-11-01.md"] == "# M"
    assert "reports/monthly_report-2025-12-01.pdf" not in made
    assert "8,412 (+5 % MoM)" in Page(made["reports/weekly_digest-2025-12-08.html"]).text
