"""A report as Markdown, HTML, PDF and message: the same words in each, and texts stay texts."""

from __future__ import annotations

import json
import re
import time
import zlib
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from metrics_assets.printing import chromium, print_pdf
from metrics_assets.reporting.document_html import document_body, document_page
from metrics_assets.reporting.document_markdown import document_markdown, escaped, one_line
from metrics_assets.reporting.document_messages import brief_message, whole_message
from metrics_assets.reporting.documents import (
    Document,
    Facts,
    Grid,
    Paragraph,
    Section,
    document_json,
    document_of,
)
from metrics_assets.reporting.notes import with_notes
from metrics_assets_tests.reporting.documents import HOSTILE, document, series

_GFM = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_TEXTS = st.text(st.characters(exclude_categories=("Cs", "Co", "Cn")) | st.sampled_from("\\`*_[]()<>#|~!&;$-+=.1:/\n "))


class Read(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(markdown: str) -> Read:
    return Read(_GFM.render(markdown))


def test_a_document_is_stored_whole() -> None:
    noted = with_notes(document(HOSTILE, as_of=date(2025, 12, 20)), "## Achievements\n### Technical\n*New* parser.\n")
    stored = json.loads(json.dumps(document_json(noted.document)))
    assert document_of(stored) == noted.document
    assert document_of(stored).is_draft
    assert not document().is_draft


def test_a_row_that_does_not_fit_its_table_is_refused() -> None:
    with pytest.raises(ValueError, match="A row of 1 cells does not fit a table of 2 columns"):
        Grid(("Goal", "Status"), (("Lead time",),))


@given(_TEXTS)
def test_any_text_is_shown_by_markdown_as_it_is(text: str) -> None:
    shown = rendered(f"{escaped(text)}\n")
    wanted = one_line(text)
    assert shown.text.strip() == " ".join(wanted.split("\n")).strip()
    assert {tag for tag, _ in shown.elements} <= {"p"}


@given(_TEXTS, _TEXTS)
def test_any_text_is_shown_by_items_and_tables_as_it_is(first: str, second: str) -> None:
    """A cell holds a text with bars in it, an item one that looks like a list."""
    grid = Section("s", "S", (Grid(("A", "B"), ((f"x{first}", f"x{second}"),)),))
    shown = rendered(document_markdown(document(sections=(grid,), footer=(), verdict="v")))
    cells = [tag for tag, _ in shown.elements if tag == "td"]
    assert len(cells) == 2
    assert " ".join(one_line(f"x{first}").split()) in " ".join(shown.text.split())


def test_markdown_says_everything_and_none_of_it_is_markup() -> None:
    text = document_markdown(document(HOSTILE, as_of=date(2025, 12, 20)))
    shown = rendered(text)
    tags = {tag for tag, _ in shown.elements}
    assert not tags & {"script", "img", "code", "style"}
    assert [values["href"] for tag, values in shown.elements if tag == "a"] == ["https://metrics.example.org"]
    assert [tag for tag, _ in shown.elements].count("h1") == 1
    for said in (
        "Draft as of 20 Dec 2025: the period ends on 31 Dec 2025.",
        "✓ Stars: 8,412 (+5 % MoM)",
        "<script>alert(1)</script>",
        "✕ <script>",
        "Nothing noted.",
        "about the same as 28 days before",
        "1,364",
    ):
        assert said in shown.text.replace("\u00a0", " "), said
    assert "\u202e" not in text


def test_html_is_one_file_in_which_texts_are_texts() -> None:
    html = document_page(document(HOSTILE))
    read = Read(html)
    assert html == document_page(document(HOSTILE))
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"script", "img", "iframe", "object", "form"}
    sources = [values.get("src") or values.get("href") for tag, values in read.elements if tag != "a"]
    assert [source for source in sources if source] == ["data:,"]
    assert [values["href"] for tag, values in read.elements if tag == "a"] == ["https://metrics.example.org"]
    assert "@import" not in html
    assert "url(" not in html
    # Its own style ends where it is to end.
    assert html.count("</style>") == 1
    assert "<script>alert(1)</script>" in read.text
    assert "8,412 (+5 % MoM)" in read.text
    assert "bad:" in read.text  # a colour is never alone
    assert read.text.count("Nothing noted.") == 3
    ids = [values["id"] for _, values in read.elements if values.get("id")]
    assert len(ids) == len(set(ids))


def test_the_words_are_the_same_in_all_forms() -> None:
    whole = document("Lead time fell to 9 h.")
    markdown = rendered(document_markdown(whole)).text
    html = Read(str(document_body(whole))).text
    message = json.dumps(whole_message(whole, None), ensure_ascii=False)
    for block in whole.blocks():
        if isinstance(block, Facts):
            for fact in block.facts:
                assert all(fact.text in form for form in (markdown, html, message))
        if isinstance(block, Grid):
            assert all(cell in form for row in block.rows for cell in row for form in (markdown, html, message))


def test_messages_are_plain_lines() -> None:
    noted = with_notes(document(), "## Achievements\n### Technical\n- **New** parser\n\n## Recommendations\nHire.\n")
    brief = brief_message(noted.document, "https://metrics.example.org/reports/monthly_report-2025-12-01.html")
    assert brief["title"] == "acme: December 2025"
    assert brief["lines"][:3] == ["All is well.", "All is well.", "✓ Stars: 8,412 (+5 % MoM)"]
    assert brief["links"] == [
        {"label": "Report", "url": "https://metrics.example.org/reports/monthly_report-2025-12-01.html"}
    ]
    assert "sections" not in brief
    whole = whole_message(noted.document, None)
    sections = {section["heading"]: section["lines"] for section in whole["sections"]}
    assert sections["All is well."] == ["Technical: New parser", "Community: Nothing noted."]
    assert sections["Recommendations"] == ["Hire."]
    assert "Lead time: Status ✓ met" in sections["Executive summary"]
    assert whole["links"] == []
    draft = brief_message(document(as_of=date(2025, 12, 20)), None)
    assert draft["title"] == "acme: December 2025 (draft)"
    assert draft["lines"][0].startswith("Draft as of")


def test_long_tables_are_cut_in_messages_and_say_so() -> None:
    rows = tuple((f"issue {number}", "open") for number in range(40))
    sections = (Section("issues", "Issues", (Grid(("Issue", "State"), rows),)),)
    (section, _) = whole_message(document(sections=sections), None)["sections"]
    assert section["lines"][-1] == "and 25 more"


def pages_of(pdf: bytes) -> int:
    """How many pages a PDF has, also where its objects are compressed."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    texts = [pdf]
    for stream in streams:
        try:
            texts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return sum(len(re.findall(rb"/Type\s*/Page\b(?!s)", text)) for text in texts)


def printed(wanted: Document) -> bytes:
    if chromium() is None:
        pytest.skip("there is no Chromium to print with; install one, or name it in METRICS_CHROMIUM")
    made = print_pdf(document_page(wanted))
    assert made.reason is None, made.reason
    assert made.pdf is not None
    return made.pdf


def test_a_report_prints_on_a_page_and_a_longer_one_on_more() -> None:
    assert pages_of(printed(document())) == 1
    many = tuple(Section(f"s{number}", "Section", (Paragraph("Words. " * 60),)) for number in range(30))
    assert 2 <= pages_of(printed(document(sections=many))) <= 6


def test_printing_says_why_it_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_CHROMIUM", "/nowhere/chromium")
    assert print_pdf("<p>").reason == "There is no Chromium; install one, or name it in METRICS_CHROMIUM."
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho 'no display' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("METRICS_CHROMIUM", str(broken))
    assert print_pdf("<p>").reason == "Chromium ended with 3: no display"
    broken.write_text("#!/bin/sh\nexit 0\n")
    assert print_pdf("<p>").reason == "Chromium ended without a PDF."
    broken.write_text("#!/bin/sh\nsleep 60 &\nwait\n")
    assert print_pdf("<p>", timeout_seconds=0.5).reason == "Chromium did not print within 0 seconds."


def test_what_the_browser_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = tmp_path / "chromium"
    browser.write_text(f"#!/bin/sh\nsleep 300 2>/dev/null & echo $! > {tmp_path}/started\nexit 0\n")
    browser.chmod(0o755)
    monkeypatch.setenv("METRICS_CHROMIUM", str(browser))
    print_pdf("<p>")
    state = Path("/proc") / (tmp_path / "started").read_text().strip() / "stat"
    for _ in range(100):
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("what the browser started is still there")


def test_a_chart_without_a_value_is_said_in_words() -> None:
    from metrics_assets.reporting.data import Point
    from metrics_assets.reporting.documents import Picture

    empty = series()
    unknown = type(empty)(empty.metric, "portfolio", "acme", (Point(date(2025, 12, 31), None, None, "unknown"),))
    whole = document(sections=(Section("s", "S", (Picture(unknown),)),))
    assert "Not known on 31 Dec 2025: Not collected." in document_markdown(whole).replace("\u00a0", " ")
    assert "| 31 Dec 2025 | not known |  |" in document_markdown(whole).replace("\u00a0", " ")
