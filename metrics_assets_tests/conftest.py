"""What tests share: a real PostgreSQL per test process, an empty migrated database per test, and real data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

# Nothing of a developer's own environment may reach a test.
for _name in (
    "METRICS_CONFIG",
    "METRICS_DATABASE_URL",
    "DAGSTER_DATABASE_URL",
    "GITHUB_TOKEN",
    "GITHUB_API_URL",
    "YOUTUBE_API_KEY",
    "REDDIT_CLIENT_ID",
    "REDDIT_CLIENT_SECRET",
    "X_BEARER_TOKEN",
):
    os.environ.pop(_name, None)
# As `metrics_assets.environment` sets them; Dagster reads one of them when it is imported.
os.environ["DAGSTER_EVENT_BATCH_SIZE"] = "1000"
os.environ["DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"] = "1"
# How long an example takes says nothing on a shared machine.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget the Dagster instance of an earlier test.

    An instance that is entered twice, as a tick does with the one it is given, leaves its state storage behind as the
    current one when it is gone; whatever builds definitions next then fails.
    """
    from dagster._core.storage.defs_state import base

    base._current_storage.set(None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share something dear in one process, and begin with them.

    Workers would else each make what a module's tests share; and a long group that comes last has one of them wait.
    """
    for item in items:
        found = getattr(item, "_fixtureinfo", None)
        definitions = found.name2fixturedefs.values() if found else ()
        is_shared = any(one[-1].scope == "module" for one in definitions)
        if is_shared and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """The URL of an embedded server of this test process; its databases are the tests' own."""
    from metrics_assets.warehouse import embedded

    home = Path(tempfile.mkdtemp(prefix="ma-"))
    try:
        url = make_url(embedded.start(home)).set(drivername="postgresql+psycopg2")
        _careless(url)
        yield url
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def _careless(url: URL) -> None:
    """Let the server forget all on a power cut: the tests' databases are gone then anyway, and are made faster."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sa.text(f"alter system set {setting} = off"))
        connection.execute(sa.text("select pg_reload_conf()"))


@pytest.fixture(scope="session")
def template(postgres: URL) -> str:
    """The name of a migrated database to copy."""
    from metrics_assets.warehouse.engine import create_engine, ensure_database
    from metrics_assets.warehouse.migrate import migrate

    url = postgres.set(database="template_metrics")
    ensure_database(url)
    engine = create_engine(url)
    migrate(engine)
    engine.dispose()
    return str(url.database)


@pytest.fixture
def new_database(postgres: URL, template: str) -> Iterator[Callable[[str], URL]]:
    """Makes migrated, empty databases by name; they are gone after the test."""
    maintenance = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    made: list[str] = []

    def make(name: str) -> URL:
        with maintenance.connect() as connection:
            connection.execute(sa.text(f"create database {name} template {template}"))
            connection.execute(sa.text(f"alter database {name} set search_path = metrics, raw, ops, public"))
        made.append(name)
        return postgres.set(database=name)

    yield make
    with maintenance.connect() as connection:
        for name in made:
            connection.execute(sa.text(f"drop database {name} with (force)"))


@pytest.fixture
def warehouse(new_database: Callable[[str], URL]) -> Iterator[sa.Engine]:
    """An engine on an empty, migrated warehouse."""
    from metrics_assets.warehouse.engine import create_engine

    engine = create_engine(new_database("warehouse"))
    yield engine
    engine.dispose()


@pytest.fixture
def embedded_home() -> Iterator[Path]:
    """A folder for an embedded server of the test's own; what still runs there is stopped.

    Not pytest's: another test session shuts those to the user that the server runs as where tests run as root.
    """
    from metrics_assets.warehouse import embedded

    home = Path(tempfile.mkdtemp(prefix="ma-"))
    try:
        yield home
    finally:
        for data in [path.parent for path in home.rglob("postgres") if path.is_dir()]:
            embedded.stop(data)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of recorded answers and real histories; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("METRICS_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the recorded data is not at {folder}; set METRICS_TEST_DATA to where it is")
    return folder
