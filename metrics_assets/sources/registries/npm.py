"""npm: releases with deprecations from the registry, downloads by day from the service that counts them.

Neither has an address in this project: metrics.yaml names them. The counting service knows every day since
2015-01-10, 18 months a question; when its own counting fails it says 0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import BadAnswer, NotFound
from metrics_assets.sources.records import PackageDownloads, PackageRelease
from metrics_assets.sources.registries import deps_dev, osv
from metrics_assets.sources.registries.days import NEIGHBOURS, holes, slices
from metrics_assets.sources.registries.subject import DOWNLOADS, RELEASES, Askers, Count, Part, Subject, Time
from metrics_assets.sources.registries.versions import is_prerelease

FIRST_DAY = date(2015, 1, 10)
LONGEST_RANGE_DAYS = 540  # 18 months are 546 days or more
_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
# Of `time`, what is no version.
_NO_VERSIONS = {"created", "modified", "unpublished"}


class _Version(BaseModel):
    deprecated: str | bool = False  # some tools wrote true, or "" to take it back
    license: Any = None


class _Packument(BaseModel):
    """All that the registry knows of a package. `time` has versions that were unpublished, too."""

    tags: dict[str, str] = Field(default_factory=dict, alias="dist-tags")
    versions: dict[str, _Version] = Field(default_factory=dict)
    time: dict[str, Any] = Field(default_factory=dict)
    license: Any = None


class _Range(BaseModel):
    class _Day(BaseModel):
        day: date
        downloads: Count

    downloads: list[_Day]


async def collect(askers: Askers, subject: Subject) -> AsyncIterator[Batch]:
    """Releases with deprecations, downloads by day, dependents and advisories of a package."""
    parts: list[Part] = []
    if "npm" in askers:
        parts.append(Part(RELEASES, _releases(askers["npm"], subject)))
    else:
        subject.unknown[RELEASES] = "set sources.npm.base_url in metrics.yaml"
    if "npm_downloads" in askers:
        parts.append(Part(DOWNLOADS, _downloads(askers["npm_downloads"], subject)))
    else:
        subject.unknown[DOWNLOADS] = "set sources.npm.downloads_url in metrics.yaml"
    parts += deps_dev.part(askers, subject) + osv.part(askers, subject)
    async for batch in subject.collect(askers.get("npm"), *parts):
        yield batch


async def _releases(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    answer = await subject.conditional(asker, RELEASES).get(f"/{quote(subject.package, safe='@')}", conditional=True)
    if answer.not_modified:
        return
    packument = parse(_Packument, answer.json, answer.url)
    now = asker.now()
    latest = packument.tags.get("latest")
    releases = [_release(subject, version, packument, now, answer.url) for version in _all_versions(packument)]
    deprecated = latest in packument.versions and bool(packument.versions[latest].deprecated)
    licensed = packument.versions[latest].license if latest in packument.versions else packument.license
    subject.found = subject.describe(
        # With every version unpublished there is nothing to install, though the name is taken.
        "deprecated" if deprecated or not packument.versions else "active",
        now,
        latest_version=latest,
        license=_license(licensed),
        created_at=_time(packument.time["created"], answer.url) if "created" in packument.time else None,
    )
    yield Batch([*releases], dict(asker.fresh), complete_lists=(PackageRelease.TABLE,))


def _all_versions(packument: _Packument) -> list[str]:
    times = [version for version in packument.time if version not in _NO_VERSIONS]
    return list(dict.fromkeys([*times, *packument.versions]))


def _release(subject: Subject, version: str, packument: _Packument, now: datetime, where: str) -> PackageRelease:
    held = packument.versions.get(version)
    published = packument.time.get(version)
    said = held.deprecated if held else "unpublished"
    return subject.release(
        version,
        _time(published, where) if published is not None else None,
        is_prerelease=is_prerelease(version),
        yanked=bool(said),
        reason=said if isinstance(said, str) else None,
        noticed_at=now,
    )


def _time(text: Any, where: str) -> datetime:
    try:
        return _TIME.validate_python(text)
    except ValidationError:
        raise BadAnswer(f"{where}: `time` holds {text!r:.60}, which is no time.") from None


def _license(said: Any) -> str | None:
    """Old packages have an object or a list of objects where newer ones have an expression."""
    if isinstance(said, list):
        return " OR ".join(found for found in map(_license, said) if found) or None
    if isinstance(said, dict):
        said = said.get("type")
    return said if isinstance(said, str) and said else None


async def _downloads(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    # Some days more than wanted, so that a 0 on the first one can be judged by its neighbours.
    first = max(subject.since - timedelta(days=2 * NEIGHBOURS), FIRST_DAY)
    last = subject.today - timedelta(days=1)
    counts: dict[date, int] = {}
    for start, end in slices(first, last, LONGEST_RANGE_DAYS):
        path = f"/downloads/range/{start}:{end}/{quote(subject.package, safe='@/')}"
        try:
            answer = await asker.get(path)
        except NotFound:
            subject.unknown[DOWNLOADS] = "npm has counted no downloads of this package"
            return
        counts |= {one.day: one.downloads for one in parse(_Range, answer.json, answer.url).downloads}
    today = min(subject.today, asker.today())
    # The service says 0 for days before the package's creation, too.
    born = _born(subject) or min((day for day, count in counts.items() if count), default=today)
    whole = {day: count for day, count in counts.items() if born <= day < today}
    unknown = holes(whole)
    yield Batch(
        [
            PackageDownloads(subject.registry, subject.package, "", day, count)
            for day, count in sorted(whole.items())
            if day not in unknown
        ]
    )


def _born(subject: Subject) -> date | None:
    """The day of the package's creation, as far as the registry has told it."""
    described = subject.found or subject.held
    return described.created_at.date() if described and described.created_at else None
