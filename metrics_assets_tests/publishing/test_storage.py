"""Publishing to folders and object storage: what changed, in an order that leaves no page without what it links to."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metrics_assets.publishing.errors import PublishingError, retried, said
from metrics_assets.publishing.storage import MANIFEST, content_type, publish_to
from metrics_assets_tests.publishing.pages import SITE, changed, write

fsspec = pytest.importorskip("fsspec")
MEMORY = "memory://bucket/site"


def no_wait(_: float) -> None:
    """Tests do not wait for a storage to come back."""


@pytest.fixture(autouse=True)
def _empty_memory() -> Iterator[None]:
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield
    MemoryFileSystem.store.clear()


def stored() -> dict[str, bytes]:
    system = fsspec.filesystem("memory")
    found = system.find("/bucket") if system.exists("/bucket") else []
    return {path.removeprefix("/bucket/site/"): system.cat_file(path) for path in found}


def publish(build: Path) -> Any:
    return publish_to(build, MEMORY, {}, build.parent, wait=no_wait)


def test_only_what_changed_is_written_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    first = publish(write(tmp_path / "one", SITE))
    assert (first.written, first.removed, first.unchanged) == (5, 0, 0)
    assert {name: content.decode() for name, content in stored().items() if name != MANIFEST} == SITE

    fsspec.filesystem("memory").pipe_file("/bucket/site/own.txt", b"not ours")
    second = publish(write(tmp_path / "two", changed(SITE, {"repo/b.html": None, "data/a.csv": "new", "c.html": "c"})))
    assert (second.written, second.removed, second.unchanged) == (2, 1, 3)
    now = stored()
    assert now["data/a.csv"] == b"new"
    assert "repo/b.html" not in now
    assert now["own.txt"] == b"not ours"

    third = publish(tmp_path / "two")
    assert (third.written, third.removed, third.unchanged) == (0, 0, 5)
    assert third.sentence == f"{MEMORY}: 0 files written, 0 removed, 5 as they were."


def test_the_list_at_the_target_names_no_page(tmp_path: Path) -> None:
    """Whoever has the address of a team's page can read it, so nobody may find it in a list."""
    publish(write(tmp_path / "one", changed(SITE, {"team/0123456789abcdef.html": "ours"})))
    manifest = stored()[MANIFEST].decode()
    assert "team" not in manifest.replace("made_by", "")
    assert "0123456789abcdef" not in manifest
    assert len(json.loads(manifest)["files"]) == 6


def test_files_come_before_what_links_to_them_and_go_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    publish(write(tmp_path / "one", SITE))
    done: list[str] = []
    pipe, remove = MemoryFileSystem.pipe_file, MemoryFileSystem.rm_file

    def note_pipe(system: Any, path: str, value: bytes, **options: Any) -> None:
        done.append(path.rpartition("/site/")[2])
        pipe(system, path, value, **options)

    def note_remove(system: Any, path: str) -> None:
        done.append(f"-{path.rpartition('/site/')[2]}")
        remove(system, path)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", note_pipe)
    monkeypatch.setattr(MemoryFileSystem, "rm_file", note_remove)
    changes = {
        "index.html": "new", "repo/a.html": "new", "repo/c.html": "c", "data/c.csv": "c", "repo/b.html": None,
    }  # fmt: skip
    publish(write(tmp_path / "two", changed(SITE, changes)))
    assert done == [
        MANIFEST, "data/c.csv", "repo/c.html", "repo/a.html", "index.html", "-repo/b.html", MANIFEST,
    ]  # fmt: skip


def test_a_run_that_ended_half_way_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    publish(write(tmp_path / "one", SITE))
    pipe = MemoryFileSystem.pipe_file

    def breaks(system: Any, path: str, value: bytes, **options: Any) -> None:
        if path.endswith("repo/a.html"):
            raise ConnectionResetError("the storage hung up")
        pipe(system, path, value, **options)

    new = write(tmp_path / "two", changed(SITE, {"index.html": "new", "repo/a.html": "new", "data/gone.csv": "1"}))
    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "pipe_file", breaks)
        with pytest.raises(PublishingError, match=r"published to memory://bucket/site: the storage hung up\. The"):
            publish(new)
    # The first page still is the old one; the file that came is known, and goes with the next build.
    assert stored()["index.html"].decode() == SITE["index.html"]
    assert "data/gone.csv" in stored()
    third = publish(write(tmp_path / "three", changed(SITE, {"index.html": "newer"})))
    assert third.removed == 1
    assert {name: content.decode() for name, content in stored().items() if name != MANIFEST} == changed(
        SITE, {"index.html": "newer"}
    )


def test_a_storage_that_stumbles_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    pipe, stumbles = MemoryFileSystem.pipe_file, [True, True]

    def stumble(system: Any, path: str, value: bytes, **options: Any) -> None:
        if path.endswith("index.html") and stumbles:
            stumbles.pop()
            raise TimeoutError
        pipe(system, path, value, **options)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", stumble)
    assert publish(write(tmp_path / "one", SITE)).written == 5


def test_a_folder_is_switched_as_a_whole(tmp_path: Path) -> None:
    build = write(tmp_path / "one", SITE)
    assert publish_to(build, "public", {}, tmp_path).written == 5
    current = tmp_path / "public/current"
    assert current.is_symlink()
    assert (current / "repo/b.html").read_text() == "b"
    assert publish_to(build, f"file://{tmp_path}/public", {}, tmp_path).unchanged == 5
    publish_to(write(tmp_path / "two", changed(SITE, {"repo/b.html": None})), "public", {}, tmp_path)
    assert not (current / "repo/b.html").exists()


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("nonsense://bucket", r"site\.publish_to: nonsense:// is no storage that fsspec knows; write a folder, or s3"),
        ("/dev/null/site", r"The site was not published to /dev/null/site: "),
    ],
)
def test_what_cannot_be_is_said(address: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(PublishingError, match=what):
        publish_to(write(tmp_path / "one", SITE), address, {}, tmp_path, wait=no_wait)


def test_a_list_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe_file(f"/bucket/site/{MANIFEST}", b"[1]")
    with pytest.raises(PublishingError, match=r"site\.json is not the list that this program keeps there"):
        publish(write(tmp_path / "one", SITE))
    assert set(stored()) == {MANIFEST}


def test_a_site_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/bucket/site/index.html", b"theirs")
    fsspec.filesystem("memory").pipe_file("/bucket/site/photos/1.jpg", b"theirs")
    with pytest.raises(PublishingError, match=r"did not put there have the names of its own, as index\.html; name a"):
        publish(write(tmp_path / "one", SITE))
    assert stored() == {"index.html": b"theirs", "photos/1.jpg": b"theirs"}


def test_errors_hold_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
    error = OSError("https://ann:pw@host/x?X-Amz-Signature=abc&a=1 refused\nhunter2hunter2.")
    assert said(error) == "https://host/x?X-Amz-Signature=***&a=1 refused ***"


def test_an_error_that_will_not_pass_is_not_waited_for() -> None:
    tries = []

    def action() -> None:
        tries.append(1)
        raise PermissionError

    with pytest.raises(PermissionError):
        retried(action, final=(PermissionError,), wait=lambda _: pytest.fail("waited"))
    assert len(tries) == 1


def test_content_types() -> None:
    names = ("index.html", "data/a.csv", "style.css", "site.js", "b.svg", "report.pdf", "report.md", "x.unknown")
    assert [content_type(name) for name in names] == [
        "text/html; charset=utf-8", "text/csv; charset=utf-8", "text/css; charset=utf-8",
        "text/javascript; charset=utf-8", "image/svg+xml", "application/pdf", "text/markdown; charset=utf-8",
        "application/octet-stream",
    ]  # fmt: skip


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server on this machine with a bucket `public`, read by anybody."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/public", method="PUT"), timeout=30).close()
        yield endpoint
    finally:
        server.stop()


def test_s3_serves_what_was_published(bucket: str, tmp_path: Path) -> None:
    import s3fs

    options = {"endpoint_url": bucket}
    first = publish_to(write(tmp_path / "one", SITE), "s3://public/metrics", options, tmp_path, wait=no_wait)
    assert first.written == 5
    second = publish_to(
        write(tmp_path / "two", changed(SITE, {"repo/b.html": None, "data/a.csv": "é"})),
        "s3://public/metrics", options, tmp_path, wait=no_wait,
    )  # fmt: skip
    assert (second.written, second.removed, second.unchanged) == (1, 1, 3)
    system = s3fs.S3FileSystem(**options, skip_instance_cache=True)
    assert sorted(system.find("public/metrics")) == [
        f"public/metrics/{name}" for name in ("data/a.csv", "index.html", "repo/a.html", "site.json", "style.css")
    ]
    with urllib.request.urlopen(system.sign("public/metrics/data/a.csv"), timeout=30) as answer:
        assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
            "text/csv; charset=utf-8", "no-cache",
        )  # fmt: skip
        assert answer.read().decode() == "é"


def test_s3_that_is_not_there_is_said(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(PublishingError, match=r"The site was not published to s3://absent/metrics: .*bucket"):
        publish_to(
            write(tmp_path / "one", SITE), "s3://absent/metrics", {"endpoint_url": bucket}, tmp_path, wait=no_wait
        )
