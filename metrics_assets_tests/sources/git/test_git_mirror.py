"""The clone: what git may be given, what it never does, and what is left of a failure."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from metrics_assets.sources.errors import Forbidden, NotFound, SourceError, Unavailable
from metrics_assets.sources.git import reading
from metrics_assets.sources.git.address import Address, shown
from metrics_assets.sources.git.mirror import Mirror
from metrics_assets_tests.sources.git.building import START, Writer, empty_repository, git


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A repository with one commit and one file on main."""
    repository = empty_repository(tmp_path / "remote.git")
    with Writer(repository) as write:
        write.commit("first", "first", files={"a": "content"})
        write.ref("refs/heads/main", "first")
    return repository


@pytest.fixture
def wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a script before git on the PATH; `$@` are git's arguments, and `git` is the real one."""

    def wrap(script: str) -> None:
        real = subprocess.run(["which", "git"], capture_output=True, check=True, text=True).stdout.strip()
        folder = tmp_path / "wrapped"
        folder.mkdir()
        (folder / "git").write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return wrap


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/x",
        "-u",
        "ext::sh -c touch% /tmp/x",
        "fd::17/foo",
        "https://-oProxyCommand=x/a/b",
        "git@host:-x",
        "-git@host:a/b",
        "ftp://host/a/b",
        "/srv/git/a.git",
        "https:///a",
        "https://host/a b",
        "",
    ],
)
def test_addresses_that_git_may_not_be_given(url: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is no address that git may be given; write https://host"):
        Mirror(url, tmp_path)


def test_nothing_but_the_plain_transports_is_executed(tmp_path: Path, remote: Path) -> None:
    """Also where the user's own configuration turns an address into a program."""
    marker = tmp_path / "executed"
    mirror = Mirror(f"file://{remote}", tmp_path / "home")
    (tmp_path / "config").write_text(f'[url "ext::touch {marker} "]\n\tinsteadOf = file://\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
        with pytest.raises(SourceError, match=r"git ls-remote failed: .*transport 'ext' not allowed"):
            mirror.update()
    assert not marker.exists()


@pytest.mark.parametrize(
    "same",
    [
        "https://Host.example/acme/tool.git",
        "https://host.example/acme/tool",
        "https://host.example:443/acme/tool/",
        "https://user:secret@host.example/acme/tool.git",
        "ssh://git@host.example/acme/tool.git",
        "git@host.example:acme/tool.git",
        "git://host.example/acme/tool.git",
    ],
)
def test_a_repository_has_one_identity_whichever_way_it_is_reached(same: str) -> None:
    address = Address.of(same)
    assert address.place == "host.example/acme/tool"
    assert address.repository_id == Address.of("https://host.example/acme/tool.git").repository_id
    assert -(2**53) < address.repository_id < 0
    assert float(address.repository_id) == address.repository_id


def test_other_repositories_have_other_identities() -> None:
    urls = ["https://host/a/b", "https://host/a/B", "https://host:8443/a/b", "https://other/a/b", "file:///host/a/b"]
    assert len({Address.of(url).repository_id for url in urls}) == len(urls)
    assert len({Address.of(url).digest for url in urls}) == len(urls)


def test_a_repository_that_does_not_exist(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/none.git"
    with pytest.raises(NotFound, match=rf"{url}: git ls-remote failed: .*; check the address and that"):
        Mirror(url, tmp_path).update()
    assert list((tmp_path / "git").glob("*.git")) == []


def test_a_repository_that_vanished_keeps_its_clone(tmp_path: Path, remote: Path) -> None:
    mirror = Mirror(f"file://{remote}", tmp_path)
    before = mirror.update()
    remote.rename(tmp_path / "elsewhere.git")
    with pytest.raises(NotFound):
        mirror.update()
    assert mirror.snapshot() == before
    (tmp_path / "elsewhere.git").rename(remote)
    assert mirror.update().head == before.head


def test_a_host_that_does_not_answer_and_a_password_that_is_not_told(tmp_path: Path, free_port: int) -> None:
    with pytest.raises(Unavailable, match="git ls-remote failed") as raised:
        Mirror(f"http://somebody:hunter2@127.0.0.1:{free_port}/a/b.git", tmp_path).update()
    assert "hunter2" not in str(raised.value)
    assert "somebody" not in str(raised.value)
    assert f"127.0.0.1:{free_port}/a/b.git" in str(raised.value)


def test_a_server_that_wants_a_password(tmp_path: Path) -> None:
    """Nobody is asked, whatever terminal there is."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(Refusing) as port, pytest.raises(Forbidden, match="give git a credential helper"):
        Mirror(f"http://127.0.0.1:{port}/a/b.git", tmp_path, seconds=20).update()


def test_a_host_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"git://127.0.0.1:{silent.getsockname()[1]}/a/b.git"
        with pytest.raises(Unavailable, match=r"git ls-remote was ended after 0\.5 s"):
            Mirror(url, tmp_path, seconds=0.5).update()


def test_a_plain_web_server(tmp_path: Path, remote: Path) -> None:
    """It knows nothing of git, and cannot leave contents out."""
    git(remote, "update-server-info")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(partial(Quiet, directory=str(tmp_path))) as port:
        snapshot = Mirror(f"http://127.0.0.1:{port}/remote.git", tmp_path / "home").update()
    assert snapshot.head == git(remote, "rev-parse", "main")


@pytest.mark.parametrize("version", ["0", "2"])
def test_git_over_http(tmp_path: Path, remote: Path, version: str) -> None:
    """As the hosts on the web serve it, by either version of the protocol."""

    class Backend(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(tmp_path),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if version == "2" else "",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            }
            asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            done = subprocess.run(["git", "http-backend"], input=asked, capture_output=True, env=environment)
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            self.send_response(next((int(value[:3]) for name, value in lines if name == "Status"), 200))
            for name, value in lines:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with Writer(remote) as write:
        write.commit("2", "second", files={"a": "other"})
        write.ref("refs/pull/7/head", "2")
    with serving(Backend) as port:
        mirror = Mirror(f"http://127.0.0.1:{port}/remote.git", tmp_path / "home")
        for _ in range(2):
            snapshot = mirror.update()
            assert (snapshot.head, snapshot.default_branch) == (git(remote, "rev-parse", "main"), "main")
        with pytest.raises(NotFound):
            Mirror(f"http://127.0.0.1:{port}/none.git", tmp_path / "home").update()
    kinds = git(mirror.directory, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert set(kinds) == {"commit", "tree"}
    assert git(mirror.directory, "rev-parse", "refs/pull/7/head") == git(remote, "rev-parse", "refs/pull/7/head")


def test_the_daemon_of_git(tmp_path: Path, remote: Path, free_port: int) -> None:
    (remote / "git-daemon-export-ok").touch()
    daemon = subprocess.Popen(
        ["git", "daemon", "--listen=127.0.0.1", f"--port={free_port}", f"--base-path={tmp_path}", "--reuseaddr"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_port(free_port)
        mirror = Mirror(f"git://127.0.0.1:{free_port}/remote.git", tmp_path / "home")
        assert mirror.update().default_branch == "main"
        with pytest.raises(NotFound):
            Mirror(f"git://127.0.0.1:{free_port}/none.git", tmp_path / "home").update()
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()


def test_a_server_that_ignores_the_wish_to_leave_contents_out(tmp_path: Path) -> None:
    repository = empty_repository(tmp_path / "remote.git", filters=False)
    with Writer(repository) as write:
        write.commit("first", "first", files={"a": "content"})
        write.ref("refs/heads/main", "first")
    mirror = Mirror(f"file://{repository}", tmp_path / "home")
    assert mirror.update().head == git(repository, "rev-parse", "main")
    assert mirror.update().head == git(repository, "rev-parse", "main")


def test_a_server_that_refuses_to_leave_contents_out(
    tmp_path: Path, remote: Path, wrapped: Callable[[str], None]
) -> None:
    wrapped('case "$*" in *--filter*) echo "fatal: remote error: filter is not supported" >&2; exit 128;; esac')
    mirror = Mirror(f"file://{remote}", tmp_path / "home")
    assert mirror.update().head == git(remote, "rev-parse", "main")
    assert "blob" in git(mirror.directory, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")


def test_an_empty_repository_and_then_its_first_commit(tmp_path: Path) -> None:
    repository = empty_repository(tmp_path / "remote.git", "trunk")
    mirror = Mirror(f"file://{repository}", tmp_path / "home")
    snapshot = mirror.update()
    assert (snapshot.head, snapshot.is_shallow) == (None, False)
    empty = reading.repository(mirror, "acme/tool")
    assert (empty.state, empty.pushed_at, empty.default_branch) == ("empty", None, None)
    assert empty == reading.repository(mirror, "acme/tool")
    assert [row for batch in reading.commits(mirror, 1, START) for row in batch.records] == []
    assert [row for batch in reading.tags(mirror, 1) for row in batch.records] == []

    with Writer(repository) as write:
        write.commit("first", "first", authored_at=START, committed_at=START)
        write.ref("refs/heads/trunk", "first")
    mirror.update()
    filled = reading.repository(mirror, "acme/tool")
    assert (filled.state, filled.default_branch, filled.created_at, filled.pushed_at) == (
        "active",
        "trunk",
        START,
        START,
    )


def test_a_default_branch_that_is_renamed(tmp_path: Path, remote: Path) -> None:
    mirror = Mirror(f"file://{remote}", tmp_path)
    assert mirror.update().default_branch == "main"
    git(remote, "branch", "-m", "main", "trunk")
    git(remote, "symbolic-ref", "HEAD", "refs/heads/trunk")
    assert mirror.update().default_branch == "trunk"
    assert git(mirror.directory, "for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/trunk"


def test_a_head_that_names_no_branch(tmp_path: Path, remote: Path) -> None:
    """Of a commit it is known where it stands; of a branch that does not exist nothing is."""
    mirror = Mirror(f"file://{remote}", tmp_path)
    git(remote, "update-ref", "--no-deref", "HEAD", "refs/heads/main")
    snapshot = mirror.update()
    assert (snapshot.head, snapshot.default_branch) == (git(remote, "rev-parse", "main"), None)
    assert reading.default_branch(mirror, snapshot) == "main"
    (remote / "HEAD").write_text("ref: refs/heads/gone\n")
    assert mirror.update().head is None
    assert "nothing yet, or no default branch" in reading.remarks(mirror.snapshot())[0]


def test_a_server_without_the_whole_history(tmp_path: Path) -> None:
    whole = empty_repository(tmp_path / "whole.git")
    with Writer(whole) as write:
        write.commit("1", "1")
        write.commit("2", "2", parents=["1"])
        write.commit("3", "3", parents=["2"])
        write.ref("refs/heads/main", "3")
    shallow = tmp_path / "shallow.git"
    subprocess.run(["git", "clone", "-q", "--bare", "--depth=1", f"file://{whole}", str(shallow)], check=True)
    mirror = Mirror(f"file://{shallow}", tmp_path / "home")
    assert mirror.update().is_shallow
    assert [len(batch.records) for batch in reading.commits(mirror, 1, START)] == [1, 0]
    assert "shallow history" in reading.remarks(mirror.snapshot())[0]

    git(shallow, "fetch", "-q", "--depth=2", "origin")
    assert mirror.update().is_shallow
    git(shallow, "fetch", "-q", "--unshallow", "origin")
    assert not mirror.update().is_shallow
    assert [len(batch.records) for batch in reading.commits(mirror, 1, START)] == [3, 0]


def test_nothing_is_fetched_that_is_fresh(tmp_path: Path, remote: Path) -> None:
    mirror = Mirror(f"file://{remote}", tmp_path)
    first = mirror.update()
    remote.rename(tmp_path / "elsewhere.git")
    assert mirror.update(fresh_since=first.fetched_at) == first
    with pytest.raises(NotFound):
        mirror.update(fresh_since=datetime.now(UTC))


def test_hooks_and_helpers_of_the_surroundings_are_not_run(
    tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "executed"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout", "post-merge", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "config").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = touch {marker}\n[log]\n\tshowSignature = true\n"
        "[init]\n\ttemplateDir = /nowhere\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    mirror = Mirror(f"file://{remote}", tmp_path / "home")
    mirror.update()
    assert [len(batch.records) for batch in reading.commits(mirror, 1, START)] == [1, 0]
    assert not marker.exists()


def test_a_damaged_clone_is_replaced(tmp_path: Path, remote: Path) -> None:
    mirror = Mirror(f"file://{remote}", tmp_path)
    mirror.update()
    for pack in mirror.directory.glob("objects/pack/*"):
        pack.unlink()
    with pytest.raises(SourceError, match="a new clone is made by the next run"):
        list(reading.commits(mirror, 1, START))
    with pytest.raises(SourceError, match="has not been cloned yet"):
        mirror.snapshot()
    mirror.update()
    assert [len(batch.records) for batch in reading.commits(mirror, 1, START)] == [1, 0]
    (mirror.directory / "config").write_text("not a configuration")
    mirror.update()
    assert [len(batch.records) for batch in reading.commits(mirror, 1, START)] == [1, 0]


def test_many_fetches_do_not_leave_many_packs(tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics_assets.sources.git.mirror._MOST_PACKS", 3)
    mirror = Mirror(f"file://{remote}", tmp_path)
    for place in range(6):
        with Writer(remote) as write:
            write.commit("next", f"number {place}", files={"a": str(place)})
            write.ref("refs/heads/main", "next")
            write.ref(f"refs/tags/{place}", "next")
        mirror.update()
        assert len(list(mirror.directory.glob("objects/pack/*.pack"))) <= 3
        assert mirror.snapshot().head == git(remote, "rev-parse", "main")
    assert sum(len(batch.records) for batch in reading.tags(mirror, 1)) == 6


@pytest.mark.parametrize("url", ["https://u:p@ss@host/a", "see https://u:p@ss@host/a.", "https://p@ss:w@host/a/b"])
def test_no_part_of_a_password_is_shown(url: str) -> None:
    assert "ss" not in shown(url)
    assert "https://host/a" in shown(url)


def test_locks_that_a_killed_git_left_are_no_hindrance(tmp_path: Path, remote: Path) -> None:
    mirror = Mirror(f"file://{remote}", tmp_path)
    mirror.update()
    (mirror.directory / "packed-refs.lock").touch()
    (mirror.directory / "config.lock").touch()
    with Writer(remote) as write:
        write.commit("second", "second")
        write.ref("refs/heads/main", "second")
    assert mirror.update().head == git(remote, "rev-parse", "main")


def test_a_folder_that_cannot_be_written(tmp_path: Path, remote: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SourceError, match=r"cannot be written \(.*\); make room there"):
        Mirror(f"file://{remote}", tmp_path / "home").update()


_UPDATE = (
    "import sys; from pathlib import Path; from metrics_assets.sources.git.mirror import Mirror; "
    "print(Mirror(sys.argv[1], Path(sys.argv[2])).update().head)"
)


def test_a_process_that_is_killed_in_the_middle_of_a_clone(
    tmp_path: Path, remote: Path, wrapped: Callable[[str], None]
) -> None:
    """Its git holds the lock as long as it lives; after that the half clone is thrown away."""
    orphan = tmp_path / "orphan"
    wrapped(
        f'case "$*" in *" clone "*) if mkdir {tmp_path}/once 2>&-; then for half; do :; done; '
        f'mkdir -p "$half/objects"; '
        f"echo $$ > {orphan}; exec sleep 60; fi;; esac"
    )
    url, home = f"file://{remote}", tmp_path / "home"
    process = subprocess.Popen([sys.executable, "-c", _UPDATE, url, str(home)])
    while not (orphan.exists() and orphan.read_text().strip()):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    mirror = Mirror(url, home)
    partial_clone = mirror.directory.with_suffix(".partial")
    assert partial_clone.exists()
    assert not mirror.directory.exists()
    with pytest.raises(Unavailable, match="another process has been fetching it"):
        Mirror(url, home, seconds=0.3).update()
    os.kill(int(orphan.read_text()), signal.SIGKILL)
    assert mirror.update().head == git(remote, "rev-parse", "main")
    assert not partial_clone.exists()


def test_two_processes_at_once(tmp_path: Path, remote: Path) -> None:
    command = [sys.executable, "-c", _UPDATE, f"file://{remote}", str(tmp_path / "home")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    heads = {process.communicate()[0].strip() for process in processes}
    assert heads == {git(remote, "rev-parse", "main")}
    assert [process.returncode for process in processes] == [0, 0]
    (clone,) = (tmp_path / "home" / "git").glob("*.git")
    git(clone, "fsck", "--connectivity-only")


def test_git_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(SourceError, match="git is not installed"):
        Mirror("https://host.invalid/a/b.git", tmp_path).update()


class serving:  # noqa: N801
    """A web server on a port of its own, as a context; its value is the port."""

    def __init__(self, handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> int:
        self._thread.start()
        return self._server.server_port

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def wait_for_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")
