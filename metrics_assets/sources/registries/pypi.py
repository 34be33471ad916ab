"""PyPI, or the index that stands in for it, and pypistats.

The index has two faces. The JSON API beside it describes a project in one answer; a mirror may have the simple index
alone, and then releases are put together from the names of its files (PEP 691, with the upload times of PEP 700).
An index counts no downloads; pypistats does, for 180 days, without what mirrors fetch.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, Field

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import BadAnswer, NotFound
from metrics_assets.sources.http import Answer
from metrics_assets.sources.records import PackageDownloads, PackageRelease, Record
from metrics_assets.sources.registries import deps_dev, osv
from metrics_assets.sources.registries.subject import DOWNLOADS, RELEASES, Askers, Count, Part, Subject, Time

_LONGEST_LICENSE = 80  # some projects put the whole text there


class _File(BaseModel):
    """A file of the JSON API."""

    uploaded_at: Time | None = Field(None, alias="upload_time_iso_8601")
    yanked: bool = False
    yanked_reason: str | None = None


class _Info(BaseModel):
    version: str | None = None
    license: str | None = None
    license_expression: str | None = None


class _Project(BaseModel):
    """The answer of the JSON API; a release without files has had them all removed."""

    info: _Info
    releases: dict[str, list[_File]]


class _SimpleFile(BaseModel):
    """A file of the simple index; `yanked` is the reason where one was given."""

    filename: str
    uploaded_at: Time | None = Field(None, alias="upload-time")
    yanked: bool | str = False


class _Simple(BaseModel):
    class _Status(BaseModel):
        status: str = "active"

    files: list[_SimpleFile]
    versions: list[str] = []
    status: _Status = Field(_Status(), alias="project-status")


class _Statistics(BaseModel):
    class _Day(BaseModel):
        category: str
        date: date
        downloads: Count

    data: list[_Day]


async def collect(askers: Askers, subject: Subject) -> AsyncIterator[Batch]:
    """Releases with yanks, downloads by day, dependents and advisories of a package."""
    parts: list[Part] = []
    if "pypi_simple" in askers:
        parts.append(Part(RELEASES, _releases(askers, subject)))
    else:
        subject.unknown[RELEASES] = "set sources.pypi.base_url in metrics.yaml; there is no pip here to take it from"
    if "pypistats" in askers:
        parts.append(Part(DOWNLOADS, _downloads(askers["pypistats"], subject)))
    parts += deps_dev.part(askers, subject) + osv.part(askers, subject)
    async for batch in subject.collect(askers.get("pypi_simple"), *parts):
        yield batch


async def _releases(askers: Askers, subject: Subject) -> AsyncIterator[Batch]:
    api = askers.get("pypi")
    if api is not None:
        try:
            answer = await subject.conditional(api, RELEASES).get(
                f"/pypi/{subject.package}/json", conditional=True, text=True
            )
        except NotFound:
            pass  # the package is missing, or this is a mirror without the JSON API: the simple index knows
        else:
            if answer.not_modified:
                return
            if "json" in answer.headers.get("content-type", ""):
                yield _described(api, subject, parse(_Project, _json(answer), answer.url))
                return
    index = askers["pypi_simple"]
    answer = await subject.conditional(index, RELEASES).get(f"/{subject.package}/", conditional=True, text=True)
    if answer.not_modified:
        return
    if "json" not in answer.headers.get("content-type", ""):
        subject.found = subject.describe("active", index.now())
        subject.unknown[RELEASES] = (
            f"the index at {index.client.base_url} has neither the JSON API nor JSON pages (PEP 691)"
        )
        return
    yield _listed(index, subject, parse(_Simple, _json(answer), answer.url))


def _described(api: Asker, subject: Subject, project: _Project) -> Batch:
    now = api.now()
    releases = [_release(subject, version, files, now) for version, files in project.releases.items()]
    license = project.info.license_expression or project.info.license or ""
    subject.found = subject.describe(
        "active",
        now,
        latest_version=project.info.version,
        license=license if 0 < len(license) <= _LONGEST_LICENSE else None,
        created_at=_first(releases),
    )
    return Batch([*releases], dict(api.fresh), complete_lists=(PackageRelease.TABLE,))


def _release(subject: Subject, version: str, files: list[_File], now: datetime) -> PackageRelease:
    reasons = [file.yanked_reason for file in files if file.yanked_reason]
    return subject.release(
        version,
        min((file.uploaded_at for file in files if file.uploaded_at), default=None),
        is_prerelease=_is_prerelease(version),
        # pip passes a release over once none of its files is left to take.
        yanked=bool(files) and all(file.yanked for file in files),
        reason=reasons[0] if reasons else None,
        noticed_at=now,
    )


def _listed(index: Asker, subject: Subject, page: _Simple) -> Batch:
    now = index.now()
    files: dict[str, list[_File]] = {version: [] for version in page.versions}
    for file in page.files:
        version = _version_of(file.filename, files)
        if version is not None:
            files.setdefault(version, []).append(
                _File(
                    upload_time_iso_8601=file.uploaded_at,
                    yanked=file.yanked is not False,
                    yanked_reason=file.yanked if isinstance(file.yanked, str) else None,
                )
            )
    releases = [_release(subject, version, of_it, now) for version, of_it in files.items()]
    subject.found = subject.describe(
        {"archived": "archived", "deprecated": "deprecated"}.get(page.status.status, "active"),
        now,
        latest_version=_latest(releases),
        created_at=_first(releases),
    )
    return Batch([*releases], dict(index.fresh), complete_lists=(PackageRelease.TABLE,))


def _version_of(filename: str, known: Iterable[str]) -> str | None:
    """The version that a file belongs to, as the index writes it; None of files of formats long gone."""
    try:
        parser = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        version: Version = parser(filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    # The file's name may be normalised where the version is not: 1.0 and 1.0.0 are the same.
    return next((one for one in known if _parsed(one) == version), str(version))


async def _downloads(asker: Asker, subject: Subject) -> AsyncIterator[Batch]:
    path = f"/api/packages/{subject.package}/overall"
    try:
        answer = await subject.conditional(asker, DOWNLOADS).get(path, {"mirrors": "false"}, conditional=True)
    except NotFound:
        subject.unknown[DOWNLOADS] = "pypistats does not know this package"
        return
    if answer.not_modified:
        return
    today = min(subject.today, asker.today())
    records: list[Record] = [
        PackageDownloads(subject.registry, subject.package, "", day.date, day.downloads)
        for day in parse(_Statistics, answer.json, answer.url).data
        if day.category == "without_mirrors" and day.date < today
    ]
    yield Batch(records, dict(asker.fresh))


def _json(answer: Answer) -> object:
    try:
        return json.loads(answer.text)
    except ValueError as error:
        raise BadAnswer(f"{answer.url}: the answer is not JSON ({error}).") from None


def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None


def _is_prerelease(version: str) -> bool:
    """By PEP 440: alpha, beta, candidate or development; older kinds of versions are taken for releases."""
    parsed = _parsed(version)
    return parsed is not None and parsed.is_prerelease


def _first(releases: list[PackageRelease]) -> datetime | None:
    return min((release.published_at for release in releases if release.published_at), default=None)


def _latest(releases: list[PackageRelease]) -> str | None:
    """The highest version that is neither yanked nor a pre-release; of those alone, the highest."""
    parsed = [(_parsed(release.version), release) for release in releases if not release.is_yanked]
    ranked = [(not release.is_prerelease, version, release.version) for version, release in parsed if version]
    return max(ranked)[2] if ranked else None
