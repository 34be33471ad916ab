"""The Dagster step `collect`: what is selected, what it says of itself, and going on after a killed run."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.demo import synthetic
from metrics_assets.demo.faults import Fault, Rule, Seen
from metrics_assets.demo.history import History
from metrics_assets.demo.server import DemoServer
from metrics_assets.settings import Settings
from metrics_assets_tests.playing import materialize, playing

FIRST, LAST = date(2025, 12, 30), date(2025, 12, 31)
START = date(2025, 12, 20)  # the day on which the repository was made
NAME = "synthetic/small"
REPOSITORIES = " or ".join(f'key:"{table}"' for table in ("raw/repositories", "ops/portfolio"))
Playing = tuple[DemoServer, sa.Engine, Settings]


def _hurried(item: Any) -> Any:
    """The same, with two years in twelve days, so that Dagster has not so many partitions to write of."""
    if isinstance(item, datetime):
        begin = datetime(START.year, START.month, START.day, tzinfo=UTC)
        return begin + timedelta(seconds=int(max(item - synthetic.BEGIN, timedelta(0)).total_seconds() * 11.9 / 731))
    if isinstance(item, tuple):
        return tuple(map(_hurried, item))
    if not dataclasses.is_dataclass(item) or isinstance(item, type):
        return item
    fields = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    return dataclasses.replace(item, **{name: _hurried(value) for name, value in fields.items()})


@pytest.fixture(scope="module")
def history() -> History:
    made = synthetic.large_repository(
        30, 260, 60, 20, forks=3, releases=2, deployments=4, workflow_runs=5, comments=1, name="small"
    )
    return dataclasses.replace(made, repositories=_hurried(made.repositories))


@pytest.fixture
def played(
    history: History, new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Playing]:
    """A server, an empty warehouse and settings whose look at the portfolio is done."""
    settings = Settings.model_validate(
        {"start": START, "end": "2025-12-31", "repositories": [{"github": NAME}],
         "sources": {"github": {"page_size": 20}}}
    )  # fmt: skip
    with playing(history, new_database("collect_asset"), tmp_path / "home", monkeypatch) as (server, engine):
        yield server, engine, settings


def _run(settings: Settings, *tables: str, recollect: bool = False, error: bool = True) -> dg.ExecuteInProcessResult:
    """Materialize some of the step's tables over the whole history, with the launchpad's configuration."""
    from metrics_assets.automation.jobs import MAIN_JOB, RANGE_END_TAG, RANGE_START_TAG
    from metrics_assets.definitions import build

    with dg.DagsterInstance.get() as instance:
        return (
            build(settings)
            .resolve_job_def(MAIN_JOB)
            .execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["raw", table]) for table in tables],
                run_config={"ops": {"collect": {"config": {"recollect": True}}}} if recollect else None,
                tags={RANGE_START_TAG: START.isoformat(), RANGE_END_TAG: LAST.isoformat()},
                raise_on_error=error,
            )
        )


def _metadata(result: dg.ExecuteInProcessResult, table: str) -> dict[str, Any]:
    event, *_ = [  # one for each day of the range
        found
        for found in result.asset_materializations_for_node("collect")
        if found.asset_key == dg.AssetKey(["raw", table])
    ]
    return {name: value.value for name, value in event.metadata.items()}


def _checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {found.asset_key.path[-1]: found for found in result.get_asset_check_evaluations()}


def _count(engine: sa.Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text(f"select count(*) from {table}")).scalar_one())


def _tables(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.path[-1] for event in result.asset_materializations_for_node("collect") if event.asset_key}


def test_one_table_alone_and_its_check(played: Playing, history: History) -> None:
    server, engine, settings = played
    materialize(settings, FIRST, LAST, REPOSITORIES)
    asked: list[Seen] = []

    def watch(seen: Seen) -> Fault | None:
        asked.append(seen)
        return None

    server.faults.append(watch)
    result = _run(settings, "issues")
    assert result.success
    assert _tables(result) == {"issues"}
    assert set(_checks(result)) == {"issues"}
    assert _checks(result)["issues"].passed
    assert _count(engine, "raw.issues") == len(history.repositories[0].issues)
    for table in ("pull_requests", "commits", "stargazers", "tags", "workflow_runs", "contributors"):
        assert _count(engine, f"raw.{table}") == 0, table
    named = {name for seen in asked for name in seen.body.get("variables") or {} if name.endswith("_first")}
    assert named == {"issues_first"}
    assert [seen.path for seen in asked if seen.kind == "rest"] == ["/rate_limit"]

    found = _metadata(result, "issues")
    assert found["requests"] == pytest.approx(sum("issues_first" in (s.body.get("variables") or {}) for s in asked))
    assert found["graphql_points"] >= found["requests"]
    assert found["dagster/row_count"] == found["rows_changed"] == len(history.repositories[0].issues)
    assert "missing" not in found

    # Of an entity with several tables the second alone: no check, and what it is made of comes with it.
    result = _run(settings, "reviews")
    assert _tables(result) == {"reviews"}
    assert _checks(result) == {}
    assert _count(engine, "raw.pull_requests") == len(history.repositories[0].pull_requests)


def test_recollect_asks_again_where_nothing_changed(played: Playing) -> None:
    server, engine, settings = played
    materialize(settings, FIRST, LAST, REPOSITORIES)
    tables = ("issues", "contributors", "stargazers")
    _run(settings, *tables)
    before = Counter(server.requests)
    result = _run(settings, *tables)
    assert _metadata(result, "issues")["requests"] == 0
    assert Counter(server.requests) - before == {"graphql": 1, "rest": 1}
    counted = {table: _count(engine, f"raw.{table}") for table in tables}
    with engine.begin() as connection:
        for table in tables:
            connection.execute(sa.text(f"delete from raw.{table} where ctid in (select ctid from raw.{table} limit 3)"))
    result = _run(settings, *tables, recollect=True)
    assert _metadata(result, "issues")["requests"] > 0
    assert _metadata(result, "issues")["rows_changed"] == 3
    assert {table: _count(engine, f"raw.{table}") for table in tables} == counted  # also what came with an ETag
    assert all(check.passed for check in _checks(result).values())


def test_the_check_says_what_is_missing_and_the_step_goes_on(played: Playing) -> None:
    server, _, settings = played
    materialize(settings, FIRST, LAST, REPOSITORIES)
    server.faults.append(Rule(Fault(status=451, body={"message": "Repository access blocked"}), path="contributors"))
    result = _run(settings, "contributors", "issues", "traffic")
    assert result.success
    checks = _checks(result)
    assert (checks["contributors"].passed, checks["issues"].passed, checks["traffic"].passed) == (False, True, True)
    told = checks["contributors"].description or ""
    assert told.startswith(f"{NAME}: GET ")
    assert "451 Repository access blocked; the provider has blocked access" in told
    assert checks["contributors"].metadata["missing"].value == 1
    assert told[:80] in str(_metadata(result, "contributors")["missing"])
    # What the token may not see is said, and is no failure.
    assert "the token may READ; traffic needs ADMIN or MAINTAIN or WRITE" in str(
        _metadata(result, "traffic")["not_asked_for"]
    )
    server.faults.clear()
    result = _run(settings, "contributors")
    assert _checks(result)["contributors"].passed
    assert _checks(result)["contributors"].description == "Nothing is missing."


def test_a_count_that_is_not_the_providers_fails_the_check(played: Playing) -> None:
    server, _, settings = played
    materialize(settings, FIRST, LAST, REPOSITORIES)

    def one_more(seen: Seen, content: Any) -> Any:
        for found in [content["data"].get("r0"), content["data"].get("repository")]:
            if found and "stargazers" in found:
                found["stargazers"]["totalCount"] += 2
        return content

    server.faults.append(Rule(Fault(change=one_more), path="/graphql"))
    result = _run(settings, "stargazers")
    check = _checks(result)["stargazers"]
    assert not check.passed
    assert check.description == f"{NAME}: the provider counts 22, the warehouse 20"


def test_a_run_that_breaks_off_goes_on_from_where_it_was(played: Playing, history: History) -> None:
    """The token is refused in the middle, as if the process had died there."""
    server, engine, settings = played
    materialize(settings, FIRST, LAST, REPOSITORIES)
    with engine.begin() as connection:
        connection.execute(sa.text("truncate raw.issues, raw.issue_events, ops.collection_state"))
    before = Counter(server.requests)
    _run(settings, "issues")
    from_scratch = sum((Counter(server.requests) - before).values())
    assert from_scratch > 10
    with engine.begin() as connection:
        connection.execute(sa.text("truncate raw.issues, raw.issue_events, ops.collection_state"))

    refused = Fault(status=401, body={"message": "Bad credentials"})
    pages = Rule(Fault(delay_ms=0), times=8, when=lambda seen: "issues_first" in (seen.body.get("variables") or {}))
    last = Rule(refused, when=lambda seen: "issues_first" in (seen.body.get("variables") or {}))
    server.faults += [pages, last]
    result = _run(settings, "issues", error=False)
    assert not result.success
    assert last.committed == 1  # a refused token is not tried again
    server.faults.clear()
    here = _count(engine, "raw.issues")
    assert 0 < here < len(history.repositories[0].issues)
    with engine.connect() as connection:
        state = connection.execute(sa.text("select position is not null, days::text from ops.collection_state")).all()
    assert [tuple(row) for row in state] == [(True, "{}")]

    before = Counter(server.requests)
    result = _run(settings, "issues")
    assert result.success
    assert _checks(result)["issues"].passed
    assert sum((Counter(server.requests) - before).values()) < from_scratch - 4
    assert _count(engine, "raw.issues") == len(history.repositories[0].issues)
