"""The warehouse's schema: numbered migrations once and in order, functions and views whenever they changed.

Several processes may migrate at the same time: an advisory lock lets one do it and the others wait.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from metrics_assets.catalogue.gates import Gate, load_gates
from metrics_assets.catalogue.goals import Goal, NorthStar, load_goals, load_north_stars
from metrics_assets.catalogue.metrics import CADENCE_DAYS, Catalogue, load_catalogue
from metrics_assets.catalogue.models import load_models
from metrics_assets.catalogue.space import Dimension, load_space
from metrics_assets.catalogue.tiers import Tiers, load_tiers
from metrics_assets.errors import WarehouseError
from metrics_assets.paths import SQL
from metrics_assets.warehouse.engine import SEARCH_PATH
from metrics_assets.warehouse.metric_values import metric_values_sql

_LOCK = 0x6D657472  # 'metr'; any number that nobody else uses in this database
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")

_BOOK = """
create schema if not exists migrations;
create table if not exists migrations.applied (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
)
"""


def migrate(engine: sa.Engine, sql: Path = SQL) -> list[str]:
    """Bring the database to this version's schema, in one transaction.

    Returns:
        What was applied, in order; empty where everything was up to date.

    Raises:
        WarehouseError: a file that was applied before has been changed, or the database is of a newer version.
    """
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.exec_driver_sql(_BOOK)
        rows = connection.execute(sa.text("select name, checksum from migrations.applied"))
        known: dict[str, str] = {row.name: row.checksum for row in rows}
        applied = [*_apply_numbered(connection, sql, known), *_apply_repeatable(connection, sql, known)]
        _set_search_path(connection)
        return applied


def _set_search_path(connection: sa.Connection) -> None:
    """Let psql and other tools name tables without a schema: a database made by hand, or restored, does not know how.

    Not where another program's tables are in the database, or where this user does not own it.
    """
    name = connection.execute(sa.text(_WITHOUT_SEARCH_PATH)).scalar()
    if name is not None:
        quoted = connection.dialect.identifier_preparer.quote(name)
        connection.exec_driver_sql(f"alter database {quoted} set search_path = {SEARCH_PATH}")


_WITHOUT_SEARCH_PATH = """
select datname
from pg_database
where datname = current_database() and pg_has_role(datdba, 'USAGE')
  and not exists (
      select 1 from pg_db_role_setting cross join unnest(setconfig) as setting
      where setdatabase = pg_database.oid and setrole = 0 and setting like 'search_path=%'
  )
  and not exists (
      select 1 from pg_tables
      where schemaname not in ('raw', 'metrics', 'ops', 'migrations', 'pg_catalog', 'information_schema')
  )
"""


def _apply_numbered(connection: sa.Connection, sql: Path, known: dict[str, str]) -> list[str]:
    files = sorted((sql / "migrations").glob("*.sql"))
    for file in files:
        if not _NAME.match(file.name):
            raise WarehouseError(f"sql/migrations/{file.name} must be named like 0007_what_it_does.sql; rename it.")
    newer = {name for name in known if _NAME.match(name)} - {file.name for file in files}
    if newer:
        raise WarehouseError(
            f"The database was migrated by a newer version of metrics_assets (it holds {min(newer)}); update this one."
        )
    applied = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        checksum = _checksum(text)
        if file.name not in known:
            _execute(connection, text, f"sql/migrations/{file.name}")
            _note(connection, file.name, checksum)
            applied.append(file.name)
        elif known[file.name] != checksum:
            raise WarehouseError(
                f"sql/migrations/{file.name} was changed after it had been applied; undo that and add a new file."
            )
    return applied


def _apply_repeatable(connection: sa.Connection, sql: Path, known: dict[str, str]) -> list[str]:
    """Functions, the view made from the catalogue, and views are replaced together when one of them changed."""
    catalogue, bands, dimensions = load_catalogue(), load_tiers(), load_space()
    goals, north_stars, gates = load_goals(), load_north_stars(), load_gates()
    models = load_models()
    pieces = {
        # A function may read a view that comes after it.
        "setting": "set local check_function_bodies = off",
        **_texts(sql, "functions"),
        "view metrics.metric_values": metric_values_sql(catalogue),
        **_texts(sql, "views"),
    }
    entries = (bands, dimensions, catalogue, goals, north_stars, gates, models)
    checksum = _checksum(*pieces.values(), *map(repr, entries))
    if known.get("repeatable") == checksum:
        return []
    _fill_tiers(connection, bands)
    _fill_catalogue(connection, catalogue)
    _fill(connection, "metrics.space_dimensions", _dimension_rows(dimensions))
    _fill(connection, "metrics.space_labels", _label_rows(dimensions))
    _fill(connection, "metrics.goal_catalogue", [_goal_row(goal) for goal in goals.values()])
    _fill(connection, "metrics.north_star_catalogue", _north_star_rows(north_stars))
    _fill(connection, "metrics.gate_criteria", [row for gate in gates.values() for row in _criterion_rows(gate)])
    _fill(connection, "metrics.chaoss_models", [row for model in models.values() for row in model.rows()])
    for name, text in pieces.items():
        _execute(connection, text, name)
    _note(connection, "repeatable", checksum)
    return list(pieces)


def _texts(sql: Path, folder: str) -> dict[str, str]:
    files = sorted((sql / folder).glob("*.sql"))
    return {f"sql/{folder}/{file.name}": file.read_text(encoding="utf-8") for file in files}


def _fill_tiers(connection: sa.Connection, tiers: Tiers) -> None:
    for table, rows in (
        ("metrics.tier_sets", tiers.sets),
        ("metrics.tier_bands", tiers.bands),
        ("metrics.tier_clusters", tiers.clusters),
        ("metrics.quick_check_industry", tiers.industry),
    ):
        connection.exec_driver_sql(f"delete from {table}")
        found = [row.model_dump() for row in rows]
        if found:
            names = list(found[0])
            connection.execute(
                sa.text(f"insert into {table} ({', '.join(names)}) values ({', '.join(':' + name for name in names)})"),
                found,
            )


def _fill_catalogue(connection: sa.Connection, catalogue: Catalogue) -> None:
    connection.exec_driver_sql("delete from metrics.catalogue")
    connection.exec_driver_sql("delete from metrics.metric_bands")
    rows = [
        {
            **metric.model_dump(
                include={
                    "title", "definition", "formula", "unit", "direction", "grain", "minimum_n", "owner", "cadence",
                    "fed", "kind", "priority", "timing", "unknown", "source",
                }
            ),
            "metric": metric.key,
            "window_days": metric.window,
            "table_name": metric.stored_in,
            "stands_days": CADENCE_DAYS[metric.cadence],
            "requirements": list(metric.requirements),
        }
        for metric in catalogue.metrics.values()
    ]  # fmt: skip
    names = list(rows[0])
    connection.execute(
        sa.text(
            f"insert into metrics.catalogue ({', '.join(names)}) values ({', '.join(':' + name for name in names)})"
        ),
        rows,
    )
    bands = [
        {"metric": metric.key, "rank": rank, **band.model_dump()}
        for metric in catalogue.metrics.values()
        for rank, band in enumerate(metric.bands, start=1)
    ]
    if bands:
        connection.execute(
            sa.text(
                "insert into metrics.metric_bands (metric, rank, band, at_least, below, means) "
                "values (:metric, :rank, :band, :at_least, :below, :means)"
            ),
            bands,
        )


def _goal_row(goal: Goal) -> dict[str, Any]:
    return {
        **goal.model_dump(include={"title", "metric", "subject_kind", "subject", "target", "comparison", "base"}),
        "goal": goal.key,
        "due_on": goal.by,
        "due_months": goal.months,
        "starts_on": goal.starts,
        "owner": goal.owner,
        "source": goal.source,
        "pack": goal.pack,
        "requirements": list(goal.requirements),
    }


def _north_star_rows(stars: tuple[NorthStar, ...]) -> list[dict[str, Any]]:
    return [
        {
            "position": position,
            "metric": star.metric,
            "why": star.why,
            "pack": star.pack,
            "requirements": list(star.requirements),
        }
        for position, star in enumerate(stars, start=1)
    ]


def _criterion_rows(gate: Gate) -> list[dict[str, Any]]:
    return [
        {
            "gate": gate.key,
            "position": position,
            "gate_title": gate.title,
            "subject_kind": gate.subject_kind,
            "subject": gate.subject,
            "group_key": group.group,
            "group_title": group.title,
            "level": group.level,
            "criterion": criterion.key,
            "title": criterion.title,
            "metric": criterion.metric,
            "target": criterion.target,
            "days": criterion.days,
            "share": share,
            "owner": gate.owner,
            "pack": gate.pack,
            "requirements": list(criterion.requirements or gate.requirements),
        }
        for position, (group, criterion, share) in enumerate(gate.criteria(), start=1)
    ]


def _dimension_rows(dimensions: tuple[Dimension, ...]) -> list[dict[str, Any]]:
    return [
        {**dimension.model_dump(exclude={"key", "labels"}), "dimension": dimension.key, "position": position}
        for position, dimension in enumerate(dimensions, start=1)
    ]


def _label_rows(dimensions: tuple[Dimension, ...]) -> list[dict[str, Any]]:
    return [
        {**label.model_dump(), "dimension": dimension.key, "rank": rank}
        for dimension in dimensions
        for rank, label in enumerate(dimension.labels, start=1)
    ]


def _fill(connection: sa.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Make a table of the catalogue's what the files say."""
    connection.exec_driver_sql(f"delete from {table}")
    if rows:
        names = list(rows[0])
        columns, places = ", ".join(names), ", ".join(f":{name}" for name in names)
        connection.execute(sa.text(f"insert into {table} ({columns}) values ({places})"), rows)


def _execute(connection: sa.Connection, text: str, name: str) -> None:
    try:
        # The driver's own call: a colon in SQL text is not a bind parameter here.
        cursor = connection.connection.cursor()
        cursor.execute(text)
        cursor.close()
    except Exception as error:
        raise WarehouseError(f"{name} cannot be applied: {str(error).strip()}") from error


def _note(connection: sa.Connection, name: str, checksum: str) -> None:
    connection.execute(
        sa.text(
            "insert into migrations.applied (name, checksum) values (:name, :checksum) "
            "on conflict (name) do update set checksum = excluded.checksum, applied_at = now()"
        ),
        {"name": name, "checksum": checksum},
    )


def _checksum(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
