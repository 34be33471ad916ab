"""Homebrew: the current version, whether it is deprecated or disabled, and installs over 30, 90 and 365 days.

The sums roll: their differences are no days. Users who opted out of the analytics are not in them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from pydantic import BaseModel, Field

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import NotFound
from metrics_assets.sources.http import Answer
from metrics_assets.sources.records import Record
from metrics_assets.sources.registries import deps_dev, osv
from metrics_assets.sources.registries.subject import DEPENDENTS, DOWNLOADS, RELEASES, Askers, Count, Part, Subject

_DAYS = {"30d": 30, "90d": 90, "365d": 365}


class _Entry(BaseModel):
    """What formulae and casks have in common."""

    class _Versions(BaseModel):
        stable: str | None = None

    class _Analytics(BaseModel):
        install: dict[str, dict[str, Count]] = Field(default_factory=dict)

    versions: _Versions | None = None  # of a formula
    version: str | None = None  # of a cask
    license: str | None = None
    deprecated: bool = False
    deprecation_reason: str | None = None
    disabled: bool = False
    disable_reason: str | None = None
    analytics: _Analytics | None = None


async def collect(askers: Askers, subject: Subject) -> AsyncIterator[Batch]:
    """The current version and the rolling sums of installs of a formula or, failing that, a cask."""
    subject.unknown[DOWNLOADS] = (
        "Homebrew publishes installs of the last 30, 90 and 365 days, not of a day; they are in package_counters"
    )
    subject.unknown[DEPENDENTS] = "Homebrew publishes no count of the formulae that need this one"
    parts: list[Part] = []
    if "brew" in askers:
        parts.append(Part(RELEASES, _entry(askers["brew"], subject)))
    else:
        subject.unknown[RELEASES] = "set sources.brew.base_url in metrics.yaml"
    parts += deps_dev.part(askers, subject) + osv.part(askers, subject)
    async for batch in subject.collect(askers.get("brew"), *parts):
        yield batch


async def _entry(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    answer = await _ask(asker, subject)
    entry = parse(_Entry, answer.json, answer.url)
    now = asker.now()
    version = entry.versions.stable if entry.versions else entry.version
    gone = entry.disabled or entry.deprecated
    reason = entry.disable_reason if entry.disabled else entry.deprecation_reason
    subject.found = subject.describe(
        "deprecated" if gone else "active", now, latest_version=version, license=entry.license
    )
    subject.unknown[RELEASES] = "Homebrew says which version is current, not since when"
    records: list[Record] = []
    if version:
        records.append(subject.release(version, None, is_prerelease=False, yanked=gone, reason=reason, noticed_at=now))
    installs = entry.analytics.install if entry.analytics else {}
    for name, days in _DAYS.items():
        if name in installs:
            # With options (--HEAD) a formula has a line for each.
            records.append(subject.counter(f"installs_{days}_days", sum(installs[name].values()), now))
    yield Batch(records)


async def _ask(asker: Asker, subject: Subject) -> Answer:
    name = quote(subject.package, safe="@")
    try:
        return await asker.get(f"/api/formula/{name}.json")
    except NotFound:
        return await asker.get(f"/api/cask/{name}.json")
