"""Hacker News by Algolia's search: stories and comments that hold some words. A community is the words.

10,000 calls an hour and address. A search gives 1,000 hits at the most, whatever the paging, so that a range is halved
until each part has fewer. Points and replies are as of the collection; they still grow for a day or two.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import BaseModel, Field

from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.http import ApiClient
from metrics_assets.sources.platforms.base import (
    Figure,
    Off,
    PlatformClient,
    ScoreText,
    Seconds,
    Timing,
    account,
    counters,
    from_seconds,
    no_address,
    scored,
)
from metrics_assets.sources.records import Mention

NAME = "hacker_news"
MOST_HITS = 1000
# Without typing errors: "httpx" is not "https". Not in names of people, and not in every comment below a story.
_EXACT = {
    "advancedSyntax": "true",
    "typoTolerance": "false",
    "restrictSearchableAttributes": "title,story_text,comment_text,url",
    "attributesToHighlight": "none",
}


class Hit(BaseModel):
    """A story, poll or comment; texts are HTML. Comments have neither points nor a number of replies today."""

    id: str = Field(alias="objectID")
    created_at_i: Seconds
    author: str | None = None
    points: Figure | None = None
    num_comments: Figure | None = None
    title: str | None = None
    story_text: str | None = None
    comment_text: str | None = None
    tags: list[str] = Field(alias="_tags", default_factory=list)


class Found(BaseModel):
    """An answer of `search` and `search_by_date`."""

    hits: list[Hit]
    number: int = Field(alias="nbHits", ge=0)


def connect(sources: Sources, community: str, timing: Timing) -> ApiClient | Off:
    base_url = sources.hacker_news.base_url
    if base_url is None:
        return no_address(NAME)
    return PlatformClient(base_url, concurrency=4, per_minute={NAME: 150}, sleep=timing.sleep, clock=timing.clock)


async def collect(
    asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
) -> AsyncIterator[Batch]:
    """What was written in [since, until), and how many stories of now's front page hold the words."""
    front_page = await _search(asker, "search", {"query": _query(community), "tags": "front_page", "hitsPerPage": 1})
    yield Batch([*counters(asker, NAME, community, {"front_page_stories": front_page.number})])
    async for hits in _windows(asker, community, int(since.timestamp()), int(until.timestamp())):
        yield Batch([mention(hit, community, score_text) for hit in hits])


async def _windows(asker: Asker, words: str, start: int, end: int) -> AsyncIterator[list[Hit]]:
    """The hits of [start, end) in seconds, oldest part first, each in exactly one part."""
    waiting = [(start, end)] if start < end else []
    while waiting:
        start, end = waiting.pop()
        found = await _search(
            asker,
            "search_by_date",
            {
                "query": _query(words),
                "tags": "(story,comment)",
                "numericFilters": f"created_at_i>={start},created_at_i<{end}",
                "hitsPerPage": MOST_HITS,
            },
        )
        if found.number < MOST_HITS and len(found.hits) >= found.number:
            yield found.hits
        elif end - start > 1:
            middle = (start + end) // 2
            waiting += [(middle, end), (start, middle)]
        else:
            raise BadAnswer(
                f"{asker.client.base_url}/api/v1/search_by_date: {found.number} hits in the second "
                f"{from_seconds(start):%Y-%m-%d %H:%M:%S} and {len(found.hits)} given; choose rarer words."
            )


async def _search(asker: Asker, kind: str, parameters: dict[str, str | int]) -> Found:
    answer = await asker.get(f"/api/v1/{kind}", {**parameters, **_EXACT})
    return parse(Found, answer.json, f"{asker.client.base_url}/api/v1/{kind}")


def _query(words: str) -> str:
    """The words as they are written, each in quotes; who writes quotes has decided already."""
    return words if '"' in words else " ".join(f'"{word}"' for word in words.split())


def mention(hit: Hit, community: str, score_text: ScoreText) -> Mention:
    """A hit as a record."""
    sentiment, method = scored(score_text, hit.title, hit.story_text, hit.comment_text)
    return Mention(
        platform=NAME,
        community=community,
        mention_id=hit.id,
        kind="comment" if "comment" in hit.tags else "story",
        author=account(NAME, hit.author),
        created_at=from_seconds(hit.created_at_i),
        updated_at=None,
        score=hit.points,
        replies=hit.num_comments,
        is_answered=None,
        sentiment=sentiment,
        sentiment_method=method,
    )
