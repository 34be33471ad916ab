"""Tokens of a GitHub App: signed rightly, renewed in time and once, and never shown."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from metrics_assets.errors import ConfigurationError
from metrics_assets.sources.errors import Unauthorized, Unavailable
from metrics_assets.sources.github.app import AppInstallation
from metrics_assets.sources.http import ApiClient, Spent
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted


def pem(key: Any, password: bytes | None = None) -> str:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode())


KEY = pem(rsa.generate_private_key(65537, 2048))


def installation(url: str, clock: Clock, key: str = KEY) -> AppInstallation:
    return AppInstallation(url, 77, 1234, key, clock)


def zulu(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def dated(seconds: float) -> dict[str, str]:
    return {"Date": format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)}


def gives_tokens(clock: Clock, ahead: float = 0) -> Callable[[Asked], Reply]:
    """Tokens 1, 2, ..., each good for an hour of a provider whose clock is `ahead` of ours."""
    count = 0

    def answer(asked: Asked) -> Reply:
        nonlocal count
        now = clock.now + ahead
        if abs(claims(asked)["iat"] + 60 - now) > 60:
            return Reply({"message": "'Issued at' claim ('iat') must be in the past"}, 401, dated(now))
        count += 1
        return Reply({"token": f"ghs_secret{count}", "expires_at": zulu(now + 3600)}, 201, dated(now))

    return answer


def parts(asked: Asked) -> list[bytes]:
    token = asked.headers["authorization"].removeprefix("Bearer ")
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


def claims(asked: Asked) -> Any:
    return json.loads(parts(asked)[1])


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between tries, which a test does not."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def at_once(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", at_once)
    return waited


def test_the_request_is_signed_as_github_wants_it() -> None:
    clock = Clock()
    with Scripted(answer=gives_tokens(clock)) as server:
        assert asyncio.run(installation(server.url, clock).authorization()) == "Bearer ghs_secret1"
        (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/app/installations/1234/access_tokens")
    signed = asked.headers["authorization"].removeprefix("Bearer ").rpartition(".")[0]
    header, content, signature = parts(asked)
    private = load_pem_private_key(KEY.encode(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    private.public_key().verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())  # else it raises
    assert json.loads(header) == {"alg": "RS256", "typ": "JWT"}
    told = json.loads(content)
    assert told["iss"] == "77"
    assert told["iat"] <= clock.now < told["exp"] <= told["iat"] + 600  # no more than ten minutes


def test_a_token_is_renewed_before_it_ends_and_not_earlier() -> None:
    clock = Clock()

    async def go(url: str) -> list[str]:
        one, found = installation(url, clock), []
        for seconds in (0, 10, 3200, 200, 3000, 500):
            clock.now += seconds
            found.append((await one.authorization())[-1])
        return found

    with Scripted(answer=gives_tokens(clock)) as server:
        assert asyncio.run(go(server.url)) == ["1", "1", "1", "2", "2", "3"]


def test_many_requests_at_once_renew_once() -> None:
    clock = Clock()

    async def go(url: str) -> set[str]:
        one = installation(url, clock)
        return set(await asyncio.gather(*(one.authorization() for _ in range(50))))

    with Scripted(answer=gives_tokens(clock)) as server:
        assert asyncio.run(go(server.url)) == {"Bearer ghs_secret1"}
        assert len(server.asked) == 1


@pytest.mark.parametrize("ahead", [7200, -7200])
def test_a_clock_that_is_off_is_found_out_by_the_providers(ahead: float) -> None:
    clock = Clock()

    async def go(url: str) -> list[str]:
        one = installation(url, clock)
        first = await one.authorization()
        clock.now += 3200
        again = await one.authorization()
        clock.now += 200
        return [first[-1], again[-1], (await one.authorization())[-1]]

    with Scripted(answer=gives_tokens(clock, ahead)) as server:
        assert asyncio.run(go(server.url)) == ["1", "1", "2"]
        assert len(server.asked) == 4  # the first of both was refused for its time


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_names_the_app_and_what_to_check(status: int) -> None:
    with Scripted(Reply({"message": "no"}, status)) as server, pytest.raises(Unauthorized) as caught:
        asyncio.run(installation(server.url, Clock()).authorization())
    assert str(caught.value) == (
        f"POST {server.url}/app/installations/1234/access_tokens: GitHub App 77, installation 1234 was refused "
        f"({status}); check sources.github.app and that the private key is the App's."
    )
    assert len(server.asked) == 1


def test_a_refusal_that_is_not_about_the_time_is_one_after_another_try() -> None:
    with Scripted(Reply({}, 401, dated(5e8))) as server, pytest.raises(Unauthorized):
        asyncio.run(installation(server.url, Clock()).authorization())
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("", "no PEM of an RSA key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nrubbish-of-a-secret\n-----END RSA PRIVATE KEY-----\n", "no PEM of an RSA"),
        (pem(rsa.generate_private_key(65537, 2048), b"password"), "without a password"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "no RSA key; take the one that GitHub made"),
    ],
    ids=["none", "rubbish", "password", "elliptic"],
)
def test_a_wrong_key_is_said_in_a_sentence_without_the_key(key: str, text: str) -> None:
    with Scripted(Reply()) as server, pytest.raises(ConfigurationError, match=text) as caught:
        asyncio.run(installation(server.url, Clock(), key).authorization())
    assert "GitHub App 77, installation 1234" in str(caught.value)
    assert "rubbish" not in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply(drop=True),
        Reply(b"<html>", 201),
        Reply([], 201),
        Reply({}, 201),
        Reply({"token": "t"}, 201),
        Reply({"token": "t", "expires_at": None}, 201),
        Reply({"token": "t", "expires_at": "soon"}, 201),
    ],
)
def test_what_may_pass_is_tried_again_and_given_up_with_a_sentence(reply: Reply, pauses: list[float]) -> None:
    clock = Clock()
    with Scripted(reply) as server, pytest.raises(Unavailable, match="after 4 tries; run it again later"):
        asyncio.run(installation(server.url, clock).authorization())
    assert len(server.asked) == 4
    assert [pause for pause in pauses if pause] == [1, 2, 3]
    with Scripted(reply, Reply({"token": "t", "expires_at": zulu(clock.now + 3600)}, 201)) as server:
        assert asyncio.run(installation(server.url, clock).authorization()) == "Bearer t"


def test_a_client_asks_with_the_apps_token() -> None:
    clock = Clock()
    tokens = gives_tokens(clock)

    def answer(asked: Asked) -> Reply:
        return tokens(asked) if asked.method == "POST" else Reply([asked.headers["authorization"]])

    async def go(url: str) -> Any:
        credential = installation(url, clock)
        async with ApiClient(url, credentials=[credential], sleep=clock.sleep, clock=clock) as client:
            return (await client.request("GET", "/x", resource="core", spent=Spent())).json, credential

    with Scripted(answer=answer) as server:
        found, credential = asyncio.run(go(server.url))
    assert found == ["Bearer ghs_secret1"]
    for shown in (repr(credential), str(credential), f"{[credential]}"):
        assert "ghs_secret1" not in shown
        assert "PRIVATE KEY" not in shown
        assert "77" in shown
