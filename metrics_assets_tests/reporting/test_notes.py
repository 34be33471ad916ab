"""What people write into reports: it goes where its headings say, is kept as it is, and harms nobody."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.reporting.document_markdown import document_markdown
from metrics_assets.reporting.documents import Document
from metrics_assets.reporting.notes import notes_html, notes_lines, notes_template, with_notes
from metrics_assets_tests.reporting.documents import document


def noted(markdown: str, **more: bool) -> dict[str, str | None]:
    return filled(with_notes(document(), markdown, keep_others=more.get("keep_others", True)).document)


def filled(whole: Document) -> dict[str, str | None]:
    return {notes.key: notes.markdown for notes in whole.notes()}


def test_headings_say_where_notes_go() -> None:
    written = """# December

## Achievements

### Technical

The *new* parser, see [the notes](https://acme.example/notes).

```python
## no heading
```

### Community
- a talk

Recommendations
---------------
Hire.
"""
    done = with_notes(document(), written)
    assert done.remarks == ()
    assert filled(done.document) == {
        "achievements.technical": "The *new* parser, see [the notes](https://acme.example/notes).\n\n"
        "```python\n## no heading\n```",
        "achievements.community": "- a talk",
        "recommendations": "Hire.",
    }
    assert "The *new* parser, see [the notes](https://acme.example/notes)." in document_markdown(done.document)


@pytest.mark.parametrize(
    "written",
    [
        "# Achievements\n## Technical\nText\n",
        "## ACHIEVEMENTS\n### technical:\nText\n",
        "# A title\n\n## Achievements\n\n### Technical ###\nText",
        "## Achievements\r\n### Technical\r\nText\r\n",
        "## Achievements\n\x0c\n### Technical\nText\n",
    ],
)
def test_headings_are_understood_however_they_are_written(written: str) -> None:
    assert noted(written)["achievements.technical"] == "Text"


def test_headings_of_ones_own_belong_to_what_is_written() -> None:
    assert noted("## Recommendations\nFirst.\n### Next year\nSecond.\n#### Deep\nThird.\n")["recommendations"] == (
        "First.\n\n#### Next year\n\nSecond.\n#### Deep\nThird."
    )
    assert noted("## Recommendations\nOne.\n## Achievements\n## Recommendations\nTwo.\n")["recommendations"] == (
        "One.\n\nTwo."
    )


def test_what_has_no_place_is_kept_and_named() -> None:
    done = with_notes(document(), "Above all.\n\n## Sports\nWe ran.\n### Rowing\nWe rowed.\n", source="2025-12.md")
    kept = filled(done.document)["other_notes"]
    assert kept == "Above all.\n\n#### Sports\n\nWe ran.\n\n#### Sports / Rowing\n\nWe rowed."
    assert done.document.sections[-1].title == "Other notes"
    assert [remark.split(";")[0] for remark in done.remarks] == [
        "2025-12.md: there is text above its headings",
        "2025-12.md: 'Sports' is no heading of this report",
        "2025-12.md: 'Rowing' is no heading of this report",
    ]
    assert done.remarks[1].endswith(
        "Headings with a place: Achievements / Community, Achievements / Technical, Recommendations."
    )
    # The other report of the same month leaves it to the first.
    assert "other_notes" not in noted("## Sports\nWe ran.\n", keep_others=False)


@given(
    st.lists(st.sampled_from(["## Achievements", "### Technical", "## Sports", "### Rowing", "# Title", "> x", "```"]))
)
def test_nothing_that_was_written_is_lost(headings: list[str]) -> None:
    """Whatever the order of headings, and where code and quotes keep them from being some."""
    written = "\n".join(f"{heading}\n\nline {number}." for number, heading in enumerate(headings))
    whole = "\n".join(text or "" for text in filled(with_notes(document(), written).document).values())
    assert [line for line in written.splitlines() if line.startswith("line")] == sorted(
        (line for line in whole.splitlines() if line.startswith("line")), key=lambda line: int(line[5:-1])
    )


def test_an_empty_file_and_the_template_say_nothing() -> None:
    assert set(noted("").values()) == {None}
    template = notes_template(document())
    assert template == (
        "# acme: December 2025\n\n## Achievements\n\n### Technical\n\n### Community\n\n## Recommendations\n"
    )
    done = with_notes(document(), template)
    assert (set(filled(done.document).values()), done.remarks) == ({None}, ())


class _Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.hrefs: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.hrefs += [value or "" for name, value in attrs if name in ("href", "src")]


@pytest.mark.parametrize(
    ("written", "hrefs"),
    [
        ("[a](https://acme.example/x?y=1#z)", ["https://acme.example/x?y=1#z"]),
        ("[a](mailto:team@acme.example)", ["mailto:team@acme.example"]),
        ("[a](../goals.html#lead)", ["../goals.html#lead"]),
        ("<https://acme.example>", ["https://acme.example"]),
        ("[a](javascript:alert(1))", []),
        ("[a](JavaScript&#58;alert(1))", []),
        ("[a](<java\tscript:alert(1)>)", []),
        ("[a](data:text/html,x)", []),
        ("[a](vbscript:x)", []),
        ("[a](file:///etc/passwd)", []),
        ("[a](//evil.example/x)", []),
        ("[a]\n\n[a]: javascript:alert(1)", []),
        ("<javascript:alert(1)>", []),
        ("![p](https://evil.example/p.png)", ["https://evil.example/p.png"]),  # a link, never a request
        ("<script>alert(1)</script><img src=x onerror=alert(1)>", []),
        ("<a href='javascript:alert(1)'>x</a>", []),
    ],
)
def test_only_harmless_links_remain_and_no_tag_of_ones_own(written: str, hrefs: list[str]) -> None:
    read = _Links(notes_html(written))
    assert read.hrefs == hrefs
    assert set(read.tags) <= {"p", "a"}


def test_headings_in_notes_are_smaller_than_those_of_the_page() -> None:
    assert (
        _Links(notes_html("> # One\n\n- ## Two\n\n#### Four\n\n| a | b |\n| - | - |\n| c | d |")).tags.count("h4") == 3
    )


def test_notes_are_lines_in_messages() -> None:
    assert notes_lines("# A\n\n- **one**\n  [two](https://acme.example)\n\n```\nthree\n\nfour\n```\n") == (
        "A",
        "one two",
        "three",
        "four",
    )
