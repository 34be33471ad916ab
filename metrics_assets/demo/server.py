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
from dataclasses import dataclass
from datetime import timedelta
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

from metrics_assets.demo import web_token
from metrics_assets.demo.budget import Budget, Purse, Purses
from metrics_assets.demo.faults import Fault, Faults, Seen, changed, commit
from metrics_assets.demo.graph import Graph
from metrics_assets.demo.history import History
from metrics_assets.demo.load import Load
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.recorded import RecordedHistoryError, recorded_history
from metrics_assets.demo.rest import Rest, installation_token

STARTUP_SECONDS = 30


TOKEN_SECONDS = 3600.0
ISSUED = "ghs_demo"  # what the tokens that the server issues begin with
TOKEN_ROUTE = Route("/app/installations/{id:int}/access_tokens", lambda request: None, methods=["POST"])


@dataclass(frozen=True, slots=True)
class Played:
    """A history with all that answers from it: replaced as one, so that no request sees two histories."""

    history: History
    graph: Graph
    routes: list[Route]


class DemoApp:
    """The ASGI application: authentication, faults and headers around GraphQL, REST and the webhook."""

    def __init__(
        self,
        history: History,
        budget: int = 5000,
        latency_ms: float = 0,
        app_public_key: str | None = None,
        token_seconds: float = TOKEN_SECONDS,
    ) -> None:
        self.faults: Faults = []
        self.load = Load()
        self.received: list[dict[str, Any]] = []  # what was posted to /webhook
        self.play(history)
        self.purses = Purses(budget, lambda: self.history.now.timestamp())
        self._latency_seconds = latency_ms / 1000
        self._app_public_key = app_public_key
        self._token_seconds = token_seconds
        self._issued: dict[str, float] = {}  # token -> when it expires, by the monotonic clock

    @property
    def history(self) -> History:
        """What is played now."""
        return self._played.history

    @property
    def graph(self) -> Graph:
        """What answers GraphQL now."""
        return self._played.graph

    @property
    def requests(self) -> Counter[str]:
        """How many requests came so far, by kind: rest, graphql, webhook."""
        return self.load.requests

    def play(self, history: History) -> None:
        """Play another history from the next request on."""
        before = getattr(self, "_played", None)
        graph = Graph(history, before.graph if before else None)
        self._played = Played(history, graph, Rest(graph).routes())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        kind = {"/graphql": "graphql", "/webhook": "webhook"}.get(request.url.path, "rest")
        self.load.begin(kind)
        try:
            # With no delay at all too: whatever has arrived is then counted before the first of it is answered.
            await asyncio.sleep(self._latency_seconds)
            await self._serve(request, kind, scope, receive, send)
        finally:
            self.load.end()

    async def _serve(self, request: Request, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        posted = _json(await request.body())
        seen = self._see(request, kind, posted if isinstance(posted, dict) else {})
        fault = next((fault for rule in list(self.faults) if (fault := rule(seen))), None)
        played = self._played  # after the rules: one of them may have played another history
        purse = self.purses.of(request.headers.get("Authorization", ""))
        request.state.purse = purse
        if fault is None:
            await self._finish(played, self._answer(played, request, seen, posted))(scope, receive, send)
            return
        await _wait(fault)
        if fault.exhaust is not None:
            (purse.graphql if kind == "graphql" else purse.core).exhaust(fault.exhaust)
        answer = None
        if fault.status is None and not fault.drop:
            answer = self._finish(played, changed(fault, seen, self._answer(played, request, seen, posted)))
        elif fault.status is not None:
            budget = (purse.graphql if kind == "graphql" else purse.core) if fault.exhaust is not None else None
            answer = self._finish(played, _own(fault, budget))
        await commit(fault, answer, scope, receive, send)

    def _see(self, request: Request, kind: str, body: dict[str, Any]) -> Seen:
        return Seen(
            number=self.requests.total(),
            kind=kind,
            method=request.method,
            path=request.url.path,
            query=dict(request.query_params),
            body=body,
        )

    def _answer(self, played: Played, request: Request, seen: Seen, posted: Any) -> Response:
        if seen.kind == "webhook":
            return self._keep(request, posted)
        authorization = request.headers.get("Authorization", "")
        if not authorization or not self._valid(authorization.rpartition(" ")[2]):
            return JSONResponse({"message": "Bad credentials"}, status_code=401)
        if TOKEN_ROUTE.matches(request.scope)[0] is Match.FULL:
            return self._issue(authorization)
        purse: Purse = request.state.purse
        if seen.kind == "graphql":
            return self._graphql(played, request, posted, purse)
        for route in played.routes:
            match, found = route.matches(request.scope)
            if match is Match.FULL:
                request.scope.update(found)
                return _call(route, request)
        return JSONResponse({"message": "Not Found"}, status_code=404, headers=purse.core.headers())

    def _graphql(self, played: Played, request: Request, posted: Any, purse: Purse) -> Response:
        if request.method != "POST" or not isinstance(posted, dict):
            return JSONResponse({"message": "Problems parsing JSON"}, status_code=400)
        document, variables = posted.get("query"), posted.get("variables")
        if not isinstance(document, str) or not (variables is None or isinstance(variables, dict)):
            return JSONResponse({"message": "A query attribute must be specified and must be a string."}, 400)
        body = played.graph.answer(document, variables, posted.get("operationName"), purse.graphql)
        return JSONResponse(body, headers=purse.graphql.headers())

    def _valid(self, token: str) -> bool:
        """Any token will do, but those that the server issued end some time."""
        return not token.startswith(ISSUED) or time.monotonic() < self._issued.get(token, 0)

    def _issue(self, authorization: str) -> Response:
        """`POST /app/installations/{id}/access_tokens`: a token for a GitHub App's JSON Web Token."""
        scheme, _, token = authorization.partition(" ")
        now = self.history.now
        try:
            if scheme.lower() != "bearer":
                raise web_token.BadTokenError("A JSON web token could not be decoded")
            web_token.check(token, now.timestamp(), self._app_public_key)
        except web_token.BadTokenError as error:
            return JSONResponse({"message": str(error)}, status_code=401)
        issued = f"{ISSUED}{len(self._issued) + 1}"
        self._issued[issued] = time.monotonic() + self._token_seconds
        body = installation_token(issued, now + timedelta(seconds=self._token_seconds))
        return JSONResponse(body, status_code=201)

    def _keep(self, request: Request, posted: Any) -> Response:
        if request.method != "POST" or posted is None:
            return JSONResponse({"message": "Post JSON to this address."}, status_code=400)
        self.received.append(posted if isinstance(posted, dict) else {"content": posted})
        return JSONResponse({"ok": True})

    def _finish(self, played: Played, response: Response) -> Response:
        response.headers["Date"] = format_datetime(played.history.now, usegmt=True)
        response.headers["X-OAuth-Scopes"] = "repo"
        return response


class DemoServer:
    """Runs the application on 127.0.0.1 in a thread, from `with` to its end.

    `budget` is what each token may spend per hour of REST and of GraphQL, `latency_ms` is waited before each
    answer, `app_public_key` (PEM) is that of the GitHub App that may ask for tokens (any app if it is not given),
    and such a token is good for `token_seconds`.
    """

    def __init__(
        self,
        history: History,
        port: int = 0,
        budget: int = 5000,
        *,
        latency_ms: float = 0,
        app_public_key: str | None = None,
        token_seconds: float = TOKEN_SECONDS,
    ) -> None:
        self.app = DemoApp(history, budget, latency_ms, app_public_key, token_seconds)
        self.faults = self.app.faults
        self.received = self.app.received
        self._port = port

    @property
    def requests(self) -> Counter[str]:
        """How many requests came so far, by kind: rest, graphql, webhook."""
        return self.app.load.requests

    @property
    def busiest_minute(self) -> dict[str, int]:
        """The most requests that came in any 60 seconds of real time, by kind."""
        return self.app.load.busiest_minute

    @property
    def most_at_once(self) -> int:
        """The most requests that waited for their answers at one time."""
        return self.app.load.most_at_once

    @property
    def history(self) -> History:
        """What is played now."""
        return self.app.history

    def play(self, history: History) -> None:
        """Play another history from the next request on."""
        self.app.play(history)

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


def _own(fault: Fault, budget: Budget | None) -> Response:
    """The answer that a fault brings along."""
    headers = fault.headers | (budget.headers() if budget else {})
    return JSONResponse(fault.body, status_code=fault.status or 200, headers=headers)


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
