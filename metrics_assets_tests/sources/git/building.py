"""Real git repositories for tests: written by hand with `Writer`, or from a recorded history with `recorded`."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from types import TracebackType
from typing import Any

Row = dict[str, Any]
_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
START = datetime(2024, 1, 1, tzinfo=UTC)


def git(repository: Path, *arguments: str) -> str:
    """What git says, without the last line end; as nobody's own configuration has it."""
    done = subprocess.run(
        ["git", f"--git-dir={repository}", *arguments], check=True, capture_output=True, env=_ENVIRONMENT
    )
    return done.stdout.decode("utf-8", "replace").rstrip("\n")


def empty_repository(folder: Path, branch: str = "main", *, filters: bool = True) -> Path:
    """A bare repository without commits, which serves clones without contents if `filters`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", branch, "--", str(folder)], check=True, env=_ENVIRONMENT)
    git(folder, "config", "uploadpack.allowFilter", str(filters).lower())
    git(folder, "config", "gc.auto", "0")
    return folder


@dataclass(slots=True)
class Writer:
    """Writes commits and refs through `git fast-import`; a commit's name is any text.

    with Writer(repository) as write:
        write.commit("first", "A message", files={"a": "text"})
        write.ref("refs/heads/main", "first")
    """

    repository: Path
    marks: dict[str, int] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> Writer:
        self._process = subprocess.Popen(
            ["git", f"--git-dir={self.repository}", "fast-import", "--quiet", "--force", "--date-format=raw"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_ENVIRONMENT,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        assert kind is not None or self._process.returncode == 0

    def commit(
        self,
        name: str,
        message: str | bytes,
        *,
        parents: Iterable[str] = (),
        authored_at: datetime = START,
        committed_at: datetime | None = None,
        author: str | bytes = "A <a@example.invalid>",
        committer: str | bytes = "C <c@example.invalid>",
        files: dict[str, str] | None = None,
        tree_of: str | None = None,
    ) -> None:
        """Add a commit: the first parent's files, or another commit's, and the files given."""
        mark = self.marks[name] = len(self.marks) + 1
        before = [self._mark(parent) for parent in parents]
        lines = [
            b"commit refs/building/now",
            b"mark :%d" % mark,
            b"author %s %d +0000" % (_bytes(author), authored_at.timestamp()),
            b"committer %s %d +0000" % (_bytes(committer), (committed_at or authored_at).timestamp()),
            b"data %d\n%s" % (len(_bytes(message)), _bytes(message)),
        ]
        lines += [b"from " + parent for parent in before[:1]] + [b"merge " + parent for parent in before[1:]]
        if tree_of:
            lines += [b"deleteall", b"M 040000 %s " % self._tree(tree_of)]
        for path, content in (files or {}).items():
            lines.append(b"M 100644 inline %s\ndata %d\n%s" % (path.encode(), len(content.encode()), content.encode()))
        # A branch of no parents begins anew only if the name is free.
        self._write(b"reset refs/building/now\n" + b"\n".join(lines) + b"\n\n")

    def ref(self, ref: str, name: str) -> None:
        """Let a ref name a commit."""
        self._write(b"reset %s\nfrom %s\n\n" % (ref.encode(), self._mark(name)))

    def tag(self, tag: str, name: str, tagged_at: datetime) -> None:
        """Add an annotated tag."""
        self._write(
            b"tag %s\nfrom %s\ntagger T <t@example.invalid> %d +0000\ndata 1\nt\n"
            % (tag.encode(), self._mark(name), tagged_at.timestamp())
        )

    def sha(self, name: str) -> str:
        """The id of a commit that was written."""
        self._write(b"get-mark %s\n" % self._mark(name))
        return self._answer().decode().strip()

    def _tree(self, name: str) -> bytes:
        self._write(b'ls %s ""\n' % self._mark(name))
        return self._answer().split()[2]

    def _mark(self, name: str) -> bytes:
        return b":%d" % self.marks[name]

    def _write(self, content: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(content)

    def _answer(self) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.flush()
        return self._process.stdout.readline()


def recorded(folder: Path, repository: Path) -> Path:
    """The repository of a recorded history: its graph, dates, tags and heads of pull requests; other contents.

    Every pull request changes a file of its own. A squashed one's head has as many commits as it had, from the
    recorded base; merge commits among them are older than its first commit, to see that they do not count.
    """
    meta = json.loads((folder / "meta.json").read_text())
    commits = {row["sha"]: row for row in _lines(folder / "commits.jsonl.gz")}
    pulls = _lines(folder / "pulls.jsonl.gz")
    reverted = {row["sha"]: row["reverted_sha"] for row in json.loads((folder / "reverts.json").read_text())}
    squashed = {pull["merge_sha"]: pull for pull in pulls if pull["style"] == "squash"}
    empty_repository(repository, meta["default_branch"])
    with Writer(repository) as write:
        for sha in TopologicalSorter({sha: row["parents"] for sha, row in commits.items()}).static_order():
            row = commits[sha]
            write.commit(
                row["sha"],
                _message(row, reverted, write),
                parents=row["parents"],
                author=_person(row["author"], row["is_bot"]),
                committer=_person(row["committer"], False),
                authored_at=_time(row["authored_at"]),
                committed_at=_time(row["committed_at"]),
                files=_files(squashed.get(row["sha"]), row["sha"]),
            )
        for pull in pulls:
            head = pull["head_sha"] if pull["head_sha"] in commits else _head(write, pull, commits)
            write.ref(f"refs/pull/{pull['number']}/head", head)
        # A closed one, never merged: its number is in no subject.
        write.ref("refs/pull/999999/head", meta["head"])
        write.ref(f"refs/heads/{meta['default_branch']}", meta["head"])
        for tag in json.loads((folder / "tags.json").read_text()):
            if tag["kind"] == "annotated":
                write.tag(tag["name"], tag["sha"], _time(tag["tagged_at"]))
            else:
                write.ref(f"refs/tags/{tag['name']}", tag["sha"])
    git(repository, "update-ref", "-d", "refs/building/now")
    return repository


def _head(write: Writer, pull: Row, commits: dict[str, Row]) -> str:
    """The commits of a squashed pull request; the name of the last one."""
    first, last = _time(pull["first_commit_authored_at"]), _time(pull["last_commit_at"])
    base = pull["base_sha"]
    # A head that takes in its base later began before it.
    before = commits[base]["parents"][:1] if pull["n_commits"] > pull["n_nonmerge_commits"] else []
    below = before[0] if before else base
    name = below
    for place in range(pull["n_commits"]):
        is_merge = place >= pull["n_nonmerge_commits"]
        parents = [name, base] if is_merge else [name]
        name = f"{pull['number']}:{place}"
        is_last = place == pull["n_commits"] - 1 and pull["evidence"] != "ref_exists"
        write.commit(
            name,
            "merge" if is_merge else "work",
            parents=parents,
            authored_at=datetime(2001, 1, 1, tzinfo=UTC) if is_merge else first if place == 0 else last,
            committed_at=last,
            # What is merged is the head's state.
            tree_of=base if is_merge else None,
            files=_merged(pull) if is_last else _files(pull, name),
        )
    return name


def _files(pull: Row | None, name: str) -> dict[str, str]:
    if pull is None:
        return {}
    if pull["merge_sha"] == name:
        return _merged(pull)
    return {f"work/{pull['number'] % 40}/{pull['number']}": name}


def _merged(pull: Row) -> dict[str, str]:
    return {f"work/{pull['number'] % 40}/{pull['number']}": "merged"}


def _message(row: Row, reverted: dict[str, str | None], write: Writer) -> str:
    subject = "A change 🎉"
    if row["pr"] is not None:
        subject = f"Merge pull request #{row['pr']} from a/b" if row["is_merge"] else f"{subject} (#{row['pr']})"
    if row["is_revert"]:
        sha = reverted.get(row["sha"]) or row["parents"][0]
        return f'Revert "{subject}\n\nThis reverts commit {write.sha(sha)}.\n'
    # Commits that were told apart by what they changed are told apart by this.
    return f"{subject}\n\nA title\n\nRecorded: {row['sha']}\n"


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _person(who: str, is_bot: bool) -> str:
    return f"{who} <{who}{'[bot]@users.noreply.github.com' if is_bot else '@example.invalid'}>"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _lines(file: Path) -> list[Row]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
