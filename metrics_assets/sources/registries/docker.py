"""Docker Hub: the running total of pulls, stars, and when version tags were last pushed.

The total starts again at 0 when somebody deletes a repository and creates it anew. A tag may be pushed again, which
moves its time: only tags that name a whole version (1.2.3) are taken for releases, as those seldom move.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote

from pydantic import BaseModel, Field

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.records import PackageRelease, Record
from metrics_assets.sources.registries import deps_dev, osv
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

_VERSION = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
# Other suffixes name what the image is made of (1.2.3-alpine), and are no releases of their own.
_PRERELEASE = re.compile(r"-(alpha|beta|rc|pre|preview|dev)[0-9.-]*", re.IGNORECASE)


class _Repository(BaseModel):
    pulls: Count = Field(alias="pull_count")
    stars: Count = Field(alias="star_count")
    registered_at: Time | None = Field(None, alias="date_registered")


class _Tags(BaseModel):
    class _Tag(BaseModel):
        name: str
        pushed_at: Time | None = Field(None, alias="tag_last_pushed")
        updated_at: Time | None = Field(None, alias="last_updated")

    results: list[_Tag]
    next: str | None = None


async def collect(askers: Askers, subject: Subject) -> AsyncIterator[Batch]:
    """Pulls and stars as they stand now, and version tags."""
    subject.unknown[DEPENDENTS] = "nobody counts which images are built on this one"
    parts: list[Part] = []
    if "docker" in askers:
        parts += [
            Part(DOWNLOADS, _counters(askers["docker"], subject)),
            Part(RELEASES, _tags(askers["docker"], subject)),
        ]
    else:
        subject.unknown[RELEASES] = subject.unknown[DOWNLOADS] = "set sources.docker.base_url in metrics.yaml"
    parts += deps_dev.part(askers, subject) + osv.part(askers, subject)
    async for batch in subject.collect(askers.get("docker"), *parts):
        yield batch


def _path(subject: Subject) -> str:
    return f"/v2/repositories/{quote(subject.package, safe='/')}/"


async def _counters(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    answer = await asker.get(_path(subject))
    repository = parse(_Repository, answer.json, answer.url)
    now = asker.now()
    subject.found = subject.describe("active", now, created_at=repository.registered_at)
    yield Batch(
        [subject.counter("downloads_total", repository.pulls, now), subject.counter("stars", repository.stars, now)]
    )


async def _tags(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    """Version tags, the last pushed first; where older ones are held, only those pushed since the range's start."""
    wanted = datetime(subject.since.year, subject.since.month, subject.since.day, tzinfo=UTC)
    stop_early = subject.holds(RELEASES)
    page = 1
    while True:
        answer = await asker.get(f"{_path(subject)}tags", {"page_size": 100, "page": page, "ordering": "last_updated"})
        tags = parse(_Tags, answer.json, answer.url)
        now = asker.now()
        records: list[Record] = [
            subject.release(
                tag.name,
                tag.pushed_at or tag.updated_at,
                is_prerelease=_PRERELEASE.search(tag.name) is not None,
                yanked=False,
                reason=None,
                noticed_at=now,
            )
            for tag in tags.results
            if is_release(tag.name)
        ]
        is_last = not tags.next
        yield Batch(records, complete_lists=(PackageRelease.TABLE,) if is_last else ())
        updated = [tag.updated_at for tag in tags.results if tag.updated_at]
        if is_last or (stop_early and updated and min(updated) < wanted):
            return
        if not tags.results:
            raise BadAnswer(f"{answer.url}: an empty page says that there is a next one.")
        page += 1


def is_release(tag: str) -> bool:
    """Whether a tag names a whole version, without a suffix for what the image is made of."""
    found = _VERSION.fullmatch(tag)
    return found is not None and (found[1] is None or _PRERELEASE.fullmatch(found[1]) is not None)
