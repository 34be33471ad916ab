"""YouTube: a channel's counters and its uploads. A community is a channel's id (UC...).

10,000 units a day; everything asked for here costs 1 unit, while a search would cost 100 and is never made. YouTube
rounds subscribers down to three digits (123,456 is 123,000), so that their daily differences are steps, not growth.
A channel's titles are its owner's own words and say nothing of how others feel: they are not scored.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import httpx
from pydantic import AwareDatetime, BaseModel, Field

from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import NotFound, RateLimited
from metrics_assets.sources.http import ApiClient
from metrics_assets.sources.platforms.base import (
    Figure,
    Off,
    PlatformClient,
    ScoreText,
    Timing,
    account,
    counters,
    no_address,
    off_without,
    secret,
)
from metrics_assets.sources.records import Mention

NAME = "youtube"
_PAGE_SIZE = 50


class ChannelStatistics(BaseModel):
    """Figures come as texts."""

    views: Figure | None = Field(None, alias="viewCount")
    subscribers: Figure | None = Field(None, alias="subscriberCount")
    hidden: bool = Field(False, alias="hiddenSubscriberCount")
    videos: Figure | None = Field(None, alias="videoCount")


class _Playlists(BaseModel):
    uploads: str


class _ChannelContent(BaseModel):
    playlists: _Playlists = Field(alias="relatedPlaylists")


class Channel(BaseModel):
    id: str
    statistics: ChannelStatistics
    content: _ChannelContent = Field(alias="contentDetails")


class Channels(BaseModel):
    """A channel that does not exist is an answer without items."""

    items: list[Channel] = []


class _Upload(BaseModel):
    video: str = Field(alias="videoId")
    published_at: AwareDatetime | None = Field(None, alias="videoPublishedAt")  # absent of private videos


class PlaylistItem(BaseModel):
    content: _Upload = Field(alias="contentDetails")


class PlaylistPage(BaseModel):
    items: list[PlaylistItem]
    next_page: str | None = Field(None, alias="nextPageToken")


class VideoStatistics(BaseModel):
    likes: Figure | None = Field(None, alias="likeCount")
    comments: Figure | None = Field(None, alias="commentCount")


class Video(BaseModel):
    id: str
    statistics: VideoStatistics


class Videos(BaseModel):
    items: list[Video]


def connect(sources: Sources, community: str, timing: Timing) -> ApiClient | Off:
    source = sources.youtube
    if source.base_url is None:
        return no_address(NAME)
    return off_without(source.key_env) or PlatformClient(
        source.base_url,
        {"X-Goog-Api-Key": secret(source.key_env)},
        look=_look,
        concurrency=2,
        sleep=timing.sleep,
        clock=timing.clock,
    )


def _look(what: str, response: httpx.Response) -> float:
    # A used up quota comes as 403, as a missing permission does.
    if response.status_code == 403 and "quotaExceeded" in response.text:
        raise RateLimited(f"{what}: the day's quota of units is used up; run it again after midnight, Pacific time.")
    return 0.0


async def collect(
    asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
) -> AsyncIterator[Batch]:
    """The channel's counters as of now, then the videos published since `since`, newest first."""
    where = f"{asker.client.base_url}/youtube/v3"
    answer = await asker.get("/youtube/v3/channels", {"part": "statistics,contentDetails", "id": community})
    channels = parse(Channels, answer.json, f"{where}/channels").items
    if not channels:
        raise NotFound(f"{where}/channels: there is no channel {community}; write its id, which begins with UC.")
    channel = channels[0]
    values = {
        "subscribers": None if channel.statistics.hidden else channel.statistics.subscribers,
        "views_total": channel.statistics.views,
        "videos_total": channel.statistics.videos,
    }
    yield Batch([*counters(asker, NAME, community, values)])
    async for uploads in _uploads(asker, channel.content.playlists.uploads, since, where):
        yield Batch([*await _mentions(asker, uploads, community, where)])


async def _uploads(asker: Asker, playlist: str, since: datetime, where: str) -> AsyncIterator[dict[str, datetime]]:
    """Pages of {video: published at}. The list is in the order of uploading, of which publishing may be later."""
    parameters: dict[str, str | int] = {"part": "contentDetails", "playlistId": playlist, "maxResults": _PAGE_SIZE}
    while True:
        answer = await asker.get("/youtube/v3/playlistItems", parameters)
        page = parse(PlaylistPage, answer.json, f"{where}/playlistItems")
        published = {
            item.content.video: item.content.published_at
            for item in page.items
            if item.content.published_at is not None
        }
        wanted = {video: at for video, at in published.items() if at >= since}
        if wanted:
            yield wanted
        # One older video may have been scheduled; a page without a new one is the end.
        if page.next_page is None or (published and not wanted):
            return
        parameters = {**parameters, "pageToken": page.next_page}


async def _mentions(asker: Asker, uploads: dict[str, datetime], community: str, where: str) -> Sequence[Mention]:
    answer = await asker.get("/youtube/v3/videos", {"part": "statistics", "id": ",".join(uploads)})
    videos = {video.id: video.statistics for video in parse(Videos, answer.json, f"{where}/videos").items}
    return [
        Mention(
            platform=NAME,
            community=community,
            mention_id=video,
            kind="video",
            author=account(NAME, community),
            created_at=published_at,
            updated_at=None,
            score=videos[video].likes if video in videos else None,
            replies=videos[video].comments if video in videos else None,
            is_answered=None,
            sentiment=None,
            sentiment_method=None,
        )
        for video, published_at in uploads.items()
    ]
