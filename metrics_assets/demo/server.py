"""A small server that speaks as much of GitHub's API as this project asks for, and plays a history.

    with DemoServer(sample_organisation()) as server:
        collect(server.url)

From a shell: `python -m metrics_assets.demo.server [--history FOLDER] [--port N]`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import click
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from metrics_assets.demo.budget import Budget
from metrics_assets.demo.faults import Fault, Faults, Seen, commit
from metrics_assets.demo.graph import Graph
from metrics_assets.demo.history import History
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.recorded import RecordedHistoryError, recorded_history
from metrics_assets.demo.rest import Rest

STARTUP_SECONDS = 30


class DemoApp:
    """The ASGI application: authentication, faults and headers around GraphQL, REST and the webhook."""

    def __init__(self, history: History, budget: int = 5000) -> None:
        self.history = history
        self.core = Budget("core", budget)
        self.graphql = Budget("graphql", budget)
        self.graph = Graph(history)
        self.faults: Faults = []
        self.requests: Counter[str] = Counter()  # by kind: rest, graphql, webhook
        self.received: list[dict[str, Any]] = []  # what was posted to /webhook
        self._routes = Rest(self.graph, self.core, self.graphql).routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        posted = _json(await request.body())
        seen = self._see(request, posted if isinstance(posted, dict) else {})
        fault = next((fault for rule in list(self.faults) if (fault := rule(seen))), None)
        if fault is None:
            await self._finish(self._answer(request, seen, posted))(scope, receive, send)
            return
        await _wait(fault)
        own = fault.status is not None or fault.drop
        await commit(fault, None if own else self._finish(self._answer(request, seen, posted)), scope, receive, send)

    def _see(self, request: Request, body: dict[str, Any]) -> Seen:
        path = request.url.path
        kind = {"/graphql": "graphql", "/webhook": "webhook"}.get(path, "rest")
        self.requests[kind] += 1
        return Seen(
            number=self.requests.total(),
            kind=kind,
            method=request.method,
            path=path,
            query=dict(request.query_params),
            body=body,
        )

    def _answer(self, request: Request, seen: Seen, posted: Any) -> Response:
        if seen.kind == "webhook":
            return self._keep(request, posted)
        if not request.headers.get("Authorization"):
            return JSONResponse({"message": "Bad credentials"}, status_code=401)
        return self._graphql(request, posted) if seen.kind == "graphql" else self._rest(request)

    def _graphql(self, request: Request, posted: Any) -> Response:
        if request.method != "POST" or not isinstance(posted, dict):
            return JSONResponse({"message": "Problems parsing JSON"}, status_code=400)
        document, variables = posted.get("query"), posted.get("variables")
        if not isinstance(document, str) or not (variables is None or isinstance(variables, dict)):
            return JSONResponse({"message": "A query attribute must be specified and must be a string."}, 400)
        body = self.graph.answer(document, variables, posted.get("operationName"), self.graphql)
        return JSONResponse(body, headers=self.graphql.headers())

    def _rest(self, request: Request) -> Response:
        for route in self._routes:
            match, found = route.matches(request.scope)
            if match is Match.FULL:
                request.scope.update(found)
                return _call(route, request)
        return JSONResponse({"message": "Not Found"}, status_code=404, headers=self.core.headers())

    def _keep(self, request: Request, posted: Any) -> Response:
        if request.method != "POST" or posted is None:
            return JSONResponse({"message": "Post JSON to this address."}, status_code=400)
        self.received.append(posted if isinstance(posted, dict) else {"content": posted})
        return JSONResponse({"ok": True})

    def _finish(self, response: Response) -> Response:
        response.headers["Date"] = format_datetime(self.history.now, usegmt=True)
        response.headers["X-OAuth-Scopes"] = "repo"
        return response


class DemoServer:
    """Runs the application on 127.0.0.1 in a thread, from `with` to its end."""

    def __init__(self, history: History, port: int = 0, budget: int = 5000) -> None:
        self.app = DemoApp(history, budget)
        self.faults = self.app.faults
        self.requests = self.app.requests
        self.received = self.app.received
        self._port = port

    def __enter__(self) -> DemoServer:
        """Start to listen; returns when requests are answered."""
        listening = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio does not set TCP_NODELAY
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        self._socket = listening
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                self.app,
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                loop="asyncio",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [listening]}, name="demo-server", daemon=True
        )
        self._thread.start()
        limit = time.monotonic() + STARTUP_SECONDS
        while not self._uvicorn.started:
            if not self._thread.is_alive() or time.monotonic() > limit:
                raise RuntimeError(f"The demo server did not start at {self.url}.")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and wait for the thread."""
        self._uvicorn.should_exit = True
        self._thread.join()
        self._socket.close()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _call(route: Route, request: Request) -> Response:
    response: Response = route.endpoint(request)
    return response


async def _wait(fault: Fault) -> None:
    if fault.delay_ms:
        await asyncio.sleep(fault.delay_ms / 1000)


@click.command(help="Play a sample organisation, or a recorded history, as GitHub's API on 127.0.0.1.")
@click.option("--history", "folder", type=click.Path(path_type=Path), help="Folder of a recorded history.")
@click.option("--port", default=0, help="Port to listen on; a free one if not given.")
def main(folder: Path | None, port: int) -> None:
    """Run until interrupted."""
    try:
        history = recorded_history(folder) if folder else sample_organisation()
        with DemoServer(history, port) as server:
            click.echo(f"GITHUB_API_URL={server.url}   (any GITHUB_TOKEN will do; end with Ctrl+C)")
            threading.Event().wait()
    except RecordedHistoryError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Stopped.")


if __name__ == "__main__":
    main()
