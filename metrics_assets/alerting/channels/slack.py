"""Slack, by an incoming webhook or a bot, through apprise.

Slack knows no key by which a repeat could be told: if this process dies between Slack's answer and our commit, the
message may appear twice. Nor does apprise say how long Slack wants to be left alone: after a 429 it is a minute.
"""

from __future__ import annotations

import re

from metrics_assets.alerting.channels import through_apprise
from metrics_assets.alerting.channels.base import Parcel, shortened
from metrics_assets.alerting.channels.writing import as_slack, is_a_name, slack
from metrics_assets.settings import Channel

_EXAMPLE = "https://hooks.slack.com/services/T.../B.../..."
_SCHEMAS = ("slack",)
# Slack cuts longer ones off.
_LONGEST_TITLE, _LONGEST_BODY = 250, 3500
_ID = re.compile(r"[UW][A-Z0-9]{5,}")
_GROUP_ID = re.compile(r"S[A-Z0-9]{5,}")


def send(parcel: Parcel) -> None:
    """Post the message as Slack's mrkdwn."""
    service = through_apprise.plugin(parcel.name, parcel.channel, _SCHEMAS, _EXAMPLE)
    service.include_image = service.include_footer = False
    body = as_slack(parcel.message, _LONGEST_BODY)
    if parcel.mention is not None:
        body = f"{mention(parcel.mention)}\n{body}"
    through_apprise.send(parcel, service, shortened(parcel.message.title, _LONGEST_TITLE), body, "markdown")


def mention(name: str) -> str:
    """How Slack calls everybody in a channel, those who are here, or a person or group by id. It knows no names."""
    name = name.lstrip("@")
    if name in ("channel", "here", "everyone"):
        return f"<!{name}>"
    if _GROUP_ID.fullmatch(name):
        return f"<!subteam^{name}>"
    if _ID.fullmatch(name):
        return f"<@{name}>"
    return f"@{name}" if is_a_name(name) else slack(name)


def check(name: str, channel: Channel) -> str:
    """Whether the address is one of Slack's."""
    through_apprise.plugin(name, channel, _SCHEMAS, _EXAMPLE)
    return f"{channel.url_env} is set"
