"""RubyGems: platforms, yanked versions that are no longer listed, running totals."""

from __future__ import annotations

from typing import Any

import pytest

from metrics_assets.sources.records import PackageCounter, PackageRelease
from metrics_assets.sources.registries import rubygems
from metrics_assets_tests.sources.registries.asking import at, collect, marked
from metrics_assets_tests.sources.scripted import Reply

pytestmark = pytest.mark.usefixtures("fixed_clock")

GEM = {"name": "acme", "version": "1.1.0", "downloads": 900, "version_downloads": 20, "licenses": ["MIT", "Ruby"]}


def version(number: str, created: str, downloads: int, platform: str = "ruby", pre: bool = False) -> dict[str, Any]:
    return {"number": number, "created_at": f"{created}T00:00:00.000Z", "downloads_count": downloads,
            "platform": platform, "prerelease": pre, "licenses": ["MIT"]}  # fmt: skip


VERSIONS = [
    version("2.0.0.beta1", "2026-03-01", 1, pre=True),
    version("1.1.0", "2026-02-02", 7, "java"),
    version("1.1.0", "2026-02-01", 5),
    version("1.0.0", "2026-01-01", 800),
]
ANSWERS = {"/api/v1/gems/acme.json": GEM, "/api/v1/versions/acme.json": VERSIONS}


def test_a_version_is_one_for_all_its_platforms() -> None:
    collected = collect(rubygems, "gems:acme", ["gems"], ANSWERS)
    assert {v: (r.published_at, r.is_prerelease, r.is_yanked) for v, r in collected.releases.items()} == {
        "2.0.0.beta1": (at("2026-03-01"), True, False),
        "1.1.0": (at("2026-02-01"), False, False),
        "1.0.0": (at("2026-01-01"), False, False),
    }
    assert {row.version: row.value for row in collected.of(PackageCounter)} == {
        "": 900, "2.0.0.beta1": 1, "1.1.0": 12, "1.0.0": 800,
    }  # fmt: skip
    assert (collected.package.latest_version, collected.package.license) == ("1.1.0", "MIT OR Ruby")
    assert "no dependents" in collected.package.unknown["dependents"]
    assert "downloads" not in collected.package.unknown


def test_a_version_that_is_no_longer_listed_is_yanked_and_may_come_back() -> None:
    before = collect(rubygems, "gems:acme", ["gems"], ANSWERS)
    without = ANSWERS | {"/api/v1/versions/acme.json": VERSIONS[:3]}
    yanked = collect(rubygems, "gems:acme", ["gems"], without, held=before.package, releases=before.releases)
    one: PackageRelease = yanked.releases["1.0.0"]
    assert (one.is_yanked, one.published_at) == (True, at("2026-01-01"))
    assert one.yanked_noticed_at == at("2026-08-24 06:00")
    assert one.yanked_reason == "the registry no longer lists it"
    back = collect(rubygems, "gems:acme", ["gems"], ANSWERS, held=yanked.package, releases=yanked.releases)
    assert back.releases["1.0.0"] == before.releases["1.0.0"]


def test_a_total_is_counted_also_where_the_versions_did_not_change() -> None:
    answers = ANSWERS | {"/api/v1/versions/acme.json": marked(VERSIONS)}
    first = collect(rubygems, "gems:acme", ["gems"], answers)
    again = collect(rubygems, "gems:acme", ["gems"], answers, held=first.package, known=first.validators)
    assert [(row.version, row.value) for row in again.of(PackageCounter)] == [("", 900)]
    assert again.releases == {}


def test_a_gem_that_does_not_exist() -> None:
    collected = collect(rubygems, "gems:acme", ["gems"], {})
    assert (collected.package.state, collected.releases) == ("missing", {})
    assert "/api/v1/gems/acme.json: 404" in collected.error("releases")


@pytest.mark.parametrize(
    ("versions", "error"),
    [
        (Reply({"number": "1"}), "versions is a dict"),
        (Reply([{"number": "1.0"}]), "versions.0.created_at is a dict"),
        (Reply(None), "versions is None"),
        (Reply([], status=500), "500"),
    ],
)
def test_answers_that_cannot_be_used(versions: Reply, error: str) -> None:
    collected = collect(rubygems, "gems:acme", ["gems"], ANSWERS | {"/api/v1/versions/acme.json": versions})
    assert error in collected.error("releases")
    assert [row.value for row in collected.of(PackageCounter)] == [900]  # what came before it is kept
