"""The warehouse's schema: numbered migrations once and in order, functions and views whenever they changed.

Several processes may migrate at the same time: an advisory lock lets one do it and the others wait.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import sqlalchemy as sa

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.tiers import TierBand, load_tiers
from metrics_assets.errors import WarehouseError
from metrics_assets.paths import SQL
from metrics_assets.warehouse.metric_values import metric_values_sql

_LOCK = 0x6D657472  # 'metr'; any number that nobody else uses in this database
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")

_BOOK = """
create schema if not exists migrations;
create table if not exists migrations.applied (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
)
"""


def migrate(engine: sa.Engine, sql: Path = SQL) -> list[str]:
    """Bring the database to this version's schema, in one transaction.

    Returns:
        What was applied, in order; empty where everything was up to date.

    Raises:
        WarehouseError: a file that was applied before has been changed, or the database is of a newer version.
    """
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.exec_driver_sql(_BOOK)
        rows = connection.execute(sa.text("select name, checksum from migrations.applied"))
        known: dict[str, str] = {row.name: row.checksum for row in rows}
        return [*_apply_numbered(connection, sql, known), *_apply_repeatable(connection, sql, known)]


def _apply_numbered(connection: sa.Connection, sql: Path, known: dict[str, str]) -> list[str]:
    files = sorted((sql / "migrations").glob("*.sql"))
    for file in files:
        if not _NAME.match(file.name):
            raise WarehouseError(f"sql/migrations/{file.name} must be named like 0007_what_it_does.sql; rename it.")
    newer = {name for name in known if _NAME.match(name)} - {file.name for file in files}
    if newer:
        raise WarehouseError(
            f"The database was migrated by a newer version of metrics_assets (it holds {min(newer)}); update this one."
        )
    applied = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        checksum = _checksum(text)
        if file.name not in known:
            _execute(connection, text, f"sql/migrations/{file.name}")
            _note(connection, file.name, checksum)
            applied.append(file.name)
        elif known[file.name] != checksum:
            raise WarehouseError(
                f"sql/migrations/{file.name} was changed after it had been applied; undo that and add a new file."
            )
    return applied


def _apply_repeatable(connection: sa.Connection, sql: Path, known: dict[str, str]) -> list[str]:
    """Functions, the view made from the catalogue, and views are replaced together when one of them changed."""
    catalogue, bands = load_catalogue(), load_tiers()
    pieces = {
        **_texts(sql, "functions"),
        "view metrics.metric_values": metric_values_sql(catalogue),
        **_texts(sql, "views"),
    }
    checksum = _checksum(*pieces.values(), repr(bands))
    if known.get("repeatable") == checksum:
        return []
    _fill_tiers(connection, bands)
    for name, text in pieces.items():
        _execute(connection, text, name)
    _note(connection, "repeatable", checksum)
    return list(pieces)


def _texts(sql: Path, folder: str) -> dict[str, str]:
    files = sorted((sql / folder).glob("*.sql"))
    return {f"sql/{folder}/{file.name}": file.read_text(encoding="utf-8") for file in files}


def _fill_tiers(connection: sa.Connection, bands: list[TierBand]) -> None:
    connection.exec_driver_sql("delete from metrics.tier_bands")
    connection.execute(
        sa.text(
            "insert into metrics.tier_bands (tier_set, metric, tier, rank, at_least, below, source) "
            "values (:tier_set, :metric, :tier, :rank, :at_least, :below, :source)"
        ),
        [band.model_dump() for band in bands],
    )


def _execute(connection: sa.Connection, text: str, name: str) -> None:
    try:
        # The driver's own call: a colon in SQL text is not a bind parameter here.
        cursor = connection.connection.cursor()
        cursor.execute(text)
        cursor.close()
    except Exception as error:
        raise WarehouseError(f"{name} cannot be applied: {str(error).strip()}") from error


def _note(connection: sa.Connection, name: str, checksum: str) -> None:
    connection.execute(
        sa.text(
            "insert into migrations.applied (name, checksum) values (:name, :checksum) "
            "on conflict (name) do update set checksum = excluded.checksum, applied_at = now()"
        ),
        {"name": name, "checksum": checksum},
    )


def _checksum(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
