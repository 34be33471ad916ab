"""Asking a small API, and reading answers into models: what is said where one does not fit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from metrics_assets.sources.asking import Asker, answered_at, parse
from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.github import answers
from metrics_assets.sources.http import Answer, ApiClient, Validator
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

ISSUE = {"number": 12, "node_id": "I_1", "state": "open", "created_at": "yesterday", "updated_at": "2025-01-01"}


def test_what_cannot_be_read_is_named_with_place_field_and_value() -> None:
    with pytest.raises(BadAnswer, match=r"issues of acme/tool: Issue 12: created_at is 'yesterday'"):
        parse(answers.Issue, ISSUE, "issues of acme/tool")


@pytest.mark.parametrize("user", ["mira-holt", {"id": 5, "email": "mira-holt@example.org"}, {"login": ["mira-holt"]}])
def test_what_cannot_be_read_is_named_without_naming_people(user: Any) -> None:
    with pytest.raises(BadAnswer) as caught:
        parse(answers.Issue, {**ISSUE, "created_at": "2025-01-01T00:00:00Z", "user": user}, "issues")
    assert "mira-holt" not in str(caught.value)
    assert "user" in str(caught.value)


@pytest.mark.parametrize("content", ["mira-holt", ["mira-holt"], None, 5])
def test_an_answer_of_another_kind_is_named_without_its_content(content: Any) -> None:
    with pytest.raises(BadAnswer, match="the whole is a ") as caught:
        parse(answers.Issue, content, "issues")
    assert "mira-holt" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "content"),
    [
        (answers.Contributor, {"login": ["mira-holt"], "contributions": 1}),
        (answers.Commit, {"sha": "a", "author": {"login": "mira-holt", "type": 5}, "authored_at": "2025-01-01"}),
        (answers.Milestone, {"number": 1, "title": "t", "state": "open", "creator": "mira-holt"}),
    ],
)
def test_no_field_of_a_person_is_shown(model: Any, content: Any) -> None:
    with pytest.raises(BadAnswer) as caught:
        parse(model, content, "here")
    assert "mira-holt" not in str(caught.value)


def answer(**headers: str) -> Answer:
    return Answer(None, httpx.Headers(headers), "http://localhost/")


def test_the_time_of_an_answer_is_the_providers() -> None:
    assert answered_at(answer(date="Sun, 01 Jun 2025 23:59:58 GMT")) == datetime(2025, 6, 1, 23, 59, 58, tzinfo=UTC)
    assert answered_at(answer(date="Sun, 01 Jun 2025 23:59:58 -0500")) == datetime(2025, 6, 2, 4, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize("headers", [{}, {"date": "soon"}, {"date": ""}])
def test_an_answer_without_a_time_is_of_now(headers: dict[str, str]) -> None:
    assert abs(answered_at(answer(**headers)) - datetime.now(UTC)) < timedelta(seconds=30)


def ask(server: Scripted, clock: Clock, work: Any, **more: Any) -> Any:
    """What `work(Asker)` returns."""

    async def go() -> Any:
        async with ApiClient(server.url, sleep=clock.sleep, clock=clock) as client:
            return await work(Asker(client, "small", **more))

    return asyncio.run(go())


def test_validators_are_kept_apart_by_address_and_only_where_asked_for() -> None:
    def reply(asked: Asked) -> Reply:
        if asked.headers.get("if-none-match") == '"1"':
            return Reply(b"", status=304, headers={"ETag": '"1"'})
        return Reply([asked.path], headers={"ETag": '"1"'})

    async def work(asker: Asker) -> Any:
        first = await asker.get("/list", {"page": 1}, conditional=True)
        await asker.get("/plain")
        asker.known = asker.fresh.get
        again = await asker.get("/list", {"page": 1}, conditional=True)
        other = await asker.get("/list", {"page": 2}, conditional=True)
        return [one.not_modified for one in (first, again, other)], asker.fresh, asker.spent

    with Scripted(answer=reply) as server:
        modified, fresh, spent = ask(server, Clock(), work)
    assert modified == [False, True, False]
    assert len(fresh) == 2
    assert set(fresh.values()) == {Validator('"1"')}
    assert (spent.requests, spent.not_modified) == (4, 1)


def test_a_small_api_tells_its_own_day() -> None:
    async def work(asker: Asker) -> Any:
        await asker.post("/", {"a": 1})
        return asker.today(), asker.now()

    with Scripted(Reply({}, headers={"Date": "Mon, 02 Jun 2025 00:00:01 GMT"})) as server:
        today, now = ask(server, Clock(), work)
        assert server.asked[0].body == {"a": 1}
    assert str(today) == "2025-06-02"
    assert now == datetime(2025, 6, 2, 0, 0, 1, tzinfo=UTC)
