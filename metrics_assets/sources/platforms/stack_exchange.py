"""Stack Exchange: questions of a tag, their answers, and how many there are. A community is 'site:tag'.

Without a key 300 calls a day and address, 10,000 with one. An answer may say `backoff`: nothing may be asked for so
many seconds, else the address is shut out. Errors come as {error_id, error_name, error_message}, mostly with status
400.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import BadAnswer, Forbidden, NotFound, RateLimited, Unavailable
from metrics_assets.sources.http import ApiClient, Spent
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
    secret,
)
from metrics_assets.sources.records import Mention

NAME = "stack_exchange"
_PAGE_SIZE = 100


class Owner(BaseModel):
    """Who wrote a post; a deleted account has no id."""

    user_id: int | None = None


class Post(BaseModel):
    """A question or an answer; times are seconds since 1970, `body` is HTML."""

    creation_date: Seconds
    last_activity_date: Seconds
    score: Figure
    owner: Owner | None = None
    title: str | None = None
    body: str | None = None


class Question(Post):
    """`is_answered`: an answer was accepted or voted up."""

    question_id: int
    answer_count: Figure
    is_answered: bool


class Answer(Post):
    answer_id: int


class QuestionPage(BaseModel):
    items: list[Question]
    has_more: bool


class AnswerPage(BaseModel):
    items: list[Answer]
    has_more: bool


class Total(BaseModel):
    total: Figure


class _Wrapper(BaseModel):
    """What may stand around any answer."""

    backoff: float = 0
    quota_remaining: int | None = None
    error_id: int | None = None
    error_name: str = ""
    error_message: str = ""


class StackExchangeClient(PlatformClient):
    """Obeys what the answers say of limits: pauses for `backoff`, and asks nothing more once the day's quota is used.

    One request at a time: a second one on its way could not know of a backoff.
    """

    def __init__(self, base_url: str, **options: Any) -> None:
        super().__init__(base_url, look=self._read, concurrency=1, **options)
        self._empty_until: datetime | None = None

    async def _wait_for_allowance(self, resource: str, what: str, spent: Spent) -> Any:
        # Asked with the one place in flight, so that the newest answer's quota is known.
        now = from_seconds(self.now())
        if self._empty_until is not None and now < self._empty_until:
            raise RateLimited(
                f"{what}: not sent, because the day's quota of calls is used up; run it again after "
                f"{self._empty_until:%Y-%m-%d %H:%M} UTC, or name a key in sources.stack_exchange.key_env."
            )
        return await super()._wait_for_allowance(resource, what, spent)

    def _read(self, what: str, response: httpx.Response) -> float:
        try:
            wrapper = _Wrapper.model_validate_json(response.content)
        except ValidationError:
            return 0.0  # whatever it is, the client judges it
        if wrapper.quota_remaining is not None and wrapper.quota_remaining <= 0:
            # The quota is filled again at midnight, UTC.
            today = from_seconds(self.now()).replace(hour=0, minute=0, second=0, microsecond=0)
            self._empty_until = today + timedelta(days=1)
        if wrapper.error_id is not None:
            raise _error(what, wrapper)
        return wrapper.backoff


def _error(what: str, wrapper: _Wrapper) -> Exception:
    said = f"{what}: {wrapper.error_name} ({wrapper.error_id}): {wrapper.error_message[:200].rstrip('. ')}"
    if wrapper.error_name == "throttle_violation":
        return RateLimited(f"{said}; run it again later.")
    if wrapper.error_id in (500, 503):
        return Unavailable(f"{said}; run it again later.")
    if wrapper.error_id == 404:
        return NotFound(f"{said}; check sources.stack_exchange.base_url.")
    if wrapper.error_id in (401, 402, 403, 405, 406, 407):
        return Forbidden(f"{said}; check the key of sources.stack_exchange.key_env.")
    return BadAnswer(f"{said}; check the site and the tag in platforms.stack_exchange.")


def connect(sources: Sources, community: str, timing: Timing) -> ApiClient | Off:
    source = sources.stack_exchange
    if source.base_url is None:
        return no_address(NAME)
    key = secret(source.key_env)
    return StackExchangeClient(
        source.base_url, added={"key": key} if key else {}, sleep=timing.sleep, clock=timing.clock
    )


async def collect(
    asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
) -> AsyncIterator[Batch]:
    """Questions active since `since`, with the answers active since then, page by page; first the totals.

    A question that was asked in the range may be active after it, so `until` does not bound what is asked for.
    """
    site, _, tag = community.partition(":")
    asked = {"site": site, "tagged": tag}
    totals = {
        "questions_total": await _total(asker, "/2.3/questions", asked),
        "questions_without_answer_total": await _total(asker, "/2.3/questions/no-answers", asked),
    }
    yield Batch([*counters(asker, NAME, community, totals)])
    async for questions in _pages(asker, "/2.3/questions", asked, since, QuestionPage):
        mentions = [_question(question, community, site, score_text) for question in questions]
        answered = ";".join(str(question.question_id) for question in questions if question.answer_count)
        if answered:
            path = f"/2.3/questions/{answered}/answers"
            async for answers in _pages(asker, path, {"site": site}, since, AnswerPage):
                mentions += [_answer(answer, community, site, score_text) for answer in answers]
        yield Batch([*mentions])


async def _total(asker: Asker, path: str, asked: dict[str, str]) -> int:
    answer = await asker.get(path, {**asked, "filter": "total"})
    return parse(Total, answer.json, answer.url.partition("?")[0]).total


async def _pages(
    asker: Asker, path: str, asked: dict[str, str], since: datetime, model: type[Any]
) -> AsyncIterator[list[Any]]:
    """All posts active since a time, each once, in the order of their activity.

    A post that becomes active meanwhile moves to the end, and all behind it move up: by page numbers one would be
    lost. So each page begins at the time at which the one before it ended. Only where a whole page lies in one
    second, page numbers are used within that second.
    """
    beginning, page = int(since.timestamp()), 1
    seen: set[int] = set()
    while True:
        parameters: dict[str, str | int] = {
            **asked,
            "sort": "activity",
            "order": "asc",
            "min": beginning,
            "page": page,
            "pagesize": _PAGE_SIZE,
            "filter": "withbody",
        }
        answer = await asker.get(path, parameters)
        content = parse(model, answer.json, f"{asker.client.base_url}{path}")
        fresh = [item for item in content.items if _post_id(item) not in seen]
        seen.update(_post_id(item) for item in fresh)
        if fresh:
            yield fresh
        if not content.has_more:
            return
        if not content.items or content.items[-1].last_activity_date < beginning:
            raise BadAnswer(f"{asker.client.base_url}{path}: says that there is more, but does not go on in order.")
        newest = int(content.items[-1].last_activity_date)
        beginning, page = (beginning, page + 1) if newest == beginning else (newest, 1)


def _post_id(post: Question | Answer) -> int:
    return post.question_id if isinstance(post, Question) else post.answer_id


def _question(question: Question, community: str, site: str, score_text: ScoreText) -> Mention:
    return _mention(
        question, "question", community, site, score_text, replies=question.answer_count, answered=question.is_answered
    )


def _answer(answer: Answer, community: str, site: str, score_text: ScoreText) -> Mention:
    return _mention(answer, "answer", community, site, score_text, replies=None, answered=None)


def _mention(
    post: Question | Answer,
    kind: str,
    community: str,
    site: str,
    score_text: ScoreText,
    *,
    replies: int | None,
    answered: bool | None,
) -> Mention:
    sentiment, method = scored(score_text, post.title, post.body)
    return Mention(
        platform=NAME,
        community=community,
        mention_id=str(_post_id(post)),
        kind=kind,
        author=account(site, post.owner.user_id) if post.owner else None,
        created_at=from_seconds(post.creation_date),
        updated_at=from_seconds(post.last_activity_date),
        score=post.score,
        replies=replies,
        is_answered=answered,
        sentiment=sentiment,
        sentiment_method=method,
    )
