"""Any other service that apprise knows, as plain text; as to repeats and 429, see `slack`."""

from __future__ import annotations

from metrics_assets.alerting.channels import through_apprise
from metrics_assets.alerting.channels.base import Parcel, shortened
from metrics_assets.alerting.channels.writing import as_text
from metrics_assets.settings import Channel

_EXAMPLE = "ntfy://ntfy.example.org/alerts"
_LONGEST_TITLE, _LONGEST_BODY = 200, 3500


def send(parcel: Parcel) -> None:
    """Send the message as text, and let apprise bring it into the service's form."""
    service = through_apprise.plugin(parcel.name, parcel.channel, None, _EXAMPLE)
    body = as_text(parcel.message, _LONGEST_BODY)
    if parcel.mention is not None:
        body = f"@{parcel.mention.lstrip('@')}\n{body}"
    through_apprise.notify(parcel, service, shortened(parcel.message.title, _LONGEST_TITLE), body)


def check(name: str, channel: Channel) -> str:
    """Whether the address is one that apprise knows."""
    through_apprise.plugin(name, channel, None, _EXAMPLE)
    return f"{channel.url_env} is set"
