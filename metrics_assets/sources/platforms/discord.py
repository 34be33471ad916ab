"""Discord: how many people a server has. A community is an invite code, which needs no account.

Both figures are Discord's own approximations; what is written there cannot be read without a bot on the server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import quote

from pydantic import BaseModel, Field

from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.http import ApiClient
from metrics_assets.sources.platforms.base import Figure, Off, PlatformClient, ScoreText, Timing, counters, no_address

NAME = "discord"


class Invite(BaseModel):
    members: Figure = Field(alias="approximate_member_count")
    online: Figure = Field(alias="approximate_presence_count")


def connect(sources: Sources, community: str, timing: Timing) -> ApiClient | Off:
    base_url = sources.discord.base_url
    if base_url is None:
        return no_address(NAME)
    return PlatformClient(base_url, concurrency=2, per_minute={NAME: 30}, sleep=timing.sleep, clock=timing.clock)


async def collect(
    asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
) -> AsyncIterator[Batch]:
    """Members, and those who are online, as of now; the past cannot be asked for."""
    path = f"/api/v10/invites/{quote(community, safe='')}"
    answer = await asker.get(path, {"with_counts": "true"})
    invite = parse(Invite, answer.json, f"{asker.client.base_url}{path}")
    yield Batch([*counters(asker, NAME, community, {"members": invite.members, "members_online": invite.online})])
