"""Running the main job for a test: against a served history, on a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.demo.history import History
from metrics_assets.demo.server import DemoServer
from metrics_assets.environment import prepare
from metrics_assets.settings import Settings
from metrics_assets.warehouse import engine as engines

_SET_BY_PREPARE = ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL", "DAGSTER_COMPUTE_LOGS", "DAGSTER_DISABLE_TELEMETRY")


@contextmanager
def playing(
    history: History, database: URL, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[DemoServer, sa.Engine]]:
    """A server that plays a history, and this process's environment and engine set to it and to a database."""
    with DemoServer(history) as server:
        monkeypatch.setenv("METRICS_DATABASE_URL", database.render_as_string(hide_password=False))
        monkeypatch.setenv("METRICS_HOME", str(home))
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", "a-token-of-the-test")
        for name in _SET_BY_PREPARE:
            monkeypatch.setenv(name, "")  # so that it is taken back after the test
        monkeypatch.setenv("METRICS_CONFIG", "not-read.yaml")
        engines.engine.cache_clear()
        prepare()
        try:
            yield server, engines.engine()
        finally:
            engines.engine().dispose()
            engines.engine.cache_clear()


def materialize(settings: Settings, first: date, last: date, select: str | None = None) -> dg.ExecuteInProcessResult:
    """Run the main job over [first, last] on the instance of `playing`; errors are raised."""
    from metrics_assets.automation.jobs import MAIN_JOB, RANGE_END_TAG, RANGE_START_TAG
    from metrics_assets.definitions import build

    definitions = build(settings)
    keys = None
    if select is not None:
        selection = dg.AssetSelection.from_string(select)
        selection |= selection.required_multi_asset_neighbors()
        keys = sorted(selection.resolve(definitions.resolve_asset_graph()))
    with dg.DagsterInstance.get() as instance:
        return definitions.resolve_job_def(MAIN_JOB).execute_in_process(
            instance=instance,
            asset_selection=keys,
            tags={RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()},
        )
