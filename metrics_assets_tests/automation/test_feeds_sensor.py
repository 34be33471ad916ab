"""The sensor `feeds` asks again for a run that failed, later and later. What it asks for: assets/test_feeds.py."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from metrics_assets.automation import feeding
from metrics_assets.automation.feeding import feeds_sensor
from metrics_assets_tests.automation.conftest import end_a_run, settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("METRICS_CONFIG", str(tmp_path / "metrics.yaml"))
    (tmp_path / "feeds").mkdir()
    file = tmp_path / "feeds" / "kpi_values.csv"
    file.write_text("metric_key,period_start,period_end,value,segment,entered_by\n")
    os.utime(file, (time.time() - 60,) * 2)
    return tmp_path / "feeds"


def look(instance: dg.DagsterInstance, cursor: str | None) -> Any:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return feeds_sensor(settings()).evaluate_tick(context)


def test_a_run_that_failed_is_asked_for_again(
    folder: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, hours = time.time_ns(), [0.0]
    monkeypatch.setattr(feeding.time, "time_ns", lambda: began + int(hours[0] * 3_600_000_000_000))
    first = look(instance, None)
    (request,) = first.run_requests
    asked = [request.run_key]
    tags = {"dagster/run_key": str(request.run_key)}
    end_a_run(instance, "feeds", RuntimeError(), **tags, **{"dagster/will_retry": "true"})
    assert "none has changed" in look(instance, first.cursor).skip_message  # Dagster itself tries again
    cursor = first.cursor
    for wait in (1, 2, 4):
        end_a_run(instance, "feeds", RuntimeError(), **tags)
        skipped = look(instance, cursor)
        assert f"the run that read them failed; it is tried again in {wait} hours." in skipped.skip_message
        hours[0] += wait
        again = look(instance, cursor)
        (request,) = again.run_requests
        cursor, tags = again.cursor, {"dagster/run_key": str(request.run_key)}
        asked.append(request.run_key)
    assert len(set(asked)) == 4
    end_a_run(instance, "feeds", **tags)
    hours[0] += 100
    assert "none has changed" in look(instance, cursor).skip_message
    # A change is read at once, and its tries are counted anew.
    os.utime(folder / "kpi_values.csv", (time.time() - 30,) * 2)
    changed = look(instance, cursor)
    assert len(changed.run_requests) == 1
    assert json.loads(changed.cursor)["tries"] == 0


def test_the_cursor_of_an_earlier_version_is_understood(folder: Path, instance: dg.DagsterInstance) -> None:
    state = (folder / "kpi_values.csv").stat()
    earlier = json.dumps({"kpi_values.csv": [state.st_mtime_ns, state.st_size]})
    assert "none has changed" in look(instance, earlier).skip_message
