"""Discord, by a webhook, through apprise. As to repeats and 429, see `slack`."""

from __future__ import annotations

import re

from metrics_assets.alerting.channels import through_apprise
from metrics_assets.alerting.channels.base import Parcel, shortened
from metrics_assets.alerting.channels.writing import as_markdown, markdown
from metrics_assets.settings import Channel

_EXAMPLE = "https://discord.com/api/webhooks/.../..."
_SCHEMAS = ("discord",)
# Discord refuses content of more than 2,000 characters, the title and a mention in it included.
_LONGEST_TITLE, _LONGEST_BODY = 250, 1400
_ID = re.compile(r"&?\d{5,25}")


def send(parcel: Parcel) -> None:
    """Post the message as Markdown."""
    service = through_apprise.plugin(parcel.name, parcel.channel, _SCHEMAS, _EXAMPLE)
    title = f"**{markdown(shortened(parcel.message.title, _LONGEST_TITLE))}**"
    if parcel.mention is not None:
        title = f"{mention(parcel.mention)} {title}"
    through_apprise.send(parcel, service, title, as_markdown(parcel.message, _LONGEST_BODY), "markdown")


def mention(name: str) -> str:
    """How Discord calls everybody, those who are here, or a user (or, with &, a role) by id. It knows no names."""
    name = name.lstrip("@")
    if name in ("channel", "everyone"):
        return "@everyone"
    if name == "here":
        return "@here"
    return f"<@{name}>" if _ID.fullmatch(name) else f"@{markdown(shortened(name, 80))}"


def check(name: str, channel: Channel) -> str:
    """Whether the address is one of Discord's."""
    through_apprise.plugin(name, channel, _SCHEMAS, _EXAMPLE)
    return f"{channel.url_env} is set"
