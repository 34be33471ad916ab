"""The book of collecting in schema ops: what is wanted, how far each entity is, what it cost, what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

# The column that says when a row came to be, and the rest of the key; tables where deleted rows are marked.
KEYS = {
    "pull_requests": "number",
    "issues": "number",
    "discussions": "number",
    "milestones": "number",
    "releases": "release_id",
    "tags": "tag",
    "deployments": "deployment_id",
    "stargazers": "person_key",
    "forks": "fork_id",
    "contributors": "person_key",
    "security_advisories": "advisory_id",
    "dependabot_alerts": "number",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A repository to collect from, and what the newest probe showed of it."""

    repository_id: int
    repository: str
    state: str
    provider: str
    git: str | None
    created_at: datetime
    entities: tuple[str, ...]
    permission: str | None
    marks: dict[str, str]
    totals: dict[str, int]


@dataclass(frozen=True, slots=True)
class State:
    """How far an entity of a repository is; see ops.collection_state."""

    mark: str | None = None
    covers_from: datetime | None = None
    collected_at: datetime | None = None
    outside: int | None = None
    swept_at: datetime | None = None
    position: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of ops.collection_log: what a collection of one entity of one subject gave."""

    entity: str
    subject: str
    outcome: str  # complete | incomplete | skipped
    repository_id: int | None = None
    rows_read: int = 0
    rows_in_warehouse: int | None = None
    rows_at_provider: int | None = None
    requests: float = 0
    points: float = 0
    reason: str | None = None
    error_class: str | None = None
    source: str = "github"


@dataclass(frozen=True, slots=True)
class Usage:
    """A row of ops.api_usage."""

    source: str
    entity: str
    subject: str
    resource: str
    requests: float
    points: float = 0
    not_modified: float = 0
    retries: float = 0
    waited_seconds: float = 0


@dataclass(slots=True)
class Book:
    """Reads and writes the book for one run over one range of days.

    Attributes:
        first, end: the range, half-open.
    """

    engine: sa.Engine
    run_id: str
    first: date
    end: date

    # --- what is wanted ---

    def targets(self) -> list[Target]:
        """The repositories of metrics.yaml that could be found and were not taken down.

        Marks and totals are those of this run's probe; an older one says nothing about what has changed since.
        """
        found = self._rows(
            "select settings.repository_id, settings.repository, state, provider, settings.git, created_at, entities, "
            "permission, coalesce(marks, '{}') as marks, coalesce(totals, '{}') as totals "
            "from ops.repository_settings as settings "
            "join raw.repositories on repositories.repository_id = settings.repository_id "
            "left join ops.probes on probes.repository_id = settings.repository_id and probes.run_id = :run "
            "where state not in ('gone', 'blocked') order by settings.repository",
            run=self.run_id,
        )
        return [
            Target(
                repository_id=row.repository_id,
                repository=row.repository,
                state=row.state,
                provider=row.provider,
                git=row.git,
                created_at=row.created_at,
                entities=tuple(row.entities),
                permission=row.permission,
                marks=row.marks,
                totals=row.totals,
            )
            for row in found
        ]

    def probed_in_this_run(self) -> bool:
        """Whether this run has looked at the portfolio already."""
        return bool(self._scalar("select exists (select 1 from ops.probes where run_id = :run)", run=self.run_id))

    def lost(self) -> list[tuple[int, str, str, list[str]]]:
        """(id, name, state, entities) of repositories of metrics.yaml that are gone or blocked."""
        return [
            tuple(row)
            for row in self._rows(
                "select repository_id, settings.repository, state, entities from ops.repository_settings as settings "
                "join raw.repositories using (repository_id) where state in ('gone', 'blocked')"
            )
        ]

    # --- how far it is ---

    def states(self) -> dict[tuple[int, str], State]:
        """All states, by repository and entity."""
        found = self._rows(
            "select repository_id, entity, mark, covers_from, collected_at, outside, swept_at, position "
            "from ops.collection_state"
        )
        return {(row[0], row[1]): State(*row[2:]) for row in found}

    def keep_position(
        self, connection: sa.Connection, repository_id: int, entity: str, position: Mapping[str, Any] | None
    ) -> None:
        """Note where a collection stands, in the transaction that writes the rows up to there."""
        connection.execute(
            sa.text(
                "insert into ops.collection_state (repository_id, entity, position) "
                "values (:repository, :entity, cast(:position as jsonb)) "
                "on conflict (repository_id, entity) do update set position = excluded.position"
            ),
            {"repository": repository_id, "entity": entity, "position": json.dumps(position) if position else None},
        )

    def finish(
        self,
        repository_id: int,
        entity: str,
        *,
        mark: str | None,
        covers_from: datetime,
        collected_at: datetime,
        outside: int | None,
        swept_at: datetime | None,
        keep_position: bool = False,
    ) -> None:
        """Note that an entity was collected completely over the range.

        Args:
            keep_position: the position says where the next collection begins (git), not where this one was left.
        """
        self._execute(
            "insert into ops.collection_state as kept (repository_id, entity, mark, covers_from, collected_at, "
            "outside, swept_at, days) values (:repository, :entity, :mark, :covers_from, :collected_at, :outside, "
            ":swept_at, datemultirange(daterange(:first, :end))) "
            "on conflict (repository_id, entity) do update set mark = excluded.mark, "
            "covers_from = least(kept.covers_from, excluded.covers_from), collected_at = excluded.collected_at, "
            "outside = excluded.outside, swept_at = excluded.swept_at, days = kept.days + excluded.days, "
            "position = case when :keep_position then kept.position end",
            repository=repository_id,
            entity=entity,
            mark=mark,
            covers_from=covers_from,
            collected_at=collected_at,
            outside=outside,
            swept_at=swept_at,
            keep_position=keep_position,
            first=self.first,
            end=self.end,
        )

    def finish_unchanged(self, pairs: Sequence[tuple[int, str]]) -> None:
        """Note for (repository, entity) that nothing happened in the range, so that it is collected."""
        if not pairs:
            return
        self._execute(
            "update ops.collection_state as kept set days = kept.days + datemultirange(daterange(:first, :end)) "
            "from unnest(cast(:repositories as bigint[]), cast(:entities as text[])) as same (repository_id, entity) "
            "where kept.repository_id = same.repository_id and kept.entity = same.entity",
            first=self.first,
            end=self.end,
            repositories=[repository for repository, _ in pairs],
            entities=[entity for _, entity in pairs],
        )

    # --- rows that are gone ---

    def live(self, entity: str, repository_id: int, created: str | None, since: datetime | None) -> int:
        """How many rows the warehouse holds that were not deleted, created since a time."""
        dated = f" and ({created} is null or {created} >= :since)" if created and since else ""
        there = " and deleted_at is null" if entity in KEYS else ""
        return int(
            self._scalar(
                f"select count(*) from raw.{entity} where repository_id = :repository{there}{dated}",
                repository=repository_id,
                since=since,
            )
        )

    def mark_deleted(
        self,
        entity: str,
        repository_id: int,
        present: Iterable[Any],
        at: datetime,
        *,
        created: str | None = None,
        since: datetime | None = None,
        at_most: int | None = None,
    ) -> int:
        """Mark the rows that are not among `present`; none at all where that would be more than `at_most`.

        Returns:
            How many rows were found to be gone.
        """
        key = KEYS[entity]
        kind = "text" if key in ("tag", "person_key", "advisory_id") else "bigint"
        dated = f" and ({created} is null or {created} >= :since)" if created and since else ""
        gone = (
            f"repository_id = :repository and deleted_at is null{dated} "
            f"and not ({key} = any (cast(:present as {kind}[])))"
        )
        parameters = {"repository": repository_id, "present": list(present), "since": since}
        with self.engine.begin() as connection:
            if at_most is not None:
                found = connection.execute(sa.text(f"select count(*) from raw.{entity} where {gone}"), parameters)
                count = int(found.scalar_one())
                if count > at_most:
                    return count
            marked = connection.execute(
                sa.text(f"update raw.{entity} set deleted_at = :at where {gone}"), {**parameters, "at": at}
            )
            return int(marked.rowcount)

    # --- what it cost, and what is missing ---

    def log(self, entries: Sequence[Entry]) -> None:
        """Note what collections gave; of an entity and subject the last entry of a run counts."""
        if not entries:
            return
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into ops.collection_log (repository_id, repository, entity, run_id, range_start, "
                    "range_end, outcome, rows_read, rows_in_warehouse, rows_at_provider, requests, points, reason, "
                    "error_class, source) values (:repository_id, :subject, :entity, :run_id, :first, :end, :outcome, "
                    ":rows_read, :rows_in_warehouse, :rows_at_provider, :requests, :points, :reason, :error_class, "
                    ":source) on conflict (repository, entity, run_id) do update set outcome = excluded.outcome, "
                    "rows_read = excluded.rows_read, rows_in_warehouse = excluded.rows_in_warehouse, "
                    "rows_at_provider = excluded.rows_at_provider, requests = excluded.requests, "
                    "points = excluded.points, reason = excluded.reason, error_class = excluded.error_class, "
                    "finished_at = now()"
                ),
                [
                    {
                        "repository_id": entry.repository_id,
                        "subject": entry.subject,
                        "entity": entry.entity,
                        "run_id": self.run_id,
                        "first": self.first,
                        "end": self.end,
                        "outcome": entry.outcome,
                        "rows_read": entry.rows_read,
                        "rows_in_warehouse": entry.rows_in_warehouse,
                        "rows_at_provider": entry.rows_at_provider,
                        "requests": entry.requests,
                        "points": entry.points,
                        "reason": entry.reason,
                        "error_class": entry.error_class,
                        "source": entry.source,
                    }
                    for entry in entries
                ],
            )

    def use(self, usages: Sequence[Usage]) -> None:
        """Add what was used to ops.api_usage, on the day on which it was used."""
        if not usages:
            return
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into ops.api_usage as kept (day, run_id, source, entity, subject, resource, requests, "
                    "points, not_modified, retries, waited_seconds) values ((now() at time zone 'utc')::date, :run_id, "
                    ":source, :entity, :subject, :resource, :requests, :points, :not_modified, :retries, :waited) "
                    "on conflict (day, run_id, source, entity, subject, resource) do update set "
                    "requests = kept.requests + excluded.requests, points = kept.points + excluded.points, "
                    "not_modified = kept.not_modified + excluded.not_modified, "
                    "retries = kept.retries + excluded.retries, "
                    "waited_seconds = kept.waited_seconds + excluded.waited_seconds, updated_at = now()"
                ),
                [
                    {
                        "run_id": self.run_id,
                        "source": usage.source,
                        "entity": usage.entity,
                        "subject": usage.subject,
                        "resource": usage.resource,
                        "requests": usage.requests,
                        "points": usage.points,
                        "not_modified": usage.not_modified,
                        "retries": usage.retries,
                        "waited": usage.waited_seconds,
                    }
                    for usage in usages
                ],
            )

    def validators(self, prefix: str) -> dict[str, tuple[str | None, str | None]]:
        """(ETag, Last-Modified) of the addresses that begin with `prefix`."""
        found = self._rows(
            "select url, etag, last_modified from ops.http_validators where starts_with(url, :prefix)", prefix=prefix
        )
        return {row[0]: (row[1], row[2]) for row in found}

    @staticmethod
    def keep_validators(connection: sa.Connection, validators: Mapping[str, tuple[str | None, str | None]]) -> None:
        """Store validators, in the transaction that writes the rows of their answers."""
        for url, (etag, last_modified) in validators.items():
            connection.execute(
                sa.text(
                    "insert into ops.http_validators (url, etag, last_modified) values (:url, :etag, :modified) "
                    "on conflict (url) do update set etag = excluded.etag, last_modified = excluded.last_modified, "
                    "stored_at = now()"
                ),
                {"url": url, "etag": etag, "modified": last_modified},
            )

    # --- helpers ---

    def _rows(self, sql: str, **parameters: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(sql), parameters).all())

    def _scalar(self, sql: str, **parameters: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(sa.text(sql), parameters).scalar()

    def _execute(self, sql: str, **parameters: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql), parameters)


def used_within_the_hour(engine: sa.Engine, source: str) -> float:
    """Requests and points that this and other runs have used in the last hour; a request is in its points."""
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select coalesce(sum(greatest(requests, points)), 0) from ops.api_usage "
                "where source = :source and updated_at > now() - interval '1 hour'"
            ),
            {"source": source},
        )
        return float(found.scalar_one())
