"""E-mail over SMTP, through apprise: HTML and plain text.

Mail programs know no key by which a repeat could be told; the header `X-Metrics-Idempotency-Key` is the same in both,
for who wants to filter.
"""

from __future__ import annotations

from metrics_assets.alerting.channels import through_apprise
from metrics_assets.alerting.channels.base import Parcel, shortened
from metrics_assets.alerting.channels.writing import as_html
from metrics_assets.settings import Channel

_EXAMPLE = "mailtos://user:password@smtp.example.org/?from=metrics@example.org&to=team@example.org"
_SCHEMAS = ("mailto", "mailtos")
_LONGEST_SUBJECT = 200


def send(parcel: Parcel) -> None:
    """Send the message to all recipients of the address. A mention is for services that can call somebody."""
    service = through_apprise.plugin(parcel.name, parcel.channel, _SCHEMAS, _EXAMPLE)
    service.headers = {**service.headers, "X-Metrics-Idempotency-Key": parcel.idempotency_key}
    subject = shortened(parcel.message.title, _LONGEST_SUBJECT)
    through_apprise.send(parcel, service, subject, as_html(parcel.message), "html")


def check(name: str, channel: Channel) -> str:
    """Whether the address is one for e-mail."""
    through_apprise.plugin(name, channel, _SCHEMAS, _EXAMPLE)
    return f"{channel.url_env} is set"
