"""Publishing to a folder or to object storage, by fsspec.

A folder of this machine is switched as a whole, as the build under METRICS_HOME is. Object storage knows no such step:
there, files are replaced one by one, in an order in which no page links to a file that is not there. What is not
linked to yet comes first, the first page comes after all others, and what is gone goes last.

`site.json` at the target says what was published: the digest of each file, by the digest of its path. It holds no
path, because whoever has the address of a team's page can read it. Files that it does not name are never touched.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metrics_assets.publishing.errors import PublishingError, Wait, retried, said
from metrics_assets.reporting.site import INDEX, publish

MANIFEST = "site.json"
_AT_ONCE = 8
_UNFINISHED = ""  # the digest of a file that an earlier run may not have brought to its end
_FINAL = (PermissionError, FileNotFoundError, NotADirectoryError, ImportError)
# Without it a browser would guess the encoding of what is text.
_TEXTS = {".csv": "text/csv", ".md": "text/markdown", ".js": "text/javascript", ".json": "application/json"}


def content_type(path: str) -> str:
    """The media type of a file of the site."""
    suffix = Path(path).suffix
    found = _TEXTS.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing changed at a target.

    Attributes:
        target: as messages may show it.
    """

    target: str
    written: int
    removed: int
    unchanged: int

    @property
    def sentence(self) -> str:
        return f"{self.target}: {self.written} files written, {self.removed} removed, {self.unchanged} as they were."


def publish_to(
    build: Path, address: str, options: Mapping[str, Any], beside: Path, *, wait: Wait = time.sleep
) -> Published:
    """Publish the files of a finished build.

    Args:
        address: a folder, or an address of fsspec.
        options: of fsspec's file system.
        beside: the folder that a relative one stands in.

    Raises:
        PublishingError: it failed; what was published before can still be read.
    """
    scheme, _, rest = address.partition("://")
    try:
        if not rest or scheme in ("file", "local"):
            return _to_folder(build, beside / Path(rest or address).expanduser(), address)
        return _Storage.open(address, options, wait).publish(build)
    except PublishingError:
        raise
    except PermissionError as error:
        raise PublishingError(
            f"The site was not published: {address} may not be written ({said(error)}); give the account that runs "
            "this the right to write there, or set its credentials in the environment."
        ) from None
    except Exception as error:  # whatever a storage's own library raises
        raise PublishingError(
            f"The site was not published to {address}: {said(error)}. The next run goes on where this one ended; "
            "`metrics site publish` tries it now."
        ) from None


def files_of(build: Path) -> list[str]:
    """The paths of a build's files, sorted."""
    return sorted(path.relative_to(build).as_posix() for path in build.rglob("*") if path.is_file())


def _to_folder(build: Path, folder: Path, address: str) -> Published:
    before, names = (folder / "current").resolve(), files_of(build)
    published = publish(((name, (build / name).read_bytes()) for name in names), folder)
    is_same = published.index.resolve().parent == before
    return Published(address, 0 if is_same else len(names), 0, len(names) if is_same else 0)


@dataclass(frozen=True, slots=True)
class _Storage:
    """An address in object storage."""

    address: str
    system: Any  # fsspec's file system; it has no types
    root: str
    wait: Wait

    @classmethod
    def open(cls, address: str, options: Mapping[str, Any], wait: Wait) -> _Storage:
        import fsspec

        scheme = address.partition("://")[0]
        try:
            kind = fsspec.get_filesystem_class(scheme)
        except ImportError as error:
            needed = "install metrics_assets[s3]" if scheme in ("s3", "s3a") else said(error)
            raise PublishingError(
                f"site.publish_to: {scheme}:// needs a package that is not there; {needed}."
            ) from None
        except ValueError:
            raise PublishingError(
                f"site.publish_to: {scheme}:// is no storage that fsspec knows; write a folder, or s3://bucket/folder."
            ) from None
        # What another run has listed or opened before is not what is there now.
        system = kind(**options, skip_instance_cache=True, use_listings_cache=False)
        return cls(address, system, kind._strip_protocol(address).rstrip("/"), wait)

    def publish(self, build: Path) -> Published:
        names = files_of(build)
        hidden = {name: _digest(name.encode()) for name in names}
        new = {hidden[name]: _digest_of(build / name) for name in names}
        old = self._manifest()
        changed = [name for name in names if old.get(hidden[name]) != new[hidden[name]]]
        gone = set(old) - set(new)
        if changed or gone:
            self._check_nothing_foreign(names, {hidden[name] for name in names} & old.keys())
            # Should this end half-way, the next run knows what may be there, and what may be half.
            doubtful = dict.fromkeys((hidden[name] for name in changed), _UNFINISHED)
            self._write_manifest({**old, **doubtful})
            for group in _in_order(changed, {name for name in names if hidden[name] in old}):
                self._each(group, lambda name: self._put(build, name))
            removed = self._remove(gone) if gone else 0
            self._write_manifest(new)
        else:
            removed = 0
        return Published(self.address, len(changed), removed, len(names) - len(changed))

    def _check_nothing_foreign(self, names: Sequence[str], ours: Set[str]) -> None:
        """Where no list says that this program was there, what has the names of its files is somebody else's."""
        if ours:
            return
        found = retried(lambda: self.system.find(self.root), final=_FINAL, wait=self.wait)
        there = sorted({path[len(self.root) :].lstrip("/") for path in found} & set(names))
        if there:
            raise PublishingError(
                f"The site was not published to {self.address}: files that this program did not put there have the "
                f"names of its own, as {said(there[0])}; name a folder for the site alone in site.publish_to, or move "
                "them away."
            )

    def _manifest(self) -> dict[str, str]:
        try:
            content = retried(lambda: self.system.cat_file(self._at(MANIFEST)), final=_FINAL, wait=self.wait)
        except FileNotFoundError:
            return {}
        try:
            files = json.loads(content)["files"]
            return {str(path): str(digest) for path, digest in files.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise PublishingError(
                f"{self.address}/{MANIFEST} is not the list that this program keeps there; name another folder in "
                "site.publish_to, or empty this one."
            ) from None

    def _write_manifest(self, files: Mapping[str, str]) -> None:
        text = json.dumps({"made_by": "metrics_assets", "files": dict(sorted(files.items()))}).encode()
        retried(lambda: self.system.pipe_file(self._at(MANIFEST), text), final=_FINAL, wait=self.wait)

    def _each(self, names: Sequence[str], action: Callable[[str], None]) -> None:
        """Do it for each, some at a time; the first failure ends it."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            waiting = [pool.submit(action, name) for name in names]
            try:
                for one in waiting:
                    one.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _put(self, build: Path, name: str) -> None:
        content = (build / name).read_bytes()
        target = self._at(name)

        def put() -> None:
            self.system.pipe_file(target, content, **self._about(name))

        if self._has_folders:
            self.system.makedirs(target.rpartition("/")[0], exist_ok=True)
        retried(put, final=_FINAL, wait=self.wait)

    @property
    def _protocols(self) -> tuple[str, ...]:
        protocol = self.system.protocol
        return (protocol,) if isinstance(protocol, str) else tuple(protocol)

    @property
    def _has_folders(self) -> bool:
        """Whether a file needs a folder that is there: in object storage a path is a name and nothing more."""
        return not {"s3", "gs", "abfs", "az"} & set(self._protocols)

    def _about(self, name: str) -> dict[str, Any]:
        """What a storage is told besides the content, where it can be told."""
        if "s3" in self._protocols:
            # A page that was replaced is asked for again; the storage answers quickly that it did not change.
            return {"ContentType": content_type(name), "CacheControl": "no-cache"}
        return {"content_type": content_type(name)} if "gs" in self._protocols else {}

    def _remove(self, gone: set[str]) -> int:
        """Remove the files whose paths have these digests: what this program did not publish stays."""
        found = retried(lambda: self.system.find(self.root), final=_FINAL, wait=self.wait)
        names = [path[len(self.root) :].lstrip("/") for path in found]
        ours = [name for name in names if _digest(name.encode()) in gone]
        self._each(
            ours, lambda name: retried(lambda: self.system.rm_file(self._at(name)), final=_FINAL, wait=self.wait)
        )
        return len(ours)

    def _at(self, name: str) -> str:
        return f"{self.root}/{name}"


def _in_order(changed: Sequence[str], there: set[str]) -> Iterator[list[str]]:
    """Files in the order in which they are written: data, styles and badges; new pages, which no page links to yet;
    the pages that there were; the first page."""
    rest = [name for name in changed if name != INDEX]
    yield [name for name in rest if not name.endswith(".html")]
    yield [name for name in rest if name.endswith(".html") and name not in there]
    yield [name for name in rest if name.endswith(".html") and name in there]
    yield [name for name in changed if name == INDEX]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
