"""npm: deprecations, unpublished versions, scoped names, and days on which the counting failed."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from metrics_assets.sources.records import PackageDownloads
from metrics_assets.sources.registries import npm
from metrics_assets_tests.sources.registries.asking import TODAY, at, collect, marked, package
from metrics_assets_tests.sources.scripted import Asked, Reply

pytestmark = pytest.mark.usefixtures("fixed_clock")
DAY = timedelta(days=1)

PACKUMENT = {
    "name": "@acme/client",
    "dist-tags": {"latest": "1.1.0", "next": "2.0.0-rc.1"},
    "versions": {
        "1.0.0": {"version": "1.0.0", "deprecated": "use 1.1", "license": "ISC"},
        "1.1.0": {"version": "1.1.0", "license": {"type": "MIT", "url": "x"}, "deprecated": ""},
        "2.0.0-rc.1": {"version": "2.0.0-rc.1", "license": "MIT"},
    },
    "time": {
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-06-01T00:00:00.000Z",
        "0.9.0": "2026-01-01T00:00:00.000Z",
        "1.0.0": "2026-02-01T00:00:00.000Z",
        "1.1.0": "2026-03-01T00:00:00.000Z",
        "2.0.0-rc.1": "2026-04-01T00:00:00.000Z",
    },
}


def counting(count: dict[date, int]) -> Any:
    """The service that counts: every day of the range that is asked for, 18 months at the most."""

    def answer(asked: Asked) -> Reply:
        first, last = (date.fromisoformat(day) for day in asked.path.split("/")[3].split(":"))
        assert (last - first).days < 547
        assert first >= date(2015, 1, 10)
        days = [first + number * DAY for number in range((last - first).days + 1)]
        rows = [{"day": day.isoformat(), "downloads": count.get(day, 0)} for day in days]
        return Reply({"start": str(first), "end": str(last), "package": "acme", "downloads": rows})

    return answer


def ranges(*pairs: tuple[date, date], name: str = "acme", answer: Any) -> dict[str, Any]:
    return {f"/downloads/range/{first}:{last}/{name}": answer for first, last in pairs}


def test_releases_with_deprecations() -> None:
    collected = collect(npm, "npm:@acme/client", ["npm"], {"/@acme%2Fclient": PACKUMENT})
    assert {v: (r.published_at, r.is_prerelease, r.yanked_reason) for v, r in collected.releases.items()} == {
        "0.9.0": (at("2026-01-01"), False, "unpublished"),
        "1.0.0": (at("2026-02-01"), False, "use 1.1"),
        "1.1.0": (at("2026-03-01"), False, None),
        "2.0.0-rc.1": (at("2026-04-01"), True, None),
    }
    assert [v for v, r in collected.releases.items() if r.is_yanked] == ["0.9.0", "1.0.0"]
    found = collected.package
    assert (found.state, found.latest_version, found.license) == ("active", "1.1.0", "MIT")
    assert found.created_at == at("2026-01-01")
    assert found.unknown["downloads"] == "set sources.npm.downloads_url in metrics.yaml"


def test_a_package_whose_newest_version_is_deprecated_is_deprecated() -> None:
    versions: Any = PACKUMENT["versions"]
    gone = PACKUMENT | {"versions": versions | {"1.1.0": {"deprecated": True}}}
    assert collect(npm, "npm:acme", ["npm"], {"/acme": gone}).package.state == "deprecated"


def test_a_package_that_was_unpublished_as_a_whole() -> None:
    gone = {"name": "acme", "time": {"created": "2026-01-01T00:00:00Z", "unpublished": {"versions": ["1.0.0"]}}}
    collected = collect(npm, "npm:acme", ["npm"], {"/acme": gone})
    assert (collected.package.state, collected.releases) == ("deprecated", {})


def test_downloads_without_the_days_on_which_counting_failed() -> None:
    count = {TODAY - number * DAY: 100 + number for number in range(40)}
    count[date(2026, 8, 18)] = 0  # between 105 and 107
    count[date(2026, 8, 23)] = 0  # not counted yet
    answers = ranges((date(2026, 8, 6), date(2026, 8, 23)), answer=counting(count))
    collected = collect(npm, "npm:acme", ["npm_downloads"], answers)
    found = {row.date: row.downloads for row in collected.of(PackageDownloads)}
    assert date(2026, 8, 18) not in found
    assert max(found) == date(2026, 8, 22)
    assert len(found) == 16  # of the 18 days from two weeks before the range's start
    assert found[date(2026, 8, 20)] == 104


def test_days_before_the_creation_are_not_zero() -> None:
    held = package("npm:acme", created_at=at("2026-08-15 12:00"))
    count = {TODAY - number * DAY: 2 for number in range(5)}
    answers = ranges((date(2026, 8, 6), date(2026, 8, 23)), answer=counting(count))
    collected = collect(npm, "npm:acme", ["npm_downloads"], answers, held=held)
    found = {row.date: row.downloads for row in collected.of(PackageDownloads)}
    assert min(found) == date(2026, 8, 15)
    assert found[date(2026, 8, 15)] == 0
    # Where nobody says when it was made, it begins with its first download.
    unknown = collect(npm, "npm:acme", ["npm_downloads"], answers)
    assert min(row.date for row in unknown.of(PackageDownloads)) == date(2026, 8, 20)


def test_a_long_history_is_asked_for_in_slices() -> None:
    slices = [
        ("2015-01-10", "2016-07-02"), ("2016-07-03", "2017-12-24"), ("2017-12-25", "2019-06-17"),
        ("2019-06-18", "2020-12-08"), ("2020-12-09", "2022-06-01"), ("2022-06-02", "2023-11-23"),
        ("2023-11-24", "2025-05-16"), ("2025-05-17", "2026-08-23"),
    ]  # fmt: skip
    pairs = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in slices]
    answers = ranges(*pairs, name="@acme/client", answer=counting({date(2015, 1, 10): 3}))
    collected = collect(npm, "npm:@acme/client", ["npm_downloads"], answers, since=date(2010, 1, 1))
    assert len(collected.asked) == 8
    assert len(collected.of(PackageDownloads)) == (date(2026, 8, 24) - date(2015, 1, 10)).days


def test_recorded_days_are_written_but_for_the_failures(real_data: Path) -> None:
    recorded = json.loads((real_data / "registries" / "npm_downloads_range" / "electron.json").read_text())
    by_day = {date.fromisoformat(row["day"]): row["downloads"] for row in recorded["downloads"]}
    answers = ranges(
        (date(2025, 2, 23), date(2026, 8, 16)),
        (date(2026, 8, 17), date(2026, 8, 23)),
        name="electron",
        answer=counting(by_day),
    )
    collected = collect(npm, "npm:electron", ["npm_downloads"], answers, since=date(2025, 3, 9))
    found = {row.date: row.downloads for row in collected.of(PackageDownloads)}
    assert len(found) == 547 - 7
    assert sum(found.values()) == sum(by_day.values())
    assert all(found.values())


def test_a_service_that_does_not_know_the_package() -> None:
    collected = collect(npm, "npm:acme", ["npm", "npm_downloads"], {"/acme": PACKUMENT})
    assert collected.package.unknown["downloads"] == "npm has counted no downloads of this package"
    assert collected.subject.outcomes["downloads"].error is None
    assert len(collected.releases) == 4


def test_without_addresses_everything_is_unknown_and_nothing_fails() -> None:
    collected = collect(npm, "npm:acme", ["osv"], {"/v1/query": {}})
    assert collected.package.unknown["releases"] == "set sources.npm.base_url in metrics.yaml"
    assert collected.package.unknown["downloads"] == "set sources.npm.downloads_url in metrics.yaml"
    assert not [one for one in collected.subject.outcomes.values() if one.error]


def test_what_did_not_change_yields_nothing() -> None:
    answers = {"/acme": marked(PACKUMENT)}
    first = collect(npm, "npm:acme", ["npm"], answers)
    again = collect(npm, "npm:acme", ["npm"], answers, held=first.package, known=first.validators)
    assert (again.releases, again.package) == ({}, first.package)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply({}, status=503), "503"),
        (Reply({"dist-tags": [], "versions": {}, "time": {}}), "dist-tags is a list"),
        (Reply(PACKUMENT | {"time": {"1.0.0": "long ago"}}), "'long ago', which is no time"),
        (Reply(b"<html>"), "the answer is not JSON"),
        (Reply(b""), "the whole is a NoneType"),
    ],
)
def test_answers_that_cannot_be_used(reply: Reply, error: str) -> None:
    assert error in collect(npm, "npm:acme", ["npm"], {"/acme": reply}).error("releases")


@pytest.mark.parametrize("wrong", [{"downloads": "many"}, {"downloads": [{"day": "2026-08-20", "downloads": -1}]}, {}])
def test_counts_that_are_none(wrong: Any) -> None:
    answers = ranges((date(2026, 8, 6), date(2026, 8, 23)), answer=wrong)
    collected = collect(npm, "npm:acme", ["npm_downloads"], answers)
    assert "downloads" in collected.error("downloads")
    assert not collected.of(PackageDownloads)
