"""Discourse, Discord, YouTube, Reddit and X: what each gives, and where its list ends."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

import pytest

from metrics_assets.settings import Sources
from metrics_assets.sources.errors import BadAnswer, NotFound, RateLimited, SourceError, Unauthorized
from metrics_assets.sources.platforms import PLATFORMS, Off, Timing
from metrics_assets.sources.records import Account
from metrics_assets_tests.sources.platforms import bodies
from metrics_assets_tests.sources.platforms.listening import Heard, by_path, listen, path, query, seconds
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted


def forum(*pages: dict[str, Any]) -> tuple[Heard, Scripted]:
    with Scripted(answer=by_path({"/about.json": bodies.about_forum(), "/latest.json": list(pages)})) as server:
        return listen("discourse", server.url, server), server


def test_a_forums_counters_and_new_topics() -> None:
    heard, server = forum(
        bodies.latest(
            bodies.topic(1, "03-01 10:00", pinned=True),  # pinned, and old: not the end
            bodies.topic(4, "06-04 10:00", has_accepted_answer=True),
            bodies.topic(3, "06-03 10:00"),
            more=True,
        ),
        bodies.latest(bodies.topic(2, "06-02 10:00"), bodies.topic(0, "05-30 10:00"), more=True),
    )
    assert heard.error is None
    assert heard.counters == {"members": 120, "topics_total": 40, "posts_total": 300}
    assert [(one.mention_id, one.replies, one.is_answered) for one in heard.mentions] == [
        ("4", 4, True),
        ("3", 4, None),
        ("2", 4, None),
    ]
    assert heard.mentions[0].author == Account(f"{server.url}:margaret-h")
    assert [query(asked).get("page") for asked in server.asked] == [None, "0", "1"]


def test_an_older_forum_names_its_figures_in_the_singular() -> None:
    about = {"about": {"stats": {"user_count": 7, "topic_count": 2, "post_count": 3, "posts_30_days": 1}}}
    with Scripted(answer=by_path({"/about.json": about, "/latest.json": bodies.latest()})) as server:
        heard = listen("discourse", server.url, server)
    assert heard.counters == {"members": 7, "topics_total": 2, "posts_total": 3, "posts_30_days": 1}


def test_members_of_a_discord_server() -> None:
    with Scripted(answer=by_path({"/api/v10/invites/abc": bodies.INVITE})) as server:
        heard = listen("discord", "abc", server)
    assert heard.counters == {"members": 1234, "members_online": 56}


@pytest.fixture
def youtube_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", "yt-123")


@pytest.mark.usefixtures("youtube_key")
def test_a_channels_counters_and_uploads() -> None:
    pages = [
        bodies.uploads(("c", "06-05 10:00"), ("b", "06-03 10:00"), ("old", "05-01 10:00"), token="next"),
        bodies.uploads(("a", "06-01 00:00"), token="further"),
        bodies.uploads(("older", "04-01 10:00"), token="never"),
    ]
    answers = {
        "/youtube/v3/channels": bodies.channel(),
        "/youtube/v3/playlistItems": pages,
        "/youtube/v3/videos": [bodies.statistics("c"), bodies.statistics("a")],
    }
    with Scripted(answer=by_path(answers)) as server:
        heard = listen("youtube", "UC1", server)
    assert heard.counters == {"subscribers": 123000, "views_total": 98765, "videos_total": 3}
    figures = [(one.mention_id, one.score, one.replies, one.sentiment) for one in heard.mentions]
    # Of b nothing is known but that it is there; the owner's own titles are not scored.
    assert figures == [("c", 7, 2, None), ("b", None, None, None), ("a", 7, 2, None)]
    assert not any("search" in asked.path for asked in server.asked)  # 100 units
    assert {asked.headers["x-goog-api-key"] for asked in server.asked} == {"yt-123"}
    assert not any("yt-123" in asked.path for asked in server.asked)


@pytest.mark.usefixtures("youtube_key")
def test_hidden_subscribers_are_unknown_and_a_missing_channel_is_said() -> None:
    hidden = bodies.channel(hiddenSubscriberCount=True, subscriberCount="0")
    answers = {"/youtube/v3/channels": hidden, "/youtube/v3/playlistItems": bodies.uploads()}
    with Scripted(answer=by_path(answers)) as server:
        assert "subscribers" not in listen("youtube", "UC1", server).counters
    with Scripted(Reply({"kind": "youtube#channelListResponse", "pageInfo": {}})) as server:
        error = listen("youtube", "UC1", server).error
    assert isinstance(error, NotFound)
    assert "there is no channel UC1" in str(error)


@pytest.mark.usefixtures("youtube_key")
def test_a_used_up_quota_is_a_limit_and_not_a_missing_permission() -> None:
    said = {"error": {"code": 403, "message": "quota", "errors": [{"reason": "quotaExceeded"}]}}
    with Scripted(Reply(said, status=403)) as server:
        heard = listen("youtube", "UC1", server)
    assert isinstance(heard.error, RateLimited)
    assert len(server.asked) == 1


@pytest.fixture
def reddit_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDDIT_CLIENT_ID", "app")
    monkeypatch.setenv("REDDIT_CLIENT_SECRET", "s3cret")


class Reddit:
    """A subreddit whose listing ends after ten pages, as Reddit's do."""

    def __init__(self, posts: int, newest: int, pages: int = 10) -> None:
        self.posts, self.newest, self.pages = posts, newest, pages

    def __call__(self, asked: Asked) -> Reply:
        assert asked.headers["authorization"] == "Bearer granted"
        if path(asked).endswith("/about"):
            return Reply(bodies.subreddit())
        page = int(query(asked).get("after", 0))
        numbers = range(page * 100, min(page * 100 + 100, self.posts))
        more = str(page + 1) if page + 1 < self.pages and (page + 1) * 100 < self.posts else None
        return Reply(bodies.listing(*(bodies.post(f"p{n}", self.newest - n * 60) for n in numbers), after=more))


class Tokens:
    """Where an application gets its token: by a form, with its id and secret as the user's name and password."""

    def __init__(self, reply: Reply | None = None) -> None:
        self.reply = reply or Reply({"access_token": "granted", "token_type": "bearer", "expires_in": 86400})
        self.asked: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                owner.asked.append((base64.b64decode(self.headers["authorization"].split()[1]).decode(), form))
                self.send_response(owner.reply.status)
                self.end_headers()
                self.wfile.write(json.dumps(owner.reply.body).encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def reddit(posts: Reddit, community: str = "python") -> tuple[Heard, Scripted, Tokens]:
    with Scripted(answer=posts) as server, Tokens() as tokens:
        return listen("reddit", community, server, token_url=tokens.url), server, tokens


@pytest.mark.usefixtures("reddit_application")
def test_posts_of_a_subreddit_until_the_range_begins() -> None:
    heard, _, tokens = reddit(Reddit(posts=400, newest=seconds("06-01 03:00")))
    assert heard.error is None
    assert heard.counters == {"members": 5000}  # nobody says how many are online
    assert [one.mention_id for one in heard.mentions] == [f"p{n}" for n in range(181)]
    assert heard.mentions[0].author == Account("reddit:margaret-h")
    assert tokens.asked == [("app:s3cret", "grant_type=client_credentials")]  # one token for all pages


@pytest.mark.usefixtures("reddit_application")
def test_a_small_subreddit_is_complete_and_a_cut_listing_is_not() -> None:
    assert reddit(Reddit(posts=150, newest=seconds("06-07")))[0].error is None
    heard, *_ = reddit(Reddit(posts=5000, newest=seconds("06-07")), "python:httpx client")
    assert len(heard.mentions) == 1000
    assert isinstance(heard.error, SourceError)
    assert "the listing ends at 2025-06-06 07:21 and gives nothing older" in str(heard.error)


@pytest.mark.usefixtures("reddit_application")
def test_words_are_searched_within_the_subreddit() -> None:
    _, server, _ = reddit(Reddit(posts=1, newest=seconds("06-07")), "python:httpx client")
    asked = query(server.asked[-1])
    assert path(server.asked[-1]) == "/r/python/search"
    assert (asked["q"], asked["restrict_sr"], asked["sort"]) == ("httpx client", "1", "new")


@pytest.mark.usefixtures("reddit_application")
@pytest.mark.parametrize(("reply", "raised"), [(Reply(status=401), Unauthorized), (Reply(["s3cret"]), BadAnswer)])
def test_a_refused_application_is_said_without_its_secret(reply: Reply, raised: type[Exception]) -> None:
    with Scripted() as server, Tokens(reply) as tokens:
        heard = listen("reddit", "python", server, token_url=tokens.url)
    assert server.asked == []
    assert isinstance(heard.error, raised)
    assert "s3cret" not in str(heard.error)


def test_an_accounts_followers_and_whole_days_of_posts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_BEARER_TOKEN", "x-123")
    counts = bodies.x_counts(
        ("06-01 13:00", "06-02 00:00", 9),  # a part of a day
        ("06-02 00:00", "06-03 00:00", 5),
        ("06-03 00:00", "06-04 00:00", 0),
        ("06-09 00:00", "06-10 00:00", 7),  # after the range
    )
    answers = {"/2/users/by/username/project": bodies.x_user(), "/2/tweets/counts/recent": counts}
    with Scripted(answer=by_path(answers)) as server:
        heard = listen("x", "project", server)
    days = [(str(one.observed_on), one.value) for one in heard.records if one.counter == "mentions"]  # type: ignore[attr-defined]
    assert days == [("2025-06-02", 5), ("2025-06-03", 0)]
    assert (heard.counters["followers"], heard.counters["posts_total"]) == (900, 44)
    assert server.asked[0].headers["authorization"] == "Bearer x-123"


def test_an_unknown_account_on_x(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_BEARER_TOKEN", "x-123")
    with Scripted(Reply({"errors": [{"title": "Not Found Error", "detail": "Could not find user"}]})) as server:
        assert isinstance(listen("x", "nobody", server).error, NotFound)


@pytest.mark.parametrize(
    ("platform", "reason"),
    [
        ("reddit", "off: export REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET"),
        ("x", "off: export X_BEARER_TOKEN"),
        ("youtube", "off: export YOUTUBE_API_KEY"),
    ],
)
def test_off_until_the_credentials_are_there(platform: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET", "X_BEARER_TOKEN", "YOUTUBE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert PLATFORMS[platform].connect(Sources(), "anything", Timing()) == Off(reason)
    monkeypatch.setenv("REDDIT_CLIENT_ID", "app")
    if platform == "reddit":
        assert PLATFORMS[platform].connect(Sources(), "anything", Timing()) == Off("off: export REDDIT_CLIENT_SECRET")


# The answers with which each platform begins.
FIRST: dict[str, tuple[str, Any]] = {
    "stack_exchange": ("stackoverflow:httpx", {"total": 1}),
    "hacker_news": ("httpx", bodies.found(number=0)),
    "discourse": ("", bodies.about_forum()),
    "discord": ("abc", bodies.INVITE),
    "youtube": ("UC1", bodies.channel()),
    "x": ("project", bodies.x_user()),
}


@pytest.fixture
def all_credentials(monkeypatch: pytest.MonkeyPatch, youtube_key: None) -> None:
    monkeypatch.setenv("X_BEARER_TOKEN", "x-123")


@pytest.mark.usefixtures("all_credentials")
@pytest.mark.parametrize("platform", FIRST)
def test_each_class_of_error_has_its_strategy(platform: str) -> None:
    community, first = FIRST[platform]

    def heard(*replies: Reply) -> tuple[Heard, int, list[float]]:
        clock = Clock()
        with Scripted(*replies) as server:
            result = listen(platform, community or server.url, server, clock=clock)
            return result, len(server.asked), clock.slept

    gone, requests, _ = heard(Reply({"message": "gone"}, status=404))
    assert (type(gone.error), requests) == (NotFound, 1)

    waited, requests, slept = heard(Reply(status=429, headers={"Retry-After": "7"}), Reply(first), Reply(status=404))
    assert waited.error is None or isinstance(waited.error, NotFound)
    assert 7 <= max(slept) <= 8.5
    assert requests >= 2

    down, requests, slept = heard(Reply({"message": "oops"}, status=500))
    assert requests == 6
    assert "answered 500, after 6 tries" in str(down.error)

    mended, *_ = heard(Reply(b"<html>503</html>"), Reply(first), Reply(status=404))
    assert not isinstance(mended.error, BadAnswer)

    hits: dict[str, Any] = {"hits": [{"objectID": []}], "nbHits": {}}
    wrong_types: list[Any] = [[], {"hits": 5}, {"total": "x", "about": 1, "items": [1], "data": 3, **hits}]
    for body in wrong_types:
        wrong, requests, _ = heard(Reply(body))
        assert isinstance(wrong.error, BadAnswer | NotFound), body
        assert requests == 1


def test_a_figure_that_no_table_can_hold_is_refused() -> None:
    with Scripted(Reply({**bodies.INVITE, "approximate_member_count": 2**63})) as server:
        assert isinstance(listen("discord", "abc", server).error, BadAnswer)
