"""The secret that turns people into keys: METRICS_PERSON_KEY, or a file under METRICS_HOME made once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from metrics_assets.errors import ConfigurationError
from metrics_assets.warehouse.write import PersonKeys


def person_keys(engine: sa.Engine, home: Path, bots: Iterable[str] = ()) -> PersonKeys:
    """The keys of this warehouse's people.

    Raises:
        ConfigurationError: the secret is not the one that this warehouse was filled with. Going on would count
            everybody twice.
    """
    keys = PersonKeys(_secret(home), bots)
    with engine.connect() as connection:
        check = connection.execute(sa.text("select person_key_check from ops.portfolio")).scalar()
    if check is not None and check != keys.check:
        raise ConfigurationError(
            f"The person key (METRICS_PERSON_KEY, or the file {home / 'person_key'}) is not the one with which this "
            "warehouse was filled; restore that one, or start with an empty database."
        )
    return keys


def _secret(home: Path) -> bytes:
    given = os.environ.get("METRICS_PERSON_KEY")
    if given:
        if len(given) < 32:
            raise ConfigurationError(
                "METRICS_PERSON_KEY is shorter than 32 characters; make one with: openssl rand -hex 32"
            )
        return given.encode()
    home.mkdir(parents=True, exist_ok=True)
    path = home / "person_key"
    made = home / f"person_key.{os.getpid()}"
    if not path.exists():
        made.touch(mode=0o600)
        made.write_text(secrets.token_hex(32))
        try:
            os.link(made, path)  # fails, unlike rename, where another process was first
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_bytes()
