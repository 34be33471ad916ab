"""Who asks, how fast, and with which index."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from metrics_assets.settings import Sources
from metrics_assets.sources.errors import NotFound, Unauthorized
from metrics_assets.sources.http import Spent
from metrics_assets.sources.records import PackageCounter, PackageDownloads
from metrics_assets.sources.registries import crates
from metrics_assets.sources.registries.clients import connect
from metrics_assets_tests.sources.registries.asking import NOW, collect
from metrics_assets_tests.sources.scripted import Clock, Reply, Scripted


def sources(**given: object) -> Sources:
    return Sources.model_validate(given)


def test_only_what_is_needed_is_connected() -> None:
    async def services(*registries: str) -> set[str]:
        async with connect(sources(), registries, "acme") as clients:
            return set(clients)

    assert asyncio.run(services("npm", "docker")) == {"docker", "deps_dev", "osv"}  # npm has no address
    assert asyncio.run(services("go")) == {"go", "pkg_go", "osv"}


def test_crates_io_is_asked_once_in_a_second_also_when_it_fails() -> None:
    clock = Clock(NOW.timestamp())

    async def go(url: str) -> None:
        given = sources(crates={"base_url": url})
        async with connect(given, ["crates"], "acme", sleep=clock.sleep, clock=clock) as clients:
            asked = (clients["crates"].request("GET", f"/{n}", resource="core", spent=Spent()) for n in range(3))
            await asyncio.gather(*asked)

    with Scripted(Reply({}, status=500), Reply({})) as server:
        asyncio.run(go(server.url))
        assert len(server.asked) == 4
        assert all(asked.headers["user-agent"].startswith("metrics_assets/") for asked in server.asked)
    assert clock.now - NOW.timestamp() >= 3.0


def test_the_index_of_pip_with_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go(url: str) -> str:
        monkeypatch.setenv("PIP_INDEX_URL", url.replace("://", "://me:hidden@") + "/root/simple")
        async with connect(sources(), ["pypi"], "acme") as clients:
            with pytest.raises(NotFound):
                await clients["pypi"].request("GET", "/pypi/acme/json", resource="core", spent=Spent())
            with pytest.raises(Unauthorized) as refused:
                await clients["pypi_simple"].request("GET", "/acme/", resource="core", spent=Spent())
            return str(refused.value) + repr(clients["pypi_simple"]._keys)

    with Scripted(Reply({}, status=404), Reply({}, status=401)) as server:
        said = asyncio.run(go(server.url))
        assert [asked.path for asked in server.asked] == ["/root/pypi/acme/json", "/root/simple/acme/"]
        assert {asked.headers["authorization"] for asked in server.asked} == {"Basic bWU6aGlkZGVu"}
        assert server.asked[1].headers["accept"].startswith("application/vnd.pypi.simple.v1+json")
    assert "hidden" not in said
    assert "bWU6" not in said
    assert "the user of pip's index-url" in said


def test_the_day_is_the_registrys_own() -> None:
    """Our clock stands at 06:00 of the 24th; at the registry it is still the 23rd, which is therefore not over."""
    late = {"Date": "Sun, 23 Aug 2026 23:50:00 GMT"}
    days = [{"version": 1, "date": f"2026-08-{day}", "downloads": 1} for day in (21, 22, 23)]
    base = "/api/v1/crates/acme"
    answers = {
        base: Reply({"crate": {"created_at": "2026-01-01T00:00:00Z", "downloads": 9}}, headers=late),
        f"{base}/versions": Reply({"versions": []}, headers=late),
        f"{base}/downloads": Reply({"version_downloads": days}, headers=late),
    }
    collected = collect(crates, "crates:acme", ["crates"], answers)
    assert [row.observed_on for row in collected.of(PackageCounter)] == [date(2026, 8, 23)]
    assert [row.date.day for row in collected.of(PackageDownloads)] == [21, 22]
