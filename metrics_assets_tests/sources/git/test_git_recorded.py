"""Real histories, rebuilt as git repositories, against what git alone says of them (truth.json beside each)."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from metrics_assets.sources import records
from metrics_assets.sources.git import pull_requests, reading
from metrics_assets.sources.git.mirror import Mirror
from metrics_assets.sources.git.pull_requests import merged_pull_requests
from metrics_assets_tests.sources.git.building import git, recorded

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_RELEASE = re.compile(r"^v?\d+\.\d+(\.\d+){0,2}$")
_ONE_SECOND_IN_HOURS = 1 / 3600


def _month(time: datetime) -> str:
    return f"{time:%Y-%m}"


def _hours(pull: records.PullRequest) -> float | None:
    if pull.first_commit_at is None or pull.merged_at is None or pull.merged_at < pull.first_commit_at:
        return None
    return (pull.merged_at - pull.first_commit_at).total_seconds() / 3600


def _median(pulls: Iterable[records.PullRequest]) -> float | None:
    hours = [one for one in map(_hours, pulls) if one is not None]
    return median(hours) if hours else None


def _assert_same_hours(ours: float | None, expected: float | None, what: str) -> None:
    if expected is None:
        assert ours is None, what
    else:
        assert ours == pytest.approx(expected, abs=_ONE_SECOND_IN_HOURS), what


@pytest.mark.parametrize("folder", ["encode+httpx", "felixgeelhaar+bolt"])
def test_every_month_agrees_with_git(folder: str, real_data: Path, tmp_path: Path) -> None:
    truth = json.loads((real_data / "githistory" / folder / "truth.json").read_text())
    mirror = Mirror(f"file://{recorded(real_data / 'githistory' / folder, tmp_path / 'remote.git')}", tmp_path)
    mirror.update()

    rows = [row for batch in reading.commits(mirror, 1, _ALWAYS) for row in batch.records]
    commits = [row for row in rows if isinstance(row, records.Commit) and row.on_default_branch]
    tags = [row for batch in reading.tags(mirror, 1) for row in batch.records if isinstance(row, records.Tag)]
    batches = list(merged_pull_requests(mirror, 1, _ALWAYS))
    pulls = [row for batch in batches for row in batch.records if isinstance(row, records.PullRequest)]

    by_month: dict[str, list[records.PullRequest]] = defaultdict(list)
    for pull in pulls:
        assert pull.merged_at is not None
        by_month[_month(pull.merged_at)].append(pull)
    counts = {
        "commits": Counter(_month(row.committed_at) for row in commits),
        "merge_commits": Counter(_month(row.committed_at) for row in commits if len(row.parents) > 1),
        "reverts": Counter(_month(row.committed_at) for row in commits if row.reverts_sha),
        "merged_prs": Counter({month: len(those) for month, those in by_month.items()}),
        "tags_all": Counter(_month(row.tagged_at) for row in tags),
        "releases": Counter(_month(row.tagged_at) for row in tags if _RELEASE.match(row.tag)),
    }
    for month, expected in truth["months"].items():
        assert {name: count[month] for name, count in counts.items()} == {name: expected[name] for name in counts}, (
            month
        )
        _assert_same_hours(_median(by_month[month]), expected["median_hours_first_commit_to_merge"], month)
    for name, count in counts.items():
        assert set(count) <= set(truth["months"]), name
        assert count.total() == truth["total"][name], name
    _assert_same_hours(_median(pulls), truth["total"]["first_commit_to_merge"]["p50"], "in total")
    assert {row.tag: row.sha for row in tags}.keys() == _tag_names(real_data / "githistory" / folder)

    known = {row.sha for row in rows if isinstance(row, records.Commit)}
    assert len(known) == json.loads((real_data / "githistory" / folder / "meta.json").read_text())["commits"]
    assert {row.reverts_sha for row in commits if row.reverts_sha} <= known
    assert {row.sha for row in tags} <= known
    line, outside = (
        truth["total"]["merged_prs"],
        len(git(mirror.directory, "rev-list", "--first-parent", "refs/metrics/HEAD").split()),
    )
    assert f"Of {outside} commits" in batches[-1].remarks[0]
    assert f"{outside - line} belong to no pull request that git shows" in batches[-1].remarks[0]


@pytest.mark.parametrize("folder", ["pallets+flask", "panjf2000+ants"])
def test_pull_requests_that_came_through_other_branches(
    folder: str, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flask's came mostly through maintenance branches: they are not on the first-parent line."""
    monkeypatch.setattr(pull_requests, "_STRETCH", 150)
    with gzip.open(real_data / "githistory" / folder / "pulls.jsonl.gz", "rt") as lines:
        expected = {row["number"]: row for row in map(json.loads, lines) if row["evidence"] != "subject_only"}
    mirror = Mirror(f"file://{recorded(real_data / 'githistory' / folder, tmp_path / 'remote.git')}", tmp_path)
    mirror.update()

    pulls = [row for batch in merged_pull_requests(mirror, 1, _ALWAYS) for row in batch.records]

    def told(row: Any) -> tuple[datetime, datetime, int]:
        return (
            datetime.fromisoformat(row["merged_at"]),
            datetime.fromisoformat(row["first_commit_authored_at"]),
            row["n_commits"],
        )

    ours = {
        row.number: (row.merged_at, row.first_commit_at, row.commits)
        for row in pulls
        if isinstance(row, records.PullRequest)
    }
    assert ours == {number: told(row) for number, row in expected.items()}


def test_reading_in_several_goes_gives_what_one_reading_gives(real_data: Path, tmp_path: Path) -> None:
    """The default branch grows by months; each reading starts where the last one ended, and repeats nothing."""
    remote = recorded(real_data / "githistory" / "felixgeelhaar+bolt", tmp_path / "remote.git")
    head = git(remote, "rev-parse", "refs/heads/main")
    line = git(remote, "rev-list", "--first-parent", "--reverse", "main").split()
    mirror = Mirror(f"file://{remote}", tmp_path)
    commit_position = pull_position = None
    commits: list[str] = []
    pulls: list[Any] = []
    for end in [*line[10::25], head]:
        git(remote, "update-ref", "refs/heads/main", end)
        mirror.update()
        for batch in reading.commits(mirror, 1, _ALWAYS, commit_position):
            commits += [row.sha for row in batch.records if isinstance(row, records.Commit) and row.on_default_branch]
            assert batch.departed == []
            commit_position = batch.position
        for batch in merged_pull_requests(mirror, 1, _ALWAYS, pull_position):
            pulls += batch.records
            pull_position = batch.position
            # Positions are stored as JSON.
            assert pull_position is None or json.loads(json.dumps(pull_position)) == pull_position

    whole = list(merged_pull_requests(mirror, 1, _ALWAYS))
    assert len(commits) == len(set(commits)) == int(git(remote, "rev-list", "--count", "main"))
    assert len(pulls) == 80
    assert {row.number: row for row in pulls} == {row.number: row for batch in whole for row in batch.records}
    assert pull_position == whole[-1].position
    assert [list(reading.commits(mirror, 1, _ALWAYS, commit_position))[-1].records] == [[]]


def test_only_what_is_wanted_is_read(real_data: Path, tmp_path: Path) -> None:
    remote = recorded(real_data / "githistory" / "felixgeelhaar+bolt", tmp_path / "remote.git")
    mirror = Mirror(f"file://{remote}", tmp_path)
    mirror.update()
    start = datetime(2026, 3, 1, tzinfo=UTC)
    everything = [row for batch in merged_pull_requests(mirror, 1, _ALWAYS) for row in batch.records]
    wanted = [row for batch in merged_pull_requests(mirror, 1, start) for row in batch.records]
    assert 0 < len(wanted) < len(everything)
    assert wanted == [row for row in everything if row.merged_at >= start]
    commits = [row for batch in reading.commits(mirror, 1, start) for row in batch.records]
    assert 0 < len(commits) < 187
    assert all(row.committed_at >= start for row in commits)


def test_the_clone_holds_no_contents(real_data: Path, tmp_path: Path) -> None:
    remote = recorded(real_data / "githistory" / "felixgeelhaar+bolt", tmp_path / "remote.git")
    mirror = Mirror(f"file://{remote}", tmp_path)
    mirror.update()
    list(merged_pull_requests(mirror, 1, _ALWAYS))
    kinds = git(mirror.directory, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert set(kinds) == {"commit", "tree", "tag"}
    assert "blob" in git(remote, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()


def _tag_names(folder: Path) -> set[str]:
    return {row["name"] for row in json.loads((folder / "tags.json").read_text())}
