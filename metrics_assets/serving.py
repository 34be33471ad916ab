"""`metrics up`: Dagster's web server and daemon, and beside them the page to acknowledge alerts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click

from metrics_assets import settings as configuration
from metrics_assets.settings import Settings

_HERE = "127.0.0.1"


def serve(port: int, open_browser: bool) -> None:
    """Serve until Ctrl-C or SIGTERM; ends the process with Dagster's exit code if it ends by itself."""
    from metrics_assets.environment import prepare

    prepare()
    with _acknowledge_page(configuration.load(), port):
        code = _dagster(port, open_browser)
    if code is not None:
        sys.exit(code)


def _dagster(port: int, open_browser: bool) -> int | None:
    # Python's own handler again: a process started in the background inherits an ignored SIGINT, and Dagster
    # would copy that to SIGTERM and never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    dagster = str(Path(sys.executable).with_name("dagster"))
    # Dagster says to each of its users that the command has a younger sister.
    quiet = "ignore:Function `dev_command` is superseded"
    filters = os.environ.get("PYTHONWARNINGS")
    process = subprocess.Popen(
        [dagster, "dev", "-m", "metrics_assets.definitions", "--host", _HERE, "--port", str(port)],
        start_new_session=True,
        env={**os.environ, "PYTHONWARNINGS": f"{quiet},{filters}" if filters else quiet},
    )
    url = f"http://{_HERE}:{port}"
    click.echo(f"The Dagster UI opens at {url} (it takes about half a minute); Ctrl-C ends it.")
    if open_browser:
        webbrowser.open(url)

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return None


@contextlib.contextmanager
def _acknowledge_page(settings: Settings, port: int) -> Iterator[None]:
    """The page behind the links of messages, where metrics.yaml says how it is reached."""
    address = settings.alerts.acknowledge_url
    if address is None:
        yield
        return
    import uvicorn

    from metrics_assets.alerting.acknowledging import acknowledge_app
    from metrics_assets.assets.alerts import installation_acknowledge_key
    from metrics_assets.warehouse.engine import engine

    at = page_port(address, port)
    app = acknowledge_app(engine(), settings, installation_acknowledge_key())
    server = uvicorn.Server(uvicorn.Config(app, host=_HERE, port=at, access_log=False, log_level="warning"))
    thread = threading.Thread(target=server.run, name="acknowledging", daemon=True)
    thread.start()
    click.echo(f"Alerts are acknowledged at http://{_HERE}:{at}; links say {address}.")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def page_port(address: str, dagster_port: int) -> int:
    """Where the page listens: as the links say where they lead to this machine, else one above Dagster's port."""
    parts = urlsplit(address)
    if parts.hostname in (_HERE, "localhost") and parts.port is not None:
        return parts.port
    return dagster_port + 1
