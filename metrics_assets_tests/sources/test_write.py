"""Writing records to a real warehouse: what goes in comes out, twice is once, and the last of doubles wins."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics_assets.sources.records import Account, Commit, Issue, PullRequest, Release, Stargazer, Tag
from metrics_assets.warehouse.write import PersonKeys, upsert

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
    records = [
        pull_request(number, title=title, labels=labels, merged_at=at, is_draft=draft, additions=lines)  # type: ignore[arg-type]
        for number, title, labels, at, draft, lines in rows
    ]
    expected = {
        number: (stored(title), [stored(label) for label in labels], at, draft, lines)  # type: ignore[attr-defined,arg-type]
        for number, title, labels, at, draft, lines in rows
    }
    with emptied.connect() as connection, connection.begin() as transaction:
        assert upsert(connection, records, PEOPLE) == len(expected)
        found = {
            row.number: (row.title, row.labels, row.merged_at, row.is_draft, row.additions)
            for row in connection.execute(sa.text("select * from raw.pull_requests"))
        }
        assert found == expected  # of doubles the last one
        assert upsert(connection, records, PEOPLE) == 0
        transaction.rollback()


@shared
@given(tags=st.lists(texts, min_size=1, max_size=10))
def test_texts_that_are_keys_may_become_the_same(emptied: sa.Engine, tags: list[str]) -> None:
    records = [
        Tag(repository_id=1, tag=tag, sha=f"{number}", tagged_at=AT, is_annotated=False)
        for number, tag in enumerate(tags)
    ]
    expected = {stored(tag): f"{number}" for number, tag in enumerate(tags)}
    with emptied.connect() as connection, connection.begin() as transaction:
        assert upsert(connection, records, PEOPLE) == len(expected)
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
        assert [upsert(connection, [commit("a" * 40, on_default_branch=on)], PEOPLE) for on in (False, True, False)] == [1, 1, 0]
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
