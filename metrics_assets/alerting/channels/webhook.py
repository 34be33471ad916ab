"""A webhook of one's own: the message's data as JSON."""

from __future__ import annotations

import json

from metrics_assets.alerting.channels.base import Parcel, as_json, http_address
from metrics_assets.alerting.channels.http import post
from metrics_assets.settings import Channel


def send(parcel: Parcel) -> None:
    """POST the data. A repeat can be told by its `Idempotency-Key`."""
    post(
        parcel.name,
        http_address(parcel.name, parcel.channel),
        json.dumps(parcel.message.data, default=as_json),
        {"Idempotency-Key": parcel.idempotency_key},
        parcel.timeout_seconds,
    )


def check(name: str, channel: Channel) -> str:
    """Whether the address is set."""
    http_address(name, channel)
    return f"{channel.url_env} is set"
