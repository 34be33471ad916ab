"""Discussions: small threads, and the figures worked by hand."""

from __future__ import annotations

import math
from typing import Any

import sqlalchemy as sa

from metrics_assets.sources.records import Discussion, DiscussionComment, Record
from metrics_assets_tests.warehouse.community import derive, of, run, second_repository, value
from metrics_assets_tests.warehouse.tables import ENTITIES, fill, on, record

API = "acme/api"
ALL = [*ENTITIES, "discussions"]


def thread(number: int, when: str, *, category: str = "Q&A", author: str = "ann", **more: Any) -> Discussion:
    given = {"is_answerable": category == "Q&A", "updated_at": when} | more
    return record(Discussion, number=number, created_at=when, category=category, author=author, **given)


def said(number: int, when: str, who: str, repository: int = 1) -> Record:
    return record(
        DiscussionComment, comment_id=f"{number}{who}{when}", number=number, created_at=when, author=who,
        repository_id=repository,
    )  # fmt: skip


def test_answers_and_follow_up(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        thread(1, "06-01 10:00", answered_at="06-03 10:00", answer_created_at="06-02 10:00", upvotes=3),
        said(1, "06-01 11:00", "ann"),  # her own
        said(1, "06-01 12:00", "robot[bot]"),
        said(1, "06-02 10:00", "bea"),
        thread(2, "06-01 10:00", upvotes=1),
        thread(3, "06-01 10:00", category="Ideas", closed_at="06-20 10:00"),
        thread(4, "06-05 10:00", author="cat"),
        entities=ALL,
    )
    derive(warehouse, on("09-05"))
    answers = ("discussions_answerable", "discussions_answered", "discussions_accepted")
    assert of(warehouse, "discussion_daily", API, "06-01", *answers) == (2, 0, 0)
    assert of(warehouse, "discussion_daily", API, "06-02", *answers) == (2, 1, 0)
    assert of(warehouse, "discussion_daily", API, "06-05", *answers) == (3, 1, 1)
    assert of(warehouse, "discussion_daily", API, "08-30", *answers) == (1, 0, 0)
    assert value(warehouse, "discussions_answered_share", API, "06-05") == (0.3333, 3, "ok")
    follow_up = ("discussions_due", "discussions_followed_up")
    assert of(warehouse, "discussion_daily", API, "06-07", *follow_up) == (0, 0)
    assert of(warehouse, "discussion_daily", API, "06-08", *follow_up) == (3, 1)
    assert of(warehouse, "discussion_daily", API, "06-20", *follow_up) == (4, 2)
    new = ("discussions_new", "discussions_new_month", "discussion_upvotes_month")
    assert of(warehouse, "discussion_daily", API, "06-05", *new) == (1, 4, 4)
    assert of(warehouse, "discussion_daily", API, "07-01", *new) == (0, 1, 0)


def test_participants_are_distinct_people(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        thread(1, "06-01 10:00"),
        said(1, "06-02 10:00", "bea"),
        said(1, "06-10 10:00", "BEA"),
        said(1, "06-02 11:00", "helper[bot]"),
        said(1, "06-02 12:00", ""),
        entities=ALL,
    )
    second_repository(
        warehouse,
        record(Discussion, repository_id=2, number=1, created_at="06-03 10:00", updated_at="06-03 10:00",
               category="Q&A", author="bea", is_answerable=True),
        said(1, "06-04 10:00", "cat", repository=2),
    )  # fmt: skip
    derive(warehouse, on("07-12"))
    people = {when: of(warehouse, "discussion_daily", API, when, "discussion_participants_month")
              for when in ("06-01", "06-02", "06-30", "07-01", "07-09", "07-10")}  # fmt: skip
    assert people == {"06-01": 1, "06-02": 2, "06-30": 2, "07-01": 1, "07-09": 1, "07-10": 0}
    assert of(warehouse, "discussion_daily", "acme", "06-04", "discussion_participants_month") == 3
    assert of(warehouse, "discussion_daily", "platform", "06-04", "discussions_new_month") == 2


def test_balance_of_categories(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        thread(1, "06-01 10:00"),
        thread(2, "06-02 10:00", category="Ideas"),
        *(thread(n, "06-03 10:00") for n in range(3, 5)),
        entities=ALL,
    )
    derive(warehouse, on("06-03"))
    columns = ("discussion_category_balance", "discussion_categories")
    assert of(warehouse, "discussion_daily", API, "06-01", *columns) == (None, 1)
    assert of(warehouse, "discussion_daily", API, "06-02", *columns) == (1.0, 2)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(2)
    assert of(warehouse, "discussion_daily", API, "06-03", *columns) == (round(entropy, 6), 2)


def test_unknown_and_zero(warehouse: sa.Engine) -> None:
    fill(warehouse, entities=ALL)
    run(warehouse, "update ops.collection_state set days = '{[2025-06-01,2025-06-02)}' where entity = 'discussions'")
    derive(warehouse, on("06-02"))
    columns = ("discussions_new", "discussion_participants_month", "discussions_answerable")
    assert of(warehouse, "discussion_daily", API, "06-01", *columns) == (0, 0, 0)
    assert of(warehouse, "discussion_daily", API, "06-02", *columns) == (None, None, None)
    assert value(warehouse, "discussions_answered_share", API, "06-01") == (None, 0, "unknown")
