"""What people write into a report: a Markdown file whose headings say where each part goes.

    ## Achievements
    ### Technical
    The new parser is in all clients.

goes to the notes 'achievements.technical'. It is kept as it was written. Shown as HTML, no tag of it counts, and links
lead to pages, mail addresses or places in the site alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from metrics_assets.reporting.documents import Document, Notes, Section

OTHER_KEY = "other_notes"
_LINK = re.compile(r"https?://[^\s]+|mailto:[^\s]+|(?!//)(?![^/?#]*:)[^\s\\]*", re.IGNORECASE)
_HEADINGS = 3  # levels; deeper ones belong to what is written


@dataclass(frozen=True, slots=True)
class Noted:
    """A document with its notes in their places, and a sentence for each part that has none."""

    document: Document
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What stands under a heading. `titles` are that heading's and those of the ones above it; none above the first."""

    titles: tuple[str, ...]
    text: str
    first: int = 0  # 1 where the first of several headings is the title of the file

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(map(_key, self.titles))

    def below(self, depth: int) -> str:
        """The text, with its headings from a depth on: as what was written, they are smaller than the report's own."""
        own = " / ".join(self.titles[depth:])
        return (f"#### {own}\n\n" if own else "") + self.text.strip("\n")


def with_notes(document: Document, markdown: str, *, keep_others: bool = True, source: str = "The notes") -> Noted:
    """Put what people wrote into the places that the document has for it.

    Args:
        keep_others: whether parts without a place go under 'Other notes' at the end; of a file that several reports
            share, one of them keeps what is left.
        source: what the remarks call the file.
    """
    places = {notes.key for notes in document.notes()}
    found: dict[str, list[str]] = {}
    others: list[str] = []
    remarks = []
    for part in _parts(markdown):
        if not part.text.strip():
            continue
        place = _place(part.path, places)
        if place is not None:
            key, depth = place
            found.setdefault(key, []).append(part.below(depth))
        elif keep_others:
            others.append(part.below(part.first))
            remarks.append(_remark(part, source, places))
    filled = _filled(document, {key: "\n\n".join(texts) for key, texts in found.items()})
    if others:
        notes = Notes(OTHER_KEY, "\n\n".join(others))
        filled = replace(filled, sections=(*filled.sections, Section(OTHER_KEY, "Other notes", (notes,))))
    return Noted(filled, tuple(remarks))


def notes_template(document: Document) -> str:
    """A notes file with all headings of a document and nothing under them."""
    lines = [f"# {document.title}", ""]
    last = ""
    for notes in document.notes():
        first, _, second = notes.key.partition(".")
        if notes.key == OTHER_KEY:
            continue
        if first != last:
            lines += [f"## {_title(first)}", ""]
            last = first
        if second:
            lines += [f"### {_title(second)}", ""]
    return "\n".join(lines)


def notes_html(markdown: str) -> Markup:
    """What was written, as HTML that may stand in a page: no tags of its own, no pictures, no other kinds of links."""
    tokens = _parser().parse(markdown)
    for token in _all(tokens):
        if token.type in ("heading_open", "heading_close"):
            # The page's own headings are h1 to h3.
            token.tag = f"h{max(4, int(token.tag[1]))}"
        if token.type == "link_open":
            token.attrSet("rel", "noopener noreferrer")
    return Markup(_parser().renderer.render(tokens, _parser().options, {}))


def notes_lines(markdown: str) -> tuple[str, ...]:
    """What was written, as plain lines: for messages."""
    lines = []
    for token in _parser().parse(markdown):
        if token.type == "inline":
            text = "".join(child.content if child.type != "softbreak" else " " for child in token.children or ())
            lines.append(text.strip())
        elif token.type in ("fence", "code_block"):
            lines += token.content.splitlines()
    return tuple(line for line in lines if line.strip())


@cache
def _parser() -> MarkdownIt:
    # A picture would be asked of somebody else's server.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.validateLink = lambda url: _LINK.fullmatch(url) is not None  # type: ignore[method-assign]
    return parser


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [*tokens, *(child for token in tokens for child in token.children or ())]


def _parts(markdown: str) -> list[_Part]:
    """The file cut at its headings; what looks like one within code or a list is none."""
    # As the parser counts lines: other characters that may end one do not.
    markdown = re.sub(r"\r\n?", "\n", markdown)
    lines = [f"{line}\n" for line in markdown.split("\n")]
    tokens = _parser().parse(markdown)
    headings = [
        (token.map[0], token.map[1], int(token.tag[1]), tokens[place + 1].content)
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map and int(token.tag[1]) <= _HEADINGS
    ]
    first = headings[0][0] if headings else len(lines)
    parts = [_Part((), "".join(lines[:first]))]
    above: list[tuple[int, str]] = []
    for (_, ends, level, title), following in zip(headings, [*(one[0] for one in headings[1:]), None], strict=False):
        above = [one for one in above if one[0] < level]
        above.append((level, title))
        text = "".join(lines[ends:following])
        is_titled = len(above) > 1 and above[0][0] == 1
        parts.append(_Part(tuple(title for _, title in above), text, int(is_titled)))
    return parts


def _place(path: tuple[str, ...], places: set[str]) -> tuple[str, int] | None:
    """The notes that a heading means, or else the one above it, and how many headings say so.

    The first heading may be the title of the file.
    """
    for end in range(len(path), 0, -1):
        for begin in (0, 1):
            if (key := ".".join(path[begin:end])) in places:
                return key, end
    return None


def _remark(part: _Part, source: str, places: set[str]) -> str:
    what = f"'{part.titles[-1]}' is no heading of this report" if part.titles else "there is text above its headings"
    known = ", ".join(_readable(key) for key in sorted(places)) or "none"
    return f"{source}: {what}; what it says stands under 'Other notes'. Headings with a place: {known}."


def _filled(document: Document, found: dict[str, str]) -> Document:
    sections = tuple(
        replace(
            section,
            blocks=tuple(
                replace(block, markdown=found.get(block.key)) if isinstance(block, Notes) else block
                for block in section.blocks
            ),
        )
        for section in document.sections
    )
    return replace(document, sections=sections)


def _key(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _readable(key: str) -> str:
    return " / ".join(_title(part) for part in key.split("."))
