"""Asking a platform that a scripted server plays, without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from metrics_assets.errors import MetricsError
from metrics_assets.settings import Sources
from metrics_assets.sources.asking import Asker
from metrics_assets.sources.http import ApiClient
from metrics_assets.sources.platforms import PLATFORMS, Timing
from metrics_assets.sources.records import Mention, PlatformCounter, Record
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

SINCE, UNTIL = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 8, tzinfo=UTC)
WORDS = "Nobody may ever read this sentence of mine in a table"


def seconds(text: str) -> int:
    """'06-02 10:00' of 2025 in UTC, as seconds since 1970."""
    day, _, time = text.partition(" ")
    return int(datetime.fromisoformat(f"2025-{day}T{time or '00:00'}+00:00").timestamp())


def query(asked: Asked) -> dict[str, str]:
    """The parameters of a request."""
    return {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}


def path(asked: Asked) -> str:
    return urlsplit(asked.path).path


def by_path(answers: dict[str, Any]) -> Callable[[Asked], Reply]:
    """Answers by path; a list gives its answers in turn, the last for ever. What is not listed is not there."""
    given = {where: list(what) if isinstance(what, list) else [what] for where, what in answers.items()}

    def answer(asked: Asked) -> Reply:
        replies = given.get(path(asked))
        if replies is None:
            return Reply({"message": "there is nothing here"}, status=404)
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply if isinstance(reply, Reply) else Reply(reply)

    return answer


@dataclass(slots=True)
class Heard:
    """What a platform's module gave: records until the end, or until an error."""

    records: list[Record] = field(default_factory=list)
    batches: int = 0
    error: MetricsError | None = None
    asker: Asker | None = None

    @property
    def mentions(self) -> list[Mention]:
        return [record for record in self.records if isinstance(record, Mention)]

    @property
    def counters(self) -> dict[str, int]:
        return {record.counter: record.value for record in self.records if isinstance(record, PlatformCounter)}


def listen(
    name: str,
    community: str,
    server: Scripted,
    *,
    clock: Clock | None = None,
    since: datetime = SINCE,
    until: datetime = UNTIL,
    score: Callable[[str], tuple[float, str] | None] = lambda text: (0.5, "test 1") if text else None,
    **source: Any,
) -> Heard:
    """Collect a community of a platform from a server, with time that passes only by sleeping."""
    clock = clock or Clock()
    address = {} if name == "discourse" else {name: {"base_url": server.url, **source}}
    sources, platform, heard = Sources.model_validate(address), PLATFORMS[name], Heard()

    async def run() -> None:
        client = platform.connect(sources, community, Timing(clock.sleep, clock))
        assert isinstance(client, ApiClient), client
        async with client:
            heard.asker = Asker(client, name)
            try:
                async for batch in platform.collect(heard.asker, community, since, until, score):
                    heard.records += batch.records
                    heard.batches += 1
            except MetricsError as error:
                heard.error = error

    asyncio.run(run())
    return heard
