"""Take the README's pictures in headless Chromium: the asset graph, an asset with its metadata, pages of the site.

Needs Chromium from the system's packages, the extra `test`, and a demo that has run:

    make demo && make pictures
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

PICTURES = Path(__file__).with_name("pictures")
SITE = Path(os.environ.get("METRICS_HOME") or ".metrics") / "demo" / "site" / "current"
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium; install it, for example with: apt-get install chromium")
    if not SITE.exists():
        sys.exit(f"{SITE} does not exist; run `make demo` first.")
    PICTURES.mkdir(exist_ok=True)
    with dagster_ui() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        page = browser.new_page(viewport={"width": 1920, "height": 1000})
        asset_graph(page, url)
        one_asset(page, url)
        site(browser)
        browser.close()


@contextmanager
def dagster_ui() -> Iterator[str]:
    """`metrics up` on the sample organisation, ready, and ended again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "METRICS_CONFIG": "no-such-file.yaml"}
    metrics = Path(sys.executable).with_name("metrics")
    process = subprocess.Popen([metrics, "up", "--port", str(port)], env=environment, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                httpx.get(f"{url}/server_info", timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(1)
        else:
            sys.exit("The Dagster UI did not start within two minutes.")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def asset_graph(page: Page, url: str) -> None:
    """The groups, and the way from deployments and changes to DORA's daily table."""
    page.goto(f"{url}/asset-groups", wait_until="domcontentloaded")
    page.wait_for_selector("text=publish", timeout=60_000)
    time.sleep(6)
    page.screenshot(path=PICTURES / "asset_groups.png", clip={"x": 540, "y": 350, "width": 1350, "height": 350})
    page.goto(f"{url}/asset-groups?expanded=global%40global%3Aderive", wait_until="domcontentloaded")
    page.wait_for_selector("svg >> text=dora_daily", timeout=60_000)
    time.sleep(8)
    page.screenshot(path=PICTURES / "asset_graph.png")


def one_asset(page: Page, url: str) -> None:
    """A materialised partition with its metadata, and what the asset is."""
    page.goto(f"{url}/assets/raw/pull_requests?view=partitions&partition=2025-12-31", wait_until="domcontentloaded")
    page.wait_for_selector("text=graphql_points", timeout=60_000)
    time.sleep(3)
    page.screenshot(path=PICTURES / "partition.png")
    page.goto(f"{url}/assets/metrics/dora_daily?view=overview", wait_until="domcontentloaded")
    page.wait_for_selector("text=Description", timeout=60_000)
    time.sleep(5)
    page.screenshot(path=PICTURES / "asset.png")


def site(browser: Browser) -> None:
    """The first page whole; a repository, delivery in the dark, a phone and a report from their heads."""
    wide = browser.new_page(viewport={"width": 1280, "height": 900})
    wide.goto(_address("index.html"))
    wide.screenshot(path=PICTURES / "site.png", full_page=True)
    wide.goto(_address("repo/aurora.web.html"))
    chart = wide.locator("figure.chart").first
    chart.scroll_into_view_if_needed()
    wide.set_viewport_size({"width": 1280, "height": 1250})
    chart.evaluate("chart => scrollTo(0, chart.getBoundingClientRect().top + scrollY - 90)")
    wide.screenshot(path=PICTURES / "repository.png")
    newest = max((SITE / "reports").glob("monthly_report-*.html")).name
    wide.set_viewport_size({"width": 1280, "height": 1000})
    wide.goto(_address(f"reports/{newest}"))
    wide.screenshot(path=PICTURES / "report.png")
    dark = browser.new_page(viewport={"width": 1280, "height": 1400}, color_scheme="dark")
    dark.goto(_address("delivery.html"))
    dark.screenshot(path=PICTURES / "delivery_dark.png")
    phone = browser.new_page(viewport={"width": 390, "height": 1400}, device_scale_factor=1.5)
    phone.goto(_address("index.html"))
    phone.screenshot(path=PICTURES / "phone.png", clip={"x": 0, "y": 0, "width": 390, "height": 1400})


def _address(page: str) -> str:
    return (SITE.resolve() / page).as_uri()


if __name__ == "__main__":
    main()
