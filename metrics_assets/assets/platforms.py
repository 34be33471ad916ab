"""The platforms where people talk about the project: what was said (without the words) and how many are there."""

import asyncio
import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets.analysis import sentiment
from metrics_assets.assets.shared import COLLECT, Shared, Warehouse, key_of, markdown_table, preview
from metrics_assets.errors import ConfigurationError
from metrics_assets.partitions import Days, days_of
from metrics_assets.settings import Settings
from metrics_assets.sources.asking import Asker, Batch
from metrics_assets.sources.errors import SourceError, Unauthorized
from metrics_assets.sources.http import ApiClient, Spent, Validator
from metrics_assets.sources.platforms import PLATFORMS, Off, Platform, ScoreText, Timing
from metrics_assets.warehouse.collection import Book, Entry, Usage
from metrics_assets.warehouse.write import PersonKeys, upsert_all

logger = logging.getLogger(__name__)

PLATFORMS_POOL = "platforms"
SOURCE = ENTITY = "platforms"
# Communities that are read side by side; each client's own limits hold beneath it.
_COMMUNITIES_AT_ONCE = 6

_TABLES = {
    "raw.mentions": "Questions, answers, stories, comments, topics, posts and videos about the project, without their "
    "words: when, how many points and replies, and the sentiment that was computed while they were read.",
    "raw.platform_counters": "Members, followers, totals and the like as the platforms counted them at the "
    "collection; their past cannot be asked for, so every day's is kept.",
    "ops.platform_settings": "The platforms and communities that metrics.yaml names now; those of every figure.",
}


@dataclass(frozen=True, slots=True)
class Community:
    """A community of a platform, as metrics.yaml writes it."""

    platform: str
    community: str

    @property
    def name(self) -> str:
        """How it is called in ops.collection_log and in messages."""
        return f"{self.platform}:{self.community}"


@dataclass(slots=True)
class CollectedPlatforms:
    """What a collection did.

    Attributes:
        missing: community: the call, the answer, and what was kept.
        off: community: what to do to turn it on.
    """

    rows_read: Counter[str] = field(default_factory=Counter)
    rows_written: Counter[str] = field(default_factory=Counter)
    requests: float = 0
    communities: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    off: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlatformCollector:
    """Collects all communities of metrics.yaml. It knows nothing of Dagster."""

    engine: sa.Engine
    people: PersonKeys
    settings: Settings
    run_id: str
    days: Days
    score_text: ScoreText = sentiment.score
    report: Callable[[str], None] = logger.info
    platforms: Mapping[str, Platform] = field(default_factory=lambda: PLATFORMS)
    timing: Timing = field(default_factory=Timing)

    async def collect(self) -> CollectedPlatforms:
        """Ask every community for the range; one that fails is reported and does not stop the others."""
        collected = CollectedPlatforms()
        communities = self._communities()
        self._write_settings(communities)
        gate = asyncio.Semaphore(_COMMUNITIES_AT_ONCE)

        async def one(community: Community, client: ApiClient) -> None:
            async with gate:
                await self._collect(community, client, collected)

        async with AsyncExitStack() as clients, asyncio.TaskGroup() as group:
            for community, client in await self._connect(communities, clients):
                if isinstance(client, Off):
                    collected.off[community.name] = client.reason
                    self.report(f"{community.name}: {client.reason}")
                    self._log(community, "skipped", Spent(), 0, reason=client.reason)
                else:
                    group.create_task(one(community, client))
        return collected

    def _communities(self) -> list[Community]:
        named = self.settings.platforms.model_dump()
        return [
            Community(platform, community)
            for platform in self.platforms
            for community in dict.fromkeys(named[platform])
        ]

    async def _connect(
        self, communities: Iterable[Community], clients: AsyncExitStack
    ) -> list[tuple[Community, ApiClient | Off]]:
        """Each community with its client; those of one platform share one, because they share its limits."""
        connected: dict[str, ApiClient | Off] = {}
        pairs: list[tuple[Community, ApiClient | Off]] = []
        for community in communities:
            platform = self.platforms[community.platform]
            server = community.name if platform.own_servers else platform.name
            if server not in connected:
                client = platform.connect(self.settings.sources, community.community, self.timing)
                connected[server] = client if isinstance(client, Off) else await clients.enter_async_context(client)
            pairs.append((community, connected[server]))
        return pairs

    async def _collect(self, community: Community, client: ApiClient, collected: CollectedPlatforms) -> None:
        platform = self.platforms[community.platform]
        asker = Asker(client, platform.name, known=self._known_validator)
        since, until = self.days.start_time, datetime.combine(self.days.end, time(), UTC)
        rows, error = 0, None
        try:
            async for batch in platform.collect(asker, community.community, since, until, self.score_text):
                collected.rows_written.update(await asyncio.to_thread(self.write, batch))
                collected.rows_read.update(record.TABLE for record in batch.records)
                rows += len(batch.records)
        except (SourceError, Unauthorized) as failure:
            error = failure
        reason = f"{error} {rows} rows that came before are kept." if error else None
        if reason:
            collected.missing[community.name] = reason
        self.report(f"{community.name}: {reason or f'{rows} rows'}")
        collected.communities += 1
        collected.requests += asker.spent.requests
        self._log(
            community,
            "incomplete" if error else "complete",
            asker.spent,
            rows,
            reason=reason,
            error_class=type(error).__name__ if error else None,
        )

    def write(self, batch: Batch) -> Counter[str]:
        """Write a batch with its validators in one transaction; how many rows of each table that changed.

        Apart, a crash between them could leave validators of rows that were never written: they would not come again.
        """
        with self.engine.begin() as connection:
            changed = upsert_all(connection, batch.records, self.people)
            Book.keep_validators(
                connection, {url: (one.etag, one.last_modified) for url, one in batch.validators.items()}
            )
        return changed

    def _known_validator(self, url: str) -> Validator | None:
        with self.engine.connect() as connection:
            row = connection.execute(
                sa.text("select etag, last_modified from ops.http_validators where url = :url"), {"url": url}
            ).first()
        return Validator(row.etag, row.last_modified) if row else None

    def _write_settings(self, communities: list[Community]) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text("delete from ops.platform_settings"))
            if communities:
                connection.execute(
                    sa.text("insert into ops.platform_settings (platform, community) values (:platform, :community)"),
                    [{"platform": one.platform, "community": one.community} for one in communities],
                )

    def _log(
        self,
        community: Community,
        outcome: str,
        spent: Spent,
        rows: int,
        *,
        reason: str | None,
        error_class: str | None = None,
    ) -> None:
        """Note what a collection of one community gave, what it cost and what is missing."""
        with self.engine.connect() as connection:
            held = connection.execute(
                sa.text("select count(*) from raw.mentions where platform = :platform and community = :community"),
                {"platform": community.platform, "community": community.community},
            ).scalar_one()
        book = Book(self.engine, self.run_id, self.days.start, self.days.end)
        book.log(
            [
                Entry(
                    entity=ENTITY,
                    subject=community.name,
                    outcome=outcome,
                    rows_read=rows,
                    rows_in_warehouse=held,
                    requests=spent.requests,
                    points=spent.points,
                    reason=reason,
                    error_class=error_class,
                    source=SOURCE,
                )
            ]
        )
        if spent.requests:
            book.use([Usage(SOURCE, ENTITY, community.name, community.platform, **dataclasses.asdict(spent))])


def platform_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The one asset that talks to the platforms, in the pool `platforms`."""

    @dg.multi_asset(
        name="platforms",
        specs=[shared.spec(table, COLLECT, {"postgres"}, text) for table, text in _TABLES.items()],
        check_specs=[
            dg.AssetCheckSpec(
                "complete",
                asset=key_of("raw.mentions"),
                description="Every community that is on could be collected. One that is off says why in the metadata.",
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=PLATFORMS_POOL,
    )
    def platforms(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[dg.MaterializeResult[Any]]:
        try:
            people = warehouse.people(shared.settings)
        except ConfigurationError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        collector = PlatformCollector(
            engine=warehouse.engine,
            people=people,
            settings=shared.settings,
            run_id=context.run.run_id,
            days=days_of(context),
            report=context.log.info,
        )
        yield from _results(collector, asyncio.run(collector.collect()))

    return [platforms]


def _results(collector: PlatformCollector, collected: CollectedPlatforms) -> Iterator[dg.MaterializeResult[Any]]:
    problems = [f"{name}: {reason}" for name, reason in sorted(collected.missing.items())]
    with collector.engine.connect() as connection:
        for table in _TABLES:
            metadata: dict[str, Any] = {
                "dagster/row_count": connection.execute(sa.text(f"select count(*) from {table}")).scalar_one(),
                "rows_read": collected.rows_read[table],
                "rows_changed": collected.rows_written[table],
                "communities": collected.communities,
            }
            checks = []
            if table == "raw.mentions":
                metadata["requests"] = collected.requests
                metadata["preview"] = preview(
                    connection,
                    "select platform, community, kind, count(*) as mentions, max(created_at)::date as newest, "
                    "avg(sentiment) as sentiment, count(sentiment) as n from raw.mentions "
                    "group by platform, community, kind order by mentions desc limit 20",
                )
                if collected.off:
                    metadata["off"] = markdown_table(["community", "what to do"], sorted(collected.off.items()))
                if problems:
                    metadata["missing"] = markdown_table(["what is missing"], [[problem] for problem in problems])
                checks = [
                    dg.AssetCheckResult(
                        check_name="complete",
                        asset_key=key_of(table),
                        passed=not problems,
                        description="; ".join(problems) or "Nothing is missing.",
                        metadata={"communities": collected.communities, "off": len(collected.off)},
                    )
                ]
            yield dg.MaterializeResult(asset_key=key_of(table), metadata=metadata, check_results=checks)
