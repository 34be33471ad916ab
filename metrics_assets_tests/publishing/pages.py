"""A small site for the tests of publishing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SITE = {
    "index.html": '<a href="repo/a.html">a</a>',
    "style.css": "p{}",
    "data/a.csv": "1",
    "repo/a.html": "a",
    "repo/b.html": "b",
}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """A finished build with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def changed(files: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The files with some others; None removes one."""
    merged = {**files, **changes}
    return {name: content for name, content in merged.items() if content is not None}
