"""The schema comes up by itself, once, however many processes want it, and says when it cannot."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.alerting.states import close_orphans, escalate
from metrics_assets.errors import WarehouseError
from metrics_assets.paths import SQL
from metrics_assets.warehouse import embedded
from metrics_assets.warehouse import migrate as module
from metrics_assets.warehouse.engine import create_engine, ensure_database
from metrics_assets.warehouse.migrate import migrate
from metrics_assets_tests.alerting import conditions
from metrics_assets_tests.alerting.receiving import deliver, receiving
from metrics_assets_tests.command import url_text

# Waits for the next second, so that the processes meet.
_MIGRATE = """
import sys, time
from sqlalchemy.engine import make_url
from metrics_assets.warehouse.engine import create_engine, ensure_database
from metrics_assets.warehouse.migrate import migrate
url = make_url(sys.argv[1])
time.sleep(1 - time.time() % 1)
ensure_database(url)
print(len(migrate(create_engine(url))))
"""


@pytest.fixture
def empty(postgres: URL) -> Iterator[URL]:
    """The URL of a database that does not exist yet."""
    yield postgres.set(database="not_there_yet")
    with sa.create_engine(postgres, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text("drop database if exists not_there_yet with (force)"))


def test_processes_that_migrate_at_the_same_time_do_it_once(empty: URL) -> None:
    starting = [
        subprocess.Popen([sys.executable, "-c", _MIGRATE, url_text(empty)], stdout=subprocess.PIPE) for _ in range(4)
    ]
    applied = [int(process.communicate(timeout=120)[0]) for process in starting]
    assert [process.returncode for process in starting] == [0] * 4
    assert sorted(applied)[:3] == [0, 0, 0]
    assert max(applied) > 3
    engine = create_engine(empty)
    assert migrate(engine) == []
    with engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from dora_summary")).scalar() == 0
    engine.dispose()


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_database_made_by_hand_knows_where_names_are_looked_up(empty: URL, is_shared: bool) -> None:
    with sa.create_engine(empty.set(database="postgres"), isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text("create database not_there_yet"))
    plain = sa.create_engine(empty, poolclass=sa.pool.NullPool)
    if is_shared:
        with plain.begin() as connection:
            connection.execute(sa.text("create table public.of_another_program (id int)"))
    for _ in range(2):
        migrate(create_engine(empty))
    with plain.connect() as connection:
        found = connection.execute(sa.text("show search_path")).scalar_one()
    # Another program's names are looked up as before.
    assert found == ('"$user", public' if is_shared else "metrics, raw, ops, public")


def test_a_migration_that_fails_leaves_nothing_behind(empty: URL, tmp_path: Path) -> None:
    sql = _copy(tmp_path)
    (sql / "migrations" / "9999_wrong.sql").write_text("create table raw.half (id int); select nonsense;")
    ensure_database(empty)
    engine = create_engine(empty)
    with pytest.raises(WarehouseError, match=r'sql/migrations/9999_wrong\.sql cannot be applied: column "nonsense"'):
        migrate(engine, sql)
    with engine.connect() as connection:
        left = connection.execute(sa.text("select count(*) from pg_namespace where nspname in ('raw', 'metrics')"))
        assert left.scalar() == 0
    engine.dispose()


def test_an_upgrade_keeps_the_history_that_was_derived(empty: URL, tmp_path: Path) -> None:
    older = _copy(tmp_path)
    for file in (older / "migrations").glob("*.sql"):
        if file.name >= "0007":
            file.unlink()
    ensure_database(empty)
    engine = create_engine(empty)
    with engine.begin() as connection:
        connection.exec_driver_sql(module._BOOK)
        module._apply_numbered(connection, older, {})
        connection.exec_driver_sql(
            "insert into metrics.deployments values (1, 'acme/api', 'deployment:1', 'deployments', 'production', null, "
            "'a', '2025-06-01', '2025-06-02', '2025-06-02', 'succeeded');"
            "insert into metrics.deployment_commits values (1, 'a', 'deployment:1', '2025-06-02', true);"
            "insert into metrics.changes values (1, 'acme/api', 'commit:a', 'commit', null, 'a', false, '2025-06-01', "
            "'2025-06-01', 'deployment:1', '2025-06-02', 'baseline', null, 0, 24, null);"
            "insert into metrics.incidents values (1, 'acme/api', 5, 'Down', 'high', 'resolved', '2025-06-03', "
            "'2025-06-04', 24, 'deployment:1', 'time', 0.3, 5);"
            "insert into metrics.deployment_failures values (1, 'acme/api', 'deployment:1', 'incident', 'issue:5', "
            "'2025-06-02', '2025-06-03', '2025-06-04', null, 48);"
            "insert into metrics.dora_daily (repository_id, repository, date, days_observed, deployment_frequency) "
            "values (1, 'acme/api', '2025-06-02', 2, 0.5);"
        )
    assert migrate(engine)
    with engine.connect() as connection:
        rows = [
            tuple(connection.execute(sa.text(f"select {columns} from metrics.{name}")).one())
            for name, columns in [
                ("deployments", "chain, deployment_key, outcome"),
                ("deployment_commits", "chain, sha, is_baseline"),
                ("changes", "chain, change_key, state"),
                ("incidents", "chain, tie_rule, mttr_hours"),
                ("deployment_failures", "chain, signal, recovery_hours"),
                ("dora_daily", "subject_kind, subject, deployment_frequency"),
            ]
        ]
        value = connection.execute(
            sa.text("select subject, value from metrics.metric_values where metric = 'deployment_frequency'")
        ).one()
    engine.dispose()
    assert rows == [
        ("", "deployment:1", "succeeded"),
        ("", "a", True),
        ("", "commit:a", "baseline"),
        ("", "time", 24.0),
        ("", "incident", 48.0),
        ("repository", "acme/api", 0.5),
    ]
    assert tuple(value) == ("acme/api", 0.5)


def test_an_upgrade_goes_on_with_the_alerts_that_fire(
    empty: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = _copy(tmp_path)
    for file in (older / "migrations").glob("*.sql"):
        if file.name >= "0014":
            file.unlink()
    ensure_database(empty)
    engine = create_engine(empty)
    said = (
        '{"event": "opened", "title": "[warning] Fewer deployments: acme/api", "rule": "drop", "severity": "warning", '
        '"subject_kind": "repository", "subject": "acme/api", "date": "2025-12-01", "metric": "deployments_succeeded", '
        '"value": 1, "reference": 8, "n": 7, "text": "1 against 8."}'
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(module._BOOK)
        module._apply_numbered(connection, older, {})
        for subject, state in (("acme/api", "firing"), ("acme/web", "resolved")):
            connection.exec_driver_sql(
                "insert into ops.alerts (rule, subject_kind, subject, severity, state, opened_on, last_evaluated_on) "
                f"values ('drop', 'repository', '{subject}', 'warning', '{state}', '2025-12-01', '2025-12-01')"
            )
        connection.exec_driver_sql(
            "insert into ops.alert_events (alert_id, event, date, message, created_at) values "
            f"(1, 'opened', '2025-12-01', '{said}', '2025-12-02 01:00Z'), "
            f"(2, 'opened', '2025-12-01', '{said}', '2025-12-02 01:00Z'), "
            f"(2, 'resolved', '2025-12-02', '{said}', '2025-12-03 01:00Z');"
            "insert into ops.notifications (event_id, channel, state, next_attempt_at) values "
            "(1, 'oncall', 'pending', '2025-12-02 01:00Z'), (2, 'oncall', 'sent', '2025-12-02 01:00Z'), "
            "(3, 'oncall', 'sent', '2025-12-03 01:00Z')"
        )
    assert migrate(engine)
    with engine.connect() as connection:
        columns = "metric, text, fired_at, resolved_at"
        rows = [
            tuple(row) for row in connection.execute(sa.text(f"select {columns} from ops.alerts order by alert_id"))
        ]
    about = ("deployments_succeeded", "1 against 8.", conditions.at(1))
    assert rows == [(*about, None), (*about, conditions.at(2))]

    rules, settings = {"drop": conditions.RULE}, conditions.settings("oncall")
    assert conditions.record(engine, conditions.condition(3, "breached")).opened == []
    assert close_orphans(engine, rules, settings, conditions.at(3)).resolved == []
    assert escalate(engine, rules, settings, conditions.at(3)) == []
    with receiving() as receiver:
        monkeypatch.setenv("ONCALL_URL", receiver.url)
        assert deliver(engine, settings, conditions.at(3), rules=rules).sent == 1
    engine.dispose()
    assert [(body["event"], body["title"]) for body in receiver.bodies] == [
        ("opened", "[warning] Fewer deployments: acme/api")
    ]


def test_what_does_not_fit_is_said(warehouse: sa.Engine, tmp_path: Path) -> None:
    changed = _copy(tmp_path / "changed")
    first = sorted((changed / "migrations").glob("*.sql"))[0]
    first.write_text(first.read_text() + "\n-- a word more\n")
    with pytest.raises(WarehouseError, match="was changed after it had been applied; undo that and add a new file"):
        migrate(warehouse, changed)

    older = _copy(tmp_path / "older")
    sorted((older / "migrations").glob("*.sql"))[-1].unlink()
    with pytest.raises(WarehouseError, match=r"by a newer version of metrics_assets .* update this one"):
        migrate(warehouse, older)

    misnamed = _copy(tmp_path / "misnamed")
    (misnamed / "migrations" / "more.sql").write_text("select 1")
    with pytest.raises(WarehouseError, match=r"more\.sql must be named like 0007_what_it_does\.sql"):
        migrate(warehouse, misnamed)


def test_the_embedded_server_ends_when_nobody_uses_it(embedded_home: Path) -> None:
    url = embedded.start(embedded_home)
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"), poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        assert connection.execute(sa.text("select 1")).scalar() == 1
    embedded.keep(embedded_home, idle_seconds=2)
    with pytest.raises(sa.exc.OperationalError):
        engine.connect()
    # And it comes back with what it held.
    assert embedded.start(embedded_home) == url
    with engine.connect() as connection:
        assert connection.execute(sa.text("select 1")).scalar() == 1


def _copy(folder: Path) -> Path:
    shutil.copytree(SQL, folder / "sql")
    return folder / "sql"
