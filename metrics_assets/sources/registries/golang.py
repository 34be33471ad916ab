"""Go: releases from the module proxy, retractions from the newest go.mod, importers from pkg.go.dev.

Nobody counts downloads of Go modules: proxies do not publish them. How many packages import one is the nearest
public figure.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from pydantic import BaseModel, Field

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import NotFound
from metrics_assets.sources.records import PackageRelease, Record
from metrics_assets.sources.registries import osv
from metrics_assets.sources.registries.subject import (
    DEPENDENTS,
    DOWNLOADS,
    RELEASES,
    Askers,
    Count,
    Part,
    Subject,
    Time,
)
from metrics_assets.sources.registries.versions import is_prerelease, is_pseudo, precedence

_BATCH = 50
_RETRACT = re.compile(r"\[\s*(?P<low>[^\s,\]]+)\s*,\s*(?P<high>[^\s,\]]+)\s*\]|(?P<one>[^\s\[\]()]+)")


class _Info(BaseModel):
    version: str = Field(alias="Version")
    time: Time | None = Field(None, alias="Time")


class _Importers(BaseModel):
    class _Inner(BaseModel):
        total: Count

    imported_by: _Inner = Field(alias="importedBy")


@dataclass(frozen=True, slots=True)
class Retraction:
    """Versions from `low` to `high`, both included, that their author advises against."""

    low: str
    high: str
    reason: str | None

    def covers(self, version: str) -> bool:
        ends = precedence(self.low), precedence(self.high)
        at = precedence(version)
        if at is None or ends[0] is None or ends[1] is None:
            return version in (self.low, self.high)
        return ends[0] <= at <= ends[1]


async def collect(askers: Askers, subject: Subject) -> AsyncIterator[Batch]:
    """Releases with retractions, importers and advisories of a module."""
    subject.unknown[DOWNLOADS] = "the Go module proxy publishes no downloads; imported_by is the nearest public figure"
    parts: list[Part] = []
    if "go" in askers:
        parts.append(Part(RELEASES, _releases(askers["go"], subject)))
    else:
        subject.unknown[RELEASES] = "set sources.go.base_url in metrics.yaml"
    if "pkg_go" in askers:
        parts.append(Part(DEPENDENTS, _importers(askers["pkg_go"], subject)))
    parts += osv.part(askers, subject)
    async for batch in subject.collect(askers.get("go"), *parts):
        yield batch


async def _releases(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    module = f"/{escaped(subject.package)}"
    listed = await subject.conditional(asker, RELEASES).get(f"{module}/@v/list", text=True, conditional=True)
    if listed.not_modified:
        return
    # The newest go.mod says what is retracted, also where it retracts itself.
    latest = parse(_Info, (answer := await asker.get(f"{module}/@latest")).json, answer.url)
    content = (await asker.get(f"{module}/@v/{escaped(latest.version)}.mod", text=True)).text
    retractions, deprecation = retracted(content), deprecated(content)
    versions = [version for version in listed.text.split() if not is_pseudo(version)]
    times: dict[str, datetime | None] = {}
    records: list[Record] = []
    for version in versions:
        times[version] = await _published_at(asker, subject, module, version)
        cover = next((one for one in retractions if one.covers(version)), None)
        records.append(
            subject.release(
                version,
                times[version],
                is_prerelease=is_prerelease(version),
                yanked=cover is not None,
                reason=cover.reason if cover else None,
                noticed_at=asker.now(),
            )
        )
        if len(records) == _BATCH:
            yield Batch(records)
            records = []
    subject.found = subject.describe(
        "deprecated" if deprecation else "active",
        asker.now(),
        latest_version=latest.version,
        created_at=min((time for time in times.values() if time), default=None),
    )
    yield Batch(records, dict(asker.fresh), total_count=len(versions), complete_lists=(PackageRelease.TABLE,))


async def _published_at(asker: Asker, subject: Subject, module: str, version: str) -> datetime | None:
    """When a version was committed, which is what the proxy knows; it never changes, so it is asked for once."""
    held = subject.releases.get(version)
    if held is not None and held.published_at is not None:
        return held.published_at
    try:
        answer = await asker.get(f"{module}/@v/{escaped(version)}.info")
    except NotFound:
        return None
    return parse(_Info, answer.json, answer.url).time


async def _importers(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    # Without `module`, a path that is a package of two modules is answered by a question.
    params: dict[str, str | int] = {"limit": 1, "module": subject.package}
    try:
        answer = await asker.get(f"/v1beta/imported-by/{quote(subject.package, safe='/~')}", params)
    except NotFound:
        subject.unknown[DEPENDENTS] = "pkg.go.dev does not know this module"
        return
    total = parse(_Importers, answer.json, answer.url).imported_by.total
    yield Batch([subject.counter("imported_by", total, asker.now())])


def escaped(path: str) -> str:
    """A module path or version as the proxy's addresses have it: an upper-case letter is '!' and its lower case.

    Source: go.dev/ref/mod#goproxy-protocol, so that file systems without upper case can hold them all.
    """
    return quote(re.sub("[A-Z]", lambda found: f"!{found[0].lower()}", path), safe="/!~@+")


def retracted(go_mod: str) -> list[Retraction]:
    """The retract directives of a go.mod; the comment before or behind one is the reason (go.dev/ref/mod)."""
    found: list[Retraction] = []
    above: list[str] = []
    in_block = in_other = False
    block_reason: str | None = None
    for raw in go_mod.splitlines():
        code, _, comment = (part.strip() for part in raw.partition("//"))
        if not code:
            above = [*above, comment] if "//" in raw else []
            continue
        reason = comment or " ".join(above) or None
        above = []
        if in_block or in_other:
            if code == ")":
                in_block = in_other = False
            elif in_block:
                found += _directives(code, reason or block_reason)
        elif re.fullmatch(r"retract\s*\(", code):
            in_block, block_reason = True, reason
        elif code.endswith("("):
            in_other = True
        elif code.split()[0] == "retract":
            found += _directives(code.removeprefix("retract"), reason)
    return found


def _directives(code: str, reason: str | None) -> list[Retraction]:
    return [Retraction(one["low"] or one["one"], one["high"] or one["one"], reason) for one in _RETRACT.finditer(code)]


def deprecated(go_mod: str) -> str | None:
    """The message of 'Deprecated:' in the comment before or behind the module directive; None where there is none."""
    above: list[str] = []
    for raw in go_mod.splitlines():
        code, _, comment = (part.strip() for part in raw.partition("//"))
        if code.split()[:1] == ["module"]:
            paragraphs = "\n".join([*above, comment]).split("\n\n")
            said = [one.removeprefix("Deprecated:") for one in paragraphs if one.startswith("Deprecated:")]
            return " ".join(said[0].split()) or "deprecated" if said else None
        above = [*above, comment] if "//" in raw else []
    return None
