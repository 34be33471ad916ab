"""The whole sample organisation, collected for real: against the oracle, and in ranges of every kind."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.demo.history import History
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.paths import DEMO_CONFIG
from metrics_assets.settings import Settings, load
from metrics_assets.warehouse.derived import primary_keys, table_columns
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.playing import materialize, playing
from metrics_assets_tests.warehouse.oracle import Oracle
from metrics_assets_tests.warehouse.tables import derive, everything, in_order, table

DAY = timedelta(days=1)
# The daily tables, and what their rows are ordered by.
KEYS = {
    name: ", ".join(primary_keys()[f"metrics.{name}"])
    for name in in_order()
    if any(column.name == "date" for column in table_columns()[f"metrics.{name}"])
}
_ID = {"repository_id", "repository", "date", "subject_kind", "subject"}


@pytest.fixture(scope="module")
def history() -> History:
    return sample_organisation()


@pytest.fixture(scope="module")
def demo() -> Settings:
    return load(DEMO_CONFIG)


@pytest.fixture(scope="module")
def collected(
    postgres: URL, template: str, history: History, demo: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[URL]:
    """A database with the organisation collected and derived by the main job, to be copied or read only."""
    url = postgres.set(database="sample_organisation")
    maintenance = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with maintenance.connect() as connection:
        connection.execute(sa.text(f"create database {url.database} template {template}"))
    assert demo.end is not None
    home = tmp_path_factory.mktemp("home")
    # Without the demo's own catalogue: it would stay in this process, where other tests ask for the built-in one.
    shutil.copytree(DEMO_CONFIG.parent / "feeds", home / "feeds")
    with pytest.MonkeyPatch.context() as monkeypatch, playing(history, url, home, monkeypatch):
        monkeypatch.setenv("METRICS_CONFIG", str(home / DEMO_CONFIG.name))  # what is fed lies beside it
        assert materialize(demo, demo.start, demo.end, "group:collect or group:derive").success
    yield url
    with maintenance.connect() as connection:
        connection.execute(sa.text(f"drop database {url.database} with (force)"))


@pytest.mark.parametrize("name", ["dora_daily", "repository_daily"])
def test_every_figure_is_the_oracles(collected: URL, history: History, demo: Settings, name: str) -> None:
    assert demo.end is not None
    engine = create_engine(collected)
    with engine.connect() as connection:
        only = "where subject_kind = 'repository'" if name == "dora_daily" else ""
        rows = connection.execute(sa.text(f"select * from metrics.{name} {only}")).mappings()
        found = {(row["repository"], row["date"]): dict(row) for row in rows}
    engine.dispose()
    expected_days, differences = 0, []
    for repository in history.repositories:
        oracle = Oracle(repository, demo.start)
        figures = {"dora_daily": oracle.dora, "repository_daily": oracle.repository_day}[name]
        for number in range((demo.end - oracle.first_day).days + 1):
            day = oracle.first_day + number * DAY
            expected_days += 1
            if number % 7 and 1 not in (day.day, (day + DAY).day):
                continue
            ours, expected = found[repository.full_name, day], figures(day)
            assert expected.keys() == ours.keys() - _ID
            for column, value in expected.items():
                same = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
                if ours[column] != same:
                    differences.append(f"{repository.full_name} {day} {column}: {ours[column]}, expected {value}")
    assert differences == []
    assert len(found) == expected_days


# The sample organisation publishes no packages and is talked about nowhere.
_EMPTY = {"package_daily", "platform_daily"}


def test_the_range_of_a_run_does_not_matter(collected: URL, warehouse: sa.Engine) -> None:
    """Thirty days at once, day by day, in two halves, and then parts of them once more."""
    _copy_collected(collected, warehouse)
    first, last = date(2025, 8, 20), date(2025, 9, 18)
    middle = first + 12 * DAY
    derive(warehouse, last, first=first)
    at_once = everything(warehouse)
    assert {name for name in in_order() if not at_once[name]} == _EMPTY

    derive(warehouse, middle, first=first)
    derive(warehouse, last, first=middle + DAY)
    _assert_same(everything(warehouse), at_once, "two halves over what there was")

    _empty(warehouse)
    derive(warehouse, middle, first=first)
    derive(warehouse, last, first=middle + DAY)
    _assert_same(everything(warehouse), at_once, "two halves")
    derive(warehouse, last, first=first)
    _assert_same(everything(warehouse), at_once, "once more at once")

    _empty(warehouse)
    for number in range((last - first).days + 1):
        derive(warehouse, first + number * DAY, first=first + number * DAY)
    _assert_same(everything(warehouse), at_once, "day by day")

    _empty(warehouse)
    for number in range(0, (last - first).days + 1, 5):
        day = min(first + (number + 4) * DAY, last)
        derive(warehouse, day, first=max(day - 7 * DAY, first))
    _assert_same(everything(warehouse), at_once, "with a look back, as the schedule does")


def test_the_past_stays_when_more_is_collected(collected: URL, warehouse: sa.Engine) -> None:
    """September as it was known when it had settled, once more, and after the rest of the year has been collected."""
    first, last = date(2025, 9, 1), date(2025, 9, 30)
    _copy_collected(collected, warehouse)
    _change(warehouse, _LEAVE_OUT + _FORGET_WHAT_CAME_AFTER)
    derive(warehouse, date(2025, 8, 31), first=date(2025, 6, 1))
    derive(warehouse, last, first=first)
    then = _days_of(warehouse, first, last)
    assert {name for name, rows in then.items() if not rows} == _EMPTY
    derive(warehouse, last, first=first)
    _assert_same(_days_of(warehouse, first, last), then, "once more")

    _copy_collected(collected, warehouse)
    _change(warehouse, _LEAVE_OUT)
    derive(warehouse, last, first=date(2025, 6, 1))
    _assert_same(_days_of(warehouse, first, last), then, "with the rest of the year")


def _change(warehouse: sa.Engine, sql: str) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql(sql.replace(":cut", "'2025-10-04 00:00+00'"))


# Commits that a later merge brought from a branch on which they were before: they change the past, and visibly.
_LEAVE_OUT = """
delete from raw.commits as commits using raw.pull_requests as pulls
where pulls.repository_id = commits.repository_id and pulls.number = commits.pull_request_number
  and pulls.merged_at >= :cut and commits.committed_at < :cut;
delete from raw.commits as commits using raw.commits as merges
where merges.repository_id = commits.repository_id and commits.sha = any (merges.parents[2:])
  and merges.committed_at >= :cut and commits.committed_at < :cut;
"""

# What is not known yet at a moment: rows that came after it, and what happened to older ones since.
_FORGET_WHAT_CAME_AFTER = """
update raw.repository_counters as counters set
    observed_on = date :cut, observed_at = :cut,
    stars = stars - (
        select count(*) from raw.stargazers as given
        where given.repository_id = counters.repository_id and starred_at >= :cut
    ),
    forks = forks - (
        select count(*) from raw.forks as made
        where made.repository_id = counters.repository_id and created_at >= :cut
    );
delete from raw.pull_requests where created_at >= :cut;
delete from raw.issues where created_at >= :cut;
update raw.pull_requests set state = 'open', merged_at = null, closed_at = null, merge_sha = null,
    merged_by_key = null where coalesce(merged_at, closed_at) >= :cut;
update raw.issues set state = 'open', closed_at = null, state_reason = null where closed_at >= :cut;
update raw.pull_requests set updated_at = least(updated_at, :cut);
update raw.issues set updated_at = least(updated_at, :cut);
delete from raw.pull_request_events where created_at >= :cut;
delete from raw.issue_events where created_at >= :cut;
delete from raw.reviews where submitted_at >= :cut;
delete from raw.review_comments where created_at >= :cut;
delete from raw.commits where committed_at >= :cut;
delete from raw.releases where published_at >= :cut or created_at >= :cut;
delete from raw.tags where tagged_at >= :cut;
delete from raw.deployments where created_at >= :cut;
delete from raw.deployment_statuses where created_at >= :cut;
delete from raw.workflow_runs where created_at >= :cut;
delete from raw.stargazers where starred_at >= :cut;
delete from raw.forks where created_at >= :cut;
delete from raw.discussions where created_at >= :cut;
update raw.discussions set answered_at = null, answer_created_at = null, answer_author_key = null,
    answer_author_is_bot = null where answered_at >= :cut;
update raw.discussions set closed_at = null where closed_at >= :cut;
delete from raw.discussion_comments where created_at >= :cut;
update raw.discussion_comments set is_answer = false where (repository_id, number) in (
    select repository_id, number from raw.discussions where answered_at is null
);
update ops.collection_state set days = days * datemultirange(daterange(null, date :cut));
"""


def _days_of(warehouse: sa.Engine, first: date, last: date) -> dict[str, list[Any]]:
    """The rows of some days of all daily tables."""
    return {
        name: table(
            warehouse, f"select * from metrics.{name} where date between '{first}' and '{last}' order by {KEYS[name]}"
        )
        for name in KEYS
    }


def _assert_same(
    found: Mapping[str, list[Any]], expected: Mapping[str, list[Any]], what: str, but: Sequence[str] = ()
) -> None:
    """Fail with the first few rows of each table that one of the two has and the other has not."""
    said = []
    for name in sorted(expected.keys() - set(but)):
        ours, theirs = set(map(repr, found[name])), set(map(repr, expected[name]))
        said += [f"{name}: found {row}" for row in sorted(ours - theirs)[:3]]
        said += [f"{name}: expected {row}" for row in sorted(theirs - ours)[:3]]
    assert not said, "\n".join([what, *said])


def _copy_collected(collected: URL, warehouse: sa.Engine) -> None:
    """Everything upstream of the derived tables, taken over from another database; nothing else is left."""
    source = create_engine(collected)
    with source.connect() as reading, warehouse.begin() as writing:
        raw = reading.execute(
            sa.text("select schemaname || '.' || tablename from pg_tables where schemaname = 'raw'")
        ).scalars()
        names = [
            *raw,
            *(f"ops.{name}" for name in ("portfolio", "repository_settings", "team_members", "affiliations")),
            *(f"ops.{name}" for name in ("collection_state", "collection_log")),
        ]
        writing.execute(sa.text("truncate " + ", ".join([*names, *(f"metrics.{name}" for name in in_order())])))
        for name in names:
            rows = io.BytesIO()
            reading.connection.cursor().copy_expert(f"copy {name} to stdout", rows)
            rows.seek(0)
            writing.connection.cursor().copy_expert(f"copy {name} from stdin", rows)
    source.dispose()


def _empty(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text("truncate " + ", ".join(f"metrics.{name}" for name in in_order())))
