"""kill -9 at any moment loses nothing and doubles nothing: the next run ends with the same tables."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from sqlalchemy.engine import URL

from metrics_assets.catalogue.alerts import load_rules
from metrics_assets.demo.faults import Rule, slow
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer
from metrics_assets.warehouse.engine import create_engine, dagster_url
from metrics_assets_tests.command import metrics, start_metrics, url_text
from metrics_assets_tests.tables import assert_same, contents

_KILLS = 10
# Two months, so that the history begins before them, and the two repositories that alert.
_CONFIGURATION = """
portfolio: killed
start: 2025-11-01
end: 2025-12-31
repositories:
  - {github: aurora/billing}
  - {github: aurora/search}
  - {github: aurora/toolkit}
channels:
  oncall: {url_env: ONCALL}
# Every message by itself, and none that waits for an hour of the day: what is told does not depend on the time.
alerts:
  group_from: 1000
  rules:
"""
# Forecasts, insights and reports take most of a run's time, and are each written in one transaction like all the rest.
_SELECTED = ("--select", 'not (key:"metrics/forecasts" or key:"metrics/insights" or key:"reports/*")')


def _configuration() -> str:
    waiting = [key for key, rule in load_rules().items() if rule.tell_at or rule.tell_on]
    return _CONFIGURATION + "".join(f"    {key}: {{off: true}}\n" for key in waiting)


@pytest.mark.xdist_group("killed processes")
def test_runs_killed_at_ten_random_moments_leave_what_an_undisturbed_run_leaves(
    new_database: Callable[[str], URL], tmp_path: Path
) -> None:
    (tmp_path / "metrics.yaml").write_text(_configuration())
    undisturbed, disturbed = new_database("undisturbed"), new_database("disturbed")
    with DemoServer(sample_organisation()) as server:
        common = {
            "GITHUB_API_URL": server.url,
            "GITHUB_TOKEN": "token",
            "ONCALL": f"{server.url}/webhook",
            "METRICS_PERSON_KEY": "the same secret for both warehouses",
        }
        began = time.monotonic()
        result = metrics("run", *_SELECTED, home=tmp_path, METRICS_DATABASE_URL=url_text(undisturbed), **common)
        seconds = time.monotonic() - began
        assert result.returncode == 0, result.stderr
        told = [message["dedup_key"] for message in server.received]
        assert len(told) == len(set(told)) >= 2
        server.received.clear()

        moments = random.Random(20260101)
        for _ in range(_KILLS):
            process = start_metrics(
                "run", *_SELECTED, home=tmp_path, METRICS_DATABASE_URL=url_text(disturbed), **common
            )
            try:
                process.wait(timeout=moments.uniform(0.1, 1.0) * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        result = metrics("run", *_SELECTED, home=tmp_path, METRICS_DATABASE_URL=url_text(disturbed), **common)
        assert result.returncode == 0, result.stderr
        # On a busy machine a delivery may have run out of time; it is tried again after a minute or more.
        for _ in range(30):
            if {message["dedup_key"] for message in server.received} == set(told):
                break
            time.sleep(5)
            metrics("alerts", "deliver", home=tmp_path, METRICS_DATABASE_URL=url_text(disturbed), **common)
        assert {message["dedup_key"] for message in server.received} == set(told)

    ours, expected = create_engine(disturbed), create_engine(undisturbed)
    assert_same(contents(ours), contents(expected))
    with ours.connect() as connection:
        waiting = connection.execute(sa.text("select count(*) from ops.notifications where state <> 'sent'")).scalar()
    assert waiting == 0
    for engine in (ours, expected):
        engine.dispose()


def test_a_dead_run_is_marked_and_gives_back_its_place_in_the_pool(
    new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "metrics.yaml").write_text(_configuration())
    database = new_database("dead")
    with DemoServer(sample_organisation()) as server:
        server.faults.append(Rule(slow(60_000), path="/graphql"))
        process = start_metrics(
            "run",
            home=tmp_path,
            METRICS_DATABASE_URL=url_text(database),
            GITHUB_API_URL=server.url,
            GITHUB_TOKEN="token",
            ONCALL=f"{server.url}/webhook",
        )
        for _ in range(600):
            if server.requests["graphql"]:
                break
            time.sleep(0.1)
        process.kill()
        process.wait()

    from metrics_assets.running import report_dead_runs

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "metrics-home" / "dagster"))
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url_text(dagster_url(database)))
    monkeypatch.setenv("DAGSTER_COMPUTE_LOGS", str(tmp_path))
    with DagsterInstance.get() as instance:
        (started,) = instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED]))
        pool = instance.event_log_storage.get_concurrency_info("github")
        assert pool.claimed_slots, "the test killed the run before it had taken its place in the pool"
        assert report_dead_runs(instance) == [started.run_id]
        assert instance.get_run_by_id(started.run_id).status == DagsterRunStatus.FAILURE  # type: ignore[union-attr]
        assert not instance.event_log_storage.get_concurrency_info("github").claimed_slots
        assert report_dead_runs(instance) == []
