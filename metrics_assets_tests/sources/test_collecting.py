"""Collecting the served sample organisation: every item once, whatever goes wrong in between."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.demo.faults import BAD_GATEWAY, DROP, TRUNCATE, Fault, Rule, Seen, graphql_errors
from metrics_assets.demo.history import (
    Commit,
    Deployment,
    History,
    Issue,
    PullRequest,
    Repository,
    Status,
    Tag,
    User,
    ancestors,
)
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer
from metrics_assets.sources.errors import Unauthorized
from metrics_assets.sources.records import Account
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.sources.collecting import (
    PEOPLE,
    collect,
    contents,
    default_branch,
    rows,
    settings_of,
)

EVERYTHING = date(2019, 1, 1)
NAMES = ("api", "web", "billing", "search", "aurora-py", "toolkit", "legacy", "sandbox")


@pytest.fixture(scope="module")
def history() -> History:
    return sample_organisation()


@pytest.fixture(scope="module")
def server(history: History) -> Iterator[DemoServer]:
    with DemoServer(history, budget=100_000) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults_left(server: DemoServer) -> Iterator[None]:
    yield
    server.faults.clear()


@pytest.fixture(scope="module")
def whole(postgres: URL, template: str, server: DemoServer) -> Iterator[sa.Engine]:
    """A warehouse with the whole organisation, all of its history."""
    maintenance = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with maintenance.connect() as connection:
        connection.execute(sa.text(f"create database whole_organisation template {template}"))
    engine = create_engine(postgres.set(database="whole_organisation"))
    collect(server.url, engine, settings_of(start="2019-01-01", organizations=["aurora"]), EVERYTHING)
    yield engine
    engine.dispose()
    with maintenance.connect() as connection:
        connection.execute(sa.text("drop database whole_organisation with (force)"))


def test_repositories(whole: sa.Engine, history: History) -> None:
    assert set(rows(whole, "select repository, state from raw.repositories")) == {
        (one.full_name, "archived" if one.is_archived else "active" if one.commits else "empty")
        for one in history.repositories
    }
    assert set(rows(whole, "select repository_id, stars, forks, watchers from raw.repository_counters")) == {
        (one.id, len(one.stars), len(one.forks), one.watchers) for one in history.repositories
    }


def test_pull_requests(whole: sa.Engine, history: History) -> None:
    assert set(
        rows(
            whole,
            "select repository_id, number, state, created_at, updated_at, merged_at, closed_at, first_commit_at, "
            "author_key, merge_sha, labels::text from raw.pull_requests",
        )
    ) == {
        (
            one.id, pull.number, pull.state.lower(), pull.created_at, pull.updated_at, pull.merged_at, pull.closed_at,
            pull.first_commit_authored_at, key(pull.author), pull.merge_sha if pull.merged_at else None,
            "{" + ",".join(pull.labels) + "}",
        )
        for one in history.repositories
        for pull in one.pull_requests
    }  # fmt: skip


def test_timelines_also_beyond_a_hundred_items(whole: sa.Engine, history: History) -> None:
    items = [
        (one.id, what.number, event)
        for one in history.repositories
        for what in _timelines(one)
        for event in what.timeline
    ]
    assert max(len(pull.timeline) for one in history.repositories for pull in one.pull_requests) > 100
    assert max(len(issue.timeline) for one in history.repositories for issue in one.issues) > 100
    stored = rows(
        whole,
        "select repository_id, number, created_at, actor_key from raw.pull_request_events union all "
        "select repository_id, number, created_at, actor_key from raw.issue_events union all "
        "select repository_id, number, submitted_at, author_key from raw.reviews",
    )
    assert sorted(stored, key=str) == sorted(
        ((repository, number, event.at, key(event.actor)) for repository, number, event in items), key=str
    )
    reviews = rows(whole, "select count(*) from raw.reviews")
    assert reviews == [sum(event.kind == "PullRequestReview" for _, _, event in items)]


def test_issues(whole: sa.Engine, history: History) -> None:
    assert set(
        rows(
            whole,
            "select repository_id, number, state, created_at, updated_at, closed_at, author_key, comments "
            "from raw.issues",
        )
    ) == {
        (one.id, issue.number, issue.state.lower(), issue.created_at, issue.updated_at, issue.closed_at,
         key(issue.author), issue.comments)
        for one in history.repositories
        for issue in one.issues
    }  # fmt: skip


def test_commits_of_the_default_branch_and_what_was_tagged_or_deployed(whole: sa.Engine, history: History) -> None:
    expected = set()
    for one in history.repositories:
        commits = {commit.sha: commit for commit in one.commits}
        off_branch = {tag.sha for tag in one.tags} | {
            deployment.sha for deployment in one.deployments if deployment.environment == "production"
        }
        everything = default_branch(one)
        for sha in off_branch:
            everything |= ancestors(commits, sha)
        expected |= {(one.id, sha, tuple(commits[sha].parents), sha in default_branch(one)) for sha in everything}
    stored = rows(whole, "select repository_id, sha, parents, on_default_branch from raw.commits")
    assert {(repository, sha, tuple(parents), on) for repository, sha, parents, on in stored} == expected
    assert len(stored) == len(expected)
    assert any(not on for *_, on in stored)  # the maintenance branch of aurora/toolkit


def test_releases_tags_deployments_stars_and_forks(whole: sa.Engine, history: History) -> None:
    everyone = history.repositories
    assert set(rows(whole, "select repository_id, release_id, tag, is_draft, published_at from raw.releases")) == {
        (one.id, release.id, release.tag, release.is_draft, release.published_at)
        for one in everyone
        for release in one.releases
    }
    assert set(rows(whole, "select repository_id, tag, sha, is_annotated from raw.tags")) == {
        (one.id, tag.name, tag.sha, tag.tag_object is not None) for one in everyone for tag in one.tags
    }
    assert set(
        rows(whole, "select repository_id, deployment_id, sha, environment, created_at from raw.deployments")
    ) == {
        (one.id, made.id, made.sha, made.environment, made.created_at) for one in everyone for made in one.deployments
    }
    statuses = rows(whole, "select repository_id, deployment_id, state, created_at from raw.deployment_statuses")
    assert sorted(statuses) == sorted(
        (one.id, made.id, status.state.lower(), status.at)
        for one in everyone
        for made in one.deployments
        for status in made.statuses
    )
    assert set(rows(whole, "select repository_id, person_key, starred_at from raw.stargazers")) == {
        (one.id, key(star.user), star.at) for one in everyone for star in one.stars
    }
    assert set(rows(whole, "select repository_id, fork_id, owner_key from raw.forks")) == {
        (one.id, fork.id, key(fork.owner)) for one in everyone for fork in one.forks
    }


def test_bots_have_one_key_and_are_marked_whichever_interface_told_of_them(whole: sa.Engine) -> None:
    dependabot = PEOPLE.key(Account("dependabot"))
    for table in ("pull_requests", "commits"):  # GraphQL says dependabot, REST dependabot[bot]
        marks = f"select distinct author_is_bot from raw.{table} where author_key = :key"
        assert rows(whole, marks, key=dependabot) == [True]


def test_deleted_accounts_have_no_key(whole: sa.Engine, history: History) -> None:
    nobody = sum(pull.author is None for one in history.repositories for pull in one.pull_requests)
    assert nobody > 0
    assert rows(whole, "select count(*) from raw.pull_requests where author_key is null") == [nobody]


def test_the_log_counts_what_the_provider_counts(whole: sa.Engine, history: History) -> None:
    log = {
        (name, entity): (at_provider, in_warehouse, outcome)
        for name, entity, at_provider, in_warehouse, outcome in rows(
            whole, "select repository, entity, rows_at_provider, rows_in_warehouse, outcome from ops.collection_log"
        )
    }
    for one in history.repositories:
        for entity, count in (
            ("pull_requests", len(one.pull_requests)),
            ("issues", len(one.issues)),
            ("deployments", len(one.deployments)),
            ("stargazers", len(one.stars)),
            ("forks", len(one.forks)),
        ):
            at_provider, in_warehouse, outcome = log[one.full_name, entity]
            assert (in_warehouse, outcome) == (count, "complete")
            assert at_provider in (count, None if count == 0 else count)


def test_a_second_collection_changes_nothing(whole: sa.Engine, server: DemoServer) -> None:
    before = contents(whole)
    settings = settings_of(start="2019-01-01", organizations=["aurora"])
    again = collect(server.url, whole, settings, EVERYTHING, run_id="again")
    assert contents(whole) == before
    assert not any(again.entities.rows_written.values())
    assert again.entities.requests == 0  # the look at the portfolio shows that nothing changed
    recollected = collect(server.url, whole, settings, EVERYTHING, run_id="all again", recollect=True)
    assert recollected.entities.requests > 100
    assert contents(whole) == before
    assert {table: count for table, count in recollected.entities.rows_written.items() if count} == {}


def test_a_later_range_asks_for_less_and_still_gives_what_is_open(server: DemoServer, warehouse: sa.Engine) -> None:
    settings = settings_of("aurora/api", start="2025-06-01")
    done = collect(server.url, warehouse, settings, date(2025, 12, 20), ("pull_requests", "issues"))
    untouched = "select count(*) from raw.pull_requests where state = 'open' and updated_at < '2025-12-01'"
    assert rows(warehouse, untouched)[0] >= 1
    first = done.entities.rows_read["raw.pull_requests"]
    # A change: else nothing would be asked for at all.
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.collection_state set mark = 'another'"))
    done = collect(server.url, warehouse, settings, date(2025, 12, 20), ("pull_requests",), run_id="second")
    assert 0 < done.entities.rows_read["raw.pull_requests"] < first  # the backlog is asked for once
    at_provider = rows(
        warehouse, "select distinct rows_at_provider from ops.collection_log where entity = 'pull_requests'"
    )
    total = sum(1 for one in server.app.history.repositories if one.name == "api" for _ in one.pull_requests)
    assert at_provider == [total]  # the whole list, not the open ones of the backlog


def test_nothing_is_lost_when_items_are_updated_while_they_are_read(warehouse: sa.Engine, history: History) -> None:
    """Between any two pages the item that has been untouched for longest is updated and so moves to the front."""
    billing = next(one for one in history.repositories if one.name == "billing")
    moved: list[int] = []
    with DemoServer(history) as server:

        def touch(seen: Seen) -> Fault | None:
            if (seen.body.get("variables") or {}).get("issues_after") and len(moved) < 12:
                now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=len(moved))
                one = next(one for one in server.app.history.repositories if one.name == "billing")
                pull = min(one.pull_requests, key=lambda item: item.updated_at)
                issue = min(one.issues, key=lambda item: item.updated_at)
                changed = replace(
                    one,
                    pull_requests=_with(one.pull_requests, replace(pull, updated_at=now)),
                    issues=_with(one.issues, replace(issue, updated_at=now)),
                )
                others = tuple(other for other in server.app.history.repositories if other.name != "billing")
                server.play(replace(server.app.history, repositories=(*others, changed)))
                moved.extend([pull.number, issue.number])
            return None

        server.faults.append(touch)
        settings = settings_of("aurora/billing")
        collect(server.url, warehouse, settings, date(2025, 6, 1), ("pull_requests", "issues"), page_size=10)
    assert len(moved) >= 12
    for table, items in (("pull_requests", billing.pull_requests), ("issues", billing.issues)):
        assert set(rows(warehouse, f"select number from raw.{table}")) == {item.number for item in items}
        latest = rows(warehouse, f"select max(updated_at) from raw.{table}")[0]
        assert latest >= datetime(2026, 1, 1, tzinfo=UTC)  # as updated, not as first seen


def test_a_merge_brings_in_everything_it_stands_on(warehouse: sa.Engine) -> None:
    """A branch of June took in the default branch twice, pages of its commits apart, and lands in December."""
    history, late = _long_lived_branch()
    one, earlier = history.repositories[0], _before(history, late)
    settings = settings_of("acme/tool", start="2025-05-01")
    with DemoServer(earlier) as server:
        collect(server.url, warehouse, settings, date(2025, 5, 1), ("commits",))
    assert set(rows(warehouse, "select sha from raw.commits")) == default_branch(earlier.repositories[0])
    with DemoServer(history) as server:
        done = collect(server.url, warehouse, settings, date(2025, 12, 28), ("commits",), run_id="later")
    assert set(rows(warehouse, "select sha from raw.commits where on_default_branch")) == default_branch(one)
    assert done.entities.requests < 30


def test_deployed_and_tagged_commits_off_the_default_branch(warehouse: sa.Engine) -> None:
    """Also a tag that is put today on a commit of last month, which is older than the range."""
    start = datetime(2025, 11, 1, tzinfo=UTC)
    line = _line("main", 5, start, [])
    fix = _line("fix", 3, start + timedelta(days=2), [line[1].sha])
    hot = _line("hot", 2, start + timedelta(days=3), [line[2].sha])
    preview = _line("preview", 1, start + timedelta(days=3), [line[2].sha])
    at = datetime(2025, 12, 30, tzinfo=UTC)

    def made(number: int, sha: str, environment: str) -> Deployment:
        states = (Status("SUCCESS", at + timedelta(minutes=5)),)
        return Deployment(
            id=number,
            sha=sha,
            ref=None,
            environment=environment,
            creator=User("ci", "Bot"),
            created_at=at,
            statuses=states,
        )

    one = Repository(
        owner="acme", name="tool", created_at=start, default_branch="main", branches={"main": line[-1].sha},
        commits=(*line, *fix, *hot, *preview),
        tags=(Tag(name="v1.0.1", sha=fix[-1].sha),),
        deployments=(
            made(1, hot[-1].sha, "production"),
            made(2, preview[-1].sha, "preview"),
            made(3, "f" * 40, "production"),  # its commit is gone
        ),
    )  # fmt: skip
    with DemoServer(History(now=at + timedelta(days=3), repositories=(one,))) as server:
        done = collect(
            server.url,
            warehouse,
            settings_of("acme/tool", start="2025-10-01"),
            date(2025, 12, 29),
            ("tags", "deployments", "commits"),
        )
    assert done.entities.missing == {}
    stored = dict(rows(warehouse, "select sha, on_default_branch from raw.commits"))
    assert {commit.sha for commit in (*fix, *hot)} <= {sha for sha, on in stored.items() if not on}
    assert preview[-1].sha not in stored
    # What they stand on is there too, so that it can be said what they shipped.
    assert {line[0].sha, line[1].sha, line[2].sha} <= set(stored)


def test_killed_in_the_middle_and_run_again_gives_the_same(
    whole: sa.Engine, server: DemoServer, warehouse: sa.Engine
) -> None:
    settings = settings_of("aurora/toolkit", "aurora/aurora-py", start="2019-01-01")
    collect(server.url, warehouse, settings, EVERYTHING, ())
    for entity, good in (("pull_requests", 5), ("issues", 9), ("tags", 1), ("stargazers", 30), ("commits", 2)):
        # The token is refused from some request on: nothing more is read, as if the process had died there.
        refused = Fault(status=401, body={"message": "Bad credentials"})
        server.faults += [Rule(Fault(delay_ms=0), times=good), Rule(refused)]
        with pytest.raises(Unauthorized):
            collect(
                server.url, warehouse, settings, EVERYTHING, (entity,), run_id=entity, repositories=False, page_size=10
            )
        server.faults.clear()
        finished = "select count(*) from ops.collection_log where run_id = :run"
        assert rows(warehouse, finished, run=entity)[0] <= 1
    collect(server.url, warehouse, settings, EVERYTHING, run_id="in the end")
    ours = set(rows(warehouse, "select repository_id from raw.repositories"))
    expected = contents(whole)
    for table, found in contents(warehouse).items():
        assert found == [row for row in expected[table] if int(row.strip("(").split(",")[0]) in ours], table


@pytest.mark.parametrize("fault", [BAD_GATEWAY, DROP, TRUNCATE], ids=["502", "drop", "truncated"])
def test_faults_that_pass_leave_no_trace(
    fault: Fault, server: DemoServer, warehouse: sa.Engine, whole: sa.Engine
) -> None:
    count = 0

    def every_fifth(_: Seen) -> Fault | None:
        nonlocal count
        count += 1
        return fault if count % 5 == 0 else None

    server.faults.append(every_fifth)
    done = collect(server.url, warehouse, settings_of("aurora/toolkit", start="2019-01-01"), EVERYTHING)
    assert done.portfolio.missing == done.entities.missing == {}
    identity = rows(warehouse, "select repository_id from raw.repositories")[0]
    for table, found in contents(warehouse).items():
        assert found == [row for row in contents(whole)[table] if row.startswith(f"({identity},")], table


def test_repositories_that_cannot_be_had_do_not_stop_the_others(server: DemoServer, warehouse: sa.Engine) -> None:
    names = ("aurora/gateway", "aurora/legacy", "aurora/sandbox", "aurora/nowhere", "aurora/secret", "aurora/taken")
    server.faults += [
        Rule(Fault(status=403, body={"message": "Resource not accessible"}), path="aurora/secret"),
        Rule(Fault(status=451, body={"message": "Repository access blocked"}), path="aurora/taken"),
    ]
    done = collect(server.url, warehouse, settings_of(*names), date(2025, 6, 1), ("pull_requests", "commits", "tags"))
    assert set(done.portfolio.missing["repositories"]) == {"aurora/nowhere", "aurora/secret", "aurora/taken"}
    assert done.entities.missing == {}
    assert set(rows(warehouse, "select repository from ops.repository_settings")) == {
        "aurora/api", "aurora/legacy", "aurora/sandbox",
    }  # fmt: skip
    log = {(name, entity): (outcome, reason) for name, entity, outcome, reason in rows(
        warehouse, "select repository, entity, outcome, reason from ops.collection_log")}  # fmt: skip
    assert log["aurora/gateway", "repositories"] == ("complete", "it is aurora/api now; write that in metrics.yaml")
    assert log["aurora/legacy", "repositories"] == ("complete", "the repository is archived")
    assert log["aurora/sandbox", "commits"] == ("complete", "the repository is empty")
    for name, word in (("nowhere", "404"), ("secret", "403"), ("taken", "451")):
        outcome, reason = log[f"aurora/{name}", "repositories"]
        assert outcome == "incomplete"
        assert word in reason
    assert rows(warehouse, "select count(*) from raw.pull_requests")[0] > 400


def test_a_repository_that_goes_away_keeps_its_history_and_says_so(history: History, warehouse: sa.Engine) -> None:
    settings = settings_of("aurora/legacy", "aurora/toolkit")
    without = replace(history, repositories=tuple(one for one in history.repositories if one.name != "legacy"))
    with DemoServer(history) as server:
        collect(server.url, warehouse, settings, date(2025, 6, 1), ("issues",))
        before = rows(warehouse, "select count(*) from raw.issues")
        server.play(without)
        done = collect(server.url, warehouse, settings, date(2025, 6, 1), ("issues",), run_id="later")
        assert "404" in done.portfolio.missing["repositories"]["aurora/legacy"]
        assert done.entities.missing == {}
        assert rows(warehouse, "select count(*) from raw.issues") == before
        assert ("aurora/legacy", "gone") in rows(warehouse, "select repository, state from raw.repositories")
        assert rows(
            warehouse,
            "select outcome, reason from ops.collection_log where run_id = 'later' and entity = 'issues' "
            "and repository = 'aurora/legacy'",
        ) == [("skipped", "the repository is gone")]
        server.play(history)
        collect(server.url, warehouse, settings, date(2025, 6, 1), ("issues",), run_id="back")
        assert ("aurora/legacy", "archived") in rows(warehouse, "select repository, state from raw.repositories")


def test_an_entity_that_fails_is_incomplete_and_named(server: DemoServer, warehouse: sa.Engine) -> None:
    def forbidden(seen: Seen) -> Fault | None:
        variables = seen.body.get("variables") or {}
        return graphql_errors("Resource not accessible", "FORBIDDEN") if variables.get("name") == "toolkit" else None

    server.faults.append(forbidden)
    settings = settings_of("aurora/legacy", "aurora/toolkit")
    done = collect(server.url, warehouse, settings, date(2025, 6, 1), ("issues",))
    assert done.entities.missing == {
        "issues": {
            "aurora/toolkit": "GraphQL, issues of aurora/toolkit: Resource not accessible; "
            "give the token the permission for this."
        }
    }
    assert rows(warehouse, "select repository, outcome from ops.collection_log where entity = 'issues' order by 1") == [
        ("aurora/legacy", "complete"), ("aurora/toolkit", "incomplete"),
    ]  # fmt: skip
    assert rows(warehouse, "select count(*) from raw.issues")[0] > 0


def test_an_organization_that_cannot_be_listed_loses_nothing(server: DemoServer, warehouse: sa.Engine) -> None:
    settings = settings_of("aurora/legacy", organizations=["aurora", "nobody"])
    done = collect(server.url, warehouse, settings, date(2025, 6, 1), ())
    assert set(done.portfolio.missing["repositories"]) == {"nobody"}
    known = rows(warehouse, "select repository from ops.repository_settings order by 1")
    assert known == sorted(f"aurora/{name}" for name in NAMES)
    server.faults.append(Rule(Fault(status=404, body={"message": "Not Found"}), path="/orgs/aurora"))
    done = collect(server.url, warehouse, settings, date(2025, 6, 1), (), run_id="later")
    assert set(done.portfolio.missing["repositories"]) == {"aurora", "nobody"}
    assert rows(warehouse, "select repository from ops.repository_settings order by 1") == known
    assert rows(
        warehouse, "select outcome from ops.collection_log where repository = 'aurora' and run_id = 'later'"
    ) == ["incomplete"]


def test_no_person_of_the_organisation_is_in_the_warehouse(whole: sa.Engine, history: History) -> None:
    logins = {
        user.login
        for one in history.repositories
        for user in (
            *(star.user for star in one.stars),
            *(pull.author for pull in one.pull_requests),
            *(issue.author for issue in one.issues),
            *(commit.author for commit in one.commits),
        )
        if user is not None and user.kind == "User"
    }
    assert len(logins) > 500
    dump = "\n".join(row for found in contents(whole).values() for row in found)
    assert [login for login in sorted(logins) if login in dump] == []
    assert "@aurora.example" not in dump
    assert "former-account@" not in dump


def _timelines(one: Repository) -> list[PullRequest | Issue]:
    return [*one.pull_requests, *one.issues]


def _with(items: tuple[Any, ...], changed: Any) -> tuple[Any, ...]:
    return tuple(changed if item.number == changed.number else item for item in items)


def key(user: User | None) -> str | None:
    return PEOPLE.key(Account(user.login)) if user is not None else None


def _line(
    name: str, count: int, start: datetime, parents: list[str], step: timedelta = timedelta(hours=1)
) -> list[Commit]:
    """Commits one upon the other; their shas are made of the name and the number."""
    made: list[Commit] = []
    for number in range(count):
        made.append(_commit(f"{name}{number}", start + step * number, [made[-1].sha] if made else parents))
    return made


def _commit(name: str, at: datetime, parents: list[str]) -> Commit:
    return Commit(
        sha=hashlib.sha1(name.encode()).hexdigest(),
        parents=tuple(parents),
        message=name,
        author=User("somebody"),
        author_email="somebody@example.org",
        authored_at=at,
        committed_at=at,
    )


def _long_lived_branch() -> tuple[History, set[str]]:
    """A repository whose newest commit merges an old branch, and the commits that come with that merge."""
    start = datetime(2025, 6, 1, tzinfo=UTC)
    main = _line("main", 700, start, [], timedelta(hours=6))
    first = _line("first", 3, start + timedelta(days=1), [main[2].sha])
    took_in = _commit("took in", start + timedelta(days=100), [first[-1].sha, main[380].sha])
    second = _line("second", 2, start + timedelta(days=101), [took_in.sha])
    took_in_again = _commit("took in again", start + timedelta(days=160), [second[-1].sha, main[620].sha])
    merge = _commit("merge", datetime(2025, 12, 30, tzinfo=UTC), [main[-1].sha, took_in_again.sha])
    branch = [*first, took_in, *second, took_in_again]
    commits = sorted([*main, *branch, merge], key=lambda commit: commit.committed_at)
    one = Repository(
        owner="acme",
        name="tool",
        created_at=start,
        default_branch="main",
        branches={"main": merge.sha},
        commits=tuple(commits),
    )
    return History(now=datetime(2026, 1, 1, 1, tzinfo=UTC), repositories=(one,)), {c.sha for c in (*branch, merge)}


def _before(history: History, late: set[str]) -> History:
    """The same history before the merge."""
    one = history.repositories[0]
    commits = tuple(commit for commit in one.commits if commit.sha not in late)
    return replace(history, repositories=(replace(one, commits=commits, branches={"main": commits[-1].sha}),))
