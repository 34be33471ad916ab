"""The next day of a history, and what does not change on it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from metrics_assets.demo.changes import next_day
from metrics_assets.demo.history import History, Repository, ancestors
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.synthetic import huge_repository, large_repository, many_repositories
from metrics_assets_tests.demo.asking import LISTS, ask, composed, connection, serving


@pytest.fixture(scope="module")
def aurora() -> History:
    return sample_organisation()


def pairs(before: tuple[Any, ...], after: tuple[Any, ...], key: str) -> tuple[set[Any], set[Any], set[Any]]:
    """The keys of what went, came and changed."""
    old, new = ({getattr(one, key): one for one in some} for some in (before, after))
    return old.keys() - new.keys(), new.keys() - old.keys(), {k for k in old.keys() & new.keys() if old[k] != new[k]}


def test_a_share_of_every_list_changes(aurora: History) -> None:
    after = next_day(aurora, 0.1, seed=4)
    assert after.now == aurora.now + timedelta(days=1)
    old, new = aurora.repository("aurora/aurora-py"), after.repository("aurora/aurora-py")
    assert isinstance(old, Repository)
    assert isinstance(new, Repository)
    assert [len(part) for part in pairs(old.pull_requests, new.pull_requests, "number")] == [0, 4, 15]
    assert [len(part) for part in pairs(old.issues, new.issues, "number")] == [1, 7, 26]
    assert [len(part) for part in pairs(old.discussions, new.discussions, "number")] == [0, 0, 8]
    assert [len(part) for part in pairs(old.releases, new.releases, "id")] == [1, 0, 0]
    assert [len(part) for part in pairs(old.stars, new.stars, "user")] == [76, 303, 0]
    assert len(new.commits) - len(old.commits) == round(len(old.commits) * 0.1)
    assert len(new.workflow_runs) - len(old.workflow_runs) == 51
    assert ancestors({one.sha: one for one in new.commits}, new.head or "") == {one.sha for one in new.commits}
    for pull in new.pull_requests:
        assert pull.updated_at == max([pull.updated_at, *(event.at for event in pull.timeline)]) < after.now
    opened = {one.number: one for one in (*new.issues, *new.pull_requests)}
    assert len(opened) == len(new.issues) + len(new.pull_requests)
    assert all(aurora.now < (opened[number].created_at or aurora.now) < after.now for number in sorted(opened)[-10:])
    changed = {one.number: one for one in new.issues} | {one.number: one for one in new.discussions}
    touched = pairs(old.issues, new.issues, "number")[2] | pairs(old.discussions, new.discussions, "number")[2]
    assert all(aurora.now < changed[number].updated_at < after.now for number in touched)


def test_only_the_named_repositories_change(aurora: History) -> None:
    after = next_day(aurora, 0.05, seed=1, repositories=["aurora/API"])
    same = [new is old for old, new in zip(aurora.repositories, after.repositories, strict=True)]
    assert same == [False, *[True] * 7]
    assert next_day(aurora, 0, seed=1).repositories == aurora.repositories
    assert next_day(aurora, 0.05, seed=1, repositories=["aurora/api"]) == after
    assert next_day(aurora, 0.05, seed=2, repositories=["aurora/api"]) != after


def test_the_next_day_can_be_played_and_has_a_next_day(aurora: History) -> None:
    with serving(aurora) as (server, client):
        asked: dict[str, Any] = {"owner": "aurora", "name": "aurora-py"} | {f"{name}_first": 5 for name in LISTS}
        for _ in range(2):
            server.play(next_day(server.history, 0.02, seed=9))
            body = ask(client, composed(*LISTS), **asked)
            played = server.history.repository("aurora/aurora-py")
            assert played is not None
            assert connection(body, "stargazers")["totalCount"] == len(played.stars)
            assert connection(body, "commits")["nodes"][0]["sha"] == played.head
            newest = connection(body, "pull_requests")["nodes"][0]
            assert newest["updated_at"][:10] == f"{server.history.now - timedelta(days=1):%Y-%m-%d}"


def test_synthetic_histories_have_what_was_asked_for() -> None:
    (large,) = large_repository(60, 90, 600, 500, forks=9, releases=8, deployments=7, workflow_runs=6).repositories
    counts = {name: len(getattr(large, name)) for name in ("pull_requests", "issues", "commits", "stars", "forks")}
    assert counts == {"pull_requests": 60, "issues": 90, "commits": 600, "stars": 500, "forks": 9}
    assert [len(one) for one in (large.releases, large.tags, large.deployments, large.workflow_runs)] == [8, 8, 7, 6]
    kinds = {event.kind for pull in large.pull_requests for event in pull.timeline}
    assert kinds == {"LabeledEvent", "IssueComment", "PullRequestReview", "ClosedEvent"}
    assert sum(len(pull.timeline) for pull in large.pull_requests) > 200
    assert large.review_comments
    assert large_repository(60, 90, 600, 500) == large_repository(60, 90, 600, 500)
    assert large_repository(9, 9, 9, 9, seed=2) != large_repository(9, 9, 9, 9)
    assert len({one.id for one in many_repositories(40).repositories}) == 40


def test_a_huge_history_is_made_and_changed_quickly() -> None:
    started = time.process_time()
    huge = huge_repository(stars=20_000, pull_requests=10_000)
    (one,) = huge.repositories
    assert (len(one.stars), len(one.pull_requests)) == (20_000, 10_000)
    assert len(next_day(huge, 0.01, seed=1).repositories[0].stars) == 20_000 + 200 - 50
    assert time.process_time() - started < 5
