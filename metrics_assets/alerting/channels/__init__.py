"""The channels: one module for each kind, and what they have in common in `base`.

`send` gives a message to a channel of any kind. What a receiver does with a message that it gets twice differs:

- webhook: the header `Idempotency-Key` is the same; the receiver can tell.
- pagerduty: the same dedup_key and action are one incident.
- github_issue: hidden markers in the issue and its comments are looked for first.
- slack, discord, email, apprise: a process that dies between the service's answer and our commit may tell it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from metrics_assets.alerting.channels.base import Kind, NotTaken, Parcel
from metrics_assets.errors import ConfigurationError
from metrics_assets.settings import Channel, ChannelKind

__all__ = ["ALERTS_ONLY", "NotTaken", "Parcel", "check", "check_all", "send"]

_MODULES: Mapping[ChannelKind, str] = {
    "webhook": "webhook",
    "slack": "slack",
    "discord": "discord",
    "email": "email",
    "apprise": "other",
    "pagerduty": "pagerduty",
    "github_issue": "github_issue",
}
# Kinds with a thing of their own for each alert, an incident or an issue: they are told of one alert at a time, of no
# reports, and of an end also where they may not have heard of the beginning.
ALERTS_ONLY: frozenset[ChannelKind] = frozenset({"pagerduty", "github_issue"})


def _module(kind: ChannelKind) -> Kind:
    # Only when it is needed: apprise alone takes a third of a second.
    return cast(Kind, import_module(f"{__name__}.{_MODULES[kind]}"))


def send(parcel: Parcel) -> None:
    """Give a message to its channel.

    Raises:
        NotTaken: the channel did not take it; the text repeats no secret.
        ConfigurationError: the channel's variable is not set, or holds something that is not understood.
    """
    _module(parcel.channel.kind).send(parcel)


def check(name: str, channels: Mapping[str, Channel]) -> str:
    """What is set up of a channel, in a few words; nothing is sent.

    Raises:
        ConfigurationError: metrics.yaml has no such channel, or its variable is not set or not understood.
    """
    if name not in channels:
        raise ConfigurationError(f"metrics.yaml has no channel {name}; add it under channels.")
    return _module(channels[name].kind).check(name, channels[name])


def check_all(channels: Mapping[str, Channel]) -> None:
    """Check every channel.

    Raises:
        ConfigurationError: of the first that is wrong.
    """
    for name in channels:
        check(name, channels)
