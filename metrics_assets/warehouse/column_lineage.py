"""Which columns of which tables a derived table's columns are made of, as far as its SELECT says so.

Read from the SQL with sqlglot. A column counts as a source where its value, or a condition within the column's own
expression, comes from it; joins and filters of whole rows are not followed. What sqlglot cannot resolve is left out:
nothing is guessed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from metrics_assets.paths import SQL
from metrics_assets.warehouse.derived import SCHEMAS, derived_tables, table_columns

_BOUND = re.compile(r"(?<![:\w]):(start|end)\b")

Source = tuple[str, str]  # 'schema.table' and a column


@cache
def column_sources(name: str) -> dict[str, tuple[Source, ...]]:
    """By column of the derived table `metrics.<name>` the columns that it is made of; unresolved ones are missing."""
    table = derived_tables()[name]
    sql = _BOUND.sub("cast('2025-01-01' as date)", table.sql)
    try:
        with _quiet():
            statement: Any = qualify(
                sqlglot.parse_one(sql, read="postgres"),
                schema=_schema(),
                dialect="postgres",
                validate_qualify_columns=False,
                allow_partial_qualification=True,
            )
            root = build_scope(statement)
    except SqlglotError:
        return {}  # functions in `from` whose columns sqlglot does not know
    if root is None:
        return {}
    reader = _Reader(root)
    found = {column.name: reader.of_output(root, column.name) for column in table_columns()[table_name(name)]}
    return {column: tuple(sorted(sources)) for column, sources in found.items() if sources}


def table_name(name: str) -> str:
    """The derived table under its full name."""
    return f"metrics.{name}"


class _Reader:
    """Follows columns through the scopes of one statement; each column of each scope once."""

    def __init__(self, root: Scope) -> None:
        self._scope_of = {id(scope.expression): scope for scope in root.traverse()}
        self._known: dict[tuple[int, str], frozenset[Source]] = {}

    def of_output(self, scope: Scope, column: str) -> frozenset[Source]:
        """The sources of an output column of a scope."""
        key = (id(scope), column)
        if key not in self._known:
            self._known[key] = frozenset()  # a recursive query meets itself
            self._known[key] = frozenset(self._output(scope, column))
        return self._known[key]

    def _output(self, scope: Scope, column: str) -> Iterator[Source]:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            names = [one.alias_or_name for one in expression.selects]
            if column not in names:
                return
            position = names.index(column)
            for side in (expression.this, expression.expression):
                branch = self._scope_of.get(id(side.unnest()))
                selects: Any = getattr(branch and branch.expression, "selects", ())
                if branch is not None and position < len(selects):
                    yield from self.of_output(branch, selects[position].alias_or_name)
            return
        for select in getattr(expression, "selects", ()):
            if select.alias_or_name == column:
                for one in select.find_all(exp.Column):
                    yield from self._column(scope, one)

    def _column(self, scope: Scope, column: exp.Column) -> Iterator[Source]:
        """The sources of a column that an expression names; of a sub-select's own where it stands in one."""
        within = column.find_ancestor(exp.Select)
        at: Scope | None = self._scope_of.get(id(within), scope)
        while at is not None:
            source = at.sources.get(column.table)
            if isinstance(source, Scope):
                yield from self.of_output(source, column.name)
                return
            if isinstance(source, exp.Table):
                name = f"{source.db}.{source.name}"
                if source.db in SCHEMAS and any(one.name == column.name for one in table_columns().get(name, ())):
                    yield name, column.name
                return
            at = at.parent


@cache
def _schema() -> dict[str, object]:
    """The columns of all tables and views, as sqlglot wants them."""
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for name, columns in table_columns().items():
        db, table = name.split(".")
        schema.setdefault(db, {})[table] = {column.name: column.type for column in columns}
    for file in sorted((SQL / "views").glob("*.sql")):
        for statement in sqlglot.parse(file.read_text(encoding="utf-8"), read="postgres"):
            if isinstance(statement, exp.Create) and statement.kind == "VIEW":
                view = statement.this.find(exp.Table)
                columns_of_view = {select.alias_or_name: "text" for select in statement.expression.selects}
                schema.setdefault(view.db, {})[view.name] = columns_of_view
    return dict(schema)


@contextmanager
def _quiet() -> Iterator[None]:
    """sqlglot tells its log of what it cannot resolve; here that is no news."""
    logger = logging.getLogger("sqlglot")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
