"""Reading catalogue files: YAML in, validated models out, and errors that name file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from metrics_assets import settings
from metrics_assets.errors import CatalogueError
from metrics_assets.paths import CATALOGUE

# As safe as yaml.safe_load and, where it was built with libyaml, seven times as fast: every process reads the packs.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def catalogue_files(kind: str) -> list[Path]:
    """The files that may hold entries of a kind: the built-in ones, the packs, and the user's own.

    Args:
        kind: metrics, goals, gates, scores, rules, ...: files of catalogue/<kind>/ always hold it; files of
            catalogue/packs/ and of the user's folder `catalogue/` beside metrics.yaml only if they have that key.
    """
    files = sorted((CATALOGUE / kind).glob("*.yaml"))
    return files + [path for path in [*_packs(), *_own()] if holds(path, kind)]


def holds(path: Path, kind: str) -> bool:
    """Whether a catalogue file has entries of a kind."""
    content = read_yaml(path)
    return isinstance(content, dict) and kind in content


def own_folder() -> Path:
    """Where the user's own metrics, goals, scores, gates and rules are, if there are any."""
    return settings.config_path().resolve().parent / "catalogue"


def _packs() -> list[Path]:
    return sorted((CATALOGUE / "packs").glob("*.yaml"))


def _own() -> list[Path]:
    # The project's own checkout has its catalogue elsewhere, so a folder of that name is always the user's.
    return sorted(own_folder().glob("*.yaml"))


def read_yaml(path: Path) -> Any:
    """The content of a catalogue file.

    Raises:
        CatalogueError: it does not exist or is not YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except FileNotFoundError:
        raise CatalogueError(f"{path} does not exist; restore it or correct its name.") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    except yaml.YAMLError as error:
        raise CatalogueError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error


def entries(path: Path, content: Any, key: str) -> list[Any]:
    """The list under a key of a catalogue file.

    Raises:
        CatalogueError: there is none.
    """
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list) or not found:
        raise CatalogueError(f"{path.name} holds no {key}; it must have a list under '{key}'.")
    return found


def wrong_entry(path: Path, entry: str, error: ValidationError) -> CatalogueError:
    """A `CatalogueError` that names the file, the entry and each wrong key."""
    problems = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'entry'}: {problem['msg']}" for problem in error.errors()
    )
    return CatalogueError(f"{path.name}, {entry}: {problems}.")
