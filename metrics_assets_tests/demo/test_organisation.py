"""The sample organisation is the same every time, hangs together, and ends in the week that alerts need."""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from metrics_assets.demo.history import Deployment, History, Repository, ancestors
from metrics_assets.demo.organisation import TEAMS, sample_organisation

START = datetime(2025, 6, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def aurora() -> History:
    return sample_organisation()


def test_every_run_makes_the_same_history(aurora: History) -> None:
    script = (
        "import hashlib; from metrics_assets.demo.organisation import sample_organisation; "
        "print(hashlib.sha256(repr(sample_organisation()).encode()).hexdigest())"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": path}
    other = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True, text=True)
    assert other.stdout.strip() == hashlib.sha256(repr(aurora).encode()).hexdigest()


NEWER = {  # fields that came later, and are thrown with dice of their own
    "Repository": "permission discussions milestones review_comments workflow_runs contributors security_advisories "
    "dependabot_alerts traffic referrers popular_paths",
    "PullRequest": "milestone",
    "Issue": "milestone",
    "Commit": "additions deletions",
    "Release": "assets",
    "History": "unavailable",
}


def test_what_surrounds_the_code_has_changed_nothing_of_it(aurora: History) -> None:
    """Derived figures rest on the sample organisation: what is added to it must not throw its dice."""

    def shown(value: Any) -> Any:
        if isinstance(value, tuple):
            return [shown(one) for one in value]
        if not is_dataclass(value):
            return repr(value)
        kind = type(value).__name__
        names = [field.name for field in fields(value) if field.name not in NEWER.get(kind, "").split()]
        return [kind, *((name, shown(getattr(value, name))) for name in names)]

    digest = hashlib.sha256(repr(shown(aurora)).encode()).hexdigest()
    assert digest == "72d9bd0b498a4fed09ccccdf67cf78db087217be748aa0a57e339b5e0dd24e7d"


def test_what_surrounds_the_code_is_there_and_in_order(aurora: History) -> None:
    found = {one.name: one for one in aurora.repositories}
    assert {one.permission for one in aurora.repositories} >= {"ADMIN", "MAINTAIN", "WRITE", "READ"}
    assert len(found["aurora-py"].discussions) == 75
    assert sum(len(one.review_comments) for one in aurora.repositories) > 2000
    assert len(found["web"].workflow_runs) > 1000
    assert {run.conclusion for run in found["web"].workflow_runs} == {"success", "failure", "cancelled"}
    assert any(run.attempt > 1 for run in found["web"].workflow_runs)
    assert {alert.state for alert in found["web"].dependabot_alerts} == {"open", "fixed", "dismissed"}
    assert any(asset.downloads for release in found["aurora-py"].releases for asset in release.assets)
    for repository in aurora.repositories:
        numbers = [one.number for one in repository.discussions]
        numbers += [one.number for one in (*repository.issues, *repository.pull_requests)]
        assert len(numbers) == len(set(numbers))
        assert min(numbers, default=1) > 0
        pulls = {pull.number: pull for pull in repository.pull_requests}
        first = {comment.id: comment for comment in repository.review_comments if comment.in_reply_to is None}
        for comment in repository.review_comments:
            assert comment.created_at <= comment.updated_at < END
            if comment.in_reply_to is not None:
                assert first[comment.in_reply_to].number == comment.number
                assert comment.created_at > first[comment.in_reply_to].created_at
            assert comment.created_at <= (pulls[comment.number].closed_at or END)
        for discussion in repository.discussions:
            talk = [one for comment in discussion.comments for one in (comment, *comment.replies)]
            times = [one.created_at for one in talk]
            assert discussion.created_at <= min(times, default=END)
            assert max([discussion.created_at, *times]) <= discussion.updated_at < END
            assert discussion.answer is None or discussion.answer in {one.id for one in talk}
        for run in repository.workflow_runs:
            assert run.started_at is not None
            assert run.created_at <= run.started_at <= run.updated_at <= END
            assert (run.status == "completed") == (run.conclusion is not None)
        shas = {commit.sha for commit in repository.commits} | {pull.head_sha for pull in repository.pull_requests}
        assert {run.sha for run in repository.workflow_runs} <= shas
        assert all(commit.additions is not None for commit in repository.commits)
        used = {one.milestone for one in (*repository.issues, *repository.pull_requests)} - {None}
        assert used <= {one.number for one in repository.milestones}


def test_volumes(aurora: History) -> None:
    total = Counter[str]()
    for repository in aurora.repositories:
        for entity in ("pull_requests", "issues", "commits", "stars", "forks", "deployments"):
            total[entity] += len(getattr(repository, entity))
    assert 1400 <= total["pull_requests"] <= 1700
    assert 800 <= total["issues"] <= 1050
    assert 3200 <= total["commits"] <= 3800
    assert 3700 <= total["stars"] <= 4300
    assert 220 <= total["forks"] <= 280
    assert 800 <= total["deployments"] <= 1100
    assert all(len(members) >= 3 for members in TEAMS.values())


def test_commit_graphs_are_whole(aurora: History) -> None:
    for repository in aurora.repositories:
        commits = {commit.sha: commit for commit in repository.commits}
        assert len(commits) == len(repository.commits)
        for commit in repository.commits:
            assert all(commits[parent].committed_at <= commit.committed_at for parent in commit.parents)
            assert commit.authored_at <= commit.committed_at < END
        assert set(repository.branches.values()) <= commits.keys()
        assert {tag.sha for tag in repository.tags} <= commits.keys()
        assert {deployment.sha for deployment in repository.deployments} <= commits.keys()
        reachable = set().union(*(ancestors(commits, sha) for sha in repository.branches.values()))
        assert reachable == commits.keys()
        for pull in repository.pull_requests:
            if pull.merge_sha is not None:
                merge = commits[pull.merge_sha]
                assert merge.committed_at == pull.merged_at
                subject = merge.message.partition("\n")[0]
                merged = subject.startswith(f"Merge pull request #{pull.number} from ")
                assert merged if len(merge.parents) == 2 else subject.endswith(f" (#{pull.number})")
                assert len(merge.parents) == 1 or merge.parents[1] == pull.head_sha


def test_times_are_in_order(aurora: History) -> None:
    for repository in aurora.repositories:
        numbers = [pull.number for pull in repository.pull_requests]
        numbers += [issue.number for issue in repository.issues]
        assert len(set(numbers)) == len(numbers)
        for pull in repository.pull_requests:
            assert pull.created_at is not None
            assert pull.first_commit_authored_at is not None
            assert pull.first_commit_authored_at <= pull.created_at < END
            times = [event.at for event in pull.timeline]
            assert times == sorted(times)
            assert [pull.created_at, *times][-1] == pull.updated_at < END
            assert (pull.state == "OPEN") == (pull.closed_at is None)
            assert (pull.state == "MERGED") == (pull.merged_at is not None) == (pull.merge_sha is not None)
            assert not times or pull.created_at <= times[0]
            reviews = [event for event in pull.timeline if event.kind == "PullRequestReview"]
            assert all(review.actor != pull.author or review.actor is None for review in reviews)
            if pull.merged_at is not None:
                assert all(review.at <= pull.merged_at for review in reviews)
        for issue in repository.issues:
            assert issue.created_at <= issue.updated_at < END
            assert (issue.state == "OPEN") == (issue.closed_at is None)
            assert all(issue.created_at <= event.at <= issue.updated_at for event in issue.timeline)
        for deployment in repository.deployments:
            times = [deployment.created_at, *(status.at for status in deployment.statuses)]
            assert times == sorted(times)


def test_every_habit_occurs(aurora: History) -> None:
    pulls = [pull for repository in aurora.repositories for pull in repository.pull_requests]
    issues = [issue for repository in aurora.repositories for issue in repository.issues]
    timelines = [*(pull.timeline for pull in pulls), *(issue.timeline for issue in issues)]
    kinds = Counter(event.kind for timeline in timelines for event in timeline)
    assert min(kinds.values()) >= 5
    assert len(kinds) == 9
    assert {pull.state for pull in pulls} == {"OPEN", "CLOSED", "MERGED"}
    assert {issue.state_reason for issue in issues} == {None, "COMPLETED", "NOT_PLANNED", "REOPENED"}
    assert any(pull.author is None for pull in pulls)
    assert any(issue.author is None for issue in issues)
    assert any(pull.author and pull.author.kind == "Bot" for pull in pulls)
    assert any(pull.is_draft for pull in pulls)
    assert any(len(pull.timeline) > 100 for pull in pulls)
    assert any(len(issue.timeline) > 100 for issue in issues)
    assert any(pull.created_at and pull.created_at < START and pull.state == "OPEN" for pull in pulls)
    outcomes = {tuple(status.state for status in one.statuses) for one in _repository(aurora, "search").deployments}
    assert {
        ("IN_PROGRESS",),
        ("IN_PROGRESS", "FAILURE"),
        ("IN_PROGRESS", "SUCCESS"),
        ("IN_PROGRESS", "SUCCESS", "INACTIVE"),
        ("IN_PROGRESS", "FAILURE", "IN_PROGRESS", "SUCCESS", "INACTIVE"),
    } <= outcomes


def test_incidents_point_at_deployments_and_pull_requests(aurora: History) -> None:
    api = _repository(aurora, "api")
    incidents = [issue for issue in api.issues if "incident" in issue.labels]
    assert all(any(label.startswith("severity: ") for label in issue.labels) for issue in incidents)
    deployed = {one.sha for one in api.deployments if one.environment == "production"}
    assert any(sha in issue.body for issue in incidents for sha in deployed)
    assert any("Caused by #" in issue.body for issue in incidents)
    assert any("fixes this" in issue.body for issue in incidents)
    commits = {commit.sha: commit for commit in api.commits}
    production = [one.sha for one in _production(api)]
    back = [(old, new) for old, new in pairwise(production) if new != old]
    assert sum(new in ancestors(commits, old) for old, new in back) >= 3  # rollbacks


def test_a_release_takes_back_a_change_of_the_one_before(aurora: History) -> None:
    library = _repository(aurora, "aurora-py")
    commits = {commit.sha: commit for commit in library.commits}
    tags = {tag.name: tag.sha for tag in library.tags}
    old, new = ancestors(commits, tags["v1.7.0"]), ancestors(commits, tags["v1.7.1"])
    reverts = [commits[sha] for sha in new - old if "This reverts commit " in commits[sha].message]
    (reverted,) = [revert.message.rsplit(maxsplit=1)[1].rstrip(".") for revert in reverts]
    assert reverted in old
    assert reverted not in ancestors(commits, tags["v1.6.1"])
    assert {release.is_draft for release in library.releases} == {True, False}
    assert {release.is_prerelease for release in library.releases} == {True, False}


def test_stars_have_one_day_that_stands_out(aurora: History) -> None:
    days = Counter(star.at.date() for star in _repository(aurora, "aurora-py").stars if star.at >= START)
    (_, most), (_, second), (_, third) = days.most_common(3)
    assert most > 300 > 150 > second > third
    assert third < 40


def test_search_deploys_half_as_often_in_the_last_week(aurora: History) -> None:
    counts = _weekly_deployments(_repository(aurora, "search"))
    assert counts[1] >= 8
    assert counts[0] < counts[1] * 0.45


@pytest.mark.parametrize("name", ["api", "web"])
def test_others_do_not(aurora: History, name: str) -> None:
    counts = _weekly_deployments(_repository(aurora, name))
    assert counts[0] > counts[1] * 0.6


def test_billing_ships_late_in_the_last_week(aurora: History) -> None:
    lead = _lead_times(_repository(aurora, "billing"))
    last = [hours for shipped, hours in lead if shipped >= END - timedelta(days=7)]
    before = [hours for shipped, hours in lead if END - timedelta(days=35) <= shipped < END - timedelta(days=7)]
    assert len(last) >= 10
    assert len(before) >= 10
    assert statistics.median(last) > 5 * statistics.median(before)


@pytest.mark.parametrize("name", ["api", "web", "search"])
def test_others_ship_as_ever(aurora: History, name: str) -> None:
    lead = _lead_times(_repository(aurora, name))
    last = [hours for shipped, hours in lead if shipped >= END - timedelta(days=7)]
    before = [hours for shipped, hours in lead if END - timedelta(days=35) <= shipped < END - timedelta(days=7)]
    assert statistics.median(last) < 2.5 * statistics.median(before)


def _repository(history: History, name: str) -> Repository:
    found = history.repository(f"aurora/{name}")
    assert found is not None
    return found


def _production(repository: Repository) -> list[Deployment]:
    """Successful production deployments in the order of their success."""
    done = [one for one in repository.deployments if one.environment == "production" and one.succeeded_at]
    return sorted(done, key=lambda one: one.succeeded_at or END)


def _weekly_deployments(repository: Repository) -> Counter[int]:
    """Deployments by how many weeks before the end they succeeded."""
    return Counter((END - (one.succeeded_at or END)).days // 7 for one in _production(repository))


def _lead_times(repository: Repository) -> list[tuple[datetime, float]]:
    """When each merged pull request was first deployed, and the hours since its first commit."""
    commits = {commit.sha: commit for commit in repository.commits}
    pulls = {pull.merge_sha: pull for pull in repository.pull_requests if pull.merge_sha}
    lead, seen = [], set[str]()
    for deployment in _production(repository):
        shipped = ancestors(commits, deployment.sha) - seen
        for sha in shipped & pulls.keys() if seen else ():
            first = pulls[sha].first_commit_authored_at
            assert first is not None
            assert deployment.succeeded_at is not None
            lead.append((deployment.succeeded_at, (deployment.succeeded_at - first).total_seconds() / 3600))
        seen |= shipped
    return lead
