"""How long the site takes to build and to load, how large and how accessible its pages are.

    python benchmarks/site.py [--repositories 100] [--days 730] [--sections build load axe overflow] [--loads 30]

Makes an embedded PostgreSQL in a temporary folder, fills it with invented figures, and runs `metrics site build` in a
process of its own: seconds, its peak memory, and the largest page of each kind. Then `metrics site serve` serves the
site to headless Chromium. load: the 95th percentile of the seconds from asking for a page to its charts being drawn, a
fresh profile each time, again with the processor slowed four times. axe: what axe-core finds, light and dark.
overflow: pixels by which a page is wider than screens of 320, 390 and 1280.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa
import yaml
from playwright.sync_api import Browser, sync_playwright
from site_warehouse import PORTFOLIO, TEAMS, fill
from warehouses import warehouse

from metrics_assets.settings import load

START = date(2024, 1, 1)
SECTIONS = ("build", "load", "axe", "overflow")
WIDTHS = (320, 390, 1280)
MOST_SHOWN = 5
METRICS = [sys.executable, "-m", "metrics_assets.cli"]
AXE = Path(__file__).resolve().parents[1] / ".metrics/test-tools/node_modules/axe-core/axe.min.js"
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def main() -> None:
    """Run the sections that are asked for and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=100)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--loads", type=int, default=30)
    parser.add_argument("--axe", type=Path, default=AXE, help="The script of axe-core.")
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="ms-"))
    try:
        with warehouse() as engine:
            environment = _prepare(engine, home, arguments.repositories, arguments.days)
            print(_build(environment, home))
            pages = kinds(home / "site/current")
            if "build" in arguments.sections:
                print(f"\n{'kind of page':<20}{'pages':>7}{'largest, KB':>13}")
                for kind, paths in pages.items():
                    print(f"{kind:<20}{len(paths):>7}{_kilobytes(home, paths[0]):>13.0f}")
        browsed = [section for section in SECTIONS[1:] if section in arguments.sections]
        if browsed:
            with _serving(environment) as url, _chromium() as browser:
                _browse(browser, url, {kind: paths[0] for kind, paths in pages.items()}, browsed, arguments)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def kinds(site: Path) -> dict[str, list[str]]:
    """The pages of a build by kind, the largest of each kind first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for file in site.rglob("*.html"):
        path = file.relative_to(site).as_posix()
        kind = path.split("/")[0] + "/" if "/" in path else path.removesuffix(".html").rstrip("-0123456789")
        found.setdefault(kind or "404", []).append((-file.stat().st_size, path))
    found.pop("404", None)
    return {kind: [path for _, path in sorted(pages)] for kind, pages in sorted(found.items())}


def _prepare(engine: sa.Engine, home: Path, repositories: int, days: int) -> dict[str, str]:
    config = home / "metrics.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "portfolio": PORTFOLIO,
                "start": START.isoformat(),
                "repositories": [{"github": "acme/repository-1"}],
                "teams": {team: ["ann", "bob", "cat"] for team in TEAMS},
                "space": {"teams": list(TEAMS)},
            }
        )
    )
    begun = time.perf_counter()
    fill(engine, load(config), START, days, repositories)
    print(f"{repositories} repositories, {days} days, filled in {time.perf_counter() - begun:.0f} s")
    return {
        **os.environ,
        "METRICS_CONFIG": str(config),
        "METRICS_HOME": str(home),
        "METRICS_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "OMP_NUM_THREADS": "1",
    }


def _build(environment: dict[str, str], home: Path) -> str:
    """Build the site in a process of its own; what it said, its seconds and its peak memory."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile(dir=home) as said:
        process = subprocess.Popen([*METRICS, "site", "build"], env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    if not (home / "site/current/index.html").exists():
        sys.exit(f"The site could not be built:\n{text[-3000:]}")
    return (
        f"{text.strip()}\nmetrics site build: {time.perf_counter() - begun:.1f} s with its start, "
        f"{used.ru_utime:.1f} s of it on the processor, peak memory {used.ru_maxrss / 1024:.0f} MB"
    )


def _kilobytes(home: Path, path: str) -> float:
    return (home / "site/current" / path).stat().st_size / 1000


@contextmanager
def _serving(environment: dict[str, str]) -> Iterator[str]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*METRICS, "site", "serve", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(url, timeout=5)
                break
            except httpx.HTTPError:
                if process.poll() is not None:
                    sys.exit("`metrics site serve` ended.")
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def _chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("There is no Chromium; install it, or leave the sections load, axe and overflow out.")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*quiet, *root])
        yield browser
        browser.close()


def _browse(
    browser: Browser, url: str, pages: dict[str, str], sections: list[str], arguments: argparse.Namespace
) -> None:
    """One line for each kind of page: the largest of the kind."""
    titles = {
        "load": ("median, s", "p95, s", "4x p95, s"),
        "axe": ("axe light", "axe dark"),
        "overflow": tuple(f"over {width}" for width in WIDTHS),
    }
    if "axe" in sections and not arguments.axe.exists():
        sys.exit(f"{arguments.axe} is not there; `make test` installs axe-core, or name it with --axe.")
    print(f"\n{'page':<28}" + "".join(f"{title:>12}" for section in sections for title in titles[section]))
    for path in pages.values():
        cells: list[str] = []
        if "load" in sections:
            times = [_load(browser, f"{url}/{path}", 1) for _ in range(arguments.loads)]
            slow = [_load(browser, f"{url}/{path}", 4) for _ in range(arguments.loads)]
            cells += [f"{np.median(times):.2f}", f"{np.percentile(times, 95):.2f}", f"{np.percentile(slow, 95):.2f}"]
        if "axe" in sections:
            script = arguments.axe.read_text(encoding="utf-8")
            cells += [str(_violations(browser, f"{url}/{path}", scheme, script)) for scheme in ("light", "dark")]
        if "overflow" in sections:
            cells += [str(_overflow(browser, f"{url}/{path}", width)) for width in WIDTHS]
        name = path if len(path) < 28 else f"{path[:26]}…"
        print(f"{name:<28}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


@contextmanager
def _page(browser: Browser, **options: Any) -> Iterator[Any]:
    # The pages let nothing run that is not theirs; the checker is not.
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "bypass_csp": True, **options})
    try:
        yield context.new_page()
    finally:
        context.close()


def _load(browser: Browser, url: str, slowed: int) -> float:
    """Seconds until the charts are drawn, in a fresh profile."""
    with _page(browser) as page:
        if slowed > 1:
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowed})
        begun = time.perf_counter()
        page.goto(url, wait_until="load")
        page.evaluate(DRAWN)
        return time.perf_counter() - begun


def _violations(browser: Browser, url: str, scheme: str, script: str) -> int:
    """What axe-core finds; the first ones are said."""
    with _page(browser, color_scheme=scheme) as page:
        page.goto(url)
        page.evaluate(script)
        found = page.evaluate("() => axe.run().then(results => results.violations)")
    for violation in found[:MOST_SHOWN]:
        where = violation["nodes"][0]["html"][:160]
        print(f"  {url.rpartition('/')[2]} {scheme}: {violation['id']} {len(violation['nodes'])} times: {where}")
    return sum(len(violation["nodes"]) for violation in found)


def _overflow(browser: Browser, url: str, width: int) -> int:
    with _page(browser, viewport={"width": width, "height": 900}) as page:
        page.goto(url)
        return int(page.evaluate(OVERFLOW))


if __name__ == "__main__":
    main()
