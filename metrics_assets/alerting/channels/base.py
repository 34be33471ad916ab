"""What the kinds of channels share: what they are given, and how they say that it was not taken."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import sqlalchemy as sa

from metrics_assets.alerting.messages import Message
from metrics_assets.errors import ConfigurationError, MetricsError
from metrics_assets.settings import Channel

# Longer than this nobody is waited for, whatever a Retry-After says.
_LONGEST_WAIT_SECONDS = 3600.0


class NotTaken(MetricsError):
    """A channel did not take a message. The text says why; addresses hold secrets and are never repeated in it.

    Attributes:
        after_seconds: when the receiver wants to be asked again, if it said so.
        this_one: whether it is this message that was refused; others may well be taken.
    """

    def __init__(self, text: str, *, after_seconds: float | None = None, this_one: bool = False) -> None:
        super().__init__(text)
        self.after_seconds = after_seconds
        self.this_one = this_one


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for one channel.

    Attributes:
        name: the channel's name in metrics.yaml.
        idempotency_key: the same whenever the same message is sent again.
        mention: whom to call: channel, here, or a name that the service knows.
        connection: of the transaction in which the message is marked as sent.
    """

    name: str
    channel: Channel
    message: Message
    idempotency_key: str
    mention: str | None
    connection: sa.Connection
    timeout_seconds: float


class Kind(Protocol):
    """A module of this package."""

    def send(self, parcel: Parcel) -> None:
        """Send a message.

        Raises:
            NotTaken: the channel did not take it.
            ConfigurationError: the channel's address or token is missing or wrong.
        """

    def check(self, name: str, channel: Channel) -> str:
        """What is set up, in a few words.

        Raises:
            ConfigurationError: as `send`.
        """


def variable(channel: Channel) -> str:
    """The name of the environment variable that holds the channel's address; metrics.yaml is checked to have one."""
    if channel.url_env is None:
        raise ConfigurationError(f"A channel of kind {channel.kind} has no url_env; name the variable in metrics.yaml.")
    return channel.url_env


def http_address(name: str, channel: Channel) -> str:
    """The channel's http(s) address, from the environment.

    Raises:
        ConfigurationError: the variable is not set to one.
    """
    url = os.environ.get(variable(channel), "").strip()
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"channels.{name}.url_env names {channel.url_env}, which is not set to an http(s) address; export it."
        )
    return url


def retry_after(headers: Mapping[str, str], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """The seconds that a Retry-After header asks for, as seconds or as a date; at the most an hour."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(float(text), _LONGEST_WAIT_SECONDS)
    try:
        seconds = (parsedate_to_datetime(text) - clock()).total_seconds()
    except (ValueError, TypeError):  # none, or no date; a date without a zone cannot be compared
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def as_json(value: Any) -> Any:
    """What JSON can hold, for dates and the like."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
