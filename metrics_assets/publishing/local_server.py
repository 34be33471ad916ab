"""A look at the site on this machine: the build that `current` leads to, whichever that is when a page is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from metrics_assets.publishing.storage import content_type
from metrics_assets.reporting.site import INDEX

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

NOT_FOUND = "404.html"
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-cache",
    # The pages ask nobody for anything; a browser holds them to it.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def site_app(root: Path) -> Starlette:
    """The site under `root` (its builds and the link `current`) as an application for uvicorn.

    Requests by another name than this machine's own are refused: a page elsewhere must not read the site by a name
    that it lets lead here.
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    def answer(request: Request) -> Response:
        return _answer(root, request.path_params["path"])

    return Starlette(
        routes=[Route("/{path:path}", answer, methods=["GET"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def _answer(root: Path, path: str) -> Response:
    from starlette.responses import FileResponse, PlainTextResponse

    # Once, so that a page is of one build though a new one may be switched to meanwhile.
    build = (root / "current").resolve()
    found = _file(build, path or INDEX)
    if found is not None:
        return FileResponse(found, headers=_headers(), media_type=content_type(found.name))
    page = _file(build, NOT_FOUND)
    if page is not None:
        return FileResponse(page, 404, headers=_headers(), media_type=content_type(NOT_FOUND))
    said = "There is no such page." if build.is_dir() else "The site was not built yet; run: metrics site build"
    return PlainTextResponse(said, 404, headers=_headers())


def _headers() -> dict[str, str]:
    return dict(_HEADERS)


def _file(build: Path, path: str) -> Path | None:
    """The file of a build; None where there is none, it is a folder, hidden, or outside."""
    if "\0" in path or "\\" in path:
        return None
    wanted = build / path.lstrip("/")
    try:
        found = wanted.resolve()
        inside = found.relative_to(build)
    except (ValueError, OSError):
        return None
    # os.path says no to a name that the file system finds too long, where pathlib raises.
    if any(part.startswith(".") for part in inside.parts) or not os.path.isfile(found):  # noqa: PTH113
        return None
    return found
