"""Overview, delivery and the repositories' pages read from a warehouse: what was known on the day, and of no team."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets.assets.site import delivery, overview, repositories
from metrics_assets.assets.site.key_figures import read_key_figures
from metrics_assets.assets.site.reading import reading_of
from metrics_assets.assets.site.repository_rows import read_repositories
from metrics_assets.assets.site.summaries import read_alerts, read_gates, read_insights, read_summaries
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.pages.repository_data import RepositoryData
from metrics_assets.settings import Settings

DAY = date(2025, 12, 31)
TEAM = "Zx9-nightshift"
INSERT_DAILY = (
    "insert into metrics.dora_daily (subject_kind, subject, repository_id, repository, date, deployment_source, "
    "days_observed, deployments_succeeded, deployments_failed, deployments_in_window, deployment_frequency, "
    "lead_time_hours, lead_time_n, lead_time_hours_week, lead_time_week_n, change_failure_rate, "
    "deployments_finished_in_window, deployments_failing_in_window, changes_merged_in_window, "
    "changes_shipped_of_merged, changes_waiting_of_merged, changes_in_baseline_of_merged, changes_untied_of_merged) "
    "values (:kind, :subject, :id, :repository, :date, 'deployments', :days_observed, 1, 0, 28, 1.5, :lead, :n, :lead, "
    ":n, 0.1, 29, 3, 25, 20, 3, 0, 2)"
)


def settings() -> Settings:
    return Settings.model_validate(
        {"portfolio": "acme", "start": "2025-06-01", "repositories": [{"github": "acme/api", "team": TEAM}],
         "alerts": {"site_url": "https://metrics.acme.example/x"}}
    )  # fmt: skip


@pytest.fixture
def portfolio(warehouse: sa.Engine) -> sa.Engine:
    """Two active repositories, one that is archived, and a team; 60 days of delivery."""
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
                "values ('acme', '2025-06-01', 3, 3, 'x')"
            )
        )
        for number, (name, state) in enumerate((("api", "active"), ("web", "active"), ("old", "archived")), start=1):
            add_repository(connection, number, f"acme/{name}", state)
        for days in range(60):
            about = {"date": DAY - timedelta(days=days), "days_observed": 28, "n": 12}
            connection.execute(sa.text(INSERT_DAILY), [
                {"kind": "portfolio", "subject": "acme", "id": None, "repository": None, "lead": 30.0, **about},
                {"kind": "team", "subject": TEAM, "id": None, "repository": None, "lead": 900.0, **about},
                {"kind": "repository", "subject": "acme/api", "id": 1, "repository": "acme/api", "lead": 20.0, **about},
                {"kind": "repository", "subject": "acme/web", "id": 2, "repository": "acme/web", "lead": 900.0, **about,
                 "n": 2},
            ])  # fmt: skip
    return warehouse


def add_repository(connection: sa.Connection, number: int, name: str, state: str = "active") -> None:
    connection.execute(
        sa.text(
            "insert into raw.repositories (repository_id, repository, state, default_branch, is_fork, is_private, "
            "has_issues, created_at) values (:id, :name, :state, 'main', false, false, true, '2024-05-01')"
        ),
        {"id": number, "name": name, "state": state},
    )
    connection.execute(
        sa.text(
            "insert into ops.repository_settings (repository_id, repository, team, deployment_source, environment, "
            "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
            "values (:id, :name, :team, 'deployments', 'production', 'v*', '{incident}', 72, '{}')"
        ),
        {"id": number, "name": name, "team": TEAM},
    )


def execute(engine: sa.Engine, sql: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(sql), values)


def site_of(day: date = DAY) -> SiteInfo:
    return SiteInfo("acme", day, date(2025, 6, 1), "standard bands", (), pages=frozenset({addresses.OVERVIEW}))


def built(engine: sa.Engine, day: date = DAY) -> dict[str, str]:
    reading = reading_of(engine, settings(), day)
    pages = (overview, delivery, repositories)
    return {path: str(content) for page in pages for path, content in page.files(reading, site_of(day))}


def repository_data(engine: sa.Engine, day: date = DAY) -> dict[str, RepositoryData]:
    reading = reading_of(engine, settings(), day)
    alerts, gates = read_alerts(reading), read_gates(reading)
    summaries = read_summaries(reading, alerts, gates)
    found = read_repositories(reading, summaries, alerts, gates, read_insights(reading))
    return {one.summary.repository: one for one in found}


def deployment(engine: sa.Engine, key: str, finished: str, outcome: str = "succeeded", repository: int = 1) -> None:
    execute(
        engine,
        "insert into metrics.deployments (repository_id, chain, repository, deployment_key, source, environment, "
        "created_at, deployed_at, finished_at, outcome) "
        "values (:id, '', 'acme/api', :key, 'deployments', 'production', "
        "cast(:at as timestamptz), cast(:at as timestamptz), cast(:at as timestamptz), :outcome)",
        id=repository, key=key, at=finished, outcome=outcome,
    )  # fmt: skip


def change(
    engine: sa.Engine, key: str, merged: str, deployed: str | None, state: str, reason: str | None = None
) -> None:
    execute(
        engine,
        "insert into metrics.changes "
        "(repository_id, chain, repository, change_key, kind, merged_at, deployed_at, state, "
        "reason) values (1, '', 'acme/api', :key, 'pull_request', :merged, :deployed, :state, :reason)",
        key=key, merged=merged, deployed=deployed, state=state, reason=reason,
    )  # fmt: skip


def failure(engine: sa.Engine, key: str, signal: str, at: str, restored: str | None, hours: float | None) -> None:
    execute(
        engine,
        "insert into metrics.deployment_failures (repository_id, chain, repository, deployment_key, signal, evidence, "
        "failed_at, detected_at, restored_at, recovery_hours) values (1, '', 'acme/api', :key, :signal, :signal, "
        "cast(:at as timestamptz), cast(:at as timestamptz), cast(:restored as timestamptz), :hours)",
        key=key, signal=signal, at=at, restored=restored, hours=hours,
    )  # fmt: skip


def test_summaries_are_of_the_day_with_tiers_and_reasons(portfolio: sa.Engine) -> None:
    data = repository_data(portfolio)
    assert list(data) == ["acme/api", "acme/old", "acme/web"]
    api = data["acme/api"].summary
    lead = api.figure("lead_time_hours")
    assert (lead.value, lead.n, lead.tier) == (20.0, 12, "elite")
    assert (api.state, api.ships_by) == ("active", "deployments")
    thin = data["acme/web"].summary.figure("lead_time_hours")
    assert (thin.value, thin.n, thin.state, thin.tier) == (None, 2, "too_few", None)
    assert data["acme/old"].summary.state == "archived"
    assert data["acme/old"].summary.figure("lead_time_hours").value is None
    # Fewer than 7 days of data have no tier, as the function of the warehouse says it.
    execute(portfolio, "update metrics.dora_daily set days_observed = 6 where subject = 'acme/api'")
    assert repository_data(portfolio)["acme/api"].summary.figure("lead_time_hours").tier is None


def test_traffic_lights_are_the_catalogues(portfolio: sa.Engine) -> None:
    for repository, stars in (("acme/api", 1000), ("acme/web", 999)):
        execute(
            portfolio,
            "insert into metrics.calculated_daily (metric, subject_kind, subject, date, value, n, state) "
            "values ('stars_total', 'repository', :repository, :day, :stars, null, 'ok')",
            repository=repository, day=DAY, stars=stars,
        )  # fmt: skip
    data = repository_data(portfolio)
    assert data["acme/api"].summary.figure("stars_total").light == "green"
    assert data["acme/web"].summary.figure("stars_total").light == "yellow"
    assert data["acme/old"].summary.figure("stars_total").light is None


def test_what_happened_after_the_day_is_not_known_on_it(portfolio: sa.Engine) -> None:
    deployment(portfolio, "before", "2025-12-30 10:00+00")
    deployment(portfolio, "after", "2026-01-01 00:00+00")
    change(portfolio, "1", "2025-12-20 10:00+00", "2025-12-30 10:00+00", "shipped")
    change(portfolio, "2", "2025-12-31 10:00+00", "2026-01-01 00:00+00", "shipped")
    change(portfolio, "3", "2026-01-01 00:00+00", None, "waiting")
    change(portfolio, "4", "2025-12-21 10:00+00", None, "untied", "its commit is in no deployment")
    failure(portfolio, "before", "incident", "2025-12-31 23:59+00", "2026-01-01 02:00+00", 2.0)
    failure(portfolio, "before", "revert", "2026-01-01 00:00+00", None, None)
    execute(
        portfolio,
        "insert into metrics.incidents "
        "(repository_id, repository, issue_number, severity, status, created_at, tie_rule) "
        "values (1, 'acme/api', 1, 'high', 'open', '2025-12-31 23:00+00', 'sha'), "
        "(1, 'acme/api', 2, 'high', 'open', '2026-01-01 00:00+00', 'time')",
    )
    steps = repository_data(portfolio)["acme/api"].steps
    assert set(steps.changes) == {
        ("shipped", None, 1),
        ("waiting", "no deployment contains it yet", 1),
        ("untied", "its commit is in no deployment", 1),
    }
    assert (steps.succeeded, steps.failed) == (1, 0)
    assert steps.failures == (("incident", 1),)
    assert steps.incidents == (("sha", 1),)
    assert steps.window == {"merged": 25, "shipped": 20, "waiting": 3, "baseline": 0, "untied": 2}
    # A day later all of it is known.
    execute(
        portfolio,
        "insert into metrics.dora_daily (subject_kind, subject, date, days_observed) "
        "values ('repository', 'acme/api', '2026-01-01', 28)",
    )
    later = repository_data(portfolio, DAY + timedelta(days=1))["acme/api"].steps
    assert later.succeeded == 2
    assert dict(later.incidents) == {"sha": 1, "time": 1}
    found = delivery.read_delivery(reading_of(portfolio, settings(), DAY), site_of())
    (failed,) = found.failures
    assert (failed.signals, failed.restored_at, failed.recovery_hours) == (("incident",), None, None)
    assert found.hours == {(2, 10): (1, 0)}


def test_the_keys_of_seven_days(portfolio: sa.Engine) -> None:
    for number in range(4):
        # The 25th is the first of the seven days.
        deployment(portfolio, f"d{number}", f"2025-12-{31 - 2 * number} 10:00+00")
    deployment(portfolio, "d8", "2025-12-24 23:59+00", "failed")
    failure(portfolio, "d0", "incident", "2025-12-31 11:00+00", "2025-12-31 14:00+00", 3.0)
    failure(portfolio, "d0", "revert", "2025-12-31 12:00+00", "2025-12-31 15:00+00", 3.0)
    failure(portfolio, "d8", "failed_deployment", "2025-12-24 23:59+00", "2025-12-24 23:59+00", 0.1)
    week = repository_data(portfolio)["acme/api"].week
    assert (week["deployment_frequency"].value, week["deployment_frequency"].n) == (1.0, 7)  # dora_daily's days
    assert (week["change_failure_rate"].value, week["change_failure_rate"].n) == (0.25, 4)
    assert (week["failed_deployment_recovery_hours"].value, week["failed_deployment_recovery_hours"].n) == (3.0, 1)
    assert week["lead_time_hours"].tier == "elite"
    found = repository_data(portfolio)
    assert [one.days[-1].values["lead_time_hours"] for one in (found["acme/api"], found["acme/web"])] == [20.0, None]
    web = found["acme/web"].week
    assert (web["lead_time_hours"].state, web["lead_time_hours"].value) == ("too_few", None)
    assert "change_failure_rate" not in web
    # A day that was not collected leaves the rate unknown.
    execute(
        portfolio,
        "update metrics.dora_daily set deployments_succeeded = null where subject = 'acme/api' and date = :on",
        on=DAY - timedelta(days=3),
    )
    assert "deployment_frequency" not in repository_data(portfolio)["acme/api"].week


def test_gates_insights_and_key_figures_are_those_of_the_day(portfolio: sa.Engine) -> None:
    execute(
        portfolio,
        "insert into metrics.gate_criteria (gate, position, gate_title, subject_kind, group_key, group_title, level, "
        "criterion, title, target, days, share, pack, requirements) values "
        "('on', 1, 'On', 'repository', 'g', 'G', 'must', 'c', 'C', '1', 1, 1, 'engineering', '{}'), "
        "('off', 1, 'Off', 'repository', 'g', 'G', 'must', 'c', 'C', '1', 1, 1, 'no-such-pack', '{}')",
    )
    for gate, day, verdict in (
        ("on", DAY, "failed"),
        ("on", DAY + timedelta(days=1), "passed"),
        ("off", DAY, "failed"),
    ):
        execute(
            portfolio,
            "insert into metrics.gate_evaluations "
            "values (:gate, 'repository', 'acme/api', :day, :verdict, 50, 1, '[]', '{Docs}')",
            gate=gate, day=day, verdict=verdict,
        )  # fmt: skip
    for day, text in ((DAY - timedelta(days=40), "Long ago."), (DAY, "Today."), (DAY + timedelta(days=1), "Later.")):
        execute(
            portfolio,
            "insert into metrics.insights (insight, subject_kind, subject, date, topic, weight, sentence, evidence) "
            "values ('x', 'repository', 'acme/api', :day, 'trend', 1, :text, '{}')",
            day=day, text=text,
        )  # fmt: skip
    for day, stars in (("2025-09-30", 10), ("2025-11-30", 20), ("2025-12-31", 40)):
        execute(
            portfolio,
            "insert into metrics.calculated_daily (metric, subject_kind, subject, date, value, n, state) "
            "values ('stars_total', 'portfolio', 'acme', :day, :stars, null, 'ok')",
            day=day, stars=stars,
        )  # fmt: skip
    data = repository_data(portfolio)["acme/api"]
    assert [(gate.gate, gate.verdict) for gate in data.gates] == [("on", "failed")]
    assert [told.sentence for told in data.insights] == ["Today."]
    reading = reading_of(portfolio, settings(), DAY)
    assert read_insights(reading_of(portfolio, settings(), DAY - timedelta(days=5))) == ()
    figures = read_key_figures(reading)
    assert (figures.month_before, figures.quarter_before) == (date(2025, 11, 30), date(2025, 9, 30))
    (stars,) = [one for _, of in figures.categories for one in of if one.metric.key == "stars_total"]
    assert [one.value for one in (stars.now, stars.month_before, stars.quarter_before)] == [40, 20, 10]


def test_nothing_of_a_team_stands_on_these_pages(portfolio: sa.Engine) -> None:
    day = {"day": DAY, "team": TEAM}
    execute(
        portfolio,
        "insert into metrics.goal_catalogue (goal, title, metric, subject_kind, target, comparison, requirements) "
        "values ('g', 'G', 'lead_time_hours', 'team', 24, 'below', '{}')",
    )
    execute(
        portfolio,
        "insert into metrics.goals_daily (goal, subject_kind, subject, date, metric, value, metric_state, target, "
        "comparison, status, reason) values ('g', 'team', :team, :day, 'lead_time_hours', 900, 'ok', 24, 'below', "
        "'off track', 'x')",
        **day,
    )
    execute(
        portfolio,
        "insert into metrics.gate_criteria (gate, position, gate_title, subject_kind, group_key, group_title, level, "
        "criterion, title, target, days, share, requirements) values "
        "('t', 1, 'T', 'team', 'g', 'G', 'must', 'c', 'C', '1', 1, 1, '{}')",
    )
    execute(
        portfolio,
        "insert into metrics.gate_evaluations values ('t', 'team', :team, :day, 'failed', 5, 1, '[]', '{}')",
        **day,
    )
    execute(
        portfolio,
        "insert into metrics.insights (insight, subject_kind, subject, date, topic, weight, sentence, evidence) "
        "values ('x', 'team', :team, :day, 'trend', 9, :team || ' is slow.', '{}')",
        **day,
    )
    execute(
        portfolio,
        "insert into metrics.anomalies (metric, subject_kind, subject, date, value, state, severity, explanation) "
        "values ('lead_time_hours', 'team', :team, :day, 900, 'anomaly', 'critical', :team || ' is unusual.')",
        **day,
    )
    execute(
        portfolio,
        "insert into ops.alerts (rule, subject_kind, subject, metric, severity, state, opened_on, last_evaluated_on, "
        "text) values ('lead_time_over_two_days', 'team', :team, 'lead_time_hours', 'critical', 'firing', :day, :day, "
        "'x')",
        **day,
    )
    execute(
        portfolio,
        "insert into ops.daily_status (date, status, line, details) "
        "values (:day, 'issues', :line, cast(:details as jsonb))",
        day=DAY, line=f"{DAY}: issues: Lead time: {TEAM}.", details=json.dumps({"failed_checks": ["check x of y"]}),
    )  # fmt: skip
    files = built(portfolio)
    for path, content in files.items():
        assert TEAM not in unescape(content), path
        assert "nightshift" not in content.casefold(), path
    assert "1 check failed" in files[addresses.OVERVIEW]


def test_every_repository_has_a_page_and_a_file(portfolio: sa.Engine) -> None:
    files = built(portfolio)
    for name in ("acme/api", "acme/web", "acme/old"):
        assert addresses.repository(name) in files
        assert f"data/repo/{addresses.slug(name)}.csv" in files
    assert "https://metrics.acme.example/x/badges/acme.api/tier.svg" in files["repo/acme.api.html"]
    rows = list(csv.DictReader(io.StringIO(files["data/repositories.csv"])))
    assert [row["repository"] for row in rows] == ["acme/api", "acme/old", "acme/web"]
    assert built(portfolio) == files


def test_the_number_of_queries_does_not_grow_with_the_repositories(portfolio: sa.Engine) -> None:
    few = sum(1 for _ in statements(portfolio))
    with portfolio.begin() as connection:
        for number in range(10, 60):
            add_repository(connection, number, f"acme/more-{number}")
    assert sum(1 for _ in statements(portfolio)) == few


def statements(engine: sa.Engine) -> Iterator[str]:
    """The statements that building the repositories' pages sends; psycopg2's own cursors are counted, too."""
    seen: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    def checked_out(*_: Any) -> None:
        seen.append("connection")

    sa.event.listen(engine, "before_cursor_execute", count)
    sa.event.listen(engine, "checkout", checked_out)
    try:
        list(repositories.files(reading_of(engine, settings(), DAY), site_of()))
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
        sa.event.remove(engine, "checkout", checked_out)
    yield from seen


def test_an_empty_warehouse_makes_pages_of_words(warehouse: sa.Engine) -> None:
    execute(
        warehouse,
        "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
        "values ('acme', '2025-06-01', 3, 3, 'x')",
    )
    files = built(warehouse)
    assert "There is no repository yet" in files[addresses.OVERVIEW]
    assert "There is no repository yet" in files[addresses.REPOSITORIES]
    assert "There is no repository yet" in files[addresses.DELIVERY]
