"""The raw assets of package registries: what metrics.yaml names under `packages`, side by side.

`PackageCollector` knows nothing of Dagster, so that it can be run and tested without it.
"""

import asyncio
import dataclasses
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import dagster as dg
import sqlalchemy as sa
from packaging.utils import canonicalize_name

from metrics_assets.assets.shared import COLLECT, Shared, Warehouse, key_of, markdown_table
from metrics_assets.assets.side_by_side import run_all
from metrics_assets.errors import ConfigurationError
from metrics_assets.partitions import Days, days_of
from metrics_assets.settings import Settings
from metrics_assets.sources.asking import Asker, Batch
from metrics_assets.sources.errors import NotFound
from metrics_assets.sources.http import ApiClient, Spent, Validator
from metrics_assets.sources.records import Package, PackageAdvisory, PackageRelease, Record
from metrics_assets.sources.registries import crates, docker, golang, homebrew, npm, pypi, rubygems
from metrics_assets.sources.registries.clients import Clock, Sleep, connect
from metrics_assets.sources.registries.subject import Askers, Outcome, Subject
from metrics_assets.warehouse.collection import Book, Entry, Usage
from metrics_assets.warehouse.write import PersonKeys, upsert_all

logger = logging.getLogger(__name__)

REGISTRIES_POOL = SOURCE = "registries"
ENTITY = "packages"
_PACKAGES_AT_ONCE = 8

Collect: TypeAlias = Callable[[Askers, Subject], AsyncIterator[Batch]]
REGISTRIES: Mapping[str, Collect] = {
    "pypi": pypi.collect,
    "npm": npm.collect,
    "crates": crates.collect,
    "go": golang.collect,
    "gems": rubygems.collect,
    "docker": docker.collect,
    "brew": homebrew.collect,
}

_TABLES = {
    "raw.packages": "Packages of metrics.yaml as their registries describe them now, and for every figure that cannot "
    "be had the reason why.",
    "raw.package_releases": "All versions, with what the registry advises against: yanked, retracted or deprecated, "
    "and when that was first noticed.",
    "raw.package_downloads": "Downloads of whole days, where the registry publishes them by day; days on which its "
    "own counting failed are left out, not 0.",
    "raw.package_counters": "Running totals, rolling sums, dependents and stars as they stood on the day of the "
    "collection; their past cannot be asked for.",
    "raw.package_advisories": "Known vulnerabilities by OSV: which versions they affect and which mend them.",
    "ops.package_settings": "The packages that metrics.yaml names, and the repository that publishes each.",
}
# Of a list that was read as a whole, what else the warehouse holds is gone; by which column a row is known.
_LISTED = {PackageRelease.TABLE: "version", PackageAdvisory.TABLE: "advisory_id"}


def package_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The asset that talks to package registries, in the pool `registries`."""

    @dg.multi_asset(
        name="packages",
        specs=[
            shared.spec(table, COLLECT, {"postgres"}, text, deps=["raw.repositories"])
            for table, text in _TABLES.items()
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "complete",
                asset=key_of("raw.packages"),
                description="Every package of metrics.yaml could be collected with all that its registry publishes.",
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=REGISTRIES_POOL,
    )
    def packages(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[dg.MaterializeResult[Any]]:
        try:
            collector = PackageCollector(
                engine=warehouse.engine,
                people=warehouse.people(shared.settings),
                settings=shared.settings,
                run_id=context.run.run_id,
                days=days_of(context),
                report=context.log.info,
            )
        except ConfigurationError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        yield from _results(collector, asyncio.run(collector.collect()))

    return [packages]


@dataclass(slots=True)
class CollectedPackages:
    """What a collection of all packages did."""

    rows_read: Counter[str] = field(default_factory=Counter)
    rows_written: Counter[str] = field(default_factory=Counter)
    requests: float = 0
    packages: int = 0
    missing: list[str] = field(default_factory=list)  # sentences: which package, what could not be had, and why


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package of metrics.yaml and the repository that publishes it."""

    registry: str
    package: str
    repository: str
    repository_id: int | None


@dataclass(frozen=True, slots=True)
class PackageCollector:
    """Everything that collecting packages needs; `sleep` and `clock` are replaceable for tests."""

    engine: sa.Engine
    people: PersonKeys
    settings: Settings
    run_id: str
    days: Days
    report: Callable[[str], None] = logger.info
    sleep: Sleep = asyncio.sleep
    clock: Clock | None = None

    async def collect(self) -> CollectedPackages:
        """Collect every package of metrics.yaml; one that fails is reported and does not stop the others."""
        collected = CollectedPackages()
        wanted = self._wanted()
        self._replace_settings(wanted)
        if not wanted:
            return collected
        registries = {one.registry for one in wanted}
        validators = self._validators()
        gate = asyncio.Semaphore(_PACKAGES_AT_ONCE)
        more: dict[str, Any] = {"clock": self.clock} if self.clock else {}
        async with connect(
            self.settings.sources, registries, self.settings.portfolio, sleep=self.sleep, **more
        ) as clients:

            async def one(package: Wanted) -> None:
                async with gate:
                    await self._collect_package(package, clients, validators, collected)
                    collected.packages += 1

            await run_all(one(package) for package in wanted)
        collected.missing.sort()
        return collected

    async def _collect_package(
        self,
        wanted: Wanted,
        clients: Mapping[str, ApiClient],
        validators: Mapping[str, Validator],
        collected: CollectedPackages,
    ) -> None:
        subject = await asyncio.to_thread(self._subject, wanted)
        askers = {name: Asker(client, "core", spent=Spent(), known=validators.get) for name, client in clients.items()}
        listed: dict[str, set[str]] = {table: set() for table in _LISTED}
        changed: Counter[str] = Counter()
        async for batch in REGISTRIES[wanted.registry](askers, subject):
            for record in batch.records:
                if record.TABLE in listed:
                    listed[record.TABLE].add(getattr(record, _LISTED[record.TABLE]))
                collected.rows_read[record.TABLE] += 1
            changed.update(await asyncio.to_thread(self._write, subject, batch, listed))
        collected.rows_written.update(changed)
        problems = [_sentence(subject, figure, one) for figure, one in subject.outcomes.items() if one.error]
        for problem in problems:
            self.report(problem)
        collected.missing += problems
        spent = {name: asker.spent for name, asker in askers.items() if asker.spent.requests}
        collected.requests += sum(one.requests for one in spent.values())
        await asyncio.to_thread(self._log, wanted, subject, spent, problems)

    def _wanted(self) -> list[Wanted]:
        """The packages that metrics.yaml names; one that stands under two repositories belongs to the first."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.text("select lower(repository), repository_id from raw.repositories"))
            ids: dict[str, int] = {row[0]: row[1] for row in found}
        wanted: dict[tuple[str, str], Wanted] = {}
        for repository in self.settings.repositories:
            for name in repository.packages:
                registry, _, package = name.partition(":")
                package = canonical(registry, package)
                wanted.setdefault(
                    (registry, package),
                    Wanted(registry, package, repository.name, ids.get(repository.name.lower())),
                )
        return list(wanted.values())

    def _replace_settings(self, wanted: list[Wanted]) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text("delete from ops.package_settings"))
            if wanted:
                connection.execute(
                    sa.text(
                        "insert into ops.package_settings (registry, package, repository_id, repository) "
                        "values (:registry, :package, :repository_id, :repository)"
                    ),
                    [dataclasses.asdict(one) for one in wanted],
                )

    def _validators(self) -> dict[str, Validator]:
        with self.engine.connect() as connection:
            found = connection.execute(sa.text("select url, etag, last_modified from ops.http_validators"))
            return {row.url: Validator(row.etag, row.last_modified) for row in found}

    def _subject(self, wanted: Wanted) -> Subject:
        """A package with what the warehouse holds of it."""
        name = {"registry": wanted.registry, "package": wanted.package}
        with self.engine.connect() as connection:
            held = connection.execute(_select(Package), name).mappings().one_or_none()
            releases = connection.execute(_select(PackageRelease), name).mappings().all()
        return Subject(
            registry=wanted.registry,
            package=wanted.package,
            since=max(self.days.start, self.settings.start),
            today=self._today(),
            held=Package(**held) if held else None,
            releases={row["version"]: PackageRelease(**row) for row in releases},
        )

    def _today(self) -> date:
        """By our clock; the registries' own say which days are over there."""
        return datetime.fromtimestamp(self.clock(), UTC).date() if self.clock else datetime.now(UTC).date()

    def _write(self, subject: Subject, batch: Batch, listed: Mapping[str, set[str]]) -> Counter[str]:
        """Write a batch in one transaction with the validators of its answers; what is gone is marked."""
        with self.engine.begin() as connection:
            changed = upsert_all(connection, batch.records, self.people)
            for table in batch.complete_lists:
                changed[table] += self._mark_gone(connection, subject, table, listed[table])
            Book.keep_validators(
                connection, {url: (one.etag, one.last_modified) for url, one in batch.validators.items()}
            )
        return changed

    def _mark_gone(self, connection: sa.Connection, subject: Subject, table: str, seen: Iterable[str]) -> int:
        marked = connection.execute(
            sa.text(
                f"update {table} set deleted_at = now() where registry = :registry and package = :package "
                f"and deleted_at is null and {_LISTED[table]} <> all (:seen)"
            ),
            {"registry": subject.registry, "package": subject.package, "seen": list(seen)},
        )
        return int(marked.rowcount)

    def _log(self, wanted: Wanted, subject: Subject, spent: Mapping[str, Spent], problems: list[str]) -> None:
        """Note what the collection gave, as a whole and of each figure, and what it cost at each service."""
        errors = [one.error for one in subject.outcomes.values() if one.error]
        whole = Entry(
            entity=ENTITY,
            subject=subject.name,
            outcome="incomplete" if errors else "complete",
            repository_id=wanted.repository_id,
            rows_read=sum(one.rows for one in subject.outcomes.values()),
            requests=sum(one.requests for one in spent.values()),
            reason=" ".join(problems) or None,
            error_class=type(errors[0]).__name__ if errors else None,
            source=SOURCE,
        )
        parts = [
            Entry(
                entity=f"package_{figure}",
                subject=subject.name,
                outcome="incomplete" if one.error else "complete",
                repository_id=wanted.repository_id,
                rows_read=one.rows,
                reason=str(one.error) if one.error else None,
                error_class=type(one.error).__name__ if one.error else None,
                source=SOURCE,
            )
            for figure, one in subject.outcomes.items()
        ]
        book = Book(self.engine, self.run_id, self.days.start, self.days.end)
        book.log([whole, *parts])
        book.use(
            [Usage(SOURCE, ENTITY, subject.name, service, **dataclasses.asdict(one)) for service, one in spent.items()]
        )


def canonical(registry: str, package: str) -> str:
    """A package's name as its registry writes it, so that two ways of writing it are one package."""
    if registry == "pypi":
        return canonicalize_name(package)
    if registry == "docker":
        return package.lower() if "/" in package else f"library/{package.lower()}"
    return package


def _select(record_type: type[Record]) -> sa.TextClause:
    columns = ", ".join(one.name for one in dataclasses.fields(record_type))
    return sa.text(f"select {columns} from {record_type.TABLE} where registry = :registry and package = :package")


def _sentence(subject: Subject, figure: str, outcome: Outcome) -> str:
    """What of a package could not be had: which call, what it answered, and what is kept."""
    kept = [f"{one.rows} rows of {other}" for other, one in subject.outcomes.items() if one.rows]
    stays = f"Written: {', '.join(kept)}; what" if kept else "What"
    lost = f"{subject.name}: its {figure} could not be collected"
    if isinstance(outcome.error, NotFound) and subject.found and subject.found.state == "missing":
        lost = f"{subject.name} does not exist; check its name in metrics.yaml"
    return f"{lost} ({str(outcome.error).rstrip('.')}). {stays} the warehouse held of it stays."


def _results(collector: PackageCollector, collected: CollectedPackages) -> Iterator[dg.MaterializeResult[Any]]:
    for table in _TABLES:
        with collector.engine.connect() as connection:
            total = connection.execute(sa.text(f"select count(*) from {table}")).scalar_one()
        metadata: dict[str, Any] = {
            "dagster/row_count": total,
            "rows_read": collected.rows_read[table],
            "rows_changed": collected.rows_written[table],
            "packages": collected.packages,
        }
        checks = []
        if table == "raw.packages":
            metadata["requests"] = collected.requests
            if collected.missing:
                metadata["missing"] = markdown_table(["what is missing"], [[one] for one in collected.missing])
            checks = [
                dg.AssetCheckResult(
                    check_name="complete",
                    asset_key=key_of(table),
                    passed=not collected.missing,
                    description=" ".join(collected.missing) or "Nothing is missing.",
                    metadata={"packages": collected.packages, "missing": len(collected.missing)},
                )
            ]
        yield dg.MaterializeResult(asset_key=key_of(table), metadata=metadata, check_results=checks)
