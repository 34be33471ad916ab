"""A look at the site: the newest build, and nothing that is not in it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from metrics_assets.publishing.local_server import site_app
from metrics_assets.reporting.site import publish

PAGES = {
    "index.html": "first", "404.html": "no such page", "repo/a.html": "<p>é</p>", "data/a.csv": "a", "b.svg": "<svg/>",
}  # fmt: skip


@contextmanager
def serving(root: Path) -> Iterator[httpx.Client]:
    server = uvicorn.Server(
        uvicorn.Config(site_app(root), host="127.0.0.1", port=0, log_level="warning", access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[httpx.Client]:
    publish(PAGES, tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    with serving(tmp_path) as client:
        yield client


def test_files_come_with_their_types(browser: httpx.Client) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/repo/a.html", "text/html; charset=utf-8"),
        ("/data/a.csv", "text/csv; charset=utf-8"),
        ("/b.svg", "image/svg+xml"),
    ):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert browser.get("/repo/a.html").text == "<p>é</p>"
    assert browser.head("/").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/absent.html", "/repo", "/repo/", "/data/", "/..%2f..%2fsecret.txt", "/%2e%2e/%2e%2e/secret.txt",
        "/repo/..%2f..%2f..%2fsecret.txt", "/../../secret.txt", "/repo/../../../secret.txt",
        "//etc/passwd", "/%2fetc/passwd", "/a%00b", "/..%5csecret.txt",
        f"/{'a' * 5000}.html", f"/{'a/' * 5000}", "/%ff%fe.html",
    ],
)  # fmt: skip
def test_nothing_else_is_served(path: str, browser: httpx.Client) -> None:
    # Not by httpx, which would tidy the path up.
    connection = http.client.HTTPConnection(browser.base_url.host, browser.base_url.port or 0, timeout=30)
    connection.putrequest("GET", path)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (404, b"no such page")
    connection.close()


def test_a_link_out_of_the_build_and_hidden_files_are_not_served(browser: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "current/out.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "current/.hidden").write_text("secret")
    assert browser.get("/out.txt").status_code == 404
    assert browser.get("/.hidden").status_code == 404


def test_a_new_build_is_followed(browser: httpx.Client, tmp_path: Path) -> None:
    assert browser.get("/").text == "first"
    publish({"index.html": "second"}, tmp_path)
    assert browser.get("/").text == "second"
    assert browser.get("/repo/a.html").status_code == 404


def test_only_reading_by_this_machines_own_name(browser: httpx.Client) -> None:
    assert browser.post("/").status_code == 405
    assert browser.get("/", headers={"host": "evil.example"}).status_code == 400
    assert browser.get("/", headers={"host": "localhost:3002"}).status_code == 200
    assert browser.get("/", headers={"host": "testserver"}).status_code == 400


def test_before_the_first_build_it_says_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.text) == (404, "The site was not built yet; run: metrics site build")
