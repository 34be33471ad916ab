"""SPACE: what of a week is counted, and that nothing is told of fewer people than the minimum group.

The week is Monday 06-02 to Sunday 06-08 of 2025. Team platform is ann, bob, cat and dan; team web is eve and fay;
data is gil, hal and ida, and metrics.yaml does not list it under space.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import combinations

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.space import load_space
from metrics_assets.errors import CatalogueError
from metrics_assets.sources import records
from metrics_assets.sources.records import Account, Record
from metrics_assets.warehouse.derived import derived_tables, replace_range
from metrics_assets_tests.warehouse.tables import PEOPLE, Row, commit, events, fill, on, pull, record, table

MONDAY, SUNDAY = on("06-02"), on("06-08")
TEAMS = {
    "platform": ["ann", "bob", "cat", "dan"],
    "web": ["eve", "fay"],
    "data": ["gil", "hal", "ida"],
}
TABLES = ("space_activity", "space_satisfaction", "space_performance", "space_collaboration", "space_efficiency")


def teams(
    warehouse: sa.Engine,
    members: Mapping[str, Sequence[str]] = TEAMS,
    space: Sequence[str] = ("platform", "web"),
    minimum_group: int = 3,
) -> None:
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("update ops.portfolio set space_teams = :space, minimum_group = :minimum"),
            {"space": list(space), "minimum": minimum_group},
        )
        connection.execute(sa.text("delete from ops.team_members"))
        connection.execute(
            sa.text("insert into ops.team_members (team, person_key) values (:team, :person)"),
            [
                {"team": team, "person": PEOPLE.key(Account(login))}
                for team, logins in members.items()
                for login in logins
            ],
        )


def feed(warehouse: sa.Engine, team: str, day: str = "06-08", kind: str = "team", **values: float) -> None:
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.fed_daily (metric, subject_kind, subject, date, value, state) "
                "values (:metric, :kind, :team, :date, :value, 'ok')"
            ),
            [
                {"metric": metric, "kind": kind, "team": team, "date": on(day), "value": value}
                for metric, value in values.items()
            ],
        )


def run(warehouse: sa.Engine, first: date = MONDAY, last: date = SUNDAY) -> None:
    end = date.fromordinal(last.toordinal() + 1)
    for name in ("contributor_days", *TABLES):
        replace_range(warehouse, derived_tables()[name], first, end)


def space(warehouse: sa.Engine, name: str, *columns: str) -> dict[str, Row]:
    """Columns of a table of SPACE on the Sunday, by subject."""
    rows = table(
        warehouse,
        f"select subject, {', '.join(columns)} from metrics.{name} where date = '2025-06-08' order by subject",
    )
    return {subject: tuple(values) for subject, *values in rows}


def commits(*people: str, week: int = 2) -> list[Record]:
    """A commit of each in the week; on its Tuesday."""
    return [
        commit(f"{who}{week}", f"06-{week + 1:02} 10:00", author=who, parents="p", additions=10, deletions=4)
        for who in people
    ]


def review(number: int, who: str, when: str, key: str = "") -> Record:
    return record(
        records.Review, review_id=f"{number}{who}{key}", number=number, author=who, state="approved", submitted_at=when
    )


ALL = ("ann", "bob", "cat", "dan", "eve", "fay", "gil", "hal", "ida")


def test_a_week_counts_what_the_team_s_people_did(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commits("ann", "bob", "cat", "gil"),
        commit("early", "06-01 23:59", author="ann"),  # the Sunday before
        commit("late", "06-09 00:00", author="ann"),
        commit("merge", "06-08 23:59", "p q", author="ann", additions=999, deletions=999),
        pull(1, "06-02", "06-03", "m", author="ann"),
        pull(2, "06-08 23:00", author="bob"),
        pull(3, "05-20", author="gil"),
        review(1, "bob", "06-03 09:00"),
        review(1, "bob", "06-03 11:00", "again"),
        review(1, "ann", "06-03 12:00"),  # her own
        review(3, "cat", "06-04 12:00"),
        review(2, "cat", "06-09 00:00"),
    )
    teams(warehouse)
    run(warehouse)
    columns = ("people", "commits", "pull_requests_created", "pull_requests_reviewed", "additions", "deletions")
    assert space(warehouse, "space_activity", *columns) == {
        "platform": (3, 4, 2, 2, 30, 12),
        "acme": (None,) * 6,  # nobody of web was active: it would be platform's figure
        "web": (None,) * 6,
    }


def test_a_row_is_a_week_and_is_built_with_its_sunday(warehouse: sa.Engine) -> None:
    fill(warehouse, commits("ann", "bob", "cat"))
    teams(warehouse)
    run(warehouse, on("06-02"), on("06-07"))
    assert table(warehouse, "select * from metrics.space_activity") == []
    run(warehouse, SUNDAY, SUNDAY)
    one_day = {name: table(warehouse, f"select * from metrics.{name} order by 1, 2, 3") for name in TABLES}
    run(warehouse, on("06-01"), on("06-30"))
    assert {row[0] for row in table(warehouse, "select date from metrics.space_activity")} == {
        "06-01", "06-08", "06-15", "06-22", "06-29",
    }  # fmt: skip
    for name in TABLES:
        query = f"select * from metrics.{name} where date = '2025-06-08' order by 1, 2, 3"
        assert table(warehouse, query) == one_day[name]


def test_only_teams_that_are_listed_are_there_and_the_portfolio_is_their_people(warehouse: sa.Engine) -> None:
    fill(warehouse, commits(*ALL))
    teams(warehouse, space=["platform"])
    run(warehouse)
    for name in TABLES:
        assert set(space(warehouse, name, "date")) == {"platform", "acme"}, name
    assert space(warehouse, "space_activity", "people", "commits", "reason") == {
        "platform": (4, 4, None),
        "acme": (None, None, "only one team was active in the week, whose figure it would be"),
    }


def test_without_a_list_there_is_nothing(warehouse: sa.Engine) -> None:
    fill(warehouse, commits(*ALL))
    teams(warehouse, space=[])
    run(warehouse)
    for name in TABLES:
        assert space(warehouse, name, "date") == {}


def test_of_two_active_people_nothing_is_told(warehouse: sa.Engine) -> None:
    fill(warehouse, commits("ann", "bob"))
    teams(warehouse, space=["platform"])
    run(warehouse)
    reason = "fewer than 3 people were active in the week"
    assert space(warehouse, "space_activity", "people", "commits", "additions", "reason") == {
        "platform": (None, None, None, reason),
        "acme": (None, None, None, reason),
    }
    assert space(warehouse, "space_collaboration", "reviews_given", "reason")["platform"] == (None, reason)
    assert space(warehouse, "space_performance", "lines_changed", "reason")["platform"] == (None, reason)
    assert space(warehouse, "space_efficiency", "pull_requests_open", "people")["platform"] == (None, None)


def test_a_minimum_group_below_three_is_three(warehouse: sa.Engine) -> None:
    fill(warehouse, commits("ann", "bob"))
    teams(warehouse, minimum_group=1)
    run(warehouse)
    assert space(warehouse, "space_activity", "commits")["platform"] == (None,)


def test_the_portfolio_is_hidden_where_it_would_show_a_hidden_team(warehouse: sa.Engine) -> None:
    # web's two are hidden; acme minus platform would be them.
    fill(warehouse, commits("ann", "bob", "cat", "eve", "fay"))
    teams(warehouse)
    run(warehouse)
    shown = space(warehouse, "space_activity", "commits", "reason")
    assert shown["platform"] == (3, None)
    assert shown["web"] == (None, "fewer than 3 people were active in the week")
    assert shown["acme"] == (
        None,
        "fewer than 3 people are left beside the teams that are shown, whom the difference would show",
    )


def test_the_portfolio_is_shown_where_hidden_teams_are_enough_people_together(warehouse: sa.Engine) -> None:
    fill(warehouse, commits("ann", "bob", "cat", "eve", "fay", "gil"))
    teams(warehouse, space=["platform", "web", "data"])
    run(warehouse)
    assert space(warehouse, "space_activity", "commits") == {
        "platform": (3,),
        "web": (None,),
        "data": (None,),
        "acme": (6,),
    }


def test_a_team_inside_another_is_hidden_where_the_difference_is_small(warehouse: sa.Engine) -> None:
    fill(warehouse, commits("ann", "bob", "cat", "dan"))
    teams(warehouse, {"core": ["ann", "bob", "cat"], "platform": TEAMS["platform"]}, ["core", "platform"])
    run(warehouse)
    shown = space(warehouse, "space_activity", "commits", "reason")
    assert shown["core"] == (
        None,
        "another team has the same people and fewer than 3 others, whom the difference would show",
    )
    assert shown["platform"] == (4, None)
    assert shown["acme"] == (None, "only one team was active in the week, whose figure it would be")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]), st.sets(st.sampled_from("mnopqrst"), min_size=1), min_size=1
    ),
    st.sets(st.sampled_from("mnopqrst")),
)
def test_nothing_of_fewer_than_three_is_left_of_a_whole_beside_its_parts(
    warehouse: sa.Engine, members: dict[str, set[str]], active: set[str]
) -> None:
    with warehouse.begin() as connection:
        for name in ("raw.commits", "metrics.contributor_days", "metrics.space_activity", "ops.portfolio"):
            connection.execute(sa.text(f"delete from {name}"))
    fill(warehouse, commits(*sorted(active)))
    teams(warehouse, {team: sorted(people) for team, people in members.items()}, list(members))
    replace_range(warehouse, derived_tables()["contributor_days"], on("06-02"), on("06-09"))
    replace_range(warehouse, derived_tables()["space_activity"], on("06-02"), on("06-09"))
    rows = table(warehouse, "select subject, commits from metrics.space_activity")
    told = {
        subject: active & (set().union(*members.values()) if subject == "acme" else members[subject])
        for subject, counted in rows
        if counted is not None
    }
    for subject, people in told.items():
        assert len(people) >= 3
        parts = [part for other, part in told.items() if other != subject and part < people]
        for size in range(1, len(parts) + 1):
            for choice in combinations(parts, size):
                if sum(map(len, choice)) == len(set().union(*choice)):  # nobody twice
                    assert len(people) - sum(map(len, choice)) not in (1, 2)


def test_overlapping_teams_are_taken_from_the_portfolio_in_every_way(warehouse: sa.Engine) -> None:
    # acme minus one and two is g and h, though they are in three as well.
    fill(warehouse, commits(*"abcdefgh"))
    members = {"one": list("abc"), "two": list("def"), "three": list("fgh")}
    teams(warehouse, members, list(members))
    run(warehouse)
    assert space(warehouse, "space_activity", "commits") == {
        "one": (3,),
        "two": (3,),
        "three": (3,),
        "acme": (None,),
    }


def test_what_was_not_collected_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, commits(*ALL))
    teams(warehouse)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("update ops.collection_state set days = '{[2025-06-01,2025-06-08)}' where entity = 'commits'")
        )
    run(warehouse)
    columns = ("commits", "repositories", "repositories_known", "reason")
    assert space(warehouse, "space_activity", *columns)["platform"] == (
        None, 1, 0, "no repository was collected for the whole week",
    )  # fmt: skip


def test_lines_are_unknown_where_those_of_one_commit_are(warehouse: sa.Engine) -> None:
    fill(warehouse, commits("ann", "bob", "cat"), commit("x", "06-04", author="ann"))
    teams(warehouse)
    run(warehouse)
    assert space(warehouse, "space_activity", "commits", "additions")["platform"] == (4, None)


# Satisfaction.


def test_satisfaction_has_the_answers_and_an_interval(warehouse: sa.Engine) -> None:
    fill(warehouse)
    teams(warehouse)
    feed(warehouse, "platform", developer_satisfaction=4.2, developer_nps=50, survey_responses=3)
    run(warehouse)
    columns = ("satisfaction", "nps", "responses", "members", "response_rate", "reason")
    assert space(warehouse, "space_satisfaction", *columns)["platform"] == (4.2, 50.0, 3, 4, 0.75, None)
    # 1.96 * sqrt((1 - 0.25) / 3) = 0.98: from -48 on; 100 is the most there is.
    ((low, high),) = [space(warehouse, "space_satisfaction", "nps_low", "nps_high")["platform"]]
    assert low == pytest.approx(-48)
    assert high == 100


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"developer_satisfaction": 4.0, "survey_responses": 2}, "fewer than 3 people answered"),
        ({"developer_satisfaction": 4.0}, "nobody said how many answered; feed survey_responses beside it"),
        ({"survey_responses": 9}, "no survey was fed, or the last one is too old"),
    ],
)
def test_satisfaction_is_hidden_for_a_reason(warehouse: sa.Engine, values: dict[str, float], reason: str) -> None:
    fill(warehouse)
    teams(warehouse, space=["platform"])
    feed(warehouse, "platform", **values)
    run(warehouse)
    assert space(warehouse, "space_satisfaction", "satisfaction", "responses", "reason")["platform"] == (
        None, None, reason,
    )  # fmt: skip
    assert space(warehouse, "space_satisfaction", "satisfaction")["acme"] == (None,)


@pytest.mark.parametrize(("answers_of_web", "portfolio"), [(2, None), (0, None), (6, 3.0)])
def test_the_portfolio_s_satisfaction_is_weighed_and_does_not_tell_of_a_hidden_team(
    warehouse: sa.Engine, answers_of_web: int, portfolio: float | None
) -> None:
    fill(warehouse)
    teams(warehouse)
    feed(warehouse, "platform", developer_satisfaction=4, survey_responses=3)
    if answers_of_web:
        feed(warehouse, "web", developer_satisfaction=2.5, survey_responses=answers_of_web)
    run(warehouse)
    assert space(warehouse, "space_satisfaction", "satisfaction")["acme"] == (portfolio,)


# The other dimensions.


def test_performance(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commits("ann", "bob", "cat"),
        pull(1, "06-01", "06-03", "m", author="ann"),
        pull(2, "06-01", "06-09", "n", author="ann"),  # merged later
        pull(3, "06-01", "06-04", "o", author="gil"),
        events(
            1, ("commented", "06-02", "bob"), ("commented", "06-02", "ann"), ("commented", "06-02", "ci[bot]"),
            ("commented", "06-09", "bob"), of=records.PullRequestEvent,
        ),
        record(records.ReviewComment, comment_id=1, thread_id=1, number=1, author="gil", created_at="06-03",
               updated_at="06-03"),
    )  # fmt: skip
    teams(warehouse)
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.repository_settings set team = 'platform'"))
        connection.execute(
            sa.text(
                "insert into metrics.community_daily (subject_kind, subject, date, bugs_opened_week) "
                "values ('team', 'platform', '2025-06-08', 2)"
            )
        )
    feed(warehouse, "platform", unit_test_coverage=0.83)
    run(warehouse)
    columns = (
        "coverage",
        "pull_requests_merged",
        "pull_request_comments",
        "comments_per_pull_request",
        "lines_changed",
    )
    assert space(warehouse, "space_performance", *columns)["platform"] == (0.83, 1, 2, 2.0, 42)
    # 2 bugs on 42 lines
    assert space(warehouse, "space_performance", "bugs_per_1000_lines")["platform"] == (47.619048,)


def test_collaboration(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commits("ann", "bob", "cat", "dan"),
        pull(1, "06-02 10:00", author="ann"),
        pull(2, "06-02 10:00", author="bob"),
        pull(3, "06-02 10:00", author="gil"),
        review(1, "gil", "06-03 09:00"),  # of another team, though it is not in SPACE
        review(2, "ann", "06-03 09:00"),  # of the same team
        review(2, "zoe", "06-03 10:00"),  # of no team
        review(3, "bob", "06-03 10:00"),
        events(3, ("commented", "06-04", "cat"), ("commented", "06-04", "gil"), of=records.PullRequestEvent),
    )
    teams(warehouse)
    run(warehouse)
    columns = ("cross_team_pull_requests", "reviews_given", "pull_request_comments")
    assert space(warehouse, "space_collaboration", *columns)["platform"] == (1, 2, 1)
    # Nobody of web was active: it would be platform's figure.
    assert space(warehouse, "space_collaboration", *columns)["acme"] == (None, None, None)


@pytest.mark.parametrize(
    ("opened", "closed", "answered", "counts"),
    [
        ("06-02 10:00", None, "06-03 23:00", (1, 1)),  # Monday, by the end of Tuesday
        ("06-02 10:00", None, "06-04 00:00", (1, 0)),
        ("06-02 10:00", None, None, (1, 0)),  # what waits is late, not left out
        ("06-02 10:00", "06-02 12:00", None, (0, 0)),  # merged before anybody could answer
        ("06-02 10:00", "06-20 12:00", None, (1, 0)),
        ("05-30 10:00", None, "06-02 20:00", (1, 1)),  # Friday: due on Monday
        ("05-31 10:00", None, "06-02 20:00", (1, 1)),  # Saturday as well
        ("06-06 10:00", None, "06-06 11:00", (0, 0)),  # due in the next week
    ],
)
def test_a_pull_request_is_due_at_the_end_of_the_next_working_day(
    warehouse: sa.Engine, opened: str, closed: str | None, answered: str | None, counts: tuple[int, int]
) -> None:
    answers: Iterable[Record] = [review(1, "bob", answered)] if answered else []
    fill(
        warehouse,
        commits("ann", "bob", "cat"),
        pull(1, opened, author="ann", closed_at=closed),
        *answers,
        start=on("05-01"),
    )
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.collection_state set days = '{[2025-05-01,2026-01-01)}'"))
    teams(warehouse)
    run(warehouse)
    due, in_time, score = space(
        warehouse, "space_collaboration", "pull_requests_due", "pull_requests_answered_in_time", "async_score"
    )["platform"]
    assert (due, in_time) == counts
    assert score == (10.0 * in_time / due if due else None)


def test_holidays_move_a_deadline(warehouse: sa.Engine) -> None:
    fill(warehouse, commits("ann", "bob", "cat"), pull(1, "06-02 10:00", author="ann"), review(1, "bob", "06-04 20:00"))
    teams(warehouse)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("""update ops.portfolio set business_hours = business_hours || '{"holidays": ["2025-06-03"]}'""")
        )
    run(warehouse)
    assert space(warehouse, "space_collaboration", "async_score")["platform"] == (10.0,)


def test_efficiency(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commits("ann", "bob", "cat"),
        pull(1, "06-02", "06-03", "m", author="ann"),
        pull(2, "06-02", "06-04", "n", author="bob"),
        pull(3, "05-10", author="cat"),
        pull(4, "06-08 23:59", "06-09", "o", author="ann"),
        pull(5, "06-09", author="ann"),
        start=on("05-01"),
    )
    teams(warehouse)
    with warehouse.begin() as connection:
        for number, hours in ((1, 4), (2, 10)):
            connection.execute(
                sa.text(
                    "insert into metrics.changes (repository_id, chain, repository, change_key, kind, number, "
                    "merged_at, state, pickup_hours) values (1, '', 'acme/api', 'pull_request:' || :number, "
                    "'pull_request', :number, '2025-06-03', 'waiting', :hours)"
                ),
                {"number": number, "hours": hours},
            )
    feed(warehouse, "platform", focus_hours=18, meeting_hours=9, context_switches=6, deep_work_share=0.45)
    feed(warehouse, "web", deep_work_share=0.9)
    run(warehouse)
    columns = ("focus_hours", "meeting_hours", "context_switches", "deep_work_share", "reason")
    shown = space(warehouse, "space_efficiency", *columns)
    assert shown["platform"] == (18.0, 9.0, 6.0, 0.45, None)
    # web has two members: its figure is hidden, and the portfolio's too, since it would tell it.
    hidden = "focus: fewer than 3 people would be told from it"
    assert shown["web"] == (None, None, None, None, f"{hidden}; flow: fewer than 3 people were active in the week")
    alone = "flow: only one team was active in the week, whose figure it would be"
    assert shown["acme"] == (
        None, None, None, None, f"focus: one team, or fewer than 3 people, would be told from it; {alone}"
    )  # fmt: skip
    flow = ("pickup_hours", "pickup_n", "pull_requests_open", "pull_requests_open_per_person")
    assert space(warehouse, "space_efficiency", *flow)["platform"] == (7.0, 2, 2, 0.5)


# Scores.


def four_weeks(warehouse: sa.Engine, commits_of_each: Sequence[int] = (1, 1, 1, 2, 3)) -> None:
    """Weeks that end on 06-08, 06-15, ...; in week w each of platform commits so often."""
    rows = [
        commit(f"{who}{week}{number}", f"06-{2 + 7 * week:02} 10:00", author=who, parents="p")
        for week, often in enumerate(commits_of_each[:4])
        for who in TEAMS["platform"]
        for number in range(often)
    ]
    fill(warehouse, rows)


def scores(warehouse: sa.Engine, weeks: int, *columns: str, team: str = "platform") -> dict[str, Row]:
    rows = table(
        warehouse,
        f"select dimension, {', '.join(columns)} from get_space_scores({weeks}) where team = '{team}'",
    )
    return {dimension: tuple(values) for dimension, *values in rows}


def test_scores_carry_label_trend_benchmark_and_people(warehouse: sa.Engine) -> None:
    four_weeks(warehouse)
    teams(warehouse)
    for day, value in (("06-15", 4.6), ("06-22", 4.2), ("06-29", 4.2)):
        feed(warehouse, "platform", day, developer_satisfaction=value, survey_responses=4)
    feed(warehouse, "platform", "06-29", unit_test_coverage=0.8)
    run(warehouse, on("06-02"), on("06-29"))
    shown = scores(warehouse, 2, "score", "label", "trend", "n", "weeks_known", "shown", "reason")
    assert shown["Satisfaction and well-being"] == (4.2, "Good", -0.4, 4, 2, True, None)
    assert shown["Performance"] == (0.8, "Excellent", None, 4, 1, True, None)
    assert shown["Activity"] == (6.0, "Poor", 2.0, 4, 2, True, None)
    assert shown["Communication and collaboration"] == (0.0, "Poor", 0.0, 4, 2, True, None)
    assert shown["Efficiency and flow"] == (
        None, None, None, None, 0, False, "focus: nothing was fed, or it is too old",
    )  # fmt: skip
    assert scores(warehouse, 2, "benchmark")["Satisfaction and well-being"] == ("4.5 or more",)


@pytest.mark.parametrize(
    ("value", "label"), [(4.5, "Excellent"), (4.2, "Good"), (3.5, "Good"), (3.4, "Fair"), (2.4, "Poor")]
)
def test_labels_of_satisfaction(warehouse: sa.Engine, value: float, label: str) -> None:
    four_weeks(warehouse)
    teams(warehouse)
    feed(warehouse, "platform", "06-29", developer_satisfaction=value, survey_responses=4)
    run(warehouse, on("06-02"), on("06-29"))
    assert scores(warehouse, 1, "label")["Satisfaction and well-being"] == (label,)


def test_activity_is_never_shown_without_what_people_say(warehouse: sa.Engine) -> None:
    four_weeks(warehouse)
    teams(warehouse)
    feed(warehouse, "platform", "06-29", unit_test_coverage=0.9, deep_work_share=0.7)
    run(warehouse, on("06-02"), on("06-29"))
    shown = scores(warehouse, 4, "score", "label", "trend", "n", "shown", "reason")
    reason = (
        "SPACE needs a figure from people, and their satisfaction is not known: "
        "no survey was fed, or the last one is too old"
    )
    assert set(shown.values()) == {(None, None, None, None, False, reason)}


def test_two_dimensions_are_too_few(warehouse: sa.Engine) -> None:
    fill(warehouse)  # nobody was active: of platform there is what was fed alone
    teams(warehouse)
    feed(warehouse, "platform", developer_satisfaction=4.0, survey_responses=4, deep_work_share=0.7)
    run(warehouse)
    shown = scores(warehouse, 4, "score", "shown", "reason")
    reason = (
        "SPACE needs at least three dimensions, and 2 are known; "
        "missing: Performance, Activity, Communication and collaboration"
    )
    assert set(shown.values()) == {(None, False, reason)}


def test_a_team_that_left_space_has_no_scores(warehouse: sa.Engine) -> None:
    four_weeks(warehouse)
    teams(warehouse)
    run(warehouse, on("06-02"), on("06-29"))
    teams(warehouse, space=["web"])
    assert {row[0] for row in table(warehouse, "select distinct team from get_space_scores()")} == {"web", "acme"}


def test_the_catalogue_s_dimensions_have_metrics_and_full_names(warehouse: sa.Engine) -> None:
    dimensions = load_space()
    assert [one.title for one in dimensions] == [
        "Satisfaction and well-being", "Performance", "Activity", "Communication and collaboration",
        "Efficiency and flow",
    ]  # fmt: skip
    metrics = load_catalogue().metrics
    for one in dimensions:
        assert (metrics[one.metric].table or "").removeprefix("space_") == one.key
        assert one.labels[-1].at_least is None
    assert table(warehouse, "select dimension, title from metrics.space_dimensions order by position") == [
        (one.key, one.title) for one in dimensions
    ]


def test_a_wrong_dimension_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("catalogue") / "space.yaml"
    path.write_text("dimensions:\n  - {key: joy, title: J, metric: m, unit: u, benchmark: b, source: s, labels: []}\n")
    with pytest.raises(CatalogueError, match=r"space.yaml, dimension joy: key: .*; labels: "):
        load_space(path)
