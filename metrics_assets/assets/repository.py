"""Collecting one repository: its entities that are due, from the first request to the book."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from metrics_assets.assets.git import collect_git, fetch, mark_departed, wants_directories
from metrics_assets.assets.side_by_side import run_all
from metrics_assets.settings import metrics_home
from metrics_assets.sources import records
from metrics_assets.sources.asking import Batch
from metrics_assets.sources.errors import Empty, SourceError
from metrics_assets.sources.git.batch import GitBatch
from metrics_assets.sources.git.mirror import Mirror
from metrics_assets.sources.github import flat
from metrics_assets.sources.github.ancestors import ancestors
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.lists import LISTS, NUMBERS, STATUSES_MAY_COME_WITHIN, Place
from metrics_assets.sources.github.pull import Page, pull
from metrics_assets.sources.github.together import Questions
from metrics_assets.sources.github.walks import Walk
from metrics_assets.sources.http import Spent
from metrics_assets.sources.records import Record
from metrics_assets.warehouse.collection import KEYS, Entry, State, Target, Usage

if TYPE_CHECKING:
    from metrics_assets.assets.collecting import Collected, Collector

# (repository, entity): where an unfinished collection stands.
Positions = dict[tuple[int, str], Mapping[str, Any] | None]
# A run that has ended may be run again.
_RUNS_MAY_BE_REPEATED = timedelta(days=1)
# Of a repository that is in git and on GitHub, what comes from git.
IN_GIT_BESIDE = {"commits", "tags"}
# Lists as long as this fit on a page, so that several can be asked for together.
_SHORT = 100


@dataclass(slots=True)
class _Progress:
    """One entity of one repository on its way."""

    entity: str
    walk: Walk | None = None
    rows: int = 0
    total: int | None = None
    error: SourceError | None = None
    holes: int = 0
    by_git: bool = False
    remark: str | None = None
    present: set[Any] = field(default_factory=set)
    rest: Spent = field(default_factory=Spent)
    graphql: Spent = field(default_factory=Spent)

    def use(self, github: GitHub) -> None:
        self.rest.add(github.rest)
        self.graphql.add(github.graphql)


Work = Callable[[_Progress, GitHub], Awaitable[None]]


@dataclass(slots=True)
class RepositoryCollection:
    """The collection of one repository: its due entities, from the first request to the book."""

    collector: Collector
    target: Target
    states: Mapping[tuple[int, str], State]
    questions: Questions
    collected: Collected
    progress: dict[str, _Progress] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    reviewed: dict[str, int] = field(default_factory=dict)  # node id: number of a pull request with a new review
    entries: list[Entry] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)

    async def collect(self, due: Sequence[str]) -> None:
        """Collect the due entities and note what came of each."""
        began = self.collector.now()
        self.progress = {entity: _Progress(entity) for entity in due}
        by_git = [entity for entity in due if self.target.git and entity in IN_GIT_BESIDE]
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
        # Side by side: lists that have lost rows ask for their numbers together.
        await run_all(self._finish(progress, began) for progress in self.progress.values())
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
            try:
                async for pages in pages_of_requests:
                    rows, positions = await self._take(pages, place)
                    if writing is not None:
                        await writing
                    writing = asyncio.create_task(self._keep(rows, positions))
            finally:
                if writing is not None:
                    await writing

    def _walk(self, entity: str) -> Walk:
        plan, state = LISTS[entity].plan, self._state(entity)
        limit, since = self.collector.github.page_size, self._since(entity)
        # A position without pending parts is git's, from which this entity came before.
        if state.position and "pending" in state.position and not LISTS[entity].is_read_whole:
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
            # Behind a row that came as null the place is not moved on, so that the next run asks for it again.
            if (position := page.walk.position()) and not progress.holes:
                positions[(self.target.repository_id, progress.entity)] = position
        return rows, positions

    async def _read(self, progress: _Progress, items: Sequence[dict[str, Any]], place: Place) -> list[Record]:
        github_list = LISTS[progress.entity]
        rows: list[Record] = []
        since = self.collector.days.start_time
        for item in items:
            mine = await github_list.read(place, item)
            rows += mine
            if any(isinstance(row, records.Review) and row.submitted_at >= since for row in mine):
                self.reviewed[str(item["node_id"])] = int(item["number"])
        own = [row for row in rows if f"raw.{progress.entity}" == row.TABLE]
        progress.rows += len(rows)
        if github_list.is_read_whole:
            progress.present |= {getattr(row, KEYS[progress.entity]) for row in own}
        for row in rows:
            if isinstance(row, records.Commit):
                self.parents |= set(row.parents)
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
        few = not self._wants_all_review_comments() and self._saw_all_reviews()
        if few and await self._new_review_comments(progress):
            return
        if state.position and datetime.fromisoformat(state.position["since"]) <= since:
            since = datetime.fromisoformat(state.position["reached"])
        position = {"since": self.collector.days.start_time.isoformat()}
        async for batch, reached in flat.review_comments(github, *self._identity, since):
            await self._write(progress, batch, position | {"reached": reached.isoformat()})

    async def _new_review_comments(self, progress: _Progress) -> bool:
        """Those of the pull requests with new reviews, as every comment on a line belongs to a review.

        Returns:
            Whether these are all; not where a pull request has more threads than are asked for.
        """
        found = await self.questions.review_comments.of(list(self.reviewed))
        if not all(pull_request.is_whole for pull_request in found.values()):
            return False
        for node_id, pull_request in found.items():
            rows = pull_request.records(self.target.repository_id, self.reviewed[node_id])
            await self._write(progress, Batch(rows))
        return True

    def _saw_all_reviews(self) -> bool:
        """Whether this run has read every pull request of the range: not where it failed, or began in the middle."""
        pull_requests = self.progress["pull_requests"]
        resumed = pull_requests.walk is not None and pull_requests.walk.resumed
        return pull_requests.error is None and not pull_requests.holes and not resumed

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
        async for batch, reached in flat.workflow_runs(github, self.questions, *self._identity, since, until):
            await self._write(progress, batch, position | {"reached": reached.isoformat()})

    async def _contributors(self, progress: _Progress, github: GitHub) -> None:
        await self._batches(progress, flat.contributors(github, *self._identity))

    async def _security_advisories(self, progress: _Progress, github: GitHub) -> None:
        await self._batches(progress, flat.security_advisories(github, *self._identity))

    async def _dependabot_alerts(self, progress: _Progress, github: GitHub) -> None:
        await self._batches(progress, flat.dependabot_alerts(github, *self._identity))

    async def _traffic(self, progress: _Progress, github: GitHub) -> None:
        await self._batches(progress, flat.traffic(github, *self._identity))

    # --- what git has ---

    async def _by_git(self, progress: _Progress, github: GitHub) -> None:
        mirror = Mirror(self.target.git or "", metrics_home())
        progress.by_git = True
        await fetch(mirror, fresh_since=self.collector.began)
        start = datetime.combine(self.collector.settings.start, datetime.min.time(), UTC)
        known = None if self.collector.recollect else self._state(progress.entity).position
        batches = collect_git(
            mirror,
            progress.entity,
            *self._identity,
            start,
            known,
            with_directories=wants_directories(self.collector.settings, self.target.git),
        )
        key = KEYS.get(progress.entity)
        async for batch in batches:
            progress.rows += len(batch.records)
            if key:
                table = f"raw.{progress.entity}"
                progress.present |= {self._key(row, key) for row in batch.records if table == row.TABLE}
            position: Positions = {}
            if batch.position is not None:
                position[self.target.repository_id, progress.entity] = batch.position
            written = await asyncio.to_thread(
                self.collector.write, batch.records, position, None, self._departed(mirror, batch)
            )
            self.collected.count(written, batch.records)
            if batch.remarks:
                progress.remark = " ".join(batch.remarks)
                self.collected.remarks[self.target.repository] = progress.remark
            if f"raw.{progress.entity}" in batch.complete_lists:
                self.collected.deleted[progress.entity] += await asyncio.to_thread(
                    self.collector.book.mark_deleted,
                    progress.entity,
                    self.target.repository_id,
                    progress.present,
                    self.collector.now(),
                )

    def _departed(self, mirror: Mirror, batch: GitBatch) -> Callable[[sa.Connection], object]:
        return lambda connection: mark_departed(connection, self.target.repository_id, mirror, batch)

    # --- what they have in common ---

    @property
    def _identity(self) -> tuple[int, str]:
        return self.target.repository_id, self.target.repository

    def _state(self, entity: str) -> State:
        return self.states.get((self.target.repository_id, entity), State())

    async def _guarded(self, entity: str, work: Work) -> None:
        """Do an entity's work; what a source could not give is noted and stops no other entity."""
        progress, github = self.progress[entity], self.collector.github.accounted()
        if self.collector.recollect:
            github.known = lambda url: None
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
        if entity in LISTS and LISTS[entity].is_read_whole and not progress.by_git:
            self.collected.deleted[entity] += await asyncio.to_thread(
                book.mark_deleted, entity, target.repository_id, progress.present, self.collector.now()
            )
        outside, swept_at = state.outside, state.swept_at or began
        if created and entity != "commits" and progress.total is not None:
            live = await asyncio.to_thread(book.live, entity, target.repository_id, created, started)
            if outside is None:
                outside = max(progress.total - live, 0) if started else 0
            if live <= progress.total - outside:
                swept_at = began  # nothing is gone
            elif self._may_sweep(entity, swept_at, state):
                try:
                    swept = await self._sweep(progress, created, started, live - (progress.total - outside))
                except SourceError as error:
                    progress.error = error
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
                mark=self._mark(entity),
                covers_from=self._covers_from(progress),
                collected_at=began,
                outside=outside,
                swept_at=swept_at,
                keep_position=progress.by_git,
            )
        )
        reason = (
            "the repository is empty" if target.state == "empty" and entity in ("commits", "tags") else progress.remark
        )
        self._log(progress, "complete", reason, None, in_warehouse)

    def _mark(self, entity: str) -> str | None:
        """The probe's mark; none of commits whose tags or deployments could not be read, so that they stay due."""
        others = (self.progress.get(name) for name in ("tags", "deployments"))
        if entity == "commits" and any(other and (other.error or other.holes) for other in others):
            return None
        return self.target.marks.get(entity)

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
        if numbers and progress.total is not None and progress.total <= _SHORT:
            together = await self.questions.numbers.of([f"{entity} {self.target.repository}"])
            return await self._mark_gone(progress, set().union(*together.values()), created, started, gone)
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
        return await self._mark_gone(progress, present, created, started, gone)

    async def _mark_gone(
        self, progress: _Progress, present: set[Any], created: str, started: datetime | None, gone: int
    ) -> bool:
        entity = progress.entity
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


def _rest_of(place: Place) -> tuple[int, str, Any]:
    return place.repository_id, place.repository, place.observed_on
