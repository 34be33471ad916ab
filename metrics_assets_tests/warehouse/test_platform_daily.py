"""metrics.platform_daily: small tables in, a small table out. Times are of 2025, UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from metrics_assets.sources.records import Account, Mention, PlatformCounter, Record
from metrics_assets.warehouse.derived import derived_tables, replace_range
from metrics_assets.warehouse.write import PersonKeys, upsert

PEOPLE = PersonKeys(b"the secret of these tests")


def at(text: str) -> datetime:
    day, _, time = text.partition(" ")
    return datetime.fromisoformat(f"2025-{day} {time or '00:00'}").replace(tzinfo=UTC)


def on(text: str) -> date:
    return at(text).date()


def said(number: int, when: str, who: str = "ann", feeling: float | None = None, **more: Any) -> Mention:
    given: dict[str, Any] = {"platform": "stack_exchange", "community": "so:x", "kind": "question"} | more
    return Mention(
        platform=given["platform"],
        community=given["community"],
        mention_id=str(number),
        kind=given["kind"],
        author=Account(who.removesuffix("[bot]"), is_bot=who.endswith("[bot]")) if who else None,
        created_at=at(when),
        updated_at=None,
        score=given.get("score"),
        replies=None,
        is_answered=given.get("answered"),
        sentiment=feeling,
        sentiment_method=None if feeling is None else "test 1",
    )


def counted(counter: str, day: str, value: int, platform: str = "stack_exchange", community: str = "so:x") -> Record:
    return PlatformCounter(platform, community, counter, on(day), at(f"{day} 01:00"), value)


def fill(
    warehouse: sa.Engine,
    *records: Record,
    collected: Sequence[tuple[str, str]] = (("06-01", "07-01"),),
    communities: Sequence[str] = ("stack_exchange:so:x",),
    outcome: str = "complete",
    minimum_group: int = 3,
) -> None:
    with warehouse.begin() as connection:
        for kind in {type(record) for record in records}:
            upsert(connection, [record for record in records if type(record) is kind], PEOPLE)
        connection.execute(
            sa.text(
                "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
                "values ('acme', '2025-06-01', 3, :least, 'x')"
            ),
            {"least": minimum_group},
        )
        for name in communities:
            platform, _, community = name.partition(":")
            connection.execute(
                sa.text("insert into ops.platform_settings values (:platform, :community)"),
                {"platform": platform, "community": community},
            )
            for number, (start, end) in enumerate(collected):
                connection.execute(
                    sa.text(
                        "insert into ops.collection_log (source, repository, entity, run_id, range_start, range_end, "
                        "outcome, rows_read, requests, points) values ('platforms', :name, 'platforms', :run, :start, "
                        ":end, :outcome, 0, 0, 0)"
                    ),
                    {"name": name, "run": f"run {number}", "start": on(start), "end": on(end), "outcome": outcome},
                )


def derived(warehouse: sa.Engine, columns: str, start: str, end: str) -> list[tuple[Any, ...]]:
    """The rows of [start, end), by community and day; dates as '06-01'."""
    replace_range(warehouse, derived_tables()["platform_daily"], on(start), on(end))
    with warehouse.connect() as connection:
        found = connection.execute(
            sa.text(f"select to_char(date, 'MM-DD'), {columns} from metrics.platform_daily order by platform, date")
        )
        return [tuple(row) for row in found]


def test_questions_answers_and_points_of_each_day(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        said(1, "06-01 00:00", score=3, answered=True),
        said(2, "06-01 23:59", score=-1, answered=False),
        said(3, "06-01 12:00", kind="answer", score=5),
        said(4, "06-03 00:00"),
        said(5, "06-02 10:00", community="so:other"),  # of a community that is not wanted
    )
    columns = "mentions, questions, questions_answered, score_sum"
    assert derived(warehouse, columns, "06-01", "06-04") == [
        ("06-01", 3, 2, 1, 7),
        ("06-02", 0, 0, 0, None),
        ("06-03", 1, 1, 0, None),
    ]


def test_days_that_were_not_collected_are_unknown_and_not_zero(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        said(1, "06-02 10:00", "ann", 0.25),
        said(2, "06-02 11:00", "bea", 0.25),
        said(3, "06-02 12:00", "cat", 0.25),
        collected=[("06-01", "06-03"), ("06-04", "06-05")],
    )
    columns = "mentions, questions, sentiment, sentiment_n, days_collected"
    assert derived(warehouse, columns, "05-30", "06-06") == [
        ("06-01", 0, 0, None, 0, 1),  # nothing before the portfolio's start
        ("06-02", 3, 3, 0.25, 3, 2),
        ("06-03", None, None, None, None, 2),
        ("06-04", 0, 0, 0.25, 3, 3),
        ("06-05", None, None, None, None, 3),
    ]


def test_an_incomplete_collection_makes_no_day_known(warehouse: sa.Engine) -> None:
    fill(warehouse, said(1, "06-02 10:00"), outcome="incomplete")
    assert derived(warehouse, "mentions", "06-02", "06-03") == [("06-02", None)]


def test_sentiment_is_of_people_over_28_days(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        said(1, "06-01 23:00", "ann", 0.9),
        said(2, "06-02 10:00", "bea", -0.6),
        said(3, "06-02 11:00", "cat", 0.3),
        said(4, "06-02 12:00", "dan", 0.0),
        said(5, "06-02 12:00", "helper[bot]", 1.0),  # a program
        said(6, "06-02 12:00", "", 1.0),  # a deleted account
        said(7, "06-02 12:00", "eve", None),  # without words
        said(8, "06-30 00:00", "ann", 1.0),
    )
    columns = (
        "round(sentiment::numeric, 3)::float, sentiment_n, sentiment_people, sentiment_positive_share, "
        "sentiment_negative_share, sentiment_method"
    )
    rows = {row[0]: row[1:] for row in derived(warehouse, columns, "06-01", "07-01")}
    assert rows["06-01"] == (None, 1, None, None, None, None)  # one person is not shown
    assert rows["06-02"] == (0.15, 4, 4, 0.25, 0.25, "test 1")
    assert rows["06-28"] == (0.15, 4, 4, 0.25, 0.25, "test 1")
    assert rows["06-29"] == (-0.1, 3, 3, 0.0, 0.3333333333333333, "test 1")  # the first is 28 days old
    assert rows["06-30"] == (None, 1, None, None, None, None)


def test_fewer_people_than_may_be_shown_have_no_sentiment(warehouse: sa.Engine) -> None:
    heard = [said(n, "06-02 10:00", who, 0.5) for n, who in enumerate(("ann", "bea", "cat", "ann"))]
    fill(warehouse, *heard, minimum_group=4)
    assert derived(warehouse, "sentiment, sentiment_n", "06-02", "06-03") == [("06-02", None, 4)]


def test_members_as_of_the_day_and_no_longer_than_a_week(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        counted("members", "06-02", 100, "discord", "abc"),
        counted("members_online", "06-02", 9, "discord", "abc"),
        counted("members", "06-04", 110, "discord", "abc"),
        communities=["discord:abc"],
    )
    columns = "members, members_online, to_char(members_observed_on, 'MM-DD'), mentions, sentiment_n"
    assert derived(warehouse, columns, "06-01", "06-12") == [
        ("06-01", None, None, None, None, None),
        ("06-02", 100, 9, "06-02", None, None),
        ("06-03", 100, 9, "06-02", None, None),
        ("06-04", 110, 9, "06-04", None, None),
        ("06-05", 110, 9, "06-04", None, None),
        ("06-06", 110, 9, "06-04", None, None),
        ("06-07", 110, 9, "06-04", None, None),
        ("06-08", 110, 9, "06-04", None, None),
        ("06-09", 110, None, "06-04", None, None),
        ("06-10", 110, None, "06-04", None, None),
        ("06-11", None, None, None, None, None),
    ]


def test_followers_and_subscribers_are_members_and_x_counts_its_mentions(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        counted("followers", "06-03", 900, "x", "project"),
        counted("mentions", "06-02", 5, "x", "project"),
        counted("mentions", "06-03", 0, "x", "project"),
        counted("subscribers", "06-03", 123000, "youtube", "UC1"),
        said(1, "06-03 10:00", platform="youtube", community="UC1", kind="video"),
        communities=["x:project", "youtube:UC1"],
    )
    assert derived(warehouse, "platform, mentions, questions, members, sentiment_n", "06-02", "06-05") == [
        ("06-02", "x", 5, None, None, None),
        ("06-03", "x", 0, None, 900, None),
        ("06-04", "x", None, None, 900, None),
        ("06-02", "youtube", 0, None, None, None),
        ("06-03", "youtube", 1, None, 123000, None),
        ("06-04", "youtube", 0, None, 123000, None),
    ]


def test_a_day_has_the_same_figures_whatever_range_it_is_built_in(warehouse: sa.Engine) -> None:
    heard = [said(n, f"06-{n % 28 + 1:02} 10:00", f"p{n % 5}", (n % 9 - 4) / 4) for n in range(60)]
    fill(warehouse, *heard, counted("questions_total", "06-10", 7), collected=[("06-01", "06-12"), ("06-14", "07-01")])
    columns = "mentions, sentiment, sentiment_n, sentiment_people, questions_total, days_collected"
    whole = derived(warehouse, columns, "06-01", "07-01")
    for day in range(1, 30):
        derived(warehouse, columns, f"06-{day:02}", f"06-{day + 1:02}")
    assert derived(warehouse, columns, "06-30", "07-01") == whole
    assert len(whole) == 30


def test_what_the_table_is_made_of() -> None:
    reads = {f"{schema}.{name}" for schema, name in derived_tables()["platform_daily"].reads}
    assert reads == {"raw.mentions", "raw.platform_counters", "ops.platform_settings", "ops.portfolio"}
