"""Collecting the repositories: what has changed, from the sources' batches to tables, book and report.

Where `sources` and `warehouse` meet. It knows nothing of Dagster, so that it can be run and tested without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from metrics_assets.partitions import Days
from metrics_assets.settings import Settings
from metrics_assets.sources import records
from metrics_assets.sources.asking import Batch
from metrics_assets.sources.errors import Empty, SourceError
from metrics_assets.sources.github import flat
from metrics_assets.sources.github.ancestors import ancestors
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.lists import LISTS, NUMBERS, STATUSES_MAY_COME_WITHIN, Place
from metrics_assets.sources.github.pull import Page, pull
from metrics_assets.sources.github.walks import Walk
from metrics_assets.sources.http import Spent, Validator
from metrics_assets.sources.records import Record
from metrics_assets.warehouse.collection import KEYS, Book, Entry, State, Target, Usage
from metrics_assets.warehouse.write import PersonKeys, upsert

logger = logging.getLogger(__name__)

# Repositories that are read side by side; the client's own limits hold beneath it.
_REPOSITORIES_AT_ONCE = 8
Report = Callable[[str], None]
# (repository, entity): where an unfinished collection stands.
Positions = dict[tuple[int, str], Mapping[str, Any] | None]

# A run that has ended may be run again.
_RUNS_MAY_BE_REPEATED = timedelta(days=1)
# What git knows: of a repository that is there alone, and beside GitHub.
_IN_GIT_ALONE = {"commits", "tags", "pull_requests"}
_IN_GIT_BESIDE = {"commits", "tags"}
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


@dataclass(slots=True)
class _Progress:
    """One entity of one repository on its way."""

    entity: str
    walk: Walk | None = None
    rows: int = 0
    total: int | None = None
    error: SourceError | None = None
    holes: int = 0
    present: set[Any] = field(default_factory=set)
    rest: Spent = field(default_factory=Spent)
    graphql: Spent = field(default_factory=Spent)

    def use(self, github: GitHub) -> None:
        self.rest.add(github.rest)
        self.graphql.add(github.graphql)


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
        await self._greet()
        due: list[tuple[Target, list[str]]] = []
        unchanged: list[tuple[int, str]] = []
        for target in self.book.targets():
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

        async def one(target: Target, now_due: list[str]) -> None:
            async with gate:
                await _Repository(self, target, states, collected).collect(now_due)
                collected.repositories += 1
                self.report(f"{target.repository} done ({collected.repositories} of {len(due)})")

        await run_all(one(target, now_due) for target, now_due in due)
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
    ) -> Counter[str]:
        """Write records of any tables, and how far they reach, in one transaction.

        Returns:
            How many rows of each table changed.
        """
        changed: Counter[str] = Counter()
        with self.engine.begin() as connection:
            for table, group in groupby(sorted(rows, key=_table), key=_table):
                changed[table] = upsert(connection, list(group), self.people)
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
        if target.provider == "git" and entity not in _IN_GIT_ALONE:
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
        if self.recollect or state.position or state.collected_at is None:
            return True
        if state.covers_from is None or state.covers_from > since:
            return True
        now = self.now()
        if entity in _EVERY_DAY:
            return state.collected_at.date() < now.date()
        mark = target.marks.get(entity)
        if target.git and entity in _IN_GIT_BESIDE:
            mark = None  # git is asked; that costs nothing
        is_old = now - state.collected_at >= timedelta(days=self.settings.sources.github.refresh_days)
        if entity in ("contributors", "security_advisories"):
            return is_old and (mark is None or mark != state.mark)
        return mark is None or mark != state.mark or (entity in _NOW_AND_THEN and is_old)


Work = Callable[[_Progress, GitHub], Awaitable[None]]


@dataclass(slots=True)
class _Repository:
    """The collection of one repository: its due entities, from the first request to the book."""

    collector: Collector
    target: Target
    states: Mapping[tuple[int, str], State]
    collected: Collected
    progress: dict[str, _Progress] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    reviewed: bool = False
    entries: list[Entry] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)

    async def collect(self, due: Sequence[str]) -> None:
        """Collect the due entities and note what came of each."""
        began = self.collector.now()
        self.progress = {entity: _Progress(entity) for entity in due}
        by_git = [entity for entity in due if self.target.git and entity in _IN_GIT_BESIDE]
        if self.target.provider == "git":
            by_git = list(due)
        for entity in by_git:
            await self._guarded(entity, self._by_git)
        by_rest = {
            "workflow_runs": self._workflow_runs,
            "contributors": self._contributors,
            "security_advisories": self._security_advisories,
            "dependabot_alerts": self._dependabot_alerts,
            "traffic": self._traffic,
        }
        after = {"commits": self._ancestors}
        # Whether there is anything new to ask for is seen in the pull requests, where they are read before.
        (by_rest if self._wants_all_review_comments() else after)["review_comments"] = self._review_comments
        # GraphQL and REST have limits of their own, so both are used at the same time.
        await run_all(
            [
                self._by_graphql([entity for entity in due if entity in LISTS and entity not in by_git]),
                self._in_turn({entity: work for entity, work in by_rest.items() if entity not in by_git}),
            ]
        )
        await self._in_turn({entity: work for entity, work in after.items() if entity not in by_git})
        for progress in self.progress.values():
            await self._finish(progress, began)
        await asyncio.to_thread(self.collector.book.log, self.entries)
        await asyncio.to_thread(self.collector.book.use, self.usages)

    async def _in_turn(self, works: Mapping[str, Work]) -> None:
        """Do the work of those entities that are due, one after the other."""
        for entity, work in works.items():
            if entity in self.progress and self.progress[entity].error is None:
                await self._guarded(entity, work)

    # --- what GraphQL has ---

    async def _by_graphql(self, entities: Sequence[str]) -> None:
        walks = []
        for entity in entities:
            total = self.target.totals.get(entity)
            if total == 0 or (self.target.state == "empty" and entity in ("commits", "tags")):
                self.progress[entity].total = total
                continue  # there is nothing, so there is nothing to ask for
            self.progress[entity].walk = walk = self._walk(entity)
            walks.append(walk)
        github = self.collector.github.accounted()
        place = Place(github, self.target.repository_id, self.target.repository, self.collector.now().date())
        async with AsyncExitStack() as stack:
            pages_of_requests = pull(self.collector.github.accounted(), self.target.repository, walks)
            stack.push_async_callback(pages_of_requests.aclose)
            # One page is written while the next one is asked for; places are kept in the order of the pages.
            writing: asyncio.Task[None] | None = None
            async for pages in pages_of_requests:
                rows, positions = await self._take(pages, place)
                if writing is not None:
                    await writing
                writing = asyncio.create_task(self._keep(rows, positions))
            if writing is not None:
                await writing

    def _walk(self, entity: str) -> Walk:
        plan, state = LISTS[entity].plan, self._state(entity)
        limit, since = self.collector.github.page_size, self._since(entity)
        if state.position and not LISTS[entity].is_read_whole:
            left = Walk.resume(plan, state.position, limit=limit)
            if left.since is not None and since is not None and left.since <= since:
                return left
        first_time = state.covers_from is None or self.collector.recollect
        # What is open and untouched since before the range; there is none where the range holds everything.
        backlog = first_time and since is not None and since > self.target.created_at
        return Walk.begin(plan, since, backlog=backlog, few_expected=not first_time, limit=limit)

    def _since(self, entity: str) -> datetime | None:
        if LISTS[entity].is_read_whole:
            return None
        since = self.collector.days.start_time
        return since - STATUSES_MAY_COME_WITHIN if entity == "deployments" else since

    async def _keep(self, rows: Sequence[Record], positions: Positions) -> None:
        self.collected.count(await asyncio.to_thread(self.collector.write, rows, positions), rows)

    async def _take(self, pages: Sequence[Page], place: Place) -> tuple[list[Record], Positions]:
        """What one request gave, with the places that the walks have reached."""
        rows: list[Record] = []
        positions: Positions = {}
        for page in pages:
            progress = self.progress[page.walk.plan.entity]
            progress.graphql.add(page.spent)
            if page.taken is None:
                progress.error = page.error
                continue
            account = place.github.accounted()
            try:
                mine = await self._read(progress, page.taken.items, Place(account, *_rest_of(place)))
            except SourceError as error:
                # Its page is not written, so its place stays where it was; the walk is not followed further.
                progress.error, page.walk.pending = error, []
                continue
            finally:
                progress.use(account)
            progress.holes += page.taken.holes
            progress.total = page.walk.total_count
            if progress.total is None:
                progress.total = self.target.totals.get(progress.entity)
            rows += mine
            # The last page's place is that of the one before, until the entity is finished as a whole.
            if position := page.walk.position():
                positions[(self.target.repository_id, progress.entity)] = position
        return rows, positions

    async def _read(self, progress: _Progress, items: Sequence[dict[str, Any]], place: Place) -> list[Record]:
        github_list = LISTS[progress.entity]
        rows: list[Record] = []
        for item in items:
            rows += await github_list.read(place, item)
        own = [row for row in rows if f"raw.{progress.entity}" == row.TABLE]
        progress.rows += len(rows)
        if github_list.is_read_whole:
            progress.present |= {getattr(row, KEYS[progress.entity]) for row in own}
        for row in rows:
            if isinstance(row, records.Commit):
                self.parents |= set(row.parents)
            elif isinstance(row, records.Review):
                self.reviewed = self.reviewed or row.submitted_at >= self.collector.days.start_time
        return rows

    # --- what REST has ---

    async def _ancestors(self, progress: _Progress, github: GitHub) -> None:
        if self.target.state == "empty":
            return
        parents = self.parents
        if progress.walk and progress.walk.resumed:
            parents = parents | await asyncio.to_thread(self._unknown_parents)
        async for batch in ancestors(
            github,
            self.target.repository_id,
            self.target.repository,
            start=datetime.combine(self.collector.settings.start, datetime.min.time(), UTC),
            parents=parents,
            deployed=await asyncio.to_thread(self._deployed),
            unknown=self._unknown_commits,
        ):
            await self._write(progress, batch)

    async def _review_comments(self, progress: _Progress, github: GitHub) -> None:
        state, since = self._state("review_comments"), self.collector.days.start_time
        if self.target.totals.get("pull_requests") == 0:
            return
        if not (self._wants_all_review_comments() or self.reviewed):
            return  # every comment on a line belongs to a review, and there is no new one
        if state.position and datetime.fromisoformat(state.position["since"]) <= since:
            since = datetime.fromisoformat(state.position["reached"])
        position = {"since": self.collector.days.start_time.isoformat()}
        async for batch, reached in flat.review_comments(github, *self._identity, since):
            await self._write(progress, batch, position | {"reached": reached.isoformat()})

    def _wants_all_review_comments(self) -> bool:
        """Whether those of the range are wanted, also where no review tells of new ones."""
        state, since = self._state("review_comments"), self.collector.days.start_time
        known = state.covers_from is not None and state.covers_from <= since and not state.position
        return not known or self.collector.recollect or "pull_requests" not in self.progress

    async def _workflow_runs(self, progress: _Progress, github: GitHub) -> None:
        state, wanted = self._state("workflow_runs"), self.collector.days.start_time
        since = wanted
        if state.collected_at and state.covers_from and state.covers_from <= wanted and not self.collector.recollect:
            since = await asyncio.to_thread(self._oldest_unfinished_run, state.collected_at - _RUNS_MAY_BE_REPEATED)
        if state.position and datetime.fromisoformat(state.position["since"]) <= wanted:
            since = datetime.fromisoformat(state.position["reached"])
        until = max(self.collector.now(), since) + timedelta(minutes=1)
        position = {"since": wanted.isoformat()}
        async for batch, reached in flat.workflow_runs(github, *self._identity, since, until):
            await self._write(progress, batch, position | {"reached": reached.isoformat()})

    async def _contributors(self, progress: _Progress, github: GitHub) -> None:
        await self._batches(progress, flat.contributors(github, *self._identity))

    async def _security_advisories(self, progress: _Progress, github: GitHub) -> None:
        await self._batches(progress, flat.security_advisories(github, *self._identity))

    async def _dependabot_alerts(self, progress: _Progress, github: GitHub) -> None:
        await self._batches(progress, flat.dependabot_alerts(github, *self._identity))

    async def _traffic(self, progress: _Progress, github: GitHub) -> None:
        await self._batches(progress, flat.traffic(github, *self._identity))

    async def _by_git(self, progress: _Progress, github: GitHub) -> None:
        raise NotImplementedError

    # --- what they have in common ---

    @property
    def _identity(self) -> tuple[int, str]:
        return self.target.repository_id, self.target.repository

    def _state(self, entity: str) -> State:
        return self.states.get((self.target.repository_id, entity), State())

    async def _guarded(self, entity: str, work: Work) -> None:
        """Do an entity's work; what a source could not give is noted and stops no other entity."""
        progress, github = self.progress[entity], self.collector.github.accounted()
        try:
            await work(progress, github)
        except Empty:
            pass  # nothing in it yet, which is complete
        except SourceError as error:
            progress.error = error
        finally:
            progress.use(github)

    async def _batches(self, progress: _Progress, batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            await self._write(progress, batch)
            for table in batch.complete_lists:
                entity = table.removeprefix("raw.")
                present = {self._key(row, KEYS[entity]) for row in batch.records if table == row.TABLE}
                gone = await asyncio.to_thread(
                    self.collector.book.mark_deleted, entity, self.target.repository_id, present, self.collector.now()
                )
                self.collected.deleted[entity] += gone

    async def _write(self, progress: _Progress, batch: Batch, position: dict[str, Any] | None = None) -> None:
        progress.rows += len(batch.records)
        progress.total = batch.total_count if batch.total_count is not None else progress.total
        positions: Positions = {(self.target.repository_id, progress.entity): position} if position else {}
        written = await asyncio.to_thread(self.collector.write, batch.records, positions, batch.validators)
        self.collected.count(written, batch.records)

    def _key(self, row: Record, key: str) -> Any:
        if key != "person_key":
            return getattr(row, key)
        return self.collector.people.key(row.person)  # type: ignore[attr-defined]  # stargazers and contributors

    async def _finish(self, progress: _Progress, began: datetime) -> None:
        """Compare with the provider's count, mark what is gone, and note how far this entity is."""
        reason = self._what_is_missing(progress)
        if reason is None and progress.error is None:
            await self._finish_complete(progress, began)
        if progress.error is not None or reason is not None:
            text = str(progress.error) if progress.error is not None else reason
            self.collected.missing[progress.entity][self.target.repository] = str(text)
            self.collector.report(f"{self.target.repository}, {progress.entity}: {text}")
            error_class = type(progress.error).__name__ if progress.error is not None else "Incomplete"
            self._log(progress, "incomplete", str(text), error_class, None)
        self._use(progress)

    def _what_is_missing(self, progress: _Progress) -> str | None:
        if progress.holes:
            return f"{progress.holes} rows of {progress.entity} came empty; what came is kept; run it again later"
        return self.collector.too_early()

    async def _finish_complete(self, progress: _Progress, began: datetime) -> None:
        book, target, entity = self.collector.book, self.target, progress.entity
        state, started = self._state(entity), self._first_wanted()
        created = LISTS[entity].created if entity in LISTS else None
        if entity in LISTS and LISTS[entity].is_read_whole and not (progress.walk and progress.walk.resumed):
            self.collected.deleted[entity] += await asyncio.to_thread(
                book.mark_deleted, entity, target.repository_id, progress.present, self.collector.now()
            )
        outside, swept_at = state.outside, state.swept_at or began
        if created and entity != "commits" and progress.total is not None:
            live = await asyncio.to_thread(book.live, entity, target.repository_id, created, started)
            if outside is None:
                outside = max(progress.total - live, 0) if started else 0
            if live > progress.total - outside and self._may_sweep(entity, swept_at, state):
                swept = await self._sweep(progress, created, started, live - (progress.total - outside))
                if progress.error is not None:
                    return
                if swept:
                    live = await asyncio.to_thread(book.live, entity, target.repository_id, created, started)
                    outside, swept_at = (max(progress.total - live, 0) if started else 0), began
        in_warehouse = await asyncio.to_thread(book.live, entity, target.repository_id, None, None)
        await asyncio.to_thread(
            partial(
                book.finish,
                target.repository_id,
                entity,
                mark=target.marks.get(entity),
                covers_from=self._covers_from(progress),
                collected_at=began,
                outside=outside,
                swept_at=swept_at,
            )
        )
        reason = "the repository is empty" if target.state == "empty" and entity in ("commits", "tags") else None
        self._log(progress, "complete", reason, None, in_warehouse)

    def _covers_from(self, progress: _Progress) -> datetime:
        """Since when everything is held; a walk that went on where an earlier run left off may reach further back."""
        since = self.collector.days.start_time
        if progress.walk and progress.walk.resumed and progress.walk.since:
            return min(since, progress.walk.since)
        return since

    def _first_wanted(self) -> datetime | None:
        """The first moment of the history that is wanted; None where that is all of it."""
        start = datetime.combine(self.collector.settings.start, datetime.min.time(), UTC)
        return None if start.date() <= self.target.created_at.date() else start

    def _may_sweep(self, entity: str, swept_at: datetime, state: State) -> bool:
        """Stars are taken back every day and their list is long; of the others hardly anything is deleted."""
        if entity not in ("stargazers", "forks"):
            return True
        patience = timedelta(days=self.collector.settings.sources.github.refresh_days)
        return state.collected_at is not None and self.collector.now() - swept_at >= patience

    async def _sweep(self, progress: _Progress, created: str, started: datetime | None, gone: int) -> bool:
        """Read a list's keys and mark the rows that it no longer has; no more than the count says are gone."""
        entity, key = progress.entity, KEYS[progress.entity]
        numbers = NUMBERS.get(entity)
        walk = Walk.begin(numbers or LISTS[entity].plan, started, backlog=True)
        present: set[Any] = set()
        async for pages in pull(self.collector.github.accounted(), self.target.repository, [walk]):
            for page in pages:
                progress.graphql.add(page.spent)
                if page.taken is None:
                    progress.error = page.error
                    return False
                if numbers:
                    present |= {item["number"] for item in page.taken.items}
                else:
                    place = Place(self.collector.github, *self._identity, self.collector.now().date())
                    rows = [row for item in page.taken.items for row in await LISTS[entity].read(place, item)]
                    present |= {self._key(row, key) for row in rows if f"raw.{entity}" == row.TABLE}
        found = await asyncio.to_thread(
            partial(
                self.collector.book.mark_deleted,
                entity,
                self.target.repository_id,
                present,
                self.collector.now(),
                created=created,
                since=started,
                at_most=gone,
            )
        )
        if found <= gone:
            self.collected.deleted[entity] += found
            self.collector.report(f"{self.target.repository}: {found} {entity} are gone at the provider")
        return found <= gone

    def _log(
        self, progress: _Progress, outcome: str, reason: str | None, error_class: str | None, in_warehouse: int | None
    ) -> None:
        self.entries.append(
            Entry(
                progress.entity,
                self.target.repository,
                outcome,
                self.target.repository_id,
                rows_read=progress.rows,
                rows_in_warehouse=in_warehouse,
                rows_at_provider=progress.total,
                requests=progress.rest.requests + progress.graphql.requests,
                points=progress.graphql.points,
                reason=reason,
                error_class=error_class,
            )
        )

    def _use(self, progress: _Progress) -> None:
        self.usages += [
            Usage(
                "github",
                progress.entity,
                self.target.repository,
                resource,
                requests=spent.requests,
                points=spent.points,
                not_modified=spent.not_modified,
                retries=spent.retries,
                waited_seconds=spent.waited_seconds,
            )
            for resource, spent in (("core", progress.rest), ("graphql", progress.graphql))
            if spent.requests
        ]
        self.collected.requests += progress.rest.requests + progress.graphql.requests
        self.collected.points += progress.graphql.points

    # --- what the warehouse knows ---

    def _oldest_unfinished_run(self, newest: datetime) -> datetime:
        """When the oldest workflow run that had not ended yet was created, at the latest `newest`."""
        found = self._column(
            "select min(created_at) from raw.workflow_runs where repository_id = :repository "
            "and status <> 'completed' and created_at > :month_ago",
            month_ago=newest - timedelta(days=35),
        )
        times: list[datetime] = [newest, *(at for at in found if at)]
        return min(times)

    def _deployed(self) -> list[str]:
        """Commits that were deployed or tagged; not of the range alone, as a new tag may stand for an old commit."""
        return self._column(
            "select sha from raw.deployments join ops.repository_settings using (repository_id, environment) "
            "where repository_id = :repository and created_at >= :start "
            "union select sha from raw.tags where repository_id = :repository and tagged_at >= :start",
            start=self.collector.settings.start,
        )

    def _unknown_commits(self, shas: Iterable[str], on_default_branch: bool) -> set[str]:
        asked = set(shas)
        known = self._column(
            "select sha from raw.commits where repository_id = :repository and sha = any (:shas) "
            "and (on_default_branch or not :on_default_branch)",
            shas=list(asked),
            on_default_branch=on_default_branch,
        )
        return asked - set(known)

    def _unknown_parents(self) -> set[str]:
        """Parents that are not there themselves, of all commits of the default branch that are."""
        return set(
            self._column(
                "select distinct parent from raw.commits as commits, unnest(parents) as parent "
                "where repository_id = :repository and on_default_branch and not exists ("
                "select 1 from raw.commits as there where there.repository_id = :repository and there.sha = parent)"
            )
        )

    def _column(self, sql: str, **parameters: Any) -> list[Any]:
        with self.collector.engine.connect() as connection:
            found = connection.execute(sa.text(sql), {"repository": self.target.repository_id, **parameters})
            return list(found.scalars())


def _table(record: Record) -> str:
    return record.TABLE


def _rest_of(place: Place) -> tuple[int, str, Any]:
    return place.repository_id, place.repository, place.observed_on


async def run_all(jobs: Iterable[Any]) -> None:
    """Run jobs side by side; the first unexpected error cancels the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except* Exception as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
