"""Teams and the portfolio: sums of what is known of every member, and people who count once."""

from __future__ import annotations

import sqlalchemy as sa

from metrics_assets.sources.records import PullRequestEvent
from metrics_assets_tests.warehouse.community import derive, of, run, second_repository, value
from metrics_assets_tests.warehouse.tables import commit, counters, events, fill, issue, on, pull, star


def test_counts_are_added_up_and_people_are_not(warehouse: sa.Engine) -> None:
    fill(warehouse, commit("a", "06-02 10:00"), commit("b", "06-02 11:00", "a", author="bea"), issue(1, "06-01 10:00"))
    second_repository(
        warehouse,
        commit("c", "06-02 10:00", repository_id=2),
        issue(1, "06-02 10:00", "06-03 10:00", author="cat", repository_id=2),
    )
    derive(warehouse, on("06-03"))
    columns = ("repositories", "repositories_known", "commits", "issues_opened", "issues_closed", "issues_open")
    assert of(warehouse, "group_daily", "platform", "06-02", *columns) == (2, 2, 3, 1, 0, 2)
    assert of(warehouse, "group_daily", "acme", "06-03", *columns) == (2, 2, 0, 0, 1, 1)
    people = ("active_contributors", "new_contributors", "contributors_in_window")
    assert of(warehouse, "group_daily", "acme", "06-02", *people) == (3, 2, 3)  # ann is not new, and is one
    assert value(warehouse, "commits", "platform", "06-02") == (3.0, None, "ok")
    assert of(warehouse, "community_daily", "acme", "06-03", "contributors_total") == 3


def test_a_day_that_is_unknown_of_one_member_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, issue(1, "06-01 10:00"))
    second_repository(warehouse)
    run(warehouse, "update ops.collection_state set days = days - '{[2025-06-02,2025-06-03)}' where repository_id = 2")
    derive(warehouse, on("06-03"))
    columns = ("repositories", "repositories_known", "issues_open", "commits", "active_contributors")
    assert of(warehouse, "group_daily", "acme", "06-01", *columns) == (2, 2, 1, 0, 1)
    assert of(warehouse, "group_daily", "acme", "06-02", *columns) == (2, 1, None, None, None)
    assert of(warehouse, "group_daily", "acme", "06-03", *columns) == (2, 2, 1, 0, 0)


def test_what_is_never_collected_of_a_member_is_not_asked_of_it(warehouse: sa.Engine) -> None:
    fill(warehouse, star("ann", "06-01 10:00"), counters("06-02 00:30", stars=7))
    second_repository(warehouse, commit("c", "06-01 10:00", repository_id=2), entities="commits")
    derive(warehouse, on("06-01"))
    columns = ("stars_new", "stars_total", "commits")
    assert of(warehouse, "group_daily", "acme", "06-01", *columns) == (1, 7, 1)


def test_a_repository_that_went_away_leaves_the_sums(warehouse: sa.Engine) -> None:
    fill(warehouse, issue(1, "06-01 10:00"))
    second_repository(warehouse, issue(1, "06-01 10:00", repository_id=2))
    run(warehouse, "update ops.collection_state set days = '{[2025-06-01,2025-06-03)}' where repository_id = 2")
    derive(warehouse, on("06-04"))
    assert of(warehouse, "group_daily", "acme", "06-03", "issues_open") is None  # it may come back
    run(warehouse, "update raw.repositories set state = 'gone' where repository_id = 2")
    derive(warehouse, on("06-04"))
    assert of(warehouse, "group_daily", "acme", "06-02", "issues_open", "repositories_known") == (2, 2)
    assert of(warehouse, "group_daily", "acme", "06-03", "issues_open", "repositories_known") == (1, 1)
    assert of(warehouse, "contributor_daily", "acme", "06-03", "active_contributors") == 0


def test_a_repository_that_comes_later_is_no_member_before(warehouse: sa.Engine) -> None:
    fill(warehouse, pull(1, "06-01 10:00"))
    second_repository(warehouse, pull(1, "06-03 10:00", repository_id=2), created="2025-06-03")
    derive(warehouse, on("06-03"))
    columns = ("repositories", "pull_requests_open", "pull_requests_opened_in_window")
    assert of(warehouse, "group_daily", "acme", "06-02", *columns) == (1, 1, 1)
    assert of(warehouse, "group_daily", "acme", "06-03", *columns) == (2, 2, 2)


def test_windows_of_groups_are_made_of_all_their_issues(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        issue(1, "06-01 00:00", labels=["bug"]),
        issue(2, "06-01 00:00", "06-02 00:00", labels=["feature"]),
        pull(3, "06-01 10:00", "06-01 12:00", "a", author="ann", merged_by="ann"),
        events(3, ("commented", "06-01 11:00", "bea"), of=PullRequestEvent),
    )
    second_repository(
        warehouse,
        issue(1, "06-03 00:00", labels=["bug"], repository_id=2),
        pull(2, "06-01 10:00", "06-01 12:00", "b", author="ann", merged_by="bea", repository_id=2),
    )
    derive(warehouse, on("06-05"))
    columns = ("bugs_open", "bugs_opened_in_window", "bugs_and_features_opened_in_window", "pull_requests_self_merged")
    assert of(warehouse, "community_daily", "platform", "06-05", *columns) == (2, 2, 3, 1)
    assert of(warehouse, "issue_age_daily", "acme", "06-05", "issue_age_days", "issues_open") == (4.0, 2)
    assert value(warehouse, "self_merge_share", "platform", "06-05") == (0.5, 2, "too_few")
