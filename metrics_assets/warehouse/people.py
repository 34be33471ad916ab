"""The secret that turns people into keys: METRICS_PERSON_KEY, or a file under METRICS_HOME made once."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from metrics_assets.errors import ConfigurationError
from metrics_assets.warehouse.write import PersonKeys

_SHORTEST = 32


def person_keys(engine: sa.Engine, home: Path, bots: Iterable[str] = ()) -> PersonKeys:
    """The keys of this warehouse's people.

    Raises:
        ConfigurationError: the secret is not the one that this warehouse was filled with. Going on would count
            everybody twice.
    """
    keys = PersonKeys(installation_secret(home), bots)
    with engine.connect() as connection:
        check = connection.execute(sa.text("select person_key_check from ops.portfolio")).scalar()
    if check is not None and check != keys.check:
        raise ConfigurationError(
            f"The person key (METRICS_PERSON_KEY, or the file {home / 'person_key'}) is not the one with which this "
            "warehouse was filled; restore that one, or start with an empty database."
        )
    return keys


def installation_secret(home: Path) -> bytes:
    """The installation's secret: METRICS_PERSON_KEY, or the file `person_key`, made once.

    Raises:
        ConfigurationError: it is too short.
    """
    given = os.environ.get("METRICS_PERSON_KEY", "").strip()
    if given:
        if len(given) < _SHORTEST:
            raise ConfigurationError(
                "METRICS_PERSON_KEY is shorter than 32 characters; make one with: openssl rand -hex 32"
            )
        return given.encode()
    home.mkdir(parents=True, exist_ok=True)
    path = home / "person_key"
    if not path.exists():
        _make(path)
    found = path.read_bytes().strip()
    if len(found) < _SHORTEST:
        raise ConfigurationError(
            f"{path} is shorter than 32 characters; restore it from a backup, or delete it and start with an empty "
            "database."
        )
    return found


def _make(path: Path) -> None:
    # A name of its own even among threads, and containers whose processes have the same number.
    descriptor, name = tempfile.mkstemp(prefix="person_key.", dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)  # fails, unlike rename, where another process was first
    finally:
        Path(name).unlink()
