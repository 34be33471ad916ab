"""metrics.durations_daily: medians over moving windows, of the rows of every subject, never of other medians."""

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
from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.warehouse.columns import FOREVER, days_since_2000, read_columns, write_columns
from metrics_assets.warehouse.derived import table_columns
from metrics_assets.warehouse.frames import replacing_days

_TABLE = "metrics.durations_daily"
_WINDOW, _WEEK = 28, 7
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
# Of which entity a day must have been collected, where a chain ships by this source.
_ENTITY_OF_SOURCE = {
    "deployments": "deployments",
    "workflow_runs": "workflow_runs",
    "releases": "releases",
    "tags": "tags",
    "pushes": "commits",
}
_WITH_RAW_ITEMS = ("repository", "team", "portfolio")

# Labels, however they are written: 'critical', 'P0', 'severity: critical', 'priority/high'.
_CRITICAL = r"^((severity|priority|sev|prio|bug)[-:_ /]*)?(critical|p-?0|critical[- ]bug)$"
_HIGH = r"^((severity|priority|sev|prio|bug)[-:_ /]*)?(high|p-?1|high[- ]priority)$"
_SECURITY = "security"


def derivations() -> list[Derivation]:
    """metrics.durations_daily."""
    return [
        Derivation(
            name="durations_daily",
            description="Medians of durations over the 28 days that end with the day (7 where the name says week): "
            "lead time and its stages, recovery, first responses, resolutions, in clock hours and in business hours. "
            "Each stands on the rows of its subject, with the 90th percentile, the ends of the median's 95 % "
            "interval, and on how many it stands. What is open at the day's end is counted beside them, and in the "
            "estimates (Kaplan-Meier) it has lasted at least until then.",
            reads=(
                "metrics.changes",
                "metrics.deployment_failures",
                "metrics.deployments",
                "metrics.incidents",
                "ops.portfolio",
                "ops.repository_settings",
                "raw.discussions",
                "raw.issue_events",
                "raw.issues",
                "raw.pull_request_events",
                "raw.pull_requests",
                "raw.repositories",
                "raw.reviews",
            ),
            kinds=frozenset({"postgres", "numpy"}),
            run=measure_durations,
        )
    ]


def measure_durations(engine: sa.Engine, start: date, end: date) -> Metadata:
    """Rebuild the rows of [start, end)."""
    with replacing_days(engine, _TABLE, start, end) as connection:
        measured = _Measured(connection, start, end)
        if not measured.subjects:
            return {"rows": 0}
        _delivery(measured)
        _recovery(measured)
        _pull_requests(measured)
        _issues(measured)
        _discussions(measured)
        return {"rows": measured.write()}


@dataclass
class _Measured:
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
            since=self.start - timedelta(days=_WINDOW - 1),
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
        columns = {column.name: column.type for column in table_columns()[_TABLE]}
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
        return write_columns(self.connection, _TABLE, rows, columns)


# Measures of deployments; the others are of items that belong to a repository, whatever its chains are.
_BY_CHAIN = {
    "lead_time", "lead_time_week", "pr_lead", "coding", "pickup", "review", "merge", "deploy",
    "failed_deployment_recovery", "mttr",
}  # fmt: skip


def _delivery(measured: _Measured) -> None:
    """Lead time and its stages, from metrics.changes."""
    # What was deployed from its branch counts from its merge on: until then it was no change.
    shipped = measured.read(
        "select chains.code, greatest(deployed_at, merged_at), coalesce(lead_time_hours, 'NaN'), "
        "coalesce(merge_to_deploy_hours, 'NaN') from measured_chains as chains "
        "join metrics.changes as changes using (repository_id, chain) "
        "where state = 'shipped' and deployed_at >= %(since)s and deployed_at < %(end)s and merged_at < %(end)s "
        "union all "
        "select chains.code, merged_at, coalesce(lead_time_hours, 'NaN'), coalesce(merge_to_deploy_hours, 'NaN') "
        "from measured_chains as chains join metrics.changes as changes using (repository_id, chain) "
        "where state = 'shipped' and merged_at >= %(since)s and merged_at < %(end)s and deployed_at < %(since)s",
        {"code": "i8", "shipped_at": "i8", "lead_time": "f8", "deploy": "f8"},
    )
    day = measured.day_of(shipped["shipped_at"])
    lead_time, deploy = measured.spread(
        shipped["code"], measured.of_chain, day, day + _WINDOW - 1, shipped["lead_time"], shipped["deploy"]
    )
    measured.keep("lead_time", lead_time, "shipping")
    measured.keep("deploy", deploy, "shipping")
    week = Spans(lead_time.subject, lead_time.first, lead_time.first + _WEEK - 1, lead_time.value)
    measured.keep("lead_time_week", week, "shipping")

    stages = ("pr_lead", "coding", "pickup", "review", "merge")
    merged = measured.read(
        "select chains.code, merged_at, " + ", ".join(f"coalesce({name}_hours, 'NaN')" for name in stages) + " "
        "from measured_chains as chains join metrics.changes using (repository_id, chain) "
        "where kind = 'pull_request' and merged_at >= %(since)s and merged_at < %(end)s",
        {"code": "i8", "merged_at": "i8", **dict.fromkeys(stages, "f8")},
    )
    day = measured.day_of(merged["merged_at"])
    hours = [merged[name] for name in stages]
    spans = measured.spread(merged["code"], measured.of_chain, day, day + _WINDOW - 1, *hours)
    for name, one in zip(stages, spans, strict=True):
        measured.keep(name, one, "pull_requests")


def _recovery(measured: _Measured) -> None:
    """Recovery of failed deployments, and of incidents; of each what was known at the day's end."""
    recovered = measured.read(
        "select chains.code, since::timestamptz, until::timestamptz, restored_at, recovery_hours::double precision "
        "from ops.recoveries join measured_chains as chains using (repository_id, chain) "
        "where restored_at >= %(since)s and restored_at < %(end)s",
        {"code": "i8", "since": "i8", "until": "i8", "restored_at": "i8", "hours": "f8"},
    )
    first = measured.day_of(recovered["since"])
    last = np.minimum(measured.day_of(recovered["restored_at"]) + _WINDOW, measured.day_of(recovered["until"])) - 1
    (spans,) = measured.spread(recovered["code"], measured.of_chain, first, last, recovered["hours"])
    measured.keep("failed_deployment_recovery", spans, "shipping")

    # An incident belongs to the chain that it is tied to; one that is tied to none, to its repository.
    closed = measured.read(
        "select coalesce(chains.code, -1), repositories.code, closings.created_at, closed_at, reopened_at "
        "from ops.incident_closings as closings join measured_repositories as repositories using (repository_id) "
        "left join measured_chains as chains "
        "on chains.repository_id = closings.repository_id and chains.chain = closings.chain "
        "where closed_at >= %(since)s and closed_at < %(end)s",
        {"chain": "i8", "repository": "i8", "created_at": "i8", "closed_at": "i8", "reopened_at": "i8"},
    )
    first = measured.day_of(closed["closed_at"])
    last = np.minimum(first + _WINDOW, measured.day_of(closed["reopened_at"])) - 1
    hours = (closed["closed_at"] - closed["created_at"]) / _HOUR
    tied = closed["chain"] >= 0
    parts = [
        measured.spread(closed[by][chosen], members, first[chosen], last[chosen], hours[chosen])[0]
        for by, members, chosen in (
            ("chain", measured.of_chain, tied),
            ("repository", measured.of_repository, ~tied),
        )
    ]
    measured.keep("mttr", _together(parts), "issues")


def _together(parts: list[Spans]) -> Spans:
    return Spans(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("subject", "first", "last", "value"))
    )


@dataclass(frozen=True)
class _Answers:
    """Items that were opened in a window, each with the span in which it waited and that in which it was answered."""

    code: Ints
    opened_at: Ints
    answered_at: Ints  # FOREVER where nobody did

    def measure(self, measured: _Measured, name: str, collected: str) -> None:
        """Hours to the answer, how many wait; by the clock alone."""
        answered, waiting = self.spans(measured)
        measured.keep(name, answered, collected)
        measured.set_open(name, waiting, collected)

    def measure_all(self, measured: _Measured, name: str, collected: str, business: BusinessHours) -> None:
        """The same, and in business hours, and with those that wait."""
        self.measure(measured, name, collected)
        known = self.answered_at < FOREVER
        hours = np.full(len(self.code), np.nan)
        hours[known] = business.hours_between(self.opened_at[known], self.answered_at[known])
        answered, _ = self.spans(measured, hours)
        measured.keep(f"{name}_business", answered, collected)
        answered, waiting = self.spans(measured, self.answered_at - self.opened_at)
        measured.estimate(name, answered, waiting, collected)

    def spans(self, measured: _Measured, value: NDArray[Any] | None = None) -> tuple[Spans, Spans]:
        opened, answered = measured.day_of(self.opened_at), measured.day_of(self.answered_at)
        last = opened + _WINDOW - 1
        if value is None:
            value = (self.answered_at - self.opened_at) / _HOUR
        members = measured.of_repository
        (after,) = measured.spread(self.code, members, np.maximum(opened, answered), last, value)
        (before,) = measured.spread(self.code, members, opened, np.minimum(answered - 1, last), self.opened_at)
        return after.within(measured.days), before.within(measured.days)


def _pull_requests(measured: _Measured) -> None:
    """Opening to merge, and to the first word of somebody else; of those that a person opened."""
    merged = measured.read(
        "select repositories.code, created_at, merged_at from measured_repositories as repositories "
        "join raw.pull_requests using (repository_id) "
        "where merged_at >= %(since)s and merged_at < %(end)s and created_at is not null",
        {"code": "i8", "created_at": "i8", "merged_at": "i8"},
    )
    day = measured.day_of(merged["merged_at"])
    hours = (merged["merged_at"] - merged["created_at"]) / _HOUR
    (spans,) = measured.spread(merged["code"], measured.of_repository, day, day + _WINDOW - 1, hours)
    measured.keep("pull_request_merge", spans, "openings")

    opened = measured.read(
        "with opened as materialized ("
        "select repositories.code, repository_id, number, author_key, created_at "
        "from measured_repositories as repositories join raw.pull_requests using (repository_id) "
        "where created_at >= %(since)s and created_at < %(end)s and not coalesce(author_is_bot, false)"
        "), responses as ("
        "select opened.repository_id, opened.number, submitted_at as at from opened join raw.reviews as reviews "
        "on reviews.repository_id = opened.repository_id and reviews.number = opened.number "
        "where not coalesce(reviews.author_is_bot, false) and reviews.state <> 'pending' "
        "and reviews.author_key <> coalesce(opened.author_key, '') and submitted_at >= opened.created_at "
        "union all "
        "select opened.repository_id, opened.number, events.created_at "
        "from opened join raw.pull_request_events as events "
        "on events.repository_id = opened.repository_id and events.number = opened.number "
        "where events.event = 'commented' and not coalesce(actor_is_bot, false) "
        "and actor_key <> coalesce(opened.author_key, '') and events.created_at >= opened.created_at"
        "), first_responses as ("
        "select repository_id, number, min(at) as at from responses group by repository_id, number) "
        "select opened.code, opened.created_at, coalesce(first_responses.at, 'infinity') "
        "from opened left join first_responses using (repository_id, number)",
        {"code": "i8", "opened_at": "i8", "answered_at": "i8"},
    )
    business = measured.business(opened["opened_at"])
    _Answers(**opened).measure_all(measured, "pull_request_first_response", "openings", business)


def _issues(measured: _Measured) -> None:
    """Opening to the first word of somebody else, and to the closing."""
    opened = measured.read(
        "with opened as materialized ("
        "select repositories.code, repository_id, number, author_key, created_at, labels "
        "from measured_repositories as repositories join raw.issues using (repository_id) "
        "where created_at >= %(since)s and created_at < %(end)s and not coalesce(author_is_bot, false)"
        "), first_responses as ("
        "select opened.repository_id, opened.number, min(events.created_at) as at "
        "from opened join raw.issue_events as events "
        "on events.repository_id = opened.repository_id and events.number = opened.number "
        "where events.event = 'commented' and not coalesce(actor_is_bot, false) "
        "and actor_key <> coalesce(opened.author_key, '') and events.created_at >= opened.created_at "
        "group by opened.repository_id, opened.number"
        f"), kinds as {_kinds('opened', security=_SECURITY)} "
        "select opened.code, opened.created_at, coalesce(first_responses.at, 'infinity'), kinds.security "
        "from opened join kinds using (labels) left join first_responses using (repository_id, number)",
        {"code": "i8", "opened_at": "i8", "answered_at": "i8", "security": "i8"},
    )
    is_security = opened.pop("security") == 1
    states = _issue_states(measured)
    business = measured.business(np.concatenate([opened["opened_at"], states["created_at"]]))
    _Answers(**opened).measure_all(measured, "issue_first_response", "issues", business)
    about_security = {name: values[is_security] for name, values in opened.items()}
    _Answers(**about_security).measure(measured, "security_response", "issues")
    _resolutions(measured, states, business)


def _kinds(table: str, **patterns: str) -> str:
    """A subquery that says of each set of labels, once, which patterns one of them matches (1, else 0)."""
    flags = ", ".join(
        f"exists (select 1 from unnest(labels) as label where label ~* '{pattern}')::integer::bigint as {name}"
        for name, pattern in patterns.items()
    )
    return f"(select labels, {flags} from (select distinct labels from {table}) as sets)"


def _issue_states(measured: _Measured) -> dict[str, NDArray[Any]]:
    """Every opening (1) and closing (-1) of the issues that were opened or closed in a window, in their order.

    What changed nothing is left out: an item that is closed twice without being reopened was closed once.
    """
    states = measured.read(
        "with candidates as materialized ("
        "select repositories.code, repository_id, number, created_at, closed_at, deleted_at, labels "
        "from measured_repositories as repositories join raw.issues using (repository_id) "
        "join ("
        "select repository_id, number from measured_repositories join raw.issues using (repository_id) "
        "where created_at >= %(since)s and created_at < %(end)s union "
        "select repository_id, number from measured_repositories join raw.issues using (repository_id) "
        "where closed_at >= %(since)s and closed_at < %(end)s union "
        "select repository_id, number from measured_repositories join raw.issue_events using (repository_id) "
        "where event = 'closed' and created_at >= %(since)s and created_at < %(end)s"
        ") as touched using (repository_id, number) where created_at < %(end)s"
        "), changes as materialized ("
        "select repository_id, number, events.created_at as at, case event when 'closed' then -1 else 1 end as step "
        "from candidates join raw.issue_events as events using (repository_id, number) "
        "where event in ('closed', 'reopened')"
        f"), kinds as {_kinds('candidates', critical=_CRITICAL, high=_HIGH)}, "
        "states as ("
        "select repository_id, number, created_at as at, 1 as step from candidates union all "
        "select repository_id, number, at, step from changes union all "
        "select repository_id, number, closed_at, -1 from candidates left join ("
        "select distinct repository_id, number from changes where step = -1) as known using (repository_id, number) "
        "where closed_at is not null and known.number is null"
        ") "
        "select code, number::bigint, created_at, coalesce(deleted_at, 'infinity'), critical, high, at, step::bigint "
        "from states join candidates using (repository_id, number) join kinds using (labels)",
        {
            "code": "i8",
            "number": "i8",
            "created_at": "i8",
            "deleted_at": "i8",
            "critical": "i8",
            "high": "i8",
            "at": "i8",
            "step": "i8",
        },
    )
    order = np.lexsort((-states["step"], states["at"], states["number"], states["code"]))
    states = {name: values[order] for name, values in states.items()}
    item = (states["code"] << 32) | states["number"]
    is_new = np.concatenate([[True], item[1:] != item[:-1]]) if len(item) else np.zeros(0, dtype=bool)
    differs = np.concatenate([[1], states["step"][1:] - states["step"][:-1]])[: len(item)] != 0
    kept = is_new | differs
    states = {name: values[kept] for name, values in states.items()}
    item = item[kept]
    is_last = np.concatenate([item[1:] != item[:-1], [True]])[: len(item)]
    states["until"] = np.where(is_last, FOREVER, np.concatenate([states["at"][1:], [FOREVER]])[: len(item)])
    return states


def _resolutions(measured: _Measured, states: dict[str, NDArray[Any]], business: BusinessHours) -> None:
    """Opening to closing of the issues closed in the window; how many of those opened in it are open."""
    members = measured.of_repository
    closed = {name: values[states["step"] == -1] for name, values in states.items()}
    first, until = measured.day_of(closed["at"]), measured.day_of(closed["until"])
    last = np.minimum(first + _WINDOW, until) - 1
    took = closed["at"] - closed["created_at"]
    in_business = business.hours_between(closed["created_at"], closed["at"])
    clock, worked = measured.spread(closed["code"], members, first, last, took / _HOUR, in_business)
    measured.keep("issue_resolution", clock, "issues")
    measured.keep("issue_resolution_business", worked, "issues")
    for name, label in (("critical_bug_resolution", "critical"), ("high_bug_resolution", "high")):
        chosen = closed[label] == 1
        (spans,) = measured.spread(closed["code"][chosen], members, first[chosen], last[chosen], took[chosen] / _HOUR)
        measured.keep(name, spans, "issues")

    # Of those that were opened in the window: closed by the day's end, or open still.
    window_ends = measured.day_of(closed["created_at"]) + _WINDOW - 1
    (answered,) = measured.spread(closed["code"], members, first, np.minimum(last, window_ends), took)
    opened = {name: values[states["step"] == 1] for name, values in states.items()}
    gone = np.minimum(measured.day_of(opened["until"]), measured.day_of(opened["deleted_at"])) - 1
    window_ends = measured.day_of(opened["created_at"]) + _WINDOW - 1
    (waiting,) = measured.spread(
        opened["code"], members, measured.day_of(opened["at"]), np.minimum(gone, window_ends), opened["created_at"]
    )
    measured.set_open("issue_resolution", waiting, "issues")
    measured.estimate("issue_resolution", answered, waiting, "issues")


def _discussions(measured: _Measured) -> None:
    """Opening to the answer that was chosen, known once it was; in categories where answers are chosen."""
    opened = measured.read(
        "select repositories.code, created_at, coalesce(answer_created_at, 'infinity'), "
        "case when answer_created_at is null then 'infinity' else greatest(answered_at, answer_created_at) end "
        "from measured_repositories as repositories join raw.discussions using (repository_id) "
        "where created_at >= %(since)s and created_at < %(end)s and (is_answerable or answer_created_at is not null)",
        {"code": "i8", "opened_at": "i8", "answered_at": "i8", "chosen_at": "i8"},
    )
    chosen_at, hours = opened.pop("chosen_at"), (opened["answered_at"] - opened["opened_at"]) / _HOUR
    answered, waiting = _Answers(opened["code"], opened["opened_at"], chosen_at).spans(measured, hours)
    measured.keep("discussion_answer", answered, "discussions")
    measured.set_open("discussion_answer", waiting, "discussions")
