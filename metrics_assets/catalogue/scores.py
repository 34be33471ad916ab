"""The catalogue of score models: where each stands, and which packs switch it on.

A file of catalogue/scores is one model. In a pack `scores:` is a list of keys; a model that packs name counts only
where one of them is on. In the user's own files `scores:` is a list of whole models; one with the name of a built-in
model takes its place, whatever the packs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from metrics_assets.catalogue.metrics import Catalogue
from metrics_assets.catalogue.reading import catalogue_files, entries, read_yaml, wrong_entry
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import CATALOGUE

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Listed(Generic[M]):
    """A model of the catalogue; `packs` names those of which one must be on, none of them where it always counts."""

    model: M
    packs: frozenset[str]


def read_scores(
    parse: Callable[[Any], M],
    catalogue: Catalogue,
    files: list[Path] | None = None,
    built_in: Path = CATALOGUE,
) -> dict[str, Listed[M]]:
    """All models by name.

    Args:
        parse: makes a model of a mapping and raises `ValidationError` where it is wrong; its `components` have a key
            and a metric.
        files: default: the built-in ones, the packs, and the user's own.
        built_in: the folder of the catalogue's own files.

    Raises:
        CatalogueError: a model is wrong, stands twice or reads a metric that does not exist, or a pack names a model
            that is not there; the text names file, model and key.
    """
    files = catalogue_files("scores") if files is None else files
    found: dict[str, Listed[M]] = {}
    stands_in: dict[str, Path] = {}
    switched: dict[str, dict[str, Path]] = {}
    for path in files:
        if path.parent == built_in / "packs":
            for key in entries(path, read_yaml(path), "scores"):
                switched.setdefault(str(key), {})[path.stem] = path
            continue
        for entry in _models(path, built_in):
            model = _parse(path, entry, parse, catalogue)
            name: str = model.score  # type: ignore[attr-defined]
            before = stands_in.get(name)
            if before is not None and (before.parent == path.parent):
                also = "" if before == path else f" (also in {before.name})"
                raise CatalogueError(f"{path.name}, score {name}: the model stands twice{also}; keep one of them.")
            found[name], stands_in[name] = Listed(model, frozenset()), path
    for name, packs in switched.items():
        if name not in found:
            path = next(iter(packs.values()))
            there = ", ".join(found)
            raise CatalogueError(f"{path.name}, scores: there is no score '{name}'; the models are {there}.")
        if stands_in[name].parent == built_in / "scores":
            found[name] = Listed(found[name].model, frozenset(packs))
    return found


def switched_on(models: Mapping[str, Listed[M]], packs: set[str]) -> list[M]:
    """The models that count where these packs are on."""
    return [listed.model for listed in models.values() if not listed.packs or listed.packs & packs]


def _models(path: Path, built_in: Path) -> list[Any]:
    content = read_yaml(path)
    return [content] if path.parent == built_in / "scores" else entries(path, content, "scores")


def _parse(path: Path, entry: Any, parse: Callable[[Any], M], catalogue: Catalogue) -> M:
    name = f"score {entry.get('score', '?')}" if isinstance(entry, dict) else "a score"
    try:
        model = parse(entry)
    except ValidationError as error:
        raise wrong_entry(path, name, error) from error
    for component in model.components:  # type: ignore[attr-defined]
        if component.metric not in catalogue.metrics:
            raise CatalogueError(
                f"{path.name}, {name}: the component '{component.key}' reads the metric '{component.metric}', which "
                "does not exist; use a key of catalogue/metrics or of a pack."
            )
    return model
