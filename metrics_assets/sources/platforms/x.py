"""X: an account's followers, and how many posts of the last days name it. A community is the account, without the @.

Off until X_BEARER_TOKEN is in the environment: every answer is paid for since February 2026. Only counts are asked for,
no post is read, so nothing is known of how people feel. Counts reach back seven days.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, Field

from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import NotFound
from metrics_assets.sources.http import ApiClient, Token
from metrics_assets.sources.platforms.base import (
    Figure,
    Off,
    PlatformClient,
    ScoreText,
    Timing,
    counters,
    no_address,
    off_without,
    secret,
)
from metrics_assets.sources.records import PlatformCounter

NAME = "x"


class _PublicMetrics(BaseModel):
    followers: Figure = Field(alias="followers_count")
    posts: Figure = Field(alias="tweet_count")


class _User(BaseModel):
    public_metrics: _PublicMetrics


class Found(BaseModel):
    """An account that does not exist is an answer without data."""

    data: _User | None = None


class Bucket(BaseModel):
    start: AwareDatetime
    end: AwareDatetime
    count: Figure = Field(alias="tweet_count")


class Counts(BaseModel):
    data: list[Bucket] = []


def connect(sources: Sources, community: str, timing: Timing) -> ApiClient | Off:
    source = sources.x
    if source.base_url is None:
        return no_address(NAME)
    return off_without(source.token_env) or PlatformClient(
        source.base_url,
        credentials=[Token(f"the token of {source.token_env}", secret(source.token_env))],
        concurrency=1,
        sleep=timing.sleep,
        clock=timing.clock,
    )


async def collect(
    asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
) -> AsyncIterator[Batch]:
    """Followers and posts of the account as of now; posts that name it, of each whole day that X still counts."""
    path = f"/2/users/by/username/{quote(community, safe='')}"
    answer = await asker.get(path, {"user.fields": "public_metrics"})
    user = parse(Found, answer.json, f"{asker.client.base_url}{path}").data
    if user is None:
        raise NotFound(f"{asker.client.base_url}{path}: there is no account {community}; write it without the @.")
    values = {"followers": user.public_metrics.followers, "posts_total": user.public_metrics.posts}
    yield Batch([*counters(asker, NAME, community, values)])
    answer = await asker.get("/2/tweets/counts/recent", {"query": f"@{community}", "granularity": "day"})
    counts = parse(Counts, answer.json, f"{asker.client.base_url}/2/tweets/counts/recent")
    # The first and the last day are cut off in the middle.
    whole = [bucket for bucket in counts.data if bucket.end - bucket.start == timedelta(days=1)]
    yield Batch(
        [
            PlatformCounter(NAME, community, "mentions", bucket.start.date(), asker.now(), bucket.count)
            for bucket in whole
            if since <= bucket.start < until
        ]
    )
