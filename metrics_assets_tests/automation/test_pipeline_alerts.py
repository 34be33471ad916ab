"""The sensor `pipeline`: what runs that failed are said to have failed of, and when it looks."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets.alerting.states import open_alerts
from metrics_assets.automation.pipeline import pipeline_sensor
from metrics_assets.automation.runs import run_facts, why_it_failed
from metrics_assets.errors import ConfigurationError
from metrics_assets.sources.errors import Unavailable
from metrics_assets_tests.automation.conftest import Clock, Receiver, end_a_run, launch, settings, tick

SECRET = "https://user:secret@db.example.org"


def caused(by: Exception, error: Exception) -> Exception:
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        # Our own errors are sentences; of them the first line.
        (Unavailable("GitHub answered 502; ask later.\nmore"), "Unavailable: GitHub answered 502; ask later"),
        (dg.Failure("aurora/api: issues incomplete"), "aurora/api: issues incomplete"),
        # What others say may hold an address.
        (RuntimeError(f"cannot reach {SECRET}"), "RuntimeError"),
        (caused(RuntimeError(SECRET), ConfigurationError("TOKEN is not set.")), "ConfigurationError: TOKEN is not set"),
        (caused(Unavailable("It is away."), KeyError(SECRET)), "Unavailable: It is away"),
    ],
)  # fmt: skip
def test_why_a_run_failed_holds_no_secret(instance: dg.DagsterInstance, error: Exception, said: str) -> None:
    why = why_it_failed(instance, end_a_run(instance, error=error))
    assert why.startswith("step collect: ")
    assert why.endswith(said)
    assert "secret" not in why


def test_a_failed_run_is_told_and_its_success_too(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock, receiver: Receiver
) -> None:
    sensor = pipeline_sensor(settings(), clock)
    # Runs end by the real clock, of which this test says nothing.
    nothing = tick(sensor, instance)
    assert nothing.skip_message == (
        "No run has ended yet; 5 rules, 0 of what they look at is or was wrong: 0 opened, 0 resolved, nothing to "
        "deliver."
    )
    end_a_run(instance, "main", Unavailable("GitHub is away."))
    failed = tick(sensor, instance, nothing.cursor)
    (request,) = failed.run_requests
    assert request.tags["metrics/subject"] == "main"
    assert launch(request, instance, settings(), "pipeline").success
    (alert,) = open_alerts(engine)
    assert (alert.rule, alert.subject_kind, alert.subject) == ("run_failed", "pipeline", "main")
    assert alert.text.endswith("step collect: Unavailable: GitHub is away.")
    assert tick(sensor, instance, failed.cursor).skip_message == (
        "No run has ended since the last look, less than 10 minutes ago."
    )
    # What another job or the delivery does is another matter.
    end_a_run(instance, "feeds")
    end_a_run(instance, "alerts", RuntimeError())
    other = tick(sensor, instance, failed.cursor)
    assert other.skip_message.startswith("Newest runs: feeds succeeded, main FAILED; 5 rules, 1 of what they look at")
    end_a_run(instance, "main")
    (request,) = tick(sensor, instance, other.cursor).run_requests
    assert request.tags["metrics/alert"] == "run_failed resolved"
    assert launch(request, instance, settings(), "pipeline").success
    assert receiver.titles == ["[warning] A run failed: main", "[resolved] A run failed: main"]


def test_a_run_that_will_be_tried_again_has_not_failed_yet(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock
) -> None:
    end_a_run(instance, "main")
    end_a_run(instance, "main", RuntimeError(), **{"dagster/will_retry": "true"})
    assert run_facts(instance, settings()).jobs["main"].succeeded
    end_a_run(instance, "main", RuntimeError(), **{"dagster/will_retry": "false"})
    assert not run_facts(instance, settings()).jobs["main"].succeeded


def test_chosen_assets_that_failed_are_forgotten_when_the_main_job_succeeds(
    engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock, receiver: Receiver
) -> None:
    sensor = pipeline_sensor(settings(), clock)
    end_a_run(instance, "main")
    end_a_run(instance, "__ASSET_JOB", RuntimeError())
    failed = tick(sensor, instance)
    (alert,) = open_alerts(engine)
    assert (alert.rule, alert.subject) == ("run_failed", "assets")
    # A failure of the main job mends nothing, and one that comes after its success breaks nothing of them.
    end_a_run(instance, "main", RuntimeError())
    assert set(run_facts(instance, settings()).jobs) == {"main", "assets"}
    end_a_run(instance, "main")
    end_a_run(instance, "main", RuntimeError())
    assert set(run_facts(instance, settings()).jobs) == {"main"}
    tick(sensor, instance, failed.cursor)
    assert [alert.subject for alert in open_alerts(engine)] == ["main"]
    end_a_run(instance, "__ASSET_JOB", RuntimeError())
    assert not run_facts(instance, settings()).jobs["assets"].succeeded


def test_what_metrics_yaml_lists_is_said(instance: dg.DagsterInstance) -> None:
    given = settings().model_copy(update={"organizations": ["aurora"]})
    assert run_facts(instance, given).named == {"acme/api", "aurora"}


def test_it_looks_again_after_ten_minutes(engine: sa.Engine, instance: dg.DagsterInstance, clock: Clock) -> None:
    sensor = pipeline_sensor(settings(), clock)
    first = tick(sensor, instance)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.dora_daily (subject_kind, subject, repository_id, repository, date, "
                "days_observed) values ('repository', 'acme/api', 1, 'acme/api', '2025-12-14', 1)"
            )
        )
    clock.now = datetime(2025, 12, 17, 12, tzinfo=UTC)
    late = tick(sensor, instance, first.cursor)
    assert [request.tags["metrics/subject"] for request in late.run_requests] == ["metrics.dora_daily"]
    clock.go(minutes=9)
    assert "less than 10 minutes ago" in tick(sensor, instance, late.cursor).skip_message
    clock.go(minutes=1)
    assert len(tick(sensor, instance, late.cursor).run_requests) == 1  # still the first one, which no run has taken


def test_the_budget_is_that_of_the_tokens_and_the_share(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    assert run_facts(instance, settings()).budgets == {}
    monkeypatch.setenv("GITHUB_TOKEN", "a token")
    assert run_facts(instance, settings()).budgets == {"github": 4000.0}
    limited = settings().model_copy(deep=True)
    limited = limited.model_validate(
        {**limited.model_dump(exclude={"alerts", "sources"}), "sources": {"github": {"budget_per_hour": "light"}}}
    )
    assert run_facts(instance, limited).budgets == {"github": 500.0}
