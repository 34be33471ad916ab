"""Publishes the site: a finished build first, then one atomic switch to it.

Layout under the root: `builds/<digest of the content>/` and the symbolic link `current`. A reader sees the
old build or the new one, whole, whenever the publishing process is killed. Builds are kept by their content,
so the same pages are written once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

KEPT_BUILDS = 3
UNFINISHED = ".new-"  # a build that is being written
DISCARDED = ".old-"  # a build that is being removed


def publish(pages: Mapping[str, str | bytes], root: Path) -> Path:
    """Write the pages (by their path in the site) under `root`, switch to them, and return the index's path.

    Raises ValueError where a path would leave the build or there is no index.html.
    """
    content = {_checked(path): _bytes(page) for path, page in sorted(pages.items())}
    if "index.html" not in content:
        raise ValueError("A site needs an index.html.")
    builds = root / "builds"
    builds.mkdir(parents=True, exist_ok=True)
    with _only_one(root):
        _sweep(builds)
        build = builds / digest(content)
        if build.is_dir():
            os.utime(build)
        else:
            _write(content, builds / f"{UNFINISHED}{build.name}", build)
        _switch(root / "current", build)
        _prune(builds, build)
    return root / "current" / "index.html"


def digest(content: Mapping[str, bytes]) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256 over all paths and contents."""
    total = hashlib.sha256()
    for path, page in sorted(content.items()):
        for part in (path.encode(), page):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()[:16]


def _checked(path: str) -> str:
    parts = PurePosixPath(path)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
        raise ValueError(f"{path!r} is not a path inside the site.")
    return str(parts)


def _bytes(page: str | bytes) -> bytes:
    return page.encode() if isinstance(page, str) else page


@contextmanager
def _only_one(root: Path) -> Iterator[None]:
    """Let one process publish at a time; the lock ends with the process, however it ends."""
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(builds: Path) -> None:
    """Remove what a killed process left behind."""
    for prefix in (UNFINISHED, DISCARDED):
        for left in builds.glob(f"{prefix}*"):
            shutil.rmtree(left)


def _write(content: Mapping[str, bytes], unfinished: Path, build: Path) -> None:
    for path, page in content.items():
        target = unfinished / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(page)
    unfinished.rename(build)


def _switch(link: Path, build: Path) -> None:
    """Point the link at the build in one step; the link is relative, so the site can be moved as a whole."""
    if link.exists() and not link.is_symlink():
        raise ValueError(f"{link} is not a symbolic link made by this program; move it away and publish again.")
    new = link.with_name(".current-new")
    new.unlink(missing_ok=True)
    new.symlink_to(Path(build.parent.name, build.name), target_is_directory=True)
    os.replace(new, link)  # noqa: PTH105 - the atomic step, named as such


def _prune(builds: Path, current: Path) -> None:
    """Keep the current build and the ones published last; a build is renamed first, so none is left half."""
    others = [build for build in builds.iterdir() if build != current and not build.name.startswith(".")]
    others.sort(key=lambda build: (build.stat().st_mtime_ns, build.name), reverse=True)
    for build in others[KEPT_BUILDS - 1 :]:
        discarded = build.with_name(f"{DISCARDED}{build.name}")
        build.rename(discarded)
        shutil.rmtree(discarded)
