"""Metrics that are calculated: by formulas over other metrics, and by SELECTs of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache

import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.catalogue.metrics import Catalogue, Metric, load_catalogue
from metrics_assets.errors import CatalogueError
from metrics_assets.warehouse.derived import NO_ASSETS, for_driver
from metrics_assets.warehouse.formulas import INPUTS, STATES, Formula, about, compile_formula
from metrics_assets.warehouse.own_sql import OwnSql, read_own_sql, rows_of

_TABLE = "metrics.calculated_daily"
_RANK = f"array_position(array[{', '.join(repr(state) for state in STATES)}], state) - 1"
_PART = "metric, subject_kind, subject, date, value, n"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is calculated, each after what it stands on, and what is wrong with the others, by metric."""

    parts: list[Formula | OwnSql] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def tables(self, catalogue: Catalogue) -> list[str]:
        """The tables that are read."""
        keys = {key for part in self.parts for key in _metrics_of(part)}
        found = {f"metrics.{table}" for table in catalogue.tables(sorted(keys))}
        found |= {table for part in self.parts if isinstance(part, OwnSql) for table in part.reads}
        return sorted(found - {_TABLE} - {f"{schema}.{name}" for schema, name in NO_ASSETS})


def plan(catalogue: Catalogue) -> Plan:
    """Compile all calculated metrics. One that is wrong takes along those that stand on it, and no others."""
    made, found = Plan(), dict[str, Formula | OwnSql]()
    for metric in catalogue.metrics.values():
        if metric.is_calculated:
            try:
                read = read_own_sql if metric.sql else compile_formula
                found[metric.key] = read(metric, catalogue.metrics)
            except CatalogueError as error:
                made.problems[metric.key] = str(error)
    placed: set[str] = set()

    def place(key: str, way: tuple[str, ...]) -> None:
        metric = catalogue.metrics[key]
        if key in placed or key in made.problems:
            return
        if key in way:
            circle = " -> ".join([*way[way.index(key) :], key])
            made.problems[key] = f"{about(metric)}: formula: {circle} is a circle; take one of them out."
            return
        for part in sorted(_metrics_of(found[key])):
            if catalogue.metrics[part].is_calculated:
                place(part, (*way, key))
                if part in made.problems and key not in made.problems:
                    made.problems[key] = f"{about(metric)}: it stands on '{part}', which cannot be calculated."
        if key not in made.problems:
            placed.add(key)
            made.parts.append(found[key])

    for key in found:
        place(key, ())
    return made


@cache
def _plan() -> Plan:
    return plan(load_catalogue())


def derivations() -> list[Derivation]:
    """metrics.calculated_daily; it reads the tables of the metrics of its formulas, and those of the SELECTs."""
    catalogue = load_catalogue()
    return [
        Derivation(
            name="calculated_daily",
            description="Metrics that are calculated from other metrics by the formula of their catalogue entry, or "
            "by a SELECT of the user's own. A metric that cannot be calculated is left out, and the check names it.",
            reads=tuple(_plan().tables(catalogue)),
            kinds=frozenset({"postgres", "sql"}),
            run=lambda engine, start, end: calculate(engine, _plan(), start, end),
            preview="select metric, count(*) as subjects, count(value) as known, round(avg(value)::numeric, 3) as mean "
            "from metrics.calculated_daily where date = :day and subject_kind <> 'team' "
            "group by metric order by metric limit 20",
        )
    ]


def calculate(engine: sa.Engine, made: Plan, start: date, end: date) -> Metadata:
    """Replace the days [start, end) of all calculated metrics, in one transaction.

    What cannot be calculated is left out and stands in ops.metric_problems, where a check reads it: a slip in one
    metric must not keep the goals and scores of all others from being made.
    """
    problems = dict(made.problems)
    rows = 0
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext(:table))"), {"table": _TABLE})
        connection.execute(
            sa.text(f"delete from {_TABLE} where date >= :start and date < :end"), {"start": start, "end": end}
        )
        needed = _needed(made)
        _read_inputs(connection, made, needed, start, end)
        for part in made.parts:
            key = part.metric.key
            wrong = sorted(_metrics_of(part) & problems.keys())
            if wrong:
                problems[key] = f"{about(part.metric)}: it stands on '{wrong[0]}', which could not be calculated."
                continue
            try:
                rows += _write(connection, part, start, end)
            except CatalogueError as error:
                problems[key] = str(error)
                continue
            if key in needed:
                _add_input(connection, key, needed[key], start, end)
        connection.exec_driver_sql(f"drop table {INPUTS}")
        _note(connection, problems)
    return {"rows": rows, "metrics": len(made.parts) + len(made.problems) - len(problems), "problems": len(problems)}


def _note(connection: sa.Connection, problems: Mapping[str, str]) -> None:
    connection.execute(sa.text("delete from ops.metric_problems"))
    if problems:
        connection.execute(
            sa.text("insert into ops.metric_problems (metric, problem) values (:metric, :problem)"),
            [{"metric": metric, "problem": problem} for metric, problem in problems.items()],
        )


def _metrics_of(part: Formula | OwnSql) -> set[str]:
    return set(part.reads if isinstance(part, Formula) else part.metrics)


def _needed(made: Plan) -> dict[str, int]:
    """The metrics that formulas read, and how many days before the range."""
    needed: dict[str, int] = {}
    for part in made.parts:
        if isinstance(part, Formula):
            for key, days in part.reads.items():
                needed[key] = max(needed.get(key, 0), days)
    return needed


def _read_inputs(connection: sa.Connection, made: Plan, needed: Mapping[str, int], start: date, end: date) -> None:
    """Put what formulas read into a table of this transaction: the view is planned a few times, not for each part."""
    connection.exec_driver_sql(
        f"create temp table {INPUTS} (metric text, subject_kind text, subject text, date date, value double precision, "
        "n bigint, rank integer) on commit drop"
    )
    calculated = {part.metric.key for part in made.parts}
    by_days: dict[int, list[str]] = {}
    for key, days in needed.items():
        if key not in calculated:
            by_days.setdefault(days, []).append(key)
    for days, keys in sorted(by_days.items()):
        # Written out, so that the planner drops the branches of all other metrics.
        names = ", ".join(f"'{key}'" for key in sorted(keys))
        connection.exec_driver_sql(
            f"insert into {INPUTS} select {_PART}, {_RANK} from metrics.metric_values where metric in ({names}) "
            "and date >= %(start)s - %(days)s and date < %(end)s",
            {"start": start, "end": end, "days": days},
        )
    connection.exec_driver_sql(f"create index on {INPUTS} (metric, date)")
    connection.exec_driver_sql(f"analyze {INPUTS}")


def _add_input(connection: sa.Connection, key: str, days: int, start: date, end: date) -> None:
    connection.exec_driver_sql(
        f"insert into {INPUTS} select {_PART}, {_RANK} from {_TABLE} where metric = %(key)s "
        "and date >= %(start)s - %(days)s and date < %(end)s",
        {"key": key, "start": start, "end": end, "days": days},
    )


def _write(connection: sa.Connection, part: Formula | OwnSql, start: date, end: date) -> int:
    """Write a metric's rows; an error leaves none of them and nothing else undone."""
    if isinstance(part, OwnSql):
        return _write_own(connection, part, start, end)
    attempt = connection.begin_nested()
    try:
        rows = connection.exec_driver_sql(
            f"insert into {_TABLE} ({_PART}, state) select {_PART}, state from (\n{for_driver(part.sql)}\n) as made",
            {"start": start, "end": end},
        ).rowcount
    except sa.exc.DBAPIError as error:
        attempt.rollback()
        said = " ".join(str(error.orig).split())[:300]
        raise CatalogueError(f"{about(part.metric)}: formula: PostgreSQL says: {said}.") from None
    attempt.commit()
    return int(rows)


def _write_own(connection: sa.Connection, own: OwnSql, start: date, end: date) -> int:
    found = rows_of(connection, own, start, end)
    # As in metrics.metric_values.
    provisional_from = connection.execute(
        sa.text(
            "select max(observed_on) - coalesce((select settle_days from ops.portfolio), 0) "
            "from raw.repository_counters"
        )
    ).scalar()
    metric: Metric = own.metric

    def state(day: date, value: float | None, n: int | None) -> str:
        if value is None:
            return "unknown"
        if n is not None and n < metric.minimum_n:
            return "too_few"
        return "provisional" if provisional_from is not None and day >= provisional_from else "ok"

    rows = [
        {
            "metric": metric.key, "subject_kind": kind, "subject": subject, "date": day, "value": value, "n": n,
            "state": state(day, value, n),
        }
        for kind, subject, day, value, n in found
    ]  # fmt: skip
    names = ("metric", "subject_kind", "subject", "date", "value", "n", "state")
    table = sa.table("calculated_daily", *(sa.column(name) for name in names), schema="metrics")
    if rows:
        connection.execute(sa.insert(table), rows)  # in batches
    return len(rows)
