"""The demo from an empty home, and again: wall time and peak memory of the whole process tree but PostgreSQL.

    make benchmark

The installation is not in it. Machines differ; the second run against the first is the ratio to watch.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ma-", ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "METRICS_HOME": folder}
        print(f"{'run':<10}{'wall s':>10}{'peak MB':>10}")
        for name in ("first", "second"):
            began = time.monotonic()
            subprocess.run(
                [str(Path(sys.executable).with_name("metrics")), "demo"],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            seconds = time.monotonic() - began
            # Of all children so far, the largest; kilobytes on Linux.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"{name:<10}{seconds:>10.1f}{peak:>10.0f}")
        from metrics_assets.warehouse import embedded

        embedded.stop(Path(folder) / "demo")


if __name__ == "__main__":
    main()
