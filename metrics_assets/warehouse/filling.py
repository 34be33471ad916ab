"""Filling a table for the first time: without its indexes, which are made in one go when the rows are there.

A third of the time that a year takes goes into indexes otherwise. Only where the table is empty and long ranges are
filled: the lock that this takes keeps readers of the table waiting until it is full.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

_FEW_DAYS = 31

_CONSTRAINTS = """
select conname, pg_get_constraintdef(oid) as definition
from pg_constraint where conrelid = cast(:table as regclass) and contype = 'p'
"""
_INDEXES = """
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
from pg_index where indrelid = cast(:table as regclass) and not indisprimary order by indexrelid
"""


@contextmanager
def first_fill(connection: sa.Connection, table: str, days: int | None = None) -> Iterator[bool]:
    """Within a transaction: take the key and the indexes of an empty table away, and make them again at the end.

    Args:
        days: how many days are filled; for few of them it is not worth while.

    Yields:
        Whether the table is empty. If so, nothing keeps rows of the same key apart until the end, when they are an
        error.
    """
    few = days is not None and days <= _FEW_DAYS
    if few or connection.execute(sa.text(f"select exists (select 1 from {table})")).scalar():
        yield False
        return
    constraints = connection.execute(sa.text(_CONSTRAINTS), {"table": table}).all()
    indexes = connection.execute(sa.text(_INDEXES), {"table": table}).all()
    for constraint in constraints:
        connection.exec_driver_sql(f'alter table {table} drop constraint "{constraint.conname}"')
    for index in indexes:
        connection.exec_driver_sql(f"drop index {index.name}")
    yield True
    for constraint in constraints:
        connection.exec_driver_sql(f'alter table {table} add constraint "{constraint.conname}" {constraint.definition}')
    for index in indexes:
        connection.exec_driver_sql(index.definition)
