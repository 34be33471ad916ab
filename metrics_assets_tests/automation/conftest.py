"""A warehouse with figures of one repository, a clock, and sensors that tick on a Dagster instance."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets.assets import alerts, shared
from metrics_assets.definitions import build
from metrics_assets.settings import Settings


def settings(**changes: Any) -> Settings:
    """A metrics.yaml with two channels, of which one is told only where a rule names it."""
    return Settings.model_validate(
        {
            "portfolio": "acme",
            "start": "2025-12-01",
            "repositories": [{"github": "acme/api"}],
            "channels": {"oncall": {"url_env": "RECEIVER"}, "boss": {"url_env": "RECEIVER", "default": False}},
            "alerts": changes,
        }
    )


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2025, 12, 16, 6, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def go(self, **much: float) -> None:
        self.now += timedelta(**much)


class Receiver(ThreadingHTTPServer):
    """Takes what is posted; answers with `status`."""

    def __init__(self) -> None:
        self.status, self.titles = 200, list[str]()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status == 200:
            self.server.titles.append(content["title"])
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """It is also that of the runs that deliver."""
    made = Clock()
    monkeypatch.setattr(alerts, "utc_now", made)
    return made


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("RECEIVER", f"http://127.0.0.1:{server.server_port}/hook")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def engine(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """The warehouse, which is also that of the Dagster resource."""
    monkeypatch.setattr(shared, "engine", lambda: warehouse)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.repository_settings (repository_id, repository, deployment_source, environment, "
                "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
                "values (1, 'acme/api', 'auto', 'production', 'v', '{incident}', 24, '{issues}')"
            )
        )
    return warehouse


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def deployments(engine: sa.Engine, first: int, *counts: int) -> None:
    """How often acme/api deployed on the days of December from `first` on."""
    with engine.begin() as connection:
        for number, count in enumerate(counts):
            connection.execute(
                sa.text(
                    "insert into metrics.dora_daily (subject_kind, subject, repository_id, repository, date, "
                    "days_observed, deployment_source, deployments_succeeded) values ('repository', 'acme/api', 1, "
                    "'acme/api', :date, 28, 'deployments', :count)"
                ),
                {"date": date(2025, 12, first) + timedelta(days=number), "count": count},
            )


# Ten deployments in a week, and two in the next: the rule low_deployment_activity holds on the 14th.
FALLEN = (2, 1, 2, 1, 2, 1, 1, 1, 0, 0, 1, 0, 0, 0)


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    """One look of a sensor."""
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"warehouse": shared.Warehouse()}
    ) as context:
        return sensor.evaluate_tick(context)


def launch(
    request: dg.RunRequest, instance: dg.DagsterInstance, given: Settings, sensor: str = "thresholds"
) -> dg.ExecuteInProcessResult:
    """The run that a sensor asked for."""
    tags = {**request.tags, "dagster/run_key": str(request.run_key), "dagster/sensor_name": sensor}
    job = build(given).resolve_job_def("alerts")
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def end_a_run(instance: dg.DagsterInstance, job: str = "main", error: Exception | None = None, **tags: str) -> str:
    """A run of a job of that name, which raises the error or succeeds; its id."""

    @dg.op
    def collect() -> None:
        if error is not None:
            raise error

    @dg.job(name=job)
    def made() -> None:
        collect()

    return made.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id
