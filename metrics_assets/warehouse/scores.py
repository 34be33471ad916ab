"""What scores are made of, read fast, and scores, written fast: a year of a large portfolio has a million figures."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from metrics_assets.warehouse.filling import first_fill
from metrics_assets.warehouse.frames import copied_rows

_FIGURES = """
select figures.subject_kind, figures.subject, figures.date, figures.metric, figures.value, figures.n, figures.state
from metrics.metric_values as figures
where figures.metric = any (%(metrics)s)
  and figures.date >= %(start)s and figures.date < %(end)s
  and (
      figures.subject_kind = 'repository'
      or (figures.subject_kind = 'portfolio' and figures.subject = (select portfolio from ops.portfolio))
  )
"""

# The largest figure of a subject's packages: the dependents of several packages may be the same ones, and the
# downloads of one the doing of another, so that a sum would count twice.
_OF_PACKAGES = """
with packages as (
    select registry || ':' || package as package, 'package of repository' as subject_kind, repository as subject
    from ops.package_settings
    where repository is not null
    union all
    select settings.registry || ':' || settings.package, 'package of portfolio', portfolio.portfolio
    from ops.package_settings as settings cross join ops.portfolio as portfolio
)
select
    packages.subject_kind, packages.subject, figures.date, figures.metric,
    max(figures.value) filter (where figures.state in ('ok', 'provisional')) as value,
    null::bigint as n,
    coalesce(max(figures.state) filter (where figures.state in ('ok', 'provisional')), min(figures.state)) as state
from metrics.metric_values as figures
join packages on packages.package = figures.subject
where figures.metric = any (%(metrics)s)
  and figures.subject_kind = 'package'
  and figures.date >= %(start)s and figures.date < %(end)s
group by packages.subject_kind, packages.subject, figures.date, figures.metric
"""


def read_figures(
    engine: sa.Engine, metrics: Iterable[str], of_packages: Iterable[str], start: date, end: date
) -> pd.DataFrame:
    """The figures of repositories and of the portfolio on the days [start, end).

    Args:
        of_packages: metrics of packages; of those of a repository (of all of them, for the portfolio) the largest
            known figure stands for it, under the kinds 'package of repository' and 'package of portfolio'.

    Returns:
        Columns subject_kind, subject, date (datetime64), metric, value, n (floats, NaN where there is none), state.
    """
    bounds = {"start": start, "end": end}
    with engine.connect() as connection:
        frames = [
            _copied(connection, statement, {**bounds, "metrics": sorted(set(wanted))})
            for statement, wanted in ((_FIGURES, list(metrics)), (_OF_PACKAGES, list(of_packages)))
            if wanted
        ]
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def _copied(connection: sa.Connection, statement: str, parameters: dict[str, Any]) -> pd.DataFrame:
    text = dict.fromkeys(("subject_kind", "subject", "metric", "state", "date"), "category")
    rows = copied_rows(connection, statement, parameters)
    # A repository may be called null; only what is empty is missing.
    frame = pd.read_csv(rows, dtype={**text, "value": "float64", "n": "float64"}, keep_default_na=False, na_values=[""])
    days = pd.to_datetime(pd.Index(frame["date"].cat.categories), format="%Y-%m-%d").to_numpy()
    frame["date"] = days[frame["date"].cat.codes] if len(frame) else pd.Series([], dtype="datetime64[ns]")
    for name in ("subject", "state", "metric", "subject_kind"):
        frame[name] = frame[name].astype(object)
    return frame


def replace_scores(engine: sa.Engine, scored: Collection[pd.DataFrame], start: date, end: date) -> int:
    """Replace metrics.scores on the days [start, end) by what was scored, in one transaction.

    Args:
        scored: frames as `analysis.scoring.score` returns them, with date as datetime64.

    Returns:
        The number of rows written.
    """
    rows = io.StringIO()
    for frame in scored:
        rows.writelines(_lines(frame))
    rows.seek(0)
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('metrics.scores'))"))
        with first_fill(connection, "metrics.scores"):
            connection.execute(
                sa.text("delete from metrics.scores where date >= :start and date < :end"), {"start": start, "end": end}
            )
            cursor: Any = connection.connection.cursor()
            try:
                cursor.copy_expert(
                    "copy metrics.scores (score, version, subject_kind, subject, date, value, coverage, components) "
                    "from stdin",
                    rows,
                )
            finally:
                cursor.close()
    return sum(len(frame) for frame in scored)


def _lines(frame: pd.DataFrame) -> Iterable[str]:
    """The rows in COPY's text format."""
    if frame.empty:
        return
    score, version = frame["score"].iloc[0], frame["version"].iloc[0]
    values = frame["value"].to_numpy(dtype=float).astype(object)
    values[frame["value"].isna().to_numpy()] = r"\N"
    cells = zip(
        frame["subject_kind"],
        frame["subject"],
        np.datetime_as_string(frame["date"].to_numpy(dtype="datetime64[D]")),
        values,
        frame["coverage"].tolist(),
        frame["components"],
        strict=True,
    )
    for kind, subject, day, value, coverage, components in cells:
        subject, components = _escaped(subject), components.replace("\\", "\\\\")
        yield f"{score}\t{version}\t{kind}\t{subject}\t{day}\t{value}\t{coverage}\t{components}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
