"""How long the questions take that the site and the alert rules ask of metrics.metric_values.

    python benchmarks/query.py [--repositories 1000] [--days 730]

Makes an embedded PostgreSQL in a temporary folder, fills every daily table of the catalogue with invented figures of
so many repositories and days, asks each kind of question many times about random metrics, subjects and days, and
prints the median and the 95th percentile (planning and fetching all rows included).
"""

from __future__ import annotations

import argparse
import random
import time
from datetime import date, timedelta

import numpy as np
import sqlalchemy as sa
from warehouses import repository_tables, warehouse

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.warehouse.derived import Column, table_columns

START = date(2024, 1, 1)
TIMES = 200
# About the subject or the day and not figures.
NAMED = {
    "subject_kind": "'repository'",
    "subject": "'acme/repository-' || r",
    "repository": "'acme/repository-' || r",
    "repository_id": "r",
    "date": "day::date",
}
QUESTIONS = {
    "a metric of all repositories on a day": (
        "select subject, value, n, state from metrics.metric_values "
        "where metric = :metric and subject_kind = 'repository' and date = :day"
    ),
    "a metric of a repository over all days": (
        "select date, value, n, state from metrics.metric_values where metric = :metric "
        "and subject_kind = 'repository' and subject = :subject order by date"
    ),
    "all metrics of a repository on a day": (
        "select metric, value, n, state from metrics.metric_values "
        "where subject_kind = 'repository' and subject = :subject and date = :day"
    ),
    "a rule: a week against the week before, all repositories": (
        "select subject, sum(value) filter (where date > cast(:day as date) - 7), "
        "sum(value) filter (where date <= cast(:day as date) - 7) from metrics.metric_values where metric = :metric "
        "and subject_kind = 'repository' and date > cast(:day as date) - 14 and date <= :day group by subject"
    ),
    "a rule: a metric against its value four weeks ago": (
        "select now.subject, now.value, before.value from metrics.metric_values as now "
        "join metrics.metric_values as before on before.metric = :metric and before.subject_kind = 'repository' "
        "and before.subject = now.subject and before.date = cast(:day as date) - 28 "
        "where now.metric = :metric and now.subject_kind = 'repository' and now.date = :day"
    ),
    "peers: where a repository stands on a day": (
        "select * from metrics.get_peers(:metric, cast(:day as date)) where subject = :subject"
    ),
}


def main() -> None:
    """Fill a warehouse and print how long each question took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, default=1000)
    parser.add_argument("--days", type=int, default=730)
    arguments = parser.parse_args()
    with warehouse() as engine:
        begun = time.perf_counter()
        _fill(engine, arguments.repositories, arguments.days)
        print(f"{arguments.repositories} repositories, {arguments.days} days, {time.perf_counter() - begun:.0f} s")
        print(f"{'question':<60}{'median, ms':>12}{'p95, ms':>12}")
        for name, sql in QUESTIONS.items():
            times = _ask(engine, sql, arguments.repositories, arguments.days)
            print(f"{name:<60}{np.median(times):>12.1f}{np.percentile(times, 95):>12.1f}")


def _fill(engine: sa.Engine, repositories: int, days: int) -> None:
    span = f"generate_series(1, {repositories}) as r, "
    span += f"generate_series(date '{START}', date '{START}' + {days - 1}, '1 day')"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
            f"values ('acme', '{START}', 3, 3, 'x')"
        )
        connection.exec_driver_sql(
            "insert into raw.repository_counters select r, day::date, day, 1, 1, 1, 1 from " + span + " as day"
        )
        for table in repository_tables():
            columns = [column for column in table_columns()[f"metrics.{table}"] if _value(column)]
            connection.exec_driver_sql(
                f"insert into metrics.{table} ({', '.join(column.name for column in columns)}) "
                f"select {', '.join(_value(column) for column in columns)} from {span} as day"
            )
        connection.exec_driver_sql(
            "insert into metrics.scores select score, 1, 'repository', 'acme/repository-' || r, day::date, "
            f"100 * random(), 1, '[]' from {span} as day, unnest(array['repository_health', 'criticality']) as score"
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")


def _value(column: Column) -> str:
    """SQL of an invented value; '' for what may stay null."""
    if column.name in NAMED:
        return NAMED[column.name]
    if column.type in ("double precision", "integer", "int", "bigint", "numeric"):
        return "100 * random()"
    return "''" if not column.nullable else ""


def _ask(engine: sa.Engine, sql: str, repositories: int, days: int) -> list[float]:
    """Milliseconds of each time the question was asked."""
    dice = random.Random(sql)
    metrics = [key for key, metric in load_catalogue().metrics.items() if metric.table in repository_tables()]
    times = []
    with engine.connect() as connection:
        for _ in range(TIMES):
            given = {
                "metric": dice.choice(metrics),
                "subject": f"acme/repository-{dice.randint(1, repositories)}",
                "day": START + timedelta(days=dice.randint(60, days - 1)),
            }
            begun = time.perf_counter()
            connection.execute(sa.text(sql), {k: v for k, v in given.items() if f":{k}" in sql}).all()
            times.append(1000 * (time.perf_counter() - begun))
    return times


if __name__ == "__main__":
    main()
