"""A test message to a channel: whether somebody hears it, before it matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from metrics_assets.alerting.channels import ALERTS_ONLY, Parcel, check, send
from metrics_assets.alerting.messages import Message
from metrics_assets.settings import Settings

_TIMEOUT_SECONDS = 10.0


def try_channel(engine: sa.Engine, settings: Settings, name: str, now: datetime) -> str:
    """Send a test message; what was done, as a sentence. Quiet hours and silences do not count.

    Of incident and issue channels an alert is opened and ended again.

    Raises:
        ConfigurationError: metrics.yaml has no such channel, or its variable is not set or not understood.
        NotTaken: the channel did not take it.
    """
    check(name, settings.channels)
    channel = settings.channels[name]
    at = f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    title, line = f"[test] {settings.portfolio}: a test message", f"Somebody tried the channel {name} at {at}."
    key = f"test:{now.timestamp():.0f}"
    facts = {
        "title": title,
        "event": "message",
        "rule": "test",
        "severity": "info",
        "subject_kind": "pipeline",
        "subject": name,
        "metric": "",
        "date": now.astimezone(UTC).date().isoformat(),
        "text": line,
        "dedup_key": key,
    }
    message = Message(title, (line, "There is nothing to do."), (), (), facts, "message", "info")
    told = [message]
    if channel.kind in ALERTS_ONLY:
        alert = replace(message, event="opened", dedup_key=key, data={**facts, "event": "opened"})
        told = [alert, replace(alert, event="resolved", data={**facts, "event": "resolved"})]
    with engine.begin() as connection:
        for one in told:
            send(Parcel(name, channel, one, f"{key}:{one.event}:{name}", None, connection, _TIMEOUT_SECONDS))
    ended = " and ended again" if len(told) > 1 else ""
    return f"The channel {name} took a test message{ended}; look whether it is there."
