"""The demo from an empty home, and again: wall time and peak memory of everything that runs, PostgreSQL included.

    make benchmark

The installation is not in it. Machines differ; the second run against the first is the ratio to watch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ma-", ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "METRICS_HOME": folder}
        print(f"{'run':<10}{'wall s':>10}{'peak MB':>10}")
        for name in ("first", "second"):
            began, peak = time.monotonic(), 0.0
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name("metrics")), "demo"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while process.poll() is None:
                peak = max(peak, _megabytes(process.pid, folder))
                time.sleep(0.2)
            if process.returncode != 0:
                sys.exit(f"the demo ended with exit code {process.returncode}")
            print(f"{name:<10}{time.monotonic() - began:>10.1f}{peak:>10.0f}")
        from metrics_assets.warehouse import embedded

        embedded.stop(Path(folder) / "demo")


def _megabytes(demo: int, folder: str) -> float:
    """Memory of the demo, its children and the servers of its home; what processes share is shared out (PSS)."""
    total = 0
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            parents = {parent.pid for parent in process.parents()}
            ours = process.pid == demo or demo in parents or folder in " ".join(process.cmdline())
            postgres = any(folder in " ".join(parent.cmdline()) for parent in process.parents())
            if ours or postgres:
                total += process.memory_full_info().pss
        except psutil.Error:
            continue  # it ended in this moment
    return total / 2**20


if __name__ == "__main__":
    main()
