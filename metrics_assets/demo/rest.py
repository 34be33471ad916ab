"""The REST endpoints of GitHub that the demo server answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metrics_assets.demo import rest_forms as forms
from metrics_assets.demo.budget import Purse
from metrics_assets.demo.forms import when
from metrics_assets.demo.graph import Graph
from metrics_assets.demo.history import TrafficDay, User, WorkflowRun
from metrics_assets.demo.nodes import RepositoryNodes
from metrics_assets.demo.ordered import RefusalError, position_cursor, position_of

LARGEST_PAGE = 100
MOST_RUNS = 1000  # that any one filtered query for workflow runs shows
TRAFFIC_DAYS = 14
UNAVAILABLE = {
    404: "Not Found",
    410: "This repository was deleted",
    451: "Repository access blocked",
}
RUN_FILTERS = ("actor", "branch", "created", "event", "head_sha", "status")


@dataclass(frozen=True, slots=True)
class MovedError(Exception):
    """The repository has another name now."""

    number: int


class RefusedError(Exception):
    """The request is answered with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Answer = Callable[[Request, RepositoryNodes], Response]


class Rest:
    """Answers REST requests from a history; each answer but 304 takes one from the budget of the request's token."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def routes(self) -> list[Route]:
        """The routes, those by repository id among them: GitHub's own links lead there."""
        of_repository: dict[str, Answer] = {
            "": self._repository,
            "/actions/runs": self._runs,
            "/actions/runs/{run:int}/jobs": self._jobs,
            "/commits": self._commits,
            "/contributors": self._contributors,
            "/dependabot/alerts": self._dependabot_alerts,
            "/milestones": self._milestones,
            "/pulls/comments": self._review_comments,
            "/releases": self._releases,
            "/security-advisories": self._security_advisories,
            "/traffic/clones": self._clones,
            "/traffic/popular/paths": self._paths,
            "/traffic/popular/referrers": self._referrers,
            "/traffic/views": self._views,
        }
        routes = [
            Route("/rate_limit", self.rate_limit),
            Route("/user", self.user),
            Route("/orgs/{org}/repos", self.organisation_repositories),
        ]
        for root in ("/repos/{owner}/{name}", "/repositories/{id:int}"):
            routes += [Route(f"{root}{path}", self._about(answer)) for path, answer in of_repository.items()]
        return routes

    def organisation_repositories(self, request: Request) -> Response:
        """`GET /orgs/{org}/repos`."""
        owner = str(request.path_params["org"]).lower()
        mine = [one for one in self.graph.history.repositories if one.owner.lower() == owner]
        if not mine:
            return self._json(request, {"message": "Not Found"}, status=404)
        return self._page(request, mine, f"/orgs/{mine[0].owner}/repos", forms.repository)

    def rate_limit(self, request: Request) -> Response:
        """`GET /rate_limit`, which is free."""
        core, graphql = _purse(request).core.as_json(), _purse(request).graphql.as_json()
        body = {"resources": {"core": core, "graphql": graphql}, "rate": core}
        return JSONResponse(body, headers=_purse(request).core.headers())

    def user(self, request: Request) -> Response:
        """`GET /user`: whose token it is."""
        return self._json(request, forms.account(User("demo")))

    # --- of a repository ---

    def _repository(self, request: Request, nodes: RepositoryNodes) -> Response:
        return self._json(request, forms.repository(nodes.repository))

    def _commits(self, request: Request, nodes: RepositoryNodes) -> Response:
        """`?sha=&since=&until=`, newest committer date first."""
        repository, asked = nodes.repository, request.query_params
        if repository.head is None:
            raise RefusedError(409, "Git Repository is empty.")
        start = asked.get("sha") or repository.head
        sha = repository.branches.get(start, start)
        if sha not in nodes.commits_by_sha:
            raise RefusedError(404, "Not Found")
        since, until = _time(asked.get("since")), _time(asked.get("until"))
        chosen = [
            commit
            for commit in nodes.history(sha)
            if (since is None or commit.committed_at >= since) and (until is None or commit.committed_at <= until)
        ]
        return self._page(request, chosen, _path(nodes, "commits"), forms.commit)

    def _releases(self, request: Request, nodes: RepositoryNodes) -> Response:
        """Newest first, drafts among them."""
        return self._page(request, nodes.ordered("releases").items[::-1], _path(nodes, "releases"), forms.release)

    def _review_comments(self, request: Request, nodes: RepositoryNodes) -> Response:
        """`?since=&sort=created|updated&direction=asc|desc`; `since` is about `updated_at` and inclusive."""
        asked = request.query_params
        by_update = asked.get("sort") == "updated"
        comments = nodes.ordered("review_comments", "UPDATED_AT" if by_update else "CREATED_AT")
        since = _time(asked.get("since"))
        chosen = comments.items
        if since and by_update:
            chosen = chosen[comments.since(since).start :]
        elif since:
            chosen = [comment for comment in chosen if comment.updated_at >= since]
        if asked.get("direction", "desc" if "sort" in asked else "asc") == "desc":
            chosen = chosen[::-1]
        base = _base(request)
        path = _path(nodes, "pulls/comments")
        return self._page(request, chosen, path, lambda one: forms.review_comment(one, nodes, base))

    def _runs(self, request: Request, nodes: RepositoryNodes) -> Response:
        """`?created=A..B`, newest first; of a filtered query, the first 1,000 at most."""
        asked = request.query_params
        runs: Sequence[WorkflowRun] = nodes.ordered("workflow_runs").items[::-1]
        if asked.get("created"):
            start, end = _range(asked["created"])
            runs = [run for run in runs if start <= run.created_at <= end]
        wanted = {name: asked[name] for name in RUN_FILTERS if name in asked and name != "created"}
        runs = [run for run in runs if all(_run_has(run, name, value) for name, value in wanted.items())]
        shown = runs[:MOST_RUNS] if any(name in asked for name in RUN_FILTERS) else runs
        return self._page(
            request,
            shown,
            _path(nodes, "actions/runs"),
            lambda one: forms.workflow_run(one, nodes),
            inside=("workflow_runs", len(runs)),
        )

    def _jobs(self, request: Request, nodes: RepositoryNodes) -> Response:
        run = nodes.runs_by_id.get(request.path_params["run"])
        if run is None:
            raise RefusedError(404, "Not Found")
        path = _path(nodes, f"actions/runs/{run.id}/jobs")
        return self._page(request, run.jobs, path, lambda one: forms.job(one, run), inside=("jobs", len(run.jobs)))

    def _contributors(self, request: Request, nodes: RepositoryNodes) -> Response:
        """`?anon=1` shows those without an account too; nothing (204) in an empty repository."""
        if nodes.repository.head is None:
            return self._json(request, None, status=204)
        with_anonymous = request.query_params.get("anon") in ("1", "true")
        chosen = [one for one in nodes.contributors if one.user or with_anonymous]
        return self._page(request, chosen, _path(nodes, "contributors"), forms.contributor)

    def _milestones(self, request: Request, nodes: RepositoryNodes) -> Response:
        """`?state=open|closed|all&direction=asc|desc`, in the order of their due dates."""
        state = request.query_params.get("state", "open")
        chosen = [one for one in nodes.ordered("milestones", "DUE_DATE").items if state in ("all", one.state.lower())]
        if request.query_params.get("direction") == "desc":
            chosen.reverse()
        return self._page(request, chosen, _path(nodes, "milestones"), lambda one: forms.milestone(one, nodes))

    def _security_advisories(self, request: Request, nodes: RepositoryNodes) -> Response:
        """Newest first; those that are not published only for who may administer the repository."""
        visible = nodes.repository.security_advisories
        if not forms.may(nodes.repository, "ADMIN"):
            visible = tuple(one for one in visible if one.state == "published")
        state = request.query_params.get("state")
        chosen = [one for one in visible if state in (None, one.state)]
        chosen.sort(key=lambda one: (one.created_at, one.ghsa_id), reverse=True)
        return self._slice(request, chosen, _path(nodes, "security-advisories"), forms.security_advisory)

    def _dependabot_alerts(self, request: Request, nodes: RepositoryNodes) -> Response:
        """`?state=open,fixed`, newest first."""
        if not forms.may(nodes.repository, "ADMIN"):
            raise RefusedError(403, "You are not authorized to perform this operation.")
        states = request.query_params.get("state", "").split(",")
        chosen = [one for one in nodes.repository.dependabot_alerts if states == [""] or one.state in states]
        chosen.sort(key=lambda one: one.number, reverse=True)
        return self._slice(request, chosen, _path(nodes, "dependabot/alerts"), forms.dependabot_alert)

    def _views(self, request: Request, nodes: RepositoryNodes) -> Response:
        return self._traffic(request, nodes, "views", lambda day: (day.views, day.visitors))

    def _clones(self, request: Request, nodes: RepositoryNodes) -> Response:
        return self._traffic(request, nodes, "clones", lambda day: (day.clones, day.cloners))

    def _referrers(self, request: Request, nodes: RepositoryNodes) -> Response:
        _need_push(nodes)
        return self._json(request, [forms.traffic_source(one, "referrer") for one in nodes.repository.referrers[:10]])

    def _paths(self, request: Request, nodes: RepositoryNodes) -> Response:
        _need_push(nodes)
        return self._json(request, [forms.traffic_source(one, "path") for one in nodes.repository.popular_paths[:10]])

    def _traffic(
        self, request: Request, nodes: RepositoryNodes, name: str, figures: Callable[[TrafficDay], tuple[int, int]]
    ) -> Response:
        """The last 14 days, today among them."""
        _need_push(nodes)
        today = self.graph.history.now.date()
        first = today - timedelta(days=TRAFFIC_DAYS - 1)
        days = sorted((day for day in nodes.repository.traffic if first <= day.date <= today), key=lambda day: day.date)
        shown = [
            {"timestamp": f"{day.date.isoformat()}T00:00:00Z", "count": figures(day)[0], "uniques": figures(day)[1]}
            for day in days
        ]
        total, unique = (sum(figures(day)[index] for day in days) for index in (0, 1))
        return self._json(request, {"count": total, "uniques": unique, name: shown})

    # --- finding and refusing ---

    def _about(self, answer: Answer) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                return answer(request, self._find(request))
            except MovedError as moved:
                return self._moved(request, moved.number)
            except RefusedError as refused:
                return self._json(request, {"message": str(refused)}, status=refused.status)
            except (ValueError, RefusalError) as error:
                return self._json(request, {"message": f"Invalid request: {error}"}, status=422)

        return endpoint

    def _moved(self, request: Request, number: int) -> Response:
        path = request.url.path.split("/", 4)
        rest = f"/{path[4]}" if len(path) > 4 else ""
        query = f"?{request.url.query}" if request.url.query else ""
        url = f"{_base(request)}/repositories/{number}{rest}{query}"
        body = {"message": "Moved Permanently", "url": url}
        return self._json(request, body, status=301, headers={"Location": url})

    def _find(self, request: Request) -> RepositoryNodes:
        parameters = request.path_params
        if "id" in parameters:
            found = self.graph.by_id(parameters["id"])
        else:
            full_name = f"{parameters['owner']}/{parameters['name']}"
            found = self.graph.named(full_name)
            if status := self.graph.unavailable(full_name):
                raise RefusedError(status, UNAVAILABLE[status])
            if found is None and (moved := self.graph.renamed_to(full_name)):
                raise MovedError(moved.repository.id)
        if found is None:
            raise RefusedError(404, "Not Found")
        if status := self.graph.unavailable(found.repository.full_name):
            raise RefusedError(status, UNAVAILABLE[status])
        return found

    # --- pages ---

    def _page(
        self,
        request: Request,
        items: Sequence[Any],
        path: str,
        show: Callable[[Any], Any],
        inside: tuple[str, int] | None = None,
    ) -> Response:
        """One page by its number; `inside` names the field that holds the list, and the total beside it."""
        size, number = _size(request), max(int(request.query_params.get("page", 1)), 1)
        shown = [show(item) for item in items[(number - 1) * size : number * size]]
        last = max(-(-len(items) // size), 1)
        wanted = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
        if number == 1:
            del wanted["prev"], wanted["first"]
        if number >= last:
            del wanted["next"], wanted["last"]
        links = {relation: {"page": page} for relation, page in wanted.items()}
        body = {"total_count": inside[1], inside[0]: shown} if inside else shown
        return self._json(request, body, headers=_links(request, path, links))

    def _slice(self, request: Request, items: Sequence[Any], path: str, show: Callable[[Any], Any]) -> Response:
        """One page by a cursor: of these lists GitHub does not number the pages."""
        size, after = _size(request), request.query_params.get("after")
        start = position_of(after) if after else 0
        shown = [show(item) for item in items[start : start + size]]
        end = start + len(shown)
        links = {"next": {"after": position_cursor(end)}} if end < len(items) else {}
        return self._json(request, shown, headers=_links(request, path, links))

    def _json(
        self, request: Request, body: Any, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        response = Response(status_code=204) if status == 204 else JSONResponse(body, status_code=status)
        response.headers.update(headers or {})
        response.headers["ETag"] = tag = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
        core = _purse(request).core
        if status == 200 and request.headers.get("If-None-Match") == tag:
            response = Response(status_code=304, headers=(headers or {}) | {"ETag": tag})
        elif not core.spend(1):
            message = f"API rate limit exceeded for user ID {forms.account(User('demo'))['id']}."
            response = JSONResponse({"message": message}, status_code=403)
        response.headers.update(core.headers())
        return response


def _purse(request: Request) -> Purse:
    purse: Purse = request.state.purse
    return purse


def _need_push(nodes: RepositoryNodes) -> None:
    if not forms.may(nodes.repository, "WRITE"):
        raise RefusedError(403, "Must have push access to repository")


def _path(nodes: RepositoryNodes, rest: str) -> str:
    return f"/repositories/{nodes.repository.id}/{rest}"


def _size(request: Request) -> int:
    return min(max(int(request.query_params.get("per_page", 30)), 1), LARGEST_PAGE)


def _links(request: Request, path: str, wanted: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The Link header; `wanted` are the parameters of each relation."""
    given = {name: value for name, value in request.query_params.items() if name not in ("page", "after")}
    links = [
        f'<{_base(request)}{path}?{urlencode(given | parameters)}>; rel="{relation}"'
        for relation, parameters in wanted.items()
    ]
    return {"Link": ", ".join(links)} if links else {}


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _range(text: str) -> tuple[datetime, datetime]:
    """First and last moment of a range as GitHub's search writes it: A..B, >=A, >A, <=B, <B, or one day."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    second = timedelta(seconds=1)
    if ".." in text:
        start, _, end = text.partition("..")
        return (first if start == "*" else _edge(start)[0]), (last if end == "*" else _edge(end)[1])
    if text.startswith(">="):
        return _edge(text[2:])[0], last
    if text.startswith("<="):
        return first, _edge(text[2:])[1]
    if text.startswith(">"):
        return _edge(text[1:])[1] + second, last
    if text.startswith("<"):
        return first, _edge(text[1:])[0] - second
    return _edge(text)


def _edge(text: str) -> tuple[datetime, datetime]:
    """First and last second of a day, or twice the moment."""
    if len(text) == 10:
        day = date.fromisoformat(text)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return start, start + timedelta(days=1, seconds=-1)
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment, moment


def _run_has(run: WorkflowRun, name: str, value: str) -> bool:
    if name == "status":  # GitHub takes a status or a conclusion here
        return value in (run.status, run.conclusion)
    if name == "actor":
        return run.actor is not None and value == forms.account(run.actor)["login"]
    return bool({"branch": run.branch, "event": run.event, "head_sha": run.sha}[name] == value)


def installation_token(token: str, expires_at: datetime) -> dict[str, Any]:
    """The answer to a request for an installation's token."""
    return {"token": token, "expires_at": when(expires_at), "permissions": {"metadata": "read"}}
