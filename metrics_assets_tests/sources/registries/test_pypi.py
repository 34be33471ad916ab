"""PyPI by its JSON API, by its simple index alone, and pypistats."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from metrics_assets.sources.http import Validator
from metrics_assets.sources.records import PackageAdvisory, PackageDownloads
from metrics_assets.sources.registries import pip_index, pypi
from metrics_assets.sources.registries.pip_index import Index, configured_index, index_at
from metrics_assets_tests.sources.registries.asking import at, collect, marked, package
from metrics_assets_tests.sources.scripted import Reply

pytestmark = pytest.mark.usefixtures("fixed_clock")
INDEX = ["pypi", "pypi_simple"]


def file(uploaded: str, yanked: bool = False, reason: str | None = None) -> dict[str, Any]:
    return {"upload_time_iso_8601": f"{uploaded}T10:00:00.000000Z", "yanked": yanked, "yanked_reason": reason,
            "packagetype": "sdist", "size": 1000}  # fmt: skip


PROJECT = {
    "info": {"name": "Acme_Client", "version": "1.1.0", "license": "MIT", "license_expression": None},
    "last_serial": 1,
    "releases": {
        "0.9.0": [],  # all files were removed
        "1.0.0": [file("2026-01-05"), file("2026-01-04")],
        "1.0.1": [file("2026-02-01", True, "broken"), file("2026-02-01", True)],
        "1.0.2": [file("2026-03-01", True), file("2026-03-01")],  # one file can still be taken
        "1.1.0": [file("2026-04-01")],
        "2.0.0rc1": [file("2026-05-01")],
    },
}
SIMPLE = {
    "meta": {"api-version": "1.4"},
    "name": "acme-client",
    "versions": ["1.0", "1.0.1", "1.1rc1"],
    "files": [
        {"filename": "acme_client-1.0.0-py3-none-any.whl", "upload-time": "2026-01-05T10:00:00Z", "yanked": False},
        {"filename": "acme_client-1.0.1.tar.gz", "upload-time": "2026-02-01T10:00:00Z", "yanked": "broken"},
        {"filename": "acme_client-1.1rc1.tar.gz", "upload-time": "2026-03-01T10:00:00Z", "yanked": False},
        {"filename": "acme-client-1.0.win32.exe", "yanked": False},
    ],
    "project-status": {"status": "archived"},
}
STATISTICS = {
    "data": [
        {"category": "with_mirrors", "date": "2026-08-20", "downloads": 900},
        {"category": "without_mirrors", "date": "2026-08-20", "downloads": 700},
        {"category": "without_mirrors", "date": "2026-08-22", "downloads": 710},
        {"category": "without_mirrors", "date": "2026-08-24", "downloads": 12},  # today is not over
    ],
    "package": "acme-client",
    "type": "overall_downloads",
}
SIMPLE_JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json"}


def test_releases_of_the_json_api() -> None:
    collected = collect(pypi, "pypi:acme-client", INDEX, {"/pypi/acme-client/json": PROJECT})
    assert {v: (r.published_at, r.is_prerelease, r.is_yanked) for v, r in collected.releases.items()} == {
        "0.9.0": (None, False, False),
        "1.0.0": (at("2026-01-04 10:00"), False, False),
        "1.0.1": (at("2026-02-01 10:00"), False, True),
        "1.0.2": (at("2026-03-01 10:00"), False, False),
        "1.1.0": (at("2026-04-01 10:00"), False, False),
        "2.0.0rc1": (at("2026-05-01 10:00"), True, False),
    }
    yanked = collected.releases["1.0.1"]
    assert (yanked.yanked_reason, yanked.yanked_noticed_at) == ("broken", at("2026-08-24 06:00"))
    found = collected.package
    assert (found.state, found.latest_version, found.license, found.created_at) == (
        "active", "1.1.0", "MIT", at("2026-01-04 10:00"),
    )  # fmt: skip
    assert collected.complete_lists == {"raw.package_releases"}


def test_a_mirror_with_the_simple_index_alone() -> None:
    answers = {"/acme-client/": Reply(SIMPLE, headers=SIMPLE_JSON)}
    collected = collect(pypi, "pypi:acme-client", INDEX, answers)
    assert {v: (r.published_at, r.is_prerelease, r.yanked_reason) for v, r in collected.releases.items()} == {
        "1.0": (at("2026-01-05 10:00"), False, None),  # the file's name says 1.0.0, which is the same
        "1.0.1": (at("2026-02-01 10:00"), False, "broken"),
        "1.1rc1": (at("2026-03-01 10:00"), True, None),
    }
    assert (collected.package.state, collected.package.latest_version) == ("archived", "1.0")


def test_an_index_with_html_alone_says_what_is_unknown() -> None:
    html = Reply(b"<html></html>", headers={"Content-Type": "text/html"})
    collected = collect(pypi, "pypi:acme-client", INDEX, {"/acme-client/": html})
    assert not collected.releases
    assert "neither the JSON API nor JSON pages" in collected.package.unknown["releases"]
    assert collected.subject.outcomes["releases"].error is None


def test_downloads_are_those_without_mirrors_of_whole_days() -> None:
    path = "/api/packages/acme-client/overall"
    collected = collect(pypi, "pypi:acme-client", [*INDEX, "pypistats"], {path: STATISTICS})
    assert {row.date: row.downloads for row in collected.of(PackageDownloads)} == {
        date(2026, 8, 20): 700, date(2026, 8, 22): 710,
    }  # fmt: skip
    assert [asked.path for asked in collected.asked][-1] == f"{path}?mirrors=false"


def test_recorded_pypistats_are_understood(real_data: Path) -> None:
    rows = json.loads((real_data / "registries" / "pypistats" / "python_minor.json").read_text())
    # The recording is of another endpoint of the same shape; its categories are Python versions.
    as_overall = {"data": [row | {"category": "without_mirrors"} for row in rows["data"] if row["category"] == "3.6"]}
    collected = collect(pypi, "pypi:acme", [*INDEX, "pypistats"], {"/api/packages/acme/overall": as_overall})
    found = collected.of(PackageDownloads)
    assert len(found) == len(as_overall["data"]) > 100
    assert sum(row.downloads for row in found) == sum(row["downloads"] for row in as_overall["data"])


def test_what_did_not_change_is_not_sent_again_and_yields_nothing_but_the_package() -> None:
    answers = {
        "/pypi/acme/json": marked(PROJECT),
        "/api/packages/acme/overall": marked(STATISTICS, '"s"'),
    }
    services = [*INDEX, "pypistats"]
    first = collect(pypi, "pypi:acme", services, answers)
    assert set(first.validators.values()) == {Validator('"1"'), Validator('"s"')}
    again = collect(pypi, "pypi:acme", services, answers, held=first.package, known=first.validators)
    assert [len(batch.records) for batch in again.batches] == [1]
    assert again.package == first.package
    # What is not held is asked for as a whole, whatever the validators say.
    anew = collect(pypi, "pypi:acme", services, answers, known=first.validators)
    assert len(anew.releases) == 6
    back = collect(
        pypi, "pypi:acme", services, answers, held=package("pypi:acme", state="missing"), known=first.validators
    )
    assert (len(back.releases), back.package.state) == (6, "active")


def test_a_missing_package_is_marked_and_the_rest_is_collected() -> None:
    held = package("pypi:acme", license="MIT", created_at=at("2026-01-01"))
    answers = {"/api/packages/acme/overall": STATISTICS, "/v1/query": {}}
    collected = collect(pypi, "pypi:acme", [*INDEX, "pypistats", "osv"], answers, held=held)
    assert (collected.package.state, collected.package.license) == ("missing", "MIT")
    assert "404" in collected.error("releases")
    assert "/acme/" in collected.error("releases")
    assert len(collected.of(PackageDownloads)) == 2
    assert collected.complete_lists == {PackageAdvisory.TABLE}  # of releases, what is held stays


def test_an_index_without_address_is_unknown() -> None:
    collected = collect(pypi, "pypi:acme", ["osv"], {"/v1/query": {}})
    assert "sources.pypi.base_url" in collected.package.unknown["releases"]
    assert collected.package.state == "active"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply({}, status=500), "500, after 6 tries"),
        (Reply({"message": "slow down"}, status=429, headers={"Retry-After": "7"}), "asks to wait (429)"),
        (Reply(b"{not json", headers={"Content-Type": "application/json"}), "the answer is not JSON"),
        (Reply({"info": {}, "releases": [1, 2]}), "releases is a list"),
        (Reply({}), "info is a dict"),
        (Reply({"info": {}, "releases": {"1.0": [{"upload_time_iso_8601": "soon"}]}}), "'soon'"),
        (Reply({}, status=403), "403"),
        (Reply({}, status=401), "refused"),
        (Reply(drop=True), "the connection failed"),
    ],
)
def test_an_index_that_fails_stops_nothing_else(reply: Reply, error: str) -> None:
    answers = {"/pypi/acme/json": reply, "/acme/": reply, "/api/packages/acme/overall": STATISTICS}
    collected = collect(pypi, "pypi:acme", [*INDEX, "pypistats"], answers)
    assert error in collected.error("releases")
    assert len(collected.of(PackageDownloads)) == 2
    assert "could not be collected yet" in collected.package.unknown["releases"]
    # What was collected once is not unknown because it could not be refreshed.
    held = collect(pypi, "pypi:acme", [*INDEX, "pypistats"], answers, held=package("pypi:acme"))
    assert "releases" not in held.package.unknown


def test_retry_after_is_obeyed() -> None:
    replies = [Reply({}, status=429, headers={"Retry-After": "7"}), Reply(PROJECT)]
    answers = {"/pypi/acme/json": lambda asked: replies.pop(0)}
    collected = collect(pypi, "pypi:acme", INDEX, answers)
    assert len(collected.releases) == 6
    assert collected.package.observed_at == at("2026-08-24 06:00:07")


def test_addresses_of_an_index() -> None:
    assert index_at("http://host/root/simple/") == Index("http://host/root/simple", "http://host/root")
    assert index_at("http://host:81/pypi") == Index("http://host:81/pypi/simple", "http://host:81/pypi")
    assert index_at("http://host/root/+simple/") == Index("http://host/root/+simple", None)
    secret = index_at("https://me:pass%40word@host/simple")
    assert (secret.simple, secret.password) == ("https://host/simple", "bWU6cGFzc0B3b3Jk")
    assert "bWU" not in repr(secret)


def test_the_index_is_the_one_that_pip_uses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = http://mirror.test/root/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert configured_index() == Index("http://mirror.test/root/simple", "http://mirror.test/root")
    monkeypatch.setenv("PIP_INDEX_URL", "http://other.test/simple")
    assert configured_index() == Index("http://other.test/simple", "http://other.test")


def test_without_configuration_it_is_pips_own(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = subprocess.CompletedProcess([sys.executable], 0, stdout="", stderr="")
    monkeypatch.setattr(pip_index.subprocess, "run", lambda *args, **kwargs: nothing)
    found = configured_index()
    assert found is not None
    assert found.simple.endswith("/simple")
    assert found.password is None
