"""The bare clone of a repository, without the files' contents, kept under METRICS_HOME/git.

It is a cache: it can be deleted at any time, and a damaged one is replaced. One process at a time fetches; the
lock is inherited by git, so that it holds on until git has ended, also where this process was killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from metrics_assets.sources.errors import SourceError, Unavailable
from metrics_assets.sources.git.address import Address, shown
from metrics_assets.sources.git.command import BrokenMirror, Git

_FETCHED = (
    "+refs/heads/*:refs/heads/*",
    "+refs/tags/*:refs/tags/*",
    # Heads of pull requests, by GitHub's (Gitea's, Forgejo's) and by GitLab's name; absent ones are no error.
    "+refs/pull/*/head:refs/pull/*/head",
    "+refs/merge-requests/*/head:refs/merge-requests/*/head",
)
# As deep as there is. To a first fetch that leaves contents out it must be said: where the server itself is shallow,
# git 2.39 would go on asking for the commits that the server does not have.
_WHOLE = "--depth=2147483647"
# What a server can do, in the first packets that it sends: version 2's list, or what follows the first ref.
_ABILITIES = re.compile(r"packet:\s+\S+< (?:fetch=|.*\\0)(.*)")
_HEAD = "refs/metrics/HEAD"
_STATE = "metrics.json"
_HEAD_SECONDS = 120.0
_PAUSE_SECONDS = 0.1
# Every fetch adds a pack; git reads slowly from many.
_MOST_PACKS = 50


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the remote had when it was last fetched.

    Attributes:
        fetched_at: when.
        first_seen_at: when this clone was made.
        head: the commit at the remote's HEAD; None where HEAD names a branch that does not exist (yet).
        default_branch: the branch that HEAD names; None also where HEAD is detached.
        is_shallow: the remote itself does not have the whole history.
    """

    fetched_at: datetime
    first_seen_at: datetime
    head: str | None
    default_branch: str | None
    is_shallow: bool


@dataclass(frozen=True, slots=True)
class _Remote:
    """What a server says before anything is fetched; `can`: filter, shallow and what else it names."""

    branch: str | None
    head: str | None
    can: frozenset[str]


class Mirror:
    """The clone of one repository.

    mirror = Mirror("https://host/acme/tool.git", metrics_home())
    mirror.update()
    """

    def __init__(self, url: str, home: Path, *, seconds: float = 3600.0) -> None:
        """
        Args:
            home: METRICS_HOME.
            seconds: how long a fetch, and waiting for another process's fetch, may take.

        Raises:
            SourceError: git may not be given this address.
        """
        self.address = Address.of(url)
        self.shown = shown(url)
        self.directory = home / "git" / f"{self.address.digest}.git"
        self.git = Git(self.directory, self.shown, on_broken=self._forget)
        self._partial = self.directory.with_suffix(".partial")
        self._seconds = seconds
        self._talking: Git | None = None

    @property
    def repository_id(self) -> int:
        """The repository's identity where no other provider gives it one."""
        return self.address.repository_id

    def update(self, *, fresh_since: datetime | None = None) -> Snapshot:
        """Fetch what is new, or clone; blocks, so run it in a thread.

        Args:
            fresh_since: nothing is fetched if the last fetch was since then (the start of the run, say).

        Raises:
            SourceError: the sentence says which command failed, what git said and what helps.
        """
        try:
            return self._update(fresh_since)
        except OSError as error:
            raise SourceError(
                f"{self.shown}: {self.directory} cannot be written ({error.strerror}); "
                "make room there, let it belong to the user who runs this, or set METRICS_HOME elsewhere."
            ) from error

    def snapshot(self) -> Snapshot:
        """The last fetch's.

        Raises:
            SourceError: nothing was fetched yet.
        """
        stored = self._stored()
        if stored is None:
            raise SourceError(f"{self.shown} has not been cloned yet; collect its repository first.")
        return stored

    def abort(self) -> None:
        """End a fetch that is under way in another thread."""
        if self._talking is not None:
            self._talking.abort()

    def _update(self, fresh_since: datetime | None) -> Snapshot:
        with self._locked() as lock:
            if self._partial.exists():  # of a process that was killed
                shutil.rmtree(self._partial)
            stored = self._stored()
            if stored and fresh_since and stored.fetched_at >= fresh_since:
                return stored
            remote = self._ask(lock)
            if stored is None:
                return self._clone(lock, remote)
            try:
                return self._fetch(lock, remote, stored)
            except BrokenMirror:
                return self._clone(lock, remote)

    def _clone(self, lock: int, remote: _Remote) -> Snapshot:
        """Make the clone beside its place and move it there when it is whole.

        By `git clone`, because a fetch writes a file for each of what may be 50,000 heads of pull requests.
        """
        git = Git(self._partial, self.shown)
        shutil.rmtree(self._partial, ignore_errors=True)
        options = ["--quiet", "--bare", "--template=", "--no-tags", "--no-single-branch"]
        # What --bare fetches by itself may not be named again.
        for ref in [*_FETCHED[1:], *_head_of(remote)]:
            options += ["-c", f"remote.source.fetch={ref}"]
        options += [_WHOLE] if remote.head and {"filter", "shallow"} <= remote.can else []
        try:
            self._talk_with_filter(remote, lock, "clone", *options, then=("--", self.address.url, str(self._partial)))
            # Each fetch is given the address as it is in metrics.yaml then.
            for name in ("url", "fetch"):
                git.ask("config", "--unset-all", f"remote.source.{name}")
            snapshot = self._keep(git, remote, None)
            shutil.rmtree(self.directory, ignore_errors=True)
            self._partial.rename(self.directory)
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)
        return snapshot

    def _fetch(self, lock: int, remote: _Remote, stored: Snapshot) -> Snapshot:
        # Nobody else works here while the lock is held: what lies about is of a git that was killed.
        for stale in self.directory.rglob("*.lock"):
            stale.unlink(missing_ok=True)
        options = ["--quiet", "--force", "--prune", "--no-tags", "--no-recurse-submodules", "--update-shallow"]
        options += ["--no-auto-maintenance", "--no-write-fetch-head"]
        options += [_WHOLE] if stored.is_shallow and "shallow" in remote.can else []
        refs = ("source", *_FETCHED, *_head_of(remote))
        self._talk_with_filter(remote, lock, "fetch", *options, then=refs, git=self.git)
        self.git.ask("pack-refs", "--all", "--prune")
        if len(list(self.directory.glob("objects/pack/*.pack"))) > _MOST_PACKS:
            self.git.ask("repack", "-a", "-d", "-q")
        return self._keep(self.git, remote, stored)

    def _keep(self, git: Git, remote: _Remote, stored: Snapshot | None) -> Snapshot:
        """Write down what there is now."""
        now = datetime.now(UTC)
        snapshot = Snapshot(
            fetched_at=now,
            first_seen_at=stored.first_seen_at if stored else now,
            head=git.ask("rev-parse", "--verify", f"{_HEAD}^{{commit}}").strip() if remote.head else None,
            default_branch=remote.branch,
            is_shallow=(git.directory / "shallow").exists(),
        )
        _write(git.directory / _STATE, snapshot)
        return snapshot

    def _ask(self, lock: int) -> _Remote:
        """What HEAD names at the server, and what the server can do."""
        with tempfile.TemporaryDirectory() as folder:
            trace = Path(folder) / "packets"
            answer = self._talk(lock, "ls-remote", "--symref", "source", "HEAD", trace=trace)
            # A plain web server talks no packets.
            packets = trace.read_text(encoding="utf-8", errors="replace") if trace.exists() else ""
        branch = head = None
        for line in answer.splitlines():
            value, _, name = line.partition("\t")
            if name != "HEAD":
                continue
            if value.startswith("ref: "):
                branch = value.removeprefix("ref: ").removeprefix("refs/heads/")
            else:
                head = value
        can = {word for line in _ABILITIES.findall(packets) for word in line.split()}
        return _Remote(branch, head, frozenset(can))

    def _talk_with_filter(
        self, remote: _Remote, lock: int, *arguments: str, then: tuple[str, ...], git: Git | None = None
    ) -> None:
        """Ask the server to leave contents out, where it can; and without that where it then refuses."""
        if "filter" in remote.can:
            try:
                self._talk(lock, *arguments, "--filter=blob:none", *then, git=git)
                return
            except SourceError as error:
                if "filter" not in str(error):
                    raise
                shutil.rmtree(self._partial, ignore_errors=True)
        self._talk(lock, *arguments, *then, git=git)

    def _talk(self, lock: int, *arguments: str, git: Git | None = None, trace: Path | None = None) -> str:
        """Speak with the server, for a clone or for none."""
        git = git or Git(Path(os.devnull), self.shown)
        of_clone = [] if arguments[0] == "clone" else [f"remote.source.url={self.address.url}"]
        self._talking = git
        try:
            return git.talk(
                *arguments,
                settings=["clone.defaultRemoteName=source", "clone.rejectShallow=false", *of_clone],
                seconds=min(self._seconds, _HEAD_SECONDS) if arguments[0] == "ls-remote" else self._seconds,
                insecure=self.address.scheme == "http",
                inherit=lock,
                trace=trace,
            )
        finally:
            self._talking = None

    def _forget(self) -> None:
        """Let the next update make a new clone."""
        (self.directory / _STATE).unlink(missing_ok=True)

    def _stored(self) -> Snapshot | None:
        try:
            content = json.loads((self.directory / _STATE).read_text(encoding="utf-8"))
            times = {name: datetime.fromisoformat(content[name]) for name in ("fetched_at", "first_seen_at")}
            return Snapshot(**(content | times))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The lock's file descriptor; waits for whoever holds it."""
        path = self.directory.with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            last = time.monotonic() + self._seconds
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= last:
                        raise Unavailable(
                            f"{self.shown}: another process has been fetching it for {self._seconds:g} s; "
                            f"wait for it, or end the git that holds {path}."
                        ) from None
                    time.sleep(_PAUSE_SECONDS)
            yield lock
        finally:
            os.close(lock)


def _head_of(remote: _Remote) -> list[str]:
    """What to fetch of a HEAD; one that names nothing cannot be asked for."""
    return [f"+HEAD:{_HEAD}"] if remote.head else []


def _write(path: Path, snapshot: Snapshot) -> None:
    """Write the state so that it is there as a whole or not at all."""
    content = asdict(snapshot)
    for name in ("fetched_at", "first_seen_at"):
        content[name] = content[name].isoformat()
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content), encoding="utf-8")
    new.replace(path)
