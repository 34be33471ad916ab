"""Every table that only some repositories fill: exactly what the history has, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.demo.history import (
    Contributor,
    Discussion,
    DiscussionComment,
    History,
    Repository,
    TrafficDay,
    User,
)
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer
from metrics_assets.sources.records import Account
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.sources.collecting import PEOPLE, Both, collect, default_branch, rows, settings_of

pytestmark = pytest.mark.xdist_group("everything")
EVERYTHING = date(2019, 1, 1)
MAY_PUSH = ("WRITE", "MAINTAIN", "ADMIN")


@pytest.fixture(scope="module")
def history() -> History:
    """The sample organisation with some traffic of today, which is not over."""
    made = sample_organisation()
    today = TrafficDay(date=made.now.date(), views=7, visitors=5, clones=3, cloners=2)
    return replace(made, repositories=tuple(replace(one, traffic=(*one.traffic, today)) for one in made.repositories))


@pytest.fixture(scope="module")
def organisation(postgres: URL, template: str, history: History) -> Iterator[tuple[sa.Engine, Both, Counter[str]]]:
    """A warehouse with the whole organisation, what collecting it told, and what the server was asked."""
    maintenance = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with maintenance.connect() as connection:
        connection.execute(sa.text(f"create database every_table template {template}"))
    engine = create_engine(postgres.set(database="every_table"))
    with DemoServer(history, budget=100_000) as server:
        settings = settings_of("aurora/nowhere", start="2019-01-01", organizations=["aurora"])
        both = collect(server.url, engine, settings, EVERYTHING)
        asked = Counter(server.requests)
    yield engine, both, asked
    engine.dispose()
    with maintenance.connect() as connection:
        connection.execute(sa.text("drop database every_table with (force)"))


@pytest.fixture
def whole(organisation: tuple[sa.Engine, Both, Counter[str]]) -> sa.Engine:
    return organisation[0]


@pytest.fixture
def both(organisation: tuple[sa.Engine, Both, Counter[str]]) -> Both:
    return organisation[1]


def _table(engine: sa.Engine, table: str, columns: str) -> list[Any]:
    """The rows of a table, sorted; of one whose rows can be gone, those that are not."""
    return sorted(rows(engine, f"select {columns} from raw.{table}"), key=str)


def _same(found: list[Any], expected: list[Any]) -> None:
    """The same rows, each as often; and there are some, or the test shows nothing."""
    assert expected
    assert Counter(found) - Counter(expected) == Counter()
    assert Counter(expected) - Counter(found) == Counter()


def key(user: User | None) -> str | None:
    return PEOPLE.key(Account(user.login)) if user is not None else None


def _is_bot(user: User | None) -> bool | None:
    return user.kind == "Bot" if user is not None else None


def test_everything_is_complete(organisation: tuple[sa.Engine, Both, Counter[str]]) -> None:
    engine, both, _ = organisation
    assert set(both.portfolio.missing) == {"repositories"}
    assert set(both.portfolio.missing["repositories"]) == {"aurora/nowhere"}
    assert both.entities.missing == {}
    assert rows(engine, "select entity from ops.collection_log where outcome = 'incomplete'") == ["repositories"]
    assert rows(engine, "select count(*) from ops.collection_state where position is not null") == [0]


def test_review_comments_with_their_threads(whole: sa.Engine, history: History) -> None:
    expected = [
        (one.id, remark.id, remark.in_reply_to or remark.id, remark.number, remark.review_id, key(remark.author),
         _is_bot(remark.author), remark.created_at, remark.updated_at)
        for one in history.repositories
        for remark in one.review_comments
    ]  # fmt: skip
    _same(
        _table(
            whole,
            "review_comments",
            "repository_id, comment_id, thread_id, number, review_id, author_key, author_is_bot, created_at, "
            "updated_at",
        ),
        expected,
    )
    assert sum(row[1] != row[2] for row in expected) > 100  # answers among them


def test_discussions_with_their_answers(whole: sa.Engine, history: History) -> None:
    expected = []
    for one in history.repositories:
        for found in one.discussions:
            answer = next((words for words in _words(found) if words.id == found.answer), None)
            expected.append(
                (
                    one.id, found.number, found.title, found.category, found.is_answerable, key(found.author),
                    found.created_at, found.updated_at, found.closed_at, found.answer_chosen_at,
                    answer.created_at if answer else None, key(answer.author) if answer else None, found.upvotes,
                    len(found.comments),
                )
            )  # fmt: skip
    _same(
        _table(
            whole,
            "discussions",
            "repository_id, number, title, category, is_answerable, author_key, created_at, updated_at, closed_at, "
            "answered_at, answer_created_at, answer_author_key, upvotes, comments",
        ),
        expected,
    )
    assert len({row[9] is None for row in expected}) == 2  # answered ones and others


def test_comments_of_discussions_and_replies_to_them(whole: sa.Engine, history: History) -> None:
    expected = []
    for one in history.repositories:
        for found in one.discussions:
            for comment in found.comments:
                for words, parent in [(comment, None), *((reply, comment) for reply in comment.replies)]:
                    expected.append(
                        (
                            one.id, f"DC_{one.id}_{words.id}", found.number,
                            f"DC_{one.id}_{parent.id}" if parent else None, key(words.author),
                            words.id == found.answer, words.created_at,
                        )
                    )  # fmt: skip
    columns = "repository_id, comment_id, number, reply_to, author_key, is_answer, created_at"
    _same(_table(whole, "discussion_comments", columns), expected)
    assert any(row[3] for row in expected)
    assert any(row[5] for row in expected)


def test_milestones_and_how_much_of_them_is_done(whole: sa.Engine, history: History) -> None:
    def count(one: Repository, number: int, state: str) -> int:
        return sum(issue.milestone == number and issue.state == state for issue in one.issues)

    columns = (
        "repository_id, number, title, state, created_at, updated_at, due_on, closed_at, issues_open, issues_closed"
    )
    _same(
        _table(whole, "milestones", columns),
        [
            (one.id, goal.number, goal.title, goal.state.lower(), goal.created_at, goal.updated_at, goal.due_on,
             goal.closed_at, count(one, goal.number, "OPEN"), count(one, goal.number, "CLOSED"))
            for one in history.repositories
            for goal in one.milestones
        ],
    )  # fmt: skip
    for table, name in (("issues", "issues"), ("pull_requests", "pull_requests")):
        _same(
            _table(whole, table, "repository_id, number, milestone"),
            [(one.id, item.number, item.milestone) for one in history.repositories for item in getattr(one, name)],
        )


def test_workflow_runs_and_their_jobs(whole: sa.Engine, history: History) -> None:
    runs = [(one, run) for one in history.repositories for run in one.workflow_runs]
    columns = (
        "repository_id, run_id, workflow_id, workflow, number, attempt, event, branch, sha, status, conclusion, "
        "actor_key, actor_is_bot, created_at, started_at, updated_at"
    )
    _same(
        _table(whole, "workflow_runs", columns),
        [
            (one.id, run.id, run.workflow_id, run.name, run.number, run.attempt, run.event, run.branch, run.sha,
             run.status, run.conclusion, key(run.actor), _is_bot(run.actor), run.created_at, run.started_at,
             run.updated_at)
            for one, run in runs
        ],
    )  # fmt: skip
    columns = "repository_id, job_id, run_id, name, status, conclusion, started_at, completed_at"
    _same(
        _table(whole, "workflow_jobs", columns),
        [
            (one.id, job.id, run.id, job.name, job.status, job.conclusion, job.started_at, job.completed_at)
            for one, run in runs
            for job in run.jobs
        ],
    )
    assert max(Counter(one.full_name for one, _ in runs).values()) > 1000  # more than one query gives


def test_release_assets_and_how_often_they_were_downloaded(whole: sa.Engine, history: History) -> None:
    files = [
        (one.id, f"RA_{one.id}_{asset.id}", release.id, asset)
        for one in history.repositories
        for release in one.releases
        for asset in release.assets
    ]
    _same(
        _table(whole, "release_assets", "repository_id, asset_id, release_id, name, size_bytes, created_at"),
        [(one, name, release, asset.name, asset.size, asset.created_at) for one, name, release, asset in files],
    )
    _same(
        _table(whole, "release_asset_counters", "repository_id, asset_id, observed_on, downloads"),
        [(one, name, history.now.date(), asset.downloads) for one, name, _, asset in files],
    )


def test_contributors_by_login_or_by_address(whole: sa.Engine, history: History) -> None:
    expected: Counter[tuple[int, str]] = Counter()
    for one in history.repositories:
        branch = default_branch(one)
        for commit in one.commits:
            if commit.sha in branch:
                expected[one.id, _person(commit.author, commit.author_email)] += 1
        for found in one.contributors:
            expected[one.id, _person(found.user, found.email)] += found.commits
    _same(
        _table(whole, "contributors", "repository_id, person_key, commits"),
        [(*who, commits) for who, commits in expected.items()],
    )
    others = [found for one in history.repositories for found in one.contributors]
    assert any(isinstance(found, Contributor) and found.user is None for found in others)


def test_advisories_as_far_as_the_token_may_see_them(whole: sa.Engine, history: History) -> None:
    columns = "repository_id, advisory_id, severity, state, summary, published_at, updated_at, withdrawn_at"
    _same(
        _table(whole, "security_advisories", columns),
        [
            (one.id, found.ghsa_id, found.severity, found.state, found.summary, found.published_at, found.updated_at,
             found.withdrawn_at)
            for one in history.repositories
            for found in one.security_advisories
            if one.permission == "ADMIN" or found.state == "published"
        ],
    )  # fmt: skip


def test_dependabot_alerts_only_where_the_token_may_administer(whole: sa.Engine, both: Both, history: History) -> None:
    columns = (
        "repository_id, number, state, severity, ecosystem, dependency, advisory_id, created_at, updated_at, fixed_at, "
        "dismissed_at"
    )
    _same(
        _table(whole, "dependabot_alerts", columns),
        [
            (one.id, alert.number, alert.state, alert.severity, alert.ecosystem, alert.package, alert.ghsa_id,
             alert.created_at, alert.updated_at, alert.fixed_at, alert.dismissed_at)
            for one in history.repositories
            if one.permission == "ADMIN"
            for alert in one.dependabot_alerts
        ],
    )  # fmt: skip
    assert both.entities.skipped["dependabot_alerts"] == {
        one.full_name: f"the token may {one.permission}; dependabot_alerts needs ADMIN"
        for one in history.repositories
        if one.permission != "ADMIN"
    }


def test_traffic_of_thirteen_whole_days_where_the_token_may_push(
    whole: sa.Engine, both: Both, history: History
) -> None:
    today = history.now.date()
    days = [today - timedelta(days=age) for age in range(1, 14)]
    pushable = [one for one in history.repositories if one.permission in MAY_PUSH]
    assert 0 < len(pushable) < len(history.repositories)
    expected = []
    for one in pushable:
        seen = {day.date: day for day in one.traffic}
        for day in days:
            found = seen.get(day)
            figures = (found.views, found.visitors, found.clones, found.cloners) if found else (0, 0, 0, 0)
            expected.append((one.id, day, *figures))
        assert today in seen  # the server shows today, and it is left out
    columns = "repository_id, date, views, unique_visitors, clones, unique_cloners"
    _same(_table(whole, "traffic", columns), expected)
    _same(
        _table(whole, "traffic_sources", "repository_id, observed_on, kind, name, views, unique_visitors"),
        [
            (one.id, today, kind, source.name, source.views, source.visitors)
            for one in pushable
            for kind, sources in (("referrer", one.referrers), ("path", one.popular_paths))
            for source in sources[:10]
        ],
    )
    assert both.entities.skipped["traffic"] == {
        one.full_name: f"the token may {one.permission}; traffic needs ADMIN or MAINTAIN or WRITE"
        for one in history.repositories
        if one.permission not in MAY_PUSH
    }


def test_what_was_used_is_what_the_server_was_asked(organisation: tuple[sa.Engine, Both, Counter[str]]) -> None:
    engine, both, asked = organisation
    used = dict(rows(engine, "select resource, sum(requests)::float from ops.api_usage group by resource"))
    assert used == {
        "core": pytest.approx(asked["rest"], abs=0.01),
        "graphql": pytest.approx(asked["graphql"], abs=0.01),
    }
    assert asked["rest"] > 50
    assert asked["graphql"] > 50
    # All but the request that tells the budget, which costs nothing.
    assert both.portfolio.requests + both.entities.requests == pytest.approx(sum(asked.values()) - 1, abs=0.01)
    points = rows(engine, "select sum(points)::float from ops.api_usage")[0]
    assert both.portfolio.points + both.entities.points == pytest.approx(points, abs=0.01)


def test_the_log_and_the_usage_tell_the_same_of_each_entity(whole: sa.Engine) -> None:
    """What is asked for many repositories together is the portfolio's and in no repository's log."""
    usage = dict(
        rows(
            whole,
            "select entity, sum(requests)::float from ops.api_usage where entity not in "
            "('together', 'rate_limit', 'repositories') group by entity",
        )
    )
    log = dict(
        rows(
            whole,
            "select entity, sum(requests)::float from ops.collection_log where entity <> 'repositories' "
            "group by entity having sum(requests) > 0",
        )
    )
    assert log == {entity: pytest.approx(requests, abs=0.01) for entity, requests in usage.items()}
    assert len(log) == 16


def _words(found: Discussion) -> list[DiscussionComment]:
    return [words for comment in found.comments for words in (comment, *comment.replies)]


def _person(user: User | None, address: str | None) -> str:
    return PEOPLE.key(Account(user.login if user else str(address)))
