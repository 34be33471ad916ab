"""Reddit: a subreddit's members and posts, or the posts in it that hold some words ('subreddit:words').

Off until REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET are in the environment: since November 2025 an application has to be
approved before it may ask. 100 requests a minute. A listing ends after about 1,000 posts; where the range begins before
that, the collection says so and is not complete.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import BadAnswer, SourceError, Unauthorized, Unavailable
from metrics_assets.sources.http import ApiClient
from metrics_assets.sources.platforms.base import (
    USER_AGENT,
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
    off_without,
    scored,
    secret,
)
from metrics_assets.sources.records import Mention

NAME = "reddit"
_PAGE_SIZE = 100
# A listing has ten pages at the most; a page may hold fewer than 100, because removed posts are taken out.
_MOST_PAGES = 10
_PROGRAMS = {"automoderator"}


class _Subreddit(BaseModel):
    subscribers: Figure | None = None
    active_user_count: Figure | None = None


class About(BaseModel):
    data: _Subreddit


class Post(BaseModel):
    """`selftext` is Markdown; `created_utc` and `edited` are seconds since 1970, `edited` is false where it is not."""

    id: str
    author: str | None = None
    created_utc: Seconds
    edited: Seconds | bool = False
    title: str
    selftext: str = ""
    score: Figure
    num_comments: Figure


class _Child(BaseModel):
    data: Post


class _Listing(BaseModel):
    children: list[_Child]
    after: str | None = None


class Listing(BaseModel):
    data: _Listing


class _Granted(BaseModel):
    access_token: str
    expires_in: float


@dataclass(slots=True)
class ApplicationToken:
    """A token of the application alone (no user), asked for when there is none or it is about to end."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    clock: Callable[[], float] = time.time
    name: str = "the token of REDDIT_CLIENT_ID"
    _granted: str = field(default="", repr=False)
    _ends_at: float = 0.0

    async def authorization(self) -> str:
        if self.clock() >= self._ends_at:
            await self._ask()
        return f"Bearer {self._granted}"

    async def _ask(self) -> None:
        what = f"POST {self.token_url}"
        async with httpx.AsyncClient(headers={"User-Agent": USER_AGENT}, timeout=30) as client:
            response = await client.post(
                self.token_url,
                data={"grant_type": "client_credentials"},
                auth=(self.client_id, self.client_secret),
            )
        if response.status_code in (400, 401, 403):
            raise Unauthorized(
                f"{what}: the application was refused ({response.status_code}); check REDDIT_CLIENT_ID and "
                "REDDIT_CLIENT_SECRET, and that Reddit has approved it."
            )
        if response.status_code >= 300:
            raise Unavailable(f"{what}: the provider answered {response.status_code}; run it again later.")
        try:
            content = response.json()
        except ValueError:
            raise BadAnswer(f"{what}: the answer is not JSON.") from None
        if not isinstance(content, dict) or "access_token" not in content:
            # Never shown: what came instead may hold a secret.
            raise BadAnswer(f"{what}: the answer holds no access_token.")
        granted = parse(_Granted, content, what)
        self._granted, self._ends_at = granted.access_token, self.clock() + granted.expires_in - 60


def connect(sources: Sources, community: str, timing: Timing) -> ApiClient | Off:
    source = sources.reddit
    if source.base_url is None:
        return no_address(NAME)
    token = ApplicationToken(
        source.token_url, secret(source.client_id_env), secret(source.client_secret_env), timing.clock
    )
    return off_without(source.client_id_env, source.client_secret_env) or PlatformClient(
        source.base_url,
        credentials=[token],
        concurrency=2,
        per_minute={NAME: 90},
        sleep=timing.sleep,
        clock=timing.clock,
    )


async def collect(
    asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
) -> AsyncIterator[Batch]:
    """The subreddit's members as of now, then the posts since `since`, newest first."""
    subreddit, _, words = community.partition(":")
    root = f"/r/{quote(subreddit, safe='')}"
    answer = await asker.get(f"{root}/about", {"raw_json": 1})
    about = parse(About, answer.json, f"{asker.client.base_url}{root}/about").data
    yield Batch(
        [*counters(asker, NAME, community, {"members": about.subscribers, "members_online": about.active_user_count})]
    )
    path = f"{root}/search" if words else f"{root}/new"
    parameters: dict[str, str | int] = {"limit": _PAGE_SIZE, "raw_json": 1}
    if words:
        parameters |= {"q": words, "restrict_sr": 1, "sort": "new", "type": "link"}
    oldest: float | None = None
    for page in range(1, _MOST_PAGES + 1):
        answer = await asker.get(path, parameters)
        listing = parse(Listing, answer.json, f"{asker.client.base_url}{path}").data
        posts = [child.data for child in listing.children]
        oldest = min([post.created_utc for post in posts], default=oldest)
        wanted = [post for post in posts if post.created_utc >= since.timestamp()]
        if wanted:
            yield Batch([_mention(post, community, score_text) for post in wanted])
        if len(wanted) < len(posts):
            return
        if listing.after is None:
            if page < _MOST_PAGES:
                return  # the subreddit has no older posts
            break
        parameters = {**parameters, "after": listing.after}
    reached = f"{from_seconds(oldest):%Y-%m-%d %H:%M}" if oldest is not None else "nothing"
    raise SourceError(
        f"{asker.client.base_url}{path}: the listing ends at {reached} and gives nothing older; what lies between "
        f"{since:%Y-%m-%d} and then cannot be had."
    )


def _mention(post: Post, community: str, score_text: ScoreText) -> Mention:
    sentiment, method = scored(score_text, post.title, post.selftext)
    deleted = post.author is None or post.author == "[deleted]"
    is_edited = not isinstance(post.edited, bool)
    return Mention(
        platform=NAME,
        community=community,
        mention_id=post.id,
        kind="post",
        author=None if deleted else account(NAME, post.author, is_bot=str(post.author).lower() in _PROGRAMS),
        created_at=from_seconds(post.created_utc),
        updated_at=from_seconds(post.edited) if is_edited else None,
        score=post.score,
        replies=post.num_comments,
        is_answered=None,
        sentiment=sentiment,
        sentiment_method=method,
    )
