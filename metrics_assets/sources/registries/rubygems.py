"""RubyGems: releases, running totals of all and of each version.

A yanked version is not marked: it is no longer listed. What the warehouse holds besides is therefore yanked. Days
are not published; the running total is differenced (sql/derived/package_daily.sql).
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import quote

from pydantic import BaseModel, Field

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.records import PackageRelease, Record
from metrics_assets.sources.registries import deps_dev, osv
from metrics_assets.sources.registries.subject import DOWNLOADS, RELEASES, Askers, Count, Part, Subject, Time


class _Gem(BaseModel):
    version: str | None = None
    downloads: Count
    licenses: list[str] | None = None


class _Version(BaseModel):
    """A version for one platform; each platform has a row of its own."""

    number: str
    created_at: Time
    prerelease: bool
    downloads: Count = Field(alias="downloads_count")


class _Versions(BaseModel):
    versions: list[_Version]


async def collect(askers: Askers, subject: Subject) -> AsyncIterator[Batch]:
    """Releases with yanks, running totals and advisories of a gem."""
    parts: list[Part] = []
    if "gems" in askers:
        parts.append(Part(RELEASES, _releases(askers["gems"], subject)))
    else:
        subject.unknown[RELEASES] = subject.unknown[DOWNLOADS] = "set sources.gems.base_url in metrics.yaml"
    parts += deps_dev.part(askers, subject) + osv.part(askers, subject)
    async for batch in subject.collect(askers.get("gems"), *parts):
        yield batch


async def _releases(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    gem_name = quote(subject.package, safe="")
    answer = await asker.get(f"/api/v1/gems/{gem_name}.json")
    gem = parse(_Gem, answer.json, answer.url)
    now = asker.now()
    yield Batch([subject.counter("downloads_total", gem.downloads, now)])
    answer = await subject.conditional(asker, RELEASES).get(f"/api/v1/versions/{gem_name}.json", conditional=True)
    if answer.not_modified:
        return
    rows = parse(_Versions, {"versions": answer.json}, answer.url).versions
    by_number: dict[str, list[_Version]] = {}
    for row in rows:
        by_number.setdefault(row.number, []).append(row)
    records: list[Record] = []
    for number, platforms in by_number.items():
        records += [
            subject.release(
                number,
                min(row.created_at for row in platforms),
                is_prerelease=platforms[0].prerelease,
                yanked=False,
                reason=None,
                noticed_at=now,
            ),
            subject.counter("downloads_total", sum(row.downloads for row in platforms), now, number),
        ]
    records += [_yanked(held, now) for number, held in subject.releases.items() if number not in by_number]
    subject.found = subject.describe(
        "active",
        now,
        latest_version=gem.version,
        license=" OR ".join(gem.licenses) if gem.licenses else None,
        created_at=min((row.created_at for row in rows), default=None),
    )
    yield Batch(records, dict(asker.fresh), complete_lists=(PackageRelease.TABLE,))


def _yanked(held: PackageRelease, now: datetime) -> PackageRelease:
    return dataclasses.replace(
        held, is_yanked=True, yanked_reason="the registry no longer lists it", yanked_noticed_at=now
    )
