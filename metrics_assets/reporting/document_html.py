"""A report as HTML: one file that needs nothing but itself, and the part of it that stands in a page of the site."""

from __future__ import annotations

from functools import cache
from itertools import groupby

from markupsafe import Markup

from metrics_assets.reporting.document_markdown import GLYPHS, draft_sentence, note_title
from metrics_assets.reporting.documents import NOTHING_NOTED, Block, Document, Picture
from metrics_assets.reporting.frame import HERE, template
from metrics_assets.reporting.notes import notes_html
from metrics_assets.reporting.pictures import picture_view

REPORT_CSS = (HERE / "report.css").read_text(encoding="utf-8")


def document_page(document: Document) -> str:
    """The report as one file: its style within, nothing to load, prints on A4."""
    return template("report.html.j2").render(
        document=document,
        draft=draft_sentence(document) if document.is_draft else None,
        body=document_body(document),
        style=Markup(_styles()),  # our own files
    )


def document_body(document: Document) -> Markup:
    """Verdict, sections and footer; the headings begin with h2."""
    parts = template("report_body.html.j2").module
    sections = [(section, _groups(section.blocks)) for section in document.sections]
    return Markup(
        parts.body(  # type: ignore[attr-defined]
            document,
            _first_sentence(document.verdict),
            sections,
            glyphs=GLYPHS,
            notes_html=notes_html,
            note_title=note_title,
            picture_view=picture_view,
            nothing=NOTHING_NOTED,
        )
    )


def _first_sentence(text: str) -> tuple[str, str]:
    """The first sentence, which is the headline, and the rest."""
    first, stop, rest = text.partition(". ")
    return (f"{first}.", f" {rest}") if stop else (text, "")


def _groups(blocks: tuple[Block, ...]) -> list[tuple[bool, list[Block]]]:
    """Blocks in their order; pictures that follow each other stand side by side."""
    return [(pictures, list(group)) for pictures, group in groupby(blocks, lambda block: isinstance(block, Picture))]


@cache
def _styles() -> str:
    return (HERE / "style.css").read_text(encoding="utf-8") + REPORT_CSS
