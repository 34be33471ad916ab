"""The packs: metrics, goals, north stars, gates, scores and alert rules of one kind of project.

What a pack measures is there for everybody; its goals, north stars, gates, scores and rules count where metrics.yaml
switches the pack on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from metrics_assets.catalogue.metrics import Catalogue, Metric, check_requirements
from metrics_assets.catalogue.reading import entries, own_folder, read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import CATALOGUE
from metrics_assets.settings import Pack

PACKS = CATALOGUE / "packs"


class PackFile(BaseModel):
    """What a file of catalogue/packs holds. The entries of its lists have models, and readers, of their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pack: Pack
    title: str
    description: str
    defaults: dict[str, Any] = {}
    metrics: tuple[dict[str, Any], ...] = ()
    goals: tuple[dict[str, Any], ...] = ()
    north_stars: tuple[dict[str, Any], ...] = ()
    gates: tuple[dict[str, Any], ...] = ()
    rules: tuple[dict[str, Any], ...] = ()
    correlations: tuple[dict[str, Any], ...] = ()
    scores: tuple[str, ...] = ()  # keys of catalogue/scores
    predictions: dict[str, tuple[str, ...]] = {}  # a requirement's id, and the tables that answer it
    alerts: dict[str, tuple[str, ...]] = {}  # a requirement's id, and what of the alerts does (rules.escalate)
    not_covered: dict[str, str] = {}  # a requirement's id, and in a sentence why it is not covered
    elsewhere: dict[str, tuple[str, ...]] = {}  # a requirement's id, and what else answers it ('page goals')

    @field_validator("predictions", "alerts", "not_covered", "elsewhere")
    @classmethod
    def _are_by_requirement(cls, by_id: dict[str, Any]) -> dict[str, Any]:
        check_requirements(tuple(by_id))
        return by_id


@cache
def load_packs(folder: Path = PACKS) -> dict[str, PackFile]:
    """All packs, by name.

    Raises:
        CatalogueError: a pack's head is wrong, or its name is not its file's.
    """
    return {path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))}


def _read(path: Path) -> PackFile:
    try:
        pack = PackFile.model_validate(read_yaml(path))
    except ValidationError as error:
        names = ", ".join(get_args(Pack))
        raise wrong_entry(path, f"the pack (one of {names})", error) from error
    if pack.pack != path.stem:
        raise CatalogueError(f"{path.name}: it holds the pack {pack.pack}; name the file {pack.pack}.yaml.")
    return pack


def pack_of(path: Path) -> str | None:
    """The pack that a catalogue file is; None for what always counts."""
    return path.stem if path.parent.name == "packs" else None


# What goals and gates share: entries with keys, of which a user's own replaces a built-in one.


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


Entry = TypeVar("Entry", bound=Keyed)


def read_keyed(
    files: list[Path], kind: str, read: Callable[[Path, dict[str, Any]], Entry], own: Path | None = None
) -> dict[str, Entry]:
    """The entries of a kind by key; one of the user's own files takes the place of a built-in one.

    Args:
        kind: goals or gates.
        read: makes the entry of a file's mapping; a wrong one raises a `ValidationError`.
        own: the folder of the user's own files; default the one beside metrics.yaml.

    Raises:
        CatalogueError: an entry is wrong, or two built-in ones (or two of the user's own) have the same key.
    """
    found: dict[str, Entry] = {}
    stands_in: dict[str, Path] = {}
    own = own or own_folder()
    for path, name, content in named_entries(files, kind):
        try:
            entry = read(path, content)
        except ValidationError as error:
            raise wrong_entry(path, name, error) from error
        before = stands_in.get(entry.key)
        if before is not None and (path.parent == own) == (before.parent == own):
            also = "" if before == path else f" (also in {before.name})"
            raise CatalogueError(f"{path.name}, {name}: the key stands twice{also}; keep one entry.")
        found[entry.key], stands_in[entry.key] = entry, path
    return found


def named_entries(files: list[Path], kind: str) -> Iterator[tuple[Path, str, Any]]:
    """The entries of a kind in some files, each with its name for messages ('goal stars')."""
    for path in files:
        for position, entry in enumerate(entries(path, read_yaml(path), kind), start=1):
            key = entry.get("key", entry.get("metric", position)) if isinstance(entry, dict) else position
            yield path, f"{kind.removesuffix('s').replace('_', ' ')} {key}", entry


def metric_of(catalogue: Catalogue, key: str, where: str) -> Metric:
    """A metric that an entry names.

    Raises:
        CatalogueError: there is none of that key; the text names a near one.
    """
    if key not in catalogue.metrics:
        near = get_close_matches(key, catalogue.metrics, 1)
        remedy = f"did you mean '{near[0]}'?" if near else "use a key of catalogue/metrics."
        raise CatalogueError(f"{where}: there is no metric '{key}'; {remedy}")
    return catalogue.metrics[key]
