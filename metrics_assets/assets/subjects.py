"""Who a community's figures are about: repositories, and the teams and the portfolio that they make up."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from metrics_assets.warehouse.frames import copy_rows, replacing_days

Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]

_REPOSITORIES = """
select settings.repository_id, settings.repository, settings.team, portfolio.portfolio, portfolio.start,
       repositories.created_at::date as created_on, repositories.state in ('gone', 'blocked') as is_gone,
       array(select lower(span) from unnest({days}) as span)::date[] as known_from,
       array(select upper(span) from unnest({days}) as span)::date[] as known_to
from ops.repository_settings as settings
join raw.repositories as repositories using (repository_id)
cross join ops.portfolio as portfolio
left join ops.collected_days as collected using (repository_id)
order by settings.repository_id
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """A repository, a team or the portfolio.

    Attributes:
        exists: by day of the range, whether there is a row of it.
        known: whether what it is made of was collected that day. Of a group, every repository that exists, but those
            that nothing was ever collected of and those that went away.
        whole_from: by day, the first day of which everything is known, counted from the range's first; far in the past
            where everything since the creation is.
    """

    kind: str
    name: str
    repository_id: int | None
    repositories: tuple[int, ...]
    exists: Flags
    known: Flags
    whole_from: npt.NDArray[np.int64]

    def has_history(self, days: int) -> Flags:
        """By day of the range, whether so many days up to it are known, or all since the creation."""
        return self.whole_from <= np.arange(len(self.exists)) - days + 1


_EVER = -(10**6)


def read_subjects(connection: sa.Connection, start: date, end: date, days_sql: str) -> list[Subject]:
    """All repositories, teams and the portfolio on the days [start, end).

    Args:
        days_sql: the multirange of days, over columns of ops.collected_days as `collected`, on which it is known.
    """
    repositories = [
        _repository(row, start, end) for row in connection.execute(sa.text(_REPOSITORIES.format(days=days_sql)))
    ]
    groups: dict[tuple[str, str], list[_Repository]] = {}
    for one in repositories:
        if one.team is not None:
            groups.setdefault(("team", one.team), []).append(one)
        groups.setdefault(("portfolio", one.portfolio), []).append(one)
    return [
        *(one.subject for one in repositories),
        *(_group(kind, name, members) for (kind, name), members in groups.items()),
    ]


@dataclass(frozen=True, slots=True)
class _Repository:
    subject: Subject
    team: str | None
    portfolio: str
    left_out: Flags  # days on which a group does not ask for it


def _repository(row: Any, start: date, end: date) -> _Repository:
    days = (end - start).days
    first = max(row.start, row.created_on)
    exists = np.arange(days) >= (first - start).days
    known = np.zeros(days, dtype=bool)
    last = 0
    for lower, upper in zip(row.known_from, row.known_to, strict=True):
        low = 0 if lower is None else max(0, (lower - start).days)
        last = days if upper is None else max(last, (upper - start).days)
        known[low : days if upper is None else max(0, (upper - start).days)] = True
    whole_from = _EVER if row.created_on >= row.start else (row.start - start).days
    never = not row.known_from
    left_out = (np.arange(days) >= last) & row.is_gone | never
    return _Repository(
        Subject(
            "repository", row.repository, row.repository_id, (row.repository_id,), exists, known & exists,
            np.full(days, whole_from),
        ),
        row.team,
        row.portfolio,
        left_out,
    )  # fmt: skip


def _group(kind: str, name: str, members: Sequence[_Repository]) -> Subject:
    asked = [member.subject.exists & ~member.left_out for member in members]
    known = np.logical_or.reduce(asked)
    whole_from = np.full(len(known), _EVER)
    for member, is_asked in zip(members, asked, strict=True):
        known &= member.subject.known | ~is_asked
        whole_from = np.where(is_asked, np.maximum(whole_from, member.subject.whole_from), whole_from)
    return Subject(
        kind, name, None, tuple(repository for member in members for repository in member.subject.repositories),
        np.logical_or.reduce([member.subject.exists for member in members]), known, whole_from,
    )  # fmt: skip


def rows_of(subject: Subject, start: date, columns: Mapping[str, Values]) -> pd.DataFrame:
    """A row per day on which the subject exists; the figures as they are."""
    days = np.flatnonzero(subject.exists)
    dates = np.array([start + timedelta(days=int(day)) for day in days], dtype=object)
    head = {
        "subject_kind": subject.kind,
        "subject": subject.name,
        "repository_id": subject.repository_id,
        "date": dates,
    }
    return pd.DataFrame({**head, **{name: values[days] for name, values in columns.items()}}, index=range(len(days)))


def replace_subject_days(
    engine: sa.Engine, table: str, figures: Sequence[tuple[Subject, Mapping[str, Values]]], start: date, end: date
) -> int:
    """Replace the rows of `table` with date in [start, end), in one transaction; returns how many were written.

    Args:
        figures: each subject with its columns, a value per day of the range; NaN is unknown.
    """
    frames = [rows_of(subject, start, columns) for subject, columns in figures if subject.exists.any()]
    buffer = io.StringIO()
    names: list[str] = []
    if frames:
        rows = pd.concat([frame.astype({"repository_id": "float64"}) for frame in frames], ignore_index=True)
        rows.to_csv(buffer, index=False, header=False, float_format="%.15g")
        names = list(rows.columns)
    buffer.seek(0)
    with replacing_days(engine, table, start, end) as connection:
        if frames:
            copy_rows(connection, table, names, buffer)
    return sum(len(frame) for frame in frames)
