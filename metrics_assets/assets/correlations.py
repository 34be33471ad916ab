"""The correlations: pairs of metrics of the catalogue, held against each other for every subject that has both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.assets.figures import SUBJECT, Figures, Floats, read_known
from metrics_assets.assets.goals import read_portfolio
from metrics_assets.assets.shared import FORECAST, PREDICTED
from metrics_assets.catalogue.correlations import Correlation, load_correlations
from metrics_assets.catalogue.metrics import Catalogue, Metric, load_catalogue
from metrics_assets.partitions import Days, made_for
from metrics_assets.warehouse.frames import replace_days

_TABLE = "metrics.correlations"
_WEEK = 7


def derivation() -> Derivation:
    """metrics.correlations; it reads the tables of the pairs' metrics."""
    metrics = sorted({metric for pair in load_correlations().values() for metric in (pair.x, pair.y)})

    def run(engine: sa.Engine, start: date, end: date) -> Metadata:
        from metrics_assets.assets.predictions import evaluation_days

        days = evaluation_days(start, end)
        return {"rows": correlate(engine, days), "made_for": made_for(days, Days(start, end))}

    return Derivation(
        name="correlations",
        description="Pairs of metrics (catalogue/correlations) of every subject that has both, by their changes over "
        "the days before: Pearson's r, Spearman's, the lag at which they go together best, and p, corrected for the "
        "lags and, in p_adjusted, for all pairs and subjects of the day (Benjamini-Hochberg). A sentence stands only "
        "where the pair survives that, and says nothing about cause. Made for the last day of a month and of a range.",
        reads=(*(f"metrics.{table}" for table in load_catalogue().tables(metrics)), "ops.portfolio"),
        kinds=frozenset({"postgres", "numpy"}),
        run=run,
        group=FORECAST,
        preview="select pair, subject, lag_days, n, round(pearson::numeric, 2) as r, p_adjusted, sentence "
        "from metrics.correlations where date = :day and subject_kind <> 'team' "
        "order by p_adjusted nulls last, pair, subject limit 20",
    )


def correlate(
    engine: sa.Engine,
    days: Sequence[date],
    pairs: Iterable[Correlation] | None = None,
    catalogue: Catalogue | None = None,
) -> int:
    """Rebuild metrics.correlations of some days; the number of rows. `pairs`: others than the catalogue's."""
    portfolio = read_portfolio(engine)
    every = load_correlations().values() if pairs is None else pairs
    active = [pair for pair in every if portfolio and portfolio.counts(pair.pack)]
    found = catalogue or load_catalogue()
    figures = _read(engine, active, found, days)
    rows = 0
    for day in days:
        frame = _of_a_day(active, found, figures, day)
        rows += replace_days(engine, _TABLE, frame, day, day + timedelta(days=1), only={})
    return rows


def _read(engine: sa.Engine, pairs: Sequence[Correlation], catalogue: Catalogue, days: Sequence[date]) -> Figures:
    wanted: dict[str, set[date]] = {}
    for pair in pairs:
        for key in (pair.x, pair.y):
            for day in days:
                looked_at = _days(pair, day)
                by_week = pair.grain == "week" and _of_windows(catalogue.metrics[key])
                wanted.setdefault(key, set()).update(looked_at[_WEEK - 1 :: _WEEK] if by_week else looked_at)
    read = [read_known(engine, [key], PREDICTED, dates).rows for key, dates in wanted.items()]
    return Figures(pd.concat(read, ignore_index=True)) if read else read_known(engine, [], PREDICTED, [])


def _days(pair: Correlation, day: date) -> list[date]:
    """The days up to `day` that a pair looks at; whole ISO weeks where weeks are compared."""
    last = day - timedelta(days=day.isoweekday() % _WEEK) if pair.grain == "week" else day
    count = pair.days // _WEEK * _WEEK if pair.grain == "week" else pair.days
    return [last - timedelta(days=back) for back in reversed(range(count))]


def _of_windows(metric: Metric) -> bool:
    """Whether the last day of a week says what the week's value is."""
    return metric.grain == "week" or (metric.window or 1) >= _WEEK


def _known_of(
    pair: Correlation, catalogue: Catalogue, figures: Figures, day: date
) -> tuple[pd.MultiIndex, list[Floats]]:
    """The subjects that have a known value of both metrics among the days that count, and both metrics' values.

    What was read for other days of the range, or for other pairs, gives no subject a row.
    """
    subjects, days = figures.subjects(pair.x, pair.y), _days(pair, day)
    values = [figures.matrix(key, subjects, days) for key in (pair.x, pair.y)]
    known = np.ones(len(subjects), dtype=np.bool_)
    for key, daily in zip((pair.x, pair.y), values, strict=True):
        by_week = pair.grain == "week" and _of_windows(catalogue.metrics[key])
        known &= np.isfinite(daily[:, _WEEK - 1 :: _WEEK] if by_week else daily).any(axis=1)
    return subjects[known], [daily[known] for daily in values]


def _of_a_day(pairs: Sequence[Correlation], catalogue: Catalogue, figures: Figures, day: date) -> pd.DataFrame:
    from metrics_assets.analysis.correlations import Relation, compare, corrected, daily_changes, weekly_changes

    parts = []
    for pair in pairs:
        subjects, values = _known_of(pair, catalogue, figures, day)
        if not len(subjects):
            continue
        changes = [
            weekly_changes(daily, of_windows=_of_windows(catalogue.metrics[key]))
            if pair.grain == "week"
            else daily_changes(daily)
            for key, daily in zip((pair.x, pair.y), values, strict=True)
        ]
        step = _WEEK if pair.grain == "week" else 1
        compared = compare(changes[0], changes[1], pair.max_lag_days // step)
        part = pd.DataFrame({name: getattr(compared, name) for name in compared.__slots__})
        part = part.assign(pair=pair.key, x=pair.x, y=pair.y, step=step, lag_days=compared.lag * step)
        parts.append(part.join(subjects.to_frame(index=False)))
    if not parts:
        return pd.DataFrame(columns=_COLUMNS)
    rows = pd.concat(parts, ignore_index=True)
    rows["date"] = day
    rows["p_adjusted"], rows["survives"] = corrected(rows["p"].to_numpy())
    # Enough days, and nothing moved in them: no coefficient is defined.
    still = (rows["n"] > 0) & ~rows["moves"]
    rows["state"] = rows["enough"].map({True: "ok", False: "too_few"}).where(~still, "unknown")
    comparisons = int(rows["enough"].sum())

    def sentence(row: Any) -> str | None:
        if not row.survives:
            return None
        x, y = (catalogue.metrics[key].title for key in (row.x, row.y))
        return Relation(
            x, y, int(row.lag_days), row.step, int(row.n), row.n_effective, row.pearson, row.spearman, row.p_adjusted,
            comparisons,
        ).sentence  # fmt: skip

    rows["sentence"] = [sentence(row) for row in rows.itertuples(index=False)]
    return rows[_COLUMNS]


_COLUMNS = [
    "pair", *SUBJECT, "date", "x", "y", "lag_days", "n", "n_effective", "pearson", "spearman", "p", "p_adjusted",
    "survives", "state", "sentence",
]  # fmt: skip
