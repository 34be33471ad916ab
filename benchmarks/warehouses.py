"""A warehouse of a benchmark's own: an embedded PostgreSQL in a temporary folder, gone when it is done."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.warehouse import embedded
from metrics_assets.warehouse.derived import table_columns
from metrics_assets.warehouse.engine import create_engine, ensure_database
from metrics_assets.warehouse.migrate import migrate


@contextmanager
def server() -> Iterator[Callable[..., sa.Engine]]:
    """A server, as a function that gives an engine on its database of a name, migrated. It starts a stopped server."""
    home = Path(tempfile.mkdtemp(prefix="ma-"))
    engines = []

    def open_database(name: str = "benchmark", *, restart: bool = False) -> sa.Engine:
        if restart:
            for engine in engines:
                engine.dispose()
            embedded.stop(home)
        url = make_url(embedded.start(home)).set(drivername="postgresql+psycopg2", database=name)
        ensure_database(url)
        engines.append(create_engine(url))
        migrate(engines[-1])
        return engines[-1]

    try:
        yield open_database
    finally:
        for engine in engines:
            engine.dispose()
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def warehouse() -> Iterator[sa.Engine]:
    """A server with one migrated database."""
    with server() as open_database:
        yield open_database()


def repository_tables() -> list[str]:
    """The daily tables that have a row per repository and day."""
    found = {metric.table for metric in load_catalogue().metrics.values() if metric.table}
    columns = {table: {column.name for column in table_columns()[f"metrics.{table}"]} for table in found}
    return sorted(table for table in found if {"repository_id", "date"} <= columns[table])
