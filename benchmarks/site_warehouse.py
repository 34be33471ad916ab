"""Two years of invented figures of many repositories, so that every page of the site has something to show."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import sqlalchemy as sa

from metrics_assets.catalogue.alerts import active_rules
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.settings import Settings
from metrics_assets.warehouse.derived import Column, table_columns

PORTFOLIO = "acme"
TEAMS = ("heron", "osprey", "kestrel", "merlin")
_YEAR = 372  # days of what only the newest weeks are read of
_FORECASTS = 40  # metrics that are forecast for each repository
_RATE = re.compile("rate|share|ratio|coverage|retention|churn")
_NUMBERS = ("double precision", "integer", "int", "bigint", "numeric", "smallint")
_TEXTS = {"deployment_source": "'releases'"}


def fill(engine: sa.Engine, settings: Settings, start: date, days: int, repositories: int) -> date:
    """Fill all tables that pages read; the last day."""
    last = start + timedelta(days=days - 1)
    with engine.begin() as connection:
        _portfolio(connection, settings, start, last, repositories)
        _daily_tables(connection, start, last)
        _narrow_tables(connection, last)
        _goals_and_gates(connection, last)
        _predictions(connection, last)
        _alerts(connection, settings, last)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")
    return last


def _portfolio(connection: sa.Connection, settings: Settings, start: date, last: date, repositories: int) -> None:
    connection.execute(
        sa.text(
            "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check, space_teams, "
            "packs) values (:portfolio, :start, 3, 3, 'x', :teams, :packs)"
        ),
        {"portfolio": PORTFOLIO, "start": start, "teams": list(TEAMS), "packs": list(settings.packs)},
    )
    connection.exec_driver_sql(
        "create table benchmark_subjects as "
        "select 'repository' as kind, 'acme/repository-' || r as subject, r from "
        f"generate_series(1, {repositories}) as r "
        f"union all select 'portfolio', '{PORTFOLIO}', 0 "
        f"union all select 'team', team, -number from unnest(array{list(TEAMS)}) "
        "with ordinality as teams (team, number)"
    )
    connection.exec_driver_sql(
        "insert into raw.repositories (repository_id, repository, state, is_fork, is_private, has_issues, created_at) "
        f"select r, subject, 'active', false, false, true, '{start}' from benchmark_subjects where kind = 'repository'"
    )
    connection.exec_driver_sql(
        "insert into ops.repository_settings (repository_id, repository, team, deployment_source, environment, "
        "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
        "select r, subject, 'heron', 'releases', 'production', '.', '{}', 24, '{}' "
        "from benchmark_subjects where kind = 'repository'"
    )
    connection.exec_driver_sql(
        f"insert into raw.repository_counters select r, '{last}'::date, '{last}'::date, 1, 1, 1, 1 "
        "from benchmark_subjects where kind = 'repository'"
    )
    connection.exec_driver_sql(
        f"insert into ops.daily_status (date, status, line, details) values ('{last}', 'healthy', 'x', "
        """'{"failed_checks": []}')"""
    )


def _daily_tables(connection: sa.Connection, start: date, last: date) -> None:
    kinds = {
        row.name: set(re.findall("'([a-z]+)'", row.definition))
        for row in connection.exec_driver_sql(
            "select relname as name, pg_get_constraintdef(pg_constraint.oid) as definition "
            "from pg_constraint join pg_class on pg_class.oid = conrelid "
            "where contype = 'c' and strpos(pg_get_constraintdef(pg_constraint.oid), 'subject_kind') > 0"
        )
    }
    catalogue = load_catalogue().metrics.values()
    tables = {table for metric in catalogue for table in (metric.table, metric.groups) if table}
    for table in sorted(tables - {"package_daily", "platform_daily", "scores"}):
        columns = [column for column in table_columns()[f"metrics.{table}"] if _value(column)]
        of_kinds = kinds.get(table, {"repository"})
        connection.exec_driver_sql(
            f"insert into metrics.{table} ({', '.join(column.name for column in columns)}) "
            f"select {', '.join(_value(column) for column in columns)} from benchmark_subjects, "
            f"generate_series(date '{start}', date '{last}', '1 day') as day "
            f"where kind = any(array{sorted(of_kinds)})"
        )
    connection.exec_driver_sql(
        "insert into metrics.scores select score, 1, kind, subject, day::date, 60 + 30 * sin(r + "
        f"(day::date - date '{start}') / 40.0), 1, '[]' from benchmark_subjects, unnest(array['repository_health', "
        f"'community_health', 'criticality']) as score, generate_series(date '{start}', date '{last}', '1 day') as day "
        "where kind = 'repository'"
    )


def _value(column: Column) -> str:
    """SQL of an invented value that goes up and down over the weeks; '' for what stays null."""
    named = {
        "subject_kind": "kind", "subject": "subject", "repository": "subject", "date": "day::date",
        "repository_id": "case when kind = 'repository' then r end",
    }  # fmt: skip
    if column.name in named:
        return named[column.name]
    if column.name in _TEXTS:
        return _TEXTS[column.name]
    if column.type not in _NUMBERS:
        return "''" if not column.nullable else ""
    base = re.sub("_(low|high)$", "", column.name)
    seed = sum(base.encode()) % 97
    wave = f"(1 + 0.3 * sin((day::date - date '2024-01-01') / 17.0 + r + {seed}))"
    if _RATE.search(base):
        size = f"(0.01 + 0.06 * abs(sin(r * 1.7 + {seed})))"
    else:
        size = f"({5 + seed % 20} + {seed % 30} * abs(sin(r * 1.3 + {seed})))"
    span = 0.7 if column.name.endswith("_low") else 1.4 if column.name.endswith("_high") else 1
    value = f"{size} * {wave} * {span}"
    return value if column.type in ("double precision", "numeric") else f"round({value})"


def _narrow_tables(connection: sa.Connection, last: date) -> None:
    metrics = load_catalogue().metrics.values()
    for table, found in (
        ("fed_daily", [metric.key for metric in metrics if metric.fed]),
        ("calculated_daily", [metric.key for metric in metrics if metric.is_calculated]),
    ):
        connection.execute(
            sa.text(
                f"insert into metrics.{table} (metric, subject_kind, subject, date, value, n, state) "
                "select metric, kind, subject, day::date, 40 + 20 * sin((day::date - :last) / 30.0 + length(metric)), "
                "30, 'ok' from benchmark_subjects, unnest(cast(:metrics as text[])) with ordinality as m (metric, "
                "number), generate_series(cast(:last as date) - :days, :last, '1 day') as day "
                "where kind = 'portfolio' or (kind = 'repository' and number <= 8 and :of_repositories)"
            ),
            {"metrics": found, "last": last, "days": _YEAR, "of_repositories": table == "calculated_daily"},
        )


def _goals_and_gates(connection: sa.Connection, last: date) -> None:
    connection.execute(
        sa.text(
            "insert into metrics.goals_daily (goal, subject_kind, subject, date, metric, value, n, metric_state, "
            "target, comparison, due_on, starts_on, base, expected, progress, status, reason) "
            "select goal, subject_kind, subjects.subject, day::date, metric, 30 + 5 * sin(r), 20, 'ok', target, "
            "comparison, coalesce(due_on, :last + 60), :last - 200, 10, 35, 0.4 + 0.3 * sin(r), "
            "(array['met', 'on track', 'at risk', 'off track', 'unknown'])[1 + (abs(r) + length(goal)) % 5], "
            "'It went from 10 to 30 of the way.' from metrics.goal_catalogue as goals "
            "join benchmark_subjects as subjects on subjects.kind = goals.subject_kind, "
            "generate_series(cast(:last as date) - 28, :last, '7 days') as day"
        ),
        {"last": last},
    )
    connection.execute(
        sa.text(
            "insert into metrics.goal_forecasts (goal, subject_kind, subject, date, metric, target, comparison, "
            "due_on, p10_on, p50_on, p90_on, probability, looked_until, extrapolated, state) "
            "select goal, subject_kind, subject, date, metric, target, comparison, due_on, date + 30, date + 60, "
            "date + 90, 0.6, date + 180, false, 'ok' from metrics.goals_daily where date = :last"
        ),
        {"last": last},
    )
    connection.execute(
        sa.text(
            "insert into metrics.gate_evaluations (gate, subject_kind, subject, date, verdict, score, must_missing, "
            "criteria, missing) select gate, subject_kind, subjects.subject, :last, "
            "(array['passed', 'failed', 'unknown'])[1 + abs(r) % 3], 60, abs(r) % 3, jsonb_agg(jsonb_build_object("
            "'key', criterion, 'title', title, 'group', group_title, 'level', level, "
            "'state', (array['met', 'not met', 'unknown'])[1 + (abs(r) + position) % 3], 'value', '12', "
            "'target', target, 'evidence_url', null, 'reason', 'It was 12 on the day.') order by position), "
            "array_agg(title) filter (where (abs(r) + position) % 3 > 0) "
            "from metrics.gate_criteria join benchmark_subjects as subjects on subjects.kind = subject_kind "
            "group by gate, subject_kind, subjects.subject, r"
        ),
        {"last": last},
    )


def _predictions(connection: sa.Connection, last: date) -> None:
    catalogue = load_catalogue()
    keys = [key for key in catalogue.with_forecasts() if catalogue.metrics[key].table]
    known = {"last": last, "metrics": keys, "few": keys[:_FORECASTS]}
    connection.execute(
        sa.text(
            "insert into metrics.anomalies (metric, subject_kind, subject, date, value, n, state, kind, expected, "
            "lower, upper, score, severity, explanation, methods) "
            "select metric, kind, subject, day::date, 40, 20, 'anomaly', 'spike', 20, 15, 25, 4, "
            "(array['info', 'warning', 'critical'])[1 + abs(r) % 3], "
            "'It was 40, twice of what the weeks before let expect (15 to 25).', '{median}' "
            "from benchmark_subjects, unnest(cast(:few as text[])) with ordinality as m (metric, number), "
            "generate_series(cast(:last as date) - 370, :last, '1 day') as day "
            "where number <= 12 and hashtext(metric || subject || day) % 60 = 0"
        ),
        known,
    )
    series = (
        "from benchmark_subjects, unnest(cast(:metrics as text[])) as metric "
        "where kind = 'portfolio' or (kind = 'repository' and metric = any(:few))"
    )
    connection.execute(
        sa.text(
            "insert into metrics.forecasts select metric, kind, subject, :last, horizon, "
            "cast(:last as date) + horizon, 15, 20, 26, "
            "case when horizon = 180 then 'extended' else 'pooled' end, horizon = 7, 60, 0.9, 0.4, 0.81, "
            f"1, 0.5, null {series.replace(' where', ', unnest(array[7, 30, 90, 180]) as horizon where')}"
        ),
        known,
    )
    path = "array(select {}::double precision from generate_series(1, 90) as i)"
    connection.execute(
        sa.text(
            f"insert into metrics.forecast_paths select metric, kind, subject, :last, {path.format('15 - i / 30.0')}, "
            f"{path.format('20 + i / 60.0')}, {path.format('26 + i / 20.0')} {series}"
        ),
        known,
    )
    connection.execute(
        sa.text(
            "insert into metrics.insights (insight, subject_kind, subject, date, topic, weight, sentence, action, n, "
            "p, evidence) select 'trend_' || metric, kind, subject, :last, 'trend', abs(sin(r)), "
            "'It rose from 33 to 116 within 84 days, which is worse (n = 12 weekly changes, p = 0.03).', "
            "'Look at it.', 12, 0.03, cast(:evidence as jsonb) "
            "|| jsonb_build_object('metric', metric, 'subject', subject) "
            "from benchmark_subjects, unnest(cast(:few as text[])) with ordinality as m (metric, number) "
            "where number <= 3 and kind <> 'team'"
        ),
        {**known, "evidence": json.dumps({"dates": [last.isoformat()], "values": [33, 116]})},
    )
    connection.execute(
        sa.text(
            "insert into metrics.correlations (pair, subject_kind, subject, date, x, y, lag_days, n, n_effective, "
            "pearson, spearman, p, p_adjusted, survives, state, sentence) select 'size_and_lead', kind, subject, "
            ":last, 'lead_time_hours', 'change_failure_rate', 7, 300, 60, 0.4, 0.4, 0.001, 0.01, true, 'ok', "
            "'A week after the lead time rises, more deployments fail.' from benchmark_subjects where kind <> 'team'"
        ),
        known,
    )


def _alerts(connection: sa.Connection, settings: Settings, last: date) -> None:
    rules = [
        rule for rule in active_rules(settings.packs, settings.alerts.rules).values() if getattr(rule, "metric", None)
    ]
    connection.execute(
        sa.text(
            "insert into ops.alerts (rule, subject_kind, subject, severity, state, opened_on, resolved_on, "
            "last_evaluated_on, metric, value, n, reference, text, fired_at) select :rule, kind, subject, :severity, "
            "case when r % 2 = 0 then 'firing' else 'resolved' end, :last - 3, "
            "case when r % 2 = 1 then cast(:last as date) - 1 end, :last, :metric, 40, 20, 20, "
            "'It was 40 (n = 20), above 20.', :last - 3 from benchmark_subjects "
            "where kind = 'repository' and r % 40 < 2"
        ),
        [{"rule": rule.key, "severity": rule.severity, "metric": rule.metric, "last": last} for rule in rules[:6]],
    )
