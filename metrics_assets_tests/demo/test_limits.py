"""Budgets, clocks and how the server counts what comes."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import httpx
import pytest

from metrics_assets.demo.budget import Budget
from metrics_assets.demo.history import History
from metrics_assets.demo.load import Load
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer
from metrics_assets.demo.synthetic import many_repositories
from metrics_assets_tests.demo.asking import ask, serving


@pytest.fixture(scope="module")
def aurora() -> History:
    return sample_organisation()


def test_the_reset_is_by_the_clock_of_the_history(aurora: History) -> None:
    with serving(aurora) as (server, client):
        answer = client.get("/user")
        date = parsedate_to_datetime(answer.headers["Date"])
        assert date == aurora.now
        assert 3500 < int(answer.headers["X-RateLimit-Reset"]) - date.timestamp() <= 3601
        server.app.purses.of("Bearer anything").core.exhaust(0.7)
        refused = client.get("/user")
        assert refused.status_code == 403
        assert int(refused.headers["X-RateLimit-Reset"]) - date.timestamp() == 1
        time.sleep(0.75)
        assert client.get("/user").status_code == 200


def test_each_token_has_its_own_budgets(aurora: History) -> None:
    with DemoServer(aurora, budget=3) as server:
        with httpx.Client(base_url=server.url, headers={"Authorization": "Bearer one"}) as one:
            assert [one.get("/user").status_code for _ in range(4)] == [200, 200, 200, 403]
            assert "errors" not in ask(one, "{ viewer { login } }")
        with httpx.Client(base_url=server.url, headers={"Authorization": "Bearer two"}) as two:
            assert two.get("/user").headers["X-RateLimit-Remaining"] == "2"
            assert two.get("/rate_limit").json()["resources"]["graphql"]["remaining"] == 3


def test_a_refused_query_leaves_nothing(aurora: History) -> None:
    budget = Budget("graphql", limit=3, used=1)
    assert not budget.spend(5)
    assert budget.remaining == 0
    budget.exhaust(-1)
    assert budget.spend(2)
    assert budget.remaining == 1


def test_answers_take_their_time_side_by_side() -> None:
    async def together(url: str) -> None:
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": "x"}) as client:
            await asyncio.gather(*(client.get("/user") for _ in range(12)))

    with DemoServer(many_repositories(2), latency_ms=150) as server:
        started = time.monotonic()
        asyncio.run(together(server.url))
        took = time.monotonic() - started
        assert 0.15 <= took < 1.2  # not 12 x 0.15
        assert server.most_at_once == 12
        assert server.busiest_minute == {"rest": 12}


def test_the_busiest_minute_is_any_sixty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("metrics_assets.demo.load.time", SimpleNamespace(monotonic=lambda: now))
    load = Load()
    for pause in (0, 30, 29, 2, 59, 0, 60):
        now += pause
        load.begin("rest")
        load.end()
    assert load.busiest_minute == {"rest": 3}
    assert load.requests == {"rest": 7}
    assert load.most_at_once == 1
