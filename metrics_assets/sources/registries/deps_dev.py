"""deps.dev: how many packages depend on a package, directly and through others.

It counts by version: a dependent belongs to the version that its requirement resolves to. A new release starts
with few and takes the others over within days, so the newest version alone would fall with every release; the
figure of the package is that of the version with the most among the newest ones. Public packages only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote

from pydantic import BaseModel, Field

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import NotFound
from metrics_assets.sources.records import PackageCounter, Record
from metrics_assets.sources.registries.subject import DEPENDENTS, Askers, Count, Part, Subject, Time

# What deps.dev calls the registries of which it counts dependents.
_SYSTEMS = {"pypi": "pypi", "npm": "npm", "crates": "cargo"}
_NEWEST = 5
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class _Version(BaseModel):
    class _Key(BaseModel):
        version: str

    key: _Key = Field(alias="versionKey")
    published_at: Time | None = Field(None, alias="publishedAt")
    is_default: bool = Field(False, alias="isDefault")


class _Versions(BaseModel):
    versions: list[_Version] = []


class _Dependents(BaseModel):
    """protobuf's JSON leaves out what is 0."""

    all: Count = Field(0, alias="dependentCount")
    direct: Count = Field(0, alias="directDependentCount")
    indirect: Count = Field(0, alias="indirectDependentCount")


def part(askers: Askers, subject: Subject) -> list[Part]:
    """The part for dependents; none, with the reason, where deps.dev does not count them."""
    system = _SYSTEMS.get(subject.registry)
    if system is None:
        subject.unknown.setdefault(DEPENDENTS, "deps.dev counts no dependents of this registry's packages")
        return []
    if "deps_dev" not in askers:
        subject.unknown[DEPENDENTS] = "set sources.deps_dev.base_url in metrics.yaml"
        return []
    return [Part(DEPENDENTS, _dependents(askers["deps_dev"], subject, system))]


async def _dependents(asker: Asker, subject: Subject, system: str) -> AsyncIterator[Batch]:
    package = quote(subject.package, safe="")
    try:
        answer = await asker.get(f"/v3/systems/{system}/packages/{package}")
    except NotFound:
        subject.unknown[DEPENDENTS] = "deps.dev does not know this package"
        return
    known = parse(_Versions, answer.json, answer.url).versions
    counted: list[tuple[str, _Dependents]] = []
    for version in _asked_about(known):
        where = f"/v3alpha/systems/{system}/packages/{package}/versions/{quote(version, safe='')}:dependents"
        try:
            answer = await asker.get(where)
        except NotFound:
            continue
        counted.append((version, parse(_Dependents, answer.json or {}, answer.url)))
    if not counted:
        subject.unknown[DEPENDENTS] = "deps.dev has not counted the dependents of its newest versions"
        return
    now = asker.now()
    most = max((dependents for _, dependents in counted), key=lambda dependents: dependents.all)
    records: list[Record] = []
    for version, dependents in [("", most), *counted]:
        records += _counters(subject, version, dependents, now)
    yield Batch(records)


def _asked_about(versions: list[_Version]) -> list[str]:
    newest = sorted(versions, key=lambda version: version.published_at or _EARLIEST, reverse=True)[:_NEWEST]
    default = [version for version in versions if version.is_default]
    return list(dict.fromkeys(version.key.version for version in [*default, *newest]))


def _counters(subject: Subject, version: str, dependents: _Dependents, now: datetime) -> list[PackageCounter]:
    return [
        subject.counter("dependents", dependents.all, now, version),
        subject.counter("dependents_direct", dependents.direct, now, version),
        subject.counter("dependents_indirect", dependents.indirect, now, version),
    ]
