"""Looks over the pages of a build while they are written, so that none has to be read again."""

from __future__ import annotations

import html
import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from sys import intern
from typing import Literal
from urllib.parse import unquote, urlsplit

LARGEST_PAGE = 300_000  # bytes
_LISTED = 10  # of each kind of problem

# All text and all attributes of our pages are escaped, so a quote or an angle bracket is always markup.
_ID = re.compile(r'\sid="([^"]+)"')
_LINK = re.compile(r'<(?:a|link|script|img|use|image|source|iframe|object|embed)\s[^>]*?\b(?:href|src|data)="([^"]*)"')
_FROM_OUTSIDE = re.compile(
    r"<(?:link|use|image|base|script|img|source|iframe|object|embed|video|audio|track|input|form)\b[^>]*?"
    r'\b(?:href|src|srcset|data|poster|action)="\s*((?:[a-z][a-z0-9+.-]*:)?//[^"]*)"',
    re.IGNORECASE,
)
_STYLE = re.compile(r'\sstyle="([^"]*)"|<style\b[^>]*>(.*?)</style>', re.IGNORECASE | re.DOTALL)
_STYLE_OUTSIDE = re.compile(r"""(?:url\(\s*['"]?|@import\s+['"]?)\s*((?:https?:)?//[^'")\s;]+)""", re.IGNORECASE)
_CHART = re.compile(r'<figure\b[^>]*\bclass="[^"]*\bchart\b[^"]*"[^>]*>.*?</figure>', re.DOTALL)
_FURTHER = re.compile(r"-\d+(?=\.html$)")  # the second page of a long list is repositories-2.html
_SCHEMES = ("http", "https", "mailto", "data")
_NOT_FOUND = "404.html"  # is shown for any address, so that no page leads to it

Name = Literal["links_lead_somewhere", "pages_are_small", "nothing_from_outside", "charts_have_tables", "all_pages"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked for, and what is wrong: sentences that say where. There may be more than are listed."""

    name: Name
    looked_at: str
    count: int
    problems: tuple[str, ...]

    @property
    def sentence(self) -> str:
        if not self.count:
            return f"{self.looked_at}: all is well."
        more = f" And {self.count - len(self.problems)} more." if self.count > len(self.problems) else ""
        return " ".join(self.problems) + more


@dataclass(slots=True)
class Inspection:
    """What is seen of the files of a build as they pass by."""

    sizes: dict[str, int] = field(default_factory=dict)  # of the pages, in bytes
    _paths: set[str] = field(default_factory=set)
    _ids: dict[str, frozenset[str]] = field(default_factory=dict)
    # Each place that is linked to, with the first page that does so: once from its own page, once from others.
    _links: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    _wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _charts: int = 0

    def watch(self, files: Iterable[tuple[str, str | bytes]]) -> Iterator[tuple[str, str | bytes]]:
        """The same files, looked at on the way."""
        for path, content in files:
            self._paths.add(path)
            if path.endswith(".html"):
                self._page(path, content if isinstance(content, str) else content.decode())
            elif path.endswith((".svg", ".css")):
                self._assets(path, content if isinstance(content, str) else content.decode())
            yield path, content

    def findings(self, expected: Collection[str], private: Collection[str] = ()) -> tuple[Finding, ...]:
        """What is wrong with the whole, once all files have passed.

        Args:
            expected: the pages that there must be, and that others link to.
            private: pages that there must be besides, and that no other page may link to.
        """
        pages = len(self.sizes)
        hidden = {_stem(path) for path in private}

        def finding(name: Name, looked_at: str, problems: list[str]) -> Finding:
            return _finding(name, looked_at, [_without_addresses(problem, hidden) for problem in problems])

        return (
            finding(
                "links_lead_somewhere",
                f"{_count(len(self._links), 'link')} of {_count(pages, 'page')}",
                self._dead(hidden),
            ),
            finding(
                "pages_are_small",
                _count(pages, "page"),
                [
                    f"{path} has {size / 1000:.0f} KB, more than {LARGEST_PAGE // 1000}; show fewer rows."
                    for path, size in sorted(self.sizes.items())
                    if size > LARGEST_PAGE
                ],
            ),
            finding("nothing_from_outside", _count(len(self._paths), "file"), self._wrong["outside"]),
            finding("charts_have_tables", _count(self._charts, "chart"), self._wrong["charts"]),
            finding("all_pages", _count(pages, "page"), self._pages(set(expected) | set(private))),
        )

    def _page(self, path: str, text: str) -> None:
        self.sizes[path] = len(text.encode())
        ids = _ID.findall(text)
        self._ids[path] = frozenset(intern(one) for one in ids)
        if len(ids) != len(self._ids[path]):
            twice = next(one for one in ids if ids.count(one) > 1)
            self._wrong["links"].append(f"{path} has the id {twice!r} more than once.")
        for link in _LINK.findall(text):
            self._link(path, html.unescape(link))
        for address in _FROM_OUTSIDE.findall(text):
            self._wrong["outside"].append(f"{path} loads {html.unescape(address)[:100]!r}; keep a copy in the site.")
        for inline, block in _STYLE.findall(text):
            self._style(path, html.unescape(inline) or block)
        for chart in _CHART.findall(text):
            self._charts += 1
            if "<svg" in chart and "<table" not in chart:
                anchor = _ID.search(chart)
                name = f" {anchor[1]!r}" if anchor else ""
                self._wrong["charts"].append(f"The chart{name} of {path} has no data table.")

    def _assets(self, path: str, text: str) -> None:
        if path.endswith(".css"):
            self._style(path, text)
        for address in _FROM_OUTSIDE.findall(text) if path.endswith(".svg") else ():
            self._wrong["outside"].append(f"{path} loads {address[:100]!r}; keep a copy in the site.")

    def _style(self, path: str, style: str) -> None:
        for address in _STYLE_OUTSIDE.findall(style):
            self._wrong["outside"].append(f"{path} loads {address[:100]!r} for its style; keep a copy in the site.")

    def _link(self, page: str, address: str) -> None:
        try:
            parts = urlsplit(address)
        except ValueError:
            self._wrong["links"].append(f"{page} links to {address[:100]!r}, which is no address.")
            return
        if parts.scheme or parts.netloc:
            if parts.scheme not in _SCHEMES:
                self._wrong["links"].append(f"{page} links to {address[:100]!r}; only http and https are links.")
            return
        target = (
            posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(parts.path))) if parts.path else page
        )
        is_own = _stem(target) == _stem(page)
        self._links.setdefault((intern(target), unquote(parts.fragment), is_own), page)

    def _dead(self, private: set[str]) -> list[str]:
        found = list(self._wrong["links"])
        for (target, fragment, is_own), page in self._links.items():
            if page == _NOT_FOUND:
                continue
            if target not in self._paths:
                found.append(f"{page} links to {target}, which is not there.")
            elif fragment and target in self._ids and fragment not in self._ids[target]:
                found.append(f"{page} links to {target}#{fragment}, but there is no such place on that page.")
            elif not is_own and _stem(target) in private:
                found.append(f"{page} links to {target}, whose address only its team may know.")
        return found

    def _pages(self, expected: set[str]) -> list[str]:
        missing = [f"{path} is missing." for path in sorted(expected - self.sizes.keys())]
        others = sorted(path for path in self.sizes.keys() - expected if _FURTHER.sub("", path) not in expected)
        return [*missing, *(f"{path} is a page that nobody expected." for path in others if path != _NOT_FOUND)]


def _finding(name: Name, looked_at: str, problems: list[str]) -> Finding:
    return Finding(name, looked_at, len(problems), tuple(problems[:_LISTED]))


def _without_addresses(problem: str, hidden: Collection[str]) -> str:
    """A sentence that many may read: whoever knows the address of a team's page can read that page."""
    for stem in hidden:
        problem = problem.replace(stem, f"{posixpath.dirname(stem)}/*")
    return problem


def _stem(path: str) -> str:
    """A path without its ending: a page's CSV file has that of the page."""
    return path.rpartition(".")[0]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
