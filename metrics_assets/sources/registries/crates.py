"""crates.io: releases with yanks, downloads of the last 90 days by version, and the running total.

The downloads API names the five newest versions and sums the others as extra downloads, so that a day's total is
the sum of both. It wants an identifying User-Agent and no more than one request in a second (see `clients`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from urllib.parse import quote

from pydantic import BaseModel, Field

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.records import PackageDownloads, PackageRelease, Record
from metrics_assets.sources.registries import deps_dev, osv
from metrics_assets.sources.registries.subject import DOWNLOADS, RELEASES, Askers, Count, Part, Subject, Time
from metrics_assets.sources.registries.versions import is_prerelease


class _Version(BaseModel):
    id: int
    number: str = Field(alias="num")
    created_at: Time
    yanked: bool
    yank_message: str | None = None
    downloads: Count
    license: str | None = None


class _Crate(BaseModel):
    class _Inner(BaseModel):
        created_at: Time
        downloads: Count
        max_stable_version: str | None = None
        newest_version: str | None = None

    crate: _Inner


class _Versions(BaseModel):
    class _Meta(BaseModel):
        total: int | None = None
        next_page: str | None = None  # the query of the next page, '?...'

    versions: list[_Version]
    meta: _Meta = _Meta()


class _Downloads(BaseModel):
    class _OfVersion(BaseModel):
        version: int
        date: date
        downloads: Count

    class _Meta(BaseModel):
        class _Extra(BaseModel):
            date: date
            downloads: Count

        extra_downloads: list[_Extra] = []

    version_downloads: list[_OfVersion]
    meta: _Meta = _Meta()


async def collect(askers: Askers, subject: Subject) -> AsyncIterator[Batch]:
    """Releases with yanks, downloads by day and running totals, dependents and advisories of a crate."""
    parts: list[Part] = []
    if "crates" in askers:
        numbers: dict[int, str] = {}
        parts += [
            Part(RELEASES, _releases(askers["crates"], subject, numbers)),
            Part(DOWNLOADS, _downloads(askers["crates"], subject, numbers)),
        ]
    else:
        subject.unknown[RELEASES] = subject.unknown[DOWNLOADS] = "set sources.crates.base_url in metrics.yaml"
    parts += deps_dev.part(askers, subject) + osv.part(askers, subject)
    async for batch in subject.collect(askers.get("crates"), *parts):
        yield batch


def _path(subject: Subject) -> str:
    return f"/api/v1/crates/{quote(subject.package, safe='')}"


async def _releases(asker: Asker, subject: Subject, numbers: dict[int, str]) -> AsyncIterator[Batch]:
    """Releases, 100 a page; `numbers` gets the version of every id."""
    answer = await asker.get(_path(subject))
    crate = parse(_Crate, answer.json, answer.url).crate
    now = asker.now()
    latest = crate.max_stable_version or crate.newest_version
    subject.found = subject.describe("active", now, latest_version=latest, created_at=crate.created_at)
    yield Batch([subject.counter("downloads_total", crate.downloads, now)])
    query: str | None = "?per_page=100"
    seen: set[str] = set()
    while query:
        seen.add(query)
        answer = await asker.get(f"{_path(subject)}/versions{query}")
        page = parse(_Versions, answer.json, answer.url)
        now = asker.now()
        records: list[Record] = []
        for version in page.versions:
            numbers[version.id] = version.number
            if version.number == latest:
                subject.found = subject.describe(
                    "active", now, latest_version=latest, license=version.license, created_at=crate.created_at
                )
            records += [
                subject.release(
                    version.number,
                    version.created_at,
                    is_prerelease=is_prerelease(version.number),
                    yanked=version.yanked,
                    reason=version.yank_message,
                    noticed_at=now,
                ),
                subject.counter("downloads_total", version.downloads, now, version.number),
            ]
        query = page.meta.next_page
        if query in seen:
            raise BadAnswer(f"{answer.url}: the next page is one that was read already ({query}).")
        yield Batch(records, total_count=page.meta.total, complete_lists=() if query else (PackageRelease.TABLE,))


async def _downloads(asker: Asker, subject: Subject, numbers: dict[int, str]) -> AsyncIterator[Batch]:
    answer = await asker.get(f"{_path(subject)}/downloads")
    content = parse(_Downloads, answer.json, answer.url)
    today = min(subject.today, asker.today())
    of_all: Counter[date] = Counter()
    for extra in content.meta.extra_downloads:
        of_all[extra.date] += extra.downloads
    records: list[Record] = []
    for row in content.version_downloads:
        of_all[row.date] += row.downloads
        if row.date < today and row.version in numbers:
            records.append(
                PackageDownloads(subject.registry, subject.package, numbers[row.version], row.date, row.downloads)
            )
    if of_all:
        # Days without a row lie between days with one: nobody took the crate.
        first = min(of_all)
        days = (first + timedelta(days=number) for number in range((min(max(of_all) + _DAY, today) - first).days))
        records += [PackageDownloads(subject.registry, subject.package, "", day, of_all[day]) for day in days]
    else:
        subject.unknown[DOWNLOADS] = "crates.io names no day of the last 90 on which it was taken"
    yield Batch(records)


_DAY = timedelta(days=1)
