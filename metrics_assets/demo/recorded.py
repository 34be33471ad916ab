"""Plays real histories that were read from git: merged pull requests, commits and tags, and nothing else.

A folder holds `meta.json`, `commits.jsonl.gz`, `pulls.jsonl.gz`, `tags.json` and `reverts.json`. What such an
export does not hold (issues, reviews, when a pull request was opened, stars, deployments) stays absent.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from metrics_assets.demo.history import Commit, History, PullRequest, Repository, Tag, User, day_after

Row = dict[str, Any]
T = TypeVar("T")

BOT = User("recorded-bot", "Bot")
REMEDY = "Export the repository again, or leave its folder out."


class RecordedHistoryError(Exception):
    """A folder of recorded history cannot be read; the message names the file and what to do."""


def recorded_history(folder: Path) -> History:
    """The history in a folder of one repository, or in a folder that holds such folders.

    Its clock shows 00:30 of the day after the last commit, so that the last day is over.

    Raises RecordedHistoryError if a file is missing or cannot be understood.
    """
    if not folder.is_dir():
        raise RecordedHistoryError(f"{folder} is not a folder. Name a folder that holds a meta.json.")
    folders = [folder] if (folder / "meta.json").exists() else sorted(p.parent for p in folder.glob("*/meta.json"))
    if not folders:
        raise RecordedHistoryError(
            f"{folder} holds no recorded history: there is no meta.json in it nor in the folders inside it. "
            "Name a folder that has one."
        )
    read = [_repository(one) for one in folders]
    return History(now=day_after(max(now for now, _ in read)), repositories=tuple(repository for _, repository in read))


def _repository(folder: Path) -> tuple[datetime, Repository]:
    (meta,) = _rows(folder / "meta.json", lambda row: row)
    bots = _bots(folder / "commits.jsonl.gz")
    reverts = dict(_rows(folder / "reverts.json", lambda row: (row["sha"], row["reverted_sha"])))
    commits = _rows(folder / "commits.jsonl.gz", lambda row: _commit(row, reverts.get(row["sha"])))
    pulls = _rows(folder / "pulls.jsonl.gz", lambda row: _pull_request(row, bots))
    tags = _rows(folder / "tags.json", _tag)
    try:
        owner, name = meta["repo"].split("/")
        now = _time(meta["snapshot_last_commit"])
        repository = Repository(
            owner=owner,
            name=name,
            created_at=_time(meta["first_commit"]),
            pushed_at=max((commit.committed_at for commit in commits), default=None),
            default_branch=meta["default_branch"],
            branches={meta["default_branch"]: meta["head"]},
            has_issues=False,
            pull_requests=tuple(pull for pull in pulls if pull is not None),
            commits=tuple(commits),
            tags=tuple(tags),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _garbled(folder / "meta.json", error) from error
    _check_graph(folder / "commits.jsonl.gz", repository)
    return now, repository


def _check_graph(file: Path, repository: Repository) -> None:
    known = {commit.sha for commit in repository.commits}
    needed = {parent for commit in repository.commits for parent in commit.parents}
    needed |= {tag.sha for tag in repository.tags} | set(repository.branches.values())
    if missing := sorted(needed - known):
        raise RecordedHistoryError(
            f"{file} lacks {len(missing)} commits that others refer to, the first is {missing[0]}. {REMEDY}"
        )


def _bots(file: Path) -> set[str]:
    """The hashed addresses that bots commit with."""
    return {author for author in _rows(file, lambda row: row["author"] if row["is_bot"] else None) if author}


def _commit(row: Row, reverted: str | None) -> Commit:
    return Commit(
        sha=row["sha"],
        parents=tuple(row["parents"]),
        message=_message(row, reverted),
        author=BOT if row["is_bot"] else None,
        author_email=f"{row['author']}@recorded.invalid",
        authored_at=_time(row["authored_at"]),
        committed_at=_time(row["committed_at"]),
    )


def _message(row: Row, reverted: str | None) -> str:
    """The little of a message that the export tells: the pull request's number and what is reverted."""
    number = row["pr"]
    words = ['Revert ""'] if row["is_revert"] else []
    if number is not None:
        words.append(f"Merge pull request #{number} from recorded/branch" if row["is_merge"] else f"(#{number})")
    subject = " ".join(words)
    return f"{subject}\n\nThis reverts commit {reverted}." if reverted else subject


def _pull_request(row: Row, bots: set[str]) -> PullRequest | None:
    if row["evidence"] == "subject_only":  # the number of another repository's pull request
        return None
    author, merged_at = row["author"], _time(row["merged_at"])
    return PullRequest(
        number=row["number"],
        state="MERGED",
        author=User(author, "Bot" if author in bots else "User") if author else None,
        updated_at=merged_at,
        closed_at=merged_at,
        merged_at=merged_at,
        merged_by=User(row["merged_by"]) if row["merged_by"] else None,
        head_sha=row["head_sha"],
        merge_sha=row["merge_sha"],
        additions=row["additions"],
        deletions=row["deletions"],
        changed_files=row["changed_files"],
        commits=row["n_commits"],
        first_commit_authored_at=_time(row["first_commit_authored_at"]) if row["first_commit_authored_at"] else None,
    )


def _tag(row: Row) -> Tag:
    annotated = row["kind"] == "annotated"
    return Tag(
        name=row["name"],
        sha=row["sha"],
        tagged_at=_time(row["tagged_at"]) if annotated else None,
        tag_object=row["tag_object"] if annotated else None,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _rows(file: Path, read: Callable[[Row], T]) -> list[T]:
    """Every object of a JSON or JSON-lines file, as `read` makes it."""
    try:
        return [read(row) for row in _objects(file)]
    except FileNotFoundError as error:
        raise RecordedHistoryError(f"{file} is missing. {REMEDY}") from error
    except (OSError, EOFError, zlib.error, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _garbled(file, error) from error


def _objects(file: Path) -> Iterable[Row]:
    if file.name.endswith(".jsonl.gz"):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.strip()]
    content: Row | list[Row] = json.loads(file.read_text(encoding="utf-8"))
    return [content] if isinstance(content, dict) else content


def _garbled(file: Path, error: Exception) -> RecordedHistoryError:
    return RecordedHistoryError(f"{file} is not as expected ({type(error).__name__}: {error}). {REMEDY}")
