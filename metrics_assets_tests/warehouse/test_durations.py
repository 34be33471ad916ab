"""Durations over moving windows: small histories and the rows of durations_daily that come of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sqlalchemy as sa

from metrics_assets.sources import records
from metrics_assets.warehouse.columns import FOREVER, read_columns, write_columns
from metrics_assets_tests.warehouse.tables import (
    commit,
    day,
    derive,
    events,
    fill,
    good,
    issue,
    on,
    pull,
    record,
    table,
)


def test_opening_to_merge_of_the_last_28_days(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        pull(1, "06-01 00:00", "06-01 10:00", "a"),
        pull(2, "06-02 00:00", "06-02 20:00", "b"),
        pull(3, "06-03 00:00"),
    )
    derive(warehouse, on("06-30"))
    rows = "select date, pull_request_merge_hours, pull_request_merge_n from durations_daily where subject_kind = "
    found = {row[0]: row[1:] for row in table(warehouse, rows + "'repository'")}
    assert found["06-01"] == (10, 1)
    assert found["06-02"] == found["06-28"] == (15, 2)
    assert found["06-29"] == (20, 1)
    assert found["06-30"] == (None, 0)
    assert {row[0]: row[1:] for row in table(warehouse, rows + "'portfolio'")} == found


def test_the_stages_of_a_change_add_up_to_its_lead_time(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 20:00", "a"),
        pull(1, "06-02 02:00", "06-02 20:00", "b", first_commit_at="06-02 00:00"),
        record(records.Review, review_id="r1", number=1, author="bob", state="commented", submitted_at="06-02 05:00"),
        record(records.Review, review_id="r2", number=1, author="bob", state="approved", submitted_at="06-02 12:00"),
        good(1, "a", "06-01 09:00"),
        good(2, "b", "06-03 01:00"),
    )
    derive(warehouse, on("06-03"))
    stages = ["coding", "pickup", "review", "merge", "deploy"]
    columns = [f"{stage}_hours" for stage in stages]
    assert day(warehouse, "durations_daily", "06-03", *columns, "pr_lead_hours") == (2, 3, 7, 8, 5, 20)
    assert day(warehouse, "durations_daily", "06-03", "lead_time_hours", "lead_time_week_hours") == (25, 25)
    # Merged, and not shipped yet at that day's end.
    assert day(warehouse, "durations_daily", "06-02", "pr_lead_hours", "lead_time_hours", "lead_time_n") == (
        20,
        None,
        0,
    )


def test_a_first_response_is_somebody_elses_and_no_program_s(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        issue(1, "06-02 00:00"),
        events(
            1,
            ("commented", "06-02 01:00", "ann"),
            ("commented", "06-02 02:00", "helper[bot]"),
            ("commented", "06-02 04:00", "bob"),
        ),
        issue(2, "06-02 12:00"),
        events(2, ("commented", "06-03 12:00", "bob")),
        issue(3, "06-02 00:00", author="helper[bot]"),
    )
    derive(warehouse, on("06-30"))
    columns = [f"issue_first_response_{part}" for part in ("hours", "n", "open", "estimated_hours", "estimated_n")]
    # At the end of the first day, one of two is answered: half of them after four hours.
    assert day(warehouse, "durations_daily", "06-02", *columns) == (4, 1, 1, 4, 2)
    assert day(warehouse, "durations_daily", "06-03", *columns) == (14, 2, 0, 4, 2)
    assert day(warehouse, "durations_daily", "06-29", *columns) == (14, 2, 0, 4, 2)
    assert day(warehouse, "durations_daily", "06-30", *columns) == (None, 0, 0, None, 0)


def test_where_most_still_wait_the_estimate_is_unknown_and_the_median_is_not(warehouse: sa.Engine) -> None:
    fill(warehouse, *(issue(n, "06-02 00:00") for n in range(1, 5)), events(1, ("commented", "06-02 01:00", "bob")))
    derive(warehouse, on("06-10"))
    columns = [f"issue_first_response_{part}" for part in ("hours", "n", "open", "estimated_hours", "estimated_n")]
    assert day(warehouse, "durations_daily", "06-10", *columns) == (1, 1, 3, None, 4)


def test_a_reopened_issue_was_resolved_until_then(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        issue(1, "06-02 00:00", "06-06 00:00", labels=["P0"]),
        events(1, ("closed", "06-03 00:00"), ("reopened", "06-05 12:00"), ("closed", "06-06 00:00")),
        issue(2, "06-02 00:00", labels=["priority: high"]),
    )
    derive(warehouse, on("06-07"))
    columns = [f"issue_resolution_{part}" for part in ("hours", "n", "open", "estimated_n")]
    rows = table(warehouse, f"select date, {', '.join(columns)} from durations_daily where subject_kind = 'repository'")
    assert sorted(rows)[1:] == [
        ("06-02", None, 0, 2, 2),
        ("06-03", 24, 1, 1, 2),
        ("06-04", 24, 1, 1, 2),
        ("06-05", None, 0, 2, 2),
        ("06-06", 96, 1, 1, 2),
        ("06-07", 96, 1, 1, 2),
    ]
    labelled = ("critical_bug_resolution_hours", "critical_bug_resolution_n", "high_bug_resolution_n")
    assert day(warehouse, "durations_daily", "06-07", *labelled) == (96, 1, 0)


@pytest.mark.parametrize(
    ("label", "critical", "high"),
    [
        ("critical", 1, 0),
        ("P0", 1, 0),
        ("severity: critical", 1, 0),
        ("priority/critical", 1, 0),
        ("critical-path", 0, 0),
        ("high", 0, 1),
        ("p1", 0, 1),
        ("Severity High", 0, 1),
        ("highlight", 0, 0),
        ("P10", 0, 0),
    ],
)
def test_labels_say_how_bad_it_is(warehouse: sa.Engine, label: str, critical: int, high: int) -> None:
    fill(warehouse, issue(1, "06-02 00:00", "06-02 05:00", labels=[label]))
    derive(warehouse, on("06-02"))
    columns = ("critical_bug_resolution_n", "high_bug_resolution_n")
    assert day(warehouse, "durations_daily", "06-02", *columns) == (critical, high)


def test_business_hours_are_the_portfolios(warehouse: sa.Engine) -> None:
    # 2025-06-06 is a Friday; Monday is a holiday here.
    fill(warehouse, issue(1, "06-06 15:00", "06-10 08:00"), events(1, ("commented", "06-10 07:30", "bob")))
    hours = {"timezone": "Europe/Berlin", "days": [0, 1, 2, 3, 4], "from": "09:00", "to": "18:00"}
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("update ops.portfolio set business_hours = cast(:hours as jsonb)"),
            {"hours": json.dumps(hours | {"holidays": ["2025-06-09"]})},
        )
    derive(warehouse, on("06-10"))
    columns = ("issue_first_response_business_hours", "issue_resolution_business_hours", "issue_resolution_hours")
    assert day(warehouse, "durations_daily", "06-10", *columns) == (1.5, 2, 89)


def test_an_answer_to_a_discussion_is_known_when_it_is_chosen(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        record(
            records.Discussion,
            number=1,
            category="Q&A",
            is_answerable=True,
            author="ann",
            created_at="06-02 00:00",
            updated_at="06-04 00:00",
            answered_at="06-04 00:00",
            answer_created_at="06-02 06:00",
        ),
        entities=("issues", "discussions"),
    )
    derive(warehouse, on("06-04"))
    columns = ("discussion_answer_hours", "discussion_answer_n", "discussion_answer_open")
    assert day(warehouse, "durations_daily", "06-03", *columns) == (None, 0, 1)
    assert day(warehouse, "durations_daily", "06-04", *columns) == (6, 1, 0)


def test_what_was_not_collected_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, pull(1, "06-01", "06-02", "a"), entities=("commits",))
    derive(warehouse, on("06-03"))
    columns = ("pull_request_merge_hours", "pull_request_merge_n", "pull_request_first_response_open")
    assert day(warehouse, "durations_daily", "06-03", *columns) == (None, 0, None)


def test_the_range_of_a_run_does_not_matter(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        *(issue(n, f"06-{n:02} 05:00", f"06-{n + 3:02} 09:00") for n in range(1, 20)),
        *(events(n, ("commented", f"06-{n + 1:02} 04:00", "bob")) for n in range(1, 20, 2)),
        *(pull(100 + n, f"06-{n:02} 01:00", f"06-{n + 1:02} 02:00", f"s{n}") for n in range(1, 20)),
    )
    everything = "select * from durations_daily order by subject_kind, subject, date"
    derive(warehouse, on("06-20"))
    at_once = table(warehouse, everything)
    derive(warehouse, on("06-12"), first=on("06-07"))
    derive(warehouse, on("06-20"), first=on("06-20"))
    assert table(warehouse, everything) == at_once


# Arrays out of the warehouse and into it


def test_columns_go_to_the_warehouse_and_come_back(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "create temporary table t (name text, day date, few integer, many bigint, share double precision)"
        )
        written = write_columns(
            connection,
            "t",
            {
                "name": np.array(["é", "", "long enough"]),
                "day": np.array([0, -1, 9131]),
                "few": np.array([1.0, np.nan, -7.0]),
                "many": np.array([np.nan, 2.0**52, 3.0]),
                "share": np.array([0.1, np.nan, -1e300]),
            },
            {"name": "text", "day": "date", "few": "int", "many": "bigint", "share": "double precision"},
        )
        assert written == 3
        found = [tuple(row) for row in connection.exec_driver_sql("select name, day::text, few, many, share from t")]
        assert found == [
            ("é", "2000-01-01", 1, None, 0.1),
            (None, "1999-12-31", None, 2**52, None),
            ("long enough", "2024-12-31", -7, 3, -1e300),
        ]
        read = read_columns(
            connection,
            "select coalesce(many, -1), coalesce(share, 'NaN'), timestamptz 'infinity' from t where day > %(after)s",
            {"many": "i8", "share": "f8", "at": "i8"},
            after=on("06-01").replace(year=1999),
        )
        assert read["many"].tolist() == [-1, 2**52, 3]
        assert read["at"].tolist() == [FOREVER] * 3
        assert np.isnan(read["share"]).tolist() == [False, True, False]
        with pytest.raises(ValueError, match="a column is null"):
            read_columns(connection, "select many from t", {"many": "i8"})
