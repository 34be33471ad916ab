"""Links to acknowledge an alert, and the page behind them.

A link is signed for one alert and can do nothing else. Opening it changes nothing: programs that scan mail open every
link. The buttons do, and need no JavaScript.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

import jinja2
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from metrics_assets.alerting import states
from metrics_assets.errors import MetricsError
from metrics_assets.settings import Settings

# Another use of the installation's secret has another label, so that no key says anything about another.
_LABEL = b"metrics_assets: links to acknowledge alerts"
_LONGEST_FORM_BYTES = 10_000
_LONGEST_NAME, _LONGEST_NOTE = 80, 500
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_WRONG = "This link is not valid for this alert; open the one of the message again, as a whole."

_ALERT = """
select alerts.*, outcomes.outcome, outcomes.decided_by,
    (select message->>'title' from ops.alert_events as events where events.alert_id = alerts.alert_id
     order by event_id limit 1) as title
from ops.alerts as alerts
left join ops.alert_outcomes as outcomes using (alert_id)
where alert_id = :alert_id
"""


def acknowledge_key(secret: bytes) -> bytes:
    """The key that signs links, made from the installation's secret."""
    return hmac.new(secret, _LABEL, hashlib.sha256).digest()


def token_of(alert_id: int, key: bytes) -> str:
    """What proves that a link to an alert came from us: HMAC-SHA256 over the alert's number."""
    signature = hmac.new(key, f"alert {alert_id}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def acknowledge_link(alert_id: int, settings: Settings, key: bytes | None) -> str | None:
    """The link to an alert's page; None where metrics.yaml does not say how the page is reached, or without a key."""
    address = settings.alerts.acknowledge_url
    if address is None or key is None:
        return None
    return f"{address}/alerts/{alert_id}?token={token_of(alert_id, key)}"


def acknowledge_app(
    engine: sa.Engine, settings: Settings, key: bytes, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Starlette:
    """The web application that `metrics alerts serve` runs: one page per alert."""
    templates = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = templates.from_string(_shipped("acknowledge.html"))
    style = _shipped("acknowledge.css")

    def answer(text: str, status: int = 200) -> Response:
        return PlainTextResponse(text + "\n", status, headers=_HEADERS)

    def is_signed(alert_id: int, token: str) -> bool:
        return hmac.compare_digest(token.encode(), token_of(alert_id, key).encode())

    def find(alert_id: int) -> Any:
        with engine.connect() as connection:
            return connection.execute(sa.text(_ALERT), {"alert_id": alert_id}).one_or_none()

    async def show(request: Request) -> Response:
        alert_id = request.path_params["alert_id"]
        if not is_signed(alert_id, request.query_params.get("token", "")):
            return answer(_WRONG, 403)
        alert = await run_in_threadpool(find, alert_id)
        if alert is None:
            return answer(f"There is no alert {alert_id} any more.", 404)
        return HTMLResponse(page.render(alert=alert), headers=_HEADERS)

    async def act(request: Request) -> Response:
        alert_id, token = request.path_params["alert_id"], request.query_params.get("token", "")
        if not is_signed(alert_id, token):
            return answer(_WRONG, 403)
        form = await _form(request)
        if form is None:
            return answer("The form is longer than any of ours.", 413)
        by, note = form.get("by", "")[:_LONGEST_NAME] or "somebody with the link", form.get("note", "")[:_LONGEST_NOTE]
        action = form.get("action", "")

        def change() -> None:
            if action == "acknowledge":
                states.acknowledge(engine, alert_id, by, note or None, settings, now())
            else:
                states.decide(engine, alert_id, "useful" if action == "useful" else "noise", note or None, by, now())

        if action not in ("acknowledge", "useful", "noise"):
            return answer("The form's button is not one of ours.", 400)
        try:
            await run_in_threadpool(change)
        except MetricsError as error:
            return answer(str(error), 409)
        # A page that is loaded again does not send the form again.
        return RedirectResponse(f"{alert_id}?token={token}", 303, headers=_HEADERS)

    async def css(request: Request) -> Response:
        return Response(style, media_type="text/css", headers={**_HEADERS, "Cache-Control": "max-age=3600"})

    return Starlette(
        routes=[
            Route("/alerts/style.css", css),
            Route("/alerts/{alert_id:int}", show, methods=["GET"]),
            Route("/alerts/{alert_id:int}", act, methods=["POST"]),
        ]
    )


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a sent form, the first of each name; None where it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM_BYTES:
            return None
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
    except ValueError:
        return None
    return {name: values[0].strip() for name, values in fields.items()}


def _shipped(name: str) -> str:
    return (resources.files("metrics_assets.alerting") / name).read_text(encoding="utf-8")
