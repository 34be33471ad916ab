"""What a community asks for and how it is answered: small histories, each figure worked by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.sources.records import Account, PullRequestEvent, Review
from metrics_assets_tests.warehouse.community import derive, everything, of, run, value
from metrics_assets_tests.warehouse.tables import (
    PEOPLE,
    commit,
    counters,
    events,
    fill,
    issue,
    on,
    pull,
    record,
    release,
    star,
)

API = "acme/api"
Tables = dict[str, list[tuple[Any, ...]]]


def review(number: int, who: str, when: str, state: str = "approved") -> Review:
    return record(Review, review_id=f"{number}{who}{when}", number=number, author=who, state=state, submitted_at=when)


def test_issues_by_what_their_labels_say(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        issue(1, "06-01 10:00", labels=["bug"]),
        issue(2, "06-02 10:00", "06-04 10:00", labels=["Type: Bug", "regression"]),
        issue(3, "06-03 10:00", labels=["kind/crash", "P0"]),
        issue(4, "06-03 11:00", labels=["enhancement"]),
        issue(5, "06-03 12:00", labels=["documentation", "privacy"]),
        issue(6, "06-08 12:00", "06-10 12:00", labels=["installation", "severity: critical"]),
        issue(7, "06-08 13:00", labels=["good first issue", "bugfix wanted"]),
    )
    derive(warehouse, on("07-10"))
    bugs = ("bugs_opened_week", "bugs_open", "bugs_opened_in_window", "bugs_escaped_in_window")
    assert of(warehouse, "community_daily", API, "06-03", *bugs) == (3, 3, 3, 1)
    assert of(warehouse, "community_daily", API, "06-04", *bugs) == (3, 2, 3, 1)
    assert of(warehouse, "community_daily", API, "06-09", *bugs) == (1, 2, 3, 1)
    assert of(warehouse, "community_daily", API, "06-30", *bugs) == (0, 2, 1, 0)  # day 28 of the third
    assert of(warehouse, "community_daily", API, "07-01", *bugs) == (0, 2, 0, 0)
    p0 = ("p0_bugs_opened", "p0_bugs_open", "privacy_issues_opened")
    assert of(warehouse, "community_daily", API, "06-03", *p0) == (1, 1, 1)
    assert of(warehouse, "community_daily", API, "06-08", *p0) == (1, 2, 0)
    assert of(warehouse, "community_daily", API, "06-10", *p0) == (0, 1, 0)
    weeks = ("documentation_issues_opened_week", "installation_issues_opened_week")
    assert of(warehouse, "community_daily", API, "06-09", *weeks) == (1, 1)
    assert of(warehouse, "community_daily", API, "06-10", *weeks) == (0, 1)
    assert value(warehouse, "bug_share", API, "06-28") == (0.75, 4, "ok")
    assert value(warehouse, "bug_escape_share", API, "06-28") == (0.3333, 3, "ok")


def test_issues_that_were_due(warehouse: sa.Engine) -> None:
    # Due on 06-15: one in time, one closed too late, one open, one reopened after it was closed in time; a bot's.
    fill(
        warehouse,
        issue(1, "06-01 10:00", "06-15 10:00"),
        issue(2, "06-01 10:00", "06-15 10:01"),
        issue(3, "06-01 10:00"),
        issue(4, "06-01 10:00"),
        events(4, ("closed", "06-03 10:00"), ("reopened", "06-20 10:00")),
        issue(5, "06-01 10:00", author="dependabot[bot]"),
        issue(6, "06-20 10:00"),  # due on 07-04
    )
    derive(warehouse, on("07-13"))
    columns = ("issues_due", "issues_closed_in_time")
    assert of(warehouse, "community_daily", API, "06-14", *columns) == (0, 0)
    assert of(warehouse, "community_daily", API, "06-15", *columns) == (4, 2)
    assert of(warehouse, "community_daily", API, "07-04", *columns) == (5, 2)
    assert of(warehouse, "community_daily", API, "07-13", *columns) == (1, 0)
    assert value(warehouse, "issue_sla_share", API, "07-04") == (0.4, 5, "ok")
    assert value(warehouse, "issue_sla_share", API, "07-13") == (0.0, 1, "too_few")
    assert value(warehouse, "issue_sla_share", API, "06-14") == (None, 0, "unknown")


def test_issues_that_needed_a_maintainer(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        pull(9, "06-01 09:00", "06-01 10:00", "a", author="bea", merged_by="mia"),  # which makes mia a maintainer
        issue(1, "06-02 10:00", "06-04 10:00"),
        events(1, ("commented", "06-03 10:00", "bea"), ("closed", "06-04 10:00", "ann")),
        issue(2, "06-02 10:00", "06-04 10:00"),
        events(2, ("commented", "06-03 10:00", "bea"), ("closed", "06-04 10:00", "mia")),
        issue(3, "06-02 10:00", "06-04 10:00"),  # nobody answered
        events(3, ("closed", "06-04 10:00", "ann"), ("commented", "06-05 10:00", "mia")),
        issue(4, "06-02 10:00", "06-04 10:00"),
        events(4, ("commented", "06-03 10:00", "helper[bot]"), ("closed", "06-04 10:00", "mia")),
    )
    derive(warehouse, on("06-05"))
    columns = (
        "issues_resolved", "issues_resolved_by_community", "issues_resolved_with_answer", "issues_escalated",
    )  # fmt: skip
    assert of(warehouse, "community_daily", API, "06-05", *columns) == (4, 2, 2, 1)
    assert value(warehouse, "issues_resolved_by_community_share", API, "06-05") == (0.5, 4, "ok")


def test_without_known_maintainers_nobody_can_say_who_resolved(warehouse: sa.Engine) -> None:
    fill(warehouse, issue(1, "06-02 10:00", "06-04 10:00"))
    derive(warehouse, on("06-05"))
    assert value(warehouse, "issues_resolved_by_community_share", API, "06-05") == (None, 0, "unknown")


def test_closure_and_acceptance(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        *(pull(n, "06-01 09:00", "06-02 10:00", f"s{n}") for n in range(1, 4)),
        pull(4, "06-01 09:00", closed_at="06-02 10:00", state="closed"),
        pull(5, "06-01 09:00"),
        *(issue(n, "06-01 09:00", "06-02 09:00") for n in range(11, 14)),
        *(issue(n, "06-01 09:00") for n in range(14, 20)),
    )
    derive(warehouse, on("06-02"))
    assert value(warehouse, "change_request_closure_ratio", API, "06-02") == (0.8, 5, "ok")
    assert value(warehouse, "change_request_acceptance_ratio", API, "06-02") == (0.75, 4, "ok")
    assert value(warehouse, "issue_closure_ratio", API, "06-02") == (0.3333, 9, "ok")


def test_self_merges_and_reviews(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        pull(1, "06-01 09:00", "06-02 10:00", "a", author="ann", merged_by="ann"),
        pull(2, "06-01 09:00", "06-02 10:00", "b", author="ann", merged_by="bea"),
        pull(3, "06-01 09:00", "06-02 10:00", "c", author="bea", merged_by="queue[bot]"),
        pull(4, "06-01 09:00", "06-02 10:00", "d", author="renovate[bot]", merged_by="bea"),
        review(1, "ann", "06-01 10:00"),
        review(1, "bea", "06-02 11:00"),  # too late
        review(2, "bea", "06-01 11:00", "commented"),
        review(3, "robot[bot]", "06-01 11:00"),
    )
    derive(warehouse, on("06-02"))
    columns = (
        "pull_requests_with_known_merger", "pull_requests_self_merged", "pull_requests_by_people_merged",
        "pull_requests_reviewed",
    )  # fmt: skip
    assert of(warehouse, "community_daily", API, "06-02", *columns) == (2, 1, 3, 1)


def test_bots_beside_people(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-01 09:00", "a", author="dependabot[bot]"),
        pull(1, "06-01 09:30", author="dependabot[bot]"),
        issue(3, "06-01 11:00", author="bea"),
        events(3, ("commented", "06-02 10:00", "stale[bot]"), ("commented", "06-02 10:00", "")),
        events(1, ("commented", "06-02 11:00", "ann"), of=PullRequestEvent),
    )
    derive(warehouse, on("06-02"))
    columns = ("contributions_month", "bot_contributions_month")
    assert of(warehouse, "community_daily", API, "06-02", *columns) == (3, 3)
    assert value(warehouse, "bot_share", API, "06-02") == (0.5, 3, "too_few")


def test_what_a_criticality_score_is_made_of(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-03 08:00", "a"),
        issue(1, "06-01 10:00", "06-02 10:00"),
        events(1, ("commented", "06-01 11:00", "bea"), ("closed", "06-02 10:00"), ("commented", "06-20 11:00", "bea")),
        issue(2, "06-05 10:00"),
        release(1, "v1.0", "06-02 10:00"),
        release(2, "v1.1", "06-12 10:00"),
    )
    derive(warehouse, on("09-20"))
    columns = ("issues_closed_90_days", "issues_updated_90_days", "issue_comments_90_days")
    assert of(warehouse, "community_daily", API, "06-05", *columns) == (1, 2, 1)
    assert of(warehouse, "community_daily", API, "08-30", *columns) == (1, 2, 1)
    assert of(warehouse, "community_daily", API, "09-02", *columns) == (0, 2, 1)
    assert of(warehouse, "community_daily", API, "09-03", *columns) == (0, 1, 1)
    assert of(warehouse, "community_daily", API, "09-18", *columns) == (0, 0, 0)
    releases = ("days_since_release", "releases_in_year", "release_frequency", "releases_days_known")
    assert of(warehouse, "community_daily", API, "06-01", *releases) == (None, 0, 0.0, 365)
    assert of(warehouse, "community_daily", API, "06-22", *releases) == (10, 2, round(2 / 12, 6), 365)
    months = ("created_since_months", "updated_since_months", "commit_frequency_week")
    assert of(warehouse, "community_daily", API, "07-01", *months) == (
        round(30 / 30.4375, 6), round(28 / 30.4375, 6), round(2 / 365 * 7, 6),
    )  # fmt: skip


def test_popularity_over_days(warehouse: sa.Engine) -> None:
    fill(warehouse, *(star(f"p{n}", f"06-{n:02} 10:00") for n in range(1, 11)), counters("07-30 00:30", stars=110))
    derive(warehouse, on("07-10"))
    columns = ("stars_new_week", "forks_new_week")
    assert of(warehouse, "community_daily", API, "06-10", *columns) == (7, 0)
    assert of(warehouse, "community_daily", API, "06-03", *columns) == (3, 0)  # all the days that there were
    assert of(warehouse, "community_daily", API, "07-04", "stars_growth_month") == round(6 / 104, 6)


def test_traffic_of_the_day(warehouse: sa.Engine) -> None:
    fill(warehouse)
    run(warehouse, "insert into ops.collection_state (repository_id, entity, days) "
        "values (1, 'traffic', '{[2025-06-01,2025-06-03)}')")  # fmt: skip
    run(warehouse, "insert into raw.traffic values (1, '2025-06-02', 9, 4, 3, 2)")
    derive(warehouse, on("06-03"))
    columns = ("views", "unique_visitors", "clones")
    assert of(warehouse, "community_daily", API, "06-01", *columns) == (None, None, None)
    assert of(warehouse, "community_daily", API, "06-02", *columns) == (9, 4, 3)


def test_a_window_with_a_day_that_was_not_collected_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, issue(1, "06-01 10:00", labels=["bug"]), star("ann", "06-01"))
    run(warehouse, "update ops.collection_state set days = days - '{[2025-06-03,2025-06-04)}'")
    derive(warehouse, on("06-12"))
    columns = ("bugs_opened_week", "bugs_open", "stars_new_week", "issues_opened_in_window")
    assert of(warehouse, "community_daily", API, "06-02", *columns) == (1, 1, 1, 1)
    assert of(warehouse, "community_daily", API, "06-03", *columns) == (None, None, None, None)
    assert of(warehouse, "community_daily", API, "06-04", *columns) == (None, 1, None, None)
    assert of(warehouse, "community_daily", API, "06-10", *columns) == (0, 1, 0, None)


def test_a_window_that_reaches_before_the_history_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, issue(1, "06-01 10:00"), created="01-01")
    derive(warehouse, on("06-28"))
    columns = ("issues_opened_in_window", "bugs_opened_week", "contributors_total")
    assert of(warehouse, "community_daily", API, "06-07", *columns) == (None, 0, None)
    assert of(warehouse, "community_daily", API, "06-06", *columns) == (None, None, None)
    assert of(warehouse, "community_daily", API, "06-28", *columns) == (1, 0, None)


def test_what_is_collected_and_empty_is_zero_and_what_is_not_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, entities=["issues"])
    derive(warehouse, on("06-02"))
    known = ("bugs_open", "issues_due", "issues_updated_90_days", "contributors_total")
    assert of(warehouse, "community_daily", API, "06-02", *known) == (0, 0, 0, 0)
    unknown = (
        "stars_new_week",
        "pull_requests_ended_in_window",
        "commit_frequency_week",
        "days_since_release",
        "views",
    )
    assert of(warehouse, "community_daily", API, "06-02", *unknown) == (None,) * 5
    assert of(warehouse, "discussion_daily", API, "06-02", "count(*)") == 0


def test_people_over_weeks_and_months(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        *(commit(f"c{n}", f"06-{n:02} 10:00", author=f"p{n}") for n in range(1, 9)),
        issue(1, "06-02 10:00", author="p1"),
        issue(2, "06-04 10:00", author="p1"),
        issue(3, "06-04 11:00", author="p9"),
    )
    derive(warehouse, on("07-10"))
    columns = ("contributors_total", "new_contributors_week", "new_contributors_month")
    assert of(warehouse, "community_daily", API, "06-08", *columns) == (9, 8, 9)
    assert of(warehouse, "community_daily", API, "07-04", *columns) == (9, 0, 4)
    assert of(warehouse, "contributor_daily", API, "06-04", "first_time_issue_reporters") == 1
    assert of(warehouse, "community_daily", API, "06-08", "first_time_issue_reporters_week") == 2
    assert of(warehouse, "community_daily", API, "06-09", "first_time_issue_reporters_week") == 1
    assert of(warehouse, "contributor_daily", API, "07-04", "active_contributors_month") == 4


def test_organisations_come_from_the_affiliations(warehouse: sa.Engine) -> None:
    work = {"ann": 5, "bea": 3, "cat": 3, "dan": 3}
    fill(
        warehouse,
        *(commit(f"{who}{n}", "06-01 10:00", author=who) for who, count in work.items() for n in range(count)),
    )
    names = {"ann": "one", "bea": "two", "cat": "two"}
    for who, organisation in names.items():
        run(warehouse, "insert into ops.affiliations values (:key, :organisation)",
            key=PEOPLE.key(Account(who, is_bot=False)), organisation=organisation)  # fmt: skip
    derive(warehouse, on("06-01"))
    columns = (
        "contributor_absence_factor", "elephant_factor", "organisations", "contributions_in_window",
        "contributions_by_members_of_organisations",
    )  # fmt: skip
    assert of(warehouse, "contributor_daily", API, "06-01", *columns) == (2, 1, 2, 14, 11)
    assert value(warehouse, "elephant_factor", API, "06-01") == (1.0, 11, "ok")


def test_ages_of_open_issues(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        issue(1, "06-01 00:00"),
        issue(2, "06-03 00:00", "06-05 10:00"),
        issue(3, "06-04 12:00"),
        events(3, ("closed", "06-06 10:00"), ("reopened", "06-07 10:00")),
    )
    derive(warehouse, on("06-07"))
    columns = ("issue_age_days", "issues_open")
    assert of(warehouse, "issue_age_daily", API, "06-02", *columns) == (2.0, 1)
    assert of(warehouse, "issue_age_daily", API, "06-04", *columns) == (2.0, 3)
    assert of(warehouse, "issue_age_daily", API, "06-06", *columns) == (6.0, 1)
    assert of(warehouse, "issue_age_daily", API, "06-07", *columns) == (5.25, 2)


def _history(warehouse: sa.Engine) -> None:
    people = ["ann", "bea", "cat", "dan", "eve"]
    fill(
        warehouse,
        *(commit(f"c{n}", f"{6 + n // 28:02}-{1 + n % 28:02} 10:00", author=people[n % 5]) for n in range(0, 100, 3)),
        *(
            issue(n, f"06-{n:02} 10:00", f"{7 + n % 3:02}-{n:02} 10:00" if n % 4 else None, author=people[n % 3],
                  labels=[["bug"], ["P0"], ["feature"], []][n % 4])
            for n in range(1, 25)
        ),
        *(events(n, ("commented", f"07-{n:02} 10:00", people[n % 4])) for n in range(1, 25, 2)),
        *(events(n, ("closed", f"06-{n + 1:02} 11:00", "ann"), ("reopened", f"07-{n:02} 11:00", "bea"))
          for n in range(2, 12, 4)),
        *(pull(n, f"06-{n - 30:02} 10:00", f"07-{n - 30:02} 10:00", f"c{n}", author="bea", merged_by=people[n % 2])
          for n in range(31, 50)),
        *(star(f"s{n}", f"06-{n:02} 10:00") for n in range(1, 29)),
        counters("07-15 00:30", stars=90), counters("10-15 00:30", stars=95),
        release(1, "v1.0", "06-12 10:00"), release(2, "v1.1", "08-12 10:00"),
    )  # fmt: skip


def test_one_day_runs_equal_one_long_run_and_a_rebuilt_day_is_the_same(warehouse: sa.Engine) -> None:
    _history(warehouse)
    last = on("07-20")
    derive(warehouse, last)
    whole = everything(warehouse)
    assert all(whole[name] for name in ("contributor_daily", "community_daily", "group_daily", "issue_age_daily"))
    for back in range(24):
        derive(warehouse, last - timedelta(days=back), last - timedelta(days=back))
    assert _differences(everything(warehouse), whole) == {}
    # What comes later does not change what was.
    derive(warehouse, date(2025, 9, 30))
    later = {name: [row for row in rows if last >= _date(row)] for name, rows in everything(warehouse).items()}
    assert _differences(later, whole) == {}


def _differences(these: Tables, others: Tables) -> Tables:
    """Rows of one that the other does not have."""
    found = {name: [row for row in rows if row not in set(others[name])] for name, rows in these.items()}
    return {name: rows for name, rows in found.items() if rows}


def _date(row: tuple[object, ...]) -> date:
    return next(cell for cell in row if isinstance(cell, date))


def test_a_model_shows_each_figure_and_its_own_trend(warehouse: sa.Engine) -> None:
    _history(warehouse)
    derive(warehouse, on("09-30"))
    with warehouse.connect() as connection:
        models = connection.execute(sa.text("select model, count(*) from metrics.chaoss_models group by 1 order by 1"))
        assert [tuple(row) for row in models] == [("starter_project_health", 4), ("viability_starter", 4)]
        rows = connection.execute(
            sa.text("select * from metrics.get_chaoss_model('starter_project_health', 'acme/api', '2025-07-20')")
        ).all()
    assert [row.metric for row in rows] == [
        "pull_request_first_response_hours", "change_request_closure_ratio", "contributor_absence_factor",
        "release_frequency",
    ]  # fmt: skip
    assert [row.title for row in rows][2:] == ["Contributor Absence Factor", "Release Frequency"]
    frequency = rows[3]
    # One release on either day, over the same 365 days: steady.
    assert (round(frequency.value, 6), frequency.state, frequency.trend) == (round(1 / 12, 6), "ok", "steady")
    assert rows[0].trend == "unknown"
