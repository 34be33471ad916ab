"""A page as a reader meets it: its words, ids and links, and what would run in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SILENT = ("script", "style")
_MAY_STAY_OPEN = ("td", "th", "tr", "tbody")  # HTML closes these by itself
_VOID = ("meta", "link", "input", "br", "use", "path", "rect", "line", "circle", "img", "hr", "wbr", "col")


class PageReader(HTMLParser):
    """Reads a page.

    Attributes:
        ids, hrefs: in their order. handlers: attributes that would run something. scripts: those without a src.
        unclosed: elements that were opened and not closed, or closed twice.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.hrefs: list[str] = []
        self.handlers: list[str] = []
        self.scripts = 0
        self.unclosed: list[str] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.unclosed += self._open

    @property
    def text(self) -> str:
        """All words, white space made single blanks."""
        return " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if "href" in values and tag == "a":
            self.hrefs.append(str(values["href"]))
        self.handlers += [name for name in values if name.startswith("on")]
        self.scripts += tag == "script" and "src" not in values
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open[-1] in _MAY_STAY_OPEN and self._open[-1] != tag:
            self._open.pop()
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.unclosed.append(tag)

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in _SILENT:
            self._words.append(data)


def read_harmless(html: str | bytes) -> PageReader:
    """The page, after a look at what must hold for every page whatever stands in its texts."""
    assert isinstance(html, str)
    page = PageReader(html)
    assert page.unclosed == [], page.unclosed
    assert page.handlers == []
    assert page.scripts == 0
    assert len(page.ids) == len(set(page.ids)), "an id stands twice"
    assert all(not href.lower().startswith(("javascript:", "data:")) for href in page.hrefs)
    assert len(html.encode()) < 300_000
    assert not re.search(r">\s*(None|nan|NaN|NaT)\s*<|= (None|nan)\b", html)
    own = {href[1:] for href in page.hrefs if href.startswith("#")}
    assert own <= {*page.ids, ""}, "a link leads to an id that is not there"
    return page
