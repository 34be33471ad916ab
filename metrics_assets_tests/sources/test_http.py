"""The HTTP client against a real server on loopback: what it tries again, how long it waits, what it says."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from metrics_assets.errors import MetricsError
from metrics_assets.sources.errors import BadAnswer, Blocked, Forbidden, NotFound, Unauthorized, Unavailable
from metrics_assets.sources.http import TRIES, Answer, ApiClient, Spent
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
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with ApiClient(url, headers, sleep=clock.sleep, clock=clock, **(client or {})) as api:
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


def test_what_does_not_pass_ends_with_a_sentence() -> None:
    clock = Clock()
    with Scripted(Reply(status=502)) as server, pytest.raises(Unavailable) as caught:
        ask(server, clock)
    assert len(server.asked) == TRIES
    assert len(clock.slept) == TRIES - 1
    assert clock.slept[-1] > 4 * clock.slept[0]  # later and later
    assert str(caught.value) == (
        f"GET {server.url}/thing: the provider answered 502, after 6 tries; run it again later."
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
    with Scripted(Reply(status=429, headers={"Retry-After": "60"})) as server, pytest.raises(Unavailable) as caught:
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


def test_requests_are_paced_per_minute() -> None:
    clock, at = Clock(), []

    def answer(asked: Asked) -> Reply:
        at.append(clock.now)
        return Reply(body=[])

    with Scripted(answer=answer) as server:
        asking(server, clock, times=25, client={"per_minute": {"core": 10}, "concurrency": 4})
    assert len(at) == 25
    for moment in at:
        assert sum(moment - 60 < other <= moment for other in at) <= 10


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (401, Unauthorized, "create a new one and export GITHUB_TOKEN"),
        (403, Forbidden, "give the token the permission"),
        (404, NotFound, "check the name and that the token may see it"),
        (410, NotFound, "check the name"),
        (451, Blocked, "the provider has blocked access"),
        (422, BadAnswer, "run it again"),
        (409, BadAnswer, "run it again"),
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
