"""The book of collecting: what is noted stays, what is noted again replaces it, and what is gone is marked."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.sources.records import Account, Fork, Issue, Record, Repository, Stargazer, Tag
from metrics_assets.warehouse.collection import Book, Entry, State, Usage, used_within_the_hour
from metrics_assets.warehouse.write import upsert
from metrics_assets_tests.sources.collecting import PEOPLE, rows

DAY = timedelta(days=1)
THEN = datetime(2025, 12, 1, tzinfo=UTC)
LATER = datetime(2025, 12, 20, 12, 30, tzinfo=UTC)


def _book(engine: sa.Engine, run_id: str = "run", first: date = date(2025, 12, 1), days: int = 3) -> Book:
    return Book(engine, run_id, first, first + timedelta(days=days))


def _finish(book: Book, entity: str = "issues", **changed: Any) -> None:
    given: dict[str, Any] = {
        "mark": "m1", "covers_from": THEN, "collected_at": LATER, "outside": 4, "swept_at": THEN, **changed,
    }  # fmt: skip
    book.finish(1, entity, **given)


def _keep(engine: sa.Engine, book: Book, position: dict[str, Any] | None, entity: str = "issues") -> None:
    with engine.begin() as connection:
        book.keep_position(connection, 1, entity, position)


def _days(engine: sa.Engine, entity: str = "issues") -> str:
    found = rows(engine, "select days::text from ops.collection_state where entity = :entity", entity=entity)
    return str(found[0])


def _write(engine: sa.Engine, *records: Record) -> None:
    with engine.begin() as connection:
        upsert(connection, records, PEOPLE)


def _issue(number: int, created_at: datetime = THEN) -> Issue:
    return Issue(1, number, None, "open", None, None, created_at, created_at, None, [], None, 0, [])


def _gone(engine: sa.Engine, table: str, key: str) -> set[Any]:
    return set(rows(engine, f"select {key} from raw.{table} where deleted_at is not null"))


def test_a_finished_collection_is_remembered_whole(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    _finish(book)
    assert book.states() == {(1, "issues"): State("m1", THEN, LATER, 4, THEN, None)}
    assert _days(warehouse) == "{[2025-12-01,2025-12-04)}"


def test_days_add_up_and_what_is_covered_only_grows(warehouse: sa.Engine) -> None:
    _finish(_book(warehouse))
    _finish(
        _book(warehouse, first=date(2025, 12, 8)),
        mark="m2", covers_from=THEN + 7 * DAY, collected_at=LATER + DAY, outside=5, swept_at=LATER,
    )  # fmt: skip
    state = _book(warehouse).states()[1, "issues"]
    assert state == State("m2", THEN, LATER + DAY, 5, LATER, None)
    assert _days(warehouse) == "{[2025-12-01,2025-12-04),[2025-12-08,2025-12-11)}"
    _finish(_book(warehouse, first=date(2025, 11, 1), days=40), covers_from=THEN - 30 * DAY)
    assert _book(warehouse).states()[1, "issues"].covers_from == THEN - 30 * DAY
    assert _days(warehouse) == "{[2025-11-01,2025-12-11)}"


def test_a_position_is_forgotten_when_the_list_is_finished_unless_it_is_gits(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    for entity in ("issues", "commits"):
        _keep(warehouse, book, {"newest": None, "pending": [1]}, entity)
        assert book.states()[1, entity] == State(position={"newest": None, "pending": [1]})
    _keep(warehouse, book, {"pending": [2]})
    assert book.states()[1, "issues"].position == {"pending": [2]}
    _finish(book)
    _finish(book, "commits", keep_position=True)
    assert book.states()[1, "issues"].position is None
    assert book.states()[1, "commits"].position == {"newest": None, "pending": [1]}


def test_a_position_is_kept_only_with_the_rows_it_stands_for(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    with warehouse.connect() as connection, connection.begin() as transaction:
        book.keep_position(connection, 1, "issues", {"pending": [1]})
        book.keep_validators(connection, {"http://here/a": ("e", None)})
        transaction.rollback()
    assert book.states() == {}
    assert book.validators("http://here") == {}


def test_what_did_not_change_is_collected_and_nothing_else_of_it_is_touched(warehouse: sa.Engine) -> None:
    _finish(_book(warehouse))
    _finish(_book(warehouse), "tags")
    before = _book(warehouse).states()
    later = _book(warehouse, first=date(2025, 12, 4), days=1)
    later.finish_unchanged([(1, "issues"), (1, "forks"), (2, "tags")])  # of the last two nothing was ever collected
    later.finish_unchanged([])
    assert _book(warehouse).states() == before
    assert _days(warehouse) == "{[2025-12-01,2025-12-05)}"
    assert _days(warehouse, "tags") == "{[2025-12-01,2025-12-04)}"


def test_rows_that_are_gone_are_marked_once_and_come_back_unmarked(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    _write(warehouse, *(_issue(number) for number in range(1, 6)))
    assert book.live("issues", 1, None, None) == 5
    assert book.mark_deleted("issues", 1, {1, 2, 3}, LATER) == 2
    assert _gone(warehouse, "issues", "number") == {4, 5}
    assert book.live("issues", 1, None, None) == 3
    assert book.mark_deleted("issues", 1, {1, 2}, LATER + DAY) == 1
    assert dict(rows(warehouse, "select number, deleted_at from raw.issues where deleted_at is not null")) == {
        3: LATER + DAY, 4: LATER, 5: LATER,
    }  # fmt: skip
    _write(warehouse, _issue(4))
    assert _gone(warehouse, "issues", "number") == {3, 5}
    assert book.mark_deleted("issues", 2, set(), LATER) == 0  # another repository's
    assert book.mark_deleted("issues", 1, set(), LATER) == 3


def test_no_more_are_marked_than_can_be_gone(warehouse: sa.Engine) -> None:
    """An answer that lacks rows must not pass for deletions."""
    book = _book(warehouse)
    _write(warehouse, *(_issue(number) for number in range(1, 6)))
    assert book.mark_deleted("issues", 1, {1, 2}, LATER, at_most=2) == 3
    assert _gone(warehouse, "issues", "number") == set()
    assert book.mark_deleted("issues", 1, {1, 2, 3}, LATER, at_most=2) == 2
    assert _gone(warehouse, "issues", "number") == {4, 5}


def test_rows_from_before_the_start_are_neither_counted_nor_marked(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    _write(warehouse, _issue(1, THEN - DAY), _issue(2, THEN), _issue(3, THEN + DAY))
    assert book.live("issues", 1, "created_at", THEN) == 2
    assert book.mark_deleted("issues", 1, {3}, LATER, created="created_at", since=THEN, at_most=1) == 1
    assert _gone(warehouse, "issues", "number") == {2}
    assert book.live("issues", 1, "created_at", THEN) == 1


def test_keys_are_numbers_or_texts(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    ada, bob = Account("ada"), Account("bob")
    _write(warehouse, *(Stargazer(1, one, THEN) for one in (ada, bob)))
    _write(warehouse, *(Tag(1, name, "a" * 40, THEN, False) for name in ("v1", "v'2")))
    _write(warehouse, *(Fork(1, number, None, THEN) for number in (1, 2**40)))
    assert book.mark_deleted("stargazers", 1, {PEOPLE.key(ada)}, LATER) == 1
    assert _gone(warehouse, "stargazers", "person_key") == {PEOPLE.key(bob)}
    assert book.mark_deleted("tags", 1, {"v'2"}, LATER) == 1
    assert _gone(warehouse, "tags", "tag") == {"v1"}
    assert book.mark_deleted("forks", 1, {2**40}, LATER) == 1
    assert _gone(warehouse, "forks", "fork_id") == {1}


def test_of_a_run_the_last_entry_counts(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    book.log([])
    book.log(
        [
            Entry("issues", "acme/api", "incomplete", 1, rows_read=3, requests=0.5, reason="why", error_class="Gone"),
            Entry("tags", "acme/api", "complete", 1),
        ]
    )  # fmt: skip
    sql = (
        "select entity, outcome, rows_read, rows_in_warehouse, rows_at_provider, requests, points, reason, error_class "
        "from ops.collection_log where run_id = :run order by entity"
    )
    incomplete = ("issues", "incomplete", 3, None, None, Decimal("0.5"), Decimal(0), "why", "Gone")
    assert rows(warehouse, sql, run="run")[0] == incomplete
    book.log([Entry("issues", "acme/api", "complete", 1, 9, 8, 8, 1.25, 2)])
    complete = ("issues", "complete", 9, 8, 8, Decimal("1.25"), Decimal(2), None, None)
    assert rows(warehouse, sql, run="run") == [
        complete, ("tags", "complete", 0, None, None, Decimal(0), Decimal(0), None, None),
    ]  # fmt: skip
    _book(warehouse, "another").log([Entry("issues", "acme/api", "skipped", 1, reason="gone", source="git")])
    assert rows(warehouse, sql, run="run")[0] == complete
    assert rows(
        warehouse, "select range_start, range_end, source from ops.collection_log where run_id = 'another'"
    ) == [(date(2025, 12, 1), date(2025, 12, 4), "git")]


def test_what_is_used_adds_up_by_run_and_resource(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    book.use([])
    book.use([Usage("github", "issues", "acme/api", "graphql", 1 / 3, 0.5, retries=1, waited_seconds=2.5)])
    book.use([Usage("github", "issues", "acme/api", "graphql", 2 / 3, 0.5, not_modified=1)])
    book.use([Usage("github", "issues", "acme/api", "core", 4), Usage("npm", "packages", "left-pad", "core", 7)])
    _book(warehouse, "another").use([Usage("github", "issues", "acme/api", "graphql", 1, 1)])
    found = rows(
        warehouse,
        "select run_id, source, resource, requests::float, points::float, not_modified::int, retries::int, "
        "waited_seconds from ops.api_usage order by 1, 2, 3",
    )
    assert found == [
        ("another", "github", "graphql", 1, 1, 0, 0, 0),
        ("run", "github", "core", 4, 0, 0, 0, 0),
        ("run", "github", "graphql", pytest.approx(1), 1, 1, 1, 2.5),
        ("run", "npm", "core", 7, 0, 0, 0, 0),
    ]


def test_what_was_used_within_the_hour_is_counted_as_a_run_counts_it(warehouse: sa.Engine) -> None:
    """A run counts a REST request once and a GraphQL request with its points; so its successor must, too."""
    book = _book(warehouse)
    book.use([Usage("github", "issues", "acme/api", "graphql", 5, 5), Usage("github", "x", "y", "core", 7)])
    book.use([Usage("github", "tags", "acme/api", "graphql", 1, 11), Usage("npm", "packages", "left-pad", "core", 99)])
    assert used_within_the_hour(warehouse, "github") == 5 + 7 + 11
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("update ops.api_usage set updated_at = now() - interval '61 min' where entity = 'x'")
        )
    assert used_within_the_hour(warehouse, "github") == 5 + 11


def test_validators_are_kept_by_address_and_replaced(warehouse: sa.Engine) -> None:
    book = _book(warehouse)
    with warehouse.begin() as connection:
        book.keep_validators(connection, {"http://a_b/x": ("one", None), "http://a_b/y": (None, "Monday")})
        book.keep_validators(connection, {"http://axb/x": ("other", None)})  # '_' is no wildcard
    assert book.validators("http://a_b/") == {"http://a_b/x": ("one", None), "http://a_b/y": (None, "Monday")}
    with warehouse.begin() as connection:
        book.keep_validators(connection, {"http://a_b/x": ("two", "Tuesday")})
    assert book.validators("http://a_b/x") == {"http://a_b/x": ("two", "Tuesday")}


def test_only_a_look_of_this_run_tells_what_changed(warehouse: sa.Engine) -> None:
    for number, state in ((1, "active"), (2, "gone"), (3, "blocked")):
        name = f"acme/{state}"
        _write(
            warehouse,
            Repository(number, name, "github", state, "main", None, None, None, [], False, False, True, THEN, None),
        )
        with warehouse.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into ops.repository_settings (repository_id, repository, deployment_source, environment, "
                    "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) values "
                    "(:number, :name, 'auto', 'production', 'v', '{incident}', 24, '{issues,tags}')"
                ),
                {"number": number, "name": name},
            )
            connection.execute(
                sa.text(
                    "insert into ops.probes (repository_id, run_id, observed_at, permission, marks, totals) "
                    "values (:number, 'earlier', now(), 'READ', '{\"issues\": \"m\"}', '{\"issues\": 3}')"
                ),
                {"number": number},
            )  # fmt: skip
    (now,), (earlier,) = _book(warehouse).targets(), _book(warehouse, "earlier").targets()
    assert (now.repository, now.entities, now.marks, now.totals, now.permission) == (
        "acme/active", ("issues", "tags"), {}, {}, None,
    )  # fmt: skip
    assert (earlier.marks, earlier.totals, earlier.permission) == ({"issues": "m"}, {"issues": 3}, "READ")
    assert (_book(warehouse).probed_in_this_run(), _book(warehouse, "earlier").probed_in_this_run()) == (False, True)
    assert sorted(_book(warehouse).lost()) == [
        (2, "acme/gone", "gone", ["issues", "tags"]), (3, "acme/blocked", "blocked", ["issues", "tags"]),
    ]  # fmt: skip


def test_repositories_finished_side_by_side_do_not_wait_for_each_other(warehouse: sa.Engine) -> None:
    book, problems = _book(warehouse), []

    def work(number: int) -> None:
        try:
            for _ in range(5):
                book.use([Usage("github", entity, "acme/api", "core", 1) for entity in ("a", "b")])
                book.log([Entry("issues", f"acme/{number}", "complete", number)])
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert rows(warehouse, "select sum(requests)::int from ops.api_usage group by entity") == [30, 30]
    assert rows(warehouse, "select count(*) from ops.collection_log") == [6]
