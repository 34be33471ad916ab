"""`git log` as a stream of typed commits, and of the directories that commits changed."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from metrics_assets.sources.git import messages
from metrics_assets.sources.git.command import Git
from metrics_assets.sources.records import Account

# Mark (- for a boundary), ids, who and when, message. NUL cannot be in any of them.
_FIELDS = ("%m", "%H", "%P", "%T", "%an", "%ae", "%at", "%cn", "%ce", "%ct", "%B")
_DEPTH, _MOST_DIRECTORIES = 3, 100
_LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Logged:
    """A commit as git has it; `is_boundary`: it was not asked for, but is a parent of one that was."""

    is_boundary: bool
    sha: str
    parents: tuple[str, ...]
    tree: str
    author: Account | None
    authored_at: datetime
    committer: Account | None
    committed_at: datetime
    message: str


def log(git: Git, wanted: Iterable[str], unwanted: Iterable[str] = (), *options: str) -> Iterator[Logged]:
    """Commits that are reachable from the wanted ones and not from the unwanted ones, newest first."""
    wanted = list(wanted)
    if not wanted:  # git would take HEAD
        return
    fields = git.stream(
        "log",
        "-z",
        f"--format=tformat:{'%x00'.join(_FIELDS)}",
        "--encoding=UTF-8",
        "--no-show-signature",
        "--no-notes",
        *options,
        "--stdin",
        given=[*wanted, *(f"^{sha}" for sha in unwanted)],
    )
    for row in zip(*[fields] * len(_FIELDS), strict=True):
        mark, sha, parents, tree, author, author_mail, authored, committer, committer_mail, committed, message = (
            field.decode("utf-8", "replace") for field in row
        )
        yield Logged(
            is_boundary=mark == "-",
            sha=sha,
            parents=tuple(parents.split()),
            tree=tree,
            author=messages.account(author, author_mail),
            authored_at=moment(authored),
            committer=messages.committer(committer, committer_mail),
            committed_at=moment(committed),
            message=message,
        )


def directories(git: Git, wanted: Iterable[str], unwanted: Iterable[str] = ()) -> Iterator[tuple[str, list[str]]]:
    """The directories whose files commits changed, in the order of `log`; of a merge, against its first parent.

    Only trees are compared, so that no file's contents are needed: what was moved is in both directories.

    Yields:
        A commit's sha and its directories to a depth of three, '' for the top level; the first hundred of them.
    """
    wanted = list(wanted)
    if not wanted:
        return
    mark = secrets.token_bytes(8).hex().encode() + b":"  # no file's name can begin like this
    parts = git.stream(
        "log",
        "-z",
        f"--format=tformat:{mark.decode()}%H",
        "--name-only",
        "--no-renames",
        "--diff-merges=first-parent",
        "--no-show-signature",
        "--no-notes",
        "--stdin",
        given=[*wanted, *(f"^{sha}" for sha in unwanted)],
    )
    sha: str | None = None
    found: set[str] = set()
    for part in parts:
        if part.startswith(mark):
            if sha is not None:
                yield sha, sorted(found)[:_MOST_DIRECTORIES]
            sha, found = part.removeprefix(mark).decode(), set()
        else:
            # (Git puts a line's end before the first name.)
            name = part.removeprefix(b"\n").decode("utf-8", "replace")
            found.add("/".join(name.split("/")[:-1][:_DEPTH]))
    if sha is not None:
        yield sha, sorted(found)[:_MOST_DIRECTORIES]


def moment(seconds: str) -> datetime:
    """A time of git's; of what is no time or none of our calendar, the nearest that is."""
    try:
        return datetime.fromtimestamp(min(max(int(seconds), 0), _LAST_SECOND), UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
