"""How long the site takes to build and to load, how large and how accessible its pages are.

    python benchmarks/site.py [--repositories 100] [--days 730] [--sections build load axe overflow]
                              [--loads 30] [--quick]

Makes an embedded PostgreSQL in a temporary folder, fills it with invented figures, and runs `metrics site build` in a
process of its own: seconds, its peak memory, and the largest page of each kind. Then `metrics site serve` serves the
site to headless Chromium, the largest page of each kind. load: the seconds from asking for a page to its charts being
drawn, a fresh profile each time; again, a third as often, with the processor slowed four times; and the milliseconds
for which the page's own thread was on the processor, which other work on the machine does not change. axe: what
axe-core finds, light and dark. overflow: pixels by which a page is wider than screens of 320, 390 and 1280. At the end
stands what is to be reached beside what was measured. Takes some eight minutes on a quiet machine; --quick loads each
page three times and leaves axe and overflow out.
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
from playwright.sync_api import Browser, CDPSession, sync_playwright
from site_warehouse import PORTFOLIO, TEAMS, fill
from warehouses import warehouse

from metrics_assets.settings import load

START = date(2024, 1, 1)
SECTIONS = ("build", "load", "axe", "overflow")
WIDTHS = (320, 390, 1280)
MOST_SHOWN = 5
MOST_SECONDS, MOST_SECONDS_LARGE, LARGE = 20, 180, 100  # of a build of up to LARGE repositories, of a larger one
MOST_MEGABYTES, MOST_KILOBYTES = 500, 300
MOST_LOAD, MOST_SLOWED = 0.6, 2.0  # seconds
SLOWED, SLOWED_SHARE = 4, 3
QUICK_LOADS = 3
METRICS = [sys.executable, "-m", "metrics_assets.cli"]
AXE = Path(__file__).resolve().parents[1] / ".metrics/test-tools/node_modules/axe-core/axe.min.js"
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
TASKS = "TaskDuration"
Reached = tuple[str, float, float]  # what, at most, measured
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def main() -> None:
    """Run the sections that are asked for and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=100)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS)
    parser.add_argument("--loads", type=int)
    parser.add_argument("--quick", action="store_true", help="Three loads of each page, and neither axe nor overflow.")
    parser.add_argument("--axe", type=Path, default=AXE, help="The script of axe-core.")
    arguments = parser.parse_args()
    arguments.sections = arguments.sections or (SECTIONS[:2] if arguments.quick else SECTIONS)
    arguments.loads = arguments.loads or (QUICK_LOADS if arguments.quick else 30)
    home = Path(tempfile.mkdtemp(prefix="ms-"))
    try:
        with warehouse() as engine:
            environment = _prepare(engine, home, arguments.repositories, arguments.days)
            reached = _build(environment, home, arguments.repositories)
            pages = kinds(home / "site/current")
            sizes = {kind: _kilobytes(home, paths[0]) for kind, paths in pages.items()}
            if "build" in arguments.sections:
                print(f"\n{'kind of page':<20}{'pages':>7}{'largest, KB':>13}")
                for kind, paths in pages.items():
                    print(f"{kind:<20}{len(paths):>7}{sizes[kind]:>13.0f}")
            reached.append(("largest page, KB", MOST_KILOBYTES, round(max(sizes.values()))))
        browsed = [section for section in SECTIONS[1:] if section in arguments.sections]
        if browsed:
            with _serving(environment) as url, _chromium() as browser:
                reached += _browse(browser, url, [paths[0] for paths in pages.values()], browsed, arguments)
        print(f"\n{'':<40}{'reach':>10}{'measured':>10}")
        for name, reach, measured in reached:
            print(f"{name:<40}{reach:>10}{measured:>10}{'' if measured <= reach else '   missed'}")
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


def _build(environment: dict[str, str], home: Path, repositories: int) -> list[Reached]:
    """Build the site in a process of its own; says its seconds and its peak memory."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile(dir=home) as said:
        process = subprocess.Popen([*METRICS, "site", "build"], env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    if not (home / "site/current/index.html").exists():
        sys.exit(f"The site could not be built:\n{text[-3000:]}")
    seconds, megabytes = time.perf_counter() - begun, used.ru_maxrss / 1024
    print(
        f"{text.strip()}\nmetrics site build: {seconds:.1f} s with its start, {used.ru_utime:.1f} s of it on the "
        f"processor, peak memory {megabytes:.0f} MB"
    )
    return [
        ("build, s", MOST_SECONDS if repositories <= LARGE else MOST_SECONDS_LARGE, round(seconds, 1)),
        ("peak memory of the build, MB", MOST_MEGABYTES, round(megabytes)),
    ]


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
    browser: Browser, url: str, pages: list[str], sections: list[str], arguments: argparse.Namespace
) -> list[Reached]:
    """One line for each page; returns the worst of each measure."""
    titles = {
        "load": ("median, s", "p95, s", "4x p95, s", "thread, ms"),
        "axe": ("axe light", "axe dark"),
        "overflow": tuple(f"over {width}" for width in WIDTHS),
    }
    if "axe" in sections and not arguments.axe.exists():
        sys.exit(f"{arguments.axe} is not there; `make test` installs axe-core, or name it with --axe.")
    print(f"\n{'page':<28}" + "".join(f"{title:>12}" for section in sections for title in titles[section]))
    worst: dict[str, tuple[float, float]] = {}

    def note(name: str, reach: float, measured: float) -> str:
        worst[name] = (reach, max(measured, worst.get(name, (reach, 0))[1]))
        return f"{measured:.2f}" if isinstance(measured, float) else str(measured)

    for path in pages:
        cells: list[str] = []
        if "load" in sections:
            times, thread = zip(*(_load(browser, f"{url}/{path}", 1) for _ in range(arguments.loads)), strict=True)
            slow = [_load(browser, f"{url}/{path}", SLOWED)[0] for _ in range(-(-arguments.loads // SLOWED_SHARE))]
            cells += [
                f"{np.median(times):.2f}",
                note("load until charts are drawn, p95, s", MOST_LOAD, round(float(np.percentile(times, 95)), 2)),
                note("the same, slowed four times, p95, s", MOST_SLOWED, round(float(np.percentile(slow, 95)), 2)),
                f"{np.median(thread) * 1000:.0f}",
            ]
        if "axe" in sections:
            script = arguments.axe.read_text(encoding="utf-8")
            for scheme in ("light", "dark"):
                cells.append(note("violations of axe", 0, _violations(browser, f"{url}/{path}", scheme, script)))
        if "overflow" in sections:
            for width in WIDTHS:
                cells.append(note("wider than the screen, px", 0, _overflow(browser, f"{url}/{path}", width)))
        name = path if len(path) < 28 else f"{path[:26]}…"
        print(f"{name:<28}" + "".join(f"{cell:>12}" for cell in cells), flush=True)
    return [(name, reach, measured) for name, (reach, measured) in worst.items()]


@contextmanager
def _page(browser: Browser, **options: Any) -> Iterator[Any]:
    # The pages let nothing run that is not theirs; the checker is not.
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "bypass_csp": True, **options})
    try:
        yield context.new_page()
    finally:
        context.close()


def _load(browser: Browser, url: str, slowed: int) -> tuple[float, float]:
    """Seconds until the charts are drawn, in a fresh profile, and those of them that the page's thread worked."""
    with _page(browser) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        if slowed > 1:
            session.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
        begun, worked = time.perf_counter(), _worked(session)
        page.goto(url, wait_until="load")
        page.evaluate(DRAWN)
        return time.perf_counter() - begun, _worked(session) - worked


def _worked(session: CDPSession) -> float:
    """Seconds that the page's thread has been on the processor."""
    return next(
        float(one["value"]) for one in session.send("Performance.getMetrics")["metrics"] if one["name"] == TASKS
    )


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
