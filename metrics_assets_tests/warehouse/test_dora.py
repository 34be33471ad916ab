"""DORA's keys of every subject, from rows of delivery that are given; tiers, and the functions people know."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.derivations import derivations
from metrics_assets.sources import records
from metrics_assets_tests.warehouse.tables import (
    at,
    commit,
    derive,
    environment,
    fill,
    good,
    incident,
    on,
    record,
    service,
    table,
)

LAST = "06-28"


def deliver(
    engine: sa.Engine,
    changes: Sequence[tuple[Any, ...]] = (),
    deployments: Sequence[tuple[Any, ...]] = (),
    incidents: Sequence[tuple[Any, ...]] = (),
    failures: Sequence[tuple[Any, ...]] = (),
    last: str = LAST,
) -> None:
    """Write rows of delivery as the tables have them, and derive durations and keys of June.

    changes: (repository, chain, merged, state, deployed, lead hours); deployments: (repository, chain, key, finished,
    outcome); incidents: (repository, chain, number, opened, closed); failures: (repository, chain, key, failed,
    restored).
    """
    with engine.begin() as connection:
        for number, (repository, chain, merged, state, deployed, lead) in enumerate(changes):
            connection.execute(
                sa.text(
                    "insert into metrics.changes (repository_id, chain, repository, change_key, kind, merged_at, "
                    "state, deployed_at, deployment_key, lead_time_hours) "
                    "values (:repository, :chain, 'x', :key, 'commit', :merged, :state, :deployed, 'd', :lead)"
                ),
                {
                    "repository": repository,
                    "chain": chain,
                    "key": f"commit:{number}",
                    "merged": at(merged),
                    "state": state,
                    "deployed": at(deployed) if deployed else None,
                    "lead": lead,
                },
            )
        for repository, chain, key, finished, outcome in deployments:
            connection.execute(
                sa.text(
                    "insert into metrics.deployments values (:repository, :chain, 'x', :key, 'deployments', "
                    "'production', null, 'sha', :at, :at, :at, :outcome)"
                ),
                {"repository": repository, "chain": chain, "key": key, "at": at(finished), "outcome": outcome},
            )
        for repository, chain, number, opened, closed in incidents:
            connection.execute(
                sa.text(
                    "insert into metrics.incidents (repository_id, repository, issue_number, severity, status, "
                    "created_at, closed_at, chain) values (:repository, 'x', :number, 'major', 'open', :opened, "
                    ":closed, :chain)"
                ),
                {
                    "repository": repository,
                    "number": number,
                    "opened": at(opened),
                    "closed": at(closed) if closed else None,
                    "chain": chain,
                },
            )
        for repository, chain, key, failed, restored in failures:
            connection.execute(
                sa.text(
                    "insert into metrics.deployment_failures values (:repository, :chain, 'x', :key, "
                    "'failed_deployment', :key, :failed, :failed, :restored, null, null)"
                ),
                {
                    "repository": repository,
                    "chain": chain,
                    "key": key,
                    "failed": at(failed),
                    "restored": at(restored) if restored else None,
                },
            )
    for name in ("durations_daily", "dora_daily"):
        derivations()[name].run(engine, on("06-01"), on(last) + timedelta(days=1))


def other_repository(engine: sa.Engine, created: str = "06-01", team: str | None = None) -> None:
    """A second repository, 'acme/web', collected like the first."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into raw.repositories (repository_id, repository, state, is_fork, is_private, has_issues, "
                "created_at, provider) values (:id, 'acme/web', 'active', false, false, true, :created, 'github')"
            ),
            {"id": 2, "created": at(created)},
        )
        connection.execute(
            sa.text(
                "insert into ops.repository_settings (repository_id, repository, team, deployment_source, environment, "
                "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
                "select :id, 'acme/web', :team, deployment_source, environment, release_tag_pattern, incident_labels, "
                "incident_maximum_gap_hours, entities from ops.repository_settings where repository_id = 1"
            ),
            {"id": 2, "team": team},
        )
        connection.execute(
            sa.text(
                "insert into ops.collection_state (repository_id, entity, days) "
                "select :id, entity, days from ops.collection_state where repository_id = 1"
            ),
            {"id": 2},
        )


def figures(engine: sa.Engine, subject: str, *columns: str, day: str = LAST, kind: str | None = None) -> Any:
    """Columns of a subject on a day; one column as a bare value."""
    about = f"and subject_kind = '{kind}'" if kind else ""
    (row,) = table(
        engine,
        f"select {', '.join(columns)} from dora_daily where subject = '{subject}' and date = '2025-{day}' {about}",
    )
    return row[0] if len(columns) == 1 else row


def shipped(repository: int, day: int, lead: float, chain: str = "") -> tuple[Any, ...]:
    return (repository, chain, f"06-{day:02} 08:00", "shipped", f"06-{day:02} 09:00", lead)


def test_a_portfolios_median_is_that_of_its_rows_and_no_average_of_medians(warehouse: sa.Engine) -> None:
    fill(warehouse)
    other_repository(warehouse)
    api, web = [1.0, 2.0, 3.0, 4.0, 5.0], [100.0]
    deliver(
        warehouse,
        [*(shipped(1, 10 + n, lead) for n, lead in enumerate(api)), shipped(2, 10, web[0])],
        [(1, "", "a", "06-10 09:00", "succeeded"), (2, "", "b", "06-10 09:00", "succeeded")],
    )
    columns = ("lead_time_hours", "lead_time_hours_p90", "lead_time_n", "lead_time_hours_low", "lead_time_hours_high")
    assert figures(warehouse, "acme/api", *columns) == (3, 4.6, 5, None, None)
    assert figures(warehouse, "acme/web", *columns) == (100, 100, 1, None, None)
    # Six rows are enough for an interval: from the smallest to the largest.
    assert figures(warehouse, "acme", *columns) == (statistics.median(api + web), 52.5, 6, 1, 100)
    counted = ("deployments_in_window", "changes_shipped_of_merged", "deployment_source")
    assert figures(warehouse, "acme", *counted) == (2, 6, "deployments")


def test_a_repository_with_services_is_the_sum_of_its_services_and_environments_count_for_themselves(
    warehouse: sa.Engine,
) -> None:
    fill(warehouse, chains=[service("web", team="front"), service("jobs", team="back"), environment("staging")])
    deliver(
        warehouse,
        [shipped(1, 10, 2, "web"), shipped(1, 11, 4, "jobs"), shipped(1, 11, 50, "@staging")],
        [
            (1, "web", "a", "06-10 09:00", "succeeded"),
            (1, "jobs", "b", "06-11 09:00", "succeeded"),
            (1, "jobs", "c", "06-12 09:00", "failed"),
            (1, "@staging", "s", "06-11 09:00", "succeeded"),
        ],
        incidents=[(1, "web", 7, "06-11", "06-11 06:00"), (1, None, 8, "06-12", None)],
        failures=[(1, "jobs", "c", "06-12 09:00", "06-12 12:00")],
    )
    keys = ("deployments_in_window", "lead_time_hours", "change_failure_rate", "failed_deployment_recovery_hours")
    assert figures(warehouse, "acme/api#web", *keys) == (1, 2, 0, None)
    assert figures(warehouse, "acme/api#jobs", *keys) == (1, 4, 0.5, 3)
    assert figures(warehouse, "acme/api@staging", *keys) == (1, 50, 0, None)
    assert figures(warehouse, "acme/api", *keys) == (2, 3, 0.333333, 3)
    assert figures(warehouse, "front", *keys) == (1, 2, 0, None)
    assert figures(warehouse, "acme", *keys) == (2, 3, 0.333333, 3)

    # An incident is its chain's; one that is tied to nothing is the repository's and of all who have a part in it.
    incidents = ("mttr_n", "incidents_open")
    assert figures(warehouse, "acme/api#web", *incidents) == (1, 0)
    assert figures(warehouse, "acme/api#jobs", *incidents) == (0, 0)
    assert figures(warehouse, "front", *incidents) == (1, 1)
    assert figures(warehouse, "back", *incidents) == (0, 1)
    assert figures(warehouse, "acme/api", *incidents) == figures(warehouse, "acme", *incidents) == (1, 1)


def test_coverage_says_what_became_of_every_change_that_was_merged(warehouse: sa.Engine) -> None:
    fill(warehouse)
    deliver(
        warehouse,
        [
            (1, "", "06-01 08:00", "baseline", "06-03 09:00", None),
            (1, "", "06-02 08:00", "baseline", "06-03 09:00", None),
            (1, "", "06-04 08:00", "shipped", "06-06 09:00", 4),
            (1, "", "06-05 08:00", "untied", None, None),
            (1, "", "06-07 08:00", "waiting", None, None),
        ],
        [(1, "", "a", "06-03 09:00", "succeeded"), (1, "", "b", "06-06 09:00", "succeeded")],
        last="06-30",
    )
    columns = [f"changes_{name}" for name in (
        "merged_in_window", "shipped_of_merged", "waiting_of_merged", "in_baseline_of_merged", "untied_of_merged",
        "waiting",
    )]  # fmt: skip
    expected = {
        "06-02": (2, 0, 2, 0, 0, None),  # until the first deployment nobody knows that it will be a baseline
        "06-03": (2, 0, 0, 2, 0, 0),
        "06-05": (4, 0, 1, 2, 1, 1),
        "06-06": (4, 1, 0, 2, 1, 0),
        "06-07": (5, 1, 1, 2, 1, 1),
        "06-29": (4, 1, 1, 1, 1, 1),  # the first change has left the window
    }
    for day, row in expected.items():
        assert figures(warehouse, "acme/api", *columns, day=day) == row, day
    coverage = "select value, numerator, denominator from metric_values where metric = 'lead_time_coverage' "
    assert table(warehouse, coverage + "and date = '2025-06-07' and subject = 'acme'") == [(0.2, 1, 5)]


def test_a_portfolio_waits_only_for_what_ships(warehouse: sa.Engine) -> None:
    fill(warehouse)
    other_repository(warehouse)
    waiting = [(2, "", "06-05 08:00", "waiting", None, None), (1, "", "06-05 08:00", "waiting", None, None)]
    deliver(warehouse, waiting, [(1, "", "a", "06-03 09:00", "succeeded")])
    assert figures(warehouse, "acme/web", "changes_waiting", "changes_waiting_of_merged") == (None, 1)
    assert figures(warehouse, "acme", "changes_waiting", "changes_waiting_of_merged") == (1, 2)


def test_a_subject_is_as_old_as_its_oldest_repository_and_has_no_source_where_they_differ(
    warehouse: sa.Engine,
) -> None:
    fill(warehouse)
    other_repository(warehouse, created="06-20", team="web")
    deliver(warehouse, deployments=[(n, "", f"d{n}", "06-21 09:00", "succeeded") for n in (1, 2)])
    with warehouse.begin() as connection:
        connection.exec_driver_sql("update metrics.deployments set source = 'tags' where repository_id = 2")
    deliver(warehouse)
    observed = ("days_observed", "deployment_frequency", "deployment_source")
    assert figures(warehouse, "acme/web", *observed) == (9, round(1 / 9, 6), "tags")
    assert figures(warehouse, "web", *observed) == (9, round(1 / 9, 6), "tags")
    assert figures(warehouse, "acme", *observed) == (28, round(2 / 28, 6), None)
    assert table(warehouse, "select min(date) from dora_daily where subject = 'web'") == [("06-20",)]


def test_a_figure_is_known_as_long_as_one_repository_was_collected(warehouse: sa.Engine) -> None:
    fill(warehouse)
    other_repository(warehouse)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "update ops.collection_state set days = '{[2025-06-01,2025-06-11)}' where repository_id = 2;"
            "update ops.collection_state set days = '{[2025-06-01,2025-06-21)}' where repository_id = 1"
        )
    deliver(
        warehouse,
        [shipped(1, 5, 3), shipped(2, 5, 5)],
        [(n, "", f"d{n}", "06-05 09:00", "succeeded") for n in (1, 2)],
        [(1, "", 7, "06-06", "06-07")],
    )
    columns = ("deployments_in_window", "lead_time_hours", "lead_time_n", "incidents_open", "changes_merged_in_window")
    assert figures(warehouse, "acme/web", *columns, day="06-15") == (None, None, 0, None, None)
    assert figures(warehouse, "acme", *columns, day="06-15") == (2, 4, 2, 0, 2)
    assert figures(warehouse, "acme", *columns, day="06-25") == (None, None, 0, None, None)


def test_rates_and_the_frequency_have_intervals(warehouse: sa.Engine) -> None:
    fill(warehouse)
    deliver(
        warehouse,
        deployments=[(1, "", f"d{n:02}", f"06-{n:02} 09:00", "succeeded") for n in range(11, 21)],
        failures=[(1, "", "d11", "06-11 10:00", "06-11 11:00")],
    )
    rate = ("change_failure_rate", "change_failure_rate_low", "change_failure_rate_high")
    assert figures(warehouse, "acme/api", *rate) == (0.1, 0.017876, 0.404150)
    frequency = ("deployment_frequency", "deployment_frequency_low", "deployment_frequency_high")
    # Of 10 events the exact limits are 4.795 and 18.390.
    found = [value * 28 for value in figures(warehouse, "acme/api", *frequency)]
    assert found == pytest.approx([10, 4.79, 18.39], abs=0.02)
    values = "select value, low, high, numerator, denominator from metric_values where metric = 'change_failure_rate'"
    assert table(warehouse, f"{values} and subject = 'acme/api' and date = '2025-{LAST}'") == [
        (0.1, 0.017876, 0.404150, 1, 10)
    ]


@pytest.mark.parametrize(
    ("tier_set", "metric", "value", "tier"),
    [
        ("standard", "mttr_hours", 0.5, "elite"),
        ("2024", "change_failure_rate", 0.05, "elite"),
        ("2024", "change_failure_rate", 0.10, "medium"),  # fails less than the high level
        ("2024", "change_failure_rate", 0.20, "high"),
        ("2024", "change_failure_rate", 0.40, "low"),
        ("2024", "failed_deployment_recovery_hours", 5, "high"),  # the medium level has the same band
        ("2024", "failed_deployment_recovery_hours", 30, "low"),  # a gap
        ("2023", "change_failure_rate", 0.12, "medium"),
        ("2023", "deployment_frequency", 3, "elite"),
        ("2021", "lead_time_hours", 5, "high"),  # a gap
        ("2021", "lead_time_hours", 300, "medium"),  # a gap
        ("2021", "mttr_hours", 500, "low"),  # a gap
        ("2021", "change_failure_rate", 0.2, "high"),
        ("2019", "change_failure_rate", 0.3, "low"),
        ("2019", "deployment_frequency", 0.1, "medium"),
        ("2019", "rework_rate", 0.1, None),
    ],
)
def test_a_value_has_the_tier_of_its_set(
    warehouse: sa.Engine, tier_set: str, metric: str, value: float, tier: str | None
) -> None:
    assert table(warehouse, f"select dora_tier('{tier_set}', '{metric}', {value})") == [(tier,)]


@pytest.mark.parametrize(
    ("tier_set", "keys", "cluster"),
    [
        ("2024", "10, 2, 0.05, 0.5", "elite"),
        ("2024", "0.5, 100, 0.2, 5", "high"),
        ("2024", "0.1, 300, 0.1, 5", "medium"),
        ("2024", "0.5, 100, 0.14, 5", "high"),  # between two levels in failing, and high in the rest
        ("2024", "0.01, 2000, 0.4, 300", "low"),
        ("2024", "10, 2, 0.05, null", "elite"),
        ("2024", "10, 2, null, null", None),
        ("2021", "3, 0.5, 0.1, 0.2", "elite"),
        ("2019", "0, 3000, 0.5, 400", "low"),
        ("standard", "10, 2, 0.05, 0.5", None),
    ],
)
def test_the_nearest_cluster_is_in_all_keys_together(
    warehouse: sa.Engine, tier_set: str, keys: str, cluster: str | None
) -> None:
    assert table(warehouse, f"select nearest_cluster('{tier_set}', {keys})") == [(cluster,)]


def test_tiers_of_every_set_and_none_before_the_seventh_day(warehouse: sa.Engine) -> None:
    fill(warehouse)
    deliver(
        warehouse,
        [shipped(1, day, 2) for day in range(1, 29)],
        [
            (1, "", f"d{day}.{hour}", f"06-{day:02} {hour:02}:30", "succeeded")
            for day in range(1, 29)
            for hour in (9, 15)
        ],
        [(1, "", 7, "06-02 10:00", "06-02 10:30")],
        [(1, "", "d2.9", "06-02 10:00", "06-02 10:30")],
    )
    tiers = (
        "select tier_set, year, deployment_frequency_tier, lead_time_tier, change_failure_rate_tier, recovery_tier, "
        "nearest_cluster, keys_known from dora_tiers "
        "where subject_kind = 'portfolio' and date = '2025-06-{}' order by 1"
    )
    every = ("elite", "elite", "elite", "elite")
    assert table(warehouse, tiers.format("28")) == [
        ("2019", 2019, *every, "elite", 4),
        ("2021", 2021, "elite", "high", "elite", "elite", "elite", 4),
        ("2023", 2023, *every, "elite", 4),
        ("2024", 2024, *every, "elite", 4),
        ("standard", None, *every, "unknown", 4),
    ]
    nothing = ("unknown", "unknown", "unknown", "unknown", "unknown", 0)
    assert {row[2:] for row in table(warehouse, tiers.format("06"))} == {nothing}
    assert {row[2] for row in table(warehouse, tiers.format("07"))} == {"elite"}


def test_the_quick_check_gives_points_as_dora_does(warehouse: sa.Engine) -> None:
    """Weekly deployments, lead time of three days, recovered in two hours, 15 % failing, 5 % rework."""
    points = "select {}"
    assert table(warehouse, points.format("quick_check_hours(72), quick_check_hours(2)")) == [(6, 8)]
    assert table(warehouse, points.format("quick_check_frequency(1/7.0), quick_check_rate(0.15)")) == [(6, 8.5)]
    assert table(warehouse, points.format("quick_check_throughput(1/7.0, 72, 2)")) == [(round(20 / 3, 6),)]
    assert table(warehouse, points.format("quick_check_stability(0.15, 0.05)")) == [(9,)]
    assert table(warehouse, points.format("quick_check_overall(1/7.0, 72, 2, 0.15, 0.05)")) == [(7.6,)]
    assert table(warehouse, points.format("quick_check_overall(1/7.0, 72, null, 0.15, 0.05)")) == [(None,)]
    ends = "quick_check_hours(0.5), quick_check_hours(5000), quick_check_frequency(30), quick_check_frequency(0)"
    assert table(warehouse, points.format(ends)) == [(10, 0, 10, 0)]
    means = "select sum(mean) from quick_check_industry where metric in ('change_failure_rate', 'rework_rate')"
    assert table(warehouse, means) == [(15.9,)]


# The functions that people know


def test_time_to_restore_by_severity(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        incident(1, "06-10 00:00", "06-10 02:00", labels=["incident", "severity: critical"]),
        incident(2, "06-11 00:00", "06-11 06:00", labels=["incident", "severity: critical"]),
        incident(3, "06-12 00:00", labels=["incident", "severity: critical"]),
        incident(4, "06-12 00:00", "06-12 01:00", labels=["incident"]),
    )
    derive(warehouse, on("06-20"))
    critical = ("critical", 2, 4, 4, 5.6, 2, 6, 1)
    assert table(warehouse, "select * from get_mttr_stats()") == [critical, ("unknown", 1, 1, 1, 1, 1, 1, 0)]
    assert table(warehouse, "select * from get_mttr_stats('acme/api', 30, 'critical')") == [critical]
    assert table(warehouse, "select severity, n, open from get_mttr_stats('acme/api', 10)") == [
        ("critical", 1, 1),
        ("unknown", 1, 0),
    ]
    assert table(warehouse, "select * from get_mttr_stats('acme/nothing')") == []


def test_the_events_behind_the_keys_name_nobody(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 08:00", "a", author="ann"),
        good(1, "a", "06-01 09:00"),
        good(2, "b", "06-02 09:00"),
        incident(5, "06-02 10:00", mentions=["sha:b"], author="watcher[bot]"),
        record(
            records.Deployment,
            deployment_id=3,
            sha="b",
            environment="production",
            created_at="06-02 11:00",
            updated_at="06-02 11:00",
        ),
    )
    derive(warehouse, on("06-02"))
    events = (
        "select event_type, repository, timestamp, deployment_frequency, lead_time_hours, deployment_failed, "
        "environment, pr_number, commit_sha, actor from dora_metrics order by timestamp, event_type"
    )
    assert table(warehouse, events) == [
        ("commit", "acme/api", "06-01 08:00", 1, None, None, None, None, "a", "person"),
        ("deployment", "acme/api", "06-01 09:00", 1, None, False, "production", None, "a", None),
        ("commit", "acme/api", "06-02 08:00", 1, 1, None, None, None, "b", "person"),
        ("deployment", "acme/api", "06-02 09:00", 1, None, True, "production", None, "b", None),
        ("incident", "acme/api", "06-02 10:00", 1, None, None, None, None, None, "bot"),
    ]


def test_the_summary_needs_no_refreshing(warehouse: sa.Engine) -> None:
    fill(warehouse, commit("a", "06-01 08:00"), good(1, "a", "06-01 09:00"))
    derive(warehouse, on("06-05"))
    assert table(warehouse, "select refresh_dora_summary()") == [(5,)]
    assert table(warehouse, "select count(*) from dora_summary") == [(5,)]
    rows = "select value, n, tier from get_dora_performance_tier('acme/api', 30) where metric = 'deployment_frequency'"
    assert table(warehouse, rows) == [(0.2, 1, "unknown")]


def test_one_more_day_is_the_same_as_all_at_once(warehouse: sa.Engine) -> None:
    fill(warehouse)
    other_repository(warehouse)
    deliver(
        warehouse,
        [
            *(shipped(1 + n % 2, n, n * 1.5) for n in range(2, 27)),
            (1, "", "06-04 08:00", "waiting", None, None),
            (2, "", "06-03 08:00", "shipped", "06-25 07:00", 9),
            (1, "", "06-01 08:00", "baseline", "06-02 09:00", None),
        ],
        [(1 + n % 2, "", f"d{n}", f"06-{n:02} 09:00", "succeeded" if n % 5 else "failed") for n in range(2, 27)],
        [(1, "", 7, "06-06", "06-27"), (2, None, 8, "06-20", None)],
        [(1 + n % 2, "", f"d{n}", f"06-{n:02} 09:00", f"06-{n + 1:02} 09:00") for n in range(5, 26, 5)],
    )
    everything = "select * from dora_daily order by subject_kind, subject, date"
    at_once = table(warehouse, everything)
    assert len(at_once) == 3 * 28
    for number in (28, 25, 26, 7):
        day = date(2025, 6, number)
        for name in ("durations_daily", "dora_daily"):
            derivations()[name].run(warehouse, day, day + timedelta(days=1))
        assert table(warehouse, everything) == at_once
