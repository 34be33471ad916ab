"""How long alert rules take: evaluating all of them for a large portfolio, writing what follows, and telling it.

    python benchmarks/alerts.py [--repositories 1000] [--days 365] [--sections evaluation delivery]

Section evaluation: makes an embedded PostgreSQL in a temporary folder, fills the daily tables with invented figures
that stay much the same from day to day, and evaluates 60 rules of all kinds over figures on the first day (many alerts
open), on the days after it (little changes), once more on the same day, and with a server that was just started and has
nothing in its memory. Prints the seconds of evaluating and of recording, what changed, and the peak memory.

Section delivery: runs alerts_delivery.py with its defaults, if it is there.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from warehouses import repository_tables, server

from metrics_assets.alerting import states
from metrics_assets.alerting.rules import evaluate
from metrics_assets.catalogue.alerts import (
    AnomalyRule,
    ChangeRule,
    Escalation,
    MilestoneRule,
    MissingRule,
    MultipleRule,
    Rule,
    ThresholdRule,
)
from metrics_assets.catalogue.metrics import Metric, load_catalogue
from metrics_assets.settings import Settings
from metrics_assets.warehouse.derived import Column, table_columns

START = date(2025, 1, 1)
# About the subject or the day and not figures.
NAMED = {
    "subject_kind": "'repository'",
    "subject": "'acme/repository-' || r",
    "repository": "'acme/repository-' || r",
    "repository_id": "r",
    "date": "day::date",
}
ANOMALY_DAYS = 10
COLUMNS = ("evaluate, s", "record, s", "all, s", "breached", "opened", "ended")


def main() -> None:
    """Run the sections that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--sections", nargs="+", choices=["evaluation", "delivery"])
    arguments = parser.parse_args()
    delivery = Path(__file__).with_name("alerts_delivery.py")
    sections = arguments.sections or ["evaluation", *(["delivery"] if delivery.exists() else [])]
    if "evaluation" in sections:
        evaluation(arguments.repositories, arguments.days)
    if "delivery" in sections:
        # In a process of its own: it starts others that must not inherit what was loaded here.
        subprocess.run([sys.executable, str(delivery)], check=True)


def evaluation(repositories: int, days: int) -> None:
    """Print what evaluating and recording cost."""
    last = START + timedelta(days=days - 1)
    with server() as open_database:
        engine = open_database()
        begun = time.perf_counter()
        _fill(engine, repositories, days)
        print(f"{repositories} repositories, {days} days, filled in {time.perf_counter() - begun:.0f} s")
        rules = made_rules()
        print(f"{len(rules)} rules: {_kinds(rules)}; {_peak_megabytes():.0f} MB before")
        print(f"{'tick':<34}" + "".join(f"{name:>12}" for name in COLUMNS))
        tick(engine, rules, last - timedelta(days=3), "first, many open")
        for back in (2, 1):
            tick(engine, rules, last - timedelta(days=back), "the next day, little changes")
        tick(engine, rules, last - timedelta(days=1), "the same day again")
        engine = open_database(restart=True)
        tick(engine, rules, last, "the next day, server just started")
        tick(engine, rules, last, "the same day again")
        print(f"peak memory of this process {_peak_megabytes():.0f} MB")


def tick(engine: sa.Engine, rules: dict[str, Rule], on: date, name: str) -> None:
    """Evaluate and record a day, and print how long that took."""
    now = datetime.combine(on + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=1)
    begun = time.perf_counter()
    found = evaluate(engine, rules, on)
    evaluated = time.perf_counter()
    changes = states.record(engine, rules, found.conditions, SETTINGS, now, on)
    ended = time.perf_counter()
    breached = sum(condition.verdict == "breached" for condition in found.conditions)
    print(
        f"{name:<34}{evaluated - begun:>12.2f}{ended - evaluated:>12.2f}{ended - begun:>12.2f}"
        f"{breached:>12}{len(changes.opened):>12}{len(changes.resolved):>12}"
    )


SETTINGS = Settings.model_validate(
    {
        "portfolio": "acme",
        "start": START.isoformat(),
        "repositories": [{"github": "acme/repository-1"}],
        "channels": {"team": {"url_env": "TEAM_URL"}, "oncall": {"url_env": "ONCALL_URL"}},
    }
)


def made_rules() -> dict[str, Rule]:
    """60 rules of all kinds but those about the pipeline."""
    daily = [
        metric
        for metric in load_catalogue().metrics.values()
        if metric.is_daily and metric.table in repository_tables()
    ]
    counts = [metric for metric in daily if metric.unit == "count"]
    spanned = [metric for metric in daily if metric.low and metric.high]
    rules: list[Rule] = []

    def add(made: type[Any], metric: Metric | None, **given: Any) -> None:
        given |= {"metric": metric.key} if metric else {}
        rules.append(
            made(
                key=f"rule_{len(rules)}",
                title=f"Rule {len(rules)}",
                severity="warning",
                action="Look.",
                escalate=(Escalation(after_minutes=60),),
                **given,
            )
        )

    for number in range(20):
        add(ThresholdRule, daily[3 * number], kind="threshold", above=97, clear_at=90)
    for number in range(6):
        add(ThresholdRule, spanned[number % len(spanned)], kind="threshold", above=95, confident=True)
    for number in range(6):
        add(ThresholdRule, daily[5 * number + 1], kind="threshold", below=2, for_days=3, clear_days=3)
    for number in range(8):
        add(ChangeRule, counts[number], kind="change", days=7, drop=0.5, minimum_reference=4, clear_share=0.5)
    add(ChangeRule, counts[8], kind="change", days=28, rise=0.5)
    add(ChangeRule, counts[9], kind="change", days=7, drop=0.5, for_days=3)
    for number in range(4):
        add(ChangeRule, daily[7 * number], kind="change", of="value", days=7, rise=0.2)
    for number in range(5):
        add(MultipleRule, daily[number], kind="multiple", baseline=daily[number + 20].key, lag_days=7, factor=30)
    for number in range(3):
        add(MilestoneRule, counts[2 * number], kind="milestone", milestones=(50, 99))
    for number in range(3):
        add(MissingRule, daily[4 * number], kind="missing", days=7)
    for severity in ("info", "warning", "critical"):
        add(AnomalyRule, None, kind="anomaly", at_least=severity)
    return {rule.key: rule for rule in rules}


def _kinds(rules: dict[str, Rule]) -> str:
    kinds = [rule.kind for rule in rules.values()]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _fill(engine: sa.Engine, repositories: int, days: int) -> None:
    span = f"generate_series(1, {repositories}) as r, "
    span += f"generate_series(date '{START}', date '{START}' + {days - 1}, '1 day') as day"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
            f"values ('acme', '{START}', 3, 3, 'x')"
        )
        connection.exec_driver_sql(
            "insert into ops.repository_settings select r, 'acme/repository-' || r, null, 'auto', 'production', 'v', "
            f"'{{}}', 24, '{{}}' from generate_series(1, {repositories}) as r"
        )
        for table in repository_tables():
            columns = [column for column in table_columns()[f"metrics.{table}"] if _value(column, 0)]
            values = ", ".join(_value(column, place) for place, column in enumerate(columns))
            connection.exec_driver_sql(
                f"insert into metrics.{table} ({', '.join(column.name for column in columns)}) "
                f"select {values} from {span}"
            )
        # What the detector writes of a day: a row for every metric and repository, of which one in 200 is an anomaly.
        metrics = "', '".join(load_catalogue().with_anomalies()[:40])
        connection.exec_driver_sql(
            "insert into metrics.anomalies (metric, subject_kind, subject, date, value, n, state, kind, severity, "
            "explanation) select metric, 'repository', 'acme/repository-' || r, day::date, 50, 10, "
            "case when random() < 0.005 then 'anomaly' else 'normal' end, 'spike', "
            "(array['info', 'warning', 'critical'])[1 + floor(3 * random())::int], 'A figure: 50; 10 expected.' "
            f"from {span}, unnest(array['{metrics}']) as metric "
            f"where day > date '{START}' + {days - 1 - ANOMALY_DAYS}"
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")


def _value(column: Column, place: int) -> str:
    """SQL of an invented value, much the same every day; '' for what may stay null."""
    if column.name in NAMED:
        return NAMED[column.name]
    if column.type in ("double precision", "integer", "int", "bigint", "numeric"):
        return f"(r * (7919 + {place}) %% 1000) / 10.0 + 0.2 * random()"
    return "''" if not column.nullable else ""


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
