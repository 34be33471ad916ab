"""A report as Markdown (CommonMark with GitHub's tables): for files, terminals and the Dagster UI."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from metrics_assets.reporting.documents import (
    NOTHING_NOTED,
    Block,
    Bullets,
    Document,
    Fact,
    Facts,
    Grid,
    Notes,
    Paragraph,
    Picture,
    Role,
    Section,
)
from metrics_assets.reporting.pictures import picture_table, takeaway
from metrics_assets.reporting.wording import day

GLYPHS: dict[Role, tuple[str, str]] = {
    "ok": ("✓", "good"),
    "watch": ("!", "watch"),
    "bad": ("✕", "bad"),
    "calm": ("·", "for information"),
}
_SPECIAL = re.compile(r"([\\`*\[\]<|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#?\w+;))")
_BLOCK_START = re.compile(r"^([-+](?=\s|$)|-(?=-)|=+$|#{1,6}(?=\s|$)|>|\d{1,9}(?=[.)](?:\s|$)))")
# What GitHub and others make a link of by themselves.
_ADDRESS = re.compile(r"(:)(?=//)|(?<=www)(\.)", re.IGNORECASE)
_WHOLE_ADDRESS = re.compile(r"https?://[^\s<>]+")
# Marks that turn the direction of writing around can make a name look like another.
_DIRECTION_MARKS = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def document_markdown(document: Document) -> str:
    """The whole document. Every text stays text; what people noted stands as they wrote it."""
    parts = [f"# {escaped(document.title)}", escaped(document.subtitle)]
    if document.is_draft:
        parts.append(f"*{escaped(draft_sentence(document))}*")
    parts.append(f"**{escaped(document.verdict)}**")
    for section in document.sections:
        parts.append(f"## {escaped(section.title)}")
        parts += [_block(block, section) for block in section.blocks]
    if document.footer:
        parts.append("---")
        parts.append(_items(f"{escaped(label)}: {_linked(text)}" for label, text in document.footer))
    return "\n\n".join(part for part in parts if part) + "\n"


def draft_sentence(document: Document) -> str:
    """What is said of a report whose period has not ended."""
    return f"Draft as of {day(document.as_of)}: the period ends on {day(document.period_end)}."


def escaped(text: str) -> str:
    """A text that Markdown shows as it is, on one line: no markup, no link, no mention."""
    plain = one_line(text)
    plain = _SPECIAL.sub(r"\\\1", plain)
    plain = _ADDRESS.sub(lambda found: f"\\{found[0]}", plain)
    found = _BLOCK_START.match(plain)
    if found is None:
        return plain
    # A backslash before a digit would be seen; before the mark that makes a list of it, it is not.
    return f"\\{plain}" if not found[1].isdigit() else f"{found[1]}\\{plain[len(found[1]) :]}"


def one_line(text: str) -> str:
    """A text from outside as one line that hides nothing."""
    plain = _DIRECTION_MARKS.sub("", text)
    plain = "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in plain)
    return re.sub(r"[ \t]+", " ", plain).strip()


def _block(block: Block, section: Section) -> str:
    match block:
        case Paragraph(text=text):
            return escaped(text)
        case Bullets(items=items):
            return _items(map(escaped, items))
        case Facts(facts=facts):
            return _items(map(_fact, facts))
        case Grid(columns=columns, rows=rows):
            return _table(columns, rows)
        case Picture():
            table = picture_table(block)
            title = f"**{escaped(block.series.metric.title)}.** {escaped(takeaway(block.series))}"
            return f"{title}\n\n{_table(table.columns, table.rows)}"
        case Notes(markdown=markdown):
            name = note_title(block, section)
            if not markdown:
                return (f"**{escaped(name)}:** " if name else "") + f"*{NOTHING_NOTED}*"
            return (f"### {escaped(name)}\n\n" if name else "") + markdown


def note_title(notes: Notes, section: Section) -> str | None:
    """What notes are called within their section: 'Technical', beside other blocks 'Technical notes'."""
    part = notes.key.partition(".")[2].replace("_", " ")
    if all(isinstance(block, Notes) for block in section.blocks):
        return part.capitalize() or None
    return f"{part} notes".strip().capitalize()


def _linked(text: str) -> str:
    return f"<{text}>" if _WHOLE_ADDRESS.fullmatch(text) else escaped(text)


def _items(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _fact(fact: Fact) -> str:
    mark = f"{escaped(GLYPHS[fact.role][0])} " if fact.role else ""
    return f"{mark}**{escaped(fact.label)}:** {escaped(fact.text)}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(map(escaped, columns)), " | ".join("---" for _ in columns)]
    lines += [" | ".join(map(escaped, row)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)
