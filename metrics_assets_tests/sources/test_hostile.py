"""A provider at its worst: nothing is lost, doubled or half written, and what is missing is named.

Also the clock and the budgets, which need a client whose time passes by sleeping.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.assets.collecting import Collector
from metrics_assets.assets.portfolio import collect_repositories
from metrics_assets.demo import changes, faults, synthetic
from metrics_assets.demo.faults import GONE, LEGAL_REASONS, NOT_A_LIST, NOT_FOUND, WRONG_TYPES, Fault, Rule, Seen
from metrics_assets.demo.history import (
    Discussion,
    DiscussionComment,
    History,
    Milestone,
    Repository,
    SecurityAdvisory,
    Tag,
    TrafficDay,
    TrafficSource,
)
from metrics_assets.demo.server import DemoServer
from metrics_assets.partitions import Days
from metrics_assets.settings import ENTITIES
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.governor import HourlyCap
from metrics_assets.sources.http import ApiClient, Token, Validator
from metrics_assets.warehouse.collection import Book, Usage, used_within_the_hour
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.sources.collecting import LAST, PEOPLE, Both, rows, settings_of

NAME, OTHER = "synthetic/small", "synthetic/other"
START = date(2024, 1, 1)
DAY = timedelta(days=1)


class Hurried:
    """Time that passes by sleeping, without waiting."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return time.time() + self.ahead

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.ahead += seconds
        self.naps.append(seconds)


def collect(
    server: DemoServer,
    engine: sa.Engine,
    run_id: str,
    names: Sequence[str] = (NAME,),
    *,
    entities: Sequence[str] = ENTITIES,
    first: date = START,
    last: date = LAST,
    clock: Hurried | None = None,
    tokens: Sequence[str] = ("of-the-test",),
    cap: HourlyCap | None = None,
    page_size: int = 10,
) -> Both:
    """Collect by a client that does not wait."""
    hurried = clock or Hurried()

    async def go() -> Both:
        book = Book(engine, run_id, first, last + DAY)
        validators = book.validators(server.url)
        client = ApiClient(
            server.url,
            credentials=[Token(f"token {name}", name) for name in tokens],
            sleep=hurried.sleep,
            clock=hurried,
            cap=cap,
        )
        async with client:
            collector = Collector(
                engine=engine,
                github=GitHub(
                    client,
                    page_size=page_size,
                    known=lambda address: Validator(*validators[address]) if address in validators else None,
                ),
                people=PEOPLE,
                settings=settings_of(*names, start=START.isoformat()),
                book=book,
                days=Days(first, last + DAY),
            )
            return Both(await collect_repositories(collector), await collector.collect(entities))

    return asyncio.run(go())


def held(engine: sa.Engine) -> dict[str, dict[str, str]]:
    """Everything that is not gone: table, key and row; what depends on the moment of looking left out."""
    found: dict[str, dict[str, str]] = {}
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        for table in sorted(inspector.get_table_names(schema="raw")):
            if table.endswith("counters"):
                continue
            key = inspector.get_pk_constraint(table, schema="raw")["constrained_columns"]
            listed = connection.execute(
                sa.text(f"select ({', '.join(key)})::text, (to_jsonb(t) - 'deleted_at')::text, to_jsonb(t) "
                        f"->> 'deleted_at' from raw.{table} as t")
            )  # fmt: skip
            found[table] = {row[0]: row[1] for row in listed if row[2] is None}
    return found


def assert_same(ours: dict[str, dict[str, str]], truth: dict[str, dict[str, str]], but: Sequence[str] = ()) -> None:
    for table, expected in truth.items():
        if table in but:
            continue
        found = ours[table]
        lost, more = expected.keys() - found.keys(), found.keys() - expected.keys()
        assert not lost, f"{table}: {len(lost)} rows are lost, for example {expected[min(lost)]}"
        assert not more, f"{table}: {len(more)} rows too many, for example {found[min(more)]}"
        other = [key for key in expected if found[key] != expected[key]]
        assert not other, f"{table}: {len(other)} rows differ: {found[other[0]]} is not {expected[other[0]]}"


def _repository() -> Repository:
    """A small one with something in every list; that of pull requests and of issues has several pages."""
    made = synthetic.large_repository(
        26, 31, 130, 120, forks=7, releases=5, deployments=9, workflow_runs=11, comments=2, name="small"
    )
    one = made.repositories[0]
    then = one.created_at + DAY
    return replace(
        one,
        permission="ADMIN",
        tags=(*one.tags, Tag(name="old", sha=one.commits[3].sha)),
        discussions=tuple(
            Discussion(
                number=1000 + n, title="A question", category="Q&A", author=None, created_at=then,
                updated_at=then + n * DAY,
                comments=(DiscussionComment(id=n, author=None, created_at=then + n * DAY),),
            )
            for n in range(13)
        ),
        milestones=(Milestone(number=1, title="First", state="OPEN", created_at=then, updated_at=then),),
        security_advisories=(
            SecurityAdvisory(
                ghsa_id="GHSA-1", summary="Bad", severity="high", state="published", created_at=then, updated_at=then
            ),
        ),
        traffic=tuple(TrafficDay(date=LAST - n * DAY, views=n, visitors=1) for n in range(9)),
        referrers=(TrafficSource("example.org", 5, 4),),
    )  # fmt: skip


@pytest.fixture(scope="module")
def history() -> History:
    small = _repository()
    made = synthetic.large_repository(5, 5, 10, 5, name="other")
    return replace(made, repositories=(small, *made.repositories))


@pytest.fixture(scope="module")
def truth(postgres: URL, template: str, history: History) -> Iterator[dict[str, dict[str, str]]]:
    """What a friendly provider gives of both repositories."""
    maintenance = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with maintenance.connect() as connection:
        connection.execute(sa.text(f"create database friendly template {template}"))
    engine = create_engine(postgres.set(database="friendly"))
    with DemoServer(history) as server:
        done = collect(server, engine, "friendly", (NAME, OTHER))
    assert done.entities.missing == {}
    found = held(engine)
    assert all(found[table] for table in found if table not in _EMPTY), "a table that nothing is in"
    yield found
    engine.dispose()
    with maintenance.connect() as connection:
        connection.execute(sa.text("drop database friendly with (force)"))


_EMPTY = (
    "dependabot_alerts", "release_assets", "package_advisories", "package_downloads", "package_releases", "packages",
    "mentions", "kpi_values", "events", "gate_evidence", "incident_corrections",
)  # fmt: skip


@pytest.fixture
def server(history: History) -> Iterator[DemoServer]:
    with DemoServer(history, budget=100_000) as running:
        yield running


# --- everything at once ---


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lists_that_move_at_a_hostile_provider_end_as_they_are(
    seed: int, warehouse: sa.Engine, new_database: Callable[[str], URL], history: History
) -> None:
    undisturbed = create_engine(new_database("undisturbed"))
    with DemoServer(history, budget=10_000) as server:
        stirring = changes.Stirring(server, NAME, seed=seed, every=3)
        # Worse than its worst day: such a small repository is not asked often.
        worst = faults.hostile(
            seed, in_a_row=2, wait_seconds=1, **{name: 3 * chance for name, chance in faults.CHANCES.items()}
        )
        server.faults += [stirring, *worst]
        first = collect(server, warehouse, "first")
        assert stirring.stirred > 5
        hostility = worst[0]
        assert isinstance(hostility, faults.Hostility)
        assert sum(count for name, count in hostility.committed.items() if name != "doubles") > 5
        for problem in (first.portfolio, first.entities):
            for entity, subjects in problem.missing.items():
                logged = rows(
                    warehouse,
                    "select outcome, error_class is not null, reason from ops.collection_log "
                    "where run_id = 'first' and entity = :entity",
                    entity=entity,
                )
                assert logged == [("incomplete", True, text) for text in subjects.values()]
        complete = "select count(*) from ops.collection_log where run_id = 'first' and outcome = 'complete'"
        assert rows(warehouse, complete)[0] + len(first.entities.missing) == 1 + len(ENTITIES)

        # What moved after its list was read is the second collection's.
        server.faults[:] = faults.hostile(seed + 1000)
        second = collect(server, warehouse, "second")
        if second.entities.missing or second.portfolio.missing:
            server.faults.clear()  # it said so, and goes on from where it was
            # Its budget renews after seconds that a client whose time jumps does not wait for: another token has one.
            collect(server, warehouse, "third", tokens=("whose budget is its own",))
        server.faults.clear()
        done = collect(server, undisturbed, "undisturbed", tokens=("whose budget is not spent",))
        assert done.portfolio.missing == done.entities.missing == {}
    assert_same(held(warehouse), held(undisturbed))
    undisturbed.dispose()


# --- one fault that stays ---

LISTS = ("pull_requests", "issues", "commits", "stargazers", "tags", "releases", "deployments", "discussions")


def _asks_for(entity: str) -> Callable[[Seen], bool]:
    """Whether a GraphQL query asks for a list (and others)."""
    return lambda seen: f"{entity}_first" in (seen.body.get("variables") or {})


def _only(entity: str, fault: Fault) -> Rule:
    """A fault of the requests that ask for a list, whatever else they ask for."""
    return Rule(fault, when=_asks_for(entity))


def _refused(entity: str) -> Fault:
    """An answer in which one list may not be seen."""
    name = {"pull_requests": "pull_requests", "commits": "default_branch"}.get(entity, entity)

    def change(seen: Seen, content: Any) -> Any:
        content["data"]["repository"][name] = None
        error = {"type": "FORBIDDEN", "message": "Resource not accessible", "path": ["repository", name]}
        return content | {"errors": [*content.get("errors", []), error]}

    return Fault(change=change)


def _odd(entity: str) -> Fault:
    """An answer in which one list has numbers as texts, and so on."""
    name = "default_branch" if entity == "commits" else entity

    def change(seen: Seen, content: Any) -> Any:
        assert WRONG_TYPES.change is not None
        content["data"]["repository"][name] = WRONG_TYPES.change(seen, content["data"]["repository"][name])
        return content

    return Fault(change=change)


_GARBAGE = Fault(status=200, body="no list at all")
_SERVER_ERROR = Fault(status=502, body={"message": "Server Error"})
_FORBIDDEN = Fault(status=403, body={"message": "Resource not accessible by personal access token"})
_HTML = Fault(change=lambda seen, content: "<html>")


def _rest(path: str, fault: Fault) -> Rule:
    return Rule(fault, path=f"small/{path}")


CASES: dict[str, tuple[Rule, set[str]]] = {
    **{f"{entity} in wrong types": (_only(entity, _odd(entity)), {entity}) for entity in LISTS},
    **{f"{entity} too heavy": (_only(entity, _SERVER_ERROR), {entity}) for entity in ("pull_requests", "tags")},
    **{f"{entity} refused": (_only(entity, _refused(entity)), {entity}) for entity in ("issues", "commits", "forks")},
    "review comments no list": (_rest("pulls/comments", NOT_A_LIST), {"review_comments"}),
    "review comments in wrong types": (_rest("pulls/comments", WRONG_TYPES), {"review_comments"}),
    "runs garbage": (_rest("actions/runs", _GARBAGE), {"workflow_runs"}),
    "runs gone": (_rest("actions/runs", GONE), {"workflow_runs"}),
    "runs for legal reasons": (_rest("actions/runs", LEGAL_REASONS), {"workflow_runs"}),
    "jobs in wrong types": (Rule(WRONG_TYPES, when=lambda seen: "ids" in (seen.body.get("variables") or {})),
                            {"workflow_runs"}),
    "contributors not ready": (_rest("contributors", faults.ACCEPTED), {"contributors"}),
    "contributors not found": (_rest("contributors", NOT_FOUND), {"contributors"}),
    "advisories not JSON": (_rest("security-advisories", faults.TRUNCATE), {"security_advisories"}),
    "alerts forbidden": (_rest("dependabot/alerts", _FORBIDDEN), {"dependabot_alerts"}),
    "traffic in wrong types": (_rest("traffic/clones", WRONG_TYPES), {"traffic"}),
    "referrers broken": (_rest("traffic/popular/referrers", _HTML), {"traffic"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_list_that_fails_stops_no_other_and_is_named(
    name: str, server: DemoServer, warehouse: sa.Engine, truth: dict[str, dict[str, str]]
) -> None:
    rule, expected = CASES[name]
    server.faults.append(rule)
    done = collect(server, warehouse, "first", (NAME, OTHER))
    assert rule.committed
    assert done.portfolio.missing == {}
    assert set(done.entities.missing) == expected
    for entity in expected:
        (reason,) = {done.entities.missing[entity].get(NAME)} - {None}
        assert reason
        # Jobs of several repositories are asked for together.
        assert "small" in reason or "jobs" in reason, reason
        words = (
            entity,
            entity.replace("_", " "),
            entity.replace("_", "-"),
            entity.split("_")[-1],
            "clones",
            "comments",
        )
        assert any(word in reason.lower() for word in words), reason
        (logged,) = rows(
            warehouse,
            "select outcome, error_class, reason from ops.collection_log where entity = :entity and repository = :name",
            entity=entity, name=NAME,
        )  # fmt: skip
        assert logged == ("incomplete", logged[1], reason)
        assert logged[1] not in (None, "Incomplete")
        kept = (
            "select collected_at, days::text from ops.collection_state join raw.repositories using (repository_id) "
            "where repository = :name and entity = :entity"
        )
        assert rows(warehouse, kept, name=NAME, entity=entity) in ([], [(None, "{}")])
    finished = "select entity from ops.collection_state join raw.repositories using (repository_id) " \
               "where repository = :name and days @> date '2025-12-31'"  # fmt: skip
    assert set(rows(warehouse, finished, name=NAME)) == set(ENTITIES) - expected
    found = held(warehouse)
    for table, whole in truth.items():
        assert found[table].items() <= whole.items(), f"{table}: something that is not there"
        if not any(table in TABLES.get(entity, (entity,)) for entity in expected):
            assert found[table] == whole, table
    # Nothing is half written: of each item that is there, all that belongs to it.
    for table, above in (("workflow_jobs", "workflow_runs"), ("deployment_statuses", "deployments")):
        if not found[above]:
            assert not found[table]

    server.faults.clear()
    done = collect(server, warehouse, "second", (NAME, OTHER))
    assert done.entities.missing == {}
    assert_same(held(warehouse), truth)
    assert rows(warehouse, "select count(*) from ops.collection_state where position is not null") == [0]


TABLES = {
    "pull_requests": ("pull_requests", "reviews", "pull_request_events"),
    "issues": ("issues", "issue_events"),
    "discussions": ("discussions", "discussion_comments"),
    "deployments": ("deployments", "deployment_statuses", "commits"),
    "tags": ("tags", "commits"),
    "workflow_runs": ("workflow_runs", "workflow_jobs"),
    "traffic": ("traffic", "traffic_sources"),
    "releases": ("releases", "release_assets"),
}


def test_everything_in_wrong_types_is_named_and_harmless(
    server: DemoServer, warehouse: sa.Engine, truth: dict[str, dict[str, str]]
) -> None:
    collect(server, warehouse, "probe", (NAME, OTHER), entities=())
    server.faults.append(Rule(WRONG_TYPES, when=lambda seen: "Probe" not in str(seen.body.get("query"))))
    done = collect(server, warehouse, "first", (NAME,))
    # Of what there is nothing of, the provider's count says so, and nothing has to be asked.
    assert set(done.entities.missing) == set(ENTITIES) - {"dependabot_alerts"}
    assert all(not found for table, found in held(warehouse).items() if table != "repositories")
    server.faults.clear()
    done = collect(server, warehouse, "second", (NAME, OTHER))
    assert done.entities.missing == {}
    assert_same(held(warehouse), truth)


def test_a_list_that_breaks_off_goes_on_from_where_it_was(
    server: DemoServer, warehouse: sa.Engine, truth: dict[str, dict[str, str]]
) -> None:
    """The second page of the issues fails for good: the first is kept, and not asked for again."""
    second = Rule(_SERVER_ERROR, when=lambda seen: bool((seen.body.get("variables") or {}).get("issues_after")))
    server.faults.append(second)
    done = collect(server, warehouse, "first", (NAME, OTHER), entities=("issues",))
    assert set(done.entities.missing) == {"issues"}
    here = len(held(warehouse)["issues"])
    assert 0 < here < len(truth["issues"])
    state = "select position is not null, days::text from ops.collection_state join raw.repositories " \
            "using (repository_id) where repository = :name"  # fmt: skip
    assert rows(warehouse, state, name=NAME) == [(True, "{}")]
    server.faults.clear()
    done = collect(server, warehouse, "second", (NAME, OTHER), entities=("issues",))
    assert done.entities.missing == {}
    # The front is looked at again, which is one page of ten; the rest is new.
    assert done.entities.rows_read["raw.issues"] <= len(truth["issues"]) - here + 10 + 5
    assert held(warehouse)["issues"] == truth["issues"]
    assert rows(warehouse, state, name=NAME) == [(False, "{[2024-01-01,2026-01-01)}")]


def _hole(entity: str) -> Fault:
    def change(seen: Seen, content: Any) -> Any:
        nodes = content["data"]["repository"][entity]["nodes"]
        nodes[2:3] = [None for _ in nodes[2:3]]
        return content

    return Fault(change=change)


@pytest.mark.parametrize("entity", ["issues", "pull_requests", "releases"])
def test_a_row_that_came_as_null_is_missing_until_it_came(
    entity: str, server: DemoServer, warehouse: sa.Engine, truth: dict[str, dict[str, str]]
) -> None:
    """On the first page, with pages behind it: going on at the end would never see it again."""
    first_page = Rule(
        _hole(entity), when=lambda seen: _asks_for(entity)(seen) and not seen.body["variables"][f"{entity}_after"]
    )
    server.faults.append(first_page)
    done = collect(server, warehouse, "first", (NAME,), entities=(entity,))
    assert "came empty" in done.entities.missing[entity][NAME]
    assert len(held(warehouse)[entity]) < len([row for row in truth[entity] if _is_small(row)])
    server.faults.clear()
    done = collect(server, warehouse, "second", (NAME,), entities=(entity,))
    assert done.entities.missing == {}
    assert held(warehouse)[entity].keys() == {row for row in truth[entity] if _is_small(row)}


def _is_small(row: str) -> bool:
    return row.startswith(f"({_repository().id},")


@pytest.mark.parametrize("how", ["fails", "breaks off"])
def test_comments_of_pull_requests_that_were_not_read_are_not_lost(
    how: str, server: DemoServer, warehouse: sa.Engine, new_database: Callable[[str], URL]
) -> None:
    """On the second day, new comments are seen in the pull requests: where those cannot be read, they are missing."""
    collect(server, warehouse, "first")
    server.play(changes.next_day(server.history, 0.3, 5))
    broken: dict[str, Callable[[Seen], bool]] = {
        "fails": _asks_for("pull_requests"),
        "breaks off": lambda seen: bool((seen.body.get("variables") or {}).get("pull_requests_after")),
    }
    server.faults.append(Rule(_SERVER_ERROR, when=broken[how]))
    later = {"first": LAST, "last": LAST + DAY, "page_size": 5}
    done = collect(server, warehouse, "second", **later)  # type: ignore[arg-type]
    assert "pull_requests" in done.entities.missing
    server.faults.clear()
    done = collect(server, warehouse, "third", **later)  # type: ignore[arg-type]
    assert done.entities.missing == {}
    other = create_engine(new_database("undisturbed"))
    collect(server, other, "undisturbed", last=LAST + DAY)
    ours, expected = held(warehouse), held(other)
    other.dispose()
    for table in ("pull_requests", "reviews", "review_comments"):
        assert_same({table: ours[table]}, {table: expected[table]})


def test_commits_below_a_tag_that_could_not_be_read_come_with_it(server: DemoServer, warehouse: sa.Engine) -> None:
    """A tag of a maintenance branch: its commits are asked for only once the tag is known."""
    one = server.history.repositories[0]
    at = server.history.now - 2 * DAY
    side = replace(one.commits[50], sha="5" * 40, parents=(one.commits[50].sha,), committed_at=at, authored_at=at)
    changed = replace(one, commits=(*one.commits, side), tags=(*one.tags, Tag(name="v-side", sha=side.sha)))
    server.play(replace(server.history, repositories=(changed, *server.history.repositories[1:])))
    server.faults.append(_only("tags", _refused("tags")))
    done = collect(server, warehouse, "first")
    assert set(done.entities.missing) == {"tags"}
    server.faults.clear()
    done = collect(server, warehouse, "second")
    assert done.entities.missing == {}
    assert rows(warehouse, "select on_default_branch from raw.commits where sha = :sha", sha=side.sha) == [False]


# --- the clock ---


def test_a_day_that_is_not_over_at_the_provider_is_not_complete(
    server: DemoServer, warehouse: sa.Engine, truth: dict[str, dict[str, str]]
) -> None:
    right = server.history
    server.play(replace(right, now=right.now - DAY))
    done = collect(server, warehouse, "early", (NAME, OTHER))
    sentence = (
        "the provider's clock says 2025-12-31 00:30 (UTC), so 2025-12-31 is not over; what there was is kept; "
        "set this machine's clock, and run the day again"
    )
    assert {text for subjects in done.entities.missing.values() for text in subjects.values()} == {sentence}
    assert set(done.entities.missing) == set(ENTITIES)
    logged = "select distinct outcome, reason from ops.collection_log where entity <> 'repositories'"
    assert rows(warehouse, logged) == [("incomplete", sentence)]
    assert rows(warehouse, "select count(*) from ops.collection_state where days <> '{}'") == [0]
    kept = held(warehouse)
    assert_same(kept, truth, but=("traffic", "traffic_sources"))

    server.play(right)
    done = collect(server, warehouse, "in time", (NAME, OTHER))
    assert done.entities.missing == {}
    assert rows(warehouse, "select distinct days::text from ops.collection_state") == ["{[2024-01-01,2026-01-01)}"]
    found = held(warehouse)
    assert_same(found, truth, but=("traffic", "traffic_sources"))
    assert found["traffic"].keys() >= truth["traffic"].keys()


def test_an_early_day_is_not_passed_as_unchanged_either(server: DemoServer, warehouse: sa.Engine) -> None:
    collect(server, warehouse, "first")
    done = collect(server, warehouse, "early", first=LAST + DAY, last=LAST + DAY)
    assert "the whole portfolio" in done.entities.missing["issues"]
    assert rows(warehouse, "select count(*) from ops.collection_state where days @> date '2026-01-01'") == [0]
    server.play(replace(server.history, now=server.history.now + DAY))
    done = collect(server, warehouse, "in time", first=LAST + DAY, last=LAST + DAY)
    assert done.entities.missing == {}
    assert rows(warehouse, "select count(*) from ops.collection_state where not days @> date '2026-01-01'") == [0]


# --- budgets ---


def test_what_the_hour_may_cost_is_kept_to_and_earlier_runs_count(
    server: DemoServer, warehouse: sa.Engine, truth: dict[str, dict[str, str]]
) -> None:
    free = Hurried()
    before = sum(server.requests.values())
    collect(server, warehouse, "first", (OTHER,), clock=free)
    needed = sum(server.requests.values()) - before
    assert free.naps == []
    used = used_within_the_hour(warehouse, "github")
    assert used >= needed > 5

    Book(warehouse, "earlier", LAST, LAST + DAY).use([Usage("github", "issues", NAME, "core", 100)])
    used = used_within_the_hour(warehouse, "github")
    clock = Hurried()
    cap = HourlyCap(round(used) + 10, deque([(clock(), used)]))
    began, before = clock(), sum(server.requests.values())
    done = collect(server, warehouse, "capped", (NAME, OTHER), clock=clock, cap=cap)
    assert done.entities.missing == {}
    assert sum(server.requests.values()) - before > 10
    assert clock() - began >= 3500  # ten at once, and the rest when the earlier ones were an hour ago
    assert max(clock.naps) <= 3600
    assert_same(held(warehouse), truth)


def test_two_tokens_give_twice_as_much(
    history: History, warehouse: sa.Engine, truth: dict[str, dict[str, str]]
) -> None:
    with DemoServer(history, budget=100_000) as server:
        collect(server, warehouse, "measured", (NAME, OTHER))
        asked = dict(server.requests)
        points = rows(warehouse, "select sum(points) from ops.api_usage")[0]
    budget = round(max(float(points), asked["rest"]) * 0.75)
    with warehouse.begin() as connection:
        for table in ("raw.issues", "ops.collection_state", "ops.http_validators"):
            connection.execute(sa.text(f"truncate {table}"))
    alone, both = Hurried(), Hurried()
    with DemoServer(history, budget=budget) as server:
        done = collect(server, warehouse, "two", (NAME, OTHER), clock=both, tokens=("one", "two"))
        assert done.entities.missing == {}
        assert_same(held(warehouse), truth)
        assert sum(both.naps) < 60
        # One alone has to wait for the next hour, which does not come at this server.
        with warehouse.begin() as connection:
            connection.execute(sa.text("truncate ops.collection_state"))
        done = collect(server, warehouse, "one", (NAME, OTHER), clock=alone, tokens=("three",))
        assert done.entities.missing
    assert max(alone.naps) > 600
