"""What durations are measured with: the subjects and days of a run, and the columns of metrics.durations_daily."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from metrics_assets.analysis.business_hours import BusinessHours, business_hours
from metrics_assets.analysis.windows import Floats, Ints, Spans, counts, expanded, quantiles, survival_medians
from metrics_assets.warehouse.columns import days_since_2000, read_columns, write_columns
from metrics_assets.warehouse.derived import table_columns

TABLE = "metrics.durations_daily"
WINDOW, WEEK = 28, 7
HOUR = 3_600_000_000
_DAY = 24 * HOUR
# Of which entity a day must have been collected, where a chain ships by this source.
_ENTITY_OF_SOURCE = {
    "deployments": "deployments",
    "workflow_runs": "workflow_runs",
    "releases": "releases",
    "tags": "tags",
    "pushes": "commits",
}
_WITH_RAW_ITEMS = ("repository", "team", "portfolio")
# Measures of deployments; the others are of items that belong to a repository, whatever its chains are.
_BY_CHAIN = {
    "lead_time", "lead_time_week", "pr_lead", "coding", "pickup", "review", "merge", "deploy",
    "failed_deployment_recovery", "mttr",
}  # fmt: skip


@dataclass
class Measured:
    """The subjects and days of a run, and the columns that are known so far, each by subject and day."""

    connection: sa.Connection
    start: date
    end: date
    subjects: list[tuple[str, str, int | None]] = field(default_factory=list)
    of_chain: list[Ints] = field(default_factory=list)  # the subjects that each chain belongs to
    of_repository: list[Ints] = field(default_factory=list)  # the same of repositories, for what is no deployment's
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.days = (self.end - self.start).days
        self.midnight = days_since_2000(self.start) * _DAY
        self._number_subjects()
        if self.subjects:
            self._look_at_what_was_collected()

    # --- what there is ---

    def _number_subjects(self) -> None:
        """Give numbers to subjects, chains and repositories; the latter two in tables, to be joined with."""
        self.connection.exec_driver_sql(
            "create temporary table measured_chains on commit drop as "
            "select row_number() over (order by repository_id, chain) - 1 as code, repository_id, chain "
            "from ops.chains;"
            "create temporary table measured_repositories on commit drop as "
            "select row_number() over (order by repository_id) - 1 as code, repository_id, "
            "greatest(created_at::date, (select start from ops.portfolio)) as first_day "
            "from ops.repository_settings join raw.repositories using (repository_id);"
            "analyze measured_chains; analyze measured_repositories"
        )
        sizes = self.connection.exec_driver_sql(
            "select (select count(*) from measured_chains), (select count(*) from measured_repositories)"
        ).one()
        rows = self.connection.exec_driver_sql(
            "select subjects.subject_kind, subjects.subject, subjects.repository_id, chains.code as chain, "
            "repositories.code as repository, first_day "
            "from ops.subjects as subjects "
            "join measured_chains as chains using (repository_id, chain) "
            "join measured_repositories as repositories using (repository_id) order by 1, 2"
        ).all()
        names = sorted({(row.subject_kind, row.subject) for row in rows})
        number = {name: position for position, name in enumerate(names)}
        chains, repositories = ([set[int]() for _ in range(size)] for size in sizes)
        members: list[set[int]] = [set() for _ in names]
        self.chains_of: list[set[int]] = [set() for _ in names]
        self.repositories_of = members
        self.first_day = np.full(len(names), self.days)
        ids: dict[int, int] = {}
        for row in rows:
            subject = number[row.subject_kind, row.subject]
            chains[row.chain].add(subject)
            self.chains_of[subject].add(row.chain)
            members[subject].add(row.repository)
            if row.subject_kind in _WITH_RAW_ITEMS:
                repositories[row.repository].add(subject)
            if row.subject_kind not in ("team", "portfolio"):
                ids[subject] = row.repository_id
            self.first_day[subject] = min(self.first_day[subject], (row.first_day - self.start).days)
        self.subjects = [(*name, ids.get(position)) for position, name in enumerate(names)]
        self.of_chain = [np.array(sorted(one), dtype=np.int64) for one in chains]
        self.of_repository = [np.array(sorted(one), dtype=np.int64) for one in repositories]
        self.has_raw_items = np.array([kind in _WITH_RAW_ITEMS for kind, _ in names])

    def _look_at_what_was_collected(self) -> None:
        """For every entity, and for shipping: the days known of a subject, by at least one of its repositories."""
        entities = ["pull_requests", "issues", "discussions", *_ENTITY_OF_SOURCE.values()]
        known = {entity: np.zeros((len(self.of_repository), self.days), dtype=bool) for entity in entities}
        for row in self.connection.execute(
            sa.text(
                "select code, entity, lower(span) as since, upper(span) as until from ops.collection_state "
                "join measured_repositories using (repository_id) cross join unnest(days) as span "
                "where entity = any (:entities) and span && daterange(:start, :end)"
            ),
            {"entities": sorted(known), "start": self.start, "end": self.end},
        ):
            first = 0 if row.since is None else max((row.since - self.start).days, 0)
            last = self.days if row.until is None else (row.until - self.start).days
            known[row.entity][row.code, first:last] = True

        # Opening times are not known where a history was taken from git alone.
        without_openings = [
            row.code
            for row in self.connection.exec_driver_sql(
                "select code from measured_repositories as repositories where exists (select 1 from raw.pull_requests "
                "as pulls where pulls.repository_id = repositories.repository_id and pulls.created_at is null)"
            )
        ]
        known["openings"] = known["pull_requests"].copy()
        known["openings"][without_openings] = False

        # Since its first deployment, on the days on which what it ships by was collected.
        shipping = np.zeros((len(self.of_chain), self.days), dtype=bool)
        for row in self.connection.execute(
            sa.text(
                "select chains.code, repositories.code as repository, runs.source, runs.since "
                "from measured_chains as chains "
                "join measured_repositories as repositories using (repository_id) "
                "cross join lateral ("
                "(select source, finished_at::date as since, finished_at from metrics.deployments as deployments "
                "where deployments.repository_id = chains.repository_id and deployments.chain = chains.chain "
                "and finished_at < :start order by finished_at desc, deployment_key desc limit 1) union all "
                "select source, finished_at::date, finished_at from ("
                "select *, lag(source) over (order by finished_at, deployment_key) as before "
                "from metrics.deployments as deployments "
                "where deployments.repository_id = chains.repository_id and deployments.chain = chains.chain "
                "and finished_at >= :start and finished_at < :end) as recent where before is distinct from source"
                ") as runs order by runs.finished_at"
            ),
            {"start": self.start, "end": self.end},
        ):
            since = max((row.since - self.start).days, 0)
            shipping[row.code, since:] = known[_ENTITY_OF_SOURCE[row.source]][row.repository, since:]

        self.collected = {
            entity: np.array([known[entity][sorted(codes)].any(axis=0) for codes in self.repositories_of])
            for entity in ("pull_requests", "openings", "issues", "discussions")
        }
        self.collected["shipping"] = np.array([shipping[sorted(codes)].any(axis=0) for codes in self.chains_of])

    # --- reading ---

    def read(self, select: str, columns: Mapping[str, str]) -> dict[str, NDArray[Any]]:
        """Rows of a SELECT; %(since)s is the first day of the first window."""
        return read_columns(
            self.connection,
            select,
            columns,
            start=self.start,
            end=self.end,
            since=self.start - timedelta(days=WINDOW - 1),
        )

    def day_of(self, moments: Ints) -> Ints:
        """Days from the first one of the run."""
        return (moments - self.midnight) // _DAY

    def business(self, earliest: Ints) -> BusinessHours:
        """The business hours from the earliest of some moments to the end of the run."""
        settings: Any = self.connection.exec_driver_sql("select business_hours from ops.portfolio").scalar_one()
        first = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=int(min(earliest.min(initial=self.midnight), self.midnight))
        )
        return business_hours(settings, first.date(), self.end)

    def spread(
        self, codes: Ints, members: list[Ints], first: Ints, last: Ints, *values: NDArray[Any]
    ) -> tuple[Spans, ...]:
        """Spans of things, once for each subject that they belong to; one for each array of values."""
        which, subject = expanded(codes, members)
        return tuple(Spans(subject, first[which], last[which], value[which]) for value in values)

    # --- what was measured ---

    def keep(self, name: str, spans: Spans, collected: str) -> None:
        """Quantiles under the names of a measure; spans without a value do not count."""
        known = ~np.isnan(spans.value)
        found = quantiles(spans if known.all() else spans.take(known), len(self.subjects), self.days)
        hours = f"{name}_hours"
        self.set(hours, found.median, collected)
        self.set(f"{hours}_p90", found.p90, collected)
        self.set(f"{hours}_low", found.low, collected)
        self.set(f"{hours}_high", found.high, collected)
        self.set_count(f"{name}_n", found.n, collected)

    def set(self, column: str, values: Floats, collected: str) -> None:
        """Values where the entity was collected."""
        self.columns[column] = np.where(self.collected[collected], values, np.nan)

    def set_count(self, column: str, values: Ints, collected: str) -> None:
        """On how many a figure stands: on none where nothing was collected."""
        self.columns[column] = np.where(self.collected[collected], values, 0).astype(float)

    def set_open(self, name: str, waiting: Spans, collected: str) -> None:
        still_open = counts(waiting, len(self.subjects), self.days)
        self.set(f"{name}_open", still_open.astype(float), collected)

    def estimate(self, name: str, answered: Spans, waiting: Spans, collected: str) -> None:
        """The median that counts what still waits; `answered` in microseconds, `waiting` since when."""
        subjects = len(self.subjects)
        medians = survival_medians(answered, waiting, subjects, self.days, self.midnight)
        everything = counts(answered, subjects, self.days) + counts(waiting, subjects, self.days)
        self.set(f"{name}_estimated_hours", medians, collected)
        self.set_count(f"{name}_estimated_n", everything, collected)

    def write(self) -> int:
        """Write all columns, of the days on which there was something of the subject."""
        columns = {column.name: column.type for column in table_columns()[TABLE]}
        exists = np.arange(self.days) >= self.first_day[:, np.newaxis]
        subject, day = np.nonzero(exists)
        if not len(subject):
            return 0
        kinds, names, ids = (np.array(part) for part in zip(*self.subjects, strict=True))
        rows: dict[str, NDArray[Any]] = {
            "subject_kind": kinds[subject],
            "subject": names[subject],
            "repository_id": ids.astype(float)[subject],
            "date": days_since_2000(self.start) + day,
        }
        for column in columns.keys() - rows.keys():
            values = self.columns[column]
            if column.removesuffix("_n").split("_hours")[0] not in _BY_CHAIN:
                values = np.where(self.has_raw_items[:, np.newaxis], values, np.nan)
            rows[column] = values[exists]
        return write_columns(self.connection, TABLE, rows, columns)
