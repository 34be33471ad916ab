"""The site of the sample organisation, served by `metrics site serve` and opened in Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from metrics_assets.warehouse import embedded
from metrics_assets_tests.command import metrics, start_metrics

TOOLS = Path(__file__).resolve().parents[2] / ".metrics" / "test-tools"
_QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium from the system's packages; without it these tests are skipped.

    Closed when this folder's tests are done: Playwright keeps an event loop going, in which others cannot start one.
    """
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("there is no Chromium; `make test` installs it as root, or: apt-get install chromium")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=[*_QUIET, *root])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, the accessibility checker."""
    script = TOOLS / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        pytest.skip(f"{script.name} is not there; `make test` installs it where npm is")
    return script.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def demo_home() -> Iterator[Path]:
    """The home of a demo that has run; its database still can be asked."""
    home = Path(tempfile.mkdtemp(prefix="ma-"))
    try:
        done = metrics("demo", home=home)
        assert done.returncode == 0, done.stdout + done.stderr
        yield home
    finally:
        for data in [path.parent for path in home.rglob("postgres") if path.is_dir()]:
            embedded.stop(data)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def site_folder(demo_home: Path) -> Path:
    """The files of the built site."""
    return (demo_home / "metrics-home" / "demo" / "site" / "current").resolve()


@pytest.fixture(scope="session")
def site(demo_home: Path) -> Iterator[str]:
    """The address of the site."""
    with serving(demo_home) as url:
        yield url


@contextmanager
def serving(home: Path, **variables: str) -> Iterator[str]:
    """`metrics site serve` in a process of its own, ready, and ended again."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start_metrics("site", "serve", "--port", str(port), home=home, **variables)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(url, timeout=5)
                break
            except httpx.HTTPError:
                assert process.poll() is None, "`metrics site serve` ended"
                time.sleep(0.2)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile; an error of a script, or a request to anywhere else, fails the test."""
    with watched(browser) as one:
        yield one


@contextmanager
def watched(browser: Browser, **options: object) -> Iterator[Page]:
    """A page whose scripts may not fail and that may ask nobody but the site."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    one = context.new_page()
    wrong: list[str] = []
    one.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    one.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    one.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(("http://127.0.0.1:", "data:", "blob:")) else wrong.append(f"asks {asked.url}")
        ),
    )
    try:
        yield one
        assert not wrong, wrong
    finally:
        context.close()


def pages_of(folder: Path) -> list[str]:
    """The paths of all HTML pages of a built site."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
