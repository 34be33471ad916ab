"""Go: escaped paths, retractions, deprecations, importers; no downloads."""

from __future__ import annotations

from typing import Any

import pytest

from metrics_assets.sources.records import PackageCounter
from metrics_assets.sources.registries import golang
from metrics_assets.sources.registries.golang import Retraction, deprecated, escaped, retracted
from metrics_assets_tests.sources.registries.asking import at, collect, marked, text
from metrics_assets_tests.sources.scripted import Reply

pytestmark = pytest.mark.usefixtures("fixed_clock")

GO_MOD = """// Package text that is no deprecation.
module github.com/Acme/tool/v2

go 1.22

require (
	golang.org/x/mod v0.14.0
	v1.9.9 v1.9.9
)

// Loses data.
retract v2.0.1

retract (
	v2.1.0 // Published too early.
	[v2.2.0, v2.2.2] // Retracts its own fix.
)
"""
MODULE = "/github.com/!acme/tool/v2"
ANSWERS: dict[str, Any] = {
    f"{MODULE}/@v/list": text("v2.0.0\nv2.0.1\nv2.2.1\nv2.3.0-rc.1\nv2.0.0-20240102150405-abcdefabcdef\n"),
    f"{MODULE}/@latest": {"Version": "v2.2.2", "Time": "2026-05-01T00:00:00Z"},
    f"{MODULE}/@v/v2.2.2.mod": text(GO_MOD),
    f"{MODULE}/@v/v2.0.0.info": {"Version": "v2.0.0", "Time": "2026-01-01T00:00:00Z"},
    f"{MODULE}/@v/v2.0.1.info": {"Version": "v2.0.1", "Time": "2026-02-01T00:00:00Z"},
    f"{MODULE}/@v/v2.2.1.info": {"Version": "v2.2.1", "Time": "2026-04-01T00:00:00Z"},
    "/v1beta/imported-by/github.com/Acme/tool/v2": {"importedBy": {"total": 1234, "items": []}},
}
NAME = "go:github.com/Acme/tool/v2"


def test_releases_with_retractions() -> None:
    collected = collect(golang, NAME, ["go"], ANSWERS)
    assert {v: (r.published_at, r.is_prerelease, r.yanked_reason) for v, r in collected.releases.items()} == {
        "v2.0.0": (at("2026-01-01"), False, None),
        "v2.0.1": (at("2026-02-01"), False, "Loses data."),
        "v2.2.1": (at("2026-04-01"), False, "Retracts its own fix."),
        "v2.3.0-rc.1": (None, True, None),  # listed, but its time is gone
    }
    assert (collected.package.latest_version, collected.package.created_at) == ("v2.2.2", at("2026-01-01"))
    assert "no downloads" in collected.package.unknown["downloads"]


def test_what_never_changes_is_asked_for_once() -> None:
    first = collect(golang, NAME, ["go"], ANSWERS)
    again = collect(golang, NAME, ["go"], ANSWERS, held=first.package, releases=first.releases)
    assert [asked.path.rpartition("/")[2] for asked in again.asked] == [
        "list", "@latest", "v2.2.2.mod", "v2.3.0-rc.1.info",
    ]  # fmt: skip
    assert again.releases == first.releases


def test_importers() -> None:
    collected = collect(golang, NAME, ["go", "pkg_go"], ANSWERS)
    assert [(row.counter, row.value) for row in collected.of(PackageCounter)] == [("imported_by", 1234)]
    unknown = collect(golang, "go:example.com/acme", ["pkg_go"], {})
    assert unknown.package.unknown["dependents"] == "pkg.go.dev does not know this module"


def test_a_module_without_tags_has_no_releases() -> None:
    pseudo = "v0.0.0-20240102150405-abcdefabcdef"
    answers = {
        "/example.com/acme/@v/list": text(""),
        "/example.com/acme/@latest": {"Version": pseudo, "Time": "2024-01-02T15:04:05Z"},
        f"/example.com/acme/@v/{pseudo}.mod": text("// Deprecated: use example.com/new instead.\nmodule m\n"),
    }
    collected = collect(golang, "go:example.com/acme", ["go"], answers)
    assert (collected.releases, collected.package.latest_version) == ({}, pseudo)
    assert collected.package.state == "deprecated"
    assert collected.complete_lists == {"raw.package_releases"}


def test_what_did_not_change_yields_nothing() -> None:
    answers = ANSWERS | {f"{MODULE}/@v/list": marked(ANSWERS[f"{MODULE}/@v/list"])}
    first = collect(golang, NAME, ["go"], answers)
    again = collect(golang, NAME, ["go"], answers, held=first.package, known=first.validators)
    assert (len(again.asked), again.releases, again.package) == (1, {}, first.package)


def test_a_module_that_is_gone() -> None:
    gone = Reply(b"not found: module", status=410)
    collected = collect(golang, NAME, ["go", "pkg_go"], ANSWERS | {f"{MODULE}/@v/list": gone})
    assert collected.package.state == "missing"
    assert "410" in collected.error("releases")
    assert collected.of(PackageCounter)


@pytest.mark.parametrize(
    ("path", "reply", "error"),
    [
        ("@latest", Reply([]), "the whole is a list"),
        ("@latest", Reply({"Version": 3}), "Version is 3"),
        ("@v/v2.0.0.info", Reply({"Version": "v2.0.0", "Time": "yesterday"}), "Time is 'yesterday'"),
        ("@v/list", Reply(b"", status=502), "502"),
    ],
)
def test_answers_that_cannot_be_used(path: str, reply: Reply, error: str) -> None:
    collected = collect(golang, NAME, ["go"], ANSWERS | {f"{MODULE}/{path}": reply})
    assert error in collected.error("releases")
    assert not collected.complete_lists


def test_upper_case_is_escaped() -> None:
    assert escaped("github.com/BurntSushi/toml") == "github.com/!burnt!sushi/toml"
    assert escaped("v1.0.0-RC1+incompatible") == "v1.0.0-!r!c1+incompatible"


@pytest.mark.parametrize(
    ("go_mod", "expected"),
    [
        ("module m\nretract v1.0.0 // bad\n", [Retraction("v1.0.0", "v1.0.0", "bad")]),
        ("// above\nretract [ v1.0.0 , v1.2.0 ]\n", [Retraction("v1.0.0", "v1.2.0", "above")]),
        ("// apart\n\nretract v1.0.0\n", [Retraction("v1.0.0", "v1.0.0", None)]),
        ("// all\nretract (\n v1.0.0\n v1.1.0 // this\n)\n",
         [Retraction("v1.0.0", "v1.0.0", "all"), Retraction("v1.1.0", "v1.1.0", "this")]),
        ("module m\n// retract v1.0.0\n", []),
        ("exclude (\n retract v1.0.0\n)\n", []),
    ],
)  # fmt: skip
def test_retract_directives(go_mod: str, expected: list[Retraction]) -> None:
    assert retracted(go_mod) == expected


def test_a_range_of_retractions_has_the_order_of_versions() -> None:
    one = Retraction("v1.2.0", "v1.10.0", None)
    covered = [one.covers(v) for v in ("v1.2.0", "v1.9.5", "v1.10.0-rc.1", "v1.10.0", "v1.10.1", "v1.2.0-rc.1")]
    assert covered == [True, True, True, True, False, False]


def test_deprecations() -> None:
    assert deprecated("// Deprecated: use\n// m/v2.\nmodule m") == "use m/v2."
    assert deprecated("module m // Deprecated: gone") == "gone"
    assert deprecated("// Deprecated: no longer above it\n\nmodule m") is None
    assert deprecated("// About.\n//\n// Deprecated: x\nmodule m") == "x"
