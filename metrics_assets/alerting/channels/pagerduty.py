"""PagerDuty, by its Events API v2 (https://developer.pagerduty.com/docs/events-api-v2/trigger-events/).

An alert is one incident: `dedup_key` is the same for its opening and its end, so that a repeat changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any

import httpx

from metrics_assets.alerting.channels.base import NotTaken, Parcel, as_json, shortened, variable
from metrics_assets.alerting.channels.http import reaching, refuse
from metrics_assets.errors import ConfigurationError
from metrics_assets.settings import Channel

_API = "https://events.pagerduty.com"
_ACTIONS = {"opened": "trigger", "escalated": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_LONGEST_SUMMARY, _LONGEST_KEY, _LONGEST_LINK_TEXT = 1024, 255, 100
_KEY = re.compile(r"[A-Za-z0-9]{32}")
_DETAILS = (
    "rule", "subject_kind", "subject", "date", "metric", "value", "n", "low", "high", "reference", "since", "text",
    "action", "trend", "causes", "related",
)  # fmt: skip


def send(parcel: Parcel) -> None:
    """Trigger, acknowledge or resolve the alert's incident. Acknowledging one that is not there does no harm."""
    body = event(parcel, _routing_key(parcel.name, parcel.channel))
    url = f"{parcel.channel.base_url or _API}/v2/enqueue"
    with (
        reaching(parcel.name),
        httpx.Client(timeout=parcel.timeout_seconds) as client,
    ):
        response = client.post(
            url, content=json.dumps(body, default=as_json), headers={"Content-Type": "application/json"}
        )
        if response.status_code == 400:
            raise NotTaken(f"the channel '{parcel.name}' answered 400: {_why(response, body)}", this_one=True)
        refuse(parcel.name, response)
        if response.status_code != 202:
            raise NotTaken(f"the channel '{parcel.name}' answered {response.status_code}, where PagerDuty says 202")


def event(parcel: Parcel, routing_key: str) -> dict[str, Any]:
    """The event as the API takes it."""
    message = parcel.message
    action = _ACTIONS[message.event]
    body: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": _key(str(message.dedup_key)),
    }
    if action != "trigger":
        return body
    data = message.data
    return {
        **body,
        "client": "metrics_assets",
        "payload": {
            "summary": shortened(message.title, _LONGEST_SUMMARY),
            "severity": message.severity,
            "source": str(data["subject"]),
            "timestamp": f"{data['date']}T23:59:59Z",  # figures are of whole days
            "class": str(data["rule"]),
            "custom_details": {name: data.get(name) for name in _DETAILS},
        },
        "links": [{"href": link.url, "text": shortened(link.label, _LONGEST_LINK_TEXT)} for link in message.links],
    }


def _key(text: str) -> str:
    """The key, or where it is too long its beginning and what tells it from others."""
    if len(text) <= _LONGEST_KEY:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: _LONGEST_KEY - len(digest) - 1]}:{digest}"


def _routing_key(name: str, channel: Channel) -> str:
    key = os.environ.get(variable(channel), "").strip()
    if not _KEY.fullmatch(key):
        raise ConfigurationError(
            f"channels.{name}.url_env names {channel.url_env}, which does not hold a routing key of PagerDuty's Events "
            "API v2 (32 letters and digits); export the integration key of the service."
        )
    return key


def _why(response: httpx.Response, body: dict[str, Any]) -> str:
    """What PagerDuty says is wrong with an event, without the key."""
    try:
        found = response.json()
        texts = [str(found.get("message", "")), *map(str, found.get("errors", []))]
    except (ValueError, AttributeError, TypeError):
        return "it does not say why"
    said = "; ".join(" ".join(text.split()) for text in texts if text) or "it does not say why"
    return shortened(said.replace(body["routing_key"], "…"), 300)


def check(name: str, channel: Channel) -> str:
    """Whether the variable holds something that looks like a routing key."""
    _routing_key(name, channel)
    return f"{channel.url_env} is set"
