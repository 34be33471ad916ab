"""Stack Exchange: every active question once, its answers, and the limits that stand in the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics_assets.sources.errors import BadAnswer, Forbidden, NotFound, RateLimited, SourceError, Unavailable
from metrics_assets.sources.platforms import stack_exchange
from metrics_assets.sources.records import Account
from metrics_assets_tests.sources.platforms.bodies import answer, question, wrapper
from metrics_assets_tests.sources.platforms.listening import Heard, by_path, listen, path, query, seconds
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

QUESTIONS, UNANSWERED = "/2.3/questions", "/2.3/questions/no-answers"
TOTALS: dict[str, Any] = {UNANSWERED: {"total": 8}}


def hear(replies: list[Any], more: dict[str, Any] | None = None, clock: Clock | None = None) -> tuple[Heard, Scripted]:
    """Listen to the questions' replies in turn, after the totals."""
    with Scripted(answer=by_path({**TOTALS, QUESTIONS: [{"total": 40}, *replies], **(more or {})})) as server:
        return listen("stack_exchange", "stackoverflow:httpx", server, clock=clock), server


def test_questions_with_their_answers_and_totals() -> None:
    asked = question(1, "06-02 10:00", "05-01", answer_count=1, is_answered=False)
    heard, server = hear([wrapper(asked)], {"/2.3/questions/1/answers": wrapper(answer(2, 1, "06-02 10:00"))})
    assert heard.error is None
    assert heard.counters == {"questions_total": 40, "questions_without_answer_total": 8}
    first, second = heard.mentions
    assert (first.kind, first.mention_id, first.score, first.replies, first.is_answered) == (
        "question",
        "1",
        3,
        1,
        False,
    )
    assert (first.author, first.created_at) == (Account("stackoverflow:77"), datetime(2025, 5, 1, tzinfo=UTC))
    assert (second.kind, second.mention_id, second.score, second.author) == ("answer", "2", -1, None)
    assert (first.sentiment, first.sentiment_method, first.community) == (0.5, "test 1", "stackoverflow:httpx")
    parameters = query(next(a for a in server.asked if path(a) == QUESTIONS and "min" in query(a)))
    assert parameters["min"] == str(seconds("06-01"))
    assert (parameters["site"], parameters["tagged"], parameters["sort"]) == ("stackoverflow", "httpx", "activity")


class Site:
    """A site whose questions become active again while they are read."""

    def __init__(self, active: list[int], moving: list[int]) -> None:
        self.active = {number: seconds("06-01") + at for number, at in enumerate(active)}
        self.moving = [number for number in moving if number in self.active]
        self.at_start = set(self.active)

    def __call__(self, asked: Asked) -> Reply:
        parameters = query(asked)
        if parameters["filter"] == "total":
            return Reply({"total": len(self.active)})
        chosen = sorted((at, number) for number, at in self.active.items() if at >= int(parameters["min"]))
        first = (int(parameters["page"]) - 1) * stack_exchange._PAGE_SIZE
        part = chosen[first : first + stack_exchange._PAGE_SIZE]
        items = [question(number, "06-01", last_activity_date=at) for at, number in part]
        reply = wrapper(*items, has_more=first + len(part) < len(chosen))
        if self.moving:
            number = self.moving.pop()
            self.active[number] = max(self.active.values()) + 1
        return Reply(reply)


@settings(max_examples=12)
@given(active=st.lists(st.integers(0, 4), max_size=20), moving=st.lists(st.integers(0, 19), max_size=6, unique=True))
def test_each_question_comes_once_whatever_moves_meanwhile(active: list[int], moving: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack_exchange, "_PAGE_SIZE", 3)
        site = Site(active, [] if len(set(active)) < len(active) else moving)
        with Scripted(answer=site) as server:
            heard = listen("stack_exchange", "stackoverflow:httpx", server)
    assert heard.error is None
    assert sorted(int(one.mention_id) for one in heard.mentions) == sorted(site.at_start)


def test_a_backoff_is_obeyed_exactly() -> None:
    clock = Clock()
    second = question(2, "06-03")
    heard, _ = hear([wrapper(question(1, "06-02"), has_more=True, backoff=17), wrapper(second)], clock=clock)
    assert (len(heard.mentions), heard.error) == (2, None)
    assert clock.slept == [pytest.approx(17, abs=0.5)]


def test_nothing_is_asked_once_the_quota_is_used_up() -> None:
    heard, server = hear([wrapper(question(1, "06-02"), has_more=True, quota_remaining=0)])
    assert isinstance(heard.error, RateLimited)
    assert "quota of calls is used up" in str(heard.error)
    assert "sources.stack_exchange.key_env" in str(heard.error)
    assert len(server.asked) == 3  # two totals and the page that was the last
    assert len(heard.mentions) == 1


@pytest.mark.parametrize(
    ("error_id", "name", "raised"),
    [
        (502, "throttle_violation", RateLimited),
        (400, "bad_parameter", BadAnswer),
        (403, "access_denied", Forbidden),
        (404, "no_method", NotFound),
        (503, "temporarily_unavailable", Unavailable),
    ],
)
def test_errors_are_told_as_what_they_are(error_id: int, name: str, raised: type[SourceError]) -> None:
    clock = Clock()
    said = {"error_id": error_id, "error_name": name, "error_message": "too many requests, more in 76398 seconds"}
    with Scripted(Reply(said, status=400)) as server:
        heard = listen("stack_exchange", "stackoverflow:httpx", server, clock=clock)
    assert type(heard.error) is raised
    assert f"{name} ({error_id}): too many requests, more in 76398 seconds" in str(heard.error)
    assert (len(server.asked), clock.slept) == (1, [])  # who goes on is shut out for longer


def test_a_key_is_sent_and_told_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK_KEY", "k-123")
    with Scripted(Reply({"total": "many"})) as server:
        heard = listen("stack_exchange", "stackoverflow:httpx", server, key_env="STACK_KEY")
    assert query(server.asked[0])["key"] == "k-123"
    assert isinstance(heard.error, BadAnswer)
    assert "k-123" not in str(heard.error)


def test_a_list_that_does_not_go_on_is_an_error() -> None:
    heard, _ = hear([wrapper(has_more=True)])
    assert isinstance(heard.error, BadAnswer)
