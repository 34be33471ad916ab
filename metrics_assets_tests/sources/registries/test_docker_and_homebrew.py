"""Docker Hub: pulls, stars, version tags. Homebrew: rolling sums and the current version."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from metrics_assets.sources.records import PackageCounter
from metrics_assets.sources.registries import docker, homebrew
from metrics_assets_tests.sources.registries.asking import at, collect, package
from metrics_assets_tests.sources.scripted import Asked, Reply

pytestmark = pytest.mark.usefixtures("fixed_clock")

BASE = "/v2/repositories/acme/tool/"
REPOSITORY = {
    "user": "acme", "name": "tool", "namespace": "acme", "star_count": 12, "pull_count": 34567,
    "date_registered": "2024-01-01T00:00:00.5Z", "last_updated": "2026-08-01T00:00:00Z",
}  # fmt: skip


def tag(name: str, pushed: str) -> dict[str, Any]:
    time = f"{pushed}T09:00:00.123456Z"
    return {"name": name, "last_updated": time, "tag_last_pushed": time, "tag_status": "active"}


PAGES = {
    "1": {"next": "more", "results": [tag("latest", "2026-08-20"), tag("2.0.0", "2026-08-20"), tag("2", "2026-08-20")]},
    "2": {"next": "more", "results": [tag("2.0.0-rc1", "2026-08-10"), tag("1.9.0-alpine", "2026-08-09")]},
    "3": {"next": None, "results": [tag("v1.9.0", "2026-01-01")]},
}


def tags(asked: Asked) -> Reply:
    return Reply(PAGES[asked.path.partition("&page=")[2].partition("&")[0]])


def test_pulls_stars_and_version_tags() -> None:
    collected = collect(docker, "docker:acme/tool", ["docker"], {BASE: REPOSITORY, f"{BASE}tags": tags})
    assert {row.counter: row.value for row in collected.of(PackageCounter)} == {"downloads_total": 34567, "stars": 12}
    assert {v: (r.published_at.date(), r.is_prerelease) for v, r in collected.releases.items() if r.published_at} == {
        "2.0.0": (date(2026, 8, 20), False),
        "2.0.0-rc1": (date(2026, 8, 10), True),
        "v1.9.0": (date(2026, 1, 1), False),
    }
    assert collected.complete_lists == {"raw.package_releases"}
    assert set(collected.package.unknown) == {"dependents", "advisories"}


def test_old_tags_that_are_held_are_not_read_again() -> None:
    held = package("docker:acme/tool")
    answers = {BASE: REPOSITORY, f"{BASE}tags": tags}
    collected = collect(docker, "docker:acme/tool", ["docker"], answers, held=held, since=date(2026, 8, 15))
    assert sorted(collected.releases) == ["2.0.0", "2.0.0-rc1"]
    assert not collected.complete_lists


def test_docker_hub_says_wait() -> None:
    wait = Reply({"message": "Too Many Requests"}, status=429, headers={"Retry-After": "30"})
    collected = collect(docker, "docker:acme/tool", ["docker"], {BASE: wait, f"{BASE}tags": tags})
    assert "asks to wait (429)" in collected.error("downloads")
    assert len(collected.releases) == 3


def test_an_image_that_does_not_exist() -> None:
    collected = collect(docker, "docker:acme/tool", ["docker"], {})
    assert collected.package.state == "missing"
    assert collected.subject.outcomes["downloads"].error


@pytest.mark.parametrize("wrong", [{"pull_count": None, "star_count": 1}, {"pull_count": -4, "star_count": 1}, {}, []])
def test_counts_that_are_none(wrong: Any) -> None:
    collected = collect(docker, "docker:acme/tool", ["docker"], {BASE: wrong, f"{BASE}tags": tags})
    assert BASE in collected.error("downloads")
    assert not collected.of(PackageCounter)


FORMULA = {
    "name": "acme", "full_name": "acme", "tap": "homebrew/core", "license": "MIT", "versions": {"stable": "3.1.4"},
    "deprecated": True, "deprecation_reason": "unmaintained", "disabled": False, "disable_reason": None,
    "analytics": {"install": {"30d": {"acme": 100, "acme --HEAD": 2}, "90d": {"acme": 300}, "365d": {"acme": 1000}}},
}  # fmt: skip


def test_a_formula() -> None:
    collected = collect(homebrew, "brew:acme", ["brew"], {"/api/formula/acme.json": FORMULA})
    assert {row.counter: row.value for row in collected.of(PackageCounter)} == {
        "installs_30_days": 102, "installs_90_days": 300, "installs_365_days": 1000,
    }  # fmt: skip
    (release,) = collected.releases.values()
    assert (release.version, release.published_at, release.yanked_reason) == ("3.1.4", None, "unmaintained")
    assert (collected.package.state, collected.package.license) == ("deprecated", "MIT")
    assert set(collected.package.unknown) == {"downloads", "releases", "dependents", "advisories"}


def test_a_cask() -> None:
    cask = {"token": "acme", "version": "5.0", "deprecated": False, "disabled": True, "disable_reason": "gone",
            "analytics": {"install": {"30d": {"acme": 7}}}}  # fmt: skip
    collected = collect(homebrew, "brew:acme", ["brew"], {"/api/cask/acme.json": cask})
    assert collected.releases["5.0"].yanked_reason == "gone"
    assert [row.value for row in collected.of(PackageCounter)] == [7]


def test_neither_formula_nor_cask() -> None:
    collected = collect(homebrew, "brew:acme", ["brew"], {})
    assert collected.package.state == "missing"
    assert "/api/cask/acme.json: 404" in collected.error("releases")


@pytest.mark.parametrize(
    "wrong", [{"analytics": {"install": {"30d": {"acme": "many"}}}}, [], {"deprecated": "perhaps"}]
)
def test_formulae_that_cannot_be_used(wrong: Any) -> None:
    collected = collect(homebrew, "brew:acme", ["brew"], {"/api/formula/acme.json": wrong})
    assert "/api/formula/acme.json" in collected.error("releases")
    assert not collected.of(PackageCounter)


def test_which_tags_are_releases() -> None:
    names = ["1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2", "latest", "1.2.3-alpine", "1.2.3-bookworm-slim", "sha-1.2.3"]
    assert [name for name in names if docker.is_release(name)] == ["1.2.3", "v1.2.3", "1.2.3-rc.1"]


def test_times_of_an_image() -> None:
    collected = collect(docker, "docker:acme/tool", ["docker"], {BASE: REPOSITORY, f"{BASE}tags": tags})
    assert collected.package.created_at is not None
    assert collected.package.created_at.replace(microsecond=0) == at("2024-01-01")
