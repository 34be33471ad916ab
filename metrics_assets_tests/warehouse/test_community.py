"""Stars, open items, people and first responses: small histories and the tables that come of them."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from metrics_assets.sources.records import PullRequestEvent, Review
from metrics_assets_tests.warehouse.tables import (
    at,
    commit,
    counters,
    day,
    derive,
    events,
    fill,
    issue,
    on,
    pull,
    record,
    release,
    star,
    table,
    tag,
)


def test_open_issues_at_the_end_of_each_past_day(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        issue(1, "06-01 10:00", "06-04 23:59:59", state_reason="completed"),
        events(1, ("closed", "06-02 00:00"), ("reopened", "06-03 10:00"), ("closed", "06-04 23:59:59")),
        issue(2, "06-02 10:00"),
        events(2, ("closed", "06-03 09:00"), ("closed", "06-03 09:01"), ("reopened", "06-03 10:00")),
        issue(3, "06-03 10:00", "06-05 00:00"),  # its closing is known from the issue alone
    )
    derive(warehouse, on("06-05"))
    columns = "issues_opened, issues_closed, issues_open"
    assert table(warehouse, f"select date, {columns} from repository_daily order by date") == [
        ("06-01", 1, 0, 1),
        ("06-02", 1, 1, 1),
        ("06-03", 1, 1, 3),
        ("06-04", 0, 1, 2),
        ("06-05", 0, 1, 1),
    ]


def test_open_pull_requests_at_the_end_of_each_past_day(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        pull(1, "06-01 10:00", "06-04 10:00", "a"),
        events(
            1, ("closed", "06-02 10:00"), ("reopened", "06-03 10:00"), ("closed", "06-04 10:00"), of=PullRequestEvent
        ),
        pull(2, "06-02 10:00", None, closed_at="06-03 10:00", state="closed"),
        pull(3, "05-20 10:00"),
    )
    derive(warehouse, on("06-04"))
    columns = "pull_requests_opened, pull_requests_merged, pull_requests_closed, pull_requests_open"
    assert table(warehouse, f"select date, {columns} from repository_daily order by date") == [
        ("06-01", 1, 0, 0, 2),
        ("06-02", 1, 0, 1, 2),
        ("06-03", 0, 0, 1, 2),
        ("06-04", 0, 1, 0, 1),
    ]


def test_stars_are_counted_from_what_the_provider_counts(warehouse: sa.Engine) -> None:
    # 100 on the morning of 06-03, with bea's and cat's; then two were withdrawn of which no list tells.
    fill(
        warehouse,
        star("ann", "05-20 10:00"),
        star("bea", "06-01 10:00"),
        star("cat", "06-02 10:00"),
        star("dan", "06-03 01:00"),  # after the count of that day
        star("eve", "06-04 10:00"),
        counters("06-03 00:30", stars=100, forks=7),
        counters("06-05 00:30", stars=100, forks=7),
    )
    derive(warehouse, on("06-05"))
    columns = "stars_new, stars_total, forks_new, forks_total"
    assert table(warehouse, f"select date, {columns} from repository_daily order by date") == [
        ("06-01", 1, 99, 0, 7),
        ("06-02", 1, 100, 0, 7),
        ("06-03", 1, 99, 0, 7),
        ("06-04", 1, 100, 0, 7),
        ("06-05", 0, None, 0, None),  # nobody has counted since
    ]


def test_contributors_are_people(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00", author="ann"),
        commit("b", "06-01 09:00", "a", author="dependabot[bot]"),
        commit("c", "06-01 09:00", "a", author="eve", default=False),  # never reached the default branch
        pull(1, "06-01 09:30", author="ANN"),  # the same person
        pull(2, "06-01 10:00", author=""),
        issue(3, "06-01 11:00", author="bea"),
        events(3, ("commented", "06-02 10:00", "cat"), ("labeled", "06-02 10:00", "dan"), ("commented", "06-02", "")),
        record(Review, review_id="r", number=1, author="bea", state="approved", submitted_at="06-02 10:00"),
        events(1, ("commented", "06-02 11:00", "renovate[bot]"), of=PullRequestEvent),
    )
    derive(warehouse, on("06-03"))
    columns = "active_contributors, new_contributors, contributors_in_window"
    assert table(warehouse, f"select date, {columns} from repository_daily order by date") == [
        ("06-01", 2, 2, 2),
        ("06-02", 2, 1, 3),
        ("06-03", 0, 0, 3),
    ]


def test_windows_of_90_days_of_people(warehouse: sa.Engine) -> None:
    # ann on the first day and on day 91, bea on the first only, cat on day 100; day 90 is 08-29.
    days = [("ann", "06-01"), ("bea", "06-01"), ("ann", "08-30"), ("cat", "09-08")]
    fill(warehouse, [commit(f"c{n}", f"{when} 10:00", author=who) for n, (who, when) in enumerate(days)])
    derive(warehouse, on("12-31"))
    columns = "contributors_in_window, contributors_in_previous_window, contributors_retained, new_contributors"
    rows = {row[0]: row[1:] for row in table(warehouse, f"select date, {columns} from repository_daily")}
    assert rows["08-29"] == (2, 0, 0, 0)  # 06-01 is the first of its 90 days
    assert rows["08-30"] == (1, 2, 1, 0)
    assert rows["09-08"] == (2, 2, 1, 1)
    assert rows["11-27"] == (2, 2, 1, 0)
    assert rows["11-28"] == (1, 1, 0, 0)  # 08-30 has moved into the 90 days before
    assert rows["12-07"] == (0, 2, 0, 0)


def test_nobody_is_new_before_there_is_a_history(warehouse: sa.Engine) -> None:
    fill(warehouse, commit("a", "06-01 08:00"), commit("b", "08-30 08:00", author="bea"), created="01-01")
    derive(warehouse, on("11-27"))
    columns = "new_contributors, contributors_in_window, contributors_in_previous_window, contributors_retained"
    rows = {row[0]: row[1:] for row in table(warehouse, f"select date, {columns} from repository_daily")}
    assert rows["08-28"] == (None, None, None, None)
    assert rows["08-29"] == (None, 1, None, None)  # day 90: 90 days are whole, but nobody before them is known
    assert rows["08-30"] == (1, 1, None, None)
    assert rows["11-26"] == (0, 1, None, None)
    assert rows["11-27"] == (0, 1, 1, 0)


def test_first_responses_are_by_others_who_are_people(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        pull(1, "06-01 10:00", author="ann"),
        events(
            1,
            ("commented", "06-01 10:01", "ann"),
            ("commented", "06-01 10:02", "review-robot[bot]"),
            ("commented", "06-01 10:03", ""),
            ("labeled", "06-01 10:04", "bea"),
            ("commented", "06-03 10:00", "bea"),
            of=PullRequestEvent,
        ),
        record(Review, review_id="r1", number=1, author="cat", state="pending", submitted_at="06-01 10:05"),
        record(Review, review_id="r2", number=1, author="cat", state="commented", submitted_at="06-02 10:00"),
        pull(2, "06-01 10:00", author="renovate[bot]"),  # a bot waits for nobody
        issue(5, "06-01 10:00", author="ann"),
        events(5, ("commented", "06-01 12:00", "ann"), ("commented", "06-02 10:00", "bea")),
        issue(6, "06-01 10:00", author="cat"),
        issue(7, "06-01 10:00", author=""),  # by a deleted account: whoever answers is somebody else
        events(7, ("commented", "06-01 14:00", "bea")),
    )
    derive(warehouse, on("06-29"))
    columns = (
        "pull_request_first_response_hours, pull_request_first_response_n, pull_requests_unanswered, "
        "issue_first_response_hours, issue_first_response_n, issues_unanswered"
    )
    rows = {row[0]: row[1:] for row in table(warehouse, f"select date, {columns} from repository_daily")}
    assert rows["06-01"] == (None, 0, 1, 4.0, 1, 2)
    assert rows["06-02"] == (24.0, 1, 0, 14.0, 2, 1)
    assert rows["06-28"] == rows["06-02"]
    assert rows["06-29"] == (None, 0, 0, None, 0, 0)


def test_fresh_issues_were_touched_in_the_last_90_days(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        issue(1, "06-01 10:00"),
        events(1, ("commented", "09-15 10:00", "bea")),
        issue(2, "06-02 10:00", "08-01 10:00"),
    )
    derive(warehouse, on("12-20"))
    columns = "issues_open_fresh, issues_open"
    rows = {row[0]: row[1:] for row in table(warehouse, f"select date, {columns} from repository_daily")}
    spans = {"06-02": (2, 2), "08-01": (1, 1), "08-29": (1, 1), "08-30": (0, 1), "09-14": (0, 1), "09-15": (1, 1)}
    spans |= {"12-13": (1, 1), "12-14": (0, 1)}
    assert {name: rows[name] for name in spans} == spans


def test_releases_of_a_repository_that_began_with_tags(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        tag("v1.0", "a", "06-01"),
        tag("v1.1rc1", "a", "06-01"),
        tag("v1.1", "a", "06-03"),
        tag("v1.2", "a", "06-04"),
        release(1, "v1.1", "06-03 10:00"),
        release(2, "v1.0", "06-04 10:00"),  # for a version that was counted when it was tagged
        release(3, "v1.2", "06-05", is_prerelease=True),
    )
    derive(warehouse, on("06-05"))
    rows = table(warehouse, "select releases from repository_daily order by date")
    assert rows == [(1,), (0,), (1,), (0,), (0,)]


def test_what_is_not_collected_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, commit("a", "06-01 10:00"), entities=["commits"])
    derive(warehouse, on("06-01"))
    columns = ("commits", "active_contributors", "issues_opened", "issues_open", "pull_requests_open", "stars_new")
    assert day(warehouse, "repository_daily", "06-01", *columns) == (1, 1, None, None, None, None)
    others = ("releases", "stars_total", "forks_total", "issues_unanswered", "pull_requests_opened_in_window")
    assert day(warehouse, "repository_daily", "06-01", *others) == (None, None, None, None, None)


def test_what_is_collected_and_empty_is_zero(warehouse: sa.Engine) -> None:
    fill(warehouse, counters("06-02 00:30", stars=0))
    derive(warehouse, on("06-01"))
    counts = ("commits", "active_contributors", "issues_open", "pull_requests_open", "stars_new", "stars_total")
    assert day(warehouse, "repository_daily", "06-01", *counts, "releases") == (0, 0, 0, 0, 0, 0, 0)
    medians = ("pull_request_merge_hours", "issue_first_response_hours", "pull_request_first_response_hours")
    assert day(warehouse, "repository_daily", "06-01", *medians) == (None, None, None)


@pytest.mark.parametrize(("created", "first"), [("06-03 23:59", "06-03"), ("05-01", "06-01")])
def test_days_begin_with_the_repository_or_with_the_start(warehouse: sa.Engine, created: str, first: str) -> None:
    assert at(created)
    fill(warehouse, created=created)
    derive(warehouse, on("06-05"))
    assert table(warehouse, "select min(date), max(date) from repository_daily") == [(first, "06-05")]
    assert table(warehouse, "select min(date), max(date) from dora_daily") == [(first, "06-05")]


def test_a_day_that_was_not_collected_is_unknown_and_not_zero(warehouse: sa.Engine) -> None:
    """The repository went away on the third day: what is known stays, what is not known is not zero."""
    fill(warehouse)
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.collection_state set days = days * '{[,2025-06-03)}'"))
    derive(warehouse, date(2025, 6, 4))
    with warehouse.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select date::text, commits, issues_open, pull_requests_merged, stars_new, active_contributors "
                "from metrics.repository_daily order by date"
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("2025-06-01", 0, 0, 0, 0, 0),
        ("2025-06-02", 0, 0, 0, 0, 0),
        ("2025-06-03", None, None, None, None, None),
        ("2025-06-04", None, None, None, None, None),
    ]


def test_what_was_deleted_is_open_until_then_and_not_closed(warehouse: sa.Engine) -> None:
    fill(warehouse, issue(1, "06-01 10:00"), issue(2, "06-01 11:00"))
    with warehouse.begin() as connection:
        connection.execute(sa.text("update raw.issues set deleted_at = '2025-06-03 12:00+00' where number = 1"))
    derive(warehouse, on("06-04"))
    assert table(warehouse, "select date, issues_open, issues_closed from repository_daily order by 1") == [
        ("06-01", 2, 0), ("06-02", 2, 0), ("06-03", 1, 0), ("06-04", 1, 0),
    ]  # fmt: skip
