"""The next day of a history, and what does not change on it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from metrics_assets.demo.changes import next_day
from metrics_assets.demo.forms import review_number
from metrics_assets.demo.history import Event, History, Repository, ancestors
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
    assert [len(part) for part in pairs(old.pull_requests, new.pull_requests, "number")[:2]] == [0, 4]
    timelines = {pull.number: pull.timeline for pull in old.pull_requests}
    commented = {
        pull.number
        for pull in new.pull_requests
        if any(event.kind == "IssueComment" for event in pull.timeline[len(timelines.get(pull.number, ())) :])
    }
    reviewed = {one.number for one in new.review_comments[len(old.review_comments) :]}
    assert len(commented) == 15
    assert pairs(old.pull_requests, new.pull_requests, "number")[2] == commented | reviewed
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


@pytest.mark.parametrize("spread", [False, True])
def test_each_new_review_comment_is_a_review_that_touches_its_pull_request(aurora: History, spread: bool) -> None:
    before = aurora.repository("aurora/aurora-py")
    for seed in (4, 5):  # the second day goes on from the first
        aurora = next_day(aurora, 0.1, seed=seed, spread=spread)
        old, new = before, aurora.repository("aurora/aurora-py")
        assert old is not None
        assert new is not None
        remarks = new.review_comments[len(old.review_comments) :]
        assert len(remarks) > 20
        pulls, timelines = (
            {pull.number: pull for pull in new.pull_requests},
            {pull.number: pull.timeline for pull in old.pull_requests},
        )
        known = {one.id: one for one in new.review_comments}
        assert len(known) == len(new.review_comments)
        for remark in remarks:
            pull = pulls[remark.number]
            (place,) = [
                place
                for place in range(len(pull.timeline))
                if review_number(new.full_name, pull.number, place) == remark.review_id
            ]
            expected = Event("PullRequestReview", remark.created_at, remark.author, state="COMMENTED")
            assert pull.timeline[place] == expected
            assert remark.created_at <= pull.updated_at == max(event.at for event in pull.timeline)
            assert remark.in_reply_to is not None
            assert known[remark.in_reply_to].in_reply_to is None
        for number, timeline in timelines.items():
            added = pulls[number].timeline[len(timeline) :]
            assert pulls[number].timeline[: len(timeline)] == timeline
            assert [event.at for event in added] == sorted(event.at for event in added)
            kinds = [event.kind for event in added]
            assert kinds.count("PullRequestReview") == sum(remark.number == number for remark in remarks)
            assert kinds.count("IssueComment") <= 1
        before = new


ROWS = ["pull_requests", "issues", "discussions", "milestones", "commits", "releases", "deployments", "stars", "forks"]
ROWS += ["review_comments", "workflow_runs"]


def rows_changed(old: Repository, new: Repository) -> int:
    """How many rows went, came or changed; of pull requests those that something besides a review happened to."""
    key = {"commits": "sha", "stars": "user", "releases": "id", "deployments": "id", "forks": "id"} | dict.fromkeys(
        ("review_comments", "workflow_runs"), "id"
    )
    count = 0
    for name in ROWS:
        gone, come, changed = pairs(getattr(old, name), getattr(new, name), key.get(name, "number"))
        if name == "pull_requests":
            timelines = {pull.number: pull.timeline for pull in old.pull_requests}
            changed = {
                pull.number
                for pull in new.pull_requests
                if pull.number in changed
                and any(event.kind == "IssueComment" for event in pull.timeline[len(timelines[pull.number]) :])
            }
        count += len(gone) + len(come) + len(changed)
    return count


@pytest.mark.parametrize("share", [0.002, 0.01, 0.1])
def test_a_spread_share_is_that_of_the_rows_of_the_whole_portfolio(share: float) -> None:
    before = many_repositories(400)
    after = next_day(before, share, seed=3, spread=True)
    both = list(zip(before.repositories, after.repositories, strict=True))
    rows = [sum(len(getattr(one, name)) for name in ROWS) for one in before.repositories]
    found = [rows_changed(old, new) for old, new in both]
    assert sum(found) == pytest.approx(sum(rows) * share, abs=4 * (sum(rows) * share) ** 0.5)
    assert [new is old for old, new in both] == [count == 0 for count in found]
    untouched = sum((1 - share) ** count for count in rows)
    assert sum(new is old for old, new in both) == pytest.approx(untouched, abs=4 * untouched**0.5 + 1)
    assert after.now == before.now + timedelta(days=1)
    assert next_day(before, share, seed=3, spread=True) == after
    assert next_day(before, share, seed=4, spread=True) != after
    usual = next_day(before, share, seed=3)
    assert not any(new is old for old, new in zip(before.repositories, usual.repositories, strict=True))


def test_a_spread_share_reaches_every_list_and_can_be_played(aurora: History) -> None:
    after = next_day(aurora, 0.2, seed=8, spread=True)
    old, new = aurora.repository("aurora/aurora-py"), after.repository("aurora/aurora-py")
    assert old is not None
    assert new is not None
    for name in ROWS:
        assert getattr(old, name) != getattr(new, name) or len(getattr(old, name)) < 20, name
    for name, key in (("pull_requests", "number"), ("issues", "number")):
        _, opened, changed = pairs(getattr(old, name), getattr(new, name), key)
        assert 0 < len(opened) < len(changed), name
    withdrawn, starred, _ = pairs(old.stars, new.stars, "user")
    assert 0 < len(withdrawn) < len(starred)
    kept = {one.number for one in new.issues}
    oldest = min(one.number for one in old.issues)
    assert {one.number for one in old.issues} - kept <= {oldest}
    assert len({tag.name for tag in new.tags}) == len(new.tags)
    assert {one.tag for one in new.releases if one not in old.releases} <= {tag.name for tag in new.tags}
    numbers = [one.number for one in new.issues] + [one.number for one in new.pull_requests]
    numbers += [one.number for one in new.discussions]
    assert len(set(numbers)) == len(numbers)
    some = next_day(aurora, 1, seed=8, spread=True, repositories=["aurora/api"])
    assert [new is old for old, new in zip(aurora.repositories, some.repositories, strict=True)].count(False) == 1
    assert next_day(aurora, 0, seed=8, spread=True).repositories == aurora.repositories
    with serving(after) as (_, client):
        asked: dict[str, Any] = {"owner": "aurora", "name": "aurora-py"} | {f"{name}_first": 20 for name in LISTS}
        body = ask(client, composed(*LISTS), **asked)
        for name in ("pull_requests", "issues", "releases", "tags"):
            assert connection(body, name)["totalCount"] == len(getattr(new, name))


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
