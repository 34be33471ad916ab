"""Discourse: a forum's own statistics and its new topics. A community is the forum's address.

Of a topic the lists give the title alone, so that its sentiment is the title's; posts are counted, not read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import AliasChoices, AwareDatetime, BaseModel, Field

from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.http import ApiClient
from metrics_assets.sources.platforms.base import (
    Figure,
    Off,
    PlatformClient,
    ScoreText,
    Timing,
    account,
    counters,
    scored,
)
from metrics_assets.sources.records import Mention

NAME = "discourse"
_PROGRAMS = {"system", "discobot"}


def _either(*names: str) -> AliasChoices:
    """Names of a figure; Discourse 3 put most of them into the plural."""
    return AliasChoices(*names)


class Statistics(BaseModel):
    """What a forum counts; a figure that it does not show is None."""

    members: Figure | None = Field(None, validation_alias=_either("users_count", "user_count"))
    topics_total: Figure | None = Field(None, validation_alias=_either("topics_count", "topic_count"))
    posts_total: Figure | None = Field(None, validation_alias=_either("posts_count", "post_count"))
    likes_total: Figure | None = Field(None, validation_alias=_either("likes_count", "like_count"))
    active_members_30_days: Figure | None = Field(None, validation_alias=_either("active_users_30_days"))
    posts_30_days: Figure | None = Field(None, validation_alias=_either("posts_30_days"))


class _About(BaseModel):
    stats: Statistics


class About(BaseModel):
    about: _About


class User(BaseModel):
    id: int
    username: str


class Poster(BaseModel):
    user_id: int | None = None
    description: str = ""


class Topic(BaseModel):
    id: int
    title: str
    created_at: AwareDatetime
    last_posted_at: AwareDatetime | None = None
    posts_count: Figure
    like_count: Figure | None = None
    has_accepted_answer: bool | None = None  # of the plugin "solved"
    pinned: bool = False
    posters: list[Poster] = []


class _Topics(BaseModel):
    topics: list[Topic]
    more_topics_url: str | None = None


class Latest(BaseModel):
    topic_list: _Topics
    users: list[User] = []


def connect(sources: Sources, community: str, timing: Timing) -> ApiClient | Off:
    return PlatformClient(
        community,
        {"Accept": "application/json"},
        concurrency=1,
        per_minute={NAME: 60},
        sleep=timing.sleep,
        clock=timing.clock,
    )


async def collect(
    asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
) -> AsyncIterator[Batch]:
    """The forum's counters, then the topics created since `since`, newest first.

    A topic that appears meanwhile pushes the others to the next page: they come twice, none is lost.
    """
    answer = await asker.get("/about.json")
    statistics = parse(About, answer.json, f"{community}/about.json").about.stats
    yield Batch([*counters(asker, NAME, community, statistics.model_dump())])
    page = 0
    while True:
        answer = await asker.get("/latest.json", {"order": "created", "page": page})
        latest = parse(Latest, answer.json, f"{community}/latest.json")
        names = {user.id: user.username for user in latest.users}
        topics = latest.topic_list.topics
        wanted = [topic for topic in topics if topic.created_at >= since]
        if wanted:
            yield Batch([_mention(topic, names, community, score_text) for topic in wanted])
        # Pinned topics stand at the top of a list whatever their age.
        past = [topic for topic in topics if not topic.pinned and topic.created_at < since]
        if past or not topics or latest.topic_list.more_topics_url is None:
            return
        page += 1


def _mention(topic: Topic, names: dict[int, str], community: str, score_text: ScoreText) -> Mention:
    sentiment, method = scored(score_text, topic.title)
    first = next((poster for poster in topic.posters if "Original Poster" in poster.description), None)
    name = names.get(first.user_id) if first and first.user_id is not None else None
    return Mention(
        platform=NAME,
        community=community,
        mention_id=str(topic.id),
        kind="topic",
        author=account(community, name, is_bot=name in _PROGRAMS),
        created_at=topic.created_at,
        updated_at=topic.last_posted_at,
        score=topic.like_count,
        replies=max(topic.posts_count - 1, 0),
        is_answered=topic.has_accepted_answer,
        sentiment=sentiment,
        sentiment_method=method,
    )
