"""Registries on loopback, and what a collection of one package from them gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import pytest

from metrics_assets.sources.asking import Asker, Batch
from metrics_assets.sources.http import ApiClient, Validator
from metrics_assets.sources.records import Package, PackageRelease, Record
from metrics_assets.sources.registries.subject import Subject
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

NOW = datetime(2026, 8, 24, 6, tzinfo=UTC)
TODAY = NOW.date()
R = TypeVar("R", bound=Record)


def at(text: str) -> datetime:
    """'2026-08-01' or '2026-08-01 10:00' in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Collected:
    """What a collection gave."""

    subject: Subject
    batches: list[Batch]
    asked: list[Asked]
    validators: dict[str, Validator]

    def of(self, kind: type[R]) -> list[R]:
        return [row for batch in self.batches for row in batch.records if isinstance(row, kind)]

    @property
    def package(self) -> Package:
        return self.of(Package)[-1]

    @property
    def releases(self) -> dict[str, PackageRelease]:
        return {row.version: row for row in self.of(PackageRelease)}

    @property
    def complete_lists(self) -> set[str]:
        return {table for batch in self.batches for table in batch.complete_lists}

    def error(self, figure: str) -> str:
        return str(self.subject.outcomes[figure].error)


@dataclass
class Registry:
    """Answers by path (with the query where it matters); everything else is 404."""

    answers: dict[str, Any] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Reply:
        for path in (asked.path, asked.path.partition("?")[0]):
            if path in self.answers:
                answer = self.answers[path]
                answer = answer(asked) if callable(answer) else answer
                return answer if isinstance(answer, Reply) else Reply(answer)
        return Reply({"message": "no such thing"}, status=404)


def text(content: str) -> Reply:
    return Reply(content.encode(), headers={"Content-Type": "text/plain; charset=UTF-8"})


def marked(content: Any, etag: str = '"1"') -> Callable[[Asked], Reply]:
    """An answer with an ETag, and 304 to whom knows it."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("if-none-match") == etag:
            return Reply(b"", status=304)
        reply = content if isinstance(content, Reply) else Reply(content)
        return Reply(reply.body, headers={**reply.headers, "ETag": etag})

    return answer


@pytest.fixture
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server says its own time in every answer; here the test says it."""
    monkeypatch.setattr(ApiClient, "_learn_clock", lambda client, response: None)


def collect(
    module: Any,
    name: str,
    services: list[str],
    answers: Mapping[str, Any],
    *,
    since: date = date(2026, 8, 20),
    held: Package | None = None,
    releases: Mapping[str, PackageRelease] | None = None,
    known: Mapping[str, Validator] | None = None,
) -> Collected:
    """Collect 'registry:package' from one server that plays all the services."""
    registry, _, package = name.partition(":")
    subject = Subject(registry, package, since, TODAY, held, dict(releases or {}))
    clock = Clock(NOW.timestamp())

    async def go(url: str) -> tuple[list[Batch], dict[str, Validator]]:
        clients = {one: ApiClient(url, sleep=clock.sleep, clock=clock) for one in services}
        stored = {f"{url}{path}": validator for path, validator in (known or {}).items()}
        askers = {one: Asker(client, "core", known=stored.get) for one, client in clients.items()}
        batches = [batch async for batch in module.collect(askers, subject)]
        for client in clients.values():
            await client.__aexit__(None, None, None)
        fresh = {address: one for batch in batches for address, one in batch.validators.items()}
        return batches, {address.removeprefix(url): one for address, one in fresh.items()}

    with Scripted(answer=Registry(dict(answers))) as server:
        batches, fresh = asyncio.run(go(server.url))
        return Collected(subject, batches, list(server.asked), fresh)


def package(name: str, **given: Any) -> Package:
    """A package as the warehouse holds it."""
    registry, _, of_it = name.partition(":")
    values: dict[str, Any] = {
        "state": "active",
        "latest_version": None,
        "license": None,
        "created_at": None,
        "observed_at": at("2026-08-23"),
        "unknown": {},
    }
    return Package(registry=registry, package=of_it, **{**values, **given})
