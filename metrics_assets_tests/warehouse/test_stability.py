"""Incidents, and the deployments that failed: small histories and the tables that come of them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from metrics_assets_tests.warehouse.tables import (
    commit,
    day,
    deployment,
    derive,
    events,
    fill,
    good,
    incident,
    on,
    pull,
    release,
    table,
    tag,
)

LINE = [commit("a1a1a1a", "06-01 08:00"), *(commit(f"c{n}", f"06-{n:02} 08:00", f"c{n - 1}") for n in range(3, 30))]
CHAIN = [
    commit("a1a1a1a", "06-01 08:00"),
    commit("b2b2b2b", "06-02 08:00", "a1a1a1a"),
    commit("c3c3c3c", "06-03 08:00", "b2b2b2b"),
    pull(7, "06-02 07:00", "06-02 08:00", "b2b2b2b"),
    good(1, "a1a1a1a", "06-01 10:00"),
    good(2, "b2b2b2b", "06-02 10:00"),
    good(3, "c3c3c3c", "06-03 10:00"),
]
FAILURES = (
    "select deployment_key, signal, detected_at, restored_at, restored_by, recovery_hours "
    "from deployment_failures order by detected_at, deployment_key"
)


# Incidents


@pytest.mark.parametrize(
    ("mentions", "opened", "expected"),
    [
        (["sha:b2b2b2b"], "06-05 10:00", ("deployment:2", "sha", 1.0, 72.0)),
        (["sha:b2b2"], "06-05 10:00", ("deployment:2", "sha", 1.0, 72.0)),
        (["number:7"], "06-05 10:00", ("deployment:2", "pull_request", 0.9, 72.0)),
        (["number:7", "sha:c3c3c3c"], "06-05 10:00", ("deployment:3", "sha", 1.0, 48.0)),
        (["number:99"], "06-03 12:00", ("deployment:3", "time", 0.3, 2.0)),
        (["number:7"], "06-02 09:00", ("deployment:1", "time", 0.3, 23.0)),  # before it was deployed
        ([], "06-04 10:00", ("deployment:3", "time", 0.3, 24.0)),
        ([], "06-04 10:01", (None, None, None, None)),  # too long ago to be blamed
        ([], "06-01 09:00", (None, None, None, None)),  # nothing was deployed before
    ],
)  # fmt: skip
def test_an_incident_is_tied_by_the_best_evidence(
    warehouse: sa.Engine, mentions: list[str], opened: str, expected: tuple[object, ...]
) -> None:
    fill(warehouse, CHAIN, incident(50, opened, mentions=mentions))
    derive(warehouse, on("06-06"))
    ties = "select deployment_key, tie_rule, tie_confidence, tie_gap_hours from incidents"
    assert table(warehouse, ties) == [expected]


def test_an_incident_is_tied_to_the_version_that_it_names(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        release(1, "v1.0.0", "06-02"),
        release(2, "v1.1.0", "06-03"),
        tag("v1.0.0", "a", "06-02"),
        incident(50, "06-20", mentions=["version:1.0.0"]),
    )
    derive(warehouse, on("06-21"))
    assert table(warehouse, "select deployment_key, tie_rule from incidents") == [("release:1", "version")]


@pytest.mark.parametrize(
    ("labels", "severity"),
    [
        (["incident"], "unknown"),
        (["incident", "severity: Critical"], "critical"),
        (["priority", "incident", "severity/major"], "major"),  # the first label says no level
        (["P1", "incident"], "p1"),
        (["incident", "sev-2"], "sev2"),
        (["incident", "severity: 3"], "sev3"),
        (["incident", "critical-path", "priority: high"], "high"),
    ],
)
def test_severity_is_read_from_labels(warehouse: sa.Engine, labels: list[str], severity: str) -> None:
    fill(warehouse, incident(50, "06-02", labels=labels))
    derive(warehouse, on("06-02"))
    assert table(warehouse, "select severity from incidents") == [(severity,)]


def test_only_issues_with_an_incident_label_are_incidents(warehouse: sa.Engine) -> None:
    others = [incident(51, "06-02", labels=["bug"]), incident(52, "06-02", labels=["outage"])]
    fill(warehouse, incident(50, "06-02"), others)
    derive(warehouse, on("06-03"))
    assert table(warehouse, "select issue_number, status from incidents") == [(50, "open")]
    assert day(warehouse, "dora_daily", "06-02", "incidents_opened", "incidents_open") == (1, 1)
    assert day(warehouse, "dora_daily", "06-03", "incidents_opened", "incidents_open") == (0, 1)


def test_a_label_that_comes_late_makes_an_incident_of_an_old_issue(warehouse: sa.Engine) -> None:
    fill(warehouse, incident(50, "06-02", labels=["bug"]))
    derive(warehouse, on("06-02"))
    fill(warehouse, incident(50, "06-02", updated_at="06-20"))
    derive(warehouse, on("06-20"), first=on("06-17"))
    assert table(warehouse, "select issue_number, created_at from incidents") == [(50, "06-02 00:00")]
    assert day(warehouse, "dora_daily", "06-20", "incidents_open") == 1


def test_a_reopened_incident_was_over_until_then(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        CHAIN,
        good(4, "c3c3c3c", "06-03 12:00"),
        incident(50, "06-03 11:00", "06-06 11:00", mentions=["sha:c3c3c3c"]),
        events(50, ("closed", "06-03 13:00"), ("reopened", "06-05 09:00"), ("closed", "06-06 11:00")),
    )
    derive(warehouse, on("06-07"))
    columns = (
        "incidents_open, incidents_resolved, mttr_hours, mttr_n, failures_unrecovered, rework_deployments_in_window"
    )
    assert table(
        warehouse,
        f"select date, {columns} from dora_daily "
        "where subject_kind = 'repository' and date > '2025-06-02' order by date",
    ) == [
        ("06-03", 0, 1, 2.0, 1, 0, 1),
        ("06-04", 0, 0, 2.0, 1, 0, 1),
        ("06-05", 1, 0, None, 0, 1, 0),
        ("06-06", 0, 1, 72.0, 1, 0, 1),
        ("06-07", 0, 0, 72.0, 1, 0, 1),
    ]


# Change failure rate


def test_two_incidents_of_one_deployment_are_one_failure_in_ten(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        [good(n, f"c{n + 1}", f"06-{n + 1:02} 10:00") for n in range(1, 11)],
        LINE,
        incident(50, "06-02 11:00", "06-02 12:00", mentions=["sha:c2"]),
        incident(51, "06-08 11:00", "06-08 15:00", mentions=["sha:c2"]),
    )
    derive(warehouse, on("06-11"))
    columns = ("deployments_finished_in_window", "deployments_failing_in_window", "change_failure_rate")
    assert day(warehouse, "dora_daily", "06-11", *columns) == (10, 1, 0.1)


def test_a_failure_counts_from_the_day_it_was_known(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        CHAIN,
        incident(50, "06-02 11:00", "06-02 13:00", mentions=["sha:b2b2b2b"]),
        incident(51, "06-04 10:00", "06-06 10:00", mentions=["sha:b2b2b2b"]),
        incident(52, "06-05 10:00", mentions=["sha:c3c3c3c"]),
    )
    derive(warehouse, on("06-07"))
    columns = (
        "deployments_failing_in_window, change_failure_rate, failures_unrecovered, "
        "failed_deployment_recovery_hours, failed_deployment_recovery_n, rework_deployments_in_window"
    )
    assert table(
        warehouse, f"select date, {columns} from dora_daily where subject_kind = 'repository' order by date"
    ) == [
        ("06-01", 0, 0.0, 0, None, 0, 0),
        ("06-02", 1, 0.5, 0, 3.0, 1, 0),  # deployed 10:00, over 13:00
        ("06-03", 1, round(1 / 3, 6), 0, 3.0, 1, 0),
        ("06-04", 1, round(1 / 3, 6), 1, None, 0, 0),  # the same deployment once more
        ("06-05", 2, round(2 / 3, 6), 2, None, 0, 0),
        ("06-06", 2, round(2 / 3, 6), 1, 96.0, 1, 0),
        ("06-07", 2, round(2 / 3, 6), 1, 96.0, 1, 0),
    ]


def test_a_repair_is_known_as_one_when_the_incident_is_over(warehouse: sa.Engine) -> None:
    fill(warehouse, CHAIN, incident(50, "06-02 11:00", "06-05 09:00", mentions=["sha:b2b2b2b"]))
    derive(warehouse, on("06-05"))
    rows = table(
        warehouse,
        "select date, rework_rate from dora_daily "
        "where subject_kind = 'repository' and date > '2025-06-02' order by date",
    )
    assert rows == [("06-03", 0.0), ("06-04", 0.0), ("06-05", round(1 / 3, 6))]


def test_what_happens_later_does_not_change_the_figures_of_a_day(warehouse: sa.Engine) -> None:
    past = "select * from dora_daily where subject_kind = 'repository' and date <= '2025-06-04' order by date"
    fill(warehouse, CHAIN, incident(50, "06-03 11:00", mentions=["sha:b2b2b2b"]))
    derive(warehouse, on("06-04"))
    known_then = table(warehouse, past)
    fill(
        warehouse,
        commit("d4d4d4d", "06-06 08:00", "c3c3c3c", reverts_sha="c3c3c3c"),
        commit("e5", "06-09 08:00", "d4d4d4d"),
        good(4, "d4d4d4d", "06-06 10:00"),
        good(5, "c3c3c3c", "06-07 10:00"),
        deployment(6, "e5", ("failure", "06-09 10:00")),
        incident(50, "06-03 11:00", "06-08 11:00", mentions=["sha:b2b2b2b"]),
        incident(51, "06-08 12:00", mentions=["sha:b2b2b2b"]),
    )
    derive(warehouse, on("06-10"))
    assert table(warehouse, past) == known_then


# Reasons to call a deployment failed


def test_failed_and_recovered_by_the_next_good_one(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        CHAIN,
        deployment(4, "c3c3c3c", ("failure", "06-04 10:00")),
        deployment(5, "c3c3c3c", ("error", "06-04 11:00")),
        good(6, "c3c3c3c", "06-04 14:00"),
        deployment(7, "c3c3c3c", ("failure", "06-05 10:00")),
    )
    derive(warehouse, on("06-05"))
    assert table(warehouse, FAILURES) == [
        ("deployment:4", "failed_deployment", "06-04 10:00", "06-04 14:00", "deployment:6", 4.0),
        ("deployment:5", "failed_deployment", "06-04 11:00", "06-04 14:00", "deployment:6", 3.0),
        ("deployment:7", "failed_deployment", "06-05 10:00", None, None, None),
    ]
    columns = (
        "deployments_failed",
        "failures_unrecovered",
        "failed_deployment_recovery_hours",
        "change_failure_rate",
        "rework_rate",
    )
    assert day(warehouse, "dora_daily", "06-05", *columns) == (1, 1, 3.5, round(3 / 7, 6), 0.25)


def test_going_back_is_a_failure_of_what_is_replaced_and_going_forward_again_is_not(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        CHAIN,
        good(4, "b2b2b2b", "06-03 11:00"),  # back
        good(5, "c3c3c3c", "06-03 15:00"),  # forward to the same again
        good(6, "c3c3c3c", "06-03 16:00"),  # once more
    )
    derive(warehouse, on("06-04"))
    assert table(warehouse, FAILURES) == [
        ("deployment:3", "rollback", "06-03 11:00", "06-03 11:00", "deployment:4", 1.0)
    ]


def test_going_back_to_a_commit_that_shipped_within_a_larger_deployment(warehouse: sa.Engine) -> None:
    fill(warehouse, CHAIN[:4], good(1, "c3c3c3c", "06-03 10:00"), good(2, "b2b2b2b", "06-03 12:00"))
    derive(warehouse, on("06-04"))
    assert table(warehouse, FAILURES) == [
        ("deployment:1", "rollback", "06-03 12:00", "06-03 12:00", "deployment:2", 2.0)
    ]


def test_a_change_that_is_taken_back_failed_the_deployment_that_shipped_it(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        CHAIN,
        commit("d4", "06-04 08:00", "c3c3c3c"),
        commit("e5", "06-04 09:00", "d4", reverts_sha="b2b2b2b"),
        commit("f6", "06-04 09:30", "e5", reverts_sha="d4"),  # before it was ever deployed
        commit("g7", "06-04 09:40", "f6", reverts_sha="a1a1a1a"),  # shipped nobody knows when
        good(4, "g7", "06-04 10:00"),
    )
    derive(warehouse, on("06-04"))
    assert table(warehouse, FAILURES) == [
        ("deployment:2", "revert", "06-04 10:00", "06-04 10:00", "deployment:4", 48.0)
    ]


# Unknown, zero, and the borders of windows


def test_unknown_is_null_and_zero_is_zero(warehouse: sa.Engine) -> None:
    fill(warehouse, good(1, "a", "06-03 10:00"), commit("a", "06-02"), entities=["deployments", "commits"])
    derive(warehouse, on("06-04"))
    columns = "deployments_succeeded, deployment_frequency, change_failure_rate, failures_unrecovered, incidents_open"
    assert table(
        warehouse, f"select date, {columns}, mttr_n from dora_daily where subject_kind = 'repository' order by date"
    ) == [
        ("06-01", None, None, None, None, None, 0),
        ("06-02", None, None, None, None, None, 0),
        ("06-03", 1, round(1 / 3, 6), 0.0, 0, None, 0),
        ("06-04", 0, 0.25, 0.0, 0, None, 0),
    ]


def test_without_an_issue_tracker_incidents_are_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, has_issues=False)
    derive(warehouse, on("06-01"))
    assert day(warehouse, "dora_daily", "06-01", "incidents_opened", "incidents_open") == (None, None)
    assert day(warehouse, "repository_daily", "06-01", "issues_opened", "issues_open") == (None, None)


def test_a_window_has_28_days_from_midnight_to_midnight(warehouse: sa.Engine) -> None:
    # The first moment of 06-02 is in the windows of 06-02 to 06-29, the last one of 06-01 in those up to 06-28.
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-01 23:00", "a"),
        good(1, "a", "06-01 23:59:59.999999"),
        good(2, "b", "06-02"),
        incident(50, "06-01 23:00", "06-02"),
    )
    derive(warehouse, on("07-02"))
    columns = (
        "deployments_in_window, lead_time_n, lead_time_week_n, mttr_n, failed_deployment_recovery_n, days_observed"
    )
    rows = {
        row[0]: row[1:]
        for row in table(warehouse, f"select date, {columns} from dora_daily where subject_kind = 'repository'")
    }
    assert rows["06-01"] == (1, 0, 0, 0, 0, 1)
    assert rows["06-02"] == (2, 1, 1, 1, 0, 2)
    assert rows["06-08"] == (2, 1, 1, 1, 0, 8)
    assert rows["06-09"] == (2, 1, 0, 1, 0, 9)
    assert rows["06-28"] == (2, 1, 0, 1, 0, 28)
    assert rows["06-29"] == (1, 1, 0, 1, 0, 28)
    assert rows["06-30"] == (0, 0, 0, 0, 0, 28)
    frequency = (
        "select date, deployment_frequency from dora_daily "
        "where subject_kind = 'repository' and date >= '2025-06-28' order by date limit 3"
    )
    assert table(warehouse, frequency) == [
        ("06-28", round(2 / 28, 6)),
        ("06-29", round(1 / 28, 6)),
        ("06-30", 0.0),
    ]
    assert day(warehouse, "dora_daily", "06-30", "change_failure_rate") is None


def test_the_function_agrees_with_the_daily_table(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        CHAIN,
        deployment(4, "c3c3c3c", ("failure", "06-28 23:59")),
        incident(50, "06-02 11:00", "06-28 23:00", mentions=["sha:b2b2b2b"]),
    )
    derive(warehouse, on("06-28"))
    keys = ("deployment_frequency", "lead_time_hours", "change_failure_rate", "mttr_hours")
    asked = "select value from get_dora_performance_tier('acme/api', 28)"
    with warehouse.connect() as connection:
        connection.execute(sa.text("set time zone 'Pacific/Auckland'"))  # whatever the session's clock says
        values = [round(value, 6) for value in connection.execute(sa.text(asked)).scalars()]
    assert values == list(day(warehouse, "dora_daily", "06-28", *keys))
