"""Emptying the outbox: each notification to its channel, as often as it takes, and marked once it is taken."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa

from metrics_assets.errors import ConfigurationError
from metrics_assets.settings import Channel


class _HostOnly(logging.Filter):
    """Cuts addresses in httpx's log lines down to the host: the path of a webhook is a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(part.host if isinstance(part, httpx.URL) else part for part in record.args)
        return True


logging.getLogger("httpx").addFilter(_HostOnly())

# Waiting times between tries: 1, 2, 4 ... minutes, at the most an hour.
_LONGEST_WAIT_MINUTES = 60


@dataclass(slots=True)
class Delivered:
    """What a delivery did: how many went out, and which could not, by channel."""

    sent: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def channel_url(name: str, channels: Mapping[str, Channel]) -> str:
    """The address of a channel, from the environment.

    Raises:
        ConfigurationError: metrics.yaml has no such channel, or the variable that it names is not set.
    """
    if name not in channels:
        raise ConfigurationError(
            f"A notification waits for the channel '{name}', which channels in metrics.yaml no longer has; "
            "add it again, or delete the notification from ops.notifications."
        )
    variable = channels[name].url_env
    url = os.environ.get(variable, "").strip()
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"channels.{name}.url_env names {variable}, which is not set to an http(s) address; export it."
        )
    return url


def deliver(
    engine: sa.Engine, channels: Mapping[str, Channel], event_id: int | None = None, timeout_seconds: float = 10
) -> Delivered:
    """Send every notification that is due, or those of one event.

    A row is locked while it is sent, so that two runs do not send it twice. The receiver may see a notification
    again if this process dies between its answer and our commit; it carries an `Idempotency-Key` by which that can
    be told.
    """
    delivered = Delivered()
    with httpx.Client(timeout=timeout_seconds) as client:
        seen = 0
        while (found := _next(engine, client, channels, delivered, event_id, seen)) is not None:
            seen = found
    return delivered


def _next(
    engine: sa.Engine,
    client: httpx.Client,
    channels: Mapping[str, Channel],
    delivered: Delivered,
    event_id: int | None,
    after: int,
) -> int | None:
    with engine.begin() as connection:
        row = connection.execute(
            sa.text(
                "select notification_id, channel, event_id, message from ops.notifications as notifications "
                "join ops.alert_events using (event_id) "
                "where notifications.state = 'pending' and next_attempt_at <= now() and notification_id > :after "
                "and event_id = coalesce(:event_id, event_id) "
                "order by notification_id limit 1 for update of notifications skip locked"
            ),
            {"after": after, "event_id": event_id},
        ).one_or_none()
        if row is None:
            return None
        problem = _send(client, row.channel, channels, row.event_id, row.message)
        if problem is None:
            delivered.sent += 1
            connection.execute(
                sa.text(
                    "update ops.notifications set state = 'sent', sent_at = now(), attempts = attempts + 1, "
                    "last_error = null where notification_id = :id"
                ),
                {"id": row.notification_id},
            )
        else:
            delivered.failed[row.channel] = problem
            connection.execute(
                sa.text(
                    "update ops.notifications set attempts = attempts + 1, last_error = :problem, "
                    "next_attempt_at = now() + least(power(2, least(attempts, 10)), :longest) * interval '1 minute' "
                    "where notification_id = :id"
                ),
                {"id": row.notification_id, "problem": problem, "longest": _LONGEST_WAIT_MINUTES},
            )
        return int(row.notification_id)


def _send(
    client: httpx.Client, channel: str, channels: Mapping[str, Channel], event_id: int, message: Any
) -> str | None:
    """Post a message; why it was not taken, or None. Addresses hold secrets and are not repeated in the reason."""
    try:
        url = channel_url(channel, channels)
        response = client.post(url, json=message, headers={"Idempotency-Key": f"{event_id}:{channel}"})
    except ConfigurationError as error:
        return str(error)
    except httpx.HTTPError as error:
        return f"the channel '{channel}' cannot be reached ({type(error).__name__})"
    except (httpx.InvalidURL, UnicodeError):  # the latter from a host name that cannot be one
        return f"the address of the channel '{channel}' is not valid"
    return None if response.is_success else f"the channel '{channel}' answered {response.status_code}"
