"""`metrics up` for real: the web server and the daemon come up on the sample organisation, run a backfill, and end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest

from metrics_assets_tests.command import environment, metrics

_BACKFILL = """
mutation Backfill($keys: [AssetKeyInput!]!, $partitions: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $keys, partitionNames: $partitions, fromFailure: false}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status runs(limit: 10) { id status } } }
}
"""


@pytest.mark.xdist_group("processes")
def test_the_dagster_ui_comes_up_backfills_in_one_run_and_ends(embedded_home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "metrics_assets.cli", "up", "--port", str(port)],
        env=environment(embedded_home),
        cwd=embedded_home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def ask(query: str, **variables: Any) -> Any:
        answer = httpx.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
        assert "errors" not in answer, answer
        return answer["data"]

    try:
        _until(lambda: _answers(f"{url}/server_info"), seconds=120)
        tables = ["repositories", "repository_counters", "tags"]
        keys = [{"path": ["raw", table]} for table in tables]
        keys += [
            {"path": ["ops", table]} for table in ("repository_settings", "portfolio", "team_members", "affiliations")
        ]
        days = ["2025-12-29", "2025-12-30", "2025-12-31"]
        launched = ask(_BACKFILL, keys=keys, partitions=days)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched

        def status() -> Any:
            return ask(_STATUS, id=launched["backfillId"])["partitionBackfillOrError"]

        _until(lambda: status()["status"] not in ("REQUESTED", "COMPLETING"), seconds=150)
        done = status()
        assert done["status"].startswith("COMPLETED_SUCCESS"), done
        assert [run["status"] for run in done["runs"]] == ["SUCCESS"]
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
    assert code == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/server_info", timeout=5)


@pytest.mark.xdist_group("processes")
def test_db_url_starts_the_embedded_server_and_leaves_it_up(embedded_home: Path) -> None:
    (embedded_home / "metrics.yaml").write_text("repositories: [{github: acme/api}]")
    result = metrics("db-url", home=embedded_home)
    assert result.returncode == 0, result.stderr
    connection = psycopg2.connect(result.stdout.strip())
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from dora_summary")
        assert cursor.fetchone() == (0,)
    connection.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(1)
