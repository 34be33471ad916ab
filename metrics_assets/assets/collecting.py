"""Collecting the repositories: what has changed, from the sources' batches to tables, book and report.

Where `sources` and `warehouse` meet. It knows nothing of Dagster, so that it can be run and tested without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from metrics_assets.assets.git import GIT_ENTITIES
from metrics_assets.assets.repository import IN_GIT_BESIDE, Positions, RepositoryCollection
from metrics_assets.assets.side_by_side import run_all
from metrics_assets.partitions import Days
from metrics_assets.settings import Settings
from metrics_assets.sources.errors import SourceError
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.together import Questions
from metrics_assets.sources.http import Validator
from metrics_assets.sources.records import Record
from metrics_assets.warehouse.collection import Book, Entry, State, Target, Usage
from metrics_assets.warehouse.write import PersonKeys, upsert_all

logger = logging.getLogger(__name__)

# Repositories that are read side by side; the client's own limits hold beneath it.
_REPOSITORIES_AT_ONCE = 16
Report = Callable[[str], None]

# What the token must be allowed to do for an entity, by GitHub's names of permissions.
_PERMISSIONS = {
    "traffic": {"WRITE", "MAINTAIN", "ADMIN"},
    "dependabot_alerts": {"ADMIN"},
}
# Nothing tells that these have changed, and waiting may lose what they show.
_EVERY_DAY = {"traffic", "dependabot_alerts"}
# These change without a sign, or with every commit, and can wait.
_NOW_AND_THEN = {"contributors", "security_advisories", "releases"}


@dataclass(slots=True)
class Collected:
    """What a collection did."""

    rows_read: Counter[str] = field(default_factory=Counter)
    rows_written: Counter[str] = field(default_factory=Counter)
    requests: float = 0
    points: float = 0
    repositories: int = 0
    unchanged: int = 0
    deleted: Counter[str] = field(default_factory=Counter)
    missing: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))  # entity: subject: why
    skipped: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    remarks: dict[str, str] = field(default_factory=dict)  # repository: what is worth knowing

    def count(self, written: Counter[str], read: Iterable[Record]) -> None:
        """Add a batch; writers run side by side, so only the event loop counts."""
        self.rows_written.update(written)
        self.rows_read.update(record.TABLE for record in read)


@dataclass(frozen=True, slots=True)
class Collector:
    """Everything that collecting needs, whatever the repository.

    Attributes:
        recollect: ask for everything of the range again, also where the provider says that nothing changed.
    """

    engine: sa.Engine
    github: GitHub
    people: PersonKeys
    settings: Settings
    book: Book
    days: Days
    recollect: bool = False
    report: Report = logger.info
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def collect(self, entities: Iterable[str]) -> Collected:
        """Collect entities of every repository that wants them, since the range's start.

        A repository that cannot be collected is reported and does not stop the others; an entity of it that
        cannot, does not stop its other entities.

        Raises:
            Unauthorized: the token was refused, so that nothing can be collected.
        """
        wanted, collected = set(entities), Collected()
        self._note_lost(wanted, collected)
        states = self.book.states()
        targets = self.book.targets()
        if any(target.provider == "github" for target in targets):
            await self._greet()
        due: list[tuple[Target, list[str]]] = []
        unchanged: list[tuple[int, str]] = []
        for target in targets:
            now_due = []
            for entity in target.entities:
                if entity not in wanted or not self._can_be_had(entity, target, collected):
                    continue
                if self._is_due(entity, target, states.get((target.repository_id, entity), State())):
                    now_due.append(entity)
                else:
                    unchanged.append((target.repository_id, entity))
            due += [(target, now_due)] if now_due else []
        early = self.too_early()
        if early is None:
            self.book.finish_unchanged(unchanged)
        for _, entity in unchanged if early else ():
            collected.missing[entity]["the whole portfolio"] = early or ""
        collected.unchanged = len(unchanged)
        self.report(f"{len(due)} repositories have something new; {len(unchanged)} lists are as they were")
        gate = asyncio.Semaphore(_REPOSITORIES_AT_ONCE)
        questions = Questions(self.github.accounted())

        async def one(target: Target, now_due: list[str]) -> None:
            async with gate:
                await RepositoryCollection(self, target, states, questions, collected).collect(now_due)
                collected.repositories += 1
                self.report(f"{target.repository} done ({collected.repositories} of {len(due)})")

        await run_all(one(target, now_due) for target, now_due in due)
        together = questions.github.graphql
        waited, retries = together.waited_seconds, together.retries
        self.book.use(
            [
                Usage(
                    "github", "together", "portfolio", "graphql", together.requests, together.points,
                    retries=retries, waited_seconds=waited,
                )
            ]
        )  # fmt: skip
        collected.requests += together.requests
        collected.points += together.points
        return collected

    async def _greet(self) -> None:
        """Learn the provider's clock and budget by a request that costs nothing."""
        github = self.github.accounted()
        try:
            await github.get("/rate_limit")
        except SourceError as error:
            # An Enterprise Server may have no limits; and where it does not answer, the collection will say so.
            self.report(str(error))
        self.book.use([Usage("github", "rate_limit", "portfolio", "core", requests=github.rest.requests)])

    def now(self) -> datetime:
        """The provider's clock, as far as its answers have told it."""
        return datetime.fromtimestamp(self.github.client.now(), UTC)

    def too_early(self) -> str | None:
        """What is wrong where the range is not over by the provider's clock, so that it cannot be complete."""
        now = self.now()
        if now >= self.days.end_time:
            return None
        return (
            f"the provider's clock says {now:%Y-%m-%d %H:%M} (UTC), so {self.days.last} is not over; what there was "
            "is kept; set this machine's clock, and run the day again"
        )

    def write(
        self,
        rows: Iterable[Record],
        positions: Positions | None = None,
        validators: Mapping[str, Validator] | None = None,
        also: Callable[[sa.Connection], object] = lambda connection: None,
    ) -> Counter[str]:
        """Write records of any tables, and how far they reach, in one transaction, and do something more in it.

        Returns:
            How many rows of each table changed.
        """
        with self.engine.begin() as connection:
            changed = upsert_all(connection, rows, self.people)
            also(connection)
            for (repository_id, entity), position in (positions or {}).items():
                self.book.keep_position(connection, repository_id, entity, position)
            self.book.keep_validators(
                connection, {url: (one.etag, one.last_modified) for url, one in (validators or {}).items()}
            )
        return changed

    def _note_lost(self, wanted: set[str], collected: Collected) -> None:
        """Which repositories want the entities and cannot give them, so that what is missing has a reason."""
        entries = []
        for repository_id, repository, state, entities in self.book.lost():
            for entity in wanted & set(entities):
                reason = f"the repository is {state}"
                entries.append(Entry(entity, repository, "skipped", repository_id, reason=reason))
        self.book.log(entries)

    def _can_be_had(self, entity: str, target: Target, collected: Collected) -> bool:
        if target.provider == "git" and entity not in GIT_ENTITIES:
            return False
        needed = _PERMISSIONS.get(entity)
        if needed and target.permission is not None and target.permission not in needed:
            collected.skipped[entity][target.repository] = (
                f"the token may {target.permission}; {entity} needs {' or '.join(sorted(needed))}"
            )
            return False
        return True

    def _is_due(self, entity: str, target: Target, state: State) -> bool:
        """Whether an entity has to be asked for: it is not known far enough back, or there is a sign of change."""
        since = self.days.start_time
        by_git = target.git is not None and (target.provider == "git" or entity in IN_GIT_BESIDE)
        if self.recollect or by_git or state.position or state.collected_at is None:
            return True
        if state.covers_from is None or state.covers_from > since:
            return True
        now = self.now()
        if entity in _EVERY_DAY:
            return state.collected_at.date() < now.date()
        mark = target.marks.get(entity)
        refresh = timedelta(days=self.settings.sources.github.refresh_days)
        is_old = now - state.collected_at >= refresh
        if entity in ("contributors", "security_advisories"):
            return is_old and (mark is None or mark != state.mark)
        if entity in ("stargazers", "forks") and state.swept_at and state.swept_at < state.collected_at:
            # Rows that are gone were counted, and it was too early to look which.
            return mark is None or mark != state.mark or now - state.swept_at >= refresh
        return mark is None or mark != state.mark or (entity in _NOW_AND_THEN and is_old)
