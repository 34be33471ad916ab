"""Publishes the site: a finished build first, then one atomic switch to it.

Layout under the root: `builds/<digest of the content>/` and the symbolic link `current`. A reader sees the
old build or the new one, whole, whenever the publishing process is killed. Builds are kept by their content,
so the same pages are written once. Pages are written as they come: no build is held in memory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from metrics_assets.errors import MetricsError

KEPT_BUILDS = 3
UNFINISHED = ".new-"  # a build that is being written
DISCARDED = ".old-"  # a build that is being removed
INDEX = "index.html"
# What this program makes in `builds`: whatever has another name is somebody else's, and stays.
_BUILD = re.compile(r"[0-9a-f]{16}")
_LEFT = re.compile(rf"{re.escape(UNFINISHED)}\d+|{re.escape(DISCARDED)}[0-9a-f]{{16}}")

Content = str | bytes


class ForeignLinkError(MetricsError, ValueError):
    """What the folder has as `current` is not this program's, and stays as it is."""


@dataclass(frozen=True, slots=True)
class Build:
    """A build that the site has been switched to.

    Attributes:
        index: the path of its first page, through the link.
        digest: the first 16 hexadecimal digits of a SHA-256 over all paths and contents; the build's name.
        largest: the HTML page with the most bytes.
    """

    index: Path
    digest: str
    files: int
    pages: int  # files that are HTML
    bytes: int
    largest: str
    largest_bytes: int


@dataclass(slots=True)
class _Written:
    """What was written of a build up to now."""

    digests: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)  # the bytes of the files that are HTML
    bytes: int = 0

    @property
    def digest(self) -> str:
        total = hashlib.sha256()
        for path, digest in sorted(self.digests.items()):
            name = path.encode()
            total.update(len(name).to_bytes(8, "big"))
            total.update(name)
            total.update(digest)
        return total.hexdigest()[:16]


def publish(files: Iterable[tuple[str, Content]] | Mapping[str, Content], root: Path) -> Build:
    """Write files (each with its path in the site) under `root` as they come, and switch to them.

    Only one process writes at a time; another one waits for it. Where `files` raises, the site stays as it was.

    Raises:
        ValueError: a path would leave the build or comes twice, or there is no index.html.
        ForeignLinkError: `current` is somebody else's.
    """
    builds = root / "builds"
    builds.mkdir(parents=True, exist_ok=True)
    with _only_one(root):
        _check_link(root / "current")
        _sweep(builds)
        unfinished = builds / f"{UNFINISHED}{os.getpid()}"
        try:
            written = _write(files.items() if isinstance(files, Mapping) else files, unfinished)
        except Exception:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        build = _keep(unfinished, builds / written.digest)
        _switch(root / "current", build)
        _prune(builds, build)
    largest = max(written.pages, key=lambda path: (written.pages[path], path))
    return Build(
        index=root / "current" / INDEX,
        digest=build.name,
        files=len(written.digests),
        pages=len(written.pages),
        bytes=written.bytes,
        largest=largest,
        largest_bytes=written.pages[largest],
    )


def checked_path(path: str) -> str:
    """A path within a site, in its plain form.

    Raises:
        ValueError: it would lead out of the site.
    """
    parts = PurePosixPath(path)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
        raise ValueError(f"{path!r} is not a path inside the site.")
    return str(parts)


@contextmanager
def _only_one(root: Path) -> Iterator[None]:
    """Let one process publish at a time; the lock ends with the process, however it ends."""
    with (root / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(builds: Path) -> None:
    """Remove what a killed process left behind."""
    for left in [path for path in builds.iterdir() if _LEFT.fullmatch(path.name)]:
        shutil.rmtree(left)


def _write(files: Iterable[tuple[str, Content]], unfinished: Path) -> _Written:
    written = _Written()
    for given, content in files:
        path = checked_path(given)
        if path in written.digests:
            raise ValueError(f"Two files of the site have the path {path!r}.")
        page = content.encode() if isinstance(content, str) else content
        target = unfinished / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(page)
        written.digests[path] = hashlib.sha256(page).digest()
        written.bytes += len(page)
        if path.endswith(".html"):
            written.pages[path] = len(page)
    if INDEX not in written.digests:
        raise ValueError(f"A site needs an {INDEX}.")
    return written


def _keep(unfinished: Path, build: Path) -> Path:
    """Give a finished build its name; the same content that is there already stays as it is."""
    if build.is_dir():
        shutil.rmtree(unfinished)
        os.utime(build)
    else:
        unfinished.rename(build)
    return build


def _check_link(link: Path) -> None:
    """Others call the link to what they deploy `current`, too."""
    leads_to = link.readlink().parts if link.is_symlink() else None
    if leads_to is None and not link.exists():
        return
    if leads_to is None or len(leads_to) != 2 or leads_to[0] != "builds" or not _BUILD.fullmatch(leads_to[1]):
        raise ForeignLinkError(
            f"{link} is not a symbolic link made by this program; name a folder for the site alone, or move it away."
        )


def _switch(link: Path, build: Path) -> None:
    """Point the link at the build in one step; the link is relative, so the site can be moved as a whole."""
    new = link.with_name(".current-new")
    new.unlink(missing_ok=True)
    new.symlink_to(Path(build.parent.name, build.name), target_is_directory=True)
    os.replace(new, link)  # noqa: PTH105 - the atomic step, named as such


def _prune(builds: Path, current: Path) -> None:
    """Keep the current build and the ones published last; a build is renamed first, so none is left half."""
    others = [build for build in builds.iterdir() if build != current and _BUILD.fullmatch(build.name)]
    others.sort(key=lambda build: (build.stat().st_mtime_ns, build.name), reverse=True)
    for build in others[KEPT_BUILDS - 1 :]:
        discarded = build.with_name(f"{DISCARDED}{build.name}")
        build.rename(discarded)
        shutil.rmtree(discarded)
