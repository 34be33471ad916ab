"""Repositories in git: alone, and beside GitHub, where commits and tags come from git and all else from the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.demo import synthetic
from metrics_assets.demo.faults import Fault, Seen
from metrics_assets.demo.history import History
from metrics_assets.demo.server import DemoServer
from metrics_assets.settings import ENTITIES, Settings
from metrics_assets.sources.git.mirror import Mirror
from metrics_assets_tests.sources.collecting import LAST, Both, collect, rows
from metrics_assets_tests.sources.git.building import Writer, empty_repository, git

START = date(2024, 1, 1)
DAY = timedelta(days=1)
THEN = datetime(2024, 3, 1, tzinfo=UTC)
NAME = "synthetic/small"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where clones are kept."""
    monkeypatch.setenv("METRICS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def history() -> History:
    return synthetic.large_repository(6, 8, 12, 9, forks=3, releases=2, deployments=3, workflow_runs=4, name="small")


@pytest.fixture
def server(history: History) -> Iterator[DemoServer]:
    with DemoServer(history) as running:
        yield running


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Three commits, a merged pull request, and tags of both kinds."""
    remote = empty_repository(tmp_path / "acme" / "tool.git")
    with Writer(remote) as write:
        write.commit("1", "first", authored_at=THEN, author="A <a@example.invalid>")
        write.commit("2", "second", parents=["1"], authored_at=THEN + DAY, author="B <b@example.invalid>")
        write.commit("change", "a change", parents=["2"], authored_at=THEN + 2 * DAY, author="B <b@example.invalid>")
        write.commit(
            "merge", "Merge pull request #7 from b/change", parents=["2", "change"], authored_at=THEN + 3 * DAY
        )
        write.commit("other", "of the branch", parents=["merge"], authored_at=THEN + 4 * DAY, files={"b": "b"})
        write.commit("squashed", "Another change (#8)", parents=["merge"], authored_at=THEN + 4 * DAY, files={"b": "b"})
        write.commit("side", "elsewhere", parents=["1"], authored_at=THEN + 5 * DAY)
        write.ref("refs/heads/main", "squashed")
        write.ref("refs/pull/7/head", "change")
        write.ref("refs/pull/8/head", "other")
        write.ref("refs/heads/side", "side")
        write.ref("refs/tags/v1", "1")
        write.tag("v2", "squashed", THEN + 6 * DAY)
    git(remote, "update-ref", "-d", "refs/building/now")
    return remote


def _settings(*repositories: dict[str, Any]) -> Settings:
    return Settings.model_validate({"start": START.isoformat(), "repositories": list(repositories)})


def _collect(server: DemoServer, engine: sa.Engine, settings: Settings, run_id: str = "run", **more: Any) -> Both:
    return collect(server.url, engine, settings, more.pop("first", START), run_id=run_id, **more)


def _log(engine: sa.Engine, repository: str, run_id: str = "run") -> dict[str, tuple[str, str | None]]:
    found = rows(
        engine,
        "select entity, outcome, reason from ops.collection_log where repository = :name and run_id = :run",
        name=repository,
        run=run_id,
    )
    return {entity: (outcome, reason) for entity, outcome, reason in found}


def _subjects(remote: Path, *refs: str) -> set[str]:
    return set(git(remote, "rev-list", *refs).splitlines())


def test_what_git_alone_knows(server: DemoServer, warehouse: sa.Engine, remote: Path, home: Path) -> None:
    url = f"file://{remote}"
    done = _collect(server, warehouse, _settings({"git": url}))
    assert done.portfolio.missing == done.entities.missing == {}
    assert sum(server.requests.values()) == 0  # no API is asked
    assert rows(
        warehouse,
        "select repository_id, repository, provider, state, default_branch, has_issues, created_at, pushed_at "
        "from raw.repositories",
    ) == [
        (
            Mirror(url, home).repository_id, "acme/tool", "git", "active", "main", False, THEN, THEN + 5 * DAY,
        )
    ]  # fmt: skip
    assert Mirror(url, home).repository_id < 0
    assert dict(rows(warehouse, "select sha, on_default_branch from raw.commits")) == dict.fromkeys(
        _subjects(remote, "main"), True
    )
    assert rows(warehouse, "select tag, sha, is_annotated from raw.tags order by 1") == [
        ("v1", git(remote, "rev-parse", "v1^{commit}"), False),
        ("v2", git(remote, "rev-parse", "v2^{commit}"), True),
    ]
    merged = "select number, state, merged_at, merge_sha, head_sha from raw.pull_requests order by 1"
    seven, eight = rows(warehouse, merged)
    assert seven == (
        7, "merged", THEN + 3 * DAY, git(remote, "rev-parse", "main^"), git(remote, "rev-parse", "refs/pull/7/head"),
    )  # fmt: skip
    assert eight[:4] == (8, "merged", THEN + 4 * DAY, git(remote, "rev-parse", "main"))
    assert rows(warehouse, "select commits from raw.contributors order by 1") == [2, 2]
    log = _log(warehouse, "acme/tool")
    assert {entity: outcome for entity, (outcome, _) in log.items()} == dict.fromkeys(
        ("repositories", "commits", "tags", "pull_requests", "contributors"), "complete"
    )
    assert "rebas" in (log["pull_requests"][1] or "").lower()
    assert "rebas" in done.entities.remarks["acme/tool"].lower()


def test_a_second_look_writes_what_came_since(server: DemoServer, warehouse: sa.Engine, remote: Path) -> None:
    settings = _settings({"git": f"file://{remote}"})
    _collect(server, warehouse, settings)
    again = _collect(server, warehouse, settings, "again", first=LAST)
    assert +again.entities.rows_written == {}
    main = git(remote, "rev-parse", "main")
    new = git(
        remote, "-c", "user.name=C", "-c", "user.email=c@example.invalid", "commit-tree", "-p", main, "-m", "new",
        f"{main}^{{tree}}",
    )  # fmt: skip
    git(remote, "update-ref", "refs/heads/main", new)
    git(remote, "update-ref", "-d", "refs/tags/v1")
    later = _collect(server, warehouse, settings, "later", first=LAST)
    assert later.entities.rows_written["raw.commits"] == 1
    assert later.entities.deleted["tags"] == 1
    assert rows(warehouse, "select tag from raw.tags where deleted_at is not null") == ["v1"]
    assert set(rows(warehouse, "select sha from raw.commits where on_default_branch")) == _subjects(remote, "main")


def test_beside_github_commits_and_tags_come_from_git(
    server: DemoServer, history: History, warehouse: sa.Engine, remote: Path
) -> None:
    asked: list[Seen] = []

    def watch(seen: Seen) -> Fault | None:
        asked.append(seen)
        return None

    server.faults.append(watch)
    settings = _settings({"github": NAME, "git": f"file://{remote}"})
    done = _collect(server, warehouse, settings)
    assert done.portfolio.missing == done.entities.missing == {}
    one = history.repositories[0]
    assert rows(warehouse, "select repository_id, provider from raw.repositories") == [(one.id, "github")]
    stored = rows(warehouse, "select repository_id, sha from raw.commits")
    assert set(stored) == {(one.id, sha) for sha in _subjects(remote, "main")}
    assert set(rows(warehouse, "select repository_id, tag from raw.tags")) == {(one.id, "v1"), (one.id, "v2")}
    for table, items in (("issues", one.issues), ("pull_requests", one.pull_requests)):
        assert set(rows(warehouse, f"select repository_id, number from raw.{table}")) == {
            (one.id, item.number) for item in items
        }
    assert len(rows(warehouse, "select 1 from raw.stargazers")) == len(one.stars)
    assert any("issues_first" in (seen.body.get("variables") or {}) for seen in asked)
    for seen in asked:
        variables = seen.body.get("variables") or {}
        assert not {"commits_first", "tags_first"} & variables.keys()
        assert not seen.path.endswith("/commits")
    before = len(asked)
    again = _collect(server, warehouse, settings, "again", first=LAST)
    assert +again.entities.rows_written == {}
    assert len(asked) - before == 2  # the look at the portfolio, and the budget; git costs nothing


def test_a_force_push_takes_commits_off_the_branch_and_keeps_them(
    server: DemoServer, warehouse: sa.Engine, remote: Path
) -> None:
    settings = _settings({"github": NAME, "git": f"file://{remote}"}, {"git": f"file://{remote}"})
    _collect(server, warehouse, settings)
    before = _subjects(remote, "main")
    git(remote, "update-ref", "refs/heads/main", git(remote, "rev-parse", "side"))
    done = _collect(server, warehouse, settings, "pushed", first=LAST)
    assert done.entities.missing == {}
    on, off = _subjects(remote, "main"), before - _subjects(remote, "main")
    assert len(off) == 4
    for sign in ("< 0", "> 0"):  # alone, and beside GitHub
        found = dict(rows(warehouse, f"select sha, on_default_branch from raw.commits where repository_id {sign}"))
        assert found == dict.fromkeys(on, True) | dict.fromkeys(off, False)


def test_an_address_that_cannot_be_cloned_is_named_and_stops_no_other(
    server: DemoServer, history: History, warehouse: sa.Engine, remote: Path, tmp_path: Path
) -> None:
    nowhere = f"file://{tmp_path}/acme/nowhere.git"
    settings = _settings({"git": nowhere}, {"git": f"file://{remote}"}, {"github": NAME, "git": nowhere})
    done = _collect(server, warehouse, settings)
    assert set(done.portfolio.missing["repositories"]) == {"acme/nowhere"}
    assert "nowhere.git" in done.portfolio.missing["repositories"]["acme/nowhere"]
    assert {entity: set(found) for entity, found in done.entities.missing.items()} == {
        "commits": {NAME}, "tags": {NAME},
    }  # fmt: skip
    assert "nowhere.git" in done.entities.missing["commits"][NAME]
    outcome, reason = _log(warehouse, "acme/nowhere")["repositories"]
    assert (outcome, reason) == ("incomplete", done.portfolio.missing["repositories"]["acme/nowhere"])
    assert {outcome for outcome, _ in _log(warehouse, "acme/tool").values()} == {"complete"}
    assert len(rows(warehouse, "select 1 from raw.issues")) == len(history.repositories[0].issues)
    days = "select entity from ops.collection_state where repository_id = :id and days = '{}'"
    assert set(rows(warehouse, days, id=history.repositories[0].id)) <= {"commits", "tags"}
    # The clone comes back: the next run has it all.
    remote.rename(tmp_path / "acme" / "nowhere.git")
    done = _collect(server, warehouse, _settings({"github": NAME, "git": nowhere}), "back")
    assert done.entities.missing == {}
    assert rows(warehouse, "select count(*) from raw.commits where repository_id > 0") == [5]


def test_git_is_taken_away_again_and_the_api_goes_on(
    server: DemoServer, history: History, warehouse: sa.Engine, remote: Path
) -> None:
    """The place where git's reading stood is none of the API's list."""
    _collect(server, warehouse, _settings({"github": NAME, "git": f"file://{remote}"}))
    done = _collect(server, warehouse, _settings({"github": NAME}), "without")
    assert done.entities.missing == {}
    one = history.repositories[0]
    assert {commit.sha for commit in one.commits} <= set(rows(warehouse, "select sha from raw.commits"))
    assert set(rows(warehouse, "select tag from raw.tags where deleted_at is null")) == {tag.name for tag in one.tags}


def test_an_empty_remote_is_complete_and_says_so(server: DemoServer, warehouse: sa.Engine, tmp_path: Path) -> None:
    empty = empty_repository(tmp_path / "acme" / "empty.git")
    done = _collect(server, warehouse, _settings({"git": f"file://{empty}"}))
    assert done.portfolio.missing == done.entities.missing == {}
    assert rows(warehouse, "select repository, state from raw.repositories") == [("acme/empty", "empty")]
    assert rows(warehouse, "select count(*) from raw.commits") == [0]
    assert "HEAD names" in done.portfolio.remarks["acme/empty"]
    assert _log(warehouse, "acme/empty")["commits"] == ("complete", "the repository is empty")


def test_only_what_is_wanted_is_read(server: DemoServer, warehouse: sa.Engine, remote: Path) -> None:
    settings = _settings({"git": f"file://{remote}", "collect": ["commits", "issues"]})
    done = _collect(server, warehouse, settings, entities=ENTITIES)
    assert done.entities.missing == {}
    assert len(rows(warehouse, "select 1 from raw.commits")) == 5
    for table in ("tags", "pull_requests", "contributors"):
        assert rows(warehouse, f"select count(*) from raw.{table}") == [0]
    assert set(_log(warehouse, "acme/tool")) == {"repositories", "commits"}
