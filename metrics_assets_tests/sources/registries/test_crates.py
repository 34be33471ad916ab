"""crates.io: pages of versions, days as the sum of named versions and all others, running totals."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from metrics_assets.sources.records import PackageCounter, PackageDownloads
from metrics_assets.sources.registries import crates
from metrics_assets_tests.sources.registries.asking import at, collect
from metrics_assets_tests.sources.scripted import Reply

pytestmark = pytest.mark.usefixtures("fixed_clock")

CRATE = {
    "crate": {
        "id": "acme-core", "name": "acme-core", "created_at": "2024-05-01T12:00:00.123456+00:00", "downloads": 5000,
        "recent_downloads": 900, "max_stable_version": "1.1.0", "newest_version": "2.0.0-beta.1", "versions": [1, 2],
    }
}  # fmt: skip


def version(number: int, name: str, created: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "crate": "acme-core", "num": name, "created_at": f"{created}T12:00:00Z", "yanked": False,
            "yank_message": None, "downloads": 10 * number, "license": "MIT OR Apache-2.0"} | more  # fmt: skip


FIRST = {
    "versions": [version(3, "2.0.0-beta.1", "2026-03-01"), version(2, "1.1.0", "2026-02-01")],
    "meta": {"total": 3, "next_page": "?per_page=100&seek=abc"},
}
SECOND = {
    "versions": [version(1, "1.0.0", "2024-05-01", yanked=True, yank_message="unsound")],
    "meta": {"total": 3, "next_page": None},
}
DOWNLOADS = {
    "version_downloads": [
        {"version": 2, "downloads": 40, "date": "2026-08-20"},
        {"version": 3, "downloads": 2, "date": "2026-08-20"},
        {"version": 2, "downloads": 44, "date": "2026-08-23"},
        {"version": 2, "downloads": 5, "date": "2026-08-24"},  # today is not over
        {"version": 77, "downloads": 1, "date": "2026-08-20"},  # deleted since
    ],
    "meta": {"extra_downloads": [{"date": "2026-08-20", "downloads": 7}, {"date": "2026-08-21", "downloads": 9}]},
}
BASE = "/api/v1/crates/acme-core"
ANSWERS = {
    BASE: CRATE,
    f"{BASE}/versions?per_page=100": FIRST,
    f"{BASE}/versions?per_page=100&seek=abc": SECOND,
    f"{BASE}/downloads": DOWNLOADS,
}


def test_releases_of_all_pages() -> None:
    collected = collect(crates, "crates:acme-core", ["crates"], ANSWERS)
    assert {v: (r.published_at, r.is_prerelease, r.yanked_reason) for v, r in collected.releases.items()} == {
        "2.0.0-beta.1": (at("2026-03-01 12:00"), True, None),
        "1.1.0": (at("2026-02-01 12:00"), False, None),
        "1.0.0": (at("2024-05-01 12:00"), False, "unsound"),
    }
    assert [set(batch.complete_lists) for batch in collected.batches[:3]] == [set(), set(), {"raw.package_releases"}]
    assert (collected.package.latest_version, collected.package.license) == ("1.1.0", "MIT OR Apache-2.0")


def test_a_days_total_is_that_of_the_named_versions_and_of_all_others() -> None:
    collected = collect(crates, "crates:acme-core", ["crates"], ANSWERS)
    found = {(row.version, row.date.day): row.downloads for row in collected.of(PackageDownloads)}
    assert found == {
        ("1.1.0", 20): 40, ("2.0.0-beta.1", 20): 2, ("1.1.0", 23): 44,
        ("", 20): 50, ("", 21): 9, ("", 22): 0, ("", 23): 44,
    }  # fmt: skip


def test_running_totals() -> None:
    collected = collect(crates, "crates:acme-core", ["crates"], ANSWERS)
    found = {(row.version, row.counter): row.value for row in collected.of(PackageCounter)}
    assert found == {
        ("", "downloads_total"): 5000,
        ("1.0.0", "downloads_total"): 10,
        ("1.1.0", "downloads_total"): 20,
        ("2.0.0-beta.1", "downloads_total"): 30,
    }
    assert {row.observed_on for row in collected.of(PackageCounter)} == {date(2026, 8, 24)}


def test_a_crate_that_nobody_took_is_not_zero() -> None:
    nothing = {"version_downloads": [], "meta": {"extra_downloads": []}}
    collected = collect(crates, "crates:acme-core", ["crates"], ANSWERS | {f"{BASE}/downloads": nothing})
    assert not collected.of(PackageDownloads)
    assert "no day of the last 90" in collected.package.unknown["downloads"]


def test_a_page_that_leads_to_itself_ends() -> None:
    loop = FIRST | {"meta": {"next_page": "?per_page=100"}}
    collected = collect(crates, "crates:acme-core", ["crates"], ANSWERS | {f"{BASE}/versions?per_page=100": loop})
    assert "read already" in collected.error("releases")
    assert not collected.complete_lists


def test_a_second_page_that_fails_keeps_the_first_and_deletes_nothing() -> None:
    answers = ANSWERS | {f"{BASE}/versions?per_page=100&seek=abc": Reply({}, status=500)}
    collected = collect(crates, "crates:acme-core", ["crates"], answers)
    assert sorted(collected.releases) == ["1.1.0", "2.0.0-beta.1"]
    assert "500" in collected.error("releases")
    assert not collected.complete_lists


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({}, "crate is a dict"),
        ({"crate": {"created_at": "2024-05-01T12:00:00Z", "downloads": "lots"}}, "crate.downloads is 'lots'"),
        ({"errors": [{"detail": "x"}]}, "crate is a dict"),
        ([], "the whole is a list"),
    ],
)
def test_answers_that_cannot_be_used(wrong: Any, error: str) -> None:
    collected = collect(crates, "crates:acme-core", ["crates"], ANSWERS | {BASE: wrong})
    assert error in collected.error("releases")
    assert "/api/v1/crates/acme-core" in collected.error("releases")
    assert {row.version for row in collected.of(PackageDownloads)} == {""}  # versions have no names without a list
