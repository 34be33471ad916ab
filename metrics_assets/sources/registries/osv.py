"""OSV: the known vulnerabilities of a package, from all advisory databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, Field

from metrics_assets.sources.asking import Asker, Batch, parse
from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.records import PackageAdvisory, Record
from metrics_assets.sources.registries.cvss import rating
from metrics_assets.sources.registries.subject import ADVISORIES, Askers, Part, Subject, Time

# What OSV calls the registries that it knows.
_ECOSYSTEMS = {"pypi": "PyPI", "npm": "npm", "crates": "crates.io", "go": "Go", "gems": "RubyGems"}


class _Event(BaseModel):
    introduced: str | None = None
    fixed: str | None = None


class _Range(BaseModel):
    type: str
    events: list[_Event] = []


class _Affected(BaseModel):
    class _Package(BaseModel):
        ecosystem: str
        name: str

    package: _Package | None = None
    ranges: list[_Range] = []
    versions: list[str] = []


class _Severity(BaseModel):
    type: str
    score: str


class _Vulnerability(BaseModel):
    id: str
    aliases: list[str] = []
    summary: str | None = None
    published: Time | None = None
    modified: Time | None = None
    withdrawn: Time | None = None
    affected: list[_Affected] = []
    severity: list[_Severity] = []
    database_specific: dict[str, Any] = Field(default_factory=dict)


class _Page(BaseModel):
    vulns: list[_Vulnerability] = []
    next_page_token: str | None = None


def part(askers: Askers, subject: Subject) -> list[Part]:
    """The part for advisories; none, with the reason, where OSV does not know the registry."""
    ecosystem = _ECOSYSTEMS.get(subject.registry)
    if ecosystem is None:
        subject.unknown[ADVISORIES] = "OSV has no advisories of this registry's packages"
        return []
    if "osv" not in askers:
        subject.unknown[ADVISORIES] = "set sources.osv.base_url in metrics.yaml"
        return []
    return [Part(ADVISORIES, _advisories(askers["osv"], subject, ecosystem))]


async def _advisories(asker: Asker, subject: Subject, ecosystem: str) -> AsyncIterator[Batch]:
    question: dict[str, Any] = {"package": {"name": subject.package, "ecosystem": ecosystem}}
    tokens: set[str] = set()
    while True:
        answer = await asker.post("/v1/query", question)
        page = parse(_Page, answer.json or {}, f"{answer.url} of {subject.name}")
        records: list[Record] = [_record(subject, ecosystem, one) for one in page.vulns]
        token = page.next_page_token
        yield Batch(records, complete_lists=() if token else (PackageAdvisory.TABLE,))
        if not token:
            return
        if token in tokens:
            raise BadAnswer(f"{answer.url} of {subject.name}: the pages lead back to one that was read already.")
        tokens.add(token)
        question = question | {"page_token": token}


def _record(subject: Subject, ecosystem: str, one: _Vulnerability) -> PackageAdvisory:
    ours = [
        affected
        for affected in one.affected
        if affected.package
        and affected.package.ecosystem.split(":")[0] == ecosystem
        and _same(subject, affected.package.name)
    ]
    # Of a range that counts commits, the fix is no version.
    ranges = [span for affected in ours for span in affected.ranges if span.type != "GIT"]
    fixed = {event.fixed for span in ranges for event in span.events if event.fixed}
    return PackageAdvisory(
        registry=subject.registry,
        package=subject.package,
        advisory_id=one.id,
        aliases=sorted(set(one.aliases)),
        summary=one.summary,
        severity=_severity(one),
        affected_versions=sorted({_written(subject, version) for affected in ours for version in affected.versions}),
        fixed_in=sorted(_written(subject, version) for version in fixed),
        published_at=one.published,
        modified_at=one.modified,
        withdrawn_at=one.withdrawn,
    )


def _same(subject: Subject, name: str) -> bool:
    """Whether an entry is about this package; an advisory may be about several."""
    fold = str.maketrans("_.", "--")
    if subject.registry == "pypi":
        return name.lower().translate(fold) == subject.package.lower().translate(fold)
    return name == subject.package


def _written(subject: Subject, version: str) -> str:
    """The version as the registry writes it: OSV leaves the v of Go's versions out."""
    return f"v{version}" if subject.registry == "go" and version[:1].isdecimal() else version


def _severity(one: _Vulnerability) -> str | None:
    """low, moderate, high or critical: the database's own word, else by the CVSS score of its vector."""
    word = one.database_specific.get("severity")
    if isinstance(word, str) and word.strip():
        return {"medium": "moderate"}.get(word.lower(), word.lower())
    ratings = [rating(severity.score) for severity in one.severity if severity.type == "CVSS_V3"]
    return next((found for found in ratings if found), None)
