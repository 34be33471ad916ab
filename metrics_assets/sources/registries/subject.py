"""One package while it is collected: what is asked for, what is held already, and what became of each part."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from metrics_assets.sources.asking import Asker, Batch
from metrics_assets.sources.errors import NotFound, SourceError, Unauthorized
from metrics_assets.sources.records import Package, PackageCounter, PackageRelease

# By the name of a service (pypi, pypistats, deps_dev, ...); one that has no address is absent.
Askers = Mapping[str, Asker]

RELEASES, DOWNLOADS, DEPENDENTS, ADVISORIES = "releases", "downloads", "dependents", "advisories"


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _our_clock() -> datetime:
    return datetime.now(UTC)


Time = Annotated[datetime, AfterValidator(_in_utc)]
"""A time of an answer; registries that name no zone mean UTC."""

Count = Annotated[int, Field(ge=0, lt=2**63)]
"""A count of an answer; the warehouse holds no larger ones."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked for one figure (releases, downloads, dependents or advisories)."""

    figure: str
    batches: AsyncIterator[Batch]


@dataclass(slots=True)
class Outcome:
    """What a part gave: how many rows, and what went wrong."""

    rows: int = 0
    error: SourceError | Unauthorized | None = None


@dataclass(slots=True)
class Subject:
    """A package to collect.

    Attributes:
        package: its name as the registry writes it.
        since: the first day wanted.
        today: the day on which it is collected; only days before it are over.
        held: what the warehouse holds of it, None where it was never collected. Only then may an answer be
            `not_modified`, because then its rows are there.
        releases: the releases that the warehouse holds, by version.
        found: how the registry describes it; None where it has not said so (again).
        unknown: why a figure cannot be had, by figure.
        outcomes: of every part that was asked for, by figure.
    """

    registry: str
    package: str
    since: date
    today: date
    held: Package | None = None
    releases: Mapping[str, PackageRelease] = field(default_factory=dict)
    found: Package | None = None
    unknown: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """'registry:package', as metrics.yaml writes it."""
        return f"{self.registry}:{self.package}"

    def holds(self, figure: str) -> bool:
        """Whether the warehouse has a figure's rows, so that an answer may be `not_modified`."""
        return self.held is not None and self.held.state != "missing" and figure not in self.held.unknown

    def conditional(self, asker: Asker, figure: str) -> Asker:
        """The asker; where the figure's rows are not held it forgets what it knows, and gets whole answers."""
        return asker if self.holds(figure) else dataclasses.replace(asker, known=lambda url: None)

    async def collect(self, registry: Asker | None, *parts: Part) -> AsyncIterator[Batch]:
        """The batches of all parts, and last the package itself with the reasons why figures are unknown.

        A part that fails is noted in `outcomes` and the next one goes on.

        Args:
            registry: whose clock says when the package was seen; without it, ours.
        """
        now = registry.now if registry else _our_clock
        for part in parts:
            outcome = self.outcomes.setdefault(part.figure, Outcome())
            try:
                async for batch in part.batches:
                    outcome.rows += len(batch.records)
                    yield batch
            except (SourceError, Unauthorized) as error:
                outcome.error = error
                if part.figure == RELEASES and isinstance(error, NotFound) and self.found is None:
                    self.found = self._missing(now())
                # What was collected once stands, though it grows old; what never was has this reason.
                if self.held is None or part.figure in self.held.unknown:
                    self.unknown.setdefault(part.figure, f"it could not be collected yet ({error})")
        described = self.found or self.held or self.describe("active", now())
        yield Batch([dataclasses.replace(described, observed_at=now(), unknown=dict(self.unknown))])

    def describe(
        self,
        state: str,
        observed_at: datetime,
        *,
        latest_version: str | None = None,
        license: str | None = None,
        created_at: datetime | None = None,
    ) -> Package:
        """A description of the package; the reasons for unknown figures are added when all parts are done."""
        return Package(
            registry=self.registry,
            package=self.package,
            state=state,
            latest_version=latest_version,
            license=license,
            created_at=created_at,
            observed_at=observed_at,
            unknown={},
        )

    def release(
        self,
        version: str,
        published_at: datetime | None,
        *,
        is_prerelease: bool,
        yanked: bool,
        reason: str | None,
        noticed_at: datetime,
    ) -> PackageRelease:
        """A release; when a yank was noticed is kept by the warehouse from the first time on."""
        return PackageRelease(
            registry=self.registry,
            package=self.package,
            version=version,
            published_at=published_at,
            is_prerelease=is_prerelease,
            is_yanked=yanked,
            yanked_reason=(reason or None) if yanked else None,
            yanked_noticed_at=noticed_at if yanked else None,
        )

    def counter(self, counter: str, value: int, observed_at: datetime, version: str = "") -> PackageCounter:
        """A running total or rolling sum as it stands now; version '' is all versions."""
        return PackageCounter(
            registry=self.registry,
            package=self.package,
            version=version,
            counter=counter,
            observed_on=observed_at.date(),
            observed_at=observed_at,
            value=value,
        )

    def _missing(self, now: datetime) -> Package:
        """What was known of it stays; only its state says that it is gone."""
        if self.held is None:
            return self.describe("missing", now)
        return dataclasses.replace(self.held, state="missing")
