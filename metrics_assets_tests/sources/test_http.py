"""The HTTP client against a real server on loopback: what it tries again, how long it waits, what it says."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from metrics_assets.errors import MetricsError
from metrics_assets.sources.errors import (
    BadAnswer,
    Blocked,
    Empty,
    Forbidden,
    NotFound,
    NotReady,
    RateLimited,
    TooHeavy,
    Unauthorized,
    Unavailable,
)
from metrics_assets.sources.governor import HourlyCap
from metrics_assets.sources.http import TRIES, Answer, ApiClient, Credential, Nobody, Spent, Token, Validator
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

TOKEN = "ghp_aSecretThatNobodyMaySee0123456789"


def ask(server: Scripted | str, clock: Clock, path: str = "/thing", **arguments: Any) -> Answer:
    """One request through a client of its own."""
    return asking(server, clock, path, **arguments)[0]


def asking(
    server: Scripted | str, clock: Clock, path: str = "/thing", *, times: int = 1, client: Any = None, **arguments: Any
) -> list[Answer]:
    """Several requests at once through one client."""

    async def go() -> list[Answer]:
        url = server if isinstance(server, str) else server.url
        own = {"credentials": [Token("the test's token", TOKEN)], **(client or {})}
        async with ApiClient(url, sleep=clock.sleep, clock=clock, **own) as api:
            given = {"resource": "core", "spent": Spent(), **arguments}
            return list(await asyncio.gather(*(api.request("GET", path, **given) for _ in range(times))))

    return asyncio.run(go())


def limits(remaining: int, reset: float, limit: int = 100) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(reset)),
    }


@pytest.mark.parametrize(
    "setback",
    [
        Reply(status=500),
        Reply(status=502, body={"message": "Server Error"}),
        Reply(status=503),
        Reply(status=504, body=b"<html>Gateway time-out</html>"),
        Reply(drop=True),
        Reply(body={"content": "cut in the middle"}, cut=True),
        Reply(body=b"\xff\xfe not JSON"),
        Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["500", "502", "503", "504", "drop", "truncated", "no JSON", "broken gzip"],
)
def test_what_may_pass_is_tried_again(setback: Reply) -> None:
    clock, spent = Clock(), Spent()
    with Scripted(setback, setback, Reply(body={"ok": 1})) as server:
        answer = ask(server, clock, spent=spent)
    assert answer.json == {"ok": 1}
    assert spent.requests == len(server.asked) == 3
    assert len(clock.slept) == 2
    assert 0 < clock.slept[0] <= 0.5 < clock.slept[1] <= 1.0 or clock.slept[1] > clock.slept[0] * 0.9


@pytest.mark.parametrize(
    ("status", "kind"), [(500, Unavailable), (502, TooHeavy), (503, Unavailable), (504, TooHeavy), (408, Unavailable)]
)
def test_what_does_not_pass_ends_with_a_sentence(status: int, kind: type[MetricsError]) -> None:
    clock = Clock()
    with Scripted(Reply(status=status)) as server, pytest.raises(Unavailable) as caught:
        ask(server, clock)
    assert type(caught.value) is kind
    assert len(server.asked) == TRIES
    assert len(clock.slept) == TRIES - 1
    assert clock.slept[-1] > 4 * clock.slept[0]  # later and later
    assert str(caught.value) == (
        f"GET {server.url}/thing: the provider answered {status}, after 6 tries; run it again later."
    )


def test_a_server_that_does_not_listen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unavailable, match=r"the connection failed \(ConnectError\), after 6 tries"):
            ask(url, Clock())


def test_a_server_that_never_answers_is_given_up() -> None:
    clock = Clock()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Unavailable, match="ReadTimeout"):
            ask(f"http://127.0.0.1:{silent.getsockname()[1]}", clock, client={"timeout_seconds": 0.05}, tries=2)


def test_redirects_without_end_are_given_up() -> None:
    with (
        Scripted(Reply(status=301, headers={"Location": "/thing"})) as server,
        pytest.raises(Unavailable, match="TooManyRedirects"),
    ):
        ask(server, Clock(), tries=1)


def test_a_redirect_is_followed_and_the_answer_says_where_it_came_from() -> None:
    with Scripted(Reply(status=301, headers={"Location": "/repositories/7"}), Reply(body={"id": 7})) as server:
        answer = ask(server, Clock())
    assert (answer.json, answer.url) == ({"id": 7}, f"{server.url}/repositories/7")
    assert server.asked[1].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_token_does_not_follow_to_another_server() -> None:
    with (
        Scripted(Reply(body={"ok": 1})) as elsewhere,
        Scripted(Reply(status=302, headers={"Location": f"{elsewhere.url}/x"})) as server,
    ):
        ask(server, Clock())
        assert "authorization" not in elsewhere.asked[0].headers
        with pytest.raises(BadAnswer, match="where the token is not sent"):
            ask(server, Clock(), path=f"{elsewhere.url}/page/2")
        assert len(elsewhere.asked) == 1


@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_is_obeyed(status: int) -> None:
    clock = Clock()
    with Scripted(Reply(status=status, headers={"Retry-After": "37"}), Reply(body=[])) as server:
        assert ask(server, clock).json == []
    assert clock.slept == [37]


def test_retry_after_may_be_a_date() -> None:
    clock = Clock()
    at = format_datetime(datetime.fromtimestamp(clock.now + 90, UTC), usegmt=True)
    with Scripted(Reply(status=403, headers={"Retry-After": at}), Reply(body=[])) as server:
        ask(server, clock)
    assert clock.slept == [90]


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (Reply(status=429), 60),
        (Reply(status=403, body={"message": "You have exceeded a secondary rate limit."}), 60),
        (Reply(status=429, headers={"Retry-After": "soon"}), 60),
        (Reply(status=429, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "never"}), 60),
        (Reply(status=429, headers={"Retry-After": "9" * 400}), 3600),
        (Reply(status=429, headers={"Retry-After": "0"}), 1),
    ],
)
def test_a_limit_that_does_not_say_how_long_is_left_alone_for_a_while(reply: Reply, seconds: int) -> None:
    clock = Clock()
    with Scripted(reply, Reply(body=[])) as server:
        ask(server, clock)
    assert clock.slept == [seconds]


def test_a_provider_that_always_asks_to_wait_is_given_up() -> None:
    clock = Clock()
    with Scripted(Reply(status=429, headers={"Retry-After": "60"})) as server, pytest.raises(RateLimited) as caught:
        ask(server, clock)
    assert "the provider asks to wait (429), after 6 tries" in str(caught.value)
    assert sum(clock.slept) == 300


def test_during_a_secondary_limit_nothing_else_is_sent() -> None:
    clock, seen = Clock(), []

    def answer(asked: Asked) -> Reply:
        seen.append(clock.now)
        return Reply(status=403, headers={"Retry-After": "50"}) if len(seen) == 1 else Reply(body=[])

    with Scripted(answer=answer) as server:
        asking(server, clock, times=5, client={"concurrency": 1})
    start = seen[0]
    assert seen == [start] + [start + 50] * 5


def test_an_exhausted_budget_waits_for_its_hour_to_end() -> None:
    clock = Clock()
    with Scripted(
        Reply(status=403, body={"message": "API rate limit exceeded"}, headers=limits(0, clock.now + 1200)),
        Reply(body=[], headers=limits(99, clock.now + 4800)),
    ) as server:
        ask(server, clock)
    assert clock.now == pytest.approx(1_001_201, abs=1)


def test_a_share_of_the_budget_is_left_to_others_also_with_many_requests_at_once() -> None:
    clock, used, after_reset = Clock(), 0, 0
    reset = clock.now + 1800

    def answer(asked: Asked) -> Reply:
        nonlocal used, after_reset
        if clock.now < reset:
            used += 1
            return Reply(body=[], headers=limits(100 - used, reset))
        after_reset += 1
        return Reply(body=[], headers=limits(100 - after_reset, reset + 3600))

    with Scripted(answer=answer) as server:
        asking(server, clock, times=120, client={"share": 0.8, "concurrency": 8})
    # Those in flight may be counted twice, by us and by a newer answer; never too few.
    assert 72 <= used <= 80
    assert used + after_reset == 120


def test_an_answer_of_the_hour_before_does_not_count_for_this_one() -> None:
    clock = Clock()
    with Scripted(
        Reply(body=[], headers=limits(90, clock.now + 3600)),
        Reply(body=[], headers=limits(0, clock.now - 1)),  # late
        Reply(body=[], headers=limits(88, clock.now + 3600)),
    ) as server:
        asking(server, clock, times=3, client={"concurrency": 1})
    assert clock.slept == []


class Watched:
    """A credential that notes when it was asked for, which is when a request is sent."""

    name = "the watched"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.at: list[float] = []

    async def authorization(self) -> str:
        self.at.append(self.clock.now)
        return "Bearer watched"


def test_requests_are_paced_per_minute() -> None:
    clock = Clock()
    watched = Watched(clock)
    with Scripted(Reply(body=[])) as server:
        client = {"per_minute": {"core": 10}, "concurrency": 4, "credentials": [watched]}
        asking(server, clock, times=25, client=client)
    assert len(watched.at) == 25
    for moment in watched.at:
        assert sum(moment - 60 < other <= moment for other in watched.at) <= 10


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (401, Unauthorized, "the test's token was refused (Not for you); create a new token"),
        (403, Forbidden, "give the token the permission"),
        (404, NotFound, "check the name and that the token may see it"),
        (410, NotFound, "check the name"),
        (451, Blocked, "the provider has blocked access"),
        (422, BadAnswer, "run it again"),
        (409, Empty, "there is nothing in it yet"),
    ],
)
def test_each_refusal_has_its_class_and_names_call_answer_and_remedy(
    status: int, kind: type[MetricsError], remedy: str
) -> None:
    with (
        Scripted(Reply(status=status, body={"message": "Not for you"})) as server,
        pytest.raises(MetricsError) as caught,
    ):
        ask(server, Clock())
    assert type(caught.value) is kind
    text = str(caught.value)
    assert f"GET {server.url}/thing" in text
    assert "Not for you" in text
    assert remedy in text
    assert text.endswith(".")
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", [], {"message": None}, "text", None])
def test_a_refusal_without_a_message_is_understood_too(body: Any) -> None:
    with Scripted(Reply(status=404, body=body)) as server, pytest.raises(NotFound, match="404"):
        ask(server, Clock())


def test_no_error_and_no_log_line_holds_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    replies = [
        *(Reply(status=status, body={"message": "no"}) for status in (401, 403, 404, 410, 422, 451, 502)),
        Reply(status=429, headers={"Retry-After": "1"}),
        Reply(drop=True),
        Reply(cut=True),
    ]
    for reply in replies:
        with Scripted(reply) as server, pytest.raises(MetricsError) as caught:
            ask(server, Clock())
        assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in str(caught.value)
    assert caplog.records
    assert TOKEN not in caplog.text


def test_a_link_with_hostile_content_is_an_error_of_ours() -> None:
    with Scripted(Reply()) as server, pytest.raises(BadAnswer, match="leads to no address"):
        ask(server, Clock(), path="http://[::1/page")


# --- several credentials ---

TWO = (Token("the first", "secret-of-the-first"), Token("the second", "secret-of-the-second"))


def who(asked: Asked) -> str:
    """The secret that a request came with."""
    return asked.headers.get("authorization", "").removeprefix("Bearer ")


def test_two_tokens_have_a_budget_each_and_the_one_with_more_left_is_used() -> None:
    clock, left = Clock(), {one.secret: 50 for one in TWO}
    left["secret-of-the-first"] = 20

    def answer(asked: Asked) -> Reply:
        left[who(asked)] -= 1
        return Reply(body=[], headers=limits(left[who(asked)], clock.now + 1800))

    with Scripted(answer=answer) as server:
        asking(server, clock, times=60, client={"credentials": TWO, "concurrency": 1})
        used = [who(asked) for asked in server.asked]
    assert clock.slept == []  # 60 of 70
    assert abs(left["secret-of-the-first"] - left["secret-of-the-second"]) <= 1
    assert used.count("secret-of-the-second") == pytest.approx(45, abs=1)


def test_a_token_that_has_to_wait_leaves_the_work_to_the_other() -> None:
    clock = Clock()

    def answer(asked: Asked) -> Reply:
        if who(asked) == "secret-of-the-first":
            return Reply(status=429, headers={"Retry-After": "500"})
        return Reply(body=[])

    with Scripted(answer=answer) as server:
        asking(server, clock, times=10, client={"credentials": TWO, "concurrency": 1})
        assert [who(asked) for asked in server.asked].count("secret-of-the-first") == 1
    assert clock.slept == []


def test_when_all_tokens_have_to_wait_the_first_that_may_is_used() -> None:
    clock, first = Clock(), set[str]()

    def answer(asked: Asked) -> Reply:
        if who(asked) in first:
            return Reply(body=[])
        first.add(who(asked))
        return Reply(status=429, headers={"Retry-After": "500" if "first" in who(asked) else "90"})

    with Scripted(answer=answer) as server:
        ask(server, clock, client={"credentials": TWO})
        assert [who(asked) for asked in server.asked][-1] == "secret-of-the-second"
    assert clock.slept == [90]


@pytest.mark.parametrize("tries", [1, TRIES])
def test_a_refused_token_is_left_out(tries: int) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(status=401) if who(asked) == "secret-of-the-first" else Reply(body=[])

    with Scripted(answer=answer) as server:
        found = asking(server, Clock(), times=5, tries=tries, client={"credentials": TWO, "concurrency": 1})
        assert [answer.json for answer in found] == [[]] * 5
        assert [who(asked) for asked in server.asked].count("secret-of-the-first") == 1


def test_when_all_tokens_are_refused_nothing_can_be_collected() -> None:
    with Scripted(Reply(status=401)) as server:
        with pytest.raises(Unauthorized, match="the second was refused"):
            ask(server, Clock(), client={"credentials": TWO})
        assert {who(asked) for asked in server.asked} == {one.secret for one in TWO}
        assert len(server.asked) == 2


class Refused:
    """A credential whose secret the provider does not give, as an App's may be."""

    name = "the App"

    async def authorization(self) -> str:
        raise Unauthorized("the App was refused.")


def test_a_credential_that_gets_no_token_leaves_the_work_to_the_other() -> None:
    with Scripted(Reply(body=[])) as server:
        credentials: list[Credential] = [Refused(), TWO[1]]
        assert ask(server, Clock(), client={"credentials": credentials}).json == []
        assert [who(asked) for asked in server.asked] == ["secret-of-the-second"]
        with pytest.raises(Unauthorized):
            ask(server, Clock(), client={"credentials": [Refused()]})


def test_without_a_token_no_authorization_is_sent() -> None:
    with Scripted(Reply(body=[])) as server:
        ask(server, Clock(), client={"credentials": ()})
        ask(server, Clock(), client={"credentials": [Nobody()]})
        assert all("authorization" not in asked.headers for asked in server.asked)


# --- answers that need not be sent again, or are not ready ---


def marked(asked: Asked) -> Reply:
    """A page that changed last at a time, with both marks; 304 to whom knows one of them."""
    marks = {"ETag": 'W/"abc"', "Last-Modified": "Sun, 01 Jun 2025 12:00:00 GMT"}
    known = (asked.headers.get("if-none-match"), asked.headers.get("if-modified-since"))
    if known[0] == marks["ETag"] or (known[0] is None and known[1] == marks["Last-Modified"]):
        return Reply(b"", status=304, headers=marks)
    return Reply(body=[1], headers=marks)


@pytest.mark.parametrize(
    ("known", "headers"),
    [
        (Validator('W/"abc"', None), {"if-none-match": 'W/"abc"'}),
        (Validator(None, "Sun, 01 Jun 2025 12:00:00 GMT"), {"if-modified-since": "Sun, 01 Jun 2025 12:00:00 GMT"}),
    ],
    ids=["ETag", "Last-Modified"],
)
def test_what_did_not_change_is_not_sent_again(known: Validator, headers: dict[str, str]) -> None:
    spent = Spent()
    with Scripted(answer=marked) as server:
        first = ask(server, Clock(), spent=spent)
        again = ask(server, Clock(), spent=spent, known=known)
        assert {name: server.asked[1].headers.get(name) for name in headers} == headers
        assert ask(server, Clock(), known=Validator('"older"', None), spent=spent).json == [1]
    assert (first.json, first.not_modified) == ([1], False)
    assert first.validator == Validator('W/"abc"', "Sun, 01 Jun 2025 12:00:00 GMT")
    assert (again.json, again.not_modified) == (None, True)
    assert (spent.requests, spent.not_modified, spent.retries) == (3, 1, 0)


def test_an_answer_without_marks_has_no_validator() -> None:
    with Scripted(Reply(body=[])) as server:
        assert ask(server, Clock()).validator is None


def test_an_answer_that_is_being_computed_is_asked_for_again() -> None:
    clock, spent = Clock(), Spent()
    with Scripted(Reply(status=202), Reply(status=202), Reply(body=[5])) as server:
        assert ask(server, clock, spent=spent).json == [5]
    assert (spent.requests, spent.retries) == (3, 2)
    assert len(clock.slept) == 2


def test_an_answer_that_never_gets_ready_is_given_up() -> None:
    with Scripted(Reply(status=202)) as server, pytest.raises(NotReady, match=r"\(202\), after 6 tries"):
        ask(server, Clock())
    assert len(server.asked) == TRIES


def test_a_text_is_taken_as_it_is() -> None:
    with Scripted(Reply("a,b\n1,é\n".encode(), headers={"Content-Type": "text/csv; charset=utf-8"})) as server:
        answer = ask(server, Clock(), text=True)
    assert (answer.text, answer.json) == ("a,b\n1,é\n", None)


def test_no_content_is_no_error() -> None:
    with Scripted(Reply(b"", status=204)) as server:
        assert ask(server, Clock()).json is None


@pytest.mark.parametrize(("tries_if_heavy", "requests"), [(2, 2), (None, TRIES)])
def test_what_is_too_heavy_is_not_asked_for_as_often(tries_if_heavy: int | None, requests: int) -> None:
    with Scripted(Reply(status=504)) as server, pytest.raises(TooHeavy):
        ask(server, Clock(), tries_if_heavy=tries_if_heavy)
    assert len(server.asked) == requests


# --- a clock that is off ---


def dated(now: float, ahead: float) -> dict[str, str]:
    """The Date of a provider whose clock is `ahead` of ours."""
    return {"Date": format_datetime(datetime.fromtimestamp(now + ahead, UTC), usegmt=True)}


@pytest.mark.parametrize("ahead", [3600, -3600, 0, 1.5])
def test_a_reset_is_waited_for_in_the_providers_time(ahead: float) -> None:
    clock, seen = Clock(), []

    def answer(asked: Asked) -> Reply:
        seen.append(clock.now)
        theirs = clock.now + ahead
        reset = seen[0] + ahead + 600
        remaining = 0 if theirs < reset else 99
        return Reply(body=[], headers={**limits(remaining, reset), **dated(clock.now, ahead)})

    with Scripted(answer=answer) as server:
        asking(server, clock, times=2, client={"concurrency": 1})
    assert seen[1] - seen[0] == pytest.approx(601, abs=3)


@pytest.mark.parametrize(("ahead", "believed"), [(3600, 3600), (-86400, -86400), (1, 0)])
def test_the_client_tells_the_providers_time(ahead: float, believed: float) -> None:
    clock = Clock()

    async def go(url: str) -> float:
        async with ApiClient(url, sleep=clock.sleep, clock=clock) as client:
            await client.request("GET", "/", resource="core", spent=Spent())
            return client.now()

    with Scripted(Reply(body=[], headers=dated(clock.now, ahead))) as server:
        assert asyncio.run(go(server.url)) == clock.now + believed


@pytest.mark.parametrize("date", ["", "soon", "99 Foo 2025"])
def test_a_date_that_is_none_is_passed_over(date: str) -> None:
    with Scripted(Reply(body=[], headers={"Date": date})) as server:
        assert ask(server, Clock()).json == []


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_a_clock_that_is_off_does_not_hold_requests_up(ahead: float) -> None:
    """Our own limits last a minute (or an hour), whatever the provider's clock says meanwhile."""
    clock = Clock()

    def answer(asked: Asked) -> Reply:
        return Reply(body=[], headers=dated(clock.now, ahead))

    client = {"concurrency": 1, "per_minute": {"core": 10}, "busy_seconds": {"core": 50.0}, "cap": HourlyCap(1000)}
    with Scripted(answer=answer) as server:
        asking(server, clock, times=25, client=client)
    assert sum(clock.slept) == pytest.approx(120, abs=5)


# --- limits of our own ---


def test_busy_seconds_count_how_long_answers_take() -> None:
    clock, at = Clock(), []

    def answer(asked: Asked) -> Reply:
        at.append(clock.now)
        clock.now += 4  # as long as the answer takes
        return Reply(body=[])

    with Scripted(answer=answer) as server:
        asking(server, clock, times=30, client={"busy_seconds": {"core": 20.0}, "concurrency": 1})
    for moment in at:
        assert sum(4 for other in at if moment - 60 < other + 4 <= moment) <= 20
    assert clock.now - at[0] >= 300  # 120 seconds of work at a third of the time


def test_the_cap_of_metrics_yaml_holds_over_all_tokens_and_counts_points() -> None:
    clock, cap = Clock(), HourlyCap(10)

    async def go(url: str) -> None:
        async with ApiClient(url, credentials=TWO, cap=cap, sleep=clock.sleep, clock=clock) as client:
            for _ in range(4):
                await client.request("GET", "/", resource="core", spent=Spent())
                client.charge(4)

    with Scripted(Reply(body=[])) as server:
        asyncio.run(go(server.url))
    assert sum(clock.slept) == pytest.approx(3600, abs=1)  # 5 + 5, an hour, 5 + 5


@pytest.mark.parametrize("failing", [Reply(status=500), Reply(drop=True), Reply(body=b"no JSON")])
def test_a_provider_that_is_down_is_left_alone(failing: Reply) -> None:
    clock, errors = Clock(), []

    async def go(url: str) -> None:
        async with ApiClient(url, sleep=clock.sleep, clock=clock) as client:

            async def worker() -> None:
                for _ in range(125):
                    try:
                        await client.request("GET", "/", resource="core", spent=Spent())
                    except Unavailable as error:
                        errors.append(str(error))

            await asyncio.gather(*(worker() for _ in range(8)))

    with Scripted(failing) as server:
        asyncio.run(go(server.url))
        assert len(server.asked) <= 12 * TRIES  # five that tried to the end, and what was on its way meanwhile
    assert len(errors) == 1000
    assert sum("not sent" in error for error in errors) >= 988


def test_pages_that_are_too_heavy_say_nothing_about_the_providers_health() -> None:
    clock = Clock()

    async def go(url: str) -> list[str]:
        async with ApiClient(url, sleep=clock.sleep, clock=clock) as client:
            caught = []
            for _ in range(8):
                with pytest.raises(TooHeavy) as error:
                    await client.request("GET", "/", resource="core", spent=Spent(), tries_if_heavy=1)
                caught.append(str(error.value))
            return caught

    with Scripted(Reply(status=502)) as server:
        assert not any("not sent" in text for text in asyncio.run(go(server.url)))


def test_an_answer_of_any_kind_shows_that_the_provider_is_there() -> None:
    """Failures in a row open the circuit; a 404 between them is an answer."""
    clock = Clock()

    def answer(asked: Asked) -> Reply:
        return Reply(status=404 if asked.path == "/gone" else 500)

    async def go(url: str) -> None:
        async with ApiClient(url, sleep=clock.sleep, clock=clock) as client:
            for path in ["/down"] * 4 + ["/gone"] + ["/down"] * 4:
                with pytest.raises((NotFound, Unavailable)):
                    await client.request("GET", path, resource="core", spent=Spent(), tries=1)

    with Scripted(answer=answer) as server:
        asyncio.run(go(server.url))
        assert len(server.asked) == 9


# --- secrets ---


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_carries_a_token_to_another_host(status: int, method: str) -> None:
    async def go(url: str) -> None:
        async with ApiClient(url, credentials=TWO) as client:
            await client.request(method, "/thing", resource="core", spent=Spent(), body={"a": 1})

    with Scripted(Reply(body={})) as elsewhere:
        other = elsewhere.url.replace("127.0.0.1", "localhost")
        for target in (elsewhere.url, other):
            with Scripted(Reply(status=status, headers={"Location": f"{target}/x"})) as server:
                asyncio.run(go(server.url))
        assert len(elsewhere.asked) == 2
        assert all("authorization" not in asked.headers for asked in elsewhere.asked)
        assert all(one.secret not in str(asked) for asked in elsewhere.asked for one in TWO)


def test_no_representation_holds_the_secret() -> None:
    token = Token("GITHUB_TOKEN", TOKEN)
    client = ApiClient("http://127.0.0.1:1", credentials=[token])
    for shown in (repr(token), str(token), f"{token}", repr(client._keys), repr([token]), repr({"t": token})):
        assert TOKEN not in shown
    assert "GITHUB_TOKEN" in repr(token)
