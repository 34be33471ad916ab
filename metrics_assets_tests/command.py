"""The command `metrics` as a process of its own, in an environment of the test's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy.engine import URL

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")


def metrics(*arguments: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `metrics` to its end; at most five minutes."""
    return subprocess.run(
        [sys.executable, "-m", "metrics_assets.cli", *arguments],
        env=environment(home, **variables),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
    )


def start_metrics(*arguments: str, home: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Start `metrics` and go on; its output is not kept."""
    return subprocess.Popen(
        [sys.executable, "-m", "metrics_assets.cli", *arguments],
        env=environment(home, **variables),
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Nothing of the tests' own environment but where programs are."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "METRICS_HOME": str(home / "metrics-home"), **variables}


def url_text(url: URL) -> str:
    """A database's URL as METRICS_DATABASE_URL wants it."""
    return url.render_as_string(hide_password=False)
