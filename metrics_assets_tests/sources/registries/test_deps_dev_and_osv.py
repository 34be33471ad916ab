"""Dependents of the newest versions, and all pages of advisories."""

from __future__ import annotations

from typing import Any

import pytest

from metrics_assets.sources.records import PackageAdvisory, PackageCounter
from metrics_assets.sources.registries import golang, npm, pypi
from metrics_assets_tests.sources.registries.asking import at, collect, package
from metrics_assets_tests.sources.scripted import Asked, Reply

pytestmark = pytest.mark.usefixtures("fixed_clock")


def version(name: str, published: str, is_default: bool = False) -> dict[str, Any]:
    key = {"system": "NPM", "name": "@acme/client", "version": name}
    return {"versionKey": key, "publishedAt": f"{published}T00:00:00Z", "isDefault": is_default}


PACKAGE = "/systems/npm/packages/%40acme%2Fclient"
KNOWN = {
    "packageKey": {"system": "NPM", "name": "@acme/client"},
    "versions": [
        version("1.0.0", "2026-01-01", is_default=True),
        *(version(f"2.{n}.0", f"2026-02-0{n}") for n in range(1, 7)),
    ],
}


def dependents(name: str, direct: int, indirect: int) -> dict[str, Any]:
    path = f"/v3alpha{PACKAGE}/versions/{name}:dependents"
    counts = {"dependentCount": direct + indirect, "directDependentCount": direct, "indirectDependentCount": indirect}
    return {path: {name: count for name, count in counts.items() if count}}


def test_dependents_are_those_of_the_version_that_has_most() -> None:
    answers = {f"/v3{PACKAGE}": KNOWN, **dependents("1.0.0", 90, 10), **dependents("2.6.0", 3, 0)}
    collected = collect(npm, "npm:@acme/client", ["deps_dev"], answers)
    assert {(row.version, row.counter): row.value for row in collected.of(PackageCounter)} == {
        ("", "dependents"): 100, ("", "dependents_direct"): 90, ("", "dependents_indirect"): 10,
        ("1.0.0", "dependents"): 100, ("1.0.0", "dependents_direct"): 90, ("1.0.0", "dependents_indirect"): 10,
        ("2.6.0", "dependents"): 3, ("2.6.0", "dependents_direct"): 3, ("2.6.0", "dependents_indirect"): 0,
    }  # fmt: skip
    assert len(collected.asked) == 7  # the package, the default version, the five newest


def test_what_deps_dev_has_not_counted_is_unknown() -> None:
    collected = collect(npm, "npm:@acme/client", ["deps_dev"], {f"/v3{PACKAGE}": KNOWN})
    assert not collected.of(PackageCounter)
    assert "has not counted" in collected.package.unknown["dependents"]
    unknown = collect(npm, "npm:@acme/client", ["deps_dev"], {})
    assert unknown.package.unknown["dependents"] == "deps.dev does not know this package"


@pytest.mark.parametrize("wrong", [{"versions": {}}, {"versions": [{}]}, None, Reply({}, status=500)])
def test_dependents_that_cannot_be_read(wrong: Any) -> None:
    collected = collect(npm, "npm:@acme/client", ["deps_dev"], {f"/v3{PACKAGE}": wrong})
    assert f"/v3{PACKAGE}" in collected.error("dependents")


def vulnerability(name: str, *, affected: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": name, "published": "2026-03-01T00:00:00Z", "modified": "2026-03-02T00:00:00Z",
            "affected": affected} | more  # fmt: skip


def of(ecosystem: str, name: str, fixed: str | None, versions: list[str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    return {"package": {"ecosystem": ecosystem, "name": name}, "ranges": [{"type": kind, "events": events}],
            "versions": versions}  # fmt: skip


def osv(*pages: dict[str, Any]) -> dict[str, Any]:
    """The pages of an answer; each question has to carry the token of the page before."""

    def answer(asked: Asked) -> Reply:
        token = asked.body.get("page_token")
        number = int(token) if token else 0
        more = {"next_page_token": str(number + 1)} if number + 1 < len(pages) else {}
        return Reply(pages[number] | more)

    return {"/v1/query": answer}


def test_advisories_of_all_pages() -> None:
    first = vulnerability(
        "GHSA-1",
        aliases=["CVE-1"],
        summary="Reads files",
        severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        affected=[
            of("PyPI", "Acme_Client", "1.0.2", ["1.0.0", "1.0.1"]),
            of("PyPI", "acme-client", "0123abcd", [], "GIT"),
            of("PyPI", "another", "9.9", ["9.0"]),
            of("npm", "acme-client", "7.7", []),
        ],
    )
    second = vulnerability(
        "PYSEC-2", affected=[], withdrawn="2026-04-01T00:00:00Z", database_specific={"severity": "MEDIUM"}
    )
    collected = collect(pypi, "pypi:acme-client", ["osv"], osv({"vulns": [first]}, {}, {"vulns": [second]}))
    one, two = collected.of(PackageAdvisory)
    assert (one.advisory_id, one.aliases, one.severity) == ("GHSA-1", ["CVE-1"], "critical")
    assert (one.affected_versions, one.fixed_in) == (["1.0.0", "1.0.1"], ["1.0.2"])
    assert (two.severity, two.withdrawn_at, two.fixed_in) == ("moderate", at("2026-04-01"), [])
    assert [asked.body for asked in collected.asked] == [
        {"package": {"name": "acme-client", "ecosystem": "PyPI"}},
        {"package": {"name": "acme-client", "ecosystem": "PyPI"}, "page_token": "1"},
        {"package": {"name": "acme-client", "ecosystem": "PyPI"}, "page_token": "2"},
    ]
    assert [bool(batch.complete_lists) for batch in collected.batches] == [False, False, True, False]


def test_versions_are_written_as_the_registry_writes_them() -> None:
    about = vulnerability("GO-1", affected=[of("Go", "example.com/acme", "1.2.3", [], "SEMVER")])
    collected = collect(golang, "go:example.com/acme", ["osv"], osv({"vulns": [about]}))
    assert collected.of(PackageAdvisory)[0].fixed_in == ["v1.2.3"]


def test_a_page_that_leads_to_itself_ends() -> None:
    loop = {"/v1/query": {"vulns": [], "next_page_token": "again"}}
    collected = collect(npm, "npm:acme", ["osv"], loop)
    assert "read already" in collected.error("advisories")
    assert not collected.complete_lists


def test_an_error_of_a_service_is_a_reason_until_it_was_collected_once() -> None:
    down = {"/v1/query": Reply({}, status=500)}
    assert "500" in collect(npm, "npm:acme", ["osv"], down).package.unknown["advisories"]
    held = package("npm:acme", unknown={"advisories": "it could not be collected yet (x)"})
    assert "500" in collect(npm, "npm:acme", ["osv"], down, held=held).package.unknown["advisories"]
    assert "advisories" not in collect(npm, "npm:acme", ["osv"], down, held=package("npm:acme")).package.unknown
    back = collect(npm, "npm:acme", ["osv"], osv({}), held=held)
    assert "advisories" not in back.package.unknown


@pytest.mark.parametrize("wrong", [{"vulns": "none"}, {"vulns": [{}]}, [1]])
def test_advisories_that_cannot_be_read(wrong: Any) -> None:
    assert "/v1/query of npm:acme" in collect(npm, "npm:acme", ["osv"], {"/v1/query": wrong}).error("advisories")
