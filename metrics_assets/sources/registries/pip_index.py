"""Which index pip is configured to use. This project names none of its own, so that private mirrors work, too."""

from __future__ import annotations

import ast
import base64
import importlib
import subprocess
import sys
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

# pip's own order: the environment, then the section of the command, then that of all commands.
_SETTINGS = (":env:.index-url", "install.index-url", "global.index-url")


@dataclass(frozen=True, slots=True)
class Index:
    """Where an index is.

    Attributes:
        simple: the address of its simple index.
        api: what its JSON API is below; None where the address does not say.
        password: user and password that stood in the address, as Basic authorization has them.
    """

    simple: str
    api: str | None
    password: str | None = field(default=None, repr=False)


def index_at(address: str) -> Index:
    """An index by its root or by its simple index, whichever is given."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    plain = urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path.rstrip("/"), "", ""))
    password = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        password = base64.b64encode(pair.encode()).decode()
    if plain.endswith("/simple"):
        return Index(plain, plain.removesuffix("/simple"), password)
    if plain.endswith("/+simple"):
        return Index(plain, None, password)
    return Index(f"{plain}/simple", plain, password)


def configured_index() -> Index | None:
    """The index of pip's configuration, else pip's default; None where there is no pip, or its index is no server."""
    address = _from_configuration() or _default()
    return index_at(address) if address and address.startswith(("http://", "https://")) else None


def _from_configuration() -> str | None:
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found: dict[str, str] = {}
    for line in asked.stdout.splitlines():
        name, _, value = line.partition("=")
        if name in _SETTINGS:
            found[name] = str(ast.literal_eval(value))
    return next((found[name] for name in _SETTINGS if name in found), None)


def _default() -> str | None:
    try:
        return str(importlib.import_module("pip._internal.models.index").PyPI.simple_url)
    except (ImportError, AttributeError):
        return None
