"""Reading catalogue files: YAML in, validated models out, and errors that name file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from metrics_assets.errors import CatalogueError


def read_yaml(path: Path) -> Any:
    """The content of a catalogue file.

    Raises:
        CatalogueError: it does not exist or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
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
