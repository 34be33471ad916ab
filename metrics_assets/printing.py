"""HTML as PDF, through headless Chromium where there is one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_SECONDS = 60.0
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Printed:
    """A PDF, or the reason why there is none."""

    pdf: bytes | None
    reason: str | None = None


def chromium() -> str | None:
    """The Chromium that METRICS_CHROMIUM names, else the one on the path."""
    named = os.environ.get("METRICS_CHROMIUM", "").strip()
    return shutil.which(named) if named else next(filter(None, map(shutil.which, _NAMES)), None)


def print_pdf(html: str, timeout_seconds: float = _TIMEOUT_SECONDS) -> Printed:
    """Print a page that needs nothing but itself. It never raises for a browser that is missing, fails or hangs."""
    browser = chromium()
    if browser is None:
        return Printed(None, "There is no Chromium; install one, or name it in METRICS_CHROMIUM.")
    with tempfile.TemporaryDirectory(prefix="metrics-print-", ignore_cleanup_errors=True) as folder:
        page, pdf = Path(folder, "report.html"), Path(folder, "report.pdf")
        page.write_text(html, encoding="utf-8")
        try:
            problem = _run(_command(browser, folder, page, pdf), folder, timeout_seconds)
        except OSError as error:
            return Printed(None, f"Chromium could not be started ({error.strerror}).")
        content = pdf.read_bytes() if pdf.exists() else b""
    if problem is None and content.startswith(b"%PDF-"):
        return Printed(content)
    return Printed(None, problem or "Chromium ended without a PDF.")


def _command(browser: str, folder: str, page: Path, pdf: Path) -> list[str]:
    return [
        browser,
        "--headless",
        "--disable-gpu",
        # Its sandbox does not start as root; elsewhere it stays.
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--disable-sync",
        "--no-first-run",
        # The page asks nobody for anything, and nobody could be asked.
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder}/profile",
        "--no-pdf-header-footer",
        f"--print-to-pdf={pdf}",
        page.as_uri(),
    ]


def _run(command: list[str], folder: str, timeout_seconds: float) -> str | None:
    """Run it with all that it starts; what went wrong, or None."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "HOME": folder},
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            _, said = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            return f"Chromium did not print within {timeout_seconds:.0f} seconds."
        finally:
            # Whatever it started ends with it, also where this run is ended while it prints.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == 0:
        return None
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it did not say why")
    return f"Chromium ended with {process.returncode}: {last[:_LONGEST_REASON]}"
