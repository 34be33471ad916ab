"""The day after: only what changed is asked for, all of it is there, and what is gone is marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.demo import changes, synthetic
from metrics_assets.demo.dice import Dice
from metrics_assets.demo.faults import NOT_FOUND, Fault, Rule, Seen
from metrics_assets.demo.history import History, Repository, Star
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer
from metrics_assets.settings import ENTITIES
from metrics_assets.sources.records import Account
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.sources.collecting import LAST, PEOPLE, Both, collect, rows, settings_of

EVERYTHING = date(2019, 1, 1)
DAY = timedelta(days=1)
NAMES = ("aurora/aurora-py", "synthetic/small")
# The tables that show what was seen on a day; their other days are no business of the next one.
OBSERVED = ("release_asset_counters", "traffic_sources")
Table = dict[tuple[Any, ...], dict[str, Any]]


def held(engine: sa.Engine) -> dict[str, Table]:
    """Everything in raw.* that is not gone: table, key and row."""
    found: dict[str, Table] = {}
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        for table in sorted(inspector.get_table_names(schema="raw")):
            if table == "repository_counters":
                continue
            keys = inspector.get_pk_constraint(table, schema="raw")["constrained_columns"]
            listed = connection.execute(sa.text(f"select to_jsonb(t) from raw.{table} as t")).scalars().all()
            live = [row for row in listed if row.pop("deleted_at", None) is None]
            found[table] = {tuple(row[key] for key in keys): row for row in live}
    return found


def without_what_was_below(snapshot: Snapshot, table: str, ours: Table) -> Table:
    """The rows of a table but those that belong to an issue or a release that is gone, which stay as well."""
    below = {"issue_events": ("issues", "number"), "release_assets": ("releases", "release_id")}
    if table not in below:
        return ours
    parent, column = below[table]
    return {key: row for key, row in ours.items() if (key[0], row[column]) not in snapshot.gone[parent]}


def gone(engine: sa.Engine, table: str, key: str) -> set[tuple[int, Any]]:
    return set(rows(engine, f"select repository_id, {key} from raw.{table} where deleted_at is not null"))


@dataclass
class Snapshot:
    """What a collection left, what a new warehouse holds after the same day, and what it was asked for."""

    history: History
    ours: dict[str, Table]
    both: Both
    asked: Counter[str]
    truth: dict[str, Table] = field(default_factory=dict)
    gone: dict[str, set[tuple[int, Any]]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def days(postgres: URL, template: str) -> Iterator[dict[str, Snapshot]]:
    """The sample organisation on its last day, on the next one (twice), a week later, and with things come back."""
    maintenance = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    settings = settings_of(*NAMES, start="2019-01-01")
    databases = ["next_day", "next_day_truth", "next_week_truth"]
    engines = {}
    with maintenance.connect() as connection:
        for name in databases:
            connection.execute(sa.text(f"create database {name} template {template}"))
            engines[name] = create_engine(postgres.set(database=name))
    ours = engines["next_day"]
    found: dict[str, Snapshot] = {}
    sample = sample_organisation()
    first_day = replace(sample, repositories=(*sample.repositories, *_small().repositories))
    with DemoServer(first_day, budget=100_000) as server:

        def collected(name: str, history: History, first: date, truth: str | None = None) -> None:
            server.play(history)
            before = Counter(server.requests)
            last = history.now.date() - DAY
            both = collect(server.url, ours, settings, first, last=last, run_id=name)
            found[name] = Snapshot(history, held(ours), both, Counter(server.requests) - before)
            found[name].gone = {
                table: gone(ours, table, key)
                for table, key in (("issues", "number"), ("releases", "release_id"), ("stargazers", "person_key"))
            }
            if truth:
                collect(server.url, engines[truth], settings, EVERYTHING, last=last)
                found[name].truth = held(engines[truth])

        collected("first", first_day, EVERYTHING)
        second_day = changes.next_day(first_day, 0.02, 1, NAMES)
        collected("second", second_day, LAST - 2 * DAY, "next_day_truth")
        collected("again", second_day, LAST - 2 * DAY)
        week_later = changes.next_day(replace(second_day, now=second_day.now + 7 * DAY), 0.01, 2, NAMES)
        collected("week later", week_later, LAST - 2 * DAY, "next_week_truth")
        collected("come back", _come_back(first_day, week_later), LAST + 5 * DAY)
    yield found
    for engine in engines.values():
        engine.dispose()
    with maintenance.connect() as connection:
        for name in databases:
            connection.execute(sa.text(f"drop database {name} with (force)"))


def _come_back(first: History, now: History) -> History:
    """A release that was withdrawn is there again, and who took back a star gives it again."""
    before = {one.full_name: one for one in first.repositories}

    def changed(one: Repository) -> Repository:
        if one.full_name not in NAMES:
            return one
        then, starred = before[one.full_name], {star.user.login for star in one.stars}
        back = tuple(Star(star.user, now.now + DAY / 2) for star in then.stars if star.user.login not in starred)
        lost = [release for release in then.releases if release.id not in {kept.id for kept in one.releases}]
        return replace(one, stars=(*one.stars, *back), releases=(*lost, *one.releases))

    return replace(now, now=now.now + DAY, repositories=tuple(changed(one) for one in now.repositories))


@pytest.mark.xdist_group("next_day")
def test_the_next_day_brings_exactly_what_is_new(days: dict[str, Snapshot]) -> None:
    first, second = days["first"], days["second"]
    assert second.both.entities.missing == second.both.portfolio.missing == {}
    today = second.history.now.date().isoformat()
    grown = []
    for table, truth in second.truth.items():
        ours = without_what_was_below(second, table, second.ours[table])
        if table in OBSERVED:
            ours = {key: row for key, row in ours.items() if row["observed_on"] == today}
        if table == "traffic":  # the days before the provider's window are kept
            ours = {key: row for key, row in ours.items() if key in truth}
        if table == "contributors":  # asked for every week only
            assert ours == first.ours[table]
            continue
        if table == "stargazers":  # those taken back are seen in a week
            ours = {key: row for key, row in ours.items() if key in truth}
        _same(table, ours, truth)
        if ours.keys() - first.ours[table].keys():
            grown.append(table)
    assert {
        "commits", "deployments", "deployment_statuses", "discussion_comments", "forks", "issue_events", "issues",
        "pull_request_events", "pull_requests", "review_comments", "reviews", "stargazers", "traffic",
        "workflow_jobs", "workflow_runs",
    } <= set(grown)  # fmt: skip
    asked = sum(second.asked.values())
    assert asked < sum(first.asked.values()) / 2


@pytest.mark.xdist_group("next_day")
def test_issues_and_releases_that_are_deleted_are_marked_and_nothing_else(days: dict[str, Snapshot]) -> None:
    first, second = days["first"], days["second"]
    pairs = list(zip(first.history.repositories, second.history.repositories, strict=True))
    for table, names in (("issues", "number"), ("releases", "id")):
        expected = {
            (old.id, identity)
            for old, new in pairs
            for identity in {getattr(item, names) for item in getattr(old, table)}
            - {getattr(item, names) for item in getattr(new, table)}
        }
        assert second.gone[table] == expected
        assert len(expected) == 2
        assert second.both.entities.deleted[table] == len(expected)
    assert second.gone["stargazers"] == set()
    assert +second.both.entities.deleted == {
        name: second.both.entities.deleted[name] for name in ("issues", "releases")
    }


@pytest.mark.xdist_group("next_day")
def test_where_nothing_changed_nothing_is_asked_for(days: dict[str, Snapshot]) -> None:
    again = days["again"]
    assert again.asked == {"graphql": 1, "rest": 1}  # the look at the portfolio, and the budget
    assert again.both.entities.requests == 0
    assert again.ours == days["second"].ours


@pytest.mark.xdist_group("next_day")
def test_a_week_later_stars_taken_back_are_marked_and_contributors_counted_anew(days: dict[str, Snapshot]) -> None:
    later = days["week later"]
    assert later.both.entities.missing == {}
    for table, truth in later.truth.items():
        ours = without_what_was_below(later, table, later.ours[table])
        if table in (*OBSERVED, "traffic"):
            ours = {key: row for key, row in ours.items() if key in truth}
        _same(table, ours, truth)
    withdrawn = {
        (old.id, PEOPLE.key(Account(star.user.login)))
        for old, new in zip(days["first"].history.repositories, later.history.repositories, strict=True)
        for star in old.stars
        if star.user.login not in {kept.user.login for kept in new.stars}
    }
    assert later.gone["stargazers"] >= withdrawn
    assert len(withdrawn) > 3
    for repository, person in later.gone["stargazers"] - withdrawn:  # those of the second day that went again
        assert (repository, person) not in later.truth["stargazers"]


@pytest.mark.xdist_group("next_day")
def test_what_comes_back_is_no_longer_marked(days: dict[str, Snapshot]) -> None:
    before, after = days["week later"], days["come back"]
    assert after.both.entities.missing == {}
    assert before.gone["releases"]
    assert after.gone["releases"] == set()
    came_back = before.gone["stargazers"] - after.gone["stargazers"]
    assert came_back == {
        (one.id, key)
        for one in after.history.repositories
        for star in one.stars
        if (one.id, key := PEOPLE.key(Account(star.user.login))) in before.gone["stargazers"]
    }
    assert len(came_back) > 3
    assert after.gone["issues"] >= before.gone["issues"]


# --- cases of their own, with small repositories ---


def _small(**more: int) -> History:
    sizes = {"forks": 9, "releases": 4, "deployments": 12, "workflow_runs": 15, "comments": 2, **more}
    return synthetic.large_repository(30, 40, 60, 50, name="small", **sizes)


def test_a_star_taken_back_in_a_quiet_repository_is_seen_although_nothing_follows(warehouse: sa.Engine) -> None:
    history = _small()
    one = history.repositories[0]
    settings = settings_of("synthetic/small", start="2023-01-01")
    without = replace(history, now=history.now + DAY, repositories=(replace(one, stars=one.stars[5:]),))
    with DemoServer(history) as server:
        collect(server.url, warehouse, settings, EVERYTHING)
        for number in range(12):
            server.play(replace(without, now=without.now + number * DAY))
            last = server.history.now.date() - DAY
            collect(server.url, warehouse, settings, last, last=last, run_id=f"day {number}")
    assert gone(warehouse, "stargazers", "person_key") == {
        (one.id, PEOPLE.key(Account(star.user.login))) for star in one.stars[:5]
    }


def test_a_history_from_the_middle_marks_only_what_is_gone(warehouse: sa.Engine) -> None:
    """Rows from before the start that are updated, and those that are deleted there, are no deletions of ours."""
    history, start = _small(), date(2025, 3, 1)
    begin = datetime(2025, 3, 1, tzinfo=UTC)
    one = history.repositories[0]
    settings = settings_of("synthetic/small", start=start.isoformat())
    old = [issue for issue in one.issues if issue.created_at < begin and issue.state == "CLOSED"]
    young = [issue for issue in one.issues if issue.created_at >= begin]
    assert min(len(old), len(young)) > 5
    touched = {issue.number for issue in old[:4]}
    lost = {old[5].number, young[0].number, young[3].number}
    now = history.now + DAY
    issues = tuple(
        replace(issue, updated_at=now - DAY / 2) if issue.number in touched else issue
        for issue in one.issues
        if issue.number not in lost
    )
    pulls = tuple(
        replace(pull, updated_at=now - DAY / 2) if pull.created_at and pull.created_at < begin else pull
        for pull in one.pull_requests
    )
    with DemoServer(history) as server:
        collect(server.url, warehouse, settings, start)
        assert touched.isdisjoint(rows(warehouse, "select number from raw.issues"))
        server.play(replace(history, now=now, repositories=(replace(one, issues=issues, pull_requests=pulls),)))
        done = collect(server.url, warehouse, settings, LAST, last=LAST + DAY, run_id="second")
        assert done.entities.missing == {}
        assert touched < set(rows(warehouse, "select number from raw.issues where deleted_at is null"))
        marked = {(one.id, young[0].number), (one.id, young[3].number)}
        assert gone(warehouse, "issues", "number") == marked
        assert gone(warehouse, "pull_requests", "number") == set()
        assert len(rows(warehouse, "select number from raw.pull_requests")) == len(pulls)
        # One more day, on which another of the young is deleted: what lies outside was counted right.
        fewer = tuple(issue for issue in issues if issue.number != young[6].number)
        server.play(replace(history, now=now + DAY, repositories=(replace(one, issues=fewer, pull_requests=pulls),)))
        collect(server.url, warehouse, settings, LAST + DAY, last=LAST + 2 * DAY, run_id="third")
        assert gone(warehouse, "issues", "number") == {*marked, (one.id, young[6].number)}


def _blind(seen: Seen, content: Any) -> Any:
    content["data"]["r0"] = None
    error = {"type": "INTERNAL", "message": "Something went wrong while executing your query.", "path": ["r0"]}
    return content | {"errors": [error]}


UNSEEN = ("traffic", "dependabot_alerts")  # what the token may not see
BLIND = Rule(Fault(change=_blind), when=lambda seen: "Probe" in str(seen.body.get("query")))


def test_what_could_not_be_looked_at_is_not_passed_as_unchanged(
    warehouse: sa.Engine, new_database: Callable[[str], URL]
) -> None:
    history = _small()
    settings = settings_of("synthetic/small")
    later = changes.next_day(history, 0.05, 3)
    truth = create_engine(new_database("truth"))
    days = "select entity from ops.collection_state where not days @> date '2026-01-01' order by 1"
    with DemoServer(history) as server:
        collect(server.url, warehouse, settings, EVERYTHING)
        server.play(later)
        server.faults += [BLIND, Rule(NOT_FOUND)]
        done = collect(server.url, warehouse, settings, LAST, last=LAST + DAY, run_id="blind and deaf")
        assert "synthetic/small" in done.portfolio.missing["repositories"]
        # Nothing could be asked for either, so the day is marked only for what is asked for every week.
        assert set(rows(warehouse, days)) == {*ENTITIES} - {*UNSEEN, "contributors", "security_advisories"}
        server.faults[:] = [BLIND]
        done = collect(
            server.url, warehouse, settings, LAST, last=LAST + DAY, run_id="blind",
            entities=[name for name in ENTITIES if name not in UNSEEN],
        )  # fmt: skip
        assert "synthetic/small" in done.portfolio.missing["repositories"]
        assert done.entities.missing == {}
        assert rows(warehouse, days) == []
        server.faults.clear()
        collect(server.url, truth, settings, EVERYTHING, last=LAST + DAY)
        blind, expected = held(warehouse), held(truth)
        for table in expected:
            if table not in (*OBSERVED, "contributors", "repositories"):  # asked for every week; what it is, by looking
                assert blind[table].items() >= expected[table].items(), table
        # What is gone is seen by the provider's counts, which come with the look at the portfolio.
        collect(server.url, warehouse, settings, LAST, last=LAST + DAY, run_id="seeing")
    ours = held(warehouse)
    for table in ("issues", "releases", "pull_requests", "forks", "review_comments"):
        _same(table, ours[table], expected[table])
    truth.dispose()


def test_three_requests_are_enough_for_a_changed_repository(
    warehouse: sa.Engine, new_database: Callable[[str], URL]
) -> None:
    names = [f"synthetic/lively-{number}" for number in range(20)]
    history = History(
        now=synthetic.large_repository(1, 1, 1, 1).now,
        repositories=tuple(
            synthetic.repository(
                name.split("/")[1], Dice(name), pull_requests=10, issues=14, commits=30, stars=20, forks=4, releases=2,
                deployments=4, workflow_runs=6, comments=1,
            )
            for name in names
        ),
    )  # fmt: skip
    settings = settings_of(*names)
    truth = create_engine(new_database("truth"))
    with DemoServer(history, budget=100_000) as server:
        collect(server.url, warehouse, settings, EVERYTHING)
        quiet = changes.next_day(history, 0, 1)
        before = Counter(server.requests)
        server.play(quiet)
        done = collect(server.url, warehouse, settings, LAST - DAY, last=LAST + DAY, run_id="quiet")
        assert Counter(server.requests) - before == {"graphql": 1, "rest": 1}
        assert rows(warehouse, "select count(*) from ops.collection_state where not days @> date '2026-01-01'") == [0]
        assert done.entities.unchanged == 20 * (len(ENTITIES) - 2)  # the token may see no traffic and no alerts
        lively = changes.next_day(quiet, 0.015, 4, spread=True)
        changed = sum(new is not old for old, new in zip(quiet.repositories, lively.repositories, strict=True))
        assert changed >= 10
        before = Counter(server.requests)
        server.play(lively)
        done = collect(server.url, warehouse, settings, LAST, last=LAST + 2 * DAY, run_id="lively")
        asked = Counter(server.requests) - before
        assert done.entities.missing == {}
        assert sum(asked.values()) <= 3 * changed
        collect(server.url, truth, settings, EVERYTHING, last=LAST + 2 * DAY)
    ours, expected = held(warehouse), held(truth)
    for table in expected:
        if table == "stargazers":
            ours[table] = {key: row for key, row in ours[table].items() if key in expected[table]}
        if table == "issue_events":  # those of issues that are deleted stay as well
            ours[table] = {key: row for key, row in ours[table].items() if (key[0], row["number"]) in ours["issues"]}
        if table not in (*OBSERVED, "contributors"):
            _same(table, ours[table], expected[table])
    truth.dispose()


def _same(table: str, ours: Table, truth: Table) -> None:
    """Fail with a row that differs, not with two tables."""
    missing, extra = truth.keys() - ours.keys(), ours.keys() - truth.keys()
    assert not missing, f"{table}: {len(missing)} rows are missing, for example {truth[min(missing, key=str)]}"
    assert not extra, f"{table}: {len(extra)} rows too many, for example {ours[min(extra, key=str)]}"
    other = [key for key, row in truth.items() if ours[key] != row]
    assert not other, f"{table}: {len(other)} rows differ: {ours[other[0]]} is not {truth[other[0]]}"
