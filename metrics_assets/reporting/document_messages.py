"""A report as a message: its verdict and first lines for a chat, all of it for e-mail. Plain text throughout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from metrics_assets.reporting.document_markdown import GLYPHS, draft_sentence, note_title
from metrics_assets.reporting.documents import (
    NOTHING_NOTED,
    Block,
    Bullets,
    Document,
    Facts,
    Grid,
    Notes,
    Paragraph,
    Picture,
    Section,
)
from metrics_assets.reporting.notes import notes_lines
from metrics_assets.reporting.pictures import takeaway

_MOST_LINES = 8
_MOST_ROWS = 15


def brief_message(document: Document, link: str | None) -> dict[str, Any]:
    """The verdict, and what the first section says."""
    first = next((lines for section in document.sections if (lines := list(_lines(section)))), [])
    return {**_head(document, link), "lines": [*_opening(document), *first[:_MOST_LINES]]}


def whole_message(document: Document, link: str | None) -> dict[str, Any]:
    """Every section with a line for each fact, item and row."""
    sections = [{"heading": section.title, "lines": list(_lines(section))} for section in document.sections]
    sections.append({"heading": "About this report", "lines": [f"{label}: {text}" for label, text in document.footer]})
    return {
        **_head(document, link),
        "lines": _opening(document),
        "sections": [section for section in sections if section["lines"]],
    }


def _head(document: Document, link: str | None) -> dict[str, Any]:
    return {
        "title": document.title + (" (draft)" if document.is_draft else ""),
        "links": [] if link is None else [{"label": "Report", "url": link}],
        "severity": "info",
        "report": document.report,
        "period_start": document.period_start.isoformat(),
        "period_end": document.period_end.isoformat(),
        "as_of": document.as_of.isoformat(),
        "verdict": document.verdict,
    }


def _opening(document: Document) -> list[str]:
    return [*([draft_sentence(document)] if document.is_draft else []), document.verdict]


def _lines(section: Section) -> Iterator[str]:
    for block in section.blocks:
        yield from _block_lines(block, section)


def _block_lines(block: Block, section: Section) -> Iterator[str]:
    match block:
        case Paragraph(text=text):
            yield text
        case Bullets(items=items):
            yield from items
        case Facts(facts=facts):
            for fact in facts:
                yield f"{GLYPHS[fact.role][0] + ' ' if fact.role else ''}{fact.label}: {fact.text}"
        case Grid(columns=columns, rows=rows):
            yield from _rows(columns, rows)
        case Picture(series=series):
            yield f"{series.metric.title}: {takeaway(series)}"
        case Notes(markdown=markdown):
            lines = notes_lines(markdown) if markdown else (NOTHING_NOTED,)
            title = note_title(block, section)
            yield from (f"{title}: {line}" for line in lines) if title else lines


def _rows(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    for head, *cells in rows[:_MOST_ROWS]:
        said = [f"{column} {cell}" for column, cell in zip(columns[1:], cells, strict=True) if cell]
        yield f"{head}: {', '.join(said)}" if said else head
    if len(rows) > _MOST_ROWS:
        yield f"and {len(rows) - _MOST_ROWS} more"
