"""The parts of the catalogue of metrics: one for each file, in the order in which they are read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from metrics_assets.catalogue.metrics import Metric, load_catalogue, read_catalogue
from metrics_assets.catalogue.packs import load_packs, pack_of

# The built-in files, in the order in which people look for them.
_TITLES = {
    "dora": "Delivery",
    "repository": "Repositories",
    "community": "People and communities",
    "space": "Teams",
    "packages": "Packages",
    "platforms": "Platforms",
    "scores": "Scores",
}
# A page with more metrics than that would be too long to load on a phone.
_MOST_METRICS = 120


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the catalogue that holds metrics.

    Attributes:
        slug: stands in addresses.
        about: what its metrics are about, as the head of the file or the pack says it.
    """

    slug: str
    title: str
    about: str
    metrics: tuple[Metric, ...]


def read_parts(files: Sequence[Path]) -> list[Part]:
    """The parts of some files: the built-in ones first, then packs, then the user's own.

    Raises:
        CatalogueError: an entry is wrong; the text names file, entry and key.
    """
    return [_part(path, tuple(read_catalogue([path]).metrics.values())) for path in _in_order(files)]


@cache
def pages() -> tuple[Part, ...]:
    """All metrics in parts that are short enough for a page each; a longer part is several."""
    by_file: dict[Path, list[Metric]] = {}
    for metric in load_catalogue().metrics.values():
        if metric.file is not None:
            by_file.setdefault(metric.file, []).append(metric)
    return tuple(page for path in _in_order([*by_file]) for page in _cut(_part(path, tuple(by_file[path]))))


@cache
def page_of(key: str) -> Part | None:
    """The page that explains a metric; None where the catalogue has it no more."""
    return next((page for page in pages() if any(metric.key == key for metric in page.metrics)), None)


def _cut(part: Part) -> list[Part]:
    if len(part.metrics) <= _MOST_METRICS:
        return [part]
    return [
        Part(
            f"{part.slug}-{number}", f"{part.title}, {number}", part.about, part.metrics[start : start + _MOST_METRICS]
        )
        for number, start in enumerate(range(0, len(part.metrics), _MOST_METRICS), start=1)
    ]


def _part(path: Path, metrics: tuple[Metric, ...]) -> Part:
    packs = load_packs()
    if _is_built_in(path):
        return Part(_slug(_TITLES[path.stem]), _TITLES[path.stem], _head_comment(path), metrics)
    if (pack := pack_of(path)) is not None:
        return Part(f"pack-{_slug(pack)}", f"Pack: {packs[pack].title}", packs[pack].description, metrics)
    # Two of the user's names may differ in what no address can hold.
    number = hashlib.sha256(path.stem.encode()).hexdigest()[:6]
    return Part(f"own-{_slug(path.stem)}-{number}", f"Own: {path.stem}", _head_comment(path), metrics)


def _in_order(files: Sequence[Path]) -> list[Path]:
    known = list(_TITLES)
    return sorted(files, key=lambda path: known.index(path.stem) if _is_built_in(path) else len(known))


def _is_built_in(path: Path) -> bool:
    return path.parent.name == "metrics" and path.stem in _TITLES


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _head_comment(path: Path) -> str:
    """The comment at the head of a file: what its entries are about."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return " ".join(lines)
