"""Writing records to a real warehouse: what goes in comes out, twice is once, and the last of doubles wins."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics_assets.sources import records
from metrics_assets.sources.records import (
    Account,
    Commit,
    Issue,
    Package,
    PackageRelease,
    PullRequest,
    Record,
    Release,
    Stargazer,
    Tag,
    TrafficDay,
)
from metrics_assets.warehouse.write import _MERGED, PersonKeys, _columns, upsert

PEOPLE = PersonKeys(b"a secret of the test, long enough", bots=["Release-Robot"])
AT = datetime(2025, 6, 1, 12, 30, 15, tzinfo=UTC)

# Everything that CSV, COPY and array literals give a meaning to, and what PostgreSQL or UTF-8 cannot hold.
NASTY = ["", "NULL", "null", "\\N", "\\.", "\n\\.\n", "a\n\\.\nb", '"', '""', "'", ",", "\t", "\r\n", "{}", "{a,b}",
         '{"a"}', "\\", '\\"', "\0", "a\0b", "é🎉\u202e", " \u00a0", "\ud800", "-- ;drop", "%s", ":x"]  # fmt: skip
texts = st.sampled_from(NASTY) | st.text(max_size=30) | st.lists(st.sampled_from(NASTY), max_size=4).map("".join)
times = st.datetimes(datetime(1970, 1, 1), datetime(2262, 1, 1), timezones=st.just(UTC))


def stored(text: str | None) -> str | None:
    """A text without what cannot be stored: NUL is left out, half a character becomes a question mark."""
    if text is None:
        return None
    return "".join("?" if "\ud800" <= char <= "\udfff" else char for char in text if char != "\0")


def pull_request(number: int, **more: object) -> PullRequest:
    given: dict[str, object] = {field.name: None for field in dataclasses.fields(PullRequest)}
    given |= {"repository_id": 1, "number": number, "state": "open", "updated_at": AT, "labels": []}
    return PullRequest(**{**given, **more})  # type: ignore[arg-type]


def commit(sha: str, on_default_branch: bool = True) -> Commit:
    return Commit(1, sha, [], None, AT, AT, None, None, None, None, on_default_branch)


def test_what_does_not_know_the_directories_of_a_commit_leaves_them(warehouse: sa.Engine) -> None:
    known = dataclasses.replace(commit("a"), directories=["", "apps/web"])
    with warehouse.begin() as connection:
        assert upsert(connection, [known], PEOPLE) == 1
        assert upsert(connection, [commit("a")], PEOPLE) == 0
        rows = connection.execute(sa.text("select directories from raw.commits")).scalars().all()
        assert rows == [["", "apps/web"]]
        assert upsert(connection, [dataclasses.replace(known, directories=[])], PEOPLE) == 1


@pytest.fixture
def emptied(warehouse: sa.Engine) -> sa.Engine:
    """A warehouse that every example leaves as it found it: empty."""
    return warehouse


shared = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 2**31 - 1), st.none() | texts, st.lists(texts, max_size=4), st.none() | times,
                  st.none() | st.booleans(), st.none() | st.integers(-(2**63), 2**63 - 1)),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_what_goes_in_comes_out(emptied: sa.Engine, rows: list[tuple[object, ...]]) -> None:
    given_rows = [
        pull_request(number, title=title, labels=labels, merged_at=at, is_draft=draft, additions=lines)  # type: ignore[arg-type]
        for number, title, labels, at, draft, lines in rows
    ]
    expected = {
        number: (stored(title), [stored(label) for label in labels], at, draft, lines)  # type: ignore[attr-defined,arg-type]
        for number, title, labels, at, draft, lines in rows
    }
    with emptied.connect() as connection, connection.begin() as transaction:
        assert upsert(connection, given_rows, PEOPLE) == len(expected)
        found = {
            row.number: (row.title, row.labels, row.merged_at, row.is_draft, row.additions)
            for row in connection.execute(sa.text("select * from raw.pull_requests"))
        }
        assert found == expected  # of doubles the last one
        assert upsert(connection, given_rows, PEOPLE) == 0
        transaction.rollback()


@shared
@given(tags=st.lists(texts, min_size=1, max_size=10))
def test_texts_that_are_keys_may_become_the_same(emptied: sa.Engine, tags: list[str]) -> None:
    given_rows = [
        Tag(repository_id=1, tag=tag, sha=f"{number}", tagged_at=AT, is_annotated=False)
        for number, tag in enumerate(tags)
    ]
    expected = {stored(tag): f"{number}" for number, tag in enumerate(tags)}
    with emptied.connect() as connection, connection.begin() as transaction:
        assert upsert(connection, given_rows, PEOPLE) == len(expected)
        assert dict(map(tuple, connection.execute(sa.text("select tag, sha from raw.tags")))) == expected
        transaction.rollback()


@shared
@given(batches=st.lists(st.lists(st.tuples(st.integers(1, 5), texts), max_size=6), max_size=4))
def test_batches_one_after_the_other_are_as_one_after_the_other(
    emptied: sa.Engine, batches: list[list[tuple[int, str]]]
) -> None:
    model: dict[int, str | None] = {}
    with emptied.connect() as connection, connection.begin() as transaction:
        for batch in batches:
            before = dict(model)
            model |= {number: stored(title) for number, title in batch}
            changed = upsert(connection, [pull_request(number, title=title) for number, title in batch], PEOPLE)
            assert changed == sum(before.get(number, object()) != title for number, title in model.items())
        found = connection.execute(sa.text("select number, title from raw.pull_requests"))
        assert dict(map(tuple, found)) == model
        transaction.rollback()


def test_nothing_to_write_is_nothing(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        assert upsert(connection, [], PEOPLE) == 0


def test_a_commit_stays_on_the_default_branch(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        assert [
            upsert(connection, [commit("a" * 40, on_default_branch=on)], PEOPLE) for on in (False, True, False)
        ] == [1, 1, 0]
        assert connection.execute(sa.text("select on_default_branch from raw.commits")).scalar_one()


def test_one_person_has_one_key_however_they_are_written(warehouse: sa.Engine) -> None:
    stars = [Stargazer(1, Account(login), AT) for login in ("Mira-Holt", "mira-holt", "MIRA-HOLT")]
    with warehouse.begin() as connection:
        assert upsert(connection, stars, PEOPLE) == 1
        (row,) = connection.execute(sa.text("select person_key, person_is_bot from raw.stargazers"))
    assert row.person_key == PEOPLE.key(Account("mira-HOLT"))
    assert len(row.person_key) == 16
    assert "mira" not in row.person_key
    assert row.person_key != PersonKeys(b"another secret of another warehouse").key(Account("mira-holt"))


def test_accounts_that_metrics_yaml_calls_bots_are_bots(warehouse: sa.Engine) -> None:
    releases = [
        Release(1, number, f"v{number}", None, author, False, False, AT, AT)
        for number, author in enumerate((Account("release-robot"), Account("someone"), Account("x", is_bot=True), None))
    ]
    with warehouse.begin() as connection:
        upsert(connection, releases, PEOPLE)
        found = connection.execute(
            sa.text("select author_is_bot, author_key is null from raw.releases order by release_id")
        )
        assert [tuple(row) for row in found] == [(True, False), (False, False), (True, False), (None, True)]


def test_a_wrong_row_takes_its_whole_batch_back(warehouse: sa.Engine) -> None:
    fine = Issue(1, 1, "t", "open", None, None, AT, AT, None, [], None, 0, [])
    with warehouse.connect() as connection:
        with pytest.raises(Exception, match="issues_state_check"), connection.begin():
            upsert(connection, [fine, dataclasses.replace(fine, number=2, state="lost")], PEOPLE)
        assert connection.execute(sa.text("select count(*) from raw.issues")).scalar_one() == 0


# --- what a newer row does not simply replace ---


def stored_values(engine: sa.Engine, rows: Sequence[Record], columns: str, table: str) -> list[tuple[object, ...]]:
    """What is stored after each of several rows, one after the other."""
    found = []
    for row in rows:
        with engine.begin() as connection:
            upsert(connection, [row], PEOPLE)
            found.append(tuple(connection.execute(sa.text(f"select {columns} from {table}")).one()))
    return found


def test_what_one_source_of_commits_knows_another_does_not_take_away(warehouse: sa.Engine) -> None:
    given = [(None, None, None), (5, 3, 12), (None, None, None), (7, None, None), (7, 0, 13)]
    rows = [
        replace(commit("a" * 40), additions=added, deletions=removed, pull_request_number=number)
        for added, removed, number in given
    ]
    assert stored_values(warehouse, rows, "additions, deletions, pull_request_number", "raw.commits") == [
        (None, None, None), (5, 3, 12), (5, 3, 12), (7, 3, 12), (7, 0, 13),
    ]  # fmt: skip


def test_of_a_days_traffic_the_largest_figures_count(warehouse: sa.Engine) -> None:
    given = [(5, 2, None, None), (None, None, 4, 1), (3, 3, 9, 0), (0, 0, 0, 0), (8, 1, None, 2)]
    rows = [TrafficDay(1, AT.date(), *figures) for figures in given]
    columns = "views, unique_visitors, clones, unique_cloners"
    assert stored_values(warehouse, rows, columns, "raw.traffic") == [
        (5, 2, None, None), (5, 2, 4, 1), (5, 3, 9, 1), (5, 3, 9, 1), (8, 3, 9, 2),
    ]  # fmt: skip


def test_a_days_traffic_that_is_no_larger_writes_nothing(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        first = TrafficDay(1, AT.date(), 5, 2, None, None)
        changed = [upsert(connection, [row], PEOPLE) for row in (first, replace(first, views=4), first)]
    assert changed == [1, 0, 0]


def test_the_first_time_that_a_release_was_noticed_to_be_yanked_counts(warehouse: sa.Engine) -> None:
    def release(is_yanked: bool, day: int) -> PackageRelease:
        noticed = AT + timedelta(days=day) if is_yanked else None
        return PackageRelease("pypi", "tool", "1.0", AT, False, is_yanked, None, noticed)

    rows = [release(False, 0), release(True, 1), release(True, 2), release(False, 3), release(True, 4)]
    assert stored_values(warehouse, rows, "yanked_noticed_at", "raw.package_releases") == [
        (None,), (AT + timedelta(days=1),), (AT + timedelta(days=1),), (None,), (AT + timedelta(days=4),),
    ]  # fmt: skip


def test_every_rule_is_of_a_column_that_there_is(warehouse: sa.Engine) -> None:
    inspector = sa.inspect(warehouse)
    for table, column in _MERGED:
        schema, name = table.split(".")
        assert column in {one["name"] for one in inspector.get_columns(name, schema=schema)}, (table, column)


def test_a_row_that_comes_again_is_not_deleted_any_more(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        upsert(connection, [pull_request(1), pull_request(2)], PEOPLE)
        connection.execute(sa.text("update raw.pull_requests set deleted_at = now()"))
        assert upsert(connection, [pull_request(1)], PEOPLE) == 1  # though nothing else about it changed
        found = connection.execute(sa.text("select number, deleted_at is null from raw.pull_requests order by number"))
        assert [tuple(row) for row in found] == [(1, True), (2, False)]
        assert upsert(connection, [pull_request(1)], PEOPLE) == 0


@shared
@given(unknown=st.dictionaries(texts, texts, max_size=4))
def test_a_dictionary_is_stored_as_json(emptied: sa.Engine, unknown: dict[str, str]) -> None:
    package = Package("pypi", "tool", "active", None, None, None, AT, unknown)
    with emptied.connect() as connection, connection.begin() as transaction:
        upsert(connection, [package], PEOPLE)
        found, kind = connection.execute(sa.text("select unknown, jsonb_typeof(unknown) from raw.packages")).one()
        assert (found, kind) == ({stored(key): stored(value) for key, value in unknown.items()}, "object")
        assert upsert(connection, [package], PEOPLE) == 0
        transaction.rollback()


RECORDS = [kind for kind in vars(records).values()
           if isinstance(kind, type) and issubclass(kind, Record) and "TABLE" in vars(kind)]  # fmt: skip


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_records_fields_are_its_tables_columns(kind: type[Record], warehouse: sa.Engine) -> None:
    schema, name = kind.TABLE.split(".")
    columns = {one["name"] for one in sa.inspect(warehouse).get_columns(name, schema=schema)}
    mine = {column for column, _ in _columns(kind)}  # type: ignore[arg-type]  # a class is hashable
    assert columns - {"deleted_at"} == mine
    assert set(sa.inspect(warehouse).get_pk_constraint(name, schema=schema)["constrained_columns"]) == set(kind.KEY)
