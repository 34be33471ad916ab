"""The REST endpoints of GitHub that the demo server answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metrics_assets.demo.budget import Budget
from metrics_assets.demo.graph import Graph
from metrics_assets.demo.history import Commit, Issue, PullRequest, Release, Repository, User, stable_number
from metrics_assets.demo.nodes import RepositoryNodes, when

LARGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class MovedError(Exception):
    """The repository has another name now."""

    repository: Repository


class NotFoundError(Exception):
    """There is no such repository, organisation or commit."""


class Rest:
    """Answers REST requests from a history; each answer but 304 takes one from the budget."""

    def __init__(self, graph: Graph, core: Budget, graphql: Budget) -> None:
        self.graph = graph
        self.core = core
        self.graphql = graphql

    def routes(self) -> list[Route]:
        """The routes, those by repository id among them: GitHub's own links lead there."""
        routes = [
            Route("/rate_limit", self.rate_limit),
            Route("/user", self.user),
            Route("/orgs/{org}/repos", self.organisation_repositories),
        ]
        for root in ("/repos/{owner}/{name}", "/repositories/{id:int}"):
            routes.append(Route(root, self.repository))
            routes.append(Route(f"{root}/commits", self.commits))
            routes.append(Route(f"{root}/releases", self.releases))
        return routes

    def repository(self, request: Request) -> Response:
        """`GET /repos/{owner}/{name}`."""
        return self._about_repository(request, lambda nodes: self._json(request, _repository(nodes.repository)))

    def commits(self, request: Request) -> Response:
        """`GET /repos/{owner}/{name}/commits?sha=&since=&until=`, newest committer date first."""

        def answer(nodes: RepositoryNodes) -> Response:
            repository, asked = nodes.repository, request.query_params
            if repository.head is None:
                return self._json(request, {"message": "Git Repository is empty."}, status=409)
            start = asked.get("sha") or repository.head
            sha = repository.branches.get(start, start)
            if sha not in nodes.commits_by_sha:
                raise NotFoundError
            since, until = _time(asked.get("since")), _time(asked.get("until"))
            chosen = [
                commit
                for commit in nodes.history(sha)
                if (since is None or commit.committed_at >= since) and (until is None or commit.committed_at <= until)
            ]
            return self._page(request, chosen, f"/repositories/{repository.id}/commits", _commit)

        return self._about_repository(request, answer)

    def releases(self, request: Request) -> Response:
        """`GET /repos/{owner}/{name}/releases`, newest first, drafts among them."""

        def answer(nodes: RepositoryNodes) -> Response:
            newest_first = sorted(nodes.repository.releases, key=lambda one: (one.created_at, one.id), reverse=True)
            return self._page(request, newest_first, f"/repositories/{nodes.repository.id}/releases", _release)

        return self._about_repository(request, answer)

    def organisation_repositories(self, request: Request) -> Response:
        """`GET /orgs/{org}/repos`."""
        owner = str(request.path_params["org"]).lower()
        mine = [one for one in self.graph.history.repositories if one.owner.lower() == owner]
        if not mine:
            return self._json(request, {"message": "Not Found"}, status=404)
        return self._page(request, mine, f"/orgs/{mine[0].owner}/repos", _repository)

    def rate_limit(self, request: Request) -> Response:
        """`GET /rate_limit`, which is free."""
        core, graphql = self.core.as_json(), self.graphql.as_json()
        body = {"resources": {"core": core, "graphql": graphql}, "rate": core}
        return JSONResponse(body, headers=self.core.headers())

    def user(self, request: Request) -> Response:
        """`GET /user`: whose token it is."""
        return self._json(request, _account(User("demo")))

    def _about_repository(self, request: Request, answer: Any) -> Response:
        try:
            response: Response = answer(self._find(request))
            return response
        except MovedError as moved:
            path = request.url.path.split("/", 4)
            rest = f"/{path[4]}" if len(path) > 4 else ""
            query = f"?{request.url.query}" if request.url.query else ""
            url = f"{_base(request)}/repositories/{moved.repository.id}{rest}{query}"
            body = {"message": "Moved Permanently", "url": url}
            return self._json(request, body, status=301, headers={"Location": url})
        except NotFoundError:
            return self._json(request, {"message": "Not Found"}, status=404)
        except ValueError as error:
            return self._json(request, {"message": f"Invalid request: {error}"}, status=422)

    def _find(self, request: Request) -> RepositoryNodes:
        parameters = request.path_params
        if "id" in parameters:
            found = next((one for one in self.graph.history.repositories if one.id == parameters["id"]), None)
        else:
            full_name = f"{parameters['owner']}/{parameters['name']}"
            found = self.graph.history.repository(full_name)
            if found is None and (moved := self.graph.history.renamed_to(full_name)):
                raise MovedError(moved)
        nodes = self.graph.repository(found.full_name) if found else None
        if nodes is None:
            raise NotFoundError
        return nodes

    def _page(self, request: Request, items: Sequence[Any], path: str, show: Any) -> Response:
        size = min(max(int(request.query_params.get("per_page", 30)), 1), LARGEST_PAGE)
        number = max(int(request.query_params.get("page", 1)), 1)
        shown = [show(item) for item in items[(number - 1) * size : number * size]]
        last = max(-(-len(items) // size), 1)
        wanted = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
        if number == 1:
            del wanted["prev"], wanted["first"]
        if number >= last:
            del wanted["next"], wanted["last"]
        parameters = {name: value for name, value in request.query_params.items() if name != "page"}
        links = [
            f'<{_base(request)}{path}?{urlencode(parameters | {"page": page})}>; rel="{relation}"'
            for relation, page in wanted.items()
        ]
        return self._json(request, shown, headers={"Link": ", ".join(links)} if links else {})

    def _json(
        self, request: Request, body: Any, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        response: Response = JSONResponse(body, status_code=status, headers=headers)
        response.headers["ETag"] = tag = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
        if status == 200 and request.headers.get("If-None-Match") == tag:
            response = Response(status_code=304, headers=(headers or {}) | {"ETag": tag})
        elif not self.core.spend(1):
            message = f"API rate limit exceeded for user ID {_account(User('demo'))['id']}."
            response = JSONResponse({"message": message}, status_code=403)
        response.headers.update(self.core.headers())
        return response


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _account(user: User) -> dict[str, Any]:
    """An account as REST shows it, where a bot's login ends in [bot]."""
    number = stable_number(f"{user.kind} {user.login}", digits=8)
    return {
        "login": f"{user.login}[bot]" if user.kind == "Bot" else user.login,
        "id": number,
        "node_id": f"{user.kind[0]}_{number}",
        "type": user.kind,
        "site_admin": False,
    }


def _repository(repository: Repository) -> dict[str, Any]:
    open_items = _open(repository.issues) + _open(repository.pull_requests)
    return {
        "id": repository.id,
        "node_id": f"R_{repository.id}",
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": _account(User(repository.owner, "Organization")),
        "private": repository.is_private,
        "fork": repository.is_fork,
        "archived": repository.is_archived,
        "disabled": False,
        "has_issues": repository.has_issues,
        "default_branch": repository.default_branch or "main",
        "description": repository.description,
        "language": repository.language,
        "license": _license(repository.license),
        "topics": list(repository.topics),
        "created_at": when(repository.created_at),
        "pushed_at": when(repository.pushed_at),
        "updated_at": when(repository.pushed_at or repository.created_at),
        "stargazers_count": len(repository.stars),
        "watchers_count": len(repository.stars),
        "forks_count": len(repository.forks),
        "subscribers_count": repository.watchers,
        "open_issues_count": open_items,
        "size": len(repository.commits) * 3,
    }


def _open(items: Sequence[Issue | PullRequest]) -> int:
    return sum(item.state == "OPEN" for item in items)


def _license(spdx: str | None) -> dict[str, str] | None:
    return {"key": spdx.lower(), "name": spdx, "spdx_id": spdx} if spdx else None


def _commit(commit: Commit) -> dict[str, Any]:
    account = _account(commit.author) if commit.author else None
    signature = {"name": commit.author.login if commit.author else "", "email": commit.author_email}
    return {
        "sha": commit.sha,
        "node_id": f"C_{commit.sha}",
        "commit": {
            "author": signature | {"date": when(commit.authored_at)},
            "committer": signature | {"date": when(commit.committed_at)},
            "message": commit.message,
            "comment_count": 0,
        },
        "author": account,
        "committer": account,
        "parents": [{"sha": parent} for parent in commit.parents],
    }


def _release(release: Release) -> dict[str, Any]:
    return {
        "id": release.id,
        "node_id": f"RE_{release.id}",
        "tag_name": release.tag,
        "name": release.name,
        "draft": release.is_draft,
        "prerelease": release.is_prerelease,
        "author": _account(release.author) if release.author else None,
        "created_at": when(release.created_at),
        "published_at": when(release.published_at),
    }
