"""`metrics run` when its alert rules cannot be evaluated: a problem of the run, and all else is said as ever."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets import cli, environment, running
from metrics_assets.assets import alerts
from metrics_assets.assets.shared import Warehouse
from metrics_assets.automation import pipeline as pipeline_module
from metrics_assets.automation import thresholds as thresholds_module
from metrics_assets.automation.jobs import alerts_job
from metrics_assets.automation.pipeline import pipeline_sensor
from metrics_assets.automation.thresholds import thresholds_sensor
from metrics_assets.errors import CatalogueError
from metrics_assets.progress import progress_logger
from metrics_assets.running import Outcome, run_main_job
from metrics_assets_tests.automation.conftest import FALLEN, Clock, deployments, settings

DAY = date(2025, 12, 14)


def raising(error: Exception) -> Any:
    def raises(*_: Any) -> None:
        raise error

    return raises


def definitions(clock: Clock) -> dg.Definitions:
    """A main job that does nothing, and the sensors that look at alerts."""

    @dg.op
    def nothing() -> None:
        pass

    @dg.job(name="main", logger_defs={"progress": progress_logger})
    def main() -> None:
        nothing()

    @dg.asset(key=["ops", "notifications"])
    def notifications() -> None:
        pass

    return dg.Definitions(
        [notifications],
        jobs=[main, alerts_job],
        sensors=[thresholds_sensor(settings(), clock), pipeline_sensor(settings(), clock)],
        resources={"warehouse": Warehouse()},
        loggers={"progress": progress_logger},
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CatalogueError("There is no metric x.\nmore"), "CatalogueError: There is no metric x."),
        (
            KeyError("postgresql://ann:secret@db"),
            "KeyError: it was raised in metrics_assets/automation/thresholds.py, line ",
        ),
    ],
)
def test_rules_that_cannot_be_evaluated_are_a_problem_of_the_run(
    engine: sa.Engine,
    instance: dg.DagsterInstance,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
) -> None:
    deployments(engine, 1, *FALLEN)
    # What was to be told before is still told: the other sensor goes on.
    alerts.check_thresholds(engine, settings(), DAY, clock.now)
    monkeypatch.setattr(thresholds_module, "check_thresholds", raising(error))
    outcome = run_main_job(definitions(clock), instance, DAY, DAY)
    (problem,) = outcome.unevaluated
    assert problem.startswith(f"the alert rules could not be evaluated: {said}")
    assert "secret" not in problem
    assert (outcome.succeeded, outcome.all_good) == (True, False)
    assert outcome.alerts == ["low_deployment_activity opened: acme/api"]


def test_what_both_sensors_stumble_over_is_said_once(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployments(engine, 1, *FALLEN)
    wrong = raising(CatalogueError("metrics.yaml, alerts.rules.x: there is no rule 'x'."))
    monkeypatch.setattr(thresholds_module, "check_thresholds", wrong)
    monkeypatch.setattr(pipeline_module, "check_pipeline", wrong)
    assert run_main_job(definitions(clock), instance, DAY, DAY).unevaluated == [
        "the alert rules could not be evaluated: CatalogueError: metrics.yaml, alerts.rules.x: there is no rule 'x'."
    ]


def test_the_summary_is_printed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], instance: dg.DagsterInstance
) -> None:
    outcome = Outcome("0123456789", True, alerts=["a_rule opened"], unevaluated=["the alert rules could not be: X: Y."])
    monkeypatch.setenv("METRICS_HOME", str(tmp_path))
    monkeypatch.setattr(environment, "prepare", lambda: sa.make_url("postgresql+psycopg2://127.0.0.1/metrics"))
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: instance)
    monkeypatch.setattr(running, "run_main_job", lambda *_, **__: outcome)
    with pytest.raises(SystemExit) as ended:
        cli._run(settings(), DAY, DAY)
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert "  the alert rules could not be: X: Y.\n" in printed.err
    assert "  alert delivered: a_rule opened\nNOT all done in " in printed.out
    assert "this was run 01234567" in printed.out
