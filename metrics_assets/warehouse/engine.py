"""One engine per process for the warehouse, wherever it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from metrics_assets import settings
from metrics_assets.errors import ConfigurationError, WarehouseError
from metrics_assets.warehouse import embedded

SEARCH_PATH = "metrics, raw, ops, public"
DAGSTER_DATABASE = "metrics_dagster"
_EMBEDDED_DATABASE = "metrics"
# Sorting and hashing a year of a large portfolio fits into this; one step works at a time.
_SESSION = {
    "search_path": SEARCH_PATH.replace(" ", ""),
    "timezone": "UTC",
    "jit": "off",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
}


def database_url() -> URL:
    """The warehouse's URL: METRICS_DATABASE_URL, else the embedded server's, which is started if need be.

    The driver is always named: dagster-postgres needs psycopg2, and SQLAlchemy's own choice may differ.

    Raises:
        ConfigurationError: METRICS_DATABASE_URL is no PostgreSQL URL.
        WarehouseError: the embedded server does not start.
    """
    given = os.environ.get("METRICS_DATABASE_URL")
    if not given:
        return _with_driver(make_url(embedded.start(settings.metrics_home()))).set(database=_EMBEDDED_DATABASE)
    try:
        url = make_url(given)
    except sa.exc.ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres") or not url.database:
        raise ConfigurationError(
            "METRICS_DATABASE_URL is not of the form postgresql://user:password@host:5432/database; correct it, or "
            "unset it for the embedded PostgreSQL."
        )
    return _with_driver(url)


def dagster_url(warehouse: URL) -> URL:
    """Where Dagster keeps its runs and events: DAGSTER_DATABASE_URL, else a database beside the warehouse."""
    given = os.environ.get("DAGSTER_DATABASE_URL")
    if given:
        return _with_driver(make_url(given))
    suffix = DAGSTER_DATABASE.removeprefix("metrics")
    return warehouse.set(database=f"{warehouse.database}{suffix}")


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg2")


@cache
def engine() -> sa.Engine:
    """The process's pooled engine; the database exists and is migrated."""
    from metrics_assets.warehouse.migrate import migrate

    url = database_url()
    ensure_database(url)
    created = create_engine(url)
    migrate(created)
    return created


def create_engine(url: URL) -> sa.Engine:
    """An engine whose sessions see the warehouse's schemas and speak UTC."""
    return sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=8,
        connect_args={"options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items())},
    )


def database_exists(url: URL) -> bool:
    """Whether the server of `url` has its database.

    Raises:
        WarehouseError: the server cannot be reached or refuses the user.
    """
    try:
        with sa.create_engine(url, poolclass=sa.pool.NullPool).connect():
            return True
    except sa.exc.OperationalError as error:
        if f'database "{url.database}" does not exist' in str(error.orig):
            return False
        raise WarehouseError(
            f"PostgreSQL at {url.render_as_string(hide_password=True)} cannot be used "
            f"({str(error.orig).strip().splitlines()[-1]}); check METRICS_DATABASE_URL and that the server runs."
        ) from error


def ensure_database(url: URL, options: Mapping[str, str] | None = None) -> None:
    """Create the database of `url` if the server has none of that name.

    Args:
        options: settings that a new database gets, as names and values of this module's choice.

    Raises:
        WarehouseError: the server cannot be reached, or the database is missing and may not be created.
    """
    if database_exists(url):
        return
    maintenance = sa.create_engine(
        url.set(database="postgres"), poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT"
    )
    name = sa.sql.quoted_name(str(url.database), True)
    quoted = maintenance.dialect.identifier_preparer.quote(name)
    try:
        with maintenance.connect() as connection:
            # Texts in the order of their bytes: the same on every machine, and sorted and indexed twice as fast.
            connection.execute(sa.text(f"create database {quoted} template template0 lc_collate 'C'"))
            for option, value in (options or {"search_path": SEARCH_PATH}).items():
                connection.execute(sa.text(f"alter database {quoted} set {option} = {value}"))
    except sa.exc.IntegrityError:
        pass  # another process created it in the same moment
    except sa.exc.ProgrammingError as error:
        if "already exists" in str(error.orig):
            return
        raise WarehouseError(
            f"The database '{url.database}' does not exist and may not be created by this user; create it, for "
            f"example with: createdb {url.database}"
        ) from error
