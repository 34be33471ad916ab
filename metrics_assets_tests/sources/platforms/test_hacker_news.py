"""Hacker News: recorded answers, and windows that are halved until everything fits."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metrics_assets.sources.asking import parse
from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.platforms import hacker_news
from metrics_assets.sources.records import Account
from metrics_assets_tests.sources.platforms.bodies import found, hit
from metrics_assets_tests.sources.platforms.listening import SINCE, UNTIL, listen, path, query, seconds
from metrics_assets_tests.sources.scripted import Asked, Reply, Scripted


class Archive:
    """Hits by their seconds after SINCE, searched as Algolia does: newest first, no more than `most`."""

    def __init__(self, times: list[int], most: int) -> None:
        self.hits = [(seconds("06-01") + at, number) for number, at in enumerate(times)]
        self.most = most

    def __call__(self, asked: Asked) -> Reply:
        if path(asked) == "/api/v1/search":
            return Reply(found(number=2))
        first, last = map(int, re.findall(r"created_at_i>=(\d+),created_at_i<(\d+)", query(asked)["numericFilters"])[0])
        chosen = sorted((one for one in self.hits if first <= one[0] < last), reverse=True)
        return Reply(found(*(hit(number, at) for at, number in chosen[: self.most]), number=len(chosen)))


@settings(max_examples=12)
@given(times=st.lists(st.integers(0, 604_799), max_size=40, unique=True), most=st.integers(3, 9))
@example(times=[0, 1, 2, 604_799], most=3)
def test_every_hit_comes_once(times: list[int], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hacker_news, "MOST_HITS", most)
        with Scripted(answer=Archive(times, most)) as server:
            heard = listen("hacker_news", "httpx", server)
    assert heard.error is None
    assert sorted(int(one.mention_id) for one in heard.mentions) == list(range(len(times)))


def test_a_window_of_a_thousand_is_halved() -> None:
    archive = Archive([200] * 600 + [400_000] * 600, hacker_news.MOST_HITS)
    with Scripted(answer=archive) as server:
        heard = listen("hacker_news", "httpx", server)
    assert len({one.mention_id for one in heard.mentions}) == 1200
    assert len(server.asked) == 1 + 3  # the front page; the whole and its halves


def test_more_than_a_thousand_in_one_second_is_said() -> None:
    with Scripted(answer=Archive([5] * 1001, hacker_news.MOST_HITS)) as server:
        heard = listen("hacker_news", "the", server)
    assert isinstance(heard.error, BadAnswer)
    assert "1001 hits in the second 2025-06-01 00:00:05" in str(heard.error)


def test_stories_and_comments_and_the_front_page() -> None:
    story, comment = hit(1, seconds("06-02 10:00")), hit(2, seconds("06-03"), "comment", author=None)
    with Scripted(Reply(found(number=3)), Reply(found(story, comment))) as server:
        heard = listen("hacker_news", "python httpx", server)
    assert heard.counters == {"front_page_stories": 3}
    first, second = heard.mentions
    assert (first.kind, first.score, first.replies, first.author) == ("story", 12, 4, Account("hacker_news:margaret-h"))
    assert first.created_at == datetime(2025, 6, 2, 10, tzinfo=UTC)
    assert (second.kind, second.score, second.author, second.sentiment) == ("comment", None, None, 0.5)
    asked = query(server.asked[1])
    assert asked["query"] == '"python" "httpx"'
    assert asked["typoTolerance"] == "false"  # httpx is not https
    assert f"created_at_i>={int(SINCE.timestamp())},created_at_i<{int(UNTIL.timestamp())}" == asked["numericFilters"]


def test_all_recorded_answers_are_read(real_data: Path) -> None:
    recorded = json.loads((real_data / "registries" / "hn_algolia.json").read_text(encoding="utf-8"))
    assert len(recorded) == 26
    searches = [one for one in recorded if "/search" in one["url"]]
    assert len(searches) == 24
    for one in searches:
        page = parse(hacker_news.Found, one["reply"], one["url"])
        assert page.number == one["reply"]["nbHits"]
        (mention,) = [hacker_news.mention(found, "x", lambda text: (0.1, "test 1")) for found in page.hits]
        (given_hit,) = one["reply"]["hits"]
        assert mention.kind == ("comment" if "comment" in given_hit["_tags"] else "story")
        assert mention.created_at == datetime.fromisoformat(given_hit["created_at"])
        assert mention.score == given_hit["points"]
        assert mention.author == Account(f"hacker_news:{given_hit['author']}")
        assert mention.sentiment == 0.1
    # An item with its tree and a user are no lists of hits: refused, and without the name that stands in them.
    for one in recorded:
        if one not in searches:
            with pytest.raises(BadAnswer, match="hits") as error:
                parse(hacker_news.Found, one["reply"], "the answer")
            assert "pg" not in str(error.value)
