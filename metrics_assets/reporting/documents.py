"""A report as a document: what it says, block by block, before it is Markdown, HTML or a message.

All texts are plain text, whatever characters they hold: each rendering escapes them. Only what a person wrote into
the notes file is Markdown (`Notes.markdown`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from metrics_assets.reporting.data import Series

Role = Literal["ok", "watch", "bad", "calm"]
ReportKind = Literal["monthly_report", "weekly_digest", "quarterly_review", "executive_summary"]

NOTHING_NOTED = "Nothing noted."


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    block: Literal["paragraph"] = field(default="paragraph", kw_only=True)


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]
    block: Literal["bullets"] = field(default="bullets", kw_only=True)


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure as a line, 'Stars: 8,412 (+5 % MoM)'. A role is said by a glyph and a word as well as by colour."""

    label: str
    text: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    facts: tuple[Fact, ...]
    block: Literal["facts"] = field(default="facts", kw_only=True)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; the first column heads its rows, each row has as many cells as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    block: Literal["grid"] = field(default="grid", kw_only=True)

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"A row of {len(row)} cells does not fit a table of {len(self.columns)} columns: {row}"
                )


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart of a figure; in Markdown its takeaway and a small table."""

    series: Series
    block: Literal["picture"] = field(default="picture", kw_only=True)


@dataclass(frozen=True, slots=True)
class Notes:
    """The place of what people wrote under the heading `key` ('achievements.technical'); None: nothing noted."""

    key: str
    markdown: str | None = None
    block: Literal["notes"] = field(default="notes", kw_only=True)


Block = Annotated[Paragraph | Bullets | Facts | Grid | Picture | Notes, Field(discriminator="block")]


@dataclass(frozen=True, slots=True)
class Section:
    """`key` is its anchor in pages and the first part of its notes' keys: 'achievements'."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A report of the period from `period_start` to `period_end` (both included), as it was known on `as_of`."""

    report: ReportKind
    title: str
    subtitle: str
    period_start: date
    period_end: date
    as_of: date
    verdict: str
    sections: tuple[Section, ...]
    footer: tuple[tuple[str, str], ...]  # label and text: who prepared it, when the next one comes

    @property
    def is_draft(self) -> bool:
        """Whether the period was still running."""
        return self.as_of < self.period_end

    def blocks(self) -> Iterator[Block]:
        for section in self.sections:
            yield from section.blocks

    def notes(self) -> tuple[Notes, ...]:
        return tuple(block for block in self.blocks() if isinstance(block, Notes))


_ADAPTER = TypeAdapter(Document)


def document_json(document: Document) -> dict[str, Any]:
    """The document as it is stored in ops.reports.document."""
    stored: dict[str, Any] = _ADAPTER.dump_python(document, mode="json")
    return stored


def document_of(stored: dict[str, Any]) -> Document:
    """The document that was stored."""
    return _ADAPTER.validate_python(stored, strict=False)
