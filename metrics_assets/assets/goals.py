"""The goals: every goal of the catalogue that counts, judged for every subject and day."""

from __future__ import annotations

import calendar
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.catalogue.goals import Goal, load_goals
from metrics_assets.catalogue.metrics import Catalogue, load_catalogue
from metrics_assets.warehouse.frames import copied_rows, copy_rows, replacing_days

# A figure that has a row on the last day of its period alone stands until the next one.
GRAIN_DAYS = {"day": 1, "week": 7, "month": 31, "quarter": 92}
_KEY = ["metric", "subject_kind", "subject"]
_VALUES = [*_KEY, "date", "value", "n", "state", "low", "high"]
_COLUMNS = [
    "goal", "subject_kind", "subject", "date", "metric", "value", "n", "metric_state", "target", "comparison", "due_on",
    "starts_on", "base", "expected", "progress", "status", "reason",
]  # fmt: skip


def derivations() -> list[Derivation]:
    """metrics.goals_daily; it reads the tables of the goals' metrics."""
    metrics = sorted({goal.metric for goal in load_goals().values()})

    def run(engine: sa.Engine, start: date, end: date) -> Metadata:
        return {"rows": judge_goals(engine, start, end)}

    return [
        Derivation(
            name="goals_daily",
            description="The goals of the catalogue that count, for every subject and day: met, on track, at risk, off "
            "track or unknown, with the reason in a sentence. From its due day on a goal is judged by the value of "
            "that day.",
            reads=tuple(f"metrics.{table}" for table in load_catalogue().tables(metrics)),
            kinds=frozenset({"postgres", "pandas"}),
            run=run,
            group="evaluate",
            preview="select goal, subject, value, target, status, reason from metrics.goals_daily "
            "where date = :day and subject_kind <> 'team' order by status, goal, subject limit 10",
        )
    ]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What metrics.yaml says that goals and gates need."""

    name: str
    start: date
    packs: frozenset[str]

    def counts(self, pack: str | None) -> bool:
        """Whether what came with a pack counts; what came with none always does."""
        return pack is None or pack in self.packs


def read_portfolio(engine: sa.Engine) -> Portfolio | None:
    """The portfolio, or None before metrics.yaml was taken over."""
    with engine.connect() as connection:
        row = connection.execute(sa.text("select portfolio, start, packs from ops.portfolio")).first()
    return None if row is None else Portfolio(row.portfolio, row.start, frozenset(row.packs))


def judge_goals(
    engine: sa.Engine, start: date, end: date, goals: Iterable[Goal] | None = None, catalogue: Catalogue | None = None
) -> int:
    """Rebuild metrics.goals_daily on [start, end); the number of rows. `goals`: others than the catalogue's."""
    from metrics_assets.analysis.goals import judge

    portfolio = read_portfolio(engine)
    every = load_goals().values() if goals is None else goals
    active = [goal for goal in every if portfolio and portfolio.counts(goal.pack)]
    if portfolio is None or not active:
        return replace_frame(engine, "metrics.goals_daily", pd.DataFrame(columns=_COLUMNS), start, end)
    rows = _rows(engine, _described(active, portfolio, catalogue or load_catalogue()), start, end)
    judged = pd.concat([rows, judge(rows)], axis=1).rename(columns={"state": "metric_state"})
    judged["metric_state"] = judged["metric_state"].fillna("unknown")
    return replace_frame(engine, "metrics.goals_daily", judged[_COLUMNS], start, end)


def _described(goals: Sequence[Goal], portfolio: Portfolio, catalogue: Catalogue) -> pd.DataFrame:
    """The goals with their days spelled out and what is needed of their metrics; one row each."""
    described = []
    for goal in goals:
        metric = catalogue.metrics[goal.metric]
        due = months_after(portfolio.start, goal.months) if goal.months else goal.by
        described.append(
            {
                "goal": goal.key,
                "metric": goal.metric,
                "subject_kind": goal.subject_kind,
                "wanted": portfolio.name if goal.subject_kind == "portfolio" and not goal.subject else goal.subject,
                "target": goal.target,
                "comparison": goal.comparison,
                "due_on": pd.Timestamp(due) if due else pd.NaT,
                "starts_on": pd.Timestamp(goal.starts or portfolio.start),
                "base": np.nan if goal.base is None else goal.base,
                "unit": metric.unit,
                "unknown": metric.unknown,
                "minimum_n": float(metric.minimum_n),
                "days": GRAIN_DAYS[metric.grain],
            }
        )
    frame = pd.DataFrame(described)
    return frame.astype({"due_on": "datetime64[ns]", "starts_on": "datetime64[ns]", "wanted": "object"})


def months_after(day: date, months: int) -> date:
    """The same day of the month `months` later; the last day of that month if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _rows(engine: sa.Engine, goals: pd.DataFrame, start: date, end: date) -> pd.DataFrame:
    """One row a goal, subject and day of [start, end), with the day's value, the base and the due day's value."""
    values = read_figures(engine, goals, start, end)
    of_all = goals[goals["wanted"].isna()].drop(columns="wanted").merge(values, on=["metric", "subject_kind"])
    named = goals[goals["wanted"].notna()].rename(columns={"wanted": "subject"})
    days = pd.DataFrame({"date": pd.date_range(start, end, inclusive="left")})
    named = named.merge(days, how="cross").merge(values, how="left", on=[*_KEY, "date"])
    rows = pd.concat([part for part in (of_all, named) if len(part)] or [named], ignore_index=True)
    rows = rows[rows["date"] >= rows["starts_on"]].sort_values(
        ["goal", "date", "subject"], kind="stable", ignore_index=True
    )
    return _with_base(engine, _with_due_value(engine, rows), end)


def _with_due_value(engine: sa.Engine, rows: pd.DataFrame) -> pd.DataFrame:
    """Add due_value: the known value of the due day, on the days after it."""
    from metrics_assets.analysis.goals import first_known

    late = rows[rows["date"] > rows["due_on"]]
    wanted = late[["metric", "subject_kind", "due_on", "days"]].drop_duplicates()
    found = [
        first_known(read_figures(engine, some, due.date(), due.date() + timedelta(days=1)), _KEY)
        for due, some in wanted.groupby("due_on")
        if isinstance(due, pd.Timestamp)
    ]
    if not found:
        return rows.assign(due_value=np.nan)
    known = pd.concat(found, ignore_index=True).rename(columns={"date": "due_on", "value": "due_value"})
    return rows.merge(known, how="left", on=[*_KEY, "due_on"])


def _with_base(engine: sa.Engine, rows: pd.DataFrame, end: date) -> pd.DataFrame:
    """Fill in base where the goal gives none: the first known value from the way's beginning on."""
    from metrics_assets.analysis.goals import KNOWN_STATES, first_known

    with_value = (rows["state"].isin(KNOWN_STATES) & rows["value"].notna()) | rows["due_value"].notna()
    without = rows["due_on"].notna() & rows["base"].isna()
    wanted = rows.loc[without & with_value, [*_KEY, "starts_on", "days"]].drop_duplicates()
    if wanted.empty:
        return rows
    found = []
    for begins, some in wanted.groupby("starts_on"):
        assert isinstance(begins, pd.Timestamp)
        since, left = begins.date(), some
        # Most have a value on the first day; only for the others the whole history is read.
        for until in (min(since + timedelta(days=1), end), end):
            values = read_figures(engine, left, since, until, left["subject"])
            first = first_known(values.merge(left[_KEY], on=_KEY), _KEY)
            found.append(first.assign(starts_on=begins))
            left = left.merge(first[_KEY], how="left", on=_KEY, indicator=True)
            left = left[left["_merge"] == "left_only"].drop(columns="_merge")
            if left.empty:
                break
    first = pd.concat(found, ignore_index=True).rename(columns={"value": "first_value", "date": "first_on"})
    rows = rows.merge(first, how="left", on=[*_KEY, "starts_on"])
    # A value that came later was not known on the day.
    fits = (without & with_value).to_numpy() & (rows["first_on"] <= rows["date"]).to_numpy()
    rows["base"] = np.where(fits, rows["first_value"], rows["base"])
    return rows.drop(columns=["first_value", "first_on"])


def read_figures(
    engine: sa.Engine, wanted: pd.DataFrame, start: date, end: date, subjects: Iterable[str] | None = None
) -> pd.DataFrame:
    """The values of the metrics and subject kinds of `wanted` on [start, end), one row a day.

    Args:
        wanted: metric, subject_kind, and days: how long a row of the metric stands (`GRAIN_DAYS`).
        subjects: of these alone.

    Returns:
        metric, subject_kind, subject, date, value, n, state, low, high.
    """
    from metrics_assets.analysis.goals import carry

    found = []
    for days in sorted(set(wanted["days"].tolist())):
        some = wanted[wanted["days"] == days]
        read = _read(engine, some, start - timedelta(days=days - 1), end, subjects)
        found.append(read if days == 1 else carry(read, days, start, end))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=_VALUES)


def _read(
    engine: sa.Engine, wanted: pd.DataFrame, start: date, end: date, subjects: Iterable[str] | None
) -> pd.DataFrame:
    conditions = ["metric = any(%s)", "subject_kind = any(%s)", "date >= %s", "date < %s"]
    given: list[Any] = [sorted(set(wanted["metric"])), sorted(set(wanted["subject_kind"])), start, end]
    if subjects is not None:
        conditions.append("subject = any(%s)")
        given.append(sorted(set(subjects)))
    query = f"select {', '.join(_VALUES)} from metrics.metric_values where {' and '.join(conditions)}"
    with engine.connect() as connection:
        copied = copied_rows(connection, query, given)
    frame: pd.DataFrame = pd.read_csv(
        copied,
        dtype=dict.fromkeys([*_KEY, "state"], "object") | dict.fromkeys(["value", "n", "low", "high"], "float64"),
        keep_default_na=False,
        na_values={name: [""] for name in ("value", "n", "low", "high")},
        parse_dates=["date"],
        date_format="%Y-%m-%d",
    )
    return frame.astype({"date": "datetime64[ns]"})


def replace_frame(engine: sa.Engine, table: str, frame: pd.DataFrame, start: date, end: date) -> int:
    """Replace the rows of `table` with date in [start, end) by a frame's, in one transaction; their number.

    For frames of numbers, texts and days: written as a whole, not cell by cell, because there may be a million.
    """
    columns = [_cells(frame[name], whole=name == "n") for name in frame.columns]
    buffer = io.StringIO("".join(f"{line}\n" for line in map(",".join, zip(*columns, strict=True))))
    with replacing_days(engine, table, start, end) as connection:
        copy_rows(connection, table, list(frame.columns), buffer)
    return len(frame)


def _cells(column: pd.Series[Any], *, whole: bool) -> list[str]:
    """A column as CSV; nothing is null."""
    if pd.api.types.is_float_dtype(column):
        return ["" if one != one else str(int(one)) if whole else repr(one) for one in column.tolist()]
    # Days and most texts stand in many rows.
    codes, unique = pd.factorize(column)
    days = pd.api.types.is_datetime64_any_dtype(column)
    shown = [str(one)[:10] if days else str(one) for one in unique]
    quoted = [*('"' + one.replace('"', '""') + '"' for one in shown), ""]
    return [quoted[code] for code in codes.tolist()]
