"""Real histories play as they were recorded, and a broken export is named."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from metrics_assets.demo.history import ancestors
from metrics_assets.demo.recorded import RecordedHistoryError, recorded_history

DATA = Path(os.environ.get("METRICS_TEST_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
HISTORIES = DATA / "githistory"
needs_data = pytest.mark.skipif(
    not HISTORIES.is_dir(),
    reason="the recorded histories are not here: set METRICS_TEST_DATA to the folder that holds githistory/",
)


@needs_data
@pytest.mark.parametrize("name", ["encode+httpx", "felixgeelhaar+bolt"])
def test_counts_are_those_of_git(name: str) -> None:
    (repository,) = recorded_history(HISTORIES / name).repositories
    truth = json.loads((HISTORIES / name / "truth.json").read_text())
    assert repository.head is not None
    commits = {commit.sha: commit for commit in repository.commits}
    on_default = ancestors(commits, repository.head)
    found: dict[str, Counter[str]] = {
        "commits": Counter(f"{commits[sha].committed_at:%Y-%m}" for sha in on_default),
        "merge_commits": Counter(
            f"{commits[sha].committed_at:%Y-%m}" for sha in on_default if len(commits[sha].parents) > 1
        ),
        "merged_prs": Counter(f"{pull.merged_at:%Y-%m}" for pull in repository.pull_requests),
        "tags_all": Counter(f"{tag.tagged_at or commits[tag.sha].committed_at:%Y-%m}" for tag in repository.tags),
        "reverts": Counter(
            f"{commits[sha].committed_at:%Y-%m}" for sha in on_default if commits[sha].message.startswith('Revert "')
        ),
    }
    for figure, months in found.items():
        assert months.total() == truth["total"][figure], figure
        expected = {month: row[figure] for month, row in truth["months"].items() if row[figure]}
        assert dict(months) == expected, figure


@needs_data
def test_a_folder_of_folders_and_what_is_absent() -> None:
    history = recorded_history(HISTORIES)
    assert len(history.repositories) == 4
    last = max(r.pushed_at for r in history.repositories if r.pushed_at)
    assert (history.now.date() - last.date(), f"{history.now:%H:%M}") == (timedelta(days=1), "00:30")
    for repository in history.repositories:
        absent = (repository.issues, repository.stars, repository.deployments, repository.releases)
        assert absent == ((), (), (), ())
        assert not repository.has_issues
        assert all(pull.created_at is None and not pull.timeline for pull in repository.pull_requests)


def _export(folder: Path) -> Path:
    """A folder with one commit, one pull request and a pull request of another repository."""
    time, sha = "2025-01-02T03:04:05Z", "a" * 40
    commit: dict[str, Any] = {
        "sha": sha,
        "parents": [],
        "author": "0123456789ab",
        "authored_at": time,
        "committed_at": time,
    }
    commit |= {"is_merge": False, "is_bot": True, "is_revert": False, "pr": 7}
    pull: dict[str, Any] = {
        "number": 7,
        "evidence": "same_tree",
        "merge_sha": sha,
        "merged_at": time,
        "head_sha": "b" * 40,
    }
    pull |= {"author": "0123456789ab", "merged_by": None, "first_commit_authored_at": time, "n_commits": 1}
    pull |= {"additions": 3, "deletions": 1, "changed_files": 1}
    meta = {
        "repo": "me/it",
        "default_branch": "main",
        "head": sha,
        "snapshot_last_commit": time,
        "first_commit": time,
    }
    tag = {"name": "v1", "sha": sha, "kind": "lightweight", "tagged_at": time, "tag_object": None}
    _lines(folder / "commits.jsonl.gz", [commit])
    _lines(folder / "pulls.jsonl.gz", [pull, pull | {"number": 8, "evidence": "subject_only"}])
    for name, content in (("meta", meta), ("tags", [tag]), ("reverts", [])):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def _lines(file: Path, rows: list[dict[str, Any]]) -> None:
    with gzip.open(file, "wt") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def test_bots_tags_and_numbers(tmp_path: Path) -> None:
    (repository,) = recorded_history(_export(tmp_path)).repositories
    (commit,) = repository.commits
    (pull,) = repository.pull_requests
    assert commit.message == "(#7)"
    assert commit.author_email == "0123456789ab@recorded.invalid"
    assert commit.author is not None
    assert commit.author.kind == "Bot"
    assert pull.number == 7
    assert pull.author is not None
    assert pull.author.kind == "Bot"
    assert repository.tags[0].tagged_at is None


@pytest.mark.parametrize("file", ["commits.jsonl.gz", "pulls.jsonl.gz", "tags.json", "reverts.json"])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    (_export(tmp_path) / file).unlink()
    with pytest.raises(RecordedHistoryError, match=rf"{file} is missing\. Export the repository again"):
        recorded_history(tmp_path)


@pytest.mark.parametrize("file", ["meta.json", "commits.jsonl.gz", "pulls.jsonl.gz", "tags.json", "reverts.json"])
@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_garbled_file_is_named(tmp_path: Path, file: str, damage: str) -> None:
    broken = _export(tmp_path) / file
    if damage == "cut":
        broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2] or b"[")
    elif file.endswith(".gz"):
        _lines(broken, [{"unknown": 1}])
    else:
        broken.write_text('[{"unknown": 1}]')
    with pytest.raises(RecordedHistoryError, match=rf"{file} is not as expected .*Export the repository again"):
        recorded_history(tmp_path)


def test_a_commit_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = _export(tmp_path)
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"head": "c" * 40}))
    with pytest.raises(RecordedHistoryError, match="lacks 1 commits that others refer to, the first is cccc"):
        recorded_history(folder)


def test_a_folder_without_history_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordedHistoryError, match="holds no recorded history"):
        recorded_history(tmp_path)
