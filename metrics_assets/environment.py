"""The environment that every Dagster process of an installation needs, set up in one place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets import settings as configuration
from metrics_assets.paths import DAGSTER_YAML, DEMO_CONFIG
from metrics_assets.warehouse.engine import dagster_url, database_url, engine, ensure_database

# Dagster's own event log dominates long ranges. With these, 30 assets x 365 days take seconds instead of minutes;
# the price is that the partitions of a range run that failed are not painted red (its status is right).
_CHEAP_EVENTS = {
    "DAGSTER_EVENT_BATCH_SIZE": "1000",
    "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
}


_LOCK = 0x64616773  # 'dags'; any number that nobody else uses in Dagster's database
_WHOLE = "metrics_assets: Dagster has made all of its tables"


def prepare() -> URL:
    """Start the database if it is embedded, migrate it, and set what Dagster reads from the environment.

    Returns:
        The warehouse's URL.
    """
    home = configuration.metrics_home()
    warehouse = database_url()
    engine()
    dagster = dagster_url(warehouse)
    ensure_database(dagster, options={"synchronous_commit": "off"})
    dagster_home = home / "dagster"
    (dagster_home / "logs").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DAGSTER_YAML, dagster_home / "dagster.yaml")
    os.environ.update(
        {
            "METRICS_HOME": str(home),
            "METRICS_CONFIG": str(configuration.config_path().resolve()),
            "DAGSTER_HOME": str(dagster_home),
            "DAGSTER_POSTGRES_URL": dagster.render_as_string(hide_password=False),
            "DAGSTER_COMPUTE_LOGS": str(dagster_home / "logs"),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }
    )
    for name, value in _CHEAP_EVENTS.items():
        os.environ.setdefault(name, value)
    _make_dagster_tables(dagster)
    return warehouse


def _make_dagster_tables(url: URL) -> None:
    """Let Dagster make its tables, in whole: it makes them one by one, and does not mend what a kill left half-made."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("select pg_advisory_lock(:lock)"), {"lock": _LOCK})
        if connection.execute(sa.text("select obj_description(to_regclass('runs'))")).scalar() == _WHOLE:
            return
        tables = sa.inspect(connection).get_table_names()
        # A run is noted when all tables are there, so without one there is nothing to lose.
        if tables and ("runs" not in tables or not connection.execute(sa.text("select count(*) from runs")).scalar()):
            names = ", ".join(f'"{table}"' for table in tables)
            connection.execute(sa.text(f"drop table {names} cascade"))
        from dagster import DagsterInstance

        with DagsterInstance.get():
            connection.execute(sa.text(f"comment on table runs is '{_WHOLE}'"))


def demo_home() -> Path:
    """The folder of `metrics demo`, whose database and secret are its own."""
    return configuration.metrics_home() / "demo"


def use_demo_without_config() -> None:
    """Without a metrics.yaml, or with the demo's own, go on with what `metrics demo` has made."""
    config = configuration.config_path()
    if config.exists() and not _is_demo_beside(config):
        return
    os.environ.update({"METRICS_HOME": str(demo_home()), "METRICS_CONFIG": str(DEMO_CONFIG)})
    os.environ.pop("METRICS_DATABASE_URL", None)


def _is_demo_beside(config: Path) -> bool:
    """Whether this is the demo's configuration, and the demo's database is in its folder, not in METRICS_HOME itself.

    Another server would be started there, whose database is empty.
    """
    if os.environ.get("METRICS_DATABASE_URL") or not config.samefile(DEMO_CONFIG):
        return False
    return (demo_home() / "postgres").exists() and not (configuration.metrics_home() / "person_key").exists()


def site_index(home: Path) -> Path:
    """Where the site's first page is once it has been built."""
    return home / "site" / "current" / "index.html"
